"""The one call that turns a cloud or a distance matrix into a Diagram: check, choose, compute, record.

Safe to call from any thread; the default engine releases the interpreter lock while it works.
"""

from __future__ import annotations

import json
import math
import time
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import check_number
from toriwork.errors import BadInput
from toriwork.topology.clouds import cloud_of
from toriwork.topology.diagram import SCALES, Diagram, Provenance, Scale
from toriwork.topology.engines import Bars
from toriwork.topology.filtrations import Filtration, filtration_named, parameters_of
from toriwork.topology.request import Request, rescale

MAX_DIMENSION = 8


def persistence(  # noqa: PLR0913  # the one call behind which all filtrations and engines stand
    points: Any = None,
    *,
    distances: Any = None,
    filtration: str | Filtration = "rips",
    max_dimension: int = 1,
    scale: Scale | None = None,
    engine: str = "auto",
    field: int = 2,
    threshold: float = math.inf,
    min_persistence: float = 0.0,
    max_bytes: float | None = None,
) -> Diagram:
    """The persistence diagram of a point cloud, a matrix of distances, an image or a series, 0..max_dimension.

    Parameters
    ----------
    points : array_like of shape (n_points, dim), optional
        Finite real coordinates; Euclidean distances are used. Any number of points from 0 on, repeated ones allowed.
        For "cubical" the values of an image of 1 to 6 axes, for "lower_star" those of a series (n_samples,).
    distances : array_like of shape (n_points, n_points), optional
        In place of points: symmetric, finite, >= 0, zero diagonal. For "rips", "h0", "landmark", "dtm".
    filtration : str or Filtration
        A name for its default parameters, or an object of ``toriwork.topology.filtrations``. In diameters: "rips"
        (a simplex enters at its diameter), "h0" (of Rips, by a spanning tree; dimension 0 alone is computed),
        "landmark" (Rips of 200 points far apart, its error in the provenance), "dtm" (weighted against outliers).
        In radii, never squared: "alpha", "delaunay_cech" (gudhi's part under the GPL). In values: "cubical",
        "lower_star".
    max_dimension : int
        Highest homology dimension, 0 to 8.
    scale : {"diameter", "radius", "value"}, optional
        What births, deaths, ``threshold`` and ``min_persistence`` mean; None: the filtration's own, named above. A
        diameter is twice a radius, exactly; Rips in radii is not Cech. Values are no lengths.
    engine : {"auto", "gudhi", "ripser", "simple", "redzed"}
        For "rips" and "landmark"; the others have one each. "auto" takes the first of :func:`available_engines` that
        knows the field. gudhi and simple compute in float64; ripser and redzed in float32, with a relative error of
        at most 6e-8 per value.
    field : int
        Prime p; coefficients are Z/p. simple and redzed know 2 only.
    threshold : float
        What enters later than this is left out; bars that outlive it get death = inf and are flagged ``censored``.
    min_persistence : float
        Bars of at most this persistence are dropped; zero-length ones always are.
    max_bytes : float, optional
        Memory that an untruncated Rips diagram may take by its prediction (:func:`work_estimate_of`). None: what the
        machine has free. inf: no limit.

    Returns
    -------
    Diagram
        With its provenance. Untruncated, it has exactly one essential class for n_points >= 1, in H0.
        "h0" has ``max_dimension`` 0, "landmark" and "dtm" have those names as ``filtration``.

    Raises
    ------
    BadInput
        Input that no engine should see, or a scale that the filtration does not have; nothing was computed.
    MissingExtra, EngineError, TooLarge
        The engine is not there, failed, ran out of memory, or would: the message has the number.

    Sources
    -------
    Edelsbrunner & Harer 2010, doi:10.1090/mbk/069, sect. III.2 and VII.1. Bauer 2021,
    doi:10.1007/s41468-021-00071-5. Glisse & Pritam 2022, doi:10.4230/LIPIcs.SoCG.2022.44 (edge collapse).
    """
    started = time.perf_counter()
    chosen = filtration_named(filtration)
    _check_arguments(max_dimension, field, threshold, min_persistence, max_bytes)
    unit, factor = scale_of(chosen, scale)
    cloud = None if points is None else cloud_of(points)
    found = chosen(Request(cloud, distances, max_dimension, engine, field, threshold / factor, max_bytes))
    pairs, cut = _as_pairs([rescale(bars, factor) for bars in found.bars]), found.cut * factor
    provenance = Provenance(
        engine=found.engine,
        version=found.version,
        filtration=chosen.name,
        field=field,
        scale=unit,
        max_dimension=max_dimension,
        threshold=float(threshold),
        seconds=time.perf_counter() - started + found.seconds,
        n_points=found.n_points,
        reason=found.reason,
        parameters=json.dumps(parameters_of(chosen)) if parameters_of(chosen) else "",
        error=found.error * factor,
    )
    return Diagram(
        pairs,
        len(found.bars) - 1,
        filtration=chosen.kind,
        scale=unit,
        field=field,
        threshold=cut,
        min_persistence=float(min_persistence),
        censored=_censored(pairs, cut),
        provenance=provenance,
    )


def scale_of(filtration: Filtration, asked: Any) -> tuple[Scale, float]:
    """The scale of a diagram that was asked for in ``asked``, and that unit in units of the filtration's own."""
    own = filtration.scale
    if asked is None or asked == own:
        return own, 1.0
    if asked not in SCALES or "value" in (own, asked):
        known = "'value'" if own == "value" else "'diameter' or 'radius'"
        raise BadInput(f"scale: expected {known} for filtration {filtration.name!r}, got {asked!r}")
    return asked, 2.0 if own == "radius" else 0.5


def _check_arguments(max_dimension: Any, field: Any, threshold: Any, min_persistence: Any, max_bytes: Any) -> None:
    if not isinstance(max_dimension, int | np.integer) or not 0 <= max_dimension <= MAX_DIMENSION:
        raise BadInput(f"max_dimension: expected an integer from 0 to {MAX_DIMENSION}, got {max_dimension!r}")
    if not isinstance(field, int | np.integer) or not _is_prime(int(field)):
        raise BadInput(f"field: expected a prime below 46337, got {field!r}")
    check_number(threshold, name="threshold", least=0.0)
    if math.isinf(check_number(min_persistence, name="min_persistence", least=0.0)):
        raise BadInput(f"min_persistence: expected a finite number >= 0, got {min_persistence!r}")
    if max_bytes is not None:
        check_number(max_bytes, name="max_bytes", least=0.0)


def _is_prime(number: int) -> bool:
    if number == 2:
        return True
    return 2 < number < 46337 and number % 2 == 1 and all(number % d for d in range(3, math.isqrt(number) + 1, 2))


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
    """True for each bar that only outlives the cut; the oldest component alone is essential."""
    endless = np.isinf(pairs[:, 2])
    if math.isinf(cut):
        return np.zeros(len(pairs), dtype=np.bool_)
    components = np.flatnonzero(endless & (pairs[:, 0] == 0))
    if len(components):
        endless[components[pairs[components, 1].argmin()]] = False
    return endless
