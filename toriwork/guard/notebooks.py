"""The code cells of a notebook, whatever its kernel is called, and where each line of them stands in the file."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_FENCE = re.compile(
    r"^(?P<mark>```+|~~~+|:::+)[ \t]*(?P<head>\{ *(?:python|code-cell|jupyter-execute)\b[^\n]*|i?python3?\b)[^\n]*\n"
    r"(?P<body>.*?)^(?P=mark)[ \t]*$",
    re.MULTILINE | re.DOTALL,
)
_OPTIONS = re.compile(r"^\s*(?::[\w-]+:|\#\|)[^\n]*|\A---\n(?:[^\n]*\n)*?---$", re.MULTILINE)
_FRONT = re.compile(r"\A---\n(?:.*\n)*?(?:jupytext|jupyter|kernelspec):")


@dataclass(frozen=True, slots=True)
class Cell:
    """One code cell."""

    number: int  #: among all cells, from 1
    source: str
    lines: tuple[int, ...]  #: line of the file in which each line of the source stands


def code_cells(text: str) -> list[Cell] | None:
    """The code cells of a notebook of any format; None when the text is no notebook."""
    try:
        cells = list(_cells(json.loads(text)))
    except (ValueError, RecursionError):
        return None
    finder = _Finder(text)
    return [Cell(number, source, finder.places(source)) for number, source in cells]


def kernel_of(text: str) -> str:
    """Name and language of the kernel of a notebook, or ""."""
    try:
        spec = json.loads(text)["metadata"]["kernelspec"]
        return f"{spec.get('name', '')} {spec.get('language', '')}"
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ""


def text_cells(text: str) -> list[Cell]:
    """The chunks of a notebook that is kept as text: those that its format runs, no others."""
    runs_plain = _FRONT.match(text) is not None
    cells = []
    for number, found in enumerate(_FENCE.finditer(text), 1):
        if found["head"].startswith("{") or runs_plain:
            first = text.count("\n", 0, found.start("body")) + 1
            options = _OPTIONS.sub(lambda lines: "\n" * lines[0].count("\n"), found["body"])
            cells.append(Cell(number, options, tuple(range(first, first + options.count("\n") + 1))))
    return cells


def torn_cell(text: str) -> Cell:
    """What looks like lines of source in a text that is no JSON (cut off, or with marks of a merge)."""
    lines, numbers = [], []
    for number, line in enumerate(text.split("\n"), 1):
        for quoted in re.findall(r'"((?:[^"\\]|\\.)*)"', line):
            try:
                written = json.loads(f'"{quoted}"')
            except ValueError:
                continue
            for piece in written.rstrip("\n").split("\n"):
                lines.append(piece)
                numbers.append(number)
    return Cell(0, "\n".join(lines), tuple(numbers))


def _cells(content: Any) -> Iterator[tuple[int, str]]:
    if not isinstance(content, dict):
        return
    sheets = content.get("worksheets")
    holders = [content, *(sheets if isinstance(sheets, list) else [])]
    number = 0
    for holder in holders:
        cells = holder.get("cells") if isinstance(holder, dict) else None
        for cell in cells if isinstance(cells, list) else []:
            number += 1
            if isinstance(cell, dict) and cell.get("cell_type") == "code":
                source = cell.get("source", cell.get("input", ""))
                yield number, "".join(map(str, source)) if isinstance(source, list) else str(source)


class _Finder:
    """Lines of source found again in the file, in order."""

    def __init__(self, text: str) -> None:
        self._text, self._at = text, 0
        self._line = 1

    def places(self, source: str) -> tuple[int, ...]:
        found = []
        for line in source.split("\n"):
            for ascii_only in (False, True):
                written = json.dumps(line, ensure_ascii=ascii_only)[1:-1]
                place = self._text.find(written, self._at) if written else -1
                if place >= 0:
                    self._line += self._text.count("\n", self._at, place)
                    self._at = place
                    break
            found.append(self._line)
        return tuple(found)
