"""Whoever set TORI_STATE_ROOT for real work finds it untouched after notebooks and tests have run.

That the demo leaves it alone stands in tests/cli/test_demo.py.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.house.probe import ROOT, nbval, small_project, write

#: writes where state lives, and claims that this is not where the user keeps hers
WRITER = """
import os
from pathlib import Path
from toriwork.state import state_root
state_root().mkdir(parents=True, exist_ok=True)
(state_root() / "torus_registry.parquet").write_bytes(b"rows of a notebook")
assert "precious" not in str(state_root())
"""


@pytest.fixture
def precious(tmp_path) -> Path:
    """A state root in use."""
    root = tmp_path / "precious"
    root.mkdir()
    (root / "torus_registry.parquet").write_bytes(b"years of work")
    return root


def content(root: Path) -> dict[str, tuple[int, bytes]]:
    """Name, time of change and bytes of everything below a root."""
    files = (path for path in root.rglob("*") if path.is_file())
    return {str(path.relative_to(root)): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def environment(root: Path) -> dict[str, str]:
    return {"TORI_STATE_ROOT": str(root), "PYTHONPATH": str(ROOT)}


def test_tests_and_notebooks_under_pytest_leave_it_alone(tmp_path, precious):
    before = content(precious)
    project = small_project(tmp_path / "project")
    write(project / "notebooks" / "writer.ipynb", WRITER)
    (project / "tests").mkdir()
    (project / "tests" / "test_writer.py").write_text(f"def test_it():\n    exec({WRITER!r})\n")
    done = nbval(project, "tests", **environment(precious))
    assert "2 passed" in done.stdout, done.stdout + done.stderr
    assert content(precious) == before


def test_notebooks_under_the_runner_leave_it_alone(tmp_path, precious):
    before = content(precious)
    path = write(tmp_path / "writer.ipynb", WRITER)
    line = [sys.executable, str(ROOT / "tools" / "run_notebooks.py"), "--check", str(path)]
    done = subprocess.run(line, env=os.environ | environment(precious), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert content(precious) == before
