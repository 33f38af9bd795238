"""capsule.yml, tox.ini and .pre-commit-config.yaml: made where they are missing, merged where they are not."""

from __future__ import annotations

import configparser
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from toriwork.migrate.generated.files import generated_files
from toriwork.state import capsule_state_path

CAPSULE, TOX, HOOKS = "capsule.yml", "tox.ini", ".pre-commit-config.yaml"


def merge(root: Path, state_root: Path) -> dict[str, tuple[bytes | None, bytes]]:
    """What is generated, written down."""
    made, _ = generated_files(root, state_root)
    for path, _, after in made:
        (root / path).write_bytes(after)
    return {path: (before, after) for path, before, after in made}


def whys(root: Path, state_root: Path) -> dict[str, str]:
    return {entry.path: entry.why for entry in generated_files(root, state_root)[1]}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    path = tmp_path / "code"
    path.mkdir()
    return path


def test_where_nothing_is_there_all_three_are_made(root: Path, tmp_path: Path) -> None:
    found = merge(root, tmp_path / "state")
    assert {path: before for path, (before, _) in found.items()} == {CAPSULE: None, TOX: None, HOOKS: None}
    assert capsule_state_path(root / CAPSULE) == tmp_path / "state"
    assert yaml.safe_load((root / CAPSULE).read_text())["guard"] == {"allow": []}
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(root / TOX)
    assert tox["testenv:guard"]["commands"] == "toriwork guard ."
    assert tox["tox"]["env_list"] == "guard"
    hooks = [hook["id"] for repo in yaml.safe_load((root / HOOKS).read_text())["repos"] for hook in repo["hooks"]]
    assert hooks == ["toriwork-guard", "toriwork-no-database-files"]
    assert whys(root, tmp_path / "state") == {}


def test_what_was_merged_once_is_not_merged_again(root: Path, tmp_path: Path) -> None:
    merge(root, tmp_path / "state")
    assert generated_files(root, tmp_path / "state") == ([], [])


def test_no_package_is_named_that_does_not_exist(root: Path, tmp_path: Path) -> None:
    text = b"".join(after for _, after in merge(root, tmp_path / "state").values())
    assert b"forbid" not in text
    assert b"https://" not in text


def test_pre_commit_takes_the_hooks_and_they_find_what_is_named_like_a_database(root: Path, tmp_path: Path) -> None:
    merge(root, tmp_path / "state")
    (root / "notes.txt").write_text("plain\n")
    commands = (["git", "init", "-q"], ["git", "add", "-A"])
    for command in commands:
        subprocess.run(command, cwd=root, check=True)
    run = [sys.executable, "-m", "pre_commit", "run", "--all-files", "toriwork-no-database-files"]
    assert subprocess.run(run, cwd=root, capture_output=True, check=False).returncode == 0
    (root / "late.db-wal").write_bytes(b"x")
    subprocess.run(commands[1], cwd=root, check=True)
    failed = subprocess.run(run, cwd=root, capture_output=True, text=True, check=False)
    assert failed.returncode == 1
    assert "late.db-wal" in failed.stdout


def test_comments_order_and_quotes_of_all_three_stay(root: Path, tmp_path: Path) -> None:
    theirs = {
        CAPSULE: "# the capsule\nname:   'alan'  # quoted\n\nservices:\n- a\n- b   # last\n",
        TOX: "[tox]\nenvlist = py311, lint   ; ours\n\n[testenv]\n# needed\ndeps =\n    pytest\n    numpy\n",
        HOOKS: (
            "# hooks\nfail_fast: true\nrepos:\n-   repo: local\n    hooks:\n"
            "    -   id: black\n        name: 'black'  # stays\n"
            "        entry: black\n        language: system\n\n# the end\n"
        ),
    }
    for path, text in theirs.items():
        (root / path).write_text(text)
    merge(root, tmp_path / "state")
    for path, text in theirs.items():
        after = iter((root / path).read_text().splitlines())
        assert all(line in after for line in text.splitlines()), path  # every line, in this order
    content = yaml.safe_load((root / HOOKS).read_text())
    assert [repo["hooks"][0]["id"] for repo in content["repos"]] == ["black", "toriwork-guard"]
    assert content["fail_fast"] is True


def test_a_state_root_inside_the_code_base_is_named_by_its_relative_path(root: Path) -> None:
    merge(root, root / "var" / "state")
    assert yaml.safe_load((root / CAPSULE).read_text())["state_path"] == "var/state"


