"""One handle's way of appending: its mutex, its journals, and what happens when the disk says no.

One mutex covers numbering, write and bookkeeping. Any exception inside it, KeyboardInterrupt included, retires the
journal, because what reached the file is then unknown and a frame number must never be used twice.
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING, NamedTuple

from toriwork.errors import BadInput, DurabilityError
from toriwork.storage.frames import MAX_PAYLOAD, Kind
from toriwork.storage.journal import JournalWriter

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.head import Places

class Appended(NamedTuple):
    """Where a frame of this handle is: journal id, number, offset and length of its payload, time of its first row."""

    journal: str
    frame: int
    offset: int
    length: int
    time_ns: int


ROLL_BYTES = 8 * 2**20
KEPT_BYTES = 32 * 2**20
DURABILITIES = ("process", "power")


class Writer:
    """Appends frames for one handle; safe from any number of threads, and across a fork."""

    def __init__(self, files: Files, places: Places, store_id: str, durability: str = "process") -> None:
        if durability not in DURABILITIES:
            raise BadInput(f"durability: one of {', '.join(DURABILITIES)} is wanted, given was {durability!r}")
        self._files = files
        self._folder = places.folder
        self._store_id = store_id
        self._power = durability == "power"
        self._poison: DurabilityError | None = None
        self._last_ns = 0
        self._reset()

    def _reset(self) -> None:
        self._mutex = threading.Lock()
        self._sync_mutex = threading.Lock()
        self._pid = os.getpid()
        self._current: JournalWriter | None = None
        self.closed: list[JournalWriter] = []  #: no longer appended to, still locked: not sealed or absorbed yet
        self._kept = 0  #: bytes in memory that no sync has covered, about
        self.dirty = False  #: whether rows were appended since the last sync began

    def after_fork(self) -> None:
        """Forget the parent's journals in a child: closed without unlocking, which would drop the parent's lock."""
        for journal in (self._current, *self.closed):
            if journal is not None:
                journal.close()
        self._reset()

    def append(self, payload: bytes, n_rows: int = 1, kind: int = Kind.ROWS) -> Appended:
        """Where the frame is; when this returns, the rows survive the death of the process.

        Raises
        ------
        StoreError
            The disk took no or only a part of the frame: the rows do not exist, everything before stays.
        DurabilityError
            An earlier sync failed for good: the handle takes no more rows.
        """
        if len(payload) > MAX_PAYLOAD:
            raise BadInput(f"one call may record {MAX_PAYLOAD:,} bytes, given were {len(payload):,}; use batches")
        with self._mutex:
            if self._pid != os.getpid():  # a fork that did not run the hooks
                self.after_fork()
                return self.append(payload, n_rows, kind)
            if self._poison is not None:
                raise self._poison
            journal = self._current
            if journal is None:
                journal = self._current = JournalWriter(self._files, self._folder, self._store_id)
            try:
                now = time.time_ns()
                if now <= self._last_ns:  # clocks jump; row ids never do
                    now = self._last_ns + 1
                self._last_ns = now + n_rows
                number = journal.append(payload, n_rows, kind, now)
                size = journal.size
                if size >= ROLL_BYTES:
                    self._close_current()
            except BaseException:
                self._close_current()
                raise
            self._kept += len(payload)
            self.dirty = True
        if self._power:
            self._sync_upto(journal, size)
        elif self._kept > KEPT_BYTES:  # the cap holds even where nobody ever flushes
            self.sync()
        return Appended(journal.id, number, size - len(payload), len(payload), now)

    def _close_current(self) -> None:
        if self._current is not None:
            self.closed.append(self._current)
            self._current = None

    def freeze(self) -> frozenset[str]:
        """Ids of the journals of this handle that get no more frames, the current one now among them."""
        with self._mutex:
            if self._current is not None and self._current.next_number > 1:
                self._close_current()
            return frozenset(journal.id for journal in self.closed)

    def release(self, journals: frozenset[str] | set[str]) -> None:
        """Give up closed journals that were absorbed or sealed."""
        with self._mutex:
            for journal in [j for j in self.closed if j.id in journals]:
                self.closed.remove(journal)
                journal.close()

    def close(self) -> None:
        """Give up every journal; what is in them stays and is adopted by whoever publishes next."""
        self.release(self.freeze())
        with self._mutex:
            if self._current is not None:
                self._current.close()
                self._files.unlink(self._current.path)  # it never held a frame
                self._current = None

    def sync(self, *, mark: bool = False) -> None:
        """Return when every row appended before the call has reached the disk.

        Raises
        ------
        DurabilityError
            Neither the journal nor a rewritten copy of it could be synced; ``rows`` holds the frames at risk.
        """
        with self._sync_mutex:
            self._sync_all()
        if mark:
            self._mark()

    def _sync_upto(self, journal: JournalWriter, size: int) -> None:
        """Group commit: whoever gets the mutex syncs for all who wait."""
        with self._sync_mutex:
            if journal.synced < size or not journal.named:
                self._sync_all()

    def _journals(self) -> list[JournalWriter]:
        return [*self.closed, *([self._current] if self._current is not None else [])]

    def _sync_all(self) -> None:
        if self._poison is not None:
            raise self._poison
        with self._mutex:
            todo = [(j, j.size, len(j.kept)) for j in self._journals() if j.kept or not j.named]
            self._kept, self.dirty = 0, False
        for journal, size, n_kept in todo:
            try:
                journal.handle.sync()
                if not journal.named:
                    self._files.sync_folder(self._folder)
            except OSError as error:
                self._rescue(journal, error)
                continue
            with self._mutex:
                journal.named = True
                journal.mark_synced(size, n_kept)

    def _rescue(self, journal: JournalWriter, error: OSError) -> None:
        """After a failed sync: the same rows into a new file, once; if that fails too, the handle is finished."""
        with self._mutex:
            try:
                journal.rewrite()
            except OSError as again:
                rows = tuple(piece for j in self._journals() for piece in j.kept)
                self._poison = DurabilityError(
                    f"{journal.path}: the disk failed to make rows durable ({error}) and refused a new copy ({again}). "
                    f"This handle takes no more rows; {sum(map(len, rows)):,} bytes of them are in .rows of this error",
                    rows,
                )
                raise self._poison from again

    def _mark(self) -> None:
        with self._mutex:
            journal = self._current
            if journal is None or journal.size == journal.marked:
                return
            try:
                self._last_ns = max(time.time_ns(), self._last_ns + 1)
                journal.append_sync_mark(self._last_ns)
            except BaseException:
                self._close_current()
                raise

    def read(self, place: Appended) -> bytes | None:
        """The payload of a frame of this handle, or None when its journal was given up."""
        with self._mutex:
            for journal in self._journals():
                if journal.id == place.journal:
                    return journal.read(place.offset, place.length)
        return None
