"""Where the chains of writers stand behind their retired rows, in whatever order those were published.

Rows of a writer are out of order within one generation at most: a publish takes all that there is. So runs that stand
apart are remembered only while rows of their generation are left in the file.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from toriwork.synthesis.runs import Run, Runs, beginning

Apart = tuple[tuple[int, int, str], ...]  #: first and next sequence and last link of each run


class Noted(NamedTuple):
    """What a note says about the writers of retired rows; see there."""

    writers: dict[str, tuple[int, str]]
    apart: dict[str, Apart]
    doubtful: frozenset[str]


def runs_of(noted: Noted) -> dict[str, Runs]:
    """The retired emissions of each writer as runs, the writer that came last stands last."""
    return {
        writer: Runs(
            [beginning(), *[Run(after - 1, after, link or None)] * (after > 0)]
            if writer in noted.doubtful
            else [Run(0, after, link or None), *(Run(*run) for run in noted.apart.get(writer, ()))]
        )
        for writer, (after, link) in noted.writers.items()
    }


def n_placed(noted: Noted) -> int:
    """How many retired rows are known by writer and sequence."""
    found = 0
    for writer, (after, _) in noted.writers.items():
        found += min(1, after) if writer in noted.doubtful else after
        found += sum(end - first for first, end, _ in noted.apart.get(writer, ()))
    return found


class Standing:
    """The same while more rows retire."""

    def __init__(self, noted: Noted) -> None:
        self._runs = runs_of(noted)
        self._doubtful = set(noted.doubtful)

    def retire(self, rows: Iterable[tuple[str | None, int | None, str | None]]) -> None:
        """Take rows that retire, in the order of the file: writer, sequence and link of each."""
        of, run = None, None
        for writer, sequence, link in rows:
            if writer is None or sequence is None:
                continue
            if run is not None and writer == of and sequence == run.after:  # nearly always
                run.after, run.link = sequence + 1, link
            else:
                self._put(of, run)
                of, run = writer, Run(sequence, sequence + 1, link)
        self._put(of, run)

    def _put(self, writer: str | None, run: Run | None) -> None:
        if writer is None or run is None:
            return
        runs = self._runs.pop(writer, None) or Runs([beginning()])
        if writer in self._doubtful or not runs.put(run):
            self._doubtful.add(writer)
            runs = Runs([beginning(), run])
        self._runs[writer] = runs  # those that came last stand last

    def end_generation(self) -> None:
        """Every row of a generation has gone: what is missing before the last of a writer will not come any more."""
        for writer, runs in self._runs.items():
            if len(runs) > 1 and writer not in self._doubtful:
                self._runs[writer] = Runs([Run(0, runs.last.after, runs.last.link)])

    def noted(self, many_writers: int, many_runs: int) -> tuple[Noted, int]:
        """What a note says of the writers that came last, and of how many it says nothing any more."""
        kept = list(self._runs.items())[-many_writers:]
        writers, apart, doubtful = {}, {}, set()
        for writer, runs in reversed(kept):
            first, *others = runs
            many_runs -= len(others)
            if writer in self._doubtful or many_runs < 0:
                first, others = runs.last, []
                doubtful.add(writer)
            writers[writer] = (first.after, first.link or "")
            if others:
                apart[writer] = tuple((run.first, run.after, run.link or "") for run in others)
        in_order = dict(reversed(writers.items()))
        return Noted(in_order, apart, frozenset(doubtful)), len(self._runs) - len(kept)


def noted_from(went: Mapping[str, Any]) -> Noted:
    """What the JSON of a note says; one of an earlier version took it that rows retire in order."""
    writers = {writer: (int(after), str(link)) for writer, (after, link) in went["writers"].items()}
    apart = {
        writer: tuple((int(first), int(after), str(link)) for first, after, link in runs)
        for writer, runs in went.get("apart", {}).items()
    }
    return Noted(writers, apart, frozenset(map(str, went.get("doubtful", writers))))
