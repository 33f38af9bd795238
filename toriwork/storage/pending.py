"""Rows that the public file does not hold yet: those of a journal, and those of a sealed segment."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from toriwork.errors import DamagedFile, StoreError
from toriwork.storage.columns import ParquetSource
from toriwork.storage.decoding import open_positions, target_of
from toriwork.storage.footer import damaged
from toriwork.storage.frames import Address, Frame, Kind, Scan
from toriwork.storage.journal import journal_id, read_journal
from toriwork.storage.spec import Payload

if TYPE_CHECKING:
    from toriwork.storage.handles import Handle
    from toriwork.storage.spec import TableSpec

SEGMENT_SUFFIX = ".parquet"
ADDRESS_FIELDS = (
    pa.field("_journal", pa.string()),
    pa.field("_frame", pa.int64()),
    pa.field("_position", pa.int32()),
)
_DECODE_BYTES = 2 * 2**20
_ROW_KINDS = frozenset({int(Kind.ROWS), int(Kind.OPEN)})


@dataclass(slots=True)
class PendingJournal:
    """The frames of one journal that the public file and the segments do not hold yet."""

    id: str
    path: Path
    handle: Handle
    scan: Scan
    after: int  #: frames up to this number are held elsewhere
    created_ns: int = 0  #: nanoseconds since 1970
    min_writer: int = 0  #: format version that whoever adopts it needs at least
    done: dict[Address, bytes] = field(default_factory=dict)
    attempts: dict[Address, int] = field(default_factory=dict)
    wanted: list[Frame] = field(init=False)  #: the frames with rows that are held nowhere else, in order
    n_rows: int = field(init=False)  #: in them
    n_bytes: int = field(init=False)  #: of their payloads

    def __post_init__(self) -> None:
        self.wanted = [f for f in self.scan.frames if f.kind in _ROW_KINDS and f.number > self.after]
        self.n_rows = sum([frame.n_rows for frame in self.wanted])
        self.n_bytes = sum([frame.length for frame in self.wanted])

    @property
    def last_frame(self) -> int:
        """Number of the last good frame, 0 when there is none."""
        return self.scan.frames[-1].number if self.scan.frames else 0

    def rows(self, upto: int | None = None) -> list[Frame]:
        """The wanted frames up to a number, in order."""
        return self.wanted if upto is None else [frame for frame in self.wanted if frame.number <= upto]

    def payload(self, frame: Frame) -> Payload:
        """One frame as a codec gets it, read from the file."""
        return self.payloads([frame])[0]

    def payloads(self, frames: Sequence[Frame]) -> list[Payload]:
        """Some frames, in order, as a codec gets them; one read for all."""
        start, end = frames[0].offset, frames[-1].offset + frames[-1].length
        data = memoryview(self.handle.read_at(start, end - start))
        if len(data) != end - start:
            raise StoreError(f"{self.path}: frames {frames[0].number} to {frames[-1].number} can no longer be read")
        return [
            Payload(self.id, f.number, f.time_ns, f.n_rows, data[f.offset - start : f.offset - start + f.length])
            for f in frames
        ]


@dataclass(slots=True)
class PendingSegment:
    """A sealed segment, and which of its rows the public file holds already."""

    path: Path
    source: ParquetSource
    absorbed: Mapping[str, int]
    created_ns: int = 0  #: when the first of its journals was begun, nanoseconds since 1970
    elsewhere: frozenset[str] = frozenset()  #: journals whose rows in here are taken from another place

    @property
    def covers(self) -> Mapping[str, tuple[int, int]]:
        """Journal id -> first and last frame."""
        assert self.source.facts is not None  # checked when it was opened
        return self.source.facts.covers

    @property
    def untouched(self) -> bool:
        """True when no row of it is in the public file."""
        if self.elsewhere:
            return False
        return all(self.absorbed.get(journal, 0) < first for journal, (first, _) in self.covers.items())

    @property
    def spent(self) -> bool:
        """True when every row of it is in the public file or taken from another place."""
        return all(
            journal in self.elsewhere or self.absorbed.get(journal, 0) >= last
            for journal, (_, last) in self.covers.items()
        )

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows that are not in the public file, without their addresses."""
        if self.spent:
            return
        for batch in self.source.batches():
            kept = batch if self.untouched else batch.filter(self._fresh(batch))
            yield kept.drop_columns([f.name for f in ADDRESS_FIELDS])

    def count(self) -> int:
        """How many rows are not in the public file."""
        if self.spent or self.untouched:
            return 0 if self.spent else self.source.n_rows
        return sum(int(self._fresh(batch).true_count) for batch in self.source.batches(["_journal", "_frame"]))

    def _fresh(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        limits = {**self.absorbed, **dict.fromkeys(self.elsewhere, sys.maxsize)}
        names, numbers = batch["_journal"].to_pylist(), batch["_frame"].to_pylist()
        if None in numbers:
            raise damaged(self.path, "a row has no address")
        return pa.array([n > limits.get(j, 0) for j, n in zip(names, numbers, strict=True)], pa.bool_())


def fitted(batches: Iterable[pa.RecordBatch], spec: TableSpec) -> Iterator[pa.RecordBatch]:
    """Batches in a schema that may have grown since they were written; see :meth:`TableSpec.fitted`."""
    for batch in batches:
        if batch.schema.equals(spec.schema):
            yield batch
        else:
            yield from spec.fitted(pa.Table.from_batches([batch]))


def open_rows(spec: TableSpec, journal: PendingJournal, done: Mapping[Address, bytes]) -> dict[int, list[Address]]:
    """Frame number -> the rows of a journal that still lack values, where it is known what was completed."""
    found: dict[int, list[Address]] = {}
    for frame in journal.rows():
        if frame.kind == Kind.OPEN:
            positions = open_positions(spec, journal.path, journal.payload(frame))
            lacking = [a for p in positions if (a := Address(journal.id, frame.number, p)) not in done]
            if lacking:
                found[frame.number] = lacking
    return found


def payload_groups(journal: PendingJournal, upto: int | None = None) -> Iterator[list[Payload]]:
    """The wanted frames of a journal in groups of a few MB, each group read at once.

    One read a frame would hand the interpreter to a busy recording thread, and wait for it, once a frame.
    """
    waiting: list[Frame] = []
    for frame in journal.rows(upto):
        if waiting and frame.offset + frame.length - waiting[0].offset > _DECODE_BYTES:
            yield journal.payloads(waiting)
            waiting = []
        waiting.append(frame)
    if waiting:
        yield journal.payloads(waiting)


def open_journal(handle: Handle, path: Path, store_id: str, after: int) -> PendingJournal:
    """A journal's frames behind frame number ``after``, and what it completes of others."""
    data, scan, header = read_journal(handle, path, store_id)
    if scan.damaged:
        raise DamagedFile(
            f"{path}: damaged behind frame {len(scan.frames)} (byte {scan.good_bytes} of {scan.total_bytes}), although "
            f"everything up to byte {scan.synced} had reached the disk. Nothing was changed. Restore the file from a "
            f"backup, or open with repair=True, which keeps the {len(scan.frames) + len(scan.salvaged)} good frames "
            "and sets the file aside in quarantine/"
        )
    snapshot = PendingJournal(journal_id(path.name) or "", path, handle, scan, after)
    if header is not None:
        snapshot.created_ns, snapshot.min_writer = header.created_ns, header.min_writer
    note_completions(snapshot, data)
    return snapshot


def note_completions(snapshot: PendingJournal, data: bytes) -> None:
    """Fill in what a journal says about rows that were to be completed later."""
    kinds = {int(Kind.DONE), int(Kind.ATTEMPT)}
    for frame in snapshot.scan.frames:
        if frame.kind in kinds:
            address, values = target_of(snapshot.path, frame.number, data[frame.offset : frame.offset + frame.length])
            if frame.kind == Kind.DONE:
                snapshot.done[address] = values
            else:
                snapshot.attempts[address] = snapshot.attempts.get(address, 0) + 1


def is_segment(name: str) -> bool:
    """True for the file name of a segment."""
    return name.endswith(SEGMENT_SUFFIX) and not name.startswith(".") and len(name) == 32 + len(SEGMENT_SUFFIX)


def is_segment_of(source: ParquetSource, store_id: str) -> bool:
    """True for a segment of a store: it says so, and its rows have addresses."""
    schema = source.footer.metadata.schema.to_arrow_schema()
    addressed = all(schema.get_field_index(field.name) >= 0 for field in ADDRESS_FIELDS)
    facts = source.facts
    return addressed and facts is not None and bool(facts.covers) and facts.store_id == store_id
