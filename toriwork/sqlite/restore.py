"""An export back into a SQLite file, proven to hold the same cells: so that leaving is never a one-way street."""

from __future__ import annotations

import os
import re
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

from toriwork.errors import BadInput, NotProven
from toriwork.progress import progress_bar
from toriwork.sqlite.encode import Encoder
from toriwork.sqlite.export import blocks
from toriwork.sqlite.files import settle
from toriwork.sqlite.manifest import ExportReport, TableReport
from toriwork.sqlite.proof import decoder_of, verify_export
from toriwork.sqlite.schema import exact, profile, quoted, read_schema, sayable
from toriwork.sqlite.stand_ins import connect, respell, stand_in_for_collations, with_functions
from toriwork.sqlite.values import Text

_VIRTUAL = re.compile(r"\s*CREATE\s+VIRTUAL\b", re.IGNORECASE)


def import_sqlite(folder: str | os.PathLike[str], to: str | os.PathLike[str]) -> ExportReport:
    """The report of the export that was read back; ``to`` is a new database with the same schema and the same cells.

    The database has its name only once every table was read from it again and has the digests of the export.

    Parameters
    ----------
    folder : path
        A finished export; it is verified first.
    to : path
        The new database; nothing may have that name.

    Raises
    ------
    NotFound, DamagedFile, NotProven
        There is no whole export in ``folder``; or SQLite cannot take what it once held (the message says which table).
    BadInput
        ``to`` exists.

    Examples
    --------
    >>> import sqlite3
    >>> from toriwork import export_sqlite, import_sqlite
    >>> connection = sqlite3.connect("results.db")
    >>> with connection:
    ...     _ = connection.execute("CREATE TABLE runs AS SELECT 1 AS id, 'a' AS name")
    >>> connection.close()
    >>> exported = export_sqlite("results.db", to="results", progress=False)
    >>> restored = import_sqlite("results", to="again.db")
    >>> sqlite3.connect("again.db").execute("SELECT * FROM runs").fetchall()
    [(1, 'a')]
    """
    report, target = verify_export(folder), Path(to)
    if os.path.lexists(target):
        raise BadInput(f"{target}: exists already: expected the name of a new database")
    temporary = target.with_name(f".{target.name}.tmp")
    temporary.unlink(missing_ok=True)
    try:
        with closing(connect(temporary)) as connection:
            n_rows = sum(table.n_rows for table in report.tables)
            with progress_bar("import", n_rows, unit=" rows") as done:
                _fill(connection, Path(folder), report, done)
            _prove(connection, report)
            respell(connection, exact)
            connection.execute(f"PRAGMA journal_mode = {_word(report.database['settings']['journal_mode'])}")
        settle(temporary, target)
    except sqlite3.Error as error:
        raise NotProven(f"{target}: SQLite does not take the export: {error}. Nothing has its name") from error
    finally:
        for suffix in ("", "-journal", "-wal", "-shm"):
            temporary.with_name(temporary.name + suffix).unlink(missing_ok=True)
    return report


def _word(value: Any) -> str:
    """A setting that is a word, as SQL takes it."""
    return "".join(sign for sign in str(value) if sign.isalnum() or sign == "-")


