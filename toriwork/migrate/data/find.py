"""What data lies in a code base: databases by their first bytes and by name, spectral histories, what nobody can read.

Nothing is opened with SQLite here and nothing is changed. Each file counts once, whatever links stand for it.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from toriwork.codebase import CodebaseIndex
from toriwork.errors import StoreError
from toriwork.migrate.data.history import is_json_history
from toriwork.sqlite.schema import quoted, read_schema
from toriwork.sqlite.source import MAGIC, SIDE_SUFFIXES, holders, identity_of, side_files, snapshot

if TYPE_CHECKING:
    from sqlite3 import Connection

DATABASE_NAMES = re.compile(r"\.(db|db3|sqlite|sqlite3|s3db|sdb|sl3)$", re.IGNORECASE)
_JSON_NAMES = re.compile(r"\.(json|jsonl|ndjson)$", re.IGNORECASE)
_PICKLE_NAMES = re.compile(r"\.(pkl|pickle|p|pck)$", re.IGNORECASE)
_SIDE_NAMES = re.compile(rf"({'|'.join(SIDE_SUFFIXES)})$")
_SPECTRAL = re.compile(rb"eigen|spectr|signature|numpy", re.IGNORECASE)
_TOOL_FILES = re.compile(r"(?:.*/)?\.coverage(\..*)?$")


@dataclass(frozen=True, slots=True)
class Database:
    """A SQLite file of the code base, with everything that stands for it."""

    path: str  #: relative to the root, with slashes
    names: tuple[str, ...] = ()  #: links to the same file
    sides: tuple[str, ...] = ()  #: suffixes of its side files
    digest: str = ""  #: of its bytes and those of its side files


@dataclass(frozen=True, slots=True)
class Strange:
    """A file that somebody must look at, and why."""

    path: str
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """All data of a code base."""

    databases: tuple[Database, ...] = ()
    histories: tuple[str, ...] = ()  #: JSON files that hold spectra
    strange: tuple[Strange, ...] = ()
    passed_over: tuple[str, ...] = ()  #: folders and files of tools


def look(index: CodebaseIndex) -> Found:
    """Return the data of a code base; files of tools are passed over and named."""
    root = index.root
    passed = [omission.path for omission in index.omitted if omission.path.endswith("/")]
    first: dict[tuple[int, int], str] = {}
    links: dict[str, list[str]] = {}
    strange: list[Strange] = []
    histories: list[str] = []
    for name in (*index.files, *index.links):  # a file is known by its own name
        if _TOOL_FILES.match(name):
            passed.append(name)
            continue
        path = root / name
        kind = _kind(path)
        if kind == "database" and path.is_symlink() and not _inside(path, root):
            strange.append(Strange(name, f"is a link to a database outside: {path.readlink()}"))
        elif kind == "database":
            found = path.stat()
            key = found.st_dev, found.st_ino
            links.setdefault(first.setdefault(key, name), []).append(name)
        elif kind == "history":
            histories.append(name)
        elif kind:
            strange.append(Strange(name, kind))
    databases = tuple(_database(root, names) for names in links.values())
    return Found(databases, tuple(histories), tuple(strange), tuple(sorted(passed)))


def _inside(path: Path, root: Path) -> bool:
    return Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _kind(path: Path) -> str:
    """What a file is: ``database``, ``history``, nothing of interest (""), or why somebody must look at it."""
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
        if start == MAGIC or (not start and DATABASE_NAMES.search(path.name)):
            return "database"
        if DATABASE_NAMES.search(path.name):
            return f"is named like a database and is none of SQLite's (it begins with {start!r})"
        if _PICKLE_NAMES.search(path.name) and _SPECTRAL.search(start + file.read(2**20)):
            return (
                "is a pickle, which is never loaded: loading one runs what is in it. Where you trust it, load it "
                "yourself and add each spectrum to the class that kept it, once that is migrated"
            )
    if _SIDE_NAMES.search(path.name) and start:
        main = path.with_name(_SIDE_NAMES.sub("", path.name))
        if not main.exists() and DATABASE_NAMES.search(main.name):
            return f"is a side file of {main.name}, which is not there"
    return "history" if _JSON_NAMES.search(path.name) and is_json_history(path) else ""


def _database(root: Path, names: list[str]) -> Database:
    path = root / names[0]
    sides = tuple(side.name[len(path.name) :] for side in side_files(path))
    return Database(names[0], tuple(names[1:]), sides, identity_of(path).digest)


@dataclass(frozen=True, slots=True)
class Examined:
    """What SQLite says of a database; a copy of it was looked at."""

    damage: str = ""  #: why it cannot be read
    tables: tuple[tuple[str, int], ...] = ()  #: name, rows


def examine(root: Path, database: Database) -> Examined:
    """Whether SQLite can read a database, and what is in it."""
    return _examine(root / database.path, database.digest)


@lru_cache(maxsize=64)
def _examine(path: Path, digest: str) -> Examined:  # noqa: ARG001 - a key: other bytes are looked at again
    with tempfile.TemporaryDirectory(prefix="toriwork-") as folder:
        try:
            with snapshot(path, Path(folder), live=bool(holders(path))) as (connection, _):
                return Examined(tables=tuple(_counts(connection)))
        except StoreError as error:
            return Examined(damage=str(error))


def _counts(connection: Connection) -> Iterator[tuple[str, int]]:
    for table in read_schema(connection).tables:
        yield table.name, connection.execute(f"SELECT count(*) FROM {quoted(table.name)}").fetchone()[0]
