"""Log-odds of a loop from the cycle that closes it: a second look at bars that the frozen log-odds do not rule out.

The edge with which a loop is born closes a path of the minimal spanning tree.  Real loops are closed by one step among
many of its kind; two arcs that face each other, clusters on a ring or the turns of a roll are closed by a jump.  The
weights were fitted once (research/cycle_training.py) and are frozen.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.clouds import pairs_at
from toriwork.topology.evidence import quantile
from toriwork.topology.single_linkage import SingleLinkage

Matrix = NDArray[np.float64]

#: bars with lower log-odds are not looked at: 1 in 150 of those of the fit would count
LEAST_ODDS = -4.0
#: ranges of the features, in their order, in the clouds of the fit; beyond them the nearest value is used
LOW = np.array([
    -6.0, 0.224, 0.035, 2.485, 0.0, 0.0, 0.223, 0.062, 1.3, 1.099, 0.225, 0.561, 0.0, -0.473, 0.11,
])  # fmt: skip
HIGH = np.array([
    12.0, 2.575, 3.446, 6.551, 2.565, 1.341, 35.801, 3.408, 4.504, 5.642, 7.697, 3.214, 3.418, 0.98, 1.0,
])  # fmt: skip
#: of the features and of the products of each with itself and those behind it
WEIGHTS = np.array([
    0.632, 1.3226, -0.592, -3.8374, -0.5395, 5.9958, 0.7859, 2.0328, -2.2667, -1.6326, -2.2305, -0.5113, 0.5493,
    2.0218, -2.1602, -0.0176, 0.1583, -0.0689, 0.0073, 0.2865, 0.0748, 0.0139, -0.126, -0.0534, -0.0736, 0.2638,
    -0.076, -0.0169, 0.2303, -0.0389, -0.0433, 0.8911, -0.0198, 1.9463, -7.6733, -0.203, 1.2485, -0.4547, -0.3831,
    1.7407, 0.5738, 1.4611, -0.5159, -1.3039, -0.6832, -0.1695, 0.0513, -0.339, -0.0571, -0.3166, 0.5651, -0.0069,
    1.1944, 0.1345, -0.2216, -0.5507, 3.2868, 0.2121, -0.2797, 1.5053, 0.0162, 0.2436, 0.2392, 0.1701, 0.2663,
    -0.1327, 0.2024, 0.0036, 0.6073, -1.8879, 2.3832, -0.0416, -0.1573, 0.5338, 0.3119, -0.5411, 0.5948, -0.3166,
    -0.3977, -0.6499, -5.0188, 0.344, 1.9109, 0.2886, -2.2754, -0.4181, -1.748, -0.1925, 2.8098, 4.8518, 0.0006,
    -0.1414, -0.1276, -0.0716, -0.2966, 0.0938, 0.037, -0.0539, 0.0253, -0.5075, 0.0521, -0.1151, -0.4939, 0.8692,
    -0.2883, 2.004, -0.7628, 0.2082, 0.1041, 0.0848, 0.1432, -0.1538, -0.4027, 0.4865, -0.0297, -0.118, -0.2481,
    -0.2729, -0.4974, 0.2097, 0.4526, 0.3255, -0.8027, 0.4257, 0.171, -0.168, 0.0418, -0.9538, -1.3499, 0.3042,
    0.0925, -0.4528, 1.5527, 0.8451, -2.7429,
])  # fmt: skip
CONSTANT = 11.9752
_MOST_GAPS, _MOST_TIES = 16, 32
#: in birth edges: from where to where along a path its direction is looked at
_FROM, _TO = 0.7, 3.0
_ROUNDING = 1e-9  #: two distances this close are the same, whatever the coordinates that they were made of


class Cycles:
    """The cycles of one of several parts of a sample, by the tree of its merges."""

    def __init__(self, tree: SingleLinkage, n_parts: int) -> None:
        self._tree = tree
        self._deaths = tree.heights[tree.heights.searchsorted(0.0, side="right") :]
        self._n_parts = n_parts

    def odds(self, birth: float, death: float, frozen: float) -> float:
        """The log-odds of a bar with ``frozen`` ones, which are above LEAST_ODDS."""
        seen = np.minimum(np.maximum(self.features(birth, death, frozen), LOW), HIGH)
        return float(seen @ (WEIGHTS[: len(LOW)] + _QUADRATIC @ seen)) + CONSTANT

    def features(self, birth: float, death: float, frozen: float) -> Matrix:
        """A bar and its cycle in numbers that have no unit, shape (15,), in the order of the ranges above."""
        entries = self._tree.entries
        steps, beyond, straight = self.way(birth)
        n_steps = len(steps)
        jumps = [birth, *steps[: -_MOST_GAPS - 1 : -1].tolist()]  # falling
        # of even random places on a curve each of these is one exponential variable
        gaps = [
            k * math.log(jumps[k - 1] / jumps[k]) * math.log(max(n_steps / k, math.e)) for k in range(1, len(jumps))
        ]
        # twice: each distance stands for a pair, in both orders
        within = 2 * int(np.count_nonzero(entries <= birth * (1 + _ROUNDING)))
        near = 2 * int(np.count_nonzero(entries <= 0.5 * birth * (1 + _ROUNDING)))
        far = 2 * int(np.count_nonzero(entries < death * (1 - _ROUNDING)))
        ratio = math.log(death / birth)
        return np.array(
            [
                frozen,
                ratio,
                math.log(birth / quantile(self._deaths, 0.5)),
                math.log(min(max(len(self._deaths) + 1.0, 8.0), 700.0)),
                math.log(self._n_parts),
                math.log(birth / jumps[1]),
                max(gaps),
                math.log(birth / float((steps[(n_steps - 1) // 2] + steps[n_steps // 2]) / 2)),
                math.log((float(steps.sum()) + birth) / birth),
                math.log(n_steps),
                math.log2(within / max(near, 1)),  # the dimension of the sample below the birth
                math.log(far / within) / max(ratio, 0.05),  # and above it
                math.log1p(beyond / birth),
                min(straight),
                max(straight),
            ]
        )

    def way(self, birth: float) -> tuple[Matrix, float, list[float]]:
        """The edges, rising, of the path in the spanning tree that an edge of this length closes, how far the tree goes
        on beyond the ends of that edge, the farther of both, and how straight the path goes on from the edge at each:
        1 in its direction, 0 across it, as from turn to turn of a spiral.
        """
        ends = pairs_at(np.flatnonzero(self._tree.entries == birth), len(self._tree.heights) + 1)
        pairs = list(zip(*(end.tolist() for end in ends), strict=True))
        ways = [self._way(u, v, birth) for u, v in pairs[:: len(pairs) // _MOST_TIES + 1]]  # some of many ties
        steps, beyond, walk = max(
            ways, key=lambda way: (len(way[0]) > 1, float(way[0][-1]), float(way[0].sum()), -way[1])
        )
        return steps, beyond, [self._straight(points, birth) for points in (walk, walk[::-1])]

    def _straight(self, walk: list[int], birth: float) -> float:
        """How much farther its first points are from its last one than from its first, over the edge between these."""
        some = walk[1 : max(2, len(walk) // 2 + 1)]
        near, far = (self._tree.distances[end, some].tolist() for end in (walk[0], walk[-1]))
        found: list[float] = []
        for this, other in zip(near, far, strict=True):
            if this >= _FROM * birth and (this <= _TO * birth or not found):
                found.append((other - this) / birth)
            if this > _TO * birth:
                break
        return sum(found) / len(found) if found else (far[-1] - near[-1]) / birth

    def _way(self, start: int, end: int, birth: float) -> tuple[Matrix, float, list[int]]:
        walk, distances = self._tree.path(start, end), self._tree.distances
        steps = np.maximum(distances[walk[:-1], walk[1:]], _TINY)
        farthest, along = 0.0, steps.tolist()
        for points, lengths in ((walk, along), (walk[::-1], along[::-1])):
            hanging = self._tree.beyond(points, lengths, birth)
            if hanging:
                farthest = max(farthest, float(distances[points[0], hanging].max()))
        steps.sort()
        return steps, farthest, walk


_TINY = float(np.finfo(np.float64).tiny)
_QUADRATIC = np.zeros((len(LOW), len(LOW)))
_QUADRATIC[np.triu_indices(len(LOW))] = WEIGHTS[len(LOW) :]
