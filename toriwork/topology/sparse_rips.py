"""H0 and H1 of the Rips filtration of many points in the plane or in space, from neighbours alone.

H0 is the minimal spanning tree, whose edges the Delaunay graph has.  The births of H1 end with an edge of that graph;
where no class is left a little later, the neighbours within that scale give every bar, and no matrix of distances is
built.  Edges of that sparse filtration are collapsed before its triangles are.  Classes that live long ask for scales
at which nearly all points are neighbours: then this gives way to the filtration of all distances.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.clouds import TINY, drawn, euclidean_pairs, safely_scaled
from toriwork.topology.cost_model import (
    admit,
    collapse_seconds,
    less_work,
    seconds_by_ranks,
    takes_ranks,
    work_estimate,
)
from toriwork.topology.delaunay import (
    DIMENSIONS,
    DelaunayGraph,
    delaunay_graph,
    pair_lengths,
    surely_born_beyond,
    tree_edges,
)
from toriwork.topology.engines import Bars, Edges, collapsed_edges, guarded, run_best, weighted_bars
from toriwork.topology.late_bars import late_bars
from toriwork.topology.metric import component_bars

Matrix = NDArray[np.float64]

#: points from which this is sooner done, by the number of coordinates; H0 alone
WORTH_IT = {2: 1_000, 3: 2_000}
WORTH_IT_H0 = 1_000
#: how far beyond the last birth no class is left, as a rule, by the number of coordinates; then what is tried next
_BEYOND, _MORE = {2: 1.4, 3: 1.1}, 1.4
#: bytes for each of these pairs at the peak
PAIR_BYTES = 180.0
#: seconds and bytes of the Delaunay graph for each point, by the number of coordinates
_GRAPH = {2: (4.5e-5, 900.0), 3: (1.5e-4, 5_000.0)}
#: the seconds at 8,000 points, and their power, where all lie on one sphere; how exactly
_ON_SPHERE, _ON_SPHERE_POWER, _SAME_SPHERE = 10.0, 2.5, 1e-9
#: nearest points whose tree tells how long an edge of a minimal one may be, and pairs within that length for each point
_NEAREST, _MOST_NEIGHBOURS = 6, 100.0
#: seconds that the neighbours may take, at least and by the square of the number of points, if late bars can be found
_SHORT, _LATE = 2.0, 3e-7
#: seconds for each pair of points by which the late way finds what is dominated
_PER_LOOK = 3e-8
#: points whose neighbours are counted
_COUNTED = 1_000
#: points from which a triangulation takes longer than to ask whether it is of use; of how many all distances are
#: looked at for that, and how many more pairs than are expected by them
_WORTH_ASKING, _ASKED, _A_FEW_MORE = 5_000, 2_000, 1.1
#: fewer points are sooner done by all distances: where few are dominated, the late way is tried for nothing
_WORTH_LATE = 2000
#: bars and births that are followed one by one, at most
_FEW_LATE = 16
#: where all distances fit, over ranks: points whose loops are looked at; death over birth from which one of these lives
#: long, by the number of coordinates; and how much longer than predicted the late way may take
_SAMPLED, _LIVES_LONG, _LATE_SPREAD = 200, {2: 2.7, 3: 2.2}, 1.2
#: the share of the seconds of all distances that one pass over the neighbours may take
_WORTH_A_PASS = 0.6
#: of a pass: seconds of each pair, and of each by the number of neighbours of a point, by the number of coordinates;
#: those within twice the largest distance to a nearest point, over those within the scale that it asks for, in space
_PASS, _WITHIN_TWICE = {2: (1.3e-6, 4e-9), 3: (1.5e-6, 1.2e-8)}, 2.0


@dataclass(frozen=True, slots=True)
class SparseRips:
    """Bars of H0 and H1 and the scale at which they were known; ``cut`` is inf where nothing came after the limit."""

    bars: Bars
    scale: float
    cut: float


def spanning_lengths(cloud: Matrix) -> Matrix | None:
    """A minimal spanning tree's edges, ascending, of distinct points; None where neighbours are too many to help."""
    if len(cloud) < WORTH_IT_H0 or cloud.shape[1] not in DIMENSIONS:
        return None
    found = _tree_of_neighbours(cloud) if cloud.shape[1] > 2 else None  # in the plane the Delaunay graph is made sooner
    if found is not None:
        return found
    graph = _graph_of(cloud)
    return None if graph is None else graph.lengths[graph.in_tree]


