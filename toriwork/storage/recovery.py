"""Recovery when a store is opened: the remains of dead writers, and with ``repair=True`` damaged files.

Everything that changes a file happens under the store's lock. A damaged file is moved to quarantine/, never
overwritten, emptied or deleted.
"""

from __future__ import annotations

import contextlib
import logging
import time
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from toriwork.errors import BadInput, DamagedFile, NotPermitted, OddFile, StoreMismatch
from toriwork.storage import frames
from toriwork.storage.columns import ParquetSource
from toriwork.storage.decoding import decode, is_sound
from toriwork.storage.head import Head, check_base, read_head, refuse_unrestored, write_head
from toriwork.storage.journal import journal_id, read_journal
from toriwork.storage.paths import TEMPORARY_SUFFIX as REPLACEMENT_SUFFIX
from toriwork.storage.pending import PendingJournal, is_segment, is_segment_of, note_completions, payload_groups
from toriwork.storage.publish import quarantine
from toriwork.storage.publish_stats import oldest_pending
from toriwork.storage.seal import TEMPORARY_SUFFIX, seal
from toriwork.storage.snapshot import Snapshot, grown, open_snapshot

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.handles import Handle
    from toriwork.storage.paths import StorePaths
    from toriwork.storage.spec import Column, TableSpec

_LOG = logging.getLogger("toriwork.storage")
_NO_NUMBER = 2**63  # of a frame: a column of addresses holds no more
_STALE_SECONDS = 60.0
_OWNER = "owner"  #: in a folder aside: locked as long as its maker is alive
_TEMPORARY_ENDINGS = (TEMPORARY_SUFFIX, REPLACEMENT_SUFFIX, ".journal.new")


@dataclass(slots=True)
class RecoveryReport:
    """The findings of opening a store."""

    n_rows: int = 0  #: all rows, published or not, when the table was opened
    columns: tuple[Column, ...] = ()  #: that users declared
    pending_bytes: int = 0  #: of rows that are not in the public file, about
    newest_ns: int = 0  #: highest time in the row ids, nanoseconds since 1970
    adopted_rows: int = 0  #: rows of dead writers that are not in the public file yet; they are kept
    torn: dict[str, int] = field(default_factory=dict)  #: journal file -> bytes behind its last good frame
    quarantined: list[Path] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)  #: what ``repair=True`` accepted
    #: time of the oldest unpublished row of writers that are gone, nanoseconds since 1970; None when there is none
    oldest_ns: int | None = None

    @property
    def clean(self) -> bool:
        """True when there was neither a torn write nor anything to repair."""
        return not (self.torn or self.quarantined or self.notes)


def create_head(files: Files, paths: StorePaths) -> None:
    """Give a store its identity, unless it has one. The caller holds the lock."""
    if read_head(files, paths) is not None:
        return
    left = _left(files, paths)
    if left:
        raise StoreMismatch(
            f"{paths.head}: is missing, although {len(left)} journals or segments lie beside it. Nothing was changed. "
            "Put it back from a backup, or open with repair=True, which takes the public file as it is and goes on"
        )
    write_head(files, paths, _new_head(files, paths))


def _left(files: Files, paths: StorePaths) -> list[str]:
    """The journals and segments."""
    return [name for name in files.names(paths.folder) if is_segment(name) or journal_id(name) is not None]


def _new_head(files: Files, paths: StorePaths) -> Head:
    if files.stat(paths.base) is None:
        return Head(_pending_store(files, paths) or uuid.uuid4().hex, 0, "", "", True, 0)
    with _source(files, paths.base) as source:
        facts = source.facts
        # a public file that knows its store came here as a copy; one that does not was written by legacy code
        store_id = facts.store_id if facts is not None else _pending_store(files, paths) or uuid.uuid4().hex
        generation = facts.generation if facts is not None else 0
        columns = facts.columns if facts is not None else ()
        return Head(store_id, generation, source.footer.digest, "", True, source.n_rows, columns=columns)


