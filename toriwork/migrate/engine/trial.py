"""The new code on trial: in a copy of the code base, before a byte of the real one changes.

Two copies are made, one as it is and one as it will be. In both, every module that the plan writes is imported in a
process of its own, ruff looks for names that nothing binds, and the project's own tests run where it has some. Every
class that moves is called some hundred times in both, on its real history (``behaviour``). What fails or answers
otherwise in the second and did not in the first is new, and the plan is not applied.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from toriwork.codebase import CodebaseIndex
from toriwork.errors import NotProven
from toriwork.migrate.engine import trial_child
from toriwork.migrate.engine.behaviour import Differs, drive
from toriwork.migrate.engine.copies import make_copies, module_name, run_python, share
from toriwork.migrate.engine.plan import Plan
from toriwork.migrate.engine.restore_script import ABSENT

_SECONDS = 120.0
_SECONDS_OF_TESTS = 300.0
_NO_END = "the tests, which did not end in time,"
_TEST = re.compile(r"(^|/)(test_[^/]*|[^/]*_test)\.py$")
_SETTINGS_OF_TESTS = ("pytest.ini", ".pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", "conftest.py")
_MAY_DIFFER = ("spectral_db", "betti_cells")  #: recipes that put other code in the place of a computation
_BROKEN = ("F821", "F822", "F823", "F7", "E9", "invalid-syntax")  #: ruff's codes of code that cannot run


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of the trial of a plan."""

    n_modules: int
    tools: tuple[str, ...]  #: ``import``, ``ruff``, ``behaviour``, ``pytest``
    notes: tuple[str, ...] = ()  #: what is new and does not keep anything from running
    n_calls: int = 0  #: of moved classes, whose answers were compared


@dataclass(slots=True)
class _Seen:
    """The findings in one copy."""

    raised: dict[str, str] = field(default_factory=dict)  #: module -> what importing it raised, "" for nothing
    remarks: Counter[tuple[str, str, str]] = field(default_factory=Counter)  #: ruff: path, code, words
    failed: set[str] = field(default_factory=set)  #: tests


def try_plan(plan: Plan, *, tests: bool = False) -> Verdict:
    """Try the code that a plan is going to write; nothing outside of temporary copies is touched.

    Parameters
    ----------
    plan : Plan
    tests : bool
        Wait for the code base's own pytest however long it takes.

    Raises
    ------
    Differs
        A moved class or function answers otherwise than before, or tests fail that did not fail before.
    NotProven
        Something else fails that did not fail before; the message names each module, line or test.
    """
    written = [entry for entry in plan.entries() if entry.after != ABSENT]
    code = [entry.path for entry in written if entry.path.endswith((".py", ".pyw", ".ipynb"))]
    index = plan.index or CodebaseIndex.scan(plan.root)
    own_tests = find_spec("pytest") is not None and any(_TEST.search(path) for path in index.code)
    tools = ("import", *(("ruff",) if find_spec("ruff") else ())) if code else ()
    tools += ("pytest",) if own_tests and (code or plan.content["retire"]) else ()
    if not tools:
        return Verdict(0, ())
    with tempfile.TemporaryDirectory(prefix="toriwork-trial-") as folder:
        first = Path(folder, "looks")
        *roots, no_history = make_copies(plan, index, first)
        n_calls, notes = 0, [f"{no_history}: no class was called"] if no_history else []
        if plan.content["moved"] and not no_history:
            second = shutil.copytree(first, Path(folder, "calls"), symlinks=True, copy_function=share)
            n_calls, notes = drive(plan, *(second / root.relative_to(first) for root in roots))
            tools = ("behaviour", *tools)
        limit = None if tests else _SECONDS_OF_TESTS
        with ThreadPoolExecutor(2) as both:
            before, after = both.map(lambda root: _look(root, code, tools, limit), roots)
    broken, more = _compared(before, after)
    failed = sorted(after.failed - before.failed)
    if not broken and failed and (recipes := _that_may_differ(plan)):
        raise Differs(dict.fromkeys(recipes, f"{failed[0]} fails with it ({len(failed)} tests)"))
    if broken := [*broken, *(f"{name}: fails" for name in failed)]:
        raise NotProven(
            "the code would do less than before; nothing was changed:\n  " + "\n  ".join(broken) + "\nChange the code, "
            "then plan again; or apply with --no-trial"
        )
    return Verdict(len(code), tools, (*notes, *more), n_calls)


