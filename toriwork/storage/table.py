"""ParquetTable: a crash-safe, multi-process, append-only table whose public face is one plain Parquet file.

The rules are written down in docs/storage.md. This file is the front: it joins the writer (append, sync), the snapshot
(read), publishing and recovery, and decides nothing about rows; a ``TableSpec`` says what those are.
"""

from __future__ import annotations

import concurrent.futures.thread  # noqa: F401 - pyarrow loads pandas, which loads this: too late at the end of a process
import logging
import os
import shlex
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toriwork.errors import BadInput, Closed, ReadOnly, StoreError
from toriwork.lifetime import OpenStores
from toriwork.storage.access import typed
from toriwork.storage.files import Files, OsFiles
from toriwork.storage.frames import Address, Kind, pack_target
from toriwork.storage.maintenance import Maintenance
from toriwork.storage.opening import open_for_reading, open_for_writing
from toriwork.storage.paths import StorePaths
from toriwork.storage.policy import PublishPolicy, PublishTime
from toriwork.storage.publish import Told
from toriwork.storage.publish_stats import oldest_pending, seconds_since
from toriwork.storage.recovery import RecoveryReport
from toriwork.storage.snapshot import Snapshot, open_snapshot
from toriwork.storage.spec import Column, TableSpec
from toriwork.storage.verify import VerifyReport, verify
from toriwork.storage.worker import Worker
from toriwork.storage.writer import Appended, Writer

if TYPE_CHECKING:
    from toriwork.storage.manifest import Backup
    from toriwork.storage.uploads import Uploaded, Uploads

