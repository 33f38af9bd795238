"""Opening a large registry, a tenth of it not published by a writer that died, against opening an empty one."""

from __future__ import annotations

import shutil
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.child import call, end_at_once, peak_bytes
from benchmarks.report import Line, Target, compare, progress
from benchmarks.sizes import Size

OPEN_SECONDS = 0.3
MEMORY_BYTES = 150e6
PENDING_SHARE = 0.1
_BATCH = 1000


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of opening: time after the imports, and all the memory of the process."""
    large, empty = folder / "large", folder / "empty"
    progress(f"opening: a registry of {size.base_rows:,} rows is made")
    for path, n_rows in ((large, size.base_rows), (empty, 0)):
        call("benchmarks.opening:build_and_die", path=str(path), n_rows=n_rows)
    found: dict[str, list[dict[str, Any]]] = {"large": [], "empty": []}
    for _ in range(size.rounds + 1):
        for name, path in (("large", large), ("empty", empty)):
            found[name].append(call("benchmarks.opening:open_once", path=str(path)))
    shutil.rmtree(large)
    if {each["rows"] for each in found["large"]} != {size.base_rows}:
        raise RuntimeError(f"rows are missing: {found['large'][0]['rows']} of {size.base_rows}")
    times, peaks = (
        {name: [each[key] for each in rounds[1:]] for name, rounds in found.items()} for key in ("seconds", "peak")
    )
    last = found["large"][-1]
    name = f"{size.base_rows:,} rows, {last['pending']:,} pending"
    return (
        compare(f"open {name}", times["large"], "empty", times["empty"], "s", Target("at most", OPEN_SECONDS, "ours")),
        compare(
            f"memory, {name}", peaks["large"], "empty", peaks["empty"], "bytes", Target("at most", MEMORY_BYTES, "ours")
        ),
        Line(
            "modules of pandas imported by opening", last["pandas"], last["modules"], "modules", "in all",
            last["pandas"] / last["modules"], Target("at most", 0, "ours"),
        ),
    )  # fmt: skip


def build_and_die(path: str, n_rows: int) -> None:
    """Publish nine tenths of the rows, record the rest, and end without closing."""
    from benchmarks.paired_rounds import BETTI, make_clouds
    from toriwork.registry import TorusRegistry

    clouds = make_clouds(min(_BATCH, n_rows))
    registry = TorusRegistry(Path(path) / "torus_registry.parquet")
    n_pending = int(n_rows * PENDING_SHARE)
    for start in range(0, n_rows - n_pending, _BATCH):
        part = clouds[: min(_BATCH, n_rows - n_pending - start)]
        registry.record_shapes(part, [BETTI] * len(part))
    registry.flush(publish=True)
    for number in range(n_pending):
        registry.record_shape(clouds[number % len(clouds)], BETTI)
    registry.flush(publish=False)
    end_at_once({})


def open_once(path: str) -> None:
    """Answer with the seconds that opening took, peak memory and imported modules then, and what the registry held."""
    from toriwork.registry import TorusRegistry

    began = time.perf_counter()
    registry = TorusRegistry(Path(path) / "torus_registry.parquet")
    taken = time.perf_counter() - began
    n_pandas = sum(name.split(".")[0] == "pandas" for name in sys.modules)
    found = {"seconds": taken, "peak": peak_bytes(), "pandas": n_pandas, "modules": len(sys.modules)}
    told = registry.get_statistics()
    # closing would seal and publish: the next round is to find what this one found
    end_at_once({**found, "rows": told["total_shapes"], "pending": told["pending_writes"]})
