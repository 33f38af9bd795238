"""The proof that files hold what SQLite holds: by digests of every cell, by SQL's own counts, by a second reader.

The digest of a column is made twice, once of the cells as ``sqlite3`` hands them over and once of the Parquet file as
pyarrow reads it back, page checksums verified. The counts and bounds come from SQL on one side and from Arrow, and from
DuckDB where it is installed, on the other, so that an error of one reader cannot prove itself.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toriwork.errors import NotProven
from toriwork.sqlite.encode import Decoder, misfits_in
from toriwork.sqlite.files import file_sha256
from toriwork.sqlite.manifest import ExportReport, TableReport, read_manifest
from toriwork.sqlite.schema import quoted

_AT_ONCE = 2048  #: rows that DuckDB holds at once, however large they are
_HELD_BYTES = 64 * 2**20


def verify_export(folder: str | os.PathLike[str]) -> ExportReport:
    """The report of an export whose files still hold what SQLite held; the database itself is not needed.

    Raises
    ------
    NotFound, DamagedFile
        No export there, or its ``export.json`` cannot be read.
    NotProven
        A file is missing or changed, or its cells have another digest; the message names file, table and column.

    Examples
    --------
    >>> import sqlite3
    >>> from toriwork import export_sqlite
    >>> from toriwork.sqlite import verify_export
    >>> connection = sqlite3.connect("results.db")
    >>> with connection:
    ...     _ = connection.execute("CREATE TABLE runs AS SELECT 1 AS id, 'a' AS name")
    >>> connection.close()
    >>> report = export_sqlite("results.db", to="results", progress=False)
    >>> [table.name for table in verify_export("results").tables]
    ['runs']
    """
    place = Path(folder)
    report = read_manifest(place)
    if not report.finished:
        raise NotProven(f"{place}: the export was cut short; run it again, it goes on behind the last finished table")
    with second_reader() as reader:
        for table in report.tables:
            for name, sha in table.files.items():
                if not (place / name).is_file():
                    raise NotProven(f"{place / name}: is missing; table {table.name!r} cannot be proven")
                if file_sha256(place / name) != sha:
                    raise NotProven(f"{place / name}: changed since the export; {table.name!r} is not what it was")
            prove_table(place, table, reader)
    return report


@contextmanager
def second_reader() -> Iterator[Any]:
    """A connection of DuckDB where it is installed, else None; starting one takes longer than most tables."""
    if find_spec("duckdb") is None:
        yield None
        return
    import duckdb

    with duckdb.connect(":memory:") as connection:
        yield connection


def batches_of(path: Path) -> tuple[pa.Schema, Iterator[pa.RecordBatch]]:
    """The schema and the rows of a file, a row group in memory at a time, page checksums verified."""
    try:
        # without a path pyarrow looks for no file system, which takes longer than a small file
        file = pq.ParquetFile(pa.OSFile(str(path)), page_checksum_verification=True, pre_buffer=False)
    except (OSError, pa.ArrowException) as error:
        raise _unread(path, error) from error
    return file.schema_arrow, _groups(path, file)


def _groups(path: Path, file: pq.ParquetFile) -> Iterator[pa.RecordBatch]:
    try:
        with file:
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group).to_batches()
    except (OSError, pa.ArrowException) as error:
        raise _unread(path, error) from error


def _unread(path: Path, error: Exception) -> NotProven:
    return NotProven(f"{path}: cannot be read back: {error}")


def files_of(folder: Path, table: TableReport) -> tuple[Path, Path | None]:
    """The main file of a table and that of its misfits, where it has one."""
    names = sorted(table.files, key=len)
    return folder / names[0], folder / names[1] if len(names) > 1 else None


def decoder_of(folder: Path, table: TableReport) -> tuple[Decoder, Iterator[pa.RecordBatch]]:
    """Return a decoder of the batches of a table's main file, and the batches."""
    main, apart = files_of(folder, table)
    schema, batches = batches_of(main)
    return Decoder(schema, misfits_in(batches_of(apart)[1]) if apart is not None else ()), batches


