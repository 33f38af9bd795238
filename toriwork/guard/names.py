"""What the names of a module stand for: modules under an alias, functions passed around, constants.

One table for the whole module, whatever the scope and order: a name stands for everything that is bound to it anywhere.
Names are looked up when they are asked for, so that a chain of them is followed and a circle is not.
"""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from toriwork.guard.folding import MAX_VALUES, Folder

_BUILTINS = frozenset(dir(builtins))
_Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda
MAX_DEPTH = 40
#: what these are called with is what they give
_IMPORTING = frozenset({"importlib.import_module", "importlib.__import__", "builtins.__import__", "sys.modules.get"})


class Names:
    """Bindings of one module (or of all cells of a notebook)."""

    def __init__(self, nodes: list[ast.AST]) -> None:
        self.modules: dict[str, set[str]] = defaultdict(set)  #: name -> dotted names that an import gave it
        self.stars: list[str] = []  #: modules of which everything was imported
        self._expressions: dict[str, list[ast.expr]] = defaultdict(list)
        self._elements: dict[str, list[ast.expr]] = defaultdict(list)
        self._grown: dict[str, list[ast.AugAssign]] = defaultdict(list)
        self._own: set[str] = set()  #: functions and classes of the module
        self._open: set[tuple[str, str]] = set()
        self._known: dict[str, set[str]] = {}  # what was found out about a name; without it chains cost their product
        self._worth: dict[str, tuple[Any, ...]] = {}
        self.folder = Folder(self._values, self.qualify)
        for node in nodes:
            rule = _BINDERS.get(type(node))
            if rule is not None:
                getattr(self, rule)(node)
        self._bind_calls(nodes)

    def qualify(self, node: ast.expr | None) -> set[str]:
        """The dotted names that an expression may stand for, such as ``importlib.import_module``."""
        rule = None if node is None else _QUALIFIERS.get(type(node))
        return set() if rule is None else getattr(self, rule)(node)

    def bound(self) -> Iterator[str]:
        """Every name that an import or an assignment binds."""
        yield from {*self.modules, *self._expressions, *self._elements} - {""}

    def _names_of(self, name: str) -> set[str]:
        found = set(self.modules.get(name, ())) | self._through(name)
        if name == "__builtins__":
            found.add("builtins")
        elif not found and name in _BUILTINS and name not in self._own:
            found.add(f"builtins.{name}")
        return found

    def _through(self, name: str) -> set[str]:
        """What the expressions that are bound to a name stand for."""
        if name in self._known:
            return self._known[name]
        expressions = self._expressions.get(name)
        if not expressions or ("q", name) in self._open or len(self._open) > MAX_DEPTH:
            return set()
        self._open.add(("q", name))
        try:
            self._known[name] = set().union(*map(self.qualify, expressions[:MAX_VALUES]))
            return self._known[name]
        finally:
            self._open.discard(("q", name))

    def _of_name(self, node: ast.Name) -> set[str]:
        return self._names_of(node.id)

    def _of_attribute(self, node: ast.Attribute) -> set[str]:
        found = {f"{name}.{node.attr}" for name in self.qualify(node.value)}
        return found | self._through(f".{node.attr}")

    def _of_choice(self, node: ast.IfExp | ast.BoolOp) -> set[str]:
        options = [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values
        return set().union(*map(self.qualify, options))

    def _of_wrapped(self, node: ast.NamedExpr | ast.Await | ast.Starred) -> set[str]:
        return self.qualify(node.value)

    def _of_call(self, node: ast.Call) -> set[str]:
        functions, arguments = self.qualify(node.func), node.args
        found: set[str] = set()
        if functions & {"builtins.globals", "builtins.locals"}:
            found.add("builtins.globals()")
        if arguments and functions & _IMPORTING:
            found |= set(self.folder.texts(arguments[0]))
        if arguments and "builtins.vars" in functions:
            found |= {f"{one}.__dict__" for one in self.qualify(arguments[0])}
        if arguments and "functools.partial" in functions:
            found |= self.qualify(arguments[0])
        if len(arguments) > 1 and "builtins.getattr" in functions:
            names = self.folder.texts(arguments[1])
            found |= {f"{one}.{name}" for one in self.qualify(arguments[0]) for name in names}
        return found

    def _of_subscript(self, node: ast.Subscript) -> set[str]:
        found = set()
        for whole in self.qualify(node.value):
            keys = self.folder.texts(node.slice)
            if whole == "sys.modules":
                found |= set(keys)
            elif whole == "builtins.globals()":
                found |= set().union(*map(self._names_of, keys))
            elif whole.endswith(".__dict__") or whole in ("builtins", "ctypes.cdll"):
                found |= {f"{whole.removesuffix('.__dict__')}.{key}" for key in keys}
        return found

    def _values(self, name: str) -> tuple[Any, ...]:
        if name in self._worth:
            return self._worth[name]
        if ("v", name) in self._open or len(self._open) > MAX_DEPTH:
            return ()
        self._open.add(("v", name))
        try:
            found = [v for node in self._expressions.get(name, ())[:MAX_VALUES] for v in self.folder.values(node)]
            for node in self._elements.get(name, ())[:MAX_VALUES]:
                found += [element for whole in self.folder.values(node) for element in _elements(whole)]
            self._worth[name] = (*found, *self._grown_values(name, found))[:MAX_VALUES]
            return self._worth[name]
        finally:
            self._open.discard(("v", name))

    def _grown_values(self, name: str, begun: list[Any]) -> Iterator[Any]:
        values = begun[:1]
        for step in self._grown.get(name, ())[:MAX_VALUES]:
            for value in values:
                added = ast.BinOp(left=ast.Constant(value), op=step.op, right=step.value)
                values = list(self.folder.values(added))[:1]
                yield from values

    def _import(self, node: ast.Import) -> None:
        for alias in node.names:
            if alias.asname:
                self.modules[alias.asname].add(alias.name)
            else:
                top = alias.name.split(".")[0]
                self.modules[top].add(top)

    def _import_from(self, node: ast.ImportFrom) -> None:
        module = source_of(node)
        for alias in node.names:
            if alias.name == "*":
                self.stars.append(module)
            else:
                self.modules[alias.asname or alias.name].add(joined(module, alias.name))

    def _assign(self, node: ast.Assign) -> None:
        for target in node.targets:
            self._bind(target, node.value)

    def _assign_one(self, node: ast.AnnAssign | ast.NamedExpr) -> None:
        self._bind(node.target, node.value)

    def _grow(self, node: ast.AugAssign) -> None:
        if isinstance(node.target, ast.Name):
            self._grown[node.target.id].append(node)

    def _loop(self, node: ast.For | ast.AsyncFor | ast.comprehension) -> None:
        self._bind_elements(node.target, node.iter)

    def _with(self, node: ast.withitem) -> None:
        if node.optional_vars is not None:
            self._bind(node.optional_vars, node.context_expr)

    def _bind(self, target: ast.expr, value: ast.expr | None) -> None:
        if value is None:
            return
        if isinstance(target, ast.Name):
            self._expressions[target.id].append(value)
        elif isinstance(target, ast.Attribute):
            self._expressions[f".{target.attr}"].append(value)
        elif isinstance(target, ast.Tuple | ast.List):
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts):
                for one, other in zip(target.elts, value.elts, strict=True):
                    self._bind(one, other)
            else:
                self._bind_elements(target, value)

    def _bind_elements(self, target: ast.expr, over: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._elements[target.id].append(over)
        elif isinstance(target, ast.Tuple | ast.List):
            for part in target.elts:
                self._bind_elements(part, over)

    def _class(self, node: ast.ClassDef) -> None:
        self._own.add(node.name)
        for statement in node.body:
            if isinstance(statement, ast.Assign):
                for target in statement.targets:
                    if isinstance(target, ast.Name):
                        self._expressions[f".{target.id}"].append(statement.value)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._own.add(node.name)
        self._defaults(node)

    def _defaults(self, node: _Function) -> None:
        positional = [*node.args.posonlyargs, *node.args.args]
        defaults = node.args.defaults
        for parameter, default in zip(positional[len(positional) - len(defaults) :], defaults, strict=True):
            self._expressions[parameter.arg].append(default)
        for parameter, given in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            if given is not None:
                self._expressions[parameter.arg].append(given)

    def _bind_calls(self, nodes: list[ast.AST]) -> None:
        """Arguments of calls of the module's own functions are values of their parameters."""
        own: dict[str, _Function] = {}
        for node in nodes:
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                own[node.name] = node
            elif isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
                own |= {target.id: node.value for target in node.targets if isinstance(target, ast.Name)}
        for node in nodes:
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name | ast.Attribute):
                method = isinstance(node.func, ast.Attribute)
                called = own.get(node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id)
                if called is not None:
                    self._bind_call(node, called, method=method)

    def _bind_call(self, node: ast.Call, called: _Function, *, method: bool) -> None:
        parameters = [parameter.arg for parameter in (*called.args.posonlyargs, *called.args.args)]
        if method and parameters[:1] in (["self"], ["cls"]):
            parameters = parameters[1:]
        for name, value in zip(parameters, node.args, strict=False):
            self._expressions[name].append(value)
        for keyword in node.keywords:
            if keyword.arg:
                self._expressions[keyword.arg].append(keyword.value)