def _pending_store(files: Files, paths: StorePaths) -> str | None:
    """The store that the first readable journal beside a lost HEAD belongs to."""
    for name in files.names(paths.folder):
        if journal_id(name) is not None:
            with contextlib.closing(files.open(paths.folder / name)) as handle:
                header = frames.unpack_file_header(handle.read_at(0, frames.FILE_HEADER_BYTES))
            if header is not None:
                return header.store_id
    return None


@contextlib.contextmanager
def _source(files: Files, path: Path) -> Iterator[ParquetSource]:
    with contextlib.closing(files.open(path)) as handle:
        yield ParquetSource(handle, path)


def remove_stale(files: Files, paths: StorePaths) -> None:
    """Remove the half-written files of dead processes. The caller holds the lock."""
    inside = [paths.folder / name for name in files.names(paths.folder) if name.endswith(_TEMPORARY_ENDINGS)]
    beside = [paths.base.with_name(name) for name in files.names(paths.base.parent) if paths.is_temporary(name)]
    for path in inside + beside:
        with contextlib.suppress(NotPermitted):  # somebody else's: they are in nobody's way
            if is_abandoned(files, path):
                files.unlink(path)
    for name in filter(paths.is_aside, files.names(paths.base.parent)):
        _remove_aside(files, paths.base.with_name(name))


@contextlib.contextmanager
def aside(files: Files, paths: StorePaths) -> Iterator[Path]:
    """A new folder beside the public file, gone at the end; that of a dead process goes with :func:`remove_stale`."""
    import shutil

    folder = paths.aside
    files.make_folder(folder)
    try:
        with contextlib.closing(files.create(folder / _OWNER)):  # locked
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_aside(files: Files, folder: Path) -> None:
    """Remove a folder that :func:`aside` made when its maker is gone; what it holds are links and copies."""
    import shutil

    with contextlib.suppress(OSError, OddFile, NotPermitted):  # gone meanwhile, or somebody else's
        old = time.time() - folder.lstat().st_mtime > _STALE_SECONDS
        if old if files.stat(folder / _OWNER) is None else is_abandoned(files, folder / _OWNER):
            shutil.rmtree(folder, ignore_errors=True)


def is_abandoned(files: Files, path: Path) -> bool:
    """True for a file of ours that is a minute old and that nobody has locked."""
    try:
        found = files.stat(path)
        if found is None or time.time() - found.modified < _STALE_SECONDS:
            return False
        with contextlib.closing(files.open(path)) as handle:
            return handle.try_lock()  # its maker keeps it locked until it has its final name
    except (FileNotFoundError, OddFile):  # what is no file was not made by us
        return False


def examine(files: Files, paths: StorePaths, spec: TableSpec) -> RecoveryReport:
    """Report what dead writers left; nothing is changed, and an error where the store must not be used as it is."""
    snapshot = open_snapshot(files, paths, spec)
    report = RecoveryReport(
        snapshot.n_rows(), snapshot.spec.columns, snapshot.pending_bytes(), newest_ns=snapshot.newest_ns()
    )
    dead = []
    try:
        for journal in snapshot.journals:
            if not journal.handle.try_lock():
                continue  # alive: a bad tail is still being written
            dead.append(journal)
            report.adopted_rows += journal.n_rows
            if journal.scan.torn:
                report.torn[journal.path.name] = journal.scan.total_bytes - journal.scan.good_bytes
        report.oldest_ns = oldest_pending(files, snapshot, dead)
    finally:
        snapshot.close()
    for name, size in report.torn.items():
        _LOG.warning("%s: its writer died in the middle of a write; %d bytes behind the last row are cut", name, size)
    return report


def repair(files: Files, paths: StorePaths, spec: TableSpec) -> RecoveryReport:
    """Set aside and accept what keeps the store from being used; the report names it. The caller holds the lock."""
    report = RecoveryReport()
    head = _repair_head(files, paths, report)
    refuse_unrestored(head, paths.base)
    _repair_base(files, paths, spec, head, report)
    for name in files.names(paths.folder):
        if is_segment(name):
            _repair_segment(files, paths, head.store_id, paths.folder / name, report)
    for name in files.names(paths.folder):
        if journal_id(name) is not None:
            _repair_journal(files, paths, spec, head.store_id, paths.folder / name, report)
    _accept_base(files, paths, spec, report)
    return report