def _graph_of(cloud: Matrix, max_bytes: float | None = None) -> DelaunayGraph | None:
    """The Delaunay graph of a cloud that its prediction fits."""
    seconds, n_bytes = (factor * len(cloud) for factor in _GRAPH[cloud.shape[1]])
    seconds = max(seconds, _sphere_seconds(cloud))
    what = f"{len(cloud)} points, their Delaunay graph"
    admit(what, seconds, n_bytes, max_bytes, partial(less_work, None, 1, max_bytes))
    return delaunay_graph(cloud)


def _sphere_seconds(cloud: Matrix) -> float:
    """Seconds of the Delaunay graph of points exactly on one sphere in space; 0 of others."""
    there = cloud.shape[1] == 3 and _on_a_sphere(cloud[drawn(len(cloud), _COUNTED)])
    return _ON_SPHERE * (len(cloud) / 8_000.0) ** _ON_SPHERE_POWER if there else 0.0


def _on_a_sphere(cloud: Matrix) -> bool:
    """Tell if some points lie exactly on one sphere, whatever its middle, by least squares."""
    from_middle = cloud - cloud.mean(axis=0)
    squares = (from_middle**2).sum(axis=1)
    rows = np.column_stack([from_middle, np.ones(len(cloud))])
    off = rows @ np.linalg.lstsq(rows, squares, rcond=None)[0] - squares
    return bool(np.abs(off).max(initial=0.0) <= _SAME_SPHERE * squares.max(initial=0.0))


def _tree_of_neighbours(cloud: Matrix) -> Matrix | None:
    """The same from all pairs within the longest edge of any tree of neighbours: a minimal one has none longer."""
    from scipy.spatial import cKDTree

    tree, n_points = cKDTree(cloud), len(cloud)
    reach, near = tree.query(cloud, k=_NEAREST + 1)
    if safely_scaled(cloud)[1] != 1.0 or reach[:, 1].min() < TINY:
        return None
    ends = np.sort(np.column_stack([np.repeat(np.arange(n_points), _NEAREST), near[:, 1:].ravel()]), axis=1)
    numbers = np.unique(ends[:, 0] * n_points + ends[:, 1])
    first, second = numbers // n_points, numbers % n_points
    lengths = pair_lengths(cloud, first, second)
    order = lengths.argsort(kind="stable")
    some = lengths[order][tree_edges(n_points, first[order], second[order])]
    if len(some) < n_points - 1:  # in several pieces
        return None
    longest = float(some[-1])
    if tree.count_neighbors(tree, longest) > _MOST_NEIGHBOURS * n_points:
        return None
    first, second, lengths = _neighbours(cloud, tree, longest)
    order = lengths.argsort(kind="stable")
    return lengths[order][tree_edges(n_points, first[order], second[order])]


@dataclass(frozen=True, slots=True)
class _OtherWay:
    """The cost of all distances of a cloud."""

    seconds: float
    by_ranks: bool  #: else the seconds are those of a circle, by far the most
    late: bool  #: bars that live long may be followed one by one, and are sooner found so

    def is_sooner(self, cloud: Matrix, n_pairs: float) -> bool:
        """Tell if that is done sooner than a pass over so many pairs of neighbours."""
        if not self.by_ranks:
            return collapse_seconds(len(cloud), n_pairs) > self.seconds
        a_pair, a_neighbour = _PASS[cloud.shape[1]]
        seconds = n_pairs * (a_pair + a_neighbour * 2.0 * n_pairs / len(cloud))
        return not self.late and seconds > _WORTH_A_PASS * self.seconds


