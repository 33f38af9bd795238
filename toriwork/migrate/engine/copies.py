"""Copies of a code base to try new code in, as it is and as a plan leaves it, and programs that run in them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path, PurePosixPath

from toriwork.codebase.index import CODE_SUFFIXES, CodebaseIndex
from toriwork.migrate.data.moves import Export, Import, KeepRegistry, MakeState
from toriwork.migrate.engine.plan import Plan
from toriwork.migrate.engine.restore_script import ABSENT
from toriwork.migrate.engine.step import Run

_LARGEST = 2**24  #: a file of more bytes is data that no import needs
#: begins of variables that a notebook's kernel, a test run or a debugger has for itself and those it starts
_OF_THE_CALLER = ("JPY_", "IPY", "PYTEST_CURRENT_TEST", "PYTEST_XDIST_", "COV_CORE_", "PYDEVD_")
_LARGEST_HISTORY = 2**30  #: bytes of the databases of moved classes that are copied all the same
_ALL_DATA = 2**28  #: bytes of files that are no code, together; beyond that they are left out


def copy_tree(index: CodebaseIndex, target: Path, needed: Collection[str] = (), *, code: Path | None = None) -> None:
    """Copy the files of a code base; no links, and nothing large but what is needed. ``code``: a copy that has it."""
    left = _ALL_DATA
    target.mkdir(parents=True)
    for name in index.files:
        path, place = index.root / name, target / name
        size = 0 if name.endswith(CODE_SUFFIXES) else path.stat().st_size
        if name in needed or size <= min(_LARGEST, left):
            left -= size
            place.parent.mkdir(parents=True, exist_ok=True)
            if code and name.endswith(CODE_SUFFIXES):
                share(code / name, place)
            else:
                shutil.copyfile(path, place)


def share(path: str | Path, place: str | Path) -> None:
    """Copy a file from one copy to another. Code is linked, in half the time; :func:`change` writes it anew."""
    if str(path).endswith(CODE_SUFFIXES):
        with suppress(OSError):  # a file system without hard links, or no more of them for this file
            os.link(path, place)
            return
    shutil.copyfile(path, place)


def make_copies(plan: Plan, index: CodebaseIndex, folder: Path) -> tuple[Path, Path, str]:
    """Return a copy as it is and one as it will be, each with its state; and why the history is in neither, "" else."""
    before, after = (folder / name / (plan.root.name or "root") for name in ("before", "after"))
    files = [step.path for step in imports_of(plan)]
    size = sum((plan.root / path).stat().st_size for path in files)
    fits = size <= _LARGEST_HISTORY
    copy_tree(index, before, {path + side for path in files for side in ("", "-wal", "-journal")} if fits else ())
    copy_tree(index, after, code=before)
    change(plan, after)
    if not fits:
        return before, after, f"{', '.join(files)}: {size:,} bytes, more than are copied for a trial"
    run = Run(before, after.parent / "state", plan.id, folder / "steps", folder / "backup")
    for step in plan.data_steps() if files else ():
        if isinstance(step, MakeState | KeepRegistry) or (isinstance(step, Export | Import) and step.path in files):
            step.do(run)
    return before, after, ""


def imports_of(plan: Plan) -> list[Import]:
    """The steps that bring the rows of moved classes."""
    return [step for step in plan.data_steps() if isinstance(step, Import) and step.columns]


def change(plan: Plan, root: Path) -> None:
    """A copy as the plan leaves it."""
    for entry in plan.entries():
        place = root / entry.path
        place.unlink(missing_ok=True)  # not written over: the other copy may share it
        if entry.after == ABSENT:
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(plan.blobs.read(entry.after.rpartition(" ")[2]))
    for path in (path for step in plan.content["retire"] for path in step["paths"]):
        (root / path).unlink(missing_ok=True)


def run_python(
    root: Path, words: list[str], seconds: float | None, *, given: bytes = b"", with_path: bool = False
) -> tuple[int | None, bytes]:
    """Return how a run of this Python in a copy ended, None where it took too long, and what it told.

    It has a session of its own: a signal to whoever waits for it does not reach it, and what it started ends with it.
    ``with_path``: it finds the code of the copy as its own developers have it.
    """
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as told:
        asked.write(given)
        asked.seek(0)
        path = {"PYTHONPATH": _path(root)} if with_path else {}
        child = subprocess.Popen(
            [sys.executable, *words], cwd=root, env=environment(root) | path, stdin=asked, stdout=told,
            stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        try:
            ended: int | None = child.wait(seconds)
        except subprocess.TimeoutExpired:
            ended = None
        finally:
            if os.name == "posix":
                with suppress(ProcessLookupError):
                    os.killpg(child.pid, signal.SIGKILL)
            elif child.poll() is None:
                child.kill()
            child.wait()
        told.seek(0)
        return ended, told.read()


def environment(root: Path) -> dict[str, str]:
    """The environment of somebody who works in a copy and has nothing else."""
    home = root.parent / "home"
    home.mkdir(exist_ok=True)
    mine = {name: value for name, value in os.environ.items() if not name.startswith(_OF_THE_CALLER)}
    own = {"HOME": str(home), "USERPROFILE": str(home), "TMPDIR": str(home), "TEMP": str(home)}
    state = {"TORI_STATE_ROOT": str(root.parent / "state"), "PYTHONDONTWRITEBYTECODE": "1", "MPLBACKEND": "Agg"}
    return mine | own | state


def _path(root: Path) -> str:
    folders = [str(root), *(str(root / name) for name in ("src", "lib") if (root / name).is_dir())]
    return os.pathsep.join([*folders, *filter(None, [os.environ.get("PYTHONPATH")])])


def module_name(root: Path, path: str) -> tuple[str, list[str]]:
    """The dotted name of a module, "" where it has none, and the folders that have to be on the path."""
    place = PurePosixPath(path)
    parts, folder = [] if place.stem == "__init__" else [place.stem], root / place.parent
    while (folder / "__init__.py").is_file() and folder != root:
        parts.insert(0, folder.name)
        folder = folder.parent
    usual = [folder, root, *(root / name for name in ("src", "lib") if (root / name).is_dir())]
    named = parts and all(part.isidentifier() for part in parts) and place.suffix == ".py"
    return ".".join(parts) if named else "", [str(one) for one in usual]
