"""What a publish of the token log keeps, and the note that it leaves about all that was ever published.

Whoever publishes gives new rows the number of their generation and notes its Merkle root; the oldest rows may go, and
what went stays accounted for: how many rows, the roots over them, and where the chain of each writer stood.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toriwork.errors import BadInput
from toriwork.storage import arrays
from toriwork.synthesis.merkle import NO_HEAD, Fold, Generation, Tree
from toriwork.synthesis.standing import Apart, Noted, Standing, noted_from

if TYPE_CHECKING:
    from toriwork.storage import Pass, Rows

KEEP_ROWS = 1_000_000
MANY_GENERATIONS = 512  #: noted one by one; of the older half of more every second one is then left out
MANY_WRITERS = 256  #: whose chains can go on behind retired rows; those that came last
MANY_RUNS = 256  #: that are noted of rows which retired in another order than they were emitted
_VERSION = 1
_DAY_US = 86_400_000_000


@dataclass(frozen=True, slots=True)
class Note:
    """What the public file says about every row that was ever published into it."""

    n_rows: int = 0  #: ever published
    generations: tuple[Generation, ...] = ()  #: in order; older ones may be left out
    n_retired: int = 0  #: rows that are no longer in the file
    retired_head: bytes = NO_HEAD  #: over the generations that went as a whole
    partly: int = 0  #: number of the generation whose first rows went
    partly_tree: tuple[int, tuple[bytes, ...]] = (0, ())  #: over those rows: how many, roots of complete subtrees
    writers: dict[str, tuple[int, str]] = field(default_factory=dict)  #: next sequence and last link of retired rows
    n_forgotten: int = 0  #: writers of retired rows that are not named any more
    apart: dict[str, Apart] = field(default_factory=dict)  #: runs that retired before some of their writer before them
    doubtful: frozenset[str] = frozenset()  #: writers of which only one row is known to have retired, the last named

    @property
    def noted(self) -> Noted:
        """What it says about the writers of retired rows."""
        return Noted(self.writers, self.apart, self.doubtful)

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
                "apart": self.apart,
                "doubtful": sorted(self.doubtful),
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
                raise BadInput(f"the note of the token log has version {raw['v']}, this toriwork reads {_VERSION}")
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
                **noted_from(went)._asdict(),
            )
        except (KeyError, TypeError, AttributeError) as error:
            raise BadInput(f"this is no note of a token log: {text:.80}") from error
        except ValueError as error:  # BadInput is one
            raise (
                error if isinstance(error, BadInput) else BadInput(f"this is no note of a token log: {error}")
            ) from error


def leaves(batch: pa.RecordBatch) -> Iterator[bytes]:
    """What the tree hashes of each row: row id, token and link, a line each. The last two stand for the rest of it."""
    links = batch["link"].to_pylist() if "link" in batch.schema.names else [None] * batch.num_rows
    for row_id, token, link in zip(batch["row_id"].to_pylist(), batch["token_id"].to_pylist(), links, strict=True):
        yield f"{row_id}\n{token}\n{link or ''}".encode()


@dataclass(frozen=True, slots=True)
class LogRetention:
    """The newest rows stay; what goes is noted.

    Attributes
    ----------
    keep_rows : int
        The file holds at most so many rows and those of its newest generation.
    keep_days : float or None
        Rows older than this go at the next publish. None: age does not matter.
    anchor : callable or None
        Gets the note of the present public file before the next one is made.
    now_us : callable
        Microseconds since 1970.
    """

    keep_rows: int = KEEP_ROWS
    keep_days: float | None = None
    anchor: Callable[[str], None] | None = None
    now_us: Callable[[], int] = lambda: time.time_ns() // 1000

    def __post_init__(self) -> None:
        if self.keep_rows < 1 or (self.keep_days is not None and not self.keep_days > 0):
            raise BadInput(
                f"keep_rows and keep_days: positive numbers are wanted, given were {self.keep_rows}, {self.keep_days}"
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
        self._standing = Standing(before.noted)
        self._newest = before.last.number if before.last is not None else 0
        self._fold = Fold(before.last.head if before.last is not None else NO_HEAD)

    def passes(self, n_rows: int) -> bool:
        """Whether nothing goes; the rows of a file that was accepted without its note are all looked at."""
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
        rows = zip(leaves(batch), *columns, strict=True)
        for number, of_one in groupby(rows, key=lambda row: row[1] or 0):
            if number != self._retired.number:
                self._standing.end_generation()
            some = list(of_one)
            for leaf, *_ in some:
                self._retired.add(number, leaf)
            self._standing.retire((writer, sequence, link) for _, _, writer, sequence, link in some)

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
        noted, n_more = self._standing.noted(MANY_WRITERS, MANY_RUNS)
        return replace(
            before,
            n_rows=before.n_rows + sum(generation.n_rows for generation in done),
            generations=_thinned((*before.generations, *done)),
            n_retired=before.n_retired + self._n_retired,
            retired_head=retired.head,
            partly=retired.number,
            partly_tree=(retired.tree.n_leaves, tuple(retired.tree.peaks)),
            n_forgotten=before.n_forgotten + n_more,
            **noted._asdict(),
        ).to_json()


def _thinned(generations: tuple[Generation, ...]) -> tuple[Generation, ...]:
    """Generations, every second one of the older half left out when there are too many: heads bind all the same."""
    while len(generations) > MANY_GENERATIONS:
        generations = (*generations[1 : MANY_GENERATIONS // 2 : 2], *generations[MANY_GENERATIONS // 2 :])
    return generations
