"""Replacing the public file: everything under the store's one lock, repaired by the next one if it is cut short.

Nothing is computed here. A journal goes only when its own lock was held before it was read to its end and every
frame of it is in a public file that has reached the disk.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

from toriwork.errors import (
    Busy,
    LockUnavailable,
    NotPermitted,
    PublishError,
    StoreError,
    StoreMismatch,
    VersionTooOld,
)
from toriwork.locks import BUSY, hold, holds, let_go
from toriwork.storage import frames, splice
from toriwork.storage.access import lock_holders
from toriwork.storage.columns import ParquetSource
from toriwork.storage.decoding import target_of
from toriwork.storage.files import WITH_REFLINKS
from toriwork.storage.footer import Facts
from toriwork.storage.frames import Kind
from toriwork.storage.head import Head, write_head
from toriwork.storage.journal import SUFFIX
from toriwork.storage.sink import Behind, ParquetSink
from toriwork.storage.view import JournalView, View, look, open_journal, open_rows

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    import pyarrow as pa

    from toriwork.storage.files import Files, Handle
    from toriwork.storage.head import Places
    from toriwork.storage.spec import TableSpec

_SPARE_BYTES = 2**20
_LARGE_BYTES = 64 * 2**20
MERGED_BYTES = 32 * 2**20  #: an extent that is larger is never written anew
_SMALL_BYTES = 2**16  #: a publish of less costs as much
_REMOVED_SECONDS = 1.0  # how long a lock file that somebody keeps removing is made anew


@dataclass(frozen=True, slots=True)
class Published:
    """What a publish did."""

    generation: int
    n_rows: int
    n_new: int
    removed: tuple[str, ...] = ()  #: ids of the journals that are gone
    torn: tuple[Path, ...] = ()  #: journals with a torn end, now in quarantine


@dataclass(slots=True)
class Lock:
    """The store's lock while it is held."""

    path: Path
    handle: Handle
    files: Files

    def still_ours(self) -> bool:
        """Whether the lock's name still stands for the file that we locked."""
        found = self.files.stat(self.path)
        return found is not None and found.identity == self.handle.stat().identity


@contextlib.contextmanager
def store_lock(files: Files, places: Places, *, wait: float = 0.0) -> Iterator[Lock | None]:
    """The store's lock, or None when somebody else held it for all of ``wait`` seconds.

    Raises
    ------
    Busy
        The calling thread holds it itself, in a call that this one interrupted: it would wait for itself.
    """
    until = time.monotonic() + wait
    while True:
        handle = files.create(places.lock, exclusive=False)
        try:
            lock = Lock(places.lock, handle, files)
            patience = 0.0
            if handle.try_lock():
                hold(places.lock, handle.close)
                try:
                    if lock.still_ours():  # a lock file that was removed meanwhile protects nothing
                        yield lock
                        return
                finally:
                    let_go(places.lock)
                    handle.unlock()
                patience = _REMOVED_SECONDS
            elif holds(places.lock) and wait:
                raise Busy(BUSY)
            if time.monotonic() >= until + patience:
                yield None
                return
        finally:
            handle.close()
        time.sleep(0.005)


def lock_holder(files: Files, places: Places) -> str:
    """Which process holds the store's lock, as words for a message; "" where nobody can tell."""
    found = files.stat(places.lock)
    return lock_holders(found.identity) if found is not None else ""


def refuse_network(files: Files, places: Places) -> None:
    """LockUnavailable where locks may be local to one host, so that two hosts would publish at once."""
    from toriwork.storage.files import NETWORK_FILE_SYSTEMS

    found = files.system_type(places.base.parent)
    if found in NETWORK_FILE_SYSTEMS:
        raise LockUnavailable(
            f"{places.base.parent} is on a network file system ({found}), where a lock may not reach other hosts; "
            "keep the state root on a local disk (TORI_STATE_ROOT), or read with read_only=True"
        )