def source_of(node: ast.ImportFrom) -> str:
    """The module that a ``from`` statement names, with its leading dots."""
    return "." * node.level + (node.module or "")


def joined(module: str, name: str) -> str:
    """A name in a module: ``.store`` and ``x`` are ``.store.x``, ``.`` and ``x`` are ``.x``."""
    return f"{module}{name}" if module.endswith(".") else f"{module}.{name}"


def _elements(whole: Any) -> list[Any]:
    """The elements of a value, and theirs: which of them a name takes is not followed."""
    if isinstance(whole, dict):
        whole = [*whole, *whole.values()]
    if not isinstance(whole, list | tuple | set | frozenset):
        return []
    flat = [inner for part in whole for inner in (part if isinstance(part, list | tuple) else [part])]
    return flat[:MAX_VALUES]


#: the method that binds the names of a node
_BINDERS: dict[type[ast.AST], str] = {
    ast.Import: "_import",
    ast.ImportFrom: "_import_from",
    ast.Assign: "_assign",
    ast.AnnAssign: "_assign_one",
    ast.NamedExpr: "_assign_one",
    ast.AugAssign: "_grow",
    ast.For: "_loop",
    ast.AsyncFor: "_loop",
    ast.comprehension: "_loop",
    ast.withitem: "_with",
    ast.ClassDef: "_class",
    ast.FunctionDef: "_function",
    ast.AsyncFunctionDef: "_function",
    ast.Lambda: "_defaults",
}
#: the method that says what an expression stands for
_QUALIFIERS: dict[type[ast.AST], str] = {
    ast.Name: "_of_name",
    ast.Attribute: "_of_attribute",
    ast.Call: "_of_call",
    ast.Subscript: "_of_subscript",
    ast.IfExp: "_of_choice",
    ast.BoolOp: "_of_choice",
    ast.NamedExpr: "_of_wrapped",
    ast.Await: "_of_wrapped",
    ast.Starred: "_of_wrapped",
}
