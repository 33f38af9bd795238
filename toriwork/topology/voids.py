"""The voids of a Rips complex over Z/2: which triangle bears each, which tetrahedron ends it, a surface round it.

Edges and triangles come in the order of ``cycles.py``; tetrahedra of one last edge come by the larger, then the smaller
of their other two points.  An edge brings the suspension of the points that both of its ends are joined to.  Of each
component of these but the first, the first point makes a triangle that ends a loop or bears a void; of each loop among
them that nothing fills, the last edge makes a tetrahedron that may end a void.  So a bar is looked at where it begins
and just before it ends, and the simplices in between are never listed.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations, pairwise

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.cycles import EdgeOrder, edge_order, first_triangles, loops, shortest_cycle
from toriwork.topology.edge_collapse import CollapsedComplex
from toriwork.topology.surfaces import smallest_surface

Matrix = NDArray[np.float64]
Simplex = tuple[int, ...]
Chain = set[Simplex]


@dataclass(frozen=True, slots=True)
class Void:
    """A class of H2 in the order of simplices, and a chain of triangles that represents it."""

    triangle: Simplex  #: that bears it
    tetrahedron: Simplex | None  #: that ends it; None when none does
    surface: Chain  #: closed; its last triangle bears the class, and from the tetrahedron on it bounds


class Voids:
    """The voids of bars in numbers of edges, shape (n_bars, 2), inf where none ends it; those of ``rows`` are asked."""

    def __init__(self, order: EdgeOrder, bars: Matrix, rows: Iterable[int]) -> None:
        self._order, self._bars = order, bars
        births = [bars[row, 0] for row in rows]
        deaths = [bars[same, 1].max(initial=0.0, where=np.isfinite(bars[same, 1])) for same in map(self._alike, births)]
        born = bars[bars[:, 0] < max(deaths, default=0.0), 0]
        self._boundaries = _Boundaries(order, int(max([*births, born.max(initial=0.0)], default=0.0)))
        self._endings: dict[int, _Ending] = {}

    def of(self, row: int) -> Void | None:
        """The void of a bar; None when the points have none like it."""
        birth, death = self._bars[row].tolist()
        turn = int((self._bars[:row] == self._bars[row]).all(axis=1).sum())
        if math.isfinite(death):
            ending = self._ending(int(death))
            found = [void for void in ending.voids if void.triangle in self._boundaries.bearing(int(birth))]
        else:
            ends = self._bars[self._alike(birth), 1]
            ended = {v.triangle for end in ends[np.isfinite(ends)].tolist() for v in self._ending(int(end)).voids}
            bearing = self._boundaries.bearing(int(birth)).items()
            ending, found = None, [Void(one, None, chain) for one, chain in bearing if one not in ended]
        if turn >= len(found):
            return None
        void = found[turn]
        small = smallest_surface(self._order, void.triangle, int(birth))
        if small is None or (ending is not None and not ending.bounds(small, void)):
            return void
        return Void(void.triangle, void.tetrahedron, small)

    def _alike(self, birth: float) -> NDArray[np.bool_]:
        alike: NDArray[np.bool_] = self._bars[:, 0] == birth
        return alike

    def _ending(self, death: int) -> _Ending:
        if death not in self._endings:
            alive = (self._bars[:, 0] < death) & (self._bars[:, 1] >= death)
            births = np.unique(self._bars[alive, 0]).astype(int).tolist()
            bearing = [one for birth in births for one in self._boundaries.bearing(birth).items()]
            self._endings[death] = _Ending(self._order, death, bearing)
        return self._endings[death]


class _Ending:
    """The voids that end with an edge, among those that its triangles bear, the first to be born first."""

    def __init__(self, order: EdgeOrder, death: int, bearing: Iterable[tuple[Simplex, Chain]]) -> None:
        self._complex = CollapsedComplex(order.ranks < death)
        self._classes = _Span()
        alive = [one for one in bearing if self._classes.add(self._complex.class_of(one[1]))]
        #: by the last of its members, what of these classes each tetrahedron makes a boundary
        self._made: dict[int, int] = {}
        self.voids: list[Void] = []
        for tetrahedron, surface in _closing(order, death):
            rest, members = self._classes.members(self._complex.class_of(surface))
            members = self._reduced(members)
            if rest or not members:  # it is of no class that was born, or of one that has ended
                continue
            self._made[members.bit_length()] = members
            chain: Chain = set()
            for k, (_, one) in enumerate(alive):
                if members >> k & 1:
                    chain ^= one
            self.voids.append(Void(alive[members.bit_length() - 1][0], tetrahedron, chain))

    def bounds(self, surface: Chain, void: Void) -> bool:
        """True when the surface is a boundary once the void has ended."""
        rest, members = self._classes.members(self._complex.class_of(surface))
        return not rest and not self._reduced(members, [one.triangle for one in self.voids].index(void.triangle) + 1)

    def _reduced(self, members: int, n_ended: int | None = None) -> int:
        """Members without those that the first ``n_ended`` tetrahedra, or all so far, make superfluous."""
        made = dict(list(self._made.items())[:n_ended])
        while members and (known := made.get(members.bit_length())):
            members ^= known
        return members


class _Span:
    """Vectors over Z/2, in bits, none of which is a sum of others."""

    def __init__(self) -> None:
        self._rows: dict[int, tuple[int, int]] = {}  # by their highest bit: sums of vectors, and of which

    def add(self, vector: int) -> bool:
        """Take the vector in, unless it is a sum of earlier ones; True when it was taken."""
        rest, members = self.members(vector)
        if rest:
            self._rows[rest.bit_length()] = rest, members | 1 << len(self._rows)
        return bool(rest)

    def members(self, vector: int) -> tuple[int, int]:
        """The rest of a vector, 0 for a sum of those that were taken, and of which, the first in the lowest bit."""
        members = 0
        while vector and (row := self._rows.get(vector.bit_length())):
            vector ^= row[0]
            members ^= row[1]
        return vector, members


def _closing(order: EdgeOrder, death: int) -> Iterator[tuple[Simplex, Chain]]:
    """The tetrahedra that may end a void with edge number ``death``, and the surface that each of them closes."""
    shared = order.shared(death)
    joined = order.ranks[np.ix_(shared, shared)] < death
    among = edge_order(np.where(joined, 1.0, np.inf))  # by the larger, then the smaller point
    if len(among.ends) < 4:  # edges of the shortest loop
        return
    found = loops(among.ranks, len(among.ends), 2)
    for birth in found[np.isinf(found[:, 1]), 0].astype(int).tolist():
        cycle = shared[shortest_cycle(among, birth, math.inf, 2, older=False)].tolist()
        surface = {_simplex(end, *edge) for edge in pairwise(cycle) for end in order.edge(death)}
        yield _simplex(*order.edge(death), *shared[list(among.edge(birth))].tolist()), surface


class _Boundaries:
    """The boundaries of the triangles up to an edge, reduced: as textbooks do it, but most columns need no work.

    The first triangle of an edge is as it is the one whose boundary ends with that edge; other triangles that end loops
    are reduced when it is made.
    """

    def __init__(self, order: EdgeOrder, last: int) -> None:
        self._order = order
        self._ending: dict[int, tuple[set[int], Chain]] = {}  # by the last edge of the boundary: boundary, chain
        self._bearing: dict[int, dict[Simplex, Chain]] = {}
        deaths = loops(order.ranks, last, 2)[:, 1]
        for end in np.unique(deaths[np.isfinite(deaths)]).astype(int).tolist():
            for triangle in first_triangles(order, end)[1:]:
                edges, chain = self._reduced(triangle)
                if edges:
                    self._ending[max(edges)] = edges, chain

    def bearing(self, birth: int) -> dict[Simplex, Chain]:
        """The triangles of an edge that bear voids, in their order: each with a surface of it and earlier ones."""
        if birth not in self._bearing:
            found = {triangle: self._reduced(triangle)[1] for triangle in first_triangles(self._order, birth)[1:]}
            # the boundary of one that ends a loop is taken off by itself
            self._bearing[birth] = {triangle: chain for triangle, chain in found.items() if triangle in chain}
        return self._bearing[birth]

    def _reduced(self, triangle: Simplex) -> tuple[set[int], Chain]:
        """The rest of the boundary, in numbers of edges, and the triangles whose boundary that is."""
        left, chain = set(self._edges(triangle)), {triangle}
        waiting = [-edge for edge in left]
        heapq.heapify(waiting)
        while waiting:
            edge = -heapq.heappop(waiting)
            if edge not in left:
                continue
            shared = self._order.shared(edge)
            if len(shared):
                first = _simplex(*self._order.edge(edge), int(shared[0]))
                boundary, added = set(self._edges(first)), {first}
            elif edge in self._ending:
                boundary, added = self._ending[edge]
            else:
                break
            for one in boundary - left:
                heapq.heappush(waiting, -one)
            left ^= boundary
            chain ^= added
        return left, chain

    def _edges(self, triangle: Simplex) -> list[int]:
        return [int(self._order.ranks[edge]) for edge in combinations(triangle, 2)]


def _simplex(*points: int) -> Simplex:
    return tuple(sorted(points))
