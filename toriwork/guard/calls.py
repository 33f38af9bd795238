"""Calls that import, run code, start programs, load libraries or open connections."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator

from toriwork.guard.policy import normalized
from toriwork.guard.shell import Started, started_by, started_by_line
from toriwork.guard.unit import Hit, Unit

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
}
#: the same by the last name alone, whosever method it is; only a banned name counts
IMPORTER_ENDS = frozenset(
    "import_module importorskip import_string import_object find_spec find_loader load_module resolve_name run_module "
    "_gcd_import _find_and_load import_optional_dependency lazy_import LazyLoader LazyImport try_import "
    "optional_import __import__ ExtensionFileLoader spec_from_file_location SourceFileLoader create_dynamic".split()
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
RUNNER_KEYWORDS = frozenset({"source", "stmt", "setup", "expression"})
RUNNER_ENDS = dict.fromkeys(("run_cell", "run_cell_async", "run_code", "runcode", "runsource", "ex"), (0,))
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
LOADER_ENDS = frozenset({"CDLL", "PyDLL", "WinDLL", "OleDLL", "LoadLibrary", "find_library", "dlopen", "load_library"})
READ_ENDS = frozenset({"read_sql", "read_sql_query", "read_sql_table", "read_database", "read_database_uri"})
REQUIRING = frozenset({"install_requires", "setup_requires", "tests_require", "extras_require"})

CodeHits = Callable[[Unit, str], Iterator[Hit]]


def call_hits(unit: Unit, node: ast.Call, code_hits: CodeHits) -> Iterator[Hit]:
    """Everything that one call does; ``code_hits`` judges code that it carries as a text."""
    names = unit.names.qualify(node.func)
    end = _end(node.func)
    yield from _imported(unit, node, names, end)
    yield from _handed_on(unit, node)
    yield from _run(unit, node, names, end, code_hits)
    yield from _started(unit, node, names, end, code_hits)
    yield from _loaded(unit, node, names, end)
    yield from _connected(unit, node, names, end)
    if end == "setup" and REQUIRING & {keyword.arg for keyword in node.keywords}:
        yield from _required(unit, node)


def _end(function: ast.expr) -> str:
    if isinstance(function, ast.Attribute):
        return function.attr
    return function.id if isinstance(function, ast.Name) else ""


def _imported(unit: Unit, node: ast.Call, names: set[str], end: str) -> Iterator[Hit]:
    known = names & IMPORTERS.keys()
    ends = {name.rpartition(".")[2] for name in names} | {end}
    if not known and not ends & IMPORTER_ENDS and not ("sys.modules.get" in names or "sys.modules.pop" in names):
        return
    keywords = {IMPORTERS[name] for name in known} | {"name", "fullname"}
    given = [*node.args[:2], *(keyword.value for keyword in node.keywords if keyword.arg in keywords)]
    named = [text for argument in given for text in unit.names.folder.texts(argument)]
    for text in named:
        if found := _module_in(unit, text):
            how = "looked up" if ends & {"find_spec", "find_loader"} else "imported"
            yield Hit(node, "TWG102", f"{text} {how} by its name ({unit.policy.modules[found]})", found)
            return
    if known and given and not unit.names.folder.texts(given[0]):
        yield Hit(node, "TWG901", f"{min(known)} of a name that is only known at run time", "import")


def _module_in(unit: Unit, text: str) -> str:
    """The banned module that ``sqlite3.dump``, ``sqlite3:connect`` or the path of its file names."""
    if found := unit.banned(text.split(":", maxsplit=1)[0].strip()):
        return found
    if "/" in text or "\\" in text:
        parts = [re.sub(r"\..*", "", part) for part in re.split(r"[/\\]", text)]
        return next((part for part in parts if part in unit.policy.telling), "")
    return ""


def _handed_on(unit: Unit, node: ast.Call) -> Iterator[Hit]:
    """``map(import_module, [...])``, ``partial(__import__, "...")``, ``submit(import_module, "...")``."""
    arguments = [*node.args, *(keyword.value for keyword in node.keywords)]
    if not any(isinstance(argument, ast.Name | ast.Attribute | ast.Call) for argument in arguments[:2]):
        return
    if not any(unit.names.qualify(argument) & IMPORTERS.keys() for argument in arguments[:2]):
        return
    for argument in arguments:
        for value in unit.names.folder.values(argument):
            for text in value if isinstance(value, list | tuple) else [value]:
                if isinstance(text, str) and (found := unit.banned(text)):
                    yield Hit(node, "TWG102", f"{text} imported by its name ({unit.policy.modules[found]})", found)
                    return


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
            yield Hit(node, "TWG901", f"{end or 'code'} of a text that is only known at run time", "code")


def _inside(code: str) -> str:
    return "TWG103" if code.startswith("TWG1") else code


def _started(unit: Unit, node: ast.Call, names: set[str], end: str, code_hits: CodeHits) -> Iterator[Hit]:
    known = names & STARTERS.keys()
    if known:
        kind, skip = STARTERS[min(known)]
        given = [*node.args[skip:], *(k.value for k in node.keywords if k.arg in ("args", "cmd", "command"))]
        words = _words(unit, given if kind == "spread" else given[:1])
    elif end in ("system", "getoutput", "run_line_magic", "run_cell_magic") and "get_ipython" in ast.dump(node.func):
        words = [unit.names.folder.shape(argument) for argument in node.args]
        words = [" ".join(words)] if end in ("system", "getoutput") else words[1:]
    else:
        return
    if len(words) == 1:
        started = started_by_line(words[0], unit.policy)
    else:
        started = started_by(words, unit.policy)
    yield from started_hits(unit, node, started, code_hits)


def started_hits(unit: Unit, node: ast.AST, started: Iterator[Started], code_hits: CodeHits) -> Iterator[Hit]:
    """Findings for what command lines start."""
    for one in started:
        if one.kind == "program":
            yield Hit(node, "TWG107", f"the program {one.what} is started", one.what)
        elif one.kind == "package":
            yield Hit(node, "TWG301", f"{one.what} is installed", normalized(one.what))
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


def library_in(unit: Unit, path: str) -> str:
    """The library of a database that the path of a shared library names, or ""."""
    base = re.split(r"[/\\]", path)[-1]
    matched = unit.policy.library.match(base)
    return matched[1].lower() if matched else ""


def _connected(unit: Unit, node: ast.Call, names: set[str], end: str) -> Iterator[Hit]:
    keywords = {keyword.arg for keyword in node.keywords}
    if end in READ_ENDS and any(name.split(".")[0] in ("pandas", "polars", "dask", "geopandas") for name in names):
        yield Hit(node, "TWG109", f"{end} reads from a database connection", end)
    elif end == "to_sql" and {"con", "uri"} & keywords:
        yield Hit(node, "TWG109", "to_sql writes to a database connection", end)
    elif end in ("install_extension", "load_extension") and node.args:
        for text in unit.names.folder.texts(node.args[0]):
            if re.match(r"(sqlite|postgres|mysql)", text.lower()):
                yield Hit(node, "TWG106", f"DuckDB loads its {text} extension", text.lower())


def _required(unit: Unit, node: ast.Call) -> Iterator[Hit]:
    for keyword in node.keywords:
        if keyword.arg not in REQUIRING:
            continue
        for text in (part.value for part in ast.walk(keyword.value) if isinstance(part, ast.Constant)):
            package = re.split(r"[\[<>=!~;@ (]", text, maxsplit=1)[0] if isinstance(text, str) else ""
            if package and normalized(package) in unit.policy.packages:
                yield Hit(keyword.value, "TWG301", f"{package} is required", normalized(package))
