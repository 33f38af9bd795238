"""Names that a file binds, and one more import in the place where it belongs."""

from __future__ import annotations

import ast
import builtins
from functools import cached_property

from toriwork.codebase.edits import Edit
from toriwork.errors import Unsure
from toriwork.migrate.recipes.source import Unit


def bound_names(tree: ast.Module) -> set[str]:
    """Every name that a file binds anywhere: assignments, arguments, imports, functions, classes."""
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.add(node.name)
        elif isinstance(node, ast.arg):
            found.add(node.arg)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            found |= {alias.asname or alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ExceptHandler) and node.name:
            found.add(node.name)
        elif isinstance(node, ast.Global | ast.Nonlocal):
            found |= set(node.names)
    return found


def imported_as(tree: ast.Module, module: str, name: str) -> str | None:
    """The name under which a file's top already imports something, None when it does not."""
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module == module and not node.level:
            for alias in node.names:
                if alias.name == name:
                    return alias.asname or alias.name
    return None


class NeededImports:
    """Imports that a file needs: what each is called there, and the one edit that adds those that are missing."""

    def __init__(self, unit: Unit) -> None:
        self._unit = unit
        self._missing: dict[str, list[str]] = {}
        self._called: dict[tuple[str, str], str] = {}

    @cached_property
    def _bound(self) -> set[str]:
        return bound_names(self._unit.tree) | set(dir(builtins))

    def name(self, module: str, name: str, alias: str | None = None) -> str:
        """Return the name of something in the file once :meth:`edits` were made; an alias where it is taken."""
        known = self._called.get((module, name)) or imported_as(self._unit.tree, module, name)
        if known is not None:
            return known
        called = alias or name
        while called in self._bound:
            called = f"_tw_{called}" if not called.startswith("_tw_") else f"{called}_"
        self._bound.add(called)
        self._called[module, name] = called
        self._missing.setdefault(module, []).append(name if called == name else f"{name} as {called}")
        return called

    def home(self, name: str, alias: str | None = None) -> str:
        """Return the name of something of toriwork's, as :meth:`name` does, from where moved code imports it."""
        return self.name(*self._unit.world.home(name), alias or name)

    def edits(self) -> tuple[Edit, ...]:
        """One insertion behind the imports at the top; nothing when nothing is missing."""
        if not self._missing:
            return ()
        lines = [f"from {module} import {', '.join(sorted(names))}" for module, names in sorted(self._missing.items())]
        place = insertion_line(self._unit.tree)
        unit = self._unit
        if place == 0:
            at = unit.line_start(_behind_comments(unit))
            return (Edit(at, at, unit.block([*lines, ""] if unit.data else lines)),)
        at = unit.line_end(place)
        open_end = b"" if unit.data[:at].endswith((b"\n", b"\r")) else unit.newline.encode()
        return (Edit(at, at, open_end + unit.block(lines)),)


def insertion_line(tree: ast.Module) -> int:
    """The last line of the docstring, the imports and the edits of ``sys.path`` at a file's top; 0 without any."""
    last = 0
    for index, node in enumerate(tree.body):
        if node.lineno <= last:
            raise Unsure(f"line {last} holds several statements: where an import belongs cannot be told")
        docstring = index == 0 and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        guarded = isinstance(node, ast.If | ast.Try) and _only_imports(node)
        if docstring or guarded or isinstance(node, ast.Import | ast.ImportFrom) or _edits_path(node):
            last = node.end_lineno or node.lineno
        elif not _is_small(node):
            break
    return last


def _edits_path(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr | ast.Assign | ast.If | ast.AugAssign) and "sys.path" in ast.unparse(node)


def _is_small(node: ast.stmt) -> bool:
    """Tell whether imports may go on behind a statement: a constant, a logger, a masked magic."""
    return isinstance(node, ast.Assign | ast.AnnAssign | ast.Pass | ast.Expr | ast.If | ast.Try)


def _only_imports(node: ast.If | ast.Try) -> bool:
    return all(isinstance(child, ast.Import | ast.ImportFrom | ast.Pass) for child in node.body)


def _behind_comments(unit: Unit) -> int:
    """The first line that is no comment: a shebang, a licence and a coding line stay on top."""
    lines = unit.data.splitlines()
    number = 0
    while number < len(lines) and lines[number].startswith(b"#"):
        number += 1
    return min(number + 1, len(unit.starts))
