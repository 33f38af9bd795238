"""The names of one store on the disk, and a stamp that changes whenever somebody writes to it."""

from __future__ import annotations

import os
import re
import secrets
import time
from collections.abc import Container
from dataclasses import dataclass
from pathlib import Path

from toriwork.errors import BadInput

SUFFIX = ".parquet"  #: of a public file
TEMPORARY_SUFFIX = ".tmp"
_ASIDE_SUFFIX = ".trial"
_TICK_NS = 20_000_000  # a file system's times are those of the kernel's tick, 10 ms at most


@dataclass(frozen=True, slots=True)
class StorePaths:
    """The names of one store: ``x.parquet``, ``x.d/``, ``.x.lock`` and what lies in the folder."""

    base: Path

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> StorePaths:
        """The names that belong to a public file; ``~`` is replaced, and a link resolved, so that it stays one."""
        if "\0" in os.fspath(path):
            raise BadInput(f"expected the path of a file, got {os.fspath(path)!r} with a NUL in it")
        found = cls(Path(os.path.realpath(os.path.expanduser(path))))  # noqa: PTH111 - an unknown user is no error
        if found.folder == found.base:
            raise BadInput(f"{found.base}: expected a name that ends in {SUFFIX}, got one of a private folder")
        return found

    def refuse_new(self) -> None:
        """BadInput where a new store here would share its folder with others.

        ``x``, ``x.pq`` and ``x.parqueti`` would all have ``x.d``, which belongs to ``x.parquet``. Earlier versions
        allowed such names; what they made is still opened.
        """
        if self.base.suffix != SUFFIX:
            raise BadInput(
                f"{self.base}: expected a name that ends in {SUFFIX}, got {self.base.name!r}, which would share "
                f"{self.folder.name} with {self.base.with_suffix(SUFFIX).name}"
            )

    @property
    def folder(self) -> Path:
        """Private: journals, segments, HEAD."""
        return self.base.with_suffix(".d")

    @property
    def lock(self) -> Path:
        """Held to publish and to clean up."""
        return self.base.with_name(f".{self.base.stem}.lock")

    @property
    def head(self) -> Path:
        """The record of the public file."""
        return self.folder / "HEAD"

    @property
    def quarantine(self) -> Path:
        """Where damaged and torn files are kept."""
        return self.folder / "quarantine"

    @property
    def temporary(self) -> Path:
        """A new name for the next public file while it is being written.

        Never the same twice: if somebody removes the lock file, two publishers must not write into one file.
        """
        return self.base.with_name(f".{self.base.stem}.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")

    def is_temporary(self, name: str) -> bool:
        """True for a name beside the public file that :attr:`temporary` gave."""
        return name.startswith(f".{self.base.stem}.") and name.endswith(TEMPORARY_SUFFIX)

    @property
    def aside(self) -> Path:
        """A new name for a folder beside the public file, for links and copies that nobody needs afterwards."""
        return self.base.with_name(f".{self.base.stem}.{secrets.token_hex(4)}{_ASIDE_SUFFIX}")

    def is_aside(self, name: str) -> bool:
        """True for a name beside the public file that :attr:`aside` gave."""
        return (
            re.fullmatch(rf"\.{re.escape(self.base.stem)}\.[0-9a-f]{{8}}{re.escape(_ASIDE_SUFFIX)}", name) is not None
        )


def stamp(paths: StorePaths, *, own: Container[str] = ()) -> object:
    """A stamp that changes whenever somebody writes to the store, apart from the journals ``own``.

    Sizes alone do not tell: a journal may be filled with zeros ahead of its frames. Where a file changed so lately that
    another change would leave the same time, or somebody publishes now, an object that equals no other.
    """
    try:
        base = paths.base.stat()
        with os.scandir(paths.folder) as entries:
            found = sorted((e.name, e.stat()) for e in entries if e.name[:32] not in own)
    except FileNotFoundError:
        return object()
    now = time.time_ns()
    # other files are replaced, which gives them another inode
    if any(abs(now - at.st_mtime_ns) < _TICK_NS for name, at in found if name.endswith(".journal")):
        return object()
    return tuple((name, at.st_ino, at.st_size, at.st_mtime_ns) for name, at in [("", base), *found])
