"""Every table of a SQLite file as Parquet: streamed, resumable table by table, and proven before it counts as done."""

from __future__ import annotations

import json
import os
import re
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import replace
from hashlib import blake2b
from itertools import chain
from pathlib import Path
from typing import Any

from toriwork.errors import BadInput, DamagedFile
from toriwork.progress import progress_bar
from toriwork.sqlite.encode import MISFITS, Encoder, misfits_batch
from toriwork.sqlite.files import alone_in, file_sha256
from toriwork.sqlite.groups import GroupWriter
from toriwork.sqlite.manifest import MANIFEST, ExportReport, TableReport, add_table, read_manifest, write_manifest
from toriwork.sqlite.proof import prove_table, second_reader
from toriwork.sqlite.schema import Schema, Table, profile, read_schema, sayable
from toriwork.sqlite.source import Identity, check_database, identity_of, snapshot
from toriwork.sqlite.values import table_digest
from toriwork.storage.files import OsFiles

_BLOCK_ROWS = 4096
_FETCHED_ROWS = 512
_BLOCK_BYTES = 16 * 2**20
_CELL_BYTES = 40  #: of a number, as an object and its place in a list
_SAFE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,79}")
_RESERVED = frozenset("con prn aux nul".split() + [f"{name}{n}" for name in ("com", "lpt") for n in range(1, 10)])
Progress = Callable[[str, int, int], None]  #: table, rows done, rows in all


def export_sqlite(
    db: str | os.PathLike[str],
    to: str | os.PathLike[str],
    *,
    live: bool = False,
    progress: bool | Progress = True,
) -> ExportReport:
    """The report of an export in which every cell of every table was proven to have arrived.

    ``to`` gets a Parquet file per table, ``schema.sql`` and ``export.json``. Where a cell's class is not its column's,
    the column is null there and the cell stands in ``NAME.misfits.parquet``. A run that was cut short goes on behind
    the last finished table; a finished one is only verified.

    Parameters
    ----------
    db : path
        A SQLite 3 database. It and its side files are only read.
    to : path
        A folder: new, empty, or holding an unfinished or finished export of the same database.
    live : bool
        True: the database may be open elsewhere, and what is exported is a consistent moment of it.
    progress : bool or callable
        True: a bar in a terminal or a notebook. A callable is handed table, rows done, rows in all.

    Raises
    ------
    NotFound, BadInput
        No such database; the folder holds something else.
    StoreError
        This SQLite does not read the database: it is of a newer format.
    SourceInUse
        Without ``live``: a process has the database open. The message names it.
    DamagedFile
        SQLite finds the database damaged.
    LockUnavailable
        Another process exports into the folder.
    NotProven
        What was written is not what the database holds; the message names table, column and row.

    Examples
    --------
    >>> import sqlite3
    >>> from toriwork import export_sqlite
    >>> connection = sqlite3.connect("results.db")
    >>> with connection:
    ...     _ = connection.execute("CREATE TABLE runs AS SELECT 1 AS id, 'a' AS name")
    >>> connection.close()
    >>> report = export_sqlite("results.db", to="results", progress=False)
    >>> [(table.name, table.n_rows) for table in report.tables]
    [('runs', 1)]
    """
    database, folder = check_database(db), Path(to)
    folder.mkdir(parents=True, exist_ok=True)
    with alone_in(folder, ".export.lock"), progress_bar("export", unit=" rows", progress=progress is True) as bar:
        return _export(database, folder, live, progress if callable(progress) else _teller(bar))


def _export(database: Path, folder: Path, live: bool, tell: Progress) -> ExportReport:
    identity = identity_of(database)
    before = _resumable(folder, identity, live=live)
    with snapshot(database, folder, live=live, identity=identity) as (connection, notes), second_reader() as reader:
        found = read_schema(connection)
        report = ExportReport(str(database), identity.digest, identity.files, live=live, database=_declared(found))
        report.notes = notes
        (folder / "schema.sql").write_text(_script(found), encoding="utf-8", errors="surrogateescape")
        write_manifest(folder, replace(report, tables=list(before.values())))
        for table in found.tables:
            done = before.get(table.name)
            if done is None or not _still_there(folder, done):
                profile(connection, table)
                done = _export_table(connection, table, folder, tell, reader)
                add_table(folder, done)
            report.tables.append(done)
    if not live and identity_of(database) != identity:
        raise BadInput(f"{database}: changed during the export; run it again, into another folder")
    report.finished = True
    write_manifest(folder, report)
    return report


def _declared(found: Schema) -> dict[str, Any]:
    return {
        "ddl": [list(entry) for entry in found.ddl],
        "settings": found.settings,
        "shadows": found.shadows,
        "unreadable": found.unreadable,
    }


def _script(found: Schema) -> str:
    made = {table.name for table in found.tables if table.kind in ("shadow", "internal")}
    return "".join(f"{sql};\n\n" for _, name, sql in found.ddl if sayable(name) not in made)


def _resumable(folder: Path, identity: Identity, *, live: bool) -> dict[str, TableReport]:
    """Return what an earlier run finished, by table; a folder that holds anything else is refused."""
    if not (folder / MANIFEST).exists():
        strange = [path.name for path in sorted(folder.iterdir()) if not path.name.startswith(".")]
        if strange and strange != ["schema.sql"]:
            raise BadInput(f"{folder}: holds {strange[0]!r} and no export: expected a new or empty folder")
        return {}
    earlier = read_manifest(folder)
    if earlier.source_digest != identity.digest and not live:
        raise BadInput(
            f"{folder}: holds an export of {earlier.source}, or of another state of it: expected a new or empty folder"
        )
    return {} if live else {table.name: table for table in earlier.tables}


