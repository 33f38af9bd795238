"""SQLite to Parquet: rows, many tables and large cells against ``pandas.read_sql`` and ``to_parquet`` on the same."""

from __future__ import annotations

import random
import shutil
import sqlite3
from contextlib import closing
from functools import partial
from pathlib import Path

from benchmarks.child import call, peak_bytes
from benchmarks.paired_rounds import seconds, take_turns
from benchmarks.report import Line, Target, compare
from benchmarks.sizes import Size

PANDAS = "pandas.read_sql + to_parquet"
N_ROWS = 1_000_000
N_TABLES = 800
N_CELLS, CELL_BYTES = 8, 40_000_000


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
    full = size.rounds > 1
    n_tables = N_TABLES if full else 20
    many = make_tables(folder / "tables.db", n_tables)
    tables = take_turns(
        {
            "ours": lambda: seconds(lambda: _ours(many, folder / "many", 1, proven=True)),
            "pandas": lambda: seconds(lambda: _pandas(many, folder / "many.parquet", 1)),
        },
        rounds,
    )
    large = make_cells(folder / "cells.db", N_CELLS if full else 2, CELL_BYTES if full else 1000)
    memory = {kind: _peak(kind, database, folder) for kind in ("ours", "pandas")}
    cells = {kind: _peak(kind, large, folder) for kind in ("ours", "pandas")}
    return (
        compare(f"{name}, written", found["written"], PANDAS, found["pandas"], "rows/s", Target("at least", 1.0)),
        compare(f"{name}, snapshot and proof too", found["proven"], PANDAS, found["pandas"], "rows/s"),
        compare(f"{name}, peak memory", memory["ours"], PANDAS, memory["pandas"], "bytes"),
        compare(f"{n_tables} tables, proof too", tables["ours"], PANDAS, tables["pandas"], "s", Target("at most", 3.0)),
        compare("large cells, peak memory", cells["ours"], PANDAS, cells["pandas"], "bytes", Target("at most", 1.0)),
    )


def _peak(kind: str, database: Path, folder: Path) -> list[int]:
    target = str(folder / f"{kind}-memory")
    return [call(f"benchmarks.mover:{kind}_memory", database=str(database), folder=target)["peak"]]


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


def make_tables(path: Path, n_tables: int) -> Path:
    """Tables of one row."""
    with closing(sqlite3.connect(path)) as connection:
        for number in range(n_tables):
            connection.execute(f"CREATE TABLE t{number} (id INTEGER PRIMARY KEY, name TEXT)")
            connection.execute(f"INSERT INTO t{number} VALUES (1, 'x')")
        connection.commit()
    return path


def make_cells(path: Path, n_cells: int, n_bytes: int) -> Path:
    """A table of large blobs that do not compress."""
    rng = random.Random(0)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE m (data BLOB)")
        for _ in range(n_cells):
            connection.execute("INSERT INTO m VALUES (?)", (rng.randbytes(n_bytes),))
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
        for (name,) in connection.execute("SELECT name FROM sqlite_schema WHERE type = 'table'").fetchall():
            pd.read_sql(f"SELECT * FROM {name}", connection).to_parquet(path)
    taken = perf_counter() - begun
    path.unlink()
    return n_rows / taken