@dataclass(slots=True)
class Plan:
    """What the next public file takes from where."""

    view: View
    cuts: dict[str, int] = field(default_factory=dict)  #: journal id -> last frame to absorb
    removable: list[JournalView] = field(default_factory=list)
    sealed: list[Path] = field(default_factory=list)  #: journals that a segment holds whole, locked by us

    def absorbed(self, files: Files) -> dict[str, int]:
        """Journal id -> last frame in the next public file; names that are gone from the folder are left out."""
        before = self.view.absorbed
        sealed = {j: last for segment in self.view.segments for j, (_, last) in segment.covers.items()}
        names = {journal.id for journal in self.view.journals} | set(self.view.sealed) | set(sealed)
        # a listing may pass over a name that was renamed onto just then
        names |= {j for j in before if files.stat(self.view.folder / (j + SUFFIX)) is not None}
        return {j: max(before.get(j, 0), self.cuts.get(j, 0), sealed.get(j, 0)) for j in sorted(names)}

    @property
    def n_new(self) -> int:
        """Rows that the next public file holds and the present one does not."""
        in_journals = sum(f.n_rows for journal in self.view.journals for f in journal.rows(self.cuts[journal.id]))
        return in_journals + sum(segment.count() for segment in self.view.segments)


def make_plan(files: Files, view: View, own: frozenset[str]) -> Plan:
    """Which frames can be absorbed, and which journals go afterwards.

    ``own`` are the closed journals of this process, whose locks it holds. A journal of a dead process is locked here
    and read again, since its owner may have written between our first look and its death.
    """
    plan = Plan(view)
    for index, journal in enumerate(view.journals):
        if journal.id in own:
            plan.removable.append(journal)
        elif journal.handle.try_lock() and _has_name(files, journal.path, journal.handle):
            again = open_journal(journal.handle, journal.path, _store_id(view), journal.after)
            view.journals[index] = again
            plan.removable.append(again)
    for path in (view.folder / name for name in view.sealed.values()):
        handle = files.open(path)
        view.opened.callback(handle.close)
        if handle.try_lock() and _has_name(files, path, handle):
            plan.sealed.append(path)
    _refuse_newer(view)
    plan.cuts = _cuts(view, {journal.id for journal in plan.removable})
    plan.removable = [j for j in plan.removable if plan.cuts[j.id] >= j.last_frame]
    return plan


def _has_name(files: Files, path: Path, handle: Handle) -> bool:
    """Whether a name still stands for an open file; a journal that was written anew after a failed sync does not."""
    found = files.stat(path)
    return found is not None and found.identity == handle.stat().identity


def _cuts(view: View, ended: AbstractSet[str]) -> dict[str, int]:
    """Last frame of each journal that may be absorbed: in front of the first row that lacks values.

    What completes a row that stays behind stays as well, or the row would lose its values. A row that a power cut took
    from a journal that has ``ended``, and not what completes it, stays nowhere.
    """
    cuts = {}
    last = {journal.id: journal.last_frame for journal in view.journals if journal.id in ended}
    done = view.done
    for journal in view.journals:
        lacking = open_rows(view.spec, journal, done)
        cuts[journal.id] = min(lacking) - 1 if lacking else journal.last_frame
    changed = True
    while changed:
        changed = False
        for journal in view.journals:
            for frame in journal.scan.frames:
                if frame.number > cuts[journal.id]:
                    break
                if frame.kind not in (Kind.DONE, Kind.ATTEMPT):
                    continue
                target, _ = target_of(journal.path, frame.number, bytes(journal.payload(frame).data))
                lost = target.frame > last.get(target.journal, target.frame)
                if target.journal in cuts and target.frame > cuts[target.journal] and not lost:
                    cuts[journal.id] = frame.number - 1
                    changed = True
                    break
    return cuts


def publish(files: Files, places: Places, spec: TableSpec, lock: Lock, own: frozenset[str]) -> Published:
    """What was done: the next generation of the public file stands, and what it absorbed is gone.

    Raises
    ------
    PublishError
        Disk full, a lock or public file that changed under our hands: nothing was changed.
    """
    try:
        files.sync_folder(places.folder)  # only names that are gone for good may be left out of ``absorbed``
        view = look(files, places, spec)
        with _freed_aside(files, view), view.opened:
            plan = make_plan(files, view, own)
            base = view.base
            if base is not None and base.facts is not None and not plan.n_new:
                settle(files, places, view)
                return Published(base.facts.generation, base.n_rows, 0, *_clean_up(files, places, plan))
            facts = _write_next(files, places, plan, lock)
            done = _clean_up(files, places, plan)
            return Published(facts.generation, facts.n_rows, plan.n_new, *done)
    except OSError as error:
        if isinstance(error, StoreError) and not isinstance(error, NotPermitted):
            raise
        raise PublishError(f"{places.base}: {error}; rows stay safe in the journals") from error


