"""The rules for Python files as a plugin of flake8: ``TWG`` codes beside the others, in any editor that runs it.

flake8 obeys ``noqa`` unless it is called with ``--disable-noqa``; ``toriwork guard`` has no such comment.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from toriwork.codebase.source import nodes_of
from toriwork.guard.finding import CODES
from toriwork.guard.parsed_module import parsed_module
from toriwork.guard.policy import Policy
from toriwork.guard.python import hits_in


class Plugin:
    """The plugin that flake8 calls with the tree of each file."""

    name: ClassVar[str] = "toriwork-guard"
    version: ClassVar[str] = "1"

    def __init__(self, tree: ast.Module, lines: list[str], filename: str = "") -> None:
        self._tree, self._source = tree, "".join(lines)
        self._file, self._folder = Path(filename), Path(filename).parent

    def run(self) -> Iterator[tuple[int, int, str, type[Plugin]]]:
        """Line, column, text and class of each finding; warnings and what other files decide are left out."""
        unit = parsed_module(nodes_of([self._tree]), Policy(), self._is_local, is_stub=self._file.suffix == ".pyi")
        for hit in hits_in(unit, self._source):
            if CODES[hit.code].level == "error" and hit.code != "TWG110":
                line, column = getattr(hit.node, "lineno", 1), getattr(hit.node, "col_offset", 0)
                yield line, column, f"{hit.code} {hit.message}", type(self)

    def _is_local(self, dotted: str) -> bool:
        own = self._folder / f"{dotted.split('.', maxsplit=1)[0]}.py"
        if (self._folder / "__init__.py").is_file() or own == self._file:
            return False  # inside a package a plain import means no neighbour
        return own.is_file() or (own.with_suffix("") / "__init__.py").is_file()
