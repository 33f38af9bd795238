"""SQLite to Parquet: rows a second against ``pandas.read_sql`` and ``to_parquet`` on the same table."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.child import call, peak_bytes
from benchmarks.paired_rounds import take_turns
from benchmarks.report import Line, Target, compare
from benchmarks.sizes import Size

PANDAS = "pandas.read_sql + to_parquet"
N_ROWS = 1_000_000


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of the export: without its proof, and with everything."""
    n_rows = N_ROWS if size.rounds > 1 else 2_000
    database = make_database(folder / "rows.db", n_rows)
    rounds = min(size.rounds, 3)
    found = take_turns(
        {
            "written": partial(_ours, database, folder / "written", n_rows, proven=False),
            "proven": partial(_ours, database, folder / "proven", n_rows, proven=True),
            "pandas": partial(_pandas, database, folder / "pandas.parquet", n_rows),
        },
        rounds,
    )
    name = f"export of {n_rows:,} rows"
    memory = {
        kind: [
            call(f"benchmarks.mover:{kind}_memory", database=str(database), folder=str(folder / f"{kind}-memory"))[
                "peak"
            ]
        ]
        for kind in ("ours", "pandas")
    }
    return (
        compare(f"{name}, written", found["written"], PANDAS, found["pandas"], "rows/s", Target("at least", 1.0)),
        compare(f"{name}, snapshot and proof too", found["proven"], PANDAS, found["pandas"], "rows/s"),
        compare(f"{name}, peak memory", memory["ours"], PANDAS, memory["pandas"], "B"),
    )


def ours_memory(database: str, folder: str) -> dict[str, int]:
    """The peak of a process that exports a database."""
    _ours(Path(database), Path(folder), 1, proven=True)
    return {"peak": peak_bytes()}


def pandas_memory(database: str, folder: str) -> dict[str, int]:
    """The peak of a process in which pandas does."""
    _pandas(Path(database), Path(folder), 1)
    return {"peak": peak_bytes()}


def make_database(path: Path, n_rows: int) -> Path:
    """A table of keys, doubles, texts and integers of which a tenth are null."""
    rng = random.Random(0)
    rows = (
        (n, rng.random(), rng.random(), f"name {n % 977}", rng.getrandbits(40) if n % 10 else None)
        for n in range(n_rows)
    )
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE m (id INTEGER PRIMARY KEY, x REAL, y REAL, name TEXT, n INTEGER)")
        connection.executemany("INSERT INTO m VALUES (?, ?, ?, ?, ?)", rows)
        connection.commit()
    return path


def _ours(database: Path, folder: Path, n_rows: int, *, proven: bool) -> float:
    """Rows a second: of the writing alone as the export measures it, or of the whole call."""
    from time import perf_counter

    from toriwork.sqlite import export_sqlite

    begun = perf_counter()
    report = export_sqlite(database, folder, progress=False)
    taken = perf_counter() - begun
    shutil.rmtree(folder)
    return n_rows / (taken if proven else report.tables[0].seconds[0])


def _pandas(database: Path, path: Path, n_rows: int) -> float:
    from time import perf_counter

    import pandas as pd

    begun = perf_counter()
    with closing(sqlite3.connect(database)) as connection:
        pd.read_sql("SELECT * FROM m", connection).to_parquet(path)
    taken = perf_counter() - begun
    path.unlink()
    return n_rows / taken
