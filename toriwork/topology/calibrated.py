"""Log-odds that a bar is a feature, fitted once to simulated clouds and frozen: the rule of a sample in one piece.

A bar of H1 is held against four things: how much later it dies than it is born, how large its birth is beside the
spacing of the points, how many points there are, and how many bars are left that are no features.  The weights come
from 41,000 simulated clouds (docs/topology.md says which); nothing is fitted at run time.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.evidence import Sampling, Verdict, components_only, quantile

#: ranges of the fit; beyond them the nearest trained value is used
_POINTS = (8.0, 700.0)
_NOISE_BARS = (1.0, 400.0)
_LEAST_COMPONENT = 3
#: log-odds of what cannot be a feature
NEVER = -9.0
_MAX_SHOWN, _PATIENCE, _MAX_COMPONENTS = 12, 6, 64


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Features are the bars whose log-odds exceed ``yes``; one between ``no`` and ``yes`` leaves the number open."""

    no: float = -0.2
    yes: float = 0.1
    least_ratio: float = 1.25  #: no bar of H1 with death/birth below this is a feature
    cavity_ratio: float = 1.36  #: death/birth of even odds for H2 and above
    version: int = 1  #: of the weights below
    name: str = "calibrated"
    filtrations: ClassVar[tuple[str, ...]] = ("rips", "landmark")

    def __call__(self, sampling: Sampling) -> tuple[Verdict, ...]:
        """One verdict per dimension; H0 is judged after H1, because loops tell at which scale to count components."""
        scores = [self.judged(sampling, k) for k in range(1, sampling.diagram.max_dimension + 1)]
        loops = scores[0].births if scores else []
        return (self.components(sampling, loops), *(score.verdict() for score in scores))

    def judged(
        self, sampling: Sampling, k: int, second: Callable[[float, float, float], float] | None = None
    ) -> Judged:
        """Test the bars of H_k, longest first, each against those that are left; stop after a row of refusals.

        ``second`` gives other log-odds for the birth, the death and the log-odds of a bar.
        """
        odds = self.loop_odds(sampling) if k == 1 else self._cavity_odds
        judged = Judged()
        refused = 0
        rows = sampling.longest_first(k).tolist()
        for birth, death in rows:
            score = odds(birth, death, len(rows) - len(judged.features))
            if second is not None:
                score = second(birth, death, score)
            if score > self.yes:
                judged.features.append((birth, death, score))
                refused = 0
                continue
            refused += 1
            judged.open |= score > self.no
            if judged.best_refused is None or score > judged.best_refused[2]:
                judged.best_refused = (birth, death, score)
            if refused == _PATIENCE:
                break
        return judged

    def loop_odds(self, sampling: Sampling) -> Any:
        """A function that gives the log-odds of a bar of H1 by birth, death, and how many bars are left with it."""
        deaths = sampling.deaths()
        if not len(deaths):
            return self._cavity_odds  # never reached: no bar of H1 without two distinct points
        typical, wide = quantile(deaths, 0.5), quantile(deaths, 0.9)
        n = math.log(min(max(len(deaths) + 1.0, _POINTS[0]), _POINTS[1]))

        def odds(birth: float, death: float, left: int) -> float:
            ratio = math.log(death / birth)
            if ratio < math.log(self.least_ratio):
                return NEVER
            s = math.log(birth / typical)
            m = math.log(min(max(left, _NOISE_BARS[0]), _NOISE_BARS[1]))
            quadratic = (
                8.3556 * s - 0.9171 * s * s - 1.4785 * s * n + 0.4627 * s * m
                + 6.6122 * n - 0.6929 * n * n + 0.0066 * n * m - 4.0434 * m + 0.3912 * m * m
            )  # fmt: skip
            return 12.5857 * ratio + 2.4237 * math.log(birth / wide) + quadratic - 18.7867

        return odds

    def _cavity_odds(self, birth: float, death: float, left: int) -> float:
        del left
        return 40.0 * math.log(death / birth / self.cavity_ratio)

    def components(self, sampling: Sampling, loops: list[float], sides: NDArray[np.float64] | None = None) -> Verdict:
        """The verdict on H0, given the births of the loops that were found, and the smaller sides where known."""
        deaths = sampling.deaths()[::-1][:_MAX_COMPONENTS]
        one = components_only(sampling.diagram)
        if not len(deaths):
            return Verdict(one, {"features": []})
        closed = max(loops, default=0.0)
        known = sides is not None or sampling.smaller_sides is not None
        # as if both sides of every merge were large: the odds fall with the deaths
        scores = self._merge_odds(sampling, deaths[:1], closed, None)
        if scores[0] <= self.no:
            deaths = deaths[:1]
        else:
            if sides is None and sampling.smaller_sides is not None:
                sides = sampling.smaller_sides()
            scores = self._merge_odds(sampling, deaths, closed, None if sides is None else sides[::-1][: len(deaths)])
        rated = sorted(zip(deaths.tolist(), scores.tolist(), strict=True), key=lambda merge: -merge[1])
        late = [(0.0, death) for death, score in sorted(rated, reverse=True) if score > self.yes]
        number = math.nan if any(self.no < score <= self.yes for _, score in rated) else one + len(late)
        merges = [list(merge) for merge in rated[: min(_MAX_SHOWN, len(late) + 1)]]
        return Verdict(number, {"merges": merges, "sizes": known}, late)

    @staticmethod
    def _merge_odds(
        sampling: Sampling, deaths: NDArray[np.float64], closed: float, sides: NDArray[np.float64] | None
    ) -> NDArray[np.float64]:
        """Log-odds that each merge joins two real components of the space.

        Components are counted at a scale at which every loop that was found is closed (``closed``): at the largest
        but one of its gaps a sampled circle falls apart as well. Groups of one or two points are outliers.
        """
        every = sampling.deaths()
        n_points = len(every) + 1.0
        smaller = np.float64(n_points) if sides is None else sides
        n = math.log(min(n_points, _POINTS[1]))
        beyond = np.log(deaths / quantile(every, 0.9))
        size = np.log(np.minimum(smaller, 20.0))
        constant = 6.8478 * n - 1.0746 * n * n + (2.5902 if closed > 0 else 0.0) - 14.7527
        odds = beyond * (3.7483 * size - 2.2349) - 2.0624 * size + 28.2838 * np.minimum(smaller / n_points, 0.2)
        return np.where((smaller < _LEAST_COMPONENT) | (deaths <= closed), NEVER, odds + constant)


class Judged:
    """The running result of one dimension."""

    def __init__(self) -> None:
        self.features: list[tuple[float, float, float]] = []
        self.best_refused: tuple[float, float, float] | None = None
        self.open = False

    @property
    def births(self) -> list[float]:
        return [birth for birth, _, _ in self.features]

    def verdict(self) -> Verdict:
        evidence: dict[str, Any] = {"features": [list(bar) for bar in self.features[:_MAX_SHOWN]]}
        if self.best_refused is not None:
            evidence["next"] = list(self.best_refused)
        bars = [(birth, death) for birth, death, _ in self.features]
        return Verdict(float("nan") if self.open else float(len(self.features)), evidence, bars)
