"""Small questions about pieces of a tree."""

from __future__ import annotations

import ast


def last_name(function: ast.expr) -> str:
    """Return the name that a function is called by, behind the last dot."""
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def source_of(node: ast.ImportFrom) -> str:
    """Return the module that a ``from`` statement names, with its leading dots."""
    return "." * node.level + (node.module or "")


def joined(module: str, name: str) -> str:
    """Return a name in a module: ``.store`` and ``x`` are ``.store.x``, ``.`` and ``x`` are ``.x``."""
    return f"{module}{name}" if module.endswith(".") else f"{module}.{name}"
