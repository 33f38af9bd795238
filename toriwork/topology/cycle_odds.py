"""Log-odds of a loop from the cycle that closes it: a second look at bars that the frozen log-odds do not rule out.

The edge with which a loop is born closes a path of the minimal spanning tree.  Real loops are closed by one step among
many of its kind; two arcs that face each other, clusters on a ring or the turns of a roll are closed by a jump.  The
weights were fitted once (research/cycle_training.py) and are frozen.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.clouds import as_condensed, pairs_at
from toriwork.topology.evidence import quantile
from toriwork.topology.single_linkage import SingleLinkage

Matrix = NDArray[np.float64]

#: bars with lower log-odds are not looked at: 1 in 150 of those of the fit would count
LEAST_ODDS = -4.0
#: ranges of the features, in their order, in the clouds of the fit; beyond them the nearest value is used
LOW = np.array([-6.0, 0.224, 0.035, 2.485, 0.0, 0.0, 0.223, 0.062, 1.3, 1.099, 0.225, 0.561])
HIGH = np.array([12.0, 2.575, 3.446, 6.551, 2.565, 1.341, 35.801, 3.408, 4.504, 5.642, 7.697, 3.214])
#: of the features and of the products of each with itself and those behind it
WEIGHTS = np.array([
    0.6448, 1.5148, 0.0337, -2.0704, -0.2391, 5.8612, 0.9486, -0.1309, -2.2748, 0.103, -3.8036, 0.9745, -0.0246,
    0.3327, -0.1405, -0.035, 0.3978, 0.2499, 0.0113, -0.0713, -0.0558, -0.075, 0.2158, 0.0033, 1.2394, 1.2292,
    0.0502, -1.5353, -8.6323, -0.2292, 2.1014, -0.7657, -0.5131, 1.4895, 0.5193, -0.9616, -0.1369, 0.8482,
    -0.4573, -0.1282, -0.2196, 0.7799, 0.3808, 0.2571, 0.9783, 0.3605, -0.7191, 1.4599, 0.028, -0.168, 0.008,
    -0.0364, 0.1153, -0.6978, -2.7216, 2.1041, -0.0484, -0.1478, 0.9825, 0.6216, 0.3176, 0.104, -4.9906, 0.0486,
    2.3996, 0.101, -1.3684, 1.7372, -2.9728, -0.0002, -0.0648, -0.2508, -0.0479, -0.1988, 0.0786, -0.3089,
    0.0065, 0.2063, 0.6865, 0.4158, 0.2587, 0.0939, 0.1718, 0.5673, -0.1143, 0.0947, -0.7833, 0.398, 0.7123,
    -0.1999,
])  # fmt: skip
CONSTANT = 5.2286
_MOST_GAPS, _MOST_TIES = 16, 32
_ROUNDING = 1e-9  #: two distances this close are the same, whatever the coordinates that they were made of


class Cycles:
    """The cycles of one part of a sample, by its checked ``distances`` and the tree of their merges."""

    def __init__(self, distances: Matrix, tree: SingleLinkage, n_parts: int) -> None:
        self._distances = distances
        self._entries = as_condensed(distances)
        self._tree = tree
        self._deaths = tree.heights[tree.heights.searchsorted(0.0, side="right") :]
        self._n_parts = n_parts

    def odds(self, birth: float, death: float, frozen: float) -> float:
        """The log-odds of a bar with ``frozen`` ones, which are above LEAST_ODDS."""
        seen = np.minimum(np.maximum(self.features(birth, death, frozen), LOW), HIGH)
        return float(products(seen) @ WEIGHTS) + CONSTANT

    def features(self, birth: float, death: float, frozen: float) -> Matrix:
        """A bar and its cycle in numbers that have no unit, shape (12,), in the order of the ranges above."""
        entries = self._entries
        steps = self.steps(birth)
        n_steps = len(steps)
        jumps = np.concatenate([[birth], steps[: -_MOST_GAPS - 1 : -1]])  # falling
        k = np.arange(1, len(jumps))
        # of even random places on a curve each of these is one exponential variable
        gaps = k * np.log(jumps[:-1] / jumps[1:]) * np.log(np.maximum(n_steps / k, math.e))
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
                float(gaps.max()),
                math.log(birth / float((steps[(n_steps - 1) // 2] + steps[n_steps // 2]) / 2)),
                math.log((float(steps.sum()) + birth) / birth),
                math.log(n_steps),
                math.log2(within / max(near, 1)),  # the dimension of the sample below the birth
                math.log(far / within) / max(ratio, 0.05),  # and above it
            ]
        )

    def steps(self, birth: float) -> Matrix:
        """The edges, rising, of the path in the spanning tree that an edge of this length closes."""
        ends = pairs_at(np.flatnonzero(self._entries == birth), len(self._distances))
        pairs = list(zip(*(end.tolist() for end in ends), strict=True))
        paths = [self._steps(u, v) for u, v in pairs[:: len(pairs) // _MOST_TIES + 1]]  # some of many ties
        return max(paths, key=lambda path: (len(path) > 1, float(path[-1]), float(path.sum())))

    def _steps(self, start: int, end: int) -> Matrix:
        walk = self._tree.path(start, end)
        return np.sort(np.maximum(self._distances[walk[:-1], walk[1:]], _TINY))


_TINY = float(np.finfo(np.float64).tiny)
_FIRST, _SECOND = np.triu_indices(len(LOW))


def products(features: Matrix) -> Matrix:
    """The features, then each of them times itself and times those behind it; of one bar or of each row."""
    found: Matrix = np.concatenate([features, features[..., _FIRST] * features[..., _SECOND]], axis=-1)
    return found
