"""Whether what was written is what SQLite holds: by digests of every cell, by SQL's own counts, by a second reader.

The digest of a column is made twice, once of the cells as ``sqlite3`` hands them over and once of the Parquet file as
pyarrow reads it back, page checksums verified. The counts and bounds come from SQL on one side and from Arrow, and from
DuckDB where it is installed, on the other, so that an error of one reader cannot prove itself.
"""

from __future__ import annotations

import os
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from toriwork.errors import NotProven
from toriwork.sqlite.encode import Decoder, class_of_type, misfits_in
from toriwork.sqlite.manifest import ExportReport, TableReport, read_manifest
from toriwork.sqlite.schema import Table, quoted
from toriwork.sqlite.source import file_sha256
from toriwork.sqlite.values import Text, class_of, to_bytes

_SHOWN = 10


def verify_export(folder: str | os.PathLike[str]) -> ExportReport:
    """The report of an export whose files still hold what SQLite held; the database itself is not needed.

    Raises
    ------
    NotFound, DamagedFile
        No export there, or its ``export.json`` cannot be read.
    NotProven
        A file is missing or changed, or its cells have another digest; the message names file, table and column.
    """
    place = Path(folder)
    report = read_manifest(place)
    if not report.finished:
        raise NotProven(f"{place}: the export was cut short; run it again, it goes on behind the last finished table")
    for table in report.tables:
        for name, sha in table.files.items():
            if not (place / name).is_file():
                raise NotProven(f"{place / name}: is missing; table {table.name!r} cannot be proven")
            if file_sha256(place / name) != sha:
                raise NotProven(f"{place / name}: changed since the export; table {table.name!r} is not what it was")
        compare_digests(place, table)
        compare_counts(place, table)
    return report


def prove_table(connection: sqlite3.Connection, table: Table, folder: Path, report: TableReport) -> list[str]:
    """The readers that agree with SQLite about every cell of a table.

    Raises
    ------
    NotProven
        They do not; the message has the first cells that differ.
    """
    try:
        compare_digests(folder, report)
        return compare_counts(folder, report)
    except NotProven as error:
        found = list(_differences(connection, table, folder, report))
        raise NotProven("; ".join([str(error), *found])) from error


def batches_of(path: Path) -> Iterator[pa.RecordBatch]:
    """The rows of a file, a row group in memory at a time, page checksums verified."""
    try:
        with pq.ParquetFile(path, page_checksum_verification=True, pre_buffer=False) as file:
            for group in range(file.num_row_groups):
                yield from file.read_row_group(group).to_batches()
    except (OSError, pa.ArrowException) as error:
        raise NotProven(f"{path}: cannot be read back: {error}") from error


def files_of(folder: Path, table: TableReport) -> tuple[Path, Path | None]:
    """The main file of a table and that of its misfits, where it has one."""
    names = sorted(table.files, key=len)
    return folder / names[0], folder / names[1] if len(names) > 1 else None


def decoder_of(folder: Path, table: TableReport) -> tuple[Decoder, Iterator[pa.RecordBatch]]:
    """What turns the batches of a table's main file back into cells, and the batches."""
    main, apart = files_of(folder, table)
    misfits = misfits_in(batches_of(apart)) if apart is not None else ()
    return Decoder(pq.read_schema(main), misfits), batches_of(main)


def compare_digests(folder: Path, table: TableReport) -> None:
    """NotProven when a column of the files has other cells than the column of the database."""
    decoder, batches = decoder_of(folder, table)
    for batch in batches:
        decoder.digest(batch)
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


def compare_counts(folder: Path, table: TableReport) -> list[str]:
    """The readers that agree with SQL about counts and bounds; NotProven when one does not."""
    main, apart = files_of(folder, table)
    n_misfits: Counter[tuple[str, str]] = Counter()
    n_bytes: Counter[tuple[str, str]] = Counter()
    for _, column, storage_class, value in misfits_in(batches_of(apart)) if apart is not None else ():
        n_misfits[column, storage_class] += 1
        n_bytes[column, storage_class] += len(value)
    readers: dict[str, Callable[[Path, Sequence[str]], dict[str, Found]]] = {"pyarrow": _by_arrow}
    if find_spec("duckdb") is not None:
        readers["DuckDB"] = _by_duckdb
    for name, read in readers.items():
        for column, found in read(main, list(table.profile)).items():
            kind = found.storage_class
            by_sql = _by_sql(table, column, kind)
            whole = replace(
                found,
                n_cells=found.n_cells + n_misfits[column, kind],
                n_bytes=None if by_sql.n_bytes is None else (found.n_bytes or 0) + n_bytes[column, kind],
            )
            others = sum(n for c, n in table.profile[column]["counts"].items() if c not in ("null", kind))
            apart_found = sum(n for (c, k), n in n_misfits.items() if c == column and k != kind)
            if whole != by_sql or others != apart_found:
                raise NotProven(
                    f"table {table.name!r}, column {column!r}: SQL says {by_sql} and {others} cells of other classes, "
                    f"{name} says {whole} and {apart_found}"
                )
    return list(readers)


