"""One writer's journal: created under a lock that lives as long as its owner, appended with one write a frame.

The writer keeps the bytes that no sync has covered yet, because a failed fsync must never be tried again on the
same descriptor: Linux marks the pages clean and forgets them (Rebello et al. 2020, "Can Applications Recover from
fsync Failures?", USENIX ATC, sect. 3). The caller holds the mutex of its handle around every call here.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path
from typing import TYPE_CHECKING

from toriwork.errors import DamagedFile, StoreError, VersionTooOld
from toriwork.storage import frames
from toriwork.storage.frames import Kind

if TYPE_CHECKING:
    from toriwork.storage.files import Files, Handle

SUFFIX = ".journal"
_TEMPORARY = ".journal.new"


class JournalWriter:
    """An open journal of this process; its file is locked for as long as this object lives."""

    def __init__(self, files: Files, folder: Path, store_id: str) -> None:
        self.id = secrets.token_hex(16)
        self.path = folder / (self.id + SUFFIX)
        self._files = files
        self._key = bytes.fromhex(self.id)
        self._header = frames.pack_file_header(store_id, self.id, time.time_ns(), os.getpid())
        temporary = folder / (self.id + _TEMPORARY)
        self.handle: Handle = files.create(temporary)
        # locked before it has its name: whoever sees the name and can lock it knows that the owner is dead
        if not self.handle.try_lock():
            raise StoreError(f"{temporary}: a new journal could not be locked")
        if self.handle.write(self._header) != len(self._header):
            files.unlink(temporary)
            raise StoreError(f"{temporary}: the disk took only a part of a journal's header (is it full?)")
        files.replace(temporary, self.path)  # a new random name: nothing can be there
        self.size = len(self._header)  #: bytes, all of them good
        self.next_number = 1
        self.synced = 0  #: bytes known to be on the disk
        self.named = False  #: whether the folder's entry is known to be on the disk
        self.marked = 0  #: size behind the last sync mark
        self.kept: list[bytes] = [self._header]  #: what no sync has covered, in order
        self.kept_bytes = len(self._header)

    def append(self, payload: bytes, n_rows: int, kind: int, time_ns: int) -> int:
        """The number of the frame that was appended; any error means that the journal must be retired.

        Raises
        ------
        StoreError
            The disk took only a part of the frame; the row does not exist.
        """
        number = self.next_number
        frame = frames.pack_frame(self._key, number, self.synced, time_ns, n_rows, kind, payload)
        written = self.handle.write(frame)
        if written != len(frame):
            raise StoreError(
                f"{self.path}: the disk took {written} of {len(frame)} bytes (full, or over a quota or file size "
                "limit); the row was not recorded, everything before it stays"
            )
        self.next_number = number + 1
        self.size += written
        self.kept.append(frame)
        self.kept_bytes += written
        return number

    def mark_synced(self, size: int, n_kept: int) -> None:
        """Note that everything below ``size``, the first ``n_kept`` of the kept pieces, is on the disk."""
        self.synced = max(self.synced, size)
        self.kept_bytes -= sum(map(len, self.kept[:n_kept]))
        del self.kept[:n_kept]

    def append_sync_mark(self, time_ns: int) -> None:
        """Write into the file how far it is known to be on the disk, when that is news."""
        if self.next_number > 1 and self.synced:
            self.append(b"", 0, Kind.SYNC, time_ns)
            self.marked = self.size

    def rewrite(self) -> None:
        """Put the same journal, same id and frame numbers, into a new file after a failed sync.

        What had been synced is read back, the rest comes from memory. Any error leaves the old file and the kept
        bytes as they were.
        """
        old = self.handle.read_at(0, self.synced)
        if len(old) != self.synced:
            raise StoreError(f"{self.path}: {self.synced} bytes were synced, {len(old)} can be read back")
        temporary = self.path.with_suffix(_TEMPORARY)
        fresh = self._files.create(temporary)
        try:
            if not fresh.try_lock():
                raise StoreError(f"{temporary}: a new journal could not be locked")
            content = b"".join((old, *self.kept))
            if fresh.write(content) != len(content):
                raise StoreError(f"{temporary}: the disk took only a part of the journal")
            fresh.sync()
            self._files.replace(temporary, self.path)
            self._files.sync_folder(self.path.parent)
        except BaseException:
            fresh.close()
            self._files.unlink(temporary)
            raise
        self.handle.close()
        self.handle = fresh
        self.named = True
        self.size = len(content)
        self.mark_synced(len(content), len(self.kept))

    def read(self, offset: int, length: int) -> bytes:
        """Bytes of this journal's own file."""
        return self.handle.read_at(offset, length)

    def close(self) -> None:
        """Close the file and with it give up the lock: the journal may now be adopted by whoever publishes."""
        self.handle.close()


def journal_id(name: str) -> str | None:
    """The id in a journal's file name, or None when the name is no journal's."""
    stem = name.removesuffix(SUFFIX)
    return stem if name.endswith(SUFFIX) and len(stem) == 32 and set(stem) <= set("0123456789abcdef") else None


def read_journal(handle: Handle, path: Path, store_id: str) -> tuple[bytes, frames.Scan]:
    """All bytes of a journal and what they hold.

    Raises
    ------
    DamagedFile
        The header fails its check or belongs to another store.
    VersionTooOld
        Written by a newer toriwork that this one may not read.
    """
    data = handle.read_at(0, handle.stat().size)
    name = journal_id(path.name) or ""
    header = frames.unpack_file_header(data)
    if header is None or header.journal_id != name:
        raise DamagedFile(
            f"{path}: the journal's header is damaged; nothing was changed. Restore the file from a backup, or open "
            "with repair=True, which sets it aside in quarantine/ and goes on without its rows"
        )
    if header.store_id != store_id:
        raise DamagedFile(
            f"{path}: belongs to store {header.store_id[:8]}, this is store {store_id[:8]}; move it back to where it "
            "came from, or open with repair=True, which sets it aside in quarantine/"
        )
    if header.min_reader > frames.FORMAT:
        raise VersionTooOld(f"{path}: needs toriwork format {header.min_reader}, this one reads {frames.FORMAT}")
    return data, frames.scan(data, name)
