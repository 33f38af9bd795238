"""What the attributes of a spectral class are: plain settings that stay, or what it gathers signatures in."""

from __future__ import annotations

import ast

from toriwork.migrate.recipes.detect import ADDING, methods, names_in
from toriwork.migrate.recipes.rows import RowClass

#: what a class over the registry has by itself
PROVIDED = frozenset(
    """add distance last notes get_statistics recent signatures flush close registry stream max_entries max_size_mb
    signature_class __len__ __iter__ __enter__ __exit__ __repr__""".split()
)
_PLAIN_CALLS = {"Path", "str", "int", "float", "bool", "PurePath"}


def kept_attributes(node: ast.ClassDef) -> dict[str, ast.stmt]:
    """Attribute -> the statement of ``__init__`` that sets it to an argument, or to something plain made of one."""
    function = methods(node).get("__init__")
    if function is None or not function.args.args:
        return {}
    own, *arguments = [argument.arg for argument in (*function.args.args, *function.args.kwonlyargs)]
    found: dict[str, ast.stmt] = {}
    for child in function.body:
        if not isinstance(child, ast.Assign | ast.AnnAssign) or child.value is None:
            continue
        target = child.targets[0] if isinstance(child, ast.Assign) else child.target
        if not (isinstance(target, ast.Attribute) and isinstance(target.value, ast.Name) and target.value.id == own):
            continue
        calls = [part for part in ast.walk(child.value) if isinstance(part, ast.Call)]
        plain = all(isinstance(call.func, ast.Name) and call.func.id in _PLAIN_CALLS for call in calls)
        reads = names_in(child.value) - _PLAIN_CALLS
        if plain and own not in reads and (reads & set(arguments) or not reads) and not _holds(child.value):
            found[target.attr] = child
    return {name: child for name, child in found.items() if name not in PROVIDED}


def _holds(value: ast.expr) -> bool:
    """Whether a value is what a class would gather its data in."""
    return isinstance(value, ast.List | ast.Dict | ast.Set)


def mirrors(node: ast.ClassDef, row: RowClass | None) -> dict[str, str]:
    """Attributes in which an adding method gathers signatures -> what tells the same: a list, or a dict by hash."""
    found: dict[str, str] = {}
    if row is None or row.required:
        return found
    for name, function in methods(node).items():
        if not ADDING.match(name) or len(function.args.args) < 2:
            continue
        made = {function.args.args[1].arg} | {
            part.targets[0].id
            for part in ast.walk(function)
            if isinstance(part, ast.Assign)
            and isinstance(part.targets[0], ast.Name)
            and isinstance(part.value, ast.Call)
            and ast.unparse(part.value.func) == row.name
        }
        for part in ast.walk(function):
            if isinstance(part, ast.Call) and len(part.args) == 1 and ast.unparse(part.args[0]) in made:
                if (name := own_name(getattr(part.func, "value", None))) and part.func.attr == "append":  # type: ignore[attr-defined]
                    found[name] = "self.signatures"
            elif isinstance(part, ast.Assign) and isinstance(part.targets[0], ast.Subscript):
                place, value = part.targets[0], ast.unparse(part.value)
                if value in made and ast.unparse(place.slice) == f"{value}.hash_id" and (name := own_name(place.value)):
                    found[name] = "{one.hash_id: one for one in self.signatures}"
    return found


def own_name(value: ast.expr | None) -> str:
    """The attribute of ``self`` that an expression is; "" for others."""
    if isinstance(value, ast.Attribute) and isinstance(value.value, ast.Name) and value.value.id == "self":
        return value.attr
    return ""


def set_attributes(node: ast.ClassDef) -> set[str]:
    """Attributes of ``self`` that a class sets."""
    return {
        part.attr
        for part in ast.walk(node)
        if isinstance(part, ast.Attribute)
        and isinstance(part.ctx, ast.Store)
        and isinstance(part.value, ast.Name)
        and part.value.id == "self"
    }
