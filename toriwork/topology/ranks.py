"""Distances as whole numbers that keep their order, so that an engine in float32 computes exactly.

A Rips filtration depends on the order of its distances alone: simplices enter in the same order when each distance is
replaced by its rank, and equal distances share one. Every whole number up to 2^24 is a float32, so that bars in ranks
are exact, and each rank stands for one distance in float64.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import TooLarge

Matrix = NDArray[np.float64]

#: whole numbers up to this are exact in float32
MOST_RANKS = 2**24


_ZERO, _INF = np.zeros(1), np.full(1, np.inf)
#: as many values at most are sorted together with their places, in one integer each
_FEW = 2**24
#: what share of neighbours in that order may be in the wrong one for these to be put right alone
_SOME = 1 / 64


@dataclass(frozen=True, slots=True)
class Ranked:
    """Distances as ranks, and the distance that each rank stands for."""

    ranks: Matrix  #: (n_pairs,) whole numbers in float64; what lies beyond the cut has one more than the last rank
    #: (n_ranks + 1,) ascending: of rank 0 the distance 0, whether there is one or not; inf at the end
    lengths: Matrix

    @property
    def last(self) -> float:
        """The rank of the largest distance within the cut."""
        return float(len(self.lengths) - 2)

    def bars_in_lengths(self, bars: Matrix) -> Matrix:
        """Bars (n_bars, 2) in distances; inf stays."""
        found: Matrix = self.lengths[np.minimum(bars, self.last + 1).astype(np.intp)]
        return found


@dataclass(frozen=True, slots=True)
class Exact:
    """Distances that float32 holds as they are: hops, places that differ, whole numbers. They are their own ranks."""

    ranks: Matrix
    last: float

    def bars_in_lengths(self, bars: Matrix) -> Matrix:
        """Bars (n_bars, 2) as they are."""
        return bars


def ranked(distances: Matrix, cut: float = math.inf) -> Ranked | Exact:
    """The ranks of checked distances, shape (n_pairs,), as far as they are no larger than ``cut``.

    Raises
    ------
    TooLarge
        There are more than 2^24 different ones.
    """
    if _are_whole(distances):
        return Exact(distances, float(distances.max(initial=0.0, where=distances <= cut)))
    within = np.flatnonzero(distances <= cut) if math.isfinite(cut) else np.zeros(0, dtype=np.intp)
    values = distances if math.isinf(cut) else distances[within]
    order, rising = _sorted(values)
    places: NDArray[np.int32]  # half the bytes to move of a float64
    later = rising[1:] > rising[:-1]
    if later.all() and rising[:1].all():  # no two are equal, none is 0
        lengths, places = np.concatenate([_ZERO, rising, _INF]), np.arange(1, len(rising) + 1, dtype=np.int32)
    else:
        starts = np.concatenate([rising[:1] > 0.0, later])
        lengths, places = np.concatenate([_ZERO, rising[starts], _INF]), starts.cumsum(dtype=np.int32)
    if len(lengths) > MOST_RANKS:
        raise TooLarge(
            f"{len(lengths) - 2} different distances: this engine tells {MOST_RANKS} apart; "
            "a threshold leaves fewer, gudhi takes any number"
        )
    ranks = np.full(len(distances), len(lengths) - 1, dtype=np.int32)
    ranks[order if values is distances else within[order]] = places
    return Ranked(ranks.astype(np.float64), lengths)


def _are_whole(values: Matrix) -> bool:
    """Tell if float32 holds every distance; a few tell at once for most that they are none."""
    return all(
        bool((part < MOST_RANKS).all() and (part == part.astype(np.int32)).all()) for part in (values[:8], values)
    )


def _sorted(values: Matrix) -> tuple[NDArray[np.intp], Matrix]:
    """The places of values >= 0 in rising order, and the values in that order."""
    if len(values) > _FEW:
        order = values.argsort()
        return order, values[order]
    # the order of such floats is that of their bits; the last ones make room for the place, which is then sorted along
    # in a third of the time
    bits = max(len(values) - 1, 1).bit_length()
    room = (1 << bits) - 1
    packed = values.view(np.int64) & ~room
    packed |= np.arange(len(values))
    packed.sort()
    packed &= room
    rising = values[packed]
    n_wrong = np.count_nonzero(rising[1:] < rising[:-1])
    if n_wrong > _SOME * len(values):
        order = rising.argsort(kind="stable")
        return packed[order], rising[order]
    if n_wrong:  # only those that agree in all other bits are out of order
        kept = rising.view(np.int64) >> bits
        same = kept[1:] == kept[:-1]
        some = np.flatnonzero(np.append(same, False) | np.append(False, same))
        order = some[rising[some].argsort(kind="stable")]
        packed[some], rising[some] = packed[order], rising[order]
    return packed, rising
