"""A snapshot of a store: its public file, and what is not in it yet. Read-only, without locks.

The order is what makes it right: list the folder, then open the public file, then open everything that was listed;
a name that vanished meanwhile means that somebody published, so everything starts again.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from toriwork.errors import BadInput, Busy, DamagedFile, StoreError
from toriwork.storage.columns import ParquetSource
from toriwork.storage.decoding import decode, misfit
from toriwork.storage.frames import Address
from toriwork.storage.head import Head, check_base, read_head
from toriwork.storage.journal import journal_id
from toriwork.storage.paths import StorePaths
from toriwork.storage.pending import (
    PendingJournal,
    PendingSegment,
    fitted,
    is_segment,
    is_segment_of,
    open_journal,
    payload_groups,
)

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.spec import TableSpec

_TRIES = 200


@dataclass(slots=True)
class Snapshot:
    """One consistent state of a store."""

    spec: TableSpec
    base: ParquetSource | None
    segments: list[PendingSegment]
    journals: list[PendingJournal]
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
        """The note of the table's retention in the public file; "" where there is none."""
        return self.base.facts.note if self.base is not None and self.base.facts is not None else ""

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
        schema = self.base.schema
        if self.base.facts is None:  # small: the software that wrote it kept it in memory whole
            table = self.spec.upgraded(pa.Table.from_batches(self.base.batches(), schema=schema))
            yield from (table.select(columns) if columns is not None else table).slice(skip).to_batches()
        elif schema.equals(self.spec.schema):
            yield from self.base.batches(columns, skip=skip)
        else:
            try:
                for batch in fitted(self.base.batches(skip=skip), self.spec):
                    yield batch if columns is None else batch.select(columns)
            except BadInput as error:
                raise misfit(self.base.path, error) from error

    def pending(self) -> list[PendingSegment | PendingJournal]:
        """Segments and journals in the order in which their journals were begun.

        A writer's journals follow each other in it, whatever they are called and whether they are sealed.
        """
        sources: list[PendingSegment | PendingJournal] = [*self.segments, *self.journals]
        return sorted(sources, key=lambda source: (source.created_ns, source.path.name))

    def pending_batches(self, cuts: Mapping[str, int] | None = None) -> Iterator[pa.RecordBatch]:
        """The rows that are not in the public file; values that are computed later may be null.

        With ``cuts`` (journal id -> last frame) only the frames of each journal up to there.
        """
        done = self.done
        for source in self.pending():
            if isinstance(source, PendingSegment):
                try:
                    yield from fitted(source.batches(), self.spec)
                except BadInput as error:
                    raise misfit(source.path, error) from error
            else:
                yield from self.decoded(source, done, None if cuts is None else cuts[source.id])

    def decoded(
        self, journal: PendingJournal, done: Mapping[Address, bytes], upto: int | None = None
    ) -> Iterator[pa.RecordBatch]:
        """The rows of one journal up to a frame, a few MB at a time."""
        for payloads in payload_groups(journal, upto):
            yield decode(self.spec, journal.path, payloads, done)

    def close(self) -> None:
        """Close every file."""
        self.opened.close()


class _Vanished(Exception):
    """A listed name is gone: somebody published while we looked."""


def open_snapshot(files: Files, paths: StorePaths, spec: TableSpec, *, check: bool = True) -> Snapshot:
    """One consistent state of the store, every file of it open.

    With ``check`` StoreMismatch where the public file is not the published one.
    """
    said: tuple[object, ...] | None = None
    for attempt in range(_TRIES):
        with ExitStack() as opened:
            try:
                snapshot = _open_once(files, paths, spec, opened, check=check)
            except (_Vanished, FileNotFoundError):
                said = None
            except Busy:  # of a handler that ran meanwhile: whoever called is to see it
                raise
            except StoreError as error:
                # somebody may publish, seal or set files aside at this moment: two looks at the same files must agree
                opened.close()
                again = (type(error), str(error).partition(": ")[0], files.stat(paths.head), files.stat(paths.base))
                if again == said:
                    raise
                said = again
            else:
                snapshot.opened = opened.pop_all()
                return snapshot
        time.sleep(min(0.05, 0.0005 * attempt))
    raise StoreError(f"{paths.base}: was republished {_TRIES} times while it was being opened; try again")


def _open_once(files: Files, paths: StorePaths, spec: TableSpec, opened: ExitStack, *, check: bool) -> Snapshot:
    names = files.names(paths.folder)
    head = read_head(files, paths)
    base = _open_base(files, paths, opened)
    if head is not None and check:
        try:
            check_base(head, base, paths.base)
        except StoreError as error:
            if read_head(files, paths) != head:
                raise _Vanished from error
            raise
    spec = grown(spec, head, base, paths.base)
    facts = base.facts if base is not None else None
    store_id = head.store_id if head is not None else (facts.store_id if facts is not None else "")
    # a file of other software, adopted or accepted with repair=True, cannot say what it holds of our journals
    held = head.held if head is not None else {}
    absorbed = dict(facts.absorbed if facts is not None and facts.store_id == store_id else held)
    snapshot = Snapshot(spec, base, [], [], absorbed, head, paths.folder, opened)
    listed = {journal_id(name) for name in names}
    for name in filter(is_segment, names):
        segment = _open_segment(files, paths.folder / name, store_id, snapshot, opened)
        snapshot.segments.append(segment)
        gaps = {j for j, (first, _) in segment.covers.items() if absorbed.get(j, 0) + 1 < first}
        segment.elsewhere |= (
            gaps & listed
        )  # an older public file was accepted: the journal itself has what lies between
    covered = {
        journal for segment in snapshot.segments for journal in segment.covers if journal not in segment.elsewhere
    }
    for name in names:
        # segments are made of journals that are complete and closed: nothing in such a journal is news
        journal = journal_id(name)
        if journal is not None and journal in covered:
            snapshot.sealed[journal] = name
        elif journal is not None:
            handle = files.open(paths.folder / name)
            opened.callback(handle.close)
            after = snapshot.absorbed.get(journal, 0)
            snapshot.journals.append(open_journal(handle, paths.folder / name, store_id, after))
    snapshot.journals.sort(key=lambda found: found.created_ns)
    return snapshot


def grown(spec: TableSpec, head: Head | None, base: ParquetSource | None, path: Path) -> TableSpec:
    """The table with the columns that users declared: what the public file says of them, else what HEAD does.

    StoreMismatch where other software wrote the public file, and its columns are those of another table.
    """
    stated = base.facts.columns if base is not None and base.facts is not None else ()
    known = {column.name for column in stated}
    columns = (*stated, *(column for column in (head.columns if head is not None else ()) if column.name not in known))
    try:
        spec = spec.grown(columns)
        if base is not None and base.facts is None:
            spec.upgraded(base.schema.empty_table())
    except BadInput as error:
        raise misfit(path, error) from error
    return spec


def _open_base(files: Files, paths: StorePaths, opened: ExitStack) -> ParquetSource | None:
    if files.stat(paths.base) is None:
        return None
    handle = files.open(paths.base)
    opened.callback(handle.close)
    return ParquetSource(handle, paths.base, again=False)


def _open_segment(files: Files, path: Path, store_id: str, snapshot: Snapshot, opened: ExitStack) -> PendingSegment:
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
    taken = {journal for segment in snapshot.segments for journal in segment.covers}
    created_ns = source.facts.created_ns or source.times(snapshot.spec.row_id)[0]
    return PendingSegment(path, source, snapshot.absorbed, created_ns, frozenset(taken & set(source.facts.covers)))
