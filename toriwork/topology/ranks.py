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
#: as many values at most are sorted together with their places, in one integer each
_FEW = 2**24
#: of more values some are asked whether they differ in their last bits alone: how many, by how much, and what share may
#: do so for these to be put right alone
_MANY, _LOOKED_AT, _ALIKE, _SOME = 20_000, 1_000, 1.0 + 2.0**-36, 1 / 64


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
    within = np.flatnonzero(distances <= cut) if math.isfinite(cut) else None
    values = distances if within is None else distances[within]
    lengths = np.empty(len(values) + 2)  # few arrays are made here: new pages cost as much as the sort
    lengths[0], lengths[-1] = 0.0, np.inf
    rising = lengths[1:-1]
    order = _sorted(values, rising)
    later = rising[1:] > rising[:-1]
    if later.all() and (rising[:1] > 0.0).all():  # no two are equal, none is 0
        places = np.arange(1.0, len(values) + 1.0)
    else:
        starts = np.concatenate([rising[:1] > 0.0, later])
        places, lengths = starts.cumsum(dtype=np.float64), np.concatenate([lengths[:1], rising[starts], lengths[-1:]])
    if len(lengths) > MOST_RANKS:
        raise TooLarge(
            f"{len(lengths) - 2} different distances: this engine tells {MOST_RANKS} apart; "
            "a threshold leaves fewer, gudhi takes any number"
        )
    if within is None:
        ranks = np.empty(len(distances))
    else:
        ranks, order = np.full(len(distances), len(lengths) - 1.0), within[order]
    ranks[order] = places
    return Ranked(ranks, lengths)


def _are_whole(values: Matrix) -> bool:
    """Tell if float32 holds every distance; a few tell at once for most that they are none."""
    if not all(value.is_integer() for value in values[:8].tolist()):
        return False
    return bool((values < MOST_RANKS).all() and (values == values.astype(np.int32)).all())


def _sorted(values: Matrix, rising: Matrix) -> NDArray[np.intp]:
    """The places of values >= 0 in rising order, equal ones in any; the values in that order go to ``rising``."""
    if len(values) > _FEW or (len(values) > _MANY and _agree_mostly(values)):
        order = values.argsort()
        values.take(order, out=rising, mode="clip")
        return order
    # the order of such floats is that of their bits; the last ones make room for the place, which is then sorted along
    # in a third of the time
    bits = max(len(values) - 1, 1).bit_length()
    room = (1 << bits) - 1
    packed = values.view(np.int64) & ~room
    packed |= np.arange(len(values))
    packed.sort()
    packed &= room
    values.take(packed, out=rising, mode="clip")
    if (rising[1:] < rising[:-1]).any():  # only those that agree in all other bits are out of order
        kept = rising.view(np.int64) >> bits
        same = kept[1:] == kept[:-1]
        some = np.flatnonzero(np.append(same, False) | np.append(False, same))
        order = some[rising[some].argsort(kind="stable")]
        packed[some], rising[some] = packed[order], rising[order]
    return packed


def _agree_mostly(values: Matrix) -> bool:
    """Tell if many values differ in their last bits alone, as on a grid whose distances were rounded: by some."""
    some = np.sort(values[:: max(1, len(values) // _LOOKED_AT)])
    alike = some[1:] <= some[:-1] * _ALIKE
    return bool(np.count_nonzero(alike & (some[1:] > some[:-1])) > _SOME * len(some))
