"""What a filtration is asked and what it answers, with the small steps that several of them share.

The filtrations are in ``by_distance.py`` and ``by_gudhi.py``, the table of their names in ``filtrations.py``.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput, TooLarge
from toriwork.topology.diagram import Scale
from toriwork.topology.engines import Bars, engine_version, pick_engine

Matrix = NDArray[np.float64]

MAX_SIMPLICES = 20_000_000


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
    seconds: float = 0.0  #: spent before the question was asked


class Filtration(Protocol):
    """What a filtration looks like: conventions on the class, parameters in the object, work in the call."""

    name: ClassVar[str]  #: the word for ``filtration=``
    kind: ClassVar[str]  #: the ``filtration`` of the diagram
    scale: ClassVar[Scale]

    def __call__(self, asked: Request) -> Found:
        """The bars."""


def found_by_gudhi(bars: Bars, n_points: int, threshold: float) -> Found:
    """The answer of a filtration that gudhi alone computes, whole and then cut at the threshold."""
    bars, cut = cut_bars(bars, threshold)
    used, _ = pick_engine("gudhi", 2)
    return Found(bars, n_points, "gudhi", engine_version(used), "the only engine of this filtration", cut)


def cut_bars(bars: Bars, threshold: float) -> tuple[Bars, float]:
    """The bars as they are known at the threshold, and inf when that changes nothing."""
    latest = max((float(b[np.isfinite(b)].max(initial=-np.inf)) for b in bars), default=-np.inf)
    if latest <= threshold:
        return bars, math.inf
    kept = [found[found[:, 0] <= threshold] for found in bars]
    return [np.column_stack([b[:, 0], np.where(b[:, 1] <= threshold, b[:, 1], np.inf)]) for b in kept], threshold


def only(asked: Request, engine: str) -> None:
    """Nothing, when the request leaves the engine open or names the only one that there is.

    Raises
    ------
    BadInput
        Another engine was asked for, or the spanning tree and a field.
    """
    if asked.engine not in ("auto", engine):
        raise BadInput(f"engine: 'auto' or {engine!r} is wanted for this filtration, given was {asked.engine!r}")
    if engine == "simple" and asked.field != 2:
        raise BadInput(f"field: the spanning tree needs none; 2 is wanted, given was {asked.field}")


def points_of(asked: Request, name: str) -> Any:
    """The points of a request whose filtration takes no distances.

    Raises
    ------
    BadInput
        There are none, or distances as well.
    """
    if asked.points is None or asked.distances is not None:
        raise BadInput(f"{name}: points are wanted, and no distances")
    return asked.points


def refuse_above(simplices: float, n_points: int, name: str) -> None:
    """Nothing, when a complex of so many simplices can be built.

    Raises
    ------
    TooLarge
        It has more than ``MAX_SIMPLICES``; the message has the number.
    """
    if simplices > MAX_SIMPLICES:
        raise TooLarge(
            f"{name}: about {simplices:.2g} simplices for {n_points} points, the limit is {MAX_SIMPLICES:.2g}; "
            "fewer points or coordinates, or filtration 'landmark'"
        )


def times(values: Matrix, factor: float) -> Matrix:
    """Values at the scale that the points were given in: undoes ``safely_scaled``.

    Raises
    ------
    BadInput
        A finite value leaves the range of float64.
    """
    if factor == 1.0:
        return values
    with np.errstate(over="ignore"):
        scaled = values * factor
    if (np.isinf(scaled) & np.isfinite(values)).any():
        raise BadInput("points: their distances exceed the range of float64")
    return scaled
