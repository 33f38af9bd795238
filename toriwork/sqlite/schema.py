"""Schema of a database: names, columns, and one profile of every column made by SQL."""

from __future__ import annotations

import re
import sqlite3
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from toriwork.errors import BadInput
from toriwork.sqlite.values import CLASSES

_ROWID_NAMES = ("rowid", "_rowid_", "oid")
_COLUMNS_AT_ONCE = 100  # SQLite takes 2,000 results a query
_SAMPLE_ROWS = 1000
_CONTENTLESS = re.compile(r"\bUSING\s+fts\d.*\bcontent\s*=\s*(?:''|\"\"|``|\[\])?\s*[,)]", re.IGNORECASE | re.DOTALL)
_STRAY = {0xDC00 + byte: 0x10FE00 + byte for byte in range(0x80, 0x100)}
_EXACT = {sign: stray for stray, sign in _STRAY.items()}
_OF_DATABASE = ("user_version", "application_id", "encoding", "page_size", "auto_vacuum", "journal_mode")


@dataclass(frozen=True, slots=True)
class Column:
    """One column as it is declared."""

    name: str
    declared: str  #: the declared type, often ""
    primary_key: int = 0  #: place in the primary key, from 1; 0: not part of it
    generated: bool = False
    computed: bool = False  #: generated anew at each reading


@dataclass(frozen=True, slots=True)
class Profile:
    """One column as SQL sees it: how many cells of each storage class, and their bounds."""

    counts: dict[str, int]
    #: integer min, max; real min, max; sum of the lengths in bytes of text (None: SQL cannot say), of blob
    bounds: tuple[Any, ...]

    @property
    def main(self) -> str:
        """The storage class of most cells that are not null; "null" where there is none."""
        named = [(self.counts[name], -place, name) for place, name in enumerate(CLASSES) if name != "null"]
        most = max(named)
        return most[2] if most[0] else "null"


@dataclass(slots=True)
class Table:
    """One table: how it is read in an order that does not change, and what is in it."""

    name: str
    #: "table", "virtual", "shadow" (of a virtual table, which keeps its data there) or "internal" (SQLite's own)
    kind: str
    columns: list[Column]
    rowid: str | None  #: how its row id is called in SQL where no column holds it
    order: str  #: SQL behind ORDER BY, "" for virtual tables
    key: str | None = None  #: the column that is the row id under another name
    n_rows: int = 0
    profiles: dict[str, Profile] = field(default_factory=dict)

    def selects(self, most: int) -> list[str]:
        """The queries for all cells, the row id first where it is exported; each of ``most`` columns or fewer."""
        names = [self.rowid] if self.rowid else []
        names += [quoted(column.name) for column in self.columns]
        tail = f"FROM {quoted(self.name)} ORDER BY {self.order}" if self.order else f"FROM {quoted(self.name)}"
        return [f"SELECT {', '.join(names[at : at + most])} {tail}" for at in range(0, len(names), most)]

    def label(self, column: str) -> str:
        """The name of a column outside of SQLite, where not every reader takes the name ""."""
        return column or free_name("__unnamed__", (other.name for other in self.columns))

    def affinity(self, column: str) -> str:
        """The storage class that a column's declared type prefers (https://sqlite.org/datatype3.html, section 3.1)."""
        declared = next(c.declared for c in self.columns if c.name == column).upper()
        for words, found in ((("INT",), "integer"), (("CHAR", "CLOB", "TEXT"), "text"), (("BLOB",), "blob")):
            if any(word in declared for word in words):
                return found
        return "real" if any(word in declared for word in ("REAL", "FLOA", "DOUB")) else "text"


@dataclass(slots=True)
class Schema:
    """Everything that is declared, and the tables that hold data of their own."""

    tables: list[Table]
    ddl: list[tuple[str, str, str]]  #: kind, name, SQL of every object in the order of creation
    settings: dict[str, Any]
    unreadable: dict[str, str] = field(default_factory=dict)  #: what is not carried, and why

    @property
    def shadows(self) -> list[str]:
        """The tables that virtual tables keep their data in."""
        return [table.name for table in self.tables if table.kind == "shadow"]


