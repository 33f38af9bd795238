"""The registry's files as they were before a migration, kept whole, and put back where that loses nothing."""

from __future__ import annotations

import json
import logging
import os
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from toriwork.errors import DamagedFile, LockUnavailable
from toriwork.lifetime import open_stores
from toriwork.migrate.data import registry
from toriwork.migrate.engine.blobs import Blobs
from toriwork.migrate.engine.restore_script import put
from toriwork.sqlite.files import file_sha256, settle
from toriwork.storage.files import Files, OsFiles
from toriwork.storage.journal import journal_id
from toriwork.storage.paths import StorePaths
from toriwork.storage.store_lock import store_lock

_LOG = logging.getLogger(__name__)
_WAIT = 60.0


def write_record(path: Path, content: dict[str, Any]) -> None:
    """Replace a small JSON record that a step leaves for its way back; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    temporary.write_text(json.dumps(content, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    settle(temporary, path)


def read_record(path: Path) -> dict[str, Any] | None:
    """Return a record, None where there is none. Raises DamagedFile."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise DamagedFile(f"{path}: cannot be read: {error}. Nothing was changed") from error
    return content


def keep(path: Path, folder: Path, migration: str) -> dict[str, Any]:
    """Keep what the registry is: a record in ``folder``, with a blob for each of its files; made once.

    Raises
    ------
    LockUnavailable
        Somebody publishes without end.
    StoreError
        The registry cannot be used as it is.
    """
    note = folder / "registry.json"
    done = read_record(note)
    if done is not None:
        return done
    paths = StorePaths.of(path)
    files = OsFiles(paths.base)
    n_rows, digest = registry.others(path, migration)  # first: what comes after counts as appended
    content: dict[str, Any] = {"rows": n_rows, "digest": digest, "lock": paths.lock.exists(), "files": {}}
    content["folder"] = paths.folder.exists()
    if content["folder"] or paths.base.exists():
        with store_lock(files, paths, wait=_WAIT) as lock:
            if lock is None:
                raise LockUnavailable(f"{paths.lock}: held by somebody else for {_WAIT:.0f} s; try again")
            blobs = Blobs(folder / "registry")
            content["files"] = {name: _kept(paths.base.parent / name, blobs) for name in _files_of(paths)}
    write_record(note, content)
    return content


def _files_of(paths: StorePaths) -> list[str]:
    """Return public file and private files, relative to the state root."""
    inside = sorted(path for path in paths.folder.rglob("*") if path.is_file())
    found = [*inside, paths.base] if paths.base.exists() else inside
    return [path.relative_to(paths.base.parent).as_posix() for path in found]


def _kept(path: Path, blobs: Blobs) -> dict[str, Any]:
    return {**_facts(path), "sha256": blobs.put_file(path)}


def _facts(path: Path) -> dict[str, Any]:
    found = path.stat()
    return {"mode": found.st_mode & 0o7777, "mtime_ns": found.st_mtime_ns, "owner": [found.st_uid, found.st_gid]}


def take_back(path: Path, folder: Path, migration: str) -> dict[str, Any]:
    """Return ``restored``, ``removed`` (there was none before), ``retracted`` or ``untouched`` under ``registry``.

    The files are put back only when every row that is not of the migration was there before and no process has a
    journal open, or when nothing is there at all; the decision is written down first, so that a rollback that was cut
    short goes on with it.
    """
    note = folder / "registry.json"
    content = read_record(note)
    if content is None:
        return {"registry": "untouched"}
    paths = StorePaths.of(path)
    files = OsFiles(paths.base)
    if not paths.folder.exists() and not paths.base.exists() and not content["files"]:
        facts: dict[str, Any] = {"registry": "removed"}
    elif (why := _put_back(files, paths, content, note, migration)) is None:
        facts = {"registry": "restored" if content["files"] else "removed"}
    else:
        n_rows = registry.retract(path, migration)
        _LOG.warning("%s: %s; so its %d migrated rows were retracted, all other rows stay", path, why, n_rows)
        facts = {"registry": "retracted", "rows": n_rows, "why": why}
    note.unlink()
    return facts


def _put_back(files: Files, paths: StorePaths, content: dict[str, Any], note: Path, migration: str) -> str | None:
    """Return None when the files are what they were, else why they must not be put back."""
    files.make_folder(paths.base.parent)  # somebody may have removed the state root
    with ExitStack() as held, store_lock(files, paths, wait=_WAIT) as lock:
        if lock is None:
            return "somebody publishes"
        if not content.get("decided"):
            if (why := _in_use(files, paths, held)) is not None:
                return why
            n_rows, digest = registry.others(paths.base, migration)
            there = paths.base.exists() or paths.folder.exists()
            if there and digest != content["digest"]:
                return f"{n_rows - content['rows']:+d} rows since the migration"
            content["decided"] = True
            write_record(note, content)
        _restore(paths, content, note.parent)
    return None


def _in_use(files: Files, paths: StorePaths, held: ExitStack) -> str | None:
    """Return who has the registry open; journals of the dead are locked until the files are back."""
    real = os.path.realpath(paths.base)
    if any(os.path.realpath(store.path) == real for store in open_stores()):
        return "this process has it open"
    for name in files.names(paths.folder):
        if journal_id(name) is not None:
            handle = files.open(paths.folder / name)
            held.callback(handle.close)
            if not handle.try_lock():
                return "another process has it open"
    return None


def _restore(paths: StorePaths, content: dict[str, Any], folder: Path) -> None:
    blobs, home = Blobs(folder / "registry"), paths.base.parent
    for name in _files_of(paths):
        if name not in content["files"]:
            (home / name).unlink()
    for name, like in content["files"].items():
        if not _is(home / name, like):
            (home / name).parent.mkdir(parents=True, exist_ok=True)
            put(home / name, blobs.chunks(like["sha256"]), like)
    folders = sorted((path for path in paths.folder.rglob("*") if path.is_dir()), reverse=True)  # deepest first
    for empty in [*folders, *([] if content["folder"] or not paths.folder.exists() else [paths.folder])]:
        if not any(empty.iterdir()):
            empty.rmdir()
    if not content["lock"]:
        paths.lock.unlink(missing_ok=True)
    OsFiles().sync_folder(home)


def _is(path: Path, like: dict[str, Any]) -> bool:
    return path.is_file() and {**_facts(path), "sha256": file_sha256(path)} == like