def _set_aside(files: Files, paths: StorePaths, path: Path, why: object, report: RecoveryReport) -> None:
    target = quarantine(files, paths, path)
    report.quarantined.append(target)
    report.notes.append(f"{path.name} goes to {target}: {_reason(why, path)}")


def _reason(why: object, path: Path) -> str:
    """The finding alone, of the error that an opening without repair gives: a note is told before and after."""
    return str(why).removeprefix(f"{path}: ").partition(". Nothing was changed")[0]


def _repair_head(files: Files, paths: StorePaths, report: RecoveryReport) -> Head:
    try:
        head = read_head(files, paths)
    except DamagedFile as error:
        _set_aside(files, paths, paths.head, f"{_reason(error, paths.head)}; it is written anew", report)
        head = None
    else:
        if head is None and _left(files, paths):
            report.notes.append(f"{paths.head.name} is missing; it is written anew")
    if report.notes and files.stat(paths.base) is None:  # and nothing says how many rows it held
        report.notes.append(
            f"{paths.base.name} is missing, too: rows that only it held are gone, unless a backup has them"
        )
    if head is None:
        with contextlib.suppress(DamagedFile):  # set aside in the next step
            head = _new_head(files, paths)
    if head is None:
        head = Head(_pending_store(files, paths) or uuid.uuid4().hex, 0, "", "", True, 0)
    write_head(files, paths, head)
    return head


def _repair_base(files: Files, paths: StorePaths, spec: TableSpec, head: Head, report: RecoveryReport) -> None:
    if files.stat(paths.base) is None:
        return
    try:
        with _source(files, paths.base) as source:
            source.check_data_digest()
            known = grown(spec, head, source, paths.base)
            if source.facts is None:  # it is read whole where it is read
                known.upgraded(pa.Table.from_batches(source.batches(), schema=source.schema))
            elif source.facts.store_id != head.store_id:  # else a newer release may know more columns
                list(known.fitted(source.schema.empty_table()))
            _read_all(source)
    except (DamagedFile, StoreMismatch, BadInput) as error:
        _set_aside(files, paths, paths.base, error, report)


def _read_all(source: ParquetSource) -> None:
    """Return when every row could be read: checksums may be right around what no reader can decode."""
    for _ in source.batches():
        pass


def _accept_base(files: Files, paths: StorePaths, spec: TableSpec, report: RecoveryReport) -> None:
    """Take the public file as it is. What it holds of journals is found by row ids if it cannot say so itself:
    whatever was published was a prefix of each journal, so no row of it comes again.
    """
    snapshot = open_snapshot(files, paths, spec, check=False)
    with snapshot.opened:
        assert snapshot.head is not None  # the first step of repairing
        try:
            check_base(snapshot.head, snapshot.base, paths.base)
            return
        except StoreMismatch as error:
            found = f"{paths.base.name} {_reason(error, paths.base)}"
            base = snapshot.base
            goes_on = "an empty one takes its place; rows in journals and segments stay"
            report.notes.append(f"{found}: {goes_on if base is None else 'it is accepted as it is'}")
        head, held = snapshot.head, {}
        if base is not None and (base.facts is None or base.facts.store_id != head.store_id):
            held = _frames_held(snapshot, _base_ids(snapshot))
        digest, n_rows = (base.footer.digest, base.n_rows) if base is not None else ("", 0)
        number = head.generation + 1
        accepted = Head(head.store_id, number, digest, "", True, n_rows, held, number, snapshot.spec.columns)
        write_head(files, paths, accepted)


def _repair_segment(files: Files, paths: StorePaths, store_id: str, path: Path, report: RecoveryReport) -> None:
    try:
        with _source(files, path) as source:
            source.check_data_digest()
            if not is_segment_of(source, store_id):
                raise DamagedFile(f"{path}: is no segment of this store")
            _read_all(source)
    except DamagedFile as error:
        # the journals it was made of are still there unless the public file holds their rows
        _set_aside(files, paths, path, error, report)


