"""Functions and operations that a constant expression may use: each bounded, none with an effect.

An operation that fails or would make something large raises one of ``FAILURES``.
"""

from __future__ import annotations

import ast
import base64
import binascii
import bz2
import codecs
import json
import lzma
import operator
import posixpath
import re
import shlex
import string
import textwrap
import zlib
from collections.abc import Callable
from itertools import islice
from typing import Any
from urllib.parse import unquote

MAX_SIZE = 100_000  #: characters, or elements, of anything that is made
_MAX_LITERAL = 20_000  #: characters of a literal that is read
FAILURES = (
    TypeError,
    ValueError,
    LookupError,
    ArithmeticError,
    AttributeError,
    MemoryError,
    RecursionError,
    SyntaxError,
    EOFError,
    OSError,
    zlib.error,
    lzma.LZMAError,
)
#: methods of str and bytes that make something of at most the size of what they are given
METHODS = frozenset(
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


def _first_of(module: Any, data: bytes) -> bytes:
    return bytes(module.decompress(data, MAX_SIZE))


def _literal(read: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def checked(text: Any) -> Any:
        if len(text) > _MAX_LITERAL:
            raise ValueError("too large")
        return read(text)

    return checked


def _zipped(*given: Any) -> list[Any]:
    return list(islice(zip(*given, strict=False), MAX_SIZE))


def _splitext(path: str) -> tuple[str, str]:
    return posixpath.splitext(path)


def added(one: Any, other: Any) -> Any:
    """A sum, or one text behind another. Raises ValueError when that is large."""
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
    checked_spec(text if isinstance(text, str) else text.decode("latin-1"))
    if b"*" in text if isinstance(text, bytes) else "*" in text:
        raise ValueError("a width that is given as an argument")
    return text % (tuple(given) if isinstance(given, tuple) else given)


def _format(text: Any, *given: Any, **named: Any) -> str:
    checked_spec(text)
    if re.search(r"\{[^{}]*:[^{}]*\{", text) or "." in "".join(re.findall(r"\{([^{}:!]*)", text)):
        raise ValueError("a width that is given as an argument, or an attribute")
    return str(text.format(*given, **named))


def checked_spec(spec: Any) -> str:
    """A format specification that makes nothing wide. Raises ValueError."""
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


def _translate(text: str, table: Any) -> str:
    if isinstance(table, dict) and any(isinstance(to, str) and len(to) > 1 for to in table.values()):
        raise ValueError("may grow")
    return text.translate(table)


def _to_bytes(number: int, length: int = 1, *order: str) -> bytes:
    if length > _MAX_LITERAL:
        raise ValueError("too large")
    return number.to_bytes(length, *order or ("big",))  # type: ignore[arg-type]  # a word that is no order raises


def _substitute(text: str, *given: Any, **named: Any) -> str:
    if sum(len(str(value)) for value in named.values()) * text.count("$") > MAX_SIZE:
        raise ValueError("too large")
    return string.Template(text).safe_substitute(*given, **named)


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
    "builtins.dict": dict,
    "builtins.set": lambda given=(): list(given),
    "builtins.frozenset": lambda given=(): list(given),
    "builtins.zip": _zipped,
    "builtins.enumerate": lambda given, start=0: list(islice(enumerate(given, start), MAX_SIZE)),
    "builtins.iter": list,
    "builtins.repr": repr,
    "itertools.chain": lambda *given: [part for whole in given for part in islice(whole, MAX_SIZE)],
    "builtins.str.maketrans": str.maketrans,
    "ast.literal_eval": _literal(ast.literal_eval),
    "ast.parse": lambda source, *_, **__: source,
    "json.loads": _literal(json.loads),
    "string.Template": str,
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
    "gzip.decompress": lambda data: zlib.decompressobj(31).decompress(data, MAX_SIZE),
    "bz2.decompress": lambda data: _first_of(bz2.BZ2Decompressor(), data),
    "lzma.decompress": lambda data: _first_of(lzma.LZMADecompressor(), data),
    "shlex.split": shlex.split,
    "shutil.which": lambda program, *_: program,
    "os.path.join": posixpath.join,
    "posixpath.join": posixpath.join,
    "os.path.basename": posixpath.basename,
    "os.path.dirname": posixpath.dirname,
    "os.path.splitext": _splitext,
    "pathlib.Path": posixpath.join,
    "pathlib.PurePath": posixpath.join,
    "textwrap.dedent": textwrap.dedent,
    "inspect.cleandoc": textwrap.dedent,
    "urllib.parse.unquote": unquote,
    "operator.add": added,
    "operator.concat": added,
    "operator.getitem": operator.getitem,
    "builtins.str.join": _join,
    "builtins.str.format": _format,
    **{f"builtins.str.{name}": getattr(str, name) for name in METHODS if hasattr(str, name)},
    **{f"builtins.bytes.{name}": getattr(bytes, name) for name in METHODS if hasattr(bytes, name)},
}
#: functions that give one of the elements of what they are given
CHOOSERS = frozenset({"builtins.next", "builtins.min", "builtins.max", "random.choice"})
SPECIAL: dict[str, Callable[..., Any]] = {
    "join": _join,
    "replace": _replace,
    "format": _format,
    "format_map": lambda text, given: _format(text, **given),
    "translate": _translate,
    "substitute": _substitute,
    "safe_substitute": _substitute,
    "to_bytes": _to_bytes,
}
CONVERSIONS: dict[int, Callable[[Any], Any]] = {-1: lambda value: value, 115: str, 114: repr, 97: ascii}
OPERATORS: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: added,
    ast.Sub: operator.sub,
    ast.Mult: _times,
    ast.Mod: _percent,
    ast.BitXor: operator.xor,
    ast.FloorDiv: operator.floordiv,
    ast.Div: lambda one, other: f"{one}/{other}" if isinstance(one, str) and isinstance(other, str) else one / other,
}


def as_text(value: Any) -> str | None:
    """A text, or the text that bytes spell; None for anything else."""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else None
