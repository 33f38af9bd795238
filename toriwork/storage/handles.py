# mypy: no-warn-unreachable
# (each platform has branches that the others never see)
"""Open files: every system call on a descriptor goes through here."""

from __future__ import annotations

import contextlib
import errno
import io
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from toriwork.errors import Closed, LockUnavailable
from toriwork.lifetime import OpenObjects
from toriwork.storage.access import LOWEST, Access, duplicate, give, require_regular

if TYPE_CHECKING:
    import pyarrow as pa

if sys.platform == "win32":  # pragma: no cover - not the platform of the tests
    import msvcrt
else:
    import fcntl

_NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP))
#: what a kernel or file system says that cannot copy inside
_NO_COPY = frozenset((errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM))
_COPY_BYTES = 2**30
_CHUNK_BYTES = 4 * 2**20


class FileStat(NamedTuple):
    """Identity, size in bytes, permission bits, group and time of last change of a file."""

    identity: tuple[int, int]
    size: int
    mode: int
    group: int
    modified: float  #: seconds since 1970


class Handle(Protocol):
    """One open file. ``write`` goes on where the last one ended; ``write_at`` and ``read_at`` name their place."""

    def write(self, data: bytes) -> int: ...
    def write_at(self, offset: int, data: bytes, more: bytes = b"") -> int: ...
    def read_at(self, offset: int, length: int) -> bytes: ...
    def copy_from(self, source: Any, offset: int, length: int) -> int: ...
    def stat(self) -> FileStat: ...
    def sync(self) -> None: ...
    def try_lock(self) -> bool: ...
    def unlock(self) -> None: ...
    def set_owner(self, mode: int, group: int) -> None: ...
    def arrow(self) -> pa.NativeFile: ...
    def close(self) -> None: ...


class _ClosedDescriptor:
    """The descriptor of a closed handle: asking for it is an error."""

    def __get__(self, handle: object, kind: type) -> int:
        raise Closed("this file was closed; open the table again")


