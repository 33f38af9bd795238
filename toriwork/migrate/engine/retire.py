"""A database leaves the code base: last of all, proven, closed, and with its bytes safe in the backup."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from toriwork.errors import Drift, NotProven, SourceInUse
from toriwork.migrate.engine.restore_script import ABSENT, state_of, sync_folder
from toriwork.migrate.engine.run import Run
from toriwork.sqlite.source import holders, refuse_holders

_PARKED = ".toriwork-retiring"


@dataclass(frozen=True, slots=True)
class RetireFiles:
    """A database and its side files, taken away when every step of ``needs`` has proven what it did."""

    id: str
    paths: tuple[str, ...]  #: the database first, then its side files
    needs: tuple[str, ...]  #: ids of steps whose facts must say ``proven``

    def before(self) -> str:
        return ""

    def after(self) -> str:
        return ""

    def state(self, root: Path) -> str:
        return "; ".join(state_of(root / path) for path in self.paths)

    def do(self, run: Run) -> dict[str, Any]:
        """Move the files aside, look once more whether they are what was proven and nobody has them, then let them go.

        Aside first: what nobody can open by name any more cannot change behind the last look.
        """
        self._refuse_unproven(run)
        self._refuse_changed(run)
        parked = self._parked(run.root)
        for path, aside in parked.items():
            if path.exists():
                path.replace(aside)
        sync_folder((run.root / self.paths[0]).parent)
        try:
            self._look_again(run, parked)
        except (SourceInUse, OSError):
            _put_back(parked)
            raise
        for aside in parked.values():
            aside.unlink(missing_ok=True)
        sync_folder((run.root / self.paths[0]).parent)
        return {"retired": list(self.paths)}

    def _refuse_unproven(self, run: Run) -> None:
        for need in self.needs:
            if (run.done(need) or {}).get("proven") is not True:
                raise NotProven(f"{self.paths[0]}: stays where it is: {need} has no proof that its data arrived")
        for path in self.paths:
            if not run.kept.holds(path):
                raise NotProven(f"{path}: stays where it is: its copy in the backup is missing or damaged")

    def _refuse_changed(self, run: Run) -> None:
        entries, parked = run.kept.entries(), self._parked(run.root)
        for path in self.paths:
            place = run.root / path
            aside = parked[place]
            found = state_of(aside if aside.exists() and not place.exists() else place)
            if found not in (entries[path].before, ABSENT):
                raise Drift(f"{path}: was written to after it was exported; it stays where it is. Plan again")
        if (run.root / self.paths[0]).exists():
            refuse_holders(run.root / self.paths[0])

    def _look_again(self, run: Run, parked: dict[Path, Path]) -> None:
        entries = run.kept.entries()
        for path in self.paths:
            aside = parked[run.root / path]
            if state_of(aside) not in (entries[path].before, ABSENT):
                raise SourceInUse(f"{path}: was written to at the last moment; it stays where it is")
        first = parked[run.root / self.paths[0]]
        if first.exists() and (found := [*holders(first)]):
            raise SourceInUse(f"{self.paths[0]}: process {found[0].pid} ({found[0].command}) opened it; it stays")

    def _parked(self, root: Path) -> dict[Path, Path]:
        """Where each file waits: beside it, and side files still beside their database."""
        first = root / self.paths[0]
        return {
            root / path: first.with_name(f".{first.name}{_PARKED}{(root / path).name[len(first.name) :]}")
            for path in self.paths
        }

    def undo(self, run: Run) -> dict[str, Any]:
        _put_back(self._parked(run.root))
        kept = [path for path in self.paths if run.kept.restore(run.root, path) == "kept"]
        return {"kept": kept}

    def verify(self, run: Run) -> dict[str, Any]:
        missing = [path for path in self.paths if not run.kept.holds(path)]
        if missing:
            raise NotProven(f"{missing[0]}: its copy in the backup is missing or damaged")
        back = [path for path in self.paths if state_of(run.root / path) != ABSENT]
        return {"state": f"there again: {', '.join(back)}" if back else "as planned"}

    @property
    def touches(self) -> tuple[str, ...]:
        """The database and its side files."""
        return self.paths

    def describe(self) -> dict[str, Any]:
        return {"kind": "retire", "id": self.id, "paths": list(self.paths), "needs": list(self.needs)}


def _put_back(parked: dict[Path, Path]) -> None:
    for path, aside in parked.items():
        if aside.exists() and not path.exists():
            aside.replace(path)
            sync_folder(path.parent)
