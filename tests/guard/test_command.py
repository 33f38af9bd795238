"""The command: one finding a line, exit codes, JSON, SARIF, explanations, a baseline, and a run that is watched."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from toriwork.cli import main
from toriwork.guard import CODES
from toriwork.guard.flake8_plugin import Plugin

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """A folder with a driver in one file, and the working directory."""
    (tmp_path / "store.py").write_text("import os\nimport sqlite3 as s  # noqa\n")
    (tmp_path / "plain.py").write_text("import importlib, sys\nimportlib.import_module(sys.argv[1])\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_a_finding_is_one_line_that_begins_with_its_path(capsys):
    assert main(["guard", "."]) == 1
    told = capsys.readouterr()
    assert told.out == "store.py:2:8: TWG101 import of sqlite3 (SQLite)\n"
    assert "warning: plain.py:2:1: TWG901" in told.err


def test_nothing_found_says_nothing_and_ends_with_0(capsys):
    assert main(["guard", "plain.py"]) == 0
    assert capsys.readouterr().out == ""


def test_strict_turns_warnings_into_findings(capsys):
    assert main(["guard", "--strict", "plain.py"]) == 1


def test_a_path_that_is_not_there_ends_with_2(capsys):
    assert main(["guard", "nowhere"]) == 2


def test_json_is_one_document(capsys):
    assert main(["guard", "--json", "."]) == 1
    told = json.loads(capsys.readouterr().out)
    assert [(f["path"], f["line"], f["code"], f["what"]) for f in told["findings"]] == [
        ("store.py", 2, "TWG101", "sqlite3")
    ]
    assert told["files"] == 2


def test_sarif_names_a_file_whose_name_is_not_utf_8(capsys):
    Path(os.fsdecode(b"bad\xff name.py")).write_text("import sqlite3\n")
    assert main(["guard", "--sarif", "."]) == 1
    assert "bad%FF%20name.py" in capsys.readouterr().out


def test_sarif_has_the_parts_that_readers_need(capsys):
    assert main(["guard", "--sarif", "."]) == 1
    log = json.loads(capsys.readouterr().out)
    (run,) = log["runs"]
    rules = {rule["id"] for rule in run["tool"]["driver"]["rules"]}
    assert log["version"] == "2.1.0"
    assert [result["level"] for result in run["results"]] == ["error", "warning"]
    for result in run["results"]:
        assert result["ruleId"] in rules
        assert result["message"]["text"]
        (place,) = result["locations"]
        assert place["physicalLocation"]["region"]["startLine"] == 2


@pytest.mark.parametrize("code", CODES)
def test_every_code_is_explained(code, capsys):
    assert main(["guard", "--explain", code]) == 0
    assert CODES[code].remedy in capsys.readouterr().out


def test_the_page_names_every_code():
    page = (ROOT / "docs" / "guard.md").read_text(encoding="utf-8")
    assert [code for code in CODES if f"`{code}`" not in page] == []


def test_a_baseline_is_made_kept_and_lowered(project, capsys):
    assert main(["guard", ".", "--baseline", "known.json"]) == 2
    assert main(["guard", ".", "--baseline", "known.json", "--update-baseline"]) == 0
    assert main(["guard", ".", "--baseline", "known.json"]) == 0
    (project / "more.py").write_text("import redis\n")
    assert main(["guard", ".", "--baseline", "known.json", "--update-baseline"]) == 1
    assert "redis" not in (project / "known.json").read_text()


def watched(*command: str, json_too: bool = True) -> subprocess.CompletedProcess[str]:
    line = [sys.executable, "-m", "toriwork", "guard", "--runtime", *(["--json"] if json_too else []), "--", *command]
    return subprocess.run(line, capture_output=True, text=True, check=False)


def test_a_run_that_is_watched_shows_what_only_a_run_knows(project):
    (project / "run.py").write_text(
        "import sys, subprocess\n__import__(sys.argv[1])\nexec('from ' + sys.argv[1] + ' import connect')\n"
        "try:\n    subprocess.run([sys.argv[1], '-version'], capture_output=True)\nexcept OSError:\n    pass\n"
    )
    done = watched("python", "run.py", "sqlite3")
    assert done.returncode == 1
    seen = {(finding["path"], finding["line"], finding["code"]) for finding in json.loads(done.stdout)["findings"]}
    expected = {("run.py", 2, "TWG101"), ("run.py", 3, "TWG101"), ("run.py", 5, "TWG107")}
    assert expected <= seen


def test_what_a_library_imports_for_itself_is_not_the_projects(project):
    assert watched("-c", "pass").returncode == 2  # no program
    done = watched("python", "-c", "import nbformat.sign; print('ran')", json_too=False)
    assert (done.returncode, done.stdout) == (0, "ran\n")


def test_the_exit_code_of_a_failing_command_is_no_finding(project):
    (project / "fail.py").write_text("raise SystemExit(5)\n")
    done = watched("python", "fail.py", json_too=False)
    assert done.returncode == 2
    assert "ended with 5" in done.stderr


def test_the_plugin_of_flake8_gives_the_same_findings(project):
    source = (project / "store.py").read_text()
    (found,) = Plugin(ast.parse(source), source.splitlines(keepends=True), "store.py").run()
    assert found == (2, 7, "TWG101 import of sqlite3 (SQLite)", Plugin)


def test_flake8_finds_the_plugin_by_its_entry_point():
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    assert re.search(r'entry-points."flake8.extension"\]\nTWG = "toriwork.guard.flake8_plugin:Plugin"', text)
    assert all(point.load() is Plugin for point in entry_points(group="flake8.extension") if point.name == "TWG")


def test_no_package_that_does_not_exist_is_named():
    pages = [*ROOT.glob("docs/guard.md"), ROOT / ".pre-commit-hooks.yaml", *ROOT.glob("toriwork/guard/*.py")]
    assert [page.name for page in pages if "forbid-import" in page.read_text(encoding="utf-8")] == []
