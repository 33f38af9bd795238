"""All recipes in order on one file, and the gates that a result has to pass before anybody sees it.

The list of recipes is the tuple below; adding one is a file, a test file, a line here and its words in ``world.WORDS``.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from toriwork.codebase.edits import Edit, apply, check_printable
from toriwork.codebase.index import CodeText
from toriwork.codebase.notebooks import Cells
from toriwork.codebase.source import parse
from toriwork.errors import Unsure
from toriwork.migrate.recipes import betti_cells, database_imports, observer_tokens, spectral_db
from toriwork.migrate.recipes.source import Manual, Outcome, Unit
from toriwork.migrate.recipes.tables import MovedClass
from toriwork.migrate.recipes.world import World, wakes

__all__ = ["RECIPES", "Edit", "Manual", "Rewritten", "rewrite"]

Recipe = tuple[str, Callable[[Unit], Outcome]]  #: name and function
#: in the order in which they run; the words without which none of them reacts are in ``world.WORDS``
RECIPES: tuple[Recipe, ...] = (
    (spectral_db.NAME, spectral_db.transform),
    (betti_cells.NAME, betti_cells.transform),
    (observer_tokens.NAME, observer_tokens.transform),
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
    moved: tuple[MovedClass, ...] = ()  #: classes that stand on the registry now


def rewrite(path: str, source: bytes, world: World, *more: Recipe) -> Rewritten:
    """Return what all recipes make of one ``.py`` or ``.ipynb`` file; an odd file comes back as it is, with the reason.

    A changed result parsed and printed to the same bytes before, compiles, and does not change when rewritten again. A
    file without a word that some recipe reacts to is not even parsed.

    Parameters
    ----------
    path : str
        Relative to the code base, with slashes.
    source : bytes
        The file.
    world : World
        What is known of the code base.
    *more : name and function
        Further recipes, for this file.

    Raises
    ------
    MissingExtra
        The file has something to rewrite and LibCST is not installed.
    """
    if not more and not wakes(source):
        return Rewritten(source, source, (), "safe", ())
    try:
        text = world.index.text(path, source)
        found = _run(path, text, world, (*RECIPES, *more))
        result = source if found.after == text.data else text.written(found.after)
    except Unsure as error:
        return Rewritten(source, source, (), "safe", (Manual(path, 0, "read", str(error)),))
    if text.cells is None:
        return replace(found, before=source, after=result)
    manual, notes = (tuple(_in_cell(one, text.cells) for one in group) for group in (found.manual, found.notes))
    return replace(found, before=source, after=result, manual=manual, notes=notes)


def _in_cell(found: Manual, cells: Cells) -> Manual:
    """A finding with its place as somebody with the notebook open counts it."""

    def told(match: re.Match[str]) -> str:
        other, at = cells.place(int(match[1]))
        return f"line {at} of cell {other}" if other else match.group()

    cell, line = cells.place(found.line)
    why = re.sub(r"\bline (\d+)", told, found.why)
    return replace(found, line=line, why=f"cell {cell}: {why}") if cell else found


def _run(path: str, text: CodeText, world: World, recipes: tuple[Recipe, ...]) -> Rewritten:
    """The text after all recipes, gates included."""
    found = _pass(path, text, world, recipes)
    if found.after == text.data:
        return found
    check_printable(text.data)
    check_printable(found.after)
    again = _pass(path, CodeText(found.after), world, recipes)
    if again.after != found.after:
        raise Unsure(f"rewriting it twice would change it twice ({', '.join(again.recipes)})")
    try:
        compile(found.after.decode(), path, "exec", dont_inherit=True, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError) as error:
        raise Unsure(f"the result would not compile: {error}") from error
    return found


def _pass(path: str, text: CodeText, world: World, recipes: tuple[Recipe, ...]) -> Rewritten:
    names: list[str] = []
    manual: list[Manual] = []
    notes: list[Manual] = []
    moved: list[MovedClass] = []
    review, unit = False, Unit(path, text.data, text.tree, world, text)
    for name, transform in recipes:
        outcome = transform(unit)
        manual += outcome.manual
        notes += outcome.notes
        moved += outcome.moved
        changed = apply(unit.data, outcome.edits)
        if changed != unit.data:
            unit = Unit(path, changed, parse(changed), world, text)
            names.append(name)
            review = review or outcome.review
    confidence: Literal["safe", "review"] = "review" if review else "safe"
    return Rewritten(text.data, unit.data, tuple(names), confidence, tuple(manual), tuple(notes), tuple(moved))
