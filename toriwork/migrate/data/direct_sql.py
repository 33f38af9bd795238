"""SQL that code sends to a database by itself: where it stands, what it asks, and where the answer lies now.

Nobody can rewrite such code for sure. A person can, and quickly, who is told the file and has the line that reads it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from toriwork.codebase.index import CodeText
from toriwork.codebase.source import words_of
from toriwork.errors import Unsure
from toriwork.migrate.data.steps import export_name
from toriwork.migrate.recipes.source import Manual
from toriwork.migrate.recipes.world import World, facts_of
from toriwork.sqlite.export import file_stem

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
        File -> its bytes as the migration leaves them, of every file that it changes.
    databases : sequence of mapping
        What the plan says of each: ``path``, ``tables``, ``damage``, ``kept``: SQL for one that stays is not told.
    """
    found = []
    used = [database for database in databases if not database.get("damage")]
    openers = {database["path"]: world.openers(database["path"]) for database in used}
    tables = [words_of(table) for database in used for table in database.get("tables") or {}]
    named = {path for words in tables if words for path in world.index.files_with(words)}
    for path in sorted(named | code.keys()):
        try:
            text = CodeText.of(path, code[path]) if path in code else world.index.text(path)
            sql = facts_of(path, text.tree).sql if path in code else world.facts(path).sql
        except Unsure:
            continue  # the recipes have reported it
        for line, statement in sql:
            cell, place = text.place(line)
            if why := _told(statement, path, used, openers):
                found.append(Manual(path, place, "direct_sql", f"cell {cell}: {why}" if cell else why))
    return found


def _told(sql: str, path: str, databases: Sequence[Mapping[str, Any]], openers: Mapping[str, Sequence[str]]) -> str:
    """Return what to do about one statement; "" when its tables are in no database that was found."""
    wanted = {name.lower() for name in _TABLE.findall(sql)}
    places = [
        (database["path"], table)
        for database in databases
        for table in database.get("tables") or {}
        if table.lower() in wanted
    ]
    kept = {database["path"] for database in databases if database.get("kept")}
    places = [place for place in places if path in openers[place[0]]] or places
    if not places or any(database in kept for database, _ in places):
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
