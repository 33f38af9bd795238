"""Where a store lies on the disk, and HEAD: the record of which public file is the right one.

HEAD is written before each rename (prepared) and after it (committed). A public file that HEAD does not name was
deleted, replaced by other software or restored from an older copy; mixing it with the journals would lose or
double rows, so it is refused.
"""

from __future__ import annotations

import json
from contextlib import closing
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from toriwork.errors import DamagedFile, StoreMismatch
from toriwork.storage.files import write_whole
from toriwork.storage.json_checks import are_frames, is_count, is_digest, is_flag, is_id, is_name, is_text, read_checked
from toriwork.storage.spec import Column, are_columns

if TYPE_CHECKING:
    from toriwork.storage.columns import ParquetSource
    from toriwork.storage.files import Files
    from toriwork.storage.paths import StorePaths


_MAX_BYTES = 16 * 2**20  #: of HEAD: the names of some hundred thousand journals


_CHECKS = {
    "store_id": is_id,
    "generation": is_count,
    "digest": is_digest,
    "previous": is_digest,
    "committed": is_flag,
    "n_rows": is_count,
    "held": are_frames,
    "accepted": is_count,
    "columns": are_columns,
    "name": is_text,
    "restoring": is_name,
}
_REQUIRED = frozenset(_CHECKS) - {
    "held",
    "accepted",
    "columns",
    "name",
    "restoring",
}  # which earlier versions did not write


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
    columns: tuple[Column, ...] = ()  #: that users declared; for a public file that was replaced and cannot say so
    name: str = field(default="", compare=False)  #: of the public file; "": an earlier version wrote this
    restoring: str = ""  #: while a restore is not finished: the name of the folder beside that keeps what was there

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
            raw = read_checked(text, _CHECKS, _REQUIRED)
        except ValueError as error:
            raise DamagedFile(
                f"{path}: passes its checksum and is not usable: {error}. Nothing was changed. Restore it from a "
                "backup, or open with repair=True, which sets it aside and writes this record anew from the public file"
            ) from error
        known = {name: raw[name] for name in cls.__slots__ if name in raw}
        known["columns"] = tuple(Column(*column) for column in known.get("columns", ()))
        return cls(**known)


def read_head(files: Files, paths: StorePaths) -> Head | None:
    """The record, or None when the store has none yet."""
    if files.stat(paths.head) is None:
        return None
    with closing(files.open(paths.head)) as handle:
        size = handle.stat().size
        if size > _MAX_BYTES:
            raise DamagedFile(
                f"{paths.head}: damaged: expected at most {_MAX_BYTES:,} bytes, got {size:,}. Nothing was changed. "
                "Restore it, or open with repair=True, which sets it aside and writes this record anew"
            )
        head = Head.from_bytes(handle.read_at(0, size), paths.head)
    if head.name not in ("", paths.base.name):
        _refuse_shared(files, paths, head)
    return head


def _refuse_shared(files: Files, paths: StorePaths, head: Head) -> None:
    """StoreMismatch where the folder is that of another file; a store whose file was renamed with it goes on."""
    name = Path(head.name).name
    other = paths.base.parent / name
    if name not in ("", "..", paths.base.name) and files.stat(other) is not None:
        raise StoreMismatch(
            f"{paths.base}: expected a folder of its own, got {paths.folder}, which belongs to {other}. Nothing was "
            "changed. Give this file another name, or read it from another folder"
        )


def write_head(files: Files, paths: StorePaths, head: Head) -> None:
    """Replace the record; it is on the disk when this returns. The caller holds the store's lock."""
    write_whole(files, paths.head, replace(head, name=paths.base.name).to_bytes())


def refuse_unrestored(head: Head, path: Path) -> None:
    """Refuse a store while a restore is not finished: neither the old rows nor the new ones need be there whole."""
    if head.restoring:
        raise StoreMismatch(
            f"{path}: a restore is under way, or was cut short. Nothing was changed. Restore once more, with --replace "
            f"(replace=True); what was there before is a table of its own, {path.parent / head.restoring / path.name}"
        )


def check_base(head: Head, base: ParquetSource | None, path: Path) -> None:
    """Refuse a public file that this store did not publish last: deleted, replaced, or restored from an older copy."""
    refuse_unrestored(head, path)
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
