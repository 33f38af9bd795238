"""Stand-ins for what a healthy file may miss here: collations, functions, names in UTF-8.

Cells do not depend on the order of a collation, so any order will do. A function gets a stand-in only where no cell is
read: in SQLite's own check, and where tables are made that it guards.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Callable, Iterable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

from toriwork.sqlite.schema import text

_NAME = r"\"(?:[^\"]|\"\")*\"|'(?:[^']|'')*'|`(?:[^`]|``)*`|\[[^\]]*\]|[^\W\d][\w$]*"
_COLLATE = re.compile(rf"\bCOLLATE(?:\s|/\*.*?\*/|--[^\n]*\n)*({_NAME})", re.IGNORECASE | re.DOTALL)
_NO_FUNCTION = re.compile(r"(?:no such|unknown) function: (.+?)(?:\(\))?$")
_Answer = TypeVar("_Answer")


class Connection(sqlite3.Connection):
    """A connection whose errors are those of ``sqlite3`` whatever bytes of the file SQLite's message quotes."""

    def execute(self, sql: str, parameters: Any = ()) -> sqlite3.Cursor:
        """The same as ever."""
        try:
            return super().execute(sql, parameters)
        except UnicodeDecodeError as error:
            raise sqlite3.DatabaseError(error.object.decode("utf-8", "replace")) from error


def connect(path: str | Path) -> Connection:
    """Open a file that is nobody else's."""
    connection = sqlite3.connect(path, isolation_level=None, factory=Connection)
    connection.text_factory = bytes
    return connection


def stand_in_for_collations(connection: sqlite3.Connection, statements: Iterable[str]) -> list[str]:
    """The collations that statements name and this SQLite lacks; each orders by code points now.

    SQLite gives up an index for good once it has missed a collation of it: so they are there before anything is read.
    """
    with closing(connect(":memory:")) as fresh:  # a schema that names a collation has put it into the list already
        known = {text(row[1]).upper() for row in fresh.execute("PRAGMA collation_list")}
    found = {_unquoted(name).upper(): _unquoted(name) for sql in statements for name in _COLLATE.findall(sql)}
    missing = [name for upper, name in found.items() if upper not in known]
    for name in missing:
        connection.create_collation(name, _by_code_points)
    return missing


def _unquoted(name: str) -> str:
    if name[0] == "[":
        return name[1:-1]
    return name[1:-1].replace(name[0] * 2, name[0]) if name[0] in "\"'`" else name


def _by_code_points(one: str, other: str) -> int:
    return (one > other) - (one < other)


def with_functions(connection: sqlite3.Connection, act: Callable[[], _Answer]) -> tuple[_Answer, list[str]]:
    """The answer of an act, and the functions that it missed; each says NULL now, which no check refuses."""
    missing: list[str] = []
    while True:
        try:
            return act(), missing
        except sqlite3.OperationalError as error:
            found = _NO_FUNCTION.search(str(error))
            if found is None or found[1] in missing:
                raise
            missing.append(found[1])
            connection.create_function(found[1], -1, lambda *_: None, deterministic=True)


def respell(connection: sqlite3.Connection, spell: Callable[[str], str]) -> None:
    """Spell the names and statements of a database of our own another way; its cells stay."""
    if connection.execute("PRAGMA encoding").fetchone()[0] != b"UTF-8":
        return  # its names are whole characters
    changed = []
    for number, *parts in connection.execute("SELECT rowid, name, tbl_name, sql FROM sqlite_schema"):
        spelled = [None if part is None else spell(text(part)).encode("utf-8", "surrogateescape") for part in parts]
        if spelled != parts:
            changed.append((*spelled, number))
    if changed:
        connection.execute("PRAGMA writable_schema = ON")
        connection.executemany(
            "UPDATE sqlite_schema SET name = CAST(? AS TEXT), tbl_name = CAST(? AS TEXT), sql = CAST(? AS TEXT) "
            "WHERE rowid = ?",
            changed,
        )
        connection.execute("PRAGMA writable_schema = RESET")
