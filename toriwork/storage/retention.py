"""Retention: the rows that a publish leaves out, and its note in the public file.

The registry keeps every row for ever and has no retention. A table whose newer rows replace older ones (the cells'
state), or whose oldest rows may go (the token log), would grow for ever without one.
"""

from __future__ import annotations

import heapq
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import pyarrow as pa

from toriwork.errors import BadInput

#: runs over the chosen columns of every row that the next public file could hold, in the order in which it holds them
Rows = Callable[[Sequence[str]], Iterator[pa.RecordBatch]]


class Pass(Protocol):
    """One publish, as a retention sees it: every row once, in the order of the file, then the note."""

    def passes(self, n_rows: int) -> bool:
        """True when the first rows of the present public file stay; then they are not handed to ``keep``."""
        ...

    def keep(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch that go into the public file; the others are gone once it stands."""
        ...

    def note(self) -> str:
        """The note in the footer about the rows of the file; asked for once, behind the last row."""
        ...


class Retention(Protocol):
    """Which rows of a table may go. Called under the store's lock: nothing is to be computed here but the choice."""

    def begin(self, rows: Rows, note: str) -> Pass:
        """A pass over the rows of the next public file; ``note`` is that of the present one, "" at first."""
        ...


@dataclass(frozen=True, slots=True)
class NewestPerKey:
    """The newest rows of each key, newest by row id, and of all keys together.

    Parameters
    ----------
    key : tuple of str
        The columns that say which rows supersede each other.
    row_id : str
        The column with the unique, time-ordered row id.
    per_key : int
        How many rows of a key stay, at least 1.
    max_rows : int or None
        How many rows stay in all, the newest ones. None: no limit.
    """

    key: tuple[str, ...]
    row_id: str
    per_key: int = 1
    max_rows: int | None = None

    def __post_init__(self) -> None:
        if self.per_key < 1 or (self.max_rows is not None and self.max_rows < 1):
            raise BadInput(f"per_key and max_rows: expected at least 1, got {self.per_key}, {self.max_rows}")

    def begin(self, rows: Rows, note: str) -> Pass:
        """The choice, made from the keys and row ids alone."""
        newest: dict[tuple[object, ...], list[tuple[str, int]]] = defaultdict(list)
        position = 0
        for batch in rows([*self.key, self.row_id]):
            columns = [batch[name].to_pylist() for name in self.key]
            for *key, row in zip(*columns, batch[self.row_id].to_pylist(), strict=True):
                found = newest[tuple(key)]
                put = heapq.heappush if len(found) < self.per_key else heapq.heappushpop
                put(found, (row, position))
                position += 1
        kept = sorted(place for found in newest.values() for place in found)
        stays = np.zeros(position, dtype=bool)
        stays[[at for _, at in kept[-self.max_rows if self.max_rows is not None else 0 :]]] = True
        return Chosen(stays, note)


class Chosen:
    """A choice that is known before the first row is asked about."""

    def __init__(self, stays: np.ndarray, note: str) -> None:
        self._stays = stays
        self._note = note
        self._at = 0

    def passes(self, n_rows: int) -> bool:
        """True when all of the first rows are chosen."""
        stay = bool(self._stays[:n_rows].all())
        self._at = n_rows if stay else 0
        return stay

    def keep(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The chosen rows of the next batch."""
        chosen = self._stays[self._at : self._at + batch.num_rows]
        self._at += batch.num_rows
        return batch if chosen.all() else batch.filter(pa.array(chosen))

    def note(self) -> str:
        """The note that stood before: the choice can be made anew from the rows."""
        return self._note
