"""Restoring a backup, here or elsewhere, and a rehearsal of what ``repair=True`` would do.

What a restore replaces is kept: it becomes a store of its own in a folder beside.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from dataclasses import replace as changed
from pathlib import Path
from typing import TYPE_CHECKING

from toriwork.errors import DamagedFile, LockUnavailable, NotFound, StoreError, StoreMismatch
from toriwork.storage.access import lock_holders, typed
from toriwork.storage.columns import ParquetSource
from toriwork.storage.files import OsFiles, write_whole
from toriwork.storage.head import Head, read_head, write_head
from toriwork.storage.journal import journal_id
from toriwork.storage.manifest import sha256_of
from toriwork.storage.paths import StorePaths
from toriwork.storage.pending import PendingSegment, is_segment, open_journal
from toriwork.storage.publish_plan import has_name
from toriwork.storage.recovery import RecoveryReport, aside, remove_stale, repair
from toriwork.storage.store_lock import lock_holder, refuse_network, store_lock

if TYPE_CHECKING:
    import os

    from toriwork.storage.files import Files
    from toriwork.storage.handles import Handle
    from toriwork.storage.manifest import Backup
    from toriwork.storage.spec import TableSpec

_LOCK_WAIT = 60.0  # seconds


@dataclass(frozen=True, slots=True)
class Restored:
    """The outcome of a restore."""

    path: Path
    n_rows: int
    kept: Path | None  #: the public file of what was there before, which opens; None where nothing was


def restore(
    found: Backup,
    path: str | os.PathLike[str],
    *,
    replace: bool = False,
    empty: bool = False,
    beside: Iterable[str] = (),
    files: Files | None = None,
) -> Restored:
    """The table that a backup holds, at ``path``; equal to what it was, row for row.

    It is complete or refused: when the machine dies in the middle, the table that is replaced is there as it was, or
    every opening says what to do, which is to restore once more. Rows that a writer records meanwhile, who had recorded
    none before, are rows of the restored table.

    Parameters
    ----------
    replace
        Take the place of a table that is there. It is kept in ``x.replaced-TIME/``, its unpublished rows too.
    empty
        Also where the backup holds no row and the table that is there does.
    beside
        Endings of small files beside the public file that belong to it: one that the backup does not have goes, too.

    Raises
    ------
    StoreMismatch
        There is a table and ``replace`` was not given; or it is of another store; or it has rows and the backup none.
    LockUnavailable
        Somebody has the table open and has recorded in it, or publishes.
    DamagedFile, NotFound, StoreError
        The backup is not what its manifest says; or the disk refused. Nothing was changed.
    """
    paths = StorePaths.of(path)
    files = OsFiles(paths.base) if files is None else files
    with typed(paths.base):
        refuse_network(files, paths)
        paths.refuse_new()
        for parent in files.make_folder(paths.base.parent):
            files.sync_folder(parent)
        with store_lock(files, paths, wait=_LOCK_WAIT) as lock:
            if lock is None:
                raise LockUnavailable(f"{paths.lock}: held by somebody else{lock_holder(files, paths)}; try again")
            remove_stale(files, paths)
            there = files.stat(paths.base) is not None or bool(files.names(paths.folder))
            if there and not replace:
                raise StoreMismatch(
                    f"{paths.base}: expected no table there, got one. Nothing was changed. Restore it to another root, "
                    "or say that it is to be replaced (--replace): it is kept beside"
                )
            with contextlib.ExitStack() as held:
                pending: list[str] | None = None
                if there:
                    _refuse_others(files, paths, found)
                    pending = _lock_journals(files, paths, held)
                    if not found.n_rows and not empty:
                        _refuse_empty(files, paths, found)
                return _put(files, paths, found, pending, {**dict.fromkeys(beside, ""), **found.beside})


def _refuse_others(files: Files, paths: StorePaths, found: Backup) -> None:
    """StoreMismatch where another store is to be replaced: who has it open would go on writing into this one."""
    with contextlib.suppress(DamagedFile):  # restoring is the remedy
        head = read_head(files, paths)
        if head is not None and found.store_id not in ("", head.store_id):
            raise StoreMismatch(
                f"{paths.base}: is of another store ({head.store_id[:8]}) than the backup ({found.store_id[:8]}). "
                f"Nothing was changed. Restore it to another root, or move {paths.base.name} and {paths.folder.name} "
                "away"
            )


def _refuse_empty(files: Files, paths: StorePaths, found: Backup) -> None:
    """StoreMismatch where there are rows: a backup of a table that had just been made anew may be the newest."""
    if any(_rows_there(files, paths)):
        raise StoreMismatch(
            f"{found.path}: holds no rows, the table at {paths.base} does. Nothing was changed. Choose another backup "
            f"of {found.table} by its name, or say that an empty table is meant (empty=True, --empty)"
        )


def _rows_there(files: Files, paths: StorePaths) -> Iterator[int]:
    """The rows of each file of a table, published or not; what is damaged counts as nothing."""
    absorbed: dict[str, int] = {}
    store_id = ""
    with contextlib.suppress(StoreError, FileNotFoundError), closing(files.open(paths.base)) as handle:
        base = ParquetSource(handle, paths.base)
        yield base.n_rows
        if base.facts is not None:
            absorbed, store_id = base.facts.absorbed, base.facts.store_id
    with contextlib.suppress(StoreError):
        head = read_head(files, paths)
        store_id = head.store_id if head is not None else store_id
    for name in files.names(paths.folder):
        path, journal = paths.folder / name, journal_id(name)
        if journal is None and not is_segment(name):
            continue
        with contextlib.suppress(StoreError, FileNotFoundError), closing(files.open(path)) as handle:
            if journal is not None:
                yield open_journal(handle, path, store_id, absorbed.get(journal, 0)).n_rows
            else:
                yield PendingSegment(path, ParquetSource(handle, path), absorbed, 0).count()


def _lock_journals(files: Files, paths: StorePaths, held: contextlib.ExitStack) -> list[str]:
    """The names of all journals, whose locks are held, so that nobody records in them now, and of all segments.

    A writer makes a journal under a lock of its own, and a segment of it, at any time: what is not among these is
    nobody's to remove.
    """
    names = []
    for name in files.names(paths.folder):
        if journal_id(name) is not None:
            try:
                handle = files.open(paths.folder / name)
            except FileNotFoundError:  # its owner ended, and it held no row
                continue
            held.callback(handle.close)
            if not (handle.try_lock() and has_name(files, paths.folder / name, handle)):
                raise LockUnavailable(
                    f"{paths.base}: is in use{lock_holders(handle.stat().identity)}. Nothing was changed. End or close "
                    "what records there, or restore to another root"
                )
            names.append(name)
    # listed when no journal of before can become one any more
    return [*filter(is_segment, files.names(paths.folder)), *names]


def _put(files: Files, paths: StorePaths, found: Backup, pending: list[str] | None, texts: dict[str, str]) -> Restored:
    """The table in its place, with the files beside it.

    ``pending`` are the journals and segments of the one that was there, None where there was none.
    """
    temporary = paths.temporary
    handle = files.create(temporary)
    try:
        handle.try_lock()
        try:
            opened = files.open(found.path)
        except FileNotFoundError:
            raise NotFound(f"{found.path}: is missing, its manifest is there; choose another backup") from None
        with closing(opened) as source:
            status, copied = source.stat(), 0
            while copied < status.size:
                taken = handle.copy_from(source, copied, status.size - copied)
                if taken <= 0:
                    raise StoreError(f"{found.path}: expected {status.size} bytes to copy, got {copied}")
                copied += taken
        if pending is None:
            handle.set_owner(status.mode, status.group)
        handle.sync()
        new = _sound(handle, temporary, found)
        head = kept = None
        if pending is not None:
            head = _next_head(files, paths, new)
            kept = _set_aside(files, paths, head, pending, texts)
        files.replace(temporary, paths.base)
        files.sync_folder(paths.base.parent)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            files.unlink(temporary)
        raise
    finally:
        handle.close()
    for ending, text in texts.items():
        if text:
            write_whole(files, paths.base.with_suffix(ending), text.encode())
        else:
            files.unlink(paths.base.with_suffix(ending))
    if head is not None:
        write_head(files, paths, changed(head, restoring=""))
    return Restored(paths.base, new.n_rows, kept)


def _sound(handle: Handle, temporary: Path, found: Backup) -> ParquetSource:
    """The copy, which is what the manifest says; DamagedFile names the backup, since nobody has the copy."""
    again = f"Nothing was changed. Choose another backup of {found.table} by its name"
    if sha256_of(handle) != found.sha256:
        raise DamagedFile(f"{found.path}: damaged: its SHA-256 is not that of its manifest. {again}")
    try:
        new = ParquetSource(handle, temporary)
        new.check_data_digest()
    except DamagedFile as error:
        why = str(error).removeprefix(f"{temporary}: ").partition(". ")[0]
        raise DamagedFile(f"{found.path}: is what its manifest says, and is no sound table: {why}. {again}") from error
    facts = new.facts
    stated = (found.n_rows, found.n_bytes, found.generation)
    holds = (new.n_rows, new.stat.size, facts.generation if facts is not None else 0)
    if stated != holds:
        raise DamagedFile(
            f"{found.path}: is not what its manifest says: expected rows, bytes, generation "
            f"{stated}, got {holds}. {again}"
        )
    return new


def _next_head(files: Files, paths: StorePaths, new: ParquetSource) -> Head:
    """The record of a restored file, with the folder that keeps what was there; a restore cut short had one."""
    before: Head | None = None
    with contextlib.suppress(DamagedFile):
        before = read_head(files, paths)
    facts = new.facts
    store_id = facts.store_id if facts is not None else before.store_id if before is not None else secrets.token_hex(16)
    stated = (facts.generation if facts is not None else 0, before.generation if before is not None else 0)
    number = max(stated) + 1
    restoring = before.restoring if before is not None else ""
    if not restoring or not files.names(paths.base.with_name(restoring)):
        restoring = _free_name(files, paths)
    columns = facts.columns if facts is not None else ()
    # accepted: cursors of before are told that the rows are others
    return Head(
        store_id, number, new.footer.digest, "", True, new.n_rows, accepted=number, columns=columns, restoring=restoring
    )


def _set_aside(files: Files, paths: StorePaths, head: Head, pending: list[str], endings: Iterable[str]) -> Path:
    """Where the table that was there is kept, as a store of its own; HEAD refuses it here from now on.

    HEAD names the new public file before anything goes: so no opening takes the old one without its journals.
    """
    kept = StorePaths(paths.base.with_name(head.restoring) / paths.base.name)
    resumed = bool(files.names(kept.base.parent))
    for folder in (paths.folder, kept.folder):
        for parent in files.make_folder(folder):
            files.sync_folder(parent)
    wanted = [(paths.folder / name, kept.folder / name) for name in pending]
    if not resumed:  # else they are there, and of what lies here nobody knows
        wanted += [(paths.folder / "HEAD", kept.folder / "HEAD"), (paths.base, kept.base)]
        wanted += [(paths.base.with_suffix(ending), kept.base.with_suffix(ending)) for ending in endings]
    for source, target in wanted:
        if files.stat(source) is not None and files.stat(target) is None:
            files.link(source, target)
    files.sync_folder(kept.base.parent)
    files.sync_folder(kept.folder)
    write_head(files, paths, head)
    for name in pending:
        files.unlink(paths.folder / name)
    files.sync_folder(paths.folder)
    return kept.base


def _free_name(files: Files, paths: StorePaths) -> str:
    """A name for a folder beside the public file."""
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
    taken = files.names(paths.base.parent)
    names = (f"{paths.base.stem}.replaced-{stamp}{ending}" for ending in ("", *(f".{n}" for n in range(1, 1000))))
    return next(name for name in names if name not in taken)


def rehearse_repair(path: str | os.PathLike[str], spec: TableSpec) -> RecoveryReport:
    """The report that ``repair=True`` would give now: what it would set aside, and what it would accept.

    The same code runs on a folder of hard links to the store's files, which repairing moves and never changes.
    """
    paths = StorePaths.of(path)
    files = OsFiles(paths.base)
    with typed(paths.base), _trial(files, paths) as trial:
        here, there = str(trial.base.parent), str(paths.base.parent)
        try:
            report = repair(OsFiles(trial.base), trial, spec)
        except StoreError as error:  # nobody else sees the trial
            error.args = tuple(str(part).replace(here, there) for part in error.args)
            raise
    report.notes = [note.replace(here, there) for note in report.notes]
    report.quarantined = [Path(str(place).replace(here, there)) for place in report.quarantined]
    return report


@contextlib.contextmanager
def _trial(files: Files, paths: StorePaths) -> Iterator[StorePaths]:
    with aside(files, paths) as folder:
        trial = StorePaths(folder / paths.base.name)
        with store_lock(files, paths, wait=_LOCK_WAIT) as lock:
            if lock is None:
                raise LockUnavailable(f"{paths.lock}: held by somebody else{lock_holder(files, paths)}; try again")
            files.make_folder(trial.quarantine)
            for name in files.names(paths.quarantine):  # whose names are taken
                files.link(paths.quarantine / name, trial.quarantine / name)
            for name in files.names(paths.folder):
                if name == "HEAD" or is_segment(name) or journal_id(name) is not None:
                    with contextlib.suppress(FileNotFoundError):  # its owner gave it a new inode just then
                        files.link(paths.folder / name, trial.folder / name)
            if files.stat(paths.base) is not None:
                files.link(paths.base, trial.base)
        yield trial
