"""One Python file that is going to be edited: its text, its tree, where things stand, and edits of byte ranges."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from toriwork.errors import MissingExtra, Unsure

_LINE = re.compile(rb"\r\n|\r|\n")


@dataclass(frozen=True, slots=True)
class Edit:
    """Bytes that replace ``[start, end)`` of a file as it was."""

    start: int
    end: int
    text: bytes


@dataclass(frozen=True)
class SourceFile:
    """A Python file by its bytes.

    Parameters
    ----------
    path : str
        Relative to the code base, with slashes.
    data : bytes
        UTF-8 without a byte order mark.
    tree : ast.Module
        What it was parsed to.
    """

    path: str
    data: bytes
    tree: ast.Module = field(compare=False, repr=False)

    @cached_property
    def starts(self) -> list[int]:
        """Start of each line, in bytes."""
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


def apply(data: bytes, edits: Iterable[Edit]) -> bytes:
    """Return data with its edits made. Raises Unsure when two overlap; insertions at one place keep their order."""
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
