"""Sealing and publishing for one handle: its files stay few, its rows become public.

Recording goes on beside it. One lock lets one publish of this handle run at a time, a second one keeps a publish and
the making of a segment from taking over the same journal.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from toriwork.errors import BadInput, Busy, Closed, PublishError, ToriworkError
from toriwork.locks import Mutex
from toriwork.storage.frames import Address, Kind
from toriwork.storage.pending import open_journal, open_rows
from toriwork.storage.policy import PublishPolicy
from toriwork.storage.publish import Published, Told, publish
from toriwork.storage.publish_stats import PublishStats
from toriwork.storage.seal import is_needed, seal
from toriwork.storage.snapshot import Snapshot, open_snapshot
from toriwork.storage.store_lock import lock_holder, store_lock
from toriwork.threads import BackgroundThread

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.paths import StorePaths
    from toriwork.storage.spec import Column, TableSpec
    from toriwork.storage.uploads import Uploads
    from toriwork.storage.writer import Writer

_LOG = logging.getLogger("toriwork.storage")
_TIDY_SECONDS = 1.0  # for a thread whose publish is over to be gone
_SEAL_BYTES = 4 * 2**20
_NEAR_FRAMES = 200_000  # that wait for a publish without a segment: 300 bytes of memory each while it runs
_SEAL_REST = 9.0  # times as long as a round of sealing took that left journals waiting


class Maintenance:
    """Sealing and publishing for one handle."""

    def __init__(
        self,
        files: Files,
        paths: StorePaths,
        spec: TableSpec,
        policy: PublishPolicy,
        prepare: Callable[[Snapshot], None] | None,
        uploads: Uploads | None = None,
    ) -> None:
        self._files = files
        self._paths = paths
        self._spec = spec
        self._prepare = prepare
        self._uploads = uploads
        self.stats = PublishStats(files, paths, policy)
        self.set_aside: list[Path] = []  #: files in quarantine, torn journals of later publishes among them
        self.reset()

    def reset(self) -> None:
        """Forget what was under way: in a child of a fork it is the parent's business."""
        self._publishing = Mutex("_publishing")
        self._sealing = Mutex("_sealing")  #: taken behind the other one
        self._absorbing: frozenset[str] = frozenset()  #: journals that a publish is taking over
        self._publisher: BackgroundThread | None = None
        self._next_seal = 0.0  #: monotonic seconds
        self.stats.forget()

    def ask(self) -> None:
        """Return when the calling thread is not in the middle of anything here; Busy when it is."""
        self._publishing.alone()
        self._sealing.alone()

    def join(self) -> None:
        """Return when a publish in a thread of its own has ended."""
        thread = self._publisher
        if thread is not None and not thread.is_current():
            with self._publishing.alone():
                self._publisher = None
            if thread.is_alive():  # not for ever: it may be logging, where we are waited for
                thread.join(_TIDY_SECONDS)

    def run_maintenance(self, writer: Writer) -> bool:
        """Do what is due in the background; whether there was or will be anything to do."""
        if writer.dirty:
            writer.sync(mark=True)
        self._seal_closed(writer)
        if self.stats.due():
            self._publish_aside(writer)
        return writer.dirty or self.stats.pending_bytes > 0

    def _seal_closed(self, writer: Writer) -> None:
        """Turn full journals into segments as far as their rows are complete, oldest first.

        The last of them wait for a publish that is near.
        """
        full = [j for j in list(writer.closed) if j.size >= _SEAL_BYTES]
        if not full or time.monotonic() < self._next_seal:
            return
        begun, waits = time.monotonic(), False
        n_left = _NEAR_FRAMES if self.stats.near() else 0
        n_frames = sum(journal.next_number for journal in full)
        for journal in full:
            if n_frames <= n_left:
                break
            n_frames -= journal.next_number
            with self._sealing.alone():
                # what a publish has begun to absorb must get no segment behind its back
                if journal.id in self._absorbing or journal not in writer.closed:
                    continue
                if self._seal_one(journal.path, writer.store_id):
                    writer.release({journal.id})
                else:
                    waits = True
        # to find out that a journal must wait, all are read: not each second, where there are many
        self._next_seal = time.monotonic() + _SEAL_REST * (time.monotonic() - begun) if waits else 0.0

    def _seal_one(self, path: Path, store_id: str) -> bool:
        """True when a closed journal has become a segment.

        One with open rows or a torn end has not, nor one that completes rows of a journal that still waits itself.
        """
        with closing(self._files.open(path)) as handle:
            found = open_journal(handle, path, store_id, 0)
            if found.scan.torn:
                return False
            done: dict[Address, bytes] = {}
            if found.done or found.attempts or any(f.kind == Kind.OPEN for f in found.scan.frames):
                snapshot = open_snapshot(self._files, self._paths, self._spec)
                with snapshot.opened:
                    done = snapshot.done
                    if open_rows(self._spec, found, done) or is_needed(found, snapshot):
                        return False
            seal(self._files, self._paths, self._spec, store_id, [found], done)
            return True

    def _publish_aside(self, writer: Writer) -> None:
        """Publish here when that is quick, else in a thread of its own, so that syncing and sealing go on meanwhile."""
        if self.stats.quick():
            self.try_publish(writer, blocking=False)
        elif self._publisher is None or not self._publisher.is_alive():
            thread = BackgroundThread(lambda: self.try_publish(writer, blocking=False), "toriwork-publish")
            self._publisher = thread
            try:
                thread.start()
            except RuntimeError:  # an interpreter that ends starts no more threads
                self.try_publish(writer, blocking=False)

    def try_publish(self, writer: Writer, *, wait: float = 0.0, blocking: bool = True) -> None:
        """Publish if the lock is free; a failure is a warning and makes the next try wait longer."""
        if not self._publishing.is_free():  # in a handler, in the middle of a publish
            return
        try:
            self.publish(writer, wait=wait, blocking=blocking)
        except Busy:  # of a handler that ran meanwhile: whoever called is to see it
            raise
        except Closed:  # meanwhile
            return
        except (ToriworkError, OSError, pa.ArrowException) as error:
            self.stats.failed()
            _LOG.warning("%s was not published, rows stay safe in the journals: %s", self._paths.base, error)

    def publish(
        self,
        writer: Writer,
        *,
        wait: float,
        blocking: bool = True,
        declared: Sequence[Column] = (),
        told: Told | None = None,
    ) -> Published | None:
        """Publish; None when somebody else does: another process, or with ``blocking=False`` a thread.

        PublishError after ``wait`` seconds without the lock, Busy where the calling thread is publishing already,
        BadInput where a column that is declared now is there with another type.
        """
        lock = self._publishing.alone()
        try:  # from here on: an interrupt between the two would leave it taken
            if not lock.acquire(blocking):  # this handle's own thread is at it
                return None
            return self._publish(writer, wait, declared, told)
        finally:
            self._publishing.release()

    def _publish(self, writer: Writer, wait: float, declared: Sequence[Column], told: Told | None) -> Published | None:
        """The same; the caller holds the mutex."""
        if writer.over:
            raise Closed(f"{self._paths.base}: this handle was closed; open the table again")
        try:
            if self._prepare is not None:
                snapshot = open_snapshot(self._files, self._paths, self._spec)
                with snapshot.opened:
                    self._prepare(snapshot)
            with store_lock(self._files, self._paths, wait=wait) as lock:
                if lock is None:
                    if wait:
                        who = f"somebody else{lock_holder(self._files, self._paths)}"
                        raise PublishError(f"{self._paths.base}: {who} held the lock for {wait:.0f} s; try again")
                    return None
                begun = self.stats.begin()
                with self._sealing.alone():  # a segment that is being made is finished first
                    own = self._absorbing = writer.freeze()
                try:
                    done = publish(self._files, self._paths, self._spec, lock, own, declared, told)
                except BadInput as error:
                    if declared:
                        raise
                    # of a retention that cannot use what its own kind noted
                    raise PublishError(f"{self._paths.base}: {error}") from error
            removed = own & set(done.removed)
            writer.release(removed)
            self.stats.published(begun, left=removed != own)
            self.set_aside.extend(done.torn)
            if self._uploads is not None:
                self._uploads.wake()
            return done
        finally:
            self._absorbing = frozenset()
            self.stats.ended()
