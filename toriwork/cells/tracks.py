"""Classes followed through a series of diagrams: bars of neighbours are matched at least cost, not counted.

Sources: Cohen-Steiner, Edelsbrunner & Morozov 2006, doi:10.1145/1137856.1137877 (vineyards, of which this is a
discrete stand-in); Turner, Mileyko, Mukherjee & Harer 2014, doi:10.1007/s00454-014-9604-7, sect. 2 (the
2-Wasserstein matching with the diagonal).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from toriwork.topology import Diagram

MAX_BARS = 64  #: per diagram and dimension: the longest ones are followed


@dataclass(slots=True)
class Track:
    """One class of homology from the step where it appears to the step where it is matched no more."""

    dimension: int
    start: int  #: index of the first diagram
    births: list[float] = field(default_factory=list)
    deaths: list[float] = field(default_factory=list)
    is_feature: list[bool] = field(default_factory=list)  #: whether it counts among the Betti numbers of that step

    @property
    def stop(self) -> int:
        """Index behind the last diagram."""
        return self.start + len(self.births)

    def extend(self, bar: NDArray[np.float64], is_feature: bool) -> None:
        """One more step."""
        self.births.append(float(bar[0]))
        self.deaths.append(float(bar[1]))
        self.is_feature.append(is_feature)

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values."""
        return {
            "dimension": self.dimension,
            "start": self.start,
            "stop": self.stop,
            "births": list(self.births),
            "deaths": list(self.deaths),
            "is_feature": list(self.is_feature),
        }


def match(before: NDArray[np.float64], after: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Index pairs of bars that are the same class in the cheapest 2-Wasserstein matching.

    Parameters
    ----------
    before, after : (n_pairs, 2) float64
        Births and deaths, finite.

    Returns
    -------
    list of (index before, index after)
        Bars that are cheaper to send to the diagonal are in no pair.
    """
    n, m = len(before), len(after)
    if not n or not m:
        return []
    cost = np.zeros((n + m, n + m))
    cost[:n, :m] = ((before[:, None, :] - after[None, :, :]) ** 2).sum(axis=2)
    cost[:n, m:] = ((before[:, 1] - before[:, 0]) ** 2 / 2)[:, None]
    cost[n:, :m] = ((after[:, 1] - after[:, 0]) ** 2 / 2)[None, :]
    rows, columns = linear_sum_assignment(cost)
    return [(int(i), int(j)) for i, j in zip(rows, columns, strict=True) if i < n and j < m]


def follow(diagrams: Sequence[Diagram | None], betti: Sequence[Sequence[float]], dimension: int) -> list[Track]:
    """The tracks of one dimension through a series of diagrams, in the order in which they appear, longest first.

    Parameters
    ----------
    diagrams : sequence of Diagram or None
        None where nothing could be computed: every track ends there.
    betti : sequence of (b0, b1, b2)
        A bar is a feature where it is among the ``betti[step][dimension]`` longest of its step; NaN: none is.
    dimension : int
        1 or higher: an essential class has no death to match.
    """
    done: list[Track] = []
    alive: list[Track] = []
    before = np.empty((0, 2))
    for step, (diagram, numbers) in enumerate(zip(diagrams, betti, strict=True)):
        bars = _bars(diagram, dimension)
        n_features = 0 if np.isnan(numbers[dimension]) else int(numbers[dimension])
        found = {j: alive[i] for i, j in match(before, bars)}
        now = []
        for j, bar in enumerate(bars):
            track = found.get(j)
            if track is None:
                track = Track(dimension, step)
                done.append(track)
            track.extend(bar, j < n_features)
            now.append(track)
        alive, before = now, bars
    return done


def _bars(diagram: Diagram | None, dimension: int) -> NDArray[np.float64]:
    """Finite bars, longest first."""
    if diagram is None or dimension > diagram.max_dimension:
        return np.empty((0, 2))
    bars = diagram.in_dimension(dimension)
    bars = bars[np.isfinite(bars[:, 1])]
    order = np.argsort(bars[:, 0] - bars[:, 1], kind="stable")[:MAX_BARS]
    return np.ascontiguousarray(bars[order])


def count_stable(tracks: Sequence[Track], n_steps: int) -> int:
    """How many tracks are a feature in every one of the steps."""
    return sum(track.start == 0 and track.stop == n_steps and all(track.is_feature) for track in tracks)
