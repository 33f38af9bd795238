"""A disk that fails at one step, or from one step on: a layer over any ``Files``, in which each call is one step.

A step is known by what it does and to which kind of file (``write journal``, ``rename HEAD``). A call fails before it
did anything, after it did all of it, or, for a write, after a part of it; or the process or the machine ends there.
"""

from __future__ import annotations

import errno
import os
import weakref
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from tests.storage.memdisk import MemDisk, PowerCut

KILL, CUT, SHORT, AFTER = "kill", "power cut", "short write", "error behind it"
ERRORS = {"EIO": errno.EIO, "ENOSPC": errno.ENOSPC, "EMFILE": errno.EMFILE}
#: what needs room on the disk, and what needs a descriptor
_NEEDS = {
    "EIO": frozenset("open create stat list mkdir link rename unlink sync_folder statvfs write read sync lock".split())
    | frozenset(("chmod", "arrow", "copy")),
    "ENOSPC": frozenset(("create", "mkdir", "link", "rename", "write", "copy", "sync", "sync_folder")),
    "EMFILE": frozenset(("open", "create", "list", "mkdir", "sync_folder", "arrow", "statvfs")),
    SHORT: frozenset(("write",)),
    AFTER: frozenset(("create", "mkdir", "link", "rename", "unlink", "sync_folder", "write", "sync", "copy")),
}


_INSIDE = {
    ".journal": "journal",
    ".journal.new": "new journal",
    ".parquet": "segment",
    ".segment.new": "new segment",
}
_BESIDE = {".d": "folder", ".parquet": "public file", ".lock": "lock", ".tmp": "new public file"}


class Step(NamedTuple):
    """One call of the store to its disk."""

    what: str
    role: str  #: of the file or folder

    def __str__(self) -> str:
        return f"{self.what} {self.role}"


class Fault(NamedTuple):
    """Which step fails, how, and whether all later ones of the kind that this can happen to fail as well."""

    at: int
    way: str
    ever: bool = False

    def __str__(self) -> str:
        return f"step {self.at}: {self.way}{', from then on' if self.ever else ''}"


def ways(step: Step) -> list[tuple[str, bool]]:
    """How a step can fail: the way, and whether for good."""
    found = [(way, ever) for way, needs in _NEEDS.items() if step.what in needs for ever in (False, True)]
    return [*found, (KILL, False), (CUT, False)]


def role_of(path: Path) -> str:
    """What a path is to a store, without the random part of its name."""
    name = path.name
    if name in {"HEAD", "CLOCK"}:
        return name
    if name.startswith("HEAD."):
        return "new HEAD"
    if path.parent.suffix == ".d":
        return _INSIDE.get("".join(path.suffixes), name)
    if "quarantine" in path.parts:
        return "quarantined"
    return _BESIDE.get(path.suffix, "parent")


class Trouble:
    """What goes wrong, shared by every file of a disk. Counts the steps while it is ``on``."""

    def __init__(self, disk: MemDisk) -> None:
        self.disk = disk
        self.on = False
        self.fault: Fault | None = None
        self.steps: list[Step] = []
        self.hit: Step | None = None  #: the step that failed first

    def heal(self) -> None:
        self.on, self.fault = False, None

    def strikes(self, step: Step) -> str | None:
        """The way in which this step fails."""
        if not self.on:
            return None
        self.steps.append(step)
        fault = self.fault
        if fault is None:
            return None
        n = len(self.steps)
        if n == fault.at or (fault.ever and n > fault.at and step.what in _NEEDS[fault.way]):
            self.hit = self.hit or step
            return fault.way
        return None

    def run(self, what: str, path: Path, act: Callable[[], Any], part: Callable[[], Any] | None = None) -> Any:
        """Do a call, or a part of it, or fail."""
        way = self.strikes(Step(what, role_of(path)))
        if way is None:
            return act()
        if way in (KILL, CUT):
            self.heal()
            (self.disk.kill_processes if way == KILL else self.disk.cut_power)()
            raise PowerCut(f"{what} {path}")
        if way == SHORT and part is not None:
            return part()
        if way == AFTER:
            act()
        number = ERRORS.get(way, errno.EIO)
        raise OSError(number, os.strerror(number), str(path))


