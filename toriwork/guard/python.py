"""Python source to findings: parsed whole if that is possible, line by line if not."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

from toriwork.codebase.source import nodes_of, parsed, salvaged, words_of
from toriwork.guard.calls import IMPORTER_ENDS, IMPORTERS, LOADER_ENDS, READ_ENDS, STARTERS, call_hits
from toriwork.guard.parsed_module import (
    MAX_NESTING,
    Hit,
    ParsedModule,
    attribute_hits,
    import_from_hits,
    import_hits,
    parsed_module,
    subscript_hits,
)
from toriwork.guard.policy import Policy
from toriwork.guard.texts import has_address, text_hits, worthwhile

_RULES: dict[type[ast.AST], Callable[[ParsedModule, Any], Iterator[Hit]]] = {
    ast.Import: import_hits,
    ast.ImportFrom: import_from_hits,
    ast.Attribute: attribute_hits,
    ast.Subscript: subscript_hits,
    ast.Call: lambda unit, node: call_hits(unit, node, code_hits),
}
#: words without which no source does anything that the rules look for, beside the names of modules, schemes, programs
_SUSPECT = frozenset(
    {name.rpartition(".")[2] for name in (*IMPORTERS, *STARTERS)}
    | IMPORTER_ENDS
    | LOADER_ENDS
    | READ_ENDS
    | set(
        "importlib builtins __builtins__ __import__ pkgutil runpy timeit duckdb to_sql ctypes subprocess sqlite_scan "
        "dogpile install_requires extras_require".split()
    )
) - {"run", "call", "system"}
#: for words that are common otherwise: what they have to stand in
_CLOSER: tuple[tuple[frozenset[str], re.Pattern[str]], ...] = (
    (frozenset({"exec"}), re.compile(r"(?<![.\w])exec\s*\(|[=(,\[:]\s*exec\b")),
    (frozenset({"system"}), re.compile(r"\bsystem\s*\(|[.=(,\[:'\"]\s*system\b|\bimport\b[^\n]*\bsystem\b")),
    (frozenset({"eval"}), re.compile(r"(?<![.\w])eval\s*\(|[=(,\[:]\s*eval\b")),
    (frozenset({"compile"}), re.compile(r"(?<![.\w])compile\s*\(|[=(,\[:]\s*compile\b")),
    (frozenset({"sys", "modules"}), re.compile(r"\bsys\b[^\n]*\bmodules\b")),
    (frozenset({"ATTACH"}), re.compile(r"ATTACH")),
)
_STATEMENT = re.compile(r"\b(?:import|from)\b((?:[^\n\\]|\\\n)*)")


def is_suspect(source: str, words: set[str], policy: Policy) -> bool:
    """Tell if a source can hold a finding at all: False spares the parser."""
    if not (policy.telling_tops.isdisjoint(words) and _SUSPECT.isdisjoint(words)):
        return True
    if any(needed <= words and closer.search(source) for needed, closer in _CLOSER) or has_address(source):
        return True
    plain = (policy.tops & words) - policy.telling_tops  # words that mean something else as well: only when imported
    return bool(plain) and any(plain & words_of(names) for names in _STATEMENT.findall(source))


def hits_in(unit: ParsedModule, source: str) -> list[Hit]:
    """Return everything that the rules find in a module; ``source`` tells if texts are worth a look."""
    found: list[Hit] = []
    for kind, rule in _RULES.items():
        for node in unit.nodes.get(kind, ()):
            try:
                found += rule(unit, node)
            except RecursionError:
                found.append(Hit(node, "TWG901", "nested too deeply to be followed", "code"))
    if worthwhile(source):
        found += text_hits(unit)
    return found


def code_hits(unit: ParsedModule, source: str) -> Iterator[Hit]:
    """Yield findings in code that a text holds; its names are those of the code around it no more."""
    if unit.nesting >= MAX_NESTING:
        return
    tree = parsed(source.strip()) or parsed(_dedented(source))
    trees = [tree] if tree else [salvaged(source)]
    yield from hits_in(parsed_module(nodes_of(trees), unit.policy, unit.is_local, unit.nesting + 1), source)


def _dedented(source: str) -> str:
    return "if True:\n" + source if source[:1] in (" ", "\t") else source
