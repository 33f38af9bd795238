"""Random histories of a registry: after ``flush(publish=True)`` every row that its handle had recorded is public, once.

Rows with numbers and without, batches, interrupts in front of any line, a disk that is full for a while, slow numbers,
several handles and threads, journals that are sealed, handles that are closed and opened again.
"""

from __future__ import annotations

import contextlib
import random
import threading
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from tests.registry.test_left_behind import SLOW, WAIT, Disk, Gate, StopAt, cloud, quick, sealed
from toriwork.errors import StoreError
from toriwork.registry import TorusRegistry, completion
from toriwork.registry.rows import PackedRow
from toriwork.storage import ParquetTable, journal, maintenance

STEPS = 14
N_SHORT = 40
N_LONG = 10_000


class Handle:
    """A registry and the numbers of the rows whose call had returned."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.recorded: set[int] = set()
        self.registry = TorusRegistry(path)

    def reopen(self) -> None:
        self.registry.close()
        self.registry = TorusRegistry(self.path)
        self.recorded = set()  # what was left open at the end of a handle is for whoever publishes


class History:
    """One history; the same seed is the same choice of steps."""

    def __init__(self, path: Path, seed: int, disk: Disk, gate: Gate) -> None:
        self.path, self.rng, self.disk, self.gate = path, random.Random(seed), disk, gate
        self.next = 0
        self.handles = [Handle(path) for _ in range(self.rng.choice((1, 1, 2, 3)))]

    def run(self) -> None:
        steps = (self.record, self.record, self.batch, self.stop, self.stop, self.fill, self.full, self.slow)
        steps += (self.seal, self.threads, self.flush, self.publish, self.reopen)
        for _ in range(STEPS):
            self.rng.choice(steps)(self.rng.choice(self.handles))
        for handle in self.handles:
            self.publish(handle)
            handle.registry.close()

    def row(self, handle: Handle, points: int = 4) -> None:
        n = self.next = self.next + 1
        given = self.rng.choice((None, None, (1, 0)))
        handle.registry.record_shape(cloud(n, points), given, metadata={"n": n})
        handle.recorded.add(n)

    def record(self, handle: Handle) -> None:
        self.row(handle, SLOW if self.rng.random() < 0.3 else 4)

    def fill(self, handle: Handle) -> None:
        for _ in range(4):
            self.row(handle, 60)

    def batch(self, handle: Handle) -> None:
        names = [self.next + k for k in range(1, self.rng.choice((2, 20)))]
        self.next += len(names)
        given = [self.rng.choice((None, (1, 0))) for _ in names]
        clouds = [cloud(n, self.rng.choice((4, SLOW))) for n in names]
        handle.registry.record_shapes(clouds, given, metadata=[{"n": n} for n in names])
        handle.recorded.update(names)

    def stop(self, handle: Handle) -> None:
        files = ("registry/registry.py", "registry/completion.py")
        with contextlib.suppress(KeyboardInterrupt), StopAt(self.rng.randint(1, 60), *files):
            self.row(handle)  # it may be recorded when it is interrupted

    def full(self, handle: Handle) -> None:
        self.disk.full = True
        self.gate.set()  # numbers find no room
        with contextlib.suppress(StoreError):  # then it is not recorded
            self.row(handle)
        handle.registry._queue.join()
        self.disk.full = False

    def slow(self, handle: Handle) -> None:
        self.gate.clear()
        self.row(handle, SLOW)
        self.row(handle)

    def seal(self, handle: Handle) -> None:
        sealed(handle.registry)

    def threads(self, handle: Handle) -> None:
        names = [self.next + k for k in range(1, 7)]
        self.next += len(names)

        def work(mine: list[int]) -> None:
            for n in mine:
                handle.registry.record_shape(cloud(n), metadata={"n": n})
                handle.recorded.add(n)

        crew = [threading.Thread(target=work, args=(names[k::2],)) for k in range(2)]
        for thread in crew:
            thread.start()
        if self.rng.random() < 0.5:
            self.publish(handle)
        for thread in crew:
            thread.join(WAIT)

    def flush(self, handle: Handle) -> None:
        self.gate.set()
        handle.registry.flush(self.rng.choice((None, False)))

    def publish(self, handle: Handle) -> None:
        self.gate.set()
        wanted = set(handle.recorded)
        handle.registry.flush(publish=True)
        rows = pd.read_parquet(self.path, columns=["metadata", "betti_status", "row_id"])
        names = Counter(int(text.split(":")[1].strip(" }")) for text in rows.metadata)
        assert wanted <= names.keys(), f"not public: {sorted(wanted - names.keys())}"
        assert not names or max(names.values()) == 1
        assert "pending" not in set(rows.betti_status)

    def reopen(self, handle: Handle) -> None:
        self.gate.set()
        handle.reopen()


def run_histories(folder: Path, first: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate()

    def slow(row: PackedRow, budget: object) -> bytes:
        assert row.shape[0] != SLOW or gate.wait(WAIT)
        return quick(row, budget)

    monkeypatch.setattr(completion, "compute_values", slow)
    monkeypatch.setattr(journal, "ROLL_BYTES", 6000)
    monkeypatch.setattr(maintenance, "_SEAL_BYTES", 3000)
    monkeypatch.setattr(maintenance, "_SEAL_REST", 0.0)
    monkeypatch.setattr(ParquetTable, "run_maintenance", lambda _: False)  # sealed and published by the history alone
    disk = Disk(monkeypatch)
    for seed in range(first, first + count):
        gate.set()
        disk.full = False
        try:
            History(folder / str(seed) / "r.parquet", seed, disk, gate).run()
        except BaseException as error:
            error.add_note(f"history {seed}")
            raise


def test_what_was_recorded_is_public_after_a_flush_that_publishes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_histories(tmp_path, 0, N_SHORT, monkeypatch)


@pytest.mark.long
def test_what_was_recorded_is_public_in_ten_thousand_histories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_histories(tmp_path, 1000, N_LONG, monkeypatch)
    with capsys.disabled():
        print(f"{N_LONG} histories, no row left behind")  # noqa: T201 - the count is what a long form is for
