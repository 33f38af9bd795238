"""What a constant expression is worth, found without running it: a few operations, each bounded.

An operation that is not listed, fails, or would make something large is worth nothing known.
"""

from __future__ import annotations

import ast
import base64
import binascii
import codecs
import operator
import posixpath
import re
import shlex
import textwrap
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from itertools import islice, product
from typing import Any

MAX_SIZE = 100_000  #: characters, or elements, of anything that is made
MAX_VALUES = 24  #: that one expression may have
MAX_DEPTH = 60  #: of names that lead to names
MAX_STEPS = 20_000  #: that one question may take

#: methods of str and bytes that make something of at most the size of what they are given
_METHODS = frozenset(
    "lower upper title swapcase capitalize casefold strip lstrip rstrip removeprefix removesuffix split rsplit "
    "splitlines partition rpartition decode encode hex".split()
)
_SAFE_CODECS = frozenset("rot13 rot_13 hex hex_codec base64 base64_codec utf-8 utf8 ascii latin-1 latin1".split())


def _inflate(data: bytes) -> bytes:
    return zlib.decompressobj().decompress(data, MAX_SIZE)


def _codec(convert: Callable[[Any, str], Any]) -> Callable[..., Any]:
    def checked(text: Any, encoding: str = "utf-8") -> Any:
        if encoding.lower() not in _SAFE_CODECS:
            raise ValueError(encoding)
        return convert(text, encoding)

    return checked


def _bytes(given: Any = b"", *rest: str) -> bytes:
    if isinstance(given, int):
        raise TypeError("a number of zeros spells nothing")
    return bytes(given, *rest)


def _range(*bounds: int) -> list[int]:
    return list(islice(range(*bounds), MAX_SIZE))


#: functions by their dotted name
FUNCTIONS: dict[str, Callable[..., Any]] = {
    "builtins.chr": chr,
    "builtins.ord": ord,
    "builtins.str": str,
    "builtins.bytes": _bytes,
    "builtins.bytearray": _bytes,
    "builtins.int": int,
    "builtins.list": list,
    "builtins.tuple": tuple,
    "builtins.reversed": lambda given: list(reversed(given)),
    "builtins.sorted": sorted,
    "builtins.range": _range,
    "builtins.bytes.fromhex": bytes.fromhex,
    "builtins.bytearray.fromhex": bytes.fromhex,
    "base64.b64decode": base64.b64decode,
    "base64.standard_b64decode": base64.b64decode,
    "base64.urlsafe_b64decode": base64.urlsafe_b64decode,
    "base64.b32decode": base64.b32decode,
    "base64.b16decode": base64.b16decode,
    "base64.b85decode": base64.b85decode,
    "base64.a85decode": base64.a85decode,
    "base64.decodebytes": base64.decodebytes,
    "binascii.unhexlify": binascii.unhexlify,
    "binascii.a2b_hex": binascii.a2b_hex,
    "binascii.a2b_base64": binascii.a2b_base64,
    "codecs.decode": _codec(codecs.decode),
    "codecs.encode": _codec(codecs.encode),
    "zlib.decompress": _inflate,
    "shlex.split": shlex.split,
    "shutil.which": lambda program, *_: program,
    "os.path.join": posixpath.join,
    "posixpath.join": posixpath.join,
    "pathlib.Path": posixpath.join,
    "textwrap.dedent": textwrap.dedent,
}


class Folder:
    """Values of expressions; ``look_up`` gives those of a name, ``qualify`` the dotted names of a function."""

    def __init__(
        self,
        look_up: Callable[[str], tuple[Any, ...]] = lambda _: (),
        qualify: Callable[[ast.expr], set[str]] | None = None,
    ) -> None:
        self._look_up = look_up
        self._qualify = qualify or _builtin
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
        except (TypeError, ValueError, LookupError, ArithmeticError, AttributeError, MemoryError, zlib.error):
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
        if self._qualify(node) == {"sys.executable"}:
            return ("python",)
        return self._look_up(f".{node.attr}")

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
            made = [_sum(done, more) for done, more in islice(product(made, self.values(part)), MAX_VALUES)]
        return tuple(made)

    def formatted(self, node: ast.FormattedValue) -> tuple[Any, ...]:
        convert = _CONVERSIONS[node.conversion]
        specs = self.values(node.format_spec) if node.format_spec else ("",)
        return tuple(format(convert(value), _spec(spec)) for value, spec in product(self.values(node.value), specs))

    def binary(self, node: ast.BinOp) -> tuple[Any, ...]:
        apply = _OPERATORS[type(node.op)]
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
            return tuple(v for whole in wholes for v in (whole.values() if isinstance(whole, dict) else whole))
        return tuple(whole[key] for whole, key in product(wholes, keys))

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
        if any(keyword.arg is None for keyword in node.keywords):
            return ()
        names = self._qualify(node.func)
        if "builtins.map" in names and len(node.args) == 2:
            return self._mapped(*node.args)
        function = next((FUNCTIONS[name] for name in names if name in FUNCTIONS), None)
        if function is not None:
            return self._applied(function, node)
        if isinstance(node.func, ast.Attribute):
            return tuple(v for whole in self.values(node.func.value) for v in self._method(whole, node.func.attr, node))
        return ()

    def _mapped(self, function: ast.expr, over: ast.expr) -> tuple[Any, ...]:
        known = next((FUNCTIONS[name] for name in self._qualify(function) if name in FUNCTIONS), None)
        if known is None:
            return ()
        return tuple([known(value) for value in islice(whole, MAX_SIZE)] for whole in self.values(over))

    def _method(self, whole: Any, name: str, node: ast.Call) -> tuple[Any, ...]:
        if isinstance(whole, dict) and name in ("get", "pop", "setdefault") and node.args:
            return tuple(whole[key] for key in self.values(node.args[0]) if key in whole)
        if isinstance(whole, dict) and name == "values":
            return (list(whole.values()),)
        if not isinstance(whole, str | bytes):
            return ()
        if name in _METHODS:
            return self._applied(getattr(whole, name), node)
        special = _SPECIAL.get(name)
        return () if special is None else self._applied(partial(special, whole), node)

    def _applied(self, function: Callable[..., Any], node: ast.Call) -> tuple[Any, ...]:
        positions = self.sequence(ast.List(elts=node.args))
        named = [[(keyword.arg, value) for value in self.values(keyword.value)] for keyword in node.keywords]
        return tuple(
            function(*given, **{str(name): value for name, value in more})
            for given, more in islice(product(positions, list(product(*named))), MAX_VALUES)
        )


