"""What the how-to pages show is run, and prints what they say."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.house.pages import run_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(page for page in (ROOT / "docs" / "howto").glob("*.md") if page.stem != "index")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs_and_prints_what_it_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    (tmp_path / "data_samples").symlink_to(ROOT / "data_samples")
    assert run_page(page) > 0


WRONG = {
    "other output of Python": ("```python\nprint(1)\n```\n\n```text\n2\n```\n", "should print"),
    "other output of a command": ("```console\n$ echo a\nb\n```\n", "should print"),
    "a command that fails": ("```console\n$ toriwork registry info\n```\n", "exit code 2"),
    "a command that should fail": ("```console\n$ toriwork doctor --help  # exit code 1\n```\n", "exit code 0"),
}


@pytest.mark.parametrize(("text", "told"), WRONG.values(), ids=WRONG)
def test_a_page_that_is_wrong_is_found(text: str, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "page.md").write_text(text, encoding="utf-8")
    with pytest.raises(AssertionError, match=told):
        run_page(tmp_path / "page.md")


def test_what_is_for_root_is_not_run_and_dots_stand_for_anything(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n# exit 1\n$ echo one two three\none ... three\n```\n", encoding="utf-8")
    assert run_page(page) == 1
