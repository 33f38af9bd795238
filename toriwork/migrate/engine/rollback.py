"""Take a migration back: every step in reverse, each file only where nobody has changed it since; resumable too."""

from __future__ import annotations

import shutil

from toriwork.errors import MigrationError, NotFound, NotProven
from toriwork.migrate.engine.apply import Outcome, opened, run_of
from toriwork.migrate.engine.journal import History, Journal
from toriwork.migrate.engine.plan import Plan
from toriwork.migrate.engine.restore_script import state_of, sync_folder
from toriwork.migrate.engine.step import ProgressCallback, Step, no_progress


def roll_back(plan: Plan, *, progress: ProgressCallback = no_progress) -> Outcome:
    """Bring everything back to what it was before apply.

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
        history = journal.history
        if history.phase in ("planned", "rolled back"):
            return Outcome(plan.id, history.phase, 0, kept=history.kept, notes=["there is nothing to take back"])
        if "backup" in history.done and not plan.backup.exists():
            raise NotFound(f"{plan.backup}: there is no backup any more; what was migrated stays as it is")
        if history.phase != "rolling back":
            journal.append("rollback", steps=len(history.begun))
        steps = {step.id: step for step in plan.steps() if step.id in history.begun}
        _undo(plan, journal, history, steps, progress)
        return _settle(plan, journal, {path for step in steps.values() for path in step.touches})


def _undo(plan: Plan, journal: Journal, history: History, steps: dict[str, Step], progress: ProgressCallback) -> None:
    run = run_of(plan, history.done, progress)
    for name in reversed(history.begun):
        if name in history.undone:
            continue
        progress("undo", step=name)
        journal.append("undo", step=name)
        found = steps[name].undo(run)
        journal.append("undone", step=name, facts=found)
        progress("undone", step=name, facts=found)


def _settle(plan: Plan, journal: Journal, touched: set[str]) -> Outcome:
    """Prove that everything that was touched is as it was, then put the backup aside."""
    history = journal.history
    kept = history.kept
    wrong = [
        entry.path
        for entry in plan.entries()
        if entry.path in touched.difference(kept) and state_of(plan.root / entry.path) != entry.before
    ]
    if wrong:
        raise NotProven(f"{', '.join(wrong[:5])}: did not come back as it was; the backup is in {plan.backup}")
    place = plan.backup
    if not kept and place != plan.spent and place.exists():
        place.replace(plan.spent)
        sync_folder(place.parent)
        sync_folder(plan.folder)
    journal.append("rolled_back", kept=kept)
    return Outcome(plan.id, "rolled back", len(history.undone), kept=kept)


def prune(plan: Plan, *, yes: bool) -> tuple[int, bool]:
    """Return the bytes that the backup takes, and True when it was deleted, for good, after everything was proven.

    Raises
    ------
    MigrationError
        The migration is neither finished nor rolled back.
    NotProven
        What was retired is not proven to be elsewhere; the backup stays.
    """
    with opened(plan) as journal:
        history = journal.history
        if history.phase not in ("finished", "rolled back"):
            raise MigrationError(f"plan {plan.id} is {history.phase}; only a finished migration's backup may go")
        size = sum(path.stat().st_size for path in plan.backup.rglob("*") if path.is_file())
        if not yes or not plan.backup.exists():
            return size, False
        if history.phase == "finished":
            run = run_of(plan, history.done, no_progress)
            for step in plan.data_steps():
                step.verify(run)
        journal.append("pruned", bytes=size)
        shutil.rmtree(plan.backup)
        sync_folder(plan.backup.parent)
        return size, True
