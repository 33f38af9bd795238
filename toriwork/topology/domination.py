"""Points that a Rips complex does not need: what is left when those that another point dominates go.

At a scale t a point w dominates a neighbour v that has no neighbour which w lacks.  Without v the complex keeps its
homotopy type, and moving v to w is a map of it.  Over the scales from low to high it is enough that the neighbours of v
at high are neighbours of w at low.  Neighbours are one bit each, so that thousands of points take a second.

Sources
-------
Barmak & Minian 2012, doi:10.1007/s00454-011-9357-5, sect. 2 and 5 (strong collapses).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Matrix = NDArray[np.float64]
Places = NDArray[np.intp]
_Bits = NDArray[np.uint64]  #: (n_points, n_words): a bit for each point, in the order of packbits

#: points of which every other one is asked
_ALL = 64
#: else the nearest so many, of all points and of these shares of them: it takes a far one to go in at a time
_NEAREST, _SHARES = 6, (1, 8, 64)
#: rows of distances that are made together
_BLOCK = 256


@dataclass(frozen=True, slots=True)
class Core:
    """Points that are left, and the one of them that each point of a whole cloud was moved to."""

    cloud: Matrix  #: (n_left, dim)
    place: Places  #: (n_points,)

    def within(self, low: float, high: float) -> Core:
        """A core of this one, for each scale of ``low`` to ``high``."""
        kept, moved = _collapsed(self.cloud, low, high)
        at = np.zeros(len(self.cloud), dtype=np.intp)
        at[kept] = np.arange(len(kept))
        return Core(self.cloud[kept], at[moved][self.place])


def _collapsed(cloud: Matrix, low: float, high: float) -> tuple[Places, Places]:
    """The points that stay, and the one of them that each is moved to."""
    moved, kept = np.arange(len(cloud)), np.arange(len(cloud))
    rng = np.random.default_rng(0)
    left = -1
    while left:  # until no point goes
        among = cloud[kept]
        wide = _joined(among, high)
        near = wide if low == high else _joined(among, low)
        here, left = np.arange(len(among)), 0
        while 2 * len(here) > len(among):  # half as many points have a quarter of the bits
            to = _dominators(among, here, near, wide, rng)
            goes = to >= 0
            if not goes.any():
                break
            left += int(goes.sum())
            moved[kept[here[goes]]] = kept[to[goes]]
            here = here[~goes]
        kept = kept[here]
    while (moved[moved] != moved).any():  # whoever dominates one that dominates, dominates
        moved = moved[moved]
    return kept, moved


def _dominators(cloud: Matrix, here: Places, near: _Bits, wide: _Bits, rng: np.random.Generator) -> Places:
    """A point that dominates each of those that are here, -1 where none was found; no two dominate each other."""
    some = _packed(np.bincount(here, minlength=len(cloud))[None, :] > 0)[0]

    def exceeds(first: Places, second: Places) -> NDArray[np.bool_]:
        """True where the one has a neighbour at the larger scale that the other lacks at the smaller one."""
        lacks = ~near[second]
        lacks &= wide[first]
        lacks &= some
        return np.asarray(lacks.any(axis=1))

    to = np.full(len(here), -1)
    for asked in _asked(cloud, here, rng):
        waits = np.flatnonzero(to < 0)
        point, other = here[waits], here[asked[waits]]
        good = np.flatnonzero(other != point)
        good = good[~exceeds(point[good], other[good])]
        # of two that have the same neighbours the first one stays
        good = good[exceeds(other[good], point[good]) | (other[good] < point[good])]
        to[waits[good]] = other[good]
    return to


def _asked(cloud: Matrix, here: Places, rng: np.random.Generator) -> list[Places]:
    """Points by their places among those that are here, one for each of these and turn."""
    n_here = len(here)
    if n_here <= _ALL:
        return list((np.arange(n_here)[:, None] + np.arange(1, n_here)).T % n_here)
    from scipy.spatial import cKDTree

    turns: list[Places] = []
    for share in _SHARES:
        some = np.arange(n_here) if share == 1 else np.sort(rng.choice(n_here, -(-n_here // share), replace=False))
        found = cKDTree(cloud[here[some]]).query(cloud[here], k=min(_NEAREST, len(some)))[1]
        turns += list(some[found.reshape(n_here, -1)].T)
    return turns


def _joined(cloud: Matrix, scale: float) -> _Bits:
    """The neighbours of each point within a scale, itself among them, by distances as those of ``pair_lengths``."""
    n_points, most = len(cloud), _largest_square(scale)
    rows = []
    for start in range(0, n_points, _BLOCK):
        total = np.zeros((min(_BLOCK, n_points - start), n_points))
        for column in cloud.T:
            difference = column[start : start + _BLOCK, None] - column
            difference *= difference
            total += difference
        rows.append(_packed(total <= most))
    return np.concatenate(rows)


def _packed(flags: NDArray[np.bool_]) -> _Bits:
    n_rows, n_points = flags.shape
    bits = np.zeros((n_rows, -(-n_points // 64) * 8), dtype=np.uint8)
    packed = np.packbits(flags, axis=1)
    bits[:, : packed.shape[1]] = packed
    return bits.view(np.uint64)


def _largest_square(scale: float) -> float:
    """The largest number whose root, as it is rounded, is no more than the scale."""
    square = scale * scale
    while math.sqrt(square) > scale:
        square = math.nextafter(square, 0.0)
    while math.sqrt(math.nextafter(square, math.inf)) <= scale:
        square = math.nextafter(square, math.inf)
    return square
