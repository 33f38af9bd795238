"""Which bars of a diagram a figure shows, which it leaves out and says so, and what they say in words.

Everything here is about numbers and texts; the drawing is in ``diagram.py`` and ``barcode.py``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.plots.twin import Twin, counted, short
from toriwork.topology import significant

if TYPE_CHECKING:
    from toriwork.topology import Diagram

HEADER = ("dimension", "bars", "essential", "censored", "long", "longest from", "longest to")
#: a bar is called long when it, and each bar above it, is more than this many times the next shorter one ...
CLEAR_OF_THE_REST = 2.0
#: ... and dies later than this many times its birth; below, the points' own spacing makes such bars
CLEAR_OF_ITS_BIRTH = 1.5


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
    def lengths(self) -> NDArray[np.float64]:
        """How long each bar is, (n_pairs,), inf where it does not end."""
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
        raise BadInput(f"min_persistence: a length of at least 0 is wanted, given was {min_persistence}")
    wanted = range(diagram.max_dimension + 1) if dimensions is None else sorted(set(dimensions))
    features = np.zeros(len(diagram), dtype=np.bool_) if rule is None else significant(diagram, rule=rule)
    return tuple(_bars(diagram, k, min_persistence, features) for k in wanted)


def refused_length(shown: Sequence[Bars]) -> float:
    """How long the longest finite bar of H1 and above is that the rule refused; 0.0 when it refused none.

    Of components every point has one, so that their lengths tell of the spacing of the points.
    """
    refused = [part.lengths[~part.features & np.isfinite(part.deaths)] for part in shown if part.dimension > 0]
    return float(np.concatenate([np.zeros(1), *refused]).max())


def last_finite_scale(shown: Sequence[Bars]) -> float:
    """The largest finite birth or death among the bars, 1.0 when there is nothing above zero."""
    values = np.concatenate([np.zeros(1), *(part.births for part in shown), *(part.finite[:, 1] for part in shown)])
    largest = float(values.max())
    return largest if largest > 0 else 1.0


def is_long(part: Bars) -> NDArray[np.bool_]:
    """Which bars end and stand out by eye, (n_pairs,) bool.

    They are the bars in front of the widest step in length, when that step is by more than ``CLEAR_OF_THE_REST``
    and all of them die later than ``CLEAR_OF_ITS_BIRTH`` times their birth. This describes the picture; whether a
    class is significant is a question for :func:`toriwork.topology.estimate_betti`.
    """
    chosen = np.zeros(len(part), dtype=np.bool_)
    ends = np.flatnonzero(np.isfinite(part.deaths))
    if not len(ends):
        return chosen
    lengths = part.deaths[ends] - part.births[ends]
    order = np.argsort(-lengths, kind="stable")
    lengths, ends = lengths[order], ends[order]
    # every component is born at 0: that all of them are long against nothing at all would say nothing
    following = np.append(lengths[1:], lengths[-1] if part.dimension == 0 else 0.0)
    k = int(np.argmax(lengths - following)) + 1
    first = ends[:k]
    clear = lengths[k - 1] > CLEAR_OF_THE_REST * following[k - 1]
    chosen[first] = clear and (part.deaths[first] > CLEAR_OF_ITS_BIRTH * part.births[first]).all()
    return chosen


def long_bars(part: Bars) -> NDArray[np.float64]:
    """Births and deaths of the bars for which :func:`is_long` holds, (n_long, 2), longest first."""
    chosen = is_long(part)
    bars = np.column_stack([part.births[chosen], part.deaths[chosen]])
    return bars[np.argsort(bars[:, 0] - bars[:, 1], kind="stable")]


def hiding_note(diagram: Diagram, shown: Sequence[Bars], min_persistence: float) -> str:
    """What the figure does not show, in words; empty when it shows every bar there is."""
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


def describe_bars(diagram: Diagram, shown: Sequence[Bars], *, kind: str, note: str) -> Twin:
    """The text twin of a figure of bars: per dimension how many, how many never end, which are long."""
    sentences = [f"{kind} of {counted(sum(map(len, shown)), 'bar')} ({convention(diagram)})."]
    sentences += [_sentence(part) for part in shown]
    if note:
        sentences.append(note[0].upper() + note[1:] + ".")
    return Twin(" ".join(sentences), HEADER, tuple(_row(part) for part in shown))


def convention(diagram: Diagram) -> str:
    """Filtration, what its scale means, and the coefficients: ``rips, scale = diameter, Z/2``."""
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
    stand_out = long_bars(part)
    if len(stand_out):
        facts.append(f"{len(stand_out)} long, longest {short(stand_out[0, 0])} to {short(stand_out[0, 1])}")
    elif len(part.finite):
        facts.append("none stands out")
    return f"H{part.dimension}: {', '.join(facts)}."


def _row(part: Bars) -> tuple[str, ...]:
    finite = part.finite
    longest = finite[np.argmax(finite[:, 1] - finite[:, 0])].tolist() if len(finite) else [math.nan, math.nan]
    counts = (len(part), len(part.essential), len(part.cut), len(long_bars(part)))
    return (f"H{part.dimension}", *map(str, counts), *map(short, longest))
