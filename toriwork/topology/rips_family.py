"""Filtrations that need distances only: Rips, its H0 by a spanning tree, landmarks, and the weighted DTM.

They take points or a matrix of distances; the engine of Rips and of landmarks can be chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.topology.clouds import (
    TINY,
    Cloud,
    as_condensed,
    as_square,
    distinct_points,
    distinct_rows,
    enclosing_radius,
    euclidean_distances,
    euclidean_pairs,
    lengths_of,
    n_points_of,
    safely_scaled,
)
from toriwork.topology.cost_model import (
    MATRIX_BYTES,
    admit,
    admit_matrix,
    admit_rips,
    bytes_joined,
    bytes_ranked,
    collapse_seconds,
    less_work,
    seconds_joined,
    work_estimate,
)
from toriwork.topology.diagram import Scale
from toriwork.topology.engines import (
    Bars,
    Engine,
    engine_version,
    engines_for,
    guarded,
    is_installed,
    pick_engine,
    run_best,
    weighted_bars,
    weighted_edges,
)
from toriwork.topology.graphs import cliques, flag_result
from toriwork.topology.inputs import CheckedDistances, Graph, distance_matrix
from toriwork.topology.metric import Row, component_bars, farthest_points, spanning_tree
from toriwork.topology.request import (
    FiltrationResult,
    Matrix,
    Request,
    admit_simplices,
    cut_bars,
    gudhi_result,
    points_of,
    require_engine,
)
from toriwork.topology.sparse_rips import spanning_lengths, sparse_rips
from toriwork.topology.truncation import (
    WORTH_CUTTING,
    WORTH_CUTTING_RANKS,
    share_within,
    truncation_of,
    worth_collapsing,
)

#: points up to which a sparse matrix is taken as a whole one: the fastest engine takes all its pairs in a second or two
_FEW_POINTS = 2_000
#: of a coordinate, while the distances of one point to all are looked at; seconds of that, and of each such look
_WALK_BYTES, _WALK_SECONDS, _STEP = 60.0, 3e-9, 2e-5
#: of a pair of points, at the peak of "dtm"
_DTM_BYTES = 60.0


@dataclass(frozen=True, slots=True)
class Rips:
    """A simplex enters at its diameter, the largest distance of two of its points."""

    name: ClassVar[str] = "rips"
    kind: ClassVar[str] = "rips"
    scale: ClassVar[Scale] = "diameter"

    def __call__(self, asked: Request) -> FiltrationResult:
        """The bars by the engine that was asked for."""
        if asked.points is None or asked.distances is not None:
            if isinstance(asked.distances, Graph) and asked.points is None and _many(asked.distances, asked.engine):
                return flag_result(asked.distances, asked)
            given = asked.distances
            if isinstance(given, CheckedDistances) and given.given.ndim == 1 and given.given.all():
                _admit(asked, n_points_of(given.given), lambda some: given.matrix[np.ix_(some, some)])
                return _rips(given.given, asked, n_points_of(given.given))
            matrix = _matrix_of(asked)
            n_points, entries = len(matrix), as_condensed(matrix)
            kept = None if entries.all() else distinct_rows(matrix)
            if kept is not None:
                matrix = matrix[np.ix_(kept, kept)]
                entries = as_condensed(matrix)
            _admit(asked, len(matrix), lambda some: matrix[np.ix_(some, some)])
            return _rips(entries if n_points < WORTH_CUTTING_RANKS else matrix, asked, n_points)
        cloud = asked.points.points()
        n_points = len(cloud)
        if n_points >= WORTH_CUTTING:
            cloud = distinct_points(cloud)
        if asked.engine in ("auto", "gudhi") and asked.max_dimension <= 1:
            near = _from_neighbours(cloud, asked, n_points)
            if near is not None:
                return near
        _admit(asked, len(cloud), lambda some: euclidean_distances(cloud[some]))
        pairs = euclidean_pairs(cloud)
        if n_points < WORTH_CUTTING and not pairs.all():
            pairs = euclidean_pairs(distinct_points(cloud))
        return _rips(pairs, asked, n_points)


@dataclass(frozen=True, slots=True)
class Spanning:
    """H0 of Rips alone, by a spanning tree from the coordinates: memory grows with n_points, not its square."""

    name: ClassVar[str] = "h0"
    kind: ClassVar[str] = "rips"
    scale: ClassVar[Scale] = "diameter"

    def __call__(self, asked: Request) -> FiltrationResult:
        """One bar per distinct point."""
        require_engine(asked, "simple")
        if asked.distances is not None:
            matrix = _matrix_of(asked)
            n_points = n_places = len(matrix)
            lengths = spanning_tree(n_points, matrix.__getitem__).lengths
        else:
            given = points_of(asked, self.name).points()
            n_points, what = len(given), f"{len(given)} points, h0"
            admit(what, 0.0, _WALK_BYTES * given.size, asked.max_bytes, "fewer points need less")
            cloud = distinct_points(given)
            n_places, found = len(cloud), spanning_lengths(cloud)
            if found is None:
                seconds = n_places * (_STEP + _WALK_SECONDS * cloud.size)
                admit(what, seconds, _WALK_BYTES * cloud.size, asked.max_bytes, "fewer points need less")
                found = _in_range(spanning_tree(n_places, _rows_of(cloud), seconds).lengths)
            lengths = found
        bars, cut = cut_bars([component_bars(lengths, n_places)], asked.threshold)
        return FiltrationResult(bars, n_points, "simple", _own(), "spanning tree in NumPy", cut)


@dataclass(frozen=True, slots=True)
class Landmark:
    """Rips of points that lie far from each other, the next always farthest from those chosen; for large clouds.

    The bottleneck distance to the Rips diagram of all points is at most twice the largest distance to a landmark,
    which ``provenance.error`` states.

    Sources
    -------
    Chazal, de Silva & Oudot 2014, doi:10.1007/s10711-013-9937-z, sect. 5.
    """

    n_landmarks: int = 200
    name: ClassVar[str] = "landmark"
    kind: ClassVar[str] = "landmark"
    scale: ClassVar[Scale] = "diameter"

    def __post_init__(self) -> None:
        _positive("n_landmarks", self.n_landmarks)

    def __call__(self, asked: Request) -> FiltrationResult:
        """Bars of the landmarks and the error."""
        if asked.distances is not None:
            matrix = _matrix_of(asked)
            n_points = len(matrix)
            chosen, covers = farthest_points(n_points, self.n_landmarks, matrix.__getitem__)
            if np.isinf(covers[-1:]).any():
                raise BadInput(f"landmark: expected so many that each point has an edge to one, got {len(chosen)}")
            among = matrix[np.ix_(chosen, chosen)]
        else:
            cloud = points_of(asked, self.name).points()
            n_points, n_chosen = len(cloud), min(self.n_landmarks, len(cloud))
            seconds = n_chosen * (_STEP + _WALK_SECONDS * cloud.size)
            n_bytes = work_estimate(n_chosen, 0, min(asked.max_dimension, 1)).bytes + _WALK_BYTES * cloud.size
            what = f"{n_chosen} landmarks of {n_points} points"
            admit(
                what, seconds, n_bytes, asked.max_bytes, partial(less_work, None, asked.max_dimension, asked.max_bytes)
            )
            chosen, covers = farthest_points(n_points, self.n_landmarks, _rows_of(cloud), seconds)
            _in_range(covers)
            among = euclidean_distances(cloud[chosen])
        _admit(asked, len(among), lambda some: among[np.ix_(some, some)])
        return _rips(among, asked, n_points, 2.0 * float(covers[-1]) if n_points else 0.0)


@dataclass(frozen=True, slots=True)
class DTM:
    """Rips weighted by the distance to measure: a point among few others enters late, so that outliers do little.

    With w(i) the root mean square of the distances to the ``neighbours`` nearest points, itself among them, a point
    enters at 2 w(i) and an edge at d(i, j) + w(i) + w(j): the doubled filtration with p = 1, as in gudhi.

    Sources
    -------
    Anai, Chazal, Glisse, Ike, Inakoshi, Tinarrage & Umeda 2020, doi:10.1007/978-3-030-43408-3_2, sect. 3 and 4.
    """

    neighbours: int = 10
    name: ClassVar[str] = "dtm"
    kind: ClassVar[str] = "dtm"
    scale: ClassVar[Scale] = "diameter"

    def __post_init__(self) -> None:
        _positive("neighbours", self.neighbours)

    def __call__(self, asked: Request) -> FiltrationResult:
        """The bars by gudhi, edges collapsed before simplices are built."""
        require_engine(asked, "gudhi")
        matrix = _matrix_of(asked, _DTM_BYTES)
        n_points = len(matrix)
        seconds, what = collapse_seconds(n_points, n_points**2 / 2.0), f"{n_points} points, dtm"
        admit(what, seconds, _DTM_BYTES * n_points**2, asked.max_bytes, "a threshold or fewer points need less")
        if n_points == 0:
            return gudhi_result([np.empty((0, 2))] * (asked.max_dimension + 1), 0, asked.threshold)
        largest = float(matrix.max(where=np.isfinite(matrix), initial=0.0)) or 1.0
        nearest = np.sort(matrix / largest, axis=1)[:, : self.neighbours]
        weights = np.sqrt((nearest**2).mean(axis=1)) * largest
        if np.isinf(weights).any():
            lone = int(np.isinf(weights).argmax())
            raise BadInput(f"dtm: expected {self.neighbours} points with an edge to each, itself one; not so {lone}")
        kept = distinct_rows(matrix)
        if kept is not None:  # a repeated point adds to the weights and to nothing else
            matrix, weights = matrix[np.ix_(kept, kept)], weights[kept]
        values = matrix + weights[:, None] + weights[None, :]  # the diagonal is 0 + 2 w: the point itself
        values = np.maximum(values, np.maximum(values.diagonal()[:, None], values.diagonal()[None, :]))
        stopped = asked.threshold < enclosing_radius(values)
        if stopped:  # later points and edges are not even collapsed
            early = np.flatnonzero(values.diagonal() <= asked.threshold)
            values = values[np.ix_(early, early)]
            values[values > asked.threshold] = np.inf
        if not len(values):
            return gudhi_result([np.empty((0, 2))] * (asked.max_dimension + 1), n_points, asked.threshold, stopped=True)

        def compute() -> Bars:
            edges = weighted_edges(values)
            admit_simplices(cliques(*edges[:2], asked.max_dimension + 2), what, asked.max_bytes)
            return weighted_bars(values.diagonal().copy(), edges, asked.max_dimension, asked.field)

        bars = guarded(compute, what)
        return gudhi_result(bars, n_points, asked.threshold, stopped=stopped)


def rips_together(clouds: list[Matrix], highest: int, engine: str) -> list[FiltrationResult] | None:
    """The answers for small clouds, H0 and H1, that one engine takes together; None where there is no such engine."""
    if highest > 1 or not all(0 < len(cloud) < WORTH_CUTTING for cloud in clouds):
        return None
    asked = {n: engines_for(engine, 2, n, highest) for n in {len(cloud) for cloud in clouds}}
    used, *others = {engines[0] for engines, _ in asked.values()}
    pairs = [euclidean_pairs(cloud) for cloud in clouds]
    if others or used.compute_many is None or not all(some.all() for some in pairs):
        return None
    made = zip(clouds, used.compute_many(pairs, highest, 2), strict=True)
    version = engine_version(used)
    return [FiltrationResult(bars, len(cloud), used.name, version, asked[len(cloud)][1]) for cloud, bars in made]


def _many(graph: Graph, engine: str) -> bool:
    return graph.n_points > _FEW_POINTS and engine in ("auto", "gudhi")


def _admit(asked: Request, n_points: int, among: Callable[[NDArray[np.intp]], Matrix]) -> None:
    """Let the Rips diagram of so many points begin, or raise TooLarge."""
    dim = None if asked.points is None or asked.distances is not None else asked.points.shape[-1]
    admit_rips(
        n_points,
        asked.max_dimension,
        among,
        dim=dim,
        engine=asked.engine,
        field=asked.field,
        threshold=asked.threshold,
        max_bytes=asked.max_bytes,
    )


def _matrix_of(asked: Request, per_pair: float = MATRIX_BYTES) -> Matrix:
    given = asked.distances if asked.points is None else asked.points
    if isinstance(given, Cloud | Graph):
        admit_matrix(given.n_points, asked.max_bytes, per_pair)
    return distance_matrix(asked.points, asked.distances)


def _from_neighbours(cloud: Matrix, asked: Request, n_points: int) -> FiltrationResult | None:
    """Rips of many points in few coordinates without their matrix; None where it is done sooner with it."""
    if asked.max_dimension == 0:
        lengths = spanning_lengths(cloud) if asked.field == 2 else None
        if lengths is None:
            return None
        bars, cut = cut_bars([component_bars(lengths, len(cloud))], asked.threshold)
        return FiltrationResult(bars, n_points, "simple", _own(), "spanning tree among neighbours", cut)
    if not is_installed(pick_engine("gudhi", asked.field)[0]):
        return None
    found = sparse_rips(cloud, asked.threshold, asked.field, asked.max_bytes, asked.engine)
    if found is None:
        return None
    words = f"neighbours by a k-d tree; nothing changes beyond {found.scale:.6g}"
    version = engine_version(pick_engine("gudhi", asked.field)[0])
    return FiltrationResult(found.bars, n_points, "gudhi", version, words, found.cut)


def _rips(distances: Matrix, asked: Request, n_points: int, error: float = 0.0) -> FiltrationResult:
    """Rips of checked distances, square or condensed, that stand for ``n_points`` points within ``error``."""
    # from the enclosing radius on the complex is a cone, or has all its edges: a later cut cuts nothing
    whole = math.isinf(asked.threshold) or asked.threshold >= enclosing_radius(as_square(distances))
    cut = math.inf if whole else asked.threshold
    if math.isinf(asked.threshold) and asked.distances is not None and math.isinf(distances.max(initial=0.0)):
        asked = replace(asked, threshold=enclosing_radius(as_square(distances)))  # no engine meets infinity
    if n_points == 0:
        bars, (used, reason) = [np.empty((0, 2))] * (asked.max_dimension + 1), pick_engine(asked.engine, asked.field)
    else:
        bars, used, reason = _computed(distances, asked, whole=whole)
    return FiltrationResult(bars, n_points, used.name, engine_version(used), reason, cut, error)


def _computed(distances: Matrix, asked: Request, *, whole: bool) -> tuple[Bars, Engine, str]:
    """The bars, their engine and why it was taken."""
    n_points, highest = n_points_of(distances), asked.max_dimension
    if highest == 1 and n_points >= WORTH_CUTTING:
        by_ranks = engines_for(asked.engine, asked.field, n_points, highest)[0][0].by_ranks
        if n_points >= WORTH_CUTTING_RANKS or not by_ranks:
            return _cut_early(as_square(distances), asked, by_ranks=by_ranks, whole=whole)
    return run_best(distances, highest, asked.threshold, asked.engine, asked.field)


def _cut_early(matrix: Matrix, asked: Request, *, by_ranks: bool, whole: bool) -> tuple[Bars, Engine, str]:
    """H0 and H1 from a filtration that ends where they do, the engine and why it was taken."""
    limit, n_points = enclosing_radius(matrix) if whole else asked.threshold, len(matrix)
    dim = None if asked.points is None else asked.points.shape[-1]
    found = truncation_of(matrix, limit, asked.engine, asked.field)

    def bars_to(threshold: float) -> tuple[Bars, Engine, str]:
        joined = share_within(matrix, threshold)
        n_bytes = bytes_ranked(n_points) if by_ranks else bytes_joined(n_points, joined)
        advice = partial(less_work, dim, 1, asked.max_bytes)
        admit(f"{n_points} points, H1", seconds_joined(n_points, joined), n_bytes, asked.max_bytes, advice)
        collapse = worth_collapsing(found.crossing, n_points, joined)
        return run_best(matrix, 1, threshold, asked.engine, asked.field, collapse=collapse)

    threshold, *later = found.thresholds
    bars, used, reason = bars_to(threshold)
    while later and np.isinf(bars[1]).any():
        threshold = later.pop(0)
        bars, used, reason = bars_to(threshold)
    words = f"{reason}; nothing changes beyond {threshold:.6g}" if threshold < limit else reason
    if found.tree is None:
        return bars, used, words
    return [component_bars(found.tree.lengths, n_points, limit), bars[1]], used, words


def _rows_of(cloud: Matrix) -> Row:
    """The distances of one point of a cloud to all, without their matrix; inf beyond the range of float64."""
    scaled, factor = safely_scaled(cloud)

    def row(i: int) -> Matrix:
        distances: Matrix = np.sqrt(((scaled - scaled[i]) ** 2).sum(axis=1))
        tiny = np.flatnonzero(distances < TINY)
        with np.errstate(over="ignore"):
            distances *= factor
        if len(tiny) > 1:
            distances[tiny] = lengths_of(cloud[tiny] - cloud[i])
        return distances

    return row


def _in_range(lengths: Matrix) -> Matrix:
    if np.isinf(lengths).any():
        raise BadInput("points: their distances exceed the range of float64")
    return lengths


def _positive(name: str, value: Any) -> None:
    if not isinstance(value, int | np.integer) or value < 1:
        raise BadInput(f"{name}: expected an integer >= 1, got {value!r}")


def _own() -> str:
    used, _ = pick_engine("simple", 2)
    return engine_version(used)
