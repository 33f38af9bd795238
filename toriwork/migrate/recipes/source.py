"""One Python file while recipes look at it: its text, its tree, where things stand, and edits of byte ranges.

Everything between reading and writing is UTF-8 with the file's own line ends; :func:`read` and :func:`write` know the
file's encoding and its byte order mark.
"""

from __future__ import annotations

import ast
import codecs
import io
import re
import tokenize
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from toriwork.errors import MigrationError, MissingExtra

if TYPE_CHECKING:
    from toriwork.migrate.recipes.world import World

MARK = "# toriwork:"  #: begins the comment that a re-run finds
_LINE = re.compile(rb"\r\n|\r|\n")


class Unsure(MigrationError):
    """A file cannot be rewritten without guessing; the message says why."""

    kind = "unsure"


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes that replace ``[start, end)`` of a file as it was."""

    start: int
    end: int
    text: bytes


@dataclass(frozen=True, slots=True)
class Manual:
    """Something that a person has to do, with its place; line 0 is the file as a whole."""

    path: str
    line: int
    recipe: str
    why: str


@dataclass(frozen=True)
class Unit:
    """A Python file as recipes see it.

    Parameters
    ----------
    path : str
        Relative to the code base, with slashes.
    data : bytes
        UTF-8 without a byte order mark.
    world : World
        What is known of the code base.
    original : bytes
        What ``data`` was before any recipe.
    """

    path: str
    data: bytes
    world: World
    original: bytes = b""  #: the text in front of the first recipe
    tree: ast.Module = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tree", parse(self.data))

    @cached_property
    def starts(self) -> list[int]:
        """Where each line starts, in bytes."""
        return [0, *(match.end() for match in _LINE.finditer(self.data))]

    @cached_property
    def newline(self) -> str:
        """The file's own line end: that of its first line."""
        found = _LINE.search(self.data)
        return found.group().decode() if found else "\n"

    @cached_property
    def indent(self) -> str:
        """One step of the file's indentation."""
        return str(_libcst().parse_module(self.data.decode()).default_indent)

    def start(self, node: Any) -> int:
        """The byte where a node begins, decorators not counted."""
        return int(self.starts[node.lineno - 1] + node.col_offset)

    def end(self, node: Any) -> int:
        """The byte behind a node."""
        return int(self.starts[node.end_lineno - 1] + node.end_col_offset)

    def text(self, node: Any) -> str:
        """A node as it is written."""
        return self.data[self.start(node) : self.end(node)].decode()

    def line_start(self, line: int) -> int:
        """The first byte of a line, counted from 1."""
        return self.starts[line - 1]

    def line_end(self, line: int) -> int:
        """The byte behind a line's end, counted from 1."""
        return self.starts[line] if line < len(self.starts) else len(self.data)

    def margin(self, node: Any) -> str:
        """The white space in front of a statement that begins its line."""
        return self.data[self.line_start(node.lineno) : self.start(node)].decode()

    def block(self, lines: list[str], margin: str = "") -> bytes:
        """Lines in the file's own line ends, each behind a margin."""
        return "".join((margin + line if line else "") + self.newline for line in lines).encode()

    def manual(self, node: Any, recipe: str, why: str) -> Manual:
        """A finding at a node."""
        return Manual(self.path, getattr(node, "lineno", 0), recipe, why)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a recipe wants of one file."""

    edits: tuple[Edit, ...] = ()
    manual: tuple[Manual, ...] = ()
    review: bool = False  #: a person should look at it
    notes: tuple[Manual, ...] = ()  #: worth knowing, nothing to do


def parse(data: bytes) -> ast.Module:
    """The tree of UTF-8 source; Unsure when this Python cannot read it."""
    try:
        return ast.parse(data.decode())
    except (SyntaxError, ValueError, RecursionError) as error:
        raise Unsure(f"this Python cannot read it: {error}") from error


def read(source: bytes) -> tuple[bytes, str, bool]:
    """A file's text as UTF-8, its encoding and whether it has a byte order mark.

    Raises
    ------
    Unsure
        Its bytes are not of the encoding that it names.
    """
    marked = source.startswith(codecs.BOM_UTF8)
    body = source[len(codecs.BOM_UTF8) :] if marked else source
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(source).readline)[0]
        encoding = "utf-8" if encoding == "utf-8-sig" else encoding
        text = body.decode(encoding)
        if text.encode(encoding) != body:
            raise Unsure(f"its bytes are not canonical {encoding}")
    except (SyntaxError, UnicodeError, LookupError) as error:
        raise Unsure(f"its encoding cannot be told: {error}") from error
    return text.encode(), encoding, marked


def write(data: bytes, encoding: str, marked: bool) -> bytes:
    """UTF-8 text in a file's own encoding; the inverse of :func:`read`."""
    try:
        body = data.decode().encode(encoding)
    except UnicodeError as error:
        raise Unsure(f"the result has no form in {encoding}: {error}") from error
    return codecs.BOM_UTF8 + body if marked else body


def apply(data: bytes, edits: tuple[Edit, ...]) -> bytes:
    """Data with its edits made; Unsure when two overlap. Insertions at one place keep their order."""
    pieces, done = [], 0
    for edit in sorted(edits, key=lambda edit: (edit.start, edit.end)):
        if edit.start < done:
            raise Unsure(f"two changes overlap at byte {edit.start}")
        pieces += [data[done : edit.start], edit.text]
        done = edit.end
    return b"".join([*pieces, data[done:]])


def check_printable(data: bytes) -> None:
    """Pass when LibCST prints exactly what it parsed.

    Raises
    ------
    Unsure
        It does not, or cannot parse it.
    MissingExtra
        LibCST is not installed.
    """
    libcst = _libcst()
    text = data.decode()
    try:
        printed = libcst.parse_module(text).code
    except libcst.ParserSyntaxError as error:
        raise Unsure(f"LibCST cannot read it: line {error.raw_line}") from error
    if printed != text:
        raise Unsure("LibCST does not print what it parsed")


def _libcst() -> Any:
    try:
        import libcst
    except ImportError as error:
        raise MissingExtra("rewriting code needs LibCST: pip install 'toriwork[migrate]'") from error
    return libcst
