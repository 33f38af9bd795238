"""Small questions about pieces of a tree: how a function is called, what it gives back, what an import names."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from toriwork.codebase.constants import MAX_VALUES

Function = ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda


def last_name(function: ast.expr) -> str:
    """The name that a function is called by, behind the last dot."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def spells(node: ast.expr, begin: str = "") -> bool:
    """Whether an expression is a text that begins so."""
    return isinstance(node, ast.Constant) and isinstance(node.value, str) and node.value.startswith(begin)


def given_back(function: Function) -> Iterator[ast.expr]:
    """The expressions that a function returns; what it yields as a list."""
    if isinstance(function, ast.Lambda):
        yield function.body
        return
    yielded: list[ast.expr] = []
    waiting: list[Any] = list(function.body)
    for statement in waiting:  # statements only, and it grows at its end
        value = getattr(statement, "value", None)
        if isinstance(statement, ast.Return) and value is not None:
            yield value
        elif isinstance(value, ast.Yield) and value.value is not None:
            yielded.append(value.value)
        for part in ("body", "orelse", "finalbody", "handlers", "cases"):
            waiting += getattr(statement, part, ())
    if yielded:
        yield ast.List(yielded, ast.Load())


def source_of(node: ast.ImportFrom) -> str:
    """The module that a ``from`` statement names, with its leading dots."""
    return "." * node.level + (node.module or "")


def joined(module: str, name: str) -> str:
    """A name in a module: ``.store`` and ``x`` are ``.store.x``, ``.`` and ``x`` are ``.x``."""
    return f"{module}{name}" if module.endswith(".") else f"{module}.{name}"


def elements_of(whole: Any) -> list[Any]:
    """The elements of a value, and theirs: which of them a name takes is not followed."""
    if isinstance(whole, dict):
        whole = [*whole, *whole.values()]
    if not isinstance(whole, list | tuple | set | frozenset):
        return []
    flat = [inner for part in whole for inner in (part if isinstance(part, list | tuple) else [part])]
    return flat[:MAX_VALUES]
