"""Python source to findings: parsed whole if that is possible, line by line if not."""

from __future__ import annotations

import ast
import io
import re
import tokenize
import unicodedata
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from toriwork.guard.calls import IMPORTER_ENDS, IMPORTERS, LOADER_ENDS, READ_ENDS, RUNNER_ENDS, STARTERS, call_hits
from toriwork.guard.names import Nodes
from toriwork.guard.policy import Policy
from toriwork.guard.texts import COMPOUND, has_address, text_hits, worthwhile
from toriwork.guard.unit import (
    MAX_NESTING,
    Hit,
    Unit,
    attribute_hits,
    import_from_hits,
    import_hits,
    subscript_hits,
    unit_of,
)

_NO_NODES = frozenset(
    "ctx op ops kind type_comment attr arg id name asname level module simple conversion is_async rest tag kwd_attrs "
    "type_ignores".split()
)
_RULES: dict[type[ast.AST], Callable[[Unit, Any], Iterator[Hit]]] = {
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
    | set(RUNNER_ENDS)
    | set(
        "importlib builtins __builtins__ __import__ __loader__ __spec__ __subclasses__ pkgutil runpy imp zipimport "
        "timeit duckdb to_sql ctypes cffi subprocess pexpect get_ipython sqlite_scan dogpile "
        "install_requires extras_require".split()
    )
) - {"run", "call", "locate", "ex", "exec", "system"}
#: for words that are common otherwise: what they have to stand in
_CLOSER: tuple[tuple[frozenset[str], re.Pattern[str]], ...] = (
    (frozenset({"exec"}), re.compile(r"(?<![.\w])exec\s*\(|[=(,\[:]\s*exec\b")),
    (frozenset({"system"}), re.compile(r"\bsystem\s*\(|[.=(,\[:'\"]\s*system\b|\bimport\b[^\n]*\bsystem\b")),
    (frozenset({"eval"}), re.compile(r"(?<![.\w])eval\s*\(|[=(,\[:]\s*eval\b")),
    (frozenset({"compile"}), re.compile(r"(?<![.\w])compile\s*\(|[=(,\[:]\s*compile\b")),
    (frozenset({"sys", "modules"}), re.compile(r"\bsys\b[^\n]*\bmodules\b")),
    (frozenset({"ATTACH"}), re.compile(r"ATTACH")),
)
#: fields that hold nodes; what is left out are names, operators, numbers
_CHILDREN: dict[type[Any], tuple[str, ...]] = {
    kind: tuple(name for name in kind._fields if name not in _NO_NODES)
    for kind in vars(ast).values()
    if isinstance(kind, type) and issubclass(kind, ast.AST) and kind not in (ast.Constant, ast.Global, ast.Nonlocal)
}
_STATEMENT = re.compile(r"\b(?:import|from)\b((?:[^\n\\]|\\\n)*)")
_WORDS = re.compile(r"\w+")
#: whatever is no part of a word becomes a blank
_BETWEEN = bytes(code if chr(code).isalnum() or chr(code) == "_" else 32 for code in range(256))
_HEAD = re.compile(r"\s*(?:lazy\s+)?(?:from\s+([\w.]+)\s+(?:lazy\s+)?import\b|import\s+(.+))")
_LONG_TEXT = re.compile(r"(\"\"\"|''')(?:\\.|(?!\1).)*?\1", re.DOTALL)


def words_of(source: str) -> set[str]:
    """Every word of a source, spelled as Python reads identifiers."""
    if source.isascii():
        return set(source.encode().translate(_BETWEEN).decode("ascii").split())
    return set(_WORDS.findall(unicodedata.normalize("NFKC", source)))


def is_suspect(source: str, words: set[str], policy: Policy) -> bool:
    """Whether a source can hold a finding at all: False spares the parser."""
    if not (policy.telling_tops.isdisjoint(words) and _SUSPECT.isdisjoint(words)):
        return True
    if any(needed <= words and closer.search(source) for needed, closer in _CLOSER) or has_address(source):
        return True
    plain = (policy.tops & words) - policy.telling_tops  # words that mean something else as well: only when imported
    return bool(plain) and any(plain & words_of(names) for names in _STATEMENT.findall(source))


def decoded(content: bytes) -> str:
    """The text of a source, by its coding line; bytes that this coding does not know become question marks."""
    try:
        encoding = tokenize.detect_encoding(io.BytesIO(content).readline)[0]
        return content.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except (SyntaxError, UnicodeError, LookupError):
        return content.decode("utf-8-sig", "replace").replace("\r\n", "\n").replace("\r", "\n")


def parsed(source: str) -> ast.Module | None:
    """The tree of a source, or None when it is no Python of this version."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an odd escape is the author's business
            return ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def nodes_of(trees: Iterable[ast.Module]) -> Nodes:
    """All nodes of some trees by their type, parents before children; under ``ast.expr`` texts that hold others."""
    waiting: list[Any] = list(trees)
    found: defaultdict[type[ast.AST], list[Any]] = defaultdict(list)
    for node in waiting:  # grows at its end: what ast.walk does, in half the time
        kind = node.__class__
        found[kind].append(node)
        if kind in COMPOUND:
            found[ast.expr].append(node)
        for name in _CHILDREN.get(kind, ()):
            value = getattr(node, name, None)
            if value.__class__ is list:
                waiting += value
            elif value is not None:
                waiting.append(value)
    return found


def hits_in(unit: Unit, source: str) -> list[Hit]:
    """Everything that the rules find in a unit; ``source`` tells whether texts are worth a look."""
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


def code_hits(unit: Unit, source: str) -> Iterator[Hit]:
    """Findings in code that a text holds; its names are those of the code around it no more."""
    if unit.nesting >= MAX_NESTING:
        return
    tree = parsed(source.strip()) or parsed(_dedented(source))
    trees = [tree] if tree else [salvaged(source)]
    yield from hits_in(unit_of(nodes_of(trees), unit.policy, unit.is_local, unit.nesting + 1), source)


def salvaged(source: str) -> ast.Module:
    """A tree of those lines of a broken source that are Python by themselves, at their own line numbers.

    Long texts count as blank; of an import that goes on in the next line the head is taken.
    """
    masked = _LONG_TEXT.sub(lambda text: re.sub(r"[^\n]", " ", text[0]), source)
    body: list[ast.stmt] = []
    for number, line in enumerate(masked.split("\n"), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        tree = parsed(line.strip()) or parsed(re.sub(r":\s*(#.*)?$", ": pass", line.strip())) or _head(line)
        if tree is not None:
            for statement in tree.body:
                ast.increment_lineno(statement, number - statement.lineno)
            body += tree.body
    return ast.Module(body=body, type_ignores=[])


def _head(line: str) -> ast.Module | None:
    matched = _HEAD.match(line)
    if matched is None:
        return None
    if matched[1]:
        return parsed(f"from {matched[1]} import unknown")
    named = matched[2].strip()
    return parsed(f"import {named}") or parsed("import " + re.split(r"[^\w.]", named)[0])


def _dedented(source: str) -> str:
    return "if True:\n" + source if source[:1] in (" ", "\t") else source
