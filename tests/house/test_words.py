"""The check of words finds docstrings and messages in private English, and leaves plain ones alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tools.check_words import findings, main

LEFT_ALONE = {
    "a docstring that says what comes back": '"""The rows of a table."""',
    "an imperative": 'def f():\n    """Read the rows."""',
    "a message": 'raise ValueError(f"expected real numbers, got {dtype}")',
    "a docstring that quotes the word": '"""Rows that were wanted by nobody; a message may not say so."""',
    "the word in a name": "wanted = 1",
    "the word in another word": 'print("unwanted, whatever")',
}
FOUND = {
    "a module": ('"""What there is."""', 1),
    "a class": ('class A:\n    """Whether it is."""', 2),
    "a function, indented": ('def f():\n    """\n    What comes back.\n    """', 2),
    "a message": ('x = 1\nraise ValueError("real numbers are wanted")', 2),
    "a message with a number": ('raise ValueError(f"at most 5, given were {n:,}")', 1),
    "a message with a value": ('raise ValueError(f"real numbers, given was {x}")', 1),
}


@pytest.mark.parametrize("source", LEFT_ALONE.values(), ids=LEFT_ALONE)
def test_plain_words_are_left_alone(source: str) -> None:
    assert list(findings(source)) == []


@pytest.mark.parametrize(("source", "line"), FOUND.values(), ids=FOUND)
def test_private_words_are_found_in_their_line(source: str, line: int) -> None:
    assert [number for number, _ in findings(source)] == [line]


def test_the_command_names_file_and_line_and_exits_with_1(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "good.py").write_text('"""The answer."""\n')
    assert main([str(tmp_path)]) == 0
    (tmp_path / "bad.py").write_text('"""What it is."""\n')
    assert main([str(tmp_path)]) == 1
    assert f"{tmp_path / 'bad.py'}:1: expected a docstring" in capsys.readouterr().out