@contextlib.contextmanager
def _freed_aside(files: Files, view: View) -> Iterator[None]:
    """Let a thread free the public file that is replaced: for 250 MB that takes 0.2 s, which nobody has to wait for."""
    last: Handle | None = None
    if view.base is not None and view.base.stat.size > _LARGE_BYTES:
        with contextlib.suppress(OSError):  # out of descriptors: then it is freed here
            last = files.open(view.base.path)
    try:
        yield
    finally:
        if last is not None:
            try:
                threading.Thread(target=last.close, name="toriwork-free", daemon=True).start()
            except RuntimeError:  # an interpreter that ends starts no more threads
                last.close()


def settle(files: Files, places: Places, view: View) -> None:
    """Note in HEAD that the public file is on the disk, where a crash came between the rename and that note."""
    head = view.head
    if head is not None and not head.committed and view.base is not None:
        files.sync_folder(places.base.parent)
        held = {} if view.base.facts is not None else head.held
        digest, n_rows = view.base.footer.digest, view.base.n_rows
        write_head(files, places, replace(head, digest=digest, committed=True, n_rows=n_rows, held=held))


def _write_next(files: Files, places: Places, plan: Plan, lock: Lock) -> Facts:
    view = plan.view
    _ask_for_room(files, places, view)
    temporary = places.temporary
    handle = files.create(temporary)
    try:
        handle.try_lock()  # as long as it is locked nobody takes it for the remains of a dead process
        facts, n_retired = _write_file(files, handle, temporary, plan)
        if view.base is not None:
            handle.set_owner(view.base.stat.mode, view.base.stat.group)
        handle.sync()
        if facts.n_rows != (view.base.n_rows if view.base else 0) + plan.n_new - n_retired:
            raise PublishError(f"{places.base}: {facts.n_rows} rows were written, which is not what was to be written")
        digest = ParquetSource(handle, temporary).footer.digest  # read back: never publish what cannot be read
        head = Head(facts.store_id, facts.generation, digest, "", False, facts.n_rows)
        _exchange(files, places, view, head, lock, temporary)
        return facts
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            files.unlink(temporary)
        raise
    finally:
        handle.close()


def _ask_for_room(files: Files, places: Places, view: View) -> None:
    """Refuse before anything is written; where old bytes are shared, only new ones take room."""
    shared = files.system_type(places.base.parent) in WITH_REFLINKS
    expected = (view.base.stat.size if view.base and not shared else 0) + view.pending_bytes() + _SPARE_BYTES
    free = files.free_bytes(places.base.parent)
    if free < expected:
        raise PublishError(
            f"{places.base}: publishing needs about {expected:,} bytes, the disk has {free:,} free; "
            "rows stay safe in the journals"
        )


def _write_file(files: Files, handle: Handle, temporary: Path, plan: Plan) -> tuple[Facts, int]:
    """The facts of the next public file, and how many rows the table's retention left out.

    Row groups that stay as they are are copied, their bytes and their descriptions; the others are written anew.
    """
    view = plan.view
    spec, base, note = view.spec, view.base, view.note
    choice = spec.retention.begin(lambda columns: _all_batches(plan, columns), note) if spec.retention else None
    behind = kept_of(view)
    if choice is not None and behind.end and not choice.passes(behind.kept.n_rows):
        behind = Behind()
    if base is not None and behind.end:
        base.copy_to(handle, behind.end)
    sink = ParquetSink(handle, temporary, spec.schema, spec.dictionary, spec.group_bytes, keys=spec.keys, behind=behind)
    _index_kept(view, behind, sink)
    n_retired = 0
    for batch in _all_batches(plan, skip=behind.kept.n_rows):
        kept = batch if choice is None else choice.keep(batch)
        n_retired += batch.num_rows - kept.num_rows
        sink.write(kept)
    facts = Facts(
        _store_id(view),
        generation=_generation(view) + 1,
        absorbed=plan.absorbed(files),
        newest_ns=view.newest_ns(),
        note=note if choice is None else choice.note(),
    )
    return sink.close(facts), n_retired


