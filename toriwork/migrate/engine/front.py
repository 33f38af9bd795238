"""What people call: a code base in, a plan, a status or an outcome out. Which plan is meant is decided here."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toriwork.errors import BadInput, MigrationError, NotFound, ToriworkError
from toriwork.migrate.engine import plan as planning
from toriwork.migrate.engine import rollback as taking_back
from toriwork.migrate.engine.apply import Outcome, Trial, apply_steps, history_of
from toriwork.migrate.engine.history import History, Phase
from toriwork.migrate.engine.journal import JOURNAL, Journal
from toriwork.migrate.engine.plan import Plan, Revive, check_root, load_plan, stored_plans
from toriwork.migrate.engine.proposal import Propose
from toriwork.migrate.engine.proposing import propose as propose_all
from toriwork.migrate.engine.proposing import revive as revive_all
from toriwork.migrate.engine.run import Guard, Run, Step, Tell, no_tell
from toriwork.migrate.engine.trial import try_plan
from toriwork.state import ENV_NAME, capsule_state_path, nearest_capsule
from toriwork.state import state_root as usual_state_root

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Kit:
    """Where steps come from: what proposes them, and what makes them again from their description."""

    propose: Propose = propose_all
    revive: Revive = revive_all
    trial: Trial | None = try_plan


KIT = Kit()


@dataclass(frozen=True, slots=True)
class Status:
    """How far a migration is. ``steps``: id and ``to do``, ``begun``, ``done``, ``edited since`` or ``taken back``."""

    plan_id: str
    phase: Phase
    steps: tuple[tuple[str, str], ...]
    waits: list[str]
    kept: list[str]


@dataclass(frozen=True, slots=True)
class Verification:
    """What holds now of what a migration did; ``failed`` says why not."""

    plan_id: str
    proven: dict[str, dict[str, Any]] = field(default_factory=dict)  #: step -> what it found
    failed: dict[str, str] = field(default_factory=dict)


def make_plan(root: PathLike, *, state_root: PathLike | None = None, kit: Kit = KIT) -> Plan:
    """The plan of leaving databases behind for a code base; nothing outside of its ``.toriwork`` is written.

    The same tree gives the same plan, with the same ``id`` and ``sha256``.

    Parameters
    ----------
    root : path
        The code base.
    state_root : path, optional
        Where the data will go; without it ``TORI_STATE_ROOT``, else what the code base's capsule says, else where
        toriwork keeps its state.

    Raises
    ------
    NotFound
        There is no such folder.
    MissingExtra
        A module has to be rewritten and LibCST is not installed.
    """
    folder = check_root(Path(root))
    return planning.make_plan(folder, Path(state_root) if state_root else _state_root_of(folder), kit.propose)


def _state_root_of(root: Path) -> Path:
    """Where the code base keeps its state when it runs, wherever this is called from."""
    capsule = nearest_capsule(root) if not os.environ.get(ENV_NAME) else None
    return (capsule and capsule_state_path(capsule)) or usual_state_root()


def current_plan(root: PathLike, plan_id: str | None = None) -> Plan:
    """The plan that is meant: the named one; else the one under way; else the one that was made last.

    Raises
    ------
    NotFound
        There is no plan.
    """
    folder = check_root(Path(root))
    known = stored_plans(folder)
    if plan_id is not None:
        matching = [name for name in known if name.startswith(plan_id)]
        if len(matching) > 1:
            raise BadInput(f"plan {plan_id}: {', '.join(matching)} begin like this")
        return load_plan(folder, matching[0] if matching else plan_id)
    if not known:
        raise NotFound(f"{folder}: has no plan; `toriwork migrate plan` makes one")
    plans = [load_plan(folder, name) for name in known]
    return next((plan for plan in reversed(plans) if history_of(plan).open), plans[-1])


def under_way(root: PathLike) -> Plan | None:
    """The plan that was begun and is neither finished nor taken back."""
    folder = check_root(Path(root))
    plans = (load_plan(folder, name) for name in reversed(stored_plans(folder)))
    return next((plan for plan in plans if history_of(plan).open), None)


def apply_plan(
    root: PathLike, plan_id: str | None = None, *, guard: Guard | None = None, tell: Tell = no_tell, kit: Kit = KIT
) -> Outcome:
    """The outcome of running a plan exactly as it was shown; a run that was cut short goes on, a finished one is left.

    Before anything changes, the new code is tried in a copy (``kit.trial``). Databases go last: when every export is
    proven again, the code compiles and nothing names a database any more. While something does, the outcome's
    ``phase`` is ``waiting`` and its ``waits`` say what.

    Parameters
    ----------
    root : path
        The code base.
    plan_id : str, optional
        The beginning of its id will do; see :func:`current_plan`.
    guard : callable, optional
        Looks at a code base and gives (path, line, words) for everything that still names a database.
    tell : callable, optional
        Is told of every step: ``tell(event, **facts)``.

    Raises
    ------
    Drift
        A file is not what it was when the plan was made; the message shows the difference. Nothing was changed.
    NotProven
        The new code fails where the old one did not, nothing was changed; or data is not proven, nothing was removed.
    SourceInUse, DamagedFile, LockUnavailable, StoreError
        What stands in the way; apply again to go on.
    """
    plan = current_plan(root, plan_id)
    other = under_way(root)
    if other is not None and other.id != plan.id:
        raise MigrationError(f"plan {other.id} is {history_of(other).phase}; finish it or roll it back first")
    return apply_steps(plan, kit.revive, guard=guard, trial=kit.trial, tell=tell)


def rollback(root: PathLike, plan_id: str | None = None, *, tell: Tell = no_tell, kit: Kit = KIT) -> Outcome:
    """The outcome of taking a migration back, to the byte and the mode; see :func:`roll_back`.

    A file that somebody changed since is kept, named in ``kept``, and has the original beside it.

    Raises
    ------
    NotFound, NotProven
        There is no backup any more; something did not come back as it was.
    """
    return taking_back.roll_back(_last_begun(root, plan_id), kit.revive, tell=tell)


def _last_begun(root: PathLike, plan_id: str | None) -> Plan:
    """The plan that is meant by somebody who speaks of what was done, not of what was planned since."""
    if plan_id is not None or under_way(root) is not None:
        return current_plan(root, plan_id)
    folder = check_root(Path(root))
    plans = [load_plan(folder, name) for name in stored_plans(folder)]
    begun = [plan for plan in plans if history_of(plan).phase != "planned"]
    standing = [plan for plan in begun if history_of(plan).phase != "rolled back"]
    return max(standing or begun, key=_when, default=None) or current_plan(root)


def _when(plan: Plan) -> int:
    return (plan.folder / "journal.jsonl").stat().st_mtime_ns


def status(root: PathLike, plan_id: str | None = None, *, kit: Kit = KIT) -> Status:
    """How far a migration is, and what was edited since; nothing is written.

    Raises
    ------
    NotFound
        There is no plan.
    """
    plan = current_plan(root, plan_id) if plan_id else _last_begun(root, None)
    history = history_of(plan)
    steps = tuple((step.id, _progress(plan, step, history)) for step in plan.steps(kit.revive))
    return Status(plan.id, history.phase, steps, history.waits if history.phase == "waiting" else [], history.kept)


def _progress(plan: Plan, step: Step, history: History) -> str:
    if history.phase in ("rolling back", "rolled back"):
        return "taken back" if step.id in history.undone else "to take back" if step.id in history.begun else "to do"
    if step.id not in history.done:
        return "begun" if step.id in history.begun else "to do"
    return "edited since" if step.after() and step.state(plan.root) != step.after() else "done"


def verify(
    root: PathLike, plan_id: str | None = None, *, guard: Guard | None = None, tell: Tell = no_tell, kit: Kit = KIT
) -> Verification:
    """What holds now: backup, exports, rows and gates, each proven again from what lies on the disk.

    Raises
    ------
    NotFound
        There is no plan.
    """
    plan = _last_begun(root, plan_id)
    history = history_of(plan)
    run = Run(plan.root, plan.state_root, plan.id, plan.folder, plan.backup, history.done, tell, guard)
    found = Verification(plan.id)
    for step in plan.steps(kit.revive) if history.phase != "rolled back" else []:
        if step.id not in history.done:
            continue
        tell("verify", step=step.id)
        try:
            found.proven[step.id] = step.verify(run)
        except ToriworkError as error:
            found.failed[step.id] = str(error)
    return found


def prune(root: PathLike, plan_id: str | None = None, *, yes: bool = False, kit: Kit = KIT) -> tuple[int, bool]:
    """Bytes that the backup takes, and whether it was deleted: only with ``yes``, and only after everything is proven.

    Raises
    ------
    MigrationError, NotProven
        The migration is under way; what was retired is not proven to be elsewhere.
    """
    return taking_back.prune(_last_begun(root, plan_id), kit.revive, yes=yes)


def explain(root: PathLike, item: str, plan_id: str | None = None) -> list[dict[str, Any]]:
    """Everything that a plan and its journal say of a file, a database or a step.

    Raises
    ------
    NotFound
        The plan says nothing of it.
    """
    plan = current_plan(root, plan_id)
    found = [
        entry for name in ("files", "databases", "manual") for entry in plan.content[name] if entry["path"] == item
    ]
    found += [entry for entry in (*plan.content["data"], *plan.content["retire"]) if item in _names(entry)]
    lines = Journal(plan.folder / JOURNAL).lines
    found += [line for line in lines if line.get("step") in (item, f"file:{item}")]
    if not found:
        raise NotFound(f"{item}: plan {plan.id} says nothing of it; the path of a file or the id of a step is wanted")
    return found


def _names(described: dict[str, Any]) -> list[Any]:
    return [described.get("id"), described.get("path"), *described.get("paths", [])]
