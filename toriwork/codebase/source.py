"""Python source: decoding and encoding, words, trees; broken source line by line.

Two ways in. :func:`read` is exact, for those who write back: UTF-8 with the file's own line ends, and the way back.
:func:`decoded` is lenient, for those who only look: any bytes become text.
"""

from __future__ import annotations

import ast
import codecs
import gc
import io
import re
import tokenize
import unicodedata
import warnings
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from toriwork.codebase.time_limit import check_time
from toriwork.errors import Unsure

Nodes = Mapping[type[ast.AST], Sequence[Any]]  #: of some trees, by their type

COMPOUND = frozenset({ast.JoinedStr, ast.BinOp})  #: expressions that are texts made of texts
#: fields that hold no nodes, but names, operators, numbers
_NO_NODES = frozenset(
    "ctx op ops kind type_comment attr arg id name asname level module simple conversion is_async rest tag kwd_attrs "
    "type_ignores".split()
)
_CHILDREN: dict[type[Any], tuple[str, ...]] = {
    kind: tuple(name for name in kind._fields if name not in _NO_NODES)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST) and kind not in (ast.Constant, ast.Global, ast.Nonlocal)
}
_WORDS = re.compile(r"\w+")
#: whatever is no part of a word becomes a blank
_BETWEEN = bytes(code if chr(code).isalnum() or chr(code) == "_" else 32 for code in range(256))
_HEAD = re.compile(r"\s*(?:lazy\s+)?(?:from\s+([\w.]+)\s+(?:lazy\s+)?import\b|import\s+(.+))")
_LONG_QUOTE = re.compile(r"\"\"\"|'''")
_CLOSING = {quote: re.compile(rf"(?<!\\){quote}") for quote in ('"""', "'''")}
_SLOW = frozenset({"punycode", "idna"})  #: decoders that take the square of the length
#: f-strings; in some versions of Python each of their parts costs the length of the whole
_F_STRING = re.compile(
    r"""[fF][rR]?(?:\"\"\"(?:[^\\"]++|\\.|"(?!""))*+|'''(?:[^\\']++|\\.|'(?!''))*+
        |"(?:[^\\"\n]++|\\.)*+|'(?:[^\\'\n]++|\\.)*+)""",
    re.DOTALL | re.VERBOSE,
)
_FOREIGN = re.compile(r"[^\x00-\x7f]{500,}")
MAX_PARTS = 2000  #: of one f-string
MAX_MARKS = 500  #: that are combined with one letter
_PIECE = 1000  #: characters that are normalized at once: a run of combining marks costs the square of its length


def read(source: bytes) -> tuple[bytes, str, bool]:
    """Return a file's text as UTF-8, its encoding, and if it has a byte order mark.

    Raises
    ------
    Unsure
        Its bytes are not of the encoding that it names.
    """
    marked = source.startswith(codecs.BOM_UTF8)
    body = source[len(codecs.BOM_UTF8) :] if marked else source
    try:
        encoding = _encoding(source)
        encoding = "utf-8" if encoding == "utf-8-sig" else encoding
        text = body.decode(encoding)
        if text.encode(encoding) != body:
            raise Unsure(f"its bytes are not canonical {encoding}")
    except (SyntaxError, UnicodeError, LookupError) as error:
        raise Unsure(f"its encoding cannot be told: {error}") from error
    return text.encode(), encoding, marked


def write(data: bytes, encoding: str, marked: bool) -> bytes:
    """Return UTF-8 text in a file's own encoding; the inverse of :func:`read`."""
    try:
        body = data.decode().encode(encoding)
    except UnicodeError as error:
        raise Unsure(f"the result has no form in {encoding}: {error}") from error
    return codecs.BOM_UTF8 + body if marked else body


def tree_of(source: str | bytes) -> ast.Module:
    """Return the tree of a source, as :func:`ast.parse` does; garbage is not collected meanwhile.

    CPython 3.11 refuses a tree with SystemError where a finalizer parses something while the tree is made, as the
    printing of a traceback does.
    """
    collects = gc.isenabled()
    gc.disable()
    try:
        return ast.parse(source)
    finally:
        if collects:
            gc.enable()


