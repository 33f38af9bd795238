"""The stored shapes whose diagrams are nearest to a given one: exact answers from few exact distances.

Lower bounds of :mod:`toriwork.topology.sketch` put the candidates in order, cheap ones of all, closer ones of few;
exact distances are computed in that order until no bound leaves room for another.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Container, Hashable, Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from toriwork.cells.bar_arrays import BarStore, parted, span
from toriwork.cells.neighbours import Nearest
from toriwork.checks import check_count
from toriwork.errors import BadInput, TooLarge
from toriwork.registry import TorusRegistry
from toriwork.registry.rows import restore_vertices
from toriwork.topology import Diagram, bottleneck, persistence, sketch, wasserstein
from toriwork.topology.sketch import Floats

#: metric -> order of the norm over matched pairs, and over dimensions of homology
METRICS = {"bottleneck": math.inf, "wasserstein_1": 1.0, "wasserstein_2": 2.0}
BOUNDS = ("essential classes", "persistences in order", "nearest points")
_MAX_BYTES = 2 * 2**30
_PIECE = 2**18  #: bars that are looked at at once
_FIRST_BLOCK, _LARGEST_BLOCK = 64, 1024  #: candidates that get the closer bound together

_Candidate = tuple[float, int]  #: (bound or distance, row)
_NEVER: _Candidate = (math.inf, 2**63)  # behind every candidate

DiagramOf = Callable[[NDArray[np.float64]], Diagram | None]


def shape_distance(
    first: Diagram, second: Diagram, metric: str = "bottleneck", dimensions: Iterable[int] = (0, 1)
) -> float:
    """The distance of two diagrams over several dimensions of homology; inf where numbers of essential classes differ.

    The bottleneck distance is the largest over dimensions, the p-Wasserstein distance the p-th root of the sum of p-th
    powers; see :mod:`toriwork.topology.distances`.
    """
    order = _order(metric)
    if math.isinf(order):
        return max(bottleneck(first, second, k) for k in dimensions)
    parts = [wasserstein(first, second, k, order=order) for k in dimensions]
    return sum(parts) if order == 1 else math.hypot(*parts)


class NearestIndex:
    """Diagrams in memory, searched for the k nearest; one thread may add while others search.

    Parameters
    ----------
    diagrams : iterable of Diagram
        Of one scale and field, complete.
    ids : iterable of hashable, optional
        One name per diagram, all different; 0, 1, 2, ... when not given.
    dimensions : iterable of int, optional
        Dimensions of homology to compare; all of the first diagram when not given.
    max_bytes : int
        Memory that the index may take; about 16 bytes a bar and 100 a diagram.

    Raises
    ------
    BadInput
        See :meth:`add`; there are not as many ids as diagrams.

    Examples
    --------
    >>> from toriwork import persistence
    >>> from toriwork.cells import NearestIndex
    >>> from toriwork.samples import load_sample
    >>> names = ("circle", "disc", "figure_eight")
    >>> index = NearestIndex([persistence(load_sample(name)) for name in names], ids=names)
    >>> [name for name, distance in index.search(persistence(1.01 * load_sample("disc")), k=1).neighbours]
    ['disc']
    """

    def __init__(
        self,
        diagrams: Iterable[Diagram] = (),
        ids: Iterable[Hashable] | None = None,
        *,
        dimensions: Iterable[int] | None = None,
        max_bytes: int = _MAX_BYTES,
    ) -> None:
        self._dimensions: tuple[int, ...] = ()
        self._stores: tuple[BarStore, ...] = ()
        self._compare(dimensions or ())
        self._max_bytes = max_bytes
        self._rows: dict[Hashable, int] = {}
        self._ids: list[Hashable] = []
        self._first: Diagram | None = None
        held = list(diagrams)
        names = list(range(len(held)) if ids is None else ids)
        if len(names) != len(held):
            raise BadInput(f"ids: expected one per diagram, got {len(names)} for {len(held)} diagrams")
        for name, diagram in zip(names, held, strict=True):
            self.add(name, diagram)

    def __len__(self) -> int:
        return len(self._ids)

    def __contains__(self, name: Hashable) -> bool:
        return name in self._rows

    @property
    def dimensions(self) -> tuple[int, ...]:
        """Dimensions of homology that are compared; empty as long as that is left to the first diagram."""
        return self._dimensions

    @property
    def nbytes(self) -> int:
        """Memory of the bars, names not counted."""
        return sum(store.nbytes for store in self._stores)

    def add(self, name: Hashable, diagram: Diagram) -> None:
        """Store a diagram under a name.

        Raises
        ------
        BadInput
            The name is taken; the diagram was cut at a threshold, lacks a dimension, or has another scale or field
            than those before.
        TooLarge
            The index would take more than ``max_bytes``; the message has the number.
        """
        if name in self._rows:
            raise BadInput(f"ids: expected different ones, got {name!r} twice")
        self._check(diagram)
        if self._first is None:
            self._compare(self._dimensions or range(diagram.max_dimension + 1))
            self._first = diagram
        if self.nbytes + diagram.pairs.nbytes > self._max_bytes:
            raise TooLarge(f"index: at most {self._max_bytes:,} bytes are allowed; {len(self):,} diagrams fill them")
        for k, store in self._by_dimension():
            store.add(diagram.in_dimension(k))
        self._rows[name] = len(self._ids)
        self._ids.append(name)  # last: from now on it is seen by a search

    def search(self, query: Diagram, k: int = 10, metric: str = "bottleneck") -> Nearest:
        """The ``k`` stored diagrams nearest to one by :func:`shape_distance`, as computing all distances would find.

        Parameters
        ----------
        query : Diagram
            Complete, of the scale and field of those stored.
        k : int
            >= 1; all are returned when fewer are stored.
        metric : {"bottleneck", "wasserstein_1", "wasserstein_2"}

        Returns
        -------
        Nearest
            Of equal distances the one that was added first comes first. Diagrams with another number of essential
            classes are at distance inf, behind all others.

        Raises
        ------
        BadInput
            An unknown metric, ``k`` below 1, or a query that :meth:`add` would refuse.

        Sources
        -------
        Seidl & Kriegel 1998, doi:10.1145/276304.276319, sect. 3: no search that knows only these bounds computes
        fewer exact distances.
        """
        order = _order(metric)
        check_count(k, name="k")
        self._check(query)
        search = _Search([query.in_dimension(d) for d in self.dimensions], self._stores, len(self), order)
        found = search.run(k, lambda row: shape_distance(query, self._diagram(row, query), metric, self.dimensions))
        neighbours = tuple((self._ids[row], distance) for distance, row in found)
        return Nearest(neighbours, metric, self.dimensions, search.n_stored, search.n_exact, search.n_close, BOUNDS)

    def _compare(self, dimensions: Iterable[int]) -> None:
        self._dimensions = tuple(sorted(set(dimensions)))
        self._stores = tuple(BarStore() for _ in self._dimensions)

    def _check(self, diagram: Diagram) -> None:
        if math.isfinite(diagram.threshold):
            raise BadInput(f"diagram: expected a complete one, got one cut at {diagram.threshold}")
        for k in self.dimensions:
            diagram.in_dimension(k)  # refuses what was not computed
        if self._first is not None:
            self._first.check_comparable(diagram)

    def _diagram(self, row: int, query: Diagram) -> Diagram:
        """The compared bars of a stored diagram, of the query's scale and field, which were checked to be its own."""
        parts = [np.insert(store.bars(row), 0, k, axis=1) for k, store in self._by_dimension()]
        return Diagram(np.vstack(parts), max(self.dimensions), query.filtration, query.scale, query.field)

    def _by_dimension(self) -> Iterator[tuple[int, BarStore]]:
        return zip(self.dimensions, self._stores, strict=True)


