"""Filtrations that need distances only: Rips, its H0 by a spanning tree, landmarks, and the weighted DTM.

They take points or a matrix of distances; the engine of Rips and of landmarks can be chosen.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import check_points
from toriwork.errors import BadInput
from toriwork.topology.budget import refuse_beyond, refuse_matrix
from toriwork.topology.clouds import Trusted, distance_matrix, enclosing_radius, safely_scaled
from toriwork.topology.diagram import Scale
from toriwork.topology.engines import engine_version, guarded, pick_engine, run_best, weighted_bars
from toriwork.topology.request import (
    Found,
    Matrix,
    Request,
    cut_bars,
    found_by_gudhi,
    only,
    points_of,
    refuse_above,
    times,
)


@dataclass(frozen=True, slots=True)
class Rips:
    """A simplex enters at its diameter, the largest distance of two of its points."""

    name: ClassVar[str] = "rips"
    kind: ClassVar[str] = "rips"
    scale: ClassVar[Scale] = "diameter"

    def __call__(self, asked: Request) -> Found:
        """The bars by the engine that was asked for."""
        matrix = _matrix_of(asked)
        return _rips(matrix, asked, len(matrix))


@dataclass(frozen=True, slots=True)
class Spanning:
    """H0 of Rips alone, by a spanning tree from the coordinates: memory grows with n_points, not its square."""

    name: ClassVar[str] = "h0"
    kind: ClassVar[str] = "rips"
    scale: ClassVar[Scale] = "diameter"

    def __call__(self, asked: Request) -> Found:
        """One bar per distinct point."""
        only(asked, "simple")
        if asked.distances is not None:
            matrix, factor = distance_matrix(asked.points, asked.distances), 1.0
            n_points, lengths = len(matrix), _prim(len(matrix), lambda i: matrix[i])
        else:
            cloud, factor = safely_scaled(check_points(points_of(asked, self.name)))
            n_points, lengths = len(cloud), _prim(len(cloud), lambda i: _row(cloud, i))
        tree = np.zeros((n_points, 2))
        tree[:, 1] = np.append(times(lengths, factor), np.inf)[:n_points]
        bars, cut = cut_bars([tree], asked.threshold)
        return Found(bars, n_points, "simple", _own(), "spanning tree in NumPy", cut)


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

    def __call__(self, asked: Request) -> Found:
        """Bars of the landmarks and the error."""
        if asked.distances is not None:
            matrix = distance_matrix(asked.points, asked.distances)
            n_points, factor = len(matrix), 1.0
            chosen, cover = _farthest(n_points, self.n_landmarks, lambda i: matrix[i])
            among = matrix[np.ix_(chosen, chosen)]
        else:
            cloud, factor = safely_scaled(check_points(points_of(asked, self.name)))
            n_points = len(cloud)
            chosen, cover = _farthest(n_points, self.n_landmarks, lambda i: _row(cloud, i))
            among = times(distance_matrix(cloud[chosen], None), factor)
        return _rips(among, asked, n_points, 2.0 * cover * factor)


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

    def __call__(self, asked: Request) -> Found:
        """The bars by gudhi; all simplices are built, so this is for small clouds."""
        only(asked, "gudhi")
        matrix = _matrix_of(asked)
        n_points = len(matrix)
        refuse_above(math.comb(n_points, min(asked.max_dimension + 2, n_points)), n_points, self.name)
        if n_points == 0:
            return found_by_gudhi([np.empty((0, 2))] * (asked.max_dimension + 1), 0, asked.threshold)
        largest = float(matrix.max()) or 1.0
        nearest = np.sort(matrix / largest, axis=1)[:, : self.neighbours]
        weights = np.sqrt((nearest**2).mean(axis=1)) * largest
        values = matrix + weights[:, None] + weights[None, :]  # the diagonal is 0 + 2 w: the point itself
        values = np.maximum(values, np.maximum(values.diagonal()[:, None], values.diagonal()[None, :]))
        bars = guarded(
            lambda: weighted_bars(values, asked.max_dimension, asked.field), f"{n_points} points, filtration dtm"
        )
        return found_by_gudhi(bars, n_points, asked.threshold)


def _matrix_of(asked: Request) -> Matrix:
    if asked.points is not None:
        refuse_matrix(asked.points, asked.max_bytes)
    return distance_matrix(asked.points, asked.distances)


def _rips(matrix: Matrix, asked: Request, n_points: int, error: float = 0.0) -> Found:
    """Rips of a checked matrix that stands for ``n_points`` points within ``error``."""
    # from the enclosing radius on the complex is a cone: a later cut cuts nothing
    whole = math.isinf(asked.threshold) or asked.threshold >= enclosing_radius(matrix)
    cut = math.inf if whole else asked.threshold
    if whole:
        refuse_beyond(matrix, asked.max_dimension, asked.max_bytes)
    known = asked.distances if isinstance(asked.distances, Trusted) else Trusted(matrix)
    if known.bars is None:
        bars, used, reason = run_best(matrix, asked.max_dimension, asked.threshold, asked.engine, asked.field)
    else:
        bars, (used, reason) = known.bars, pick_engine(asked.engine, asked.field)
    rounding = used.relative_error * float(matrix.max(initial=0.0)) if used.relative_error else 0.0
    return Found(bars, n_points, used.name, engine_version(used), reason, cut, error + rounding, known.seconds)


def _prim(n_points: int, row: Callable[[int], Matrix]) -> Matrix:
    """Ascending edge lengths of a minimal spanning tree; ``row(i)`` gives the distances of point i."""
    lengths = np.empty(max(n_points - 1, 0))
    if n_points < 2:
        return lengths
    reach, outside, latest = np.full(n_points, np.inf), np.ones(n_points, dtype=np.bool_), 0
    for i in range(n_points - 1):
        outside[latest] = False
        reach[latest] = np.inf
        np.minimum(reach, row(latest), out=reach, where=outside)
        latest = int(reach.argmin())
        lengths[i] = reach[latest]
    lengths.sort()
    return lengths


def _farthest(n_points: int, wanted: int, row: Callable[[int], Matrix]) -> tuple[NDArray[np.intp], float]:
    """Indices of the landmarks and the largest distance of a point to one; the first is farthest from point 0."""
    if n_points == 0:
        return np.zeros(0, dtype=np.intp), 0.0
    chosen = [int(row(0).argmax())]
    reach = row(chosen[0]).copy()
    while len(chosen) < min(wanted, n_points) and reach.max() > 0:
        chosen.append(int(reach.argmax()))
        np.minimum(reach, row(chosen[-1]), out=reach)
    return np.array(chosen, dtype=np.intp), float(reach.max())


def _row(cloud: Matrix, i: int) -> Matrix:
    distances: Matrix = np.sqrt(((cloud - cloud[i]) ** 2).sum(axis=1))
    return distances


def _positive(name: str, value: Any) -> None:
    if not isinstance(value, int | np.integer) or value < 1:
        raise BadInput(f"{name}: an integer >= 1 is wanted, given was {value!r}")


def _own() -> str:
    used, _ = pick_engine("simple", 2)
    return engine_version(used)
