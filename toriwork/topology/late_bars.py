"""The bars of H1 that are alive at a scale beyond which few are born: their deaths, exactly, without large complexes.

At one scale nearly all points are dominated, and the cocycles of the few that are left tell everything about the whole
complex: a class born at an edge is alive while the values on the edge and on the tree's way between its ends do not
follow from those of earlier edges.  Between births the classes only become fewer, so that the scale at which one ends
is found by halving, among fewer points each time.
"""

from __future__ import annotations

import math
from collections import Counter

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.clouds import euclidean_distances
from toriwork.topology.cycles import cocycle_values, edge_order
from toriwork.topology.delaunay import DelaunayGraph
from toriwork.topology.domination import Core
from toriwork.topology.engines import COCYCLES_FIELD

Matrix = NDArray[np.float64]
_Births = list[float]

#: points that may be left at one scale: cocycles of more take too long, an exact circle's above all
MOST_LEFT = 200
#: points of which all distances are looked at; of more, scales are taken together from this ratio on
_FEW = 600
_TOGETHER = 1.02
#: where between two scales the next one lies; the others are taken where too many points are left there
_SHARES = (0.5, 0.4, 0.6)


class _GivesUp(Exception):  # no error: another way is taken
    """Too many points are left, they took too long, or rounding has hidden an edge."""


def late_bars(  # what is alive, where, up to which scale and by how much work
    graph: DelaunayGraph, births: Matrix, scale: float, limit: float, field: int, *, most_pairs: float = math.inf
) -> Matrix | None:
    """The bars alive at ``scale``, born at ``births``, and those born later, up to ``limit``; inf for what outlives it.

    None where that is not to be had: too few points are dominated, for which ``most_pairs`` were looked at, or the
    field is too large.
    """
    if field > COCYCLES_FIELD:
        return None
    try:
        return _Late(graph, field, most_pairs).bars(births.tolist(), scale, min(limit, graph.enclosing_radius()), limit)
    except _GivesUp:
        return None


class _Late:
    """The classes of a cloud that are alive at large scales."""

    def __init__(self, graph: DelaunayGraph, field: int, most_pairs: float) -> None:
        from scipy.sparse import coo_matrix
        from scipy.sparse.csgraph import breadth_first_order

        n_points, tree = len(graph.cloud), graph.in_tree
        edges = coo_matrix((np.ones(n_points - 1), (graph.first[tree], graph.second[tree])), shape=(n_points, n_points))
        self._parent = breadth_first_order(edges, 0, directed=False)[1].astype(np.intp)
        self._parent[0] = 0
        bears = ~tree & ~graph.witnessed  # no other edge bears a class
        self._ends, self._lengths = (graph.first[bears], graph.second[bears]), graph.lengths[bears]
        self._graph, self._field, self._pairs_left = graph, field, most_pairs

    def bars(self, births: _Births, scale: float, last: float, limit: float) -> Matrix:
        """The bars, shape (n_bars, 2), between ``scale``, where those of ``births`` are alive, and ``last``."""
        whole = Core(self._graph.cloud, np.arange(len(self._graph.cloud)))
        ended: list[tuple[float, float]] = []
        low, alive = scale, births
        for birth in (*self._graph.births_beyond(scale, last).tolist(), math.inf):
            high = min(math.nextafter(birth, 0.0), last)
            if high > low:
                before = [] if high >= self._graph.enclosing_radius() else self.alive(whole, high)
                ended += self._between(whole, low, high, alive, before)
                low, alive = high, before
            if birth <= last:
                after = self.alive(whole, birth)
                ended += [(born, birth) for born in _fewer(alive, [one for one in after if one != birth])]
                low, alive = birth, after
        return np.array([*ended, *((born, math.inf) for born in alive)]).reshape(-1, 2)

    def _between(self, core: Core, low: float, high: float, alive: _Births, left: _Births) -> list[tuple[float, float]]:
        """The bars that end in (low, high], where none is born, of those alive at low; ``left`` of them at high."""
        gone = _fewer(alive, left)
        if not gone:
            return []
        if len(core.cloud) <= _FEW or high < _TOGETHER * low:
            core = self._within(core, low, high)
        scales = [low + share * (high - low) for share in _SHARES]
        if len(core.cloud) <= _FEW:
            lengths = np.unique(euclidean_distances(core.cloud))
            lengths = lengths[(lengths > low) & (lengths <= high)]
            if len(lengths) == 1:
                return [(born, float(lengths[0])) for born in gone]
            scales = [float(lengths[int(share * (len(lengths) - 1))]) for share in _SHARES]
        elif not low < scales[0] < high:
            return [(born, high) for born in gone]
        middle, at = self._first_of(core, [scale for scale in scales if low < scale < high])
        return self._between(core, low, middle, alive, at) + self._between(core, middle, high, at, left)

    def _first_of(self, core: Core, scales: list[float]) -> tuple[float, _Births]:
        """One of the scales and the births of the classes that are alive there; at some few points can be left out."""
        for scale in scales[:-1]:
            try:
                return scale, self.alive(core, scale)
            except _GivesUp:
                continue
        return scales[-1], self.alive(core, scales[-1])

    def _within(self, core: Core, low: float, high: float) -> Core:
        self._pairs_left -= len(core.cloud) ** 2
        if self._pairs_left < 0:
            raise _GivesUp
        return core.within(low, high)

    def alive(self, core: Core, scale: float) -> _Births:
        """The births of the classes that are alive at a scale, ascending."""
        core = self._within(core, scale, scale)
        if len(core.cloud) > MOST_LEFT:
            raise _GivesUp
        if len(core.cloud) < 4:
            return []
        order = edge_order(euclidean_distances(core.cloud))
        values, n_classes = cocycle_values(order.ranks, float(order.last_within(scale)), self._field)
        if not n_classes:
            return []
        place, step = core.place, self._parent
        total = values(place, place[step]).astype(np.int64)  # of the way to the first point
        while step.any():
            total = (total + total[step]) % self._field
            step = step[step]
        there = self._lengths <= scale
        first, second = (ends[there] for ends in self._ends)
        around = (values(place[first], place[second]) + total[second] - total[first]) % self._field
        births = []
        for _ in range(n_classes):  # the first edge whose values do not follow from those before
            rows = np.flatnonzero(around.any(axis=1))
            if not len(rows):
                raise _GivesUp
            births.append(float(self._lengths[rows[0]]))
            pivot = around[rows[0]]
            column = int(np.flatnonzero(pivot)[0])
            shares = around[:, column] * pow(int(pivot[column]), -1, self._field) % self._field
            around = (around - shares[:, None] * pivot) % self._field
        return births


def _fewer(births: _Births, left: _Births) -> _Births:
    """Those of the births that are not left."""
    some, others = Counter(births), Counter(left)
    if others - some:
        raise _GivesUp
    return list((some - others).elements())