def parse(data: bytes) -> ast.Module:
    """Return the tree of UTF-8 source. Raises Unsure when this Python cannot read it."""
    try:
        if costs_its_square(source := data.decode()):
            raise ValueError("reading it would take the square of its length")
        return tree_of(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise Unsure(f"this Python cannot read it: {error}") from error


def decoded(content: bytes) -> str:
    """Return the text of a source by its coding line; bytes that this coding does not know become question marks."""
    try:
        text = content.decode(_encoding(content))
    except (SyntaxError, UnicodeError, LookupError):
        text = content.decode("utf-8-sig", "replace")
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _encoding(source: bytes) -> str:
    """Return the encoding that a source names. Raises SyntaxError and LookupError."""
    name = tokenize.detect_encoding(io.BytesIO(source).readline)[0]
    if codecs.lookup(name).name in _SLOW:
        raise LookupError(f"{name} is no encoding of files")
    return name


def parsed(source: str) -> ast.Module | None:
    """Return the tree of a source, or None when it is no Python of this version."""
    if costs_its_square(source):
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape is the author's business
            return tree_of(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def costs_its_square(source: str) -> bool:
    """Tell if Python's own parser takes time by the square of the length of a source; nothing can interrupt it."""
    foreign = () if source.isascii() else _FOREIGN.findall(source)
    if any(sum(map(bool, map(unicodedata.combining, run))) > MAX_MARKS for run in foreign):
        return True
    many = source.count("{") > MAX_PARTS
    return many and any(found[0].count("{") > MAX_PARTS for found in _F_STRING.finditer(source))


def words_of(source: str) -> set[str]:
    """Return every word of a source, spelled as Python reads identifiers."""
    if source.isascii():
        return set(source.encode().translate(_BETWEEN).decode("ascii").split())
    pieces = (source[at : at + _PIECE] for at in range(0, len(source), _PIECE))
    return set(_WORDS.findall("".join(unicodedata.normalize("NFKC", piece) for piece in pieces)))


def line_numbers(text: str) -> Callable[[int], int]:
    """Return a function from a place in a text to its line, from 1; the text itself is gone through once."""
    ends = [found.start() for found in re.finditer("\n", text)]
    return lambda place: bisect_left(ends, place) + 1


def nodes_below(root: ast.AST) -> list[Any]:
    """Return a node and all below it, parents first, and None where a list has it; half the time of ``ast.walk``."""
    found: list[Any] = [root]
    for node in found:  # grows at its end
        for name in _CHILDREN.get(node.__class__, ()):
            value = getattr(node, name, None)
            if value.__class__ is list:
                found += value
            elif value is not None:
                found.append(value)
    return found


def nodes_of(trees: Iterable[ast.Module]) -> Nodes:
    """Return all nodes of some trees by type, parents before children; under ``ast.expr`` those in ``COMPOUND``."""
    waiting: list[Any] = list(trees)
    found: defaultdict[type[ast.AST], list[Any]] = defaultdict(list)
    for node in waiting:  # as in nodes_below, which would cost a second loop
        kind = node.__class__
        found[kind].append(node)
        if kind in COMPOUND:
            found[ast.expr].append(node)
        for name in _CHILDREN.get(kind, ()):
            value = getattr(node, name, None)
            if value.__class__ is list:
                waiting += value
            elif value is not None:
                waiting.append(value)
    return found


def salvaged(source: str) -> ast.Module:
    """Return a tree of those lines of a broken source that are Python by themselves, at their own line numbers.

    Long texts count as blank; of an import that goes on in the next line the head is taken.
    """
    body: list[ast.stmt] = []
    for number, line in enumerate(_without_long_texts(source).split("\n"), 1):
        check_time()
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        tree = parsed(stripped) or parsed(re.sub(r":\s*(#.*)?$", ": pass", stripped)) or _head(line)
        if tree is not None:
            for statement in tree.body:
                ast.increment_lineno(statement, number - statement.lineno)
            body += tree.body
    return ast.Module(body=body, type_ignores=[])


def _without_long_texts(source: str) -> str:
    """Return a source with its triple-quoted texts blank; an open quote begins none."""
    pieces, done = [], 0
    while opened := _LONG_QUOTE.search(source, done):
        closed = _CLOSING[opened[0]].search(source, opened.end())
        if closed is None:
            break
        blank = "\n" * source.count("\n", opened.start(), closed.end())
        pieces += [source[done : opened.start()], blank or "   "]
        done = closed.end()
    return "".join([*pieces, source[done:]])


def _head(line: str) -> ast.Module | None:
    matched = _HEAD.match(line)
    if matched is None:
        return None
    if matched[1]:
        return parsed(f"from {matched[1]} import unknown")
    named = matched[2].strip()
    return parsed(f"import {named}") or parsed("import " + re.split(r"[^\w.]", named)[0])
