"""A command run under the audit hook of :mod:`toriwork.guard.runtime`, in a process of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from toriwork.errors import BadInput
from toriwork.guard.finding import Finding
from toriwork.guard.runtime import as_python
from toriwork.guard.settings import Settings


def run_watched(command: Sequence[str], settings: Settings) -> tuple[list[Finding], int]:
    """What a command did with databases while it ran, by code below the top of the project, and its exit code.

    The command is ``python ...``, a script, or a program that is one (``pytest``). Processes that it starts are not
    watched themselves; that it starts a database program is seen.

    Raises
    ------
    BadInput
        There is no command, or it runs no Python that could be watched.
    """
    if not command:
        raise BadInput("guard --runtime: a command is wanted behind --, such as: guard --runtime -- pytest")
    arguments = as_python(command)
    if arguments is None:
        raise BadInput(
            f"guard --runtime: {command[0]!r} is no program of Python; name python, a script or a tool like pytest"
        )
    with tempfile.TemporaryDirectory(prefix="toriwork-guard-") as folder:
        report = Path(folder) / "seen"
        policy = settings.policy
        words = [str(settings.root), str(report), " ".join(sorted(policy.ban)), " ".join(sorted(policy.permit))]
        known = os.environ | {"PYTHONPATH": _with_toriwork(os.environ.get("PYTHONPATH", ""))}
        done = subprocess.run(
            [sys.executable, "-m", "toriwork.guard.runtime", *words, *arguments], env=known, check=False
        )
        lines = report.read_text(encoding="utf-8").splitlines() if report.exists() else []
    return sorted(Finding(*json.loads(line)) for line in lines), done.returncode


def _with_toriwork(path: str) -> str:
    """The search path with the folder that holds toriwork behind what is there."""
    own = str(Path(__file__).resolve().parents[2])
    return os.pathsep.join([*filter(None, [path]), own])
