"""The one call that turns a cloud or a distance matrix into a Diagram: check, choose, compute, record.

Safe to call from any thread; the default engine releases the interpreter lock while it works.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import check_number
from toriwork.errors import BadInput, TooLarge, ToriworkError
from toriwork.topology.clouds import cloud_of
from toriwork.topology.cost_model import work_estimate
from toriwork.topology.diagram import SCALES, Diagram, Provenance, Scale
from toriwork.topology.engines import LARGEST_PRIME, Bars
from toriwork.topology.entry import Given
from toriwork.topology.filtrations import FILTRATIONS, Filtration
from toriwork.topology.free_memory import available_bytes
from toriwork.topology.pairwise import warn_of_matrix
from toriwork.topology.request import FiltrationResult, Request, rescale
from toriwork.topology.rips_family import rips_together

MAX_DIMENSION = 8


def persistence(  # noqa: PLR0913  # the one call behind which all filtrations and engines stand
    points: Any = None,
    *,
    distances: Any = None,
    graph: Any = None,
    vertices: Any = None,
    weights: Any = None,
    mask: Any = None,
    metric: Any = "euclidean",
    period: Any = None,
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
        What looks like a matrix of distances or an image has a warning.
        For "cubical" the values of an image of 1 to 6 axes, for "lower_star" those of a series (n_samples,).
    distances : array_like of shape (n_points, n_points) or (n_points (n_points - 1) / 2,), or sparse matrix, optional
        In place of points: symmetric, >= 0, zero diagonal, each within rounding; inf, and what a sparse matrix does not
        store, is no edge. The vector of entries above the diagonal is that of ``scipy.spatial.distance.pdist``. For
        "rips", "h0", "landmark", "dtm".
    graph : array_like of shape (n_edges, 2) or (n_edges, 3), sparse matrix, or graph of networkx, optional
        In place of points: edges as two vertices, numbered from 0, and the value at which each enters. A sparse matrix
        has the values of the vertices on its diagonal; networkx has them as ``weight`` of edges and nodes. An edge
        without a value enters with the later of its vertices, or at 1 where they have no values either. For "flag".
    vertices : int or array_like of shape (n_vertices,), optional
        Of a graph: how many vertices there are, or the value at which each enters; else they enter at 0.
    weights : array_like of shape (n_points,), optional
        Of points, for "alpha" and "delaunay_cech": at the value t each is a ball of squared radius t + weight.
    mask : array_like of bool, optional
        Of an image or a series, and of its shape: True where it has a pixel. What is left out never enters, whatever
        its value. A masked array, in which True says the contrary, needs none.
    metric : str or callable
        Of points: a name of ``scipy.spatial.distance.pdist``, or a function of two points, which is called once for
        each pair. For the filtrations that take distances.
    period : float or array_like of shape (dim,), optional
        Of points in a box that repeats: its length in each coordinate, or one for all; inf where it does not repeat.
        Two points are as far apart as the nearest of their images. Of an image or a series: True, or True for each
        axis that closes, or its shape.
    filtration : str or Filtration
        A name for its default parameters, or an object of ``toriwork.topology.filtrations``. In diameters: "rips"
        (a simplex enters at its diameter), "h0" (of Rips, by a spanning tree; dimension 0 alone is computed),
        "landmark" (Rips of 200 points far apart, its error in the provenance), "dtm" (weighted against outliers).
        In radii, never squared: "alpha", "delaunay_cech" (gudhi's part under the GPL). In values: "cubical",
        "lower_star", and "flag", which is that of every ``graph``; in squared radii less the weight with ``weights``.
    max_dimension : int
        Highest homology dimension, 0 to 8.
    scale : {"diameter", "radius", "value"}, optional
        What births, deaths, ``threshold`` and ``min_persistence`` mean; None: the filtration's own, named above. A
        diameter is twice a radius, exactly; Rips in radii is not Cech. Values are no lengths.
    engine : {"auto", "gudhi", "ripser", "simple", "redzed"}
        For "rips" and "landmark"; the others have one each. "auto" takes the fastest for the number of points and
        dimensions that knows the field. The bars are the same, bit for bit: ripser and redzed, which compute in
        float32, are given the ranks of the distances.
    field : int
        Prime p; coefficients are Z/p. simple and redzed know 2 only.
    threshold : float
        What enters later than this is left out; bars that outlive it get death = inf and are flagged ``censored``.
    min_persistence : float
        Bars of at most this persistence are dropped; zero-length ones always are.
    max_bytes : float, optional
        Memory that the diagram may take by its prediction (for Rips :func:`work_estimate_of`). None: what this
        process can have, by the machine, its control group and its own limits, and an hour of predicted work. inf: no
        limit.

    Returns
    -------
    Diagram
        With its provenance. Untruncated and of points, it has exactly one essential class for n_points >= 1, in H0;
        of a graph one for each component, and those that nothing fills.
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

    Examples
    --------
    >>> from toriwork import persistence
    >>> diagram = persistence([[0, 0], [0, 1], [1, 1], [1, 0]])
    >>> diagram.in_dimension(1).round(3).tolist()
    [[1.0, 1.414]]
    >>> persistence([[0.0], [1.0], [3.0]], filtration="h0").in_dimension(0).tolist()
    [[0.0, 1.0], [0.0, 2.0], [0.0, inf]]
    """
    import scipy.spatial  # noqa: F401  # first in every thread: parts that load one another fail when two load them

    started = time.perf_counter()
    given = Given(points, distances, graph, vertices, weights, mask, metric, period)
    chosen = given.filtration(filtration)
    plan = _plan(chosen, max_dimension, scale, field, threshold, min_persistence, max_bytes)
    try:
        entered = given.entered(chosen, max_bytes)
        facts = given.facts(chosen)
        asked = Request(*entered, max_dimension, engine, field, plan.threshold / plan.factor, max_bytes)
        return _diagram(chosen(asked), plan, started, facts)
    except MemoryError as error:
        if isinstance(error, ToriworkError):
            raise
        shape = getattr(points, "shape", None)
        size = "these data" if shape is None else f"an array of shape {shape}"
        words = f"no memory for {size}; {available_bytes():.3g} bytes are free"
        raise TooLarge(f"{chosen.name}: {words}") from error


