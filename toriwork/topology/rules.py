"""The simple rules of the literature, for comparison and for those who want one of them.

Each is a frozen set of parameters.  Their hit and false-alarm rates stand in docs/topology.md beside the default's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.evidence import (
    OF_POINTS,
    Sampling,
    Verdict,
    components_only,
    is_rips,
    parameters_of,
    with_best_refused,
)


@dataclass(frozen=True, slots=True)
class GuardedGap:
    """Bars in front of the largest relative gap of the persistences, if that gap and those bars are large enough."""

    gap: float = 2.0  #: how many times longer the last feature is than the first bar that is none
    floor: float = 0.1  #: of the largest finite death: no shorter bar is a feature
    name: str = "guarded_gap"
    filtrations: ClassVar[tuple[str, ...]] = ()

    def __call__(self, sampling: Sampling) -> tuple[Verdict, ...]:
        """One verdict per dimension; H0 counts the bars that never die too."""
        finite = sampling.diagram.pairs[:, 2]
        size = float(finite[finite < math.inf].max(initial=0.0))
        return tuple(self._count(sampling, k, size) for k in range(sampling.diagram.max_dimension + 1))

    def parameters(self) -> dict[str, Any]:
        """Gap and floor."""
        return parameters_of(self)

    def _count(self, sampling: Sampling, k: int, size: float) -> Verdict:
        base = components_only(sampling.diagram) if k == 0 else 0.0
        bars = sampling.longest_first(k)
        lengths = bars[:, 1] - bars[:, 0]
        candidates = lengths[lengths >= self.floor * size]
        if not len(candidates):
            return Verdict(base, {"margins": []})
        following = np.maximum(np.append(lengths[1:], 0.0)[: len(candidates)], self.floor * size / 4)
        best = int((candidates / following).argmax())
        margins = lengths / (self.gap * following[best])
        number = best + 1 if margins[best] > 1 else 0
        return Verdict(base + number, {"margins": with_best_refused(bars, margins, number)}, rows_of(bars[:number]))


@dataclass(frozen=True, slots=True)
class LateDeath:
    """Bars that die at more than ``ratio`` times the scale of their birth; H0 by the guarded gap."""

    ratio: float = 2.0
    name: str = "late_death"
    filtrations: ClassVar[tuple[str, ...]] = OF_POINTS

    def __call__(self, sampling: Sampling) -> tuple[Verdict, ...]:
        """One verdict per dimension."""
        found = [gap_of_components(sampling)]
        for k in range(1, sampling.diagram.max_dimension + 1):
            bars, ratios = by_ratio(sampling, k)
            number = int((ratios > self.ratio).sum())
            margins = with_best_refused(bars, ratios / self.ratio, number)
            found.append(Verdict(float(number), {"margins": margins}, rows_of(bars[:number])))
        return tuple(found)

    def parameters(self) -> dict[str, Any]:
        """The ratio."""
        return parameters_of(self)


@dataclass(frozen=True, slots=True)
class UniversalNull:
    """Bars whose death/birth is too large for the universal distribution of noise; H0 by the guarded gap.

    Sources
    -------
    Bobrowski & Skraba 2023, doi:10.1038/s41598-023-37842-2: l = A log log(death/birth) + B, with A = 1 for Rips and
    1/2 for Cech and alpha, B = -gamma - A mean of log log(death/birth); p = exp(-exp(l)); Bonferroni over the bars of
    the dimension.
    """

    level: float = 0.05
    name: str = "universal_null"
    filtrations: ClassVar[tuple[str, ...]] = OF_POINTS

    def __call__(self, sampling: Sampling) -> tuple[Verdict, ...]:
        """One verdict per dimension, with the corrected p-values of the bars."""
        found = [gap_of_components(sampling)]
        for k in range(1, sampling.diagram.max_dimension + 1):
            bars, ratios = by_ratio(sampling, k)
            # a Cech bar of noise is longer: its log log ratio counts half
            corrected = self._p_values(ratios, 1.0 if is_rips(sampling.diagram) else 0.5)
            number = int((corrected < self.level).sum())  # they rise, because the ratios fall
            evidence = {"p_values": with_best_refused(bars, corrected, number)}
            found.append(Verdict(float(number), evidence, rows_of(bars[:number])))
        return tuple(found)

    def parameters(self) -> dict[str, Any]:
        """The level."""
        return parameters_of(self)

    @staticmethod
    def _p_values(ratios: NDArray[np.float64], a: float) -> NDArray[np.float64]:
        if len(ratios) < 2:
            return np.ones(len(ratios))  # the mean is the bar itself: no evidence
        logs = a * np.log(np.log(ratios))
        shifted = np.minimum(logs - np.euler_gamma - logs.mean(), 6.0)  # exp(-exp(6)) is 0 already
        corrected: NDArray[np.float64] = np.minimum(np.exp(-np.exp(shifted)) * len(ratios), 1.0)
        return corrected


def by_ratio(sampling: Sampling, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bars of H_k, k >= 1, by falling death/birth, and that ratio; a Rips bar of H_k is born after 0."""
    bars = sampling.longest_first(k)
    ratios = bars[:, 1] / bars[:, 0]
    order = np.argsort(-ratios, kind="stable")
    return bars[order], ratios[order]


def rows_of(bars: NDArray[np.float64]) -> list[tuple[float, float]]:
    """Births and deaths as a list."""
    return [(birth, death) for birth, death in bars.tolist()]


def gap_of_components(sampling: Sampling) -> Verdict:
    """H0 by the guarded gap."""
    return GuardedGap()(sampling)[0]