def quoted(name: str) -> str:
    """A name as SQL takes it whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def text(value: Any) -> str:
    """A name or statement as text; SQLite keeps them as UTF-8, a stray byte is kept as a surrogate."""
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def sayable(name: str) -> str:
    """A name or statement as ``sqlite3`` takes it: a private sign for each byte that is not UTF-8."""
    return name.translate(_STRAY)


def exact(name: str) -> str:
    """The same with its own bytes, as surrogates."""
    return name.translate(_EXACT)


def free_name(wanted: str, taken: Iterable[str]) -> str:
    """Return the wanted name, with underscores around it as long as it is taken."""
    names = set(taken)
    while wanted in names:
        wanted = f"_{wanted}_"
    return wanted


def read_schema(connection: sqlite3.Connection) -> Schema:
    """Return the schema of a snapshot.

    Raises
    ------
    BadInput
        The library's SQLite is older than 3.37 (November 2021) and cannot tell tables apart.
    """
    if sqlite3.sqlite_version_info < (3, 37):
        raise BadInput(f"expected SQLite 3.37 or newer, got {sqlite3.sqlite_version}: it cannot tell tables apart")
    listed = {text(row[1]): row for row in connection.execute("PRAGMA table_list") if row[0] == b"main"}
    query = "SELECT type, name, sql FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY rowid"
    ddl = [(text(kind), text(name), text(sql)) for kind, name, sql in connection.execute(query)]
    tables: list[Table] = []
    unreadable: dict[str, str] = {}
    for kind, name, sql in ddl:
        if kind != "table":
            continue
        try:
            kept_as = "internal" if name.startswith("sqlite_") else text(listed[name][2])
            if kept_as == "virtual" and _CONTENTLESS.search(sql):
                unreadable[name] = "keeps no text (content=''), which its index alone does not give back"
            else:
                tables.append(_read_table(connection, name, kept_as, bool(listed[name][4])))
        except sqlite3.Error as error:  # a virtual table of a module that is not here, or without what it reads
            unreadable[name] = str(error)
    for table in tables:
        unreadable |= _drop_uncomputable(connection, table)
    settings = {name: _setting(connection, name) for name in _OF_DATABASE}
    return Schema(tables, [(kind, exact(name), exact(sql)) for kind, name, sql in ddl], settings, unreadable)


def _drop_uncomputable(connection: sqlite3.Connection, table: Table) -> dict[str, str]:
    """Take the columns from a table that SQLite cannot compute here, and return why by name."""
    unreadable = {}
    for column in [column for column in table.columns if column.computed]:
        try:
            connection.execute(f"SELECT count({quoted(column.name)}) FROM {quoted(table.name)}").fetchone()
        except sqlite3.Error as error:
            unreadable[f"{table.name}.{column.name}"] = str(error)
            table.columns.remove(column)
    return unreadable


def _setting(connection: sqlite3.Connection, name: str) -> Any:
    value = connection.execute(f"PRAGMA {name}").fetchone()[0]
    return text(value) if isinstance(value, bytes) else value


def _read_table(connection: sqlite3.Connection, name: str, kind: str, without_rowid: bool) -> Table:
    columns = []
    for _, column, declared, _, _, key, hidden in connection.execute(f"PRAGMA table_xinfo({quoted(name)})"):
        if hidden != 1:  # 1: an argument of a virtual table, no column
            columns.append(Column(text(column), text(declared or ""), key, hidden in (2, 3), hidden == 2))
    # whatever collation a key has: that of the export is the same on the way back, and one that is here
    in_order = [f"{quoted(column.name)} COLLATE BINARY" for column in columns]
    if without_rowid:
        keys = sorted((column.primary_key, cell) for column, cell in zip(columns, in_order, strict=True))
        return Table(name, kind, columns, None, ", ".join(cell for place, cell in keys if place))
    taken = {column.name.lower() for column in columns}
    free = next((alias for alias in _ROWID_NAMES if alias not in taken), None)
    if kind == "virtual":
        if free is not None:
            try:
                connection.execute(f"SELECT {free} FROM {quoted(name)} LIMIT 1").fetchall()
            except sqlite3.Error:
                free = None
        # a module may be here, take the query and give up on a row
        counts = ", ".join(f"count({quoted(column.name)})" for column in columns)
        connection.execute(f"SELECT {counts} FROM {quoted(name)}").fetchone()
    key = _rowid_column(connection, name, columns)
    return Table(name, kind, columns, free if key is None else None, free or ", ".join(in_order), key)


def _rowid_column(connection: sqlite3.Connection, name: str, columns: list[Column]) -> str | None:
    """Return the column that is the row id under another name: its key needs no index of its own."""
    keys = [column for column in columns if column.primary_key]
    if len(keys) != 1 or keys[0].declared.upper() != "INTEGER":
        return None
    indexes = connection.execute(f"PRAGMA index_list({quoted(name)})")
    return keys[0].name if all(text(row[3]) != "pk" for row in indexes) else None


def profile(connection: sqlite3.Connection, table: Table) -> None:
    """Fill in how many rows a table has and the profile of every column, all by SQL over the snapshot.

    A column is first asked for the one class that a sample of it suggests; only one that holds others too is counted
    class by class, which costs five times as much.
    """
    name, likely = quoted(table.name), _likely_classes(connection, table)
    # in a UTF-16 database the bytes that SQL counts are not those that anybody reads
    countable = text(connection.execute("PRAGMA encoding").fetchone()[0]) == "UTF-8"
    table.n_rows = connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0]
    for start in range(0, len(table.columns), _COLUMNS_AT_ONCE):
        part = [(column.name, likely[column.name]) for column in table.columns[start : start + _COLUMNS_AT_ONCE]]
        query = ", ".join(_of_one_class(column, kind) for column, kind in part)
        values = connection.execute(f"SELECT {query} FROM {name}").fetchone()
        for index, (column, kind) in enumerate(part):
            n_cells, n_of_kind, low, high = values[4 * index : 4 * index + 4]
            if n_cells == n_of_kind:
                table.profiles[column] = _uniform(table.n_rows, kind, n_of_kind, low, high)
            else:
                one = connection.execute(f"SELECT {_aggregates(column)} FROM {name}").fetchone()
                table.profiles[column] = Profile(dict(zip(CLASSES, one[:5], strict=True)), one[5:])
            if not countable:
                found = table.profiles[column]
                table.profiles[column] = Profile(found.counts, (*found.bounds[:4], None, found.bounds[5]))


def _likely_classes(connection: sqlite3.Connection, table: Table) -> dict[str, str]:
    """Column -> the class of most cells at the beginning, or of the first cell that is not null."""
    name = quoted(table.name)
    types = ", ".join(f"typeof({quoted(column.name)})" for column in table.columns)
    rows = connection.execute(f"SELECT {types} FROM {name} LIMIT {_SAMPLE_ROWS}").fetchall()
    found = {}
    for index, column in enumerate(table.columns):
        seen = Counter(text(row[index]) for row in rows if row[index] != b"null")
        if not seen and rows:
            cell = quoted(column.name)
            first = f"SELECT typeof({cell}) FROM {name} WHERE {cell} IS NOT NULL LIMIT 1"
            seen.update(text(row[0]) for row in connection.execute(first))
        found[column.name] = seen.most_common(1)[0][0] if seen else table.affinity(column.name)
    return found


def _of_one_class(column: str, kind: str) -> str:
    """SQL for: cells that are not null, cells of the class, and bounds that hold if these are all."""
    cell = quoted(column)
    bounds = f"min({cell}), max({cell})"
    if kind in ("text", "blob"):
        bounds = f"coalesce(sum(length(CAST({cell} AS BLOB))), 0), NULL"
    return f"count({cell}), count(*) FILTER (WHERE typeof({cell}) = '{kind}'), {bounds}"


def _uniform(n_rows: int, kind: str, n_cells: int, low: Any, high: Any) -> Profile:
    counts = {**dict.fromkeys(CLASSES, 0), "null": n_rows - n_cells, kind: n_cells}
    places = {"integer": 0, "real": 2, "text": 4, "blob": 5}
    bounds: list[Any] = [None, None, None, None, 0, 0]
    bounds[places[kind]] = low
    if kind in ("integer", "real"):
        bounds[places[kind] + 1] = high
    return Profile(counts, tuple(bounds))


def _aggregates(column: str) -> str:
    """SQL for the numbers of a profile, in the order of the classes, then the bounds."""
    cell = quoted(column)
    counts = [f"count(*) FILTER (WHERE typeof({cell}) = '{name}')" for name in CLASSES]
    of_class = {name: f"FILTER (WHERE typeof({cell}) = '{name}')" for name in CLASSES}
    bounds = [f"{how}({cell}) {of_class[name]}" for name in ("integer", "real") for how in ("min", "max")]
    lengths = [f"coalesce(sum(length(CAST({cell} AS BLOB))) {of_class[name]}, 0)" for name in ("text", "blob")]
    return ", ".join([*counts, *bounds, *lengths])
