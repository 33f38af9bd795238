"""What the lines of a journal come to: how far a migration is, and what each step left behind."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

from toriwork.migrate.engine.journal import Line

Phase = Literal["planned", "applying", "waiting", "finished", "rolling back", "rolled back"]
_PHASES: dict[str, Phase] = {
    "begin": "applying",
    "resume": "applying",
    "waiting": "waiting",
    "finished": "finished",
    "rollback": "rolling back",
    "rolled_back": "rolled back",
}


@dataclass(slots=True)
class History:
    """A journal in one look. Build it with :meth:`of`."""

    phase: Phase = "planned"
    plan_sha256: str = ""
    begun: list[str] = field(default_factory=list)  #: steps, in the order in which they were begun
    done: dict[str, dict[str, Any]] = field(default_factory=dict)  #: step -> facts
    undone: dict[str, dict[str, Any]] = field(default_factory=dict)
    waits: list[str] = field(default_factory=list)  #: why it waits in front of retiring

    @classmethod
    def of(cls, lines: list[Line]) -> History:
        """The history that a journal tells."""
        found = cls()
        for line in lines:
            found.phase = _PHASES.get(line["kind"], found.phase)
            found._take(line)
        return found

    def _take(self, line: Line) -> None:
        kind, step = line["kind"], line.get("step", "")
        if kind == "begin":
            self.plan_sha256 = line["plan_sha256"]
        elif kind == "intent" and step not in self.begun:
            self.begun.append(step)
        elif kind == "done":
            self.done[step] = line["facts"]
        elif kind == "undone":
            self.undone[step] = line["facts"]
        elif kind == "waiting":
            self.waits = line["waits"]

    @property
    def kept(self) -> list[str]:
        """What a rollback left as somebody had changed it."""
        return sorted({path for facts in self.undone.values() for path in facts.get("kept", [])})

    @property
    def open(self) -> bool:
        """Whether something was begun that is neither finished nor taken back."""
        return self.phase in ("applying", "waiting", "rolling back")
