"""The simplices of a Rips complex in one strict order, the pairs of edges and triangles in it, and short cycles.

Edges come by length, equal ones by their larger point, then by their smaller one; a triangle comes with its last edge,
after that edge, and triangles of one last edge come by their third point.  So no two simplices come at once, and each
class has one edge that bears it and one triangle that ends it, whatever ties there are.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import count

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import TooLarge
from toriwork.topology.engines import graph_cocycles, run_best

#: states of a search, each a point and the cocycles' values so far, which takes a second for 100,000
MOST_STATES = 1_000_000

Matrix = NDArray[np.float64]
Places = NDArray[np.intp]
Values = Callable[[Places, Places], NDArray[np.int16]]


@dataclass(frozen=True, slots=True, eq=False)
class EdgeOrder:
    """All edges of some points, numbered from 1 on as they come; what has no length is no edge."""

    ranks: Matrix  #: (n_points, n_points) float64, symmetric; 0 on the diagonal, inf where there is no edge
    ends: Places  #: (n_edges, 2): the smaller and the larger point of each edge
    lengths: Matrix  #: (n_edges + 1,) float64, ascending; of number 0 the length 0

    def last_within(self, length: float) -> int:
        """The number of the last edge that is no longer than this."""
        return int(self.lengths.searchsorted(length, side="right")) - 1

    def edge(self, rank: int) -> tuple[int, int]:
        """The smaller and the larger point of the edge of that number."""
        smaller, larger = self.ends[rank - 1].tolist()
        return smaller, larger

    def before(self, rank: float) -> NDArray[np.bool_]:
        """True for each two points, shape (n_points, n_points), that an earlier edge joins."""
        return (self.ranks < rank) & (self.ranks > 0)

    def shared(self, rank: int) -> Places:
        """The points that earlier edges join to both ends of this edge, ascending."""
        smaller, larger = self.edge(rank)
        return np.flatnonzero((self.ranks[smaller] < rank) & (self.ranks[larger] < rank))


def edge_order(distances: Matrix) -> EdgeOrder:
    """The order of the edges of a checked square matrix of distances; inf is no edge."""
    n_points = len(distances)
    larger, smaller = np.tril_indices(n_points, -1)
    lengths = distances[larger, smaller]
    order = lengths.argsort(kind="stable")[: np.count_nonzero(np.isfinite(lengths))]
    ends = np.column_stack([smaller[order], larger[order]])
    ranks = np.full((n_points, n_points), np.inf)
    np.fill_diagonal(ranks, 0.0)
    ranks[ends[:, 0], ends[:, 1]] = ranks[ends[:, 1], ends[:, 0]] = np.arange(1.0, len(order) + 1)
    return EdgeOrder(ranks, ends, np.concatenate([np.zeros(1), lengths[order]]))


def loops(ranks: Matrix, cut: int, field: int) -> Matrix:
    """The bars of H1, (n_bars, 2), in numbers of edges up to ``cut``: births differ and rise, deaths may be shared."""
    bars, *_ = run_best(np.where(ranks > cut, cut + 1.0, ranks), 1, float(cut), "auto", field)
    found = bars[1]
    return found[found[:, 0].argsort()]


def death_triangles(order: EdgeOrder, death: int, births: Sequence[int], field: int) -> dict[int, tuple[int, int, int]]:
    """The triangle that ends each of the loops, named by their ``births``, which end with edge number ``death``.

    The edge comes with the suspension of the points that both of its ends are joined to.  Its first triangle ends the
    loop that the edge itself bears; of the others only the first one of each component of those points can end a loop.
    Where there is a choice a cone is put over the suspension, component after component, and the diagram of that
    tells which component ended which loop.
    """
    smaller, larger = order.edge(death)
    thirds = order.shared(death)
    component = _components(order.ranks[np.ix_(thirds, thirds)] < death)
    n_components = int(component.max()) + 1
    if n_components == 2:
        ended = {births[0]: 1}
    else:
        n_points = len(order.ranks)
        ranks = np.full((n_points + 1, n_points + 1), np.inf)
        ranks[:-1, :-1] = np.where(order.ranks < death, order.ranks, np.inf)
        ranks[-1, [smaller, larger]] = death
        ranks[-1, thirds] = death + component
        ranks[:, -1] = ranks[-1]
        ranks[-1, -1] = 0.0
        found = loops(ranks, death + n_components - 1, field)
        ended = {int(birth): int(end) - death for birth, end in found.tolist() if death < end < math.inf}
    first = {birth: int(thirds[component == ended[birth]][0]) for birth in births}
    return {birth: _sorted_triangle(smaller, larger, third) for birth, third in first.items()}


def first_triangles(order: EdgeOrder, number: int) -> list[tuple[int, int, int]]:
    """The first triangle of an edge for each component of the points that both of its ends are joined to, in order."""
    smaller, larger = order.edge(number)
    thirds = order.shared(number)
    component = _components(order.ranks[np.ix_(thirds, thirds)] < number)
    first = np.unique(component, return_index=True)[1]
    return [_sorted_triangle(smaller, larger, third) for third in thirds[first].tolist()]


def _sorted_triangle(*points: int) -> tuple[int, int, int]:
    first, second, third = sorted(points)
    return first, second, third


def _components(joined: NDArray[np.bool_]) -> Places:
    """The component of each point, numbered by their first points."""
    from scipy.sparse.csgraph import connected_components

    labels = connected_components(joined, directed=False)[1]
    _, first, numbers = np.unique(labels, return_index=True, return_inverse=True)
    places: Places = first.argsort().argsort()[numbers]
    return places


def shortest_cycle(order: EdgeOrder, birth: int, death: float, field: int, *, older: bool) -> list[int]:
    """A shortest cycle through edge number ``birth`` and earlier edges that bounds at ``death``; first point = last.

    Any cycle whose last edge is the birth edge lives until the death of the class, but it may end in a loop that is
    older and lives longer.  With ``older`` there are such loops: among the cycles only those are looked at on which
    every cocycle of the complex at the death is zero.  The walk goes over pairs of a point and the cocycles' values so
    far, nearest to the end first; TooLarge when there are too many of them.

    Sources
    -------
    Busaryev, Cabello, Chen, Dey & Wang 2012, doi:10.1007/978-3-642-31155-0_17 (cycles by their annotations).
    """
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import dijkstra

    start, end = order.edge(birth)
    first, second = np.nonzero(order.before(birth))
    lengths = order.lengths[order.ranks[first, second].astype(np.intp)]
    starts = first.searchsorted(np.arange(len(order.ranks) + 1))
    left = dijkstra(csr_matrix((lengths, second, starts), shape=order.ranks.shape), indices=end)
    values = _cocycle_values(order, death, field) if older else None
    steps = np.zeros((len(first), 0), dtype=np.int16) if values is None else values(first, second)
    wanted = (
        np.zeros(0, dtype=np.int16) if values is None else -values(np.array([end]), np.array([start]))[0] % field
    ).tobytes()

    tie = count()
    zero = np.zeros(steps.shape[1], dtype=np.int16)
    reached: dict[tuple[int, bytes], float] = {(start, zero.tobytes()): 0.0}
    before: dict[tuple[int, bytes], tuple[int, bytes]] = {}
    waiting: list[tuple[float, int, tuple[int, bytes]]] = [(float(left[start]), next(tie), (start, zero.tobytes()))]
    done = set()
    while waiting:
        _, _, state = heapq.heappop(waiting)
        point, seen = state
        if point == end and seen == wanted:
            return [*_walk(state, before), start]
        if state in done:
            continue
        done.add(state)
        if len(done) > MOST_STATES:
            raise TooLarge(
                f"representatives: {steps.shape[1]} loops live longer, {MOST_STATES:,} steps found no cycle beside "
                "them; ask for a longer bar"
            )
        some = slice(starts[point], starts[point + 1])
        gone = reached[state] + lengths[some]
        signatures = (np.frombuffer(seen, dtype=np.int16) + steps[some]) % field
        for neighbour, length, signature in zip(second[some].tolist(), gone.tolist(), signatures, strict=True):
            other = (neighbour, signature.tobytes())
            if length < reached.get(other, math.inf):
                reached[other], before[other] = length, state
                heapq.heappush(waiting, (length + float(left[neighbour]), next(tie), other))
    raise AssertionError(f"no cycle through edge {birth} bounds at {death}")  # the class has one, by its pair


def _walk(state: tuple[int, bytes], before: dict[tuple[int, bytes], tuple[int, bytes]]) -> list[int]:
    points = [state[0]]
    while state in before:
        state = before[state]
        points.append(state[0])
    return points[::-1]


def _cocycle_values(order: EdgeOrder, scale: float, field: int) -> Values:
    """The values on directed edges of a basis of H^1 of the complex of all edges up to ``scale``.

    Points that another one dominates are moved there first, one by one, which leaves a complex of the same homotopy
    type; what is left is small where the scale is large, and cocycles of it are pulled back.

    Sources
    -------
    Barmak & Minian 2012, doi:10.1007/s00454-011-9357-5, sect. 2 and 5 (strong collapses).
    """
    root = strong_collapse(order.ranks <= scale)
    core, place = np.unique(root, return_inverse=True)
    values, _ = cocycle_values(order.ranks[np.ix_(core, core)], scale, field)
    return lambda first, second: values(place[first], place[second])


def cocycle_values(ranks: Matrix, cut: float, field: int) -> tuple[Values, int]:
    """The values on directed edges, shape (n_edges, n_classes), of a basis of H^1 of the complex of all edges up to
    number ``cut``, and the number of classes.
    """
    found = [one for _, one in graph_cocycles(np.where(ranks <= cut, ranks, cut + 1.0), float(cut), field)]
    tables = np.zeros((len(ranks), len(ranks), len(found)), dtype=np.int16)
    for k, cocycle in enumerate(found):
        first, second, value = cocycle.T
        tables[first, second, k], tables[second, first, k] = value % field, -value % field

    def values(first: Places, second: Places) -> NDArray[np.int16]:
        on_edges: NDArray[np.int16] = tables[first, second]
        return on_edges

    return values, len(found)


def cocycles_at(order: EdgeOrder, cut: int, field: int) -> dict[int, NDArray[np.intp]]:
    """A cocycle of each class that is alive at edge number ``cut``, by its birth: rows (point, point, value)."""
    return dict(graph_cocycles(np.where(order.ranks <= cut, order.ranks, cut + 1.0), float(cut), field))


def strong_collapse(joined: NDArray[np.bool_]) -> Places:
    """The point that each one is moved to when points that are dominated go, until none is.

    ``joined`` is symmetric with a true diagonal; a point is dominated by a neighbour that is joined to all of its
    neighbours.
    """
    moved, alive = np.arange(len(joined)), np.arange(len(joined))
    while True:
        among = joined[np.ix_(alive, alive)]
        missing = among.astype(np.float32) @ (~among).astype(np.float32)  # neighbours of one that the other lacks
        dominates = (missing == 0.0) & among
        np.fill_diagonal(dominates, False)
        stays = np.ones(len(alive), dtype=np.bool_)
        for k in np.flatnonzero(dominates.any(axis=1)):
            by = np.flatnonzero(dominates[k] & stays)
            if len(by):
                stays[k] = False
                moved[alive[k]] = alive[by[0]]
        if stays.all():
            break
        alive = alive[stays]
    while (moved[moved] != moved).any():
        moved = moved[moved]
    return moved
