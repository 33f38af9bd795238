"""The steps that files take: the backup in front of everything, and a file that is written, made or removed."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toriwork.errors import Drift, NotProven
from toriwork.migrate.engine.backup import Entry
from toriwork.migrate.engine.blobs import Blobs
from toriwork.migrate.engine.restore_script import ABSENT, put, state_of, sync_folder
from toriwork.migrate.engine.run import Run, SelfJudging

BLOBS = "blobs"


@dataclass(frozen=True, slots=True)
class BackUp(SelfJudging):
    """Every file that the plan changes, copied and read again, before the first change."""

    entries: tuple[Entry, ...]
    left: tuple[str, ...] = ()  #: what ``restore.py`` says that it does not bring back
    id: str = "backup"
    touches: tuple[str, ...] = ()

    def do(self, run: Run) -> dict[str, Any]:
        run.kept.make(run.root, list(self.entries), run.plan_id, self.left)
        return {"files": len(self.entries), "folder": run.backup.name}

    def undo(self, run: Run) -> dict[str, Any]:
        return {}  # the way back needs it until its last moment

    def verify(self, run: Run) -> dict[str, Any]:
        problems = run.kept.problems()
        if problems:
            raise NotProven(f"{run.backup}: {'; '.join(problems[:5])}")
        return {"files": len(self.entries)}

    def describe(self) -> dict[str, Any]:
        return {"kind": "backup", "id": self.id}


@dataclass(frozen=True, slots=True)
class WriteFile:
    """A file of the code base in a new state; its new bytes lie among the blobs of the plan."""

    path: str
    old: str  #: state, as :func:`state_of` writes it
    new: str
    folders: tuple[str, ...] = ()  #: folders that have to be made for it, deepest first

    @property
    def id(self) -> str:
        """Its path says which step it is."""
        return f"file:{self.path}"

    @property
    def touches(self) -> tuple[str, ...]:
        """The file itself."""
        return (self.path,)

    def before(self) -> str:
        return self.old

    def after(self) -> str:
        return self.new

    def state(self, root: Path) -> str:
        return state_of(root / self.path)

    def do(self, run: Run) -> dict[str, Any]:
        path = run.root / self.path
        if state_of(path) != self.old:  # once more: the journal took its time
            raise Drift(f"{self.path}: changed this very moment; it was left alone")
        if self.new == ABSENT:
            path.unlink()
            sync_folder(path.parent)
            return {}
        _, mode, digest = self.new.split(" ")
        like: dict[str, Any] = {"mode": int(mode, 8)}
        if self.old == ABSENT:
            path.parent.mkdir(parents=True, exist_ok=True)
        else:
            entry = run.kept.entries()[self.path]
            like |= {"owner": entry.owner, "attributes": entry.attributes}
        put(path, Blobs(run.folder / BLOBS).chunks(digest), like)
        return {}

    def undo(self, run: Run) -> dict[str, Any]:
        outcome = run.kept.restore(run.root, self.path)
        return {"outcome": outcome, "kept": [self.path] if outcome == "kept" else []}

    def verify(self, run: Run) -> dict[str, Any]:
        same = self.state(run.root) == self.new
        return {"state": "as planned" if same else "edited since"}

    def describe(self) -> dict[str, Any]:
        facts = {"old": self.old, "new": self.new, "folders": list(self.folders)}
        return {"kind": "file", "id": self.id, "path": self.path} | facts


def folders_to_make(root: Path, path: str) -> tuple[str, ...]:
    """The folders above a path that are not there yet, deepest first."""
    return tuple(str(folder) for folder in Path(path).parents if str(folder) != "." and not (root / folder).is_dir())