_LOG = logging.getLogger("toriwork.storage")
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
        Called without locks before a publish, with the table and a snapshot of it. It computes what rows of dead
        writers lack and appends it through :meth:`complete`.
    publish_to
        A bucket or folder that gets each generation that this handle publishes, in the background.

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
        prepare: Callable[[ParquetTable, Snapshot], None] | None = None,
        policy: PublishPolicy | None = None,
        files: Files | None = None,
        publish_to: str | os.PathLike[str] | None = None,
    ) -> None:
        self._options = {"durability": durability, "read_only": read_only, "prepare": prepare, "policy": policy}
        self._options["publish_to"] = publish_to
        self.spec = spec
        self._paths = StorePaths.of(path)
        self.files: Files = OsFiles(self._paths.base) if files is None else files
        self._uploads: Uploads | None = None
        if publish_to is not None and not read_only:
            self._uploads = _uploads(self.files, self._paths, publish_to)
        self._maintenance = Maintenance(
            self.files, self._paths, spec, policy or PublishPolicy(), _prepared(self, prepare), self._uploads
        )
        self._stats = self._maintenance.stats
        self._closed = False
        self.columns: tuple[Column, ...] = ()  #: that users declared, as far as this handle has seen
        self.recovery_report = RecoveryReport()
        self._writer: Writer | None = None
        with typed(self.path):
            if read_only:
                self.recovery_report = open_for_reading(self.files, self._paths, spec)
            else:
                self._open(repair, durability)
        self.columns = self.recovery_report.columns
        self._worker = Worker(self.run_maintenance, self._writer)
        if self._stats.will_be_due():  # rows of writers that are gone: this handle may never append
            self._worker.wake(now=False)
        _OPEN.add(self)

    @property
    def path(self) -> Path:
        """The public file, symbolic links resolved."""
        return self._paths.base

    @property
    def closed(self) -> bool:
        """True when it takes no more calls: ``close`` was called, and got so far if it was interrupted."""
        return self._closed or (self._writer is not None and self._writer.over)

    @property
    def pending_age(self) -> float | None:
        """Seconds since the oldest unpublished row was recorded, whoever recorded it; None when all are public."""
        with self.snapshot() as snapshot:
            oldest = oldest_pending(self.files, snapshot)
        return None if oldest is None else seconds_since(oldest)

    @property
    def publish_seconds(self) -> float | None:
        """Duration of the last publish of this handle; None before the first."""
        return self._stats.last_seconds

    def _open(self, mend: bool, durability: str) -> None:
        found, store_id = open_for_writing(self.files, self._paths, self.spec, mend=mend, wait=_LOCK_WAIT)
        self._maintenance.set_aside += found.quarantined
        found.quarantined = self._maintenance.set_aside  # so that torn journals of later publishes come to it
        self.recovery_report = found
        if found.oldest_ns is not None:
            self._stats.found(found.pending_bytes, found.oldest_ns)
        self._writer = Writer(self.files, self._paths, store_id, durability, found.newest_ns)

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
        stats = self._stats
        stats.pending_bytes += place.length
        if stats.oldest is None:
            stats.note(0)
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
        with self.snapshot() as snapshot:
            in_journals = sum(f.n_rows for j in snapshot.journals if j.id in upto for f in j.rows(upto[j.id]))
            segments = [s for s in snapshot.segments if not s.spent and not upto.keys().isdisjoint(s.covers)]
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
        self._maintenance.ask()
        self._worker.ask()

    # ---- flushing, sealing, publishing ---------------------------------------------------------------------------

    def sync(self) -> None:
        """Return when every row appended before has reached the disk."""
        with typed(self.path):
            self._require_writer().sync(mark=True)

    def flush(self, publish: bool | None = None, *, told: Told | None = None) -> None:
        """Return when every row appended before survives a power cut; publish when that is cheap.

        Parameters
        ----------
        publish
            True: publish now, waiting for the lock. False: only sync. None: by policy.
        told
            With ``publish=True`` it hears of the rows as they are written: how many, and of how many in all.

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
                self._maintenance.publish(self._require_writer(), wait=_LOCK_WAIT, told=told)
            return
        with typed(self.path):
            choice = self._maintenance.stats.decide(flushing=True)
        if choice is PublishTime.INLINE:
            self._maintenance.try_publish(self._require_writer(), blocking=False)
        elif choice is PublishTime.BACKGROUND:
            self._maintenance.stats.asked = True
            self._worker.wake()

    def upload(self, to: str | os.PathLike[str] | None = None) -> Backup:
        """The newest public generation, which is in a bucket or folder when this returns.

        Parameters
        ----------
        to
            Another place than the one that this handle publishes to.

        Raises
        ------
        BadInput
            Neither the handle nor the call names a place.
        StoreError
            It could not be uploaded; ``StoreMismatch`` where another store publishes there.
        """
        uploads = self._uploads if to is None else _uploads(self.files, self._paths, to)
        if uploads is None:
            raise BadInput("to: expected a bucket or a folder, got none, and publish_to was not given either")
        return uploads.upload()

    @property
    def uploaded(self) -> Uploaded | None:
        """How far the published generations got to an object store, whoever uploads them; None where nobody does."""
        from toriwork.storage.uploads import read_uploaded

        return read_uploaded(self.files, self._paths)

    def declare(self, columns: Sequence[Column]) -> None:
        """Give the table more columns, by one publish that writes all rows anew; their values are cut from the rows.

        Raises
        ------
        BadInput
            A column is there with another type; nothing was declared.
        PublishError
            The public file could not be replaced.
        """
        with typed(self.path):
            self._maintenance.publish(self._require_writer(), wait=_LOCK_WAIT, declared=columns)
        with self.snapshot():  # which notes them
            pass

    def run_maintenance(self) -> bool:
        """Do what is due in the background; whether there was or will be anything to do."""
        return self._writer is not None and self._maintenance.run_maintenance(self._writer)

    # ---- reading -------------------------------------------------------------------------------------------------

    @contextmanager
    def snapshot(self) -> Iterator[Snapshot]:
        """One consistent state of the table: every row whose append returned before, in any process."""
        if self.closed:
            self._refuse()
        with typed(self.path):
            found = open_snapshot(self.files, self._paths, self.spec)
            with found.opened:
                self.columns = found.spec.columns
                yield found

    def verify(self) -> VerifyReport:
        """Check every file; damage is reported, not raised, and nothing is changed."""
        with typed(self.path):
            return verify(self.files, self._paths, self.spec)

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
        self._maintenance.join()
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
                if self._uploads is not None:
                    self._uploads.close()
        _OPEN.discard(self)

    def _close_publish(self, writer: Writer) -> None:
        stats = self._maintenance.stats
        if stats.pending_bytes and stats.due_at_close():
            self._maintenance.try_publish(writer, wait=stats.close_wait)
        if not stats.pending_bytes:
            return
        try:
            own = writer.freeze()
            with self.snapshot() as snapshot:  # not the rows of others who are alive: they publish them
                journals = [j for j in snapshot.journals if j.wanted and (j.id in own or j.handle.try_lock())]
                n_rows = sum(j.n_rows for j in journals) + sum(segment.count() for segment in snapshot.segments)
        except StoreError as error:
            _LOG.warning("%s: rows may be left unpublished, they cannot be counted: %s", self.path, error)
            return
        if n_rows:
            how = self.spec.by_hand.format(path=shlex.quote(str(self.path)))
            _LOG.warning("%s: closed with %d rows that are not public yet; publish them: %s", self.path, n_rows, how)

    def after_fork(self) -> None:
        """In a child: drop what belongs to the parent; the handle goes on with journals of its own."""
        self._maintenance.reset()
        if self._uploads is not None:
            self._uploads.reset()
        if self._writer is not None:
            self._writer.after_fork()
        self._worker = Worker(self.run_maintenance, self._writer)

    def __enter__(self) -> ParquetTable:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.path, self.spec, self._options)


_OPEN = OpenStores(ParquetTable.close)


def _uploads(files: Files, paths: StorePaths, to: str | os.PathLike[str]) -> Uploads:
    from toriwork.storage.uploads import Uploads  # asks for another library

    return Uploads(files, paths, to)


def _prepared(
    table: ParquetTable, prepare: Callable[[ParquetTable, Snapshot], None] | None
) -> Callable[[Snapshot], None] | None:
    """The function to run before a publish; it holds the table weakly, or that would never be collected."""
    if prepare is None:
        return None
    found, wanted = weakref.ref(table), prepare

    def run(snapshot: Snapshot) -> None:
        it = found()
        if it is not None:
            it.columns = snapshot.spec.columns
            wanted(it, snapshot)

    return run


def _reopen(path: Path, spec: TableSpec, options: dict[str, Any]) -> ParquetTable:
    return ParquetTable(path, spec, **options)
