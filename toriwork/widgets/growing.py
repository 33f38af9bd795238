"""The Rips complex of a cloud as it grows: its edges and triangles up to a scale, a bounded number of them."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.plots.explorer import Moment
from toriwork.topology.inputs import distance_matrix

MAX_POINTS = 1000  #: counting triangles takes n_points ** 3
MAX_EDGES = 3000  #: drawn; those that enter first
MAX_TRIANGLES = 5000


class GrowingComplex:
    """Edges and triangles of the Rips complex, each with the diameter at which it enters.

    Raises
    ------
    BadInput
        The points are no finite cloud, or more than ``MAX_POINTS``.
    """

    def __init__(
        self, points: NDArray[np.float64], *, max_edges: int = MAX_EDGES, max_triangles: int = MAX_TRIANGLES
    ) -> None:
        if len(points) > MAX_POINTS:
            raise BadInput(f"points: expected at most {MAX_POINTS} to draw their complex, got {len(points)}")
        self._matrix = distance_matrix(points, None)
        first, second = np.triu_indices(len(points), 1)
        lengths = self._matrix[first, second]
        order = np.argsort(lengths, kind="stable")
        self._lengths = lengths[order]
        self._edges = np.column_stack([first, second])[order]
        self._max_edges = max_edges
        found = list(islice(self._enter(), max_triangles + 1))
        self._entries = np.array([entry for entry, _ in found])
        self._triangles = np.array([corners for _, corners in found], dtype=np.intp).reshape(-1, 3)
        self._max_triangles = max_triangles

    def at(self, scale: float) -> Moment:
        """The complex at a scale: simplices of diameter <= ``scale``, all counted, the first ones to be drawn."""
        n_edges = int(np.searchsorted(self._lengths, scale, side="right"))
        n_triangles = int(np.searchsorted(self._entries, scale, side="right"))
        if n_triangles > self._max_triangles:
            n_triangles = self._count_triangles(scale)
        edges = self._edges[: min(n_edges, self._max_edges)]
        return Moment(scale, edges, self._triangles[: min(n_triangles, self._max_triangles)], n_edges, n_triangles)

    def _enter(self) -> Iterator[tuple[float, tuple[int, int, int]]]:
        """Each triangle with its diameter, in the order in which they enter: with the last of their edges."""
        joined = np.zeros(self._matrix.shape, dtype=np.bool_)
        for (i, j), length in zip(self._edges.tolist(), self._lengths.tolist(), strict=True):
            for k in np.flatnonzero(joined[i] & joined[j]).tolist():
                yield length, (i, j, k)
            joined[i, j] = joined[j, i] = True

    def _count_triangles(self, scale: float) -> int:
        joined = (self._matrix <= scale).astype(np.float32)
        np.fill_diagonal(joined, 0.0)
        return round(float(((joined @ joined) * joined).sum(dtype=np.float64)) / 6)
