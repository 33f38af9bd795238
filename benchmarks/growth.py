"""Recording into a large registry against recording into an empty one, in the time that the caller waits.

Everything runs in processes of its own: the large registry grows there by the same calls that a user makes, a flush
every 1,000 rows, publishing by policy, and its peak memory and every byte that it writes are counted.
"""

from __future__ import annotations

import os
import shutil
import statistics
import time
from pathlib import Path
from typing import Any

from benchmarks.child import call, peak_bytes, written_bytes
from benchmarks.report import Line, Target, compare, progress
from benchmarks.sizes import Size

FLUSH_EVERY = 1000
MEMORY_BYTES = 400e6
FLUSH_SECONDS = 0.5
_DISTINCT = 2000  # clouds: enough that nothing is found again, few enough that they are no burden


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of a registry that grows to ``size.base_rows``."""
    large = folder / "large"
    progress(f"flat: {size.base_rows:,} rows of 100 x 3 are recorded, {size.base_rows * 2400 / 1e9:.2g} GB")
    filled = call("benchmarks.growth:record", path=str(large), n_rows=size.base_rows, publish=True)
    found: dict[str, list[dict[str, Any]]] = {"large": [], "empty": []}
    for number in range(max(1, min(size.rounds, 5))):
        empty = folder / f"empty-{number}"
        for name in ("large", "empty") if number % 2 else ("empty", "large"):
            path = large if name == "large" else empty
            found[name].append(call("benchmarks.growth:record", path=str(path), n_rows=size.flat_rows))
        shutil.rmtree(empty)
    bare = bare_sync_seconds(folder)
    shutil.rmtree(large)
    return _lines(size, filled, found, bare)


def _lines(
    size: Size, filled: dict[str, Any], found: dict[str, list[dict[str, Any]]], bare: list[float]
) -> tuple[Line, ...]:
    grown = f"{size.base_rows:,} rows"
    waited = {name: [each["seconds"] for each in rounds] for name, rounds in found.items()}
    peak = max(each["peak"] for each in (filled, *found["large"]))
    peak_empty = statistics.median(each["peak"] for each in found["empty"])
    flushes = [*filled["flushes"], *(second for each in found["large"] for second in each["flushes"])]
    recorded = size.base_rows * 2400
    slowest = percentile(flushes, 0.99)
    return (
        compare(
            f"{size.flat_rows:,} rows into {grown}", waited["large"], "into none", waited["empty"], "s",
            Target("at most", 1.3),
        ),
        Line(
            f"flush, 99 of 100, up to {grown}", slowest, percentile(bare, 0.99), "s", "write + fdatasync of 1,000 rows",
            slowest / percentile(bare, 0.99), Target("at most", FLUSH_SECONDS, of="ours"),
        ),
        Line(
            f"bytes written for {grown}", filled["written"], recorded, "bytes", "of clouds",
            filled["written"] / recorded, Target("at most", 4.0),
        ),
        Line(
            f"peak memory, up to {grown}", peak, peak_empty, "bytes", "at none",
            peak / peak_empty, Target("at most", MEMORY_BYTES, of="ours"),
        ),
    )  # fmt: skip


def percentile(values: list[float], share: float) -> float:
    """The value that ``share`` of all values do not exceed."""
    return sorted(values)[min(len(values) - 1, int(share * len(values)))]


def record(path: str, n_rows: int, publish: bool = False) -> dict[str, Any]:
    """Seconds that the caller waited for rows and flushes, the flushes one by one, bytes written, peak memory.

    ``publish``: everything is published at the end, so that the bytes are those of all rows in their last place.
    """
    from benchmarks.paired_rounds import BETTI, make_clouds
    from toriwork.registry import TorusRegistry

    clouds = make_clouds(min(_DISTINCT, n_rows))
    flushes = []
    written = written_bytes()
    with TorusRegistry(Path(path) / "torus_registry.parquet") as registry:
        began = time.perf_counter()
        for number in range(n_rows):
            registry.record_shape(clouds[number % len(clouds)], BETTI)
            if (number + 1) % FLUSH_EVERY == 0 or number + 1 == n_rows:
                before = time.perf_counter()
                registry.flush()
                flushes.append(time.perf_counter() - before)
        waited = time.perf_counter() - began
        if publish:
            registry.flush(publish=True)
    return {"seconds": waited, "flushes": flushes, "written": written_bytes() - written, "peak": peak_bytes()}


def bare_sync_seconds(folder: Path, n_times: int = 50) -> list[float]:
    """How long the disk takes for what a flush cannot do without."""
    block = os.urandom(FLUSH_EVERY * 2400)
    found = []
    descriptor = os.open(folder / "bare", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for _ in range(n_times):
        os.write(descriptor, block)
        before = time.perf_counter()
        os.fdatasync(descriptor)
        found.append(time.perf_counter() - before)
    os.close(descriptor)
    (folder / "bare").unlink()
    return found
