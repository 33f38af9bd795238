"""A monitor's measuring method emits one observer token for what it returns.

A plain method: what it returns goes through ``emit_measurement``, which hands it back. An async method, a generator or
a property gets the decorator ``emitting``. A burst's end that returns nothing gets a statement behind its report.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from toriwork.codebase.edits import Edit
from toriwork.migrate.recipes.detect import Function, Measuring, methods, monitors
from toriwork.migrate.recipes.imports import Wanted
from toriwork.migrate.recipes.source import MARK, Manual, Outcome, Unit

NAME = "observer_tokens"
#: kind of a monitor -> its measuring method; the first that is there counts
_MEASURING = {
    "origin_spectral": re.compile(r"^classify$"),
    "curvature": re.compile(r"^check_eigenvalues$"),
    "braid_summary": re.compile(r"^_?(aggregate|summari[sz]e|compute_summary|make_summary|build_summary)"),
    "chaos_burst": re.compile(r"^_?(finish|end|complete|finali[sz]e|conclude|close|stop)_?\w*"),
}
#: kind -> what its report always names, and what it names beside that
_REPORTS = {
    "chaos_burst": (
        frozenset({"burst_id"}),
        frozenset("peak_energy peak duration discoveries ratio energy_ratio end_energy final_energy".split()),
    ),
    "braid_summary": (
        frozenset({"event_count", "n_events", "num_events", "count"}),
        frozenset("scale lambda_max lambda_mean max_lambda betti_max timescale time_scale window".split()),
    ),
}
_EMITTED = frozenset({"emit_measurement", "emit_token", "emitting", "observed"})
_ABSTRACT = frozenset({"abstractmethod", "overload"})


def transform(unit: Unit) -> Outcome:
    """Edits that let every monitor of a file emit its tokens."""
    wanted = Wanted(unit)
    edits: list[Edit] = []
    manual: list[Manual] = []
    for node, measuring in monitors(unit.tree):
        if _EMITTED & _words(node) or _is_tokenless(node):
            continue
        found = _emission(unit, node, measuring, wanted)
        edits += found
        if not found and not _leaves_it_to_another(node, measuring):
            manual.append(unit.manual(node, NAME, f"{node.name}: which method measures cannot be told; emit a token"))
    return Outcome((*wanted.edits(), *edits) if edits else (), tuple(manual))


def _words(node: ast.AST) -> set[str]:
    return {
        part.id if isinstance(part, ast.Name) else part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Name | ast.Attribute)
    } | {"emit_measurement" for part in ast.walk(node) if isinstance(part, ast.Name) and "emit_measurement" in part.id}


def _is_tokenless(node: ast.ClassDef) -> bool:
    """A protocol or an abstract class measures nothing."""
    return any(ast.unparse(base).rpartition(".")[2] == "Protocol" for base in node.bases)


def _leaves_it_to_another(node: ast.ClassDef, measuring: Measuring) -> bool:
    """Whether the measuring methods are abstract, or call that of their base, which emits."""
    found = [one for name, one in methods(node).items() if _MEASURING[measuring.kind].match(name)]
    return bool(found) and all(_is_abstract(one) or _calls_base(one) for one in found)


def _is_abstract(function: Function) -> bool:
    if any(ast.unparse(one).rpartition(".")[2] in _ABSTRACT for one in function.decorator_list):
        return True
    said = (ast.Pass, ast.Raise)
    return all(
        isinstance(child, said) or (isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant))
        for child in function.body
    )


def _calls_base(function: Function) -> bool:
    return any(
        isinstance(part, ast.Attribute)
        and part.attr == function.name
        and isinstance(part.value, ast.Call)
        and ast.unparse(part.value.func) == "super"
        for part in ast.walk(function)
    )


def _emission(unit: Unit, node: ast.ClassDef, measuring: Measuring, wanted: Wanted) -> list[Edit]:
    """The edits of one monitor; none when its measuring method cannot be told."""
    kind = measuring.kind
    if kind == "chaos_burst" and (found := _reported(unit, node, kind, wanted)):
        return found
    for function in _candidates(node, kind):
        decorators = {ast.unparse(one).rpartition(".")[2] for one in function.decorator_list}
        if decorators & {"staticmethod", "classmethod"} or not function.args.args:
            continue
        if isinstance(function, ast.AsyncFunctionDef) or "property" in decorators or _yields(function):
            if _returned(function) or _yields(function):
                return [_decorator(unit, function, kind, wanted)]
            continue
        if found := list(_wrapped(unit, function, kind, wanted)):
            return found
    return _reported(unit, node, kind, wanted) if kind == "braid_summary" else []


def _reported(unit: Unit, node: ast.ClassDef, kind: str, wanted: Wanted) -> list[Edit]:
    """The edit that emits a report where it is made: a statement behind it, or around it where it has no name."""
    if (place := _report_of(node, kind)) is not None:
        return [_statement(unit, *place, kind, wanted)]
    for function in methods(node).values() if kind == "chaos_burst" else ():
        for part in _inside(function):
            if isinstance(part, ast.expr) and _is_report(part, kind) and function.args.args:
                emit = wanted.name(f"{unit.world.core_package}.observer_synthesis", "emit_measurement")
                start, end = unit.start(part), unit.end(part)
                head = Edit(start, start, f"{emit}({function.args.args[0].arg}, ".encode())
                return [head, Edit(end, end, f', "{kind}")'.encode())]
    return []


def _is_report(value: ast.expr | None, kind: str) -> bool:
    """Whether an expression is a dict, or an object made by keywords, that says what a report says."""
    if isinstance(value, ast.Dict):
        keys = {key.value for key in value.keys if isinstance(key, ast.Constant)}
    elif isinstance(value, ast.Call) and isinstance(value.func, ast.Name | ast.Attribute):
        keys = {keyword.arg for keyword in value.keywords}
    else:
        return False
    named, beside = _REPORTS[kind]
    return bool(keys & named and keys & beside)


def _candidates(node: ast.ClassDef, kind: str) -> list[Function]:
    """Methods that may measure, the likeliest first: no loops that run for ever, public ones in front."""
    found = [
        one
        for name, one in methods(node).items()
        if _MEASURING[kind].match(name)
        and not _is_abstract(one)
        and not _calls_base(one)
        and not any(isinstance(part, ast.While) for part in ast.walk(one))
    ]
    called = {word for one in found for word in _words(one)}
    return sorted(found, key=lambda one: (one.name in called, one.name.startswith("_"), "aggregate" not in one.name))


def _inside(function: Function) -> Iterator[ast.AST]:
    """Everything in a function that is not in a function inside it."""
    pending: list[ast.AST] = list(function.body)
    while pending:
        child = pending.pop()
        yield child
        if not isinstance(child, Function | ast.Lambda | ast.ClassDef):
            pending += ast.iter_child_nodes(child)


def _yields(function: Function) -> bool:
    return any(isinstance(part, ast.Yield | ast.YieldFrom) for part in _inside(function))


def _returned(function: Function) -> list[ast.expr]:
    values = [part.value for part in _inside(function) if isinstance(part, ast.Return) and part.value is not None]
    return sorted((one for one in values if not _is_nothing(one)), key=lambda one: (one.lineno, one.col_offset))


def _is_nothing(value: ast.expr) -> bool:
    """``None``, an empty dict or text: nothing was measured."""
    return (isinstance(value, ast.Constant) and not value.value) or (isinstance(value, ast.Dict) and not value.keys)


def _wrapped(unit: Unit, function: Function, kind: str, wanted: Wanted) -> Iterator[Edit]:
    """What each return hands back goes through the emission."""
    values = _returned(function)
    if any(isinstance(value, ast.Tuple | ast.List | ast.Constant | ast.Compare) for value in values):
        return
    own = function.args.args[0].arg
    for value in values:
        emit = wanted.name(f"{unit.world.core_package}.observer_synthesis", "emit_measurement")
        start, end = _with_brackets(unit, value)
        yield Edit(start, start, f"{emit}({own}, ".encode())
        line_end = unit.line_end(value.end_lineno or value.lineno)
        rest = unit.data[end:line_end]
        yield Edit(end, end, f', "{kind}")'.encode() + (b"" if rest.strip() else f"  {MARK} {NAME}".encode()))


def _with_brackets(unit: Unit, value: ast.expr) -> tuple[int, int]:
    """Where a returned expression stands, the round brackets around it included."""
    start, end = unit.start(value), unit.end(value)
    before = unit.data[:start].rstrip()
    after = unit.data[end:]
    while before.endswith(b"(") and (found := re.match(rb"\s*,?\s*\)", after)) and b"," not in found.group():
        start, end = len(before) - 1, end + found.end()
        before, after = unit.data[:start].rstrip(), unit.data[end:]
    return start, end


def _decorator(unit: Unit, function: Function, kind: str, wanted: Wanted) -> Edit:
    emitting = wanted.name(f"{unit.world.core_package}.observer_synthesis", "emitting")
    at = unit.line_start(function.lineno)
    return Edit(at, at, unit.block([f'@{emitting}("{kind}")  {MARK} {NAME}'], unit.margin(function)))


def _report_of(node: ast.ClassDef, kind: str) -> tuple[Function, str, list[ast.stmt], int] | None:
    """Where a report is made: the method, its name, the block, and its place there."""
    for function in methods(node).values():
        if function.name == "trigger" or not function.args.args:
            continue
        for block in _blocks(function.body):
            for index, child in enumerate(block):
                if isinstance(child, ast.Assign | ast.AnnAssign) and _is_report(child.value, kind):
                    target = child.targets[0] if isinstance(child, ast.Assign) else child.target
                    if isinstance(target, ast.Name):
                        return function, target.id, block, index
    return None


def _blocks(body: list[ast.stmt]) -> Iterator[list[ast.stmt]]:
    yield body
    for child in body:
        if isinstance(child, Function | ast.ClassDef):
            continue
        for name in ("body", "orelse", "finalbody"):
            if inner := getattr(child, name, None):
                yield from _blocks(inner)


def _statement(
    unit: Unit, function: Function, report: str, block: list[ast.stmt], index: int, kind: str, wanted: Wanted
) -> Edit:
    """One statement behind everything that completes the report: in front of the block's return, or at its end."""
    emit = wanted.name(f"{unit.world.core_package}.observer_synthesis", "emit_measurement")
    line = f'{emit}({function.args.args[0].arg}, {report}, "{kind}")  {MARK} {NAME}'
    margin = unit.margin(block[index])
    leaving = next((child for child in block[index + 1 :] if isinstance(child, ast.Return | ast.Raise)), None)
    at = unit.line_start(leaving.lineno) if leaving is not None else unit.line_end(block[-1].end_lineno or 0)
    return Edit(at, at, unit.block([line], margin))
