"""Evidence for a rule and its verdict: the shared types of ``rules.py``, ``calibrated.py`` and ``resampling.py``."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.diagram import Diagram


@dataclass(frozen=True)
class Sampling:
    """A complete diagram, and how the components that it merges compare in size."""

    diagram: Diagram
    #: gives (n_deaths,) numbers of points on the smaller side of each merge of H0, in the order of the finite deaths;
    #: called only when they could matter; None when nobody knows them
    smaller_sides: Callable[[], NDArray[np.float64]] | None = None
    #: checked distances of the points behind the diagram, square or condensed; None when nobody knows them
    distances: Callable[[], NDArray[np.float64]] | None = None
    #: gives the same of so many of the points, drawn evenly
    sampled: Callable[[int], NDArray[np.float64]] | None = None
    #: true when the points lie more evenly than points that were drawn one by one
    lie_evenly: Callable[[], bool] | None = None
    #: gives the deaths of H0 of the points, ascending, inf among them
    own_deaths: Callable[[], NDArray[np.float64]] | None = None

    def deaths(self) -> NDArray[np.float64]:
        """The finite deaths of H0, ascending: the positive edges of a minimal spanning tree (Rips births are all 0)."""
        return self._deaths

    @cached_property
    def _deaths(self) -> NDArray[np.float64]:
        deaths = self.diagram.in_dimension(0)[:, 1]
        return deaths[deaths < math.inf]

    def longest_first(self, k: int) -> NDArray[np.float64]:
        """Finite bars of H_k by falling persistence, shape (n_bars, 2)."""
        bars = self.diagram.in_dimension(k)
        bars = bars[bars[:, 1] < math.inf]
        return bars[np.argsort(bars[:, 0] - bars[:, 1], kind="stable")]


@dataclass(frozen=True, slots=True)
class Verdict:
    """How many bars of one dimension are features, and why."""

    number: float  #: a whole number, or NaN when the evidence does not decide
    evidence: Mapping[str, Any]  #: JSON-able
    bars: Sequence[tuple[float, float]] = ()  #: births and deaths of the finite bars that count


#: filtrations of points in which a class of dimension >= 1 is born at a scale above 0
OF_POINTS = ("rips", "landmark", "alpha", "cech", "delaunay_cech")


def is_rips(diagram: Diagram) -> bool:
    """True when noise looks as in a Rips diagram, whichever the scale; otherwise it looks as in one of Cech."""
    return diagram.filtration in ("rips", "landmark")


class Rule(Protocol):
    """A rule: parameters in the object, work in the call."""

    filtrations: ClassVar[tuple[str, ...]]  #: those whose diagrams it can judge; empty: all

    @property
    def name(self) -> str:
        """The word under which it is recorded."""

    def __call__(self, sampling: Sampling) -> tuple[Verdict, ...]:
        """One verdict per dimension 0..max_dimension."""


def parameters_of(rule: Any) -> dict[str, Any]:
    """The fields of a rule that is a dataclass, without its name."""
    return {part.name: getattr(rule, part.name) for part in fields(rule) if part.name != "name"}


def with_best_refused(
    bars: NDArray[np.float64], measures: NDArray[np.float64], number: int, shown: int = 12
) -> list[list[float]]:
    """Birth, death and measure of the bars that count, which come first, and of the next one: evidence by bar."""
    kept = [*range(min(number, shown)), *([number] if number < len(bars) else [])]
    return [[*bars[i].tolist(), float(measures[i])] for i in kept]


def quantile(ascending: NDArray[np.float64], share: float) -> float:
    """The value below which ``share`` of an ascending, non-empty array lies, interpolated (np.quantile is slow)."""
    place = share * (len(ascending) - 1)
    left = int(place)
    low = float(ascending[left])
    return low if left + 1 == len(ascending) else low + (place - left) * (float(ascending[left + 1]) - low)


def components_only(diagram: Diagram) -> float:
    """1.0 when there is a point at all, else 0.0: H0 before any evidence for more."""
    return float(len(diagram.pairs) > 0 and diagram.pairs[0, 0] == 0.0)
