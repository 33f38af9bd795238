"""The only place that prints: text that steers no terminal, tables as wide as the terminal, JSON."""

from __future__ import annotations

import json
import math
import os
import shutil
import sys
import unicodedata
from collections.abc import Iterable, Sequence
from typing import Any

import click

from toriwork.printed import one_line, several_lines


def say(told: object, *, error: bool = False, colour: str | None = None) -> None:
    """Print something as text, signs that could steer a terminal written out; ``error``: to stderr.

    The colour is for terminals alone, and for those whose user has not set NO_COLOR.
    """
    text = several_lines(str(told))
    click.echo(_styled(text, fg=colour) if colour else text, err=error)


def say_table(headings: Sequence[str], rows: Iterable[Sequence[object]], *, empty: str) -> None:
    """Print rows under their headings, numbers to the right; in a terminal no line is longer than it is wide.

    ``empty`` is what is said where there is no row.
    """
    cells = [[one_line("" if value is None else str(value)) for value in row] for row in rows]
    if not cells:
        return say(empty)
    columns = list(zip(headings, *cells, strict=True))
    widths = [max(map(_width, column)) for column in columns]
    right = [all(map(is_number, column[1:])) for column in columns]
    room = shutil.get_terminal_size().columns if sys.stdout.isatty() else sys.maxsize
    for number, row in enumerate((headings, *cells)):
        fields = [
            " " * (width - _width(cell)) + cell if to_the_right else cell + " " * (width - _width(cell))
            for cell, width, to_the_right in zip(row, widths, right, strict=True)
        ]
        line = _cut("  ".join(fields).rstrip(), room)
        click.echo(_styled(line, bold=True) if number == 0 else line)
    return None


def say_json(value: Any) -> None:
    """Print one JSON document; NaN and infinity, which have no JSON form, become null."""
    click.echo(json.dumps(_json_able(value), allow_nan=False, default=str))


def _json_able(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _json_able(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_json_able(inner) for inner in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _styled(text: str, **style: Any) -> str:
    """The text with its style, which click takes away where no terminal is."""
    return text if os.environ.get("NO_COLOR") else click.style(text, **style)


def _width(text: str) -> int:
    """The columns that a text takes in a terminal."""
    return sum(0 if unicodedata.combining(sign) else 1 + (unicodedata.east_asian_width(sign) in "WF") for sign in text)


def _cut(text: str, room: int) -> str:
    """The text, or as much of it as there is room for, with an ellipsis."""
    if _width(text) <= room:
        return text
    while _width(text) >= room:
        text = text[:-1]
    return text + "…"


def is_number(text: str) -> bool:
    """Tell if a field of a table is a number, or empty."""
    try:
        float(text or "0")
    except ValueError:
        return False
    return True
