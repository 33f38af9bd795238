"""Text that is printed and logged, and tables: what came from data steers no terminal and poses as no line of ours."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

#: control characters, line ends, marks that turn the direction of writing, and surrogates, which no output takes
_STEERING = re.compile("[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


def one_line(text: str) -> str:
    r"""The text, each sign that could steer a terminal or begin a line written out: ``\x1b``, ``\n``, ``\u202e``.

    For what came from data and is printed or logged: control characters, line ends, marks that turn the direction of
    writing, and surrogates, which no output takes.
    """
    return _STEERING.sub(_written_out, text) if _STEERING.search(text) else text


def several_lines(text: str) -> str:
    """The same, with the line feeds that are there: for a text of lines whose data went through :func:`one_line`."""
    return "\n".join(map(one_line, text.split("\n")))


def text_table(rows: Sequence[Sequence[str]], *, right: bool = False) -> list[str]:
    """The lines of a table, its columns two blanks apart; ``right``: cells stand at the right of their column."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    side = str.rjust if right else str.ljust
    return ["  ".join(map(side, row, widths)) for row in rows]


def html_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A plain table of HTML, its cells escaped: no scripts, styles or outside resources."""
    from html import escape  # costs every start of the command line what only pages need

    def cells(tag: str, texts: Iterable[str]) -> str:
        return "".join(f"<{tag}>{escape(text)}</{tag}>" for text in texts)

    body = "".join(f"<tr>{cells('td', row)}</tr>" for row in rows)
    return f"<table><thead><tr>{cells('th', header)}</tr></thead><tbody>{body}</tbody></table>"


def _written_out(found: re.Match[str]) -> str:
    return ascii(found[0])[1:-1]
