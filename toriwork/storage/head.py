"""Where a store lies on the disk, and HEAD: the record of which public file is the right one.

HEAD is written before each rename (prepared) and after it (committed). A public file that HEAD does not name was
deleted, replaced by other software or restored from an older copy; mixing it with the journals would lose or
double rows, so it is refused.
"""

from __future__ import annotations

import json
import os
import secrets
import time
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from toriwork.errors import BadInput, DamagedFile, StoreError, StoreMismatch
from toriwork.storage.stated import are_frames, is_count, is_digest, is_flag, is_id, is_text, read_stated

if TYPE_CHECKING:
    from collections.abc import Container

    from toriwork.storage.columns import ParquetSource
    from toriwork.storage.files import Files, Handle


SUFFIX = ".parquet"  #: of a public file
TEMPORARY_SUFFIX = ".tmp"
_TICK_NS = 20_000_000  # a file system's times are those of the kernel's tick, 10 ms at most
_MAX_BYTES = 16 * 2**20  #: of HEAD: the names of some hundred thousand journals


@dataclass(frozen=True, slots=True)
class Places:
    """The names of one store: ``x.parquet``, ``x.d/``, ``.x.lock`` and what lies in the folder."""

    base: Path

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Places:
        """The names that belong to a public file; a symbolic link is resolved first, so that it stays one.

        Raises
        ------
        BadInput
            The path has a NUL, or ends in ``.d`` as private folders do.
        """
        if "\0" in os.fspath(path):
            raise BadInput(f"expected the path of a file, got {os.fspath(path)!r} with a NUL in it")
        found = cls(Path(os.path.realpath(path)))
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
        """Whether a name beside the public file is one that :attr:`temporary` gave."""
        return name.startswith(f".{self.base.stem}.") and name.endswith(TEMPORARY_SUFFIX)


_STATED = {
    "store_id": is_id,
    "generation": is_count,
    "digest": is_digest,
    "previous": is_digest,
    "committed": is_flag,
    "n_rows": is_count,
    "held": are_frames,
    "accepted": is_count,
    "name": is_text,
}
_REQUIRED = frozenset(_STATED) - {"held", "accepted", "name"}  # which earlier versions did not write


@dataclass(frozen=True, slots=True)
class Head:
    """Which public file is the right one."""

    store_id: str
    generation: int  #: of the file named by ``digest``; never used twice
    digest: str  #: footer digest of that file; "": there is none
    previous: str  #: footer digest of the file before it ("" when there was none)
    committed: bool  #: whether the rename is known to have reached the disk
    n_rows: int  #: rows in the file
    #: journal id -> last frame that a file of other software is known to hold, which cannot say so itself
    held: dict[str, int] = field(default_factory=dict)
    accepted: int = 0  #: generation at which ``repair=True`` last took another public file than the right one; 0: never
    name: str = field(default="", compare=False)  #: of the public file; "": an earlier version wrote this

    def to_bytes(self) -> bytes:
        """One line of JSON with a checksum behind it."""
        text = json.dumps(asdict(self), sort_keys=True)
        return f"{text} {crc32(text.encode()):08x}\n".encode()

    @classmethod
    def from_bytes(cls, data: bytes, path: Path) -> Head:
        """The record in a HEAD file; DamagedFile when it fails its checksum."""
        text, _, stated = data.decode("utf-8", errors="replace").rstrip("\n").rpartition(" ")
        if not text or f"{crc32(text.encode()):08x}" != stated:
            raise DamagedFile(
                f"{path}: damaged. Nothing was changed. If {path.parent.with_suffix('.parquet')} is the newest public "
                "file, open with repair=True, which takes it as it is and writes this record anew"
            )
        try:
            raw = read_stated(text, _STATED, _REQUIRED)
        except ValueError as error:
            raise DamagedFile(
                f"{path}: passes its checksum and is not usable: {error}. Nothing was changed. Restore it from a "
                "backup, or open with repair=True, which sets it aside and writes this record anew from the public file"
            ) from error
        return cls(**{name: raw[name] for name in cls.__slots__ if name in raw})


