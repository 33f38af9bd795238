"""What becomes of each member of a spectral class: it stays, it is answered from the registry, or it goes."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from toriwork.migrate.recipes.detect import (
    ADDING,
    DISTANCE,
    STORAGE,
    Function,
    classes,
    imported_modules,
    methods,
    names_in,
)
from toriwork.migrate.recipes.source import Unit, Unsure

#: what a class over the registry has by itself
PROVIDED = frozenset(
    """add distance last notes get_statistics recent signatures flush close registry stream max_entries max_size_mb
    __len__ __iter__ __enter__ __exit__ __repr__""".split()
)
_COUNT = re.compile(r"^(get_)?(count|size|n_\w+|num_\w+|total\w*|number_of\w*)$")
_FLUSH = re.compile(r"^(close|flush|save\w*|commit|sync|dump\w*|persist\w*|disconnect|write\w*)$")
_NOTHING = re.compile(r"^(load\w*|open\w*|connect\w*|init\w*|create\w*|vacuum|optimi[sz]e|setup\w*|ensure\w*|reload)$")
_RECENT = re.compile(r"^(get_|load_|fetch_)?(recent|latest|last|newest|history|all|signatures|entries|records)\w*$")
_SQL = re.compile(r"^\s*(CREATE|SELECT|INSERT|PRAGMA|DELETE|UPDATE)\b", re.IGNORECASE)
_FIELDS = frozenset("timestamp eigenvalues hash_id betti_numbers coherence_state gaps".split())
_ON_DISK = frozenset(
    "open stat exists is_file read_text write_text read_bytes write_bytes unlink getsize getmtime isfile".split()
)
_SPECTRUM = frozenset("eigenvalues eigenvals eigvals eigs spectrum lambdas values vec".split())
#: methods that the inherited ones replace whatever they did
_INHERITED = frozenset("flush close get_statistics __len__ __iter__ __enter__ __exit__ __repr__ __del__".split())
#: what the base class keeps to itself: a member of such a name would get in its way
INTERNAL = frozenset(
    """_bytes _held _hold _lock _max_bytes _mine _oldest_within_bounds _recorded _signature _spectrum
    after_fork notes""".split()
)
_PLAIN_CALLS = {"Path", "str", "int", "float", "bool", "PurePath"}


def sorted_members(unit: Unit, node: ast.ClassDef) -> tuple[set[ast.stmt], dict[str, str]]:
    """The members that stay as they are, and name -> body of those that are answered from the registry."""
    have = methods(node)
    stays = _keepable(unit, node)
    for name in sorted(_storage_attributes(node, unit.tree)):
        if unit.world.uses(name):
            raise Unsure(f"{node.name}.{name} is its storage and is used in {', '.join(unit.world.uses(name))}")
    kept: set[ast.stmt] = {child for child in node.body if _is_kept_statement(child, unit)}
    answered: dict[str, str] = {}
    for name, function in have.items():
        if name == "__init__":
            continue
        if name in stays:
            kept.add(function)
            continue
        if name in _INHERITED:
            continue
        body = _answer(name, function, unit.tree)
        if body is not None:
            answered[name] = body
        elif not name.startswith("_") and _is_called(name, unit, node):
            raise Unsure(
                f"{node.name}.{name} (line {function.lineno}) cannot be answered from the registry and is called in "
                f"{', '.join(_callers(name, unit))}: rewrite it by hand"
            )
    taken = {getattr(child, "name", "") for child in kept} | set(kept_attributes(node)) | set(answered)
    if taken & INTERNAL:
        raise Unsure(f"{node.name} has a member {min(taken & INTERNAL)}, which the registry's class keeps to itself")
    return kept, {name: body for name, body in answered.items() if body}


def _storage_attributes(node: ast.ClassDef, tree: ast.Module) -> set[str]:
    """Attributes that hold a connection, a cursor or an open file."""
    return {
        target.attr
        for child in ast.walk(node)
        if isinstance(child, ast.Assign) and isinstance(child.value, ast.Call) and stores(child.value.func, tree)
        for target in child.targets
        if isinstance(target, ast.Attribute)
    } - kept_attributes(node).keys()


def _is_kept_statement(child: ast.stmt, unit: Unit) -> bool:
    """Docstrings, constants and inner classes stay; texts of SQL go."""
    if isinstance(child, Function):
        return False
    texts = [part.value for part in ast.walk(child) if isinstance(part, ast.Constant) and isinstance(part.value, str)]
    return not any(_SQL.match(text) for text in texts) and not stores(child, unit.tree)


def stores(node: ast.AST, tree: ast.Module) -> bool:
    """Whether a piece of code opens a file or speaks to what a class would keep its data with."""
    modules = imported_modules(tree)
    names = names_in(node)
    attributes = {part.attr for part in ast.walk(node) if isinstance(part, ast.Attribute)}
    return any(modules.get(name) in STORAGE for name in names) or "open" in names or bool(attributes & _ON_DISK)


def _keepable(unit: Unit, node: ast.ClassDef) -> set[str]:
    """Methods that touch nothing but what stays: computed until nothing changes any more."""
    have = methods(node)
    attributes = {target for child in node.body for target in _class_names(child)} | set(kept_attributes(node))
    helpers = {child.name for child in unit.tree.body if isinstance(child, Function) and stores(child, unit.tree)}
    theirs = (PROVIDED - {"get_statistics"}) | {"__init__"}
    stays = {name for name in have if name not in theirs and not stores(have[name], unit.tree)}
    answered = {name for name, function in have.items() if _answer(name, function, unit.tree) is not None}
    while True:
        known = stays | answered | attributes | PROVIDED
        left = {name for name in stays if _own_reads(have[name]) <= known and not names_in(have[name]) & helpers}
        if left == stays:
            return {name for name in stays if not _NOTHING.match(name.lstrip("_")) or _returns(have[name])}
        stays = left


def _class_names(child: ast.stmt) -> Iterator[str]:
    targets = (
        child.targets if isinstance(child, ast.Assign) else [child.target] if isinstance(child, ast.AnnAssign) else []
    )
    for target in targets:
        if isinstance(target, ast.Name):
            yield target.id


def _own_reads(function: Function) -> set[str]:
    """Attributes of ``self`` that a method touches."""
    first = function.args.args[0].arg if function.args.args else None
    return {
        part.attr
        for part in ast.walk(function)
        if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name) and part.value.id == first
    }


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


def _returns(function: Function) -> bool:
    return any(isinstance(part, ast.Return) and part.value is not None for part in ast.walk(function))


def _answer(name: str, function: Function, tree: ast.Module) -> str | None:
    """The one line that answers a method from the registry; "" when the inherited one does; None when none can."""
    decorators = {ast.unparse(decorator) for decorator in function.decorator_list}
    if name.startswith("_") or decorators & {"staticmethod", "classmethod"}:
        return None
    arguments = [argument.arg for argument in function.args.args[1:]]
    if arguments and DISTANCE.search(name):
        same = name == "distance" and arguments == ["eigenvalues", "top_k"] and _is_ten(function)
        return "" if same else f"return super().distance({', '.join(arguments[:2])})"
    if arguments and ADDING.match(name):
        return _added(name, function, arguments)
    if _RECENT.match(name):
        return _recent(function, arguments, tree)
    if len(arguments) > len(function.args.defaults):
        return None
    answers = ((_COUNT, True, "return len(self)"), (_FLUSH, not _returns(function), "self.flush()"))
    found = next((line for pattern, fits, line in answers if fits and pattern.match(name)), None)
    idle = _NOTHING.match(name) and not _returns(function)
    return found or ("return  # the registry is there already" if idle else None)


def _added(name: str, function: Function, arguments: list[str]) -> str | None:
    """A signature, or its fields by name; switches behind a signature say nothing any more."""
    if (name, arguments) == ("add", ["signature"]):
        return ""
    if len(arguments) > 1 and _SPECTRUM & set(arguments):
        return f"return super().add({', '.join(f'{one}={one}' for one in arguments)})"
    return f"return super().add({arguments[0]})" if len(function.args.defaults) >= len(arguments) - 1 else None


def _is_ten(function: Function) -> bool:
    defaults = function.args.defaults
    return len(defaults) == 1 and isinstance(defaults[0], ast.Constant) and defaults[0].value == 10


def _recent(function: Function, arguments: list[str], tree: ast.Module) -> str | None:
    """A reader of the newest signatures, when what it makes of a row has the fields of a signature and no others."""
    made = {child.name: child for child in classes(tree)}
    rows = [made[name] for name in names_in(function) if name in made]
    fields = {name for row in rows for child in row.body for name in _class_names(child)}
    if len(arguments) > 1 or not rows or not fields or not fields <= _FIELDS:
        return None
    code = ast.unparse(function)
    newest_first = re.search(r"\bDESC\b", code) and not re.search(r"reversed\(|\[::-1\]", code)
    found = f"super().recent({', '.join(arguments)})" + ("" if newest_first else "[::-1]")
    if methods(rows[0]).keys() - {"__post_init__"}:  # callers may call them
        given = ", ".join(f"{name}=one.{name}" for name in sorted(fields))
        found = f"[{rows[0].name}({given}) for one in {found}]"
    return f"return {found}"


def _callers(name: str, unit: Unit) -> list[str]:
    return list(unit.world.uses(name)) or [unit.path]


def _is_called(name: str, unit: Unit, node: ast.ClassDef) -> bool:
    return bool(unit.world.uses(name)) or any(
        isinstance(part, ast.Attribute) and part.attr == name and part not in set(ast.walk(node))
        for part in ast.walk(unit.tree)
    )
