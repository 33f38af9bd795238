"""The new code on trial: in a copy of the code base, before a byte of the real one changes.

Two copies are made, one as it is and one as it will be. In both, every module that the plan writes is imported in a
process of its own, and ruff looks for names that nothing binds; the project's own tests run where that is asked for.
What fails in the second and did not fail in the first is new, and the plan is not applied.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path, PurePosixPath
from typing import Any

from toriwork.codebase import CodebaseIndex
from toriwork.codebase.index import CODE_SUFFIXES
from toriwork.errors import NotProven
from toriwork.migrate.engine import trial_child
from toriwork.migrate.engine.plan import Plan
from toriwork.migrate.engine.restore_script import ABSENT

_SECONDS = 120.0
_SECONDS_OF_TESTS = 1800.0
_LARGEST = 2**24  #: a file of more bytes is data that no import needs
_ALL_DATA = 2**28  #: bytes of files that are no code, together; beyond that they are left out
_BROKEN = ("F821", "F822", "F823", "F7", "E9", "invalid-syntax")  #: ruff's codes of code that cannot run


@dataclass(frozen=True, slots=True)
class Verdict:
    """The result of the trial of a plan."""

    n_modules: int
    tools: tuple[str, ...]  #: ``import``, ``ruff``, ``pytest``
    notes: tuple[str, ...] = ()  #: what is new and does not keep anything from running


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
        Run the code base's own pytest in both copies too.

    Raises
    ------
    NotProven
        Something fails that did not fail before; the message names each module, line or test.
    """
    written = [entry for entry in plan.entries() if entry.after != ABSENT]
    code = [entry.path for entry in written if entry.path.endswith((".py", ".pyw", ".ipynb"))]
    tools = ("import", *(("ruff",) if find_spec("ruff") else ()), *(("pytest",) if tests else ()))
    if not code:
        return Verdict(0, ())
    with tempfile.TemporaryDirectory(prefix="toriwork-trial-") as folder:
        seen, index = [], plan.index or CodebaseIndex.scan(plan.root)
        for name in ("before", "after"):
            root = Path(folder, name, plan.root.name or "root")
            _copy(index, root)
            if name == "after":
                _change(plan, root)
            seen.append(_look(root, code, tools))
    broken, notes = _compared(*seen)
    if broken:
        raise NotProven(
            "the code would do less than before; nothing was changed:\n  " + "\n  ".join(broken) + "\nChange the code, "
            "then plan again; or apply with --no-trial"
        )
    return Verdict(len(code), tools, tuple(notes))


def _copy(index: CodebaseIndex, target: Path) -> None:
    """Copy the files of a code base; no links, nothing large."""
    left = _ALL_DATA
    target.mkdir(parents=True)
    for name in index.files:
        path, place = index.root / name, target / name
        size = 0 if name.endswith(CODE_SUFFIXES) else path.stat().st_size
        if size <= min(_LARGEST, left):
            left -= size
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, place)


def _change(plan: Plan, root: Path) -> None:
    """A copy as the plan leaves it."""
    for entry in plan.entries():
        place = root / entry.path
        if entry.after == ABSENT:
            place.unlink(missing_ok=True)
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(plan.blobs.read(entry.after.rpartition(" ")[2]))


def _look(root: Path, code: list[str], tools: tuple[str, ...]) -> _Seen:
    there = [path for path in code if (root / path).is_file()]
    seen = _Seen(raised=_imported(root, [path for path in there if path.endswith((".py", ".pyw"))]))
    if "ruff" in tools and there:
        seen.remarks = _remarks(root, there)
    if "pytest" in tools:
        seen.failed = _failed_tests(root)
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
    broken += [f"{name}: fails" for name in sorted(after.failed - before.failed)]
    notes = [f"{path}: {code} {words} (ruff)" for path, code, words in new if not code.startswith(_BROKEN)]
    return broken, notes


# ---- tools ---------------------------------------------------------------------------------------------------------


def _environment(root: Path) -> dict[str, str]:
    """The environment of somebody who works in a copy and has nothing else."""
    home = root.parent / "home"
    home.mkdir(exist_ok=True)
    own = {"HOME": str(home), "USERPROFILE": str(home), "TMPDIR": str(home), "TEMP": str(home)}
    state = {"TORI_STATE_ROOT": str(root.parent / "state"), "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "Agg"}
    return os.environ | own | state


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
    wanted = [[str(root / path), *_name(root, path)] for path in paths]
    names = {str(root / path): path for path in paths}
    command = [sys.executable, trial_child.__file__, str(root.parent)]
    try:
        done = subprocess.run(
            command, input=json.dumps(wanted).encode(), cwd=root, env=_environment(root), capture_output=True,
            timeout=_SECONDS, check=False,
        )  # fmt: skip
        output, ended = done.stdout, f"ended the process ({done.returncode})"
    except subprocess.TimeoutExpired as error:
        output, ended = error.stdout or b"", f"took more than {_SECONDS:.0f} s"
    lines = [json.loads(line) for line in output.splitlines() if line.endswith(b"]")]
    return [[names[path], *rest] for path, *rest in lines], ended


def _name(root: Path, path: str) -> tuple[str, list[str]]:
    """The dotted name of a module, "" where it has none, and the folders that have to be on the path."""
    place = PurePosixPath(path)
    parts, folder = [] if place.stem == "__init__" else [place.stem], root / place.parent
    while (folder / "__init__.py").is_file() and folder != root:
        parts.insert(0, folder.name)
        folder = folder.parent
    usual = [folder, root, *(root / name for name in ("src", "lib") if (root / name).is_dir())]
    named = parts and all(part.isidentifier() for part in parts) and place.suffix == ".py"
    return ".".join(parts) if named else "", [str(one) for one in usual]


def _remarks(root: Path, paths: list[str]) -> Counter[tuple[str, str, str]]:
    """Return what ruff's F rules say of each file, places left out: they move."""
    command = [sys.executable, "-m", "ruff", "check", "--select", "F", "--isolated", "--no-cache", "--exit-zero"]
    done = subprocess.run(
        [*command, "--output-format", "json", "--", *paths], cwd=root, env=_environment(root), capture_output=True,
        timeout=_SECONDS, check=False,
    )  # fmt: skip
    try:
        remarks = json.loads(done.stdout)
    except ValueError:
        return Counter()  # a ruff of another age: it has no word here, and imports were tried
    home = os.path.realpath(root)
    return Counter(
        (os.path.relpath(one["filename"], home), str(one["code"]), one["message"])
        for one in remarks
        if not (one["code"] == "F401" and one["filename"].endswith("__init__.py"))  # it hands them out
    )


def _failed_tests(root: Path) -> set[str]:
    """The tests that fail, by their names."""
    command = [sys.executable, "-m", "pytest", "-q", "--tb=no", "-rfE", "-p", "no:cacheprovider"]
    done = subprocess.run(
        command, cwd=root, env=_environment(root) | {"PYTHONPATH": _path(root)}, capture_output=True, text=True,
        timeout=_SECONDS_OF_TESTS, check=False,
    )  # fmt: skip
    lines = (line.split(" ", 2) for line in done.stdout.splitlines())
    failed = {words[1] for words in lines if words[0] in ("FAILED", "ERROR") and len(words) > 1}
    return failed if failed or done.returncode in (0, 1, 5) else {f"pytest ended with {done.returncode}"}


def _path(root: Path) -> str:
    folders = [str(root), *(str(root / name) for name in ("src", "lib") if (root / name).is_dir())]
    return os.pathsep.join([*folders, *filter(None, [os.environ.get("PYTHONPATH")])])
