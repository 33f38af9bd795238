"""Another name of a database, a link: it goes with the file that it stands for, and comes back as the link it was."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from toriwork.errors import Drift, NotProven
from toriwork.migrate.data.moves import DataStep
from toriwork.migrate.engine.run import Run
from toriwork.storage.files import OsFiles


@dataclass(frozen=True, slots=True)
class RetireLink(DataStep):
    """A symbolic or hard link to a database, removed when the database is proven to have arrived."""

    path: str
    database: str  #: the file that it stands for
    target: str  #: what a symbolic link says; "" for a hard link
    needs: tuple[str, ...]
    kind: ClassVar[str] = "data.retire_link"

    @classmethod
    def of(cls, root: Path, path: str, database: str, needs: tuple[str, ...]) -> RetireLink:
        """The step for a link as it is now."""
        place = root / path
        target = os.fspath(place.readlink()) if place.is_symlink() else ""
        return cls(f"data:link:{path}", path, database, target, needs)

    def __post_init__(self) -> None:
        object.__setattr__(self, "needs", tuple(self.needs))

    @property
    def touches(self) -> tuple[str, ...]:
        """The link itself."""
        return (self.path,)

    def do(self, run: Run) -> dict[str, Any]:
        for need in self.needs:
            if (run.done(need) or {}).get("proven") is not True:
                raise NotProven(f"{self.path}: stays where it is: {need} has no proof that its data arrived")
        path = run.root / self.path
        if not os.path.lexists(path):
            return {}
        if not self._is_ours(run.root):
            raise Drift(f"{self.path}: does not stand for {self.database} any more; it was left alone")
        path.unlink()
        OsFiles().sync_folder(path.parent)
        return {}

    def _is_ours(self, root: Path) -> bool:
        path = root / self.path
        if self.target:
            return path.is_symlink() and os.fspath(path.readlink()) == self.target
        return not path.is_symlink() and (root / self.database).exists() and path.samefile(root / self.database)

    def undo(self, run: Run) -> dict[str, Any]:
        path = run.root / self.path
        if os.path.lexists(path):
            return {"kept": [] if self._is_ours(run.root) else [self.path]}
        if self.target:
            path.symlink_to(self.target)
        else:
            os.link(run.root / self.database, path)
        OsFiles().sync_folder(path.parent)
        return {"kept": []}

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self), "needs": list(self.needs)}
