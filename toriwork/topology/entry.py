"""The data of a diagram in each form that they come in, checked once, and the filtration that takes them."""

from __future__ import annotations

import json
import math
import warnings
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import as_array, as_float64, shown
from toriwork.errors import BadInput
from toriwork.topology.clouds import Cloud, cloud_of
from toriwork.topology.filtrations import Filtration, Flag, WeightedAlpha, filtration_named, parameters_of
from toriwork.topology.graphs import graph_of
from toriwork.topology.inputs import is_sparse, sparse_distances
from toriwork.topology.pairwise import BY_DISTANCES, distances_by, metric_facts, warn_of_matrix

#: filtrations of values on a grid
_GRIDS = ("cubical", "lower_star")
_WEIGHTED = ("alpha", "delaunay_cech")


class Entered(NamedTuple):
    """The checked data: points, distances or a graph, and what belongs to the points one by one."""

    points: Cloud | None = None
    distances: Any = None  #: checked by the filtration where they are a matrix
    weights: NDArray[np.float64] | None = None  #: (n_points,)
    mask: NDArray[np.bool_] | None = None  #: of the shape of the image: True where a pixel is one
    periodic: tuple[bool, ...] = ()  #: of an image, for each axis; empty for none


@dataclass(frozen=True, slots=True)
class Given:
    """The data of one call of :func:`toriwork.topology.persistence`, as they were given."""

    points: Any = None
    distances: Any = None
    graph: Any = None
    vertices: Any = None
    weights: Any = None
    mask: Any = None
    metric: Any = "euclidean"
    period: Any = None

    def filtration(self, named: Any) -> Filtration:
        """The filtration of that name, or what a graph or weights make of it."""
        chosen = filtration_named(named)
        if self.graph is not None or self.vertices is not None:
            if self.points is not None or self.distances is not None or self.graph is None:
                raise BadInput("expected one of points, distances and graph (with or without vertices)")
            if chosen.name not in ("rips", "flag"):
                raise BadInput(f"filtration: expected 'flag' for a graph, got {named!r}")
            return Flag()
        if self.weights is None:
            return chosen
        if chosen.name not in _WEIGHTED:
            raise BadInput(f"weights: expected filtration {' or '.join(map(repr, _WEIGHTED))}, got {named!r}")
        return WeightedAlpha()

    def facts(self, chosen: Filtration) -> str:
        """The parameters of the filtration and of the data as JSON text; empty when all are the usual ones."""
        facts = metric_facts(parameters_of(chosen), self.metric, self.period)
        for name, given in (("weights", self.weights), ("mask", self._pixels())):
            if given is not None:
                facts[name] = cloud_of(given, name=name).digest.hex()
        return json.dumps(facts) if facts else ""

    def entered(self, chosen: Filtration, max_bytes: float | None) -> Entered:
        """The data for that filtration, checked.

        Raises
        ------
        BadInput
            Data that do not belong together or to the filtration, or are none.
        TooLarge
            The distances do not fit.
        """
        if self.graph is not None:
            return Entered(distances=graph_of(self.graph, self.vertices))
        plain = isinstance(self.metric, str) and self.metric == "euclidean"
        if chosen.name in _GRIDS and plain:
            return self._image()
        if self.mask is not None:
            raise BadInput(f"mask: expected filtration {' or '.join(map(repr, _GRIDS))}, got {chosen.name!r}")
        if not plain or self.period is not None:
            if self.points is None or self.distances is not None or chosen.name not in BY_DISTANCES:
                words = "expected points, and one of the filtrations"
                raise BadInput(f"metric and period: {words} {', '.join(BY_DISTANCES)}; period also of an image")
            cloud = cloud_of(self.points).points()
            return Entered(distances=distances_by(cloud, self.metric, self.period, max_bytes))
        points = None if self.points is None else cloud_of(self.points)
        if points is not None and chosen.name in BY_DISTANCES:
            warn_of_matrix(points)
        distances = sparse_distances(self.distances) if is_sparse(self.distances) else self.distances
        weights = None if self.weights is None else _weights_of(self.weights, points)
        return Entered(points, distances, weights)

    def _pixels(self) -> Any:
        """The mask, or the contrary of that of a masked array, in which True says that there is none."""
        masked = self.mask is None and np.ma.is_masked(self.points)
        return ~np.ma.getmaskarray(self.points) if masked else self.mask

    def _image(self) -> Entered:
        """The values on a grid, 0 where the mask leaves them out, which of them there are, and the axes that close."""
        given, mask = self.points, self._pixels()
        if mask is None:
            points = None if given is None else cloud_of(given)
            if (
                points is not None
                and len(points.shape) == 3
                and points.shape[2] in (3, 4)
                and min(points.shape[:2]) > 8
            ):
                words = "points: a grid of three axes, the last of {} values; of a colour image take one channel"
                warnings.warn(words.format(points.shape[2]), stacklevel=4)
        else:
            mask = as_array(mask, name="mask")
            values = as_array(np.ma.getdata(given) if np.ma.isMA(given) else given, name="points")
            if mask.dtype.kind != "b" or mask.shape != values.shape:
                raise BadInput(f"mask: expected bool of shape {values.shape}, got {mask.dtype} of {mask.shape}")
            points = cloud_of(np.where(mask, values, np.zeros((), values.dtype)))
        shape = () if points is None else points.shape
        return Entered(points, self.distances, mask=mask, periodic=_axes_that_close(self.period, shape))


def _weights_of(given: Any, points: Cloud | None) -> NDArray[np.float64]:
    array = as_array(given, name="weights")
    shape = (0 if points is None else points.n_points,)
    if array.dtype.kind not in "fiub" or array.shape != shape:
        raise BadInput(f"weights: expected real numbers of shape {shape}, got {array.dtype} of {array.shape}")
    weights = as_float64(array)
    if not np.isfinite(weights).all():
        i = int(np.isfinite(weights).argmin())
        raise BadInput(f"weights: expected finite numbers, got {weights[i]} (point {i})")
    return weights


def _axes_that_close(period: Any, shape: tuple[int, ...]) -> tuple[bool, ...]:
    """True for each axis of an image whose ends are joined, of truth values or of lengths."""
    if period is None:
        return ()
    array = as_array(period, name="period")
    if array.dtype.kind not in "biuf" or array.shape not in ((), (len(shape),)):
        raise BadInput(f"period: expected True, or {len(shape)} of True and False for an image, got {shown(period)}")
    closes = np.broadcast_to(array, (len(shape),)).tolist()
    if array.dtype.kind != "b":
        if any(length not in (side, math.inf) for length, side in zip(closes, shape, strict=True)):
            raise BadInput(f"period: expected the sides {shape} of the image, inf for open ones, got {shown(period)}")
        closes = [math.isfinite(length) for length in closes]
    return tuple(closes)
