"""Texts in code that are the address of a database, or SQL that opens one; prose about them is none."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from toriwork.codebase.constants import as_text
from toriwork.codebase.source import nodes_below
from toriwork.guard.drivers import DUCKDB_EXTENSIONS
from toriwork.guard.parsed_module import Hit, ParsedModule

#: what a call of this name is given is read by people, compared, or cut off
_TELLING = frozenset(
    "startswith endswith removeprefix removesuffix print warn warning info debug error exception critical log fail "
    "skip xfail add_argument ArgumentParser match fullmatch search count find index split partition".split()
)
_OF_RE = frozenset({"compile", "sub", "subn", "findall", "finditer"})
_CALLED = "scan|attach|query|execute|scan_pushdown"
_OPENS = re.compile(
    rf"""\b(?:install|load)\s+'?(?P<loaded>{"|".join(sorted(DUCKDB_EXTENSIONS))})\b'?\s*(?:;|\Z|from\b)
      | \b(?P<scanned>sqlite|postgres|mysql)_(?:{_CALLED})\s*\(""",
    re.IGNORECASE | re.VERBOSE,
)
#: what begins such SQL in a source, where it may go on behind a quote, and words of which each holds one
_OPENING = re.compile(
    rf"""\battach\b\s*(?:(?:or|replace|database|if|not|exists)\b\s*)*['"?$:{{%\\]
      | \b(?:install|load)\s+'?(?:{"|".join(sorted(DUCKDB_EXTENSIONS))})\b
      | \b(?:sqlite|postgres|mysql)_(?:{_CALLED})\s*\(""",
    re.IGNORECASE | re.VERBOSE,
)
OPENING = frozenset(
    spelled
    for word in (
        *("attach", "install", "load"),
        *(f"{kind}_{call}" for kind in ("sqlite", "postgres", "mysql") for call in _CALLED.split("|")),
    )
    for spelled in (word, word.upper(), word.title())
)
_ATTACH = re.compile(
    r"""\battach\s+(?:or\s+replace\s+)?(?:database\s+)?(?:if\s+not\s+exists\s+)?
        (?:'(?P<where>[^']*)'|\?|[$:]\w+|…)\s*(?P<named>(?:as\s+[\w"…]+)?\s*(?:\(|\Z))?""",
    re.IGNORECASE | re.VERBOSE,
)
_TYPE = re.compile(r"[(,]\s*type\s+'?(\w+)", re.IGNORECASE)
_KIND = re.compile(r"(\w{2,}):(?!//)|[^'?]+\.(db|db3|sqlite|sqlite3|duckdb|ddb|ducklake)\Z", re.IGNORECASE)
_OF_FILES = frozenset({"delta", "iceberg", "lance"})  # catalogs of plain files
#: the address of a file that DuckDB would make
OWN_FILE = re.compile(r"duckdb:///(?!:memory:)[\w./~%:-]+\Z")
#: what is in front of :// in addresses that open no database
_ELSEWHERE = ("http", "https", "file", "ftp")
_WORTHWHILE = ("jdbc:", "duck", "attach", "install ", "sqlite", "postgres", "mysql", "django", "dogpile", "cache.")
_KINDS = (ast.Expr, ast.Compare, ast.Raise, ast.Assert, ast.MatchValue, ast.Call)


def has_address(text: str) -> bool:
    """Tell if a text holds ``://`` behind anything but the usual schemes."""
    at = text.find("://")
    while at >= 0:
        if not text.endswith(_ELSEWHERE, 0, at):
            return True
        at = text.find("://", at + 3)
    return False


def opens(source: str) -> bool:
    """Tell if a source can hold SQL that opens a database: one of the words ``OPENING``, and what follows it there."""
    return _OPENING.search(source) is not None


def worthwhile(text: str) -> bool:
    """Tell if a source can hold an address or such SQL at all."""
    lowered = text.lower()
    return any(word in lowered for word in _WORTHWHILE) or has_address(lowered)


def text_hits(unit: ParsedModule) -> Iterator[Hit]:
    """Addresses and SQL in the texts of a unit."""
    constants = [node for node in unit.nodes.get(ast.Constant, ()) if _is_text(node)]
    telling = {id(node): node for node in constants if worthwhile(as_text(node.value) or "")}
    if not telling:
        return
    passed: set[int] = set()  # nodes that are prose, questions, or parts of a text that was looked at whole
    for kind in _KINDS:
        for node in unit.nodes.get(kind, ()):
            for prose in _prose(node):
                passed.update(map(id, nodes_below(prose)))
    made = [node for node in unit.nodes.get(ast.Call, ()) if _is_text(node)]
    for node in (*unit.nodes.get(ast.expr, ()), *made):  # parents come before their children
        if id(node) not in passed and _is_text(node):
            parts = list(map(id, nodes_below(node)))
            passed.update(parts)
            if not telling.keys().isdisjoint(parts):
                yield from _judged(unit, node)
    for at, node in telling.items():
        if at not in passed:
            yield from _judged(unit, node)


def _is_text(node: ast.AST) -> bool:
    while isinstance(node, ast.Call):
        if not isinstance(node.func, ast.Attribute) or node.func.attr not in ("format", "join"):
            return False
        node = node.func.value
    if isinstance(node, ast.Constant):
        return isinstance(node.value, str | bytes)
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod))


