"""Modules that fit into a head, functions the size of a thought, names that say what is inside."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from toriwork.codebase.source import tree_of

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted((ROOT / "toriwork").rglob("*.py"))
MAX_MODULE_LINES = 350  # of code: blank lines, comments and docstrings are free
MAX_BODY_LINES = 60
SAYS_NOTHING = {"utils", "util", "helpers", "helper", "common", "misc", "types"}


def bodies(source: str) -> Iterator[tuple[str, int]]:
    """Each function with the lines of its body, docstring left out."""
    for node in ast.walk(tree_of(source)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            rest = node.body[1:] if ast.get_docstring(node) else node.body
            yield node.name, (rest[-1].end_lineno or 0) - rest[0].lineno + 1 if rest else 0


def lines_of_code(source: str) -> int:
    """Lines that hold code."""
    plain = {number for number, line in enumerate(source.splitlines(), 1) if line.strip() and line.strip()[0] != "#"}
    for node in ast.walk(tree_of(source)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            plain -= set(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return len(plain)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_fits_into_a_head(path):
    source = path.read_text(encoding="utf-8")
    assert lines_of_code(source) <= MAX_MODULE_LINES, "move a part with a name of its own into another module"
    long = [(name, lines) for name, lines in bodies(source) if lines > MAX_BODY_LINES]
    assert long == [], f"move parts of it into functions: a body has at most {MAX_BODY_LINES} lines"
    assert path.stem not in SAYS_NOTHING, "name the module after what it holds"