def kept_of(view: View) -> Behind:
    """What of the public file the next one copies: all but its last extents, as long as these are small.

    An extent is written anew together with what follows it while it is less than twice as large: so small row groups
    become large ones, and a row is written a number of times that grows with the logarithm of the size only.
    """
    base = view.base
    if base is None or base.facts is None or not splice.same_schema(base.footer.raw, view.spec.schema):
        return Behind()
    extents = list(base.footer.extents())
    gathered = max(view.pending_bytes(), _SMALL_BYTES)
    while extents:
        size = extents[-1].end - (extents[-2].end if len(extents) > 1 else 0)
        if size > 2 * gathered or size > MERGED_BYTES:
            break
        gathered += size
        extents.pop()
    return base.behind(extents)


def _index_kept(view: View, behind: Behind, sink: ParquetSink) -> None:
    """Have the copied rows indexed that no index holds: a file of an earlier version has none."""
    keys, missing = view.spec.keys, behind.kept.n_rows - behind.indexed
    if keys is None or view.base is None:
        return
    for batch in view.base.batches(list(keys), skip=behind.indexed):
        if missing <= 0:
            return
        sink.note_keys(batch.slice(0, missing))
        missing -= batch.num_rows


def _all_batches(plan: Plan, columns: Sequence[str] | None = None, *, skip: int = 0) -> Iterator[pa.RecordBatch]:
    view = plan.view
    yield from view.base_batches(columns, skip=skip)
    for batch in view.pending_batches(plan.cuts):
        yield batch if columns is None else batch.select(columns)


def _exchange(files: Files, places: Places, view: View, head: Head, lock: Lock, temporary: Path) -> None:
    """HEAD, rename, folder, HEAD: a crash between any two is repaired by the next publish."""
    previous = view.base.footer.digest if view.base is not None else ""
    before = view.head or head
    prepared = replace(head, previous=previous, held=before.held, accepted=before.accepted)
    if not lock.still_ours():
        raise PublishError(f"{places.lock}: was removed or replaced while publishing; try again")
    now = files.stat(places.base)
    if (now.identity if now else None) != (view.base.stat.identity if view.base else None):
        raise StoreMismatch(f"{places.base}: was replaced by other software while publishing; nothing was changed")
    if view.base is not None and view.base.facts is None:
        original = places.folder / f"legacy-{view.base.footer.digest[:16]}.original"
        if files.stat(original) is None:
            files.link(places.base, original)
    write_head(files, places, prepared)
    files.replace(temporary, places.base)
    files.sync_folder(places.base.parent)
    write_head(files, places, replace(prepared, committed=True, held={}))


def _clean_up(files: Files, places: Places, plan: Plan) -> tuple[tuple[str, ...], tuple[Path, ...]]:
    """Remove what the public file absorbed: the ids of the journals that are gone, and where torn ones were set aside.

    A crash in here is harmless.
    """
    torn = []
    gone = [segment.path for segment in plan.view.segments] + plan.sealed
    for journal in plan.removable:
        if journal.scan.torn:
            torn.append(quarantine(files, places, journal.path))
        else:
            gone.append(journal.path)
    for path in gone:
        files.unlink(path)
    if gone or torn:
        files.sync_folder(places.folder)
    return tuple(journal.id for journal in plan.removable), tuple(torn)


def quarantine(files: Files, places: Places, path: Path) -> Path:
    """The new place of a file that is set aside under a name that was free."""
    files.make_folder(places.quarantine)
    taken = set(files.names(places.quarantine))
    name = next(n for i in range(len(taken) + 1) if (n := f"{path.name}.{i}") not in taken)
    target = places.quarantine / name
    files.replace(path, target)
    files.sync_folder(places.quarantine)
    files.sync_folder(path.parent)
    return target


def _refuse_newer(view: View) -> None:
    needed = {journal.path: journal.min_writer for journal in view.journals}
    sources = [segment.source for segment in view.segments] + ([view.base] if view.base is not None else [])
    needed |= {source.path: source.facts.min_writer for source in sources if source.facts is not None}
    for path, version in needed.items():
        if version > frames.FORMAT:
            raise VersionTooOld(f"{path}: may only be published by toriwork format {version}, this is {frames.FORMAT}")


def _store_id(view: View) -> str:
    assert view.head is not None  # whoever publishes has created HEAD first
    return view.head.store_id


def _generation(view: View) -> int:
    of_head = view.head.generation if view.head is not None else 0
    of_base = view.base.facts.generation if view.base is not None and view.base.facts is not None else 0
    return max(of_head, of_base)
