"""Which points make a class: representatives of the bars of a Rips diagram, found in its cloud."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.topology.clouds import as_square, distinct_rows
from toriwork.topology.cost_model import admit, admit_rips
from toriwork.topology.cycles import EdgeOrder, death_triangles, edge_order, loops, shortest_cycle
from toriwork.topology.engines import run_best
from toriwork.topology.metric import spanning_tree
from toriwork.topology.render import representative_html, representative_text
from toriwork.topology.surfaces import areas, seconds_of
from toriwork.topology.voids import Voids

Bars = NDArray[np.float64]
Simplex = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Representative:
    """One of the many representatives of a class, as indices of points; :meth:`Diagram.representatives` makes it."""

    dimension: int
    bar: int  #: its row in ``Diagram.in_dimension(dimension)``
    birth: float  #: in the scale of the diagram, as ``death``
    death: float  #: inf when the class is essential or the diagram was cut before
    birth_simplex: Simplex  #: with it the class begins: a point (H0), an edge (H1), a triangle (H2), ascending
    #: with it the class ends: an edge (H0), a triangle (H1), a tetrahedron (H2); None when it does not
    death_simplex: Simplex | None
    #: H0: the component just before it ends, ascending; H1: those of the cycle in its order; H2: of the triangles
    points: Simplex
    cycle: Simplex = ()  #: H1: a closed walk along edges, its first point again at its end; else empty
    length: float = 0.0  #: of the cycle, in distances
    triangles: tuple[Simplex, ...] = ()  #: H2: a closed surface, each edge in an even number of them; else empty
    area: float = 0.0  #: of the triangles by their sides, in squared distances

    @property
    def edges(self) -> tuple[tuple[int, int], ...]:
        """The edges of the cycle in its order, or those of the triangles."""
        if self.triangles:
            return tuple(sorted({edge for triangle in self.triangles for edge in combinations(triangle, 2)}))
        return tuple(pairwise(self.cycle))

    def __repr__(self) -> str:
        return representative_text(self._facts())

    def _repr_html_(self) -> str:
        return representative_html(self._facts())

    def _facts(self) -> list[tuple[str, str]]:
        """Names and values for whoever reads."""
        facts = [
            ("class", f"H{self.dimension}, bar {self.bar}"),
            ("born", f"{self.birth:.6g} with {_named(self.birth_simplex)}"),
            ("dies", f"{self.death:.6g} with {_named(self.death_simplex)}" if self.death_simplex else "not here"),
        ]
        if self.cycle:
            facts.append(("cycle", f"{_listed(self.cycle)}: {len(self.edges)} edges, length {self.length:.6g}"))
        elif self.triangles:
            size = f"{len(self.triangles)} triangles, area {self.area:.6g}"
            facts.append(("surface", f"of points {_listed(self.points)}: {size}"))
        else:
            facts.append(("points", f"{_listed(self.points)}: {len(self.points)}"))
        return facts


def _named(simplex: Simplex) -> str:
    return f"{('point', 'edge', 'triangle', 'tetrahedron')[len(simplex) - 1]} {', '.join(map(str, simplex))}"


def _listed(points: Simplex) -> str:
    shown = [str(point) for point in points]
    return ", ".join(shown if len(shown) <= 24 else [*shown[:12], "...", *shown[-11:]])


def chosen_bars(bars: Bars, which: Any, n: Any, k: int) -> list[int]:
    """The rows of ``bars`` that ``which`` names: a row, several, or the "longest" ``n`` with the longest first."""
    if isinstance(which, str):
        if which != "longest" or not isinstance(n, int | np.integer) or n < 1:
            raise BadInput(f"which: expected rows of bars, or 'longest' with n >= 1, got {which!r} with n={n!r}")
        longest: list[int] = (bars[:, 0] - bars[:, 1]).argsort(kind="stable")[:n].tolist()
        return longest
    rows = list(which) if isinstance(which, Iterable) else [which]
    for row in rows:
        if not isinstance(row, int | np.integer) or not 0 <= row < len(bars):
            raise BadInput(f"which: expected rows of the {len(bars)} bars of H{k}, got {row!r}")
    return [int(row) for row in rows]


def representatives_of(  # what a diagram knows of itself, and its distances
    bars: Bars, wanted: Sequence[int], k: int, distances: Bars, *, factor: float, field: int, cut: float, complete: bool
) -> tuple[Representative, ...]:
    """Representatives of the ``wanted`` rows of the bars of H_k of a Rips diagram.

    ``distances`` are checked, square or condensed; bars are in ``factor`` times their unit and were cut at ``cut``;
    ``complete`` when no short one was dropped.
    """
    square = as_square(distances)
    if not wanted:
        return ()
    cut = min(float(bars[list(wanted), 1].max()), cut) / factor
    if k == 0:
        return _components(bars, wanted, edge_order(square), factor, cut)
    kept = distinct_rows(square)
    order = edge_order(square if kept is None else square[np.ix_(kept, kept)])
    names = np.arange(len(square)) if kept is None else kept
    if k == 2:
        return _voids(bars, wanted, order, names, factor, cut, complete=complete)
    return _loops(bars, wanted, order, names, factor, field, cut)


def _components(
    bars: Bars, wanted: Sequence[int], order: EdgeOrder, factor: float, cut: float
) -> tuple[Representative, ...]:
    """Of H0: where two components meet, the one whose first point is later ends."""
    n_points, last = len(order.ranks), order.last_within(cut)
    members = {point: [point] for point in range(n_points)}
    owner = list(range(n_points))
    found: list[tuple[float, float, int, Simplex | None, Simplex]] = []
    # over the numbers of edges there is one spanning tree: that of the order
    ranks = np.minimum(order.ranks, len(order.ends) + 1.0)  # what is no edge comes last
    tree = spanning_tree(n_points, ranks.__getitem__).lengths
    for rank in tree[tree <= last].astype(int).tolist():
        edge = order.edge(rank)
        older, younger = sorted(owner[point] for point in edge)
        component = members.pop(younger)
        members[older] += component
        for point in component:
            owner[point] = older
        found.append((0.0, order.lengths[rank] * factor, younger, edge, tuple(sorted(component))))
    found += [(0.0, math.inf, point, None, tuple(sorted(members[point]))) for point in sorted(members)]
    rows = _rows(bars, wanted, np.array([one[:2] for one in found]).reshape(-1, 2), 0)
    return tuple(
        Representative(0, row, float(bars[row, 0]), float(bars[row, 1]), (found[i][2],), *found[i][3:])
        for row, i in zip(wanted, rows, strict=True)
    )


def _loops(  # one of two steps of representatives_of
    bars: Bars, wanted: Sequence[int], order: EdgeOrder, names: Any, factor: float, field: int, cut: float
) -> tuple[Representative, ...]:
    """Of H1: the birth edge with a shortest way between its ends, and the triangle that ends the class."""
    found = loops(order.ranks, order.last_within(cut), field)
    ends = np.append(order.lengths, math.inf)[np.minimum(found, len(order.ends) + 1).astype(np.intp)] * factor
    made = []
    for row, i in zip(wanted, _rows(bars, wanted, ends, 1), strict=True):
        birth, death = found[i].tolist()
        triangle = None
        if math.isfinite(death):
            together = [int(b) for b in found[found[:, 1] == death, 0]]
            triangle = death_triangles(order, int(death), together, field)[int(birth)]
        older = bool(((found[:, 0] < birth) & (found[:, 1] > death)).any())
        cycle = shortest_cycle(order, int(birth), death, field, older=older)
        ranks = order.ranks[cycle[:-1], cycle[1:]].astype(np.intp)
        points = tuple(names[cycle].tolist())
        made.append(
            Representative(
                1,
                row,
                float(bars[row, 0]),
                float(bars[row, 1]),
                _simplex(names, order.edge(int(birth))),
                None if triangle is None else _simplex(names, triangle),
                points[:-1],
                points,
                float(order.lengths[ranks].sum()),
            )
        )
    return tuple(made)


def _voids(  # one of two steps of representatives_of
    bars: Bars, wanted: Sequence[int], order: EdgeOrder, names: Any, factor: float, cut: float, *, complete: bool
) -> tuple[Representative, ...]:
    """Of H2: the triangle that bears the class, a small surface through it, the tetrahedron that ends the class."""
    lengths = np.append(order.lengths, math.inf)
    named = bars[list(wanted)] / factor
    if strange := np.flatnonzero(~np.isin(named, lengths).all(axis=1)).tolist():
        raise _not_of_these(bars, wanted[strange[0]], 2)
    admit_rips(len(order.ranks), 2, lambda some: _lengths_among(order, some), threshold=cut)
    numbers = lengths.searchsorted(bars / factor)
    if complete and (np.diff(order.lengths) > 0.0).all() and np.array_equal(lengths[numbers] * factor, bars):
        found = np.where(np.isinf(bars), math.inf, numbers)  # no two edges come at once, so that lengths are numbers
    else:
        last = order.last_within(cut)
        some = np.where(order.ranks > last, last + 1.0, order.ranks)
        found = run_best(some, 2, float(last), "auto", 2)[0][2]
    ends = lengths[np.minimum(found, len(order.ends) + 1).astype(np.intp)] * factor
    rows = _rows(bars, wanted, ends, 2)
    seconds = sum(seconds_of(order, int(found[i, 0])) for i in rows)
    admit(f"surfaces of {len(rows)} voids", seconds, 0, None, "fewer bars, by which= or n=, need less")
    voids, made = Voids(order, found, rows), []
    for row, i in zip(wanted, rows, strict=True):
        void = voids.of(i)
        if void is None:
            raise _not_of_these(bars, row, 2)
        triangles = np.array(sorted(void.surface))
        made.append(
            Representative(
                2,
                row,
                float(bars[row, 0]),
                float(bars[row, 1]),
                _simplex(names, void.triangle),
                None if void.tetrahedron is None else _simplex(names, void.tetrahedron),
                tuple(names[np.unique(triangles)].tolist()),
                triangles=tuple(map(tuple, names[triangles].tolist())),
                area=float(areas(order, triangles).sum()),
            )
        )
    return tuple(made)


def _lengths_among(order: EdgeOrder, some: NDArray[np.intp]) -> Bars:
    ranks = order.ranks[np.ix_(some, some)]
    return np.append(order.lengths, math.inf)[np.minimum(ranks, len(order.ends) + 1).astype(np.intp)]


def _simplex(names: Any, places: Sequence[int]) -> Simplex:
    return tuple(sorted(names[list(places)].tolist()))


def _rows(bars: Bars, wanted: Sequence[int], found: Bars, k: int) -> list[int]:
    """For each wanted bar the row of ``found``, in the strict order, that it is; equal bars are taken in turn."""
    rows = []
    for row in wanted:
        same = np.flatnonzero((found == bars[row]).all(axis=1))
        turn = int((bars[:row] == bars[row]).all(axis=1).sum())
        if turn >= len(same):
            raise _not_of_these(bars, row, k)
        rows.append(int(same[turn]))
    return rows


def _not_of_these(bars: Bars, row: int, k: int) -> BadInput:
    birth, death = bars[row].tolist()
    return BadInput(
        f"expected the points or distances of this diagram: its bar {row} of H{k}, {birth:.6g} to {death:.6g}, "
        "is none of theirs"
    )
