"""Drivers in requirement and lock files, and addresses of databases in settings."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

from toriwork.codebase.source import line_numbers
from toriwork.codebase.time_limit import check_time
from toriwork.guard.policy import Policy

_NAME = re.compile(r"\s*(?:-\s+)?[\"']?([A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?)\s*(?=[<>=!~;@#\"'\s,\]]|\Z)")
_NAMES = re.compile(r"[A-Za-z0-9][\w.-]*(?:\[[\w\s,.-]*\])?")
_LISTS = re.compile(
    r"(?:requirements|constraints)[\w.-]*\.(?:txt|in)\Z|(?:dev|test|docs?)[-_]requirements\.txt\Z", re.IGNORECASE
)
#: keys of lists, or tables, of requirements; of tables whose values are lists of them
_DEPENDENCIES = frozenset("dependencies dev-dependencies extra-dependencies pypi-dependencies requires deps".split())
_GROUPS = frozenset({"optional-dependencies", "dependency-groups", "packages", "dev-packages"})
_OPTIONS = frozenset({"install_requires", "setup_requires", "tests_require", "deps"})
_FACTOR = re.compile(r"\A[\w!,.-]+:\s+")  # of an environment of tox
_LOCKS = frozenset("poetry.lock uv.lock pdm.lock pylock.toml pixi.lock".split())
_SETTINGS = re.compile(r"(?:.*\.(?:ini|cfg|toml|ya?ml|json|env|properties|conf)|\.env(?:\..+)?)\Z", re.IGNORECASE)
_KEY = re.compile(r"(?:export\s+)?[\w.\"'-]+\s*[:=]")

MAX_JSON = 1_000_000  #: characters; beyond it is data
MAX_PARTS = 100  #: of a key
_TEXT = re.compile(r"\"[^\"]*\"|'[^']*'")
_BETWEEN_WORDS = re.compile(r"[\s\"']")
_QUOTED = re.compile(r':\s*"([a-z][\w+:]*:/[^\s"]*)"')


class Place(NamedTuple):
    """A requirement or an address, and its line."""

    line: int
    kind: str  #: "package" or "address"
    what: str


def wants(name: str, parent: str) -> bool:
    """Tell if a file of this name can hold requirements or settings."""
    return bool(_LISTS.match(name)) or name in _OTHERS or bool(_SETTINGS.match(name)) or _in_folder(name, parent)


def places_in(name: str, parent: str, text: str, policy: Policy) -> Iterator[Place]:
    """Every driver that a file requires and every address of a database in it."""
    found: dict[str, str] = {}
    for package in _packages(name, parent, text):
        if known := policy.driver(package):
            found.setdefault(known, package)
    for known, number in _lines_of(text, found).items():
        yield Place(number, "package", known)
    if name.lower().endswith(".json"):
        line_of = line_numbers(text)
        for value in _QUOTED.finditer(text) if len(text) <= MAX_JSON else ():
            if address := policy.address.match(value[1]):
                yield Place(line_of(value.start()), "address", address[1].lower())
    elif _SETTINGS.match(name):
        for number, line in enumerate(text.split("\n"), 1):
            check_time()
            if ":" in line and (address := next(filter(None, map(policy.address.match, _values(line))), None)):
                yield Place(number, "address", address[1].lower())


def _values(line: str) -> Iterator[str]:
    """Yield what a line of settings may set something to, all of it or what is behind a key: single words only."""
    plain = line.partition(" #")[0].strip().removeprefix("- ").lstrip()
    key = _KEY.match(plain)
    for value in (plain, plain[key.end() :] if key else ""):
        word = value.strip(" \t\"',[]")
        if word[:1].islower() and not _BETWEEN_WORDS.search(word):
            yield word


def _packages(name: str, parent: str, text: str) -> Iterator[str]:
    if _LISTS.match(name) or _in_folder(name, parent):
        yield from _listed(text)
    elif name in _LOCKS:
        yield from re.findall(r"^name = [\"']([\w.-]+)[\"']", text, re.MULTILINE)
    elif name == "Pipfile.lock":
        yield from _pipfile_lock(text)
    elif name in ("pyproject.toml", "Pipfile", "tox.toml", "pixi.toml"):
        yield from _toml(text)
    elif name == ".pre-commit-config.yaml":
        yield from _in_yaml(text, "additional_dependencies")
    elif name in ("setup.cfg", "tox.ini"):
        yield from _ini(text)
    elif re.match(r"(?:meta|recipe)\.ya?ml\Z|environment[\w.-]*\.ya?ml\Z", name) or name == "conda-lock.yml":
        yield from _conda(text)


def _in_folder(name: str, parent: str) -> bool:
    return parent == "requirements" and name.endswith((".txt", ".in"))


_OTHERS = frozenset({*_LOCKS, "Pipfile.lock", "Pipfile", "conda-lock.yml"})


def in_script(source: str) -> Iterator[str]:
    """The requirements that a script holds in its comments (PEP 723)."""
    block: list[str] | None = None
    for line in source.split("\n"):
        if line == "# /// script":
            block = []
        elif block is not None and line == "# ///":
            yield from _of_block("\n".join(block))
            block = None
        elif block is not None and line.startswith("#"):
            block.append(line[2:] if line.startswith("# ") else line[1:])
        else:
            block = None


def _of_block(content: str) -> Iterator[str]:
    loaded = _loaded(content)
    entries = content.split("\n") if loaded is None else loaded.get("dependencies")
    yield from (str(entry) for entry in entries) if isinstance(entries, list) else ()


def _listed(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped.startswith("-e") or "#egg=" in stripped:
            yield from re.findall(r"#egg=([\w.-]+)", stripped)
        elif re.match(r"[\w.+:-]*/", stripped):
            yield stripped.split()[0]
        elif stripped and stripped[0] not in "#-" and (matched := _NAME.match(stripped)):
            yield matched[1]


def _in_yaml(text: str, key: str) -> Iterator[str]:
    """Yield the requirements in the lists below a key, written in brackets or one a line."""
    inside = ""  # "[" or "-": how the list is written
    for line in text.split("\n"):
        entry = line.strip()
        before, begins, rest = entry.partition(f"{key}:")
        if begins and before[-1:] in ("", " ", "{", ","):
            entry = rest.strip()
            inside = "[" if entry.startswith("[") else "-"
        elif inside == "-" and not (entry.startswith(("-", "#")) and ":" not in entry):
            inside = ""
        if inside == "[":
            yield from _listed(entry.partition("]")[0].strip("[ ").replace(",", "\n"))
            inside = "" if "]" in entry else inside
        elif inside:
            yield from _listed(entry.lstrip("- "))


def _conda(text: str) -> Iterator[str]:
    yield from _in_yaml(text, "dependencies")
    for line in text.split("\n"):
        entry = line.strip()
        if entry.startswith(("- name:", "name:")):
            entry = "- " + entry.partition(":")[2].strip() if entry.startswith("- name:") else ""
        if entry.startswith("- ") and (matched := _NAME.match(entry.split("::")[-1] if "::" in entry else entry)):
            yield matched[1]


def _pipfile_lock(text: str) -> Iterator[str]:
    try:
        content = json.loads(text)
    except (ValueError, RecursionError):
        return
    for section in content.values() if isinstance(content, dict) else ():
        if isinstance(section, dict):
            yield from section


def _toml(text: str) -> Iterator[str]:
    content = _loaded(text)
    # of a broken file: what begins a line like a requirement
    yield from _listed(text) if content is None else _in_tables(content)


def _loaded(text: str) -> dict[str, Any] | None:
    """Return a TOML document; None when it is none, or has keys of so many parts that they would cost their square."""
    if any(line.count(".") > MAX_PARTS < _TEXT.sub("", line).count(".") for line in text.split("\n")):
        return None
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError):
        return None


def _in_tables(content: dict[str, Any]) -> Iterator[str]:
    """Yield the requirements of a table and of those inside, whichever tool they are for."""
    for key, value in content.items():
        if isinstance(value, list) and key in _DEPENDENCIES:
            yield from _listed("\n".join(entry for entry in value if isinstance(entry, str)))
        elif isinstance(value, dict) and (key in _DEPENDENCIES or key in _GROUPS):
            for name, wanted in value.items():
                entries = [entry for entry in wanted if isinstance(entry, str)] if isinstance(wanted, list) else []
                yield from _listed("\n".join(entries)) if entries else (name,)
        elif isinstance(value, dict):
            yield from _in_tables(value)


def _ini(text: str) -> Iterator[str]:
    """Not with configparser: its pattern of an option takes the square of a long line."""
    section = option = ""
    for line in text.split("\n"):
        value = line.strip()
        if line[:1] == "[" and "]" in line:
            section, option = line[1 : line.index("]")].strip(), ""
            continue
        if line[:1].strip() and value[0] not in "#;":
            key = re.match(r"[^=:]*", line)
            option, value = (key[0].strip().lower(), line[key.end() + 1 :].strip()) if key else ("", "")
        if option in _OPTIONS or section.startswith("options.extras_require"):
            yield from _listed(_FACTOR.sub("", value))


def _lines_of(text: str, packages: dict[str, str]) -> dict[str, int]:
    """Return the first line that names each package and is no comment; the values are the names as they are written."""
    lines = [line if not line.lstrip().startswith("#") else "" for line in text.split("\n")] if packages else []
    first: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        for word in (*line.split(), *_NAMES.findall(line)):
            first.setdefault(word, number)
    return {known: first.get(package) or first.get(package.partition("[")[0], 1) for known, package in packages.items()}
