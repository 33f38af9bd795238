"""``python -m toriwork.guard.runtime``: run a program of Python and write down every database that it touches.

An audit hook, and a look at each ``import`` statement (the hook sees a module only the first time), in the process of
the program itself; no file of the environment is changed. What other libraries do for themselves is theirs: an import
counts for the code that asks for it, a connection for the nearest code of the project that leads to it.
"""

from __future__ import annotations

import builtins
import json
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from types import FrameType
from typing import Any

from toriwork.errors import BadInput
from toriwork.guard.databases import judged
from toriwork.guard.finding import Finding
from toriwork.guard.policy import Policy
from toriwork.guard.settings import Settings
from toriwork.guard.shell import started_by, started_by_line

_INTERNAL = (__file__, "<frozen ", "<string>")
_SITE = (f"{os.sep}site-packages{os.sep}", f"{os.sep}dist-packages{os.sep}")


class Watch:
    """The hook: from events to findings in a file, one JSON list a line, each written at once."""

    def __init__(self, root: str, descriptor: int, policy: Policy) -> None:
        self._root = os.path.realpath(root) + os.sep
        self._descriptor, self._policy = descriptor, policy
        self._library = os.path.dirname(os.__file__) + os.sep
        self._seen: set[tuple[str, int, str, str]] = set()
        self._rules: dict[str, Callable[[tuple[Any, ...]], None]] = {
            "import": lambda given: self.imported(str(given[0])),
            "sqlite3.connect": self._connected,
            "subprocess.Popen": lambda given: self._started(given[1] if given[1] is not None else given[0]),
            "os.system": lambda given: self._started(given[0]),
            "os.exec": lambda given: self._started(given[1]),
            "os.posix_spawn": lambda given: self._started(given[1]),
            "os.spawn": lambda given: self._started(given[2]),
        }

    def __call__(self, event: str, given: tuple[Any, ...]) -> None:
        """Take an event of ``sys.addaudithook``."""
        rule = self._rules.get(event)
        if rule is not None:
            rule(given)

    def imported(self, name: str) -> None:
        """Note an import when the code that asks for it is the project's."""
        found = self._policy.banned(name)
        if found:
            self._note(self._asking(), "TWG101", f"import of {name} ({self._policy.modules[found]}), seen", found)

    def _connected(self, given: tuple[Any, ...]) -> None:
        path = str(given[0])
        tool = judged(path, b"")
        if tool is None or tool.code:
            self._note(self._nearest(), "TWG109", "a connection to SQLite is opened, seen", "sqlite3")

    def _started(self, command: Any) -> None:
        words = command if isinstance(command, list | tuple) else [command]
        texts = [os.fsdecode(word) for word in words if isinstance(word, str | bytes | os.PathLike)]
        started = started_by_line(texts[0], self._policy) if len(texts) == 1 else started_by(texts, self._policy)
        for one in started:
            if one.kind == "program":
                self._note(self._nearest(), "TWG107", f"the program {one.what} is started, seen", one.what)

    def _asking(self) -> FrameType | None:
        """The frame that asks for an import, when it is the project's."""
        for frame in _frames():
            name = frame.f_code.co_filename
            if not name.startswith(_INTERNAL) and not name.startswith(self._library + "importlib"):
                return frame if self._is_own(name) else None
        return None

    def _nearest(self) -> FrameType | None:
        """The innermost frame of the project."""
        return next((frame for frame in _frames() if self._is_own(frame.f_code.co_filename)), None)

    def _is_own(self, name: str) -> bool:
        if name == __file__ or name.startswith("<") or any(part in name for part in _SITE):
            return False
        return os.path.realpath(name).startswith(self._root)

    def _note(self, frame: FrameType | None, code: str, message: str, what: str) -> None:
        if frame is None:
            return
        path = os.path.relpath(os.path.realpath(frame.f_code.co_filename), self._root).replace(os.sep, "/")
        key = (path, frame.f_lineno, code, what)
        if key not in self._seen:
            self._seen.add(key)
            os.write(self._descriptor, json.dumps([path, frame.f_lineno, 1, code, message, what]).encode() + b"\n")


def _frames() -> Iterator[FrameType]:
    """The frames of the running code, innermost first."""
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - the only way to ask who calls
    while frame is not None:
        yield frame
        frame = frame.f_back


def watch(root: str, report: str, policy: Policy) -> None:
    """Begin to watch this process; findings are appended to the file ``report``."""
    descriptor = os.open(report, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    hook = Watch(root, descriptor, policy)
    original = builtins.__import__

    def seen_import(name: str, *rest: Any, **more: Any) -> Any:
        level = rest[3] if len(rest) > 3 else more.get("level", 0)
        if not level:
            hook.imported(name)
        return original(name, *rest, **more)

    builtins.__import__ = seen_import
    sys.addaudithook(hook)


def main(arguments: Sequence[str]) -> None:
    """Run ``root report ban permit COMMAND...`` in this process; ends as the command does."""
    root, report, ban, permit, *command = arguments
    watch(root, report, Policy(frozenset(ban.split()), frozenset(permit.split())))
    if command[:1] == ["-m"]:
        sys.argv = command[1:]
        sys.path.insert(0, os.getcwd())
        runpy.run_module(command[1], run_name="__main__", alter_sys=True)
    elif command[:1] == ["-c"]:
        sys.argv = ["-c", *command[2:]]
        sys.path.insert(0, "")
        exec(compile(command[1], "<string>", "exec"), {"__name__": "__main__"})  # noqa: S102 - what python -c does
    else:
        sys.argv = list(command)
        sys.path.insert(0, os.path.dirname(os.path.abspath(command[0])))
        runpy.run_path(command[0], run_name="__main__")


def as_python(command: Sequence[str]) -> list[str] | None:
    """A command as arguments of Python (``-m x``, ``-c x``, ``x.py``), or None when it runs something else."""
    program, *rest = command
    if os.path.basename(program).startswith(("python", "pypy")):
        return rest or None
    if program.endswith((".py", ".pyw")):
        return [program, *rest]
    found = shutil.which(program)
    if found is None:
        return None
    with open(found, "rb") as stream:
        first = stream.readline(200)
    return [found, *rest] if first.startswith(b"#!") and b"python" in first else None


def run_watched(command: Sequence[str], settings: Settings) -> tuple[list[Finding], int]:
    """Return the findings of a command that ran under the audit hook, in code of the project, and its exit code.

    The command is ``python ...``, a script, or a program that is one (``pytest``). Processes that it starts are not
    watched themselves; that it starts a database program is seen.

    Raises
    ------
    BadInput
        There is no command, or it runs no Python that could be watched.
    """
    if not command:
        raise BadInput("guard --runtime: expected a command behind --, such as: guard --runtime -- pytest")
    arguments = as_python(command)
    if arguments is None:
        raise BadInput(f"guard --runtime: expected python, a script or a tool like pytest, got {command[0]!r}")
    with tempfile.TemporaryDirectory(prefix="toriwork-guard-") as folder:
        report = Path(folder) / "seen"
        policy = settings.policy
        words = [str(settings.root), str(report), " ".join(sorted(policy.ban)), " ".join(sorted(policy.permit))]
        own = str(Path(__file__).resolve().parents[2])  # behind what is there already
        path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), own]))
        line = [sys.executable, "-m", "toriwork.guard.runtime", *words, *arguments]
        done = subprocess.run(line, env=os.environ | {"PYTHONPATH": path}, check=False)
        lines = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
    return sorted(Finding(*json.loads(line)) for line in lines), done.returncode


if __name__ == "__main__":
    main(sys.argv[1:])
