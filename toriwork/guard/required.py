"""Drivers in requirement and lock files, and addresses of databases in settings."""

from __future__ import annotations

import configparser
import json
import re
import tomllib
from collections.abc import Iterator
from typing import Any, NamedTuple

from toriwork.guard.policy import Policy

_NAME = re.compile(r"\s*(?:-\s+)?[\"']?([A-Za-z0-9][\w.-]*(?:\[[^\]]*\])?)\s*(?=[<>=!~;@#\"'\s,\]]|\Z)")
_LISTS = re.compile(
    r"(?:requirements|constraints)[\w.-]*\.(?:txt|in)\Z|(?:dev|test|docs?)[-_]requirements\.txt\Z", re.IGNORECASE
)
#: keys of lists, or tables, of requirements; of tables whose values are lists of them
_DEPENDENCIES = frozenset("dependencies dev-dependencies extra-dependencies pypi-dependencies requires deps".split())
_GROUPS = frozenset({"optional-dependencies", "dependency-groups", "packages", "dev-packages"})
_LOCKS = frozenset("poetry.lock uv.lock pdm.lock pylock.toml pixi.lock".split())
_SETTINGS = re.compile(r"(?:.*\.(?:ini|cfg|toml|ya?ml|json|env|properties|conf)|\.env(?:\..+)?)\Z", re.IGNORECASE)
_VALUE = re.compile(
    r"\s*(?:-\s+|(?:export\s+)?[\w.\-\"']+\s*[:=]\s*|\[?\s*)[\"']?([a-z][\w+:]*:/?/?[^\s\"']*)[\"']?\s*[,\]]?\s*(?:#.*)?\Z"
)


MAX_JSON = 1_000_000  #: characters; beyond it is data
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
    seen = set()
    for package in _packages(name, parent, text):
        known = policy.driver(package)
        if known and known not in seen:
            seen.add(known)
            yield Place(_line_of(text, package), "package", known)
    if name.lower().endswith(".json"):
        for value in _QUOTED.finditer(text) if len(text) <= MAX_JSON else ():
            if address := policy.address.match(value[1]):
                yield Place(text.count("\n", 0, value.start()) + 1, "address", address[1].lower())
    elif _SETTINGS.match(name):
        for number, line in enumerate(text.split("\n"), 1):
            matched = _VALUE.match(line.strip())
            if matched and (address := policy.address.match(matched[1])):
                yield Place(number, "address", address[1].lower())


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
        for listed in re.findall(r"additional_dependencies:\s*(\[[^\]]*\]|(?:\n\s*-[^\n:]*)+)", text):
            yield from _listed("\n".join(re.split(r"[,\n]", listed.strip("[]").replace("- ", ""))))
    elif name in ("setup.cfg", "tox.ini"):
        yield from _ini(text)
    elif re.match(r"(?:meta|recipe)\.ya?ml\Z|environment[\w.-]*\.ya?ml\Z", name) or name == "conda-lock.yml":
        yield from _conda(text)


def _in_folder(name: str, parent: str) -> bool:
    return parent == "requirements" and name.endswith((".txt", ".in"))


_OTHERS = frozenset({*_LOCKS, "Pipfile.lock", "Pipfile", "conda-lock.yml"})


def in_script(source: str) -> Iterator[str]:
    """The requirements that a script holds in its comments (PEP 723)."""
    for block in re.findall(r"(?m)^# /// script\n((?:^#.*\n)+?)^# ///$", source):
        content = re.sub(r"(?m)^# ?", "", block)
        try:
            entries = tomllib.loads(content).get("dependencies")
        except ValueError:
            entries = content.split("\n")
        yield from (str(entry) for entry in entries or ()) if isinstance(entries, list) else ()


def _listed(text: str) -> Iterator[str]:
    for line in text.split("\n"):
        stripped = line.strip()
        if stripped.startswith("-e") or "#egg=" in stripped:
            yield from re.findall(r"#egg=([\w.-]+)", stripped)
        elif re.match(r"[\w.+:-]*/", stripped):
            yield stripped.split()[0]
        elif stripped and stripped[0] not in "#-" and (matched := _NAME.match(stripped)):
            yield matched[1]


def _conda(text: str) -> Iterator[str]:
    for inline in re.findall(r"(?m)^\s*dependencies:\s*\[([^\]]*)\]", text):
        yield from _listed(inline.replace(",", "\n"))
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
    try:
        content = tomllib.loads(text)
    except (ValueError, RecursionError):
        yield from _listed(text)  # a broken file: what begins a line like a requirement
        return
    yield from _in_tables(content)


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
    parser = configparser.RawConfigParser(strict=False, allow_no_value=True, comment_prefixes=("#", ";"))
    try:
        parser.read_string(text)
    except configparser.Error:
        return
    for section in parser.sections():
        for option, value in parser.items(section):
            if option in ("install_requires", "setup_requires", "tests_require", "deps") or section.startswith(
                "options.extras_require"
            ):
                yield from _listed(re.sub(r"^\s*[\w!,.-]+:\s+", "", value or "", flags=re.MULTILINE))


def _line_of(text: str, package: str) -> int:
    """The first line that names the package and is no comment."""
    word = re.compile(rf"(?<![\w.-]){re.escape(package)}(?![\w-])")
    for number, line in enumerate(text.split("\n"), 1):
        if not line.lstrip().startswith("#") and word.search(line):
            return number
    return 1
