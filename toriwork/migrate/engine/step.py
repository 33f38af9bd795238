"""Steps of a plan and what they are handed when they run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol

from toriwork.migrate.engine.backup import Backup

ProgressCallback = Callable[..., None]  #: event name, facts by keyword
#: code of a tree that still uses a database, as (path, line, words)
GuardCheck = Callable[[Path], Iterable[tuple[str, int, str]]]


def no_progress(event: str, **facts: Any) -> None:
    """Tell nobody."""


@dataclass(frozen=True)
class Run:
    """One run of a plan: where it works, what was done before, and whom to tell."""

    root: Path  #: the code base
    state_root: Path
    plan_id: str
    folder: Path  #: of this migration: plan, blobs, journal
    backup_folder: Path  #: what was; there as soon as the first step is done
    facts: Mapping[str, dict[str, Any]] = field(default_factory=dict)  #: of every step that is done, by its id
    progress: ProgressCallback = no_progress
    guard: GuardCheck | None = None

    @cached_property
    def backup(self) -> Backup:
        """The files that the backup holds."""
        return Backup(self.backup_folder)


class Step(Protocol):
    """One change, which the engine journals before and after it happens.

    ``do`` may be called again after a crash in the middle. ``undo`` is called for every step that was begun, however
    far it came, and may be called twice; it names under ``kept`` what it left because somebody changed it.
    """

    @property
    def id(self) -> str: ...
    @property
    def touches(self) -> tuple[str, ...]:
        """Files of the code base that it changes or removes; they go into the backup first."""

    def check(self, root: Path) -> None:
        """Raise Drift, before the step is begun, when what it is going to change is not what was planned for."""

    def is_edited(self, root: Path) -> bool:
        """Return True when somebody changed since what the step made."""

    def do(self, run: Run) -> dict[str, Any]:
        """Do it and return the facts for the journal."""

    def undo(self, run: Run) -> dict[str, Any]:
        """Take it back."""

    def verify(self, run: Run) -> dict[str, Any]:
        """Prove again what was done. Raises NotProven."""

    def describe(self) -> dict[str, Any]:
        """Return the fields from which the step is made again, and its ``kind``."""


class IdempotentStep:
    """Defaults for a step that finds out by itself how far it is, changes no file and leaves nothing to undo."""

    __slots__ = ()

    @property
    def touches(self) -> tuple[str, ...]:
        """No file of the code base."""
        return ()

    def check(self, root: Path) -> None:
        """Nothing is checked in advance."""

    def is_edited(self, root: Path) -> bool:
        """No file can be edited."""
        return False

    def undo(self, run: Run) -> dict[str, Any]:
        """There is nothing to take back."""
        return {}

    def verify(self, run: Run) -> dict[str, Any]:
        """There is nothing to prove again."""
        return {}
