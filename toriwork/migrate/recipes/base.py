"""All recipes in order on one file, and the gates that a result has to pass before anybody sees it.

The list of recipes is the tuple below; adding one is a file, a test file and a line here.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from toriwork.codebase.edits import Edit, apply, check_printable
from toriwork.codebase.notebooks import Cells
from toriwork.codebase.source import read, write
from toriwork.errors import Unsure
from toriwork.migrate.recipes import betti_cells, core_exports, database_imports, observer_tokens, spectral_db
from toriwork.migrate.recipes.source import Manual, Outcome, Unit
from toriwork.migrate.recipes.world import World

__all__ = ["RECIPES", "Edit", "Manual", "Rewritten", "rewrite"]

#: name and function, in the order in which they run
RECIPES: tuple[tuple[str, Callable[[Unit], Outcome]], ...] = (
    (spectral_db.NAME, spectral_db.transform),
    (betti_cells.NAME, betti_cells.transform),
    (observer_tokens.NAME, observer_tokens.transform),
    (core_exports.NAME, core_exports.transform),
    (database_imports.NAME, database_imports.transform),
)


@dataclass(frozen=True, slots=True)
class Rewritten:
    """One file before and after.

    ``after`` is ``before`` where nothing is to be done or nothing can be done without guessing; ``manual`` says which.
    """

    before: bytes
    after: bytes
    recipes: tuple[str, ...]  #: names of those that changed it
    confidence: Literal["safe", "review"]
    manual: tuple[Manual, ...]
    notes: tuple[Manual, ...] = ()  #: worth knowing, nothing to do


def rewrite(path: str, source: bytes, world: World) -> Rewritten:
    """Return what all recipes make of one ``.py`` or ``.ipynb`` file; an odd file comes back as it is, with the reason.

    A changed result parsed and printed to the same bytes before, compiles, and does not change when rewritten again.

    Parameters
    ----------
    path : str
        Relative to the code base, with slashes.
    source : bytes
        The file.
    world : World
        What is known of the code base.

    Raises
    ------
    MissingExtra
        The file has something to rewrite and LibCST is not installed.
    """
    try:
        if path.endswith(".ipynb"):
            cells = Cells.read(source)
            found = _run(path, cells.code, world)
            result = source if found.after == cells.code else cells.replaced(found.after)
            manual, notes = (tuple(_in_cell(one, cells) for one in group) for group in (found.manual, found.notes))
            return replace(found, before=source, after=result, manual=manual, notes=notes)
        data, encoding, marked = read(source)
        found = _run(path, data, world)
        result = source if found.after == data else write(found.after, encoding, marked)
        return replace(found, before=source, after=result)
    except Unsure as error:
        return Rewritten(source, source, (), "safe", (Manual(path, 0, "read", str(error)),))


def _in_cell(found: Manual, cells: Cells) -> Manual:
    """A finding with its place as somebody with the notebook open counts it."""

    def told(match: re.Match[str]) -> str:
        other, at = cells.place(int(match[1]))
        return f"line {at} of cell {other}" if other else match.group()

    cell, line = cells.place(found.line)
    why = re.sub(r"\bline (\d+)", told, found.why)
    return replace(found, line=line, why=f"cell {cell}: {why}") if cell else found


def _run(path: str, data: bytes, world: World) -> Rewritten:
    """The text after all recipes, gates included."""
    found = _pass(path, data, world)
    if found.after == data:
        return found
    check_printable(data)
    check_printable(found.after)
    again = _pass(path, found.after, world)
    if again.after != found.after:
        raise Unsure(f"rewriting it twice would change it twice ({', '.join(again.recipes)})")
    try:
        compile(found.after.decode(), path, "exec", dont_inherit=True, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError) as error:
        raise Unsure(f"the result would not compile: {error}") from error
    return found


def _pass(path: str, data: bytes, world: World) -> Rewritten:
    names: list[str] = []
    manual: list[Manual] = []
    notes: list[Manual] = []
    review, original = False, data
    for name, transform in RECIPES:
        outcome = transform(Unit(path, data, world, original))
        manual += outcome.manual
        notes += outcome.notes
        changed = apply(data, outcome.edits)
        if changed != data:
            data = changed
            names.append(name)
            review = review or outcome.review
    confidence: Literal["safe", "review"] = "review" if review else "safe"
    return Rewritten(original, data, tuple(names), confidence, tuple(manual), tuple(notes))
