"""What the how-to pages show is run, and prints what they say."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.house.pages import run_page

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted((ROOT / "docs" / "howto").glob("[!i]*.md"))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_page_runs_and_prints_what_it_shows(page: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    (tmp_path / "data_samples").symlink_to(ROOT / "data_samples")
    assert run_page(page) > 0
