"""``durability="power"`` against the bare calls that it cannot do without: one write and one fdatasync a row.

Threads share their waits for the disk. Where the disk answers in less than a millisecond there is little to share, so
4 ms are added to every sync of both, ours through the store's file layer.
"""

from __future__ import annotations

import os
import shutil
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks.paired_rounds import BETTI, Cloud, make_clouds, seconds, take_turns
from benchmarks.report import Line, Target, compare
from benchmarks.sizes import Size
from toriwork.registry.codec import SPEC
from toriwork.registry.rows import pack_shape
from toriwork.storage import ParquetTable
from toriwork.storage.files import Files, OsFiles
from toriwork.storage.handles import Handle

N_THREADS = 8
INJECTED_SECONDS = 0.004
SLOW_DISK_SECONDS = 0.001
FRAME_HEADER_BYTES = 68
BARE = "write + fdatasync"
Record = Callable[[Cloud], object]


class SlowHandle:
    """An open file whose syncs take longer."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handle, name)

    def sync(self) -> None:
        """Sync, after a pause."""
        time.sleep(INJECTED_SECONDS)
        self._handle.sync()


class SlowFiles(OsFiles):
    """The operating system's disk, only slower at syncing."""

    def create(self, path: Path, *, exclusive: bool = True) -> Any:
        """A handle for appending whose syncs take longer."""
        return SlowHandle(super().create(path, exclusive=exclusive))


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of single threads and of group commit."""
    clouds = make_clouds(size.synced_rows)
    alone = take_turns(
        {
            "ours": partial(_ours, folder / "power", clouds, OsFiles(), 1),
            "bare": partial(_bare, folder / "power", clouds, 0.0),
        },
        size.rounds,
    )
    quick = 1 / max(alone["bare"]) < SLOW_DISK_SECONDS  # a shared disk may be slow for one round only
    pause, files = (INJECTED_SECONDS, SlowFiles()) if quick else (0.0, OsFiles())
    together = take_turns(
        {
            "ours": partial(_ours, folder / "power", clouds, files, N_THREADS),
            "bare": partial(_bare, folder / "power", clouds, pause),
        },
        min(size.rounds, 5),
    )
    name = f"power, {N_THREADS} threads" + (f", {1e3 * pause:g} ms added to each sync" if quick else "")
    return (
        compare("power, 1 thread", alone["ours"], BARE, alone["bare"], "rows/s", Target("at least", 0.8)),
        compare(name, together["ours"], f"{BARE}, 1 thread", together["bare"], "rows/s", Target("at least", 3.0)),
    )


def _ours(folder: Path, clouds: list[Cloud], files: Files, n_threads: int) -> float:
    """Rows a second of ``n_threads``, each of which records every cloud into the same handle."""
    with ParquetTable(folder / "table.parquet", SPEC, durability="power", files=files) as table:

        def record(cloud: Cloud) -> None:
            table.append(pack_shape(cloud, BETTI, "local", None).row)

        record(clouds[0])  # makes the journal
        threads = [threading.Thread(target=_record_all, args=(record, clouds)) for _ in range(n_threads)]
        taken = seconds(lambda: [*map(threading.Thread.start, threads), *map(threading.Thread.join, threads)])
    shutil.rmtree(folder)
    return n_threads * len(clouds) / taken


def _bare(folder: Path, clouds: list[Cloud], pause: float) -> float:
    """Rows a second of one thread that only writes and syncs as many bytes."""
    folder.mkdir()
    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    rows = [bytes(FRAME_HEADER_BYTES) + pack_shape(cloud, BETTI, "local", None).row for cloud in clouds]

    def record(row: bytes) -> None:
        os.write(descriptor, row)
        if pause:
            time.sleep(pause)
        os.fdatasync(descriptor)

    record(rows[0])
    taken = seconds(lambda: _record_all(record, rows))
    os.close(descriptor)
    shutil.rmtree(folder)
    return len(rows) / taken


def _record_all(record: Callable[[Any], None], rows: list[Any]) -> None:
    for row in rows:
        record(row)
