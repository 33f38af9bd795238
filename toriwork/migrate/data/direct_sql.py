"""SQL that code sends to a database by itself: where it stands, what it asks, and where the answer lies now.

Nobody can rewrite such code for sure. A person can, and quickly, who is told the file and has the line that reads it.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from toriwork.codebase.notebooks import Cells
from toriwork.codebase.source import parse, read
from toriwork.errors import Unsure
from toriwork.migrate.data.steps import export_name
from toriwork.migrate.recipes.detect import spectral_classes
from toriwork.migrate.recipes.source import Manual
from toriwork.migrate.recipes.world import World
from toriwork.sqlite.export import file_stem

_SQL = re.compile(r"^\s*(SELECT|WITH|INSERT|REPLACE|UPDATE|DELETE|CREATE|DROP|ALTER)\b", re.IGNORECASE)
_TABLE = re.compile(
    r"\b(?:FROM|JOIN|INTO|UPDATE|TABLE(?:\s+IF\s+(?:NOT\s+)?EXISTS)?)\s+(?:\w+\.)?[\"`\[]?(\w+)", re.IGNORECASE
)
_SHOWN = 70


def direct_sql(world: World, code: Mapping[str, bytes], databases: Sequence[Mapping[str, Any]]) -> list[Manual]:
    """A finding for each text of SQL that code still sends to a table of a database that is going to be exported.

    Parameters
    ----------
    world : World
    code : mapping
        File -> its bytes as the migration leaves them.
    databases : sequence of mapping
        What the plan says of each: ``path``, ``tables``, ``damage``.
    """
    found = []
    for path, source in code.items():
        try:
            cells = Cells.read(source) if path.endswith(".ipynb") else None
            tree = parse(cells.code if cells else read(source)[0])
        except Unsure:
            continue  # the recipes have reported it
        for line, sql in _texts(tree):
            cell, place = cells.place(line) if cells else (0, line)
            why = _told(sql, path, world, databases)
            if why:
                found.append(Manual(path, place, "direct_sql", f"cell {cell}: {why}" if cell else why))
    return found


def _texts(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Line and text of every SQL statement that stands in a module as one text, outside of spectral classes.

    Such a class is a finding of its own.
    """
    prose = {id(part.value) for part in ast.walk(tree) if isinstance(part, ast.Expr)}
    prose |= {id(part) for node, _ in spectral_classes(tree) for part in ast.walk(node)}
    for part in ast.walk(tree):
        if not isinstance(part, ast.Constant) or not isinstance(part.value, str) or id(part) in prose:
            continue
        if _SQL.match(part.value):
            yield part.lineno, part.value


def _told(sql: str, path: str, world: World, databases: Sequence[Mapping[str, Any]]) -> str:
    """Return what to do about one statement; "" when its tables are in no database that was found."""
    wanted = {name.lower() for name in _TABLE.findall(sql)}
    places = [
        (database["path"], table)
        for database in databases
        if not database.get("damage")
        for table in database.get("tables") or {}
        if table.lower() in wanted
    ]
    opened = {database["path"] for database in databases if path in world.openers(database["path"])}
    places = [place for place in places if place[0] in opened] or places
    if not places:
        return ""
    text = " ".join(sql.split())
    shown = f"`{text[:_SHOWN]}{'...' if len(text) > _SHOWN else ''}`"
    verb = sql.split(maxsplit=1)[0].upper()
    tables = ", ".join(f"{table} of {database}" for database, table in places)
    if verb in ("CREATE", "DROP", "ALTER"):
        return f"{shown} shapes {tables}, which is a file now; nothing takes its place"
    if verb not in ("SELECT", "WITH"):
        return f"{shown} changes {tables}; new rows need a place of their own, as toriwork.storage.ParquetTable gives"
    return f"{shown} asks {'; '.join(_reading(database, table) for database, table in places)}"


def _reading(database: str, table: str) -> str:
    """A table's new place, and the line that reads it."""
    name = f"legacy/{export_name(database)}/{file_stem(table)}.parquet"
    return f'{table} of {database}, read now by pandas.read_parquet(toriwork.state.state_root() / "{name}")'
