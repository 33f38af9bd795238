"""Questions to the storage in the middle of a method that the registry answers as well: how many, and how large.

``connection.execute("SELECT COUNT(*) FROM signatures").fetchone()[0]`` is ``len(self)``; the size or the existence of
the class's own file is that of the registry's.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass

from toriwork.codebase.edits import Edit
from toriwork.migrate.recipes.detect import Function
from toriwork.migrate.recipes.source import Unit

_COUNTING = re.compile(
    r"^\s*SELECT\s+COUNT\(\s*(?:\*|1|id|rowid)\s*\)(?:\s+AS\s+\w+)?\s+FROM\s+(\w+)\s*;?\s*$", re.IGNORECASE
)
_INSERTING = re.compile(r"\bINSERT\s+(?:OR\s+\w+\s+)?INTO\s+[\"\[`]?(\w+)", re.IGNORECASE)
_ON_PATH = frozenset({"stat", "exists", "is_file"})
_OF_PATH = frozenset({"getsize", "getmtime", "exists", "isfile"})
_REGISTRY = "self.registry.path"


@dataclass(frozen=True, slots=True)
class Repaired:
    """A method as it reads when the registry is asked."""

    function: Function
    edits: tuple[Edit, ...] = ()


def repaired(unit: Unit, function: Function, node: ast.ClassDef, attributes: set[str]) -> Repaired:
    """A method with such questions put to the registry; as it is where it holds none.

    Parameters
    ----------
    attributes : set of str
        Attributes of ``self`` that stay.
    """
    tables = {found[1] for text in _texts(node) if (found := _INSERTING.search(text))}
    edits = [
        Edit(unit.start(part), unit.end(part), text.encode())
        for part, text in _questions(function, tables if len(tables) == 1 else set(), attributes)
    ]
    if not edits:
        return Repaired(function)
    start, end = unit.line_start(function.lineno), unit.line_end(function.end_lineno or function.lineno)
    text, done = b"", start
    for edit in edits:
        text += unit.data[done : edit.start] + edit.text
        done = edit.end
    source = (text + unit.data[done:end]).decode()
    parsed = ast.parse(f"if True:\n{source}" if source[:1] in " \t" else source).body[0]
    new = parsed.body[0] if isinstance(parsed, ast.If) else parsed
    return Repaired(new, tuple(edits)) if isinstance(new, Function) else Repaired(function)


def _texts(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value


def _questions(function: Function, tables: set[str], attributes: set[str]) -> list[tuple[ast.expr, str]]:
    """Expressions and what they become, in the order of the text."""
    found: list[tuple[ast.expr, str]] = []
    pending: list[ast.AST] = list(reversed(function.body))
    while pending:
        part = pending.pop()
        if isinstance(part, ast.Subscript) and _counts(part, tables):
            found.append((part, "len(self)"))
            continue
        if (place := _place(part)) is not None and place.attr in attributes:
            found.append((place, _REGISTRY))
        pending += reversed(list(ast.iter_child_nodes(part)))
    return sorted(found, key=lambda one: (one[0].lineno, one[0].col_offset))


def _counts(part: ast.Subscript, tables: set[str]) -> bool:
    """``...execute("SELECT COUNT(*) FROM t").fetchone()[0]``, through whatever helper."""
    if not isinstance(part.slice, ast.Constant) or not isinstance(part.value, ast.Call | ast.Subscript):
        return False
    texts = [one for one in _texts(part.value) if " " in one]
    told = _COUNTING.match(texts[0]) if len(texts) == 1 else None
    return told is not None and told[1] in tables


def _place(part: ast.AST) -> ast.Attribute | None:
    """The ``self.path`` in ``self.path.stat()`` or ``os.path.getsize(self.path)``."""
    if isinstance(part, ast.Attribute) and part.attr in _ON_PATH and _is_own(part.value):
        return part.value  # type: ignore[return-value]  # _is_own says so
    if isinstance(part, ast.Call) and ast.unparse(part.func).rpartition(".")[2] in _OF_PATH and len(part.args) == 1:
        return part.args[0] if _is_own(part.args[0]) else None  # type: ignore[return-value]  # as above
    return None


def _is_own(value: ast.expr) -> bool:
    return isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "self"


def is_of_registry(node: ast.AST) -> Iterator[ast.AST]:
    """The attributes in a piece of code that look at the registry's own file."""
    for part in ast.walk(node):
        if isinstance(part, ast.Attribute) and ast.unparse(part.value) == _REGISTRY:
            yield part
        elif isinstance(part, ast.Call) and len(part.args) == 1 and ast.unparse(part.args[0]) == _REGISTRY:
            yield part.func
