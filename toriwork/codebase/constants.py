"""What a constant expression is worth, found without running it: a few operations, each bounded.

An operation that is not listed, fails, or would make something large is worth nothing known.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import partial, reduce
from itertools import islice, product
from pathlib import PurePosixPath
from typing import Any

from toriwork.codebase.operations import (
    CHOOSERS,
    CONVERSIONS,
    FAILURES,
    FUNCTIONS,
    MAX_SIZE,
    METHODS,
    OPERATORS,
    SPECIAL,
    added,
    as_text,
    checked_spec,
)

MAX_VALUES = 24  #: that one expression may have
MAX_DEPTH = 60  #: of names that lead to names
MAX_STEPS = 20_000  #: that one question may take


class ConstantEvaluator:
    """Values of expressions.

    ``look_up`` gives those of a name, of ``.attribute``, of ``[key]`` and of what ``function()`` gives back,
    ``qualify`` the dotted names of an expression, ``foreign`` the values of a dotted name in another module.
    """

    def __init__(
        self,
        look_up: Callable[[str], tuple[Any, ...]] = lambda _: (),
        qualify: Callable[[ast.expr], set[str]] | None = None,
        foreign: Callable[[str], tuple[Any, ...]] = lambda _: (),
    ) -> None:
        self._look_up = look_up
        self._qualify = qualify or _builtin
        self._foreign = foreign
        self._bound: list[Mapping[str, Any]] = []
        self._depth = 0
        self._steps = 0

    def values(self, node: ast.expr | None) -> tuple[Any, ...]:
        """Every value that an expression is known to may have; empty when none is known."""
        if isinstance(node, ast.Constant):
            return (node.value,)
        rule = None if node is None else _RULES.get(type(node))
        if node is None or rule is None or self._depth > MAX_DEPTH:
            return ()
        self._steps = self._steps + 1 if self._depth else 0
        if self._steps > MAX_STEPS:
            return ()
        self._depth += 1
        try:
            return _small(rule(self, node))
        except FAILURES:
            return ()  # the expression would fail as well, or does what is not followed
        finally:
            self._depth -= 1

    def texts(self, node: ast.expr | None) -> list[str]:
        """The values that are text; bytes count as the text they spell."""
        return [text for value in self.values(node) if (text := as_text(value)) is not None]

    def shape(self, node: ast.expr) -> str:
        """The text of an expression with ``…`` where a part is not known."""
        known = self.texts(node)
        if known:
            return known[0]
        if isinstance(node, ast.JoinedStr):
            parts = [p.value if isinstance(p, ast.FormattedValue) else p for p in node.values]
            return "".join(map(self.shape, parts))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.shape(node.left) + self.shape(node.right)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            return re.sub(r"%[-#0 +]*(\(\w*\))?[\d.*]*[a-zA-Z]", "…", self.shape(node.left))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            return re.sub(r"\{[^{}]*\}", "…", self.shape(node.func.value))
        return "…"

    def name(self, node: ast.Name) -> tuple[Any, ...]:
        for scope in reversed(self._bound):
            if node.id in scope:
                return (scope[node.id],)
        return self._look_up(node.id)

    def attribute(self, node: ast.Attribute) -> tuple[Any, ...]:
        names = self._qualify(node)
        if names == {"sys.executable"}:
            return ("python",)
        found = [*self._look_up(f".{node.attr}"), *(value for name in names for value in self._foreign(name))]
        if node.attr == "value":  # of a member of an enumeration
            found += self.values(node.value)
        elif node.attr in ("stem", "name"):
            found += [getattr(PurePosixPath(text), node.attr) for text in self.texts(node.value)]
        elif node.attr in ("__name__", "__doc__") and isinstance(node.value, ast.Name):
            found += self._look_up(f"{node.value.id}.{node.attr}")
        return tuple(found)

    def sequence(self, node: ast.List | ast.Tuple | ast.Set) -> tuple[Any, ...]:
        made: list[tuple[Any, ...]] = [()]
        for element in node.elts:
            if isinstance(element, ast.Starred):
                options = [tuple(value) for value in self.values(element.value)]
            else:
                options = [(value,) for value in self.values(element)]
            made = [done + more for done, more in islice(product(made, options), MAX_VALUES)]
        return tuple(map(tuple if isinstance(node, ast.Tuple) else list, made))

    def mapping(self, node: ast.Dict) -> tuple[Any, ...]:
        pairs = zip(node.keys, node.values, strict=True)
        known = {one: other for key, value in pairs for one in self.values(key) for other in self.values(value)}
        return (known,) if known else ()

    def joined(self, node: ast.JoinedStr) -> tuple[Any, ...]:
        made = [""]
        for part in node.values:
            made = [added(done, more) for done, more in islice(product(made, self.values(part)), MAX_VALUES)]
        return tuple(made)

    def formatted(self, node: ast.FormattedValue) -> tuple[Any, ...]:
        convert = CONVERSIONS[node.conversion]
        specs = self.values(node.format_spec) if node.format_spec else ("",)
        return tuple(
            format(convert(value), checked_spec(spec)) for value, spec in product(self.values(node.value), specs)
        )

    def binary(self, node: ast.BinOp) -> tuple[Any, ...]:
        apply = OPERATORS[type(node.op)]
        pairs = islice(product(self.values(node.left), self.values(node.right)), MAX_VALUES)
        return tuple(apply(one, other) for one, other in pairs)

    def unary(self, node: ast.UnaryOp) -> tuple[Any, ...]:
        if not isinstance(node.op, ast.USub):
            return ()
        return tuple(-value for value in self.values(node.operand))

    def either(self, node: ast.IfExp | ast.BoolOp) -> tuple[Any, ...]:
        options = (node.body, node.orelse) if isinstance(node, ast.IfExp) else node.values
        return tuple(value for option in options for value in self.values(option))

    def subscript(self, node: ast.Subscript) -> tuple[Any, ...]:
        wholes = self.values(node.value)
        if isinstance(node.slice, ast.Slice):
            ends = [
                self.values(end) if end else (None,) for end in (node.slice.lower, node.slice.upper, node.slice.step)
            ]
            keys: tuple[Any, ...] = tuple(slice(*bounds) for bounds in product(*ends))
        else:
            keys = self.values(node.slice)
        if not keys:  # which one is not known: any of them
            return tuple(v for whole in wholes for v in _elements(whole))
        found = [value for whole, key in product(wholes, keys) for value in _at(whole, key)]
        return (*found, *(value for key in keys if isinstance(key, str) for value in self._look_up(f"[{key}]")))

    def comprehension(self, node: ast.GeneratorExp | ast.ListComp | ast.SetComp) -> tuple[Any, ...]:
        if len(node.generators) != 1 or node.generators[0].ifs or not isinstance(node.generators[0].target, ast.Name):
            return ()
        name, made = node.generators[0].target.id, []
        for whole in self.values(node.generators[0].iter)[:1]:
            for value in islice(whole, MAX_SIZE):
                self._bound.append({name: value})
                try:
                    (one,) = self.values(node.elt)
                finally:
                    self._bound.pop()
                made.append(one)
        return (made,) if made else ()

    def called(self, node: ast.Call) -> tuple[Any, ...]:
        names = self._qualify(node.func)
        special = next((rule for name, rule in _CALLS.items() if name in names), None)
        if special is not None:
            return special(self, node)
        if names & CHOOSERS:
            return tuple(value for whole in self.values(node.args[0]) for value in _elements(whole))
        function = next((FUNCTIONS[name] for name in names if name in FUNCTIONS), None)
        if function is not None:
            return self._applied(function, node)
        if isinstance(node.func, ast.Lambda):
            return self._inside(node.func, [value for argument in node.args for value in self.values(argument)[:1]])
        elsewhere = [value for name in names for value in self._foreign(f"{name}()")]
        if not isinstance(node.func, ast.Attribute):
            return (*elsewhere, *(self._look_up(f"{node.func.id}()") if isinstance(node.func, ast.Name) else ()))
        end = node.func.attr
        found = [v for whole in self.values(node.func.value) for v in self._method(whole, end, node)]
        if not found and end in _GETTERS and node.args:
            found = [value for key in self.texts(node.args[0]) for value in self._look_up(f"[{key}]")]
            found += self._default(node)
        return (*found, *elsewhere, *self._look_up(f"{end}()"))

    def _default(self, node: ast.Call) -> tuple[Any, ...]:
        """What a call such as ``os.getenv("X", "y")`` gives when there is nothing else."""
        given = [*node.args[1:2], *(keyword.value for keyword in node.keywords if keyword.arg == "default")]
        return tuple(value for argument in given for value in self.values(argument))

    def of_environment(self, node: ast.Call) -> tuple[Any, ...]:
        stored = [value for key in self.texts(node.args[0]) for value in self._look_up(f"[{key}]")]
        return (*stored, *self._default(node))

    def got(self, node: ast.Call) -> tuple[Any, ...]:
        """``getattr(thing, "name", default)``."""
        named = [value for text in self.texts(node.args[1]) for value in self._look_up(f".{text}")]
        return (*named, *(value for argument in node.args[2:] for value in self.values(argument)))

    def field(self, node: ast.Call) -> tuple[Any, ...]:
        """``field(default=...)``: the value that an attribute has at first."""
        given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "default")]
        return tuple(value for argument in given for value in self.values(argument))

    def mapped(self, node: ast.Call) -> tuple[Any, ...]:
        function, over = node.args
        known = self._function(function)
        if known is None:
            return ()
        return tuple([known(value) for value in islice(whole, MAX_SIZE)] for whole in self.values(over))

    def reduced(self, node: ast.Call) -> tuple[Any, ...]:
        known = self._function(node.args[0])
        if known is None:
            return ()
        begun = [value for argument in node.args[2:3] for value in self.values(argument)[:1]]
        return tuple(reduce(known, [*begun, *islice(whole, MAX_VALUES)]) for whole in self.values(node.args[1]))

    def _function(self, node: ast.expr) -> Callable[..., Any] | None:
        """Something that can be applied, for a function that is handed on."""
        if isinstance(node, ast.Lambda):
            return lambda *given: _only(self._inside(node, given))
        return next((FUNCTIONS[name] for name in self._qualify(node) if name in FUNCTIONS), None)

    def _inside(self, node: ast.Lambda, given: Sequence[Any]) -> tuple[Any, ...]:
        """What a lambda gives for some arguments."""
        self._bound.append(dict(zip((parameter.arg for parameter in node.args.args), given, strict=False)))
        try:
            return self.values(node.body)
        finally:
            self._bound.pop()

    def _method(self, whole: Any, name: str, node: ast.Call) -> tuple[Any, ...]:
        if isinstance(whole, dict):
            return self._of_mapping(whole, name, node)
        if isinstance(whole, list | tuple):
            return tuple(whole) if name == "pop" else (whole,) if name == "copy" else ()
        if isinstance(whole, str | bytes) and name in METHODS:
            return self._applied(getattr(whole, name), node)
        special = SPECIAL.get(name) if isinstance(whole, str | bytes | int) else None
        return () if special is None else self._applied(partial(special, whole), node)

    def _of_mapping(self, whole: dict[Any, Any], name: str, node: ast.Call) -> tuple[Any, ...]:
        if name in _GETTERS and node.args:
            return tuple(whole[key] for key in self.values(node.args[0]) if key in whole)
        if name in ("values", "items", "keys"):
            return ([*getattr(whole, name)()],)
        return ()

    def _applied(self, function: Callable[..., Any], node: ast.Call) -> tuple[Any, ...]:
        positions = self.sequence(ast.List(elts=node.args))
        named = [
            [value if keyword.arg is None else {keyword.arg: value} for value in self.values(keyword.value)]
            for keyword in node.keywords
        ]
        return tuple(
            function(*given, **{str(name): value for part in more for name, value in part.items()})
            for given, more in islice(product(positions, list(product(*named))), MAX_VALUES)
        )


#: methods that give what a mapping has under a key
_GETTERS = frozenset({"get", "pop", "setdefault"})


def _elements(whole: Any) -> Iterable[Any]:
    return whole.values() if isinstance(whole, dict) else whole


def _at(whole: Any, key: Any) -> Iterator[Any]:
    """The element under a key, if there is one."""
    with suppress(LookupError):
        yield whole[key]


def _only(values: tuple[Any, ...]) -> Any:
    (value,) = values
    return value


def _builtin(node: ast.expr) -> set[str]:
    if isinstance(node, ast.Attribute):
        return {f"{name}.{node.attr}" for name in _builtin(node.value)}
    return {f"builtins.{node.id}"} if isinstance(node, ast.Name) else set()


def _small(values: tuple[Any, ...]) -> tuple[Any, ...]:
    kept: list[Any] = []
    for value in values[:MAX_VALUES]:
        if not (hasattr(value, "__len__") and len(value) > MAX_SIZE) and not _known(value, kept):
            kept.append(value)
    return tuple(kept)


def _known(value: Any, kept: list[Any]) -> bool:
    return any(type(value) is type(other) and value == other for other in kept)


#: calls whose arguments are not simply evaluated
_CALLS: dict[str, Callable[[ConstantEvaluator, ast.Call], tuple[Any, ...]]] = {
    "builtins.map": ConstantEvaluator.mapped,
    "functools.reduce": ConstantEvaluator.reduced,
    "builtins.getattr": ConstantEvaluator.got,
    "os.getenv": ConstantEvaluator.of_environment,
    "os.environ.get": ConstantEvaluator.of_environment,
    **dict.fromkeys(
        ("dataclasses.field", "attr.ib", "attr.attrib", "attr.field", "attrs.field", "pydantic.Field"),
        ConstantEvaluator.field,
    ),
}
_RULES: dict[type[ast.expr], Callable[[ConstantEvaluator, Any], tuple[Any, ...]]] = {
    ast.Name: ConstantEvaluator.name,
    ast.Attribute: ConstantEvaluator.attribute,
    ast.List: ConstantEvaluator.sequence,
    ast.Tuple: ConstantEvaluator.sequence,
    ast.Set: ConstantEvaluator.sequence,
    ast.Dict: ConstantEvaluator.mapping,
    ast.JoinedStr: ConstantEvaluator.joined,
    ast.FormattedValue: ConstantEvaluator.formatted,
    ast.BinOp: ConstantEvaluator.binary,
    ast.UnaryOp: ConstantEvaluator.unary,
    ast.IfExp: ConstantEvaluator.either,
    ast.BoolOp: ConstantEvaluator.either,
    ast.Subscript: ConstantEvaluator.subscript,
    ast.GeneratorExp: ConstantEvaluator.comprehension,
    ast.ListComp: ConstantEvaluator.comprehension,
    ast.SetComp: ConstantEvaluator.comprehension,
    ast.Call: ConstantEvaluator.called,
    ast.NamedExpr: lambda folder, node: folder.values(node.value),
    ast.Await: lambda folder, node: folder.values(node.value),
}
