"""The room that tests run in is not the user's; what starts inside it stays inside it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from toriwork.state import state_root as where_state_lives


def test_home_is_a_temporary_directory():
    assert Path.home().is_relative_to(Path(tempfile.gettempdir()))
    assert Path.home().name.startswith("toriwork-test-")


def test_no_variable_leads_out_of_it():
    leading = [name for name in os.environ if name.startswith(("XDG_", "JUPYTER_", "IPYTHON", "MPLCONFIG"))]
    assert leading == []


def test_each_test_has_a_state_root_that_nobody_made(state_root):
    assert where_state_lives() == state_root
    assert not state_root.exists()


def test_children_live_there_too(state_root):
    code = (
        "from pathlib import Path; from toriwork.state import state_root; print(Path.home(), state_root(), sep='\\n')"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert told.splitlines() == [str(Path.home()), str(state_root)]
