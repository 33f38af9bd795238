"""What a store holds at one moment: its public file, and what is not in it yet. Read-only, without locks.

The order is what makes it right: list the folder, then open the public file, then open everything that was listed;
a name that vanished meanwhile means that somebody published, so everything starts again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from toriwork.errors import DamagedFile, StoreError
from toriwork.storage.columns import ParquetSource
from toriwork.storage.frames import Address, Frame, Kind, Scan, unpack_target
from toriwork.storage.head import Head, Places, check_base, read_head
from toriwork.storage.journal import journal_id, read_journal
from toriwork.storage.spec import Payload

if TYPE_CHECKING:
    from toriwork.storage.files import Files, Handle
    from toriwork.storage.spec import TableSpec

SEGMENT_SUFFIX = ".parquet"
ADDRESS_FIELDS = (
    pa.field("_journal", pa.string()),
    pa.field("_frame", pa.int64()),
    pa.field("_position", pa.int32()),
)
_TRIES = 200
_DECODE_BYTES = 8 * 2**20
_ROW_KINDS = (Kind.ROWS, Kind.OPEN)


@dataclass(slots=True)
class JournalView:
    """The frames of one journal that the public file and the segments do not hold yet."""

    id: str
    path: Path
    handle: Handle
    scan: Scan
    after: int  #: frames up to this number are held elsewhere
    done: dict[Address, bytes] = field(default_factory=dict)
    attempts: dict[Address, int] = field(default_factory=dict)

    @property
    def last_frame(self) -> int:
        """Number of the last good frame, 0 when there is none."""
        return self.scan.frames[-1].number if self.scan.frames else 0

    def rows(self, upto: int | None = None) -> list[Frame]:
        """The frames with rows that are wanted, in order."""
        return [
            frame
            for frame in self.scan.frames
            if frame.kind in _ROW_KINDS and frame.number > self.after and (upto is None or frame.number <= upto)
        ]

    def payload(self, frame: Frame) -> Payload:
        """One frame as a codec gets it, read from the file."""
        data = self.handle.read_at(frame.offset, frame.length)
        if len(data) != frame.length:
            raise StoreError(f"{self.path}: frame {frame.number} can no longer be read")
        return Payload(self.id, frame.number, frame.time_ns, frame.n_rows, memoryview(data))


@dataclass(slots=True)
class SegmentView:
    """A sealed segment, and which of its rows the public file holds already."""

    path: Path
    source: ParquetSource
    absorbed: Mapping[str, int]

    @property
    def covers(self) -> Mapping[str, tuple[int, int]]:
        """Journal id -> first and last frame."""
        assert self.source.facts is not None  # checked when it was opened
        return self.source.facts.covers

    @property
    def untouched(self) -> bool:
        """Whether no row of it is in the public file."""
        return all(self.absorbed.get(journal, 0) < first for journal, (first, _) in self.covers.items())

    @property
    def spent(self) -> bool:
        """Whether every row of it is in the public file."""
        return all(self.absorbed.get(journal, 0) >= last for journal, (_, last) in self.covers.items())

    def batches(self) -> Iterator[pa.RecordBatch]:
        """The rows that are not in the public file, without their addresses."""
        if self.spent:
            return
        for batch in self.source.batches():
            kept = batch if self.untouched else batch.filter(self._fresh(batch))
            yield kept.drop_columns([f.name for f in ADDRESS_FIELDS])

    def count(self) -> int:
        """How many rows are not in the public file."""
        if self.spent:
            return 0
        if self.untouched:
            return self.source.n_rows
        names = [f.name for f in ADDRESS_FIELDS[:2]]
        return sum(int(self._fresh(batch).true_count) for batch in self.source.batches(names))

    def _fresh(self, batch: pa.RecordBatch) -> pa.BooleanArray:
        limits = (self.absorbed.get(journal, 0) for journal in batch["_journal"].to_pylist())
        return pa.array([frame > limit for frame, limit in zip(batch["_frame"].to_pylist(), limits, strict=True)])


@dataclass(slots=True)
class View:
    """One consistent state of a store."""

    spec: TableSpec
    base: ParquetSource | None
    segments: list[SegmentView]
    journals: list[JournalView]
    absorbed: dict[str, int]
    head: Head | None
    folder: Path
    sealed: dict[str, str] = field(default_factory=dict)  #: id -> file name of journals that a segment holds whole

    @property
    def done(self) -> dict[Address, bytes]:
        """Everything that was completed later, by address."""
        return {address: values for journal in self.journals for address, values in journal.done.items()}

    def open_addresses(self, journal: JournalView) -> dict[int, list[Address]]:
        """Frame number -> the rows of a journal that still lack values."""
        done = self.done
        found: dict[int, list[Address]] = {}
        for frame in journal.rows():
            if frame.kind == Kind.OPEN:
                positions = self.spec.codec.open_positions(journal.payload(frame))
                lacking = [a for p in positions if (a := Address(journal.id, frame.number, p)) not in done]
                if lacking:
                    found[frame.number] = lacking
        return found

    def pending_rows(self) -> int:
        """Rows that are not in the public file."""
        in_journals = sum(frame.n_rows for journal in self.journals for frame in journal.rows())
        return in_journals + sum(segment.count() for segment in self.segments)

    def pending_bytes(self) -> int:
        """Bytes in segments and journals that are not in the public file, about."""
        in_journals = sum(frame.length for journal in self.journals for frame in journal.rows())
        return in_journals + sum(segment.source.stat.size for segment in self.segments if not segment.spent)

    def n_rows(self) -> int:
        """All rows."""
        return (self.base.n_rows if self.base else 0) + self.pending_rows()

    def base_batches(self, columns: Sequence[str] | None = None) -> Iterator[pa.RecordBatch]:
        """The published rows in file order, in the schema of the table."""
        if self.base is None:
            return
        if self.base.facts is None or set(self.base.footer.metadata.schema.to_arrow_schema().names) != set(
            self.spec.schema.names
        ):
            table = self.spec.codec.upgrade(pa.Table.from_batches(self.base.batches()))
            yield from (table.select(columns) if columns is not None else table).to_batches()
            return
        yield from self.base.batches(columns)

    def pending_batches(self) -> Iterator[pa.RecordBatch]:
        """The rows that are not in the public file; values that are computed later may be null."""
        for segment in self.segments:
            yield from segment.batches()
        done = self.done
        for journal in self.journals:
            yield from self.decoded(journal, done)

    def decoded(
        self, journal: JournalView, done: Mapping[Address, bytes], upto: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of one journal up to a frame, a few MB at a time."""
        for payloads in payload_groups(journal, upto):
            yield self.spec.codec.decode(payloads, done)

    def close(self) -> None:
        """Close every file."""
        for segment in self.segments:
            segment.source.close()
        for journal in self.journals:
            journal.handle.close()
        if self.base is not None:
            self.base.close()


