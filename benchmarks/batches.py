"""``record_shapes`` against the least work that leaves the same bytes, and against one transaction of SQLite."""

from __future__ import annotations

import os
import shutil
import statistics
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from zlib import crc32

from benchmarks.paired_rounds import BETTI, Cloud, make_clouds, seconds, take_turns
from benchmarks.peers import Ours, Sqlite
from benchmarks.report import Line, Target, compare
from benchmarks.sizes import Size

BY_HAND = "tobytes + BLAKE2b + CRC32 + write"
TRANSACTION = "SQLite, one transaction"
Writer = Callable[[Sequence[Cloud]], object]


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of batches: seconds for one batch."""
    clouds = make_clouds(size.batch)
    makers = {"toriwork": _ours, BY_HAND: _by_hand, TRANSACTION: _sqlite}
    found = take_turns(
        {name: partial(_one_round, maker, folder / "batches", clouds, size.batches) for name, maker in makers.items()},
        size.rounds,
    )
    name = f"record_shapes of {size.batch:,} clouds"
    return (
        compare(name, found["toriwork"], BY_HAND, found[BY_HAND], "s", Target("at most", 2.0)),
        compare(name, found["toriwork"], TRANSACTION, found[TRANSACTION], "s"),
    )


def _one_round(
    maker: Callable[[Path], tuple[Writer, Callable[[], None]]], folder: Path, clouds: Sequence[Cloud], n_batches: int
) -> float:
    """Seconds for one batch, the median of the first few of a new store."""
    folder.mkdir()
    try:
        write, close = maker(folder)
        taken = [seconds(partial(write, clouds)) for _ in range(n_batches)]
        close()
        return statistics.median(taken)
    finally:
        shutil.rmtree(folder)


def _ours(folder: Path) -> tuple[Writer, Callable[[], None]]:
    store = Ours(folder)
    return lambda clouds: store.registry.record_shapes(clouds, [BETTI] * len(clouds)), store.close


def _sqlite(folder: Path) -> tuple[Writer, Callable[[], None]]:
    store = Sqlite(folder, "NORMAL")
    return store.record_all, store.close


def _by_hand(folder: Path) -> tuple[Writer, Callable[[], None]]:
    descriptor = os.open(folder / "by-hand", os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    def write(clouds: Sequence[Cloud]) -> list[str]:
        parts, ids = [], []
        for cloud in clouds:
            data = cloud.tobytes()
            ids.append(blake2b(data, digest_size=16).hexdigest())
            parts.append(data)
        frame = b"".join(parts)
        os.write(descriptor, crc32(frame).to_bytes(4, "little") + frame)
        return ids

    return write, partial(os.close, descriptor)
