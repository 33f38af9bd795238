"""The one table of signatures that is moved, as it stands in code and in a database."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from toriwork.migrate.recipes.shapes import Bound, bind_sql

TABLE = """CREATE TABLE IF NOT EXISTS {table} ({id} INTEGER PRIMARY KEY, {hash} TEXT NOT NULL, {time} REAL NOT NULL,
    {eigenvalues} BLOB NOT NULL, {betti} TEXT, {band} TEXT NOT NULL, {gaps} TEXT)"""
INDEX = "CREATE INDEX IF NOT EXISTS {index} ON {table} ({time})"
_PLAIN_TABLE, _PLAIN_INDEX = (shape.replace(" IF NOT EXISTS", "") for shape in (TABLE, INDEX))
#: why a row is no signature -> the condition in SQL that tells it
_ODD = (
    ("its eigenvalues are no float64 bytes", "typeof({eigenvalues}) <> 'blob' OR length({eigenvalues}) % 8 <> 0"),
    ("its time is no finite number or text", "typeof({time}) NOT IN ('real', 'text') OR {time} IN (9e999, -9e999)"),
    (
        "a text of it is none",
        "typeof({hash}) || typeof({band}) <> 'texttext' OR typeof({betti}) IN ('blob') OR typeof({gaps}) IN ('blob')",
    ),
)


@dataclass(frozen=True, slots=True)
class SchemaObject:
    """A table, index, trigger or view of a database, with the statement that made it."""

    kind: str
    name: str
    table: str
    sql: str  #: "" for what SQLite makes by itself


@dataclass(frozen=True, slots=True)
class KnownDatabase:
    """A database of the code base, as far as recipes have to know it."""

    path: str
    names: tuple[str, ...] = ()  #: links to it
    objects: tuple[SchemaObject, ...] = ()
    unread: Mapping[str, Mapping[str, int]] | None = None  #: table -> reason -> rows that are no spectra
    readers: Sequence[tuple[str, int]] = ()  #: file and line of each place that spells its name

    def holds(self, table: str) -> bool:
        """True when it has a table of this name."""
        return any(one.kind == "table" and one.name.lower() == table for one in self.objects)


@dataclass(frozen=True, slots=True)
class MovedClass:
    """A class that a recipe moved, and the table that it kept."""

    path: str
    name: str
    stream: str
    columns: Mapping[str, str]  #: ``table`` and the role of each column -> its name in lower case
    made: str  #: name of the class of its signatures, "" where it hands out none


def table_of(sql: str) -> Bound | None:
    """The names in a statement that makes such a table; None for any other."""
    return bind_sql(TABLE, sql, {}) or bind_sql(_PLAIN_TABLE, sql, {})


def odd_rows(bound: Bound) -> Iterator[tuple[str, str]]:
    """Reason and condition in SQL of rows that are no signatures."""
    quoted = {word: f'"{name}"' for word, name in bound.items()}
    for why, condition in _ODD:
        yield why, condition.format(**quoted)


def misfit(database: KnownDatabase, bound: Bound) -> str:
    """Return why a database of a class is not as its code says; "" when it is."""
    table, mine = bound["table"], [one for one in database.objects if one.table.lower() == bound["table"]]
    for one in mine:
        shape = {"table": _PLAIN_TABLE, "index": _PLAIN_INDEX}.get(one.kind)
        if shape is None or not bind_sql(shape, one.sql, {k: v for k, v in bound.items() if k != "index"}):
            shown = " ".join(one.sql.split())[:70] or f"{one.kind} {one.name}"
            return f"{database.path} has `{shown}`, which is of no known shape"
    for one in database.objects:
        if one.kind in ("view", "trigger") and re.search(rf"\b{table}\b", one.sql, re.IGNORECASE):
            return f"{database.path} has the {one.kind} {one.name}, which stands on {table}"
    if odd := (database.unread or {}).get(table):
        return f"{sum(odd.values())} rows of {table} in {database.path} are no signatures: {reasons(odd)}"
    return f"{database.names[0]} is a link to {database.path}" if database.names else ""


def reasons(odd: Mapping[str, int]) -> str:
    """Rows that are no spectra by their reason."""
    return ", ".join(f"{n:,} {why}" for why, n in sorted(odd.items()))
