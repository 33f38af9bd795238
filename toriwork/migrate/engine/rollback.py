"""Take a migration back: every step in reverse, each file only where nobody has changed it since; resumable too."""

from __future__ import annotations

import shutil

from toriwork.errors import MigrationError, NotFound, NotProven
from toriwork.migrate.engine.apply import Outcome, opened
from toriwork.migrate.engine.history import History
from toriwork.migrate.engine.journal import Journal
from toriwork.migrate.engine.plan import Plan, Revive
from toriwork.migrate.engine.restore_script import state_of, sync_folder
from toriwork.migrate.engine.run import Run, Step, Tell, no_tell


def roll_back(plan: Plan, revive: Revive, *, tell: Tell = no_tell) -> Outcome:
    """The outcome of bringing everything back to what it was before apply.

    A file that somebody changed since keeps what it is; the original lies beside it as ``NAME.toriwork-orig``. When
    nothing had to be kept, the tree is proven to be what the plan was made for, and the backup moves into the plan's
    folder.

    Raises
    ------
    NotFound
        The backup was pruned.
    NotProven
        A file did not come back as it was.
    """
    with opened(plan) as journal:
        history = History.of(journal.lines)
        if history.phase in ("planned", "rolled back"):
            return Outcome(plan.id, history.phase, 0, kept=history.kept, notes=["there is nothing to take back"])
        if "backup" in history.done and not plan.backup.exists():
            raise NotFound(f"{plan.backup}: there is no backup any more; what was migrated stays as it is")
        if history.phase != "rolling back":
            journal.append("rollback", steps=len(history.begun))
        steps = {step.id: step for step in plan.steps(revive) if step.id in history.begun}
        _undo(plan, journal, history, steps, tell)
        return _settle(plan, journal, {path for step in steps.values() for path in step.touches})


def _undo(plan: Plan, journal: Journal, history: History, steps: dict[str, Step], tell: Tell) -> None:
    run = Run(plan.root, plan.state_root, plan.id, plan.folder, plan.backup, history.done, tell)
    for name in reversed(history.begun):
        if name in history.undone:
            continue
        tell("undo", step=name)
        journal.append("undo", step=name)
        found = steps[name].undo(run)
        journal.append("undone", step=name, facts=found)
        tell("undone", step=name, facts=found)


def _settle(plan: Plan, journal: Journal, touched: set[str]) -> Outcome:
    """Prove that everything that was touched is as it was, then put the backup aside."""
    history = History.of(journal.lines)
    kept = history.kept
    wrong = [
        entry.path
        for entry in plan.entries()
        if entry.path in touched.difference(kept) and state_of(plan.root / entry.path) != entry.before
    ]
    if wrong:
        raise NotProven(f"{', '.join(wrong[:5])}: did not come back as it was; the backup is in {plan.backup}")
    if not kept:
        _put_aside(plan)
    journal.append("rolled_back", kept=kept)
    return Outcome(plan.id, "rolled back", len(history.undone), kept=kept)


def _put_aside(plan: Plan) -> None:
    if plan.backup == plan.spent or not plan.backup.exists():
        return
    plan.backup.replace(plan.spent)
    sync_folder(plan.root)
    sync_folder(plan.folder)


def prune(plan: Plan, revive: Revive, *, yes: bool, tell: Tell = no_tell) -> tuple[int, bool]:
    """Bytes that the backup takes, and whether it was deleted, for good. Proven first: after it there is no way back.

    Raises
    ------
    MigrationError
        The migration is neither finished nor rolled back.
    NotProven
        What was retired is not proven to be elsewhere; the backup stays.
    """
    with opened(plan) as journal:
        history = History.of(journal.lines)
        if history.phase not in ("finished", "rolled back"):
            raise MigrationError(f"plan {plan.id} is {history.phase}; only a finished migration's backup may go")
        size = sum(path.stat().st_size for path in plan.backup.rglob("*") if path.is_file())
        if not yes or not plan.backup.exists():
            return size, False
        if history.phase == "finished":
            run = Run(plan.root, plan.state_root, plan.id, plan.folder, plan.backup, history.done, tell)
            for found in plan.content["data"]:
                revive(found).verify(run)
        journal.append("pruned", bytes=size)
        shutil.rmtree(plan.backup)
        sync_folder(plan.backup.parent)
        return size, True
