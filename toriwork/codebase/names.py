"""The names of a module and what they stand for: modules under an alias, and constants.

One table for the whole module, whatever the scope and order: a name stands for everything that is bound to it anywhere.
Names are looked up when they are asked for, so that a chain of them is followed and a circle is not. What a function
gives back, or gets, is not followed.
"""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from toriwork.codebase.constants import MAX_VALUES, ConstantEvaluator
from toriwork.codebase.source import Nodes
from toriwork.codebase.syntax import joined, source_of

_BUILTINS = frozenset(dir(builtins))
MAX_DEPTH = 40
#: what these are called with is what they give
_IMPORTING = frozenset({"importlib.import_module", "importlib.__import__", "builtins.__import__"})


class Names:
    """Bindings of one module (or of all cells of a notebook)."""

    def __init__(self, nodes: Nodes) -> None:
        self.modules: dict[str, set[str]] = defaultdict(set)  #: name -> dotted names that an import gave it
        self.stars: list[str] = []  #: modules of which everything was imported
        self._expressions: dict[str, list[ast.expr]] = defaultdict(list)
        self._elements: dict[str, list[ast.expr]] = defaultdict(list)
        self._own: set[str] = set()  #: functions and classes of the module
        self._open: set[tuple[str, str]] = set()
        self._known: dict[str, set[str]] = {}  # what was found out about a name; without it chains cost their product
        self._settled: dict[str, set[str]] = {}  # the same of names that are asked for by themselves
        self._worth: dict[str, tuple[Any, ...]] = {}
        self._asked: dict[ast.expr, set[str]] = {}  # without it chains of attributes cost their square
        self.constants = ConstantEvaluator(self._values, self.qualify)
        for kind, rule in _BINDERS.items():
            for node in nodes.get(kind, ()):
                getattr(self, rule)(node)

    def qualify(self, node: ast.expr | None) -> set[str]:
        """Return the dotted names that an expression may stand for, such as ``importlib.import_module``."""
        rule = None if node is None else _QUALIFIERS.get(type(node))
        if node is None or rule is None:
            return set()
        if node in self._asked:
            return self._asked[node]
        found: set[str] = getattr(self, rule)(node)
        if not self._open:
            self._asked[node] = found
        return found

    def bound_to(self, name: str) -> list[ast.expr]:
        """Return the expressions that a name stands for."""
        return self._expressions.get(name, [])

    @cached_property
    def tops(self) -> frozenset[str]:
        """First parts of the dotted names that imports bring."""
        imported = (*(dotted for found in self.modules.values() for dotted in found), *self.stars)
        return frozenset(dotted.split(".")[0] for dotted in imported)

    def release(self) -> None:
        """Let go of the trees: evaluator and names know each other, so that only a collection would free them."""
        self.__dict__.clear()

    def _names_of(self, name: str) -> set[str]:
        if name in self._settled:
            return self._settled[name]
        found = set(self.modules.get(name, ())) | self._through(name)
        if name == "__builtins__":
            found.add("builtins")
        elif not found and name in _BUILTINS and name not in self._own:
            found.add(f"builtins.{name}")
        elif not found and name not in self._own:
            found |= {joined(module, name) for module in self.stars}
        if not self._open:
            self._settled[name] = found
        return found

    def _through(self, name: str) -> set[str]:
        """Return what the expressions that are bound to a name stand for."""
        if name in self._known:
            return self._known[name]
        expressions = self.bound_to(name)
        if not expressions:
            self._known[name] = set()
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
        return {f"{name}.{node.attr}" for name in self.qualify(node.value)} | self._through(f".{node.attr}")

    def _of_choice(self, node: ast.IfExp | ast.BoolOp) -> set[str]:
        options = [node.body, node.orelse] if isinstance(node, ast.IfExp) else node.values
        return set().union(*map(self.qualify, options))

    def _of_wrapped(self, node: ast.NamedExpr | ast.Await | ast.Starred) -> set[str]:
        return self.qualify(node.value)

    def _of_call(self, node: ast.Call) -> set[str]:
        """Return what an import by name, or ``getattr``, gives."""
        functions, arguments = self.qualify(node.func), node.args
        found: set[str] = set()
        if arguments and functions & _IMPORTING:
            found |= set(self.constants.texts(arguments[0]))
        if len(arguments) > 1 and "builtins.getattr" in functions:
            names = self.constants.texts(arguments[1])
            found |= {f"{one}.{name}" for one in self.qualify(arguments[0]) for name in names}
        return found

    def _values(self, name: str) -> tuple[Any, ...]:
        if name in self._worth:
            return self._worth[name]
        if ("v", name) in self._open or len(self._open) > MAX_DEPTH:
            return ()
        self._open.add(("v", name))
        try:
            found = [value for node in self.bound_to(name)[:MAX_VALUES] for value in self.constants.values(node)]
            for node in self._elements.get(name, ())[:MAX_VALUES]:
                found += [element for whole in self.constants.values(node) for element in _elements_of(whole)]
            self._worth[name] = tuple(found[:MAX_VALUES])
            return self._worth[name]
        finally:
            self._open.discard(("v", name))

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
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
                    if isinstance(target, ast.Name):
                        self._expressions[f".{target.id}"].append(statement.value)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._own.add(node.name)
        positional = [*node.args.posonlyargs, *node.args.args]
        defaults = node.args.defaults
        for parameter, default in zip(positional[len(positional) - len(defaults) :], defaults, strict=True):
            self._expressions[parameter.arg].append(default)


def _elements_of(whole: Any) -> Iterator[Any]:
    """Yield the elements of a value, and theirs: which of them a name takes is not followed."""
    if isinstance(whole, dict):
        whole = [*whole, *whole.values()]
    for part in whole if isinstance(whole, list | tuple) else ():
        yield from part if isinstance(part, list | tuple) else [part]


#: the method that binds the names of a node
_BINDERS: dict[type[ast.AST], str] = {
    ast.Import: "_import",
    ast.ImportFrom: "_import_from",
    ast.Assign: "_assign",
    ast.AnnAssign: "_assign_one",
    ast.NamedExpr: "_assign_one",
    ast.For: "_loop",
    ast.AsyncFor: "_loop",
    ast.comprehension: "_loop",
    ast.withitem: "_with",
    ast.ClassDef: "_class",
    ast.FunctionDef: "_function",
    ast.AsyncFunctionDef: "_function",
}
#: the method that says what an expression stands for
_QUALIFIERS: dict[type[ast.AST], str] = {
    ast.Name: "_of_name",
    ast.Attribute: "_of_attribute",
    ast.Call: "_of_call",
    ast.IfExp: "_of_choice",
    ast.BoolOp: "_of_choice",
    ast.NamedExpr: "_of_wrapped",
    ast.Await: "_of_wrapped",
    ast.Starred: "_of_wrapped",
}
