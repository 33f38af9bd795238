# mypy: no-warn-unreachable
# (each platform has branches that the others never see)
"""The file layer: every system call of the store goes through here, so that a simulated disk can stand in.

Three platforms have their branch: Linux (tested), macOS (``F_FULLFSYNC``: plain fsync leaves data in the drive's
cache), Windows (replace with bounded retries, no directory fsync, ``msvcrt`` locks). No format lives here.
"""

from __future__ import annotations

import errno
import os
import re
import secrets
import stat
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from toriwork.errors import LockUnavailable, StoreError
from toriwork.storage.access import (
    CAREFUL,
    access_of,
    duplicate,
    fill_streams,
    give,
    odd,
    refusal,
    require_regular,
    tighten,
)
from toriwork.storage.handles import FileStat, Handle, OsHandle, file_stat_of
from toriwork.storage.paths import TEMPORARY_SUFFIX

if TYPE_CHECKING:
    from collections.abc import Sequence


#: file systems on which flock may be local to one host or missing; publishing there is refused
NETWORK_FILE_SYSTEMS = frozenset(
    "nfs nfs4 cifs smb3 smbfs 9p afs ceph lustre gpfs beegfs glusterfs ocfs2 gfs2 orangefs panfs vboxsf prl_fs "
    "fuse.sshfs fuse.glusterfs fuse.ceph fuse.s3fs fuse.gcsfuse fuse.rclone".split()
)
#: file systems that share the bytes of a copy instead of writing them again
WITH_REFLINKS = frozenset(("btrfs", "xfs", "bcachefs"))
_OCTAL = re.compile(r"\\([0-7]{3})")  # how mountinfo writes blanks
_LOCK_FILE_TRIES = 100
_REPLACE_TRIES = 10  # Windows: doubling waits from 1 ms, about one second in all
#: of the process or the machine, not of the disk: nothing was lost, the same call may succeed a second later
SHORTAGES = frozenset((errno.EMFILE, errno.ENFILE, errno.ENOMEM))


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

    Files are made with mode, group and (as root) owner of the public file; where there is none, the umask decides.
    """

    _public: Path | None = None  # a simulated disk may bring a constructor of its own

    def __init__(self, public: Path | None = None) -> None:
        self._public = public
        fill_streams()

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
        """The regular file behind a name, or None when nothing has that name."""
        try:
            found = os.lstat(path)
        except FileNotFoundError:
            return None
        except OSError as error:
            raise refusal(error, path) from error
        if not stat.S_ISREG(found.st_mode):
            raise odd(path, found.st_mode)
        return file_stat_of(found)

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
            with (
                os.fdopen(duplicate(copy.fileno()), "wb") as file,
                os.fdopen(duplicate(original.fileno()), "rb") as given,
            ):
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


def write_whole(files: Files, path: Path, content: bytes) -> None:
    """Give a name to a new file with this content, which is on the disk when this returns; a crash leaves the old."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    handle = files.create(temporary)
    try:
        handle.try_lock()  # as long as it is locked nobody takes it for the remains of a dead process
        if handle.write(content) != len(content):
            raise StoreError(f"{temporary}: the disk took only a part of it (is it full?)")
        handle.sync()
        files.replace(temporary, path)
    except BaseException:
        files.unlink(temporary)
        raise
    finally:
        handle.close()
    files.sync_folder(path.parent)


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
