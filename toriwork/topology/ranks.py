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
_FEW = 2**17


@dataclass(frozen=True, slots=True)
class Ranked:
    """Distances as ranks, and the distance that each rank stands for."""

    ranks: Matrix  #: (n_pairs,) whole numbers in float64; what lies beyond the cut has one more than the last rank
    lengths: Matrix  #: (n_ranks + 1,) ascending: of rank 0 the distance 0, whether there is one or not; inf at the end

    @property
    def last(self) -> int:
        """The rank of the largest distance within the cut."""
        return len(self.lengths) - 2

    def bars_in_lengths(self, bars: Matrix) -> Matrix:
        """Bars (n_bars, 2) in distances; inf stays."""
        found: Matrix = self.lengths[np.minimum(bars, self.last + 1).astype(np.intp)]
        return found


def ranked(distances: Matrix, cut: float = math.inf) -> Ranked:
    """The ranks of checked distances, shape (n_pairs,), as far as they are no larger than ``cut``.

    Raises
    ------
    TooLarge
        There are more than 2^24 different ones.
    """
    within = np.flatnonzero(distances <= cut) if math.isfinite(cut) else np.zeros(0, dtype=np.intp)
    values = distances if math.isinf(cut) else distances[within]
    order, rising = _sorted(values)
    later = rising[1:] > rising[:-1]
    if later.all() and rising[:1].all():  # no two are equal, none is 0
        lengths, places = np.concatenate([_ZERO, rising, _INF]), np.arange(1, len(rising) + 1)
    else:
        starts = np.concatenate([rising[:1] > 0.0, later])
        lengths, places = np.concatenate([_ZERO, rising[starts], _INF]), starts.cumsum()
    if len(lengths) > MOST_RANKS:
        raise TooLarge(
            f"{len(lengths) - 2} different distances: this engine tells {MOST_RANKS} apart; "
            "a threshold leaves fewer, gudhi takes any number"
        )
    if values is distances:
        ranks = np.empty(len(values))
        ranks[order] = places
    else:
        ranks = np.full(len(distances), float(len(lengths) - 1))
        ranks[within[order]] = places
    return Ranked(ranks, lengths)


def _sorted(values: Matrix) -> tuple[NDArray[np.intp], Matrix]:
    """The places of values >= 0 in rising order, and the values in that order."""
    if len(values) <= _FEW:
        # the order of such floats is that of their bits; the last ones make room for the place, which is then sorted
        # along in a third of the time
        room = (1 << max(len(values) - 1, 1).bit_length()) - 1
        packed = values.view(np.int64) & ~room
        packed |= np.arange(len(values))
        packed.sort()
        packed &= room
        rising = values[packed]
        if not (rising[1:] < rising[:-1]).any():
            return packed, rising
    order = values.argsort()
    return order, values[order]
