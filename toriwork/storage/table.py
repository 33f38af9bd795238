"""ParquetTable: a crash-safe, multi-process, append-only table whose public face is one plain Parquet file.

The rules are written down in docs/storage.md. This file is the front: it joins the writer (append, sync), the view
(read), publishing and recovery, and decides nothing about rows; a ``TableSpec`` says what those are.
"""

from __future__ import annotations

import errno
import logging
import os
import shlex
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from toriwork.errors import Closed, LockUnavailable, NotFound, ReadOnly, StoreError
from toriwork.storage import lifetime
from toriwork.storage.access import typed
from toriwork.storage.files import Files, OsFiles
from toriwork.storage.frames import Address, Kind, pack_target
from toriwork.storage.head import Places, read_head
from toriwork.storage.pace import oldest_pending, seconds_since
from toriwork.storage.policy import Choice, PublishPolicy
from toriwork.storage.publish import lock_holder, publish, refuse_network, settle, store_lock
from toriwork.storage.recovery import RecoveryReport, create_head, examine, remove_stale, repair
from toriwork.storage.spec import TableSpec
from toriwork.storage.upkeep import Upkeep
from toriwork.storage.verify import VerifyReport, verify
from toriwork.storage.view import View, look
from toriwork.storage.worker import Worker
from toriwork.storage.writer import Appended, Writer

_LOG = logging.getLogger("toriwork.storage")
#: of a folder that we may not read, or of another kind of file system: we have made neither
_NOT_OURS = (errno.EACCES, errno.EPERM, errno.EINVAL, errno.EROFS, errno.ENOTSUP)
_LOCK_WAIT = 60.0  # seconds; whoever holds the lock publishes, which takes seconds at most for gigabytes


