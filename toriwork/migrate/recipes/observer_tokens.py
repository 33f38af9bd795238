"""A monitor's measuring method emits one observer token for what it returns.

What a plain method returns goes through ``emit_measurement``, which hands it back; an async method gets the decorator
``emitting``. At the end of a burst a statement stands behind its report. A monitor of another form is reported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from toriwork.codebase.edits import Edit
from toriwork.migrate.recipes.detect import Function, methods, monitors
from toriwork.migrate.recipes.imports import NeededImports
from toriwork.migrate.recipes.shapes import is_text
from toriwork.migrate.recipes.source import MARK, Manual, Outcome, Unit

NAME = "observer_tokens"
#: kind of a monitor -> its measuring method
_MEASURING = {
    "origin_spectral": re.compile(r"classify$"),
    "curvature": re.compile(r"check_eigenvalues$"),
    "braid_summary": re.compile(r"aggregate(_once)?$|summari[sz]e$"),
}
_EMITTED = frozenset({"emit_measurement", "emit_token", "emitting"})


def transform(unit: Unit) -> Outcome:
    """Edits that let every monitor of a file emit its tokens."""
    needed = NeededImports(unit)
    edits: list[Edit] = []
    manual: list[Manual] = []
    for node, kind in monitors(unit.tree):
        words = {part.id for part in ast.walk(node) if isinstance(part, ast.Name)}
        if any(emitted in word for word in words for emitted in _EMITTED) or _is_abstract(node, kind):
            continue
        found = _burst(unit, node, needed) if kind == "chaos_burst" else _measurement(unit, node, kind, needed)
        edits += found
        if not found:
            module, _ = unit.world.home("emit_measurement")
            advice = f'By hand: emit_measurement(self, result, "{kind}"), of {module}, hands the result back'
            manual.append(unit.manual(node, NAME, f"{node.name}: which method measures cannot be told. {advice}"))
    return Outcome((*needed.edits(), *edits) if edits else (), tuple(manual))


def _is_abstract(node: ast.ClassDef, kind: str) -> bool:
    """Tell a monitor whose measuring method has no body, or hands on what its base measured, which emits."""
    pattern = _MEASURING.get(kind)
    found = [one for name, one in methods(node).items() if pattern is not None and pattern.match(name)]
    return bool(found) and all(_is_empty(one) or f"super().{one.name}(" in ast.unparse(one) for one in found)


def _is_empty(function: Function) -> bool:
    return all(isinstance(child, ast.Pass | ast.Raise) or is_text(child) for child in function.body)


def _measurement(unit: Unit, node: ast.ClassDef, kind: str, needed: NeededImports) -> list[Edit]:
    """The edits of the one measuring method; none where there are several, or its returns are no measurements."""
    found = [one for name, one in methods(node).items() if _MEASURING[kind].match(name)]
    if len(found) != 1 or found[0].decorator_list or not found[0].args.args:
        return []
    inside = list(_inside(found[0]))
    values = [
        part.value for part in inside if isinstance(part, ast.Return) and part.value and not _is_nothing(part.value)
    ]
    if not values or any(isinstance(part, ast.Yield | ast.YieldFrom | ast.While) for part in inside):
        return []
    if isinstance(found[0], ast.AsyncFunctionDef):
        emitting = needed.home("emitting")
        at = unit.line_start(found[0].lineno)
        return [Edit(at, at, unit.block([f'@{emitting}("{kind}")  {MARK} {NAME}'], unit.margin(found[0])))]
    if not all(isinstance(value, ast.Name | ast.Dict | ast.Call) for value in values):
        return []
    emit, own = needed.home("emit_measurement"), found[0].args.args[0].arg
    return [edit for value in values for edit in _wrapped(unit, value, f"{emit}({own}, ", f', "{kind}")')]


def _inside(function: Function) -> Iterator[ast.AST]:
    """Everything in a function that is not in a function inside it, in the order of the text."""
    pending: list[ast.AST] = list(reversed(function.body))
    while pending:
        child = pending.pop()
        yield child
        if not isinstance(child, Function | ast.Lambda | ast.ClassDef):
            pending += reversed(list(ast.iter_child_nodes(child)))


def _is_nothing(value: ast.expr) -> bool:
    """Tell ``None``, an empty dict or text: nothing was measured."""
    return (isinstance(value, ast.Constant) and not value.value) or (isinstance(value, ast.Dict) and not value.keys)


def _wrapped(unit: Unit, value: ast.expr, before: str, behind: str) -> list[Edit]:
    """A returned value, with the round brackets around it, between two texts."""
    start, end = unit.start(value), unit.end(value)
    while unit.data[:start].rstrip().endswith(b"(") and (found := re.match(rb"\s*\)", unit.data[end:])):
        start, end = len(unit.data[:start].rstrip()) - 1, end + found.end()
    rest = unit.data[end : unit.line_end(value.end_lineno or 0)]
    mark = b"" if rest.strip() else f"  {MARK} {NAME}".encode()
    return [Edit(start, start, before.encode()), Edit(end, end, behind.encode() + mark)]


def _burst(unit: Unit, node: ast.ClassDef, needed: NeededImports) -> list[Edit]:
    """One statement behind everything that completes the report of a burst: at the end of its block."""
    for function in methods(node).values():
        for block in _blocks(function.body) if function.name != "trigger" and function.args.args else ():
            for child in block:
                if not (
                    isinstance(child, ast.Assign) and isinstance(child.targets[0], ast.Name) and _reports(child.value)
                ):
                    continue
                emit, own = needed.home("emit_measurement"), function.args.args[0].arg
                line = f'{emit}({own}, {child.targets[0].id}, "chaos_burst")  {MARK} {NAME}'
                behind = block[block.index(child) + 1 :]
                leaving = next((one for one in behind if isinstance(one, ast.Return | ast.Raise)), None)
                at = unit.line_start(leaving.lineno) if leaving else unit.line_end(block[-1].end_lineno or 0)
                return [Edit(at, at, unit.block([line], unit.margin(child)))]
    return []


def _reports(value: ast.expr) -> bool:
    """Tell a dict that says what the report of a burst says."""
    keys = {key.value for key in value.keys if isinstance(key, ast.Constant)} if isinstance(value, ast.Dict) else set()
    return "burst_id" in keys and bool(keys & {"peak_energy", "peak", "ratio", "discoveries"})


def _blocks(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    yield body
    for child in body:
        if not isinstance(child, Function | ast.ClassDef):
            for name in ("body", "orelse", "finalbody"):
                yield from _blocks(getattr(child, name, []))
