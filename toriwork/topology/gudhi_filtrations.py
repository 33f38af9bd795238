"""Filtrations of which gudhi alone has the complex: alpha, Delaunay-Cech, images and series.

The first two stand on CGAL, under the GPL, version 3; the others are under the MIT licence.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import ClassVar

import numpy as np

from toriwork.errors import BadInput
from toriwork.topology.clouds import distinct_points, safely_scaled
from toriwork.topology.cost_model import admit, less_work
from toriwork.topology.diagram import Scale
from toriwork.topology.engines import Bars, delaunay_bars, grid_bars, guarded
from toriwork.topology.grid_components import component_bars_of_grid
from toriwork.topology.request import (
    FiltrationResult,
    Matrix,
    Request,
    admit_simplices,
    gudhi_result,
    points_of,
    require_engine,
    rescale,
)

#: expected cells of a Delaunay triangulation per point in R^1, R^2, ...: Schneider & Weil 2008,
#: doi:10.1007/978-3-540-78859-1, sect. 10.2 (Poisson points)
_CELLS_PER_POINT = (1.0, 2.0, 6.8, 32.0, 187.0, 1300.0)
#: measured: of a pixel of a line or an image, of a cell of a grid of more axes, of a value for H0 alone
_PIXEL_BYTES, _CELL_BYTES, _MINIMA_BYTES = 80.0, 60.0, 200.0
_PIXEL_SECONDS, _CELL_SECONDS = 8e-8, 2e-6


@dataclass(frozen=True, slots=True)
class Alpha:
    """A simplex of the Delaunay triangulation enters at the radius (never squared) of its smallest empty sphere.

    Equivalent to the Cech filtration and to the union of balls; for few coordinates. gudhi's part that stands on
    CGAL computes it, which is under the GPL, version 3; nothing else here calls it.
    """

    name: ClassVar[str] = "alpha"
    kind: ClassVar[str] = "alpha"
    scale: ClassVar[Scale] = "radius"

    def __call__(self, asked: Request) -> FiltrationResult:
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

    def __call__(self, asked: Request) -> FiltrationResult:
        """The bars by gudhi in float64."""
        return _delaunay(asked, self.name)


@dataclass(frozen=True, slots=True)
class WeightedAlpha:
    """Balls around points of weights w, of squared radius t + w at the value t, which may be below zero.

    The diagram is that of the weighted Cech complex and of the union of these balls; with squared radii as weights, 0
    is where the balls have those radii. Licence as for :class:`Alpha`.

    Sources
    -------
    Edelsbrunner & Harer 2010, doi:10.1090/mbk/069, sect. III.3 and III.4 (weighted alpha complexes).
    """

    name: ClassVar[str] = "weighted_alpha"
    kind: ClassVar[str] = "weighted_alpha"
    scale: ClassVar[Scale] = "value"

    def __call__(self, asked: Request) -> FiltrationResult:
        """The bars by gudhi in float64, predicates exact."""
        return _delaunay(asked, self.name)


@dataclass(frozen=True, slots=True)
class Cubical:
    """Sublevel sets of an image: a pixel enters at its value, with all its sides and corners."""

    name: ClassVar[str] = "cubical"
    kind: ClassVar[str] = "cubical"
    scale: ClassVar[Scale] = "value"

    def __call__(self, asked: Request) -> FiltrationResult:
        """The bars of an array of any number of axes."""
        image = _values_of(asked, self.name)
        if image.ndim == 0 or image.ndim > 6:
            raise BadInput(f"cubical: expected an image of 1 to 6 axes, got shape {image.shape}")
        return _grid(asked, image, on_vertices=False)


@dataclass(frozen=True, slots=True)
class LowerStar:
    """Sublevel sets of a series: a sample enters at its value, the step between two at the larger one."""

    name: ClassVar[str] = "lower_star"
    kind: ClassVar[str] = "lower_star"
    scale: ClassVar[Scale] = "value"

    def __call__(self, asked: Request) -> FiltrationResult:
        """Each minimum and the value at which it merges into a deeper one."""
        series = _values_of(asked, self.name)
        if series.ndim != 1:
            raise BadInput(f"lower_star: expected a series of shape (n_samples,), got {series.shape}")
        return _grid(asked, series, on_vertices=True)


def _delaunay(asked: Request, name: str) -> FiltrationResult:
    require_engine(asked, "gudhi")
    given = points_of(asked, name).points()
    n_points = len(given)
    if n_points == 0:
        return gudhi_result([np.empty((0, 2))] * (asked.max_dimension + 1), 0, asked.threshold)
    if asked.weights is None:
        places, weights = distinct_points(given), None
        scaled, factor = safely_scaled(places)
        unit = [factor]
    else:
        places, weights = _heaviest(given, asked.weights)
        roots = np.sqrt(np.abs(weights))
        _, factor = safely_scaled(np.column_stack([places, roots]))
        scaled, weights, unit = places / factor, weights / factor / factor, [factor, factor]
    cloud = _in_own_span(scaled)
    n_places, dim = cloud.shape
    high = min(dim, 100)  # no more coordinates are needed to be refused
    per_point = _CELLS_PER_POINT[high - 1] if high <= 6 else 1300.0 * 8.0 ** (high - 6)
    simplices = min(2.0 ** min(n_places, 1000), n_places * per_point * 2.0**high)
    advice = partial(less_work, None, asked.max_dimension, asked.max_bytes, n_points)
    admit_simplices(simplices, f"{n_points} points, {name}", asked.max_bytes, advice)
    latest = asked.threshold
    for one in unit:
        latest /= one
    stopped = latest < _all_meet(cloud, weights)
    cech, last = name == "delaunay_cech", math.nextafter(latest * (1 + 2.0**-40), math.inf) if stopped else math.inf
    bars = guarded(
        lambda: delaunay_bars(cloud, asked.max_dimension, asked.field, cech=cech, latest=last, weights=weights),
        f"{n_points} points, filtration {name}",
    )
    for one in unit:
        bars = [rescale(found, one) for found in bars]
    return gudhi_result(bars, n_points, asked.threshold, stopped=stopped)


def _heaviest(cloud: Matrix, weights: Matrix) -> tuple[Matrix, Matrix]:
    """The places of a cloud, and of the points there the largest weight: the ball of that holds the others."""
    places, which = np.unique(cloud + 0.0, axis=0, return_inverse=True)
    largest = np.full(len(places), -np.inf)
    np.maximum.at(largest, which.ravel(), weights)
    return places, largest


def _all_meet(cloud: Matrix, weights: Matrix | None) -> float:
    """A value at which all balls meet in the middle of the cloud, from where on nothing changes: a radius, or its
    square less the weight.
    """
    squares = ((cloud - (cloud.min(axis=0) / 2 + cloud.max(axis=0) / 2)) ** 2).sum(axis=1)
    found = math.sqrt(squares.max()) if weights is None else float((squares - weights).max())
    return found + 2.0**-40 * abs(found)


def _in_own_span(cloud: Matrix) -> Matrix:
    """The cloud, or a congruent one with fewer coordinates when there are as many of them as points or more."""
    n_points, dim = cloud.shape
    if n_points == 0 or dim < n_points:
        return cloud
    if dim == 0 or n_points == 1:
        return np.zeros((n_points, 1))
    triangle = np.asarray(np.linalg.qr((cloud[1:] - cloud[0]).T, mode="r"))
    return np.vstack([np.zeros(n_points - 1), triangle.T])


def _grid(asked: Request, values: Matrix, *, on_vertices: bool) -> FiltrationResult:
    require_engine(asked, "gudhi")
    n_points, stopped = values.size, False
    if asked.mask is not None or math.isfinite(asked.threshold):
        there = np.ones(values.shape, dtype=np.bool_) if asked.mask is None else asked.mask
        within = there & (values <= asked.threshold)
        stopped = bool((there & ~within).any())
        if not within.all():
            values = _as_far_as(np.where(within, values, np.inf), asked.periodic)
    if values.size == 0:
        return gudhi_result([np.empty((0, 2))] * (asked.max_dimension + 1), n_points, asked.threshold, stopped=stopped)
    fast = values.ndim <= 2 and not any(asked.periodic)
    alone = asked.max_dimension == 0 and not fast  # gudhi would reduce all dimensions
    each, what = _PIXEL_BYTES if fast else _MINIMA_BYTES if alone else _CELL_BYTES, f"an array of shape {values.shape}"
    cells = values.size if fast or alone else math.prod(2.0 * side + 1.0 for side in values.shape)
    seconds = cells * (_PIXEL_SECONDS if fast else _CELL_SECONDS)
    admit(what, seconds, each * cells, asked.max_bytes, "smaller blocks, a threshold or H0 alone need less")

    def compute() -> Bars:
        if alone:
            return component_bars_of_grid(values, asked.periodic, asked.field)
        return grid_bars(values, asked.max_dimension, asked.field, on_vertices=on_vertices, periodic=asked.periodic)

    bars = guarded(compute, what)
    return gudhi_result(bars, n_points, asked.threshold, stopped=stopped)


def _as_far_as(values: Matrix, periodic: tuple[bool, ...]) -> Matrix:
    """The smallest block with all values that are not inf, along the axes that do not close."""
    block = [slice(None)] * values.ndim
    for axis in range(values.ndim):
        others = tuple(other for other in range(values.ndim) if other != axis)
        (places,) = np.nonzero(np.isfinite(values).any(axis=others, keepdims=True).ravel())
        if not len(places):
            block[axis] = slice(0)
        elif not (periodic and periodic[axis]):
            block[axis] = slice(int(places[0]), int(places[-1]) + 1)
    return values[tuple(block)]


def _values_of(asked: Request, name: str) -> Matrix:
    given = points_of(asked, name)
    if given.array.dtype.kind == "c":
        raise BadInput(f"{name}: expected real numbers, got dtype {given.array.dtype}")
    return given.values