def _other_way(cloud: Matrix, limit: float, field: int, max_bytes: float | None, engine: str) -> _OtherWay | None:
    """The way by all distances; None where it is sooner than any by neighbours, as far as a few points tell."""
    n_points, dim = cloud.shape
    if n_points < WORTH_IT.get(dim, n_points + 1) or (n_points >= _WORTH_ASKING and _too_uneven(cloud, limit)):
        return None
    may_be_late = n_points >= _WORTH_LATE and not _is_convex_curve(cloud)
    if not takes_ranks(n_points, engine, field, max_bytes):
        return _OtherWay(work_estimate(n_points, dim).seconds, by_ranks=False, late=may_be_late)
    pairs = euclidean_pairs(cloud[drawn(n_points, _SAMPLED)])
    loops = run_best(pairs, 1, math.inf, "auto", 2)[0][1]
    loops = loops[(loops[:, 1] > _LIVES_LONG[dim] * loops[:, 0]) & (loops[:, 0] < limit)]
    joined = np.count_nonzero(pairs <= min(loops[:, 1].max(initial=0.0), limit)) / len(pairs)
    seconds = seconds_by_ranks(n_points, joined)
    late = may_be_late and len(loops) > 0 and seconds > _LATE_SPREAD * _LATE * n_points**2
    found = _OtherWay(seconds, by_ranks=True, late=late)
    if len(loops) and not found.late:
        return None
    if dim == 3 and not found.late:  # where a triangulation takes long itself
        from scipy.spatial import cKDTree

        tree = cKDTree(cloud)
        farthest = float(tree.query(cloud, k=2)[0][:, 1].max())
        asked = _count_within(cloud, tree, min(2.0 * farthest, limit)) / _WITHIN_TWICE
        if found.is_sooner(cloud, asked) or _sphere_seconds(cloud) > _WORTH_A_PASS * seconds:
            return None
    return found


def sparse_rips(
    cloud: Matrix, limit: float, field: int, max_bytes: float | None = None, engine: str = "auto"
) -> SparseRips | None:
    """H0 and H1 up to ``limit`` of distinct points, bit for bit as by their matrix; None where that is done sooner.

    Raises
    ------
    TooLarge
        The neighbours do not fit into memory.
    """
    n_points, dim = cloud.shape
    other = _other_way(cloud, limit, field, max_bytes, engine)
    graph = None if other is None else _graph_of(cloud, max_bytes)
    if other is None or graph is None:
        return None
    births_end = graph.last_birth()
    scale, left = births_end * _BEYOND[dim], math.inf
    while True:
        scale = min(scale, limit)
        n_pairs = _count_within(cloud, graph.neighbours, scale)
        seconds = collapse_seconds(n_points, n_pairs)
        if left == math.inf and other.late and seconds > _most_seconds(n_points):
            scale /= _MORE  # late bars are sooner found one by one
            continue
        later = graph.births_beyond(scale, limit)
        if other.is_sooner(cloud, n_pairs) or len(later) > (_FEW_LATE if other.late else 0):
            return None
        what = f"{n_points} points, {n_pairs} pairs within {scale:.6g}"
        admit(what, seconds, PAIR_BYTES * n_pairs, max_bytes, partial(less_work, dim, 1, max_bytes))
        first, second, lengths = _neighbours(cloud, graph.neighbours, scale)
        loops = _loops(n_points, (first, second, lengths), field)
        alive = loops[np.isinf(loops[:, 1]), 0]
        if scale >= limit or not len(alive) + len(later):
            break
        if other.late and left == math.inf and len(alive) + len(later) <= _FEW_LATE:
            what = f"{n_points} points, {len(alive) + len(later)} late bars"
            admit(what, _LATE * n_points**2, n_points**2 / 2.0, max_bytes, partial(less_work, dim, 1, max_bytes))
            most = work_estimate(n_points, dim).seconds / _PER_LOOK
            late = late_bars(graph, alive, scale, limit, field, most_pairs=most)
            if late is not None:
                loops = np.concatenate([loops[np.isfinite(loops[:, 1])], late])
                break
        if len(alive) + len(later) >= left or len(later):
            return None
        scale, left = scale * _MORE, len(alive) + len(later)
    parts = _tree_lengths(graph, scale, first, second, lengths)
    cut = math.inf if math.isinf(limit) or limit >= graph.enclosing_radius() else limit
    return SparseRips([component_bars(parts, n_points, cut), loops], scale, cut)


