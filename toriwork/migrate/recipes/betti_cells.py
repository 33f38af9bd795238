"""A function that computes Betti numbers out of distances asks TorusCells instead: name, signature and docstring stay.

Guards at its head stay too. A function whose result has no shape that can be told, and an inline computation in a
function that does more, are reported.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from toriwork.codebase.edits import Edit
from toriwork.migrate.recipes.detect import Function, names_in
from toriwork.migrate.recipes.imports import Wanted
from toriwork.migrate.recipes.source import MARK, Manual, Outcome, Unit

NAME = "betti_cells"
_NAMED = re.compile(r"betti|homolog", re.IGNORECASE)
_CLOUD = re.compile(
    r"^(vert\w*|points?|pts|cloud|coords?|coordinates|positions?|samples?|data|x|shape|arr\w*)$", re.IGNORECASE
)
_EVIDENCE = re.compile(
    r"dist|norm|hypot|sqrt|union|component|rips|gudhi|\bbars?\b|persist|parent|neighbou?r", re.IGNORECASE
)
_RESULT = re.compile(r"^(betti\w*|b[012])$", re.IGNORECASE)
_DONE = frozenset({"get_torus_cells", "betti0_1", "estimate_betti", "compute_betti"})
_KEY = re.compile(r"([012])$")


def transform(unit: Unit) -> Outcome:
    """Edits that let every Betti computation of a file ask TorusCells."""
    wanted = Wanted(unit)
    edits: list[Edit] = []
    manual: list[Manual] = []
    for function in _functions(unit.tree):
        cloud = _cloud(function)
        if _NAMED.search(function.name) and cloud is not None and _computes(function):
            shape = result_of(function)
            if shape is None or function.body[0].lineno == function.lineno:
                manual.append(
                    unit.manual(function, NAME, f"{function.name} computes Betti numbers in a form not known")
                )
                continue
            cells = wanted.name(f"{unit.world.core_package}.torus_cells", "get_torus_cells")
            edits += _delegate(unit, function, cloud, shape, cells)
        elif (place := _inline(function)) is not None:
            manual.append(unit.manual(place, NAME, f"{function.name} computes Betti numbers inline: use TorusCells"))
    return Outcome((*wanted.edits(), *edits) if edits else (), tuple(manual), review=True)


def _functions(tree: ast.Module) -> Iterator[Function]:
    """Functions that stand in no other function."""
    pending: list[ast.AST] = [tree]
    while pending:
        node = pending.pop()
        for child in ast.iter_child_nodes(node):
            if isinstance(child, Function):
                yield child
            else:
                pending.append(child)


def _cloud(function: Function) -> str | None:
    """The argument that holds the points."""
    arguments = [argument.arg for argument in function.args.args if argument.arg not in ("self", "cls")]
    return next((name for name in arguments if _CLOUD.match(name)), None)


def _words(node: ast.AST) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Name):
            yield part.id
        elif isinstance(part, ast.Attribute):
            yield part.attr


def _computes(function: Function) -> bool:
    words = set(_words(function))
    return not words & (_DONE - {function.name}) and any(_EVIDENCE.search(word) for word in words)


def _inline(function: Function) -> ast.stmt | None:
    """The place in a function of another name where Betti numbers come out of distances."""
    words = set(_words(function))
    if words & _DONE or not any(
        re.search(r"pdist|cdist|norm$|distance_matrix|ripser|RipsComplex", word) for word in words
    ):
        return None
    for part in ast.walk(function):
        if isinstance(part, ast.Assign) and any(
            isinstance(name, ast.Name) and _RESULT.match(name.id)
            for target in part.targets
            for name in ast.walk(target)
        ):
            return part
    return None


def result_of(function: Function) -> str | None:
    """What a function returns, as an expression of ``b0, b1, b2``; None when it cannot be told.

    ``[b0, b1]``, ``(b0, b1, b2)``, ``np.array(...)`` of them, a dict of keys that end in 0, 1, 2, or one number.
    """
    found = {_form(value, function) for value in _returned(function)}
    forms = {form for form in found if form is not None}
    if None in found and not forms:
        return _annotated(function)
    if len({form[0] for form in forms}) != 1:  # a list here, a tuple there
        return None
    longest = max(forms, key=lambda form: len(form[1]))
    return longest[1]


def _returned(function: Function) -> Iterator[ast.expr]:
    pending: list[ast.AST] = list(function.body)
    while pending:
        node = pending.pop()
        if isinstance(node, Function | ast.Lambda | ast.ClassDef):
            continue
        if isinstance(node, ast.Return) and node.value is not None:
            yield node.value
        pending += ast.iter_child_nodes(node)


def _form(value: ast.expr, function: Function) -> tuple[str, str] | None:
    """Kind and expression of one returned value."""
    if isinstance(value, ast.Name):
        assigned = [
            part.value
            for part in ast.walk(function)
            if isinstance(part, ast.Assign | ast.AnnAssign)
            and part.value is not None
            and any(isinstance(name, ast.Name) and name.id == value.id for name in _targets(part))
        ]
        forms = [form for part in assigned if not isinstance(part, ast.Name) and (form := _form(part, function))]
        return forms[-1] if forms else _single(function)
    if isinstance(value, ast.Tuple | ast.List) and 1 <= len(value.elts) <= 3:
        numbers = ", ".join(f"b{index}" for index in range(len(value.elts)))
        comma = "," if len(value.elts) == 1 else ""
        return ("list", f"[{numbers}]") if isinstance(value, ast.List) else ("tuple", f"({numbers}{comma})")
    if (
        isinstance(value, ast.Call)
        and isinstance(value.func, ast.Attribute)
        and value.func.attr in ("array", "asarray")
    ):
        inner = _form(value.args[0], function) if value.args else None
        return ("array", f"{ast.unparse(value.func)}({inner[1]})") if inner else None
    if isinstance(value, ast.Dict):
        return _dictionary(value)
    return _single(function)


def _targets(part: ast.Assign | ast.AnnAssign) -> list[ast.expr]:
    return part.targets if isinstance(part, ast.Assign) else [part.target]


def _dictionary(value: ast.Dict) -> tuple[str, str] | None:
    keys = [key.value for key in value.keys if isinstance(key, ast.Constant)]
    numbers = [_KEY.search(str(key)) for key in keys]
    if len(keys) != len(value.keys) or not all(numbers):
        return None
    pairs = ", ".join(f"{key!r}: b{number[1]}" for key, number in zip(keys, numbers, strict=True) if number)
    return "dict", "{" + pairs.replace("'", '"') + "}"


def _single(function: Function) -> tuple[str, str] | None:
    """One number, when the function's name says which."""
    found = re.search(r"(?:betti|b)_?([012])$", function.name)
    return ("number", f"b{found[1]}") if found else None


