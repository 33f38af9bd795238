"""Whoever spells the name of a database, in any language, is found with its line; who only shares letters is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.migrate.fixtures import build
from toriwork.codebase import CodebaseIndex
from toriwork.migrate.data.readers import find_readers

READERS = {
    "R": ("a.R", 'x\ncon <- dbConnect(RSQLite::SQLite(), "results.db")\n', 2),
    "R by its stem": ("a.R", 'f <- paste0("results", ".db")\n', 1),
    "Julia": ("a.jl", 'db = SQLite.DB("data/results.db")\n', 1),
    "MATLAB": ("a.m", "\n\nconn = sqlite('results.db');\n", 3),
    "a shell": ("run.sh", "sqlite3 -csv results.db 'select 1'\n", 1),
    "a shell variable": ("run.sh", "DB=results\nsqlite3 $DB.db\n", 1),
    "make": ("Makefile", "all: results.db\n\tcat $<\n", 1),
    "no suffix": ("job", "#!/bin/sh\nread results.db\n", 2),
    "YAML": ("a.yml", "a: 1\ndatabase: results.db  # here\n", 2),
    "YAML by its stem": ("a.yaml", "database: results\n", 1),
    "a YAML list": ("a.yaml", "databases:\n  - results\n", 2),
    "TOML": ("a.toml", '[db]\npath = "var/results.db"\n', 2),
    "INI": ("a.ini", "[db]\nurl = sqlite:///results.db?mode=ro\n", 2),
    "JSON": ("a.json", '{"db": "results.db"}', 1),
    "JSON by its stem": ("a.json", '{"db": "results"}', 1),
    "a notebook": ("a.ipynb", json.dumps({"cells": [{"source": ["open('results.db')"]}]}), 1),
    "Qt": ("a.py", "from PyQt4.QtSql import QSqlDatabase\ndb.setDatabaseName('results.db')\n", 2),
    "PyArrow": ("a.py", 'ds.dataset("results.db")\n', 1),
    "a path in Python": ("a.py", "from pathlib import Path\nDB = Path('data') / 'results.db'\n", 2),
    "an f-string": ("a.py", "x = 1\nDB = f'results{SUFFIX}'\n", 2),
    "Windows": ("a.py", "DB = 'C:\\\\data\\\\results.db'\n", 1),
    "another case": ("a.bat", "copy RESULTS.DB x:\n", 1),
    "its log": ("a.sh", "rm results.db-wal\n", 1),
    "the end of a sentence": ("notes.txt", "all of it is in results.db.\n", 1),
    "prose": ("README.md", "see `results.db`\n", 1),
    "UTF-16": ("a.ps1", "\nOpen-Db results.db\n", 2),
    "Latin-1": ("a.tcl", "# \xe4\nopen results.db\n", 2),
}
OTHERS = {
    "another name": ("a.py", "open('old_results.db', 'results.dbf')\n"),
    "a longer name": ("a.py", "open('my-results.db')\n"),
    "a variable": ("a.py", "results = load()\nprint(results)\nout = results\n"),
    "a word in a sentence": ("README.md", "the results are good: results\n"),
    "a longer stem": ("a.yml", "database: results_2\n"),
    "the suffix": ("a.py", "open('x.db')\n"),
}


def found_in(root: Path, name: str = "results.db") -> list[tuple[str, int]]:
    return find_readers(CodebaseIndex.scan(root), {name: (name,)}).get(name, [])


@pytest.mark.parametrize("case", READERS)
def test_a_file_that_spells_the_name_is_a_reader_with_its_line(tmp_path, case):
    path, text, line = READERS[case]
    coding = {"UTF-16": "utf-16", "Latin-1": "latin-1"}.get(case, "utf-8")
    (tmp_path / path).write_bytes(text.encode(coding))
    assert found_in(tmp_path) == [(path, line)]


@pytest.mark.parametrize("case", OTHERS)
def test_what_only_shares_letters_with_the_name_is_none(tmp_path, case):
    path, text = OTHERS[case]
    (tmp_path / path).write_text(text)
    assert found_in(tmp_path) == []


def test_data_and_its_side_files_do_not_read_themselves(tmp_path):
    build(tmp_path, {"results.db": "results.db", "results.db-wal": "results.db"})
    (tmp_path / "other.bin").write_bytes(b"\0results.db")
    assert found_in(tmp_path) == []


def test_a_name_with_blanks_and_a_name_without_a_suffix(tmp_path):
    build(tmp_path, {"a.R": "x <- 'my data.db'\n", "b.yml": "database: store\n", "c.py": "store = 1\n"})
    assert found_in(tmp_path, "my data.db") == [("a.R", 1)]
    assert found_in(tmp_path, "store") == [("b.yml", 1)]


def test_links_count_as_names(tmp_path):
    build(tmp_path, {"a.R": "'latest.db'\n"})
    assert find_readers(CodebaseIndex.scan(tmp_path), {"x.db": ("x.db", "latest.db")}) == {"x.db": [("a.R", 1)]}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
@pytest.mark.parametrize("n_before", [0, 1, 40, 41, 42, 43, 44, 45, 46, 47, 48, 49, 50, 95, 500])
def test_a_huge_file_is_read_to_its_end_in_pieces(encoding, n_before, tmp_path, monkeypatch):
    monkeypatch.setattr("toriwork.migrate.data.readers._PIECE", 100)
    monkeypatch.setattr("toriwork.migrate.data.readers._OVERLAP", 40)
    (tmp_path / "a.csv").write_bytes(("x\n" * n_before + "results.db\n" + "y\n" * 200).encode(encoding))
    assert found_in(tmp_path) == [("a.csv", n_before + 1)]


def test_ten_databases_in_a_hundred_files_are_one_pass_over_each(tmp_path, monkeypatch):
    build(tmp_path, {f"f{n}.sh": f"open d{n % 10}.db\n" for n in range(100)})
    read: list[str] = []
    head = CodebaseIndex.head
    monkeypatch.setattr(CodebaseIndex, "head", lambda self, path, n: (read.append(path), head(self, path, n))[1])
    found = find_readers(CodebaseIndex.scan(tmp_path), {f"d{n}.db": (f"d{n}.db",) for n in range(10)})
    assert sorted(read) == sorted(f"f{n}.sh" for n in range(100))
    assert {name: len(places) for name, places in found.items()} == {f"d{n}.db": 10 for n in range(10)}
