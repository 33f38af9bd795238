"""Documentation names everything: public names, errors, extras, make targets, commands."""

from __future__ import annotations

import inspect
import re
import tomllib
from pathlib import Path

import pytest

import toriwork
from tests.house.probe import exists
from toriwork import errors
from toriwork.cli import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"))}
DECISIONS = sorted((ROOT / "docs" / "decisions").glob("[0-9]*.md"))
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CLASSES = sorted(name for name in toriwork.__all__ if name[0].isupper() and name != "REG_PATH")


def words(*pages: str) -> set[str]:
    """Everything written as code in some pages."""
    return {
        word for page in pages for code in re.findall(r"`([^`]+)`", PAGES[page]) for word in re.findall(r"\w+", code)
    }


def test_the_index_names_every_public_name():
    untold = set(toriwork.__all__) - {"__version__"} - words("index.md")
    assert untold == set(), "name it in the table of its room in docs/index.md"


def test_the_index_tells_every_error_with_its_kind():
    leaves = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not errors.ToriworkError]
    untold = [kind.__name__ for kind in leaves if f"| `{kind.kind}` | `{kind.__name__}` |" not in PAGES["index.md"]]
    assert untold == [], "add a line to the table of errors in docs/index.md"


def test_the_readme_names_every_extra():
    untold = [name for name in PROJECT["optional-dependencies"] if f"| `{name}` |" not in PAGES["README.md"]]
    assert untold == [], "add a line to the table of extras in README.md"


def targets() -> list[str]:
    return re.findall(r"^([a-z]+):.*## ", MAKEFILE, re.MULTILINE)


def test_contributing_tells_every_make_target():
    assert {"demo", "test", "check", "lab", "bench", "long", "clean"} <= set(targets())
    untold = [name for name in targets() if f"make {name} " not in PAGES["CONTRIBUTING.md"]]
    # `make` alone prints the first, the second is part of check and test
    assert untold == ["help", "lint"], "tell the target at the top of CONTRIBUTING.md"


def test_every_target_is_phony():
    (phony,) = re.findall(r"^\.PHONY: (.*)$", MAKEFILE, re.MULTILINE)
    assert sorted(phony.split()) == sorted(targets()), "name every target behind .PHONY in the Makefile"


def test_ci_runs_the_line_that_everybody_runs():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8").splitlines()
    assert [line for line in script if "make" in line] == [script[-1]] == ["make test"]


def test_contributing_fits_on_one_page():
    assert len(PAGES["CONTRIBUTING.md"].splitlines()) <= 60, "shorten it, or tell it in docs/architecture.md"


@pytest.mark.parametrize("path", DECISIONS, ids=lambda path: path.stem)
def test_a_decision_has_its_number_in_name_and_title_and_is_short(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.stem[:3]}"), "begin the title with the number of the file"
    assert len(text.splitlines()) <= 45, "shorten it"


def test_no_number_is_given_twice():
    numbers = [path.stem[:3] for path in DECISIONS]
    assert sorted(set(numbers)) == numbers, "give the newer decision the next free number"


def test_every_link_between_pages_leads_somewhere():
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")):
        for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.relative_to(ROOT)}: {target} leads nowhere; mend the link"


def test_every_page_is_reached_from_the_index():
    pages = {path.name for path in ROOT.glob("docs/*.md")} - {"index.md"}
    assert {page for page in pages if f"]({page})" not in PAGES["index.md"]} == set(), "link it from docs/index.md"


def test_the_docs_name_every_command_and_every_action():
    page = PAGES["commands.md"]
    for name, command in COMMANDS.every_command().items():
        assert f"toriwork {name}" in page, f"add toriwork {name} to the table in docs/commands.md"
        untold = [action for action in getattr(command, "commands", ()) if f"`{action}" not in page]
        assert untold == [], f"add the actions to the line of toriwork {name} in docs/commands.md"


@pytest.mark.parametrize("name", CLASSES)
def test_every_public_member_of_a_public_class_has_a_docstring(name):
    if not exists(toriwork._HOMES[name]):
        pytest.skip(f"{name} does not exist yet")
    kind = getattr(toriwork, name)
    members = {member: value for member, value in vars(kind).items() if not member.startswith("_")}
    asked = {m: v for m, v in members.items() if inspect.isfunction(v) or isinstance(v, property | classmethod)}
    undocumented = [member for member, value in asked.items() if not inspect.getdoc(value)]
    assert undocumented == [], f"give these members of {name} a docstring"


def test_the_commit_hooks_need_no_network():
    hooks = (ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8")
    assert re.findall(r"repo: (\S+)", hooks) == ["local"]
    assert set(re.findall(r"language: (\S+)", hooks)) == {"system"}


@pytest.mark.parametrize("folder", ["api", "explanation", "howto", "measurements"])
def test_every_page_of_a_folder_is_named_in_its_index(folder):
    index = (ROOT / "docs" / folder / "index.md").read_text(encoding="utf-8")
    pages = {path.stem for path in ROOT.glob(f"docs/{folder}/*.md")} - {"index"}
    unnamed = {page for page in pages if f"\n{page}\n" not in index}
    assert unnamed == set(), f"add its name, without .md, to the list in docs/{folder}/index.md"