def _most_seconds(n_points: int) -> float:
    """Seconds that the first neighbours may take, if late bars can be found."""
    return max(_SHORT, _LATE * n_points**2)


def _too_uneven(cloud: Matrix, limit: float) -> bool:
    """Tell if more classes than are followed one by one are born beyond any scale with so few pairs as can be taken."""
    from scipy.spatial import cKDTree

    n_points, most = len(cloud), _most_seconds(len(cloud))
    n_pairs = n_points**2 / 2.0
    while collapse_seconds(n_points, n_pairs) > most:
        n_pairs /= 1.1
    lengths = euclidean_pairs(cloud[drawn(n_points, _ASKED)])
    place = min(len(lengths) - 1, round(_A_FEW_MORE * len(lengths) * 2.0 * n_pairs / n_points**2))
    scale = float(np.partition(lengths, place)[place])
    return scale < limit and surely_born_beyond(cloud, cKDTree(cloud), scale) > _FEW_LATE


def _is_convex_curve(cloud: Matrix) -> bool:
    """Tell if most points of a cloud in the plane are corners of its hull: few of these are ever dominated."""
    from scipy.spatial import ConvexHull, QhullError

    try:
        return cloud.shape[1] == 2 and 2 * len(ConvexHull(cloud).vertices) > len(cloud)
    except QhullError:  # on a line
        return False


def _loops(n_points: int, edges: Edges, field: int) -> Matrix:
    """The bars of H1 of a flag complex over points that are there from 0 on."""

    def compute() -> Bars:
        return weighted_bars(np.zeros(n_points), collapsed_edges(n_points, edges), 1, field)

    return guarded(compute, f"{n_points} points, {len(edges[0])} pairs")[1]


def _count_within(cloud: Matrix, tree: Any, scale: float) -> int:
    """About how many pairs of points are no farther apart: counting all takes longer than what it decides."""
    some = cloud[drawn(len(cloud), _COUNTED)]
    near = tree.query_ball_point(some, scale, return_length=True)
    return round(len(cloud) * float(near.mean() - 1.0) / 2.0)


def _neighbours(cloud: Matrix, tree: Any, scale: float) -> tuple[NDArray[np.int32], NDArray[np.int32], Matrix]:
    """The pairs of points that are no farther apart, by a k-d tree, and their distances."""
    pairs = tree.query_pairs(scale * (1.0 + 2.0**-40), output_type="ndarray")
    first, second = pairs.T.astype(np.int32)
    lengths = pair_lengths(cloud, first, second)
    within = lengths <= scale
    if within.all():
        return first, second, lengths
    return first[within], second[within], lengths[within]


def _tree_lengths(
    graph: DelaunayGraph, scale: float, first: NDArray[np.int32], second: NDArray[np.int32], lengths: Matrix
) -> Matrix:
    """The edges of the tree, ascending: of the neighbours and the graph, since rounding may tell the two apart."""
    longer = graph.lengths > scale  # the others are among the neighbours
    rows = np.concatenate([graph.first[longer], first])
    columns = np.concatenate([graph.second[longer], second])
    both = np.concatenate([graph.lengths[longer], lengths])
    order = both.argsort(kind="stable")
    return both[order][tree_edges(len(graph.cloud), rows[order], columns[order])]