def _prose(node: ast.AST) -> list[ast.AST]:
    """The parts of a node whose texts name nothing that is opened."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant | ast.JoinedStr):
        return [node.value]
    if isinstance(node, ast.Compare):
        return [node.left, *node.comparators]
    if isinstance(node, ast.Raise | ast.Assert | ast.MatchValue):
        return [node]
    if isinstance(node, ast.Call):
        function = node.func
        end = function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")
        if end in _TELLING or (
            end in _OF_RE and getattr(getattr(function, "value", None), "id", "") in ("re", "regex")
        ):
            return [*node.args, *node.keywords]
    return []


def _judged(unit: ParsedModule, node: ast.expr) -> Iterator[Hit]:
    text = unit.names.constants.shape(node)
    if found := address_in(unit, text):
        yield Hit(node, "TWG105", f"address of a database ({found})", found)
    elif found := backend_in(unit, text):
        yield Hit(node, "TWG105", f"a database as a backend ({found})", found)
    elif OWN_FILE.match(text):
        yield Hit(node, "TWG106", "the address of a database of DuckDB", "duckdb")
    elif found := opened_by(text):
        yield Hit(node, "TWG106", f"SQL that opens a {found} database", found)


def opened_by(sql: str) -> str:
    """The kind of database that SQL for DuckDB opens, or ""."""
    for statement in sql.split(";") if "attach" in sql.lower() else ():
        attached = _ATTACH.search(statement)
        if attached and (kind := _attached(statement, attached)):
            return kind
    matched = _OPENS.search(sql)
    return (matched["loaded"] or matched["scanned"]).lower() if matched else ""


def _attached(statement: str, attached: re.Match[str]) -> str:
    where = attached["where"]
    if where is not None and where.lower().startswith(":memory:"):
        return ""
    if kind := _TYPE.search(statement, attached.end("where") if where is not None else attached.start()):
        return "" if kind[1].lower() in _OF_FILES else kind[1].lower()
    kind = _KIND.match(where or "")
    if kind and (kind[2] or kind[1].lower() in DUCKDB_EXTENSIONS):
        return (kind[2] or kind[1]).lower()
    return "duckdb" if attached["named"] and where != "" else ""


def address_in(unit: ParsedModule, text: str) -> str:
    """The scheme of a text that is the address of a database, or ""."""
    matched = unit.policy.address.match(text)
    return matched[1].lower() if matched else ""


def backend_in(unit: ParsedModule, text: str) -> str:
    """The database behind a backend that settings of Django and the like name, or ""."""
    matched = unit.policy.backend.match(text)
    return (matched[1] or matched["own"]) if matched else ""
