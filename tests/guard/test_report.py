"""A SARIF log is valid by the schema of OASIS, whatever the files are called and whatever happened to the findings."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from urllib.parse import unquote_to_bytes

import pytest
from jsonschema import Draft4Validator

from toriwork.cli import main

SCHEMA = json.loads((Path(__file__).parent / "sarif-schema-2.1.0.json").read_text(encoding="utf-8"))
VALIDATOR = Draft4Validator(SCHEMA)
#: RFC 3986, appendix A: a reference without a scheme
_REFERENCE = re.compile(r"(?:[\w.~!$&'()*+,;=@/-]|%[0-9A-F]{2})+", re.ASCII)
NAMES = (
    "plain.py",
    "with blank.py",
    "50%.py",
    "a:b.py",
    "what?.py",
    "x#y.py",
    "back\\slash.py",
    'quote".py',
    "[1].py",
    "new\nline.py",
    "grüße-日本.py",
    os.fsdecode(b"bad\xff name.py"),
    "%41.py",
    "deep/er/http:/x.py",
)


@pytest.fixture(autouse=True)
def project(tmp_path, monkeypatch):
    """An empty folder, as the working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def log(capsys):
    """The log of a run with further arguments, valid and readable by those who take no half of a sign."""

    def run(*arguments):
        main(["guard", "--sarif", *arguments])
        text = capsys.readouterr().out
        log = json.loads(text)
        json.dumps(log, ensure_ascii=False).encode()  # raises where a sign is half of a pair
        assert [error.message for error in VALIDATOR.iter_errors(log)] == []
        return log["runs"][0]["results"]

    return run


def _uris(results):
    return [result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for result in results]


def test_the_schema_refuses_what_is_no_log():
    broken = {"version": "2.1.0", "runs": [{"tool": {"driver": {"name": "x"}}, "results": [{"ruleId": "x"}]}]}
    assert [error.message for error in VALIDATOR.iter_errors(broken)] == ["'message' is a required property"]


def test_a_run_without_findings_is_valid(log):
    assert log(".") == []


@pytest.mark.parametrize("absolute", [False, True])
def test_odd_names_become_references_that_lead_back(log, project, absolute):
    for name in NAMES:
        (project / name).parent.mkdir(parents=True, exist_ok=True)
        (project / name).write_text("import sqlite3\n")
    uris = _uris(log(str(project) if absolute else "."))
    assert [uri for uri in uris if not _REFERENCE.fullmatch(uri) or ":" in uri.split("/")[0]] == []
    front = os.fsencode(project) + b"/" if absolute else b""
    assert sorted(map(unquote_to_bytes, uris)) == sorted(front + os.fsencode(name) for name in NAMES)


def test_what_an_exception_covers_is_suppressed_with_its_reason(log, project):
    (project / "store.py").write_text("import sqlite3\n")
    (project / "pyproject.toml").write_text(
        '[tool.toriwork.guard]\nallow = [{ path = "store.py", what = "*", until = "2999-01-01", reason = "old" }]\n'
    )
    (result,) = log(".")
    assert result["suppressions"] == [{"kind": "external", "justification": "old"}]


def test_what_the_baseline_knows_is_suppressed(log, project):
    (project / "store.py").write_text("import sqlite3\n")
    main(["guard", ".", "--baseline", "known.json", "--update-baseline"])
    (project / "other.py").write_text("import redis\n")
    results = log(".", "--baseline", "known.json")
    assert sorted((uri, "suppressions" in one) for uri, one in zip(_uris(results), results, strict=True)) == [
        ("other.py", False),
        ("store.py", True),
    ]


def test_warnings_files_and_half_signs_are_valid(log, project):
    (project / "plain.py").write_text("import importlib, sys\nimportlib.import_module(sys.argv[1])\n")
    (project / "half.py").write_text("import importlib\nimportlib.import_module('sqlite3.\\udcff')\n")
    (project / "broken.py").write_text("import sqlite3\nif (\n")
    (project / "x.db").write_bytes(b"SQLite format 3\0")
    (project / "requirements.txt").write_text("redis\n")
    found = {result["ruleId"] for result in log(".")}
    assert found == {"TWG901", "TWG102", "TWG101", "TWG902", "TWG201", "TWG301"}
