"""``import toriwork`` against the start of a Python that imports nothing."""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.child import ROOT
from benchmarks.paired_rounds import seconds, take_turns
from benchmarks.report import Line, Target, compare
from benchmarks.sizes import Size

IMPORT_SECONDS = 0.2
_TIMED = "import time; t = time.perf_counter(); import toriwork; print(time.perf_counter() - t)"


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The line of importing the package, without the time that Python itself needs to start."""
    del folder
    start = partial(subprocess.run, [sys.executable, "-c", "pass"], check=True)
    found = take_turns({"import": _import_seconds, "start": partial(seconds, start)}, size.rounds)
    target = Target("at most", IMPORT_SECONDS, of="ours")
    return (compare("import toriwork", found["import"], "python -c pass", found["start"], "s", target),)


def _import_seconds() -> float:
    command = [sys.executable, "-c", _TIMED]
    return float(subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.PIPE, text=True).stdout)
