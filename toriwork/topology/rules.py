"""The simple rules of the literature, for comparison and for those who want one of them.

Each is a frozen set of parameters.  Their hit and false-alarm rates stand in docs/topology.md beside the default's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.evidence import Sampling, Verdict, components_only, parameters_of


@dataclass(frozen=True, slots=True)
class GuardedGap:
    """Bars in front of the largest relative gap of the persistences, if that gap and those bars are large enough."""

    gap: float = 2.0  #: how many times longer the last feature is than the first bar that is none
    floor: float = 0.1  #: of the largest finite death: no shorter bar is a feature
    name: str = "guarded_gap"

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
            return Verdict(base, {"bars": []})
        following = np.append(lengths[1:], 0.0)[: len(candidates)]
        ratios = candidates / np.maximum(following, self.floor * size / 4)
        best = int(ratios.argmax())
        number = best + 1 if ratios[best] > self.gap else 0
        evidence = {"bars": candidates[:8].tolist(), "ratio": float(ratios[best])}
        return Verdict(base + number, evidence, _rows(bars[:number]))


@dataclass(frozen=True, slots=True)
class LateDeath:
    """Bars that die at more than ``ratio`` times the scale of their birth; H0 by the guarded gap."""

    ratio: float = 2.0
    name: str = "late_death"

    def __call__(self, sampling: Sampling) -> tuple[Verdict, ...]:
        """One verdict per dimension."""
        found = [_gap_of_components(sampling)]
        for k in range(1, sampling.diagram.max_dimension + 1):
            bars, ratios = _by_ratio(sampling, k)
            number = int((ratios > self.ratio).sum())
            found.append(Verdict(float(number), {"ratios": ratios[:4].tolist()}, _rows(bars[:number])))
        return tuple(found)

    def parameters(self) -> dict[str, Any]:
        """The ratio."""
        return parameters_of(self)


@dataclass(frozen=True, slots=True)
class UniversalNull:
    """Bars whose death/birth is too large for the universal distribution of noise; H0 by the guarded gap.

    Sources
    -------
    Bobrowski & Skraba 2023, doi:10.1038/s41598-023-37842-2: l = log log(death/birth) + B, with B = -gamma - mean of
    log log(death/birth), for Rips (A = 1); p = exp(-exp(l)); Bonferroni over the bars of the dimension.
    """

    level: float = 0.05
    name: str = "universal_null"

    def __call__(self, sampling: Sampling) -> tuple[Verdict, ...]:
        """One verdict per dimension, with the corrected p-values of the four most significant bars."""
        found = [_gap_of_components(sampling)]
        for k in range(1, sampling.diagram.max_dimension + 1):
            bars, ratios = _by_ratio(sampling, k)
            corrected = self._p_values(ratios)  # rising, because the ratios fall
            number = int((corrected < self.level).sum())
            found.append(Verdict(float(number), {"p_values": corrected[:4].tolist()}, _rows(bars[:number])))
        return tuple(found)

    def parameters(self) -> dict[str, Any]:
        """The level."""
        return parameters_of(self)

    @staticmethod
    def _p_values(ratios: NDArray[np.float64]) -> NDArray[np.float64]:
        if len(ratios) < 2:
            return np.ones(len(ratios))  # the mean is the bar itself: no evidence
        logs = np.log(np.log(ratios))
        shifted = np.minimum(logs - np.euler_gamma - logs.mean(), 6.0)  # exp(-exp(6)) is 0 already
        corrected: NDArray[np.float64] = np.minimum(np.exp(-np.exp(shifted)) * len(ratios), 1.0)
        return corrected


def _by_ratio(sampling: Sampling, k: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Bars of H_k, k >= 1, by falling death/birth, and that ratio; a Rips bar of H_k is born after 0."""
    bars = sampling.longest_first(k)
    ratios = bars[:, 1] / bars[:, 0]
    order = np.argsort(-ratios, kind="stable")
    return bars[order], ratios[order]


def _rows(bars: NDArray[np.float64]) -> list[tuple[float, float]]:
    return [(birth, death) for birth, death in bars.tolist()]


def _gap_of_components(sampling: Sampling) -> Verdict:
    return GuardedGap()(sampling)[0]
