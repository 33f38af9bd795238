"""Which files are looked at: what git tracks, has staged or would add, without git the whole tree; omissions."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from toriwork.errors import BadInput

BACKUP = "backup_pre_nodb"
MANIFEST = "MANIFEST.json"
_CACHES = frozenset({".mypy_cache", ".pytest_cache", ".ruff_cache", ".hypothesis", ".import_linter_cache"})
_CACHE_TAG = b"Signature: 8a477f597d28d172789f06886806bc55"


@dataclass(frozen=True, slots=True)
class Item:
    """One file to look at."""

    path: str  #: as it is reported, with slashes
    staged: bool = False  #: the content in git's index, where it is not that of the file

    @property
    def file(self) -> Path:
        """The path as an object; thousands of files do without."""
        return Path(self.path)

    def head(self, n_bytes: int) -> bytes:
        """The first bytes. Raises OSError."""
        if self.staged:
            return self.content()[:n_bytes]
        with open(self.path, "rb") as stream:
            return stream.read(n_bytes)

    def content(self) -> bytes:
        """All bytes. Raises OSError."""
        if self.staged:
            shown = _git(self.file.parent, "show", f":./{self.file.name}")
            if shown is None:
                raise FileNotFoundError(f"git no longer has {self.path} staged")
            return shown
        with open(self.path, "rb") as stream:
            return stream.read()


@dataclass(frozen=True, slots=True)
class Omission:
    """What was not looked at, and why."""

    path: str
    reason: str


@dataclass(slots=True)
class Scope:
    """The files of a run, and what it leaves out."""

    items: list[Item] = field(default_factory=list)
    omitted: list[Omission] = field(default_factory=list)


def scope_of(paths: Sequence[str]) -> Scope:
    """The scope of some files and folders.

    A file that is named is looked at whatever git says. In a folder inside a work tree: what git tracks or has staged
    and what it would add; what ``.gitignore`` leaves out is told. In any other folder: everything but git's own
    folder, virtual environments and tagged caches, which are told.

    Raises
    ------
    BadInput
        A path does not exist.
    """
    scope, seen = Scope(), set()
    for path in paths:
        start = Path(path)
        if not os.path.lexists(start):
            raise BadInput(f"{path}: no such file or folder")
        for item in _below(start, scope.omitted) if start.is_dir() else [Item(start.as_posix())]:
            key = (os.path.abspath(item.path), item.staged)
            if key not in seen:
                seen.add(key)
                scope.items.append(item)
    return scope


def work_tree(folder: Path) -> Path | None:
    """The top of the git work tree that a folder lies in, or None."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    return Path(os.fsdecode(top.rstrip(b"\n"))) if top else None


def backed_up(folder: Path) -> frozenset[str]:
    """The SHA-256 of everything that the manifest of a backup of a migration lists."""
    try:
        text = (folder / MANIFEST).read_text(encoding="utf-8")
        json.loads(text)
    except (OSError, ValueError, RecursionError):
        return frozenset()
    return frozenset(re.findall(r"\b[0-9a-f]{64}\b", text))


def without_backups(scope: Scope) -> Scope:
    """The scope without those files of a migration's backup that its manifest lists by their hash."""
    manifests: dict[Path, frozenset[str]] = {}
    kept: list[Item] = []
    omitted: dict[Path, int] = {}
    for item in scope.items:
        parents = item.file.parents if BACKUP in item.path else ()
        folder = next((parent for parent in parents if parent.name == BACKUP), None)
        if folder is None:
            kept.append(item)
            continue
        known = manifests.setdefault(folder, backed_up(folder))
        if known and _is_listed(item, known):
            omitted[folder] = omitted.get(folder, 0) + 1
        else:
            kept.append(item)
    told = [Omission(folder.as_posix(), f"{n} files that the backup's manifest lists") for folder, n in omitted.items()]
    return Scope(kept, scope.omitted + told)


def _is_listed(item: Item, known: frozenset[str]) -> bool:
    try:
        return hashlib.sha256(item.content()).hexdigest() in known
    except OSError:
        return False


def _below(start: Path, omitted: list[Omission]) -> Iterable[Item]:
    tracked = _git(start, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if tracked is None or _git(start, "check-ignore", "-q", ".") is not None:
        return list(_walked(start, omitted))
    return list(_tracked(start, tracked, omitted))


def _tracked(start: Path, listed: bytes, omitted: list[Omission]) -> Iterator[Item]:
    front = _front(start)
    for name in _split(listed):
        path = front + name
        if os.path.isdir(path):
            omitted.append(Omission(path, "another repository, or a link to a folder"))
        elif os.path.lexists(path):
            yield Item(path)
    for name in _split(_git(start, "ls-files", "-z", "--modified") or b""):
        yield Item(front + name, staged=True)
    ignored = _git(start, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory") or b""
    omitted += [Omission((start / name).as_posix(), "left out by .gitignore") for name in _split(ignored)]


def _front(folder: Path) -> str:
    """What stands in front of the names of files in a folder."""
    text = folder.as_posix()
    return "" if text == "." else text.rstrip("/") + "/"


def _walked(start: Path, omitted: list[Omission]) -> Iterator[Item]:
    for folder, names, files in os.walk(start):
        here = Path(folder)
        for name in sorted(names):
            reason = _not_entered(here / name)
            if reason:
                names.remove(name)
                omitted.append(Omission((here / name).as_posix(), reason))
        names.sort()
        front = _front(here)
        for name in sorted(files):
            yield Item(front + name)


def _not_entered(folder: Path) -> str:
    """Why a folder is not walked into; its name alone is never enough."""
    if folder.is_symlink():
        return "a link to a folder"
    if folder.name == ".git" and (folder / "HEAD").is_file():
        return "git's own folder"
    if (folder / "pyvenv.cfg").is_file() and any(
        (folder / part).exists() for part in ("bin/python", "Scripts/python.exe")
    ):
        return "a virtual environment"
    tag = folder / "CACHEDIR.TAG"
    if folder.name in _CACHES and tag.is_file() and tag.read_bytes().startswith(_CACHE_TAG):
        return "the cache of a tool"
    return ""


def _split(listed: bytes) -> list[str]:
    return sorted({os.fsdecode(name) for name in listed.split(b"\0") if name})


def _git(folder: Path, *words: str) -> bytes | None:
    """What git says in a folder; None when there is no git, no work tree, or it says no."""
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
