"""Signal handlers, ``__del__``, weakref callbacks, logging handlers, exit functions: none waits for its own thread."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).parent
HOW = ("signal", "del", "weakref", "logging")


def run(folder: Path, how: str, runs: int, seed: int) -> dict[str, dict[str, int]]:
    """What ran and what was busy; a call that hangs ends the process with a traceback, and the test."""
    folder.mkdir()
    command = [sys.executable, str(HERE / "handlers.py"), str(folder), how, str(runs), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    said: dict[str, dict[str, int]] = json.loads(done.stdout or "{}")
    return said


@pytest.mark.parametrize("how", HOW)
def test_a_call_in_the_middle_of_another_works_or_raises_at_once(how: str, tmp_path: Path) -> None:
    said = run(tmp_path / how, how, 12, 1)
    assert sum(said["ran"].values()) >= 12


def test_exit_functions_may_call_anything(tmp_path: Path) -> None:
    run(tmp_path / "atexit", "atexit", 0, 1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("how", HOW)
def test_five_hundred_calls_in_the_middle_of_others(how: str, seed: int, tmp_path: Path) -> None:
    said = run(tmp_path / how, how, 100 if how != "signal" else 400, seed)
    assert len(said["ran"]) > 12
    assert how == "logging" or sum(said["busy"].values()) > 0
