"""What a diagram says of itself in a notebook and on a terminal: one set of facts, two renderings.

Pure text; no figure is drawn here.
"""

from __future__ import annotations

import html
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toriwork.topology.diagram import Diagram

_HEADINGS = ("", "bars", "essential", "censored", "longest", "born", "dies")


def diagram_facts(diagram: Diagram) -> tuple[list[str], list[tuple[str, ...]]]:
    """A list of statements and one table row (dimension, counts, longest finite bar) per dimension."""
    made = diagram.provenance
    lines = [f"{diagram.filtration} filtration, scale = {diagram.scale}, coefficients Z/{diagram.field}"]
    if math.isfinite(diagram.threshold):
        lines.append(f"cut at {diagram.threshold:.6g}: censored bars die later than that")
    if diagram.min_persistence > 0:
        lines.append(f"bars of persistence <= {diagram.min_persistence:.6g} were dropped")
    if made is not None:
        lines.append(f"{made.n_points} points, engine {made.engine} {made.version}, {made.seconds * 1e3:.3g} ms")
    return lines, [_row(diagram, k) for k in range(diagram.max_dimension + 1)]


def diagram_text(facts: tuple[list[str], list[tuple[str, ...]]]) -> str:
    """The facts as plain text, one line per statement, an aligned table below."""
    lines, rows = facts
    table = [_HEADINGS, *rows]
    widths = [max(len(row[i]) for row in table) for i in range(len(_HEADINGS))]
    aligned = ["  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in table]
    return "\n".join(["Diagram: " + "; ".join(lines), *aligned])


def diagram_html(facts: tuple[list[str], list[tuple[str, ...]]]) -> str:
    """The same facts as a small HTML table without scripts or outside resources."""
    lines, rows = facts
    head = _cells("th", _HEADINGS)
    body = "".join(f"<tr>{_cells('td', row)}</tr>" for row in rows)
    caption = "<br>".join(html.escape(line) for line in lines)
    return f"<div><b>Diagram</b><br>{caption}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>"


def _cells(tag: str, texts: Sequence[str]) -> str:
    return "".join(f"<{tag}>{html.escape(text)}</{tag}>" for text in texts)


def _row(diagram: Diagram, k: int) -> tuple[str, ...]:
    bars = diagram.in_dimension(k)
    lengths = diagram.persistence(k)
    cut = int((diagram.censored & (diagram.pairs[:, 0] == k)).sum())
    essential = int((lengths == math.inf).sum()) - cut
    finite = bars[lengths < math.inf]
    if not len(finite):
        return (f"H{k}", str(len(bars)), str(essential), str(cut), "-", "-", "-")
    birth, death = finite[(finite[:, 1] - finite[:, 0]).argmax()].tolist()
    return (f"H{k}", str(len(bars)), str(essential), str(cut), *(f"{v:.4g}" for v in (death - birth, birth, death)))
