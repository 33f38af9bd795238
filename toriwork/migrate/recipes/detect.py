"""Classes told by what they do: spectral databases and monitors. Names of files never count."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

Function = ast.FunctionDef | ast.AsyncFunctionDef

#: module that a class opens its storage with -> what is stored
STORAGE = {"sqlite3": "sqlite", "aiosqlite": "sqlite", "apsw": "sqlite", "pickle": "pickle", "json": "json"}
DATABASE_MODULES = (
    "sqlite3 _sqlite3 aiosqlite apsw pysqlite2 pysqlite3 sqlalchemy psycopg psycopg2 asyncpg pymongo redis shelve dbm"
).split()
ADDING = re.compile(
    r"^(add|store|insert|save|record|append|remember|put|push)(_?(signature|spectrum|entry|row|eigen))?"
)
DISTANCE = re.compile(r"distance|nearest|dissimilar|novelty_of")
_SPECTRAL = re.compile(r"eigen|spectr|signature", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class SpectralClass:
    """A class that keeps spectra in a database or a file of its own."""

    path: str
    name: str
    kind: str  #: "sqlite", "json" or "pickle"
    stream: str  #: under which its spectra stand in the registry


#: methods that make a class a monitor, and the kind of its tokens
MONITORS = (
    (frozenset({"classify"}), "origin_spectral"),
    (frozenset({"check_eigenvalues"}), "curvature"),
    (frozenset({"record_event"}), "braid_summary"),
    (frozenset({"trigger", "step"}), "chaos_burst"),
)


def methods(node: ast.ClassDef) -> dict[str, Function]:
    """The functions of a class body, the last of each name."""
    return {child.name: child for child in node.body if isinstance(child, Function)}


def classes(tree: ast.Module) -> Iterator[ast.ClassDef]:
    """The classes that a module defines at its top, also under ``if`` and ``try``."""
    pending: list[ast.stmt] = list(tree.body)
    while pending:
        node = pending.pop(0)
        if isinstance(node, ast.ClassDef):
            yield node
        elif isinstance(node, ast.If | ast.Try):
            pending[:0] = [child for child in ast.iter_child_nodes(node) if isinstance(child, ast.stmt)]


def imported_modules(tree: ast.Module) -> dict[str, str]:
    """Bound name -> the top module it comes from, of every import in a file."""
    found = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                found[alias.asname or alias.name.split(".")[0]] = alias.name.split(".")[0]
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                found[alias.asname or alias.name] = node.module.split(".")[0]
    return found


def names_in(node: ast.AST) -> set[str]:
    """Every name that is read or written somewhere in a node; attributes not."""
    return {child.id for child in ast.walk(node) if isinstance(child, ast.Name)}


def storage_names(tree: ast.Module) -> dict[str, str]:
    """Name -> storage, of every driver that a module imports and of what stands in it and speaks to one."""
    found = {name: STORAGE[top] for name, top in imported_modules(tree).items() if top in STORAGE}
    helpers = [child for child in tree.body if isinstance(child, Function | ast.ClassDef)]
    for _ in helpers:
        known = dict(found)
        for child in helpers:
            if child.name not in found and (kind := _kind(child, known)):
                found[child.name] = kind
        if found == known:
            break
    return found


def _kind(node: ast.AST, bound: Mapping[str, str]) -> str | None:
    kinds = {bound[name] for name in names_in(node) if name in bound}
    return next((kind for kind in ("sqlite", "pickle", "json") if kind in kinds), None)


def spectral_classes(tree: ast.Module) -> Iterator[tuple[ast.ClassDef, str]]:
    """Classes that add spectra, tell distances and keep what they hold in a database or file; with its kind."""
    for node in classes(tree):
        have = methods(node)
        if not any(ADDING.match(name) for name in have) or not any(DISTANCE.search(name) for name in have):
            continue
        kind = _kind(node, storage_names(tree))
        if kind is not None and any(_SPECTRAL.search(word) for word in _words(node)):
            yield node, kind


def _words(node: ast.ClassDef) -> Iterator[str]:
    """Names, attributes, arguments and texts of a class; docstrings not."""
    yield node.name
    prose = {id(child.value) for child in ast.walk(node) if isinstance(child, ast.Expr)}
    for child in ast.walk(node):
        if isinstance(child, ast.Name):
            yield child.id
        elif isinstance(child, ast.Attribute):
            yield child.attr
        elif isinstance(child, ast.arg):
            yield child.arg
        elif isinstance(child, ast.Constant) and isinstance(child.value, str) and id(child) not in prose:
            yield child.value


def monitors(tree: ast.Module) -> Iterator[tuple[ast.ClassDef, str]]:
    """Classes that measure, and the kind of what they measure; protocols measure nothing."""
    for node in classes(tree):
        kind = next((kind for needed, kind in MONITORS if needed <= methods(node).keys()), None)
        if kind is not None and not any(ast.unparse(base).endswith("Protocol") for base in node.bases):
            yield node, kind


def stream_of(name: str) -> str:
    """A class name in words: SpectralDB -> spectral_db."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).lower()
