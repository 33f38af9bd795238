"""The text and the HTML of a diagram: one set of facts, two renderings. No figure is drawn here."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

_HEADINGS = ("", "bars", "essential", "censored", "longest", "born", "dies")


def bar_row(k: int, bars: NDArray[np.float64], n_censored: int) -> tuple[str, ...]:
    """One row of the table: dimension, counts, and the longest finite bar of H_k."""
    finite = bars[np.isfinite(bars[:, 1])]
    counts = (f"H{k}", str(len(bars)), str(len(bars) - len(finite) - n_censored), str(n_censored))
    if not len(finite):
        return (*counts, "-", "-", "-")
    birth, death = finite[(finite[:, 1] - finite[:, 0]).argmax()].tolist()
    return (*counts, *(f"{value:.4g}" for value in (death - birth, birth, death)))


def diagram_text(lines: Sequence[str], rows: Iterable[tuple[str, ...]]) -> str:
    """Plain text: the statements on one line, an aligned table below."""
    table = [_HEADINGS, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(_HEADINGS))]
    aligned = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    return "\n".join(["Diagram: " + "; ".join(lines), *aligned])


def diagram_html(lines: Sequence[str], rows: Iterable[tuple[str, ...]]) -> str:
    """The same as a small HTML table without scripts or outside resources."""
    head = _cells("th", _HEADINGS)
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    caption = "<br>".join(html.escape(line) for line in lines)
    return f"<div><b>Diagram</b><br>{caption}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def representative_text(facts: Sequence[tuple[str, str]]) -> str:
    """Plain text: one line per fact."""
    return "Representative: " + "\n  ".join(f"{name} {value}" for name, value in facts)


def representative_html(facts: Sequence[tuple[str, str]]) -> str:
    """The same as a small HTML table."""
    rows = "".join(f"<tr><th>{html.escape(name)}</th>{_cells('td', [value])}</tr>" for name, value in facts)
    return f"<div><b>Representative</b><table><tbody>{rows}</tbody></table></div>"


def _cells(tag: str, texts: Sequence[str]) -> str:
    return "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)
