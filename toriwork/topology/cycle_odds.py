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
LOW = np.array([-6.0, 0.224, 0.035, 2.485, 0.0, 0.0, 0.223, 0.062, 1.3, 1.099, 0.225, 0.561, 0.0])
HIGH = np.array([12.0, 2.575, 3.446, 6.551, 2.565, 1.341, 35.801, 3.408, 4.504, 5.642, 7.697, 3.214, 3.418])
#: of the features and of the products of each with itself and those behind it
WEIGHTS = np.array([
    0.6003, 1.2274, -0.0398, -3.9131, -0.5638, 9.2058, 0.7387, 1.6319, -2.3374, -1.7037, -2.407, -0.7433,
    0.2728, -0.0176, 0.2622, -0.0945, 0.0194, 0.2856, 0.0568, 0.0148, -0.1007, -0.0677, -0.0843, 0.2688,
    -0.0983, -0.026, 0.4491, 1.1613, 0.0551, 1.2952, -6.6708, -0.2005, 1.2751, -0.4651, -0.3668, 1.6342,
    -0.122, 1.4362, -0.8273, 0.0152, 0.3311, -0.6603, -0.0257, -0.4664, 0.9558, 0.1339, 1.2344, -0.1178,
    -0.3423, 0.2013, -0.2329, 1.5802, 0.008, 0.2603, 0.2562, 0.2083, 0.2364, -0.1128, 0.2595, -1.6829, 1.6006,
    -0.07, -0.148, 0.3851, 0.2431, -0.5032, 0.5351, -0.46, -6.7547, 0.2928, 3.1441, 0.287, -2.0836, 0.3981,
    -2.9767, -0.4179, -0.0001, -0.1266, -0.1199, -0.0709, -0.3017, 0.1099, 0.0552, -0.6291, 0.172, -0.0621,
    -0.8196, 1.1424, -0.2294, 0.1452, 0.0826, 0.1988, 0.0913, -0.3394, -0.0239, 0.0133, -0.4373, -0.317,
    0.3916, 0.4597, -0.6569, -0.1621, 0.0812, 0.2928,
])  # fmt: skip
CONSTANT = 11.9126
_MOST_GAPS, _MOST_TIES = 16, 32
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
        """A bar and its cycle in numbers that have no unit, shape (13,), in the order of the ranges above."""
        entries = self._tree.entries
        steps, beyond = self.way(birth)
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
            ]
        )

    def way(self, birth: float) -> tuple[Matrix, float]:
        """The edges, rising, of the path in the spanning tree that an edge of this length closes, and how far the tree
        goes on beyond the ends of that edge, the farther of both.
        """
        ends = pairs_at(np.flatnonzero(self._tree.entries == birth), len(self._tree.heights) + 1)
        pairs = list(zip(*(end.tolist() for end in ends), strict=True))
        ways = [self._way(u, v, birth) for u, v in pairs[:: len(pairs) // _MOST_TIES + 1]]  # some of many ties
        return max(ways, key=lambda way: (len(way[0]) > 1, float(way[0][-1]), float(way[0].sum()), -way[1]))

    def _way(self, start: int, end: int, birth: float) -> tuple[Matrix, float]:
        walk, distances = self._tree.path(start, end), self._tree.distances
        steps = np.maximum(distances[walk[:-1], walk[1:]], _TINY)
        farthest, along = 0.0, steps.tolist()
        for points, lengths in ((walk, along), (walk[::-1], along[::-1])):
            hanging = self._tree.beyond(points, lengths, birth)
            if hanging:
                farthest = max(farthest, float(distances[points[0], hanging].max()))
        steps.sort()
        return steps, farthest


_TINY = float(np.finfo(np.float64).tiny)
_QUADRATIC = np.zeros((len(LOW), len(LOW)))
_QUADRATIC[np.triu_indices(len(LOW))] = WEIGHTS[len(LOW) :]
