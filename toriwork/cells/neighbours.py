"""The result of a search for the nearest shapes, and how much work it was: one set of facts, two renderings."""

from __future__ import annotations

import html
from collections.abc import Hashable
from dataclasses import dataclass

from toriwork.printed import html_table, text_table


@dataclass(frozen=True, slots=True, repr=False)
class Nearest:
    """The stored diagrams nearest to one, nearest first; of equal distances the one that was added first."""

    neighbours: tuple[tuple[Hashable, float], ...]  #: (id, distance); inf where numbers of essential classes differ
    metric: str  #: "bottleneck", "wasserstein_1", "wasserstein_2"
    dimensions: tuple[int, ...]  #: of homology that were compared
    n_stored: int
    n_exact: int  #: stored diagrams whose exact distance was computed
    n_close: int  #: stored diagrams for which the closer, dearer bound was computed
    bounds: tuple[str, ...]  #: what ruled the others out, cheapest first

    @property
    def share(self) -> float:
        """Exact distances computed, as a share of the stored diagrams; 0 when nothing is stored."""
        return self.n_exact / self.n_stored if self.n_stored else 0.0

    def facts(self) -> tuple[list[str], list[tuple[str, str]]]:
        """Statements, and (id, distance) rows as text."""
        dimensions = ", ".join(f"H{k}" for k in self.dimensions)
        lines = [
            f"{len(self.neighbours)} of {self.n_stored:,} shapes by {self.metric} in {dimensions}",
            f"{self.n_exact:,} exact distances ({self.share:.2%}), {self.n_close:,} close bounds",
            "bounds: " + ", ".join(self.bounds),
        ]
        return lines, [(str(name), f"{distance:.6g}") for name, distance in self.neighbours]

    def __repr__(self) -> str:
        lines, rows = self.facts()
        return "\n".join(["Nearest: " + "; ".join(lines), *(line.rstrip() for line in text_table(rows))])

    def _repr_html_(self) -> str:
        lines, rows = self.facts()
        caption = "<br>".join(html.escape(line) for line in lines)
        return f"<div><b>Nearest</b><br>{caption}{html_table(('id', 'distance'), rows)}</div>"
