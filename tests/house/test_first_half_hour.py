"""The page of a researcher's first half hour: every step works, or refuses in the words that stand there."""

from __future__ import annotations

import doctest
from pathlib import Path

import pytest

PAGE = Path(__file__).resolve().parents[2] / "docs" / "first_half_hour.md"
SMALL = {"5_000": "1_500", "50_000": "3_000"}


def failures(text: str) -> tuple[int, int]:
    page = doctest.DocTestParser().get_doctest(text, {}, PAGE.name, str(PAGE), 0)
    found = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(page)
    return found.failed, found.attempted


def test_every_step_of_the_page_does_what_it_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    text = PAGE.read_text(encoding="utf-8")
    for large, small in SMALL.items():
        assert f"= {large}\n" in text
        text = text.replace(f"= {large}\n", f"= {small}\n")
    failed, tried = failures(text)
    assert failed == 0
    assert tried > 40


@pytest.mark.long
def test_the_sizes_of_the_page_work_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert failures(PAGE.read_text(encoding="utf-8"))[0] == 0


def test_a_wrong_answer_on_the_page_fails(capsys: pytest.CaptureFixture[str]) -> None:
    assert failures(">>> 1 + 1\n3\n") == (1, 1)
    assert "Expected" in capsys.readouterr().out
