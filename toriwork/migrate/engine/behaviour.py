"""Moved classes called side by side: the old one on a copy of its databases, the new one on what the plan imports."""

from __future__ import annotations

import ast
import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import zip_longest
from pathlib import Path
from typing import Any

from toriwork.codebase.source import tree_of
from toriwork.errors import NotProven
from toriwork.migrate.engine import trial_child
from toriwork.migrate.engine.copies import imports_of, module_name, run_python
from toriwork.migrate.engine.plan import Plan
from toriwork.migrate.recipes.detect import Function, classes, methods

_SECONDS = 300.0
_CALLED = ("add", "distance", "recent", "close")  #: members that are called in a way of their own


class Differs(NotProven):
    """Moved code answers otherwise than before. ``stopped``: file and recipe -> what was seen."""

    def __init__(self, stopped: Mapping[tuple[str, str], str]) -> None:
        lines = (f"{path}: {recipe}: {why}" for (path, recipe), why in stopped.items())
        super().__init__("the code would answer otherwise than before; nothing was changed:\n  " + "\n  ".join(lines))
        self.stopped = dict(stopped)


def drive(plan: Plan, before: Path, after: Path) -> tuple[int, list[str]]:
    """Return how many answers of moved classes were compared, and notes on classes that could not be called.

    Parameters
    ----------
    plan : Plan
    before, after : Path
        Copies that nobody else uses, see :func:`make_copies`.

    Raises
    ------
    Differs
        A class answers otherwise.
    """
    n_calls, notes, stopped = 0, [], {}
    for moved in plan.content["moved"]:
        path, name = moved["path"], moved["name"]
        own = [step.path for step in imports_of(plan) if step.columns == moved["columns"]]
        given = [moved["made"], own, *_members(before / path, after / path, name)]
        with ThreadPoolExecutor(2) as both:
            told = [both.submit(_answers, root, path, name, given) for root in (before, after)]
        answers = [one.result() for one in told]
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


def _members(before: Path, after: Path, name: str) -> tuple[list[str], list[str]]:
    """The members of the older class that are ``_CALLED``; those that take nothing, but for the size of a file."""
    old, new = (
        next(one for one in classes(tree_of(path.read_bytes())) if one.name == name) for path in (before, after)
    )
    of_file = {one.name for one in methods(new).values() if "self.registry.path" in ast.unparse(one)}
    found = [one for one in methods(old).values() if not one.name.startswith("_") and _takes_nothing(one)]
    asked = sorted(one.name for one in found if one.name not in of_file and one.name not in _CALLED)
    return [name for name in _CALLED if name in methods(old)], asked


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
