"""The chains of all writers of a log, checked row by row in whatever order the rows come.

Memory grows with the writers and with the gaps that are open at a time, not with the rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from toriwork.synthesis.retention import Note
from toriwork.synthesis.rows import LogRow, bytes_of, emission_of
from toriwork.synthesis.runs import Gap, Opening, Run, Runs, beginning
from toriwork.synthesis.standing import n_placed, runs_of

_JOURNAL = slice(16, None)  #: of a row id: its time stands before it
Find = Callable[[int | None, str, str], None]


class Chains:
    """Where the chains stand: at first where the retired rows left them.

    Parameters
    ----------
    note : Note
        What the public file says of the rows that it had.
    find : callable
        Gets each finding: generation, kind and text.
    """

    def __init__(self, note: Note, find: Find) -> None:
        self._note = note
        self._find = find
        self._writers = runs_of(note.noted)
        self.n_unchained = 0  #: rows without a writer
        self.n_unanchored = 0  #: writers whose first rows retired too long ago
        self.n_unplaced = 0  #: emissions that an earlier version may have retired: it noted how many, not which

    def look_at(self, row: LogRow, why: str) -> None:
        """Put a row into the chain of its writer; ``why``: what is wrong with it by itself, "" when nothing is."""
        if row.writer is None or row.sequence is None:
            self.n_unchained += 1
            return
        runs = self._writers.get(row.writer)
        if runs is None:
            runs = self._writers[row.writer] = Runs([beginning()])
        at, emission = row.sequence, emission_of(row)
        if emission is None and not why:
            why = "no link belongs to it"
            self._find(row.generation, "edited", f"row {row.row_id}, emission {at} of writer {row.writer}: {why}")
        opening = Opening(None if why else emission, row.link, (row.row_id or "")[_JOURNAL])
        if not runs.put(Run(at, at + 1, row.link, opening, row.generation, row.generation), self._meet):
            self._find(row.generation, "repeated", f"emission {at} of writer {row.writer} is there twice")

    def _meet(self, before: Run, behind: Run, late: bool) -> None:
        """Check the link between two runs that meet; ``late``: the first one is a row that came last."""
        link, (emission, wanted, journal) = bytes_of(before.link), behind.opening
        if link is not None and emission is not None and emission.link(link).hex() != wanted:
            which = f"emission {behind.first} of writer {emission.writer.hex()}"
            self._find(behind.begun, "edited", f"{which} does not follow from the one before it")
        if late and journal and journal == before.opening.journal:  # frames of one journal never change places
            which = f"emission {before.first} of journal {journal}"
            self._find(before.begun, "reordered", f"{which} stands behind a later one of its writer")

    def missing(self, short: Sequence[int]) -> Iterator[tuple[str, Gap]]:
        """The gaps that nothing explains; ``short`` are the generations that lack rows.

        A log that forgot writers does not say where those begin. A note of an earlier version does not say which rows
        of a writer retired, only how many rows in all: as long as that many are not exceeded, gaps where such rows
        were are theirs.
        """
        note, plain, retired = self._note, [], []
        self.n_unanchored = 0
        for name, runs in self._writers.items():
            for gap in runs.gaps():
                if not gap.first and note.n_forgotten and name not in note.writers:
                    self.n_unanchored += 1
                elif name in note.doubtful and _begins_in(gap, note.partly) and not any(map(gap.reaches, short)):
                    retired.append((name, gap))
                else:
                    plain.append((name, gap))
        self.n_unplaced = sum(gap.n_rows for _, gap in retired)
        if n_placed(note.noted) + self.n_unplaced > note.n_retired:
            plain, self.n_unplaced = plain + retired, 0
        yield from plain


def _begins_in(gap: Gap, generation: int) -> bool:
    """Whether the row before a gap was published with a generation, or before it."""
    return gap.behind is not None and gap.behind <= generation
