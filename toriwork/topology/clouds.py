"""From points to distances that an engine may trust: checked, finite, float64, symmetric.

Every engine is reached through here, so that none of them meets NaN, infinity or a wrong shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import as_array, as_float64, check_points
from toriwork.errors import BadInput

#: squares of coordinates within these bounds neither overflow nor lose digits to underflow
_SAFE_LARGEST, _SAFE_SMALLEST = 2.0**480, 2.0**-400


@dataclass(frozen=True, slots=True)
class Trusted:
    """A matrix that came out of :func:`distance_matrix`: not checked a second time."""

    matrix: NDArray[np.float64]
    bars: list[NDArray[np.float64]] | None = None  #: its Rips bars, computed among those of others
    seconds: float = 0.0  #: that matrix and bars took


def distance_matrix(points: Any, distances: Any) -> NDArray[np.float64]:
    """The checked distances of whichever of the two was given.

    Raises
    ------
    BadInput
        Both or neither were given, or what was given fails its checks.
    """
    if (points is None) == (distances is None):
        raise BadInput("either points or distances are wanted, given were both or neither")
    if isinstance(distances, Trusted):
        return distances.matrix
    return check_distances(distances) if points is None else distances_of_points(points)


def distances_of_points(points: Any) -> NDArray[np.float64]:
    """Euclidean distances of a cloud: shape (n_points, n_points) float64, symmetric, zero diagonal.

    Each is the root of a sum of squared coordinate differences, never of dot products, so that a cloud far from
    the origin loses nothing: at offset 1e7 the dot-product form merges half of the points.  The differences are
    taken straight from the coordinates, where they are rounded once; centring first would round them twice.

    Raises
    ------
    BadInput
        Not a finite real cloud, or a distance exceeds the range of float64.
    """
    cloud = check_points(points)
    n_points = len(cloud)
    if n_points < 2:
        return np.zeros((n_points, n_points))
    from scipy.spatial.distance import pdist, squareform

    cloud, factor = safely_scaled(cloud)
    distances: NDArray[np.float64] = squareform(pdist(cloud), checks=False)
    if factor != 1.0:
        with np.errstate(over="ignore"):
            distances *= factor
        if not np.isfinite(distances).all():
            raise BadInput("points: their distances exceed the range of float64")
    return distances


def safely_scaled(cloud: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """The cloud over a factor, and that factor: a power of two, 1 unless squares would leave the range of float64."""
    largest = float(np.abs(cloud).max(initial=0.0))
    if not largest or _SAFE_SMALLEST < largest < _SAFE_LARGEST:
        return cloud, 1.0
    factor = math.ldexp(1.0, max(-1000, min(1000, math.frexp(largest)[1])))
    return cloud / factor, factor


def check_distances(given: Any) -> NDArray[np.float64]:
    """A float64 copy of a matrix of dissimilarities: square, finite, >= 0, symmetric, zero on the diagonal.

    The triangle inequality is not asked for: a Rips filtration needs none.  Asymmetry up to 1e-12 of the largest
    entry is taken for rounding, and the larger of the two values is used.

    Raises
    ------
    BadInput
        One of these conditions fails; the message names the first bad entry.
    """
    array = as_array(given, name="distances")
    if array.dtype.kind not in "fiub":
        raise BadInput(f"distances: real numbers are wanted, given was dtype {array.dtype}")
    if array.ndim != 2 or array.shape[0] != array.shape[1]:
        raise BadInput(f"distances: shape (n_points, n_points) is wanted, given was {array.shape}")
    matrix = as_float64(array)
    _refuse(~np.isfinite(matrix), matrix, "is not finite")
    _refuse(matrix < 0, matrix, "is negative")
    _refuse(np.diag(np.diag(matrix)) != 0, matrix, "lies on the diagonal and is not zero")
    if matrix.size:
        _refuse(np.abs(matrix - matrix.T) > 1e-12 * matrix.max(), matrix, "differs from its mirror image")
    return np.maximum(matrix, matrix.T)


def enclosing_radius(distances: NDArray[np.float64]) -> float:
    """The scale from which the Rips complex is a cone, so that only one component is left; 0 without points."""
    return float(distances.max(axis=1).min()) if len(distances) else 0.0


def _refuse(bad: NDArray[np.bool_], matrix: NDArray[np.float64], why: str) -> None:
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise BadInput(f"distances: entry ({row}, {column}) {why}: {matrix[row, column]}")
