"""The filtrations behind ``persistence(filtration=...)``: parameters in a frozen object, bars by its call.

A filtration is given by its name, which stands for its default parameters, or as an object of one of these classes.
Rips is the only one with a choice of engines; the others stand on gudhi or on NumPy.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import check_points
from toriwork.errors import BadInput, TooLarge
from toriwork.topology.budget import refuse_beyond
from toriwork.topology.clouds import distance_matrix, enclosing_radius, safely_scaled
from toriwork.topology.diagram import Scale
from toriwork.topology.engines import (
    Bars,
    delaunay_bars,
    engine_version,
    grid_bars,
    guarded,
    pick_engine,
    run_best,
    weighted_bars,
)

Matrix = NDArray[np.float64]

MAX_SIMPLICES = 20_000_000
#: expected cells of a Delaunay triangulation per point in R^1, R^2, ...: Schneider & Weil 2008,
#: doi:10.1007/978-3-540-78859-1, sect. 10.2 (Poisson points)
_CELLS_PER_POINT = (1.0, 2.0, 6.8, 32.0, 187.0, 1300.0)


@dataclass(frozen=True, slots=True)
class Request:
    """What :func:`toriwork.topology.persistence` was asked for; its arguments are checked, its data are not."""

    points: Any
    distances: Any
    max_dimension: int
    engine: str
    field: int
    threshold: float
    max_bytes: float | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """Bars per dimension and what is to be said about them."""

    bars: Bars
    n_points: int
    engine: str
    version: str
    reason: str
    cut: float = math.inf  #: scale at which the filtration was really cut
    error: float = 0.0  #: the bottleneck distance to the exact diagram is at most this


class Filtration(Protocol):
    """What a filtration looks like: conventions on the class, parameters in the object, work in the call."""

    name: ClassVar[str]  #: the word for ``filtration=``
    kind: ClassVar[str]  #: the ``filtration`` of the diagram
    scale: ClassVar[Scale]

    def __call__(self, asked: Request) -> Found:
        """The bars."""


@dataclass(frozen=True, slots=True)
class Rips:
    """A simplex enters at its diameter, the largest distance of two of its points."""

    name: ClassVar[str] = "rips"
    kind: ClassVar[str] = "rips"
    scale: ClassVar[Scale] = "diameter"

    def __call__(self, asked: Request) -> Found:
        """The bars by the engine that was asked for."""
        matrix = distance_matrix(asked.points, asked.distances)
        if math.isinf(asked.threshold):
            refuse_beyond(matrix, asked.max_dimension, asked.max_bytes)
        bars, used, reason = run_best(matrix, asked.max_dimension, asked.threshold, asked.engine, asked.field)
        # from the enclosing radius on the complex is a cone: a later cut cuts nothing
        cut = asked.threshold if asked.threshold < enclosing_radius(matrix) else math.inf
        return Found(bars, len(matrix), used.name, engine_version(used), reason, cut)


@dataclass(frozen=True, slots=True)
class Spanning:
    """H0 of Rips alone, by a spanning tree from the coordinates: memory grows with n_points, not its square."""

    name: ClassVar[str] = "h0"
    kind: ClassVar[str] = "rips"
    scale: ClassVar[Scale] = "diameter"

    def __call__(self, asked: Request) -> Found:
        """One bar per distinct point."""
        _only(asked, "simple")
        if asked.distances is not None:
            matrix, factor = distance_matrix(asked.points, asked.distances), 1.0
            n_points, lengths = len(matrix), _prim(len(matrix), lambda i: matrix[i])
        else:
            cloud, factor = safely_scaled(check_points(_points_of(asked, self.name)))
            n_points, lengths = len(cloud), _prim(len(cloud), lambda i: _row(cloud, i))
        tree = np.zeros((n_points, 2))
        tree[:, 1] = np.append(_times(lengths, factor), np.inf)[:n_points]
        bars, cut = _cut([tree], asked.threshold)
        return Found(bars, n_points, "simple", _own(), "spanning tree in NumPy", cut)


@dataclass(frozen=True, slots=True)
class Alpha:
    """A simplex of the Delaunay triangulation enters at the radius (never squared) of its smallest empty sphere.

    Equivalent to the Cech filtration and to the union of balls; for few coordinates. gudhi's part that stands on
    CGAL computes it, which is under the GPL, version 3; nothing else here calls it.
    """

    name: ClassVar[str] = "alpha"
    kind: ClassVar[str] = "alpha"
    scale: ClassVar[Scale] = "radius"

    def __call__(self, asked: Request) -> Found:
        """The bars by gudhi in float64, predicates exact."""
        return _delaunay(asked, self.name)


@dataclass(frozen=True, slots=True)
class DelaunayCech:
    """A simplex of the Delaunay triangulation enters at the radius of its smallest enclosing ball.

    The diagram is that of Cech and alpha; faster than alpha for many points. Licence as for :class:`Alpha`.

    Sources
    -------
    Bauer & Edelsbrunner 2017, doi:10.1090/tran/6991, theorem 5.10.
    """

    name: ClassVar[str] = "delaunay_cech"
    kind: ClassVar[str] = "delaunay_cech"
    scale: ClassVar[Scale] = "radius"

    def __call__(self, asked: Request) -> Found:
        """The bars by gudhi in float64."""
        return _delaunay(asked, self.name)


@dataclass(frozen=True, slots=True)
class Cubical:
    """Sublevel sets of an image: a pixel enters at its value, with all its sides and corners."""

    name: ClassVar[str] = "cubical"
    kind: ClassVar[str] = "cubical"
    scale: ClassVar[Scale] = "value"

    def __call__(self, asked: Request) -> Found:
        """The bars of an array of any number of axes."""
        image = _values_of(asked, self.name)
        if image.ndim == 0 or image.ndim > 6:
            raise BadInput(f"cubical: an image of 1 to 6 axes is wanted, given was shape {image.shape}")
        return _grid(asked, image, on_vertices=False)


@dataclass(frozen=True, slots=True)
class LowerStar:
    """Sublevel sets of a series: a sample enters at its value, the step between two at the larger one."""

    name: ClassVar[str] = "lower_star"
    kind: ClassVar[str] = "lower_star"
    scale: ClassVar[Scale] = "value"

    def __call__(self, asked: Request) -> Found:
        """Each minimum and the value at which it merges into a deeper one."""
        series = _values_of(asked, self.name)
        if series.ndim != 1:
            raise BadInput(f"lower_star: a series of shape (n_samples,) is wanted, given was {series.shape}")
        return _grid(asked, series, on_vertices=len(series) > 1)


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
            cloud, factor = safely_scaled(check_points(_points_of(asked, self.name)))
            n_points = len(cloud)
            chosen, cover = _farthest(n_points, self.n_landmarks, lambda i: _row(cloud, i))
            among = _times(distance_matrix(cloud[chosen], None), factor)
        bars, used, reason = run_best(among, asked.max_dimension, asked.threshold, asked.engine, asked.field)
        cut = asked.threshold if asked.threshold < enclosing_radius(among) else math.inf
        return Found(bars, n_points, used.name, engine_version(used), reason, cut, error=2.0 * cover * factor)


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
        _only(asked, "gudhi")
        matrix = distance_matrix(asked.points, asked.distances)
        n_points = len(matrix)
        _refuse_above(math.comb(n_points, min(asked.max_dimension + 2, n_points)), n_points, self.name)
        if n_points == 0:
            return _by_gudhi([np.empty((0, 2))] * (asked.max_dimension + 1), 0, asked.threshold)
        largest = float(matrix.max()) or 1.0
        nearest = np.sort(matrix / largest, axis=1)[:, : self.neighbours]
        weights = np.sqrt((nearest**2).mean(axis=1)) * largest
        values = matrix + weights[:, None] + weights[None, :]  # the diagonal is 0 + 2 w: the point itself
        values = np.maximum(values, np.maximum(values.diagonal()[:, None], values.diagonal()[None, :]))
        bars = guarded(
            lambda: weighted_bars(values, asked.max_dimension, asked.field), f"{n_points} points, filtration dtm"
        )
        return _by_gudhi(bars, n_points, asked.threshold)


def _delaunay(asked: Request, name: str) -> Found:
    _only(asked, "gudhi")
    cloud, factor = safely_scaled(_in_own_span(check_points(_points_of(asked, name))))
    n_points, dim = cloud.shape
    if n_points == 0:
        return _by_gudhi([np.empty((0, 2))] * (asked.max_dimension + 1), 0, asked.threshold)
    per_point = _CELLS_PER_POINT[dim - 1] if 0 < dim <= 6 else 1300.0 * 8.0 ** (dim - 6) if dim else 1.0
    _refuse_above(min(2.0 ** min(n_points, 1000), n_points * per_point * 2.0**dim), n_points, name)
    bars = guarded(
        lambda: delaunay_bars(cloud, asked.max_dimension, asked.field, cech=name == "delaunay_cech"),
        f"{n_points} points, filtration {name}",
    )
    return _by_gudhi([_times(found, factor) for found in bars], n_points, asked.threshold)


def _in_own_span(cloud: Matrix) -> Matrix:
    """The cloud, or a congruent one with fewer coordinates when there are more of them than points."""
    n_points, dim = cloud.shape
    if n_points == 0 or dim < n_points:
        return cloud
    if dim == 0 or n_points == 1:
        return np.zeros((n_points, 1))
    small, factor = safely_scaled(cloud)
    triangle = np.asarray(np.linalg.qr((small[1:] - small[0]).T, mode="r"))
    return np.vstack([np.zeros(n_points - 1), triangle.T]) * factor


def _grid(asked: Request, values: Matrix, *, on_vertices: bool) -> Found:
    _only(asked, "gudhi")
    if values.size == 0:
        return _by_gudhi([np.empty((0, 2))] * (asked.max_dimension + 1), 0, asked.threshold)
    bars = guarded(
        lambda: grid_bars(values, asked.max_dimension, asked.field, on_vertices=on_vertices),
        f"an array of shape {values.shape}",
    )
    return _by_gudhi(bars, values.size, asked.threshold)


def _by_gudhi(bars: Bars, n_points: int, threshold: float) -> Found:
    bars, cut = _cut(bars, threshold)
    used, _ = pick_engine("gudhi", 2)
    return Found(bars, n_points, "gudhi", engine_version(used), "the only engine of this filtration", cut)


def _cut(bars: Bars, threshold: float) -> tuple[Bars, float]:
    """The bars as they are known at the threshold, and inf when that changes nothing."""
    latest = max((float(b[np.isfinite(b)].max(initial=-np.inf)) for b in bars), default=-np.inf)
    if latest <= threshold:
        return bars, math.inf
    kept = [found[found[:, 0] <= threshold] for found in bars]
    return [np.column_stack([b[:, 0], np.where(b[:, 1] <= threshold, b[:, 1], np.inf)]) for b in kept], threshold


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


def _only(asked: Request, engine: str) -> None:
    if asked.engine not in ("auto", engine):
        raise BadInput(f"engine: 'auto' or {engine!r} is wanted for this filtration, given was {asked.engine!r}")
    if engine == "simple" and asked.field != 2:
        raise BadInput(f"field: the spanning tree needs none; 2 is wanted, given was {asked.field}")


def _points_of(asked: Request, name: str) -> Any:
    if asked.points is None or asked.distances is not None:
        raise BadInput(f"{name}: points are wanted, and no distances")
    return asked.points


def _values_of(asked: Request, name: str) -> Matrix:
    given = np.asarray(_points_of(asked, name))
    if given.dtype.kind not in "fiub":
        raise BadInput(f"{name}: real numbers are wanted, given was dtype {given.dtype}")
    values = np.array(given, dtype=np.float64, order="C")
    if not np.isfinite(values).all():
        place = tuple(int(i) for i in np.argwhere(~np.isfinite(values))[0])
        raise BadInput(f"{name}: finite values are wanted, entry {place} is {values[place]}")
    return values


def _refuse_above(simplices: float, n_points: int, name: str) -> None:
    if simplices > MAX_SIMPLICES:
        raise TooLarge(
            f"{name}: about {simplices:.2g} simplices for {n_points} points, the limit is {MAX_SIMPLICES:.2g}; "
            "fewer points or coordinates, or filtration 'landmark'"
        )


def _row(cloud: Matrix, i: int) -> Matrix:
    distances: Matrix = np.sqrt(((cloud - cloud[i]) ** 2).sum(axis=1))
    return distances


def _times(values: Matrix, factor: float) -> Matrix:
    if factor == 1.0:
        return values
    with np.errstate(over="ignore"):
        scaled = values * factor
    if (np.isinf(scaled) & np.isfinite(values)).any():
        raise BadInput("points: their distances exceed the range of float64")
    return scaled


def _positive(name: str, value: Any) -> None:
    if not isinstance(value, int | np.integer) or value < 1:
        raise BadInput(f"{name}: an integer >= 1 is wanted, given was {value!r}")


def _own() -> str:
    used, _ = pick_engine("simple", 2)
    return engine_version(used)


_ALL: tuple[Filtration, ...] = (
    Rips(),
    Spanning(),
    Alpha(),
    DelaunayCech(),
    Cubical(),
    LowerStar(),
    Landmark(),
    DTM(),
)
#: every filtration by its name, with default parameters
FILTRATIONS: dict[str, Filtration] = {made.name: made for made in _ALL}


def filtration_named(given: Any) -> Filtration:
    """The filtration of that name, or ``given`` itself when it is one.

    Raises
    ------
    BadInput
        Neither; the message lists the names.
    """
    for known in _ALL:
        if isinstance(given, type(known)):
            return given
    if not isinstance(given, str) or given not in FILTRATIONS:
        raise BadInput(f"filtration: one of {', '.join(FILTRATIONS)} is wanted, given was {given!r}")
    return FILTRATIONS[given]


def parameters_of(filtration: Filtration) -> dict[str, Any]:
    """The parameters of a filtration by name, JSON-able."""
    made: Any = filtration
    return asdict(made)
