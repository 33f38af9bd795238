"""A function that computes Betti numbers out of distances asks TorusCells instead: name, signature and docstring stay.

Guards at its head stay too. One of another form, and one that is handed more than points somewhere, are reported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from toriwork.codebase.edits import Edit
from toriwork.migrate.recipes.detect import Function, names_in
from toriwork.migrate.recipes.imports import NeededImports
from toriwork.migrate.recipes.source import MARK, Manual, Outcome, Unit

NAME = "betti_cells"
_NAMED = re.compile(r"betti|homolog", re.IGNORECASE)
_CLOUD = re.compile(r"^(vert\w*|points?|pts|cloud|coords?|coordinates|positions?)$", re.IGNORECASE)
_EVIDENCE = re.compile(
    r"dist|norm|hypot|sqrt|union|component|rips|gudhi|\bbars?\b|persist|parent|neighbou?r", re.IGNORECASE
)
_DONE = frozenset({"get_torus_cells", "betti0_1", "estimate_betti", "compute_betti"})
_THRESHOLD = re.compile(r"threshold|persistence$", re.IGNORECASE)
_NUMBER = re.compile(r"(?:betti|b)_?([012])$")


def transform(unit: Unit) -> Outcome:
    """Edits that let every Betti computation of a file ask TorusCells."""
    needed = NeededImports(unit)
    edits: list[Edit] = []
    manual: list[Manual] = []
    notes: list[Manual] = []
    for function in _functions(unit.tree):
        cloud = _cloud(function)
        if not _NAMED.search(function.name) or cloud is None or not _computes(function):
            continue
        if told := _changed_by(function, cloud):
            why = f"{function.name} stays: {told} changes its answer; see toriwork.persistence and diagram.betti"
            notes.append(unit.manual(function, NAME, why))
            continue
        form = result_of(function)
        why = "the form of its result is not known" if form is None else ""
        if _has_more(function):
            why = "it has to be handed more than points, which TorusCells does not take"
        elif users := unit.world.passes_more(function.name):
            why = f"{users[0]} hands it more than points, which TorusCells does not take"
        why = unit.world.stopped.get((unit.path, NAME), why)
        if form is None or why or function.body[0].lineno == function.lineno:
            advice = (
                f"By hand: get_torus_cells().compute_betti({cloud}), or toriwork.persistence and diagram.betti(scale)"
            )
            manual.append(unit.manual(function, NAME, f"{function.name} computes Betti numbers; {why}. {advice}"))
            continue
        cells = needed.home("get_torus_cells")
        edits.append(_delegate(unit, function, cloud, form, cells))
        why = f"{function.name} counts what TorusCells finds from now on, which may be other numbers than before"
        notes.append(unit.manual(function, NAME, why))
    edits = [*needed.edits(), *edits] if edits else []
    return Outcome(tuple(edits), tuple(manual), review=True, notes=tuple(notes))


def _threshold(function: Function) -> tuple[str, ast.expr] | None:
    """The one argument beside the points that says which bars count, and its default; None where there is none."""
    own = function.args.args[-1:] if function.args.defaults else []
    named = own and not function.args.kwonlyargs and _THRESHOLD.search(own[0].arg)
    default = function.args.defaults[-1] if named else None
    return (own[0].arg, default) if isinstance(default, ast.Constant) else None


def _changed_by(function: Function, cloud: str) -> str:
    """Name the argument or attribute, with a value of its own, that changes what a function answers; "" for none."""
    given = function.args
    own = [*given.posonlyargs, *given.args, *given.kwonlyargs]
    optional = {one.arg for one in given.args[len(given.args) - len(given.defaults) :]}
    optional |= {
        one.arg for one, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is not None
    }
    known = {cloud, "self", "cls", (_threshold(function) or ("",))[0]}
    others = [one.arg for one in own if one.arg in optional - known] + [one.arg for one in (given.kwarg,) if one]
    if others:
        return others[0]
    called = {id(part.func) for part in ast.walk(function) if isinstance(part, ast.Call)}
    read = (part for part in ast.walk(function) if isinstance(part, ast.Attribute) and id(part) not in called)
    return next((f"self.{part.attr}" for part in read if ast.unparse(part.value) in ("self", "cls")), "")


def _functions(tree: ast.AST) -> Iterator[Function]:
    """Functions that stand in no other function."""
    for child in ast.iter_child_nodes(tree):
        if isinstance(child, Function):
            yield child
        else:
            yield from _functions(child)


def _cloud(function: Function) -> str | None:
    """The argument that holds the points: the first one."""
    arguments = [argument.arg for argument in function.args.args if argument.arg not in ("self", "cls")]
    return arguments[0] if arguments and _CLOUD.match(arguments[0]) else None


def _has_more(function: Function) -> bool:
    """Tell a function that cannot be called with the points alone."""
    given = function.args
    own = [argument for argument in given.args if argument.arg not in ("self", "cls")]
    return len(own) - len(given.defaults) > 1 or None in given.kw_defaults or given.vararg is not None


def _words(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def _computes(function: Function) -> bool:
    words = set(_words(function))
    return not words & (_DONE - {function.name}) and any(_EVIDENCE.search(word) for word in words)


def result_of(function: Function) -> str | None:
    """The result as an expression of ``b0, b1, b2``: a list, a tuple, an array of either, or one number by the name.

    None when it is none of them, or not always the same.
    """
    forms = {_form(value, function) for value in _returned(function.body)}
    return forms.pop() if len(forms) == 1 else None


def _returned(body: list[ast.stmt]) -> Iterator[ast.expr]:
    for child in body:
        if isinstance(child, ast.Return) and child.value is not None:
            yield child.value
        elif not isinstance(child, Function | ast.ClassDef):
            yield from _returned([one for one in ast.iter_child_nodes(child) if isinstance(one, ast.stmt)])


def _form(value: ast.expr, function: Function) -> str | None:
    if isinstance(value, ast.Name) and _NUMBER.search(function.name) is None:
        assigned = [
            part.value
            for part in ast.walk(function)
            if isinstance(part, ast.Assign) and any(ast.unparse(target) == value.id for target in part.targets)
        ]
        return _form(assigned[0], function) if len(assigned) == 1 and not isinstance(assigned[0], ast.Name) else None
    if isinstance(value, ast.Tuple | ast.List) and 2 <= len(value.elts) <= 3:
        numbers = ", ".join(("b0", "b1", "b2")[: len(value.elts)])
        return f"[{numbers}]" if isinstance(value, ast.List) else f"({numbers})"
    if isinstance(value, ast.Call) and ast.unparse(value.func) in ("np.array", "numpy.array") and len(value.args) == 1:
        inner = None if value.keywords else _form(value.args[0], function)
        return f"{ast.unparse(value.func)}({inner})" if inner else None
    number = _NUMBER.search(function.name)
    return f"b{number[1]}" if number and not isinstance(value, ast.Tuple | ast.List | ast.Dict) else None


def _delegate(unit: Unit, function: Function, cloud: str, form: str, cells: str) -> Edit:
    """Everything behind docstring and guards becomes a question to the cells."""
    known = {cloud, "len", "None", "np", "numpy", "list", "float"}
    first = next(child for child in function.body if not _stays(child, known, function))
    numbers = [f"b{index}" if f"b{index}" in form else "_" for index in range(3)]
    asked = f"{cells}().compute_betti({cloud})"
    said = f"{form} = {asked}[{form[-1]}]" if form[0] == "b" else f"{', '.join(numbers)} = {asked}"
    lines = [f"{said}  {MARK} {NAME}", f"return {form}"]
    if (told := _threshold(function)) is not None:
        name, default = told[0], unit.text(told[1])
        refused = f"{name}: expected {default}, TorusCells decides what counts; ask toriwork.persistence for others"
        lines[:0] = [f"if {name} != {default}:  {MARK} {NAME}", f'{unit.indent}raise ValueError("{refused}")']
    block = unit.block(lines, unit.margin(first))
    return Edit(unit.line_start(first.lineno), unit.line_end(function.end_lineno or 0), block)


def _stays(child: ast.stmt, known: set[str], function: Function) -> bool:
    """Keep a statement at the head: the docstring, a guard that leaves, a size or conversion of the points.

    ``known`` grows by what it binds.
    """
    if child is function.body[0] and isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
        return True
    if child is function.body[-1]:
        return False
    if isinstance(child, ast.If) and not child.orelse and len(child.body) == 1:
        return isinstance(child.body[0], ast.Return | ast.Raise) and names_in(child.test) <= known
    if isinstance(child, ast.Assign) and len(child.targets) == 1 and isinstance(child.targets[0], ast.Name):
        plain = names_in(child.value) <= known and not any(_EVIDENCE.search(word) for word in _words(child.value))
        if plain and isinstance(child.value, ast.Call | ast.Attribute | ast.Subscript):
            known.add(child.targets[0].id)
            return True
    return False