class FaultyHandle:
    """An open file of a disk that may fail."""

    def __init__(self, real: Any, path: Path, trouble: Trouble) -> None:
        self.real, self.path = real, path
        self._run = trouble.run

    def write(self, data: bytes) -> int:
        data = bytes(data)
        part = data[: len(data) // 2]
        return self._run("write", self.path, lambda: self.real.write(data), lambda: self.real.write(part))  # type: ignore[no-any-return]

    def write_at(self, offset: int, data: bytes, more: bytes = b"") -> int:
        data = bytes(data) + bytes(more)
        part = data[: len(data) // 2]
        return self._run(  # type: ignore[no-any-return]
            "write",
            self.path,
            lambda: self.real.write_at(offset, data),
            lambda: self.real.write_at(offset, part),
        )

    def copy_from(self, source: FaultyHandle, offset: int, length: int) -> int:
        return self._run("copy", self.path, lambda: self.real.copy_from(source.real, offset, length))  # type: ignore[no-any-return]

    def read_at(self, offset: int, length: int) -> bytes:
        return self._run("read", self.path, lambda: self.real.read_at(offset, length))  # type: ignore[no-any-return]

    def stat(self) -> Any:
        return self._run("stat", self.path, self.real.stat)

    def sync(self) -> None:
        self._run("sync", self.path, self.real.sync)

    def try_lock(self) -> bool:
        return self._run("lock", self.path, self.real.try_lock)  # type: ignore[no-any-return]

    def unlock(self) -> None:
        self.real.unlock()

    def set_owner(self, mode: int, group: int) -> None:
        self._run("chmod", self.path, lambda: self.real.set_owner(mode, group))

    def arrow(self) -> Any:
        return self._run("arrow", self.path, self.real.arrow)

    def close(self) -> None:
        self.real.close()


class FaultyFiles:
    """A disk that may fail."""

    def __init__(self, real: Any, trouble: Trouble) -> None:
        self.real = real
        self._trouble = trouble
        self._run = trouble.run
        self._made: weakref.WeakValueDictionary[Path, FaultyHandle] = weakref.WeakValueDictionary()

    def open(self, path: Path) -> FaultyHandle:
        return FaultyHandle(self._run("open", path, lambda: self.real.open(path)), path, self._trouble)

    def create(self, path: Path, *, exclusive: bool = True) -> FaultyHandle:
        real = self._run("create", path, lambda: self.real.create(path, exclusive=exclusive))
        handle = self._made[path] = FaultyHandle(real, path, self._trouble)
        return handle

    def stat(self, path: Path) -> Any:
        return self._run("stat", path, lambda: self.real.stat(path))

    def names(self, folder: Path) -> Any:
        return self._run("list", folder, lambda: self.real.names(folder))

    def make_folder(self, folder: Path) -> Any:
        return self._run("mkdir", folder, lambda: self.real.make_folder(folder))

    def link(self, source: Path, target: Path) -> None:
        self._run("link", target, lambda: self.real.link(source, target))

    def replace(self, source: Path, target: Path) -> None:
        self._run("rename", target, lambda: self.real.replace(source, target))
        handle = self._made.pop(source, None)
        if handle is not None:  # from now on it is another kind of file
            handle.path = target

    def unlink(self, path: Path) -> None:
        self._run("unlink", path, lambda: self.real.unlink(path))

    def sync_folder(self, folder: Path) -> None:
        self._run("sync_folder", folder, lambda: self.real.sync_folder(folder))

    def free_bytes(self, folder: Path) -> Any:
        return self._run("statvfs", folder, lambda: self.real.free_bytes(folder))

    def system_type(self, folder: Path) -> str:
        return self.real.system_type(folder)  # type: ignore[no-any-return]