def _annotated(function: Function) -> str | None:
    """The form that the return annotation tells."""
    told = ast.unparse(function.returns).lower() if function.returns is not None else ""
    found = re.search(r"tuple\[([^\]]*)\]", told)
    if found:
        size = found[1].count(",") + 1
        return (
            f"({', '.join(f'b{index}' for index in range(size))})" if 2 <= size <= 3 and "..." not in found[1] else None
        )
    return "[b0, b1]" if re.search(r"\blist\b", told) else None


def _delegate(unit: Unit, function: Function, cloud: str, shape: str, cells: str) -> Iterator[Edit]:
    """Everything behind docstring and guards becomes a question to the cells."""
    known = {cloud, "len", "None", "np", "numpy", "list", "float"}
    first = next(child for child in function.body if not _stays(child, known, function))
    margin = unit.margin(first)
    numbers = [f"b{index}" if re.search(rf"\bb{index}\b", shape) else "_" for index in range(3)]
    unpacked = f"{', '.join(numbers)} = {cells}().compute_betti({cloud})"
    if _KEY.search(shape):
        unpacked = f"{shape} = {cells}().compute_betti({cloud})[{shape[-1]}]"
    lines = [f"{unpacked}  {MARK} {NAME}", f"return {shape}"]
    start = unit.line_start(first.lineno)
    yield Edit(start, unit.line_end(function.end_lineno or function.lineno), unit.block(lines, margin))


def _stays(child: ast.stmt, known: set[str], function: Function) -> bool:
    """Whether a statement at the head stays: the docstring, a guard that leaves, a size or conversion of the points.

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
