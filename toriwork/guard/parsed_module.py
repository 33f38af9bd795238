"""One piece of Python as the rules see it: its nodes, what its names stand for, and what a rule found in it."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, NamedTuple

from toriwork.codebase.names import Names
from toriwork.codebase.source import Nodes
from toriwork.guard.policy import PLAIN_WORDS, Policy

_LOADERS = frozenset({"ctypes.cdll", "ctypes.windll", "ctypes.oledll", "ctypes.pydll"})
MAX_NESTING = 5  #: of code in strings in code


class Hit(NamedTuple):
    """What a rule found, and at which node."""

    node: ast.AST
    code: str
    message: str
    what: str


#: modules that have a function which imports or runs code, and such functions that are there without an import
_GIVING = frozenset(
    "importlib builtins pkgutil runpy pytest pydoc imp timeit operator lazy_loader cProfile profile pdb".split()
)
_GIVEN = frozenset("__import__ __builtins__ exec eval compile globals locals vars".split())


@dataclass(frozen=True)
class Unit:
    """A module, all code cells of a notebook, or the code in a string."""

    nodes: Nodes
    names: Names
    policy: Policy
    is_local: Callable[[str], bool]  #: whether a top-level name is a module of the scanned code itself
    nesting: int = 0
    unknown: list[ast.Call] = field(default_factory=list)  #: calls of which only another module, or a run, knows what

    @cached_property
    def hands_on(self) -> bool:
        """Whether any function that imports or runs code can be an argument of another one at all."""
        return bool(
            self.names.stars
            or self.names.tops & _GIVING
            or any(node.id in _GIVEN for node in self.nodes.get(ast.Name, ()))
        )

    def banned(self, dotted: str) -> str:
        """The banned module that a dotted name lies in; "" for none, and for an own module of a plain name."""
        found = self.policy.banned(dotted)
        if found and found.split(".")[0] in PLAIN_WORDS and self.is_local(found.split(".")[0]):
            return ""
        return found


def unit_of(
    nodes: Nodes,
    policy: Policy,
    is_local: Callable[[str], bool] = lambda _: False,
    nesting: int = 0,
    foreign: Callable[[str], tuple[Any, ...]] = lambda _: (),
) -> Unit:
    """A unit of nodes; ``foreign`` gives the values of a dotted name in another module."""
    return Unit(nodes, Names(nodes, foreign), policy, is_local, nesting)


def import_hits(unit: Unit, node: ast.Import) -> Iterator[Hit]:
    """``import a, b.c as d``."""
    for alias in node.names:
        if found := unit.banned(alias.name):
            yield Hit(alias, "TWG101", f"import of {alias.name} ({unit.policy.modules[found]})", found)


def import_from_hits(unit: Unit, node: ast.ImportFrom) -> Iterator[Hit]:
    """``from a import b``; relative imports name modules of the project itself."""
    module = node.module or ""
    if node.level or not module:
        return
    if found := unit.banned(module):
        yield Hit(node, "TWG101", f"import from {module} ({unit.policy.modules[found]})", found)
        return
    for alias in node.names:
        if found := unit.banned(f"{module}.{alias.name}"):
            yield Hit(node, "TWG101", f"import of {found} ({unit.policy.modules[found]})", found)
        elif alias.name in unit.policy.telling and not unit.is_local(module.split(".")[0]):
            yield Hit(alias, "TWG104", f"{module} passes on {alias.name}", alias.name)


def attribute_hits(unit: Unit, node: ast.Attribute) -> Iterator[Hit]:
    """``nbformat.sign.sqlite3``: a driver inside somebody else's module; ``ctypes.cdll.sqlite3``."""
    if node.attr in unit.policy.telling:
        for name in unit.names.qualify(node.value):
            top = name.split(".")[0]
            if top in ("ctypes", "sys") or not top or unit.is_local(top) or not _is_module(unit, node.value):
                continue
            yield Hit(node, "TWG104", f"{name} passes on {node.attr}", node.attr)
            return
    if node.attr.startswith("sqlite3_") and {"ctypes", "cffi"} & unit.names.tops:
        yield Hit(node, "TWG108", f"{node.attr} of the library of SQLite", "sqlite3")
    if "ctypes" in unit.names.tops and library_in(unit, node.attr) and _LOADERS & unit.names.qualify(node.value):
        yield Hit(node, "TWG108", f"the library {node.attr} is loaded", library_in(unit, node.attr))


def subscript_hits(unit: Unit, node: ast.Subscript) -> Iterator[Hit]:
    """``sys.modules["sqlite3"]``, read; ``ctypes.cdll["libsqlite3.so"]``."""
    if not isinstance(node.ctx, ast.Load) or not isinstance(node.value, ast.Name | ast.Attribute):
        return
    wholes = unit.names.qualify(node.value)
    if "sys.modules" in wholes:
        for name in unit.names.folder.texts(node.slice):
            if found := unit.banned(name):
                yield Hit(node, "TWG102", f"{name} taken out of sys.modules", found)
                return
    elif wholes & _LOADERS:
        for name in unit.names.folder.texts(node.slice):
            if found := library_in(unit, name):
                yield Hit(node, "TWG108", f"the library {name} is loaded", found)
    elif "plumbum.local" in wholes:
        for name in unit.names.folder.texts(node.slice):
            if name in unit.policy.programs:
                yield Hit(node, "TWG107", f"the program {name} is started", name)


def library_in(unit: Unit, path: str) -> str:
    """The library of a database that the path of a shared library names, or ""."""
    base = re.split(r"[/\\]", path)[-1]
    matched = unit.policy.library.match(base)
    return matched[1].lower() if matched else ""


def _is_module(unit: Unit, node: ast.expr) -> bool:
    """Whether the left end of a chain of attributes is a name that an import gave."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in unit.names.modules
