"""The simple rules of the literature, for comparison and for those who want one of them.

Each is a frozen set of parameters.  Their hit and false-alarm rates stand in docs/measurements.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.evidence import (
    OF_POINTS,
    Sampling,
    Verdict,
    components_only,
    is_rips,
    with_best_refused,
)

Vector = NDArray[np.float64]
#: from falling death/birth and the dimension to a measure of each bar, and which bars count
Measured = Callable[[Vector, int], tuple[Vector, NDArray[np.bool_]]]


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
        return judged_by_ratio(sampling, "margins", lambda ratios, _: (ratios / self.ratio, ratios > self.ratio))


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
        # a Cech bar of noise is longer: its log log ratio counts half
        a = 1.0 if is_rips(sampling.diagram) else 0.5

        def corrected(ratios: Vector, _: int) -> tuple[Vector, NDArray[np.bool_]]:
            p_values = self._p_values(ratios, a)
            return p_values, p_values < self.level

        return judged_by_ratio(sampling, "p_values", corrected)

    @staticmethod
    def _p_values(ratios: Vector, a: float) -> Vector:
        if len(ratios) < 2:
            return np.ones(len(ratios))  # the mean is the bar itself: no evidence
        logs = a * np.log(np.log(ratios))
        shifted = np.minimum(logs - np.euler_gamma - logs.mean(), 6.0)  # exp(-exp(6)) is 0 already
        corrected: Vector = np.minimum(np.exp(-np.exp(shifted)) * len(ratios), 1.0)
        return corrected


def judged_by_ratio(sampling: Sampling, word: str, measured: Measured) -> tuple[Verdict, ...]:
    """H0 by the guarded gap; above it the bars by falling death/birth, with a measure that falls or rises with it.

    ``measured`` gives the measures of the bars of H_k, recorded under ``word``, and which of them count: the first.
    """
    found = [GuardedGap()(sampling)[0]]
    for k in range(1, sampling.diagram.max_dimension + 1):
        bars = sampling.longest_first(k)
        bars = bars[np.argsort(-(bars[:, 1] / bars[:, 0]), kind="stable")]  # born after 0
        measures, counts = measured(bars[:, 1] / bars[:, 0], k)
        number = int(counts.sum())
        evidence = {word: with_best_refused(bars, measures, number)}
        found.append(Verdict(float(number), evidence, rows_of(bars[:number])))
    return tuple(found)


def rows_of(bars: Vector) -> list[tuple[float, float]]:
    """Births and deaths as a list."""
    return [(birth, death) for birth, death in bars.tolist()]
