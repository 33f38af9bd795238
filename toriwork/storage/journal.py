"""One writer's journal: created under a lock that lives as long as its owner, extended with one write a frame.

The writer keeps the bytes that no sync has covered yet, because a failed fsync must never be tried again on the
same descriptor: Linux marks the pages clean and forgets them (Rebello et al. 2020, "Can Applications Recover from
fsync Failures?", USENIX ATC, sect. 3). The caller holds the mutex of its handle around every call here.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from toriwork.errors import Busy, DamagedFile, StoreError, VersionTooOld
from toriwork.storage import frames
from toriwork.storage.frames import Kind, pack_header

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.handles import Handle

SUFFIX = ".journal"
ROLL_BYTES = 8 * 2**20
_TEMPORARY = ".journal.new"
_AHEAD_BYTES = 2**19
_A_FRAME = frames.FRAME_HEADER_BYTES
#: of the longest journal: a last frame that begins below ROLL_BYTES, zeros ahead, sync marks behind it
MAX_BYTES = ROLL_BYTES + frames.MAX_PAYLOAD + 8 * _AHEAD_BYTES
_SMALL_BYTES = 2 * ROLL_BYTES  #: read at once
_CHUNK_BYTES = 2**20
_JOINED_BYTES = 4096  #: a larger payload is never copied: it may be that of a batch


class JournalWriter:
    """An open journal of this process; its file is locked for as long as this object lives.

    With ``fill_ahead`` the file is kept longer than its frames by some zeros: to sync what overwrites them costs a file
    system no change of the file's length, which took a third of the time of a sync.
    """

    def __init__(
        self, files: Files, folder: Path, store_id: str, *, fill_ahead: bool = False, created_ns: int | None = None
    ) -> None:
        self.id = secrets.token_hex(16)
        self.path = folder / (self.id + SUFFIX)
        self._files = files
        self._key = bytes.fromhex(self.id)
        created_ns = time.time_ns() if created_ns is None else created_ns
        self._header = frames.pack_file_header(store_id, self.id, created_ns, os.getpid())
        # locked before it has its name: whoever sees the name and can lock it knows that the owner is dead
        self.handle = self._create(folder / (self.id + _TEMPORARY), self._header, sync=False)
        self.size = len(self._header)  #: bytes, all of them good; zeros may follow
        self._ahead = _AHEAD_BYTES if fill_ahead else 0
        self._filled = self.size  #: length of the file
        self.next_number = 1
        self.synced = 0  #: bytes known to be on the disk
        self.named = False  #: whether the folder's entry is known to be on the disk
        self.marked = self.size  #: size behind the last sync mark
        self.kept: list[bytes] = [self._header]  #: what no sync has covered, in order
        self.failure: OSError | None = None  #: of the last sync, after which only a new file holds these rows for sure
        self._limit = ROLL_BYTES
        #: False while a frame is being written and for ever once that was interrupted or the journal is full: what
        #: reached the file is unknown then, and a frame number must never be used twice
        self.usable = True

    def _create(self, temporary: Path, content: bytes, *, sync: bool) -> Handle:
        """The handle of a locked file with this content under the journal's name."""
        handle = self._files.create(temporary)
        try:
            if not handle.try_lock():
                raise StoreError(f"{temporary}: a new journal could not be locked")
            if handle.write(content) != len(content):
                raise StoreError(f"{temporary}: the disk took only a part of a new journal (is it full?)")
            if sync:
                handle.sync()
            self._files.replace(temporary, self.path)
        except BaseException:
            handle.close()
            with contextlib.suppress(OSError):  # the first error is the one to tell
                self._files.unlink(temporary)
            raise
        return handle

    def append(self, payload: bytes, n_rows: int, kind: int, time_ns: int) -> int:
        """The number of the frame that was appended; after any error the journal is no longer ``usable``.

        StoreError: the row does not exist. Another OSError: :meth:`holds` says whether the frame may be there.
        """
        self.usable = False
        number = self.next_number
        header = pack_header(self._key, number, self.synced, time_ns, n_rows, kind, payload)
        start = self.size
        size = _A_FRAME + len(payload)
        if self._ahead and start + size > self._filled:
            self._fill(start + size)
        frame = header + payload if size <= _JOINED_BYTES else b""
        written = self.handle.write_at(start, frame) if frame else self.handle.write_at(start, header, payload)
        if written != size:
            raise StoreError(
                f"{self.path}: the disk took {written} of {size} bytes (full, or over a quota or file size "
                "limit); the row was not recorded, everything before it stays"
            )
        if frame:
            self.kept.append(frame)
        else:
            self.kept += (header, payload)
        self.next_number = number + 1
        self.size = end = start + size
        self.usable = end < self._limit
        return number

    def holds(self, payload: bytes, n_rows: int, kind: int, time_ns: int) -> bool:
        """True when a frame whose write failed may be in the file: all of it can be read, or nothing can."""
        frame = pack_header(self._key, self.next_number, self.synced, time_ns, n_rows, kind, payload) + payload
        try:
            return self.handle.read_at(self.size, len(frame)) == frame
        except Busy:  # of a handler that ran meanwhile
            raise
        except OSError:
            return True

    def _fill(self, start: int) -> None:
        """Zeros from ``start`` on. Where the disk has no room for them, frames are written without them."""
        try:
            self._filled = start + self.handle.write_at(start, bytes(self._ahead))
        except Busy:  # of a handler that ran meanwhile
            raise
        except OSError:  # the frame itself may still fit; if not, its own write says so
            self._ahead = 0

    def retire(self) -> None:
        """Take no more rows."""
        self._limit = 0
        self.usable = False

    def mark_synced(self, size: int, n_kept: int) -> None:
        """Note that everything below ``size``, the first ``n_kept`` of the kept pieces, is on the disk."""
        self.synced = max(self.synced, size)
        self.named = True
        del self.kept[:n_kept]

    def append_sync_mark(self, time_ns: int) -> None:
        """Write into the file how far it is known to be on the disk, when that is news.

        Never behind a frame that failed: a journal that is not usable is looked at first.
        """
        if self.size == self.marked or (not self.usable and any(self.handle.read_at(self.size, _A_FRAME))):
            return
        self.append(b"", 0, Kind.SYNC, time_ns)
        self.marked = self.size

    def rewrite(self) -> None:
        """Put the same journal, same id and frame numbers, into a new file after a failed sync.

        What had been synced is read back, the rest comes from memory. Any error leaves the kept bytes as they were
        and the journal without a future: which file has its name is unknown then, but either holds every row.
        """
        limit, usable = self._limit, self.usable
        self.retire()
        old = self.handle.read_at(0, self.synced)
        if len(old) != self.synced:
            raise StoreError(f"{self.path}: {self.synced} bytes were synced, {len(old)} can be read back")
        content = b"".join((old, *self.kept))
        fresh = self._create(self.path.with_suffix(_TEMPORARY), content, sync=True)
        old_handle, self.handle = self.handle, fresh
        old_handle.close()
        self._files.sync_folder(self.path.parent)
        self.size = self._filled = len(content)
        self.mark_synced(len(content), len(self.kept))
        self.failure = None
        self._limit, self.usable = limit, usable

    def is_named(self) -> bool:
        """True while the journal's name stands for the file that is being written."""
        found = self._files.stat(self.path)
        return found is not None and found.identity == self.handle.stat().identity

    def close(self) -> None:
        """Close the file and with it give up the lock: the journal may now be adopted by whoever publishes."""
        self.handle.close()


