"""The arithmetic of CurvatureAwareGuard: curvature of a state, the threshold it gives, and what to do. Pure functions.

A state is a field f over a square grid of unit spacing, or the graph of a curve; derivatives are those of
``numpy.gradient``, second ones the gradient of the gradient.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toriwork.errors import BadInput

BASE_THRESHOLD = 1.0
SENSITIVITY = 0.5
DAMPING_RATE = 0.1
EMERGENCY = 2.0
EMERGENCY_FACTOR = 0.5
LEAST_THRESHOLD, MOST_THRESHOLD = 0.5, 2.0
LARGEST = 1e100  #: of a state: the square of a second derivative stays a number


class CurvatureMetrics(NamedTuple):
    """How a state is bent."""

    mean_curvature: float  #: mean of |H| with H = κ₁ + κ₂ over a field, mean of κ over a curve; >= 0
    gaussian_curvature: float  #: mean of K = κ₁ κ₂ over a field, 0 for a curve


class Decision(NamedTuple):
    """The action that a spectrum calls for."""

    action: str  #: "none", "adaptive_damp" or "emergency_damp"
    damping_factor: float


class _Slopes(NamedTuple):
    """A field's derivatives; p, q, r are f_x, f_y and 1 over √(1 + f_x² + f_y²), so that nothing overflows."""

    f_xx: NDArray[np.float64]
    f_xy: NDArray[np.float64]
    f_yy: NDArray[np.float64]
    p: NDArray[np.float64]
    q: NDArray[np.float64]
    r: NDArray[np.float64]


def as_graph(state: ArrayLike) -> NDArray[np.float64]:
    """The state as a field (2-D) or a curve (1-D), float64: a length that is a square is a square field.

    A complex state counts by its magnitude.

    Raises
    ------
    BadInput
        More than two axes, no numbers, NaN, infinity, or beyond 1e100.
    """
    try:
        given = np.asarray(state)
    except ValueError as error:
        raise BadInput(f"state: expected an array of one or two axes: {error}") from error
    if given.ndim not in (1, 2) or given.dtype.kind not in "fiubc":
        raise BadInput(f"state: expected numbers along one or two axes, got {given.dtype} {given.shape}")
    with np.errstate(over="ignore"):
        values = np.abs(given).astype(np.float64) if given.dtype.kind == "c" else given.astype(np.float64)
    usable = np.abs(values) <= LARGEST  # NaN is not
    if not usable.all():
        place = tuple(int(index) for index in np.argwhere(~usable)[0])
        raise BadInput(f"state: expected finite numbers up to {LARGEST:g}, got {given[place]} at {place}")
    side = math.isqrt(values.size)
    return values.reshape(side, side) if values.ndim == 1 and side * side == values.size else values


def local_curvature(graph: NDArray[np.float64]) -> CurvatureMetrics:
    """The mean curvatures of a field or curve; 0 with fewer than two points a side.

    On a field H = (f_xx(1 + f_y²) − 2 f_x f_y f_xy + f_yy(1 + f_x²)) / (1 + f_x² + f_y²)^(3/2), which is κ₁ + κ₂:
    twice what geometers call the mean curvature; K = (f_xx f_yy − f_xy²) / (1 + f_x² + f_y²)². On a curve
    κ = |f''| / (1 + f'²)^(3/2).

    Sources
    -------
    do Carmo 2016, Differential Geometry of Curves and Surfaces, 2nd ed., ISBN 978-0-486-80699-0, sect. 3-3, example 5.
    """
    if not graph.size or min(graph.shape) < 2:
        return CurvatureMetrics(0.0, 0.0)
    if graph.ndim == 1:
        slope = np.gradient(graph)
        w = np.hypot(1.0, slope)
        return CurvatureMetrics(float(np.mean(np.abs(np.gradient(slope)) / w / w / w)), 0.0)
    at = _slopes(graph)
    h = (at.f_xx * (at.r**2 + at.q**2) - 2 * at.p * at.q * at.f_xy + at.f_yy * (at.r**2 + at.p**2)) * at.r
    k = (at.f_xx * at.r**2) * (at.f_yy * at.r**2) - (at.f_xy * at.r**2) ** 2
    return CurvatureMetrics(float(np.mean(np.abs(h))), float(np.mean(k)))


def _slopes(field: NDArray[np.float64]) -> _Slopes:
    f_x, f_y = np.gradient(field)
    f_xx, f_xy = np.gradient(f_x)
    w = np.hypot(1.0, np.hypot(f_x, f_y))
    return _Slopes(f_xx, f_xy, np.gradient(f_y, axis=1), f_x / w, f_y / w, 1 / w)


def threshold_at(curvature: float) -> float:
    """The eigenvalue above which is damped: 1 / (1 + curvature / 2), in [0.5, 2]."""
    return min(max(BASE_THRESHOLD / (1.0 + SENSITIVITY * curvature), LEAST_THRESHOLD), MOST_THRESHOLD)


def decide(max_eigenvalue: float, threshold: float) -> Decision:
    """The action for the largest real part: emergency above 2, damping by the excess above the threshold, or none."""
    if max_eigenvalue > EMERGENCY:
        return Decision("emergency_damp", EMERGENCY_FACTOR)
    if max_eigenvalue > threshold:
        return Decision("adaptive_damp", DAMPING_RATE * (1.0 + (max_eigenvalue - threshold)))
    return Decision("none", 0.0)


def damping_profile(graph: NDArray[np.float64]) -> NDArray[np.float64]:
    """How strongly each point is damped, in [0, 1]: 1 − tanh((|f_xx| + |f_yy|) / mean curvature) on a field.

    1 everywhere on a curve, on a flat field and with fewer than two points a side.
    """
    if graph.ndim == 1 or not graph.size or min(graph.shape) < 2:
        return np.ones(graph.shape)
    at = _slopes(graph)
    bend = np.abs(at.f_xx) + np.abs(at.f_yy)
    mean = local_curvature(graph).mean_curvature
    with np.errstate(divide="ignore", over="ignore"):
        ratio = np.divide(bend, mean, out=np.zeros_like(bend), where=bend > 0)
    profile: NDArray[np.float64] = 1.0 - np.tanh(ratio)
    return profile


def damped(state: ArrayLike, factor: float) -> NDArray[Any]:
    """The state times 1 − factor · profile, in its own shape; a complex state stays complex.

    Raises
    ------
    BadInput
        The factor is not in [0, 1], or the state is not usable.
    """
    if not 0.0 <= factor <= 1.0:
        raise BadInput(f"factor: expected a number in [0, 1], got {factor!r}")
    given = np.asarray(state)
    profile = damping_profile(as_graph(given)).reshape(given.shape)
    result: NDArray[Any] = given * (1.0 - factor * profile)
    return result
