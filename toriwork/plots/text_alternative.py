"""The text alternative of a figure: a sentence and a table, computed from the same data as the picture.

It is the alt text, the table below the picture and the plain-text form. Readers who do not see the picture, and tests
that cannot compare pixels, read it instead.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from html import escape

from toriwork.printed import text_table


@dataclass(frozen=True, slots=True)
class TextAlternative:
    """A figure in words: a sentence or two, and a table of texts (its rows as long as its header)."""

    sentence: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]

    def to_html(self, caption: str) -> str:
        """The table as HTML, with a caption and a scope on every header cell."""
        head = "".join(f'<th scope="col">{escape(cell)}</th>' for cell in self.header)
        body = "".join(_html_row(row) for row in self.rows)
        return f"<table><caption>{escape(caption)}</caption><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"

    def to_text(self) -> str:
        """The sentence, then the table in columns two blanks apart."""
        table = text_table((self.header, *self.rows))
        return "\n".join([self.sentence, *(f"  {line}".rstrip() for line in table)])


def short(value: float) -> str:
    """A number to three significant digits, infinity as the sign ∞, a missing number as a dash."""
    if math.isnan(value):
        return "–"
    if math.isinf(value):
        return "∞" if value > 0 else "-∞"
    text = f"{value:.3g}"
    if "e" not in text:
        return text
    return f"{value:.0f}" if 1e3 <= abs(value) < 1e6 else text


def counted(number: int, noun: str) -> str:
    """A count with its noun, in the plural unless it is one: ``1 bar``, ``2 bars``, ``no bars``."""
    return f"{number or 'no'} {noun}" + ("" if number == 1 else "s")


def noted(sentence: str, note: str) -> str:
    """A sentence with a note behind it as a sentence of its own; the sentence alone without a note."""
    return f"{sentence} {note[0].upper()}{note[1:]}." if note else sentence


def evenly_picked(number: int, most: int) -> list[int]:
    """At most ``most`` of the indices below ``number``, evenly spaced, the first and the last among them."""
    return sorted({round((number - 1) * k / (most - 1)) for k in range(most)}) if number else []


def _html_row(row: tuple[str, ...]) -> str:
    first, *rest = row
    return f'<tr><th scope="row">{escape(first)}</th>' + "".join(f"<td>{escape(cell)}</td>" for cell in rest) + "</tr>"
