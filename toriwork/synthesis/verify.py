"""The check of a token log: bodies against tokens, links against writers, roots against generations.

Works on the rows alone, wherever they come from: the open log, or a bare copy of its file. Nothing is changed.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from toriwork.errors import DamagedFile, NotFound, StoreError
from toriwork.storage.access import refusal, require_regular
from toriwork.synthesis.chains import Chains
from toriwork.synthesis.checkpoints import SUFFIX, Checkpoint, read_checkpoints
from toriwork.synthesis.log_rows import LogRow, bytes_of, contradiction, log_rows
from toriwork.synthesis.merkle import Generation
from toriwork.synthesis.report import LogFinding, LogReport
from toriwork.synthesis.retention import Note, leaves

MANY_FINDINGS = 200  #: told one by one; the others are counted
_STORE_FACTS = b"toriwork.store"


def verify_file(path: str | os.PathLike[str], checkpoints: str | os.PathLike[str] | None = None) -> LogReport:
    """The report on a bare copy of the public file; its checkpoints stand beside it unless they are given.

    Raises
    ------
    NotFound, DamagedFile, BadInput
        There is no such file; it is no Parquet file; it is no token log.
    """
    found = Path(path)
    for given in [found] if checkpoints is None else [found, Path(checkpoints)]:
        if not given.exists():
            raise NotFound(f"{given}: no such file")
    check = LogCheck(read_note(found), read_checkpoints(Path(checkpoints or found.with_suffix(SUFFIX))))
    try:
        with pq.ParquetFile(found) as file:
            for batch in file.iter_batches():
                check.published(batch)
    except StoreError:  # of a handler that ran meanwhile
        raise
    except (OSError, pa.ArrowException) as error:
        raise DamagedFile(f"{found}: cannot be read: {error}") from error
    return check.finish()


def read_note(path: Path) -> str:
    """The note in the footer of a public file; "" where there is none, as in a file that other software wrote.

    Raises
    ------
    DamagedFile, OddFile, NotPermitted
        It cannot be read, or is no regular file: a FIFO would be waited for.
    """
    try:
        require_regular(path, Path(path).stat().st_mode)
    except OSError as error:
        raise refusal(error, path) from error
    try:
        metadata = pq.read_metadata(path).metadata or {}
        return str(json.loads(metadata.get(_STORE_FACTS, b"{}")).get("note", ""))
    except StoreError:
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise DamagedFile(f"{path}: its footer cannot be read: {error}") from error


class LogCheck:
    """A check of rows that come batch by batch, in the order of the file; see :class:`Chains` for its memory."""

    def __init__(self, note: str, checkpoints: Sequence[Checkpoint] = ()) -> None:
        self._note = Note.from_json(note)
        self._checkpoints = {checkpoint.generation: checkpoint for checkpoint in checkpoints}
        self._noted = {generation.number: generation for generation in self._note.generations}
        self._fold = self._note.retired()
        self._chains = Chains(self._note, self._find)
        self._findings: list[LogFinding] = []
        self._n_more = 0
        self._heads: dict[int, str] = {}  #: as the rows themselves give them
        self._n_published = self._n_pending = 0
        self._short: list[int] = []  #: generations that lack rows

    # ---- rows ----------------------------------------------------------------------------------------------------

    def published(self, batch: pa.RecordBatch) -> None:
        """Check rows of the public file."""
        for row, bytes_of_leaf in zip(log_rows(batch), leaves(batch), strict=True):
            self._n_published += 1
            self._look_at(row)
            done = self._fold.add(row.generation or 0, bytes_of_leaf)
            if done is not None:
                self._compare(done)

    def pending(self, batch: pa.RecordBatch) -> None:
        """Check rows that are not published yet; they continue the chains of those that are."""
        for row in log_rows(batch):
            self._n_pending += 1
            self._look_at(row)

    def _look_at(self, row: LogRow) -> None:
        why = contradiction(row)
        if why:
            self._find(row.generation, "edited", f"row {row.row_id}, token {(row.token_id or '')[:15]}: {why}")
        self._chains.look_at(row, why)

    # ---- generations ---------------------------------------------------------------------------------------------

    def _compare(self, done: Generation) -> None:
        """Compare a generation of the rows with the noted one."""
        self._heads[done.number] = done.head.hex()
        last = self._note.last
        noted = self._noted.get(done.number) or self._from_checkpoints(done)
        if noted is None:
            if last is None or done.number > last.number or not done.number:
                self._find(done.number or None, "foreign", f"{done.n_rows} rows that no note accounts for")
            return
        if done.n_rows > noted.n_rows:
            self._find(done.number, "foreign", f"{done.n_rows - noted.n_rows} rows more than were published")
        elif done.n_rows < noted.n_rows:
            self._short.append(done.number)
            gaps = self._chains.missing(self._short)
            cut = noted == last and not any(gap.reaches(done.number) for _, gap in gaps)
            text = f"{noted.n_rows - done.n_rows} of {noted.n_rows} rows are not there"
            self._find(done.number, "truncated" if cut else "missing", text)
        elif done.root != noted.root:
            self._find(done.number, "edited", "its rows are not those that were published, or not in their order")
        elif done.head != noted.head:
            self._find(done.number, "edited", "its rows, or those of one before it, are not those that were published")
        self._fold.head = noted.head  # so that what follows is judged by itself

    def _from_checkpoints(self, done: Generation) -> Generation | None:
        """A generation as the checkpoints give it, where the file has no note."""
        found = self._checkpoints.get(done.number)
        if found is None or self._noted:
            return None
        before = self._checkpoints.get(done.number - 1)
        n_rows = found.n_rows - before.n_rows if before is not None else done.n_rows
        return Generation(done.number, n_rows, done.root, bytes_of(found.head) or b"")

    def _compare_last(self) -> None:
        done = self._fold.close()
        if done is not None:
            self._compare(done)
        seen = set(self._heads)
        first = self._note.partly
        gone = [g for g in self._note.generations if g.number not in seen and g.number > first]
        newest = max(seen, default=0)
        for generation in gone:
            self._short.append(generation.number)
            kind = "truncated" if generation.number > newest else "missing"
            self._find(generation.number, kind, f"all {generation.n_rows} rows are gone")

    def _compare_checkpoints(self) -> None:
        newest = max([0, *self._noted, *self._heads])
        differed = False
        for number, checkpoint in sorted(self._checkpoints.items()):
            if number > newest:
                where = f"the file ends with generation {newest} at {self._note.n_rows} rows"
                self._find(number, "truncated", f"a checkpoint was written at {checkpoint.n_rows} rows; {where}")
                continue
            noted = self._noted.get(number)
            differs = noted is not None and noted.head.hex() != checkpoint.head
            if differs and not differed:  # the heads behind it are other ones then in any case
                self._find(number, "rewritten", "from here on the file says something else than the checkpoints")
            differed = differs

    # ---- the end -------------------------------------------------------------------------------------------------

    def finish(self, files: Iterable[str] = ()) -> LogReport:
        """The report; ``files`` are sentences that the store has to add about its files."""
        self._compare_last()
        for name, gap in self._chains.missing(self._short):
            number = next((number for number in self._short if gap.reaches(number)), gap.before)
            which = f"emissions {gap.first} to {gap.last} of writer {name}"
            self._find(number, "missing", f"{which}: taken out, or never reached the disk")
        self._compare_checkpoints()
        if not self._note.generations and any(self._heads):
            self._find(None, "foreign", "the file has no note: other software wrote it")
        for text in files:
            self._find(None, "file", text)
        note = self._note
        return LogReport(
            n_rows=self._n_published + self._n_pending,
            n_unpublished=self._n_pending,
            n_retired=note.n_retired,
            generation=note.last.number if note.last is not None else 0,
            head=note.last.head.hex() if note.last is not None else "",
            findings=tuple(sorted(self._findings, key=lambda finding: finding.generation or 0)),
            n_more=self._n_more,
            proven=() if self._findings else self._proven(),
            not_proven=tuple(self._not_proven()),
        )

    def _proven(self) -> tuple[str, ...]:
        found = ["every body belongs to its token; no emission was edited, moved or taken out between two others"]
        if self._note.last is not None:
            found.append("every generation has the rows that were published, in their order")
        if self._checkpoints:
            found.append(f"nothing was cut off up to generation {max(self._checkpoints)}, the last with a checkpoint")
        return tuple(found)

    def _not_proven(self) -> Iterator[str]:
        newest = max(self._checkpoints, default=0)
        last = self._note.last
        if last is not None and last.number > newest:
            yield f"that nothing was cut off behind generation {newest}: there is no later checkpoint"
        if self._n_pending:
            yield f"that {self._n_pending:,} unpublished rows are all: until then the end of a chain can be cut"
        if self._note.n_retired:
            yield f"what {self._note.n_retired:,} retired rows said: only their roots and counts are kept"
        if self._chains.n_unanchored:
            yield f"where {self._chains.n_unanchored:,} writers were before: rows of theirs were retired long ago"
        if self._chains.n_unplaced:
            yield f"that the rows in {self._chains.n_unplaced:,} gaps retired: version 0.1 did not note which rows did"
        yield "anything against somebody who rewrote file and checkpoints; keep a head elsewhere"

    def _find(self, generation: int | None, kind: str, text: str) -> None:
        if len(self._findings) < MANY_FINDINGS:
            self._findings.append(LogFinding(generation, kind, text))
        else:
            self._n_more += 1
