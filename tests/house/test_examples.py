"""Every public name has an example in its docstring, and each of these runs; so do the examples of the explanation."""

from __future__ import annotations

import doctest
import inspect
import re
from importlib import import_module
from pathlib import Path

import pytest

import toriwork

ROOT = Path(__file__).resolve().parents[2]


def public_names() -> list[str]:
    """Where each class and function of the front door, and of the tables of docs/index.md, is at home."""
    named = {f"{home}.{name}" for name, home in toriwork._HOMES.items()}
    for heading, section in re.findall(r"^### ([^\n]*)\n(.*?)(?=^### |\Z)", index(), re.MULTILINE | re.DOTALL):
        homes = [import_module(home) for home in re.findall(r"`(toriwork\.\w+)`", heading)]
        words = [
            word for row in re.findall(r"^\| (`.*?) \|", section, re.MULTILINE) for word in re.findall(r"`(\w+)`", row)
        ]
        named |= {f"{home.__name__}.{word}" for home in homes for word in words if callable(getattr(home, word, None))}
    return sorted(name for name in named if not name.startswith("toriwork.errors.") or name.endswith("ToriworkError"))


def index() -> str:
    return (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


def examples(name: str) -> doctest.DocTest:
    home, _, word = name.rpartition(".")
    text = inspect.getdoc(getattr(import_module(home), word)) or ""
    return doctest.DocTestParser().get_doctest(text, {}, name, None, 0)


def test_every_public_name_has_an_example() -> None:
    lacking = [name for name in public_names() if not examples(name).examples]
    assert lacking == [], "write an example (>>>) into its docstring"


@pytest.mark.parametrize("name", public_names())
def test_an_example_prints_what_it_shows(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert doctest.DocTestRunner().run(examples(name)).failed == 0


@pytest.mark.parametrize("page", sorted(ROOT.glob("docs/explanation/*.md")), ids=lambda page: page.stem)
def test_the_explanation_shows_what_happens(page: Path) -> None:
    assert doctest.testfile(str(page), module_relative=False).failed == 0
