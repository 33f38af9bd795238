"""Which lines go into which file, so that state has a place and no database comes back.

All of it works offline: the hooks are local, the tox environment installs nothing.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from toriwork.errors import BadInput
from toriwork.migrate.generated.merging import (
    Unmergeable,
    add_item,
    add_key,
    add_section,
    decoded,
    encoded,
    read_ini,
    read_yaml,
)
from toriwork.migrate.recipes.source import Manual
from toriwork.state import CAPSULE, capsule_state_path

TOX, PRE_COMMIT = "tox.ini", ".pre-commit-config.yaml"
GUARD_HOOK = "toriwork-guard"

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


class World(Protocol):
    """What is asked of a code base."""

    @property
    def root(self) -> Path: ...


def generated_files(world: World, state_root: Path) -> dict[str, tuple[bytes | None, bytes]]:
    """Path -> bytes before (None: there is no such file) and after, of every file that gets lines.

    Parameters
    ----------
    world : World
        The code base.
    state_root : Path
        What ``state_path`` says, relative to the code base where it lies inside.
    """
    return {path: (before, after) for path, before, after, _ in _looked_at(world, state_root) if after is not None}


def generated_manual(world: World, state_root: Path) -> list[Manual]:
    """The files into which nothing was put, and what to do about it."""
    return [Manual(path, 0, "generated", why) for path, _, _, why in _looked_at(world, state_root) if why]


def _looked_at(world: World, state_root: Path) -> Iterator[tuple[str, bytes | None, bytes | None, str]]:
    """Path, bytes before, bytes after where they change, and why a file is left to somebody."""
    root = Path(world.root)
    makers: tuple[tuple[str, Callable[[str, str], str]], ...] = (
        (CAPSULE, lambda text, newline: _capsule(text, newline, root, state_root)),
        (TOX, lambda text, newline: _tox(text, newline, root)),
        (PRE_COMMIT, _pre_commit),
    )
    for path, make in makers:
        place = root / path
        before = place.read_bytes() if place.exists() else None
        try:
            text, newline = decoded(before or b"")
            after = make(text, newline)
        except Unmergeable as error:
            yield path, before, None, str(error)
            continue
        changed = before is None or after != text
        yield path, before, encoded(after, before or b"") if changed else None, ""


def _state_path(root: Path, state_root: Path) -> str:
    real, base = Path(os.path.realpath(state_root)), Path(os.path.realpath(root))
    return real.relative_to(base).as_posix() if real.is_relative_to(base) else str(state_root.absolute())


def _capsule(text: str, newline: str, root: Path, state_root: Path) -> str:
    content = read_yaml(text)
    if "state_path" not in content:
        text = add_key(text, "state_path", _STATE.format(path=_scalar(_state_path(root, state_root))), newline)
    elif not _names(root / CAPSULE, state_root):
        named = content["state_path"]
        said = named if isinstance(named, str) else f"something that is no text ({type(named).__name__})"
        raise Unmergeable(
            f"says state_path: {said}; the data goes to {state_root}. Change it, or plan with the "
            "state root that it names"
        )
    if "guard" not in content:
        text = add_key(text, "guard", _GUARD, newline)
    return text


def _names(capsule: Path, state_root: Path) -> bool:
    """Whether a capsule file names a state root, in whatever words."""
    try:
        named = capsule_state_path(capsule)
    except BadInput:
        return False
    return named is not None and os.path.realpath(named) == os.path.realpath(state_root)


def _scalar(value: str) -> str:
    """A text as YAML: plain where that is safe, else in double quotes as JSON writes it."""
    return (
        value if re.fullmatch(r"[A-Za-z0-9_./][A-Za-z0-9_./-]*", value) and not value.isdigit() else json.dumps(value)
    )


def _tox(text: str, newline: str, root: Path) -> str:
    sections = read_ini(text)
    if "testenv:guard" in sections:
        if "toriwork guard" in (sections["testenv:guard"].get("commands") or ""):
            return text
        raise Unmergeable("has a [testenv:guard] of its own; let its commands run `toriwork guard .`")
    if not text and (other := _tox_elsewhere(root)) is not None:
        raise Unmergeable(f"is not there, and one would hide the tox settings in {other}; add an environment there")
    start = _TOX_HEAD.replace("\n", newline) if not text.strip() else ""
    return add_section(text + start if not text.strip() else text, "testenv:guard", _TOX, newline)


def _tox_elsewhere(root: Path) -> str | None:
    """The file that holds tox's settings where there is no tox.ini, which would win over it."""
    for name, sign in (("setup.cfg", "[tox:tox]"), ("pyproject.toml", "[tool.tox"), ("tox.toml", "")):
        path = root / name
        if path.is_file() and sign in path.read_text(encoding="utf-8", errors="replace"):
            return name
    return None


def _pre_commit(text: str, newline: str) -> str:
    content = read_yaml(text)
    repos = content.get("repos")
    if "repos" not in content:
        return add_key(text, "repos", "repos:\n" + "".join(f"  {line}\n" for line in _HOOK_LINES.splitlines()), newline)
    if not (repos is None or (isinstance(repos, list) and all(isinstance(repo, dict) for repo in repos))):
        raise Unmergeable("has no list of repositories under repos")
    hooks = [hook for repo in repos or () for hook in repo.get("hooks") or () if isinstance(hook, dict)]
    if any(hook.get("id") == GUARD_HOOK for hook in hooks):
        return text
    return add_item(text, "repos", _HOOK_LINES, newline)
