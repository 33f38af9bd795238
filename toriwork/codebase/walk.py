"""Which files belong to a tree: one walk and one set of exclusions; inside a git work tree, what git would keep."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from toriwork.errors import BadInput

BACKUP = "backup_pre_nodb"  #: begins the name of a folder in which a migration keeps what it changed
#: folders that tools make and make again
TOOL_FOLDERS = frozenset(
    ".git .hg .svn .toriwork .venv .tox .nox .eggs .idea __pycache__ node_modules .ipynb_checkpoints "
    ".mypy_cache .pytest_cache .ruff_cache .hypothesis .import_linter_cache".split()
)
BACKED_UP = "the backup of a migration"
_NO_FILE = "no regular file"


@dataclass(frozen=True, slots=True)
class Omission:
    """A file or folder that is left out, and why."""

    path: str
    reason: str
    unread: bool = False  #: nobody wanted it left out


@dataclass(slots=True)
class Walk:
    """The files below a folder, relative to it with slashes, sorted."""

    files: list[str] = field(default_factory=list)  #: regular files
    links: list[str] = field(default_factory=list)  #: links to regular files
    omitted: list[Omission] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class TreeFile:
    """One file of a selection."""

    path: str  #: as it is reported, with slashes
    staged: bool = False  #: its content in git's index, where that is not the content of the file

    def head(self, n_bytes: int) -> bytes:
        """Return the first bytes. Raises OSError."""
        if self.staged:
            return self.content()[:n_bytes]
        with open(self.path, "rb") as stream:
            return stream.read(n_bytes)

    def content(self) -> bytes:
        """Return all bytes. Raises OSError."""
        if self.staged:
            folder, name = os.path.split(self.path)
            shown = _git(folder or ".", "show", f":./{name}")
            if shown is None:
                raise FileNotFoundError(f"git no longer has {self.path} staged")
            return shown
        with open(self.path, "rb") as stream:
            return stream.read()


@dataclass(slots=True)
class Selection:
    """The files of a run, and what it leaves out."""

    files: list[TreeFile] = field(default_factory=list)
    omitted: list[Omission] = field(default_factory=list)


def walk(root: str | Path, without: Container[str] = ()) -> Walk:
    """Return the files below a folder, but for those in some folders, which end with a slash.

    Not entered, and named as omitted: folders of tools (``TOOL_FOLDERS``), virtual environments, backups of
    a migration, links to folders, and folders that cannot be listed. Pipes, sockets and broken links are omitted too.
    """
    found = Walk()
    waiting = [""]
    while waiting:
        front = waiting.pop()
        try:
            with os.scandir(os.path.join(root, front)) as listed:
                entries = list(listed)
        except OSError as error:
            found.omitted.append(Omission(front, f"cannot be listed: {error.strerror}", unread=True))
            continue
        if front and any(entry.name == "pyvenv.cfg" for entry in entries):
            found.omitted.append(Omission(front, "a virtual environment"))
            continue
        for entry in entries:
            path = front + entry.name
            if entry.is_dir(follow_symlinks=False):
                if reason := _not_entered(entry.name):
                    found.omitted.append(Omission(path + "/", reason))
                elif path + "/" not in without:
                    waiting.append(path + "/")
            elif reason := _no_file(entry):
                found.omitted.append(Omission(path, reason))
            else:
                (found.links if entry.is_symlink() else found.files).append(path)
    found.files.sort()
    found.links.sort()
    found.omitted.sort(key=lambda omission: omission.path)
    return found


def select(paths: Sequence[str]) -> Selection:
    """Return the files that some paths stand for.

    A file that is named is selected whatever git says. Of a folder inside a git work tree: what git tracks, has
    staged or would add; what ``.gitignore`` leaves out is named as omitted. Of any other folder:
    what :func:`walk` finds.

    Raises
    ------
    BadInput
        A path does not exist.
    """
    chosen, seen = Selection(), set()
    for path in paths:
        start = Path(path)
        if not os.path.lexists(start):
            raise BadInput(f"{path}: no such file or folder")
        found = _below(start, chosen.omitted) if start.is_dir() else _checked([start.as_posix()], chosen.omitted)
        for file in found:
            key = (os.path.abspath(file.path), file.staged)
            if key not in seen:
                seen.add(key)
                chosen.files.append(file)
    return chosen


def work_tree(folder: Path) -> Path | None:
    """Return the top of the git work tree that a folder lies in, or None."""
    top = _git(folder, "rev-parse", "--show-toplevel")
    return Path(os.fsdecode(top.rstrip(b"\n"))) if top else None


def _not_entered(name: str) -> str:
    if name.startswith(BACKUP):
        return BACKED_UP
    return "the folder of a tool" if name in TOOL_FOLDERS else ""


def _no_file(entry: os.DirEntry[str]) -> str:
    """Return why an entry that is no folder is no file either, or ""."""
    try:
        if entry.is_file():
            return ""
        if entry.is_symlink():
            return "a link to a folder" if entry.is_dir() else "a link that leads to no file"
    except OSError:  # a link to itself
        return "a link that leads to no file"
    return _NO_FILE


def _below(start: Path, omitted: list[Omission]) -> Iterator[TreeFile]:
    text = start.as_posix()
    front = "" if text == "." else text.rstrip("/") + "/"
    tracked = _git(start, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if tracked is None or _git(start, "check-ignore", "-q", ".") is not None:
        found = walk(start)
        omitted += [replace(one, path=front + one.path) for one in found.omitted]
        yield from (TreeFile(front + name) for name in sorted([*found.files, *found.links]))
        return
    yield from _checked([front + name for name in _split(tracked)], omitted)
    for name in _split(_git(start, "ls-files", "-z", "--modified") or b""):
        yield TreeFile(front + name, staged=True)
    ignored = _git(start, "ls-files", "-z", "--others", "--ignored", "--exclude-standard", "--directory") or b""
    omitted += [Omission(front + name, "left out by .gitignore") for name in _split(ignored)]
    known = {omission.path.removeprefix(front) for omission in omitted}
    others = walk(start, {name.rstrip("/") + "/" for name in known}).omitted
    # git is silent about pipes, sockets and devices that it does not track, and about folders that it cannot list
    silent = [o for o in others if (o.unread or o.reason == _NO_FILE) and o.path not in known]
    omitted += [replace(o, path=front + o.path) for o in silent]


def _checked(paths: Iterable[str], omitted: list[Omission]) -> Iterator[TreeFile]:
    """Yield those that are regular files, links to one included; the others, unless they are gone, are omitted."""
    for path in paths:
        try:
            mode = os.stat(path).st_mode
        except OSError:
            if os.path.lexists(path):
                omitted.append(Omission(path, "a link that leads to no file"))
            continue
        if stat.S_ISREG(mode):
            yield TreeFile(path)
        else:
            folder = stat.S_ISDIR(mode)
            omitted.append(Omission(path, "another repository, or a link to a folder" if folder else _NO_FILE))


def _split(listed: bytes) -> list[str]:
    return sorted({os.fsdecode(name) for name in listed.split(b"\0") if name})


def _git(folder: str | Path, *words: str) -> bytes | None:
    """Return what git says in a folder; None when there is no git, no work tree, or it says no."""
    try:
        done = subprocess.run(["git", *words], cwd=folder, capture_output=True, check=False)
    except OSError:
        return None
    return done.stdout if done.returncode == 0 else None
