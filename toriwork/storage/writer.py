"""One handle's way of appending: its mutex, its journals, and what happens when the disk says no.

One mutex covers numbering, write and bookkeeping. A frame that was begun and not finished, by an error or by a
KeyboardInterrupt at any point, leaves its journal unusable: the next append opens another. A journal leaves the lists
here before it is closed, so that none which was closed is ever written to or synced.

Nothing is logged while a mutex is held: a logging handler may wait for somebody who waits for the mutex.
"""

from __future__ import annotations

import contextlib
import logging
import os
from collections import deque
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, NamedTuple

from toriwork.errors import BadInput, Busy, Closed, DurabilityError, StoreError
from toriwork.locks import Mutex
from toriwork.storage.clock import Clock
from toriwork.storage.failures import in_doubt, not_now, not_recorded, refused, refused_twice
from toriwork.storage.files import SHORTAGES
from toriwork.storage.frames import MAX_PAYLOAD, Kind
from toriwork.storage.journal import JournalWriter

if TYPE_CHECKING:
    from collections.abc import Set as AbstractSet

    from toriwork.storage.files import Files
    from toriwork.storage.paths import StorePaths

_LOG = logging.getLogger("toriwork.storage")
KEPT_BYTES = 32 * 2**20
_BELL_SECONDS = 0.5
DURABILITIES = ("process", "power")
_new = tuple.__new__


class Appended(NamedTuple):
    """Where a frame of this handle is: journal id, number, offset and length of its payload, time of its first row."""

    journal: str
    frame: int
    offset: int
    length: int
    time_ns: int


