"""Where a store lies on the disk, and HEAD: the record of which public file is the right one.

HEAD is written before each rename (prepared) and after it (committed). A public file that HEAD does not name was
deleted, replaced by other software or restored from an older copy; mixing it with the journals would lose or
double rows, so it is refused.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from toriwork.errors import DamagedFile, StoreMismatch

if TYPE_CHECKING:
    from toriwork.storage.columns import ParquetSource
    from toriwork.storage.files import Files, Handle


@dataclass(frozen=True, slots=True)
class Places:
    """The names of one store: ``x.parquet``, ``x.d/``, ``.x.lock`` and what lies in the folder."""

    base: Path

    @classmethod
    def of(cls, path: str | os.PathLike[str]) -> Places:
        """The names that belong to a public file; a symbolic link is resolved first, so that it stays one."""
        return cls(Path(os.path.realpath(path)))

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
        """The next public file while it is being written; only the holder of the lock writes it."""
        return self.base.with_name(f".{self.base.stem}.tmp")


@dataclass(frozen=True, slots=True)
class Head:
    """Which public file is the right one."""

    store_id: str
    generation: int  #: of the file named by ``digest``; 0: no public file yet
    digest: str  #: footer digest of that file
    previous: str  #: footer digest of the file before it ("" when there was none)
    committed: bool  #: whether the rename is known to have reached the disk
    n_rows: int  #: rows in the file

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
        return cls(**json.loads(text))


def read_head(files: Files, places: Places) -> Head | None:
    """The record, or None when the store has none yet."""
    if files.stat(places.head) is None:
        return None
    handle = files.open(places.head)
    try:
        return Head.from_bytes(handle.read_at(0, handle.stat().size), places.head)
    finally:
        handle.close()


def write_head(files: Files, places: Places, head: Head) -> None:
    """Replace the record; it is on the disk when this returns. The caller holds the store's lock."""
    temporary = places.head.with_name("HEAD.new")
    files.unlink(temporary)
    handle: Handle = files.create(temporary)
    try:
        content = head.to_bytes()
        if handle.write(content) != len(content):
            raise OSError(f"{temporary}: the disk took only a part of it")
        handle.sync()
    finally:
        handle.close()
    files.replace(temporary, places.head)
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
        if head.generation == 0 or (not head.committed and not head.previous):
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
        raise StoreMismatch(
            f"{path}: is generation {base.facts.generation} with {base.n_rows} rows, an older copy; published was "
            f"generation {head.generation} with {head.n_rows} rows. " + remedy.format("Put the newer file back,")
        )
