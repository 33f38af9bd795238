"""One row of an id, one cloud and the newest rows of a large registry, beside SQLite and DuckDB with an index each."""

from __future__ import annotations

import shutil
import sqlite3
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks.child import call, peak_bytes, restart_peak
from benchmarks.paired_rounds import BETTI, make_clouds
from benchmarks.report import Line, Target, progress
from benchmarks.sizes import Size

SECONDS = 0.02
MEMORY_BYTES = 50e6
_BATCH = 1000
_STEP = 97  #: every such row is asked for in turn
_STORES = ("ours", "SQLite", "DuckDB")
_WORK = {"one cloud": "vertices", "one row of an id": "row", "the newest 100 rows": "recent"}


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of look-ups: median seconds of one, and the memory that it takes beside the open store."""
    progress(f"lookup: three stores of {size.base_rows:,} rows are made")
    works = _WORK if size.rounds > 1 else {"one cloud": _WORK["one cloud"]}  # each in processes of its own
    call("benchmarks.lookup:build", path=str(folder), n_rows=size.base_rows)
    found = {
        (store, what): call(
            "benchmarks.lookup:look", path=str(folder), store=store, what=work, n_rows=size.base_rows,
            n_times=3 * size.rounds,
        )
        for store in _STORES
        for what, work in works.items()
    }  # fmt: skip
    lines = []
    for what in works:
        ours = found["ours", what]
        for peer in _STORES[1:]:
            other = found[peer, what]
            lines.append(_line(f"{what} of {size.base_rows:,}", ours, peer, other, "seconds", "s", SECONDS))
        lines.append(_line(f"{what}, memory", ours, "DuckDB", found["DuckDB", what], "bytes", "bytes", MEMORY_BYTES))
    for left in folder.iterdir():
        shutil.rmtree(left) if left.is_dir() else left.unlink()
    return tuple(lines)


def _line(name: str, ours: dict[str, Any], peer: str, other: dict[str, Any], key: str, unit: str, most: float) -> Line:
    if ours["answers"] != other["answers"]:
        raise RuntimeError(f"{name}: ours answers {ours['answers'][:2]}, {peer} {other['answers'][:2]}")
    ratio = ours[key] / max(other[key], 1e-9)
    return Line(name, ours[key], other[key], unit, f"{peer}, indexed", ratio, Target("at most", most, "ours"))


def build(path: str, n_rows: int) -> dict[str, Any]:
    """The same rows in all three stores."""
    import duckdb
    import pyarrow as pa

    from toriwork.registry import TorusRegistry

    registry = TorusRegistry(Path(path) / "r.parquet", compute_betti=False)
    lite, duck = sqlite3.connect(Path(path) / "r.sqlite"), duckdb.connect(str(Path(path) / "r.duckdb"))
    for base in (lite, duck):
        base.execute("CREATE TABLE shapes (n BIGINT, shape_id TEXT, betti0 DOUBLE, vertices BLOB)")
    for start in range(0, n_rows, _BATCH):
        clouds = make_clouds(min(_BATCH, n_rows - start), seed=start)
        ids = registry.record_shapes(clouds, [BETTI] * len(clouds))
        rows = [
            (start + n, name, BETTI[0], cloud.tobytes())
            for n, (name, cloud) in enumerate(zip(ids, clouds, strict=True))
        ]
        lite.executemany("INSERT INTO shapes VALUES (?, ?, ?, ?)", rows)
        columns = pa.table(dict(zip(("n", "shape_id", "betti0", "vertices"), zip(*rows, strict=True), strict=True)))
        duck.execute("INSERT INTO shapes SELECT * FROM columns")
        del columns
    for base in (lite, duck):
        base.execute("CREATE INDEX by_id ON shapes (shape_id)")
        base.execute("CREATE UNIQUE INDEX by_n ON shapes (n)")
        base.commit()
        base.close()
    registry.flush(publish=True)
    registry.close()
    return {}


def look(path: str, store: str, what: str, n_rows: int, n_times: int) -> dict[str, Any]:
    """Median seconds of one look-up on an open store, and the memory that the first one takes beside it."""
    from benchmarks.peers import fields

    asked = [(number * _STEP * 31) % n_rows for number in range(n_times)]
    ids = {n: fields(make_clouds(n % _BATCH + 1, seed=n - n % _BATCH)[n % _BATCH])[1] for n in asked}
    work = _opened(Path(path), store, what)
    before = restart_peak()
    answers = [work(ids[asked[0]])]
    peak = peak_bytes() - before
    times = []
    for n in asked:
        began = time.perf_counter()
        answers.append(work(ids[n]))
        times.append(time.perf_counter() - began)
    return {"seconds": statistics.median(times), "bytes": max(peak, 1), "answers": answers}


def _opened(folder: Path, store: str, what: str) -> Callable[[str], Any]:
    """The look-up; imports and the first opening lie behind it."""
    if store == "ours":
        import pandas  # noqa: F401, ICN001 - query_recent answers with a frame, and its import is no look-up

        from toriwork.registry import TorusRegistry

        registry = TorusRegistry(folder / "r.parquet", read_only=True)
        return {
            "vertices": lambda name: registry.vertices(name).tobytes().hex()[:64],
            "row": lambda name: registry.compute_betti_delta(name, name)["delta_b0"],
            "recent": lambda _: registry.query_recent(100)["shape_id"].tolist(),
        }[what]
    import duckdb

    base: Any = (
        sqlite3.connect(folder / "r.sqlite")
        if store == "SQLite"
        else duckdb.connect(str(folder / "r.duckdb"), read_only=True)
    )
    newest = "FROM shapes WHERE shape_id = ? ORDER BY n DESC LIMIT 1"
    recent = "SELECT shape_id FROM (SELECT n, shape_id FROM shapes ORDER BY n DESC LIMIT 100) ORDER BY n"

    def one(column: str, name: str) -> Any:
        return base.execute(f"SELECT {column} {newest}", (name,)).fetchone()[0]

    return {
        "vertices": lambda name: one("vertices", name).hex()[:64],
        "row": lambda name: one("betti0", name) - one("betti0", name),
        "recent": lambda _: [name for (name,) in base.execute(recent).fetchall()],
    }[what]
