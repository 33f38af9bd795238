"""A minimal spanning tree, and points that lie far from each other, read from distances a row at a time.

Beside the row at hand, memory grows with the number of points and not with its square.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from toriwork.progress import progress_bar

Matrix = NDArray[np.float64]
#: the distances of one point to all, shape (n_points,)
Row = Callable[[int], Matrix]


class SpanningTree(NamedTuple):
    """A minimal spanning tree: its edges are the deaths of H0."""

    lengths: Matrix  #: (n_points - 1,) float64, ascending; inf for each component beyond the first
    parents: NDArray[np.intp]  #: (n_points,): the point that each one was joined to, -1 for the first of a component

    def joins(self, first: NDArray[np.intp], second: NDArray[np.intp]) -> NDArray[np.bool_]:
        """True for each pair of points that is an edge of the tree."""
        joined: NDArray[np.bool_] = (self.parents[first] == second) | (self.parents[second] == first)
        return joined


def spanning_tree(n_points: int, row: Row, seconds: float = 0.0) -> SpanningTree:
    """A minimal spanning tree by Prim's algorithm, O(n_points^2) time, with a bar where long ``seconds`` are predicted.

    Sources
    -------
    Prim 1957, doi:10.1002/j.1538-7305.1957.tb01515.x.
    """
    lengths = np.empty(max(n_points - 1, 0))
    parents = np.full(n_points, -1, dtype=np.intp)
    reach, outside, latest = np.full(n_points, np.inf), np.ones(n_points, dtype=np.bool_), 0
    with progress_bar("spanning tree", n_points - 1, unit=" points", seconds=seconds) as done:
        for i in range(n_points - 1):
            outside[latest] = False
            reach[latest] = np.inf
            distances = row(latest)
            closer = outside & (distances < reach)
            parents[closer] = latest
            np.copyto(reach, distances, where=closer)
            latest = int(reach.argmin())
            lengths[i] = reach[latest]
            if math.isinf(lengths[i]):  # a component is done: the next one has no edge to it
                latest = int(outside.argmax())
            done(1)
    lengths.sort()
    return SpanningTree(lengths, parents)


def component_bars(lengths: Matrix, n_points: int, threshold: float = math.inf) -> Matrix:
    """The bars of H0, shape (n_points, 2): one dies at each edge of the tree that is no longer, the others never."""
    bars = np.zeros((n_points, 2))
    bars[:, 1] = np.append(np.where(lengths <= threshold, lengths, np.inf), np.inf)[:n_points]
    return bars


def farthest_points(n_points: int, wanted: int, row: Row, seconds: float = 0.0) -> tuple[NDArray[np.intp], Matrix]:
    """Indices of points, each the farthest from those before, and how far any point is then from the nearest of them.

    The first is the one farthest from point 0; fewer than ``wanted`` where all the others coincide with them. The
    distances, float64 of the same shape, descend. There is a bar where long ``seconds`` are predicted.

    Sources
    -------
    Gonzalez 1985, doi:10.1016/0304-3975(85)90224-5.
    """
    chosen, covers = np.zeros(min(wanted, n_points), dtype=np.intp), np.zeros(min(wanted, n_points))
    if n_points == 0:
        return chosen, covers
    reach, latest = np.full(n_points, np.inf), int(row(0).argmax())
    with progress_bar("landmarks", len(chosen), unit=" points", seconds=seconds) as done:
        for i in range(len(chosen)):
            np.minimum(reach, row(latest), out=reach)
            chosen[i], covers[i] = latest, reach.max()
            latest = int(reach.argmax())
            if covers[i] == 0:
                return chosen[: i + 1], covers[: i + 1]
            done(1)
    return chosen, covers
