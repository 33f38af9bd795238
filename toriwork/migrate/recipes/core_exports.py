"""``python/core/__init__.py`` hands out what the deployed modules hold."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from toriwork.codebase.edits import Edit
from toriwork.migrate.recipes.imports import bound_names, insertion_line
from toriwork.migrate.recipes.source import Manual, Outcome, Unit

NAME = "core_exports"
#: module of the core package -> what its package hands out
EXPORTS = (
    ("torus_registry", ("TorusRegistry", "get_torus_registry", "REG_PATH")),
    ("torus_cells", ("TorusCells", "get_torus_cells", "betti0_1")),
    ("observer_synthesis", ("ObserverSynthesis", "get_observer_synthesis", "emit_token")),
)


def transform(unit: Unit) -> Outcome:
    """Edits that add the exports that are missing; a finding where a name is taken by something else."""
    known = set(_imported(unit.tree))
    taken = bound_names(unit.tree)
    lines, names = [], []
    manual: list[Manual] = []
    for module, exports in EXPORTS:
        missing = [name for name in exports if (module, name) not in known]
        for name in [name for name in missing if name in taken]:
            manual.append(Manual(unit.path, 0, NAME, f"{name} is bound to something else here"))
            missing.remove(name)
        if missing:
            lines.append(f"from .{module} import {', '.join(missing)}")
            names += missing
    if not lines:
        return Outcome(manual=tuple(manual))
    place = insertion_line(unit.tree)
    at = unit.line_end(place) if place else len(unit.data)
    open_end = unit.newline.encode() if at and not unit.data[:at].endswith((b"\n", b"\r")) else b""
    edits = (Edit(at, at, open_end + unit.block(lines)), *_listed(unit, names))
    return Outcome(edits, tuple(manual))


def _imported(tree: ast.Module) -> Iterator[tuple[str, str]]:
    """Last part of the module, and name, of every import; relative ones, and those that name the package in full."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                yield node.module.rpartition(".")[2], alias.name


def _listed(unit: Unit, names: list[str]) -> Iterator[Edit]:
    """New entries of ``__all__``, in the form of those that are there."""
    for node in unit.tree.body:
        if not isinstance(node, ast.Assign) or ast.unparse(node.targets[0]) != "__all__":
            continue
        if isinstance(node.value, ast.List | ast.Tuple) and node.value.elts:
            last = node.value.elts[-1]
            several = last.lineno != node.lineno
            between = f",{unit.newline}{unit.margin(last)}" if several else ", "
            quote = unit.text(last)[:1]
            text = "".join(f"{between}{quote}{name}{quote}" for name in names)
            yield Edit(unit.end(last), unit.end(last), text.encode())
