"""The Rips complex of a cloud as it grows: its edges and triangles up to a scale, those that enter first."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.plots.explorer import Moment
from toriwork.topology.inputs import distance_matrix

MAX_POINTS = 2000  #: all distances are in memory
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
        matrix = distance_matrix(points, None)
        first, second = np.triu_indices(len(points), 1)
        lengths = matrix[first, second]
        order = np.argsort(lengths, kind="stable")
        ends, rising = np.column_stack([first, second])[order], lengths[order]
        # one more than is drawn: it tells that there are more
        found = list(islice(_entering(matrix, ends, rising), max_triangles + 1))
        self.lengths = rising[: max_edges + 1].copy()  #: of the edges, rising
        self.edges = ends[:max_edges].copy()  #: (n, 2) indices of points
        self.entries = np.array([entry for entry, _ in found], dtype=np.float64)  #: scales of the triangles, rising
        self.triangles = np.array([corners for _, corners in found[:max_triangles]], dtype=np.intp).reshape(-1, 3)

    def at(self, scale: float) -> Moment:
        """The complex at a scale: simplices of diameter <= ``scale``, the first ones to be drawn."""
        n_edges, n_triangles = (int(np.searchsorted(v, scale, side="right")) for v in (self.lengths, self.entries))
        return Moment(scale, self.edges[:n_edges], self.triangles[:n_triangles], n_edges, n_triangles)


def _entering(
    matrix: NDArray[np.float64], ends: NDArray[np.intp], lengths: NDArray[np.float64]
) -> Iterator[tuple[float, tuple[int, int, int]]]:
    """Each triangle with its diameter, in the order in which they enter: with the last of their edges."""
    joined = np.zeros(matrix.shape, dtype=np.bool_)
    for place, length in enumerate(lengths):
        i, j = ends[place].tolist()
        for k in np.flatnonzero(joined[i] & joined[j]).tolist():
            yield float(length), (i, j, k)
        joined[i, j] = joined[j, i] = True
