"""Data of a code base: databases by their first bytes and by name, files that nobody can read.

The original of a database is only read, and hashed once; SQLite looks at a copy. Each file counts once, whatever links
stand for it.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from toriwork.codebase.index import CodebaseIndex
from toriwork.migrate.data import history
from toriwork.migrate.recipes.tables import KnownDatabase, SchemaObject, odd_rows, table_of
from toriwork.sqlite.schema import Table, quoted, read_schema, text
from toriwork.sqlite.source import MAGIC, SIDE_SUFFIXES, Identity, holders, snapshot
from toriwork.sqlite.values import Text

_DATABASE_NAMES = re.compile(r"\.(db|db3|sqlite|sqlite3|s3db|sdb|sl3)$", re.IGNORECASE)
_PICKLE_NAMES = re.compile(r"\.(pkl|pickle|p|pck)$", re.IGNORECASE)
_SIDE_NAMES = re.compile(rf"({'|'.join(SIDE_SUFFIXES)})$")
_SPECTRAL = re.compile(rb"eigen|spectr|signature|numpy", re.IGNORECASE)
_COVERAGE = re.compile(r"(^|/)\.coverage(\.[^/]*)?$")  # a database that a tool makes again


@dataclass(frozen=True, slots=True)
class Database:
    """A SQLite file of the code base, with everything that stands for it, and what SQLite says of a copy."""

    path: str  #: relative to the root, with slashes
    names: tuple[str, ...]  #: links to the same file
    side_files: tuple[str, ...]
    digest: str  #: of its bytes and those of its side files
    bytes: int
    tables: dict[str, int] = field(default_factory=dict)  #: name -> rows
    damage: str = ""  #: why it cannot be read, or not all of it
    unread: dict[str, dict[str, int]] = field(default_factory=dict)  #: table of spectra -> reason -> rows that are none
    objects: tuple[SchemaObject, ...] = ()

    def facts(self) -> dict[str, Any]:
        """Return what the plan says of it."""
        found = asdict(self) | {"names": list(self.names), "side_files": list(self.side_files)}
        return {name: value for name, value in found.items() if name != "objects"}

    def known(self, readers: Sequence[tuple[str, int]]) -> KnownDatabase:
        """Return what recipes have to know of it; ``readers`` as :func:`find_readers` has them."""
        return KnownDatabase(self.path, self.names, self.objects, self.unread, readers)


@dataclass(frozen=True, slots=True)
class Data:
    """All data of a code base."""

    databases: tuple[Database, ...] = ()
    strange: tuple[tuple[str, str], ...] = ()  #: files that somebody must look at, and why

    @property
    def usable(self) -> list[Database]:
        """The databases that can be read, all of what is in them."""
        return [database for database in self.databases if not database.damage]


def find_data(index: CodebaseIndex) -> Data:
    """Return the data of a code base. Files come before links, so that a file is known by its own name."""
    first: dict[tuple[int, int], str] = {}
    names: dict[str, list[str]] = {}
    strange = []
    for path in (path for path in (*index.files, *index.links) if not _COVERAGE.search(path)):
        kind = _kind(index, path)
        if kind == "database" and _leads_outside(index.root, path):
            strange.append((path, f"is a link to a database outside: {(index.root / path).readlink()}"))
        elif kind == "database":
            about = (index.root / path).stat()
            names.setdefault(first.setdefault((about.st_dev, about.st_ino), path), []).append(path)
        elif kind:
            strange.append((path, kind))
    databases = tuple(_database(index, path, tuple(more)) for path, (_, *more) in names.items())
    return Data(databases, tuple(strange))


def _leads_outside(root: Path, path: str) -> bool:
    real = Path(os.path.realpath(root / path))
    return (root / path).is_symlink() and not real.is_relative_to(os.path.realpath(root))


def _kind(index: CodebaseIndex, path: str) -> str:
    """Return ``database``, nothing of interest (""), or why somebody must look at a file."""
    start, called = index.head(path, len(MAGIC)), bool(_DATABASE_NAMES.search(path))
    if start == MAGIC or (not start and called):
        return "database"
    if called:
        return f"is named like a database and is none of SQLite's (it begins with {start!r})"
    if _PICKLE_NAMES.search(path) and _SPECTRAL.search(index.head(path, 2**20)):
        return (
            "is a pickle, which is never loaded: loading one runs what is in it. Where you trust it, load it "
            "yourself and add each spectrum to the class that kept it, once that is migrated"
        )
    main = _SIDE_NAMES.sub("", path)
    if main != path and start and _DATABASE_NAMES.search(main) and not (index.root / main).exists():
        return f"is a side file of {Path(main).name}, which is not there"
    return ""


def _database(index: CodebaseIndex, path: str, names: tuple[str, ...]) -> Database:
    sides = tuple(path + suffix for suffix in SIDE_SUFFIXES if (index.root / (path + suffix)).exists())
    hashed = [path, *(side for side in sides if not side.endswith("-shm"))]
    parts = tuple((one[len(path) :], (index.root / one).stat().st_size, index.digest(one)) for one in hashed)
    told = _examined(index.root / path)
    return Database(path, names, sides, Identity(path, parts).digest, parts[0][1], **told)


def _examined(path: Path) -> dict[str, Any]:
    """Return rows of each table, objects and rows that are no spectra; or why SQLite cannot read it."""
    with tempfile.TemporaryDirectory(prefix="toriwork-") as folder:
        try:
            with snapshot(path, Path(folder), live=bool(holders(path))) as (connection, _):
                found = read_schema(connection)
                lost = [f"{name} ({why})" for name, why in found.unreadable.items()]
                count = "SELECT count(*) FROM "
                tables = [table for table in found.tables if table.kind in ("table", "virtual")]
                rows = {one.name: connection.execute(count + quoted(one.name)).fetchone()[0] for one in tables}
                unread = {one.name: odd for one in tables if (odd := _unread(connection, one))}
                told = {"tables": rows, "unread": unread, "objects": tuple(_objects(connection))}
                return told | ({"damage": f"not all of it can be exported: {', '.join(lost)}"} if lost else {})
        except OSError as error:
            return {"damage": str(error)}


def _objects(connection: Any) -> Iterator[SchemaObject]:
    for row in connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master"):
        yield SchemaObject(*("" if cell is None else text(cell) for cell in row))


def _unread(connection: Any, table: Table) -> dict[str, int]:
    """Return reason -> rows of a table of spectra that are none; nothing for any other table."""
    name = quoted(table.name)
    made = connection.execute("SELECT sql FROM sqlite_master WHERE name = ?", (table.name,)).fetchone()
    if made and (bound := table_of(text(made[0]))):
        conditions = ((why, f"SELECT count(*) FROM {name} WHERE {condition}") for why, condition in odd_rows(bound))
        return {why: n for why, query in conditions if (n := connection.execute(query).fetchone()[0])}
    names = [column.name for column in table.columns]
    query = next(iter(replace(table, rowid=None).selects(len(names) or 1)), None)
    if query is None:
        return {}
    connection.text_factory = Text
    try:
        return history.unread(names, lambda: connection.execute(query))
    finally:
        connection.text_factory = bytes
