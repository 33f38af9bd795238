"""Emissions of one writer as runs without gaps: all that is to be remembered of them, in whatever order they come.

Versions before published the files of a writer in another order than it had filled them. So rows are not judged by
where they stand: those between which none is missing are one run, and at the end of an honest log each writer has one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from toriwork.synthesis.chain import FIRST_LINK, Emission


class Opening(NamedTuple):
    """The first row of a run: what its link is to be checked with once the row before it has come."""

    emission: Emission | None  #: None: not to be checked, something else was wrong with it
    link: str | None
    journal: str  #: that it was in; "" when that is not known


_KNOWN = Opening(None, None, "")


@dataclass(slots=True)
class Run:
    """Emissions of a writer of which none between the first and the last is missing."""

    first: int
    after: int  #: sequence of the one behind the last
    link: str | None  #: of the last, hex
    opening: Opening = _KNOWN
    begun: int | None = 0  #: generation of the first row; None: not published yet
    ended: int | None = 0  #: of the last row


class Gap(NamedTuple):
    """Emissions of a writer that are not there."""

    first: int
    last: int
    behind: int | None  #: generation of the row before the gap; None: not published yet
    before: int | None  #: generation of the row after it

    @property
    def n_rows(self) -> int:
        """How many are not there."""
        return self.last - self.first + 1

    def reaches(self, generation: int) -> bool:
        """Whether what is missing may have belonged to a generation."""
        if self.behind is None or self.behind > generation:
            return False
        return self.before is None or generation <= self.before


def beginning() -> Run:
    """What stands in front of the first emission of every writer."""
    return Run(0, 0, FIRST_LINK.hex())


#: gets two runs that meet, and whether the later one was there first; called before they are made one
Meet = Callable[[Run, Run, bool], None]


def _joined(_before: Run, _behind: Run, _late: bool) -> None:
    """Nothing is to be checked where two runs meet."""


class Runs:
    """The runs of one writer in the order of their sequences, apart from each other."""

    __slots__ = ("_firsts", "_runs")

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs = list(runs)
        self._firsts = [run.first for run in self._runs]

    def __iter__(self) -> Iterator[Run]:
        return iter(self._runs)

    def __len__(self) -> int:
        return len(self._runs)

    @property
    def last(self) -> Run:
        """The run that reaches furthest."""
        return self._runs[-1]

    def put(self, new: Run, meet: Meet = _joined) -> bool:
        """Whether none of these emissions was there; then they are now, as a part of the runs that they continue."""
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
        """What is missing between the runs."""
        for one, two in pairwise(self._runs):
            if one.after < two.first:
                yield Gap(one.after, two.first - 1, one.ended, two.begun)
