"""Notebooks as cells, two ways: to look at them, whatever the file is like, and to edit their code, exactly.

``code_cells`` and ``text_cells`` say where each line of a cell stands in the file. ``Cells`` is a notebook as one
Python text: magics are masked line for line. Only the ``source`` of a cell whose text changed is written anew, in the
notebook's own form; every other byte stays. A notebook whose cells do not print as they stand is refused.
"""

from __future__ import annotations

import json
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from toriwork.codebase.source import line_numbers
from toriwork.errors import Unsure

_FENCE = re.compile(r"(?P<mark>```+|~~~+|:::+)[ \t]*(?P<head>\{ *(?:python|code-cell|jupyter-execute)\b|i?python3?\b)")
_OPTION = re.compile(r"\s*(?::[\w-]+:|\#\|)")
_TORN = re.compile(r'"((?:[^"\\]|\\.)*+)(?:"|\\?\Z)')  # an open text goes to the end, or long lines would cost squares
_FRONT = re.compile(r"\A---\n(?:.*\n)*?(?:jupytext|jupyter|kernelspec):")
_BETWEEN = "# %% toriwork-cell {}\n"
_BREAK = re.compile(r"^# %% toriwork-cell \d+\n", re.MULTILINE)
_MASK = "pass  # toriwork-magic "
_BLANK = re.compile(r"[ \t\r\n]*")


@dataclass(frozen=True, slots=True)
class Cell:
    """One code cell."""

    number: int  #: among all cells, from 1
    source: str
    lines: tuple[int, ...]  #: line of the file in which each line of the source stands


def code_cells(text: str) -> list[Cell] | None:
    """The code cells of a notebook of any format; None when the text is no notebook."""
    try:
        json.loads(text)
        starts = list(_cell_starts(text, _skip(text, 0)))
    except (ValueError, RecursionError):
        return None
    line_of = line_numbers(text)
    return [cell for number, start in enumerate(starts, 1) if (cell := _code_cell(text, start, number, line_of))]


def text_cells(text: str) -> list[Cell]:
    """The chunks of a notebook that is kept as text: those that its format runs, no others."""
    runs_plain = _FRONT.match(text) is not None
    lines = text.split("\n")
    marks: dict[str, list[int]] = defaultdict(list)  # where each mark stands alone, as the end of a chunk does
    for number, line in enumerate(lines):
        if line.startswith(("```", "~~~", ":::")):
            marks[line.rstrip(" \t")].append(number)
    cells: list[Cell] = []
    n_chunks = end = 0
    for number, line in enumerate(lines):
        opened = _FENCE.match(line) if number >= end else None
        ends = marks[opened["mark"]] if opened else []
        place = bisect_right(ends, number)
        if opened is None or place == len(ends):
            continue
        end, n_chunks = ends[place] + 1, n_chunks + 1
        if opened["head"].startswith("{") or runs_plain:
            body = _without_options(lines[number + 1 : end - 1])
            cells.append(Cell(n_chunks, "\n".join(body), tuple(range(number + 2, end))))
    return cells


def _without_options(lines: list[str]) -> list[str]:
    """Return the lines of a chunk with those that hold its options blank."""
    n_head = lines.index("---", 1) + 1 if lines[:1] == ["---"] and "---" in lines[1:] else 0
    return ["" if number < n_head or _OPTION.match(line) else line for number, line in enumerate(lines)]


def torn_cell(text: str) -> Cell:
    """Return whatever looks like lines of source in a text that is no JSON (cut off, or with marks of a merge)."""
    lines, numbers = [], []
    for number, line in enumerate(text.split("\n"), 1):
        for quoted in _TORN.findall(line):
            try:
                written = json.loads(f'"{quoted}"')
            except ValueError:
                continue
            for piece in written.rstrip("\n").split("\n"):
                lines.append(piece)
                numbers.append(number)
    return Cell(0, "\n".join(lines), tuple(numbers))


def _cell_starts(text: str, at: int, holders: tuple[str, ...] = ("cells", "worksheets")) -> Iterator[int]:
    """Where each cell of a notebook, or of a sheet of an old one, begins."""
    for key, start, _ in _members(text, at) if text[at] == "{" else ():
        if key in holders and text[start] == "[":
            for item, _ in _items(text, start):
                if key == "cells":
                    yield item
                else:
                    yield from _cell_starts(text, item, ("cells",))


def _code_cell(text: str, at: int, number: int, line_of: Callable[[int], int]) -> Cell | None:
    """The cell that begins at a place, if it is one of code."""
    spans = {key: (start, end) for key, start, end in _members(text, at)} if text[at] == "{" else {}
    start, end = spans.get("cell_type", (0, 0))
    if text[start:end] != '"code"':
        return None
    start, end = spans.get("source", spans.get("input", (0, 0)))
    pieces = list(_items(text, start)) if text[start] == "[" else [(start, end)] if end else []
    texts, lines = [""], [1]
    for start, end in pieces:
        line = line_of(start)
        if texts[-1].endswith("\n") or len(texts) == 1:
            lines[-1] = line
        if piece := str(json.loads(text[start:end])):
            texts.append(piece)
            lines += [line] * piece.count("\n")
    return Cell(number, "".join(texts), tuple(lines))


@dataclass(frozen=True, slots=True)
class _Cell:
    """One code cell: where its source stands in the file, and what it says."""

    start: int
    end: int
    text: str
    as_list: bool
    number: int  #: among all cells, from 1


