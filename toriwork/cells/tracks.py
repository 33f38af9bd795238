"""A series of clouds: its numbers, statistics over them, and the classes followed from each step to the next."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.cells.protection import Bar
from toriwork.cells.shape import Numbers
from toriwork.topology import Diagram, Vine
from toriwork.topology.vineyard import MAX_BARS, MAX_VINES, Trellis

DIAGRAM_BYTES = 256 * 2**20  #: of whole diagrams in the answer; from there on the bars that are followed


class Series:
    """A series of clouds, one step after the other; bounded by a few kB a step, however large the clouds."""

    def __init__(
        self, *, max_bars: int = MAX_BARS, max_tracks: int = MAX_VINES, max_bytes: int = DIAGRAM_BYTES
    ) -> None:
        self._trellis = Trellis(max_bars=max_bars, max_vines=max_tracks)
        self._max_bars = max_bars
        self._bytes_left = max_bytes
        self._steps: list[dict[str, Any]] = []
        self._features: list[frozenset[Bar]] = []

    def add(self, numbers: Numbers, features: Sequence[Bar]) -> None:
        """Go on with the next cloud; ``features`` are the bars that its rule counts."""
        diagram = numbers.diagram
        self._trellis.add(diagram)
        self._features.append(frozenset(features))
        if diagram is not None:
            self._bytes_left -= diagram.pairs.nbytes
        whole = self._bytes_left >= 0
        self._steps.append(
            {
                "betti": list(numbers.betti),
                "diagrams": {} if diagram is None else _bars(diagram, None if whole else self._max_bars),
                "complete": whole,
                "rule": numbers.rule,
            }
        )

    def result(self) -> dict[str, Any]:
        """``persistence_data``, ``statistics``, ``tracks`` and ``vineyard``."""
        vineyard = self._trellis.vineyard()
        tracks = [self._track(vine) for vine in vineyard.vines if vine.dimension >= 1]
        return {
            "persistence_data": self._steps,
            "statistics": self._statistics(tracks),
            "tracks": tracks,
            "vineyard": vineyard,
        }

    def _track(self, vine: Vine) -> dict[str, Any]:
        bars = list(zip(vine.times.tolist(), vine.births.tolist(), vine.deaths.tolist(), strict=True))
        return {
            "dimension": vine.dimension,
            "start": vine.entry,
            "stop": vine.exit,
            "births": [birth for _, birth, _ in bars],
            "deaths": [death for _, _, death in bars],
            "is_feature": [(vine.dimension, birth, death) in self._features[step] for step, birth, death in bars],
        }

    def _statistics(self, tracks: list[dict[str, Any]]) -> dict[str, float]:
        statistics: dict[str, float] = {}
        for k in range(2):
            decided = [step["betti"][k] for step in self._steps if not math.isnan(step["betti"][k])]
            statistics[f"b{k}_mean"] = float(np.mean(decided)) if decided else math.nan
            statistics[f"b{k}_std"] = float(np.std(decided)) if decided else math.nan
        statistics["stable_features"] = sum(
            track["start"] == 0 and track["stop"] == len(self._steps) and all(track["is_feature"]) for track in tracks
        )
        return statistics


def _bars(diagram: Diagram, limit: int | None) -> dict[int, NDArray[np.float64]]:
    """Dimension -> births and deaths, of the longest bars when there is a limit."""
    found = {}
    for k in range(diagram.max_dimension + 1):
        bars = diagram.in_dimension(k)
        if limit is not None and len(bars) > limit:
            bars = bars[np.sort(np.argsort(bars[:, 0] - bars[:, 1], kind="stable")[:limit])]
        found[k] = bars
    return found
