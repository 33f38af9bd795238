"""The Delaunay graph of points in the plane or in space: what Rips filtrations of many points need of it.

An edge whose lune is empty, or that a minimal spanning tree has, is in every Delaunay triangulation: the ball over it
as its diameter has no other point. So the tree, and where the births of H1 end (``truncation.py`` says why), are found
among a few edges a point, without the distances of all pairs.

Sources
-------
Toussaint 1980, doi:10.1016/0031-3203(80)90066-7 (lunes, tree and triangulation).  Barber, Dobkin & Huhdanpaa 1996,
doi:10.1145/235815.235821 (Qhull).
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.clouds import TINY, safely_scaled

Matrix = NDArray[np.float64]
Indices = NDArray[np.intp]

#: coordinates that a point may have: more make triangulations of many simplices
DIMENSIONS = (2, 3)
#: of the extent: points that are nearer to each other are not told apart, since Qhull works with squares
_RESOLVED = 1e-7
#: beyond the rounding of a tree's own distances
_A_LITTLE = 1.0 + 2.0**-20
#: points farthest from others whose edges are looked at, and the nearest points among which
_LONELY, _AROUND = 400, 64
#: nearest points of each point that tell which are joined at a scale
_NEAREST = 6


@dataclass(frozen=True, slots=True)
class DelaunayGraph:
    """Edges of a Delaunay triangulation, shorter ones first; distances as those of ``euclidean_pairs``, bit for bit."""

    cloud: Matrix  #: (n_points, dim) distinct points
    first: Indices
    second: Indices
    lengths: Matrix  #: (n_edges,)
    in_tree: NDArray[np.bool_]  #: of the edges of a minimal spanning tree
    witnessed: NDArray[np.bool_]  #: of the edges whose lune has a third point of a triangle
    hull: Indices  #: the corners of the convex hull
    neighbours: Any  #: SciPy's cKDTree of the cloud

    def last_birth(self) -> float:
        """The length of the longest edge with an empty lune that is not in the tree: no class of H1 is born later."""
        return next(self._births(), 0.0)

    def births_beyond(self, scale: float, limit: float) -> Matrix:
        """The different scales in (scale, limit] at which classes of H1 are born, ascending."""
        births = itertools.takewhile(lambda length: length > scale, self._births())
        return np.unique([length for length in births if length <= limit])

    def _births(self) -> Iterator[float]:
        """The lengths of the edges with an empty lune that are not in the tree, longest first."""
        for place in np.flatnonzero(~self.in_tree & ~self.witnessed)[::-1].tolist():
            ends, length = (self.first[place], self.second[place]), float(self.lengths[place])
            near = np.array(self.neighbours.query_ball_point(self.cloud[ends[0]], length * _A_LITTLE), dtype=np.intp)
            reach = [pair_lengths(self.cloud, near, np.full(len(near), end)) for end in ends]
            if not (np.maximum(*reach) < length).any():
                yield length

    def enclosing_radius(self) -> float:
        """The least, over the points, of the distance to the farthest one, which is a corner of the hull."""
        n_points = len(self.cloud)
        farthest = np.zeros(n_points)
        for corner in self.hull.tolist():
            to_corner = pair_lengths(self.cloud, np.arange(n_points), np.full(n_points, corner))
            np.maximum(farthest, to_corner, out=farthest)
        return float(farthest.min())


def delaunay_graph(cloud: Matrix) -> DelaunayGraph | None:
    """The Delaunay graph of distinct points (n_points, 2 or 3).

    None where it is not to be had: fewer points than corners of a simplex, all in one plane, some so near to each other
    that rounding hides them, or distances at the ends of the range of float64.
    """
    n_points, dim = cloud.shape
    if n_points <= dim + 1 or safely_scaled(cloud)[1] != 1.0:
        return None
    from scipy.spatial import Delaunay, QhullError, cKDTree

    tree = cKDTree(cloud)
    nearest = tree.query(cloud, k=2)[0][:, 1]
    if nearest.min() < max(TINY, _RESOLVED * np.ptp(cloud, axis=0).max()):
        return None
    try:
        found = Delaunay(cloud - cloud.mean(axis=0))  # far from the origin the squares would lose their last digits
    except QhullError:  # flat
        return None
    if len(found.coplanar):
        return None
    simplices = np.sort(found.simplices, axis=1).astype(np.int64)
    triangles = [_sides(simplices, corners, n_points) for corners in itertools.combinations(range(dim + 1), 3)]
    numbers = np.unique(np.concatenate([numbers for sides in triangles for numbers in sides]))
    lengths = pair_lengths(cloud, numbers // n_points, numbers % n_points)
    witnessed = np.zeros(len(numbers), dtype=np.bool_)
    for sides in triangles:
        places = [np.searchsorted(numbers, side) for side in sides]
        for longest, left, right in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            others = np.maximum(lengths[places[left]], lengths[places[right]])
            witnessed[places[longest][lengths[places[longest]] > others]] = True
    order = lengths.argsort(kind="stable")
    first, second = (numbers[order] // n_points).astype(np.intp), (numbers[order] % n_points).astype(np.intp)
    in_tree = tree_edges(n_points, first, second)
    hull = np.unique(found.convex_hull)
    return DelaunayGraph(cloud, first, second, lengths[order], in_tree, witnessed[order], hull, tree)


def surely_born_beyond(cloud: Matrix, neighbours: Any, scale: float) -> int:
    """At how many scales beyond this one a class of H1 is born for certain: those that lonely points alone tell.

    No triangulation is made: whether the lune of a point and one of its nearest is empty, the nearer ones tell; that an
    edge is in no minimal spanning tree, any path of shorter ones.  ``neighbours`` is SciPy's cKDTree of the cloud.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n_points, around = len(cloud), min(_AROUND, len(cloud))
    near = neighbours.query(cloud, k=min(_NEAREST, n_points - 1) + 1)[1]
    first, second = np.repeat(near[:, 0], near.shape[1] - 1), near[:, 1:].ravel()
    lengths = pair_lengths(cloud, first, second)
    lonely = lengths.reshape(n_points, -1)[:, -1].argsort()[-_LONELY:]
    joined = lengths <= scale
    graph = coo_array((np.ones(joined.sum()), (first[joined], second[joined])), shape=(n_points, n_points))
    n_groups, group = connected_components(graph, directed=False)

    near = neighbours.query(cloud[lonely], k=around)[1]
    there = cloud[near]
    apart = np.sqrt(((there[:, :, None] - there[:, None]) ** 2).sum(axis=3))
    nearer = np.maximum(apart[:, 0, :, None], apart) < apart[:, 0, None, :]
    row, place = np.nonzero(~nearer.any(axis=1) & (apart[:, 0] > scale))
    ends = (np.concatenate([near[row, 0], first[~joined]]), np.concatenate([near[row, place], second[~joined]]))
    lengths = pair_lengths(cloud, *ends)
    born = np.unique(lengths[: len(row)])  # with those of a tree
    pairs = np.sort([group[end] for end in ends], axis=0)
    order = lengths.argsort(kind="stable")
    order = order[pairs[0, order] != pairs[1, order]]
    numbers = pairs[0, order] * n_groups + pairs[1, order]
    shortest = np.sort(np.unique(numbers, return_index=True)[1])  # of each two groups
    order, numbers = order[shortest], numbers[shortest]
    tree = lengths[order[tree_edges(n_groups, numbers // n_groups, numbers % n_groups)]]
    return len(np.setdiff1d(born, tree))


def pair_lengths(cloud: Matrix, first: NDArray[Any], second: NDArray[Any]) -> Matrix:
    """The distances of pairs of points of a cloud that needs no scaling, coordinate by coordinate as SciPy's pdist."""
    total = np.zeros(len(first))
    for column in cloud.T:
        difference = column[first] - column[second]
        difference *= difference
        total += difference
    return np.sqrt(total, out=total)


def tree_edges(n_points: int, first: NDArray[Any], second: NDArray[Any]) -> NDArray[np.bool_]:
    """Which edges, given shortest first, a minimal spanning tree of them has; of equal ones the earlier."""
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import minimum_spanning_tree

    places = np.arange(1, len(first) + 1)  # not the lengths: SciPy takes 0 for no edge
    tree = minimum_spanning_tree(coo_matrix((places, (first, second)), shape=(n_points, n_points)).tocsr())
    found = np.zeros(len(first), dtype=np.bool_)
    found[tree.data.astype(np.intp) - 1] = True
    return found


def _sides(simplices: NDArray[np.int64], corners: tuple[int, ...], n_points: int) -> list[NDArray[np.int64]]:
    """The three sides of a triangle of each simplex, whose corners ascend, as one number each."""
    return [simplices[:, a] * n_points + simplices[:, b] for a, b in itertools.combinations(corners, 2)]
