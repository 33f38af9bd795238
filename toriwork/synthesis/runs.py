"""Emissions of one writer as runs without gaps, in whatever order they come.

Version 0.1 published the files of a writer in another order than it had filled them. So rows are not judged by their
place: neighbours are joined to runs, and at the end of a sound log each writer has one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from toriwork.synthesis.chain import FIRST_LINK, Emission


class RunStart(NamedTuple):
    """The first row of a run, whose link is checked once the row before it has come."""

    emission: Emission | None  #: None: not to be checked, something else was wrong with it
    link: str | None
    journal: str  #: that it was in; "" when that is not known


_KNOWN = RunStart(None, None, "")


@dataclass(slots=True)
class ChainRun:
    """Emissions of a writer without a gap."""

    first: int
    after: int  #: sequence of the one behind the last
    link: str | None  #: of the last, hex
    opening: RunStart = _KNOWN
    begun: int | None = 0  #: generation of the first row; None: not published yet
    ended: int | None = 0  #: of the last row


class Gap(NamedTuple):
    """Emissions of a writer that are not there."""

    first: int
    last: int
    behind: int | None  #: generation of the row before the gap; None: not published yet
    before: int | None  #: generation of the row after it

    def reaches(self, generation: int) -> bool:
        """True when the missing rows may have belonged to a generation."""
        if self.behind is None or self.behind > generation:
            return False
        return self.before is None or generation <= self.before


#: gets two runs that meet, and True when the later one was there first; called before they are made one
Meet = Callable[[ChainRun, ChainRun, bool], None]


def start_of(retired: tuple[int, str] | None = None) -> list[ChainRun]:
    """The run in front of the first emission of a writer, and the furthest retired one: next sequence and its link."""
    first = ChainRun(0, 0, FIRST_LINK.hex())
    return [first] if retired is None else [first, ChainRun(retired[0] - 1, retired[0], retired[1] or None)]


class Runs:
    """The runs of one writer in the order of their sequences."""

    __slots__ = ("_firsts", "_runs")

    def __init__(self, runs: Iterable[ChainRun]) -> None:
        self._runs = list(runs)
        self._firsts = [run.first for run in self._runs]

    def __iter__(self) -> Iterator[ChainRun]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    def put(self, new: ChainRun, meet: Meet) -> bool:
        """Add a run and join it to its neighbours; False when one of its emissions is there already."""
        at = bisect_right(self._firsts, new.first)
        before = self._runs[at - 1] if at else None
        behind = self._runs[at] if at < len(self._runs) else None
        if (before is not None and new.first < before.after) or (behind is not None and behind.first < new.after):
            return False
        follows = before is not None and before.after == new.first
        leads = behind is not None and new.after == behind.first
        if leads and behind is not None:
            meet(new, behind, True)
        if follows and before is not None:
            meet(before, new, False)
            before.after, before.link, before.ended = new.after, new.link, new.ended
            new, at = before, at - 1
        else:
            self._runs.insert(at, new)
            self._firsts.insert(at, new.first)
        if leads and behind is not None:
            new.after, new.link, new.ended = behind.after, behind.link, behind.ended
            del self._runs[at + 1], self._firsts[at + 1]
        return True

    def gaps(self) -> Iterator[Gap]:
        """The gaps between the runs."""
        for one, two in pairwise(self._runs):
            if one.after < two.first:
                yield Gap(one.after, two.first - 1, one.ended, two.begun)