def _still_there(folder: Path, done: TableReport) -> bool:
    return all((folder / name).is_file() and file_sha256(folder / name) == sha for name, sha in done.files.items())


def _export_table(
    connection: sqlite3.Connection, table: Table, folder: Path, tell: Progress, reader: Any
) -> TableReport:
    begun = time.monotonic()
    stem = file_stem(table.name)
    encoder = Encoder(table)
    main, apart = folder / f"{stem}.parquet", folder / f"{stem}.misfits.parquet"
    n_misfits = _write(connection, table, encoder, (main, apart), tell)
    written = time.monotonic()
    files = {path.name: file_sha256(path) for path in (main, apart) if path.exists()}
    digests = encoder.digests()
    report = TableReport(
        name=table.name,
        kind=table.kind,
        n_rows=encoder.n_rows,
        n_misfits=n_misfits,
        files=files,
        columns=digests,
        digest=table_digest(digests.items()),
        generated=[table.label(column.name) for column in table.columns if column.generated],
        rowid=encoder.names[0] if table.rowid else None,
        key=None if table.key is None else table.label(table.key),
        unnamed=next((table.label("") for column in table.columns if not column.name), None),
        profile={
            table.label(name): {"counts": found.counts, "bounds": list(found.bounds)}
            for name, found in table.profiles.items()
        },
    )
    report.readers = prove_table(folder, report, reader)
    proof = encoder.digest_seconds + time.monotonic() - written
    report.seconds = (written - begun - encoder.digest_seconds, proof)
    return report


def _write(
    connection: sqlite3.Connection, table: Table, encoder: Encoder, paths: tuple[Path, Path], tell: Progress
) -> int:
    """How many misfits there were; both files have their names, the second one where it is needed."""
    temporary = [path.with_name(f".{path.name}.tmp") for path in paths]
    metadata = {"toriwork.sqlite": json.dumps({"table": table.name, "kind": table.kind})}
    n_misfits = 0
    with ExitStack() as stack:
        main = stack.enter_context(GroupWriter(temporary[0], encoder.schema.with_metadata(metadata)))
        apart = None
        for columns in blocks(connection, table, encoder):
            batch, misfits = encoder.batch(columns)
            main.write(batch)
            if misfits:
                apart = apart or stack.enter_context(GroupWriter(temporary[1], MISFITS))
                apart.write(misfits_batch(misfits))
                n_misfits += len(misfits)
            tell(table.name, encoder.n_rows, table.n_rows)
    OsFiles().replace(temporary[0], paths[0])
    if n_misfits:
        OsFiles().replace(temporary[1], paths[1])
    else:
        paths[1].unlink(missing_ok=True)  # of a run that was cut short
    return n_misfits


def blocks(connection: sqlite3.Connection, table: Table, encoder: Encoder) -> Iterator[list[list[Any]]]:
    """The rows as columns, a few thousand at a time: large cells must not add up.

    They are fetched in smaller pieces, whose tuples are gone before the garbage collector finds enough of them to look
    through; that took a quarter of the time.
    """
    n_bytes = sum((found.bounds[4] or 0) + found.bounds[5] for found in table.profiles.values())
    row_bytes = _CELL_BYTES * len(encoder.names) + n_bytes // max(1, table.n_rows)
    size = max(1, min(_BLOCK_ROWS, _BLOCK_BYTES // row_bytes))
    connection.text_factory = encoder.text_factory
    try:
        most = connection.getlimit(sqlite3.SQLITE_LIMIT_COLUMN)  # 2,000 columns and a row id are two queries
        cursors = [connection.execute(query) for query in table.selects(most)]
        columns: list[list[Any]] = [[] for _ in encoder.names]
        while any(parts := [cursor.fetchmany(min(size, _FETCHED_ROWS)) for cursor in cursors]):
            cells = chain.from_iterable(zip(*rows, strict=True) for rows in parts)
            for column, more in zip(columns, cells, strict=True):
                column.extend(more)
            del parts
            if len(columns[0]) >= size:
                yield columns
                columns = [[] for _ in encoder.names]
        if columns[0]:
            yield columns
    except sqlite3.Error as error:
        raise DamagedFile(f"table {table.name!r}: SQLite cannot read it: {error}. Nothing was changed") from error
    finally:
        connection.text_factory = bytes


def file_stem(table: str) -> str:
    """The file name of a table: its own where every file system takes that, else a readable part and a hash."""
    if _SAFE_NAME.fullmatch(table) and table.lower() not in _RESERVED:
        return table
    slug = re.sub(r"[^A-Za-z0-9]+", "-", table).strip("-")[:40].lower()
    digest = blake2b(table.encode("utf-8", "surrogateescape"), digest_size=5).hexdigest()
    return f"{slug}-{digest}" if slug else digest


def _teller(bar: Callable[[float], None]) -> Progress:
    """A callback that moves a bar by the rows that are new of a table."""
    before: dict[str, int] = {}

    def tell(table: str, done: int, _total: int) -> None:
        bar(done - before.get(table, 0))
        before[table] = done

    return tell
