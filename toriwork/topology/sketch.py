"""Lower bounds of diagram distances, from one diagram to many at once; where births are equal, the distance itself.

Bounds here hold in exact arithmetic; whoever compares them with computed distances takes off :func:`margin`. Essential
classes are bounded apart, by :func:`essential_bounds`; everywhere else bars are finite.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
_CELLS = 2**20  #: of a matrix of moves that is held at once


class Ragged(NamedTuple):
    """Finite bars of many diagrams in one dimension of homology, one diagram after the other, longest bars first."""

    bars: Floats  #: (n_bars, 2) births and deaths
    starts: NDArray[np.int64]  #: (n_diagrams + 1,) where each diagram's bars begin, and the end

    @property
    def counts(self) -> NDArray[np.int64]:
        """Bars of each diagram: shape (n_diagrams,)."""
        return np.diff(self.starts)

    def take(self, which: NDArray[np.int64]) -> Ragged:
        """The diagrams with these numbers, in this order."""
        counts = self.counts[which]
        starts = np.concatenate([[0], np.cumsum(counts)])
        rows = np.repeat(self.starts[which] - starts[:-1], counts) + np.arange(starts[-1])
        return Ragged(self.bars[rows], starts)

    def pieces(self, n_bars: int) -> Iterator[tuple[slice, Ragged]]:
        """Runs of diagrams with about ``n_bars`` bars each, and which diagrams they are."""
        first = 0
        while first < len(self.starts) - 1:
            last = int(np.searchsorted(self.starts, self.starts[first] + n_bars, side="right")) - 1
            last = max(last, first + 1)
            begin, end = self.starts[first], self.starts[last]
            yield slice(first, last), Ragged(self.bars[begin:end], self.starts[first : last + 1] - begin)
            first = last


def longest_first(bars: Floats) -> Floats:
    """Bars (n, 2) in falling order of persistence."""
    return bars[np.argsort(bars[:, 0] - bars[:, 1], kind="stable")]


def half_persistences(bars: Floats) -> Floats:
    """(death - birth) / 2 of each bar: how far it is from the diagonal, births and deaths moving alike."""
    return bars[:, 1] / 2 - bars[:, 0] / 2  # halved first: the difference of huge values stays finite


def born_together(*parts: Floats) -> bool:
    """True when all bars of all parts (n, 2) are born at one and the same scale, as those of H0 of a cloud are."""
    births = np.concatenate([part[:, 0] for part in parts])
    return not births.size or bool(births.min() == births.max())


def one_birth_bottleneck(one: Floats, other: Floats) -> float:
    r"""The exact bottleneck distance of two (n, 2) arrays of finite bars that are all born at one and the same scale.

    With a_i and b_i the persistences in falling order, the shorter list filled with zeros, it is the largest
    min(|a_i - b_i|, max(a_i, b_i) / 2).

    Proof. At most that: match the i-th bars with each other where the first term is the smaller one, else send both to
    the diagonal. At least that: take a matching of cost r. Bars longer than 2 r are matched in it; drop the pairs
    without such a bar. A bar <= 2 r is then matched to one longer than 2 r, and may be exchanged for any unmatched bar
    of its side that is longer than itself, which comes closer. So the matched bars of either side are its longest
    ones; match them in order, which is the cheapest matching on a line, and drop the pairs without a bar longer than
    2 r again. What is left pairs the i-th bars for i <= m: |a_i - b_i| <= r there, and max(a_i, b_i) / 2 <= r beyond.
    """
    n, births = max(len(one), len(other)), [*one[:1, 0], *other[:1, 0]]
    if not n:
        return 0.0
    deaths = np.full((2, n), births[0])
    for row, bars in zip(deaths, (one, other), strict=True):
        row[: len(bars)] = np.sort(bars[:, 1])[::-1]
    gaps, halves = np.abs(deaths[0] - deaths[1]), (deaths.max(axis=0) - births[0]) / 2
    return float(np.minimum(gaps, halves).max())


def one_birth_bounds(query: Floats, many: Ragged) -> Floats:
    """:func:`one_birth_bottleneck` of one diagram and many, longest bars first, all born at one scale: (n_diagrams,).

    It is the distance itself, up to the rounding of differences.
    """
    mine, theirs = 2 * half_persistences(query), 2 * half_persistences(many.bars)
    partners, rest = _partners(mine, many)
    costs = np.minimum(np.abs(partners - theirs), np.maximum(partners, theirs) / 2)
    return np.maximum(_reduce(np.maximum, costs, many), rest / 2)


def sorted_bounds(query: Floats, many: Ragged, order: float) -> Floats:
    """Lower bounds of the distances from one diagram (n, 2) to many, longest bars first: shape (n_diagrams,) float64.

    The norm of order p = ``order`` (inf: bottleneck) of the difference of half persistences in falling order, the
    shorter list filled with zeros.

    Proof. A move by c changes (death - birth) / 2 by at most c, and the diagonal is half a persistence away: any
    matching of diagrams is one of half persistences with 0, pair by pair no dearer. Among numbers the matching in
    order is the cheapest for every p >= 1.

    Sources
    -------
    Cohen-Steiner, Edelsbrunner & Harer 2007, doi:10.1007/s00454-006-1276-5, sect. 1 (the distance). Peyre & Cuturi
    2019, doi:10.1561/2200000073, remark 2.28 (matchings on a line).
    """
    unit = _unit(order, query, many.bars)
    mine, theirs = half_persistences(query) / unit, half_persistences(many.bars) / unit
    partners, rest = _partners(mine, many, order)
    gaps = np.abs(partners - theirs)
    if math.isinf(order):
        return np.maximum(_reduce(np.maximum, gaps, many), rest)
    return np.asarray((_reduce(np.add, gaps**order, many) + rest) ** (1 / order) * unit, dtype=np.float64)


def point_bounds(query: Floats, many: Ragged, order: float) -> Floats:
    """Lower bounds of the distances from one diagram (n, 2) to many: shape (n_diagrams,) float64.

    Each bar pays for the diagonal or for the nearest bar of the other diagram, whichever is cheaper; of the norms of
    order p = ``order`` (inf: bottleneck) of these costs on either side the larger one counts.

    Proof. In every matching each bar of a side is matched once, to the diagonal or to a bar of the other side, at no
    less than the cheapest cost; the cost of a matching is the norm of the costs of its pairs, each of which holds at
    most one bar of that side. (For the bottleneck: the Hausdorff distance of the diagrams with the diagonal, see
    Cohen-Steiner, Edelsbrunner & Harer 2007, doi:10.1007/s00454-006-1276-5, sect. 3.)
    """
    unit = _unit(order, query, many.bars)
    bounds: Floats = np.empty(len(many.starts) - 1)
    for which, piece in many.pieces(max(1, _CELLS // max(1, len(query)))):
        bounds[which] = _point_bounds(query / unit, Ragged(piece.bars / unit, piece.starts), order)
    return np.asarray(bounds * unit, dtype=np.float64)


def _point_bounds(query: Floats, many: Ragged, order: float) -> Floats:
    mine, theirs = half_persistences(query), half_persistences(many.bars)
    here: Floats = np.repeat(mine[:, None], len(many.starts) - 1, axis=1)
    if len(query) and len(many.bars):
        moves = np.abs(query[:, :1] - many.bars[:, 0])
        np.maximum(moves, np.abs(query[:, 1:] - many.bars[:, 1]), out=moves)
        theirs = np.minimum(theirs, moves.min(axis=0))
        some = many.counts > 0
        nearest = np.minimum.reduceat(moves, many.starts[:-1][some], axis=1)
        here[:, some] = np.minimum(here[:, some], nearest)
    if math.isinf(order):
        worst: Floats = here.max(axis=0, initial=0.0)
        return np.maximum(worst, _reduce(np.maximum, theirs, many))
    larger = np.maximum((here**order).sum(axis=0), _reduce(np.add, theirs**order, many))
    return np.asarray(larger ** (1 / order), dtype=np.float64)


def essential_bounds(query: Floats, births: Floats, starts: NDArray[np.int64], order: float) -> Floats:
    """Distances of the essential classes of one diagram and of many by their births, in rising order: (n_diagrams,).

    inf where their numbers differ; else the norm of order ``order`` of the differences, which is the distance itself,
    as a matching in order is the cheapest.
    """
    counts = np.diff(starts)
    bounds = np.full(len(counts), math.inf)
    same = counts == len(query)
    first = starts[:-1][same]
    gaps = np.abs(births[first[:, None] + np.arange(len(query))] - query)
    bounds[same] = norm(gaps, order)
    return bounds


def norm(values: Floats, order: float) -> Floats:
    """The norm of order ``order`` >= 1 or inf along the last axis; 0 of nothing. Values are >= 0, inf gives inf."""
    if math.isinf(order):
        return np.asarray(values.max(axis=-1, initial=0.0), dtype=np.float64)
    endless = np.isinf(values)
    finite = np.where(endless, 0.0, values)
    unit = finite.max(axis=-1, initial=np.finfo(np.float64).tiny)  # powers stay within float64
    sums = ((finite / unit[..., None]) ** order).sum(axis=-1)
    return np.asarray(np.where(endless.any(axis=-1), np.inf, unit * sums ** (1 / order)), dtype=np.float64)


def margin(bounds: Floats, reach: Floats, n_bars: NDArray[np.int64]) -> Floats:
    """How far a computed bound may lie above the computed distance: shape of ``bounds``.

    ``reach`` is the largest absolute value among births and deaths, ``n_bars`` the number of bars of both diagrams.
    Each term of a norm is off by a few roundings of a coordinate, and a sum by one rounding of itself per term.
    """
    unit = float(np.finfo(np.float64).eps)
    found: Floats = 8 * unit * (n_bars + 8) * (reach + np.where(np.isfinite(bounds), bounds, 0.0))
    return found


def _partners(mine: Floats, many: Ragged, order: float = math.inf) -> tuple[Floats, Floats]:
    """For each bar of the many the query's value of the same rank, 0 beyond its last; and what the query has left
    beyond each diagram's last bar: the largest value, or the sum of powers for a finite order.
    """
    counts = many.counts
    filled = np.zeros(max(len(mine), int(counts.max(initial=0))) + 1)
    filled[: len(mine)] = mine
    ranks = np.arange(len(many.bars)) - np.repeat(many.starts[:-1], counts)
    left = filled if math.isinf(order) else np.cumsum(filled[::-1] ** order)[::-1]
    return filled[ranks], left[counts]


def _unit(order: float, *parts: Floats) -> float:
    """A power of two to divide by, which rounds nothing, so that powers stay within float64."""
    largest = max(float(np.abs(part).max(initial=0.0)) for part in parts)
    return 1.0 if math.isinf(order) or largest == 0 else 2.0 ** math.frexp(largest)[1]


def _reduce(how: np.ufunc, values: Floats, many: Ragged) -> Floats:
    """One number per diagram, 0 where it has no bar."""
    found = np.zeros(len(many.starts) - 1)
    some = many.counts > 0  # reduceat would give an empty run the value that follows it
    if some.any():
        found[some] = how.reduceat(values, many.starts[:-1][some])
    return found
