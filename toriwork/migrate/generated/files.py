"""Lines in configuration files, so that state has a place and no database comes back.

All of it works offline. Lines go to the end of a file, not one byte of what is there changes, and a parser proves that
the file says what it said and ours beside it; where it would not, it is left to a person together with the lines.
"""

from __future__ import annotations

import codecs
import configparser
import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from toriwork.capsule import check_shape
from toriwork.errors import BadInput
from toriwork.migrate.recipes.source import Manual
from toriwork.state import CAPSULE, capsule_state_path

TOX, PRE_COMMIT, GIT_IGNORE = "tox.ini", ".pre-commit-config.yaml", ".gitignore"
GUARD_HOOK = "toriwork-guard"

_IGNORED = ".toriwork/"
_STATE = """\
# where toriwork keeps the state; TORI_STATE_ROOT wins where it is set
state_path: {path}
"""
_GUARD = """\
# what `toriwork guard` lets pass: entries with path, what, reason and until (a day)
guard:
  allow: []
"""
_TOX_HEAD = """\
[tox]
env_list = guard
no_package = true

"""
_TOX = """\
# no database import and no database file comes back; installs nothing, works offline
[testenv:guard]
skip_install = true
deps =
allowlist_externals = toriwork
commands = toriwork guard .
"""
_HOOK_LINES = r"""- repo: local  # no database comes back; both hooks work offline
  hooks:
    - id: toriwork-guard
      name: no database imports or files
      entry: toriwork guard
      language: system
      types: [file]
      require_serial: true
    - id: toriwork-no-database-files
      name: no files named like a database
      entry: 'databases do not belong here; state goes to plain files under TORI_STATE_ROOT:'
      language: fail
      files: '\.(db|db3|sqlite|sqlite3|s3db|sl3)(-journal|-wal|-shm)?$'
"""


class _Left(Exception):
    """A file into which nothing is put; the message says why."""


def generated_files(root: Path, state_root: Path) -> tuple[list[tuple[str, bytes | None, bytes]], list[Manual]]:
    """Return path, bytes before (None: there is no such file) and after of every file that gets lines; and the others.

    Parameters
    ----------
    root : Path
        The code base.
    state_root : Path
        What ``state_path`` says, relative to the code base where it lies inside.
    """
    makers: tuple[tuple[str, Callable[[str], str]], ...] = (
        (CAPSULE, lambda text: _capsule(text, root, state_root)),
        (TOX, lambda text: _tox(text, root)),
        (PRE_COMMIT, _pre_commit),
        (GIT_IGNORE, lambda text: _git_ignore(text, root)),
    )
    changed, left = [], []
    for path, make in makers:
        before = (root / path).read_bytes() if (root / path).exists() else None
        mark = codecs.BOM_UTF8 if (before or b"").startswith(codecs.BOM_UTF8) else b""
        try:
            text = (before or b"").removeprefix(mark).decode("utf-8")
            after = make(text)
        except UnicodeDecodeError as error:
            left.append(Manual(path, 0, "generated", f"is not UTF-8: {error}"))
        except _Left as error:
            left.append(Manual(path, 0, "generated", str(error)))
        else:
            if after != text:
                changed.append((path, before, mark + after.encode()))
    return changed, left


def _appended(text: str, lines: str) -> str:
    """Return a text with lines at its end, in the line ends that it uses."""
    newline = "\r\n" if "\r\n" in text else "\n"
    gap = "" if not text or text.endswith("\n") else newline
    return text + gap + lines.replace("\n", newline)


def _git_ignore(text: str, root: Path) -> str:
    """Return a .gitignore that names the private folder where hatch builds from it: git needs no line for that."""
    built = root / "pyproject.toml"
    if not built.is_file() or b"hatchling" not in built.read_bytes() or _IGNORED in text.splitlines():
        return text
    return _appended(text, f"{_IGNORED}\n")


# ---- YAML ---------------------------------------------------------------------------------------------------------


