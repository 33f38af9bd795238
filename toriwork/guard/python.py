"""Python source to findings: parsed whole if that is possible, line by line if not."""

from __future__ import annotations

import ast
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from toriwork.codebase.source import nodes_of, parsed, salvaged
from toriwork.codebase.time_limit import check_time
from toriwork.guard.calls import IMPORTER_ENDS, IMPORTERS, READ_ENDS, REQUIRING, STARTERS, call_hits
from toriwork.guard.drivers import DEFAULTS
from toriwork.guard.parsed_module import (
    MAX_NESTING,
    Hit,
    ParsedModule,
    attribute_hits,
    import_from_hits,
    import_hits,
    parsed_module,
)
from toriwork.guard.policy import Policy
from toriwork.guard.texts import OPENING, has_address, opens, text_hits, worthwhile

_RULES: dict[type[ast.AST], Callable[[ParsedModule, Any], Iterable[Hit]]] = {
    ast.Import: import_hits,
    ast.ImportFrom: import_from_hits,
    ast.Attribute: attribute_hits,
    ast.Call: lambda unit, node: call_hits(unit, node, code_hits),
}
#: words without which no source does anything that the rules look for, beside the names of modules, schemes, programs
_SUSPECT = frozenset(
    {name.rpartition(".")[2] for name in (*IMPORTERS, *STARTERS)}
    | IMPORTER_ENDS
    | READ_ENDS
    | REQUIRING
    | set("__builtins__ pkgutil runpy timeit to_sql subprocess dogpile".split())
) - {"run", "call", "system"}
#: words that are common otherwise count where they are called, handed on or imported: behind these signs, or before (
_CLOSER = {"system": frozenset(".=(,[:'\"\\"), **dict.fromkeys(("exec", "eval", "compile"), frozenset("=(,[:"))}
_CLOSELY = {word: re.compile(rf"{word}\b(\s*\()?") for word in _CLOSER}
#: words that count together; in one line
_TOGETHER = (frozenset({"importlib", "getattr"}), frozenset({"django", "backends"}))
_IN_ONE_LINE = (("import", "system"),)
#: a scheme, as a whole text or before its colon; no module of that name is a driver
_SQLITE = re.compile(r"sqlite[:'\"](?<![\w-]sqlite.)")
#: words that mean something else as well count where a module is imported, as `builtins` and `duckdb` do
_PLAIN = frozenset({*DEFAULTS, "builtins", "duckdb"})
_RUNNING = frozenset({"exec", "eval", "compile", "getattr"})  #: without them nobody needs `builtins`
_IMPORTED = re.compile(r"\bfrom[\s\\]+([\w.]+)[\s\\]+(?:lazy[\s\\]+)?import\b|\bimport\b((?:[^\n\\]|\\\n)*)")
_TOP = re.compile(r"(?<![\w.])\w+")  #: of a dotted name


def is_suspect(source: str, words: set[str], policy: Policy) -> bool:
    """Tell if a source can hold a finding at all: False spares the parser."""
    plain = words & (policy.plain_words | _PLAIN)
    if _RUNNING.isdisjoint(words):
        plain.discard("builtins")
    return (
        not (policy.telling_words.isdisjoint(words) and _SUSPECT.isdisjoint(words))
        or any(path <= words for path in (*policy.paths, *_TOGETHER))
        or has_address(source)
        or (not OPENING.isdisjoint(words) and opens(source))
        or any(word in words and _is_close(source, word) for word in _CLOSER)
        or ("sqlite" in words and _SQLITE.search(source) is not None)
        or any(one in words and other in words and _in_one_line(source, one, other) for one, other in _IN_ONE_LINE)
        or (bool(plain) and any(not plain.isdisjoint(_tops(found)) for found in _IMPORTED.finditer(source)))
    )


def _tops(found: re.Match[str]) -> list[str]:
    """Return the first parts of the modules that a statement imports, spelled as Python reads identifiers."""
    return [unicodedata.normalize("NFKC", top) for top in _TOP.findall(found[1] or found[2])]


def _is_close(source: str, word: str) -> bool:
    """Tell if a word stands where a use of it would; looking for the word first takes a tenth of the time."""
    for found in _CLOSELY[word].finditer(source):
        at = found.start() - 1
        before = source[at] if at >= 0 else "\n"
        if found[1] and not (before.isalnum() or before == "_" or (before == "." and word != "system")):
            return True
        while at >= 0 and source[at].isspace():
            at -= 1
        if at >= 0 and source[at] in _CLOSER[word]:
            return True
    return False


def _in_one_line(source: str, one: str, other: str) -> bool:
    return any(one in line and other in line for line in source.split("\n"))


def hits_in(unit: ParsedModule, source: str) -> Iterator[Hit]:
    """Yield everything that the rules find in a module; ``source`` tells if texts are worth a look."""
    for kind, rule in _RULES.items():
        for node in reversed(unit.nodes.get(kind, ())):  # parts first: what is known of them serves the whole
            try:
                for hit in rule(unit, node):
                    yield unit.told(hit)
            except RecursionError:
                yield _too_deep(node)
    if worthwhile(source):
        try:
            yield from text_hits(unit)
        except RecursionError:
            yield _too_deep(ast.Pass())


def _too_deep(node: ast.AST) -> Hit:
    return Hit(node, "TWG901", "nested too deeply to be followed", "code")


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
