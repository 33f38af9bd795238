"""Check the English of docstrings and messages; ``python tools/check_words.py [PATH ...]``.

A docstring says what comes back: none opens with "What" or "Whether". A message says "expected ..., got ...": none says
"wanted" or "given was". Each finding is one line, ``file:line: reason``; the exit code is 1 when there is any.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

#: checked without a PATH
PLACES = ("toriwork", "benchmarks", "research", "tools")
NOT_YET: tuple[str, ...] = ()  #: left out then; may only shrink
_OPENS = re.compile(r"\s*(What|Whether)\b")
_SAYS = re.compile(r"\b(w[a]nted|given\s+(?:was|were)|found\s+was)\b")  # written so that this file passes
_DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def findings(source: str) -> Iterator[tuple[int, str]]:
    """Yield ``(line, reason)`` of each docstring and message that breaks a rule."""
    nodes = list(ast.walk(ast.parse(source)))
    docstrings = [found for node in nodes if (found := _docstring(node)) is not None]
    for text in docstrings:
        if opens := _OPENS.match(str(text.value)):
            yield text.lineno, f"expected a docstring that says what comes back, got one that opens with {opens[1]!r}"
    known = set(map(id, docstrings))
    for node in nodes:
        is_message = isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in known
        if is_message and (said := _SAYS.search(node.value)):
            yield node.lineno, f"expected 'expected ..., got ...', got a message with {said[0]!r}"


def main(paths: list[str]) -> int:
    """Print the findings below ``paths``; return 1 when there is any."""
    n_found = 0
    for place in paths or [name for name in PLACES if Path(name).exists()]:
        top = Path(place)
        for file in sorted(top.rglob("*.py")) if top.is_dir() else [top]:
            if not paths and file.as_posix().startswith(NOT_YET):
                continue
            for line, reason in findings(file.read_text(encoding="utf-8")):
                print(f"{file}:{line}: {reason}")
                n_found += 1
    return int(n_found > 0)


def _docstring(node: ast.AST) -> ast.Constant | None:
    if not isinstance(node, _DOCUMENTED) or ast.get_docstring(node, clean=False) is None:
        return None
    statement = node.body[0]
    return statement.value if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant) else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
