"""Opening a store: folders, HEAD and the first public file are made, remains of dead writers are found."""

from __future__ import annotations

import contextlib
import errno
import logging
from contextlib import closing
from typing import TYPE_CHECKING

from toriwork.errors import BadInput, DamagedFile, LockUnavailable, NotFound
from toriwork.storage.columns import ParquetSource
from toriwork.storage.head import read_head
from toriwork.storage.manifest import MANIFEST_SUFFIX, manifest_fields
from toriwork.storage.publish import publish, settle
from toriwork.storage.recovery import RecoveryReport, create_head, examine, remove_stale, repair
from toriwork.storage.snapshot import open_snapshot
from toriwork.storage.splice import MAGIC
from toriwork.storage.store_lock import lock_holder, refuse_network, store_lock

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from toriwork.storage.files import Files
    from toriwork.storage.paths import StorePaths
    from toriwork.storage.spec import TableSpec

_LOG = logging.getLogger("toriwork.storage")

#: of a folder that we may not read, or of another kind of file system: we have made neither
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EINVAL, errno.EROFS, errno.ENOTSUP)


def open_for_reading(files: Files, paths: StorePaths, spec: TableSpec) -> RecoveryReport:
    """The report on a store that is only read; nothing is made, NotFound where there is none."""
    if files.stat(paths.base) is None and files.stat(paths.head) is None:
        raise NotFound(f"{paths.base}: there is no such table; read_only=True creates none")
    _refuse_foreign(files, paths, spec)
    snapshot = open_snapshot(files, paths, spec)
    with snapshot.opened:
        return RecoveryReport(snapshot.n_rows(), snapshot.spec.columns, snapshot.pending_bytes())


def open_for_writing(
    files: Files, paths: StorePaths, spec: TableSpec, *, mend: bool, wait: float
) -> tuple[RecoveryReport, str]:
    """The report on a store that is ready for writing, and the id of the store.

    ``mend`` repairs what is damaged; a store that is new or mended waits so many seconds for its lock.
    """
    refuse_network(files, paths)
    if files.stat(paths.head) is None:
        paths.refuse_new()
        _refuse_foreign(files, paths, spec)
        _refuse_backup(files, paths)
    made = files.make_folder(paths.folder)
    new = mend or read_head(files, paths) is None
    # a first opening that was cut short may have left new folders that only the disk's cache knows of
    _sync_folders(files, paths.folder.parents if new else made)
    mended = RecoveryReport()
    with store_lock(files, paths, wait=wait if new else 0.0) as lock:
        if lock is None and new:
            who = f"somebody else{lock_holder(files, paths)}"
            raise LockUnavailable(f"{paths.lock}: held by {who} for {wait:.0f} s; try again")
        if lock is not None:
            if mend:
                mended = repair(files, paths, spec)
                for note in mended.notes:
                    _LOG.warning("repair: %s", note)
            create_head(files, paths)
            remove_stale(files, paths)
            if files.stat(paths.base) is None:  # from now on every reader finds a file
                publish(files, paths, spec, lock, frozenset())
            _settle(files, paths, spec)
    head = read_head(files, paths)
    assert head is not None  # created above, or by whoever held the lock
    found = examine(files, paths, spec)
    found.quarantined, found.notes = mended.quarantined, mended.notes
    return found, head.store_id


def _refuse_foreign(files: Files, paths: StorePaths, spec: TableSpec) -> None:
    """BadInput where the public file is none of ours: nothing is in its folder, and it holds no rows of this table.

    Nothing was damaged there, so that nothing is made beside it, and no repair sets it aside.
    """
    if files.stat(paths.base) is None or files.names(paths.folder):
        return
    with closing(files.open(paths.base)) as handle:
        begins = handle.read_at(0, len(MAGIC))
        if begins != MAGIC:
            found = f"a file that begins with {begins!r}" if begins else "an empty file"
            raise BadInput(f"{paths.base}: expected a Parquet file, got {found}. It was left as it is")
        with contextlib.suppress(DamagedFile):  # which is told where it may be repaired
            base = ParquetSource(handle, paths.base)
            if base.facts is None:
                try:
                    spec.upgraded(base.schema.empty_table())
                except BadInput as error:
                    raise BadInput(f"{paths.base}: {error}. It was left as it is") from error


def _refuse_backup(files: Files, paths: StorePaths) -> None:
    """BadInput where the public file is a backup, which its first row would spoil."""
    manifest = paths.base.with_suffix(MANIFEST_SUFFIX)
    if files.stat(paths.base) is None or files.stat(manifest) is None:
        return
    try:
        with closing(files.open(manifest)) as handle:
            manifest_fields(handle.read_at(0, handle.stat().size))
    except ValueError:  # somebody's own file
        return
    raise BadInput(
        f"{paths.base}: is a backup, and is only read (read_only=True). Nothing was changed. Restore it to a root "
        "of its own to go on with it"
    )


def _sync_folders(files: Files, folders: Iterable[Path]) -> None:
    for folder in folders:
        try:
            files.sync_folder(folder)
        except OSError as error:
            if error.errno not in _NOT_OURS:
                raise
            return


def _settle(files: Files, paths: StorePaths, spec: TableSpec) -> None:
    head = read_head(files, paths)
    if head is not None and not head.committed:
        snapshot = open_snapshot(files, paths, spec)
        with snapshot.opened:
            settle(files, paths, snapshot)