class _Search:
    """One query against the diagrams that are stored now: bounds of all, closer ones of some, exact ones of few."""

    def __init__(self, query: Sequence[Floats], stores: Sequence[BarStore], n_stored: int, order: float) -> None:
        self.n_stored, self.n_exact, self.n_close = n_stored, 0, 0
        self._order = order
        self._parts = [_Dimension(bars, store, n_stored, order) for bars, store in zip(query, stores, strict=True)]

    def run(self, k: int, exact: Callable[[int], float]) -> list[tuple[float, int]]:
        """The ``k`` least (distance, row), in order; ``exact`` gives the distance of a row."""
        bounds = self._bounds(slice(None))
        ranks = np.argsort(bounds, kind="stable")
        close: list[_Candidate] = []  # a heap of those with the closer bound
        best: list[_Candidate] = []  # a heap of negated (distance, row): the k-th best comes first
        at, block = 0, _FIRST_BLOCK
        while True:
            ahead = (float(bounds[ranks[at]]), int(ranks[at])) if at < self.n_stored else _NEVER
            limit = (-best[0][0], -best[0][1]) if len(best) == k else _NEVER
            if close and close[0] <= min(ahead, limit):
                bound, row = heapq.heappop(close)
                best = _kept(best, (-self._distance(bound, row, exact), -row), k)
            elif ahead <= limit and at < self.n_stored:
                rows = ranks[at : at + block]
                close += zip(self._closer(rows).tolist(), rows.tolist(), strict=True)
                heapq.heapify(close)
                at, block = at + len(rows), min(2 * block, _LARGEST_BLOCK)
            else:
                return sorted((-distance, -row) for distance, row in best)

    def _distance(self, bound: float, row: int, exact: Callable[[int], float]) -> float:
        if math.isinf(bound):  # another number of essential classes: nothing to compute
            return bound
        self.n_exact += 1
        return exact(row)

    def _closer(self, rows: NDArray[np.int64]) -> Floats:
        self.n_close += len(rows)
        for part in self._parts:
            part.look_closer(rows)
        return self._bounds(rows)

    def _bounds(self, rows: NDArray[np.int64] | slice) -> Floats:
        """Bounds that are safe against rounding, as the dimensions know them now."""
        if not self._parts:
            return np.zeros(0)
        bounds = sketch.norm(np.stack([part.bounds[rows] for part in self._parts], axis=1), self._order)
        reach = np.max([part.reach[rows] for part in self._parts], axis=0)
        n_bars = np.sum([part.n_bars[rows] for part in self._parts], axis=0)
        return np.maximum(bounds - sketch.margin(bounds, reach, n_bars), 0.0)


