"""The rows that a publish of the token log keeps, and the note about all rows that were ever published.

New rows get the number of their generation, and its Merkle root is noted. Of rows that retire the note keeps how many
they were, the roots over them, and the furthest link of each writer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toriwork.errors import BadInput
from toriwork.storage import arrays
from toriwork.synthesis.merkle import NO_HEAD, Fold, Generation, Tree

if TYPE_CHECKING:
    from toriwork.storage import Pass, Rows

KEEP_ROWS = 1_000_000
MANY_GENERATIONS = 512  #: noted one by one; of the older half of more every second one is then left out
MANY_WRITERS = 256  #: whose chains can go on behind retired rows; those that came last
_VERSION = 1
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Note:
    """The part of the footer of a public file that accounts for every row that was ever published into it."""

    n_rows: int = 0  #: ever published
    generations: tuple[Generation, ...] = ()  #: in order; older ones may be left out
    n_retired: int = 0  #: rows that are no longer in the file
    retired_head: bytes = NO_HEAD  #: over the generations that went as a whole
    partly: int = 0  #: number of the generation whose first rows went
    partly_tree: tuple[int, tuple[bytes, ...]] = (0, ())  #: over those rows: how many, roots of complete subtrees
    writers: dict[str, tuple[int, str]] = field(
        default_factory=dict
    )  #: where their retired rows end: next sequence, link
    n_forgotten: int = 0  #: writers of retired rows that are not named any more
    unordered: int = 0  #: last generation that version 0.1 retired: the last row was noted, not the furthest

    @property
    def last(self) -> Generation | None:
        """The newest generation."""
        return self.generations[-1] if self.generations else None

    def retired(self) -> Fold:
        """The rows that went, ready to be continued with those that are there."""
        n_leaves, peaks = self.partly_tree
        return Fold(self.retired_head, self.partly, Tree(n_leaves, peaks))

    def to_json(self) -> str:
        """Compact JSON text; writers in the order of their last row, the oldest go first when there are too many."""
        n_leaves, peaks = self.partly_tree
        value = {
            "v": _VERSION,
            "rows": self.n_rows,
            "generations": [[g.number, g.n_rows, g.root.hex(), g.head.hex()] for g in self.generations],
            "retired": {
                "rows": self.n_retired,
                "head": self.retired_head.hex(),
                "partly": [self.partly, n_leaves, *(peak.hex() for peak in peaks)],
                "writers": self.writers,
                "forgotten": self.n_forgotten,
                "unordered": self.unordered,
            },
        }
        return json.dumps(value, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Note:
        """The note in a public file; "" is that of a new one.

        Raises
        ------
        BadInput
            It is no note of the token log, or one of a newer version.
        """
        if not text:
            return cls()
        try:
            raw: dict[str, Any] = json.loads(text)
            if raw["v"] > _VERSION:
                raise BadInput(f"note of the token log: expected version {_VERSION} at most, got {raw['v']}")
            went = raw["retired"]
            partly, n_leaves, *peaks = went["partly"]
            return cls(
                n_rows=int(raw["rows"]),
                generations=tuple(
                    Generation(number, n_rows, bytes.fromhex(root), bytes.fromhex(head))
                    for number, n_rows, root, head in raw["generations"]
                ),
                n_retired=int(went["rows"]),
                retired_head=bytes.fromhex(went["head"]),
                partly=int(partly),
                partly_tree=(int(n_leaves), tuple(bytes.fromhex(peak) for peak in peaks)),
                n_forgotten=int(went["forgotten"]),
                writers={writer: (int(after), str(link)) for writer, (after, link) in went["writers"].items()},
                unordered=int(went.get("unordered", partly)),
            )
        except BadInput:
            raise
        except (KeyError, TypeError, AttributeError, ValueError) as error:
            raise BadInput(f"expected the note of a token log, got {text:.80}") from error


def leaves(batch: pa.RecordBatch) -> Iterator[bytes]:
    """The bytes of each row that the tree hashes: row id, token and link, which stand for the rest of it."""
    for row_id, token, link in zip(*(batch[name].to_pylist() for name in ("row_id", "token_id", "link")), strict=True):
        yield f"{row_id}\n{token}\n{link or ''}".encode()


@dataclass(frozen=True, slots=True)
class LogRetention:
    """The newest rows stay; the others are noted."""

    keep_rows: int = KEEP_ROWS  #: the file holds at most so many rows and those of its newest generation
    keep_days: float | None = None  #: older rows go at the next publish
    anchor: Callable[[str], None] | None = None  #: gets the note of the present public file before the next one is made
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000  #: microseconds since 1970

    def __post_init__(self) -> None:
        if self.keep_rows < 1 or (self.keep_days is not None and not self.keep_days > 0):
            raise BadInput(
                f"keep_rows and keep_days: expected positive numbers, got {self.keep_rows}, {self.keep_days}"
            )

    def begin(self, rows: Rows, note: str) -> Pass:
        """A pass over the rows of the next public file."""
        if self.anchor is not None and note:
            self.anchor(note)
        before = Note.from_json(note)
        too_many = max(0, before.n_rows - before.n_retired - self.keep_rows)
        oldest_us = None if self.keep_days is None else self.now_us() - int(self.keep_days * _DAY_US)
        if oldest_us is not None and not too_many:
            first = next(iter(rows(["timestamp"])), None)
            if first is not None and first.num_rows and (first["timestamp"][0].value or 0) >= oldest_us:
                oldest_us = None  # rows go from the front on, none behind the first that stays
        return _LogPass(before, too_many, oldest_us)


class _LogPass:
    """One publish: rows of the file pass first, then the new ones, which have no generation yet."""

    def __init__(self, before: Note, too_many: int, oldest_us: int | None) -> None:
        self._before = before
        self._too_many = too_many
        self._oldest_us = oldest_us
        self._retired = before.retired()
        self._n_retired = 0
        self._done: list[Generation] = []
        self._writers = dict(before.writers)  # those whose rows retired last stand last
        self._newest = before.last.number if before.last is not None else 0
        self._fold = Fold(before.last.head if before.last is not None else NO_HEAD)

    def passes(self, n_rows: int) -> bool:
        """True when nothing goes; the rows of a file that was accepted without its note are all looked at."""
        return not self._too_many and self._oldest_us is None and self._before.last is not None

    def keep(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """The rows of a batch that stay; new ones with the number of their generation."""
        numbers = batch["generation"]
        if numbers.null_count == batch.num_rows:
            return self._take(batch)
        self._newest = max(self._newest, pc.max(numbers).as_py())
        if self._before.last is None:  # a file that was accepted without its note: what is there is noted anew
            self._note_rows(numbers.to_pylist(), batch)
            return batch
        n_gone = self._n_to_go(batch)
        if n_gone:
            self._retire(batch.slice(0, n_gone))
        return batch.slice(n_gone)

    def _n_to_go(self, batch: pa.RecordBatch) -> int:
        """How many rows at the front of a batch go; none behind the first that stays."""
        n_gone: int = min(self._too_many, batch.num_rows)
        if self._oldest_us is not None:
            times = batch["timestamp"].cast(pa.int64()).to_pylist()
            while n_gone < len(times) and times[n_gone] is not None and times[n_gone] < self._oldest_us:
                n_gone += 1
        if n_gone < batch.num_rows:
            self._too_many, self._oldest_us = 0, None
        else:
            self._too_many = max(0, self._too_many - n_gone)
        return n_gone

    def _retire(self, batch: pa.RecordBatch) -> None:
        self._n_retired += batch.num_rows
        columns = [batch[name].to_pylist() for name in ("generation", "writer", "sequence", "link")]
        for leaf, number, writer, sequence, link in zip(leaves(batch), *columns, strict=True):
            self._retired.add(number or 0, leaf)
            if writer is not None and sequence is not None:
                before = self._writers.pop(writer, (0, ""))
                self._writers[writer] = (sequence + 1, link or "") if sequence >= before[0] else before

    def _take(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        number = self._newest + 1
        self._note_rows([number] * batch.num_rows, batch)
        at = batch.schema.get_field_index("generation")
        return batch.set_column(
            at, batch.schema.field(at), arrays.integers(np.full(batch.num_rows, number), pa.int64())
        )

    def _note_rows(self, numbers: Sequence[int | None], batch: pa.RecordBatch) -> None:
        for number, row in zip(numbers, leaves(batch), strict=True):
            done = self._fold.add(number or 0, row)
            if done is not None:
                self._done.append(done)

    def note(self) -> str:
        """The note of the next public file."""
        before, retired = self._before, self._retired
        last = self._fold.close()
        done = self._done if last is None else [*self._done, last]
        kept = dict(list(self._writers.items())[-MANY_WRITERS:])
        return replace(
            before,
            n_rows=before.n_rows + sum(generation.n_rows for generation in done),
            generations=_thinned((*before.generations, *done)),
            n_retired=before.n_retired + self._n_retired,
            retired_head=retired.head,
            partly=retired.number,
            partly_tree=(retired.tree.n_leaves, tuple(retired.tree.peaks)),
            writers=kept,
            n_forgotten=before.n_forgotten + len(self._writers) - len(kept),
        ).to_json()


def _thinned(generations: tuple[Generation, ...]) -> tuple[Generation, ...]:
    """Generations, every second one of the older half left out when there are too many: heads bind all the same."""
    while len(generations) > MANY_GENERATIONS:
        generations = (*generations[1 : MANY_GENERATIONS // 2 : 2], *generations[MANY_GENERATIONS // 2 :])
    return generations
