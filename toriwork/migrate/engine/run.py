"""What a step is, and what it is handed when it runs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from toriwork.migrate.engine.backup import Backup

Tell = Callable[..., None]  #: event name, facts by keyword
#: what is wrong with a code base, as (path, line, words): the guard, where there is one
Guard = Callable[[Path], Iterable[tuple[str, int, str]]]


def no_tell(event: str, **facts: Any) -> None:
    """Tell nobody."""


@dataclass(frozen=True, slots=True)
class Run:
    """One run of a plan: where it works, what was done before, and whom to tell."""

    root: Path  #: the code base
    state_root: Path
    plan_id: str
    folder: Path  #: of this migration: plan, blobs, journal
    backup: Path  #: the folder that keeps what was; there as soon as the first step is done
    facts: Mapping[str, dict[str, Any]] = field(default_factory=dict)  #: of every step that is done, by its id
    tell: Tell = no_tell
    guard: Guard | None = None

    @property
    def kept(self) -> Backup:
        """The files that the backup holds."""
        return Backup(self.backup)

    def done(self, step: str) -> dict[str, Any] | None:
        """The facts of a step that is done, None of one that is not."""
        return self.facts.get(step)


class SelfJudging:
    """What is common to steps that no state of one file tells about: they look for themselves how far they are."""

    __slots__ = ()

    def before(self) -> str:
        """No state."""
        return ""

    def after(self) -> str:
        """No state."""
        return ""

    def state(self, root: Path) -> str:
        """No state."""
        return ""


class Step(Protocol):
    """One change of the world. The engine journals the intent, lets it happen, and journals that it did.

    A step begins in the state ``before`` and leads to the state ``after``; where ``after`` is empty the step judges for
    itself, and ``do`` may be called again after a crash in the middle. ``undo`` is called for every step that was
    begun, however far it came, and may be called twice; it names under ``kept`` what it left because somebody changed
    it. ``touches`` are the files of the code base that it changes or removes: they go into the backup first.
    """

    @property
    def id(self) -> str: ...
    @property
    def touches(self) -> tuple[str, ...]: ...
    def before(self) -> str: ...
    def after(self) -> str: ...
    def state(self, root: Path) -> str: ...
    def do(self, run: Run) -> dict[str, Any]: ...
    def undo(self, run: Run) -> dict[str, Any]: ...
    def verify(self, run: Run) -> dict[str, Any]: ...
    def describe(self) -> dict[str, Any]: ...
