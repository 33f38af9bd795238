"""``toriwork migrate PATH``, or step by step: ``plan``, ``apply``, ``status``, ``verify``, ``rollback``...

The dry run is the plan that apply runs: one code path. Exit codes: 0 done or nothing to do, 1 something was found
(``--check``: changes are pending; ``verify``: not proven; ``rollback``: files that were changed since), 2 could not do
it, 6 done, and something is left to a person, 130 interrupted.
"""

from __future__ import annotations

import json
import os
import select
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import click

from toriwork.cli.actions import COMMANDS, PATH, PROGRESS, Actions
from toriwork.cli.terminal import say
from toriwork.errors import Drift, ToriworkError
from toriwork.progress import progress_bar

if TYPE_CHECKING:
    from toriwork.migrate import Outcome, Plan

Run = Callable[[Path, SimpleNamespace, "Talk"], int]

_IN_CODE = "TWG1"  #: findings about code; files that are databases are the plan's own business
FOUND, FAILED, BY_HAND, INTERRUPTED = 1, 2, 6, 130

ACTIONS = Actions(
    "migrate",
    otherwise="go",
    help="Take a code base off its database; PATH alone: plan, show, ask, apply.",
    epilog="`toriwork migrate go --help` has the switches of PATH alone. Exit codes: 0 done or nothing to do, 1 "
    "something was found (--check: changes are pending), 2 could not do it, 6 done and something is left to a person.",
)
COMMANDS.add_command(ACTIONS)

_SWITCHES = {
    "dry_run": partial(click.option, "--dry-run", is_flag=True, help="Show what would be done, and stop."),
    "check": partial(click.option, "--check", is_flag=True, help="Exit code 1 when there is anything to do."),
    "state_root": partial(
        click.option, "--state-root", type=PATH, metavar="DIR", help="Where the data goes; default: TORI_STATE_ROOT."
    ),
    "plan": partial(
        click.option, "--plan", metavar="ID", help="Another plan than the last one; its beginning will do."
    ),
    "replan": partial(
        click.option, "--replan", is_flag=True, help="Plan again where files changed since the plan was made."
    ),
    "retire": partial(
        click.option,
        "--retire",
        multiple=True,
        metavar="NAME",
        help="A database that goes although some file names it.",
    ),
    "tests": partial(
        click.option, "--tests", is_flag=True, help="Wait for the code base's own tests however long they take."
    ),
    "no_trial": partial(click.option, "--no-trial", is_flag=True, help="Do not try the new code on a copy first."),
    "no_diff": partial(click.option, "--no-diff", is_flag=True, help="Name the files, without their changes."),
    "yes": partial(click.option, "--yes", is_flag=True, help="Do not ask."),
}


def _action(name: str, switches: str, example: str = "PATH") -> Callable[[Run], Run]:
    """Make a function an action; the switches of others are taken too, and without effect."""

    def made(function: Run) -> Run:
        def called(path: Path, as_json: bool, **options: Any) -> int:
            return _ran(function, path, SimpleNamespace(**options), Talk(as_json=as_json))

        called.__doc__ = function.__doc__
        for switch, option in reversed(_SWITCHES.items()):
            called = option(hidden=switch not in switches.split())(called)
        here: dict[str, Any] = {} if name == "go" else {"default": ".", "required": False}
        called = click.argument("path", type=PATH, **here)(called)
        if name == "explain":
            called = click.argument("item")(called)
        ACTIONS.action(name, f"toriwork migrate {example}")(PROGRESS(called))
        return function

    return made


def _ran(function: Run, root: Path, options: SimpleNamespace, talk: Talk) -> int:
    try:
        code = function(root, options, talk)
    except KeyboardInterrupt:
        talk.say("interrupted", "interrupted; what was done is in the journal: apply goes on, rollback takes it back")
        code = INTERRUPTED
    except BrokenPipeError:  # nobody reads any more
        code = FAILED
    except (ToriworkError, OSError) as error:
        code = FAILED
        talk.fail(error)
    talk.finish(code)
    return code


