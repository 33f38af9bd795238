"""A notebook's session has a state root of its own and the same numbers in each run."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from toriwork import notebook
from toriwork.state import registry_path


@pytest.fixture(autouse=True)
def _variables_come_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (*notebook.THREAD_VARIABLES, notebook.ENV_NAME):
        monkeypatch.setenv(name, os.environ.get(name, "1"))


def test_state_goes_to_a_new_temporary_directory_and_the_preset_one_is_left_alone(state_root: Path) -> None:
    session = notebook.setup()
    assert registry_path() == session.registry_path
    assert session.state_root.is_dir()
    assert not session.state_root.is_relative_to(state_root)
    assert not state_root.exists()


def test_a_second_setup_starts_over_and_removes_the_first_directory() -> None:
    first = notebook.setup()
    second = notebook.setup()
    assert not first.state_root.exists()
    assert second.state_root.is_dir()


def test_the_directory_is_gone_when_the_process_is() -> None:
    code = "from toriwork import notebook; s = notebook.setup(); (s.state_root / 'x').touch(); print(s.state_root)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not Path(done.stdout.strip()).exists()


def test_two_sessions_say_and_draw_the_same() -> None:
    first, second = notebook.setup(seed=3), notebook.setup(seed=3)
    assert repr(first) == repr(second)
    assert "seed 3" in repr(first)
    assert np.array_equal(first.rng().normal(size=5), second.rng().normal(size=5))
    assert not np.array_equal(first.rng(0).normal(size=5), first.rng(1).normal(size=5))
    assert not np.array_equal(first.rng().normal(size=5), notebook.setup(seed=4).rng().normal(size=5))


def test_stores_that_were_left_open_are_closed_first_and_nothing_is_said(tmp_path: Path) -> None:
    code = (
        "from toriwork import TorusRegistry, emit_token, notebook\n"  # the stores' exit handlers come before ours
        "session = notebook.setup()\nregistry = TorusRegistry()\nregistry.record_shape([[0.0, 1.0]], (1, 0))\n"
        "emit_token({'type': 'x', 'value': 1})\nsession = notebook.setup()\nassert registry.closed\n"
        "kept = TorusRegistry()\nkept.record_shape([[0.0, 1.0]], (1, 0))\nprint(session.state_root)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    assert not Path(done.stdout.strip()).exists()
