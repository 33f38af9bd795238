"""``toriwork migrate PATH [--dry-run]``, or step by step: ``plan``, ``apply``, ``status``, ``verify``, ``rollback``...

The dry run is the plan that apply runs: one code path. Exit codes: 0 done or nothing to do, 1 changes are pending
(``--check``), 2 usage, 3 something changed or is in use, 4 not proven (nothing was removed), 5 incomplete: apply again,
6 something is left to a person, 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toriwork.errors import (
    BadInput,
    DamagedFile,
    Drift,
    LockUnavailable,
    MissingExtra,
    NotFound,
    NotProven,
    SourceInUse,
    ToriworkError,
)

if TYPE_CHECKING:
    from toriwork.migrate import Outcome, Plan

NAME = "migrate"
SUMMARY = "a code base off its database: plan, apply, status, verify, rollback, prune, explain"

_IN_CODE = "TWG1"  #: findings about code; files that are databases are the plan's own business
PENDING, USAGE, CONFLICT, UNPROVEN, INCOMPLETE, BY_HAND, INTERRUPTED = 1, 2, 3, 4, 5, 6, 130
#: the first that fits; what is not here left the migration incomplete, and apply goes on
_CODES: tuple[tuple[tuple[type[BaseException], ...], int], ...] = (
    ((Drift, SourceInUse, LockUnavailable), CONFLICT),
    ((NotProven, DamagedFile), UNPROVEN),
    ((BadInput, NotFound, MissingExtra), USAGE),
    ((ToriworkError, OSError), INCOMPLETE),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The action, the place, and the switches."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = __doc__
    parser.add_argument(
        "words", nargs="*", metavar="ACTION PATH", help=f"{', '.join(ACTIONS)}, or a path alone: plan, show, apply"
    )
    parser.add_argument("--dry-run", action="store_true", help="show what would be done, and stop")
    parser.add_argument("--check", action="store_true", help="exit with 1 when there is anything to do")
    parser.add_argument("--state-root", type=Path, metavar="DIR", help="where the data goes (else TORI_STATE_ROOT)")
    parser.add_argument("--plan", metavar="ID", help="another plan than the last one; its beginning will do")
    parser.add_argument("--replan", action="store_true", help="plan again where files changed since the plan was made")
    parser.add_argument(
        "--retire", action="append", default=[], metavar="NAME", help="a database that goes although some file names it"
    )
    parser.add_argument(
        "--tests", action="store_true", help="wait for the code base's own tests however long they take"
    )
    parser.add_argument("--no-trial", action="store_true", help="do not try the new code on a copy first")
    parser.add_argument("--no-diff", action="store_true", help="name the files, without their changes")
    parser.add_argument("--yes", action="store_true", help="prune: delete the backup for good")


def run(options: argparse.Namespace) -> int:
    """The exit code, as above."""
    talk = Talk(as_json=options.json)
    try:
        action, root, item = _meant(options.words)
        code = ACTIONS[action](root, options, talk) if action != "explain" else _explain(root, item, options, talk)
    except KeyboardInterrupt:
        talk.say("interrupted", "interrupted; what was done is in the journal: apply goes on, rollback takes it back")
        code = INTERRUPTED
    except BrokenPipeError:  # nobody reads any more
        code = INCOMPLETE
    except (ToriworkError, OSError) as error:
        code = next(code for kinds, code in _CODES if isinstance(error, kinds))
        talk.fail(error)
    talk.finish(code)
    return code


def _meant(words: list[str]) -> tuple[str, Path, str]:
    """Action, code base and, for ``explain``, what to explain."""
    action, rest = (words[0], words[1:]) if words and words[0] in ACTIONS else ("go", words)
    item = ""
    if action == "explain":
        if not rest:
            raise BadInput("explain: expected the path of a file, or the id of a step")
        item, rest = rest[0], rest[1:]
    if len(rest) > 1:
        raise BadInput(f"{' '.join(words)}: expected one path; actions are {', '.join(ACTIONS)}")
    if action == "go" and not rest:
        raise BadInput(f"expected the path of a code base, or one of {', '.join(ACTIONS)}")
    return action, Path(rest[0] if rest else "."), item


class Talk:
    """The output: lines for a person, or one JSON event per line and a summary for a program."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json
        self.summary: dict[str, Any] = {}

    def say(self, event: str, text: str, /, **facts: Any) -> None:
        """One event; ``text`` is what a person reads, and nothing is read where it is empty."""
        if self.as_json:
            print(json.dumps({"event": event} | facts, sort_keys=True), flush=True)
        elif text:
            print(text, flush=True)

    def progress(self, event: str, **facts: Any) -> None:
        """The progress of apply and rollback."""
        self.say(event, _words(event, facts), **facts)

    def fail(self, error: BaseException) -> None:
        """The reason why it stopped."""
        kind = error.kind if isinstance(error, ToriworkError) else "system"
        if self.as_json:
            self.say("error", "", error=kind, message=str(error))
        else:
            print(f"toriwork: {error}", file=sys.stderr)

    def finish(self, code: int) -> None:
        """The last line of a program's events."""
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