def _repair_journal(
    files: Files, paths: StorePaths, spec: TableSpec, store_id: str, path: Path, report: RecoveryReport
) -> None:
    with contextlib.closing(files.open(path)) as handle:
        if not handle.try_lock():
            return  # its owner is alive: opening will refuse it, if it is damaged, until that process has ended
        try:
            data, scan, _ = read_journal(handle, path, store_id, salvage=True)
        except DamagedFile as error:
            _set_aside(files, paths, path, error, report)
            return
        good = _sound_frames(spec, path, handle, (*scan.frames, *scan.salvaged))
        n_strange = len(scan.frames) + len(scan.salvaged) - len(good)
        if not scan.damaged and not n_strange:
            return
        name = journal_id(path.name) or ""
        saved = frames.Scan(good, scan.total_bytes, scan.total_bytes, 0, damaged=False)
        snapshot = PendingJournal(name, path, handle, saved, _absorbed(files, paths, store_id).get(name, 0))
        note_completions(snapshot, data)
        why = f"{len(good)} good frames, {len(scan.salvaged)} of them behind the damage"
        if n_strange:
            why = f"{len(good)} good frames, and {n_strange} that hold no rows of this table"
        if snapshot.rows():
            seal(files, paths, spec, store_id, [snapshot], snapshot.done)
            why += ", are in a new segment"
        _set_aside(files, paths, path, why, report)


def _sound_frames(
    spec: TableSpec, path: Path, handle: Handle, found: tuple[frames.Frame, ...]
) -> tuple[frames.Frame, ...]:
    """The frames that hold what they say, whatever their checksums say."""
    whole = frames.Scan(found, 0, 0, 0, damaged=False)
    snapshot = PendingJournal(journal_id(path.name) or "", path, handle, whole, 0)
    rows = {frame.number for frame in snapshot.wanted}
    sound: list[frames.Frame] = []
    for frame in found:
        # numbers only rise: one that does not is an address that other rows have, or none that a column holds
        rises = (sound[-1].number if sound else 0) < frame.number < _NO_NUMBER
        if rises and _is_sound(spec, snapshot, frame, rows):
            sound.append(frame)
    return tuple(sound)


def _is_sound(spec: TableSpec, snapshot: PendingJournal, frame: frames.Frame, rows: set[int]) -> bool:
    if frame.number in rows:
        return is_sound(spec, snapshot.payload(frame), {})
    if frame.kind in (frames.Kind.DONE, frames.Kind.ATTEMPT):
        return frame.length >= frames.TARGET_BYTES
    return True


def _absorbed(files: Files, paths: StorePaths, store_id: str) -> dict[str, int]:
    if files.stat(paths.base) is None:
        return {}
    with _source(files, paths.base) as source:
        ours = source.facts is not None and source.facts.store_id == store_id
        return dict(source.facts.absorbed) if ours and source.facts is not None else {}


def _base_ids(snapshot: Snapshot) -> pa.Array:
    """The row ids in the public file, as it stands."""
    name = snapshot.spec.row_id
    if snapshot.base is None or name not in snapshot.base.footer.metadata.schema.to_arrow_schema().names:
        return pa.array([], pa.string())
    ids = [batch.column(0).cast(pa.string()) for batch in snapshot.base.batches([name])]
    return pa.chunked_array(ids, pa.string())


def _frames_held(snapshot: Snapshot, ids: pa.ChunkedArray) -> dict[str, int]:
    """Journal id -> last frame with a row whose id is in the public file."""
    held: dict[str, int] = {}
    for segment in snapshot.segments:
        for batch in segment.source.batches([snapshot.spec.row_id, "_journal", "_frame"]):
            known = batch.filter(pc.is_in(batch.column(0), value_set=ids))
            for journal, frame in zip(known["_journal"].to_pylist(), known["_frame"].to_pylist(), strict=True):
                held[journal] = max(held.get(journal, 0), frame)
    for journal in snapshot.journals:
        everything = replace(journal, after=0)
        for payloads in payload_groups(everything):
            for payload in payloads:
                row_ids = decode(snapshot.spec, journal.path, [payload], {})[snapshot.spec.row_id]
                if pc.any(pc.is_in(row_ids, value_set=ids)).as_py():
                    held[journal.id] = payload.frame
    return held
