"""One piece of Python as the rules see it: its nodes, what its names stand for, and the rules for single nodes."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import NamedTuple

from toriwork.codebase.names import Names
from toriwork.codebase.source import Nodes
from toriwork.codebase.syntax import last_name
from toriwork.guard.drivers import PLAIN_WORDS
from toriwork.guard.policy import Policy

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
    is_local: Callable[[str], bool]  #: tells if a dotted name is one of the scanned code itself
    nesting: int = 0
    is_stub: bool = False  #: its imports are for type checkers
    looked_at: dict[str, list[Hit]] = field(default_factory=dict)  #: code in texts, and what is found in it

    def banned(self, dotted: str, *inside: str) -> str:
        """Return the banned module that a dotted name lies in; "" for none, and for an own module of a plain name.

        ``inside`` are the names that are taken from it: of a folder without ``__init__.py`` they tell whose it is.
        """
        found = self.policy.banned(dotted)
        if found and found.split(".")[0] in PLAIN_WORDS and all(map(self.is_local, inside or (dotted,))):
            return ""
        return found

    def told(self, hit: Hit) -> Hit:
        """Return a hit as it is reported: an import that no program runs has a code of its own."""
        if hit.code not in ("TWG101", "TWG104") or not (self.is_stub or id(hit.node) in self._for_checkers):
            return hit
        return hit._replace(code="TWG111", message=f"for type checkers only: {hit.message}")

    @cached_property
    def _for_checkers(self) -> frozenset[int]:
        """Ids of what stands under ``if TYPE_CHECKING``."""
        found: set[int] = set()
        for node in self.nodes.get(ast.If, ()):
            negated = isinstance(node.test, ast.UnaryOp) and isinstance(node.test.op, ast.Not)
            tests = [node.test.operand] if negated else getattr(node.test, "values", [node.test])
            if any("TYPE_CHECKING" in (last_name(test), *map(_end, self.names.qualify(test))) for test in tests):
                statements = node.orelse if negated else node.body
                found |= {id(part) for statement in statements for part in ast.walk(statement)}
        return frozenset(found)


def _end(dotted: str) -> str:
    return dotted.rpartition(".")[2]


def parsed_module(
    nodes: Nodes,
    policy: Policy,
    is_local: Callable[[str], bool] = lambda _: False,
    nesting: int = 0,
    *,
    is_stub: bool = False,
) -> ParsedModule:
    """Return nodes as the rules see them."""
    return ParsedModule(nodes, Names(nodes), policy, is_local, nesting, is_stub)


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
    if found := unit.banned(module, *(f"{module}.{alias.name}" for alias in node.names)):
        yield Hit(node, "TWG101", f"import from {module} ({unit.policy.modules[found]})", found)
        return
    for alias in node.names:
        if found := unit.banned(f"{module}.{alias.name}"):
            yield Hit(node, "TWG101", f"import of {found} ({unit.policy.modules[found]})", found)
        elif alias.name in unit.policy.telling and not unit.is_local(module):
            yield Hit(alias, "TWG104", f"{module} passes on {alias.name}", alias.name)


def attribute_hits(unit: ParsedModule, node: ast.Attribute) -> Iterable[Hit]:
    """``nbformat.sign.sqlite3``: a driver inside somebody else's module."""
    if node.attr in unit.policy.telling:
        return _attribute_hits(unit, node)
    return ()  # as nearly all, at once: a generator for each takes half of the time


def _attribute_hits(unit: ParsedModule, node: ast.Attribute) -> Iterator[Hit]:
    for name in unit.names.qualify(node.value):
        top = name.split(".")[0]
        if top in ("ctypes", "sys") or not top or unit.is_local(name) or not _is_module(unit, node.value):
            continue
        yield Hit(node, "TWG104", f"{name} passes on {node.attr}", node.attr)
        return


def _is_module(unit: ParsedModule, node: ast.expr) -> bool:
    """Tell if the left end of a chain of attributes is a name that an import gave."""
    while isinstance(node, ast.Attribute):
        node = node.value
    return isinstance(node, ast.Name) and node.id in unit.names.modules
