"""A database leaves the code base: last of all, proven, closed, and with its bytes safe in the backup."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from toriwork.errors import Drift, NotProven, SourceInUse
from toriwork.migrate.engine.restore_script import ABSENT, state_of, sync_folder
from toriwork.migrate.engine.step import IdempotentStep, Run
from toriwork.sqlite.source import holders, refuse_holders

_PARKED = ".toriwork-retiring"


@dataclass(frozen=True, slots=True)
class RetireFiles(IdempotentStep):
    """A database, its side files and the links to it, taken away when the steps of ``needs`` have proven their part."""

    id: str
    paths: tuple[str, ...]  #: the database first
    needs: tuple[str, ...]  #: ids of steps whose facts must say ``proven``
    kind: ClassVar[str] = "retire"

    def __post_init__(self) -> None:
        object.__setattr__(self, "paths", tuple(self.paths))  # a description has lists
        object.__setattr__(self, "needs", tuple(self.needs))

    @property
    def touches(self) -> tuple[str, ...]:
        """All that go."""
        return self.paths

    def do(self, run: Run) -> dict[str, Any]:
        """Move the files aside, look once more that they are what was proven and nobody has them, then let them go.

        Aside first: what nobody can open by name any more cannot change behind the last look.
        """
        self._refuse_unproven(run)
        parked = self._parked(run.root)
        self._refuse_changed(run, parked)
        for path, aside in parked.items():
            if os.path.lexists(path):
                path.replace(aside)
        _sync_folders(parked)
        try:
            self._look_again(run, parked)
        except (SourceInUse, OSError):
            _put_back(parked)
            raise
        for aside in parked.values():
            aside.unlink(missing_ok=True)
        _sync_folders(parked)
        return {"retired": list(self.paths)}

    def _refuse_unproven(self, run: Run) -> None:
        for need in self.needs:
            if run.facts.get(need, {}).get("proven") is not True:
                raise NotProven(f"{self.paths[0]}: stays where it is: {need} has no proof that its data arrived")
        for path in self.paths:
            if not run.backup.holds(path):
                raise NotProven(f"{path}: stays where it is: its copy in the backup is missing or damaged")

    def _refuse_changed(self, run: Run, parked: dict[Path, Path]) -> None:
        entries = run.backup.entries()
        for path in self.paths:
            place = run.root / path
            moved = os.path.lexists(parked[place]) and not os.path.lexists(place)
            if state_of(parked[place] if moved else place) not in (entries[path].before, ABSENT):
                raise Drift(f"{path}: was written to after it was exported; it stays where it is. Plan again")
        if (run.root / self.paths[0]).exists():
            refuse_holders(run.root / self.paths[0])

    def _look_again(self, run: Run, parked: dict[Path, Path]) -> None:
        entries = run.backup.entries()
        for path in self.paths:
            if state_of(parked[run.root / path]) not in (entries[path].before, ABSENT):
                raise SourceInUse(f"{path}: was written to at the last moment; it stays where it is")
        first = parked[run.root / self.paths[0]]
        if first.exists() and (found := holders(first)):
            raise SourceInUse(f"{self.paths[0]}: process {found[0].pid} ({found[0].command}) opened it; it stays")

    def _parked(self, root: Path) -> dict[Path, Path]:
        """Where each file waits: beside it, and side files still beside their database."""
        first = root / self.paths[0]
        found = {}
        for path in (root / name for name in self.paths):
            side = path.name.removeprefix(first.name) if path.parent == first.parent else path.name
            known = side != path.name
            found[path] = path.with_name(f".{first.name if known else path.name}{_PARKED}{side if known else ''}")
        return found

    def undo(self, run: Run) -> dict[str, Any]:
        _put_back(self._parked(run.root))
        return {"kept": [path for path in self.paths if run.backup.restore(run.root, path) == "kept"]}

    def verify(self, run: Run) -> dict[str, Any]:
        missing = [path for path in self.paths if not run.backup.holds(path)]
        if missing:
            raise NotProven(f"{missing[0]}: its copy in the backup is missing or damaged")
        back = [path for path in self.paths if state_of(run.root / path) != ABSENT]
        return {"state": f"there again: {', '.join(back)}" if back else "as planned"}

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


def _put_back(parked: dict[Path, Path]) -> None:
    for path, aside in parked.items():
        if os.path.lexists(aside) and not os.path.lexists(path):
            aside.replace(path)
    _sync_folders(parked)


def _sync_folders(parked: dict[Path, Path]) -> None:
    for folder in {path.parent for path in parked}:
        sync_folder(folder)