def stamp(places: Places, *, own: Container[str] = ()) -> object:
    """What changes whenever somebody writes to the store, apart from the journals ``own``; for handles that remember.

    Sizes alone do not tell: a journal may be filled with zeros ahead of its frames. Where a file changed so lately that
    another change would leave the same time, or somebody publishes now, an object that equals no other.
    """
    try:
        base = places.base.stat()
        with os.scandir(places.folder) as entries:
            found = sorted((e.name, e.stat()) for e in entries if e.name[:32] not in own)
    except FileNotFoundError:
        return object()
    now = time.time_ns()
    # other files are replaced, which gives them another inode
    if any(abs(now - at.st_mtime_ns) < _TICK_NS for name, at in found if name.endswith(".journal")):
        return object()
    return tuple((name, at.st_ino, at.st_size, at.st_mtime_ns) for name, at in [("", base), *found])


def read_head(files: Files, places: Places) -> Head | None:
    """The record, or None when the store has none yet."""
    if files.stat(places.head) is None:
        return None
    handle = files.open(places.head)
    try:
        size = handle.stat().size
        if size > _MAX_BYTES:
            raise DamagedFile(
                f"{places.head}: damaged: expected at most {_MAX_BYTES:,} bytes, got {size:,}. Nothing was changed. "
                "Restore it, or open with repair=True, which sets it aside and writes this record anew"
            )
        head = Head.from_bytes(handle.read_at(0, size), places.head)
    finally:
        handle.close()
    if head.name not in ("", places.base.name):
        _refuse_shared(files, places, head)
    return head


def _refuse_shared(files: Files, places: Places, head: Head) -> None:
    """StoreMismatch where the folder is that of another file; a store whose file was renamed with it goes on."""
    name = Path(head.name).name
    other = places.base.parent / name
    if name not in ("", "..", places.base.name) and files.stat(other) is not None:
        raise StoreMismatch(
            f"{places.base}: expected a folder of its own, got {places.folder}, which belongs to {other}. Nothing was "
            "changed. Give this file another name, or read it from another folder"
        )


def write_head(files: Files, places: Places, head: Head) -> None:
    """Replace the record; it is on the disk when this returns. The caller holds the store's lock."""
    temporary = places.head.with_name(f"HEAD.{secrets.token_hex(4)}{TEMPORARY_SUFFIX}")
    handle: Handle = files.create(temporary)
    try:
        handle.try_lock()  # as long as it is locked nobody takes it for the remains of a dead process
        content = replace(head, name=places.base.name).to_bytes()
        if handle.write(content) != len(content):
            raise StoreError(f"{temporary}: the disk took only a part of it (is it full?)")
        handle.sync()
        files.replace(temporary, places.head)
    except BaseException:
        files.unlink(temporary)
        raise
    finally:
        handle.close()
    files.sync_folder(places.folder)


def check_base(head: Head, base: ParquetSource | None, path: Path) -> None:
    """Refuse a public file that is not the one this store published last.

    Raises
    ------
    StoreMismatch
        It was deleted, replaced by other software, or restored from an older copy; the message has the remedy.
    """
    allowed = {head.digest} if head.committed else {head.digest, head.previous}
    remedy = "Nothing was changed. {} or open with repair=True, which accepts what is there and reports it"
    if base is None:
        if "" in allowed:
            return
        raise StoreMismatch(
            f"{path}: is missing, generation {head.generation} with {head.n_rows} rows was published. "
            + remedy.format("Put it back from a backup,")
        )
    if base.facts is None or base.facts.store_id != head.store_id:
        if base.footer.digest in allowed:  # a legacy file whose replacement was cut short
            return
        raise StoreMismatch(
            f"{path}: was replaced by a file that this store did not write ({base.n_rows} rows; published were "
            f"{head.n_rows}, generation {head.generation}). " + remedy.format("Put the published file back,")
        )
    if base.footer.digest not in allowed:
        older = "an older copy" if base.facts.generation <= head.generation else "which this folder knows nothing of"
        raise StoreMismatch(
            f"{path}: is generation {base.facts.generation} with {base.n_rows} rows, {older}; published was "
            f"generation {head.generation} with {head.n_rows} rows. " + remedy.format("Put the published file back,")
        )
