"""A flag complex at one scale without the edges that it does not need, and what a chain of triangles is in its H2.

A neighbour of both ends of an edge dominates it when it is joined to all of their other common neighbours.  Without
such an edge the complex keeps its homotopy type, and a chain of triangles is moved off it: the triangle of the edge and
a point becomes the two that the point, the dominating one and either end have.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import TooLarge
from toriwork.topology.cycles import strong_collapse
from toriwork.topology.engines import graph_cocycles

Triangle = tuple[int, ...]

#: triangles that may be left, of which the cocycles are computed: 2 million take 10 to 20 s and 150 MB
MOST_LEFT = 5_000_000
#: points and edges of the smallest flag complex with a void, the octahedron
_LEAST_POINTS, _LEAST_EDGES = 6, 12


class CollapsedComplex:
    """The flag complex of the pairs that are joined, collapsed, with a basis of its H^2 over Z/2.

    Parameters
    ----------
    joined : ndarray of bool, shape (n_points, n_points)
        Symmetric, with a true diagonal.

    Raises
    ------
    TooLarge
        A collapse leaves more than ``MOST_LEFT`` triangles.

    Sources
    -------
    Boissonnat & Pritam 2020, doi:10.4230/LIPIcs.SoCG.2020.19 (edges that are dominated).
    """

    def __init__(self, joined: NDArray[np.bool_]) -> None:
        kept, self._place = np.unique(strong_collapse(joined), return_inverse=True)
        among = joined[np.ix_(kept, kept)]
        np.fill_diagonal(among, False)
        #: of each edge that went: its turn, and the point that dominated it
        self._gone = _dominated_edges(among)
        for first, second in self._gone:
            among[first, second] = among[second, first] = False
        self._cocycles = _cocycles(among)

    def class_of(self, chain: Iterable[Triangle]) -> int:
        """The class of a cycle of triangles in H2: one bit for each cocycle of the basis, 0 for a boundary."""
        left = self._moved(chain)
        return sum((len(left & cocycle) % 2) << k for k, cocycle in enumerate(self._cocycles))

    def _moved(self, chain: Iterable[Triangle]) -> set[Triangle]:
        """The chain in the edges that are left."""
        left: set[Triangle] = set()
        waiting: list[tuple[int, tuple[int, int], Triangle]] = []

        def toggle(points: Iterable[int]) -> None:
            triangle = tuple(sorted(points))
            left.symmetric_difference_update([triangle])
            first = min(
                ((self._gone[edge][0], edge) for edge in combinations(triangle, 2) if edge in self._gone), default=None
            )
            if first is not None and triangle in left:
                heapq.heappush(waiting, (*first, triangle))

        for triangle in chain:
            image = {int(self._place[point]) for point in triangle}
            if len(image) == len(triangle):  # else it becomes an edge or a point
                toggle(image)
        while waiting:
            _, edge, triangle = heapq.heappop(waiting)
            if triangle not in left:
                continue
            left.remove(triangle)
            by = self._gone[edge][1]
            (third,) = set(triangle) - set(edge)
            if third != by:
                for end in edge:
                    toggle((end, third, by))
        return left


def _dominated_edges(joined: NDArray[np.bool_]) -> dict[tuple[int, int], tuple[int, int]]:
    """The edges that are dominated one after the other, until none is: the turn of each, and by which point."""
    near = [int.from_bytes(np.packbits(row, bitorder="little").tobytes(), "little") for row in joined]
    edges: list[tuple[int, int]] = [(int(i), int(j)) for i, j in np.argwhere(np.triu(joined, 1))]
    gone: dict[tuple[int, int], tuple[int, int]] = {}
    n_gone = -1
    while n_gone < len(gone):
        n_gone, stay = len(gone), []
        for first, second in edges:
            by = _dominating(near[first] & near[second], near)
            if by < 0:
                stay.append((first, second))
                continue
            gone[first, second] = len(gone), by
            near[first] &= ~(1 << second)
            near[second] &= ~(1 << first)
        edges = stay
    return gone


def _dominating(shared: int, near: list[int]) -> int:
    """The first of the shared points that is joined to all others of them, -1 when there is none."""
    left = shared
    while left:
        bit = left & -left
        point = bit.bit_length() - 1
        if not shared & ~near[point] & ~bit:
            return point
        left &= near[point]  # one that dominates is joined to this point
    return -1


def _cocycles(joined: NDArray[np.bool_]) -> list[set[Triangle]]:
    """The triangles on which each cocycle of a basis of H^2 over Z/2 is 1."""
    if len(joined) < _LEAST_POINTS or np.count_nonzero(joined) < 2 * _LEAST_EDGES:
        return []
    among = joined.astype(np.float32)
    n_triangles = float(((among @ among) * among).sum(dtype=np.float64)) / 6
    if n_triangles > MOST_LEFT:
        raise TooLarge(
            f"representatives: a collapse leaves {n_triangles:.3g} triangles just before the death, the most is "
            f"{MOST_LEFT:,}; the diagram of fewer points has representatives that cost less"
        )
    ranks = np.where(joined, 1.0, 2.0)
    np.fill_diagonal(ranks, 0.0)
    found = graph_cocycles(ranks, 1.0, 2, k=2)
    return [{tuple(sorted(row[:3])) for row in cocycle.tolist() if row[3] % 2} for _, cocycle in found]
