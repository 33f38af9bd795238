"""Calls that import, run code, start programs, load libraries or open connections."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator
from typing import Any

from toriwork.codebase.constants import MAX_VALUES
from toriwork.codebase.operations import as_text
from toriwork.codebase.syntax import last_name
from toriwork.guard.parsed_module import Hit, Unit, library_in
from toriwork.guard.policy import SQL_EXTENSIONS
from toriwork.guard.shell import Started, started_by, started_by_line

#: functions that import what their first argument names; the value names that argument as a keyword
IMPORTERS = {
    "importlib.import_module": "name",
    "importlib.__import__": "name",
    "builtins.__import__": "name",
    "importlib.util.find_spec": "name",
    "importlib.find_loader": "name",
    "importlib._bootstrap._gcd_import": "name",
    "pkgutil.find_loader": "fullname",
    "pkgutil.get_loader": "module_or_name",
    "pkgutil.resolve_name": "name",
    "runpy.run_module": "mod_name",
    "pytest.importorskip": "modname",
    "pydoc.locate": "path",
    "imp.load_module": "name",
    "imp.find_module": "name",
    "lazy_loader.load": "fullname",
}
#: the same by the last name alone, whosever method it is; only a banned name counts
IMPORTER_ENDS = frozenset(
    "import_module importorskip import_string import_object find_spec find_loader load_module resolve_name run_module "
    "_gcd_import _find_and_load import_optional_dependency lazy_import LazyLoader LazyImport try_import "
    "optional_import __import__ ExtensionFileLoader spec_from_file_location SourceFileLoader create_dynamic "
    "run_path EntryPoint import_from_string import_attribute locate_class".split()
)
#: functions that run the code of a text: which arguments hold it
RUNNERS = {
    "builtins.exec": (0,),
    "builtins.eval": (0,),
    "builtins.compile": (0,),
    "timeit.timeit": (0, 1),
    "timeit.repeat": (0, 1),
    "timeit.Timer": (0, 1),
    **{f"{module}.{name}": (0,) for module in ("cProfile", "profile", "pdb") for name in ("run", "runctx", "runeval")},
}
RUNNER_KEYWORDS = frozenset({"source", "stmt", "setup", "expression"})
RUNNER_ENDS = {
    **dict.fromkeys(("run_cell", "run_cell_async", "run_code", "runcode", "runsource", "ex"), (0,)),
    **dict.fromkeys(("exec", "run_string", "run_simple_string"), (0, 1)),
}
#: functions that start a program: "argv" in one argument, "line" of shell, "spread" over arguments behind ``n`` others
STARTERS = {
    **{f"subprocess.{name}": ("argv", 0) for name in ("run", "call", "check_call", "check_output", "Popen")},
    **{f"subprocess.{name}": ("argv", 0) for name in ("getoutput", "getstatusoutput")},
    **{f"os.{name}": ("argv", 0) for name in ("system", "popen")},
    **{f"os.exec{end}": ("spread", 0) for end in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")},
    **{f"os.spawn{end}": ("spread", 1) for end in ("l", "le", "lp", "lpe", "v", "ve", "vp", "vpe")},
    "os.posix_spawn": ("spread", 0),
    "os.posix_spawnp": ("spread", 0),
    "os.startfile": ("argv", 0),
    "asyncio.create_subprocess_exec": ("spread", 0),
    "asyncio.create_subprocess_shell": ("argv", 0),
    "asyncio.subprocess.create_subprocess_exec": ("spread", 0),
    "pty.spawn": ("argv", 0),
    "pexpect.spawn": ("argv", 0),
    "pexpect.run": ("argv", 0),
}
_OF_IPYTHON = frozenset({"system", "getoutput", "run_line_magic", "run_cell_magic", "magic"})
_READS_FILES = re.compile(
    r"duckdb|['\"][^'\"]*\.(?:parquet|csv|json|arrow|feather)\b|read_(?:parquet|csv|json)", re.IGNORECASE
)
_RUNNING = frozenset({"run", "sudo", "local"})
_PYTHON = re.compile(r"(?:\S*/)?(?:python|pypy)[\d.]*\s*-?\s*\Z")
LOADER_ENDS = frozenset({"CDLL", "PyDLL", "WinDLL", "OleDLL", "LoadLibrary", "find_library", "dlopen", "load_library"})
READ_ENDS = frozenset(
    {"read_sql", "read_sql_query", "read_sql_table", "read_postgis", "read_database", "read_database_uri"}
)
_READERS = frozenset({"pandas", "polars", "dask", "geopandas", "modin", "pd", "pl", "gpd", "dd"})
INSTALLERS = frozenset({"install", "conda_install", "run_install"})
REQUIRING = frozenset({"install_requires", "setup_requires", "tests_require", "extras_require"})

_HANDED = frozenset(IMPORTERS) | RUNNERS.keys()
#: last names, and keywords, without which a call does nothing of what is looked for here
WATCHED_ENDS = (
    frozenset(name.rpartition(".")[2] for name in (*IMPORTERS, *RUNNERS, *STARTERS))
    | IMPORTER_ENDS
    | RUNNER_ENDS.keys()
    | LOADER_ENDS
    | READ_ENDS
    | INSTALLERS
    | _OF_IPYTHON
    | _RUNNING
    | frozenset("get pop methodcaller to_sql write_database install_extension load_extension connect setup".split())
)
_KEYWORDS = frozenset({"backend", "libraries"})
CodeHits = Callable[[Unit, str], Iterator[Hit]]


def call_hits(unit: Unit, node: ast.Call, code_hits: CodeHits) -> Iterator[Hit]:
    """Everything that one call does; ``code_hits`` judges code that it carries as a text."""
    names = unit.names.qualify(node.func)
    end = last_name(node.func)
    ends = {end, *(name.rpartition(".")[2] for name in names)}
    if (
        WATCHED_ENDS.isdisjoint(ends)
        and not unit.hands_on
        and _KEYWORDS.isdisjoint(keyword.arg for keyword in node.keywords)
    ):
        return  # as nine of ten calls
    yield from _imported(unit, node, names, end)
    yield from _handed_on(unit, node, code_hits)
    yield from _run(unit, node, names, end, code_hits)
    yield from _started(unit, node, names, end, code_hits)
    yield from _loaded(unit, node, names, end)
    yield from _connected(unit, node, names, end)
    yield from _installed(unit, node, end)
    if end == "setup":
        yield from _required(unit, node)


def _imported(unit: Unit, node: ast.Call, names: set[str], end: str) -> Iterator[Hit]:
    known = names & IMPORTERS.keys()
    ends = {name.rpartition(".")[2] for name in names} | {end}
    if not known and not ends & IMPORTER_ENDS and not ("sys.modules.get" in names or "sys.modules.pop" in names):
        return
    keywords = {IMPORTERS[name] for name in known} | {"name", "fullname", "package", "value", None}
    given = [*node.args[:2], *(keyword.value for keyword in node.keywords if keyword.arg in keywords)]
    named = [text for argument in given for text in _texts(unit, argument)]
    for text in named:
        if found := _module_in(unit, text):
            how = "looked up" if ends & {"find_spec", "find_loader"} else "imported"
            yield Hit(node, "TWG102", f"{text} {how} by its name ({unit.policy.modules[found]})", found)
            return
    if known and given and not (named and _is_settled(unit, given[0])):
        unit.unknown.append(node)
        yield Hit(node, "TWG901", f"{min(known)} of a name that is only known at run time", "import")


def _is_settled(unit: Unit, argument: ast.expr) -> bool:
    """Whether every value of an argument is known, as far as this module binds it: an environment has others."""
    parts = unit.names.bound_to(argument.id) if isinstance(argument, ast.Name) else [argument]
    if any(not _texts(unit, part) for part in parts[:MAX_VALUES]):
        return False
    calls = [node for part in parts for node in ast.walk(part) if isinstance(node, ast.Call)]
    return not any(unit.names.qualify(call.func) & {"os.getenv", "os.environ.get"} for call in calls)


def _texts(unit: Unit, argument: ast.expr) -> list[str]:
    """The texts of an argument; of ``*args`` and ``**options`` those inside."""
    if isinstance(argument, ast.Starred):
        argument = argument.value
    inner: list[Any] = []
    for value in unit.names.folder.values(argument):
        inner += value.values() if isinstance(value, dict) else value if isinstance(value, list | tuple) else [value]
    return [text for value in inner if (text := as_text(value)) is not None]


def _module_in(unit: Unit, text: str) -> str:
    """The banned module that ``sqlite3.dump``, ``sqlite3:connect`` or the path of its file names."""
    if found := unit.banned(text.split(":", maxsplit=1)[0].strip()):
        return found
    if "/" in text or "\\" in text:
        parts = [re.sub(r"\..*", "", part) for part in re.split(r"[/\\]", text)]
        return next((part for part in parts if part in unit.policy.telling), "")
    return ""


def _handed_on(unit: Unit, node: ast.Call, code_hits: CodeHits) -> Iterator[Hit]:
    """``map(import_module, [...])``, ``partial(__import__, "...")``, ``submit(exec, "...")``."""
    if not unit.hands_on:
        return
    arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
    functions = [argument for argument in arguments[:2] if isinstance(argument, ast.Name | ast.Attribute | ast.Call)]
    known = {name for function in functions for name in unit.names.qualify(function)} & _HANDED
    if not known and not _calls_method(unit, node):
        return
    for text in (text for argument in arguments for text in _texts(unit, argument)):
        if found := unit.banned(text):
            yield Hit(node, "TWG102", f"{text} imported by its name ({unit.policy.modules[found]})", found)
            return
        if known & RUNNERS.keys():
            for hit in code_hits(unit, text):
                yield Hit(node, _inside(hit.code), f"code in a string: {hit.message}", hit.what)


def _calls_method(unit: Unit, node: ast.Call) -> bool:
    """``operator.methodcaller("import_module", ...)``."""
    if "operator.methodcaller" not in unit.names.qualify(node.func):
        return False
    return any(text in IMPORTER_ENDS for argument in node.args[:1] for text in _texts(unit, argument))


def _run(unit: Unit, node: ast.Call, names: set[str], end: str, code_hits: CodeHits) -> Iterator[Hit]:
    known = names & RUNNERS.keys()
    places = RUNNERS[min(known)] if known else RUNNER_ENDS.get(end, ())
    if not places:
        return
    given = [node.args[place] for place in places if place < len(node.args)]
    given += [keyword.value for keyword in node.keywords if keyword.arg in RUNNER_KEYWORDS]
    for argument in given:
        texts = unit.names.folder.texts(argument)
        for text in texts:
            for hit in code_hits(unit, text):
                yield Hit(node, _inside(hit.code), f"code in a string: {hit.message}", hit.what)
        is_code = isinstance(argument, ast.Call) and "builtins.compile" in unit.names.qualify(argument.func)
        if known and not texts and not is_code and min(known).startswith("builtins."):
            unit.unknown.append(node)
            yield Hit(node, "TWG901", f"{end or 'code'} of a text that is only known at run time", "code")


def _inside(code: str) -> str:
    return "TWG103" if code.startswith("TWG1") else code


def _started(unit: Unit, node: ast.Call, names: set[str], end: str, code_hits: CodeHits) -> Iterator[Hit]:
    known = names & STARTERS.keys()
    if known:
        kind, skip = STARTERS[min(known)]
        given = [*node.args[skip:], *(k.value for k in node.keywords if k.arg in ("args", "cmd", "command"))]
        words = _words(unit, given if kind == "spread" else given[:1])
        if words[:1] == ["…"]:
            unit.unknown.append(node)
    elif end in _OF_IPYTHON and "get_ipython" in ast.dump(node.func):
        words = [unit.names.folder.shape(argument) for argument in node.args]
        if end.endswith("magic"):
            words = " ".join(words).split(maxsplit=1) or [""]
            yield from magic_hits(node, words[0], " ".join(words[1:]))
            words = words[1:]
        else:
            words = [" ".join(words)]
    elif end in _RUNNING and node.args:  # of invoke, fabric, nox: a word alone may be anything
        words = [text for text in unit.names.folder.texts(node.args[0])[:1] if " " in text.strip()]
    else:
        return
    if (typed := _typed_in(unit, node)) and _PYTHON.match(" ".join(words[:1])):
        started: Iterator[Started] = iter([Started("code", typed)])
    elif len(words) == 1:
        started = started_by_line(words[0], unit.policy)
    else:
        started = started_by(words, unit.policy)
    yield from started_hits(unit, node, started, code_hits)


def _typed_in(unit: Unit, node: ast.Call) -> str:
    """``input="..."``."""
    given = [keyword.value for keyword in node.keywords if keyword.arg == "input"]
    return next((text for argument in given for text in unit.names.folder.texts(argument)), "")


def magic_hits(node: ast.AST, name: str, rest: str) -> Iterator[Hit]:
    """``%load_ext sql``; ``%sql`` of a query, unless it reads files with DuckDB."""
    if name in ("load_ext", "reload_ext") and rest.strip() in SQL_EXTENSIONS:
        yield Hit(node, "TWG102", f"%{name} {rest.strip()} brings SQLAlchemy", "sqlalchemy")
    elif name in ("sql", "sqlite", "sqlcmd") and not _READS_FILES.search(rest):
        yield Hit(node, "TWG109", f"%{name} asks a database", "sql")


def started_hits(unit: Unit, node: ast.AST, started: Iterator[Started], code_hits: CodeHits) -> Iterator[Hit]:
    """Findings for what command lines start."""
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


def _words(unit: Unit, given: list[ast.expr]) -> list[str]:
    """The words of a command, ``…`` for those that are not known."""
    words: list[str] = []
    for argument in given:
        if isinstance(argument, ast.List | ast.Tuple):
            words += _words(unit, argument.elts)
            continue
        for value in unit.names.folder.values(argument)[:1]:
            if isinstance(value, list | tuple):
                words += [str(part) for part in value]
                break
        else:
            words.append(unit.names.folder.shape(argument))
    return words


def _loaded(unit: Unit, node: ast.Call, names: set[str], end: str) -> Iterator[Hit]:
    if not LOADER_ENDS & ({name.rpartition(".")[2] for name in names} | {end}):
        return
    for argument in [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "name")]:
        for text in unit.names.folder.texts(argument):
            if found := library_in(unit, text):
                yield Hit(node, "TWG108", f"the library {text} is loaded", found)
                return


def _connected(unit: Unit, node: ast.Call, names: set[str], end: str) -> Iterator[Hit]:
    keywords = {keyword.arg for keyword in node.keywords}
    ends = {name.rpartition(".")[2] for name in names} | {end}
    root = node.func.value.id if isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name) else ""
    if ends & READ_ENDS and ({name.split(".")[0] for name in names} | ({root} if not names else set())) & _READERS:
        yield Hit(node, "TWG109", f"{min(ends & READ_ENDS)} reads from a database connection", min(ends & READ_ENDS))
    elif end == "to_sql" and ({"con", "uri", "if_exists"} & keywords or (len(node.args) > 1 and not names)):
        yield Hit(node, "TWG109", "to_sql writes to a database connection", end)
    elif end == "write_database" and (node.args or "table_name" in keywords):
        yield Hit(node, "TWG109", "write_database writes to a database connection", end)
    elif end in ("install_extension", "load_extension") and node.args:
        for text in unit.names.folder.texts(node.args[0]):
            if re.match(r"(sqlite|postgres|mysql)", text.lower()):
                yield Hit(node, "TWG106", f"DuckDB loads its {text} extension", text.lower())
    elif "duckdb.connect" in names:
        given = [*node.args[:1], *(keyword.value for keyword in node.keywords if keyword.arg == "database")]
        for text in (text for argument in given for text in unit.names.folder.texts(argument)):
            if text and not text.startswith(":"):
                yield Hit(node, "TWG106", f"DuckDB opens a database of its own ({text})", "duckdb")
                return
    for keyword in node.keywords:
        if keyword.arg == "backend" and set(unit.names.folder.texts(keyword.value)) & unit.policy.schemes:
            yield Hit(node, "TWG109", "a backend that is a database", min(unit.names.folder.texts(keyword.value)))


def _installed(unit: Unit, node: ast.Call, end: str) -> Iterator[Hit]:
    """``session.install("psycopg2")`` of nox; ``libraries=["sqlite3"]`` of an extension in C."""
    if end in INSTALLERS and isinstance(node.func, ast.Attribute):
        for text in (text for argument in node.args for text in _texts(unit, argument)):
            if package := unit.policy.driver(text):
                yield Hit(node, "TWG301", f"{package} is installed", package)
    for keyword in node.keywords:
        if keyword.arg == "libraries":
            for text in _texts(unit, keyword.value):
                if found := library_in(unit, text):
                    yield Hit(node, "TWG108", f"the library {text} is linked", found)


def _required(unit: Unit, node: ast.Call) -> Iterator[Hit]:
    """What ``setup(install_requires=[...])`` asks for, ``setup(**options)`` included."""
    for keyword in node.keywords:
        given: list[Any] = []
        if keyword.arg in REQUIRING:
            given += [part.value for part in ast.walk(keyword.value) if isinstance(part, ast.Constant)]
            given += unit.names.folder.values(keyword.value)
        elif keyword.arg is None:
            options = [value for value in unit.names.folder.values(keyword.value) if isinstance(value, dict)]
            given += [value[name] for value in options for name in REQUIRING & value.keys()]
        found = (unit.policy.driver(text) for value in given for text in _inner(value) if isinstance(text, str))
        for package in dict.fromkeys(filter(None, found)):
            yield Hit(keyword.value, "TWG301", f"{package} is required", package)


def _inner(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for part in value:
            yield from _inner(part)
    else:
        yield value
