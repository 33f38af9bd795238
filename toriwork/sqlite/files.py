"""File calls that an export and a migration share: hashes, names given once the bytes are safe, one worker a folder."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import closing, contextmanager
from hashlib import file_digest
from pathlib import Path

from toriwork.errors import LockUnavailable
from toriwork.storage.access import lock_holders
from toriwork.storage.files import OsFiles


def file_sha256(path: Path) -> str:
    """Return 64 hex digits of a file's bytes."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def synced(path: Path) -> None:
    """Return when a file has reached the disk."""
    descriptor = os.open(path, os.O_RDWR)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def settle(temporary: Path, path: Path) -> None:
    """Give a file its name once it has reached the disk."""
    files = OsFiles()
    synced(temporary)
    files.replace(temporary, path)
    files.sync_folder(path.parent)


@contextmanager
def alone_in(folder: Path, name: str) -> Iterator[None]:
    """Hold a folder against another worker under the name of a lock file; the lock goes with the process.

    Raises
    ------
    LockUnavailable
        Another one holds it; the message names the process where the system shows it.
    """
    path = folder / name
    with closing(OsFiles().create(path, exclusive=False)) as handle:
        found = handle.stat().identity
        now = path.stat() if handle.try_lock() and path.exists() else None
        if now is None or (now.st_dev, now.st_ino) != found:  # held, or given up and removed this very moment
            raise LockUnavailable(f"{folder}: another process is working here{lock_holders(found)}; wait for it")
        try:
            yield
        finally:
            path.unlink(missing_ok=True)