@dataclass(frozen=True, slots=True)
class Cells:
    """The code cells of a notebook.

    ``code`` is all of them as one Python text in UTF-8; cells that are no Python (``%%bash``) are left out.
    """

    source: str
    cells: tuple[_Cell, ...]
    code: bytes

    @classmethod
    def read(cls, source: bytes) -> Cells:
        """The code cells of a notebook file.

        Raises
        ------
        Unsure
            It is no notebook, not of Python, or a cell does not print as it stands.
        """
        try:
            text = source.decode()
            notebook = json.loads(text)
            language = notebook.get("metadata", {}).get("kernelspec", {}).get("language", "python")
            found = tuple(_code_cells(text, notebook)) if language == "python" else ()
        except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
            raise Unsure(f"it is no notebook that can be read: {error}") from error
        for cell in found:
            if _printed(cell, cell.text, text) != text[cell.start : cell.end]:
                raise Unsure(f"the cell at character {cell.start} does not print as it stands")
        python = tuple(cell for cell in found if not cell.text.lstrip().startswith("%%"))
        return cls(text, python, "".join(_joined(python)).encode())

    def place(self, line: int) -> tuple[int, int]:
        """The cell, and the line in it, where a line of ``code`` stands; zeros for none."""
        first = 1
        for cell in self.cells:
            behind = first + cell.text.count("\n") + 1
            if first < line <= behind:
                return cell.number, line - first
            first = behind + 1
        return 0, 0

    def replaced(self, code: bytes) -> bytes:
        """The notebook with its code changed; cells are told apart by their separators.

        Raises
        ------
        Unsure
            A separator or a masked magic is gone.
        """
        pieces = _BREAK.split(code.decode())[1:]
        if len(pieces) != len(self.cells):
            raise Unsure("the cells cannot be told apart any more")
        text = self.source
        for cell, piece in reversed(list(zip(self.cells, pieces, strict=True))):
            changed = _unmasked(piece[:-1])
            if _magics(changed) != _magics(cell.text):
                raise Unsure("a magic line would get lost")
            if changed != cell.text:
                text = text[: cell.start] + _printed(cell, changed, text) + text[cell.end :]
        return text.encode()


def _joined(cells: tuple[_Cell, ...]) -> Iterator[str]:
    for number, cell in enumerate(cells):
        yield _BETWEEN.format(number)
        yield "\n".join(_masked(line) for line in cell.text.split("\n")) + "\n"


def _masked(line: str) -> str:
    return f"{line[: len(line) - len(line.lstrip())]}{_MASK}{line}" if _is_magic(line) else line


def _is_magic(line: str) -> bool:
    """Tell if a line is one of IPython's: it begins with a mark, or asks for help at its end."""
    asks = line.endswith("?") and len(line) > 1 and not line[-2].isspace() and line[-2] not in "#'\""
    return asks or line.lstrip().startswith(("%", "!", "?"))


def _unmasked(text: str) -> str:
    return "\n".join(line.split(_MASK, 1)[1] if line.lstrip().startswith(_MASK) else line for line in text.split("\n"))


def _magics(text: str) -> list[str]:
    return [line for line in text.split("\n") if _is_magic(line)]


def _printed(cell: _Cell, changed: str, text: str) -> str:
    """A source as JSON in the form of the cell that it replaces."""
    ascii_only = text[cell.start : cell.end].isascii() and "\\u" in text[cell.start : cell.end]
    if not cell.as_list:
        return json.dumps(changed, ensure_ascii=ascii_only)
    lines = changed.splitlines(keepends=True)
    before = text[cell.start : cell.end]
    if not lines:
        return "[]"
    first = _BLANK.match(before, 1)
    opening, closing = (first.group() if first else ""), before[len(before[:-1].rstrip(" \t\r\n")) :]
    comma = "," + (opening or " ")
    return "[" + opening + comma.join(json.dumps(line, ensure_ascii=ascii_only) for line in lines) + closing


def _code_cells(text: str, notebook: Any) -> Iterator[_Cell]:
    spans = dict(_spans(text))
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] != "code":
            continue
        start, end = spans["cells", number, "source"]
        source = cell["source"]
        yield _Cell(start, end, "".join(source), isinstance(source, list), number + 1)


def _spans(text: str) -> Iterator[tuple[tuple[str | int, ...], tuple[int, int]]]:
    """Where the source of each cell stands: ("cells", number, "source") -> start and end."""
    for key, start, _ in _members(text, _skip(text, 0)):
        if key != "cells":
            continue
        for number, (item, _) in enumerate(_items(text, start)):
            for name, begin, end in _members(text, item):
                if name == "source":
                    yield ("cells", number, "source"), (begin, end)


def _skip(text: str, at: int) -> int:
    found = _BLANK.match(text, at)
    return found.end() if found else at


def _members(text: str, at: int) -> Iterator[tuple[str, int, int]]:
    """Key, start and end of each value of the object that begins at a place."""
    at = _skip(text, at + 1)
    while text[at] != "}":
        key, at = json.JSONDecoder().raw_decode(text, at)
        at = _skip(text, _skip(text, at) + 1)
        end = _end(text, at)
        yield key, at, end
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at


def _items(text: str, at: int) -> Iterator[tuple[int, int]]:
    """Start and end of each item of the list that begins at a place."""
    at = _skip(text, at + 1)
    while text[at] != "]":
        end = _end(text, at)
        yield at, end
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at


def _end(text: str, at: int) -> int:
    """The place behind the value that begins at a place."""
    return json.JSONDecoder().raw_decode(text, at)[1]
