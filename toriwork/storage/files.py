# mypy: no-warn-unreachable
# (each platform has branches that the others never see)
"""The file layer: every system call of the store goes through here, so that a simulated disk can stand in.

Three platforms have their branch: Linux (tested), macOS (``F_FULLFSYNC``: plain fsync leaves data in the drive's
cache), Windows (replace with bounded retries, no directory fsync, ``msvcrt`` locks). No format lives here.
"""

from __future__ import annotations

import contextlib
import errno
import io
import os
import re
import stat
import sys
import time
import weakref
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from toriwork.errors import Closed, LockUnavailable
from toriwork.storage.access import CAREFUL, Access, access_of, give, odd, refusal, require_regular, tighten

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
#: file systems that share the bytes of a copy instead of writing them again
WITH_REFLINKS = frozenset(("btrfs", "xfs", "bcachefs"))
_NO_LOCKS = frozenset((errno.ENOLCK, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP))
#: what a kernel or file system says that cannot copy inside
_NO_COPY = frozenset((errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM))
_COPY_BYTES = 2**30
_CHUNK_BYTES = 4 * 2**20
_OCTAL = re.compile(r"\\([0-7]{3})")  # how mountinfo writes blanks
_LOCK_FILE_TRIES = 100
_REPLACE_TRIES = 10  # Windows: doubling waits from 1 ms, about one second in all
#: of the process or the machine, not of the disk: nothing was lost, the same call may succeed a second later
SHORTAGES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM))


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


class _ClosedDescriptor:
    """What stands for the descriptor of a handle that has none any more."""

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
        return _file_stat(os.fstat(self._fd))

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
                return pa.PythonFile(io.FileIO(os.dup(self._fd)), mode="r")
        return pa.PythonFile(io.FileIO(os.dup(self._fd)), mode="r")  # pragma: no cover

    def close(self) -> None:
        """Close the descriptor; a lock goes with the last copy of it."""
        vars(self).pop("_fd", None)
        with contextlib.suppress(IndexError):  # closed already
            any(map(os.close, map(self._numbers.pop, (0,))))

    def __del__(self) -> None:
        if "_numbers" in vars(self):  # an interrupt may come between the birth of the object and its first line
            self.close()


#: descriptors with a lock: a forked child closes its copies, or the locks would outlive the parent
_LOCKED: weakref.WeakSet[OsHandle] = weakref.WeakSet()


def _close_inherited() -> None:
    for handle in list(_LOCKED):
        handle.close()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_close_inherited)


def _regular(path: Path, flags: int) -> OsHandle:
    """A handle on the regular file that has this name; OddFile or NotPermitted where there is none for us."""
    try:
        require_regular(path, os.lstat(path).st_mode)  # first: opening a device may already do something
        handle = OsHandle(path, flags | CAREFUL)
    except OSError as error:
        raise refusal(error, path) from error
    try:
        handle.require_regular(path)  # it may have been exchanged between the two calls
    except BaseException:
        handle.close()
        raise
    return handle