@dataclass(frozen=True, slots=True)
class Found:
    """What a reader says of one column."""

    storage_class: str
    n_rows: int
    n_cells: int  #: of that class
    low: float | int | None  #: of numbers
    high: float | int | None
    n_bytes: int | None  #: of texts and blobs; None: not known


def _by_sql(table: TableReport, column: str, kind: str) -> Found:
    """What SQL said of the cells of one class when the snapshot was profiled."""
    wanted = table.profile[column]
    low, high = {"integer": wanted["bounds"][0:2], "real": wanted["bounds"][2:4]}.get(kind, (None, None))
    n_bytes = {"text": wanted["bounds"][4], "blob": wanted["bounds"][5]}.get(kind, 0)
    return Found(kind, table.n_rows, wanted["counts"][kind], low, high, n_bytes)


def _by_arrow(main: Path, columns: Sequence[str]) -> dict[str, Found]:
    parts: dict[str, list[Found]] = {name: [] for name in columns}
    for batch in batches_of(main):
        for name in columns:
            values = batch[name]
            kind = class_of_type(values.type)
            low, high, n_bytes = None, None, 0
            if kind in ("integer", "real"):
                low, high = (value.as_py() for value in pc.min_max(values).values())
            else:
                n_bytes = pc.sum(pc.binary_length(values)).as_py() or 0
            parts[name].append(Found(kind, len(values), len(values) - values.null_count, low, high, n_bytes))
    kinds = {field.name: class_of_type(field.type) for field in pq.read_schema(main)}
    return {name: _joined(kinds[name], found) for name, found in parts.items()}


def _joined(kind: str, parts: list[Found]) -> Found:
    lows = [part.low for part in parts if part.low is not None]
    highs = [part.high for part in parts if part.high is not None]
    return Found(
        kind,
        sum(part.n_rows for part in parts),
        sum(part.n_cells for part in parts),
        min(lows, default=None),
        max(highs, default=None),
        sum(part.n_bytes or 0 for part in parts),
    )


def _by_duckdb(main: Path, columns: Sequence[str]) -> dict[str, Found]:
    """The same by an independent reader of the format."""
    import duckdb

    kinds = {field.name: class_of_type(field.type) for field in pq.read_schema(main)}
    pieces = []
    for name in columns:
        cell = quoted(name)
        if kinds[name] in ("integer", "real"):
            pieces.append(f"count({cell}), min({cell}), max({cell}), 0")
        else:
            length = f"strlen({cell})" if kinds[name] == "text" else f"octet_length({cell})"
            pieces.append(f"count({cell}), NULL, NULL, coalesce(sum({length}), 0)")
    with duckdb.connect(":memory:") as connection:
        path = str(main).replace("'", "''")
        row = connection.execute(f"SELECT count(*), {', '.join(pieces) or '0'} FROM read_parquet('{path}')").fetchone()
    assert row is not None  # an aggregate has a row
    quads = (row[1 + 4 * place : 5 + 4 * place] for place in range(len(columns)))
    return {
        name: Found(kinds[name], row[0], count, low, high, int(n_bytes))
        for name, (count, low, high, n_bytes) in zip(columns, quads, strict=True)
    }


def _differences(connection: sqlite3.Connection, table: Table, folder: Path, report: TableReport) -> Iterator[str]:
    """The first cells that differ, read side by side."""
    decoder, batches = decoder_of(folder, report)
    names = list(report.columns)
    cursor = connection.cursor()
    connection.text_factory = Text
    shown = 0
    try:
        cursor.execute(table.select())
        for batch in batches:
            start = decoder.n_rows
            for at, (here, there) in enumerate(
                zip(cursor.fetchmany(batch.num_rows), decoder.rows(batch), strict=False)
            ):
                for name, old, new in zip(names, here, there, strict=True):
                    if (class_of(old), old if old is None else to_bytes(old)) != (
                        class_of(new), new if new is None else to_bytes(new)
                    ):  # fmt: skip
                        yield f"row {start + at}, {name!r}: {class_of(old)} {old!r} became {class_of(new)} {new!r}"
                        shown += 1
                        if shown == _SHOWN:
                            return
    except NotProven as error:  # the file cannot even be read
        yield str(error)
    finally:
        connection.text_factory = bytes
