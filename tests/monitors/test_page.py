"""What docs/monitors.md shows is what happens."""

from __future__ import annotations

import doctest
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "monitors.md"


def test_the_examples_of_the_page_run(state_root):
    failed, tried = doctest.testfile(str(PAGE), module_relative=False)
    assert tried
    assert not failed
