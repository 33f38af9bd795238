"""A small code base with everything awkward in it, and a proposal for it: real files, real steps, no recipes."""

from __future__ import annotations

import os
import shutil
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from tests.migrate.engine.dying import die_at
from toriwork.codebase.index import CodebaseIndex
from toriwork.errors import NotProven
from toriwork.migrate.engine.plan import Plan, make_plan
from toriwork.migrate.engine.proposal import Change, Proposal
from toriwork.migrate.engine.restore_script import put, state_of
from toriwork.migrate.engine.retire import RetireFiles
from toriwork.migrate.engine.step import IdempotentStep, Run

OLD, NEW = b"import sqlite3", b"import toriwork"
DATABASE = "data/spectra.db"


@dataclass(frozen=True)
class CopyOut(IdempotentStep):
    """A data step in small: the bytes of a database under the state root, proven by comparing them."""

    id: str
    source: str
    target: str
    kind: ClassVar[str] = "copy"

    def do(self, run: Run) -> dict[str, Any]:
        Path(self.target).parent.mkdir(parents=True, exist_ok=True)
        put(Path(self.target), ((run.root / self.source).read_bytes(),), {"mode": 0o600})
        return {"proven": True}

    def undo(self, run: Run) -> dict[str, Any]:
        Path(self.target).unlink(missing_ok=True)
        return {}

    def verify(self, run: Run) -> dict[str, Any]:
        if not Path(self.target).is_file():
            raise NotProven(f"{self.target}: is not there")
        return {}

    def describe(self) -> dict[str, Any]:
        return {"kind": self.kind, **asdict(self)}


def propose(root: Path, state_root: Path) -> Proposal:
    code = sorted(path.relative_to(root).as_posix() for path in root.rglob("*.py") if not path.is_symlink())
    changes = [
        Change(path, source, source.replace(OLD, NEW), ("imports",))
        for path in code
        if OLD in (source := (root / path).read_bytes())
    ]
    for path, text in (("python/core/registry.py", b"import toriwork\n"), ("capsule.yml", b"state_path: x\n")):
        if not (root / path).exists():
            changes.append(Change(path, None, text, ("generated",)))
    if (root / "old.json").exists():
        changes.append(Change("old.json", (root / "old.json").read_bytes(), None, ("history",)))
    if not (root / DATABASE).exists():
        return Proposal(tuple(code), tuple(changes))
    copy = CopyOut(f"data:{DATABASE}", DATABASE, str(state_root / "legacy" / "spectra"))
    return Proposal(
        seen=tuple(code),
        changes=tuple(changes),
        databases=({"path": DATABASE},),
        data=[copy],
        retire=[RetireFiles(f"retire:{DATABASE}", (DATABASE,), (copy.id,))],
    )


def build(root: Path) -> Path:
    """The code base, always the same."""
    for folder in ("pkg", "data", "python"):
        (root / folder).mkdir(parents=True)
    write(root / "pkg/plain.py", OLD + b"\n\nROWS = 3\n", 0o644)
    write(root / "pkg/windows.py", b"\xef\xbb\xbf" + OLD + b"\r\nROWS = 3\r\n", 0o640)
    write(root / "pkg/latin.py", b"# coding: latin-1\n" + OLD + b"\nNAME = '\xe4'", 0o755)
    write(root / "pkg/sealed.py", b"\x0c" + OLD + b"\n", 0o444)
    write(root / "pkg/untouched.py", b"ROWS = 4\n", 0o600)
    write(root / "old.json", b"[]\n", 0o664)
    (root / "link.py").symlink_to("pkg/plain.py")
    (root / "loop.py").symlink_to("loop.py")
    with closing(sqlite3.connect(root / DATABASE)) as connection:
        connection.execute("CREATE TABLE spectra (value REAL)")
        connection.executemany("INSERT INTO spectra VALUES (?)", [(n / 7,) for n in range(50)])
        connection.commit()
    os.utime(root / DATABASE, ns=(10**18, 10**18))
    return root


def write(path: Path, data: bytes, mode: int) -> None:
    if path.exists():
        path.chmod(0o600)  # only root may write into a file that is read-only
    path.write_bytes(data)
    path.chmod(mode)
    os.utime(path, ns=(10**18, 10**18))


def plan_of(root: Path, state_root: Path, proposal: Proposal | None = None) -> Plan:
    return make_plan(CodebaseIndex.scan(root), state_root, proposal or propose(root, state_root))


def tree(root: Path, *, private: bool = False) -> dict[str, str]:
    """Every name below a folder with what it is, links not followed; without the private folder and the backup."""
    found = {}
    for folder, folders, names in os.walk(root):
        if not private:
            folders[:] = [name for name in folders if name not in (".toriwork", "backup_pre_nodb")]
        for name in [*folders, *names]:
            path = Path(folder, name)
            found[path.relative_to(root).as_posix()] = state_of(path)
    return found


def killed(work: Callable[[], object], crash_at: str = "") -> bool:
    """Whether a child process that did the work was killed by a signal; an exception in it is an error here."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            if crash_at:
                die_at(crash_at)
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        assert os.WTERMSIG(status) == signal.SIGKILL
        return True
    assert os.waitstatus_to_exitcode(status) == 0
    return False


def copied(source: Path, target: Path) -> Path:
    """A code base once more, modes, times and links included."""
    return Path(shutil.copytree(source, target, symlinks=True))


class Deadly:
    """Kills the process in front of its n-th system call that changes names or reaches the disk."""

    CALLS = ("fsync", "replace", "unlink", "mkdir", "rmdir")

    def __init__(self, at: int) -> None:
        self.at, self.n = at, 0

    def arm(self) -> None:
        for name in self.CALLS:
            setattr(os, name, self._armed(getattr(os, name)))

    def _armed(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **kwargs: Any) -> Any:
            self.n += 1
            if self.n == self.at:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return counted
