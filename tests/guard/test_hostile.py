"""No file takes the guard for ever: time in proportion to size, and a limit that is told."""

from __future__ import annotations

import ast
import threading
import time
from pathlib import Path

import pytest

from tests.guard.hostile import KINDS, NAMES, hostile_files
from toriwork.cli import main
from toriwork.codebase.constants import ConstantEvaluator
from toriwork.codebase.notebooks import code_cells, text_cells
from toriwork.codebase.source import costs_its_square, parsed, words_of
from toriwork.codebase.time_limit import OutOfTime, check_time, time_limit
from toriwork.guard import examine
from toriwork.guard.settings import Settings

NO_SETTINGS = Settings(Path("/no/such/project"))
SMALL, GROWTH = 2500, 8
#: a file that is 8 times as long may take 24 times as long, and what takes less than this is not worth a ratio; with
#: squares it would be 64 times, and seconds
MOST, FREE = 3 * GROWTH, 0.4


def cost(folder: Path, name: str, text: str) -> tuple[float, list[str]]:
    """Seconds of this process alone, which other processes do not change; what could not be looked at."""
    file = folder / name
    file.write_text(text)
    begun = time.process_time()
    report = examine([str(file)], settings=NO_SETTINGS)
    taken = time.process_time() - begun
    return taken, [finding.message for finding in report.findings if finding.code == "TWG903"]


@pytest.mark.parametrize("kind", KINDS)
def test_no_file_takes_the_guard_longer_than_its_limit(kind, tmp_path):
    for _, name, text in hostile_files(SMALL, kind):
        assert cost(tmp_path, name, text)[1] == []


@pytest.mark.long
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_takes_time_in_proportion_to_its_size(kind, tmp_path):
    small, large = (hostile_files(size, kind) for size in (SMALL, SMALL * GROWTH))
    for (_, name, before), (_, _, after) in zip(small, large, strict=True):
        first, _ = cost(tmp_path, name, before)
        second, untold = cost(tmp_path, name, after)
        assert untold == []
        assert second < max(FREE, MOST * first), name


def test_they_are_at_least_200_files():
    assert len(KINDS) * len(NAMES) >= 200


def test_a_file_that_takes_too_long_is_a_finding(tmp_path, capsys):
    (tmp_path / "x.py").write_text("import sqlite3\nimport os\nos.system('a' + 'b')\n")
    (tmp_path / "plain.py").write_text("x = 1\n")
    report = examine([str(tmp_path)], settings=NO_SETTINGS, seconds=0)
    assert [(Path(f.path).name, f.code, f.what) for f in report.findings] == [
        ("x.py", "TWG903", "time"),
        ("x.py", "TWG101", "sqlite3"),
    ]
    assert main(["guard", "--seconds", "0", str(tmp_path)]) == 1
    assert "not looked at to its end within 0 seconds" in capsys.readouterr().out


def test_the_limit_holds_in_any_thread_and_for_each_by_itself():
    told: list[str] = []

    def work(seconds: float) -> None:
        try:
            with time_limit(seconds):
                ConstantEvaluator().values(ast.parse("'a' + 'b'", mode="eval").body)
                check_time()
        except OutOfTime:
            told.append(f"{seconds:g}")

    threads = [threading.Thread(target=work, args=(seconds,)) for seconds in (-1.0, 60.0)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    check_time()
    assert told == ["-1"]


def test_more_code_than_can_be_parsed_is_a_finding(tmp_path, monkeypatch):
    monkeypatch.setattr("toriwork.guard.documents.MAX_CODE", 20)
    (tmp_path / "x.py").write_text("import sqlite3  # " + "x" * 20)
    (tmp_path / "x.ipynb").write_text('{"cells": [{"cell_type": "code", "source": "import sqlite3  #  "}]}')
    (tmp_path / "plain.py").write_text("x = 1  # " + "x" * 20)
    report = examine([str(tmp_path)], settings=NO_SETTINGS)
    assert sorted((Path(f.path).name, f.what) for f in report.findings) == [("x.ipynb", "sqlite3"), ("x.py", "size")]


def test_code_that_is_nested_too_deeply_hides_no_other_finding(tmp_path):
    chain = "'x'" + ".format(1)" * 900
    (tmp_path / "x.py").write_text(f"import sqlite3\nx = {chain}\ny = 'sqlite:///a'\n")
    assert {finding.code for finding in examine([str(tmp_path)], settings=NO_SETTINGS).findings} == {"TWG101", "TWG105"}


@pytest.mark.parametrize(
    ("source", "slow"),
    [
        ("x" + "\u0316\u0301" * 300, True),
        ("f'" + "{a}" * 2001 + "'", True),
        ("rf'''" + "{a}\\'\n" * 2001 + "'''", True),
        ("f'{a}' " * 2001, False),
        ("x = {" + "{1: 2}, " * 2001 + "}", False),
        ("# " + "中文" * 600, False),
        ("é" * 600, False),
    ],
)
def test_what_the_parser_would_take_squares_for_is_not_given_to_it(source, slow):
    assert costs_its_square(source) == slow
    if slow:
        assert parsed(source) is None


def test_words_are_the_same_in_long_texts():
    assert words_of("é" * 998 + " ｓｑｌite3") >= {"sqlite3"}
    assert words_of("x " * 600 + "e\u0301") >= {"\u00e9"}


def test_lines_of_cells_are_those_of_the_file():
    text = '{"cells": [\n{"cell_type": "code",\n "source": ["a\\n",\n "b",\n "c\\nd\\n",\n "e"]},\n'
    text += '{"cell_type": "markdown", "source": "x"},\n{"cell_type": "code", "source": "f\\ng"}]}'
    first, last = code_cells(text)
    assert (first.number, first.source, first.lines) == (1, "a\nbc\nd\ne", (3, 4, 5, 6))
    assert (last.number, last.source, last.lines) == (3, "f\ng", (8, 8))


def test_cells_of_old_notebooks_and_of_none():
    sheet = '{"worksheets": [{"cells": [{"cell_type": "code", "input": ["a"]}, {"cell_type": "code"}, 1]}]}'
    assert [cell.source for cell in code_cells(sheet)] == ["a", ""]
    assert code_cells('{"cells": 1}') == code_cells("[]") == []
    assert code_cells("{") is None


def test_chunks_end_where_their_own_mark_stands():
    text = "````{python}\n```\na\n````\n```{python}\n#| echo: true\n\n:tags: x\nb\n```\n```{python}\nc"
    cells = text_cells(text)
    assert [(cell.number, cell.source, cell.lines) for cell in cells] == [
        (1, "```\na", (2, 3)),
        (2, "\n\n\nb", (6, 7, 8, 9)),
    ]
