"""``python -m benchmarks.sizing``: what a registry of 10^3 rows and more costs, and what the fitted laws say of 10^9.

One registry grows through all sizes; each is measured in a process of its own, whose peak memory is told. Rows are
small: 8 points in the plane, Betti numbers given.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.child import ROOT, call, peak_bytes, restart_peak
from benchmarks.report import progress

_BATCH = 1000
_POINTS = (8, 2)
_TIMES = 3  # the median counts
#: figure -> its heading
FIGURES = {
    "record": "record 1,000 rows, s",
    "bytes": "file, MB",
    "publish": "publish one row, s",
    "open": "open, s",
    "newest": "10 newest, s",
    "cloud": "one cloud, s",
    "column": "one column, s",
    "backup": "backup, s",
    "peak": "peak, MB",
}


def measure(sizes: Sequence[int], folder: Path) -> list[dict[str, float]]:
    """The figures of each size, smallest first."""
    found = []
    for before, n_rows in zip((0, *sizes), sizes, strict=False):
        progress(f"{n_rows:,} rows")
        found.append(call("benchmarks.sizing:one_size", folder=str(folder), before=before, n_rows=n_rows))
    return found


def one_size(folder: str, before: int, n_rows: int) -> dict[str, float]:
    """Grow the registry from ``before`` rows to ``n_rows``, and time what people do with it."""
    import numpy as np

    from toriwork.registry import TorusRegistry

    path = Path(folder) / "r.parquet"
    rng = np.random.default_rng(before)
    took = []
    with TorusRegistry(path, compute_betti=False) as registry:
        for start in range(before, n_rows, _BATCH):
            clouds = list(rng.standard_normal((min(_BATCH, n_rows - start), *_POINTS)))
            began = time.perf_counter()
            registry.record_shapes(clouds, [(1.0, 0.0, 0.0)] * len(clouds))
            took.append((time.perf_counter() - began) * _BATCH / len(clouds))
        registry.flush(publish=True)
        shape_id = registry.record_shape(clouds[0], (1.0, 0.0, 0.0))

        def publish() -> None:
            registry.record_shape(rng.standard_normal(_POINTS), (1.0, 0.0, 0.0))
            registry.flush(publish=True)

        found = {"rows": float(n_rows), "record": sorted(took)[len(took) // 2], "publish": _seconds(publish)}
    restart_peak()

    def opened() -> None:
        with TorusRegistry(path, read_only=True) as reader:
            len(reader)

    found["open"] = _seconds(opened)
    with TorusRegistry(path, read_only=True) as reader:
        found["newest"] = _seconds(lambda: reader.query_recent(10))
        found["cloud"] = _seconds(lambda: reader.vertices(shape_id))
        found["column"] = _seconds(lambda: sum(batch.num_rows for batch in reader.scan(["betti1"])))
        began = time.perf_counter()
        made = reader.backup(Path(folder) / "backups")
        found["backup"] = time.perf_counter() - began
    made.path.unlink()
    made.path.with_suffix(".json").unlink()
    return found | {"bytes": path.stat().st_size / 1e6, "peak": peak_bytes() / 1e6}


def _seconds(call_it: Callable[[], Any]) -> float:
    took = []
    for _ in range(_TIMES):
        began = time.perf_counter()
        call_it()
        took.append(time.perf_counter() - began)
    return sorted(took)[_TIMES // 2]


def fitted(measured: Sequence[dict[str, float]], n_rows: float) -> dict[str, float]:
    """Each figure at so many rows, by a constant and a multiple of the rows through the two largest sizes.

    Recording does not look at what is there: what it takes varies, and no line goes through that.
    """
    small, large = measured[-2:]
    share = (n_rows - small["rows"]) / (large["rows"] - small["rows"])
    return {
        "rows": n_rows,
        **{name: max(large[name], small[name] + share * (large[name] - small[name])) for name in FIGURES},
        "record": large["record"],
    }


def table(rows: Sequence[dict[str, float]]) -> str:
    """The figures as a table in Markdown."""
    lines = [f"| rows | {' | '.join(FIGURES.values())} |", f"|---|{'---|' * len(FIGURES)}"]
    lines += [f"| {one['rows']:,.0f} | {' | '.join(f'{one[name]:.3g}' for name in FIGURES)} |" for one in rows]
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """0; the tables are printed."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.sizing", description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000, help="the largest size, a power of ten")
    parser.add_argument("--state", type=Path, default=ROOT / "out", help="where temporary state goes (default: out/)")
    options = parser.parse_args(arguments)
    sizes = [size for size in (10**power for power in range(2, 9)) if 1_000 <= size <= options.rows]
    options.state.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="toriwork-sizing-", dir=options.state) as folder:
        measured = measure(sizes, Path(folder))
    print(table(measured))
    if len(measured) > 1:
        print("\nFitted:\n\n" + table([fitted(measured, 10.0**power) for power in (8, 9)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
