"""The functions that people call: a code base in, a plan, a status or an outcome out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toriwork.codebase.index import CodebaseIndex
from toriwork.errors import BadInput, MigrationError, NotFound, ToriworkError
from toriwork.migrate.engine import plan as planning
from toriwork.migrate.engine import rollback as taking_back
from toriwork.migrate.engine.apply import Outcome, Trial, apply_steps, history_of, run_of
from toriwork.migrate.engine.journal import JOURNAL, History, Journal, Phase
from toriwork.migrate.engine.plan import Plan, load_plan, stored_plans
from toriwork.migrate.engine.proposal import propose
from toriwork.migrate.engine.step import GuardCheck, ProgressCallback, Step, no_progress
from toriwork.migrate.engine.trial import try_plan
from toriwork.state import ENV_NAME, capsule_state_path, nearest_capsule
from toriwork.state import state_root as usual_state_root

PathLike = str | os.PathLike[str]


@dataclass(frozen=True, slots=True)
class Status:
    """How far a migration is. ``steps``: id and ``to do``, ``begun``, ``done``, ``edited since`` or ``taken back``."""

    plan_id: str
    phase: Phase
    steps: tuple[tuple[str, str], ...]
    waits: list[str]
    kept: list[str]
    notes: tuple[str, ...] = ()  #: of the steps that are done, such as rows that are no spectra


@dataclass(frozen=True, slots=True)
class Verification:
    """Steps of a migration proven again, and those that are not, with why."""

    plan_id: str
    proven: dict[str, dict[str, Any]] = field(default_factory=dict)  #: step -> what it found
    failed: dict[str, str] = field(default_factory=dict)


def make_plan(
    root: PathLike,
    *,
    state_root: PathLike | None = None,
    retire: Sequence[str] = (),
    stopped: Mapping[tuple[str, str], str] | None = None,
) -> Plan:
    """Return the plan of leaving databases behind for a code base; only its ``.toriwork`` is written.

    The same tree gives the same plan, with the same ``id`` and ``sha256``.

    Parameters
    ----------
    root : path
        The code base.
    state_root : path, optional
        Where the data will go; without it ``TORI_STATE_ROOT``, else what the code base's capsule says, else where
        toriwork keeps its state.
    retire : sequence of str
        Paths or names of databases that go although some file names them.
    stopped : mapping, optional
        (file, recipe) -> why that recipe leaves the file alone, as the trial of an earlier plan has it.

    Raises
    ------
    NotFound
        There is no such folder.
    BadInput
        ``retire`` names what is no database of the code base; the state root is no folder.
    MissingExtra
        A module has to be rewritten and LibCST is not installed.

    Examples
    --------
    >>> from pathlib import Path
    >>> from toriwork.migrate import make_plan
    >>> Path("code").mkdir()
    >>> _ = Path("code/levels.py").write_text("import sqlite3")
    >>> [step.id for step in make_plan("code").steps()]
    ['backup', 'file:levels.py', 'file:capsule.yml', 'file:tox.ini', 'file:.pre-commit-config.yaml', 'guard']
    """
    folder = _folder(root)
    target = Path(state_root).expanduser() if state_root else _state_root_of(folder)
    standing = next((place for place in (target, *target.parents) if os.path.lexists(place)), None)
    if standing is not None and not standing.is_dir():
        raise BadInput(f"state root {target}: expected a folder, but {standing} is none")
    index = CodebaseIndex.scan(folder).without([target.absolute()])
    return planning.make_plan(index, target, propose(index, target, retire=retire, stopped=stopped))


def _state_root_of(root: Path) -> Path:
    """Return where the code base keeps its state when it runs, wherever this is called from."""
    capsule = nearest_capsule(root) if not os.environ.get(ENV_NAME) else None
    return (capsule and capsule_state_path(capsule)) or usual_state_root()


def _folder(root: PathLike) -> Path:
    folder = os.path.realpath(os.path.expanduser(root))  # noqa: PTH111 - an unknown user is no error
    if not os.path.isdir(folder):  # noqa: PTH112 - False, no error, for a name that is too long
        raise NotFound(f"{root}: not a directory: expected the root of a code base")
    return Path(folder)


def _plans(folder: Path) -> list[Plan]:
    """Return all plans, the last one at the end; those of another toriwork are passed over unless one is under way."""
    found = []
    for name in stored_plans(folder):
        try:
            found.append(load_plan(folder, name))
        except BadInput as error:
            if Journal(folder / planning.PRIVATE / "migrations" / name / JOURNAL).history.open:
                raise BadInput(
                    f"{error}, and began with it; finish or roll it back there, or use restore.py"
                ) from error
    return found


def current_plan(root: PathLike, plan_id: str | None = None) -> Plan:
    """Return the plan that is meant: the named one; else the one under way; else the one that was made last.

    Raises
    ------
    NotFound
        There is no plan.
    """
    folder = _folder(root)
    if plan_id is not None:
        matching = [name for name in stored_plans(folder) if name.startswith(plan_id)]
        if len(matching) > 1:
            raise BadInput(f"plan {plan_id}: {', '.join(matching)} begin like this")
        return load_plan(folder, matching[0] if matching else plan_id)
    plans = _plans(folder)
    if not plans:
        raise NotFound(f"{folder}: has no plan; `toriwork migrate plan` makes one")
    return under_way(folder) or plans[-1]


def under_way(root: PathLike) -> Plan | None:
    """Return the plan that was begun and is neither finished nor taken back."""
    return next((plan for plan in reversed(_plans(_folder(root))) if history_of(plan).open), None)


def _last_begun(root: PathLike, plan_id: str | None = None) -> Plan:
    """Return the plan that is meant by somebody who speaks of what was done, not of what was planned since."""
    if plan_id is not None or under_way(root) is not None:
        return current_plan(root, plan_id)
    phases = [(plan, history_of(plan).phase) for plan in _plans(_folder(root))]
    begun = [plan for plan, phase in phases if phase != "planned"]
    standing = [plan for plan, phase in phases if phase == "finished"]
    last = max(standing or begun, key=lambda plan: (plan.folder / JOURNAL).stat().st_mtime_ns, default=None)
    return last or current_plan(root)


def apply_plan(
    root: PathLike,
    plan_id: str | None = None,
    *,
    guard: GuardCheck | None = None,
    trial: Trial | None = try_plan,
    progress: ProgressCallback = no_progress,
) -> Outcome:
    """Run a plan exactly as it was shown; a run that was cut short goes on, a finished one is left.

    Before anything changes, the new code is tried in a copy. Databases go last, when every export is proven and nothing
    names a database any more. While something does, the outcome's ``phase`` is ``waiting`` and its ``waits`` say what.

    Parameters
    ----------
    root : path
        The code base.
    plan_id : str, optional
        The beginning of its id will do; see :func:`current_plan`.
    guard : callable, optional
        Looks at a code base and gives (path, line, words) for everything that still names a database.
    trial : callable, optional
        Tries the new code; None: it is not tried.
    progress : callable, optional
        Is told of every step: ``progress(event, **facts)``.

    Raises
    ------
    Drift
        A file is not what it was when the plan was made. Nothing was changed.
    NotProven
        The new code fails where the old one did not, nothing was changed; or data is not proven, nothing was removed.
    SourceInUse, DamagedFile, LockUnavailable, StoreError
        What stands in the way; apply again to go on.

    Examples
    --------
    >>> from pathlib import Path
    >>> from toriwork.migrate import apply_plan, make_plan
    >>> Path("code").mkdir()
    >>> _ = Path("code/levels.py").write_text("import sqlite3")
    >>> plan = make_plan("code")
    >>> outcome = apply_plan("code", trial=None)
    >>> Path("code/levels.py").read_text()
    ''
    """
    plan = current_plan(root, plan_id)
    other = under_way(root)
    if other is not None and other.id != plan.id:
        raise MigrationError(f"plan {other.id} is {history_of(other).phase}; finish it or roll it back first")
    return apply_steps(plan, guard=guard, trial=trial, progress=progress)


def rollback(root: PathLike, plan_id: str | None = None, *, progress: ProgressCallback = no_progress) -> Outcome:
    """Take a migration back: files return to the byte, with their modes.

    A file that somebody changed since is kept, named in ``kept``, and has the original beside it.

    Raises
    ------
    NotFound, NotProven
        There is no backup any more; something did not come back as it was.

    Examples
    --------
    >>> from pathlib import Path
    >>> from toriwork.migrate import apply_plan, make_plan, rollback
    >>> Path("code").mkdir()
    >>> _ = Path("code/levels.py").write_text("import sqlite3")
    >>> plan = make_plan("code")
    >>> outcome = apply_plan("code", trial=None)
    >>> back = rollback("code")
    >>> Path("code/levels.py").read_text()
    'import sqlite3'
    """
    return taking_back.roll_back(_last_begun(root, plan_id), progress=progress)


def status(root: PathLike, plan_id: str | None = None) -> Status:
    """Return how far a migration is, and what was edited since; nothing is written.

    Raises
    ------
    NotFound
        There is no plan.

    Examples
    --------
    >>> from pathlib import Path
    >>> from toriwork.migrate import make_plan, status
    >>> Path("code").mkdir()
    >>> _ = Path("code/levels.py").write_text("import sqlite3")
    >>> plan = make_plan("code")
    >>> status("code").steps[0]
    ('backup', 'to do')
    """
    plan = _last_begun(root, plan_id)
    history = history_of(plan)
    steps = tuple((step.id, _state(plan, step, history)) for step in plan.steps())
    waits = history.waits if history.phase == "waiting" else []
    facts = history.done.values() if history.phase != "rolled back" else ()
    notes = tuple(note for found in facts for note in found.get("notes", ()))
    return Status(plan.id, history.phase, steps, waits, history.kept, notes)


def _state(plan: Plan, step: Step, history: History) -> str:
    if history.phase in ("rolling back", "rolled back"):
        return "taken back" if step.id in history.undone else "to take back" if step.id in history.begun else "to do"
    if step.id not in history.done:
        return "begun" if step.id in history.begun else "to do"
    return "edited since" if step.is_edited(plan.root) else "done"


def verify(root: PathLike, plan_id: str | None = None, *, guard: GuardCheck | None = None) -> Verification:
    """Prove again, from what lies on the disk, backup, exports, rows and what the guard finds.

    Raises
    ------
    NotFound
        There is no plan.

    Examples
    --------
    >>> from pathlib import Path
    >>> from toriwork.migrate import apply_plan, make_plan, verify
    >>> Path("code").mkdir()
    >>> _ = Path("code/levels.py").write_text("import sqlite3")
    >>> plan = make_plan("code")
    >>> outcome = apply_plan("code", trial=None)
    >>> verify("code").failed
    {}
    """
    plan = _last_begun(root, plan_id)
    history = history_of(plan)
    run = run_of(plan, history.done, no_progress, guard)
    found = Verification(plan.id)
    for step in plan.steps() if history.phase != "rolled back" else []:
        if step.id in history.done:
            try:
                found.proven[step.id] = step.verify(run)
            except ToriworkError as error:
                found.failed[step.id] = str(error)
    return found


def prune(root: PathLike, plan_id: str | None = None, *, yes: bool = False) -> tuple[int, bool]:
    """Return the bytes that the backup takes, and True when it was deleted: only with ``yes``, and only when proven.

    Raises
    ------
    MigrationError, NotProven
        The migration is under way; what was retired is not proven to be elsewhere.

    Examples
    --------
    >>> from pathlib import Path
    >>> from toriwork.migrate import apply_plan, make_plan, prune
    >>> Path("code").mkdir()
    >>> _ = Path("code/levels.py").write_text("import sqlite3")
    >>> plan = make_plan("code")
    >>> outcome = apply_plan("code", trial=None)
    >>> prune("code", yes=True)[1]
    True
    """
    return taking_back.prune(_last_begun(root, plan_id), yes=yes)


def explain(root: PathLike, item: str, plan_id: str | None = None) -> list[dict[str, Any]]:
    """Return everything that a plan and its journal say of a file, a database or a step.

    Raises
    ------
    NotFound
        The plan says nothing of it.
    """
    plan = current_plan(root, plan_id)
    told = [entry for name in ("files", "databases", "manual", "data", "retire") for entry in plan.content[name]]
    found = [one for one in told if item in (one.get("path"), one.get("id"), *one.get("paths", []))]
    found += [line for line in Journal(plan.folder / JOURNAL).lines if line.get("step") in (item, f"file:{item}")]
    if not found:
        raise NotFound(f"{item}: plan {plan.id} says nothing of it; expected the path of a file or the id of a step")
    return found
