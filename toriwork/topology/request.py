"""The question to a filtration and its answer, with the small steps that several of them share.

The filtrations are in ``rips_family.py`` and ``gudhi_filtrations.py``, the table of their names in ``filtrations.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.topology.clouds import Cloud
from toriwork.topology.cost_model import Advice, admit
from toriwork.topology.diagram import Scale
from toriwork.topology.engines import Bars, engine_version, pick_engine

Matrix = NDArray[np.float64]

#: of a simplex in gudhi's tree and in its persistence
_SIMPLEX_BYTES, _SIMPLEX_SECONDS = 200.0, 4e-6


@dataclass(frozen=True, slots=True)
class Request:
    """The arguments of :func:`toriwork.topology.persistence`, checked; a matrix of distances is not yet."""

    points: Cloud | None
    distances: Any
    weights: Matrix | None  #: of the points
    mask: NDArray[np.bool_] | None  #: of an image: True where a pixel is one
    periodic: tuple[bool, ...]  #: of an image, for each axis; empty for none
    max_dimension: int
    engine: str
    field: int
    threshold: float
    max_bytes: float | None = None


@dataclass(frozen=True, slots=True)
class FiltrationResult:
    """Bars per dimension and how they came about."""

    bars: Bars
    n_points: int
    engine: str
    version: str
    reason: str
    cut: float = math.inf  #: scale at which the filtration was really cut
    error: float = 0.0  #: the bottleneck distance to the exact diagram is at most this


class Filtration(Protocol):
    """A filtration: conventions on the class, parameters in the object, work in the call."""

    name: ClassVar[str]  #: the word for ``filtration=``
    kind: ClassVar[str]  #: the ``filtration`` of the diagram
    scale: ClassVar[Scale]

    def __call__(self, asked: Request) -> FiltrationResult:
        """The bars."""


def gudhi_result(bars: Bars, n_points: int, threshold: float, *, stopped: bool = False) -> FiltrationResult:
    """The answer of a filtration that gudhi alone computes, cut at the threshold, where the work may have stopped."""
    bars, cut = cut_bars(bars, threshold)
    if stopped:
        cut = threshold
    used, _ = pick_engine("gudhi", 2)
    return FiltrationResult(bars, n_points, "gudhi", engine_version(used), "the only engine of this filtration", cut)


def cut_bars(bars: Bars, threshold: float) -> tuple[Bars, float]:
    """The bars as they are known at the threshold, and inf when that changes nothing."""
    if math.isinf(threshold):
        return bars, math.inf
    latest = max((float(b[np.isfinite(b)].max(initial=-np.inf)) for b in bars), default=-np.inf)
    if latest <= threshold:
        return bars, math.inf
    kept = [found[found[:, 0] <= threshold] for found in bars]
    return [np.column_stack([b[:, 0], np.where(b[:, 1] <= threshold, b[:, 1], np.inf)]) for b in kept], threshold


def require_engine(asked: Request, engine: str) -> None:
    """Raise BadInput when a request names another engine than the only one, or a field for a spanning tree."""
    if asked.engine not in ("auto", engine):
        raise BadInput(f"engine: expected 'auto' or {engine!r} for this filtration, got {asked.engine!r}")
    if engine == "simple" and asked.field != 2:
        raise BadInput(f"field: expected 2 for a spanning tree, got {asked.field}")


def points_of(asked: Request, name: str) -> Cloud:
    """The cloud of a request whose filtration takes no distances."""
    if asked.points is None or asked.distances is not None:
        raise BadInput(f"{name}: expected points and no distances")
    return asked.points


def admit_simplices(
    simplices: float, what: str, max_bytes: float | None, advice: Advice = "fewer points need less"
) -> None:
    """Raise TooLarge when a complex of so many simplices does not fit into ``max_bytes``, or takes too long."""
    words = f"{what}, {simplices:.2g} simplices"
    admit(words, _SIMPLEX_SECONDS * simplices, _SIMPLEX_BYTES * simplices, max_bytes, advice)


def rescale(values: Matrix, factor: float) -> Matrix:
    """Values at the scale that the points were given in: undoes ``safely_scaled``."""
    if factor == 1.0:
        return values
    with np.errstate(over="ignore"):
        scaled = values * factor
    if (np.isinf(scaled) & np.isfinite(values)).any():
        raise BadInput("points: their distances exceed the range of float64")
    return scaled
