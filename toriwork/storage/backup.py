"""Backups of a table: one plain Parquet file with every row of a moment, and a manifest, which is written last.

A backup without its manifest does not exist: it was cut short, or the manifest was lost. Its file is left alone: only
temporary names are cleared away.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import os
import re
import secrets
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from toriwork.errors import BadInput, DamagedFile, NotFound, StoreError
from toriwork.storage.access import typed
from toriwork.storage.columns import ParquetSource
from toriwork.storage.files import WITH_REFLINKS, OsFiles, write_whole
from toriwork.storage.manifest import MANIFEST_SUFFIX, Backup, manifest_fields, sha256_of
from toriwork.storage.paths import SUFFIX, TEMPORARY_SUFFIX, StorePaths
from toriwork.storage.publish import generation_of, write_rows
from toriwork.storage.publish_plan import PublishPlan, store_id_of
from toriwork.storage.recovery import is_abandoned

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.handles import Handle
    from toriwork.storage.snapshot import Snapshot
    from toriwork.storage.table import ParquetTable

_STAMP = "%Y%m%dT%H%M%S%fZ"
_NAME = re.compile(r"(?P<table>.+)-(?P<stamp>\d{8}T\d{12}Z)")
_SPARE_BYTES = 2**20
_MAX_MANIFEST = 64 * 2**20


def backup(
    table: ParquetTable,
    to: str | os.PathLike[str],
    *,
    fill: Callable[[Snapshot], object] | None = None,
    beside: tuple[str, ...] = (),
) -> Backup:
    """The backup of every row whose recording had returned, published or not; writers and publishers go on meanwhile.

    When nothing was recorded since the newest backup in the folder, and that one is sound, it is the answer.

    Parameters
    ----------
    to
        The folder, made when it is missing; not the one of the table.
    fill
        Completes, in memory, rows of the snapshot that lack values.
    beside
        Endings of small text files beside the public file that belong to it.

    Raises
    ------
    BadInput, StoreError
        The folder is that of the table; or the disk refused, or is full: no backup was made.
    """
    paths = StorePaths.of(table.path)
    folder = Path(os.path.realpath(Path(to).expanduser()))
    if not os.fspath(to):
        raise BadInput("to: expected a folder for backups, got nothing")
    if folder == paths.base.parent or folder.is_relative_to(paths.folder):
        raise BadInput(f"{folder}: expected a folder of its own for backups, got the one of {paths.base.name}")
    inside = next((one for one in (folder, *folder.parents) if (one / paths.head.name).is_file()), None)
    if inside is not None and inside.suffix == paths.folder.suffix:
        raise BadInput(f"{folder}: expected a folder of its own for backups, got the private one of a table, {inside}")
    files = table.files
    # before the snapshot: what lies beside may say less than the rows, never more
    texts = {ending: _text(files, paths.base.with_suffix(ending)) for ending in beside}
    with typed(folder), table.snapshot() as snapshot:
        if fill is not None:
            fill(snapshot)
        if not folder.is_dir():
            for parent in files.make_folder(folder):
                files.sync_folder(parent)
        _remove_unfinished(files, folder, paths.base.stem)
        plan = PublishPlan(snapshot, {journal.id: journal.last_frame for journal in snapshot.journals})
        names = _finished(files, folder, paths.base.stem)
        if names:
            with contextlib.suppress(DamagedFile, NotFound):  # then another one is needed
                newest = read_backup(files, folder, names[-1])
                if newest.beside == texts and _holds(files, newest, plan):
                    newest.check(files)
                    return newest
        _ask_for_room(files, folder, snapshot)
        return _write(files, paths, folder, _new_name(paths.base.stem, names), plan, texts)


def _write(
    files: Files, paths: StorePaths, folder: Path, name: str, plan: PublishPlan, texts: Mapping[str, str]
) -> Backup:
    snapshot = plan.snapshot
    temporary = folder / f".{name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}"
    handle = files.create(temporary)
    try:
        handle.try_lock()  # as long as it is locked nobody takes it for the remains of a dead process
        n_rows = snapshot.n_rows()
        if snapshot.base is not None and not plan.n_new:
            snapshot.base.copy_to(handle, snapshot.base.stat.size)
        else:
            _, n_retired = write_rows(handle, temporary, plan, plan.absorbed(files))
            n_rows -= n_retired
        handle.sync()
        source = _read_back(handle, temporary, paths.base)
        if source.n_rows != n_rows:
            raise StoreError(f"{folder}: {source.n_rows} rows were written, expected {n_rows}; no backup was made")
        made = Backup(
            folder,
            name,
            paths.base.stem,
            _time_of(name).isoformat(),
            source.n_rows,
            plan.n_new,
            store_id_of(snapshot),
            source.facts.generation if source.facts is not None else 0,
            source.stat.size,
            sha256_of(handle),
            dict(texts),
        )
        files.replace(temporary, made.path)
        files.sync_folder(folder)
        write_whole(files, folder / (name + MANIFEST_SUFFIX), made.to_json().encode())
        return made
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            files.unlink(temporary)
            if files.stat(folder / (name + MANIFEST_SUFFIX)) is None:
                files.unlink(folder / (name + SUFFIX))
        raise
    finally:
        handle.close()


def _read_back(handle: Handle, temporary: Path, base: Path) -> ParquetSource:
    """The new file, every byte before its footer checked: a backup of damaged rows is none."""
    try:
        source = ParquetSource(handle, temporary)
        source.check_data_digest()
    except DamagedFile as error:
        raise DamagedFile(
            f"{base}: its copy fails its checks, so this file or the disk of the backup is damaged: {error}. No backup "
            "was made; `verify` says more"
        ) from error
    return source


def _holds(files: Files, newest: Backup, plan: PublishPlan) -> bool:
    """True when a backup has the rows of a plan: what a file absorbed of which generation says what it holds."""
    base = plan.snapshot.base
    with contextlib.closing(files.open(newest.path)) as handle:
        footer = ParquetSource(handle, newest.path).footer
    if not plan.n_new:
        return base is not None and footer.digest == base.footer.digest
    return (
        footer.facts is not None
        and footer.facts.store_id == store_id_of(plan.snapshot)
        and footer.facts.generation == generation_of(plan.snapshot) + 1
        and footer.facts.n_rows == plan.snapshot.n_rows()
        and footer.facts.absorbed == plan.absorbed(files)
    )


def _new_name(table: str, names: list[str]) -> str:
    """A name behind all others, whatever the clock says."""
    now = dt.datetime.now(dt.UTC).strftime(_STAMP)
    if names:
        now = max(now, (_time_of(names[-1]) + dt.timedelta(microseconds=1)).strftime(_STAMP))
    return f"{table}-{now}"


def _time_of(name: str) -> dt.datetime:
    return dt.datetime.strptime(name.rpartition("-")[2], _STAMP).replace(tzinfo=dt.UTC)


def table_of(name: str) -> str | None:
    """The table that a backup of this name is of; None where no backup has such a name."""
    found = _NAME.fullmatch(name)
    with contextlib.suppress(ValueError):  # no day of a calendar
        # a name behind it has to be possible
        return found["table"] if found is not None and _time_of(name).year < dt.MAXYEAR else None
    return None


def _finished(files: Files, folder: Path, table: str) -> list[str]:
    """The names of the backups of a table that have a manifest, the oldest first."""
    stems = [name.removesuffix(MANIFEST_SUFFIX) for name in files.names(folder) if name.endswith(MANIFEST_SUFFIX)]
    return sorted(stem for stem in stems if table_of(stem) == table)


def _remove_unfinished(files: Files, folder: Path, table: str) -> None:
    """Remove the temporary files of dead processes."""
    for name in files.names(folder):
        is_temporary = name.startswith(f".{table}-") and name.endswith(TEMPORARY_SUFFIX)
        if is_temporary and is_abandoned(files, folder / name):
            files.unlink(folder / name)


def tables_in(files: Files, folder: Path) -> list[str]:
    """The tables of which a folder has finished backups."""
    stems = [name.removesuffix(MANIFEST_SUFFIX) for name in files.names(folder) if name.endswith(MANIFEST_SUFFIX)]
    return sorted({table for stem in stems if (table := table_of(stem)) is not None})


def find_backup(
    folder: str | os.PathLike[str], table: str, name: str | None = None, *, files: Files | None = None
) -> Backup:
    """The newest finished backup of a table in a folder, or the one of a name; its file is not read.

    Parameters
    ----------
    table
        The name of the public file without its ending, for example ``torus_registry``.
    name
        The name of a backup, of its file or manifest, or how one begins behind the table's name.

    Raises
    ------
    NotFound, DamagedFile
        There is no such backup; or its manifest is not usable: an older one is not taken instead.
    """
    place, files = Path(folder).expanduser().absolute(), OsFiles() if files is None else files
    names = _finished(files, place, table)
    if name is not None:
        wanted = Path(name).name.removesuffix(MANIFEST_SUFFIX).removesuffix(SUFFIX)
        chosen = [known for known in names if known == wanted or known.removeprefix(f"{table}-").startswith(wanted)]
        if len(chosen) > 1:
            raise BadInput(f"{name}: expected the name of one backup, got {len(chosen)}: {', '.join(chosen)}")
        if not chosen:
            raise NotFound(
                f"{name}: {place} has no finished backup of that name; there are {', '.join(names) or 'none'}"
            )
        names = chosen
    if not names:
        others = ", ".join(tables_in(files, place))
        remedy = f"those of {others}: give the file of one" if others else "none"
        raise NotFound(f"{place}: expected backups of {table}, got {remedy}")
    return read_backup(files, place, names[-1])


def read_backup(files: Files, folder: Path, name: str) -> Backup:
    """A backup by its manifest; DamagedFile where that is not usable."""
    path = folder / (name + MANIFEST_SUFFIX)
    try:
        with contextlib.closing(files.open(path)) as handle:
            text = handle.read_at(0, min(handle.stat().size, _MAX_MANIFEST))
        found = Backup(folder, name, **manifest_fields(text))
        if found.table != table_of(name):
            raise ValueError(f"table: expected {table_of(name)!r}, got {found.table!r}")
        return found
    except ValueError as error:
        raise DamagedFile(f"{path}: is not usable: {error}. Choose another backup by its name") from error


def _text(files: Files, path: Path) -> str:
    try:
        with contextlib.closing(files.open(path)) as handle:
            return handle.read_at(0, min(handle.stat().size, _MAX_MANIFEST // 4)).decode("utf-8", "replace")
    except FileNotFoundError:
        return ""


def _ask_for_room(files: Files, folder: Path, snapshot: Snapshot) -> None:
    base = snapshot.base.stat.size if snapshot.base is not None else 0
    needed = snapshot.pending_bytes() + _SPARE_BYTES + (0 if files.system_type(folder) in WITH_REFLINKS else base)
    free = files.free_bytes(folder)
    if free < needed:
        raise StoreError(f"{folder}: a backup needs about {needed:,} bytes, the disk has {free:,} free; none was made")
