"""Imports of database drivers go where nothing uses them any more; so do imports that only what went needed.

An import stays, and is reported, when its name is used, stands in a text that code may look up, is listed in
``__all__``, or is imported from here by another file.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from toriwork.codebase.edits import Edit
from toriwork.migrate.recipes.detect import DATABASE_MODULES
from toriwork.migrate.recipes.source import Manual, Outcome, Unit

NAME = "database_imports"
_LOOKING_UP = frozenset("globals locals vars getattr eval exec __import__ import_module".split())


def transform(unit: Unit) -> Outcome:
    """Edits that take away unused imports of drivers, and a finding for each driver that is still used."""
    edits: list[Edit] = []
    manual: list[Manual] = []
    orphans = _orphans(unit)
    for node, siblings in _statements(unit.tree.body):
        dead: list[ast.alias] = []
        for alias in node.names:
            name = alias.asname or alias.name.split(".")[0]
            driver = _module(node, alias) in DATABASE_MODULES
            if not driver and name not in orphans:
                continue
            reason = _needed(unit, name)
            if reason is None:
                dead.append(alias)
            elif driver:
                manual.append(unit.manual(node, NAME, f"{_module(node, alias)} stays imported: {reason}"))
        if dead:
            edits += _without(unit, node, dead, siblings)
    return Outcome(tuple(edits), tuple(manual))


def _orphans(unit: Unit) -> set[str]:
    """Names that were used before the recipes in front of this one, and are not any more."""
    if unit.before.data == unit.data:
        return set()
    tried = {
        name
        for child in ast.walk(unit.tree)
        if isinstance(child, ast.Try)
        for part in ast.walk(child)
        if isinstance(part, ast.Import | ast.ImportFrom)
        for name in (alias.asname or alias.name.split(".")[0] for alias in part.names)
    }
    return _used(unit.before.tree) - _used(unit.tree) - tried


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


def _needed(unit: Unit, name: str) -> str | None:
    """Why an import has to stay; None when it need not."""
    looking_up = False
    texts: list[ast.Constant] = []
    docstrings = set(_docstrings(unit.tree))
    for part in ast.walk(unit.tree):
        if isinstance(part, ast.Name) and part.id == name:
            return f"it is used in line {part.lineno}"
        if isinstance(part, ast.Name | ast.Attribute):
            looking_up = looking_up or (part.id if isinstance(part, ast.Name) else part.attr) in _LOOKING_UP
        elif isinstance(part, ast.Constant) and isinstance(part.value, str) and part not in docstrings:
            texts.append(part)
    for text in texts:
        value = str(text.value)
        if value == name or value.startswith(f"{name}.") or (looking_up and name in value):
            return f"the text in line {text.lineno} names it"
    if unit.world.borrows(unit.path, name):
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