class OsFiles:
    """The operating system's disk.

    Parameters
    ----------
    public
        The public file of a table: what is made takes its mode, group and (as root) owner. Where there is none, the
        umask decides.
    """

    _public: Path | None = None  # a simulated disk may bring a constructor of its own

    def __init__(self, public: Path | None = None) -> None:
        self._public = public

    def open(self, path: Path) -> OsHandle:
        """A handle for reading the regular file that has this name now; a link is not followed."""
        return _regular(path, os.O_RDONLY)

    def create(self, path: Path, *, exclusive: bool = True) -> OsHandle:
        """A handle for writing a new file, locked (``exclusive``); or for a lock file that may be there already."""
        return self._create_new(path) if exclusive else self._open_lock(path)

    def _create_new(self, path: Path) -> OsHandle:
        like = access_of(self._public)
        try:
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | CAREFUL
            handle = OsHandle(path, flags, 0o666 if like is None else 0o600)
        except OSError as error:
            raise refusal(error, path) from error
        try:
            handle.try_lock()  # before others may open it: who can open a file can keep it locked
            if like is not None:
                handle.give(like, like.mode)
        except BaseException:
            handle.close()
            self.unlink(path)
            raise
        return handle

    def _open_lock(self, path: Path) -> OsHandle:
        # never O_CREAT on a file that is there: in a sticky folder Linux refuses that even to root
        for _ in range(_LOCK_FILE_TRIES):
            try:
                handle = _regular(path, os.O_RDWR)
                handle.tighten_lock()
                return handle
            except FileNotFoundError:
                pass
            try:
                # readers get no bit from the beginning; writers get the one for reading below
                handle = OsHandle(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | CAREFUL, 0o622)
            except FileExistsError:
                continue
            except OSError as error:
                raise refusal(error, path) from error
            like = access_of(self._public) or handle.access()
            handle.give(like, like.lock_mode)
            return handle
        raise LockUnavailable(f"{path}: somebody makes and removes this file again and again; try again")

    def stat(self, path: Path) -> FileStat | None:
        """What the name stands for now, or None when nothing has that name.

        Raises
        ------
        OddFile
            It is no regular file.
        """
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise refusal(error, path) from error
        if not stat.S_ISREG(found.st_mode):
            raise odd(path, found.st_mode)
        return _file_stat(found)

    def names(self, folder: Path) -> list[str]:
        """The names in a folder, sorted; empty when there is no such folder."""
        try:
            self._check_folder(folder)
            return sorted(os.listdir(folder))
        except FileNotFoundError:
            return []
        except OSError as error:
            raise refusal(error, folder) from error

    def make_folder(self, folder: Path) -> list[Path]:
        """Create a folder with its parents; the parents that got a new entry, which must be synced.

        Folders above the public file are the user's alone; one beside it is as open as that file. A folder that was
        there keeps its mode, but gives nobody more than the public file does.
        """
        missing: list[Path] = []
        while not os.path.lexists(missing[-1].parent if missing else folder):
            missing.append(missing[-1].parent if missing else folder)
        try:
            for path in reversed(missing):
                self._make_one(path)
            self._check_folder(folder)
        except OSError as error:
            raise refusal(error, folder) from error
        like = access_of(self._public)
        if like is not None and not self._is_above(folder):
            tighten(folder, like)
        return [path.parent for path in reversed(missing)]

    def _make_one(self, folder: Path) -> None:
        like = None if self._is_above(folder) else access_of(self._public)
        try:
            folder.mkdir(0o700 if self._is_above(folder) or like is not None else 0o777)
        except FileExistsError:
            return
        if like is not None and sys.platform != "win32":
            descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | CAREFUL)
            try:
                give(descriptor, like, like.folder_mode)
            finally:
                os.close(descriptor)

    def _is_above(self, folder: Path) -> bool:
        return self._public is not None and folder in self._public.parents

    def _check_folder(self, folder: Path) -> None:
        """OddFile for a private folder that is none; a link to one counts as none."""
        if not self._is_above(folder) and not stat.S_ISDIR(mode := os.lstat(folder).st_mode):
            raise odd(folder, mode, "a folder")

    def link(self, source: Path, target: Path) -> None:
        """Give a file a second name; where there are no hard links, or we may not make this one, a copy."""
        try:
            os.link(source, target)
        except (NotImplementedError, PermissionError):
            self._copy(source, target)

    def _copy(self, source: Path, target: Path) -> None:
        import shutil

        with closing(self.create(target)) as copy, closing(_regular(source, os.O_RDONLY)) as original:
            with os.fdopen(os.dup(copy.fileno()), "wb") as file, os.fdopen(os.dup(original.fileno()), "rb") as given:
                shutil.copyfileobj(given, file)
            copy.sync()

    def replace(self, source: Path, target: Path) -> None:
        """Rename over whatever has the target's name; on Windows tried again while a reader has it open."""
        for attempt in range(_REPLACE_TRIES):
            try:
                os.replace(source, target)
                return
            except OSError as error:
                if sys.platform != "win32" or attempt == _REPLACE_TRIES - 1 or not isinstance(error, PermissionError):
                    raise refusal(error, target) from error
                time.sleep(0.001 * 2**attempt)  # pragma: no cover

    def unlink(self, path: Path) -> None:
        """Remove a name; one that is gone already is fine."""
        try:
            Path(path).unlink(missing_ok=True)
        except OSError as error:
            raise refusal(error, path) from error

    def sync_folder(self, folder: Path) -> None:
        """Return when the entries of a folder have reached the disk (Windows has no such call)."""
        if sys.platform == "win32":  # pragma: no cover
            return
        try:
            handle = OsHandle(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        except OSError as error:
            raise refusal(error, folder) from error
        try:
            handle.sync_entries()
        finally:
            handle.close()

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
