"""What has to hold before a database may go: the new code compiles, the data is proven again, nothing names the old."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from toriwork.errors import NotProven
from toriwork.migrate.engine.run import Run, SelfJudging, Step


@dataclass(frozen=True, slots=True)
class _Gate(SelfJudging):
    """A step that changes nothing; it is passed or it stops the run."""

    touches = ()

    def undo(self, run: Run) -> dict[str, Any]:
        return {}


@dataclass(frozen=True, slots=True)
class Compiles(_Gate):
    """Every module that was written compiles. Nothing of it is run, and no bytecode is left behind."""

    paths: tuple[str, ...]
    id: str = "gate:compile"

    def do(self, run: Run) -> dict[str, Any]:
        for path in self.paths:
            try:
                compile((run.root / path).read_bytes(), path, "exec", dont_inherit=True)
            except (SyntaxError, ValueError, OSError) as error:
                raise NotProven(f"{path}: does not compile: {error}. No database was retired") from error
        return {"modules": len(self.paths)}

    def verify(self, run: Run) -> dict[str, Any]:
        return self.do(run)

    def describe(self) -> dict[str, Any]:
        return {"kind": "gate.compile", "id": self.id, "paths": list(self.paths)}


@dataclass(frozen=True, slots=True)
class Proven(_Gate):
    """Every data step proves once more, from the files that it wrote, that what was there has arrived."""

    steps: tuple[Step, ...]
    id: str = "gate:proofs"

    def do(self, run: Run) -> dict[str, Any]:
        for step in self.steps:
            run.tell("prove", step=step.id)
            step.verify(run)
        return {"steps": len(self.steps)}

    def verify(self, run: Run) -> dict[str, Any]:
        return {}  # the data steps are asked themselves

    def describe(self) -> dict[str, Any]:
        return {"kind": "gate.proofs", "id": self.id, "steps": [step.id for step in self.steps]}


@dataclass(frozen=True, slots=True)
class Guarded(_Gate):
    """Nothing in the code base names a database any more; while something does, the run waits in front of retiring."""

    databases: tuple[str, ...]  #: what is going to be retired and may still be there
    manual: tuple[str, ...]  #: what a person has to do, asked for when there is no guard to look
    id: str = "gate:guard"

    def do(self, run: Run) -> dict[str, Any]:
        """Reasons to wait under ``waits``; a code base that keeps no database to retire only gets them as notes."""
        if run.guard is None:
            found = list(self.manual)
            facts: dict[str, Any] = {"note": "no guard was at hand: the code was not searched for what is left"}
        else:
            found = [f"{path}:{line}: {words}" for path, line, words in run.guard(run.root)]
            facts = {}
        if not found:
            return facts
        return facts | ({"waits": found} if self.databases else {"notes": found})

    def verify(self, run: Run) -> dict[str, Any]:
        found = self.do(run)
        reasons = found.get("waits", []) + found.get("notes", [])
        if reasons:
            raise NotProven(f"the code base still names a database: {'; '.join(reasons[:5])}")
        return found

    def describe(self) -> dict[str, Any]:
        return {
            "kind": "gate.guard", "id": self.id, "databases": list(self.databases), "manual": list(self.manual),
        }  # fmt: skip
