"""Log-odds of a loop from the cycle that closes it: a second look at bars that the frozen log-odds do not rule out.

The edge with which a loop is born closes a path of the minimal spanning tree.  Real loops are closed by one step among
many of its kind; two arcs that face each other, clusters on a ring or the turns of a roll are closed by a jump.  The
weights were fitted once (research/cycle_training.py) and are frozen.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.evidence import quantile

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
    """The cycles of one part of a sample, by its checked ``distances`` and the rising ``deaths`` of its components."""

    def __init__(self, distances: Matrix, deaths: Matrix, n_parts: int) -> None:
        self._distances = distances
        self._deaths = deaths
        self._n_parts = n_parts
        self._forest: list[list[int]] = []
        self._within = 0.0

    def odds(self, birth: float, death: float, frozen: float) -> float:
        """The log-odds of a bar with ``frozen`` ones, which are above LEAST_ODDS."""
        seen = np.minimum(np.maximum(self.features(birth, death, frozen), LOW), HIGH)
        return float(products(seen) @ WEIGHTS) + CONSTANT

    def features(self, birth: float, death: float, frozen: float) -> Matrix:
        """A bar and its cycle in numbers that have no unit, shape (12,), in the order of the ranges above."""
        distances, n_points = self._distances, len(self._distances)
        steps = self.steps(birth)
        n_steps = len(steps)
        jumps = np.concatenate([[birth], steps[: -_MOST_GAPS - 1 : -1]])  # falling
        k = np.arange(1, len(jumps))
        # of even random places on a curve each of these is one exponential variable
        gaps = k * np.log(jumps[:-1] / jumps[1:]) * np.log(np.maximum(n_steps / k, math.e))
        within = int(np.count_nonzero(distances <= birth * (1 + _ROUNDING))) - n_points
        near = int(np.count_nonzero(distances <= 0.5 * birth * (1 + _ROUNDING))) - n_points
        far = int(np.count_nonzero(distances < death * (1 - _ROUNDING))) - n_points
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
        if birth > self._within:
            self._forest, self._within = self._forest_within(birth), birth
        ends = np.unravel_index(np.flatnonzero(self._distances == birth), self._distances.shape)
        pairs = [(u, v) for u, v in zip(*(end.tolist() for end in ends), strict=True) if u < v]
        paths = [self._path(u, v) for u, v in pairs[:: len(pairs) // _MOST_TIES + 1]]  # some of many ties
        return max(paths, key=lambda path: (len(path) > 1, float(path[-1]), float(path.sum())))

    def _path(self, start: int, end: int) -> Matrix:
        before, waiting = {start: start}, [start]
        while end not in before:
            point = waiting.pop()
            for other in self._forest[point]:
                if other not in before:
                    before[other] = point
                    waiting.append(other)
        walk = [end]
        while walk[-1] != start:
            walk.append(before[walk[-1]])
        return np.sort(np.maximum(self._distances[walk[:-1], walk[1:]], _TINY))

    def _forest_within(self, most: float) -> list[list[int]]:
        """The neighbours of each point in a minimal spanning forest of the edges up to ``most``.

        Sources
        -------
        Kruskal 1956, doi:10.1090/S0002-9939-1956-0078686-7.
        """
        n_points = len(self._distances)
        places = np.flatnonzero(self._distances <= most)
        first, second = np.divmod(places, n_points)
        upper = first < second
        first, second, lengths = first[upper], second[upper], self._distances.ravel()[places[upper]]
        order = lengths.argsort(kind="stable")
        root, left = list(range(n_points)), n_points - 1
        forest: list[list[int]] = [[] for _ in range(n_points)]
        for one, other in zip(first[order].tolist(), second[order].tolist(), strict=True):
            a, b = one, other
            while root[a] != a:
                root[a] = a = root[root[a]]
            while root[b] != b:
                root[b] = b = root[root[b]]
            if a != b:
                root[a] = b
                forest[one].append(other)
                forest[other].append(one)
                left -= 1
                if not left:
                    break
        return forest


_TINY = float(np.finfo(np.float64).tiny)
_FIRST, _SECOND = np.triu_indices(len(LOW))


def products(features: Matrix) -> Matrix:
    """The features, then each of them times itself and times those behind it; of one bar or of each row."""
    found: Matrix = np.concatenate([features, features[..., _FIRST] * features[..., _SECOND]], axis=-1)
    return found
