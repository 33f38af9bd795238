# mypy: no-warn-unreachable
# (each platform has branches that the others never see)
"""The file layer: every system call of the store goes through here, so that a simulated disk can stand in.

Three platforms have their branch: Linux (tested), macOS (``F_FULLFSYNC``: plain fsync leaves data in the drive's
cache), Windows (replace with bounded retries, no directory fsync, ``msvcrt`` locks). No format lives here.
"""

from __future__ import annotations

import errno
import io
import os
import re
import sys
import time
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from toriwork.errors import LockUnavailable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pyarrow as pa

if sys.platform == "win32":  # pragma: no cover - not the platform of the tests
    import msvcrt
else:
    import fcntl

#: file systems on which flock may be local to one host or missing; publishing there is refused
NETWORK_FILE_SYSTEMS = frozenset(
    "nfs nfs4 cifs smb3 smbfs 9p afs ceph lustre gpfs beegfs glusterfs ocfs2 gfs2 orangefs panfs vboxsf prl_fs "
    "fuse.sshfs fuse.glusterfs fuse.ceph fuse.s3fs fuse.gcsfuse fuse.rclone".split()
)
_NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP))
#: what a kernel or file system says that cannot copy inside
_NO_COPY = frozenset((errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM))
_COPY_BYTES = 2**30
_CHUNK_BYTES = 4 * 2**20
_OCTAL = re.compile(r"\\([0-7]{3})")  # how mountinfo writes blanks
_REPLACE_TRIES = 10  # Windows: doubling waits from 1 ms, about one second in all


class FileStat(NamedTuple):
    """What the store asks of a path: identity, size in bytes, permission bits, group, time of last change."""

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


class Files(Protocol):
    """The disk as the store sees it: a dozen operations on names, and handles for everything inside a file."""

    def open(self, path: Path) -> Handle: ...
    def create(self, path: Path, *, exclusive: bool = True) -> Handle: ...
    def stat(self, path: Path) -> FileStat | None: ...
    def names(self, folder: Path) -> Sequence[str]: ...
    def make_folder(self, folder: Path) -> list[Path]: ...
    def link(self, source: Path, target: Path) -> None: ...
    def replace(self, source: Path, target: Path) -> None: ...
    def unlink(self, path: Path) -> None: ...
    def sync_folder(self, folder: Path) -> None: ...
    def free_bytes(self, folder: Path) -> int: ...
    def system_type(self, folder: Path) -> str: ...


