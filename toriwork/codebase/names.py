"""What the names of a module stand for: modules under an alias, functions passed around, constants.

One table for the whole module, whatever the scope and order: a name stands for everything that is bound to it anywhere.
Names are looked up when they are asked for, so that a chain of them is followed and a circle is not.
"""

from __future__ import annotations

import ast
import builtins
from collections import defaultdict
from collections.abc import Callable, Iterator
from functools import cached_property
from typing import Any

from toriwork.codebase.constants import MAX_VALUES, ConstantEvaluator
from toriwork.codebase.operations import MAX_SIZE
from toriwork.codebase.source import Nodes
from toriwork.codebase.syntax import Function, elements_of, given_back, joined, last_name, source_of, spells

_BUILTINS = frozenset(dir(builtins))
MAX_DEPTH = 40
#: what these are called with is what they give
_IMPORTING = frozenset({"importlib.import_module", "importlib.__import__", "builtins.__import__", "sys.modules.get"})


class Names:
    """Bindings of one module (or of all cells of a notebook)."""

    def __init__(self, nodes: Nodes, foreign: Callable[[str], tuple[Any, ...]] = lambda _: ()) -> None:
        self.modules: dict[str, set[str]] = defaultdict(set)  #: name -> dotted names that an import gave it
        self.stars: list[str] = []  #: modules of which everything was imported
        self._foreign = foreign  #: values of a dotted name in another module
        self._expressions: dict[str, list[ast.expr]] = defaultdict(list)
        self._elements: dict[str, list[ast.expr]] = defaultdict(list)
        self._grown: dict[str, list[ast.AugAssign]] = defaultdict(list)
        self._own: set[str] = set()  #: functions and classes of the module
        self._functions: dict[str, list[Function]] = defaultdict(list)
        self._open: set[tuple[str, str]] = set()
        self._known: dict[str, set[str]] = {}  # what was found out about a name; without it chains cost their product
        self._settled: dict[str, set[str]] = {}  # the same of names that are asked for by themselves
        self._so_far: dict[str, list[Any]] = {}  # of names that are being found out about
        self._fields: dict[str, list[str]] = {}  #: of the module's own classes
        self._worth: dict[str, tuple[Any, ...]] = {}
        self.folder = ConstantEvaluator(self._values, self.qualify, foreign)
        for kind, rule in _BINDERS.items():
            for node in nodes.get(kind, ()):
                getattr(self, rule)(node)
        for call in nodes.get(ast.Call, ()):
            self._call(call)

    def qualify(self, node: ast.expr | None) -> set[str]:
        """The dotted names that an expression may stand for, such as ``importlib.import_module``."""
        rule = None if node is None else _QUALIFIERS.get(type(node))
        return set() if rule is None else getattr(self, rule)(node)

    def worth(self, name: str) -> tuple[Any, ...]:
        """The known values of a name, of ``.attribute`` or of what ``function()`` gives back."""
        return self._values(name)

    def imported(self) -> Iterator[str]:
        """The dotted names that imports bring."""
        yield from (dotted for found in self.modules.values() for dotted in found)
        yield from self.stars

    @cached_property
    def tops(self) -> frozenset[str]:
        """First parts of those."""
        return frozenset(dotted.split(".")[0] for dotted in self.imported())

    def release(self) -> None:
        """Let go of the trees: the folder and the names know each other, so that only a collection would free them."""
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
        """What the expressions that are bound to a name stand for."""
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
        if node.attr == "__call__":
            return self.qualify(node.value)
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
        if arguments and isinstance(node.func, ast.Call) and "operator.attrgetter" in self.qualify(node.func.func):
            names = [name for argument in node.func.args for name in self.folder.texts(argument)]
            found |= {f"{one}.{name}" for one in self.qualify(arguments[0]) for name in names}
        if isinstance(node.func, ast.Lambda):
            found |= self.qualify(node.func.body)
        end = last_name(node.func)
        return found | self._through(f"{end}()") if end in self._functions else found

    def _of_subscript(self, node: ast.Subscript) -> set[str]:
        found = self._of_table(node.value)
        for name in self.qualify(node.value):
            keys = self.folder.texts(node.slice)
            if name == "sys.modules":
                found |= set(keys)
            elif name == "builtins.globals()":
                found |= set().union(*map(self._names_of, keys))
            elif name.endswith(".__dict__") or name in ("builtins", "ctypes.cdll"):
                found |= {f"{name.removesuffix('.__dict__')}.{key}" for key in keys}
        return found

    def _of_table(self, node: ast.expr) -> set[str]:
        """The functions in a list or mapping: any of them may be meant."""
        name = node.id if isinstance(node, ast.Name) else ""
        if ("t", name) in self._open:
            return set()
        self._open.add(("t", name))
        try:
            found: set[str] = set()
            for whole in self.bound_to(name) if name else [node]:
                if isinstance(whole, ast.Dict | ast.List | ast.Tuple):
                    parts = whole.values if isinstance(whole, ast.Dict) else whole.elts
                    found |= set().union(*map(self.qualify, parts[:MAX_VALUES]))
            return found
        finally:
            self._open.discard(("t", name))

    def _values(self, name: str) -> tuple[Any, ...]:
        if name in self._worth:
            return self._worth[name]
        if ("v", name) in self._open or len(self._open) > MAX_DEPTH:
            return tuple(self._so_far.get(name, ()))  # name = name.lower()
        self._open.add(("v", name))
        found = self._so_far[name] = []
        try:
            for node in self.bound_to(name)[:MAX_VALUES]:
                found += self.folder.values(node)
            for node in self._elements.get(name, ())[:MAX_VALUES]:
                found += [element for whole in self.folder.values(node) for element in elements_of(whole)]
            found += self._from_elsewhere(name)
            self._worth[name] = (*found, *self._grown_values(name, found))[:MAX_VALUES]
            return self._worth[name]
        finally:
            self._open.discard(("v", name))

    def bound_to(self, name: str) -> list[ast.expr]:
        """The expressions that a name stands for; of ``function()`` what it gives back."""
        if name.endswith("()") and name[:-2] in self._functions and name not in self._expressions:
            self._expressions[name] = [given for made in self._functions[name[:-2]] for given in given_back(made)]
        return self._expressions.get(name) or self._expressions.get(f"[{name}]", [])  # globals()["name"] = ...

    def _from_elsewhere(self, name: str) -> Iterator[Any]:
        """Values that other modules of the scanned code give to a name."""
        for dotted in self.modules.get(name, ()):
            yield from self._foreign(dotted)
        for module in self.stars if name.isidentifier() else ():
            yield from self._foreign(joined(module, name))

    def _grown_values(self, name: str, begun: list[Any]) -> Iterator[Any]:
        values = begun[:1]
        for step in self._grown.get(name, ())[:MAX_VALUES]:
            for value in values:
                added = ast.BinOp(left=ast.Constant(value), op=step.op, right=step.value)
                values = list(self.folder.values(added))[:1]
                yield from values
            yield from self._piled_up(step.value, begun)

    def _piled_up(self, piece: ast.expr, begun: list[Any]) -> Iterator[str]:
        """``for piece in pieces: text += piece``."""
        for over in self._elements.get(piece.id, ()) if isinstance(piece, ast.Name) else ():
            for whole in self.folder.values(over)[:1]:
                pieces = (
                    [part for part in whole if isinstance(part, str)] if isinstance(whole, list | tuple | str) else []
                )
                if pieces and isinstance(next(iter(begun), ""), str) and sum(map(len, pieces)) <= MAX_SIZE:
                    yield "".join([*begun[:1], *pieces])

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
            if isinstance(value, ast.Lambda):
                self._functions[target.id].append(value)
        elif isinstance(target, ast.Attribute):
            self._expressions[f".{target.attr}"].append(value)
        elif isinstance(target, ast.Subscript):
            if isinstance(target.slice, ast.Constant) and isinstance(target.slice.value, str):
                self._expressions[f"[{target.slice.value}]"].append(value)
        elif isinstance(target, ast.Tuple | ast.List):
            starred = any(isinstance(part, ast.Starred) for part in target.elts)
            if isinstance(value, ast.Tuple | ast.List) and len(value.elts) == len(target.elts) and not starred:
                for one, other in zip(target.elts, value.elts, strict=True):
                    self._bind(one, other)
            else:
                self._bind_elements(target, value)

    def _bind_elements(self, target: ast.expr, over: ast.expr) -> None:
        if isinstance(target, ast.Name):
            self._elements[target.id].append(over)
        elif isinstance(target, ast.Tuple | ast.List):
            for place, part in enumerate(target.elts):
                if isinstance(part, ast.Starred):
                    self._bind(part.value, ast.Subscript(over, ast.Slice(ast.Constant(place)), ast.Load()))
                else:
                    self._bind_elements(part, over)

    def _class(self, node: ast.ClassDef) -> None:
        self._own.add(node.name)
        self._describe(node)
        self._fields[node.name] = []
        for statement in node.body:
            if isinstance(statement, ast.FunctionDef) and statement.name == "__init__":
                self._functions[node.name].append(statement)
            elif isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                self._fields[node.name].append(statement.target.id)
            if isinstance(statement, ast.Assign | ast.AnnAssign) and statement.value is not None:
                for target in statement.targets if isinstance(statement, ast.Assign) else [statement.target]:
                    if isinstance(target, ast.Name):
                        self._expressions[f".{target.id}"].append(statement.value)

    def _describe(self, node: ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        """``name.__name__`` and ``name.__doc__``."""
        self._expressions[f"{node.name}.__name__"].append(ast.Constant(node.name))
        first = node.body[0]
        if isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant):
            self._expressions[f"{node.name}.__doc__"].append(first.value)

    def _function(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        self._own.add(node.name)
        self._functions[node.name].append(node)
        self._describe(node)
        self._defaults(node)

    def _defaults(self, node: Function) -> None:
        positional = [*node.args.posonlyargs, *node.args.args]
        defaults = node.args.defaults
        for parameter, default in zip(positional[len(positional) - len(defaults) :], defaults, strict=True):
            self._expressions[parameter.arg].append(default)
        for parameter, given in zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True):
            if given is not None:
                self._expressions[parameter.arg].append(given)

    def _call(self, node: ast.Call) -> None:
        """What a call binds: parameters of the module's own functions, attributes, options of a command line."""
        end = last_name(node.func)
        for called in self._functions.get(end, ()):
            of_class = isinstance(called, ast.FunctionDef) and called.name == "__init__"
            self._bind_call(node, called, method=of_class or isinstance(node.func, ast.Attribute))
        if end in self._fields or "types.SimpleNamespace" in self.modules.get(end, ()) or end == "SimpleNamespace":
            for name, value in zip(self._fields.get(end, ()), node.args, strict=False):
                self._expressions[f".{name}"].append(value)
            for keyword in node.keywords:
                self._expressions[f".{keyword.arg}"].append(keyword.value)
        if end == "setattr" and len(node.args) == 3 and spells(node.args[1]):
            self._expressions[f".{ast.literal_eval(node.args[1])}"].append(node.args[2])
        elif end in ("add_argument", "add_option", "option"):
            given = {keyword.arg: keyword.value for keyword in node.keywords}
            dest = given.get("dest") or next((flag for flag in node.args if spells(flag, "--")), None)
            if "default" in given and isinstance(dest, ast.Constant):
                name = str(dest.value).lstrip("-").replace("-", "_")
                self._expressions[f".{name}"].append(given["default"])
                self._expressions[name].append(given["default"])

    def _bind_call(self, node: ast.Call, called: Function, *, method: bool) -> None:
        parameters = [parameter.arg for parameter in (*called.args.posonlyargs, *called.args.args)]
        if method and parameters[:1] in (["self"], ["cls"]):
            parameters = parameters[1:]
        for name, value in zip(parameters, node.args, strict=False):
            self._expressions[name].append(value)
        if called.args.vararg:
            self._expressions[called.args.vararg.arg].append(ast.List(node.args[len(parameters) :], ast.Load()))
        named = [keyword for keyword in node.keywords if keyword.arg]
        for keyword in named:
            self._expressions[str(keyword.arg)].append(keyword.value)
        if called.args.kwarg:
            keys: list[ast.expr | None] = [ast.Constant(keyword.arg) for keyword in named]
            self._expressions[called.args.kwarg.arg].append(ast.Dict(keys, [keyword.value for keyword in named]))


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
