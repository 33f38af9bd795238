"""SQL that code sends by itself is named with its place and with the line that reads the same rows now."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest

import toriwork.state
from tests.migrate.recipes.code import STORE
from toriwork.migrate import apply_plan, make_plan

CODE = '''import sqlite3
import pandas


def runs(path="lab.db"):
    """SELECT nothing FROM runs."""
    with sqlite3.connect(path) as connection:
        connection.execute(
            "INSERT INTO runs VALUES (1, 'a')"
        )
        connection.execute("CREATE TABLE IF NOT EXISTS runs (n, note)")
        return connection.execute("SELECT n FROM Runs").fetchall() + connection.execute("SELECT 1").fetchall()
'''


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "lab"
    folder.mkdir()
    with closing(sqlite3.connect(folder / "lab.db")) as connection:
        connection.execute("CREATE TABLE runs (n INTEGER, note TEXT)")
        connection.executemany("INSERT INTO runs VALUES (?, ?)", [(n, f"run {n}") for n in range(9)])
        connection.commit()
    return folder


def findings(root: Path) -> list[tuple[int, str]]:
    plan = make_plan(root, state_root=toriwork.state.state_root(), retire=["lab.db"])
    return [(found["line"], found["why"]) for found in plan.manual if found["recipe"] == "direct_sql"]


def test_each_statement_is_told_with_its_line_and_what_to_do(root):
    (root / "tool.py").write_text(CODE)
    found = dict(findings(root))
    assert sorted(found) == [9, 11, 12]
    assert "changes runs of lab.db" in found[9]
    assert "shapes runs of lab.db" in found[11]
    assert "`SELECT n FROM Runs` asks runs of lab.db, read now by pandas.read_parquet(" in found[12]


def test_the_line_that_is_told_reads_the_rows(root):
    (root / "tool.py").write_text(CODE)
    told = dict(findings(root))[12]
    apply_plan(root)
    read = re.search(r"pandas\.read_parquet\((.*)\)", told)
    assert read is not None
    rows = pd.read_parquet(eval(read[1], {"toriwork": toriwork}))
    assert list(rows["note"]) == [f"run {n}" for n in range(9)]


def test_a_text_in_a_module_without_a_driver_and_a_notebook_count(root):
    (root / "tool.py").write_text("from access import ask\n\nROWS = ask('SELECT * FROM runs')\n")
    cell = {"cell_type": "code", "metadata": {}, "outputs": [], "execution_count": None}
    source = "import sqlite3\nc = sqlite3.connect('lab.db')\nc.execute('SELECT n FROM runs')"
    cells = [cell | {"source": "x = 1"}, cell | {"source": source}]
    (root / "look.ipynb").write_text(json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5}))
    found = findings(root)
    assert [line for line, _ in found] == [3, 3]
    assert sum(why.startswith("cell 2: ") for _, why in found) == 1


def test_of_a_database_that_stays_no_statement_is_told(root):
    (root / "tool.py").write_text(CODE)
    plan = make_plan(root, state_root=toriwork.state.state_root())
    assert [
        (found["path"], found["line"], found["recipe"])
        for found in plan.manual
        if found["recipe"] != "database_imports"
    ] == [("tool.py", 5, "readers")]
    assert not plan.content["data"]


def test_what_is_told_otherwise_is_not_told_twice(root):
    store = STORE.replace("signatures", "runs") + "\n    def __getitem__(self, n):\n        return self.conn\n"
    (root / "store.py").write_text(store)
    assert findings(root) == []