class OsHandle:
    """A descriptor of the operating system; closed when it is collected."""

    _fd = -1  # an interrupt may come between the birth of the object and its first line

    def __init__(self, descriptor: int) -> None:
        self._fd = descriptor

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
        return _file_stat(os.fstat(self._fd))

    def sync(self) -> None:
        """Return when data and size have reached the disk; an OSError means that they may be lost for good."""
        if sys.platform == "darwin":  # pragma: no cover
            fcntl.fcntl(self._fd, fcntl.F_FULLFSYNC)
        elif hasattr(os, "fdatasync"):
            os.fdatasync(self._fd)
        else:  # pragma: no cover
            os.fsync(self._fd)

    def try_lock(self) -> bool:
        """Whether the exclusive lock of this file is ours now; never waits.

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
        """Give the file permission bits and a group; a group that we may not set is left as it is."""
        if sys.platform == "win32":  # pragma: no cover
            return
        os.fchmod(self._fd, mode)
        if os.fstat(self._fd).st_gid != group:
            try:
                os.fchown(self._fd, -1, group)
            except PermissionError:
                # the owner is no member of that group: the mode was kept, the group cannot be
                os.fchmod(self._fd, mode)

    def arrow(self) -> pa.NativeFile:
        """A reader for Arrow over this very file, also after its name was replaced or removed."""
        import pyarrow as pa

        if sys.platform == "linux":  # a native reader needs no GIL; /proc names the open file, not the path
            try:
                return pa.OSFile(f"/proc/self/fd/{self._fd}")
            except OSError:  # no /proc here, or a file that may be read but not opened once more
                return pa.PythonFile(io.FileIO(os.dup(self._fd)), mode="r")
        return pa.PythonFile(io.FileIO(os.dup(self._fd)), mode="r")  # pragma: no cover

    def close(self) -> None:
        """Close the descriptor; a lock goes with the last copy of it."""
        fd, self._fd = self._fd, -1
        if fd >= 0:
            os.close(fd)

    def __del__(self) -> None:
        self.close()


#: descriptors with a lock: a forked child closes its copies, or the locks would outlive the parent
_LOCKED: weakref.WeakSet[OsHandle] = weakref.WeakSet()


def _close_inherited() -> None:
    for handle in list(_LOCKED):
        handle.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)


class OsFiles:
    """The operating system's disk."""

    def open(self, path: Path) -> OsHandle:
        """A handle for reading the file that has this name now."""
        return OsHandle(os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)))

    def create(self, path: Path, *, exclusive: bool = True) -> OsHandle:
        """A handle for writing a new file (``exclusive``) or a file that may be there already."""
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)
        return OsHandle(os.open(path, flags | (os.O_EXCL if exclusive else 0), 0o666))

    def stat(self, path: Path) -> FileStat | None:
        """What the name stands for now, or None when nothing has that name."""
        try:
            return _file_stat(os.stat(path))
        except FileNotFoundError:
            return None

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted; empty when there is no such folder."""
        try:
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []

    def make_folder(self, folder: Path) -> list[Path]:
        """Create a folder with its parents; the parents that got a new entry, which must be synced."""
        missing = [folder]
        while not missing[-1].parent.exists():
            missing.append(missing[-1].parent)
        if folder.is_dir():
            return []
        os.makedirs(folder, exist_ok=True)
        return [path.parent for path in reversed(missing)]

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name; where there are no hard links, a copy."""
        try:
            os.link(source, target)
        except (NotImplementedError, PermissionError):  # pragma: no cover - file systems without hard links
            import shutil

            shutil.copy2(source, target)

    def replace(self, source: Path, target: Path) -> None:
        """Rename over whatever has the target's name; on Windows tried again while a reader has it open."""
        for attempt in range(_REPLACE_TRIES):
            try:
                os.replace(source, target)
                return
            except PermissionError:
                if sys.platform != "win32" or attempt == _REPLACE_TRIES - 1:
                    raise
                time.sleep(0.001 * 2**attempt)  # pragma: no cover

    def unlink(self, path: Path) -> None:
        """Remove a name; one that is gone already is fine."""
        Path(path).unlink(missing_ok=True)

    def sync_folder(self, folder: Path) -> None:
        """Return when the entries of a folder have reached the disk (Windows has no such call)."""
        if sys.platform == "win32":  # pragma: no cover
            return
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def free_bytes(self, folder: Path) -> int:
        """Bytes that an ordinary user may still write in the folder's file system."""
        import shutil

        return shutil.disk_usage(folder).free

    def system_type(self, folder: Path) -> str:
        """The type of the folder's file system as Linux names it (``ext4``, ``nfs4``), or ``unknown``."""
        try:
            lines = Path("/proc/self/mountinfo").read_text(encoding="utf-8", errors="surrogateescape").splitlines()
        except OSError:
            return "unknown"
        return file_system_of(os.path.realpath(folder), lines)


def file_system_of(folder: str, mountinfo: Sequence[str]) -> str:
    """The type of the file system that a real path lies on, by the lines of ``/proc/self/mountinfo``."""
    longest, found = -1, "unknown"
    for line in mountinfo:
        parts = line.split()
        point = _OCTAL.sub(lambda match: chr(int(match[1], 8)), parts[4])
        inside = folder == point or folder.startswith(point.rstrip("/") + "/")
        if inside and len(point) >= longest:  # of two mounts on one place the later one is seen
            longest, found = len(point), parts[parts.index("-") + 1]
    return found


def _file_stat(found: os.stat_result) -> FileStat:
    return FileStat((found.st_dev, found.st_ino), found.st_size, found.st_mode & 0o7777, found.st_gid, found.st_mtime)