class JournalBytes(NamedTuple):
    """A journal as it was read: all bytes, what they hold, and what the header says (None: it is not whole)."""

    data: bytes
    scan: frames.Scan
    header: frames.JournalHeader | None


def journal_id(name: str) -> str | None:
    """The id in a journal's file name, or None when the name is no journal's."""
    stem = name.removesuffix(SUFFIX)
    return stem if name.endswith(SUFFIX) and len(stem) == 32 and set(stem) <= set("0123456789abcdef") else None


def read_journal(handle: Handle, path: Path, store_id: str, *, salvage: bool = False) -> JournalBytes:
    """A journal's bytes and frames. A header that is not whole is a bad place like any other.

    Its owner may write at this moment: a long read may pass over a frame and find the next one, which says that the
    first is on the disk. So a bad place counts as damage when it is bad twice. DamagedFile also where the file was
    renamed, belongs to another store, or is longer than any journal; with ``salvage`` the good frames of a longer file
    come back.
    """
    found = _read_once(handle, path, store_id, salvage=salvage)
    while found.scan.damaged:
        again = _read_once(handle, path, store_id, salvage=salvage)
        if again.scan.damaged and again.scan.good_bytes == found.scan.good_bytes:
            return again
        found = again
    return found


def _read_once(handle: Handle, path: Path, store_id: str, *, salvage: bool) -> JournalBytes:
    size = handle.stat().size
    name = journal_id(path.name) or ""
    header = frames.unpack_file_header(handle.read_at(0, frames.FILE_HEADER_BYTES))
    if size > MAX_BYTES and not (salvage and header is not None):
        raise DamagedFile(
            f"{path}: damaged: expected at most {MAX_BYTES:,} bytes, got {size:,}. Nothing was changed. Cut it to its "
            "length, or open with repair=True, which keeps its good frames and sets the file aside in quarantine/"
        )
    if header is None and size > _SMALL_BYTES and not _has_frames(handle, name, size):
        return JournalBytes(b"", frames.Scan((), 0, size, 0, damaged=False), None)
    data = _read(handle, size)
    if header is None:
        return JournalBytes(data, frames.scan(data, name, start=0), None)
    if header.journal_id != name or header.store_id != store_id:
        of = f"store {header.store_id[:8]}" if header.journal_id == name else f"journal {header.journal_id}, renamed"
        raise DamagedFile(
            f"{path}: this is of {of}; the store here is {store_id[:8]}. Nothing was changed. Move it back to where it "
            "came from, or open with repair=True, which sets it aside in quarantine/"
        )
    if header.min_reader > frames.FORMAT:
        raise VersionTooOld(f"{path}: needs toriwork format {header.min_reader}, this one reads {frames.FORMAT}")
    found = frames.scan(data, name)
    if size > MAX_BYTES:
        found = replace(found, total_bytes=size, damaged=True)
    return JournalBytes(data, found, header)


def _read(handle: Handle, size: int) -> bytes:
    """The bytes of a journal up to the longest that one can be; long runs of zeros at the end are left out.

    They are nobody's bytes, and in a sparse file they cost its maker nothing.
    """
    if size <= _SMALL_BYTES:
        return handle.read_at(0, size)
    parts: list[bytes] = []
    zeros = 0
    for offset in range(0, min(size, MAX_BYTES), _CHUNK_BYTES):
        chunk = handle.read_at(offset, min(_CHUNK_BYTES, size - offset))
        if chunk.count(0) == len(chunk):
            zeros += len(chunk)
            continue
        parts += (bytes(zeros), chunk)
        zeros = 0
    return b"".join(parts)


def _has_frames(handle: Handle, name: str, size: int) -> bool:
    """True when anything in a file looks like a frame of a journal; read a MB at a time."""
    needle = frames.FRAME_MAGIC + bytes.fromhex(name)
    end = b""
    for offset in range(0, size, _CHUNK_BYTES):
        chunk = end + handle.read_at(offset, _CHUNK_BYTES)
        if needle in chunk:
            return True
        end = chunk[-len(needle) :]
    return False
