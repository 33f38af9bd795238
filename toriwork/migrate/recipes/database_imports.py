"""Imports of database drivers go where nothing uses them any more; so do imports that only what went needed.

A driver's error that a handler catches becomes OSError, which is what the registry raises where a database did.
An import stays, and is reported, when its name is used, stands in a text that code may look up, is listed in
``__all__``, or is imported from here by another file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from toriwork.codebase.edits import Edit
from toriwork.codebase.source import parse
from toriwork.migrate.recipes.detect import DATABASE_MODULES
from toriwork.migrate.recipes.source import MARK, Manual, Outcome, Unit

NAME = "database_imports"
_LOOKING_UP = frozenset("globals locals vars getattr eval exec __import__ import_module".split())


def transform(unit: Unit) -> Outcome:
    """Edits that take away unused imports of drivers, and a finding for each driver that is still used."""
    edits: list[Edit] = []
    manual: list[Manual] = []
    orphans = _orphans(unit)
    optional = {id(part): child for child in _optional(unit) for part in ast.walk(child)}
    edits += [_whole(unit, child) for child in {id(child): child for child in optional.values()}.values()]
    for node, siblings in _statements(unit.tree.body):
        if id(node) in optional:
            continue
        dead: list[ast.alias] = []
        for alias in node.names:
            name = alias.asname or alias.name.split(".")[0]
            driver = _module(node, alias) in DATABASE_MODULES
            if not driver and name not in orphans:
                continue
            caught = list(_caught(unit, name)) if driver and isinstance(node, ast.Import) else []
            reason = _needed(unit, name, caught)
            if reason is None:
                dead.append(alias)
                edits += [Edit(unit.start(part), unit.end(part), b"OSError") for part in caught]
            elif driver:
                manual.append(unit.manual(node, NAME, f"{_module(node, alias)} stays imported: {reason}"))
        if dead:
            edits += _without(unit, node, dead, siblings)
    return Outcome(tuple(edits), tuple(manual))


def _optional(unit: Unit) -> Iterator[ast.Try]:
    """``try: import driver`` with a stand-in under ``except``, at the top of a module, which nothing uses."""
    for child in unit.tree.body:
        if not isinstance(child, ast.Try) or child.orelse or child.finalbody or len(unit.tree.body) < 2:
            continue
        inside = list(ast.walk(child))
        imported = [
            (part, alias) for part in inside if isinstance(part, ast.Import | ast.ImportFrom) for alias in part.names
        ]
        drivers = imported and all(_module(part, alias) in DATABASE_MODULES for part, alias in imported)
        idle = (ast.Import, ast.ImportFrom, ast.Assign, ast.Pass)
        plain = all(isinstance(one, idle) for one in (*child.body, *(one for h in child.handlers for one in h.body)))
        if drivers and plain and not _bound_in(child) & (_used_outside(unit, child) | _borrowed_from(unit)):
            yield child


def _bound_in(child: ast.Try) -> set[str]:
    stored = {part.id for part in ast.walk(child) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)}
    imports = (part for part in ast.walk(child) if isinstance(part, ast.Import | ast.ImportFrom))
    return stored | {alias.asname or alias.name.split(".")[0] for part in imports for alias in part.names}


def _used_outside(unit: Unit, child: ast.Try) -> set[str]:
    """Names and words of texts in the rest of a module."""
    rest = ast.Module([one for one in unit.tree.body if one is not child], [])
    return _used(rest) | {part.id for part in ast.walk(rest) if isinstance(part, ast.Name)}


def _borrowed_from(unit: Unit) -> set[str]:
    module = PurePosixPath(unit.path).stem
    if (module, "*") in unit.world.borrowed:
        return _used(unit.tree)
    return {name for other, name in unit.world.borrowed if other == module}


def _whole(unit: Unit, child: ast.stmt) -> Edit:
    return Edit(unit.line_start(child.lineno), unit.line_end(child.end_lineno or child.lineno), b"")


def _orphans(unit: Unit) -> set[str]:
    """Names that were used before the recipes in front of this one, and are not any more."""
    if not unit.original or unit.original == unit.data:
        return set()
    tried = {
        name
        for child in ast.walk(unit.tree)
        if isinstance(child, ast.Try)
        for part in ast.walk(child)
        if isinstance(part, ast.Import | ast.ImportFrom)
        for name in (alias.asname or alias.name.split(".")[0] for alias in part.names)
    }
    return _used(parse(unit.original)) - _used(unit.tree) - tried


def _used(tree: ast.Module) -> set[str]:
    """Names that are read, annotations in quotes included."""
    found = {part.id for part in ast.walk(tree) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Load)}
    told = (getattr(part, name, None) for part in ast.walk(tree) for name in ("annotation", "returns"))
    texts = (part.value for one in told if one is not None for part in ast.walk(one) if isinstance(part, ast.Constant))
    return found | {word for text in texts if isinstance(text, str) for word in re.findall(r"[A-Za-z_]\w*", text)}


def _statements(body: list[ast.stmt]) -> Iterator[tuple[ast.Import | ast.ImportFrom, list[ast.stmt]]]:
    """Every import with the block that it stands in."""
    for child in body:
        if isinstance(child, ast.Import | ast.ImportFrom):
            yield child, body
        for name in ("body", "orelse", "finalbody"):
            yield from _statements(getattr(child, name, None) or [])
        for handler in getattr(child, "handlers", []):
            yield from _statements(handler.body)


def _module(node: ast.Import | ast.ImportFrom, alias: ast.alias) -> str:
    if isinstance(node, ast.Import):
        return alias.name.split(".")[0]
    return "" if node.level or not node.module else node.module.split(".")[0]


def _caught(unit: Unit, name: str) -> Iterator[ast.Attribute]:
    """The driver's errors that handlers catch: what the registry raises instead is an OSError."""
    if not unit.world.spectral and f"{MARK} spectral_db".encode() not in unit.data:
        return
    for handler in ast.walk(unit.tree):
        if isinstance(handler, ast.ExceptHandler) and handler.type is not None:
            for part in ast.walk(handler.type):
                if isinstance(part, ast.Attribute) and ast.unparse(part.value) == name and part.attr.endswith("Error"):
                    yield part