def persistence_each(clouds: Sequence[Any], options: Mapping[str, Any]) -> list[Diagram | ToriworkError]:
    """The diagram of each cloud, or the error that it met, in order.

    Small clouds are worked off together, step by step: the answers are those of one call for each.

    Parameters
    ----------
    clouds : sequence of array_like
        What :func:`persistence` takes as points.
    options : mapping
        Its other arguments.
    """
    together = _together(clouds, **options) if len(clouds) > 1 and options.keys() <= _TOGETHER else None
    return together or [_diagram_or_error(cloud, options) for cloud in clouds]


_TOGETHER = {"max_dimension", "scale", "engine", "min_persistence", "max_bytes"}


def _together(  # the defaults of persistence
    clouds: Sequence[Any],
    *,
    max_dimension: int = 1,
    scale: Scale | None = None,
    engine: str = "auto",
    min_persistence: float = 0.0,
    max_bytes: float | None = None,
) -> list[Diagram | ToriworkError] | None:
    """The Rips diagrams of all clouds; None where they had better be taken one by one."""
    started = time.perf_counter()
    try:
        plan = _plan(FILTRATIONS["rips"], max_dimension, scale, 2, math.inf, min_persistence, max_bytes)
        given = [cloud_of(cloud) for cloud in clouds]
        for one in given:
            warn_of_matrix(one)
            if max_bytes is not None and work_estimate(one.n_points, one.shape[-1], max_dimension).bytes > max_bytes:
                return None
        found = rips_together([one.points() for one in given], max_dimension, engine)
        if found is None:
            return None
        share = (time.perf_counter() - started) / len(clouds)
        return [_diagram(one, plan, time.perf_counter() - share) for one in found]
    except Exception:  # noqa: BLE001  # one by one, so that the cloud or the option is found that was the reason
        return None


class _Plan(NamedTuple):
    """Checked arguments of :func:`persistence`, and what follows from them."""

    filtration: Filtration
    unit: Scale
    factor: float  #: the unit in units of the filtration's own
    max_dimension: int
    field: int
    threshold: float
    min_persistence: float


def _plan(
    chosen: Filtration,
    max_dimension: Any,
    scale: Any,
    field: Any,
    threshold: Any,
    min_persistence: Any,
    max_bytes: Any,
) -> _Plan:
    _check_arguments(max_dimension, field, threshold, min_persistence, max_bytes)
    limits = float(threshold), float(min_persistence)
    return _Plan(chosen, *scale_of(chosen, scale), max_dimension, field, *limits)


def _diagram(found: FiltrationResult, plan: _Plan, started: float, facts: str = "") -> Diagram:
    pairs, cut = _as_pairs([rescale(bars, plan.factor) for bars in found.bars]), found.cut * plan.factor
    provenance = Provenance(
        engine=found.engine,
        version=found.version,
        filtration=plan.filtration.name,
        field=plan.field,
        scale=plan.unit,
        max_dimension=plan.max_dimension,
        threshold=plan.threshold,
        seconds=time.perf_counter() - started,
        n_points=found.n_points,
        reason=found.reason,
        parameters=facts,
        error=found.error * plan.factor,
    )
    return Diagram(
        pairs,
        len(found.bars) - 1,
        filtration=plan.filtration.kind,
        scale=plan.unit,
        field=plan.field,
        threshold=cut,
        min_persistence=plan.min_persistence,
        censored=_censored(pairs, cut),
        provenance=provenance,
    )


def _diagram_or_error(cloud: Any, options: Mapping[str, Any]) -> Diagram | ToriworkError:
    try:
        return persistence(cloud, **options)
    except ToriworkError as error:
        return error


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
        raise BadInput(f"field: expected a prime up to {LARGEST_PRIME}, got {field!r}")
    check_number(threshold, name="threshold", least=0.0)
    if math.isinf(check_number(min_persistence, name="min_persistence", least=0.0)):
        raise BadInput(f"min_persistence: expected a finite number >= 0, got {min_persistence!r}")
    if max_bytes is not None:
        check_number(max_bytes, name="max_bytes", least=0.0)


def _is_prime(number: int) -> bool:
    if number == 2:
        return True
    return (
        2 < number <= LARGEST_PRIME and number % 2 == 1 and all(number % d for d in range(3, math.isqrt(number) + 1, 2))
    )


def _as_pairs(bars: Bars) -> NDArray[np.float64]:
    pairs = np.empty((sum(map(len, bars)), 3))
    row = 0
    for k, found in enumerate(bars):
        stop = row + len(found)
        pairs[row:stop, 0] = k
        together = np.ascontiguousarray(found, dtype=np.float64).view(np.complex128)  # these sort by both parts
        pairs[row:stop, 1:] = np.sort(together, axis=0).view(np.float64)
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