class Talk:
    """The output: lines for a person, or one JSON event per line and a summary for a program."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.summary: dict[str, Any] = {}
        self._bars = ExitStack()  #: one or none
        self._table: tuple[str, str] | None = None  #: path and name of that whose rows the bar counts

    def say(self, event: str, text: str, /, **facts: Any) -> None:
        """One event; ``text`` is what a person reads, and nothing is read where it is empty."""
        if self.as_json:
            print(json.dumps({"event": event} | facts, sort_keys=True), flush=True)
        elif text:
            print(text, flush=True)

    def progress(self, event: str, **facts: Any) -> None:
        """The progress of apply and rollback: a line a step, and a bar for a table that takes long."""
        if event == "export":
            self._count(**facts)
        else:
            self._end_bar()
        self.say(event, _words(event, facts), **facts)

    def _count(self, path: str, table: str, rows: int, of: int) -> None:
        if self._table != (path, table):
            self._end_bar()
            bar = progress_bar(f"{path}, {table}", of, unit=" rows", progress=not self.as_json)
            self._table, self._rows, self._tell = (path, table), 0, self._bars.enter_context(bar)
        self._tell(rows - self._rows)
        self._rows = rows

    def _end_bar(self) -> None:
        self._bars.close()
        self._table = None

    def fail(self, error: BaseException) -> None:
        """The reason why it stopped."""
        self._end_bar()
        kind = error.kind if isinstance(error, ToriworkError) else "system"
        if self.as_json:
            self.say("error", "", error=kind, message=str(error))
        else:
            say(f"toriwork: {error}", error=True, colour="red")

    def finish(self, code: int) -> None:
        """The last line of a program's events."""
        self._end_bar()
        if self.as_json:
            self.say("summary", "", exit=code, **self.summary)


def _words(event: str, facts: dict[str, Any]) -> str:
    if event == "step":
        return f"[{facts['number']}/{facts['steps']}] {facts['step']}"
    if event == "resume":
        return f"going on with plan {facts['plan']}: {facts['done']} of {facts['steps']} steps are done"
    if event == "trial" and facts["tools"]:
        new = "".join(f"\nnote: {note}" for note in facts["notes"])
        calls = f", {facts['calls']} calls are answered as before" if facts["calls"] else ""
        return f"tried on a copy ({', '.join(facts['tools'])}): nothing fails that did not fail before{calls}{new}"
    if event in ("undo", "verify"):
        return f"{event} {facts['step']}"
    return ""


@_action("plan", "check state_root retire no_diff", "plan PATH --no-diff")
def _plan(root: Path, options: SimpleNamespace, talk: Talk) -> int:
    """Make a plan and show it."""
    plan = _made(root, options)
    _show(plan, options, talk)
    return FOUND if options.check and not plan.empty else 0


def _made(root: Path, options: SimpleNamespace, stopped: Mapping[tuple[str, str], str] | None = None) -> Plan:
    from toriwork.migrate import make_plan

    return make_plan(root, state_root=options.state_root, retire=options.retire, stopped=stopped)


def _show(plan: Plan, options: SimpleNamespace, talk: Talk) -> None:
    from toriwork.migrate.engine.show import plan_lines

    talk.summary |= {"plan": plan.id, "plan_sha256": plan.sha256, "manual": len(plan.manual), "empty": plan.empty}
    if not talk.as_json:
        for line in plan_lines(plan, diffs=not options.no_diff):
            print(line.encode(errors="backslashreplace").decode())
        return
    for kind, name in (("file", "files"), ("database", "databases"), ("manual", "manual")):
        for found in plan.content[name]:
            talk.say(kind, "", **found)


@_action("apply", "dry_run plan replan state_root retire tests no_trial no_diff", "apply PATH --replan")
def _apply(root: Path, options: SimpleNamespace, talk: Talk) -> int:
    """Run the plan that was made, or go on with it."""
    from toriwork.migrate import current_plan

    plan = current_plan(root, options.plan)
    if options.dry_run:
        _show(plan, options, talk)
        return 0
    try:
        return _told(plan, _applied(root, plan, options, talk), talk)
    except Drift as error:
        if not options.replan:
            raise
        talk.say("drift", f"{error}\nplanned again:", message=str(error))
    plan = _made(root, options)
    _show(plan, options, talk)
    if plan.empty:
        return BY_HAND if plan.manual else 0
    return _told(plan, _applied(root, plan, options, talk), talk)