def as_text(value: Any) -> str | None:
    """A text, or the text that bytes spell; None for anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None


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


def _sum(one: Any, other: Any) -> Any:
    if isinstance(one, str | bytes | list | tuple) and len(one) + len(other) > MAX_SIZE:
        raise ValueError("too large")
    return operator.add(one, other)


def _times(one: Any, other: Any) -> Any:
    for whole, times in ((one, other), (other, one)):
        if hasattr(whole, "__len__") and isinstance(times, int) and len(whole) * max(times, 1) > MAX_SIZE:
            raise ValueError("too large")
    if isinstance(one, int) and isinstance(other, int) and one.bit_length() + other.bit_length() > 4096:
        raise ValueError("too large")
    return operator.mul(one, other)


def _percent(text: Any, given: Any) -> Any:
    if not isinstance(text, str | bytes):
        return operator.mod(text, given)
    _spec(text if isinstance(text, str) else text.decode("latin-1"))
    if b"*" in text if isinstance(text, bytes) else "*" in text:
        raise ValueError("a width that is given as an argument")
    return text % (tuple(given) if isinstance(given, tuple) else given)


def _format(text: Any, *given: Any, **named: Any) -> str:
    _spec(text)
    if re.search(r":[^{}]*\{", text) or "." in "".join(re.findall(r"\{([^{}:!]*)", text)):
        raise ValueError("a width that is given as an argument, or an attribute")
    return str(text.format(*given, **named))


def _spec(spec: Any) -> str:
    if re.search(r"\d{5}", spec):
        raise ValueError("too wide")
    return str(spec)


def _join(glue: Any, parts: Any) -> Any:
    parts = list(islice(parts, MAX_SIZE))
    if len(glue) * len(parts) + sum(map(len, parts)) > MAX_SIZE:
        raise ValueError("too large")
    return glue.join(parts)


def _replace(text: Any, old: Any, new: Any, *count: int) -> Any:
    if (len(text) + 1) * (len(new) + 1) > MAX_SIZE * 10:
        raise ValueError("too large")
    return text.replace(old, new, *count)


FUNCTIONS |= {"operator.add": _sum, "builtins.str.join": _join}
_SPECIAL: dict[str, Callable[..., Any]] = {"join": _join, "replace": _replace, "format": _format}
_CONVERSIONS: dict[int, Callable[[Any], Any]] = {-1: lambda value: value, 115: str, 114: repr, 97: ascii}
_OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: _sum,
    ast.Sub: operator.sub,
    ast.Mult: _times,
    ast.Mod: _percent,
    ast.BitXor: operator.xor,
    ast.FloorDiv: operator.floordiv,
    ast.Div: lambda one, other: f"{one}/{other}" if isinstance(one, str) and isinstance(other, str) else one / other,
}
_RULES: dict[type[ast.expr], Callable[[Folder, Any], tuple[Any, ...]]] = {
    ast.Name: Folder.name,
    ast.Attribute: Folder.attribute,
    ast.List: Folder.sequence,
    ast.Tuple: Folder.sequence,
    ast.Set: Folder.sequence,
    ast.Dict: Folder.mapping,
    ast.JoinedStr: Folder.joined,
    ast.FormattedValue: Folder.formatted,
    ast.BinOp: Folder.binary,
    ast.UnaryOp: Folder.unary,
    ast.IfExp: Folder.either,
    ast.BoolOp: Folder.either,
    ast.Subscript: Folder.subscript,
    ast.GeneratorExp: Folder.comprehension,
    ast.ListComp: Folder.comprehension,
    ast.SetComp: Folder.comprehension,
    ast.Call: Folder.called,
    ast.NamedExpr: lambda folder, node: folder.values(node.value),
    ast.Await: lambda folder, node: folder.values(node.value),
}
