"""Rows of a large registry by a condition on a typed column, beside DuckDB on the same file."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.child import call
from benchmarks.report import Line, Target, compare, progress
from benchmarks.sizes import Size

RATIO = 1.3
_BATCH = 10_000
_SHARE = 0.001  #: of the rows match
#: what is asked -> the columns of the answer, and the condition, of n rows
_ASKED = {
    "a range of times": (("shape_id", "at"), lambda n: [("at", ">=", n // 2), ("at", "<", n // 2 + int(n * _SHARE))]),
    "the highest of a number": (("shape_id", "noise"), lambda _: [("noise", ">=", 1 - _SHARE)]),
    "clouds of a narrow range": (
        ("shape_id", "noise", "vertices"),
        lambda _: [("noise", ">=", 0.5), ("noise", "<", 0.5 + _SHARE / 100)],
    ),
    "one of 1,000 names": (("shape_id", "name"), lambda _: [("name", "==", "s007")]),
}


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of three conditions; what the first reads of the file."""
    progress(f"columns: {size.base_rows:,} rows are recorded")
    call("benchmarks.columns:build", path=str(folder / "r.parquet"), n_rows=size.base_rows)
    lines = []
    for what in _ASKED:
        path, n_rows = str(folder / "r.parquet"), size.base_rows
        found = call("benchmarks.columns:ask", path=path, what=what, n_rows=n_rows, rounds=3 * size.rounds)
        name = f"{what}, {n_rows:,} rows"
        lines.append(compare(name, found["ours"], "DuckDB", found["DuckDB"], "s", Target("at most", RATIO)))
        spent = found["ours, processor"], "DuckDB", found["DuckDB, processor"]
        lines.append(compare(f"{what}, processor", *spent, "s"))
        if what == "a range of times":
            ratio = found["read"] / found["bytes"]
            lines.append(Line("bytes read for it", found["read"], found["bytes"], "bytes", "in the file", ratio))
    return tuple(lines)


def build(path: str, n_rows: int) -> dict[str, Any]:
    """Small clouds with three typed values each."""
    import numpy as np

    from toriwork.registry import TorusRegistry

    rng = np.random.default_rng(0)
    typed = {"at": "int64", "noise": "float64", "name": "string"}
    with TorusRegistry(path, columns=typed, compute_betti=False) as registry:
        for start in range(0, n_rows, _BATCH):
            n_new = min(_BATCH, n_rows - start)
            clouds = rng.normal(size=(n_new, 10, 2))
            names = [f"s{number:03}" for number in rng.integers(1000, size=n_new)]
            registry.record_shapes(
                clouds, [(1, 0)] * n_new, at=range(start, start + n_new), noise=rng.uniform(size=n_new), name=names
            )
        registry.flush(publish=True)
    return {}


def ask(path: str, what: str, n_rows: int, rounds: int) -> dict[str, Any]:
    """Seconds of each round of both, in turn, and of all processors; the answers are compared."""
    import duckdb

    from toriwork.registry import TorusRegistry

    names, condition = _ASKED[what]
    where = condition(n_rows)
    tests = " AND ".join(f'"{name}" {test.replace("==", "=")} {value!r}' for name, test, value in where)
    wanted = ", ".join(f'"{name}"' for name in names)
    base = duckdb.connect()
    seconds: dict[str, list[float]] = {"ours": [], "DuckDB": [], "ours, processor": [], "DuckDB, processor": []}
    n_read = 0
    with TorusRegistry(path, read_only=True) as registry:
        for _ in range(rounds + 1):
            before, began, spent = _bytes_read(), time.perf_counter(), time.process_time()
            ours = registry.scan(names, where=where).read_all()
            ended, ended_spent, n_read = time.perf_counter(), time.process_time(), _bytes_read() - before
            theirs = base.sql(f"SELECT {wanted} FROM '{path}' WHERE {tests}").to_arrow_table()
            seconds["DuckDB"].append(time.perf_counter() - ended)
            seconds["DuckDB, processor"].append(time.process_time() - ended_spent)
            seconds["ours"].append(ended - began)
            seconds["ours, processor"].append(ended_spent - spent)
            if sorted(ours["shape_id"].to_pylist()) != sorted(theirs["shape_id"].to_pylist()):
                raise RuntimeError(f"{what}: ours answers {len(ours)} rows, DuckDB {len(theirs)}")
    n_bytes = Path(path).stat().st_size
    return {**{who: times[1:] for who, times in seconds.items()}, "read": n_read, "bytes": n_bytes}


def _bytes_read() -> int:
    """Bytes that this process has read from files; 0 where nobody counts."""
    try:
        return int(Path("/proc/self/io").read_text(encoding="ascii").split()[1])
    except OSError:
        return 0
