"""What a store holds at one moment: its public file, and what is not in it yet. Read-only, without locks.

The order is what makes it right: list the folder, then open the public file, then open everything that was listed;
a name that vanished meanwhile means that somebody published, so everything starts again.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from toriwork.errors import BadInput, Busy, DamagedFile, StoreError
from toriwork.storage.columns import ParquetSource
from toriwork.storage.decoding import decode, misfit, open_positions, target_of
from toriwork.storage.footer import damaged
from toriwork.storage.frames import Address, Frame, Kind, Scan
from toriwork.storage.head import Head, Places, check_base, read_head
from toriwork.storage.journal import journal_id, read_journal
from toriwork.storage.spec import Payload, unify

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
_DECODE_BYTES = 2 * 2**20
_ROW_KINDS = frozenset({int(Kind.ROWS), int(Kind.OPEN)})


@dataclass(slots=True)
class JournalView:
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
class SegmentView:
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
        """Whether no row of it is in the public file."""
        if self.elsewhere:
            return False
        return all(self.absorbed.get(journal, 0) < first for journal, (first, _) in self.covers.items())

    @property
    def spent(self) -> bool:
        """Whether every row of it is in the public file or taken from another place."""
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
    opened: ExitStack  #: every file
    sealed: dict[str, str] = field(default_factory=dict)  #: id -> file name of journals that a segment holds whole

    @property
    def done(self) -> dict[Address, bytes]:
        """Everything that was completed later, by address."""
        return {address: values for journal in self.journals for address, values in journal.done.items()}

    @property
    def note(self) -> str:
        """What the table's retention noted in the public file about its rows; "" where it noted nothing."""
        return self.base.facts.note if self.base is not None and self.base.facts is not None else ""

    def open_addresses(self, journal: JournalView) -> dict[int, list[Address]]:
        """Frame number -> the rows of a journal that still lack values."""
        return open_rows(self.spec, journal, self.done)

    def pending_rows(self) -> int:
        """Rows that are not in the public file."""
        in_journals = sum(journal.n_rows for journal in self.journals)
        return in_journals + sum(segment.count() for segment in self.segments)

    def pending_bytes(self) -> int:
        """Bytes in segments and journals that are not in the public file, about."""
        in_journals = sum(journal.n_bytes for journal in self.journals)
        return in_journals + sum(segment.source.stat.size for segment in self.segments if not segment.spent)

    def newest_ns(self) -> int:
        """The highest time in the row ids of all rows, nanoseconds since 1970; 0 when there are none."""
        row_id = self.spec.row_id
        base = self.base
        facts = base.facts if base is not None else None
        stated = facts.newest_ns if facts is not None else 0
        times = [stated or (base.times(row_id)[1] if base is not None else 0)]
        times += [segment.source.times(row_id)[1] for segment in self.segments]
        times += [frame.time_ns + frame.n_rows for journal in self.journals for frame in journal.wanted[-1:]]
        return max(times)

    def n_rows(self) -> int:
        """All rows."""
        return (self.base.n_rows if self.base else 0) + self.pending_rows()

    def base_batches(self, columns: Sequence[str] | None = None, *, skip: int = 0) -> Iterator[pa.RecordBatch]:
        """The published rows in file order, in the schema of the table; not the first ``skip`` of them."""
        if self.base is None:
            return
        schema = self.base.footer.metadata.schema.to_arrow_schema()
        if self.base.facts is None:  # small: the software that wrote it kept it in memory whole
            table = self.spec.codec.upgrade(pa.Table.from_batches(self.base.batches(), schema=schema))
            yield from (table.select(columns) if columns is not None else table).slice(skip).to_batches()
        elif schema.equals(self.spec.schema):
            yield from self.base.batches(columns, skip=skip)
        else:
            try:
                for batch in fitted(self.base.batches(skip=skip), self.spec.schema):
                    yield batch if columns is None else batch.select(columns)
            except BadInput as error:
                raise misfit(self.base.path, error) from error

    def pending(self) -> list[SegmentView | JournalView]:
        """Segments and journals in the order in which their journals were begun.

        A writer's journals follow each other in it, whatever they are called and whether they are sealed.
        """
        sources: list[SegmentView | JournalView] = [*self.segments, *self.journals]
        return sorted(sources, key=lambda source: (source.created_ns, source.path.name))

    def pending_batches(self, cuts: Mapping[str, int] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows that are not in the public file; values that are computed later may be null.

        With ``cuts`` (journal id -> last frame) only the frames of each journal up to there.
        """
        done = self.done
        for source in self.pending():
            if isinstance(source, SegmentView):
                try:
                    yield from fitted(source.batches(), self.spec.schema)
                except BadInput as error:
                    raise misfit(source.path, error) from error
            else:
                yield from self.decoded(source, done, None if cuts is None else cuts[source.id])

    def decoded(
        self, journal: JournalView, done: Mapping[Address, bytes], upto: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of one journal up to a frame, a few MB at a time."""
        for payloads in payload_groups(journal, upto):
            yield decode(self.spec, journal.path, payloads, done)

    def close(self) -> None:
        """Close every file."""
        self.opened.close()


def fitted(batches: Iterable[pa.RecordBatch], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """Batches in a schema that may have grown since they were written: columns that they lack as nulls."""
    for batch in batches:
        if batch.schema.equals(schema):
            yield batch
        else:
            yield from unify(pa.Table.from_batches([batch]), schema).to_batches()


def open_rows(spec: TableSpec, journal: JournalView, done: Mapping[Address, bytes]) -> dict[int, list[Address]]:
    """Frame number -> the rows of a journal that still lack values, where it is known what was completed."""
    found: dict[int, list[Address]] = {}
    for frame in journal.rows():
        if frame.kind == Kind.OPEN:
            positions = open_positions(spec, journal.path, journal.payload(frame))
            lacking = [a for p in positions if (a := Address(journal.id, frame.number, p)) not in done]
            if lacking:
                found[frame.number] = lacking
    return found


def payload_groups(journal: JournalView, upto: int | None = None) -> Iterator[list[Payload]]:
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


class _Vanished(Exception):
    """A listed name is gone: somebody published while we looked."""


def look(files: Files, places: Places, spec: TableSpec, *, check: bool = True) -> View:
    """One consistent state of the store, every file of it open.

    Raises
    ------
    StoreMismatch, DamagedFile, VersionTooOld
        The public file is not the published one (only with ``check``), or a file fails its checks.
    """
    said: tuple[object, ...] | None = None
    for attempt in range(_TRIES):
        with ExitStack() as opened:
            try:
                view = _look_once(files, places, spec, opened, check=check)
            except (_Vanished, FileNotFoundError):
                said = None
            except Busy:  # of a handler that ran meanwhile: whoever called is to see it
                raise
            except StoreError as error:
                # somebody may publish, seal or set files aside at this moment: two looks at the same files must agree
                opened.close()
                again = (type(error), str(error).partition(": ")[0], files.stat(places.head), files.stat(places.base))
                if again == said:
                    raise
                said = again
            else:
                view.opened = opened.pop_all()
                return view
        time.sleep(min(0.05, 0.0005 * attempt))
    raise StoreError(f"{places.base}: was republished {_TRIES} times while it was being opened; try again")


def _look_once(files: Files, places: Places, spec: TableSpec, opened: ExitStack, *, check: bool) -> View:
    names = files.names(places.folder)
    head = read_head(files, places)
    base = _open_base(files, places, opened)
    if head is not None and check:
        try:
            check_base(head, base, places.base)
        except StoreError as error:
            if read_head(files, places) != head:
                raise _Vanished from error
            raise
    facts = base.facts if base is not None else None
    store_id = head.store_id if head is not None else (facts.store_id if facts is not None else "")
    # a file of other software, adopted or accepted with repair=True, cannot say what it holds of our journals
    held = head.held if head is not None else {}
    absorbed = dict(facts.absorbed if facts is not None and facts.store_id == store_id else held)
    view = View(spec, base, [], [], absorbed, head, places.folder, opened)
    listed = {journal_id(name) for name in names}
    for name in filter(is_segment, names):
        segment = _open_segment(files, places.folder / name, store_id, view, opened)
        view.segments.append(segment)
        gaps = {j for j, (first, _) in segment.covers.items() if absorbed.get(j, 0) + 1 < first}
        segment.elsewhere |= (
            gaps & listed
        )  # an older public file was accepted: the journal itself has what lies between
    covered = {journal for segment in view.segments for journal in segment.covers if journal not in segment.elsewhere}
    for name in names:
        # segments are made of journals that are complete and closed: nothing in such a journal is news
        journal = journal_id(name)
        if journal is not None and journal in covered:
            view.sealed[journal] = name
        elif journal is not None:
            handle = files.open(places.folder / name)
            opened.callback(handle.close)
            after = view.absorbed.get(journal, 0)
            view.journals.append(open_journal(handle, places.folder / name, store_id, after))
    view.journals.sort(key=lambda found: found.created_ns)
    return view


def open_journal(handle: Handle, path: Path, store_id: str, after: int) -> JournalView:
    """A journal's frames behind frame number ``after``, and what it completes of others."""
    data, scan, header = read_journal(handle, path, store_id)
    if scan.damaged:
        raise DamagedFile(
            f"{path}: damaged behind frame {len(scan.frames)} (byte {scan.good_bytes} of {scan.total_bytes}), although "
            f"everything up to byte {scan.synced} had reached the disk. Nothing was changed. Restore the file from a "
            f"backup, or open with repair=True, which keeps the {len(scan.frames) + len(scan.salvaged)} good frames "
            "and sets the file aside in quarantine/"
        )
    view = JournalView(journal_id(path.name) or "", path, handle, scan, after)
    if header is not None:
        view.created_ns, view.min_writer = header.created_ns, header.min_writer
    note_completions(view, data)
    return view


def note_completions(view: JournalView, data: bytes) -> None:
    """Fill in what a journal says about rows that were to be completed later."""
    kinds = {int(Kind.DONE), int(Kind.ATTEMPT)}
    for frame in view.scan.frames:
        if frame.kind in kinds:
            address, values = target_of(view.path, frame.number, data[frame.offset : frame.offset + frame.length])
            if frame.kind == Kind.DONE:
                view.done[address] = values
            else:
                view.attempts[address] = view.attempts.get(address, 0) + 1


def _open_base(files: Files, places: Places, opened: ExitStack) -> ParquetSource | None:
    if files.stat(places.base) is None:
        return None
    handle = files.open(places.base)
    opened.callback(handle.close)
    return ParquetSource(handle, places.base)


def is_segment(name: str) -> bool:
    """Whether a file name is that of a segment."""
    return name.endswith(SEGMENT_SUFFIX) and not name.startswith(".") and len(name) == 32 + len(SEGMENT_SUFFIX)


def is_segment_of(source: ParquetSource, store_id: str) -> bool:
    """Whether a file is a segment of a store: it says so, and its rows have addresses."""
    schema = source.footer.metadata.schema.to_arrow_schema()
    addressed = all(schema.get_field_index(field.name) >= 0 for field in ADDRESS_FIELDS)
    facts = source.facts
    return addressed and facts is not None and bool(facts.covers) and facts.store_id == store_id


def _open_segment(files: Files, path: Path, store_id: str, view: View, opened: ExitStack) -> SegmentView:
    handle = files.open(path)
    opened.callback(handle.close)
    source = ParquetSource(handle, path)
    if not is_segment_of(source, store_id):
        raise DamagedFile(
            f"{path}: is no segment of this store. Nothing was changed. Move it away, or open with repair=True, which "
            "sets it aside in quarantine/"
        )
    assert source.facts is not None  # is_segment_of looked
    # a seal that was cut short by an error may have been done twice
    taken = {journal for segment in view.segments for journal in segment.covers}
    created_ns = source.facts.created_ns or source.times(view.spec.row_id)[0]
    return SegmentView(path, source, view.absorbed, created_ns, frozenset(taken & set(source.facts.covers)))