@pytest.mark.parametrize("name", ["with blank", "a: b", "#x", "ü", "'quoted'", "~", "12"])
def test_any_path_comes_back_as_it_was(root: Path, tmp_path: Path, name: str) -> None:
    merge(root, tmp_path / name)
    assert capsule_state_path(root / CAPSULE) == tmp_path / name


@pytest.mark.parametrize("named", ["$SOMEWHERE/state", "../state"], ids=["by a variable", "relative"])
def test_a_state_path_that_says_the_same_is_left(
    root: Path, tmp_path: Path, named: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOMEWHERE", str(tmp_path))
    (root / CAPSULE).write_text(f"state_path: {named}\nguard: {{allow: []}}\n")
    assert CAPSULE not in merge(root, tmp_path / "state")
    assert whys(root, tmp_path / "state") == {}


def test_a_state_path_that_says_something_else_is_left_to_somebody(root: Path, tmp_path: Path) -> None:
    (root / CAPSULE).write_text("state_path: /elsewhere\n")
    assert CAPSULE not in merge(root, tmp_path / "state")
    assert "says state_path: /elsewhere" in whys(root, tmp_path / "state")[CAPSULE]


@pytest.mark.parametrize(
    ("path", "text", "why"),
    [
        pytest.param(CAPSULE, "- a\n", "got a list", id="no mapping"),
        pytest.param(CAPSULE, "a: [\n", "not readable as YAML", id="broken YAML"),
        pytest.param(CAPSULE, "a: 1\n---\nb: 2\n", "not readable as YAML", id="two documents"),
        pytest.param(CAPSULE, "{a: 1}\n", "Put in by hand", id="a mapping in braces"),
        pytest.param(HOOKS, "repos: []\n", "Put in by hand", id="a list in brackets"),
        pytest.param(HOOKS, "repos:\n- repo: x\nfail_fast: true\n", "Put in by hand", id="keys behind the list"),
        pytest.param(HOOKS, "repos: 5\n", "no list of repositories", id="no list"),
        pytest.param(HOOKS, "repos: &all\n  - *all\n", "no list of repositories", id="a list that holds itself"),
        pytest.param(TOX, "no section\n", "not readable as INI", id="no section"),
        pytest.param(TOX, "[a]\nx = 1\n[a]\ny = 2\n", "not readable as INI", id="a section twice"),
        pytest.param(TOX, "[testenv:guard]\ncommands = safety\n", "of its own", id="another guard"),
    ],
)
def test_a_form_that_nobody_can_merge_is_left_alone(root: Path, tmp_path: Path, path: str, text: str, why: str) -> None:
    (root / path).write_text(text)
    found = merge(root, tmp_path / "state")
    assert path not in found
    assert len(found) == 2
    assert why in whys(root, tmp_path / "state")[path]
    assert (root / path).read_text() == text


def test_a_file_that_is_not_utf8_is_left_alone(root: Path, tmp_path: Path) -> None:
    (root / TOX).write_bytes("[tox]\n# gr\u00fcn\n".encode("latin-1"))
    assert TOX not in merge(root, tmp_path / "state")
    assert "not UTF-8" in whys(root, tmp_path / "state")[TOX]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("setup.cfg", "[tox:tox]\nenvlist = py\n"),
        ("pyproject.toml", "[tool.tox]\nenv_list = ['py']\n"),
        ("tox.toml", ""),
    ],
)
def test_a_tox_ini_that_would_hide_other_settings_is_not_made(root: Path, tmp_path: Path, name: str, text: str) -> None:
    (root / name).write_text(text)
    assert TOX not in merge(root, tmp_path / "state")
    assert name in whys(root, tmp_path / "state")[TOX]


def test_windows_line_ends_and_a_mark_stay(root: Path, tmp_path: Path) -> None:
    for path, text in ((CAPSULE, "a: 1\n"), (HOOKS, "repos:\n  - repo: local\n    hooks: []\n"), (TOX, "[tox]\nx=1\n")):
        (root / path).write_bytes(b"\xef\xbb\xbf" + text.replace("\n", "\r\n").encode())
    for _, after in merge(root, tmp_path / "state").values():
        assert after.startswith(b"\xef\xbb\xbf")
        assert after.count(b"\n") == after.count(b"\r\n") > 3