def _fill(connection: sqlite3.Connection, folder: Path, report: ExportReport, done: Callable[[float], None]) -> None:
    settings, shadows = report.database["settings"], set(report.database["shadows"])
    connection.execute(f"PRAGMA encoding = '{_word(settings['encoding'])}'")
    connection.execute(f"PRAGMA page_size = {int(settings['page_size'])}")
    connection.execute(f"PRAGMA auto_vacuum = {int(settings['auto_vacuum'])}")
    connection.execute("PRAGMA ignore_check_constraints = ON")
    connection.execute("PRAGMA synchronous = OFF")  # the file gets its name only when it is whole and synced
    connection.execute("PRAGMA writable_schema = ON")  # what SQLite makes itself is put there as it was
    ddl = [(kind, sayable(name), sayable(sql)) for kind, name, sql in report.database["ddl"]]
    stand_in_for_collations(connection, (sql for *_, sql in ddl))
    connection.execute("BEGIN")
    tables = {table.name: table for table in report.tables}
    virtual = [entry for entry in ddl if _VIRTUAL.match(entry[2])]
    if any(name not in tables for name in shadows):  # format 1: a virtual table is filled and makes them anew
        virtual = []
    own = [entry for entry in ddl if entry[1].startswith("sqlite_")]
    for kind, name, sql in sorted(ddl, key=lambda entry: entry[0] != "table"):  # triggers must not fire
        if (kind, name, sql) in virtual or (kind, name, sql) in own or (name in shadows and name not in tables):
            continue
        with_functions(connection, partial(connection.execute, sql))
        if name in tables and kind == "table":
            _insert(connection, folder, tables[name], done)
    for _, name, sql in own:
        if not connection.execute("SELECT 1 FROM sqlite_schema WHERE name = ?", (name,)).fetchone():
            connection.execute(sql)
        connection.execute(f"DELETE FROM {quoted(name)}")
        _insert(connection, folder, tables[name], done)
    for name, sequence in settings.get("sequences", {}).items():  # format 1
        connection.execute("DELETE FROM sqlite_sequence WHERE name = ?", (name,))
        connection.execute("INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)", (name, sequence))
    for entry in virtual:  # declared over their tables, which are there
        connection.execute("INSERT INTO sqlite_schema VALUES (?1, ?2, ?2, 0, ?3)", entry)
    connection.execute("COMMIT")
    connection.execute("PRAGMA writable_schema = RESET")
    connection.execute(f"PRAGMA user_version = {int(settings['user_version'])}")
    connection.execute(f"PRAGMA application_id = {int(settings['application_id'])}")


def _insert(connection: sqlite3.Connection, folder: Path, table: TableReport, done: Callable[[float], None]) -> None:
    given = [name for name in table.columns if name not in table.generated]
    places = [place for place, name in enumerate(table.columns) if name in given]
    columns = [quoted("" if name == table.unnamed else name) for name in given]
    if table.rowid is not None:
        columns[0] = _rowid_alias(table)
    into = f"INSERT INTO {quoted(table.name)} ({', '.join(columns)}) VALUES "
    plain = into + f"({', '.join('?' * len(given))})"
    decoder, batches = decoder_of(folder, table)
    for batch in batches:
        rows: list[tuple[Any, ...]] = []
        for row in decoder.rows(batch):
            cells = [row[place] for place in places]
            bound, holes = _bound(cells)
            if "?" * len(holes) == "".join(holes):
                rows.append(bound)
            else:  # a text that is no text to Python reaches SQLite as bytes, in its place among the others
                connection.executemany(plain, rows)
                rows = []
                connection.execute(f"{into}({', '.join(holes)})", bound)
        connection.executemany(plain, rows)
        done(batch.num_rows)


def _rowid_alias(table: TableReport) -> str:
    taken = {name.lower() for name in table.columns}
    return next(name for name in ("rowid", "_rowid_", "oid") if name not in taken)


def _bound(cells: Sequence[Any]) -> tuple[tuple[Any, ...], list[str]]:
    """Cells as Python hands them to SQLite, and for each how it stands in the statement."""
    bound, holes = [], []
    for value in cells:
        hole = "?"
        if type(value) is Text:
            try:
                value = value.decode("utf-8")
            except UnicodeDecodeError:
                value, hole = bytes(value), "CAST(? AS TEXT)"
        bound.append(value)
        holes.append(hole)
    return tuple(bound), holes


def _prove(connection: sqlite3.Connection, report: ExportReport) -> None:
    """NotProven unless every table of the new database has the digests of the export.

    Virtual tables are left out: what they show comes from tables that are compared, or from no table at all.
    """
    found = {table.name: table for table in read_schema(connection).tables}
    for wanted in report.tables:
        if wanted.kind == "virtual":
            continue
        table = found.get(wanted.name)
        if table is None:
            raise NotProven(f"table {wanted.name!r}: is not in the new database")
        profile(connection, table)
        encoder = Encoder(table)
        for columns in blocks(connection, table, encoder):
            encoder.batch(columns)
        digests = encoder.digests()
        wrong = [name for name in wanted.columns if digests.get(name) != wanted.columns[name]]
        if wrong or encoder.n_rows != wanted.n_rows:
            raise NotProven(
                f"table {wanted.name!r}, column {', '.join(map(repr, wrong))}: SQLite holds other cells now"
            )
