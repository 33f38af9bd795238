"""One Python file while recipes look at it, and what they say of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from toriwork.codebase.edits import Edit, SourceFile
from toriwork.codebase.index import CodeText
from toriwork.migrate.recipes.tables import MovedClass
from toriwork.migrate.recipes.world import World

MARK = "# toriwork:"  #: begins the comment that a re-run finds


@dataclass(frozen=True, slots=True)
class Manual:
    """Something that a person has to do, with its place; line 0 is the file as a whole."""

    path: str
    line: int
    recipe: str
    why: str


@dataclass(frozen=True)
class Unit(SourceFile):
    """A Python file with what is known of its code base."""

    world: World
    before: CodeText  #: in front of the first recipe

    def manual(self, node: Any, recipe: str, why: str) -> Manual:
        """Return a finding at a node."""
        return Manual(self.path, getattr(node, "lineno", 0), recipe, why)


@dataclass(frozen=True, slots=True)
class Outcome:
    """The result of a recipe for one file."""

    edits: tuple[Edit, ...] = ()
    manual: tuple[Manual, ...] = ()
    review: bool = False  #: a person should look at it
    notes: tuple[Manual, ...] = ()  #: worth knowing, nothing to do
    moved: tuple[MovedClass, ...] = ()
