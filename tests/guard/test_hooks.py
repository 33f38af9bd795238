"""The hooks as docs/guard.md shows them, run for real: flake8, pre-commit; neither needs a network."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "guard.md").read_text(encoding="utf-8")


def shown(language: str, first: str) -> str:
    """The block of the page in this language that begins with this comment."""
    return re.search(rf"```{language}\n{re.escape(first)}\n(.*?)```", PAGE, re.DOTALL)[1]


def ran(folder: Path, *line: str) -> subprocess.CompletedProcess[str]:
    """What a command says in a folder, with no index of packages within reach."""
    binaries = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    # what asks for a network is refused at once
    closed = dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), "http://127.0.0.1:9")
    known = {
        **os.environ,
        **closed,
        "PATH": binaries,
        "PIP_NO_INDEX": "1",
        "PRE_COMMIT_HOME": str(folder.parent / "cache"),
    }
    return subprocess.run(line, cwd=folder, env=known, capture_output=True, text=True, check=False)


@pytest.fixture
def project(tmp_path):
    """A work tree with a clean module; what pre-commit keeps for itself (a database) lies beside it."""
    folder = tmp_path / "project"
    folder.mkdir()
    ran(folder, "git", "init", "-q")
    (folder / "plain.py").write_text("x = 1\n")
    return folder


def test_flake8_tells_what_the_guard_finds(project):
    (project / "store.py").write_text("import os\nimport sqlite3  # noqa\n\nname = 'red' + 'is'\n__import__(name)\n")
    done = ran(project, sys.executable, "-m", "flake8", "--select=TWG", "--disable-noqa", "store.py", "plain.py")
    assert (done.stdout.splitlines(), done.returncode) == (
        [
            "store.py:2:8: TWG101 import of sqlite3 (SQLite)",
            "store.py:5:1: TWG102 redis imported by its name (keys and values)",
        ],
        1,
    ), done.stderr


def test_the_hooks_of_pre_commit_pass_and_fail_once_an_import_comes_back(project):
    (project / ".pre-commit-config.yaml").write_text(shown("yaml", "# .pre-commit-config.yaml"))
    hooks = (sys.executable, "-m", "pre_commit", "run", "--all-files")
    ran(project, "git", "add", "-A")
    done = ran(project, *hooks)
    assert (done.returncode, done.stdout.count("Passed")) == (0, 2), done.stdout + done.stderr
    (project / "store.py").write_text("import sqlite3\n")
    ran(project, "git", "add", "-A")
    done = ran(project, *hooks)
    assert (done.returncode, done.stdout.count("Failed")) == (1, 2)
    assert "store.py:1:8: TWG101" in done.stdout


def test_the_environment_of_tox_installs_nothing(project):
    tox = configparser.ConfigParser()
    tox.read_string(shown("ini", "# tox.ini"))
    section = tox["testenv:guard"]
    assert section.getboolean("skip_install")  # else tox builds the project, with what it fetches for that
    assert section.get("deps", "") == ""
    program, *arguments = section["commands"].split()
    assert program in section["allowlist_externals"].split()
    assert ran(project, program, *arguments).returncode == 0
