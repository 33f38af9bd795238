"""The one call that turns a cloud or a distance matrix into a Diagram: check, choose, compute, record.

Safe to call from any thread; the default engine releases the interpreter lock while it works.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput, MissingExtra
from toriwork.topology.clouds import distance_matrix, enclosing_radius
from toriwork.topology.diagram import Diagram, Provenance
from toriwork.topology.engines import ENGINES, Bars, Engine, engine_version, is_installed, pick_engine, run_engine

MAX_DIMENSION = 8


def persistence(
    points: Any = None,
    *,
    distances: Any = None,
    filtration: str = "rips",
    max_dimension: int = 1,
    engine: str = "auto",
    field: int = 2,
    threshold: float = math.inf,
    min_persistence: float = 0.0,
) -> Diagram:
    """The persistence diagram of a point cloud, or of a matrix of distances, in dimensions 0..max_dimension.

    Parameters
    ----------
    points : array_like of shape (n_points, dim), optional
        Finite real coordinates; Euclidean distances are used. Any number of points from 0 on, repeated ones allowed.
    distances : array_like of shape (n_points, n_points), optional
        In place of points: symmetric, finite, >= 0, zero diagonal.
    filtration : {"rips"}
        Rips: a simplex enters at its diameter, so births and deaths are edge lengths.
    max_dimension : int
        Highest homology dimension, 0 to 8.
    engine : {"auto", "gudhi", "ripser", "simple", "redzed"}
        "auto" takes the first of :func:`available_engines` that knows the field. gudhi and simple compute in
        float64; ripser and redzed in float32, with a relative error of at most 6e-8 per value.
    field : int
        Prime p; coefficients are Z/p. simple and redzed know 2 only.
    threshold : float
        Edges longer than this are left out; bars that outlive it get death = inf and are flagged ``censored``.
    min_persistence : float
        Bars of at most this persistence are dropped; zero-length ones always are.

    Returns
    -------
    Diagram
        With its provenance. Untruncated, it has exactly one essential class for n_points >= 1, in H0.

    Raises
    ------
    BadInput
        Input that no engine should see; nothing was computed.
    MissingExtra, EngineError, TooLarge
        The engine is not there, failed, or ran out of memory.

    Sources
    -------
    Edelsbrunner & Harer 2010, doi:10.1090/mbk/069, sect. III.2 and VII.1. Bauer 2021,
    doi:10.1007/s41468-021-00071-5.
    """
    started = time.perf_counter()
    _check_arguments(filtration, max_dimension, field, threshold, min_persistence)
    matrix = distance_matrix(points, distances)
    bars, used, reason = _compute(matrix, max_dimension, threshold, engine, field)
    cone = enclosing_radius(matrix)
    cut = threshold if threshold < cone else math.inf
    pairs = _as_pairs(bars)
    provenance = Provenance(
        engine=used.name,
        version=engine_version(used),
        filtration=filtration,
        field=field,
        scale="diameter",
        max_dimension=max_dimension,
        threshold=float(threshold),
        seconds=time.perf_counter() - started,
        n_points=len(matrix),
        reason=reason,
    )
    return Diagram(
        pairs,
        max_dimension,
        filtration=filtration,
        scale="diameter",
        field=field,
        threshold=cut,
        min_persistence=float(min_persistence),
        censored=_censored(pairs, cut),
        provenance=provenance,
    )


def _check_arguments(filtration: Any, max_dimension: Any, field: Any, threshold: Any, min_persistence: Any) -> None:
    if filtration != "rips":
        raise BadInput(f"filtration: 'rips' is wanted, given was {filtration!r}")
    if not isinstance(max_dimension, int | np.integer) or not 0 <= max_dimension <= MAX_DIMENSION:
        raise BadInput(f"max_dimension: an integer from 0 to {MAX_DIMENSION} is wanted, given was {max_dimension!r}")
    if not isinstance(field, int | np.integer) or not _is_prime(int(field)):
        raise BadInput(f"field: a prime below 46337 is wanted, given was {field!r}")
    if not threshold >= 0:
        raise BadInput(f"threshold: a number >= 0 is wanted, given was {threshold!r}")
    if not 0 <= min_persistence < math.inf:
        raise BadInput(f"min_persistence: a finite number >= 0 is wanted, given was {min_persistence!r}")


def _is_prime(number: int) -> bool:
    if number == 2:
        return True
    return 2 < number < 46337 and number % 2 == 1 and all(number % d for d in range(3, math.isqrt(number) + 1, 2))


def _compute(
    matrix: NDArray[np.float64], max_dimension: int, threshold: float, name: str, field: int
) -> tuple[Bars, Engine, str]:
    used, reason = pick_engine(name, field)
    if len(matrix) == 0:
        return [np.empty((0, 2))] * (max_dimension + 1), used, reason
    try:
        return run_engine(used, matrix, max_dimension, threshold, field), used, reason
    except MissingExtra as error:
        # installed but broken (a binary built for another NumPy): with "auto" the next engine takes over, and says so
        if name != "auto":
            raise
        failure = error
    for other in ENGINES:
        if other is used or not other.maintained or not is_installed(other) or (field != 2 and not other.any_field):
            continue
        try:
            bars = run_engine(other, matrix, max_dimension, threshold, field)
        except MissingExtra:
            continue
        return bars, other, f"{used.name} is installed but could not be imported"
    raise failure


def _as_pairs(bars: Bars) -> NDArray[np.float64]:
    pairs = np.empty((sum(map(len, bars)), 3))
    row = 0
    for k, found in enumerate(bars):
        stop = row + len(found)
        pairs[row:stop, 0] = k
        pairs[row:stop, 1:] = found
        row = stop
    return pairs


def _censored(pairs: NDArray[np.float64], cut: float) -> NDArray[np.bool_]:
    """True for each bar that only outlives the cut; the first component alone is essential in a Rips filtration."""
    endless = np.isinf(pairs[:, 2])
    if math.isinf(cut):
        return np.zeros(len(pairs), dtype=np.bool_)
    components = np.flatnonzero(endless & (pairs[:, 0] == 0))
    endless[components[:1]] = False
    return endless
