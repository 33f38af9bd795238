"""The history of a run over all its pieces: one line of JSON an event, appended, and read when the run goes on."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

HISTORY = "soak.jsonl"
_PER_DECADE = 20  # classes of durations: neighbours are 12 % apart
#: class of a duration -> how many; such counts add up over rounds and pieces, percentiles would not
Durations = Counter[int]


class History:
    """The events of a run, old and new; a line that a kill cut short is dropped.

    Parameters
    ----------
    folder : path
        Of the run; the file is made with the first event.
    """

    def __init__(self, folder: Path) -> None:
        self.path = folder / HISTORY
        whole = self.path.read_bytes() if self.path.exists() else b""
        kept = whole[: whole.rfind(b"\n") + 1]
        if len(kept) < len(whole):
            self.path.write_bytes(kept)
        self.events: list[dict[str, Any]] = [json.loads(line) for line in kept.splitlines()]

    def add(self, event: str, **facts: Any) -> None:
        """Append an event: it survives the death of this process."""
        self.events.append({"event": event, **facts})
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(self.events[-1]) + "\n")

    def of(self, *names: str) -> list[dict[str, Any]]:
        """The events of these names, in order."""
        return [event for event in self.events if event["event"] in names]

    def last(self) -> dict[str, Any]:
        """The newest state of the run; empty before its first round."""
        return next((event for event in reversed(self.events) if event["event"] in ("round", "end")), {})

    def buried(self) -> dict[int, Counter[int]]:
        """The promises to each process that is dead, by the byte of the promise."""
        return {one["number"]: Counter({int(k): n for k, n in one["promised"].items()}) for one in self.of("dead")}


def class_of(seconds: float) -> int:
    """The class of a duration."""
    return math.floor(_PER_DECADE * math.log10(max(seconds, 1e-9)))


def percentile(durations: Mapping[int, int], share: float) -> float:
    """The duration in seconds that a share of all do not exceed, to 6 %; NaN when there is none."""
    left = share * sum(durations.values())
    for number in sorted(durations):
        left -= durations[number]
        if left <= 0:
            return float(10.0 ** ((number + 0.5) / _PER_DECADE))
    return math.nan


def merged(events: Iterable[Mapping[str, Any]]) -> dict[str, Durations]:
    """The durations of some rounds together, by what took them."""
    found: dict[str, Durations] = {}
    for event in events:
        for kind, counts in event.get("durations", {}).items():
            found.setdefault(kind, Counter()).update({int(k): n for k, n in counts.items()})
    return found