def _needed(unit: Unit, name: str, caught: list[ast.Attribute]) -> str | None:
    """Why an import has to stay; None when it need not."""
    module = PurePosixPath(unit.path).stem
    looking_up = False
    settled = {part.value for part in caught}
    texts: list[ast.Constant] = []
    docstrings = set(_docstrings(unit.tree))
    for part in ast.walk(unit.tree):
        if isinstance(part, ast.Name) and part.id == name and part not in settled:
            return f"it is used in line {part.lineno}"
        if isinstance(part, ast.Name | ast.Attribute):
            looking_up = looking_up or (part.id if isinstance(part, ast.Name) else part.attr) in _LOOKING_UP
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and part not in docstrings:
            texts.append(part)
    for text in texts:
        value = str(text.value)
        if value == name or value.startswith(f"{name}.") or (looking_up and name in value):
            return f"the text in line {text.lineno} names it"
    if (module, name) in unit.world.borrowed or (module, "*") in unit.world.borrowed:
        return "another file imports it from here"
    return "it is imported as *" if name == "*" else None


def _docstrings(tree: ast.Module) -> Iterator[ast.Constant]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value


def _without(
    unit: Unit, node: ast.Import | ast.ImportFrom, dead: list[ast.alias], block: list[ast.stmt]
) -> Iterator[Edit]:
    """An import statement less some of its names; the whole line when none is left and it stands alone there."""
    if len(dead) < len(node.names):
        yield from _without_names(unit, node, dead)
        return
    first, last = unit.line_start(node.lineno), unit.line_end(node.end_lineno or node.lineno)
    alone = not unit.data[first : unit.start(node)].strip() and not _code_behind(unit.data[unit.end(node) : last])
    if alone and (len(block) > 1 or block is unit.tree.body):
        yield Edit(first, last, b"")
    else:
        yield Edit(unit.start(node), unit.end(node), b"pass")


def _code_behind(rest: bytes) -> bool:
    text = rest.strip()
    return bool(text) and not text.startswith(b"#")


def _without_names(unit: Unit, node: ast.Import | ast.ImportFrom, dead: list[ast.alias]) -> Iterator[Edit]:
    """Each name goes with the comma behind it, the last ones with the comma in front; all else stays as written."""
    last = max(index for index, alias in enumerate(node.names) if alias not in dead)
    for index, alias in enumerate(node.names):
        if alias in dead and index < last:
            yield Edit(unit.start(alias), unit.start(node.names[index + 1]), b"")
    if last + 1 < len(node.names):
        yield Edit(unit.end(node.names[last]), unit.end(node.names[-1]), b"")
