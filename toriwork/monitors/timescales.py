"""The arithmetic of BraidAggregator: time scales, their rings of events, what is handed up, and what a window says."""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any, NamedTuple

import numpy as np

from toriwork.errors import BadInput

FULL = 0.9  #: share of a ring from which on it hands up
CHUNK = 10  #: events that become one on the next scale
SHOWN = 10  #: newest values in a summary, newest summaries in a coherence
AGGREGATE = "aggregate"  #: kind of an event that stands for several


class Scale(NamedTuple):
    """One time scale; times in seconds."""

    name: str
    capacity: int  #: events in its ring, >= 10
    window: float  #: which events a summary selects
    schedule: float  #: how often it is summarised
    look_back: float  #: which events a spike labels


#: fine to coarse: each hands up to the next
SCALES = (
    Scale("micro", 10_000, 1e-3, 0.1, 1e-3),
    Scale("meso", 1000, 60.0, 10.0, 10.0),
    Scale("macro", 100, 3600.0, 300.0, 600.0),
)


@dataclass(slots=True)
class Event:
    """A recorded event, or one that stands for several of them on a coarser scale."""

    time: float
    kind: str
    lambda_max: float | None = None
    betti: tuple[float, ...] | None = None
    data: Mapping[str, Any] | None = None
    source_events: int = 1  #: how many recorded events it stands for
    retro_label: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """The event as a plain dict."""
        return asdict(self)


class Ring:
    """The newest events of one scale, and which of them the next scale has not seen; not locked, its owner is."""

    def __init__(self, scale: Scale) -> None:
        if scale.capacity < CHUNK:
            raise BadInput(f"scale {scale.name}: expected a capacity >= {CHUNK}, got {scale.capacity}")
        self.scale = scale
        self.events: deque[Event] = deque()
        self._waiting: deque[Event] = deque()  # the cursor: the same events, those not handed up

    def put(self, event: Event) -> Event | None:
        """Take in the newest event; the one that it displaces, if any."""
        self.events.append(event)
        self._waiting.append(event)
        return self.events.popleft() if len(self.events) > self.scale.capacity else None

    def hand_up(self) -> list[Event]:
        """One event for every ten that wait, once the ring is 90% full; what is left of ten goes on waiting."""
        if len(self.events) < FULL * self.scale.capacity:
            return []
        chunks = len(self._waiting) // CHUNK
        return [merge([self._waiting.popleft() for _ in range(CHUNK)]) for _ in range(chunks)]

    def forget(self, event: Event) -> int:
        """How many recorded events a displaced one stood for, where there is no coarser scale to hand it to."""
        if self._waiting and self._waiting[0] is event:
            self._waiting.popleft()
        return event.source_events

    @property
    def waiting_events(self) -> int:
        """How many recorded events stand behind what was not handed up."""
        return sum(event.source_events for event in self._waiting)

    def within(self, seconds: float, now: float) -> list[Event]:
        """The events of the last seconds, oldest first; a clock that went back hides none."""
        return [event for event in self.events if now - event.time <= seconds]


def merge(chunk: Sequence[Event]) -> Event:
    """One event for several: the largest lambda and Betti numbers, the time of the middle one, all their sources."""
    lambdas = [event.lambda_max for event in chunk if event.lambda_max is not None]
    return Event(
        time=chunk[len(chunk) // 2].time,
        kind=AGGREGATE,
        lambda_max=max(lambdas, default=None),
        betti=_padded(event.betti for event in chunk)[0],
        source_events=sum(event.source_events for event in chunk),
    )


def _padded(given: Iterable[tuple[float, ...] | None]) -> tuple[tuple[float, ...] | None, tuple[float, ...] | None]:
    """The largest and the mean of each Betti number over the vectors that are known, padded with zeros."""
    vectors = [betti for betti in given if betti is not None]
    if not vectors:
        return None, None
    size = max(map(len, vectors))
    columns = list(zip(*([*betti, *[0.0] * (size - len(betti))] for betti in vectors), strict=True))
    return tuple(max(column) for column in columns), tuple(math.fsum(column) / len(column) for column in columns)


def summarise(name: str, events: Sequence[Event], now: float) -> dict[str, Any]:
    """The summary of the events of a window.

    Returns
    -------
    dict
        ``scale``, ``time``, ``event_count``, ``source_events`` (recorded events behind them), ``lambda_max``,
        ``lambda_mean``, ``lambda_std`` (population) over the events that have one, 0 without any; ``lambda_last``, the
        newest at most ten; ``betti_max`` and ``betti_mean`` of each number, empty without any.
    """
    lambdas = [event.lambda_max for event in events if event.lambda_max is not None]
    largest, mean = _padded(event.betti for event in events)
    return {
        "scale": name,
        "time": now,
        "event_count": len(events),
        "source_events": sum(event.source_events for event in events),
        "lambda_max": max(lambdas, default=0.0),
        "lambda_mean": float(np.mean(lambdas)) if lambdas else 0.0,
        "lambda_std": float(np.std(lambdas)) if lambdas else 0.0,
        "lambda_last": lambdas[-SHOWN:],
        "betti_max": list(largest or ()),
        "betti_mean": list(mean or ()),
    }


def coherences(lambdas: Mapping[str, Sequence[float]]) -> dict[str, float]:
    """Pearson's r of each pair of scales (``"micro_meso"``) over their last at most ten values, the newest aligned.

    A pair is left out when fewer than two values align or one side is constant.

    Sources
    -------
    Pearson 1895, doi:10.1098/rspl.1895.0041.
    """
    found = {}
    for (one, first), (other, second) in combinations(lambdas.items(), 2):
        size = min(SHOWN, len(first), len(second))
        if size < 2:
            continue
        x, y = np.array(first[-size:]), np.array(second[-size:])
        if x.min() == x.max() or y.min() == y.max():
            continue
        found[f"{one}_{other}"] = _pearson(x / np.abs(x).max(), y / np.abs(y).max())
    return found


def _pearson(x: Any, y: Any) -> float:
    """Pearson's r of two vectors that are not constant, their largest magnitude 1: no square overflows."""
    x, y = x - x.mean(), y - y.mean()
    x, y = x / np.abs(x).max(), y / np.abs(y).max()  # nor vanishes
    return float(np.clip((x * y).sum() / np.sqrt((x * x).sum() * (y * y).sum()), -1.0, 1.0))
