"""Values of constant expressions, found without running it: texts, lists, sums, joins and formats, each bounded.

What is not listed here, fails, or would make something large is worth nothing known.
"""

from __future__ import annotations

import ast
import operator
import re
from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice, product
from string import Formatter
from typing import Any

from toriwork.codebase.time_limit import check_time

MAX_VALUES = 24  #: that one expression may have
MAX_SIZE = 100_000  #: characters, or elements, of anything that is made
MAX_DEPTH = 60  #: of names that lead to names
MAX_STEPS = 20_000  #: that one question may take

_FAILURES = (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, MemoryError, RecursionError)
#: methods of str and bytes that make something of at most the size of what they are given
_METHODS = frozenset(
    "lower upper title capitalize strip lstrip rstrip removeprefix removesuffix split rsplit decode encode".split()
)
_CONVERSIONS: dict[int, Callable[[Any], Any]] = {-1: lambda value: value, 115: str, 114: repr, 97: ascii}
#: calls that give a default where an environment has nothing: place of the default
_DEFAULTS = {"os.getenv": 1, "os.environ.get": 1, "builtins.getattr": 2}


def as_text(value: Any) -> str | None:
    """Return a text, or the text that bytes spell; None for anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


def _added(one: Any, other: Any) -> Any:
    if isinstance(one, str | bytes | list | tuple) and len(one) + len(other) > MAX_SIZE:
        raise ValueError("too large")
    return operator.add(one, other)


def _percent(text: Any, given: Any) -> Any:
    if not isinstance(text, str):
        raise TypeError("arithmetic is not followed")
    if "*" in _checked(text):
        raise ValueError("a width that is given as an argument")
    if text.count("%") * _size(given) > MAX_SIZE:
        raise ValueError("too large")
    return text % (tuple(given) if isinstance(given, tuple) else given)


def _format(text: Any, *given: Any, **named: Any) -> str:
    fields = list(Formatter().parse(_checked(text)))
    if any("{" in (spec or "") or "." in (name or "") for _, name, spec, _ in fields):
        raise ValueError("a width that is given as an argument, or an attribute")
    if len(fields) * _size([given, named]) > MAX_SIZE:
        raise ValueError("too large")
    return str(text.format(*given, **named))


def _checked(spec: Any) -> str:
    """Return a format specification that makes nothing wide. Raises ValueError."""
    if re.search(r"\d{5}", spec):
        raise ValueError("too wide")
    return str(spec)


def _size(value: Any) -> int:
    """Return about how long a value is when it is printed, counted no further than ``MAX_SIZE``."""
    if isinstance(value, str | bytes):
        return len(value)
    size = 1
    parts = (*value, *value.values()) if isinstance(value, dict) else value
    for part in parts if isinstance(value, list | tuple | set | dict) else ():
        size += 1 + _size(part)
        if size > MAX_SIZE:
            break
    return size


def _join(glue: Any, parts: Any) -> Any:
    parts = list(islice(parts, MAX_SIZE))
    if len(glue) * len(parts) + sum(map(len, parts)) > MAX_SIZE:
        raise ValueError("too large")
    return glue.join(parts)


def _replace(text: Any, old: Any, new: Any, *count: int) -> Any:
    if (len(text) + 1) * (len(new) + 1) > MAX_SIZE * 10:
        raise ValueError("too large")
    return text.replace(old, new, *count)


_SPECIAL: dict[str, Callable[..., Any]] = {"join": _join, "replace": _replace, "format": _format}
_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "builtins.str": str,
    "builtins.list": list,
    "builtins.tuple": tuple,
    "shutil.which": lambda program, *_: program,
}
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _added,
    ast.Mod: _percent,
}


class ConstantEvaluator:
    """Values of expressions.

    ``look_up`` gives those of a name or of ``.attribute``, ``qualify`` the dotted names of an expression.
    """

    def __init__(
        self,
        look_up: Callable[[str], tuple[Any, ...]] = lambda _: (),
        qualify: Callable[[ast.expr], set[str]] | None = None,
    ) -> None:
        self._look_up = look_up
        self._qualify = qualify or _builtin
        self._depth = self._steps = 0

    def values(self, node: ast.expr | None) -> tuple[Any, ...]:
        """Return every value that an expression is known to may have; empty when none is known."""
        if isinstance(node, ast.Constant):
            return (node.value,)
        rule = None if node is None else _RULES.get(type(node))
        if node is None or rule is None or self._depth > MAX_DEPTH:
            return ()
        self._steps = self._steps + 1 if self._depth else 0
        if self._steps > MAX_STEPS:
            return ()
        check_time()
        self._depth += 1
        try:
            return _small(rule(self, node))
        except _FAILURES:
            return ()  # the expression would fail as well, or does what is not followed
        finally:
            self._depth -= 1

    def texts(self, node: ast.expr | None) -> list[str]:
        """Return the values that are text; bytes count as the text they spell."""
        return [text for value in self.values(node) if (text := as_text(value)) is not None]

    def shape(self, node: ast.expr) -> str:
        """Return the text of an expression with ``…`` where a part is not known."""
        try:
            return self._shape(node)
        except RecursionError:
            return "…"

    def _shape(self, node: ast.expr) -> str:
        known = self.texts(node)
        if known:
            return known[0]
        if isinstance(node, ast.JoinedStr):
            parts = [part.value if isinstance(part, ast.FormattedValue) else part for part in node.values]
            return "".join(map(self.shape, parts))
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
            return self.shape(node.left) + self.shape(node.right)
        if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mod):
            return re.sub(r"%[-#0 +]*+(\(\w*\))?+[\d.*]*+[a-zA-Z]", "…", self.shape(node.left))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "format":
            return re.sub(r"\{[^{}]*\}", "…", self.shape(node.func.value))
        return "…"

    def name(self, node: ast.Name) -> tuple[Any, ...]:
        return self._look_up(node.id)

    def attribute(self, node: ast.Attribute) -> tuple[Any, ...]:
        if self._qualify(node) == {"sys.executable"}:
            return ("python",)
        found = self._look_up(f".{node.attr}")
        return found or (self.values(node.value) if node.attr == "value" else ())  # of a member of an enumeration

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
            made = [_added(done, more) for done, more in islice(product(made, self.values(part)), MAX_VALUES)]
        return tuple(made)

    def formatted(self, node: ast.FormattedValue) -> tuple[Any, ...]:
        convert = _CONVERSIONS[node.conversion]
        specs = self.values(node.format_spec) if node.format_spec else ("",)
        pairs = product(self.values(node.value), specs)
        return tuple(format(convert(value), _checked(spec)) for value, spec in pairs)

    def binary(self, node: ast.BinOp) -> tuple[Any, ...]:
        apply = _OPERATORS[type(node.op)]
        pairs = islice(product(self.values(node.left), self.values(node.right)), MAX_VALUES)
        return tuple(apply(one, other) for one, other in pairs)

    def unary(self, node: ast.UnaryOp) -> tuple[Any, ...]:
        return tuple(-value for value in self.values(node.operand)) if isinstance(node.op, ast.USub) else ()

    def either(self, node: ast.IfExp | ast.BoolOp) -> tuple[Any, ...]:
        options = (node.body, node.orelse) if isinstance(node, ast.IfExp) else node.values
        return tuple(value for option in options for value in self.values(option))

    def subscript(self, node: ast.Subscript) -> tuple[Any, ...]:
        wholes = self.values(node.value)
        if isinstance(node.slice, ast.Slice):
            bounds = (node.slice.lower, node.slice.upper, node.slice.step)
            ends = [self.values(end) if end else (None,) for end in bounds]
            return tuple(whole[slice(*bounds)] for whole in wholes for bounds in product(*ends))
        keys = self.values(node.slice)
        if not keys:  # which one is not known: any of them
            return tuple(v for whole in wholes for v in (whole.values() if isinstance(whole, dict) else whole))
        return tuple(value for whole, key in product(wholes, keys) for value in _at(whole, key))

    def called(self, node: ast.Call) -> tuple[Any, ...]:
        names = self._qualify(node.func)
        for name, place in _DEFAULTS.items():
            if name in names:
                given = [*node.args[place : place + 1], *(k.value for k in node.keywords if k.arg == "default")]
                return tuple(value for argument in given for value in self.values(argument))
        function = next((_FUNCTIONS[name] for name in names if name in _FUNCTIONS), None)
        if function is not None:
            return self._applied(function, node)
        if not isinstance(node.func, ast.Attribute):
            return ()
        end = node.func.attr
        found: list[Any] = []
        for whole in self.values(node.func.value):
            if isinstance(whole, dict) and end == "get" and node.args:
                found += [whole[key] for key in self.values(node.args[0]) if key in whole]
            elif isinstance(whole, str | bytes) and end in _SPECIAL:
                found += self._applied(partial(_SPECIAL[end], whole), node)
            elif isinstance(whole, str | bytes) and end in _METHODS:
                found += self._applied(getattr(whole, end), node)
        return tuple(found)

    def _applied(self, function: Callable[..., Any], node: ast.Call) -> tuple[Any, ...]:
        positions = self.sequence(ast.List(elts=node.args))
        named = [[(str(keyword.arg), value) for value in self.values(keyword.value)] for keyword in node.keywords]
        return tuple(
            function(*given, **dict(more))
            for given, more in islice(product(positions, list(product(*named))), MAX_VALUES)
        )


def _at(whole: Any, key: Any) -> Iterator[Any]:
    """Yield the element under a key, if there is one."""
    try:
        yield whole[key]
    except LookupError:
        return


def _builtin(node: ast.expr) -> set[str]:
    return {f"builtins.{node.id}"} if isinstance(node, ast.Name) else set()


def _small(values: tuple[Any, ...]) -> tuple[Any, ...]:
    kept: list[Any] = []
    for value in values[:MAX_VALUES]:
        known = any(type(value) is type(other) and value == other for other in kept)
        if not known and _size(value) <= MAX_SIZE:
            kept.append(value)
    return tuple(kept)


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
    ast.Call: ConstantEvaluator.called,
}
