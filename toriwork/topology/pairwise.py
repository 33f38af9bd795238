"""Distances of points that are not those of Euclidean space: by a metric of SciPy, by a function, in a periodic box."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import as_array, as_float64, shown
from toriwork.errors import BadInput
from toriwork.topology.clouds import Cloud
from toriwork.topology.cost_model import admit_matrix
from toriwork.topology.inputs import CheckedDistances, check_distances

Matrix = NDArray[np.float64]
#: the filtrations that need no more than distances
BY_DISTANCES = ("rips", "h0", "landmark", "dtm")


def distances_by(cloud: Matrix, metric: Any, period: Any, max_bytes: float | None = None) -> CheckedDistances:
    """The distances of checked points (n_points, dim).

    Parameters
    ----------
    metric : str or callable
        A name of ``scipy.spatial.distance.pdist``, or a function of two points, which is called once for each pair.
    period : float or array_like of shape (dim,), optional
        Length of a box that repeats in each coordinate, > 0, inf where it does not: two points are as far apart as the
        nearest of their images. For "euclidean".

    Raises
    ------
    BadInput
        No such metric or period; or two points that have no distance >= 0: a zero vector has no cosine, a function
        raised. The message names them.
    TooLarge
        The distances do not fit.
    """
    admit_matrix(len(cloud), max_bytes)
    if not len(cloud):
        return CheckedDistances(np.zeros((0, 0)))
    if period is not None:
        if not isinstance(metric, str) or metric != "euclidean":
            raise BadInput(f"period: expected metric 'euclidean', got {shown(metric)}")
        return CheckedDistances(check_distances(_in_box(cloud, _period_of(period, cloud.shape[1])), "period"))
    if callable(metric):
        return CheckedDistances(check_distances(_by_function(cloud, metric), "metric"))
    pairs = _by_name(cloud, metric)
    if np.isinf(pairs).any():
        raise BadInput(f"metric {metric!r}: distances of these points exceed the range of float64")
    return CheckedDistances(check_distances(pairs, f"metric {metric!r}"))


def metric_facts(parameters: dict[str, Any], metric: Any, period: Any) -> dict[str, Any]:
    """The parameters of a filtration and those of the distances, JSON-able; of the distances only unusual ones."""
    facts = dict(parameters)
    if callable(metric):
        facts["metric"] = getattr(metric, "__qualname__", type(metric).__qualname__)
    elif metric != "euclidean":
        facts["metric"] = str(metric)
    if period is not None:
        facts["period"] = np.asarray(period, dtype=np.float64).tolist()
    return facts


def warn_of_matrix(cloud: Cloud, *, stacklevel: int = 4) -> None:
    """Warn where points look like a matrix of distances, or like an image: wide, and of values as those of pixels."""
    array = cloud.array
    n_points, dim = array.shape if array.ndim == 2 else (0, 0)
    if n_points == dim > 2 and not array.diagonal().any() and array.any() and (array == array.T).all():
        words = "a symmetric matrix of zero diagonal was taken for coordinates; distances= takes distances"
    elif dim > n_points > 2 and _as_pixels(array):
        words = f"{n_points} rows of {dim} values were taken for points; filtration='cubical' takes an image"
    else:
        return
    warnings.warn(f"points: {words}", stacklevel=stacklevel)


def _as_pixels(array: NDArray[Any]) -> bool:
    """True for values from 0 to 1, and for whole ones from 0 to 255."""
    low, high = array.min(), array.max()
    return bool(low >= 0 and (high <= 1 or (high <= 255 and (array == np.floor(array)).all())))


def _by_name(cloud: Matrix, metric: Any) -> Matrix:
    from scipy.spatial import distance

    if not isinstance(metric, str):
        raise BadInput(f"metric: expected a name of scipy.spatial.distance or a function, got {shown(metric)}")
    try:
        with np.errstate(all="ignore"):  # what is NaN or infinite is named below
            pairs: Matrix = distance.pdist(cloud, metric)
    except (ValueError, TypeError, np.linalg.LinAlgError) as error:  # no such name, too few points for a covariance
        raise BadInput(f"metric: expected a name of scipy.spatial.distance.pdist, got {metric!r}: {error}") from error
    return pairs


def _by_function(cloud: Matrix, metric: Callable[[Matrix, Matrix], Any]) -> Matrix:
    pairs = np.empty(len(cloud) * (len(cloud) - 1) // 2)
    place = 0
    for i, one in enumerate(cloud):
        for j in range(i + 1, len(cloud)):
            try:
                pairs[place] = metric(one, cloud[j])
            except Exception as error:  # whatever a function of somebody else raises
                words = f"metric: expected a number for points {i} and {j}, got {type(error).__name__}: {error}"
                raise BadInput(words) from error
            place += 1
    return pairs


def _period_of(given: Any, dim: int) -> Matrix:
    array = as_array(given, name="period")
    if array.dtype.kind not in "fiu" or array.shape not in ((), (dim,)):
        raise BadInput(f"period: expected one length or {dim}, got {shown(given)}")
    lengths = as_float64(array)
    if not (lengths > 0).all():
        raise BadInput(f"period: expected lengths > 0, got {shown(given)}")
    return np.broadcast_to(lengths, (dim,))


def _in_box(cloud: Matrix, period: Matrix) -> Matrix:
    from scipy.spatial import distance

    total = np.zeros(len(cloud) * (len(cloud) - 1) // 2)
    for column, length in zip(cloud.T, period, strict=True):
        apart = np.remainder(distance.pdist(column[:, None], "cityblock"), length)
        total = np.hypot(total, np.minimum(apart, length - apart))
    if np.isinf(total).any():
        raise BadInput("points: their distances exceed the range of float64")
    return total
