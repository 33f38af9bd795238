"""The backup of a code base: a blob for each file that the plan changes, a manifest, and a script to put it all back.

It is made whole before the first change, never written again, and enough by itself to put everything back.
"""

from __future__ import annotations

import base64
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from toriwork.errors import DamagedFile, Drift, NotFound
from toriwork.migrate.engine import restore_script
from toriwork.migrate.engine.blobs import Blobs
from toriwork.migrate.engine.restore_script import ABSENT, MANIFEST, put, restore_entry, state_of

BACKUP = "backup_pre_nodb"
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Entry:
    """One file as it was, and what the migration makes of it; states as :func:`state_of` writes them."""

    path: str
    before: str
    after: str
    sha256: str = ""
    mode: int = 0
    mtime_ns: int | None = None
    size: int = 0
    owner: list[int] = field(default_factory=list)
    attributes: dict[str, str] = field(default_factory=dict)  #: extended attributes, base64
    folders: list[str] = field(default_factory=list)  #: folders that the migration makes for it, deepest first
    same_as: str = ""  #: the entry of which it is another name, a hard link


class Backup:
    """A backup folder, there or yet to be made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = Blobs(folder / "blobs")

    @property
    def exists(self) -> bool:
        """Whether the backup is whole: its manifest is written last."""
        return (self.folder / MANIFEST).is_file()

    def make(self, root: Path, planned: list[Entry], migration: str, left: Sequence[str] = ()) -> None:
        """Copy every planned file, read each copy again, then write the manifest. May be repeated until it is there.

        ``left``: what ``restore.py`` has to say about what it does not bring back.

        Raises
        ------
        Drift
            A file is not what it was when the plan was made.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        entries = [self._kept(root, entry) for entry in planned]
        script = Path(restore_script.__file__).read_bytes()
        _write(self.folder / ".gitignore", b"*\n")
        _write(self.folder / "restore.py", script)
        content = {"format": FORMAT, "migration": migration, "left": list(left)}
        content["entries"] = [asdict(entry) for entry in entries]
        _write(self.folder / MANIFEST, json.dumps(content, indent=1, sort_keys=True).encode() + b"\n")
        restore_script.sync_folder(root)

    def _kept(self, root: Path, entry: Entry) -> Entry:
        path = root / entry.path
        if entry.before == ABSENT:
            if state_of(path) != ABSENT:
                raise Drift(f"{entry.path}: is there; when the plan was made there was no such file")
            return entry
        if entry.before.startswith("link "):
            if state_of(path) != entry.before:
                raise Drift(f"{entry.path}: is another link since the plan was made; nothing was changed")
            return entry
        found = path.lstat()
        digest = self.blobs.put_file(path)
        if state_of(path) != entry.before or not entry.before.endswith(digest):
            raise Drift(f"{entry.path}: changed since the plan was made; nothing was changed")
        about = {"mode": found.st_mode & 0o7777, "mtime_ns": found.st_mtime_ns, "size": found.st_size}
        facts = asdict(entry) | about | {"owner": [found.st_uid, found.st_gid], "attributes": _attributes(path)}
        return Entry(**facts | {"sha256": digest})

    def entries(self) -> dict[str, Entry]:
        """Every file of the backup, by its path in the code base.

        Raises
        ------
        NotFound, DamagedFile
            There is no backup (pruned, or never made); the manifest is no manifest.
        """
        try:
            content: dict[str, Any] = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
            return {entry["path"]: Entry(**entry) for entry in content["entries"]}
        except FileNotFoundError as error:
            raise NotFound(f"{self.folder}: there is no backup; it was pruned, moved away or never made") from error
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedFile(f"{self.folder / MANIFEST}: is no manifest of a backup: {error}") from error

    def holds(self, path: str) -> bool:
        """Whether the backup has this file as it was, its blob read again and hashed."""
        entry = self.entries().get(path)
        if entry is None:
            return False
        return entry.before == ABSENT or entry.before.startswith("link ") or self.blobs.holds(entry.sha256)

    def restore(self, root: Path, path: str) -> str:
        """``same``, ``restored``, ``removed`` or ``kept`` (somebody changed it since; the original lies beside it)."""
        entry = self.entries().get(path)
        if entry is None:
            raise NotFound(f"{self.folder}: holds no {path}")
        try:
            return restore_entry(root, self.folder, asdict(entry))
        except ValueError as error:
            raise DamagedFile(f"{path}: cannot be put back: {error}") from error

    def problems(self) -> list[str]:
        """What is wrong with the backup; empty when every blob still has its hash."""
        return [f"{path}: its blob is missing or damaged" for path in self.entries() if not self.holds(path)]


def _write(path: Path, data: bytes) -> None:
    put(path, (data,), {"mode": 0o644})


def _attributes(path: Path) -> dict[str, str]:
    if not hasattr(os, "listxattr"):
        return {}
    try:
        return {name: base64.b64encode(os.getxattr(path, name)).decode() for name in sorted(os.listxattr(path))}
    except OSError:  # a file system without them
        return {}
