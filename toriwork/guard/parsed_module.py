"""One piece of Python as the rules see it: its nodes, what its names stand for, and the rules for single nodes."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

from toriwork.codebase.names import Names
from toriwork.codebase.source import Nodes
from toriwork.guard.policy import PLAIN_WORDS, Policy

_LOADERS = frozenset({"ctypes.cdll", "ctypes.windll", "ctypes.oledll", "ctypes.pydll"})
MAX_NESTING = 5  #: of code in strings in code


class Hit(NamedTuple):
    """A find of a rule, and its node."""

    node: ast.AST
    code: str
    message: str
    what: str


@dataclass(frozen=True)
class ParsedModule:
    """A module, all code cells of a notebook, or the code in a string."""

    nodes: Nodes
    names: Names
    policy: Policy
    is_local: Callable[[str], bool]  #: tells if a top-level name is a module of the scanned code itself
    nesting: int = 0

    def banned(self, dotted: str) -> str:
        """Return the banned module that a dotted name lies in; "" for none, and for an own module of a plain name."""
        found = self.policy.banned(dotted)
        if found and found.split(".")[0] in PLAIN_WORDS and self.is_local(found.split(".")[0]):
            return ""
        return found


def parsed_module(
    nodes: Nodes, policy: Policy, is_local: Callable[[str], bool] = lambda _: False, nesting: int = 0
) -> ParsedModule:
    """Return nodes as the rules see them."""
    return ParsedModule(nodes, Names(nodes), policy, is_local, nesting)


def import_hits(unit: ParsedModule, node: ast.Import) -> Iterator[Hit]:
    """``import a, b.c as d``."""
    for alias in node.names:
        if found := unit.banned(alias.name):
            yield Hit(alias, "TWG101", f"import of {alias.name} ({unit.policy.modules[found]})", found)


def import_from_hits(unit: ParsedModule, node: ast.ImportFrom) -> Iterator[Hit]:
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


def attribute_hits(unit: ParsedModule, node: ast.Attribute) -> Iterator[Hit]:
    """``nbformat.sign.sqlite3``: a driver inside somebody else's module; ``ctypes.cdll.sqlite3``."""
    if node.attr in unit.policy.telling:
        for name in unit.names.qualify(node.value):
            top = name.split(".")[0]
            if top in ("ctypes", "sys") or not top or unit.is_local(top) or not _is_module(unit, node.value):
                continue
            yield Hit(node, "TWG104", f"{name} passes on {node.attr}", node.attr)
            return
    found = library_in(unit.policy, node.attr) if "ctypes" in unit.names.tops else ""
    if found and _LOADERS & unit.names.qualify(node.value):
        yield Hit(node, "TWG108", f"the library {node.attr} is loaded", found)


def subscript_hits(unit: ParsedModule, node: ast.Subscript) -> Iterator[Hit]:
    """``sys.modules["sqlite3"]``, read; ``ctypes.cdll["libsqlite3.so"]``."""
    if not isinstance(node.ctx, ast.Load) or not isinstance(node.value, ast.Name | ast.Attribute):
        return
    wholes = unit.names.qualify(node.value)
    if "sys.modules" in wholes:
        for name in unit.names.constants.texts(node.slice):
            if found := unit.banned(name):
                yield Hit(node, "TWG102", f"{name} taken out of sys.modules", found)
                return
    elif wholes & _LOADERS:
        for name in unit.names.constants.texts(node.slice):
            if found := library_in(unit.policy, name):
                yield Hit(node, "TWG108", f"the library {name} is loaded", found)


def library_in(policy: Policy, path: str) -> str:
    """Return the library of a database that the path of a shared library names, or ""."""
    matched = policy.library.match(re.split(r"[/\\]", path)[-1])
    return matched[1].lower() if matched else ""


def _is_module(unit: ParsedModule, node: ast.expr) -> bool:
    """Tell if the left end of a chain of attributes is a name that an import gave."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in unit.names.modules
