"""Apply a plan: step after step, each announced and confirmed in the journal; run again, it goes on where it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from toriwork.errors import DamagedFile, Drift, MigrationError, StoreError
from toriwork.migrate.engine.drift import difference, drifted, refuse_drift
from toriwork.migrate.engine.history import History, Phase
from toriwork.migrate.engine.journal import JOURNAL, Journal
from toriwork.migrate.engine.lock import locked
from toriwork.migrate.engine.plan import PRIVATE, Plan, Revive
from toriwork.migrate.engine.run import Guard, Run, Step, Tell, no_tell
from toriwork.migrate.engine.trial import Verdict
from toriwork.sqlite.source import refuse_holders

Trial = Callable[[Plan], Verdict]  #: NotProven when a plan's code is worse than what is there


@dataclass(frozen=True, slots=True)
class Outcome:
    """Where a migration stands after something was done to it."""

    plan_id: str
    phase: Phase
    done: int  #: steps that are done, or taken back
    waits: list[str] = field(default_factory=list)
    kept: list[str] = field(default_factory=list)  #: files that somebody had changed, left as they are
    notes: list[str] = field(default_factory=list)


@contextmanager
def opened(plan: Plan) -> Iterator[Journal]:
    """The journal of a plan, while nobody else may write to it."""
    with locked(plan.root / PRIVATE):
        yield Journal(plan.folder / JOURNAL)


def history_of(plan: Plan) -> History:
    """How far a plan is, without waiting for anybody."""
    return History.of(Journal(plan.folder / JOURNAL).lines)


def apply_steps(
    plan: Plan, revive: Revive, *, guard: Guard | None = None, trial: Trial | None = None, tell: Tell = no_tell
) -> Outcome:
    """The outcome of running exactly this plan, from its beginning or from where it was cut short.

    ``trial`` has its say before anything changes.

    Raises
    ------
    Drift, SourceInUse, NotProven, DamagedFile, LockUnavailable, StoreError
        Something stands in the way; what was done so far is in the journal, and running it again goes on.
    """
    with opened(plan) as journal:
        history = History.of(journal.lines)
        if history.phase == "rolling back":
            raise MigrationError(f"plan {plan.id}: its rollback was begun and cut short; run rollback again")
        if history.phase == "finished" and drifted(plan):
            return Outcome(plan.id, history.phase, len(history.done), notes=["there is nothing left to do"])
        steps = plan.steps(revive)
        if history.phase in ("planned", "finished", "rolled back"):  # finished: restore.py put everything back since
            history = _begin(plan, journal, steps, trial, tell)
        else:
            _refuse_another_plan(plan, history)
            journal.append("resume", done=len(history.done))
            tell("resume", plan=plan.id, done=len(history.done), steps=len(steps))
        return _run(plan, journal, history, steps, guard, tell)


def _begin(plan: Plan, journal: Journal, steps: list[Step], trial: Trial | None, tell: Tell) -> History:
    refuse_drift(plan)
    for found in plan.content["databases"]:
        database = plan.root / found["path"]
        if database.is_file():
            refuse_holders(database)
    free, needed = shutil.disk_usage(plan.root).free, plan.content["needs_bytes"]
    if free < needed:
        raise StoreError(f"{plan.root}: about {needed:,} bytes are needed, {free:,} are free; nothing was changed")
    if trial is not None:
        verdict = trial(plan)
        tell("trial", modules=verdict.n_modules, tools=list(verdict.tools), notes=list(verdict.notes))
    if journal.lines:
        journal.set_aside()
    if plan.spent.exists():  # of an earlier time: the tree was just seen to be what it holds
        shutil.rmtree(plan.spent)
    journal.append("begin", plan=plan.id, plan_sha256=plan.sha256, steps=len(steps))
    return History.of(journal.lines)


def _refuse_another_plan(plan: Plan, history: History) -> None:
    if history.plan_sha256 != plan.sha256:
        raise DamagedFile(
            f"{plan.folder}: the plan is not the one that was begun (sha256 {history.plan_sha256[:12]} then, "
            f"{plan.sha256[:12]} now); nothing was changed"
        )


def _run(plan: Plan, journal: Journal, history: History, steps: list[Step], guard: Guard | None, tell: Tell) -> Outcome:
    facts = dict(history.done)
    run = Run(plan.root, plan.state_root, plan.id, plan.folder, plan.backup, facts, tell, guard)
    for number, step in enumerate(steps, 1):
        if step.id in facts:
            continue
        tell("step", step=step.id, number=number, steps=len(steps))
        found = _one(plan, journal, step, run, begun=step.id in history.begun)
        if found.get("waits"):
            journal.append("waiting", step=step.id, waits=found["waits"])
            return Outcome(plan.id, "waiting", len(facts), waits=found["waits"])
        facts[step.id] = found
        tell("done", step=step.id, facts=found)
    journal.append("finished", steps=len(steps))
    notes = [note for found in facts.values() for note in [*found.get("notes", []), found.get("note")] if note]
    return Outcome(plan.id, "finished", len(facts), notes=notes)


def _one(plan: Plan, journal: Journal, step: Step, run: Run, *, begun: bool) -> dict[str, Any]:
    """Do one step, or find that it was done before the crash came."""
    before, after, now = step.before(), step.after(), step.state(plan.root)
    if not begun:
        if before and now != before:
            raise _conflict(plan, step, before, now)
        journal.append("intent", step=step.id, before=before, after=after)
    if after and now == after:
        found: dict[str, Any] = {"found": "done before the interruption"}
    elif before and after and now != before:
        raise _conflict(plan, step, before, now)
    else:
        found = step.do(run)
    if not found.get("waits"):
        journal.append("done", step=step.id, after=step.state(plan.root), facts=found)
    return found


def _conflict(plan: Plan, step: Step, before: str, now: str) -> Drift:
    """A file that somebody changed while the migration was under way; it is theirs."""
    path = step.touches[0] if step.touches else step.id
    return Drift(
        f"{difference(plan, path, before, now)}\nIt was left alone, and what was done before it stays done. Bring it "
        "back to what it was and run apply again, or take everything back with rollback"
    )
