"""The chains of all writers of a log, checked row by row in whatever order the rows come.

Memory grows with the writers and with the gaps that are open at a time, not with the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from toriwork.synthesis.log_rows import LogRow, bytes_of, emission_of
from toriwork.synthesis.retention import Note
from toriwork.synthesis.runs import ChainRun, Gap, Runs, RunStart, start_of

_JOURNAL = slice(16, None)  #: of a row id: its time stands before it
Report = Callable[[int | None, str, str], None]


class Chains:
    """The chain of each writer, which begins where its retired rows end.

    ``report`` gets the generation, the kind and the text of each finding.
    """

    def __init__(self, note: Note, report: Report) -> None:
        self._note = note
        self._report = report
        self._writers = {name: Runs(start_of(retired)) for name, retired in note.writers.items()}
        self.n_unanchored = 0  #: writers whose first rows retired too long ago
        self.n_unplaced = 0  #: gaps that retired rows of version 0.1 may have left

    def look_at(self, row: LogRow, why: str) -> None:
        """Put a row into the chain of its writer; ``why``: the fault of the row by itself, "" when there is none."""
        at, emission = row.sequence, emission_of(row)
        if row.writer is None or at is None:
            self._report(row.generation, "edited", f"row {row.row_id} has no writer or no sequence")
            return
        runs = self._writers.get(row.writer)
        if runs is None:
            runs = self._writers[row.writer] = Runs(start_of())
        if emission is None and not why:
            why = "no link belongs to it"
            self._report(row.generation, "edited", f"row {row.row_id}, emission {at} of writer {row.writer}: {why}")
        opening = RunStart(None if why else emission, row.link, (row.row_id or "")[_JOURNAL])
        if not runs.put(ChainRun(at, at + 1, row.link, opening, row.generation, row.generation), self._meet):
            self._report(row.generation, "repeated", f"emission {at} of writer {row.writer} is there twice")

    def _meet(self, before: ChainRun, behind: ChainRun, late: bool) -> None:
        """Check the link between two runs that meet; ``late``: the first one is a row that came last."""
        link, (emission, expected, journal) = bytes_of(before.link), behind.opening
        if link is not None and emission is not None and emission.link(link).hex() != expected:
            which = f"emission {behind.first} of writer {emission.writer.hex()}"
            self._report(behind.begun, "edited", f"{which} does not follow from the one before it")
        if late and journal and journal == before.opening.journal:  # frames of one journal never change places
            which = f"emission {before.first} of journal {journal}"
            self._report(before.begun, "reordered", f"{which} stands behind a later one of its writer")

    def missing(self, short: Sequence[int]) -> Iterator[tuple[str, Gap]]:
        """The gaps that nothing explains; ``short`` are the generations that lack rows.

        Rows in front of the furthest retired one may have retired: the roots of their generations account for them.
        """
        note = self._note
        self.n_unanchored = self.n_unplaced = 0
        for name, runs in self._writers.items():
            n_retired, _ = note.writers.get(name, (0, ""))
            for gap in runs.gaps():
                if gap.last < n_retired:
                    continue
                if not gap.first and note.n_forgotten and name not in note.writers:
                    self.n_unanchored += 1
                elif n_retired and _begins_in(gap, note.unordered) and not any(map(gap.reaches, short)):
                    self.n_unplaced += 1
                else:
                    yield name, gap


def _begins_in(gap: Gap, generation: int) -> bool:
    """True when the row before a gap was published with a generation up to this one; never for 0."""
    return generation > 0 and gap.behind is not None and gap.behind <= generation
