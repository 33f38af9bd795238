"""The steps that files take, and the last look before databases go."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toriwork.errors import Drift, NotProven
from toriwork.migrate.engine.backup import Entry
from toriwork.migrate.engine.blobs import Blobs
from toriwork.migrate.engine.restore_script import ABSENT, put, state_of, sync_folder
from toriwork.migrate.engine.step import IdempotentStep, Run

BLOBS = "blobs"


@dataclass(frozen=True, slots=True)
class BackUp(IdempotentStep):
    """Every file that the plan changes, copied and read again, before the first change."""

    entries: tuple[Entry, ...]
    left: tuple[str, ...] = ()  #: what ``restore.py`` says that it does not bring back
    id: str = "backup"

    def do(self, run: Run) -> dict[str, Any]:
        run.backup.make(run.root, list(self.entries), run.plan_id, self.left)
        return {"files": len(self.entries), "folder": run.backup_folder.name}

    def verify(self, run: Run) -> dict[str, Any]:
        problems = run.backup.problems()
        if problems:
            raise NotProven(f"{run.backup_folder}: {'; '.join(problems[:5])}")
        return {"files": len(self.entries)}

    def describe(self) -> dict[str, Any]:
        return {"kind": "backup", "id": self.id}


@dataclass(frozen=True, slots=True)
class WriteFile(IdempotentStep):
    """A file of the code base in a new state; its new bytes lie among the blobs of the plan."""

    path: str
    old: str  #: state, as :func:`state_of` writes it
    new: str

    @property
    def id(self) -> str:
        """Its path says which step it is."""
        return f"file:{self.path}"

    @property
    def touches(self) -> tuple[str, ...]:
        """The file itself."""
        return (self.path,)

    def check(self, root: Path) -> None:
        """Raise Drift when the file is in another state than the planned one; it was changed by somebody."""
        if (found := state_of(root / self.path)) != self.old:
            raise Drift(
                f"{told_difference(self.path, self.old, found)}. It was left alone, and what was done before stays "
                "done. Bring it back to what it was and run apply again, or take everything back with rollback"
            )

    def is_edited(self, root: Path) -> bool:
        return state_of(root / self.path) != self.new

    def do(self, run: Run) -> dict[str, Any]:
        path = run.root / self.path
        if state_of(path) == self.new:
            return {"found": "done before the interruption"}
        self.check(run.root)
        if self.new == ABSENT:
            path.unlink()
            sync_folder(path.parent)
            return {}
        _, mode, digest = self.new.split(" ")
        like: dict[str, Any] = {"mode": int(mode, 8)}
        if self.old == ABSENT:
            path.parent.mkdir(parents=True, exist_ok=True)
        else:
            like["owner"] = run.backup.entries()[self.path].owner
        put(path, Blobs(run.folder / BLOBS).chunks(digest), like)
        return {}

    def undo(self, run: Run) -> dict[str, Any]:
        outcome = run.backup.restore(run.root, self.path)
        return {"outcome": outcome, "kept": [self.path] if outcome == "kept" else []}

    def verify(self, run: Run) -> dict[str, Any]:
        return {"state": "edited since" if self.is_edited(run.root) else "as planned"}

    def describe(self) -> dict[str, Any]:
        return {"kind": "file", "id": self.id, "path": self.path, "old": self.old, "new": self.new}


@dataclass(frozen=True, slots=True)
class AskGuard(IdempotentStep):
    """Nothing in the code base names a database any more; while something does, the run waits before retiring."""

    databases: tuple[str, ...]  #: what is going to be retired
    manual: tuple[str, ...]  #: what is left to a person: the reasons to wait when there is no guard
    id: str = "guard"

    def do(self, run: Run) -> dict[str, Any]:
        """Return reasons to wait under ``waits``; where no database is going to be retired they are only notes."""
        if run.guard is None:
            found = list(self.manual)
            facts: dict[str, Any] = {"notes": ["no guard was at hand: the code was not searched for what is left"]}
        else:
            found = [f"{path}:{line}: {words}" for path, line, words in run.guard(run.root)]
            facts = {"notes": []}
        if found and self.databases:
            return {"waits": found}
        return {"notes": facts["notes"] + found}

    def verify(self, run: Run) -> dict[str, Any]:
        found = [f"{path}:{line}: {words}" for path, line, words in run.guard(run.root)] if run.guard else []
        if found:
            raise NotProven(f"the code base still names a database: {'; '.join(found[:5])}")
        return {}

    def describe(self) -> dict[str, Any]:
        return {"kind": "guard", "id": self.id}


def told_difference(path: str, planned: str, found: str) -> str:
    """Return how a file differs from what was planned for."""
    return f"{path}: planned {_short(planned)}, is {_short(found)}"


def _short(state: str) -> str:
    kind, _, rest = state.partition(" ")
    if kind != "file":
        return state
    mode, digest = rest.split(" ")
    return f"mode {mode} sha256 {digest[:12]}"
