"""The class of a code base whose objects are one spectrum each: what a spectral database takes and hands out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from toriwork.migrate.recipes.detect import ADDING, classes, methods
from toriwork.monitors.legacy import CALLED

_WORDS = {word for words in CALLED.values() for word in words}


@dataclass(frozen=True, slots=True)
class RowClass:
    """A class that holds a spectrum."""

    name: str
    required: tuple[str, ...]  #: parameters without a default that no column of the registry answers


def row_classes(tree: ast.Module) -> Iterator[RowClass]:
    """The classes and named tuples of a module that are made of eigenvalues and something beside them."""
    found = [(node.name, _parameters(node)) for node in classes(tree)]
    found += [
        (child.targets[0].id, _of_tuple(child.value))
        for child in tree.body
        if isinstance(child, ast.Assign) and isinstance(child.targets[0], ast.Name)
    ]
    for name, parameters in found:
        if len(parameters) > 1 and set(parameters) & set(CALLED["eigenvalues"]):
            unknown = (one for one, has_default in parameters.items() if one not in _WORDS and not has_default)
            yield RowClass(name, tuple(unknown))


def _parameters(node: ast.ClassDef) -> dict[str, bool]:
    """Parameter of the constructor -> whether it has a default."""
    made = methods(node).get("__init__")
    if made is not None:
        arguments = made.args.args[1:]
        first_default = len(arguments) - len(made.args.defaults)
        found = {one.arg: place >= first_default for place, one in enumerate(arguments)}
        keyword = zip(made.args.kwonlyargs, made.args.kw_defaults, strict=True)
        return found | {one.arg: value is not None for one, value in keyword}
    for base in node.bases:
        if inner := _of_tuple(base):
            return inner
    dressed = any("dataclass" in ast.unparse(one) or "attr" in ast.unparse(one) for one in node.decorator_list)
    if not dressed and not any(ast.unparse(base).endswith("NamedTuple") for base in node.bases):
        return {}
    return {
        child.target.id: _has_default(child.value)
        for child in node.body
        if isinstance(child, ast.AnnAssign)
        and isinstance(child.target, ast.Name)
        and "ClassVar" not in ast.unparse(child.annotation)
    }


def _has_default(value: ast.expr | None) -> bool:
    if isinstance(value, ast.Call) and ast.unparse(value.func).endswith("field"):
        return any(keyword.arg in ("default", "default_factory") for keyword in value.keywords)
    return value is not None


def _of_tuple(value: ast.expr) -> dict[str, bool]:
    """The fields in ``namedtuple("Name", "a b c")`` or ``namedtuple("Name", ["a", "b"])``."""
    if not (isinstance(value, ast.Call) and ast.unparse(value.func).endswith("namedtuple") and len(value.args) > 1):
        return {}
    told = value.args[1]
    if isinstance(told, ast.Constant) and isinstance(told.value, str):
        return dict.fromkeys(told.value.replace(",", " ").split(), False)
    if isinstance(told, ast.List | ast.Tuple):
        return {str(one.value): False for one in told.elts if isinstance(one, ast.Constant)}
    return {}


def row_class_of(node: ast.ClassDef, tree: ast.Module, known: dict[str, RowClass]) -> RowClass | None:
    """The row class of a spectral class, where its module binds the name above it; None when it has none.

    What its adding method is annotated with counts first, else what it makes objects of.
    """
    bound = _bound_above(node, tree)
    names = [*_annotated(node), *_called(node)]
    return next((known[name] for name in names if name in known and name in bound), None)


def _bound_above(node: ast.ClassDef, tree: ast.Module) -> set[str]:
    found: set[str] = set()
    for child in ast.walk(tree):
        if getattr(child, "lineno", node.lineno) >= node.lineno:
            continue
        if isinstance(child, ast.ImportFrom):
            found |= {alias.asname or alias.name for alias in child.names}
        elif isinstance(child, ast.ClassDef):
            found.add(child.name)
        elif isinstance(child, ast.Name) and isinstance(child.ctx, ast.Store):
            found.add(child.id)
    return found


def _annotated(node: ast.ClassDef) -> Iterator[str]:
    for name, function in methods(node).items():
        if ADDING.match(name) and len(function.args.args) > 1 and function.args.args[1].annotation is not None:
            yield ast.unparse(function.args.args[1].annotation).strip("'\"").rpartition(".")[2]


def _called(node: ast.ClassDef) -> Iterator[str]:
    for part in ast.walk(node):
        if isinstance(part, ast.Call):
            called = part.func.value if isinstance(part.func, ast.Attribute) else part.func
            if isinstance(called, ast.Name):
                yield called.id
