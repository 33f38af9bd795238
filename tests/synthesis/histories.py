"""Random lives of a token log, without a disk: writers, journals, clocks, forks, publishes in any order, retention.

A publish takes journals in an order that is drawn, as version 0.1 took them (segments first, by random names, then
journals by a clock that jumps); the retention is that of today, or notes of writers what version 0.1 noted.
"""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
from hypothesis import strategies as st

from toriwork.synthesis.chain import Chain
from toriwork.synthesis.checkpoints import Checkpoint, checkpoint_of
from toriwork.synthesis.identity import identify
from toriwork.synthesis.log import SCHEMA
from toriwork.synthesis.report import LogReport
from toriwork.synthesis.retention import LogRetention, Note
from toriwork.synthesis.verify import LogCheck

Rows = list[dict[str, Any]]


@dataclass
class Log:
    """A log as it would stand on the disk."""

    published: Rows = field(default_factory=list)
    journals: list[Rows] = field(default_factory=list)  #: not published, in any order
    note: str = ""
    checkpoints: list[Checkpoint] = field(default_factory=list)

    @property
    def pending(self) -> Rows:
        """The rows that are not published."""
        return list(itertools.chain(*self.journals))

    def verify(self) -> LogReport:
        """What the check says."""
        check = LogCheck(self.note, self.checkpoints)
        for batch in table(self.published).to_batches():
            check.published(batch)
        for batch in table(self.pending).to_batches():
            check.pending(batch)
        return check.finish()

    def publish(self, order: list[int], keep_rows: int, *, old: bool) -> None:
        """The next generation, of all journals in some order."""
        if not self.pending:
            return
        new = list(itertools.chain(*(self.journals[at] for at in order)))
        before = Note.from_json(self.note)
        choice = LogRetention(keep_rows).begin(lambda _: iter(()), self.note)
        base = [choice.keep(batch) for batch in table(self.published).to_batches()]
        batches = [*base, *(choice.keep(batch) for batch in table(new).to_batches())]
        kept = pa.Table.from_batches(batches, schema=SCHEMA).to_pylist()
        note = choice.note()
        if old:
            note = as_version_0_1(note, before, self.published[: len(self.published) + len(new) - len(kept)])
        self.published, self.journals, self.note = kept, [], note
        found = checkpoint_of(Note.from_json(note))
        assert found is not None
        self.checkpoints.append(found)


def as_version_0_1(note: str, before: Note, gone: Rows) -> str:
    """The note as that version wrote it: of each writer the row that retired last, whatever its place."""
    raw = json.loads(note)
    writers = dict(before.writers)
    for row in gone:
        writers.pop(row["writer"], None)
        writers[row["writer"]] = (row["sequence"] + 1, row["link"])
    del raw["retired"]["unordered"]
    raw["retired"]["writers"] = writers
    return json.dumps(raw)


def table(rows: Rows) -> pa.Table:
    """Rows as the log has them."""
    return pa.Table.from_pylist(rows, schema=SCHEMA)


class Writer:
    """One handle: a chain and a journal at a time."""

    def __init__(self, number: int) -> None:
        self.chain = Chain()
        self.chain.writer = number.to_bytes(8, "big")
        self.journals: list[Rows] = [[]]
        self.last_ns = 0

    def emit(self, n: int, clock: int, journal: int) -> None:
        """One more row in the present journal."""
        made = identify({"type": "made", "n": n})
        self.last_ns = max(clock, self.last_ns + 1)
        given = "noon" if n % 5 == 0 else None
        _, link = self.chain.pack(made.digest, clock, given and given.encode(), made.body)
        row = dict.fromkeys(SCHEMA.names)
        row |= {"token_id": made.token, "timestamp": clock, "type": "made", "refs": [], "body": made.body.decode()}
        row |= {"given_timestamp": given, "sequence": self.chain.sequence, "writer": self.chain.writer.hex()}
        row |= {"row_id": f"{self.last_ns:016x}{journal:016x}", "link": link.hex()}
        self.journals[-1].append(row)
        self.chain.link, self.chain.sequence = link, self.chain.sequence + 1


@st.composite
def histories(draw: st.DrawFn, *, old: bool | None = None, ordered: bool = False) -> Log:
    """A log after some generations; ``old``: version 0.1 noted what retired (None: both by turns); ``ordered``: the
    journals of a writer are published in their order, as today.

    In each generation some handles (a fork is one more) fill a few journals each, while the clock jumps.
    """
    log, writers, clock = Log(), [Writer(1)], 10**15
    names, numbers = itertools.count(1), itertools.count()
    keep_rows = draw(st.sampled_from([1, 5, 9, 17, 10**6]))
    n_generations = draw(st.integers(1, 4))
    for generation in range(n_generations + 1):
        if len(writers) < 4 and draw(st.booleans()):
            writers.append(Writer(len(writers) + 1))
        for _ in range(draw(st.integers(1, 5))):
            writer = draw(st.sampled_from(writers))
            clock += draw(st.sampled_from([0, 0, -3600 * 10**6, 3600 * 10**6]))
            journal = next(names)
            for _ in range(draw(st.integers(1, 6))):
                writer.emit(next(numbers), clock, journal)
                clock += 1000
            writer.journals.append([])
        collect(log, writers)
        order = list(range(len(log.journals))) if ordered else draw(st.permutations(range(len(log.journals))))
        if generation < n_generations:
            log.publish(order, keep_rows, old=draw(st.booleans()) if old is None else old)
        elif draw(st.booleans()):
            log.journals = [log.journals[at] for at in order]
        else:
            log.journals = []
    return log


def collect(log: Log, writers: list[Writer]) -> None:
    """What the writers have recorded since the last publish, a list for each journal."""
    for writer in writers:
        log.journals += [rows for rows in writer.journals if rows]
        writer.journals = [[]]