def prove_table(folder: Path, table: TableReport, reader: Any) -> list[str]:
    """Return the readers that agree with SQLite about every cell of a table, its counts and its bounds.

    ``reader`` is the second one, or None. It is not asked about rows so large that it would need more memory than
    everything else.

    Raises
    ------
    NotProven
        They do not; the message names the columns.
    """
    main, apart = files_of(folder, table)
    by_arrow = _compare_digests(folder, table)
    counted = {"pyarrow": by_arrow}
    n_text = sum((found["bounds"][4] or 0) + found["bounds"][5] for found in table.profile.values())
    if reader is not None and n_text // max(1, table.n_rows) <= _HELD_BYTES // _AT_ONCE:
        counted["DuckDB"] = _by_duckdb(reader, main, {name: column.kind for name, column in by_arrow.items()})
    n_misfits: Counter[tuple[str, str]] = Counter()
    n_bytes: Counter[tuple[str, str]] = Counter()
    for _, column, storage_class, value in misfits_in(batches_of(apart)[1]) if apart is not None else ():
        n_misfits[column, storage_class] += 1
        n_bytes[column, storage_class] += len(value)
    for by, columns in counted.items():
        for name, found in columns.items():
            by_sql = _by_sql(table, name, found.kind)
            found.n_cells += n_misfits[name, found.kind]
            found.n_bytes = None if by_sql.n_bytes is None else (found.n_bytes or 0) + n_bytes[name, found.kind]
            others = sum(n for kind, n in table.profile[name]["counts"].items() if kind not in ("null", found.kind))
            apart_found = sum(n for (column, kind), n in n_misfits.items() if column == name and kind != found.kind)
            if found != by_sql or others != apart_found:
                raise NotProven(
                    f"table {table.name!r}, column {name!r}: SQL says {by_sql} and {others} cells of other classes, "
                    f"{by} says {found} and {apart_found}"
                )
    return list(counted)


@dataclass(slots=True)
class ColumnCount:
    """Counts of a reader in one column."""

    kind: str  #: the storage class of its cells
    n_rows: int = 0
    n_cells: int = 0  #: of that class
    low: float | int | None = None  #: of numbers
    high: float | int | None = None
    n_bytes: int | None = 0  #: of texts and blobs; None: not known

    def take(self, values: pa.Array) -> None:
        """Count the next rows."""
        self.n_rows += len(values)
        self.n_cells += len(values) - values.null_count
        if self.kind in ("text", "blob"):
            self.n_bytes = (self.n_bytes or 0) + (pc.sum(pc.binary_length(values)).as_py() or 0)
            return
        low, high = (value.as_py() for value in pc.min_max(values).values())
        self.low = min((value for value in (self.low, low) if value is not None), default=None)
        self.high = max((value for value in (self.high, high) if value is not None), default=None)


def _compare_digests(folder: Path, table: TableReport) -> dict[str, ColumnCount]:
    """Return what pyarrow counts; NotProven when a column of the files has other cells than that of the database."""
    decoder, batches = decoder_of(folder, table)
    counted = {name: ColumnCount(kind) for name, kind in decoder.classes.items() if name in table.profile}
    for batch in batches:
        decoder.digest(batch)
        for name, column in counted.items():
            column.take(batch[name])
    if (decoder.n_rows, decoder.n_misfits) != (table.n_rows, table.n_misfits):
        raise NotProven(
            f"table {table.name!r}: {table.n_rows} rows with {table.n_misfits} misfits were read from SQLite, "
            f"{decoder.n_rows} with {decoder.n_misfits} from Parquet"
        )
    found = decoder.digests()
    wrong = [name for name in table.columns if found.get(name) != table.columns[name]]
    if wrong or list(found) != list(table.columns):
        raise NotProven(
            f"table {table.name!r}, column {', '.join(map(repr, wrong))}: Parquet holds other cells than SQLite"
        )
    return counted


def _by_sql(table: TableReport, column: str, kind: str) -> ColumnCount:
    """Return what SQL counted of the cells of one class when the snapshot was profiled."""
    counts, bounds = table.profile[column]["counts"], table.profile[column]["bounds"]
    low, high = {"integer": bounds[0:2], "real": bounds[2:4]}.get(kind, (None, None))
    n_bytes = {"text": bounds[4], "blob": bounds[5]}.get(kind, 0)
    return ColumnCount(kind, table.n_rows, counts[kind], low, high, n_bytes)


def _by_duckdb(connection: Any, main: Path, kinds: Mapping[str, str]) -> dict[str, ColumnCount]:
    """Return what an independent reader of the format counts in columns of these storage classes."""
    pieces = []
    for name, kind in kinds.items():
        cell = quoted(name)
        if kind in ("integer", "real"):
            pieces.append(f"count({cell}), min({cell}), max({cell}), 0")
        else:
            length = f"strlen({cell})" if kind == "text" else f"octet_length({cell})"
            pieces.append(f"count({cell}), NULL, NULL, coalesce(sum({length}), 0)")
    path = str(main).replace("'", "''")
    row = connection.execute(f"SELECT count(*), {', '.join(pieces) or '0'} FROM read_parquet('{path}')").fetchone()
    quads = (row[1 + 4 * place : 5 + 4 * place] for place in range(len(kinds)))
    return {
        name: ColumnCount(kind, row[0], count, low, high, int(n_bytes))
        for (name, kind), (count, low, high, n_bytes) in zip(kinds.items(), quads, strict=True)
    }
