"""Who may read and write what the store makes, what may stand under its names, and how a refusal is told.

Everything that is made takes mode, group and (as root) owner of the public file. Only regular files are opened, no link
is followed and no FIFO is waited for: whoever may write into the folder may have put anything there.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from toriwork.errors import NotPermitted, OddFile, StoreError

if TYPE_CHECKING:
    from collections.abc import Iterator

if sys.platform != "win32":
    import fcntl

LOWEST = 3  #: descriptor of a file; those below are the standard streams
#: no link is followed, nothing is waited for, nothing is handed to other programs
CAREFUL = sum(getattr(os, name, 0) for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_CLOEXEC", "O_BINARY"))
_KINDS = {
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFDIR: "a folder",
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
    stat.S_IFREG: "a file",
}
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_OF_ANOTHER_KIND = (errno.ELOOP, errno.ENOTDIR, errno.EISDIR, errno.ENXIO, errno.ENODEV)
_LOCK_LINE = re.compile(r"FLOCK\s+\S+\s+\S+\s+(\d+)\s+([0-9a-f]+):([0-9a-f]+):(\d+)\s")


class Access(NamedTuple):
    """Permission bits, owner and group of a public file, which everything beside it takes."""

    mode: int
    owner: int
    group: int

    @property
    def folder_mode(self) -> int:
        """Whoever may read the file may list the folder and open what is in it."""
        return 0o700 | self.mode | (self.mode & 0o444) >> 2

    @property
    def lock_mode(self) -> int:
        """Only who may write the file may open the lock: who can open it can hold it for ever."""
        return 0o600 | self.mode & 0o022 | (self.mode & 0o022) << 1


def access_of(public: Path | None) -> Access | None:
    """Mode, owner and group of a public file; None where there is none, so that the umask decides."""
    if public is None:
        return None
    try:
        found = os.lstat(public)
    except OSError:
        return None
    return Access(found.st_mode & 0o777, found.st_uid, found.st_gid) if stat.S_ISREG(found.st_mode) else None


def give(descriptor: int, access: Access, mode: int) -> None:
    """Set owner and group as far as we may, then the mode.

    A group that we may not set gets no more than everybody: the bits were meant for another one.
    """
    if not hasattr(os, "fchown"):  # pragma: no cover - Windows
        return
    now = os.fstat(descriptor)
    if now.st_uid != access.owner:
        with contextlib.suppress(OSError):  # only root gives files away
            os.fchown(descriptor, access.owner, access.group)
    if os.fstat(descriptor).st_gid != access.group:
        try:
            os.fchown(descriptor, -1, access.group)
        except OSError:
            mode &= ~0o070 | (mode & 0o007) << 3
    if stat.S_ISDIR(now.st_mode):
        mode |= now.st_mode & stat.S_ISGID  # what is made inside takes the group of the folder
    if stat.S_IMODE(os.fstat(descriptor).st_mode) != mode:
        os.fchmod(descriptor, mode)


def tighten(folder: Path, access: Access) -> None:
    """Take from a folder of ours the bits of group and others that its public file does not give (any more)."""
    with contextlib.suppress(OSError):  # a folder of somebody else, or a disk that is read-only
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | CAREFUL)
        try:
            mode = stat.S_IMODE(os.fstat(descriptor).st_mode)
            wanted = mode & (~0o077 | access.folder_mode)
            if wanted != mode:
                os.fchmod(descriptor, wanted)
        finally:
            os.close(descriptor)


def fill_streams() -> None:
    """Give the numbers of closed standard streams to nobody.

    A program that was started without stdout or stderr gives its number to the next file that it opens; what libraries
    print goes into that file then.
    """
    for number in range(LOWEST):
        try:
            os.fstat(number)
        except OSError:
            with contextlib.suppress(OSError):
                os.open(os.devnull, os.O_RDWR)  # the lowest number that is free


def duplicate(descriptor: int) -> int:
    """Another descriptor of the same open file, never that of a standard stream."""
    if sys.platform == "win32":  # pragma: no cover
        return os.dup(descriptor)
    return fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, LOWEST)


def open_regular(path: Path, flags: int) -> int:
    """A descriptor of the regular file that has this name; OddFile for a FIFO, a folder, a link or a device."""
    try:
        require_regular(path, os.lstat(path).st_mode)  # first: opening a device may already do something
        descriptor = os.open(path, flags | CAREFUL)
    except OSError as error:
        raise refusal(error, path) from error
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):  # exchanged between the two calls
        os.close(descriptor)
        raise odd(path, mode)
    if descriptor >= LOWEST:
        return descriptor
    try:
        return duplicate(descriptor)
    finally:
        os.close(descriptor)


def require_regular(path: Path, mode: int) -> None:
    """OddFile when a name stands for something else than a regular file: a FIFO, a folder, a link, a device."""
    if not stat.S_ISREG(mode):
        raise odd(path, mode)


def odd(path: Path, mode: int, wanted: str = "a regular file") -> OddFile:
    """The error for a name of the store that stands for something else."""
    found = _KINDS.get(stat.S_IFMT(mode), "something else")
    return OddFile(
        f"{path}: expected {wanted}, got {found}. Nothing was changed, it was neither followed nor read. Move it "
        "away; if a file of yours had this name, put that back"
    )


def refusal(error: OSError, path: Path) -> OSError:
    """The error to raise instead of one of the operating system, with path and remedy where they are known."""
    if isinstance(error, StoreError):
        return error
    new: StoreError
    if error.errno in _DENIED:
        new = NotPermitted(f"{path}: {error.strerror}{_whose(path)}. {_remedy(error)}")
    elif error.errno in _OF_ANOTHER_KIND:
        blocked = next((p for p in (*reversed(path.parents), path) if _is_odd(p, path)), path)
        with contextlib.suppress(OSError):
            wanted = "a regular file" if blocked == path else "a folder"
            return odd(blocked, os.lstat(blocked).st_mode, wanted)
        new = OddFile(f"{path}: expected a regular file, got something else ({error.strerror})")
    elif error.errno == errno.ENAMETOOLONG:
        new = StoreError(f"{path}: {error.strerror}: expected a shorter path")
    else:
        return error
    new.errno, new.filename = error.errno, str(path)
    return new


@contextlib.contextmanager
def typed(path: Path) -> Iterator[None]:
    """Raise a refusal of the operating system as a StoreError at ``path``, with its number and file."""
    try:
        yield
    except OSError as error:
        if isinstance(error, StoreError):
            raise
        new = StoreError(
            f"{path}: expected an answer of the disk, got: {error}. What was recorded before stays. Remove the cause "
            "(a full disk, too many open files, a failing disk) and try again"
        )
        new.errno, new.filename = error.errno, error.filename
        raise new from error


def _is_odd(path: Path, wanted: Path) -> bool:
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return False
    return not (stat.S_ISREG(mode) if path == wanted else stat.S_ISDIR(mode))


def _whose(path: Path) -> str:
    """Owner and mode of a path, or of the nearest folder above it that can be looked at."""
    if not hasattr(os, "geteuid"):  # pragma: no cover - Windows
        return ""
    for place in (path, *path.parents):
        with contextlib.suppress(OSError):
            found = os.lstat(place)
            what = "it belongs" if place == path else f"{place} belongs"
            mode = stat.S_IMODE(found.st_mode)
            return f" for uid {os.geteuid()}: {what} to uid {found.st_uid}, group {found.st_gid}, mode {mode:04o}"
    return ""


def _remedy(error: OSError) -> str:
    if error.errno == errno.EROFS:
        return "Mount it for writing, or open with read_only=True"
    return "Let its owner allow it (chmod, chown), or, where reading is allowed, open with read_only=True"


def lock_holders(identity: tuple[int, int]) -> str:
    """Which processes hold a lock on a file, as words to go into a message; "" where nobody can tell."""
    try:
        lines = Path("/proc/locks").read_text(encoding="ascii", errors="replace")
    except OSError:
        return ""
    device, inode = identity
    pids = {
        int(pid)
        for pid, major, minor, number in _LOCK_LINE.findall(lines)
        if int(number) == inode and os.makedev(int(major, 16), int(minor, 16)) == device and int(pid) > 0
    }
    return f" (process {', '.join(map(str, sorted(pids)))})" if pids else ""