def _that_may_differ(plan: Plan) -> list[tuple[str, str]]:
    """Return file and recipe of everything that took the place of somebody's own computation."""
    return [(one["path"], name) for one in plan.content["files"] for name in one["why"] if name in _MAY_DIFFER]


def _look(root: Path, code: list[str], tools: tuple[str, ...], seconds: float | None = None) -> _Seen:
    there = [path for path in code if (root / path).is_file()]
    seen = _Seen(raised=_imported(root, [path for path in there if path.endswith((".py", ".pyw"))]))
    if "ruff" in tools and there:
        seen.remarks = _remarks(root, there)
    if "pytest" in tools:
        seen.failed = _failed_tests(root, seconds)
    return seen


def _compared(before: _Seen, after: _Seen) -> tuple[list[str], list[str]]:
    """Return what keeps code from running that ran before, and what is only new."""
    broken = [
        f"{path}: cannot be imported any more: {why}"
        for path, why in after.raised.items()
        if why and not before.raised.get(path)
    ]
    new = after.remarks - before.remarks
    broken += [f"{path}: {code} {words}" for path, code, words in new if code.startswith(_BROKEN)]
    slow = ["the own tests take too long to be compared; --tests waits for them"] if _NO_END in before.failed else []
    notes = slow + [f"{path}: {code} {words} (ruff)" for path, code, words in new if not code.startswith(_BROKEN)]
    return broken, notes


# ---- tools ---------------------------------------------------------------------------------------------------------


def _imported(root: Path, paths: list[str]) -> dict[str, str]:
    """Module -> what importing it raised. A process that dies takes one module with it, the next goes on behind it."""
    found: dict[str, str] = {}
    pending = list(paths)
    while pending:
        told, ended = _child(root, pending)
        found |= {path: why for path, *ends in told if len(ends) == 2 for why in ends[1:]}
        begun = [path for path, *_ in told]
        died = next((path for path in begun if path not in found), pending[0] if not begun else None)
        if died is not None:
            found[died] = ended
        pending = [path for path in pending if path not in found]
    return found


def _child(root: Path, paths: list[str]) -> tuple[list[Any], str]:
    """Return what the child told, and how it ended."""
    wanted = [[str(root / path), *module_name(root, path)] for path in paths]
    names = {str(root / path): path for path in paths}
    given = json.dumps(wanted).encode()
    code, output = run_python(root, [trial_child.__file__, str(root.parent)], _SECONDS, given=given)
    ended = f"took more than {_SECONDS:.0f} s" if code is None else f"ended the process ({code})"
    lines = [json.loads(line) for line in output.splitlines() if line.endswith(b"]")]
    return [[names[path], *rest] for path, *rest in lines], ended


def _remarks(root: Path, paths: list[str]) -> Counter[tuple[str, str, str]]:
    """Return what ruff's F rules say of each file, places left out: they move."""
    command = ["-m", "ruff", "check", "--select", "F", "--isolated", "--no-cache", "--exit-zero"]
    _, told = run_python(root, [*command, "--output-format", "json", "--", *paths], _SECONDS)
    try:
        remarks = json.loads(told)
    except ValueError:
        return Counter()  # a ruff of another age: it has no word here, and imports were tried
    home = os.path.realpath(root)
    return Counter(
        (os.path.relpath(one["filename"], home), str(one["code"]), one["message"])
        for one in remarks
        if not (one["code"] == "F401" and one["filename"].endswith("__init__.py"))  # it hands them out
    )


def _failed_tests(root: Path, seconds: float | None) -> set[str]:
    """The tests that fail, by their names."""
    command = ["-m", "pytest", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider"]
    if not _names_nbval(root):
        command += ["-p", "no:nbval"]  # it takes longer to import than most tests take to run
    ended, told = run_python(root, command, seconds, with_path=True)
    if ended is None:
        return {_NO_END}
    lines = (line.split(" ", 2) for line in told.decode("utf-8", "replace").splitlines())
    failed = {words[1] for words in lines if words[0] in ("FAILED", "ERROR") and len(words) > 1}
    return failed if failed or ended in (0, 1, 5) else {f"pytest ended with {ended}"}


def _names_nbval(root: Path) -> bool:
    """Tell if notebooks may be among the own tests: only nbval's options make them so."""
    files = [root / name for name in _SETTINGS_OF_TESTS if (root / name).is_file()]
    texts = [os.environ.get("PYTEST_ADDOPTS", ""), *(file.read_text("utf-8", "replace") for file in files)]
    return any("nbval" in text for text in texts)