class _Dimension:
    """Bounds in one dimension of homology."""

    def __init__(self, query: Floats, store: BarStore, n_stored: int, order: float) -> None:
        self._query, births = parted(query)
        self._many = store.finite(n_stored)
        self._order = order
        first, last, reach = store.spans(n_stored).T
        mine = span(query)
        self.reach = np.maximum(reach, mine[2])
        self.n_bars = store.n_bars(n_stored) + len(query)
        together = ~(np.minimum(first, mine[0]) < np.maximum(last, mine[1]))
        self._settled = together & math.isinf(order)  # the bound of all that are born together is their distance
        self._essential = sketch.essential_bounds(births, *store.essential(n_stored), order)
        self.bounds = np.empty(n_stored)
        for which, piece in self._many.pieces(_PIECE):
            self.bounds[which] = self._cheap(piece, self._settled[which])
        self.bounds = sketch.norm(np.stack([self.bounds, self._essential], axis=1), order)

    def _cheap(self, many: sketch.Ragged, settled: NDArray[np.bool_]) -> Floats:
        if settled.all():
            return sketch.one_birth_bounds(self._query, many)
        bounds = sketch.sorted_bounds(self._query, many, self._order)
        return np.where(settled, sketch.one_birth_bounds(self._query, many), bounds) if settled.any() else bounds

    def look_closer(self, rows: NDArray[np.int64]) -> None:
        """Raise the bounds of some diagrams as far as their points show."""
        rows = rows[~self._settled[rows]]
        if len(rows):
            points = sketch.point_bounds(self._query, self._many.take(rows), self._order)
            whole = sketch.norm(np.stack([points, self._essential[rows]], axis=1), self._order)
            self.bounds[rows] = np.maximum(self.bounds[rows], whole)


def _kept(best: list[_Candidate], new: _Candidate, k: int) -> list[_Candidate]:
    if len(best) < k:
        heapq.heappush(best, new)
    else:
        heapq.heappushpop(best, new)
    return best


def _order(metric: str) -> float:
    if metric not in METRICS:
        raise BadInput(f"metric: expected one of {', '.join(METRICS)}, got {metric!r}")
    return METRICS[metric]


# ---- the shapes of a registry ----------------------------------------------------------------------------------------


def nearest(
    source: TorusRegistry | Iterable[tuple[Hashable, Diagram]],
    query: Diagram,
    k: int = 10,
    metric: str = "bottleneck",
    *,
    diagram_of: DiagramOf | None = None,
) -> Nearest:
    """The ``k`` shapes of a registry, or of pairs (id, diagram), whose diagrams are nearest to ``query``.

    For one question; who asks again keeps a :class:`NearestIndex` and adds :func:`stored_shapes` that are new.

    Parameters
    ----------
    source : TorusRegistry or iterable of (id, Diagram)
        Read once, in order; of a name that comes again the first diagram counts.
    query : Diagram
        Its dimensions of homology are compared.
    k, metric
        See :meth:`NearestIndex.search`.
    diagram_of : callable, optional
        From (n_points, dim) float64 to a diagram of the query's scale and field, or None to leave a cloud out; by
        default :func:`toriwork.topology.persistence` with the query's filtration, dimensions, scale and field.

    Raises
    ------
    BadInput
        See :meth:`NearestIndex.search`.
    """

    def as_the_query(points: NDArray[np.float64]) -> Diagram:
        return persistence(
            points,
            filtration=query.filtration,
            max_dimension=query.max_dimension,
            scale=query.scale,
            field=query.field,
        )

    index = NearestIndex(dimensions=range(query.max_dimension + 1))
    shapes = stored_shapes(source, diagram_of or as_the_query) if isinstance(source, TorusRegistry) else source
    for name, diagram in shapes:
        if name not in index:
            index.add(name, diagram)
    return index.search(query, k, metric)


def stored_shapes(
    registry: TorusRegistry, diagram_of: DiagramOf, known: Container[Hashable] = ()
) -> Iterator[tuple[str, Diagram]]:
    """``(shape_id, diagram)`` of each cloud of a registry, once per id, computed as they are asked for.

    Rows are read in batches. Spectra, rows whose vertices were not kept, ids in ``known`` (a :class:`NearestIndex`
    will do), and clouds for which ``diagram_of`` gives None are left out.
    """
    seen: set[str] = set()
    for batch in registry.scan(["shape_id", "vertices_dtype", "vertices_shape", "vertices"]):
        names, kinds, shapes, vertices = batch.columns
        for row, name in enumerate(names.to_pylist()):
            if name in seen or name in known or not vertices[row].is_valid:
                continue
            seen.add(name)
            cloud = restore_vertices(vertices[row].values.to_numpy(), kinds[row].as_py(), shapes[row].as_py())
            diagram = None if cloud.ndim == 1 or cloud.dtype.kind == "c" else diagram_of(cloud.astype(np.float64))
            if diagram is not None:
                yield name, diagram
