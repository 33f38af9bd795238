"""Apply a plan: step after step, each announced and confirmed in the journal; run again, it goes on where it was."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from toriwork.codebase.index import CodebaseIndex
from toriwork.errors import DamagedFile, Drift, MigrationError, StoreError
from toriwork.migrate.engine.journal import JOURNAL, History, Journal, Phase
from toriwork.migrate.engine.plan import PRIVATE, Plan, state_in
from toriwork.migrate.engine.step import GuardCheck, ProgressCallback, Run, Step, no_progress
from toriwork.migrate.engine.steps import told_difference
from toriwork.migrate.engine.trial import Verdict
from toriwork.sqlite.files import alone_in
from toriwork.sqlite.source import refuse_holders

LOCK = "lock"
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
    """Open the journal of a plan, while nobody else may write to it."""
    with alone_in(plan.root / PRIVATE, LOCK):
        yield Journal(plan.folder / JOURNAL)


def history_of(plan: Plan) -> History:
    """Return how far a plan is, without waiting for anybody."""
    return Journal(plan.folder / JOURNAL).history


def run_of(plan: Plan, done: dict[str, Any], progress: ProgressCallback, guard: GuardCheck | None = None) -> Run:
    """Return what the steps of a plan are handed."""
    return Run(plan.root, plan.state_root, plan.id, plan.folder, plan.backup, done, progress, guard)


def apply_steps(
    plan: Plan,
    *,
    guard: GuardCheck | None = None,
    trial: Trial | None = None,
    progress: ProgressCallback = no_progress,
) -> Outcome:
    """Run exactly this plan, from its beginning or from where it was cut short; ``trial`` has its say first.

    Raises
    ------
    Drift, SourceInUse, NotProven, DamagedFile, LockUnavailable, StoreError
        Something stands in the way; what was done so far is in the journal, and running it again goes on.
    """
    with opened(plan) as journal:
        history = journal.history
        if history.phase == "rolling back":
            raise MigrationError(f"plan {plan.id}: its rollback was begun and cut short; run rollback again")
        plan = replace(plan, index=CodebaseIndex.scan(plan.root))
        if history.phase == "finished" and drifted(plan):
            return Outcome(plan.id, history.phase, len(history.done), notes=["there is nothing left to do"])
        steps = plan.steps()
        if history.phase in ("planned", "finished", "rolled back"):  # finished: restore.py put everything back since
            history = _begin(plan, journal, steps, trial, progress)
        else:
            _refuse_another_plan(plan, history)
            journal.append("resume", done=len(history.done))
            progress("resume", plan=plan.id, done=len(history.done), steps=len(steps))
        return _run(plan, journal, history, steps, guard, progress)


def drifted(plan: Plan) -> list[str]:
    """Return a line for each file that is not what the plan was made for."""
    index = plan.index or CodebaseIndex.scan(plan.root)
    return [
        told_difference(path, planned, found)
        for path, planned in plan.content["tree"].items()
        if (found := state_in(index, path)) != planned
    ]


def _begin(plan: Plan, journal: Journal, steps: list[Step], trial: Trial | None, progress: ProgressCallback) -> History:
    if found := drifted(plan):
        raise Drift(
            f"{len(found)} of {len(plan.content['tree'])} files are not what they were when plan {plan.id} was made. "
            "Nothing was changed; plan again (--replan)\n" + "\n".join(found)
        )
    for database in plan.content["databases"]:
        if (plan.root / database["path"]).is_file():
            refuse_holders(plan.root / database["path"])
    free = shutil.disk_usage(plan.root).free
    if free < plan.content["needs_bytes"]:
        raise StoreError(f"{plan.root}: needs about {plan.content['needs_bytes']:,} bytes, {free:,} are free")
    if trial is not None:
        verdict = trial(plan)
        told = {"modules": verdict.n_modules, "calls": verdict.n_calls}
        progress("trial", **told, tools=list(verdict.tools), notes=list(verdict.notes))
    if journal.lines:
        journal.set_aside()
    if plan.spent.exists():  # of an earlier time: the tree was just seen to be what it holds
        shutil.rmtree(plan.spent)
    journal.append("begin", plan=plan.id, plan_sha256=plan.sha256, steps=len(steps))
    return journal.history


def _refuse_another_plan(plan: Plan, history: History) -> None:
    if history.plan_sha256 != plan.sha256:
        raise DamagedFile(
            f"{plan.folder}: the plan is not the one that was begun (sha256 {history.plan_sha256[:12]} then, "
            f"{plan.sha256[:12]} now); nothing was changed"
        )


def _run(
    plan: Plan,
    journal: Journal,
    history: History,
    steps: list[Step],
    guard: GuardCheck | None,
    progress: ProgressCallback,
) -> Outcome:
    facts = dict(history.done)
    run = run_of(plan, facts, progress, guard)
    for number, step in enumerate(steps, 1):
        if step.id in facts:
            continue
        progress("step", step=step.id, number=number, steps=len(steps))
        if step.id not in history.begun:
            step.check(plan.root)
            journal.append("intent", step=step.id)
        found = step.do(run)
        if found.get("waits"):
            journal.append("waiting", step=step.id, waits=found["waits"])
            return Outcome(plan.id, "waiting", len(facts), waits=found["waits"])
        journal.append("done", step=step.id, facts=found)
        facts[step.id] = found
        progress("done", step=step.id, facts=found)
    journal.append("finished", steps=len(steps))
    notes = [note for found in facts.values() for note in found.get("notes", [])]
    return Outcome(plan.id, "finished", len(facts), notes=notes)