@_action("go", "dry_run check state_root retire tests no_trial no_diff yes", "PATH --dry-run")
def _go(root: Path, options: SimpleNamespace, talk: Talk) -> int:
    """Plan, show, ask, apply; or go on with what was begun."""
    from toriwork.migrate import under_way

    plan = under_way(root)
    begun = plan is not None
    if plan is None:
        plan = _made(root, options)
        _show(plan, options, talk)
    if options.dry_run or options.check:
        talk.say("dry_run", "nothing was changed" if not begun else f"plan {plan.id} is under way; nothing was changed")
        return FOUND if options.check and not plan.empty else 0
    if plan.empty:
        return BY_HAND if plan.manual else 0
    if not (begun or options.yes or _agreed()):
        talk.say("declined", "nothing was changed")
        return FOUND
    return _tried(root, plan, options, talk)


def _agreed() -> bool:
    """The answer of whoever can be asked: a terminal, or a pipe with a line in it; nobody there agrees (131)."""
    if sys.stdin is None or sys.stdin.closed:
        return True
    if sys.stdin.isatty():
        return click.confirm("apply this plan?", err=True)
    try:
        said = sys.stdin.readline() if select.select([sys.stdin], [], [], 0)[0] else ""
    except (OSError, ValueError):  # no descriptor to look at
        return True
    return not said or said.strip().lower() in ("y", "yes")


def _tried(root: Path, plan: Plan, options: SimpleNamespace, talk: Talk) -> int:
    """Run a plan; where its trial shows that moved code answers otherwise, one that leaves that code as it is."""
    from toriwork.migrate.engine.behaviour import Differs

    stopped: dict[tuple[str, str], str] = {}
    while True:
        try:
            return _told(plan, _applied(root, plan, options, talk), talk)
        except Differs as error:
            if (
                error.stopped.keys() <= stopped.keys()
            ):  # the plan left it as it is, and it answers otherwise all the same
                raise
            talk.say("differs", f"{error}\nplanned again, without those:", message=str(error))
            stopped |= error.stopped
        plan = _made(root, options, stopped)
        _show(plan, options, talk)
        if plan.empty:
            return BY_HAND if plan.manual else 0


def _applied(root: Path, plan: Plan, options: SimpleNamespace, talk: Talk) -> Outcome:
    """The outcome of a plan, with the guard at hand, and its code on trial first."""
    from toriwork.migrate import apply_plan
    from toriwork.migrate.engine.trial import try_plan

    trial = None if options.no_trial else partial(try_plan, tests=options.tests)
    return apply_plan(root, plan.id, guard=_guard(), trial=trial, progress=talk.progress)


def _told(plan: Plan, outcome: Outcome, talk: Talk) -> int:
    """Say how apply ended."""
    talk.summary |= {"plan": plan.id, "phase": outcome.phase, "waits": outcome.waits, "notes": outcome.notes}
    _say_notes(outcome.notes, talk)
    if outcome.phase == "waiting":
        for reason in outcome.waits:
            talk.say("waits", f"by hand {reason}", text=reason)
        talk.say("waiting", "databases stay until nothing names them any more; then apply once more")
        return BY_HAND
    kept = plan.backup.relative_to(plan.root).as_posix()
    talk.say("finished", f"finished; what was changed is kept in {kept}/ (`toriwork migrate rollback` brings it back)")
    return BY_HAND if plan.manual else 0


def _say_notes(notes: Iterable[str], talk: Talk) -> None:
    for note in notes:
        talk.say("note", f"note: {note}", text=note)