class Writer:
    """Appends frames for one handle; safe from any number of threads, and across a fork."""

    def __init__(
        self, files: Files, paths: StorePaths, store_id: str, durability: str = "process", known_ns: int = 0
    ) -> None:
        if durability not in DURABILITIES:
            raise BadInput(f"durability: expected one of {', '.join(DURABILITIES)}, got {durability!r}")
        self._files = files
        self._folder = paths.folder
        self.store_id = store_id
        self._power = durability == "power"
        self._refusal: StoreError | None = None  #: why no more rows are taken
        self._clock = Clock(files, paths.folder, known_ns)
        self._reset()

    def _reset(self) -> None:
        self._mutex = Mutex("_mutex")
        self._appending, self._inside = self._mutex.lock, self._mutex.owned
        self._sync_mutex = Mutex("_sync_mutex")  #: taken before the other one; whoever holds it may use closed journals
        self._syncing = False  #: about: whether somebody holds that one
        self._news: deque[str] = deque()  #: warnings to be logged when no mutex is held
        self._pid = os.getpid()
        self._current: JournalWriter | None = None
        self.closed: list[JournalWriter] = []  #: no longer appended to, still locked: not sealed or absorbed yet
        self._waiting: deque[SimpleQueue[None]] = deque()  #: bells of threads that wait for a sync
        self._kept = 0  #: bytes in memory that no sync has covered, about
        self.dirty = False  #: whether rows were appended since the last sync began

    def after_fork(self) -> None:
        """Forget the parent's journals in a child: closed without unlocking, which would drop the parent's lock."""
        journals = self._journals()
        self._reset()
        for journal in journals:
            journal.close()

    @property
    def over(self) -> bool:
        """True when it was closed, or is being closed: it takes no more rows."""
        return isinstance(self._refusal, Closed)

    def ask(self) -> None:
        """Return when the calling thread is not in the middle of anything here; Busy when it is."""
        self._mutex.alone()
        self._sync_mutex.alone()

    def append(self, payload: bytes, n_rows: int = 1, kind: int = Kind.ROWS) -> Appended:
        """Where the frame is; when this returns, the rows survive the death of the process.

        StoreError: the disk took no or only a part of the frame, and the rows do not exist. Where the error has
        ``row_ids``, they may: the write or the sync failed behind them. DurabilityError: no more rows are taken.
        """
        length = len(payload)
        if length > MAX_PAYLOAD:
            raise BadInput(f"expected at most {MAX_PAYLOAD:,} bytes in one call, got {length:,}; use batches")
        if self._inside():
            self._mutex.alone()  # here, not in a call: it is by this name that a handler finds out who is inside
        if self._kept > KEPT_BYTES or self._pid != os.getpid():
            self._before_append()
        with self._appending:
            if self._refusal is not None:
                raise refused(self._refusal)
            try:
                journal = self._current
                if journal is None or not journal.usable:
                    journal = self._open_next()
                now = self._clock.next(n_rows)
                self.dirty = True
                try:
                    number = journal.append(payload, n_rows, kind, now)
                except OSError as error:
                    if not journal.holds(payload, n_rows, kind, now):
                        raise
                    raise in_doubt(self._folder, error, journal.id, now, n_rows) from error
            except OSError as error:
                raise not_recorded(self._folder, error) from error
            size = journal.size
            self._kept += length
        try:
            if self._power:
                self._sync_upto(journal, size)
            elif self._kept > KEPT_BYTES:
                self._sync_soon()
        except OSError as error:
            raise in_doubt(self._folder, error, journal.id, now, n_rows) from error
        # what Appended(...) does, at half the cost: every row comes through here
        return _new(Appended, (journal.id, number, size - length, length, now))

    def _before_append(self) -> None:
        """Do what is seldom due. Nothing of the row is written yet, so it may fail."""
        if self._pid != os.getpid():  # a fork that did not run the hooks
            self.after_fork()
        if self._kept > KEPT_BYTES:  # the sync behind the last append failed
            self.sync()

    def _sync_soon(self) -> None:
        """Sync; when that is not possible just now, leave it to the next append, whose row is not written yet."""
        try:
            self.sync()
        except (Busy, DurabilityError):
            raise
        except StoreError as error:
            _LOG.warning("%s", error)

    def _open_next(self) -> JournalWriter:
        """A new current journal. The one before it stays with the closed ones, unless it never held a frame."""
        before = self._current
        if before is not None and before.next_number > 1 and before not in self.closed:
            self.closed.append(before)  # an interrupt may have come right behind it, the last time
        self._current = None
        if before is not None and before.next_number == 1:  # else a full disk would get a file for each try
            try:
                self._files.unlink(before.path)
            finally:
                before.close()  # else nobody takes it away as long as this process lives
        created_ns = self._clock.next()  # journals are published in this order
        self._current = JournalWriter(
            self._files, self._folder, self.store_id, fill_ahead=self._power, created_ns=created_ns
        )
        return self._current

    def last_frames(self) -> dict[str, int]:
        """Journal id -> number of the last frame, of the journals of this handle; a look without a lock."""
        return {journal.id: journal.next_number - 1 for journal in list(self._journals())}

    def freeze(self) -> frozenset[str]:
        """Ids of the journals of this handle that get no more rows, the current one now among them."""
        with self._mutex.alone():
            current = self._current
            if current is not None and current.next_number > 1:
                current.retire()  # first: an interrupt behind it must not leave a closed journal in use
                if current not in self.closed:
                    self.closed.append(current)
                self._current = None
            return frozenset(journal.id for journal in self.closed)

    def release(self, journals: AbstractSet[str]) -> None:
        """Give up closed journals that were absorbed or sealed; waits for a sync that is under way."""
        with self._sync_mutex.alone(), self._mutex.alone():
            given_up = [j for j in self.closed if j.id in journals]
            self.closed = [j for j in self.closed if j.id not in journals]
            for journal in given_up:
                journal.close()

    def close(self) -> None:
        """Give up every journal, to be adopted by whoever publishes next. May be called again after an interrupt."""
        self._mutex.alone()
        try:
            with self._sync_mutex.alone():
                if self.dirty and self._refusal is None:  # rows of a thread that did not see it coming
                    self._sync_all()
        finally:
            self._behind_sync()
            with self._sync_mutex.alone(), self._mutex.alone():
                self._refusal = Closed(f"{self._folder}: this handle was closed; open the table again")
                journals = self._journals()
                self.closed, self._current = [], None
                with contextlib.ExitStack() as given_up:
                    for journal in journals:
                        given_up.callback(journal.close)
                    for journal in journals:
                        if journal.usable and journal.next_number == 1:
                            self._files.unlink(journal.path)

    def sync(self, *, mark: bool = False) -> None:
        """Return when every row appended before the call has reached the disk.

        DurabilityError: neither the journal nor a rewritten copy of it could be synced. StoreError: for want of
        descriptors or memory it could not be tried, and nothing is lost.
        """
        self._mutex.alone()
        try:
            with self._sync_mutex.alone():
                self._syncing = True
                with self._mutex.alone():
                    self._keep_name()
                self._sync_all()
                if mark:
                    self._mark()
        finally:
            self._behind_sync()

    def _sync_upto(self, journal: JournalWriter, size: int) -> None:
        """Group commit: one thread syncs for all whose rows are there by then; the others wait for its bell.

        Not for its lock, where only one finds out at a time.
        """
        patient = True
        while journal.synced < size or not journal.named:
            if not (self._syncing and patient):  # nearly always so with one thread: no bell is needed
                self._sync_for(journal, size)
                return
            bell: SimpleQueue[None] = SimpleQueue()
            self._waiting.append(bell)
            if self._syncing:  # asked again: who had it may have rung before the bell was there
                try:
                    bell.get(timeout=_BELL_SECONDS)
                except Empty:  # an interrupted thread may not have rung
                    patient = False

    def _sync_for(self, journal: JournalWriter, size: int) -> None:
        try:
            with self._sync_mutex.alone():
                self._syncing = True
                if journal.synced < size or not journal.named:
                    self._sync_all()
        finally:
            self._behind_sync()

    def _behind_sync(self) -> None:
        """Wake who waits, and log what happened; no mutex is held."""
        self._syncing = False
        with contextlib.suppress(IndexError):  # empty; another thread may ring at the same moment
            while self._waiting:
                self._waiting.popleft().put(None)
        with contextlib.suppress(IndexError):  # likewise
            while self._news:
                _LOG.warning("%s", self._news.popleft())

    def _journals(self) -> list[JournalWriter]:
        current = self._current
        return self.closed if current is None or current in self.closed else [*self.closed, current]

    def _sync_all(self) -> None:
        if isinstance(self._refusal, DurabilityError):
            raise self._refusal
        kept = 0
        try:
            with self._mutex.alone():
                todo = [(j, j.size, len(j.kept)) for j in self._journals() if j.kept or not j.named]
                kept, self._kept, self.dirty = self._kept, 0, False
            for journal, size, n_kept in todo:
                self._sync_one(journal, size, n_kept)
        except BaseException:
            self.dirty = True
            self._kept += kept
            raise

    def _sync_one(self, journal: JournalWriter, size: int, n_kept: int) -> None:
        try:
            if journal.failure is None:
                journal.handle.sync()
        except Busy:  # of a handler that ran meanwhile: it is not the disk's, and whoever called is to see it
            raise
        except OSError as error:
            journal.failure = error
        if journal.failure is None and not journal.named:
            try:
                self._files.sync_folder(self._folder)
            except Busy:
                raise
            except OSError as error:
                if error.errno in SHORTAGES:  # the folder was not opened: no sync of it has failed
                    raise not_now(journal.path, error) from error
                journal.failure = error
        with self._mutex.alone():
            if journal.failure is None:
                journal.mark_synced(size, n_kept)
            else:
                self._rescue(journal, journal.failure)

    def _keep_name(self) -> None:
        """Write the current journal anew when somebody removed it: its rows would be gone with this process."""
        journal = self._current
        if journal is not None and journal.next_number > 1 and not journal.is_named():
            self._rescue(journal, FileNotFoundError(f"{journal.path} was removed by somebody"))

    def _rescue(self, journal: JournalWriter, error: OSError) -> None:
        """After a failed sync: the same rows into a new file, once; if that fails too, the handle is finished."""
        try:
            journal.rewrite()
        except Busy:
            raise
        except OSError as again:
            if again.errno in SHORTAGES:
                raise not_now(journal.path, again) from again
            self._refusal = refused_twice(journal, error, again, self._journals())
            raise self._refusal from again
        self._news.append(f"{journal.path}: a sync failed ({error}); its rows were written to a new file")

    def _mark(self) -> None:
        with self._mutex.alone():
            for journal in self._journals():
                now = self._clock.next()
                # the rows are on the disk; a note that says so and finds no room is written by the next flush
                try:
                    journal.append_sync_mark(now)
                except Busy:
                    raise
                except OSError:
                    continue

    def read(self, place: Appended) -> bytes | None:
        """The payload of a frame of this handle, or None when its journal was given up."""
        with self._mutex.alone():
            for journal in self._journals():
                if journal.id == place.journal:
                    return journal.handle.read_at(place.offset, place.length)
        return None
