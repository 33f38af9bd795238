"""The bars of a diagram that a figure shows, and the words for them and for what is left out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.plots.text_alternative import TextAlternative, counted, noted, short
from toriwork.topology import significant
from toriwork.topology.formats import UNKNOWN

if TYPE_CHECKING:
    from toriwork.topology import Diagram

HEADER = ("dimension", "bars", "essential", "censored", "longest from", "longest to")


@dataclass(frozen=True, slots=True, eq=False)
class Bars:
    """The bars of one dimension that a figure shows."""

    dimension: int
    births: NDArray[np.float64]  #: (n_pairs,) finite
    deaths: NDArray[np.float64]  #: (n_pairs,) inf when essential or censored
    censored: NDArray[np.bool_]  #: (n_pairs,) True where inf only says "later than the scale of the cut"
    hidden: int  #: bars of this dimension that were asked to be left out
    features: NDArray[np.bool_]  #: (n_pairs,) True where a rule takes the bar for a feature of the shape

    @property
    def finite(self) -> NDArray[np.float64]:
        """Births and deaths of the bars that end, (n_pairs, 2)."""
        ends = np.isfinite(self.deaths)
        return np.column_stack([self.births[ends], self.deaths[ends]])

    @property
    def essential(self) -> NDArray[np.float64]:
        """Births of the bars that never end, (n_pairs,)."""
        return self.births[np.isinf(self.deaths) & ~self.censored]

    @property
    def cut(self) -> NDArray[np.float64]:
        """Births of the bars whose end lies beyond the cut, (n_pairs,)."""
        return self.births[self.censored]

    @property
    def longest(self) -> tuple[float, float]:
        """Birth and death of the longest bar that ends; NaN when none does."""
        if not len(self.finite):
            return math.nan, math.nan
        birth, death = self.finite[np.argmax(self.finite[:, 1] - self.finite[:, 0])].tolist()
        return birth, death

    @property
    def lengths(self) -> NDArray[np.float64]:
        """The length of each bar, (n_pairs,), inf where it does not end."""
        return self.deaths - self.births

    def __len__(self) -> int:
        return len(self.births)


def shown_bars(
    diagram: Diagram,
    *,
    min_persistence: float = 0.0,
    dimensions: Sequence[int] | None = None,
    rule: str | None = None,
) -> tuple[Bars, ...]:
    """The bars to draw, one entry per dimension asked for (None: all that were computed), in rising order.

    Raises
    ------
    BadInput
        ``min_persistence`` is negative or NaN, a dimension was not computed, there is no such rule, or a rule was
        asked about a diagram that was cut or thinned.
    """
    if not min_persistence >= 0:
        raise BadInput(f"min_persistence: expected a length of at least 0, got {min_persistence}")
    asked = range(diagram.max_dimension + 1) if dimensions is None else sorted(set(dimensions))
    features = np.zeros(len(diagram), dtype=np.bool_) if rule is None else significant(diagram, rule=rule)
    return tuple(_bars(diagram, k, min_persistence, features) for k in asked)


def refused_length(shown: Sequence[Bars]) -> float:
    """The length of the longest finite bar of H1 and above that the rule refused; 0.0 when it refused none."""
    refused = [part.lengths[~part.features & np.isfinite(part.deaths)] for part in shown if part.dimension > 0]
    return float(np.concatenate([np.zeros(1), *refused]).max())


def last_finite_scale(shown: Sequence[Bars]) -> float:
    """The largest finite birth or death among the bars, 1.0 when there is nothing above zero."""
    values = np.concatenate([np.zeros(1), *(part.births for part in shown), *(part.finite[:, 1] for part in shown)])
    largest = float(values.max())
    return largest if largest > 0 else 1.0


def hiding_note(diagram: Diagram, shown: Sequence[Bars], min_persistence: float) -> str:
    """The bars that the figure does not show, in words; empty when it shows all."""
    notes = []
    hidden = [f"H{part.dimension}: {part.hidden}" for part in shown if part.hidden]
    if hidden:
        notes.append(f"not shown: bars up to {short(min_persistence)} long ({', '.join(hidden)})")
    left_out = sorted(set(range(diagram.max_dimension + 1)) - {part.dimension for part in shown})
    if left_out:
        counts = ", ".join(f"H{k}: {len(diagram.in_dimension(k))}" for k in left_out)
        notes.append(f"not shown: bars of other dimensions ({counts})")
    if diagram.min_persistence > 0:
        notes.append(f"dropped before: bars up to {short(diagram.min_persistence)} long")
    if math.isfinite(diagram.threshold):
        notes.append(f"cut at {short(diagram.threshold)}")
    return "; ".join(notes)


def describe_bars(diagram: Diagram, shown: Sequence[Bars], *, kind: str, note: str) -> TextAlternative:
    """The text alternative of a figure of bars: per dimension their number, the endless ones and the longest."""
    sentences = [f"{kind} of {counted(sum(map(len, shown)), 'bar')} ({convention(diagram)})."]
    sentences += [_sentence(part) for part in shown]
    return TextAlternative(noted(" ".join(sentences), note), HEADER, tuple(_row(part) for part in shown))


def convention(diagram: Diagram) -> str:
    """Filtration, what its scale means, and the coefficients: ``rips, scale = diameter, Z/2``."""
    if diagram.filtration == UNKNOWN:
        return "filtration and scale unknown"
    return f"{diagram.filtration}, scale = {diagram.scale}, Z/{diagram.field}"


def _bars(diagram: Diagram, k: int, min_persistence: float, features: NDArray[np.bool_]) -> Bars:
    bars = diagram.in_dimension(k)
    here = diagram.pairs[:, 0] == k
    kept = bars[:, 1] - bars[:, 0] > min_persistence
    hidden = int(np.count_nonzero(~kept))
    return Bars(k, bars[kept, 0], bars[kept, 1], diagram.censored[here][kept], hidden, features[here][kept])


def _sentence(part: Bars) -> str:
    facts = [counted(len(part), "bar")]
    if len(part.essential):
        facts.append(f"{len(part.essential)} essential")
    if len(part.cut):
        facts.append(f"{len(part.cut)} censored")
    if len(part.finite):
        birth, death = map(short, part.longest)
        facts.append(f"longest {birth} to {death}")
    return f"H{part.dimension}: {', '.join(facts)}."


def _row(part: Bars) -> tuple[str, ...]:
    counts = (len(part), len(part.essential), len(part.cut))
    return (f"H{part.dimension}", *map(str, counts), *map(short, part.longest))