class ParquetTable:
    """One open table. Several handles, threads and processes may append to the same table at once.

    Parameters
    ----------
    path
        The public file; its folder is created when it is missing.
    spec
        Schema and codec of the rows.
    durability
        ``"process"``: a row survives the death of the process once ``append`` returns, a power cut once ``flush``
        returns. ``"power"``: ``append`` waits for the disk (threads share their waits).
    read_only
        Create and lock nothing; works on read-only media.
    repair
        Set damaged files aside in ``quarantine/`` and go on with what is left; see ``recovery_report``.
    prepare
        Called without locks before a publish, with the table and a view of it: the place to compute what rows of dead
        writers lack. It appends what it computed through :meth:`complete`.

    Raises
    ------
    DamagedFile, StoreMismatch, VersionTooOld, LockUnavailable
        The store cannot be used as it is; nothing was changed, the message has the remedy.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        spec: TableSpec,
        *,
        durability: str = "process",
        read_only: bool = False,
        repair: bool = False,
        prepare: Callable[[ParquetTable, View], None] | None = None,
        policy: PublishPolicy | None = None,
        files: Files | None = None,
    ) -> None:
        self._options = {"durability": durability, "read_only": read_only, "prepare": prepare, "policy": policy}
        self.spec = spec
        self._places = Places.of(path)
        self.files: Files = OsFiles(self._places.base) if files is None else files
        self._upkeep = Upkeep(self.files, self._places, spec, policy or PublishPolicy(), _prepared(self, prepare))
        self._pace = self._upkeep.pace
        self._closed = False
        self.recovery_report = RecoveryReport()
        self._writer: Writer | None = None
        with typed(self.path):
            if read_only:
                self._open_read_only()
            else:
                self._open(repair, durability)
        self._worker = Worker(self, self._writer)
        if self._pace.will_be_due():  # rows of writers that are gone: this handle may never append
            self._worker.wake(now=False)
        lifetime.opened(self)

    @property
    def path(self) -> Path:
        """The public file, symbolic links resolved."""
        return self._places.base

    @property
    def closed(self) -> bool:
        """Whether it takes no more calls: ``close`` was called, and got so far if it was interrupted."""
        return self._closed or (self._writer is not None and self._writer.over)

    @property
    def pending_age(self) -> float | None:
        """Seconds since the oldest unpublished row was recorded, whoever recorded it; None when all are public."""
        with self.view() as view:
            oldest = oldest_pending(self.files, view)
        return None if oldest is None else seconds_since(oldest)

    # ---- opening -------------------------------------------------------------------------------------------------

    def _open_read_only(self) -> None:
        if self.files.stat(self.path) is None and self.files.stat(self._places.head) is None:
            raise NotFound(f"{self.path}: there is no such table; read_only=True creates none")
        view = look(self.files, self._places, self.spec)
        with view.opened:
            self.recovery_report = RecoveryReport(view.n_rows(), view.pending_bytes())

    def _open(self, mend: bool, durability: str) -> None:
        files, places = self.files, self._places
        refuse_network(files, places)
        if files.stat(places.head) is None:
            places.refuse_new()
        made = files.make_folder(places.folder)
        new = mend or read_head(files, places) is None
        # a first opening that was cut short may have left new folders that only the disk's cache knows of
        for parent in places.folder.parents if new else made:
            try:
                files.sync_folder(parent)
            except OSError as error:
                if error.errno not in _NOT_OURS:
                    raise
                break
        with store_lock(files, places, wait=_LOCK_WAIT if new else 0.0) as lock:
            if lock is None and new:
                who = f"somebody else{lock_holder(files, places)}"
                raise LockUnavailable(f"{places.lock}: held by {who} for {_LOCK_WAIT:.0f} s; try again")
            if lock is not None:
                if mend:
                    self.recovery_report = repair(files, places, self.spec)
                create_head(files, places)
                remove_stale(files, places)
                if files.stat(places.base) is None:  # from now on every reader finds a file
                    publish(files, places, self.spec, lock, frozenset())
                self._settle()
        head = read_head(files, places)
        assert head is not None  # created above, or by whoever held the lock
        found = examine(files, places, self.spec)
        self._upkeep.set_aside += self.recovery_report.quarantined
        found.quarantined, found.notes = self._upkeep.set_aside, self.recovery_report.notes
        self.recovery_report = found
        if found.oldest_ns is not None:
            self._upkeep.pace.found(found.pending_bytes, found.oldest_ns)
        self._writer = Writer(files, places, head.store_id, durability, found.newest_ns)

    def _settle(self) -> None:
        head = read_head(self.files, self._places)
        if head is not None and not head.committed:
            view = look(self.files, self._places, self.spec)
            with view.opened:
                settle(self.files, self._places, view)

    # ---- appending -----------------------------------------------------------------------------------------------

    def append(self, payload: bytes, n_rows: int = 1, kind: int = Kind.ROWS) -> Appended:
        """Where the rows are; they survive the death of the process from now on.

        Raises
        ------
        Closed, ReadOnly, StoreError, DurabilityError
            The rows do not exist, unless ``row_ids`` of the error names them: then they may. What was recorded before
            stays.
        """
        writer = self._writer
        if writer is None:
            writer = self._require_writer()
        place = writer.append(payload, n_rows, kind)
        pace = self._pace
        pace.pending_bytes += place.length
        if pace.oldest is None:
            pace.note(0)
        if not self._worker.awake:
            self._worker.wake(now=False)
        return place

    def complete(self, address: Address, values: bytes) -> None:
        """Append what a row of an OPEN frame lacked."""
        self.append(pack_target(address) + values, 0, Kind.DONE)

    def attempt(self, addresses: Iterable[Address]) -> None:
        """Note durably that somebody is about to compute what some rows lack: it may kill the process."""
        for address in addresses:
            self.append(pack_target(address), 0, Kind.ATTEMPT)
        self.sync()

    def read_payload(self, place: Appended) -> bytes | None:
        """The payload of a frame that this handle appended, or None when its journal was given up."""
        return self._writer.read(place) if self._writer is not None else None

    def own_frames(self) -> dict[str, int]:
        """Journal id -> number of the last frame, of what this handle appended and what has no segment yet."""
        writer = self._writer
        return {} if writer is None else writer.last_frames()

    def unpublished(self, upto: Mapping[str, int]) -> int:
        """How many rows of some journals, up to a frame of each, are not in the public file."""
        with self.view() as view:
            in_journals = sum(f.n_rows for j in view.journals if j.id in upto for f in j.rows(upto[j.id]))
            segments = [s for s in view.segments if not s.spent and not upto.keys().isdisjoint(s.covers)]
            return in_journals + sum(segment.count() for segment in segments)

    def _refuse(self) -> Any:
        if self.closed:
            raise Closed(f"{self.path}: this handle was closed; open the table again")
        raise ReadOnly(f"{self.path}: this handle was opened with read_only=True")

    def _require_writer(self) -> Writer:
        writer: Writer = self._writer if self._writer is not None else self._refuse()
        return writer

    def ask(self) -> None:
        """Return when the calling thread is not in the middle of anything here: then it may wait for other threads.

        Raises
        ------
        Busy
            It is: a signal handler, a ``__del__`` or the like called in the middle of another call.
        """
        if self._writer is not None:
            self._writer.ask()
        self._upkeep.ask()
        self._worker.ask()

    # ---- flushing, sealing, publishing ---------------------------------------------------------------------------

    def sync(self) -> None:
        """Return when every row appended before has reached the disk."""
        with typed(self.path):
            self._require_writer().sync(mark=True)

    def flush(self, publish: bool | None = None) -> None:
        """Return when every row appended before survives a power cut; publish when that is cheap.

        Parameters
        ----------
        publish
            True: publish now, waiting for the lock. False: only sync. None: by policy.

        Raises
        ------
        DurabilityError
            The disk refused; ``rows`` of the error holds what is at risk, which may survive all the same.
        PublishError
            Only with ``publish=True``: the public file could not be replaced. Rows stay safe in the journals.
        """
        self.sync()
        if publish is False:
            return
        if publish:
            with typed(self.path):
                self._upkeep.publish(self._require_writer(), wait=_LOCK_WAIT)
            return
        with typed(self.path):
            choice = self._upkeep.pace.decide(flushing=True)
        if choice is Choice.INLINE:
            self._upkeep.try_publish(self._require_writer(), blocking=False)
        elif choice is Choice.BACKGROUND:
            self._upkeep.pace.asked = True
            self._worker.wake()

    def tend(self) -> bool:
        """Do what is due in the background; whether there was or will be anything to do."""
        return self._writer is not None and self._upkeep.tend(self._writer)

    # ---- reading -------------------------------------------------------------------------------------------------

    @contextmanager
    def view(self) -> Iterator[View]:
        """One consistent state of the table: every row whose append returned before, in any process."""
        if self.closed:
            self._refuse()
        with typed(self.path):
            found = look(self.files, self._places, self.spec)
            with found.opened:
                yield found

    def verify(self) -> VerifyReport:
        """What a check of every file found; damage is reported, not raised, and nothing is changed."""
        with typed(self.path):
            return verify(self.files, self._places, self.spec)

    # ---- the end -------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Flush, publish if that is quick or a row has waited long, give up the journals; more calls do nothing.

        Rows that are left unpublished are said at WARNING, with their number and how to publish them. After an
        interrupt the handle works on or is closed; another call finishes what is left.

        Raises
        ------
        Busy
            The calling thread is in the middle of another call: nothing was closed.
        """
        if self._closed:
            return
        self.ask()
        writer = self._writer
        self._worker.stop()
        self._upkeep.join()
        if writer is None:
            self._closed = True
        else:
            try:
                with typed(self.path):
                    if not writer.over:  # else that was done before an interrupt
                        writer.sync(mark=True)
                        self._close_publish(writer)
            finally:
                with typed(self.path):
                    writer.close()
                self._closed, self._writer = True, None
        lifetime.closed(self)

    def _close_publish(self, writer: Writer) -> None:
        pace = self._upkeep.pace
        if pace.pending_bytes and pace.due_at_close():
            self._upkeep.try_publish(writer, wait=pace.close_wait)
        if not pace.pending_bytes:
            return
        try:
            own = writer.freeze()
            with self.view() as view:  # not the rows of others who are alive: they publish them
                journals = [j for j in view.journals if j.wanted and (j.id in own or j.handle.try_lock())]
                n_rows = sum(j.n_rows for j in journals) + sum(segment.count() for segment in view.segments)
        except StoreError as error:
            _LOG.warning("%s: rows may be left unpublished, they cannot be counted: %s", self.path, error)
            return
        if n_rows:
            how = self.spec.by_hand.format(path=shlex.quote(str(self.path)))
            _LOG.warning("%s: closed with %d rows that are not public yet; publish them: %s", self.path, n_rows, how)

    def after_fork(self) -> None:
        """In a child: drop what belongs to the parent; the handle goes on with journals of its own."""
        self._upkeep.reset()
        if self._writer is not None:
            self._writer.after_fork()
        self._worker = Worker(self, self._writer)

    def __enter__(self) -> ParquetTable:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.path, self.spec, self._options)


def _prepared(
    table: ParquetTable, prepare: Callable[[ParquetTable, View], None] | None
) -> Callable[[View], None] | None:
    """What is to run before a publish; it does not keep the table alive, which would never be collected then."""
    if prepare is None:
        return None
    found, wanted = weakref.ref(table), prepare

    def run(view: View) -> None:
        it = found()
        if it is not None:
            wanted(it, view)

    return run


def _reopen(path: Path, spec: TableSpec, options: dict[str, Any]) -> ParquetTable:
    return ParquetTable(path, spec, **options)
