"""All recipes in order on one file, and the gates that a result has to pass before anybody sees it.

The list of recipes is the tuple below; adding one is a file, a test file and a line here.
"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from toriwork.migrate.recipes import betti_cells, core_exports, database_imports, observer_tokens, spectral_db
from toriwork.migrate.recipes.notebook import Cells
from toriwork.migrate.recipes.source import Edit, Manual, Outcome, Unit, Unsure, apply, check_printable, read, write

if TYPE_CHECKING:
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
    """What becomes of one file.

    ``after`` is ``before`` where nothing is to be done or nothing can be done without guessing; ``manual`` says which.
    """

    before: bytes
    after: bytes
    recipes: tuple[str, ...]  #: names of those that changed it
    confidence: Literal["safe", "review"]
    manual: tuple[Manual, ...]


def rewrite(path: str, source: bytes, world: World) -> Rewritten:
    """What all recipes make of one ``.py`` or ``.ipynb`` file; an odd file comes back as it is, with the reason.

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
            return _notebook(path, source, world)
        data, encoding, marked = read(source)
        after, names, review, manual = _run(path, data, world)
        result = source if after == data else write(after, encoding, marked)
    except Unsure as error:
        return _left(path, source, str(error))
    return Rewritten(source, result, names, "review" if review else "safe", manual)


def _notebook(path: str, source: bytes, world: World) -> Rewritten:
    cells = Cells.read(source)
    after, names, review, manual = _run(path, cells.code, world)
    result = source if after == cells.code else cells.replaced(after)
    return Rewritten(source, result, names, "review" if review else "safe", manual)


def _left(path: str, source: bytes, why: str) -> Rewritten:
    return Rewritten(source, source, (), "safe", (Manual(path, 0, "read", why),))


def _run(path: str, data: bytes, world: World) -> tuple[bytes, tuple[str, ...], bool, tuple[Manual, ...]]:
    """The text after all recipes, who changed it, whether to look at it, what is left; gates included."""
    after, names, review, manual = _pass(path, data, world)
    if after == data:
        return after, names, review, manual
    check_printable(data)
    check_printable(after)
    again = _pass(path, after, world)
    if again[0] != after:
        raise Unsure(f"rewriting it twice would change it twice ({', '.join(again[1])})")
    try:
        compile(after.decode(), path, "exec", dont_inherit=True, flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    except (SyntaxError, ValueError) as error:
        raise Unsure(f"the result would not compile: {error}") from error
    return after, names, review, manual


def _pass(path: str, data: bytes, world: World) -> tuple[bytes, tuple[str, ...], bool, tuple[Manual, ...]]:
    names: list[str] = []
    manual: list[Manual] = []
    review = False
    for name, transform in RECIPES:
        outcome = transform(Unit(path, data, world))
        manual += outcome.manual
        changed = apply(data, outcome.edits)
        if changed != data:
            data = changed
            names.append(name)
            review = review or outcome.review
    return data, tuple(names), review, tuple(manual)
