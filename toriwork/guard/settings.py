"""The settings of a project: exceptions with reason and day, further modules, modules it permits.

In ``guard:`` of its ``capsule.yml`` or in ``[tool.toriwork.guard]`` of its ``pyproject.toml``, at the top of the
project: a file further down changes nothing.
"""

from __future__ import annotations

import datetime as dt
import fnmatch
import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from toriwork.capsule import check_shape, read_text
from toriwork.codebase.walk import work_tree
from toriwork.errors import BadInput, MissingExtra
from toriwork.guard.finding import Finding
from toriwork.guard.policy import Policy
from toriwork.state import CAPSULE

PROJECT = "pyproject.toml"
_KEYS = frozenset({"allow", "ban", "permit", "type_only"})
_ALLOW_KEYS = frozenset({"path", "what", "reason", "until"})


@dataclass(frozen=True, slots=True)
class Allowed:
    """One exception: findings of ``what`` in files that match ``path``, up to a day and for a reason."""

    path: str  #: a pattern below the top of the project; ``*`` crosses folders
    what: str  #: a module, program, ... as findings name it, a code, or ``*``
    reason: str
    until: dt.date  #: the last day on which it holds
    origin: str  #: the file that says so

    def covers(self, finding: Finding, path: str) -> bool:
        """Tell if it speaks of a finding in a file of this path below the top."""
        return self.what in ("*", finding.what, finding.code) and fnmatch.fnmatchcase(path, self.path)

    def __str__(self) -> str:
        until = "" if self.until == dt.date.max else f" until {self.until}"
        return f"{self.path} ({self.what}){until}: {self.reason}"


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that a project says."""

    root: Path  #: top of the project
    policy: Policy = field(default_factory=Policy)
    allow: tuple[Allowed, ...] = ()

    def below(self, path: str) -> str:
        """A path as exceptions name it: below the top of the project, or absolute when it lies elsewhere."""
        return os.path.abspath(path).removeprefix(os.path.join(self.root, "")).replace(os.sep, "/")


def project_root(paths: Sequence[str]) -> Path:
    """The top of the project of the first path: of its work tree, else the working directory, else its folder."""
    first = Path(os.path.abspath(paths[0] if paths else "."))
    folder = first if first.is_dir() else first.parent
    top = work_tree(folder) if folder.is_dir() else None
    if top is not None:
        return top
    here = Path.cwd()
    return here if folder.is_relative_to(here) else folder


def read_settings(root: Path) -> Settings:
    """Return the settings in the ``capsule.yml`` and the ``pyproject.toml`` of a folder; the defaults without any.

    Raises
    ------
    BadInput
        One of them is not readable, or says what nobody understands: an unknown key, an exception without reason or
        day.
    """
    allow: list[Allowed] = []
    ban: set[str] = set()
    permit: set[str] = set()
    for origin, section in (*_from_capsule(root / CAPSULE), *_from_project(root / PROJECT)):
        unknown = set(section) - _KEYS
        if unknown:
            raise BadInput(f"{origin}: guard: unknown keys {sorted(unknown)}; known are {sorted(_KEYS)}")
        allow += [_allowed(entry, origin) for entry in _entries(section, "allow", origin)]
        if _flag(section, "type_only", origin):
            allow.append(Allowed("*", "TWG111", "type_only: no program runs these imports", dt.date.max, origin))
        ban |= {_word(word, "ban", origin) for word in _entries(section, "ban", origin)}
        permit |= {_word(word, "permit", origin) for word in _entries(section, "permit", origin)}
    return Settings(root, Policy(frozenset(ban), frozenset(permit)), tuple(allow))


def _from_capsule(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    if not path.is_file():
        return []
    text = read_text(path)
    if "guard" not in text:
        return []
    try:
        import yaml
    except ImportError as error:
        raise MissingExtra(f"{path}: reading it needs PyYAML: pip install pyyaml") from error
    check_shape(text, path, aliases=False)  # or a few lines would stand for more than fits into memory
    try:
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise BadInput(f"{path}: not readable as YAML: {error}") from error
    return _section(content, "guard", str(path))


def _from_project(path: Path) -> list[tuple[str, Mapping[str, Any]]]:
    if not path.is_file():
        return []
    try:
        content: Any = tomllib.loads(path.read_text(encoding="utf-8"))
    except (ValueError, UnicodeDecodeError) as error:
        raise BadInput(f"{path}: not readable as TOML: {error}") from error
    for name in ("tool", "toriwork"):
        content = content.get(name, {}) if isinstance(content, dict) else {}
    return _section(content, "guard", str(path))


def _section(content: Any, name: str, origin: str) -> list[tuple[str, Mapping[str, Any]]]:
    section = content.get(name) if isinstance(content, dict) else None
    if section is None:
        return []
    if not isinstance(section, dict):
        raise BadInput(f"{origin}: guard: expected a mapping, got {section!r}")
    return [(origin, section)]


def _flag(section: Mapping[str, Any], key: str, origin: str) -> bool:
    value = section.get(key, False)
    if not isinstance(value, bool):
        raise BadInput(f"{origin}: guard: {key}: expected true or false, got {value!r}")
    return value


def _entries(section: Mapping[str, Any], key: str, origin: str) -> list[Any]:
    entries = section.get(key) or []
    if not isinstance(entries, list):
        raise BadInput(f"{origin}: guard: {key}: expected a list, got {entries!r}")
    return entries


def _word(word: Any, key: str, origin: str) -> str:
    if not isinstance(word, str) or not word.strip():
        raise BadInput(f"{origin}: guard: {key}: expected the name of a module, got {word!r}")
    return word


def _allowed(entry: Any, origin: str) -> Allowed:
    if not isinstance(entry, dict) or set(entry) != _ALLOW_KEYS:
        raise BadInput(
            f"{origin}: guard: allow: expected an entry with {', '.join(sorted(_ALLOW_KEYS))}, got {entry!r}"
        )
    texts = {key: entry[key] for key in ("path", "what", "reason")}
    for key, text in texts.items():
        if not isinstance(text, str) or not text.strip():
            raise BadInput(f"{origin}: guard: allow: {key}: expected a text, got {text!r}")
    until = entry["until"]
    try:
        day = until if type(until) is dt.date else dt.date.fromisoformat(str(until))
    except ValueError as error:
        raise BadInput(f"{origin}: guard: allow: until: expected a day such as 2027-12-31, got {until!r}") from error
    return Allowed(texts["path"], texts["what"], texts["reason"].strip(), day, origin)
