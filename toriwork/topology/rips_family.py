"""Filtrations that need distances only: Rips, its H0 by a spanning tree, landmarks, and the weighted DTM.

They take points or a matrix of distances; the engine of Rips and of landmarks can be chosen.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from toriwork.errors import BadInput
from toriwork.topology.clouds import (
    CheckedDistances,
    distance_matrix,
    enclosing_radius,
    euclidean_distances,
    safely_scaled,
)
from toriwork.topology.cost_model import refuse_beyond, refuse_joined, refuse_matrix
from toriwork.topology.diagram import Scale
from toriwork.topology.engines import Bars, Engine, engine_version, guarded, pick_engine, run_best, weighted_bars
from toriwork.topology.metric import component_bars, farthest_points, spanning_tree
from toriwork.topology.request import (
    FiltrationResult,
    Matrix,
    Request,
    cut_bars,
    gudhi_result,
    points_of,
    refuse_above,
    require_engine,
    rescale,
)
from toriwork.topology.truncation import WORTH_CUTTING, share_within, truncation_of, worth_collapsing


@dataclass(frozen=True, slots=True)
class Rips:
    """A simplex enters at its diameter, the largest distance of two of its points."""

    name: ClassVar[str] = "rips"
    kind: ClassVar[str] = "rips"
    scale: ClassVar[Scale] = "diameter"

    def __call__(self, asked: Request) -> FiltrationResult:
        """The bars by the engine that was asked for."""
        matrix = _matrix_of(asked)
        return _rips(matrix, asked, len(matrix))


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
            matrix, factor = distance_matrix(asked.points, asked.distances), 1.0
            n_points, tree = len(matrix), spanning_tree(len(matrix), matrix.__getitem__)
        else:
            cloud, factor = safely_scaled(points_of(asked, self.name).points())
            n_points, tree = len(cloud), spanning_tree(len(cloud), lambda i: _row(cloud, i))
        bars, cut = cut_bars([component_bars(rescale(tree.lengths, factor), n_points)], asked.threshold)
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
            matrix = distance_matrix(asked.points, asked.distances)
            n_points, factor = len(matrix), 1.0
            chosen, covers = farthest_points(n_points, self.n_landmarks, matrix.__getitem__)
            among = matrix[np.ix_(chosen, chosen)]
        else:
            cloud, factor = safely_scaled(points_of(asked, self.name).points())
            n_points = len(cloud)
            chosen, covers = farthest_points(n_points, self.n_landmarks, lambda i: _row(cloud, i))
            among = rescale(euclidean_distances(cloud[chosen]), factor)
        return _rips(among, asked, n_points, 2.0 * float(covers[-1]) * factor if n_points else 0.0)


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
        """The bars by gudhi; all simplices are built, so this is for small clouds."""
        require_engine(asked, "gudhi")
        matrix = _matrix_of(asked)
        n_points = len(matrix)
        refuse_above(math.comb(n_points, min(asked.max_dimension + 2, n_points)), n_points, self.name)
        if n_points == 0:
            return gudhi_result([np.empty((0, 2))] * (asked.max_dimension + 1), 0, asked.threshold)
        largest = float(matrix.max()) or 1.0
        nearest = np.sort(matrix / largest, axis=1)[:, : self.neighbours]
        weights = np.sqrt((nearest**2).mean(axis=1)) * largest
        values = matrix + weights[:, None] + weights[None, :]  # the diagonal is 0 + 2 w: the point itself
        values = np.maximum(values, np.maximum(values.diagonal()[:, None], values.diagonal()[None, :]))
        bars = guarded(
            lambda: weighted_bars(values, asked.max_dimension, asked.field), f"{n_points} points, filtration dtm"
        )
        return gudhi_result(bars, n_points, asked.threshold)


def _matrix_of(asked: Request) -> Matrix:
    if asked.points is not None:
        refuse_matrix(asked.points.n_points, asked.max_bytes)
    return distance_matrix(asked.points, asked.distances)


def _rips(matrix: Matrix, asked: Request, n_points: int, error: float = 0.0) -> FiltrationResult:
    """Rips of a checked matrix that stands for ``n_points`` points within ``error``."""
    # from the enclosing radius on the complex is a cone: a later cut cuts nothing
    whole = math.isinf(asked.threshold) or asked.threshold >= enclosing_radius(matrix)
    known = asked.distances if isinstance(asked.distances, CheckedDistances) else CheckedDistances(matrix)
    if known.bars is not None:
        bars, (used, reason) = known.bars, pick_engine(asked.engine, asked.field)
    elif asked.max_dimension == 1 and len(matrix) >= WORTH_CUTTING:
        bars, used, reason = _cut_early(matrix, asked, whole=whole)
    else:
        if whole:
            refuse_beyond(matrix, asked.max_dimension, asked.max_bytes)
        bars, used, reason = run_best(matrix, asked.max_dimension, asked.threshold, asked.engine, asked.field)
    rounding = used.relative_error * float(matrix.max(initial=0.0)) if used.relative_error else 0.0
    cut = math.inf if whole else asked.threshold
    return FiltrationResult(
        bars, n_points, used.name, engine_version(used), reason, cut, error + rounding, known.seconds
    )


def _cut_early(matrix: Matrix, asked: Request, *, whole: bool) -> tuple[Bars, Engine, str]:
    """H0 and H1 from a filtration that ends where they do, the engine and why it was taken."""
    limit = enclosing_radius(matrix) if whole else asked.threshold
    found = truncation_of(matrix, limit, asked.engine, asked.field)

    def bars_to(threshold: float) -> tuple[Bars, Engine, str]:
        joined = share_within(matrix, threshold)
        if whole:
            refuse_joined(len(matrix), joined, asked.max_bytes)
        collapse = worth_collapsing(found.crossing, len(matrix), joined)
        return run_best(matrix, 1, threshold, asked.engine, asked.field, collapse=collapse)

    threshold, *later = found.thresholds
    bars, used, reason = bars_to(threshold)
    while later and np.isinf(bars[1]).any():
        threshold = later.pop(0)
        bars, used, reason = bars_to(threshold)
    words = f"{reason}; nothing changes beyond {threshold:.6g}" if threshold < limit else reason
    if found.tree is None:
        return bars, used, words
    return [component_bars(found.tree.lengths, len(matrix), limit), bars[1]], used, words


def _row(cloud: Matrix, i: int) -> Matrix:
    distances: Matrix = np.sqrt(((cloud - cloud[i]) ** 2).sum(axis=1))
    return distances


def _positive(name: str, value: Any) -> None:
    if not isinstance(value, int | np.integer) or value < 1:
        raise BadInput(f"{name}: expected an integer >= 1, got {value!r}")


def _own() -> str:
    used, _ = pick_engine("simple", 2)
    return engine_version(used)