def _yaml(text: str) -> dict[str, Any]:
    import yaml

    try:
        check_shape(text, "it")  # or a file of brackets would end in a RecursionError
        content = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:
        raise _Left(f"is not readable as YAML: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict | None):
        raise _Left(f"expected a mapping, got a {type(content).__name__}")
    return content or {}


def _with_yaml(text: str, lines: str, expected: dict[str, Any]) -> str:
    """Return a YAML file with more lines at its end, if it then says just what is expected."""
    after = _appended(text, lines)
    try:
        proven = repr(_yaml(after)) == repr(expected)  # types, order and NaN count
    except _Left:
        proven = False
    if not proven:
        raise _Left(f"has a form to which nothing can be added safely. Put in by hand:\n{lines}")
    return after


def _capsule(text: str, root: Path, state_root: Path) -> str:
    content = _yaml(text)
    if "state_path" not in content:
        lines = _STATE.format(path=_scalar(_state_path(root, state_root)))
        content |= _yaml(lines)
        text = _with_yaml(text, lines, content)
    elif not _names(root / CAPSULE, state_root):
        raise _Left(
            f"says state_path: {content['state_path']}; the data goes to {state_root}. Change it, or plan with the "
            "state root that it names"
        )
    return text if "guard" in content else _with_yaml(text, _GUARD, content | _yaml(_GUARD))


def _state_path(root: Path, state_root: Path) -> str:
    real, base = Path(os.path.realpath(state_root)), Path(os.path.realpath(root))
    return real.relative_to(base).as_posix() if real.is_relative_to(base) else str(state_root.absolute())


def _names(capsule: Path, state_root: Path) -> bool:
    """Return True when a capsule file names a state root, in whatever words."""
    try:
        named = capsule_state_path(capsule)
    except BadInput:
        return False
    return named is not None and os.path.realpath(named) == os.path.realpath(state_root)


def _scalar(value: str) -> str:
    """Return a text as YAML: plain where that is safe, else in double quotes as JSON writes it."""
    plain = re.fullmatch(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*", value) and not value.isdigit()
    return value if plain else json.dumps(value)


def _pre_commit(text: str) -> str:
    content = _yaml(text)
    repos = content.get("repos", [])
    if not isinstance(repos, list) or not all(isinstance(repo, dict) for repo in repos):
        raise _Left("has no list of repositories under repos")
    hooks = [hook for repo in repos for hook in repo.get("hooks") or () if isinstance(hook, dict)]
    if any(hook.get("id") == GUARD_HOOK for hook in hooks):
        return text
    item = re.search(r"^( *)- +repo:", text, re.MULTILINE)
    indent = item[1] if item else "  "
    lines = "".join(f"{indent}{line}\n" for line in _HOOK_LINES.splitlines())
    lines = lines if "repos" in content else f"repos:\n{lines}"
    return _with_yaml(text, lines, content | {"repos": [*repos, *_yaml(f"new:\n{_HOOK_LINES}")["new"]]})


# ---- INI ----------------------------------------------------------------------------------------------------------


def _ini(text: str) -> dict[str, dict[str, str | None]]:
    """Return section -> option -> value, as tox reads them: nothing is interpolated."""
    parser = configparser.RawConfigParser(allow_no_value=True, default_section="\0")
    try:
        parser.read_string(text)
    except configparser.Error as error:
        raise _Left(f"is not readable as INI: {' '.join(str(error).split())}") from error
    return {name: dict(parser.items(name)) for name in parser.sections()}


def _tox(text: str, root: Path) -> str:
    sections = _ini(text)
    if "testenv:guard" in sections:
        if "toriwork guard" in (sections["testenv:guard"].get("commands") or ""):
            return text
        raise _Left("has a [testenv:guard] of its own; let its commands run `toriwork guard .`")
    if not text and (other := _tox_elsewhere(root)) is not None:
        raise _Left(f"is not there, and one would hide the tox settings in {other}; add an environment there:\n{_TOX}")
    lines = f"\n{_TOX}" if text.strip() else _TOX_HEAD + _TOX
    after = _appended(text, lines)
    if _ini(after) != {**sections, **_ini(lines)}:
        raise _Left(f"has a form to which nothing can be added safely. Put in by hand:\n{_TOX}")
    return after


def _tox_elsewhere(root: Path) -> str | None:
    """Return the file that holds tox's settings where there is no tox.ini, which would win over it."""
    for name, sign in (("setup.cfg", "[tox:tox]"), ("pyproject.toml", "[tool.tox"), ("tox.toml", "")):
        path = root / name
        if path.is_file() and sign in path.read_text(encoding="utf-8", errors="replace"):
            return name
    return None
