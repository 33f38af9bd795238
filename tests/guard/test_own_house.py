"""The guard runs over this repository: what it finds has a reason in pyproject.toml."""

from __future__ import annotations

import datetime as dt
import shutil
from pathlib import Path

import pytest

from toriwork.guard import examine
from toriwork.guard.settings import read_settings

ROOT = Path(__file__).resolve().parents[2]
#: a test does not fail because time goes by; the command that people call looks at the clock
DAY = dt.date(2026, 11, 23)


def test_no_database_is_used_without_a_reason(monkeypatch):
    monkeypatch.chdir(ROOT)
    folders = [
        "toriwork",
        "benchmarks",
        "research",
        "tools",
        "notebooks",
        "docs",
        "tests",
        "data_samples",
        "pyproject.toml",
    ]
    report = examine([*folders, "environment.yml", "conftest.py"], settings=read_settings(ROOT), today=DAY)
    assert [str(finding) for finding in report.findings] == []
    assert [str(entry) for entry in report.idle] == []


@pytest.mark.parametrize("name", ["toriwork/registry/store.py", "notebooks/new.py", "toriwork/cells/x.py"])
def test_one_import_more_is_found(name, tmp_path):
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    file = tmp_path / name
    file.parent.mkdir(parents=True)
    file.write_text("import sqlite3\n")
    report = examine([str(tmp_path)], settings=read_settings(tmp_path), today=DAY)
    assert [finding.what for finding in report.findings if finding.path.endswith(name)] == ["sqlite3"]
