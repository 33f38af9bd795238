"""The manifest of a copy of a table: what it holds and its digest; it is written last, and makes the copy exist."""

from __future__ import annotations

import contextlib
import json
from dataclasses import asdict, dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toriwork.errors import DamagedFile, NotFound
from toriwork.storage.json_checks import are_beside, is_count, is_digest, is_moment, is_text, read_checked
from toriwork.storage.paths import SUFFIX

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.handles import Handle

MANIFEST_SUFFIX = ".json"
_CHUNK_BYTES = 4 * 2**20

_CHECKS = {
    "table": is_text,
    "created": is_moment,
    "n_rows": is_count,
    "n_unpublished": is_count,
    "store_id": is_text,
    "generation": is_count,
    "n_bytes": is_count,
    "sha256": is_digest,
    "beside": are_beside,
}


@dataclass(frozen=True, slots=True)
class Backup:
    """A finished backup: what its manifest says, and where it lies."""

    folder: Path
    name: str  #: of both files, without their endings
    table: str  #: the name of the public file, without its ending
    created: str  #: ISO time in UTC
    n_rows: int
    n_unpublished: int  #: of the rows: not in the public file at that moment
    store_id: str
    generation: int  #: of the public file; one more where there were unpublished rows
    n_bytes: int
    sha256: str  #: of the Parquet file, as ``sha256sum`` prints it
    beside: dict[str, str] = field(default_factory=dict)  #: ending -> text of small files beside the public file

    @property
    def path(self) -> Path:
        """The Parquet file."""
        return self.folder / (self.name + SUFFIX)

    def to_json(self) -> str:
        """The text of the manifest."""
        stated = {name: value for name, value in asdict(self).items() if name not in ("folder", "name")}
        return json.dumps({"file": self.path.name, **stated}, indent=1) + "\n"

    def check(self, files: Files) -> None:
        """Read the file; DamagedFile where it is not what the manifest says, or cut short."""
        try:
            with contextlib.closing(files.open(self.path)) as handle:
                found = sha256_of(handle)
        except FileNotFoundError:
            raise NotFound(f"{self.path}: is missing, its manifest is there; choose another backup") from None
        if found != self.sha256:
            raise DamagedFile(f"{self.path}: damaged: its SHA-256 is not that of its manifest. Choose another backup")


def manifest_fields(text: bytes) -> dict[str, Any]:
    """The fields of a :class:`Backup` that the text of a manifest states; ValueError where it is none."""
    raw = read_checked(text, _CHECKS, frozenset(_CHECKS) - {"beside"})
    return {key: raw[key] for key in _CHECKS if key in raw}


def sha256_of(handle: Handle) -> str:
    """The SHA-256 of an open file, as ``sha256sum`` prints it."""
    digest, size = sha256(), handle.stat().size
    for offset in range(0, size, _CHUNK_BYTES):
        digest.update(handle.read_at(offset, min(_CHUNK_BYTES, size - offset)))
    return digest.hexdigest()
