"""Python source to findings: parsed whole if that is possible, line by line if not."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

from toriwork.codebase.source import nodes_of, parsed, salvaged, words_of
from toriwork.codebase.time_limit import check_time
from toriwork.guard.calls import IMPORTER_ENDS, IMPORTERS, LOADER_ENDS, READ_ENDS, STARTERS, call_hits
from toriwork.guard.drivers import DEFAULTS
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
        "dogpile backends lancedb install_requires extras_require".split()
    )
) - {"run", "call", "system"}
#: words that are common otherwise count where they are called, handed on or imported
_CLOSER = {
    "system": re.compile(r"[.=(,\[:'\"]\s*system\b|\bsystem\s*\("),
    **{word: re.compile(rf"(?<![.\w]){word}\s*\(|[=(,\[:]\s*{word}\b") for word in ("exec", "eval", "compile")},
}
#: words that count in one line
_TOGETHER = (("sys", "modules"), ("import", "system"))
_STATEMENT = re.compile(r"\b(?:import|from)\b((?:[^\n\\]|\\\n)*)")


def is_suspect(source: str, words: set[str], policy: Policy) -> bool:
    """Tell if a source can hold a finding at all: False spares the parser."""
    if not (policy.telling_words.isdisjoint(words) and _SUSPECT.isdisjoint(words)):
        return True
    if any(path <= words for path in policy.paths):
        return True
    if "ATTACH" in words or has_address(source):
        return True
    if any(word in words and closer.search(source) for word, closer in _CLOSER.items()):
        return True
    if any(one in words and other in words and _in_one_line(source, one, other) for one, other in _TOGETHER):
        return True
    # words that mean something else as well: only when imported
    plain = words & (policy.plain_words | DEFAULTS.keys() | {"nox"})
    return bool(plain) and any(plain & words_of(names) for names in _STATEMENT.findall(source))


def _in_one_line(source: str, one: str, other: str) -> bool:
    return any(one in line and other in line for line in source.split("\n"))


def hits_in(unit: ParsedModule, source: str) -> Iterator[Hit]:
    """Yield everything that the rules find in a module; ``source`` tells if texts are worth a look."""
    for kind, rule in _RULES.items():
        for node in reversed(unit.nodes.get(kind, ())):  # parts first: what is known of them serves the whole
            yield from map(unit.told, _hits_of(node, rule(unit, node)))
    if worthwhile(source):
        yield from _hits_of(ast.Pass(), text_hits(unit))


def _hits_of(node: ast.AST, hits: Iterator[Hit]) -> Iterator[Hit]:
    try:
        yield from hits
    except RecursionError:
        yield Hit(node, "TWG901", "nested too deeply to be followed", "code")


def code_hits(unit: ParsedModule, source: str) -> Iterator[Hit]:
    """Yield findings in code that a text holds; its names are those of the code around it no more."""
    if unit.nesting >= MAX_NESTING:
        return
    if source not in unit.looked_at:
        check_time()
        tree = parsed(source.strip()) or parsed(_dedented(source)) or salvaged(source)
        inner = parsed_module(nodes_of([tree]), unit.policy, unit.is_local, unit.nesting + 1)
        unit.looked_at[source] = list(hits_in(inner, source))
    yield from unit.looked_at[source]


def _dedented(source: str) -> str:
    return "if True:\n" + source if source[:1] in (" ", "\t") else source
