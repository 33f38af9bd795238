"""A process that records into a table until it is killed, and says what was acknowledged; the tests run it.

``python crew.py TABLE ACKS ROLE [MUTANT]``: every acknowledged shape id is one line in the file ACKS, written with one
write() after ``append`` returned, so that it survives the death of the process as the row must. The roles: ``write``
appends and flushes now and then, ``publish`` does so and publishes often; ``slowly``, some hundred rows a
second.
"""

from __future__ import annotations

import os
import random
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

import numpy as np

from toriwork.registry.codec import SPEC
from toriwork.registry.rows import pack_shape
from toriwork.storage import ParquetTable, PublishPolicy
from toriwork.storage.frames import Kind
from toriwork.storage.journal import JournalWriter
from toriwork.storage.publish_plan import PublishPlan

#: publishes by policy all the time, so that kills fall into publishes
EAGER = PublishPolicy(min_interval=0.02, max_share=0.5, inline_seconds=0.5, max_age=0.05)


def break_it(mutant: str) -> None:
    """Make the store forget something that it must not forget."""
    if mutant == "no journal write":
        whole = JournalWriter.append

        def append(self: JournalWriter, payload: bytes, n_rows: int, kind: int, time_ns: int) -> int:
            """Keep rows in memory and write them when a mark is made, that is at the flush."""
            kept = self.__dict__.setdefault("unwritten", [])
            if kind != Kind.SYNC:
                kept.append((payload, n_rows, kind, time_ns))
                return self.next_number + len(kept) - 1
            for frame in kept:
                whole(self, *frame)
            kept.clear()
            return self.next_number

        JournalWriter.append = append  # type: ignore[method-assign]
        JournalWriter.append_sync_mark = lambda self, time_ns: self.append(b"", 0, Kind.SYNC, time_ns)  # type: ignore[method-assign]
    elif mutant == "absorbed is forgotten":
        PublishPlan.absorbed = lambda self, files: {}  # type: ignore[method-assign]
    elif mutant:
        raise SystemExit(f"no such mutant: {mutant}")


def record(table: ParquetTable, name: int) -> str:
    """Append one shape that nobody else records; its content id."""
    vertices = np.array([[name, 1.0, 2.0], [3.0, name, 4.0]])
    shape: Any = pack_shape(vertices, (1.0, 0.0, 0.0), "local", None)
    table.append(shape.row)
    return str(shape.shape_id)


def main(path: str, acks: str, role: str, mutant: str = "") -> None:
    """Record until somebody kills this process."""
    break_it(mutant)
    rng = random.Random()
    durability = "power" if not mutant and rng.random() < 0.3 else "process"
    table = ParquetTable(path, SPEC, policy=EAGER, durability=durability)
    out = os.open(acks, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    os.write(out, b"ready\n")
    while True:
        for _ in range(rng.randint(1, 40)):
            os.write(out, record(table, rng.getrandbits(52)).encode() + b"\n")
        if role.endswith("slowly"):
            time.sleep(0.1)
        if mutant == "no journal write" and role == "write":
            time.sleep(0.01)  # rows in memory only: where a flush is slow, kills would all fall into flushes
            continue
        chance = rng.random()
        if role.startswith("publish") and chance < 0.5:
            table.flush(publish=True)
        elif chance < 0.3:
            table.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