def payload_groups(journal: JournalView, upto: int | None = None) -> Iterator[list[Payload]]:
    """The wanted frames of a journal in groups of a few MB."""
    waiting: list[Payload] = []
    size = 0
    for frame in journal.rows(upto):
        waiting.append(journal.payload(frame))
        size += frame.length
        if size >= _DECODE_BYTES:
            yield waiting
            waiting, size = [], 0
    if waiting:
        yield waiting


class _Vanished(Exception):
    """A listed name is gone: somebody published while we looked."""


def look(files: Files, places: Places, spec: TableSpec, *, check: bool = True) -> View:
    """One consistent state of the store, every file of it open.

    Raises
    ------
    StoreMismatch, DamagedFile, VersionTooOld
        The public file is not the published one (only with ``check``), or a file fails its checks.
    """
    for attempt in range(_TRIES):
        try:
            return _look_once(files, places, spec, check=check)
        except (_Vanished, FileNotFoundError):
            time.sleep(min(0.05, 0.0005 * attempt))
    raise StoreError(f"{places.base}: was republished {_TRIES} times while it was being opened; try again")


def _look_once(files: Files, places: Places, spec: TableSpec, *, check: bool) -> View:
    names = files.names(places.folder)
    head = read_head(files, places)
    base = _open_base(files, places)
    if head is not None and check:
        try:
            check_base(head, base, places.base)
        except StoreError as error:
            if read_head(files, places) != head:
                raise _Vanished from error
            raise
    facts = base.facts if base is not None else None
    absorbed = dict(facts.absorbed) if facts is not None else {}
    store_id = head.store_id if head is not None else (facts.store_id if facts is not None else "")
    segments = [_open_segment(files, places, name, store_id, absorbed) for name in names if is_segment(name)]
    sealed = {journal for segment in segments for journal in segment.covers}
    journals = []
    skipped: dict[str, str] = {}
    for name in names:
        # segments are made of journals that are complete and closed: nothing in such a journal is news
        journal = journal_id(name)
        if journal is not None and journal in sealed:
            skipped[journal] = name
        elif journal is not None:
            journals.append(open_journal(files, places.folder / name, store_id, absorbed.get(journal, 0)))
    return View(spec, base, segments, journals, absorbed, head, places.folder, skipped)


def open_journal(files: Files, path: Path, store_id: str, after: int, handle: Handle | None = None) -> JournalView:
    """A journal's frames behind frame number ``after``, and what it completes of others."""
    handle = files.open(path) if handle is None else handle
    data, scan = read_journal(handle, path, store_id)
    if scan.damaged:
        raise DamagedFile(
            f"{path}: damaged behind frame {len(scan.frames)} (byte {scan.good_bytes} of {scan.total_bytes}), although "
            f"everything up to byte {scan.synced} had reached the disk. Nothing was changed. Restore the file from a "
            f"backup, or open with repair=True, which keeps the {len(scan.frames) + len(scan.salvaged)} good frames "
            "and sets the file aside in quarantine/"
        )
    view = JournalView(journal_id(path.name) or "", path, handle, scan, after)
    for frame in scan.frames:
        if frame.kind in (Kind.DONE, Kind.ATTEMPT):
            address, values = unpack_target(data[frame.offset : frame.offset + frame.length])
            if frame.kind == Kind.DONE:
                view.done[address] = values
            else:
                view.attempts[address] = view.attempts.get(address, 0) + 1
    return view


def _open_base(files: Files, places: Places) -> ParquetSource | None:
    if files.stat(places.base) is None:
        return None
    return ParquetSource(files.open(places.base), places.base)


def is_segment(name: str) -> bool:
    """Whether a file name is that of a segment."""
    return name.endswith(SEGMENT_SUFFIX) and not name.startswith(".") and len(name) == 32 + len(SEGMENT_SUFFIX)


def _open_segment(
    files: Files, places: Places, name: str, store_id: str, absorbed: Mapping[str, int]
) -> SegmentView:
    path = places.folder / name
    source = ParquetSource(files.open(path), path)
    if source.facts is None or not source.facts.covers or source.facts.store_id != store_id:
        raise StoreError(f"{path}: is no segment of this store; move it away (nothing was changed)")
    return SegmentView(path, source, absorbed)