class OsHandle:
    """A file of the operating system under a descriptor of its own; closed when it is collected.

    The number is kept twice: where the calls here find it, which is forgotten first, and in a list that a single step,
    in C, fills with what ``open`` gave and empties into ``close``. So no interrupt makes anybody use a number that may
    belong to another file by now, close it twice, or leave it open.
    """

    _fd: int = _ClosedDescriptor()  # type: ignore[assignment]  # an attribute of the instance comes before this one

    def __init__(self, path: Path, flags: int, mode: int = 0o666) -> None:
        self._numbers: list[int] = []
        self._numbers.extend(map(os.open, (path,), (flags,), (mode,)))
        if self._numbers[0] < LOWEST:  # that of a standard stream, which is closed
            self._numbers.extend(map(duplicate, (self._numbers[0],)))
            any(map(os.close, map(self._numbers.pop, (0,))))
        self._fd = self._numbers[0]

    def write(self, data: bytes) -> int:
        """Bytes written behind those of the last call; fewer than given at a full disk or limit."""
        if sys.platform == "win32":  # pragma: no cover
            os.lseek(self._fd, 0, os.SEEK_END)  # locking and reading move the position there
        return os.write(self._fd, data)

    def write_at(self, offset: int, data: bytes, more: bytes = b"") -> int:
        """Bytes written from ``offset`` on, by one call for both; fewer than given at a full disk or limit."""
        if sys.platform == "win32":  # pragma: no cover
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.write(self._fd, data + more)
        if more:
            return os.pwritev(self._fd, (data, more), offset)
        return os.pwrite(self._fd, data, offset)

    def read_at(self, offset: int, length: int) -> bytes:
        """Up to ``length`` bytes from ``offset``; fewer only at the end of the file."""
        if sys.platform == "win32":  # pragma: no cover
            os.lseek(self._fd, offset, os.SEEK_SET)
            return os.read(self._fd, length)
        first = os.pread(self._fd, length, offset)
        if len(first) == length or not first:
            return first
        parts = [first]  # one pread may return less than 2 GiB or stop at a signal
        while parts[-1] and (got := sum(map(len, parts))) < length:
            parts.append(os.pread(self._fd, length - got, offset + got))
        return b"".join(parts)

    def copy_from(self, source: OsHandle, offset: int, length: int) -> int:
        """Bytes of another file, from ``offset`` on, written behind those of the last call; at times fewer than asked.

        The system copies them; a file system with reflinks shares them instead.
        """
        if hasattr(os, "copy_file_range"):
            try:
                return os.copy_file_range(source._fd, self._fd, min(length, _COPY_BYTES), offset)
            except OSError as error:
                if error.errno not in _NO_COPY:
                    raise
        return self.write(source.read_at(offset, min(length, _CHUNK_BYTES)))

    def stat(self) -> FileStat:
        """Identity, size, mode and group of the file behind the descriptor, whatever its name is by now."""
        return file_stat_of(os.fstat(self._fd))

    def require_regular(self, path: Path) -> None:
        """OddFile when it is no regular file."""
        require_regular(path, os.fstat(self._fd).st_mode)

    def sync(self) -> None:
        """Return when data and size have reached the disk; an OSError means that they may be lost for good."""
        if sys.platform == "darwin":  # pragma: no cover
            fcntl.fcntl(self._fd, fcntl.F_FULLFSYNC)
        elif hasattr(os, "fdatasync"):
            os.fdatasync(self._fd)
        else:  # pragma: no cover
            os.fsync(self._fd)

    def sync_entries(self) -> None:
        """The same for a folder."""
        os.fsync(self._fd)

    def try_lock(self) -> bool:
        """True when the exclusive lock of this file is ours now; never waits.

        flock, not lockf: a POSIX record lock is dropped when any descriptor of the file is closed.
        """
        try:
            if sys.platform == "win32":  # pragma: no cover
                os.lseek(self._fd, 0x7FFF0000, os.SEEK_SET)  # far behind the data: locks are mandatory there
                msvcrt.locking(self._fd, msvcrt.LK_NBLCK, 1)
            else:
                fcntl.flock(self._fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno in (errno.EWOULDBLOCK, errno.EAGAIN, errno.EACCES, errno.EDEADLK):
                return False
            if error.errno in _NO_LOCKS:
                raise LockUnavailable(
                    f"the file system offers no locks ({error}); keep the state root on a local disk, "
                    "or read with read_only=True"
                ) from error
            raise
        _LOCKED.add(self)
        return True

    def unlock(self) -> None:
        """Give the lock up even where a forked child still holds a copy of the descriptor."""
        if sys.platform == "win32":  # pragma: no cover
            os.lseek(self._fd, 0x7FFF0000, os.SEEK_SET)
            msvcrt.locking(self._fd, msvcrt.LK_UNLCK, 1)
        else:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def set_owner(self, mode: int, group: int) -> None:
        """Give the file permission bits and a group; a group that we may not set gets no more than everybody."""
        give(self._fd, Access(mode, os.fstat(self._fd).st_uid, group), mode)

    def give(self, access: Access, mode: int) -> None:
        """Give the file group, owner (as far as we may) and permission bits."""
        give(self._fd, access, mode)

    def access(self) -> Access:
        """Mode, owner and group as they are."""
        found = os.fstat(self._fd)
        return Access(found.st_mode & 0o777, found.st_uid, found.st_gid)

    def tighten_lock(self) -> None:
        """Close a lock file of ours, as earlier versions made it, to those who may only read."""
        now = self.access()
        if now.mode != now.mode & now.lock_mode:
            with contextlib.suppress(OSError):  # somebody else's
                os.fchmod(self._fd, now.mode & now.lock_mode)

    def fileno(self) -> int:
        """The descriptor."""
        return self._fd

    def arrow(self) -> pa.NativeFile:
        """A reader for Arrow over this very file, also after its name was replaced or removed."""
        import pyarrow as pa

        if sys.platform == "linux":  # a native reader needs no GIL; /proc names the open file, not the path
            try:
                return pa.OSFile(f"/proc/self/fd/{self._fd}")
            except OSError:  # no /proc here, or a file that may be read but not opened once more
                return pa.PythonFile(io.FileIO(duplicate(self._fd)), mode="r")
        return pa.PythonFile(io.FileIO(duplicate(self._fd)), mode="r")  # pragma: no cover

    def close(self) -> None:
        """Close the descriptor; a lock goes with the last copy of it."""
        vars(self).pop("_fd", None)
        with contextlib.suppress(IndexError):  # closed already
            while self._numbers:
                any(map(os.close, map(self._numbers.pop, (0,))))

    def __del__(self) -> None:
        if "_numbers" in vars(self):  # an interrupt may come between the birth of the object and its first line
            self.close()


#: descriptors with a lock: a forked child closes its copies, or the locks would outlive the parent
_LOCKED = OpenObjects(OsHandle.close)


def file_stat_of(found: os.stat_result) -> FileStat:
    """The part of a stat result that the store uses."""
    return FileStat((found.st_dev, found.st_ino), found.st_size, found.st_mode & 0o7777, found.st_gid, found.st_mtime)
