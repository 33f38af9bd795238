"""The backup of a code base: a blob for each file that the plan changes, a manifest, and a script to put it all back.

It is made whole before the first change, never written again, and enough by itself to put everything back.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from toriwork.errors import DamagedFile, Drift, NotFound
from toriwork.migrate.engine import restore_script
from toriwork.migrate.engine.blobs import Blobs
from toriwork.migrate.engine.restore_script import MANIFEST, put, restore_entry, state_of

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
    folders: list[str] = field(default_factory=list)  #: folders that the migration makes for it, deepest first
    same_as: str = ""  #: the entry of which it is another name, a hard link


class Backup:
    """A backup folder, there or yet to be made."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.blobs = Blobs(folder / "blobs")
        self._entries: dict[str, Entry] = {}

    def make(self, root: Path, planned: list[Entry], migration: str, left: Sequence[str] = ()) -> None:
        """Copy every planned file, read each copy again, then write the manifest. May be repeated until it is there.

        ``left``: lines in which ``restore.py`` says what it does not bring back.

        Raises
        ------
        Drift
            A file is not what it was when the plan was made.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        entries = [self._kept(root, entry) for entry in planned]
        script = Path(restore_script.__file__).read_bytes()
        home = Path(os.path.relpath(root, self.folder)).as_posix()
        content = {"format": FORMAT, "migration": migration, "root": home, "left": list(left)}
        content["entries"] = [asdict(entry) for entry in entries]
        manifest = json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"
        for name, data in ((".gitignore", b"*\n"), ("restore.py", script), (MANIFEST, manifest)):
            put(self.folder / name, (data,), {"mode": 0o644})
        restore_script.sync_folder(self.folder.parent)

    def _kept(self, root: Path, entry: Entry) -> Entry:
        path = root / entry.path
        if not entry.before.startswith("file "):  # nothing, or a link: its state says all
            if state_of(path) != entry.before:
                raise Drift(f"{entry.path}: changed since the plan was made; nothing was changed")
            return entry
        found = path.lstat()
        digest = self.blobs.put_file(path)
        if state_of(path) != entry.before or not entry.before.endswith(digest):
            raise Drift(f"{entry.path}: changed since the plan was made; nothing was changed")
        return replace(
            entry,
            sha256=digest,
            mode=found.st_mode & 0o7777,
            mtime_ns=found.st_mtime_ns,
            size=found.st_size,
            owner=[found.st_uid, found.st_gid],
        )

    def entries(self) -> dict[str, Entry]:
        """Return every file of the backup, by its path in the code base; the manifest is read once.

        Raises
        ------
        NotFound, DamagedFile
            There is no backup (pruned, or never made); the manifest is no manifest.
        """
        if self._entries:
            return self._entries
        try:
            content: dict[str, Any] = json.loads((self.folder / MANIFEST).read_text(encoding="utf-8"))
            self._entries = {entry["path"]: Entry(**entry) for entry in content["entries"]}
            return self._entries
        except FileNotFoundError as error:
            raise NotFound(f"{self.folder}: no backup there; it was pruned, moved away or never made") from error
        except (ValueError, KeyError, TypeError) as error:
            raise DamagedFile(f"{self.folder / MANIFEST}: not the manifest of a backup: {error}") from error

    def holds(self, path: str) -> bool:
        """Return True when the backup has this file as it was, its blob read again and hashed."""
        entry = self.entries().get(path)
        return entry is not None and self._is_whole(entry)

    def _is_whole(self, entry: Entry) -> bool:
        return not entry.before.startswith("file ") or self.blobs.holds(entry.sha256)

    def restore(self, root: Path, path: str) -> str:
        """Return ``same``, ``restored``, ``removed`` or ``kept`` (edited since; the original lies beside it)."""
        try:
            return restore_entry(root, self.folder, asdict(self.entries()[path]))
        except KeyError as error:
            raise NotFound(f"{self.folder}: holds no {path}") from error
        except ValueError as error:
            raise DamagedFile(f"{path}: cannot be put back: {error}") from error

    def problems(self) -> list[str]:
        """Return a line for each file that is not as it was; empty when every blob still has its hash."""
        entries = self.entries()
        return [f"{path}: its blob is missing or damaged" for path, one in entries.items() if not self._is_whole(one)]
