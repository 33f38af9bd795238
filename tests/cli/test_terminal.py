"""What is printed: tables as wide as the terminal, colours where they may be, JSON that any reader takes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from toriwork.cli import main
from toriwork.cli.terminal import say_json, say_table

Capture = pytest.CaptureFixture[str]
ROWS = [("a", 1, "short"), ("一一", 20, "a much longer text that goes on and on")]


def test_numbers_stand_to_the_right_and_wide_signs_count_twice(capsys: Capture) -> None:
    say_table(("name", "n", "text"), ROWS, empty="none")
    assert capsys.readouterr().out.splitlines() == [
        "name   n  text",
        "a      1  short",
        "一一  20  a much longer text that goes on and on",
    ]


def test_without_rows_something_is_said(capsys: Capture) -> None:
    say_table(("name",), [], empty="no rows")
    assert capsys.readouterr().out == "no rows\n"


@pytest.mark.parametrize(("columns", "last"), [("20", "一一  20  a much lo…"), ("80", "一一  20  " + ROWS[1][2])])
def test_in_a_terminal_no_line_is_longer_than_it_is_wide(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, columns: str, last: str
) -> None:
    monkeypatch.setenv("COLUMNS", columns)
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    say_table(("name", "n", "text"), ROWS, empty="none")
    assert capsys.readouterr().out.splitlines()[-1] == last


def test_what_has_no_json_form_is_null(capsys: Capture) -> None:
    say_json({"a": [float("nan"), (float("inf"), 1.5)], "path": Path("x")})
    assert json.loads(capsys.readouterr().out) == {"a": [None, [None, 1.5]], "path": "x"}


@pytest.mark.parametrize(("no_color", "coloured"), [("", True), ("1", False)])
def test_no_color_is_kept(no_color: str, coloured: bool) -> None:
    reading, writing = os.openpty()
    line = [sys.executable, "-m", "toriwork", "registry", "info", "--path", "none.parquet"]
    code = subprocess.run(line, stderr=writing, env=os.environ | {"NO_COLOR": no_color}, check=False).returncode
    os.close(writing)
    assert code == 2
    said = os.read(reading, 10_000).decode()
    os.close(reading)
    assert "none.parquet: there is no registry" in said
    assert ("\x1b[" in said) == coloured


def test_errors_have_no_colour_where_no_terminal_is(capsys: Capture) -> None:
    assert main(["registry", "info", "--path", "none.parquet"]) == 2
    assert "\x1b" not in capsys.readouterr().err
