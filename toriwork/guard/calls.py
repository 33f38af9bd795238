"""Calls that import, run code, start programs or open connections."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from toriwork.codebase.constants import MAX_VALUES, as_text
from toriwork.codebase.syntax import last_name
from toriwork.guard.drivers import DEFAULTS, DUCKDB_EXTENSIONS, OPENERS, SQL_EXTENSIONS
from toriwork.guard.parsed_module import Hit, ParsedModule
from toriwork.guard.shell import Started, started_by, started_by_line

#: functions that import what their first argument names; the value names that argument as a keyword
IMPORTERS = {
    "importlib.import_module": "name",
    "importlib.__import__": "name",
    "builtins.__import__": "name",
    "importlib.util.find_spec": "name",
    "importlib.find_loader": "name",
    "pkgutil.find_loader": "fullname",
    "pkgutil.get_loader": "module_or_name",
    "pkgutil.resolve_name": "name",
    "runpy.run_module": "mod_name",
    "pytest.importorskip": "modname",
}
#: the same by the last name alone, whosever function it is; only a banned name counts
IMPORTER_ENDS = frozenset(
    "import_module importorskip import_string find_spec find_loader load_module resolve_name run_module __import__ "
    "import_optional_dependency lazy_import LazyLoader LazyImport try_import optional_import "
    "spec_from_file_location SourceFileLoader run_path".split()
)
#: functions that run the code of a text: which arguments hold it
RUNNERS = {
    "builtins.exec": (0,),
    "builtins.eval": (0,),
    "builtins.compile": (0,),
    "timeit.timeit": (0, 1),
    "timeit.repeat": (0, 1),
    "timeit.Timer": (0, 1),
}
RUNNER_KEYWORDS = frozenset({"source", "stmt", "setup"})
#: functions that start a program: "argv" in one argument, or "spread" over arguments behind ``n`` others
STARTERS = {
    **{f"subprocess.{name}": ("argv", 0) for name in ("run", "call", "check_call", "check_output", "Popen")},
    **{f"subprocess.{name}": ("argv", 0) for name in ("getoutput", "getstatusoutput")},
    **{f"os.{name}": ("argv", 0) for name in ("system", "popen")},
    **{f"os.exec{end}": ("spread", 0) for end in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")},
    **{f"os.spawn{end}": ("spread", 1) for end in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")},
    "asyncio.create_subprocess_exec": ("spread", 0),
    "asyncio.create_subprocess_shell": ("argv", 0),
}
_READS_FILES = re.compile(
    r"duckdb|['\"][^'\"]*\.(?:parquet|csv|json|arrow|feather)\b|read_(?:parquet|csv|json)", re.IGNORECASE
)
READ_ENDS = frozenset({"read_sql", "read_sql_query", "read_sql_table", "read_database", "read_database_uri"})
_READERS = frozenset({"pandas", "polars", "dask", "geopandas", "modin", "pd", "pl", "gpd", "dd"})
REQUIRING = frozenset({"install_requires", "setup_requires", "tests_require", "extras_require"})
#: last names without which a call does nothing of what is looked for here
WATCHED_ENDS = (
    frozenset(name.rpartition(".")[2] for name in (*IMPORTERS, *RUNNERS, *STARTERS))
    | IMPORTER_ENDS
    | READ_ENDS
    | {name.rpartition(".")[2] for name in OPENERS}
    | {"to_sql", "connect", "setup", "load_extension", "install_extension"}
)
CodeHits = Callable[[ParsedModule, str], Iterator[Hit]]


def call_hits(unit: ParsedModule, node: ast.Call, code_hits: CodeHits) -> Iterable[Hit]:
    """Everything that one call does; ``code_hits`` judges code that it carries as a text."""
    names = unit.names.qualify(node.func)
    end = last_name(node.func)
    ends = {end, *[name.rpartition(".")[2] for name in names]}
    if WATCHED_ENDS.isdisjoint(ends):
        return ()  # as nine of ten calls
    return _call_hits(unit, node, names, end, ends, code_hits)


def _call_hits(
    unit: ParsedModule, node: ast.Call, names: set[str], end: str, ends: set[str], code_hits: CodeHits
) -> Iterator[Hit]:
    yield from _imported(unit, node, names, ends)
    yield from _run(unit, node, names, end, code_hits)
    yield from _started(unit, node, names, code_hits)
    yield from _connected(unit, node, names, ends)
    yield from _opened(unit, node, names, end)
    if end == "setup":
        yield from _required(unit, node)


def _imported(unit: ParsedModule, node: ast.Call, names: set[str], ends: set[str]) -> Iterator[Hit]:
    known = names & IMPORTERS.keys()
    if not known and not ends & IMPORTER_ENDS:
        return
    keywords = {IMPORTERS[name] for name in known} | {"name", "package", None}
    given = [*node.args[:2], *(keyword.value for keyword in node.keywords if keyword.arg in keywords)]
    named = [text for argument in given for text in _texts(unit, argument)]
    for text in named:
        if found := _module_in(unit, text):
            how = "looked up" if ends & {"find_spec", "find_loader"} else "imported"
            yield Hit(node, "TWG102", f"{text} {how} by its name ({unit.policy.modules[found]})", found)
            return
    if known and given and not (named and _is_settled(unit, given[0])):
        yield Hit(node, "TWG901", f"{min(known)} of a name that is only known at run time", "import")


def _is_settled(unit: ParsedModule, argument: ast.expr) -> bool:
    """Tell if every value of an argument is known, as far as this module binds it: an environment has others."""
    parts = unit.names.bound_to(argument.id) if isinstance(argument, ast.Name) else [argument]
    if any(not _texts(unit, part) for part in parts[:MAX_VALUES]):
        return False
    calls = [node for part in parts for node in ast.walk(part) if isinstance(node, ast.Call)]
    return not any(unit.names.qualify(call.func) & {"os.getenv", "os.environ.get"} for call in calls)


def _texts(unit: ParsedModule, argument: ast.expr) -> list[str]:
    """Return the texts of an argument; of ``*args`` those inside."""
    inner: list[Any] = []
    for value in unit.names.constants.values(argument.value if isinstance(argument, ast.Starred) else argument):
        inner += value if isinstance(value, list | tuple) else [value]
    return [text for value in inner if (text := as_text(value)) is not None]


def _module_in(unit: ParsedModule, text: str) -> str:
    """Return the banned module that ``sqlite3.dump``, ``sqlite3:connect`` or the path of its file names."""
    if found := unit.banned(text.split(":", maxsplit=1)[0].strip()):
        return found
    if "/" in text or "\\" in text:
        parts = [re.sub(r"\..*", "", part) for part in re.split(r"[/\\]", text)]
        return next((part for part in parts if part in unit.policy.telling), "")
    return ""


def _run(unit: ParsedModule, node: ast.Call, names: set[str], end: str, code_hits: CodeHits) -> Iterator[Hit]:
    known = names & RUNNERS.keys()
    if not known:
        return
    given = [node.args[place] for place in RUNNERS[min(known)] if place < len(node.args)]
    given += [keyword.value for keyword in node.keywords if keyword.arg in RUNNER_KEYWORDS]
    for argument in given:
        texts = unit.names.constants.texts(argument)
        for text in texts:
            for hit in code_hits(unit, text):
                yield Hit(node, _inside(hit.code), f"code in a string: {hit.message}", hit.what)
        is_code = isinstance(argument, ast.Call) and "builtins.compile" in unit.names.qualify(argument.func)
        if not texts and not is_code and min(known).startswith("builtins."):
            yield Hit(node, "TWG901", f"{end or 'code'} of a text that is only known at run time", "code")


def _inside(code: str) -> str:
    return "TWG103" if code.startswith("TWG1") else code


def _started(unit: ParsedModule, node: ast.Call, names: set[str], code_hits: CodeHits) -> Iterator[Hit]:
    known = names & STARTERS.keys()
    if not known:
        return
    kind, skip = STARTERS[min(known)]
    given = [*node.args[skip:], *(keyword.value for keyword in node.keywords if keyword.arg in ("args", "cmd"))]
    words = _words(unit, given if kind == "spread" else given[:1])
    started = started_by_line(words[0], unit.policy) if len(words) == 1 else started_by(words, unit.policy)
    yield from started_hits(unit, node, started, code_hits)


def magic_hits(node: ast.AST, name: str, rest: str) -> Iterator[Hit]:
    """Yield what ``%load_ext sql`` brings; ``%sql`` of a query, unless it reads files with DuckDB."""
    if name in ("load_ext", "reload_ext") and rest.strip() in SQL_EXTENSIONS:
        yield Hit(node, "TWG102", f"%{name} {rest.strip()} brings SQLAlchemy", "sqlalchemy")
    elif name in ("sql", "sqlite", "sqlcmd") and not _READS_FILES.search(rest):
        yield Hit(node, "TWG109", f"%{name} asks a database", "sql")


def started_hits(unit: ParsedModule, node: ast.AST, started: Iterator[Started], code_hits: CodeHits) -> Iterator[Hit]:
    """Yield findings for what command lines start."""
    for one in started:
        if one.kind == "program":
            yield Hit(node, "TWG107", f"the program {one.what} is started", one.what)
        elif one.kind == "image":
            yield Hit(node, "TWG107", f"a container of {one.what} is started", one.what)
        elif one.kind == "package":
            yield Hit(node, "TWG301", f"{one.what} is installed", one.what)
        elif one.kind == "module":
            yield Hit(node, "TWG102", f"python -m {one.what}", one.what)
        else:
            for hit in code_hits(unit, one.what):
                yield Hit(node, _inside(hit.code), f"code for another Python: {hit.message}", hit.what)


def _words(unit: ParsedModule, given: list[ast.expr]) -> list[str]:
    """Return the words of a command, ``…`` for those that are not known."""
    words: list[str] = []
    for argument in given:
        if isinstance(argument, ast.List | ast.Tuple):
            words += _words(unit, argument.elts)
            continue
        lists = [value for value in unit.names.constants.values(argument)[:1] if isinstance(value, list | tuple)]
        words += [str(part) for part in lists[0]] if lists else [unit.names.constants.shape(argument)]
    return words


def _connected(unit: ParsedModule, node: ast.Call, names: set[str], ends: set[str]) -> Iterator[Hit]:
    keywords = {keyword.arg for keyword in node.keywords}
    root = node.func.value.id if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) else ""
    if ends & READ_ENDS and ({name.split(".")[0] for name in names} | ({root} if not names else set())) & _READERS:
        yield Hit(node, "TWG109", f"{min(ends & READ_ENDS)} reads from a database connection", min(ends & READ_ENDS))
    elif "to_sql" in ends and ({"con", "uri", "if_exists"} & keywords or (len(node.args) > 1 and not names)):
        yield Hit(node, "TWG109", "to_sql writes to a database connection", "to_sql")
    elif "duckdb.connect" in names:
        given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "database")]
        for text in (text for argument in given for text in unit.names.constants.texts(argument)):
            if text and not text.startswith((":memory:", ":default:")):
                yield Hit(node, "TWG106", f"DuckDB opens a database of its own ({text})", "duckdb")
                return


def _opened(unit: ParsedModule, node: ast.Call, names: set[str], end: str) -> Iterator[Hit]:
    """Yield what opens a database by default, or through an extension of DuckDB."""
    given = {keyword.arg for keyword in node.keywords}
    for name in sorted(names & OPENERS.keys()):
        default = DEFAULTS[OPENERS[name]]
        if given.isdisjoint(default.keywords.split()):
            yield Hit(node, "TWG110", f"{name} opens a database: {default.reason}", OPENERS[name])
            return
    if end in ("load_extension", "install_extension") and "duckdb" in unit.names.tops and node.args:
        for text in unit.names.constants.texts(node.args[0]):
            if text in DUCKDB_EXTENSIONS:
                yield Hit(node, "TWG106", f"DuckDB loads its extension for {text}", text)


def _required(unit: ParsedModule, node: ast.Call) -> Iterator[Hit]:
    """Yield the drivers that ``setup(install_requires=[...])`` asks for."""
    for name, value in _keywords(unit, node):
        if name in REQUIRING:
            found = map(unit.policy.driver, _texts_below(unit, value, set()))
            for package in dict.fromkeys(filter(None, found)):
                yield Hit(value, "TWG301", f"{package} is required", package)


def _keywords(unit: ParsedModule, node: ast.Call) -> Iterator[tuple[str, ast.expr]]:
    """Yield names and values of arguments, those in a dictionary behind ``**`` included."""
    for keyword in node.keywords:
        if keyword.arg:
            yield keyword.arg, keyword.value
            continue
        wholes = unit.names.bound_to(keyword.value.id) if isinstance(keyword.value, ast.Name) else [keyword.value]
        for whole in wholes:
            if isinstance(whole, ast.Dict):
                for key, value in zip(whole.keys, whole.values, strict=True):
                    yield from ((name, value) for name in unit.names.constants.texts(key))
            elif isinstance(whole, ast.Call):
                yield from ((inner.arg, inner.value) for inner in whole.keywords if inner.arg)


def _texts_below(unit: ParsedModule, value: ast.expr, seen: set[str]) -> Iterator[str]:
    """Yield the texts in an expression and in what its names stand for."""
    for part in ast.walk(value):
        if isinstance(part, ast.Constant) and isinstance(part.value, str):
            yield part.value
        elif isinstance(part, ast.Name) and part.id not in seen:
            seen.add(part.id)
            for bound in unit.names.bound_to(part.id):
                yield from _texts_below(unit, bound, seen)
