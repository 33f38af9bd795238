"""The one lock of a store: taken to publish, to repair and to clean up, never to record or to read."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from toriwork.errors import Busy, LockUnavailable
from toriwork.locks import BUSY, hold, holds, let_go
from toriwork.storage.access import lock_holders
from toriwork.storage.files import NETWORK_FILE_SYSTEMS

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.handles import Handle
    from toriwork.storage.paths import StorePaths

_REMOVED_SECONDS = 1.0  # how long a lock file that somebody keeps removing is made anew


@dataclass(slots=True)
class Lock:
    """The store's lock while it is held."""

    path: Path
    handle: Handle
    files: Files

    def still_ours(self) -> bool:
        """True while the lock's name stands for the file that we locked."""
        found = self.files.stat(self.path)
        return found is not None and found.identity == self.handle.stat().identity


@contextlib.contextmanager
def store_lock(files: Files, paths: StorePaths, *, wait: float = 0.0) -> Iterator[Lock | None]:
    """The store's lock, or None when somebody else held it for all of ``wait`` seconds.

    Busy where the calling thread holds it, in a call that this one interrupted: it would wait for itself.
    """
    until = time.monotonic() + wait
    while True:
        handle = files.create(paths.lock, exclusive=False)
        try:
            lock = Lock(paths.lock, handle, files)
            patience = 0.0
            inside = holds(paths.lock)
            before = hold(paths.lock, handle.close)
            try:
                if handle.try_lock():
                    try:
                        if lock.still_ours():  # a lock file that was removed meanwhile protects nothing
                            yield lock
                            return
                    finally:
                        handle.unlock()
                    patience = _REMOVED_SECONDS
                elif inside and wait:
                    raise Busy(BUSY)
            finally:
                let_go(paths.lock, before)
            if time.monotonic() >= until + patience:
                yield None
                return
        finally:
            handle.close()
        time.sleep(0.005)


def lock_holder(files: Files, paths: StorePaths) -> str:
    """Which process holds the store's lock, as words for a message; "" where nobody can tell."""
    found = files.stat(paths.lock)
    return lock_holders(found.identity) if found is not None else ""


def refuse_network(files: Files, paths: StorePaths) -> None:
    """LockUnavailable where locks may be local to one host, so that two hosts would publish at once."""
    found = files.system_type(paths.base.parent)
    if found in NETWORK_FILE_SYSTEMS:
        raise LockUnavailable(
            f"{paths.base.parent} is on a network file system ({found}), where a lock may not reach other hosts; "
            "keep the state root on a local disk (TORI_STATE_ROOT), or read with read_only=True"
        )
