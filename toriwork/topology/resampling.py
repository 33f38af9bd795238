"""Rules that draw random numbers: a simulated null, a bootstrap of the diagram, a confidence band of the points.

They cost more than the diagram, some of them a hundred times as much, and are taken only when asked for by name.  Each
is seeded: the same diagram has the same answer.  Hit and false-alarm rates are in docs/measurements/other_rules.md.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.progress import progress_bar
from toriwork.topology.clouds import as_square
from toriwork.topology.compute import persistence
from toriwork.topology.diagram import Diagram
from toriwork.topology.distances import bottleneck
from toriwork.topology.evidence import (
    Sampling,
    Verdict,
    components_only,
    is_rips,
    with_best_refused,
)
from toriwork.topology.inputs import CheckedDistances
from toriwork.topology.rules import judged_by_ratio, rows_of

Vector = NDArray[np.float64]

#: most points of a simulated cloud; a larger diagram is held against as many of them as it has times those points
_MOST_SIMULATED = 250
#: one table is a few kilobytes: some hundred clouds' maxima
_TABLES = 128


@dataclass(frozen=True, slots=True)
class MonteCarloNull:
    """Bars whose death/birth exceeds what the largest one of clouds without a feature reaches; H0 by the guarded gap.

    The null of H_k is the uniform distribution in the cube of dimension k + 1. The largest of all bars is compared, so
    that the p-values are corrected for their number. The maxima of ``simulations`` clouds are kept for each number of
    points, in steps of a tenth; more than 250 points are reckoned as so many independent clouds of 250.

    Sources
    -------
    Davison & Hinkley 1997, doi:10.1017/CBO9780511802843, sect. 4.2.1: p = (1 + exceedances) / (1 + simulations).
    """

    level: float = 0.05
    simulations: int = 199
    seed: int = 0
    name: str = "monte_carlo_null"
    filtrations: ClassVar[tuple[str, ...]] = ("rips", "landmark", "alpha", "delaunay_cech")

    def __call__(self, sampling: Sampling) -> tuple[Verdict, ...]:
        """One verdict per dimension, with the corrected p-values of the bars."""
        n_points = len(sampling.deaths()) + 1
        kind = "rips" if is_rips(sampling.diagram) else "alpha"

        def corrected(ratios: Vector, k: int) -> tuple[Vector, NDArray[np.bool_]]:
            p_values = self._p_values(ratios, n_points, k, kind)
            return p_values, p_values < self.level

        return judged_by_ratio(sampling, "p_values", corrected)

    def _p_values(self, ratios: Vector, n_points: int, k: int, kind: str) -> Vector:
        if not len(ratios):
            return np.zeros(0)
        simulated = _step_below(min(n_points, _MOST_SIMULATED))
        null = _null_maxima(simulated, k, kind, self.simulations, self.seed)
        exceeding = self.simulations - np.searchsorted(null, ratios, side="left")
        one_cloud = (1.0 + exceeding) / (1.0 + self.simulations)
        return np.asarray(1.0 - (1.0 - one_cloud) ** (n_points / simulated), dtype=np.float64)


@dataclass(frozen=True, slots=True)
class BootstrapBand:
    """Bars longer than twice the distance by which the diagram moves when the points are drawn again.

    Twice the (1 - ``level``) quantile of the bottleneck distances to the diagrams of ``resamples`` clouds of as many
    points, drawn from the given ones with replacement; of each dimension its own. A heuristic for Rips diagrams, for
    which no theorem covers it.

    Sources
    -------
    Chazal, Fasy, Lecci, Michel, Rinaldo & Wasserman 2017, arXiv:1412.7197, sect. 6 (the bottleneck bootstrap).
    """

    level: float = 0.05
    resamples: int = 60
    seed: int = 0
    name: str = "bootstrap_band"
    filtrations: ClassVar[tuple[str, ...]] = ("rips",)

    def __call__(self, sampling: Sampling) -> tuple[Verdict, ...]:
        """One verdict per dimension, with persistence over the width of the band as the margins of the bars."""
        matrix = _distances_of(sampling, self.name)
        rng = np.random.default_rng(self.seed)
        moved = _repeated(self.name, self.resamples, lambda: self._moves(sampling.diagram, matrix, rng))
        widths = 2.0 * np.quantile(moved, 1.0 - self.level, axis=0, method="higher")
        return _longer_than(sampling, widths)

    @staticmethod
    def _moves(diagram: Diagram, matrix: Vector, rng: np.random.Generator) -> list[float]:
        chosen = rng.integers(0, max(len(matrix), 1), len(matrix))
        again = persistence(
            distances=CheckedDistances(matrix[np.ix_(chosen, chosen)]),
            max_dimension=diagram.max_dimension,
            field=diagram.field,
            scale=diagram.scale,
        )
        return [bottleneck(diagram, again, k) for k in range(diagram.max_dimension + 1)]


@dataclass(frozen=True, slots=True)
class ConfidenceBand:
    """Bars longer than what the distance of the sample from its space explains, at confidence 1 - ``level``.

    That distance c is the (1 - ``level``) quantile of the Hausdorff distances of the points from ``resamples`` subsets
    of n / log n of them; bars longer than 4 c (Rips, in diameters) or 2 c (alpha and Cech, in radii) count. Rigorous
    for points on their space without noise, and of little power below a few thousand points.

    Sources
    -------
    Fasy, Lecci, Rinaldo, Wasserman, Balakrishnan & Singh 2014, doi:10.1214/14-AOS1252, sect. 4.1 (subsampling). Chazal,
    de Silva & Oudot 2014, doi:10.1007/s10711-013-9937-z, sect. 5 (twice the distance in diameters).
    """

    level: float = 0.05
    resamples: int = 200
    seed: int = 0
    name: str = "confidence_band"
    filtrations: ClassVar[tuple[str, ...]] = ("rips", "alpha", "cech", "delaunay_cech")

    def __call__(self, sampling: Sampling) -> tuple[Verdict, ...]:
        """One verdict per dimension, with persistence over the width of the band as the margins of the bars."""
        matrix = _distances_of(sampling, self.name)
        rng = np.random.default_rng(self.seed)
        size = max(1, round(len(matrix) / max(1.0, math.log(max(len(matrix), 1)))))
        away = _repeated(self.name, self.resamples, lambda: self._away(matrix, size, rng))
        reach = float(np.quantile(away, 1.0 - self.level, method="higher"))
        width = reach * (4.0 if sampling.diagram.scale == "diameter" else 2.0)
        return _longer_than(sampling, np.full(sampling.diagram.max_dimension + 1, width))

    @staticmethod
    def _away(matrix: Vector, size: int, rng: np.random.Generator) -> float:
        chosen = rng.permutation(len(matrix))[:size]
        return float(matrix[:, chosen].min(axis=1, initial=math.inf).max(initial=0.0)) if len(matrix) else 0.0


def _repeated(rule: str, times: int, work: Callable[[], float | list[float]]) -> Vector:
    """The answers of the work, done so many times; a bar shows how far it is where it takes long."""
    found = []
    with progress_bar(rule, times, unit=" clouds") as done:
        for _ in range(times):
            found.append(work())
            done(1)
    return np.array(found, dtype=np.float64)


def _distances_of(sampling: Sampling, name: str) -> Vector:
    if sampling.distances is None:
        raise BadInput(f"{name}: expected the points behind the diagram too: give points, or ask estimate_betti")
    return as_square(sampling.distances())


def _longer_than(sampling: Sampling, widths: Vector) -> tuple[Verdict, ...]:
    found = []
    for k, width in enumerate(widths.tolist()):
        bars = sampling.longest_first(k)
        lengths = bars[:, 1] - bars[:, 0]
        margins = lengths / width if width > 0 else np.full(len(bars), np.finfo(np.float64).max)
        number = int((margins > 1.0).sum())
        base = components_only(sampling.diagram) if k == 0 else 0.0
        evidence = {"margins": with_best_refused(bars, margins, number), "width": width}
        found.append(Verdict(base + number, evidence, rows_of(bars[:number])))
    return tuple(found)


def _step_below(n_points: int) -> int:
    """The largest step of a tenth each that is no larger, so that few tables serve all numbers of points."""
    if n_points < 10:
        return n_points
    return math.floor(10 * 1.1 ** math.floor(math.log(n_points / 10) / math.log(1.1) + 1e-9))


@lru_cache(maxsize=_TABLES)
def _null_maxima(n_points: int, k: int, kind: str, simulations: int, seed: int) -> Vector:
    """The largest death/birth of H_k in each of many featureless clouds, ascending; 1 for a cloud without a bar."""
    rng = np.random.default_rng([seed, n_points, k])

    def one() -> float:
        bars = persistence(rng.random((n_points, k + 1)), filtration=kind, max_dimension=k).in_dimension(k)
        return float((bars[:, 1] / bars[:, 0]).max(initial=1.0))

    largest = np.sort(_repeated("monte_carlo_null", simulations, one))
    largest.setflags(write=False)
    return largest
