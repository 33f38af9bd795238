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


def every_action() -> dict[str, set[str]]:
    """``NAME`` or ``NAME ACTION`` of the command line -> its options; a command has those of its actions."""
    found = {}
    for name, command in COMMANDS.every_command().items():
        actions = {f"{name} {action}": one for action, one in getattr(command, "commands", {}).items()}
        found |= {line: {word for option in one.params for word in option.opts} for line, one in actions.items()}
        found[name] = set().union(*(found[line] for line in actions), *(option.opts for option in command.params))
    return found


ACTIONS = every_action()


def table_of_commands() -> dict[str, list[str]]:
    """Command -> the code in the lines of the table that tell of it, in docs/commands.md."""
    rows, told = {}, []
    for line in re.findall(r"^\|(.*\|.*\|.*)\|$", PAGES["commands.md"], re.MULTILINE):
        first, others = line.split("|", 1)
        told = re.findall(r"`toriwork ([a-z-]+)`", first) or told
        for name in told:
            rows.setdefault(name, []).extend(re.findall(r"`([^`]+)`", others))
    return rows


def test_the_table_of_commands_names_each_of_them_and_no_other():
    assert set(table_of_commands()) == {line for line in ACTIONS if " " not in line}, "mend docs/commands.md"


@pytest.mark.parametrize("name", sorted(table_of_commands()))
def test_the_line_of_a_command_names_its_actions_and_no_option_that_it_has_not(name):
    told = [code.split() for code in table_of_commands()[name]]
    actions = {line.split()[1] for line in ACTIONS if line.startswith(f"{name} ")}
    assert actions - {code[0] for code in told} == set(), f"add the actions to the line of toriwork {name}"
    options = {word for code in told for word in code if word.startswith("-")}
    assert options - ACTIONS[name] == set(), f"toriwork {name} has no such option; mend its line"


def calls() -> list[tuple[str, list[str]]]:
    """Page and words of each call of the command line in README.md and docs, those in decisions left out."""
    pages = [path for path in (ROOT / "README.md", *ROOT.glob("docs/**/*.md")) if path.parent.name != "decisions"]
    found = []
    for path in pages:
        text = path.read_text(encoding="utf-8")
        lines = re.findall(r"`toriwork ([^`\n]+)`", text)
        for block in re.findall(r"```(?:bash|console)\n(.*?)```", text, re.DOTALL):
            lines += re.findall(r"^(?:\$ )?toriwork ([^#\n]*)", block, re.MULTILINE)
        found += [(path.name, re.sub(r" -- .*|[][]", "", line).split()) for line in lines]
    return found


def test_each_call_in_the_docs_names_a_command_and_options_that_there_are():
    assert len(calls()) > 50
    for page, (name, *more) in calls():
        if name == "COMMAND":
            continue
        assert name in ACTIONS, f"{page}: there is no toriwork {name}"
        line = f"{name} {more[0]}" if more and f"{name} {more[0]}" in ACTIONS else name
        options = {word.partition("=")[0] for word in more if word.startswith("-")}
        assert options - ACTIONS[line] - {"--help", "--json"} == set(), f"{page}: not an option of toriwork {line}"


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