def _plan(root: Path, options: argparse.Namespace, talk: Talk) -> int:
    """Make a plan and show it; ``--check`` tells by the exit code whether there is anything to do."""
    plan = _made(root, options)
    _show(plan, options, talk)
    return PENDING if options.check and not plan.empty else 0


def _made(root: Path, options: argparse.Namespace, stopped: Mapping[tuple[str, str], str] | None = None) -> Plan:
    from toriwork.migrate import make_plan

    return make_plan(root, state_root=options.state_root, retire=options.retire, stopped=stopped)


def _show(plan: Plan, options: argparse.Namespace, talk: Talk) -> None:
    from toriwork.migrate.engine.show import plan_lines

    talk.summary |= {"plan": plan.id, "plan_sha256": plan.sha256, "manual": len(plan.manual), "empty": plan.empty}
    if not talk.as_json:
        for line in plan_lines(plan, diffs=not options.no_diff):
            print(line.encode(errors="backslashreplace").decode())
        return
    for kind, name in (("file", "files"), ("database", "databases"), ("manual", "manual")):
        for found in plan.content[name]:
            talk.say(kind, "", **found)


def _apply(root: Path, options: argparse.Namespace, talk: Talk) -> int:
    """Run a plan that was made, or go on with it; ``--dry-run`` shows it, ``--replan`` makes a new one on drift."""
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


def _go(root: Path, options: argparse.Namespace, talk: Talk) -> int:
    """Plan, show, apply; or go on with what was begun."""
    from toriwork.migrate import under_way

    plan = under_way(root)
    begun = plan is not None
    if plan is None:
        plan = _made(root, options)
        _show(plan, options, talk)
    if options.dry_run or options.check:
        talk.say("dry_run", "nothing was changed" if not begun else f"plan {plan.id} is under way; nothing was changed")
        return PENDING if options.check and not plan.empty else 0
    if plan.empty:
        return BY_HAND if plan.manual else 0
    return _tried(root, plan, options, talk)


def _tried(root: Path, plan: Plan, options: argparse.Namespace, talk: Talk) -> int:
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


def _applied(root: Path, plan: Plan, options: argparse.Namespace, talk: Talk) -> Outcome:
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


def _status(root: Path, options: argparse.Namespace, talk: Talk) -> int:
    """The state of each step; ``--check``: 1 while something is left to do."""
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
    return PENDING if options.check and found.phase not in ("finished", "rolled back") else 0


def _verify(root: Path, options: argparse.Namespace, talk: Talk) -> int:
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
    return UNPROVEN if found.failed else 0


def _rollback(root: Path, options: argparse.Namespace, talk: Talk) -> int:
    """Take it back; 3 when something was kept that somebody has changed since."""
    from toriwork.migrate import rollback

    outcome = rollback(root, options.plan, progress=talk.progress)
    talk.summary |= {"plan": outcome.plan_id, "phase": outcome.phase, "kept": outcome.kept}
    _say_notes(outcome.notes, talk)
    for path in outcome.kept:
        text = f"kept    {path}: changed since; the original is beside it as NAME.toriwork-orig (git merge-file merges)"
        talk.say("kept", text, path=path)
    if outcome.kept:
        return CONFLICT
    talk.say("rolled_back", "everything is as it was" if outcome.phase == "rolled back" else "nothing was begun")
    return 0


def _prune(root: Path, options: argparse.Namespace, talk: Talk) -> int:
    """Delete the backup, with ``--yes``; without it, tell what that would free."""
    from toriwork.migrate import prune

    size, gone = prune(root, options.plan, yes=options.yes)
    text = f"{size:,} bytes were deleted; there is no way back now" if gone else f"{size:,} bytes; --yes deletes them"
    talk.summary |= {"bytes": size, "deleted": gone}
    talk.say("prune", text, bytes=size, deleted=gone)
    return 0


def _explain(root: Path, item: str, options: argparse.Namespace, talk: Talk) -> int:
    """Everything that is known of one file or step: why, what changes, how far it is."""
    from toriwork.migrate import explain

    found = explain(root, item, options.plan)
    for entry in found:
        text = "\n".join(f"{key}: {value}" for key, value in entry.items() if key != "diff") + (
            "\n" + entry["diff"] if "diff" in entry else ""
        )
        talk.say("explain", text, **entry)
    return 0


ACTIONS: dict[str, Callable[[Path, argparse.Namespace, Talk], int]] = {
    "plan": _plan,
    "apply": _apply,
    "status": _status,
    "verify": _verify,
    "rollback": _rollback,
    "prune": _prune,
    "explain": lambda root, options, talk: _explain(root, "", options, talk),
    "go": _go,
}
