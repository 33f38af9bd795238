"""A disk in memory that stands in for the operating system's: what was synced survives a power cut, the rest may.

Every file has its content now and its content on the platter, every folder its entries now and on the platter. A power
cut keeps what was synced and, of what was not, a random part that a real file system may leave behind: any subset of
512-byte sectors, folder entries in any order that respects operations on the same name. A failed sync forgets pages
without writing them, as Linux does. Locks are those of flock: they belong to an open file.
"""

from __future__ import annotations

import errno
import itertools
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa

from toriwork.storage.handles import FileStat

SECTOR = 512


class PowerCut(BaseException):
    """The machine is off: no operation does anything any more."""


@dataclass(eq=False)
class Inode:
    """One file."""

    number: int
    now: bytearray = field(default_factory=bytearray)
    platter: bytes = b""
    lost: set[int] = field(default_factory=set)  #: sectors that a failed sync forgot
    mode: int = 0o644
    modified: float = 0.0
    owner: object = None  #: the handle that holds the lock

    def sync(self) -> None:
        """Bring the content to the platter, but for what a failed sync forgot."""
        fresh = bytearray(self.now)
        for sector in self.lost:
            start, stop = sector * SECTOR, min((sector + 1) * SECTOR, len(fresh))
            old = self.platter[start:stop]
            fresh[start:stop] = old + bytes(stop - start - len(old))
        self.platter = bytes(fresh)

    def fail_sync(self) -> None:
        """Forget every dirty page: it stays readable and never reaches the platter."""
        for start in range(0, len(self.now), SECTOR):
            if self.now[start : start + SECTOR] != self.platter[start : start + SECTOR]:
                self.lost.add(start // SECTOR)

    def after_cut(self, rng: random.Random) -> None:
        """Keep the platter and any of the sectors that were on their way."""
        left = bytearray(self.platter)
        size = rng.choice([len(self.platter), len(self.now), rng.randint(*sorted((len(self.platter), len(self.now))))])
        left = left[:size] + bytes(max(0, size - len(left)))
        share = rng.choice([0.0, 0.5, 1.0])
        for start in range(0, size, SECTOR):
            if start // SECTOR not in self.lost and rng.random() < share:
                stop = min(start + SECTOR, size, len(self.now))
                left[start:stop] = self.now[start:stop]
        self.now, self.platter, self.lost, self.owner = bytearray(left), bytes(left), set(), None


@dataclass(eq=False)
class Folder:
    """Names and what they stand for; ``pending`` are operations that no sync has covered, each a dict of changes."""

    now: dict[str, Inode | None] = field(default_factory=dict)
    platter: dict[str, Inode | None] = field(default_factory=dict)
    pending: list[dict[str, Any]] = field(default_factory=list)

    def change(self, **changes: Any) -> None:
        """Set names (None removes one) as one atomic operation."""
        self.pending.append(changes)
        _apply(self.now, changes)

    def after_cut(self, rng: random.Random) -> None:
        """Keep the platter and any of the pending operations whose predecessors on the same names were kept."""
        held_back: set[str] = set()
        share = rng.choice([0.0, 0.5, 1.0])
        for changes in self.pending:
            if held_back & set(changes) or rng.random() >= share:
                held_back |= set(changes)
            else:
                _apply(self.platter, changes)
        self.now, self.pending = dict(self.platter), []


_GONE = object()


def _apply(names: dict[str, Any], changes: dict[str, Any]) -> None:
    for name, value in changes.items():
        if value is _GONE:
            names.pop(name, None)
        else:
            names[name] = value


class MemDisk:
    """The platters; ``files()`` gives a fresh operating system on them."""

    def __init__(self, seed: int = 0) -> None:
        self.rng = random.Random(seed)
        self.folders: dict[str, Folder] = {"/": Folder()}
        self.numbers = itertools.count(1)
        self.boots = 0

    def files(self) -> MemFiles:
        """The disk as a process of the present boot sees it."""
        return MemFiles(self, self.boots)

    def cut_power(self) -> None:
        """Everything that was not synced is lost or not, as chance will have it."""
        self.boots += 1
        inodes = {
            i for folder in self.folders.values() for names in (folder.now, folder.platter) for i in names.values()
        }
        for inode in sorted((i for i in inodes if i is not None), key=lambda found: found.number):
            inode.after_cut(self.rng)
        for folder in self.folders.values():
            folder.after_cut(self.rng)
        for path in sorted(self.folders, key=len):  # a folder without an entry in its parent is gone
            if path != "/" and str(Path(path).name) not in self.folders.get(str(Path(path).parent), Folder()).now:
                del self.folders[path]

    def kill_processes(self) -> None:
        """The processes die, the machine stays: what was written is there, locks are gone."""
        self.boots += 1
        for inode in {i for folder in self.folders.values() for i in folder.now.values() if i is not None}:
            inode.owner = None

    def inode(self, path: Path) -> Inode | None:
        """The file behind a name."""
        folder = self.folders.get(str(path.parent))
        return folder.now.get(path.name) if folder is not None else None


class MemHandle:
    """One open file of a :class:`MemDisk`."""

    def __init__(self, files: MemFiles, inode: Inode, path: Path) -> None:
        self._files = files
        self.inode = inode
        self.path = path
        self._position = 0
        self._open = True

    def _step(self, what: str) -> None:
        if not self._open:
            raise OSError(errno.EBADF, "closed", str(self.path))
        self._files.step(what, self.path)

    def write(self, data: bytes) -> int:
        written = self.write_at(self._position, data)
        self._position += written
        return written

    def write_at(self, offset: int, data: bytes, more: bytes = b"") -> int:
        self._step("write")
        data, now = bytes(data) + bytes(more), self.inode.now
        if self._files.room is not None:
            data = data[: max(0, len(now) - offset + self._files.room)]
            if not data:
                raise OSError(errno.ENOSPC, "No space left on device", str(self.path))
            self._files.room -= max(0, offset + len(data) - len(now))
        now += bytes(max(0, offset - len(now)))
        now[offset : offset + len(data)] = data
        return len(data)

    def read_at(self, offset: int, length: int) -> bytes:
        self._step("read")
        return bytes(self.inode.now[offset : offset + length])

    def copy_from(self, source: MemHandle, offset: int, length: int) -> int:
        return self.write(source.read_at(offset, min(length, 65_536)))

    def stat(self) -> FileStat:
        self._step("stat")
        return _stat(self.inode)

    def sync(self) -> None:
        try:
            self._step("sync")
        except OSError:
            self.inode.fail_sync()
            raise
        self.inode.sync()

    def try_lock(self) -> bool:
        self._step("lock")
        if self.inode.owner not in (None, self):
            return False
        self.inode.owner = self
        return True

    def unlock(self) -> None:
        if self.inode.owner is self:
            self.inode.owner = None

    def set_owner(self, mode: int, group: int) -> None:
        self._step("chmod")
        self.inode.mode = mode

    def arrow(self) -> pa.NativeFile:
        self._step("read")
        return pa.BufferReader(bytes(self.inode.now))

    def close(self) -> None:
        self.unlock()
        self._open = False


class MemFiles:
    """The operating system between one boot and the next; ``hook(what, path)`` may raise for any operation."""

    def __init__(self, disk: MemDisk, boot: int) -> None:
        self.disk = disk
        self.boot = boot
        self.steps = 0
        self.cut_at: int | None = None  #: the power fails at this step
        self.room: int | None = None  #: bytes that may still be written; None: plenty
        self.hook: Callable[[str, Path], None] | None = None
        self.system = "ext4"

    def step(self, what: str, path: Path) -> None:
        """Count an operation and let it fail if it is to."""
        if self.boot != self.disk.boots:
            raise PowerCut(f"{what} {path}")
        self.steps += 1
        if self.cut_at is not None and self.steps >= self.cut_at:
            self.disk.cut_power()
            raise PowerCut(f"{what} {path}")
        if self.hook is not None:
            self.hook(what, path)

    def _folder(self, folder: Path) -> Folder:
        found = self.disk.folders.get(str(folder))
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "no such folder", str(folder))
        return found

    def open(self, path: Path) -> MemHandle:
        self.step("open", path)
        inode = self.disk.inode(path)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(path))
        return MemHandle(self, inode, path)

    def create(self, path: Path, *, exclusive: bool = True) -> MemHandle:
        self.step("create", path)
        folder, inode = self._folder(path.parent), self.disk.inode(path)
        if inode is not None and exclusive:
            raise FileExistsError(errno.EEXIST, "exists", str(path))
        if inode is None:
            inode = Inode(next(self.disk.numbers))
            folder.change(**{path.name: inode})
        return MemHandle(self, inode, path)

    def stat(self, path: Path) -> FileStat | None:
        self.step("stat", path)
        inode = self.disk.inode(path)
        return None if inode is None else _stat(inode)

    def names(self, folder: Path) -> list[str]:
        self.step("list", folder)
        found = self.disk.folders.get(str(folder))
        return [] if found is None else sorted(found.now)

    def make_folder(self, folder: Path) -> list[Path]:
        self.step("mkdir", folder)
        missing = [p for p in (folder, *folder.parents) if str(p) not in self.disk.folders]
        for path in reversed(missing):
            self._folder(path.parent).change(**{path.name: None})
            self.disk.folders[str(path)] = Folder()
        return [path.parent for path in reversed(missing)]

    def link(self, source: Path, target: Path) -> None:
        self.step("link", target)
        self._folder(target.parent).change(**{target.name: self.disk.inode(source)})

    def replace(self, source: Path, target: Path) -> None:
        self.step("rename", target)
        inode = self.disk.inode(source)
        if inode is None:
            raise FileNotFoundError(errno.ENOENT, "no such file", str(source))
        if source.parent == target.parent:
            self._folder(source.parent).change(**{source.name: _GONE, target.name: inode})
        else:
            self._folder(target.parent).change(**{target.name: inode})
            self._folder(source.parent).change(**{source.name: _GONE})

    def unlink(self, path: Path) -> None:
        self.step("unlink", path)
        if self.disk.inode(path) is not None:
            self._folder(path.parent).change(**{path.name: _GONE})

    def sync_folder(self, folder: Path) -> None:
        self.step("sync_folder", folder)
        found = self._folder(folder)
        found.platter, found.pending = dict(found.now), []

    def free_bytes(self, folder: Path) -> int:
        self.step("statvfs", folder)
        return 10**12 if self.room is None else self.room

    def system_type(self, folder: Path) -> str:
        return self.system


def _stat(inode: Inode) -> FileStat:
    return FileStat((1, inode.number), len(inode.now), inode.mode, 0, inode.modified)


def content(disk: MemDisk) -> Iterator[tuple[str, bytes]]:
    """Every file by its path, for comparing before and after."""
    for path, folder in sorted(disk.folders.items()):
        for name, inode in sorted(folder.now.items()):
            if inode is not None:
                yield f"{path}/{name}", bytes(inode.now)
