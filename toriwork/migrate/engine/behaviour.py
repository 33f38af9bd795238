"""Moved classes called side by side: the old one on a copy of its databases, the new one on what the plan imports."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import Any

from toriwork.codebase.index import CodebaseIndex
from toriwork.errors import NotProven
from toriwork.migrate.data.moves import Export, Import, KeepRegistry, MakeState
from toriwork.migrate.engine import trial_child
from toriwork.migrate.engine.copies import change, copy_tree, module_name, run_python
from toriwork.migrate.engine.plan import Plan
from toriwork.migrate.engine.step import Run
from toriwork.migrate.recipes.detect import Function, classes, methods

_SECONDS = 300.0
_LARGEST = 2**30  #: bytes of the databases that are copied for it
_CALLED = ("add", "distance", "recent", "close")  #: members that get arguments of their own


class Differs(NotProven):
    """Moved code answers otherwise than before. ``stopped``: file and recipe -> what was seen."""

    def __init__(self, stopped: Mapping[tuple[str, str], str]) -> None:
        lines = (f"{path}: {recipe}: {why}" for (path, recipe), why in stopped.items())
        super().__init__("the code would answer otherwise than before; nothing was changed:\n  " + "\n  ".join(lines))
        self.stopped = dict(stopped)


def drive(plan: Plan, index: CodebaseIndex, folder: Path) -> tuple[int, list[str]]:
    """Return how many answers of moved classes were compared, and notes on classes that could not be called.

    Raises
    ------
    Differs
        A class answers otherwise.
    """
    before, after = (folder / name / (plan.root.name or "root") for name in ("before", "after"))
    imports = [step for step in plan.data_steps() if isinstance(step, Import) and step.columns]
    files = [step.path for step in imports]
    size = sum((plan.root / path).stat().st_size for path in files)
    if size > _LARGEST:
        return 0, [f"{', '.join(files)}: {size:,} bytes, more than are copied for a trial: no class was called"]
    needed = {path + side for path in files for side in ("", "-wal", "-journal")}
    copy_tree(index, before, needed)
    copy_tree(index, after)
    change(plan, after)
    _import(plan, before, after.parent / "state", folder, files)
    n_calls, notes, stopped = 0, [], {}
    for moved in plan.content["moved"]:
        path, name = moved["path"], moved["name"]
        own = [step.path for step in imports if step.columns == moved["columns"]]
        asked = _members(before / path, after / path, name)
        with ThreadPoolExecutor(2) as both:
            answers = list(
                both.map(
                    lambda root, given=(path, name, [moved["made"], own, asked]): _answers(root, *given),
                    (before, after),
                )
            )
        if not answers[0]:
            notes.append(
                f"{path}: {name} could not be called, neither by itself nor as it was: its module was only read"
            )
        elif why := _difference(*answers):
            stopped[path, "spectral_db"] = f"{name} answers otherwise: {why}"
        n_calls += len(answers[0])
    if stopped:
        raise Differs(stopped)
    return n_calls, notes


def _import(plan: Plan, root: Path, state_root: Path, folder: Path, files: list[str]) -> None:
    """The rows of some databases where the new class looks for them."""
    run = Run(root, state_root, plan.id, folder / "steps", folder / "backup")
    for step in plan.data_steps():
        if isinstance(step, MakeState | KeepRegistry) or (isinstance(step, Export | Import) and step.path in files):
            step.do(run)


def _members(before: Path, after: Path, name: str) -> list[str]:
    """The methods and properties that can be asked with nothing, but those that tell the size of a file."""
    old, new = (
        next(one for one in classes(ast.parse(path.read_bytes())) if one.name == name) for path in (before, after)
    )
    of_file = {one.name for one in methods(new).values() if "self.registry.path" in ast.unparse(one)}
    found = [one for one in methods(old).values() if not one.name.startswith("_") and _takes_nothing(one)]
    return sorted(one.name for one in found if one.name not in of_file and one.name not in _CALLED)


def _takes_nothing(function: Function) -> bool:
    given = function.args
    optional = len(given.posonlyargs + given.args) - len(given.defaults) <= 1 and None not in given.kw_defaults
    plain = [ast.unparse(one) for one in function.decorator_list] in ([], ["property"])
    return optional and plain and isinstance(function, ast.FunctionDef)


def _answers(root: Path, path: str, name: str, wanted: list[Any]) -> list[list[Any]]:
    """Each call and what came back, as the child tells it; nothing where the module cannot be imported."""
    module = [str(root / path), *module_name(root, path)]
    given = json.dumps([module, *wanted]).encode()
    ended, told = run_python(root, [trial_child.__file__, str(root.parent), name], _SECONDS, given=given)
    return [] if ended is None else [json.loads(line) for line in told.splitlines() if line.endswith(b"]")]


def _difference(before: list[list[Any]], after: list[list[Any]]) -> str:
    """The first call that was answered otherwise; "" when there is none."""
    for number, (old, new) in enumerate(zip_longest(before, after), 1):
        if old != new:
            said, was = old or new
            is_now = new[1] if new else "nothing"
            return f"call {number} of {len(before)}, {said}: {_short(was)} before, {_short(is_now)} now"
    return ""


def _short(answer: Any) -> str:
    text = json.dumps(answer)
    return text if len(text) < 80 else f"{text[:77]}..."