def _guard() -> Callable[[Path], Iterator[tuple[str, int, str]]] | None:
    """The guard as the migration asks it: what code still uses a database. None where this toriwork has no guard."""
    if find_spec("toriwork.guard") is None:
        return None
    from toriwork.codebase import CodebaseIndex
    from toriwork.guard import examine
    from toriwork.guard.settings import read_settings

    def look(root: Path) -> Iterator[tuple[str, int, str]]:
        # files by name: of a folder the guard would look at what git has staged, which is the code as it was
        files = [str(root / name) for name in CodebaseIndex.scan(root).files]
        for found in examine(files, settings=read_settings(root)).findings:
            if found.code.startswith(_IN_CODE):
                yield os.path.relpath(found.path, root), found.line, f"{found.message} ({found.code})"

    return look


@_action("status", "check plan", "status PATH --check")
def _status(root: Path, options: SimpleNamespace, talk: Talk) -> int:
    """Show the state of each step."""
    from toriwork.migrate import status

    found = status(root, options.plan)
    talk.summary |= {"plan": found.plan_id, "phase": found.phase, "waits": found.waits, "kept": found.kept}
    talk.say("status", f"plan {found.plan_id}: {found.phase}", plan=found.plan_id, phase=found.phase)
    for step, state in found.steps:
        talk.say("step", f"  {state:12} {step}", step=step, state=state)
    _say_notes(found.notes, talk)
    for reason in found.waits:
        talk.say("waits", f"by hand {reason}", text=reason)
    for path in found.kept:
        talk.say("kept", f"kept    {path}: the original is beside it", path=path)
    return FOUND if options.check and found.phase not in ("finished", "rolled back") else 0


@_action("verify", "plan", "verify PATH")
def _verify(root: Path, options: SimpleNamespace, talk: Talk) -> int:
    """Prove again what was done."""
    from toriwork.migrate import verify

    found = verify(root, options.plan, guard=_guard())
    talk.summary |= {"plan": found.plan_id, "failed": len(found.failed)}
    for step, facts in found.proven.items():
        about = f" ({facts['state']})" if "state" in facts else ""
        talk.say("proven", f"proven  {step}{about}", step=step, facts=facts)
        _say_notes(facts.get("notes", ()), talk)
    for step, why in found.failed.items():
        talk.say("failed", f"FAILED  {step}: {why}", step=step, why=why)
    return FOUND if found.failed else 0


@_action("rollback", "plan", "rollback PATH")
def _rollback(root: Path, options: SimpleNamespace, talk: Talk) -> int:
    """Take it back.

    Exit code 1: something was kept that somebody has changed since.
    """
    from toriwork.migrate import rollback

    outcome = rollback(root, options.plan, progress=talk.progress)
    talk.summary |= {"plan": outcome.plan_id, "phase": outcome.phase, "kept": outcome.kept}
    _say_notes(outcome.notes, talk)
    for path in outcome.kept:
        text = f"kept    {path}: changed since; the original is beside it as NAME.toriwork-orig (git merge-file merges)"
        talk.say("kept", text, path=path)
    if outcome.kept:
        return FOUND
    talk.say("rolled_back", "everything is as it was" if outcome.phase == "rolled back" else "nothing was begun")
    return 0


@_action("prune", "plan yes", "prune PATH --yes")
def _prune(root: Path, options: SimpleNamespace, talk: Talk) -> int:
    """Delete the backup for good, with --yes."""
    from toriwork.migrate import prune

    size, gone = prune(root, options.plan, yes=options.yes)
    text = f"{size:,} bytes were deleted; there is no way back now" if gone else f"{size:,} bytes; --yes deletes them"
    talk.summary |= {"bytes": size, "deleted": gone}
    talk.say("prune", text, bytes=size, deleted=gone)
    return 0


@_action("explain", "plan", "explain pkg/store.py PATH")
def _explain(root: Path, options: SimpleNamespace, talk: Talk) -> int:
    """Say why a file or a step is in the plan, and how far it is."""
    from toriwork.migrate import explain

    found = explain(root, options.item, options.plan)
    for entry in found:
        text = "\n".join(f"{key}: {value}" for key, value in entry.items() if key != "diff") + (
            "\n" + entry["diff"] if "diff" in entry else ""
        )
        talk.say("explain", text, **entry)
    return 0
