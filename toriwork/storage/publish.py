"""Replacing the public file: everything under the store's one lock, repaired by the next one if it is cut short.

Nothing is computed here. A journal goes only when its own lock was held before it was read to its end and every
frame of it is in a public file that has reached the disk.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from toriwork.errors import (
    NotPermitted,
    PublishError,
    StoreError,
    StoreMismatch,
)
from toriwork.storage import splice
from toriwork.storage.arrays import integers, times
from toriwork.storage.columns import ParquetSource
from toriwork.storage.files import WITH_REFLINKS
from toriwork.storage.footer import Facts
from toriwork.storage.head import Head, write_head
from toriwork.storage.publish_plan import PublishPlan, make_plan, store_id_of
from toriwork.storage.sink import Behind, ParquetSink
from toriwork.storage.snapshot import Snapshot, open_snapshot
from toriwork.storage.store_lock import Lock
from toriwork.threads import BackgroundThread

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.handles import Handle
    from toriwork.storage.paths import StorePaths
    from toriwork.storage.spec import Column, TableSpec

Told = Callable[[int, int], object]  #: hears how many rows were written since the last call, and of how many in all
_SPARE_BYTES = 2**20
_LARGE_BYTES = 64 * 2**20
MERGED_BYTES = 32 * 2**20  #: an extent that is larger is never written anew
_SMALL_BYTES = 2**16  #: a publish of less costs as much


@dataclass(frozen=True, slots=True)
class Published:
    """The outcome of a publish."""

    generation: int
    n_rows: int
    n_new: int
    removed: tuple[str, ...] = ()  #: ids of the journals that are gone
    torn: tuple[Path, ...] = ()  #: journals with a torn end, now in quarantine


def publish(
    files: Files,
    paths: StorePaths,
    spec: TableSpec,
    lock: Lock,
    own: frozenset[str],
    declared: Sequence[Column] = (),
    told: Told | None = None,
) -> Published:
    """Write the next generation of the public file, with columns that are declared now, and remove what it absorbed.

    PublishError: the disk is full, or lock or public file changed under our hands. BadInput: a column is there with
    another type. Nothing was changed then.
    """
    try:
        files.sync_folder(paths.folder)  # only names that are gone for good may be left out of ``absorbed``
        snapshot = open_snapshot(files, paths, spec)
        with _freed_aside(files, snapshot), snapshot.opened:
            snapshot.spec = snapshot.spec.grown(declared)
            plan = make_plan(files, snapshot, own)
            base = snapshot.base
            facts = base.facts if base is not None else None
            if base is not None and facts is not None and not plan.n_new and facts.columns == snapshot.spec.columns:
                settle(files, paths, snapshot)
                return Published(facts.generation, base.n_rows, 0, *_clean_up(files, paths, plan))
            facts = _write_next(files, paths, plan, lock, told)
            done = _clean_up(files, paths, plan)
            return Published(facts.generation, facts.n_rows, plan.n_new, *done)
    except OSError as error:
        if isinstance(error, StoreError) and not isinstance(error, NotPermitted):
            raise
        raise PublishError(f"{paths.base}: {error}; rows stay safe in the journals") from error


@contextlib.contextmanager
def _freed_aside(files: Files, snapshot: Snapshot) -> Iterator[None]:
    """Let a thread free the public file that is replaced: for 250 MB that takes 0.2 s, which nobody has to wait for."""
    last: Handle | None = None
    if snapshot.base is not None and snapshot.base.stat.size > _LARGE_BYTES:
        with contextlib.suppress(OSError):  # out of descriptors: then it is freed here
            last = files.open(snapshot.base.path)
    try:
        yield
    finally:
        if last is not None:
            try:
                BackgroundThread(last.close, "toriwork-free").start()
            except RuntimeError:  # an interpreter that ends starts no more threads
                last.close()


def settle(files: Files, paths: StorePaths, snapshot: Snapshot) -> None:
    """Note in HEAD that the public file is on the disk, where a crash came between the rename and that note."""
    head = snapshot.head
    if head is not None and not head.committed and snapshot.base is not None:
        files.sync_folder(paths.base.parent)
        held = {} if snapshot.base.facts is not None else head.held
        digest, n_rows = snapshot.base.footer.digest, snapshot.base.n_rows
        write_head(files, paths, replace(head, digest=digest, committed=True, n_rows=n_rows, held=held))


def _write_next(files: Files, paths: StorePaths, plan: PublishPlan, lock: Lock, told: Told | None) -> Facts:
    snapshot = plan.snapshot
    _ask_for_room(files, paths, snapshot)
    temporary = paths.temporary
    handle = files.create(temporary)
    try:
        handle.try_lock()  # as long as it is locked nobody takes it for the remains of a dead process
        facts, n_retired = write_rows(handle, temporary, plan, plan.absorbed(files), told)
        if snapshot.base is not None:
            handle.set_owner(snapshot.base.stat.mode, snapshot.base.stat.group)
        handle.sync()
        if facts.n_rows != (snapshot.base.n_rows if snapshot.base else 0) + plan.n_new - n_retired:
            raise PublishError(f"{paths.base}: {facts.n_rows} rows were written, which is not what was to be written")
        digest = ParquetSource(handle, temporary).footer.digest  # read back: never publish what cannot be read
        head = Head(facts.store_id, facts.generation, digest, "", False, facts.n_rows, columns=facts.columns)
        _exchange(files, paths, snapshot, head, lock, temporary)
        return facts
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            files.unlink(temporary)
        raise
    finally:
        handle.close()


def _ask_for_room(files: Files, paths: StorePaths, snapshot: Snapshot) -> None:
    """Refuse before anything is written; where old bytes are shared, only new ones take room."""
    shared = files.system_type(paths.base.parent) in WITH_REFLINKS
    expected = (
        (snapshot.base.stat.size if snapshot.base and not shared else 0) + snapshot.pending_bytes() + _SPARE_BYTES
    )
    free = files.free_bytes(paths.base.parent)
    if free < expected:
        raise PublishError(
            f"{paths.base}: publishing needs about {expected:,} bytes, the disk has {free:,} free; "
            "rows stay safe in the journals"
        )


def write_rows(
    handle: Handle, temporary: Path, plan: PublishPlan, absorbed: dict[str, int], told: Told | None = None
) -> tuple[Facts, int]:
    """The facts of the next public file, and how many rows the table's retention left out.

    ``told`` hears of each batch. Row groups that stay as they are are copied, their bytes and their descriptions; the
    others are written anew.
    """
    snapshot = plan.snapshot
    spec, base, note = snapshot.spec, snapshot.base, snapshot.note
    facts = Facts(
        store_id_of(snapshot),
        generation=generation_of(snapshot) + 1,
        absorbed=absorbed,
        newest_ns=snapshot.newest_ns(),
        published_us=_later(snapshot),
        columns=spec.columns,
    )
    choice = spec.retention.begin(lambda columns: _all_batches(plan, columns), note) if spec.retention else None
    behind = kept_of(snapshot)
    if choice is not None and behind.end and not choice.passes(behind.kept.n_rows):
        behind = Behind()
    if base is not None and behind.end:
        base.copy_to(handle, behind.end)
    sink = ParquetSink(handle, temporary, spec.schema, spec.dictionary, spec.group_bytes, keys=spec.keys, behind=behind)
    _index_kept(snapshot, behind, sink)
    n_retired, n_rows = 0, plan.n_new + (0 if base is None else base.n_rows - behind.kept.n_rows)
    for batch in _all_batches(plan, skip=behind.kept.n_rows, facts=facts):
        kept = batch if choice is None else choice.keep(batch)
        n_retired += batch.num_rows - kept.num_rows
        sink.write(kept)
        if told is not None:
            told(batch.num_rows, n_rows)
    return sink.close(replace(facts, note=note if choice is None else choice.note())), n_retired


def _later(snapshot: Snapshot) -> int:
    """The time of this publish, microseconds since 1970; behind that of the last one, whatever the clock says."""
    facts = snapshot.base.facts if snapshot.base is not None else None
    return max(time.time_ns() // 1000, facts.published_us + 1 if facts is not None else 0)


def kept_of(snapshot: Snapshot) -> Behind:
    """The part of the public file that the next one copies: all but its last extents while these are small.

    An extent is written anew together with what follows it while it is less than twice as large: so small row groups
    become large ones, and a row is written a number of times that grows with the logarithm of the size only.
    """
    base = snapshot.base
    if base is None or base.facts is None or not splice.same_schema(base.footer.raw, snapshot.spec.schema):
        return Behind()
    extents = list(base.footer.extents())
    gathered = max(snapshot.pending_bytes(), _SMALL_BYTES)
    while extents:
        size = extents[-1].end - (extents[-2].end if len(extents) > 1 else 0)
        if size > 2 * gathered or size > MERGED_BYTES:
            break
        gathered += size
        extents.pop()
    return base.behind(extents)


def _index_kept(snapshot: Snapshot, behind: Behind, sink: ParquetSink) -> None:
    """Have the copied rows indexed that no index holds: a file of an earlier version has none."""
    keys, missing = snapshot.spec.keys, behind.kept.n_rows - behind.indexed
    if keys is None or snapshot.base is None:
        return
    for batch in snapshot.base.batches(list(keys), skip=behind.indexed):
        if missing <= 0:
            return
        sink.note_keys(batch.slice(0, missing))
        missing -= batch.num_rows


def _all_batches(
    plan: PublishPlan, columns: Sequence[str] | None = None, *, skip: int = 0, facts: Facts | None = None
) -> Iterator[pa.RecordBatch]:
    """The rows of the next public file; with ``facts`` those that are new in it say when they came."""
    snapshot = plan.snapshot
    yield from snapshot.base_batches(columns, skip=skip)
    for batch in snapshot.pending_batches(plan.cuts):
        marked = batch if facts is None else _marked(batch, snapshot.spec, facts)
        yield marked if columns is None else marked.select(columns)


def _marked(batch: pa.RecordBatch, spec: TableSpec, facts: Facts) -> pa.RecordBatch:
    columns = list(batch.columns)
    for name, value in zip(spec.published, (facts.generation, facts.published_us), strict=False):
        at = batch.schema.get_field_index(name)
        values, of = [value] * batch.num_rows, batch.schema.field(at).type  # pa.scalar would load pandas
        columns[at] = times(values) if pa.types.is_timestamp(of) else integers(values, of)
    return pa.RecordBatch.from_arrays(columns, schema=batch.schema)


def _exchange(files: Files, paths: StorePaths, snapshot: Snapshot, head: Head, lock: Lock, temporary: Path) -> None:
    """HEAD, rename, folder, HEAD: a crash between any two is repaired by the next publish."""
    previous = snapshot.base.footer.digest if snapshot.base is not None else ""
    before = snapshot.head or head
    prepared = replace(head, previous=previous, held=before.held, accepted=before.accepted)
    if not lock.still_ours():
        raise PublishError(f"{paths.lock}: was removed or replaced while publishing; try again")
    now = files.stat(paths.base)
    if (now.identity if now else None) != (snapshot.base.stat.identity if snapshot.base else None):
        raise StoreMismatch(f"{paths.base}: was replaced by other software while publishing; nothing was changed")
    if snapshot.base is not None and snapshot.base.facts is None:
        original = paths.folder / f"legacy-{snapshot.base.footer.digest[:16]}.original"
        if files.stat(original) is None:
            files.link(paths.base, original)
    write_head(files, paths, prepared)
    files.replace(temporary, paths.base)
    files.sync_folder(paths.base.parent)
    write_head(files, paths, replace(prepared, committed=True, held={}))


def _clean_up(files: Files, paths: StorePaths, plan: PublishPlan) -> tuple[tuple[str, ...], tuple[Path, ...]]:
    """Remove what the public file absorbed: the ids of the journals that are gone, and where torn ones were set aside.

    A crash in here is harmless.
    """
    torn = []
    gone = [segment.path for segment in plan.snapshot.segments] + plan.sealed
    for journal in plan.removable:
        if journal.scan.torn:
            torn.append(quarantine(files, paths, journal.path))
        else:
            gone.append(journal.path)
    for path in gone:
        files.unlink(path)
    if gone or torn:
        files.sync_folder(paths.folder)
    return tuple(journal.id for journal in plan.removable), tuple(torn)


def quarantine(files: Files, paths: StorePaths, path: Path) -> Path:
    """The new place of a file that is set aside under a name that was free."""
    files.make_folder(paths.quarantine)
    taken = set(files.names(paths.quarantine))
    name = next(n for i in range(len(taken) + 1) if (n := f"{path.name}.{i}") not in taken)
    target = paths.quarantine / name
    files.replace(path, target)
    files.sync_folder(paths.quarantine)
    files.sync_folder(path.parent)
    return target


def generation_of(snapshot: Snapshot) -> int:
    """The highest generation that HEAD or the public file states; 0 before the first."""
    of_head = snapshot.head.generation if snapshot.head is not None else 0
    of_base = snapshot.base.facts.generation if snapshot.base is not None and snapshot.base.facts is not None else 0
    return max(of_head, of_base)
