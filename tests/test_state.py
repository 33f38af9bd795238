"""Where state lives: the variable, else the nearest capsule, else the user's own directory; nothing is created."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import platformdirs
import pytest

from toriwork.errors import BadInput
from toriwork.state import capsule_state_path, nearest_capsule, registry_path, shown_path, state_root


@pytest.fixture
def unset(monkeypatch, tmp_path):
    """No variable, and a working directory of its own."""
    monkeypatch.delenv("TORI_STATE_ROOT")
    work = tmp_path / "work" / "deep"
    work.mkdir(parents=True)
    monkeypatch.chdir(work)
    return work


def capsule(folder: Path, text: str) -> Path:
    path = folder / "capsule.yml"
    path.write_text(text, encoding="utf-8")
    return path


class TestTheVariable:
    def test_wins_over_a_capsule(self, monkeypatch, unset):
        capsule(unset, "state_path: elsewhere")
        monkeypatch.setenv("TORI_STATE_ROOT", str(unset / "mine"))
        assert state_root() == unset / "mine"

    def test_may_be_relative_or_start_at_home(self, monkeypatch, unset):
        monkeypatch.setenv("TORI_STATE_ROOT", "here")
        assert state_root() == unset / "here"
        monkeypatch.setenv("TORI_STATE_ROOT", "~/there")
        assert state_root() == Path.home() / "there"

    def test_counts_as_unset_when_empty(self, monkeypatch, unset):
        monkeypatch.setenv("TORI_STATE_ROOT", "")
        capsule(unset, "state_path: from_capsule")
        assert state_root() == unset / "from_capsule"


class TestTheCapsule:
    def test_nearest_one_upwards_is_taken(self, unset):
        capsule(unset.parent.parent, "state_path: far")
        near = capsule(unset.parent, "state_path: near")
        assert nearest_capsule(unset) == near
        assert state_root() == unset.parent / "near"

    def test_a_folder_of_that_name_is_none(self, unset):
        (unset / "capsule.yml").mkdir()
        capsule(unset.parent, "state_path: up")
        assert state_root() == unset.parent / "up"

    def test_absolute_home_and_variables_are_understood(self, monkeypatch, tmp_path):
        monkeypatch.setenv("LAB_DISK", str(tmp_path / "disk"))
        assert capsule_state_path(capsule(tmp_path, f"state_path: {tmp_path / 'abs'}")) == tmp_path / "abs"
        assert capsule_state_path(capsule(tmp_path, "state_path: ~/state")) == Path.home() / "state"
        assert capsule_state_path(capsule(tmp_path, "state_path: ${LAB_DISK}/tori")) == tmp_path / "disk" / "tori"

    @pytest.mark.parametrize("text", ["", "name: x", "state_path:", "state_path: null"])
    def test_without_a_path_falls_through(self, unset, text):
        capsule(unset, text)
        assert state_root() == platformdirs.user_state_path("toriwork", appauthor=False)

    @pytest.mark.parametrize(
        ("text", "words"),
        [
            pytest.param("[1, 2]", "expected a mapping, got a list", id="a list"),
            pytest.param("state_path: 7", "expected the path of a folder, got 7", id="a number"),
            pytest.param(
                "state_path: ''", "expected the path of a folder", id="an empty text is not the folder itself"
            ),
            pytest.param("a: [", "not readable as YAML", id="broken YAML"),
            pytest.param("state_path: $NOWHERE_SET/x", "a variable that is not set", id="an unset variable"),
        ],
    )
    def test_that_says_something_else_is_refused_by_name(self, tmp_path, text, words):
        path = capsule(tmp_path, text)
        with pytest.raises(BadInput, match=words) as caught:
            capsule_state_path(path)
        assert str(path) in str(caught.value)

    def test_that_is_no_text_is_refused(self, tmp_path):
        path = tmp_path / "capsule.yml"
        path.write_bytes(b"state_path: \xff\xfe")
        with pytest.raises(BadInput, match="not readable as YAML"):
            capsule_state_path(path)


class TestThePlatform:
    def test_gives_a_directory_of_the_user(self, unset):
        root = state_root()
        assert root.is_relative_to(Path.home())
        assert root.is_absolute()

    def test_names_no_directory_that_only_root_could_make(self, unset):
        assert not str(state_root()).startswith(("/var", "/opt", "/srv"))


def test_the_registry_is_one_file_under_the_root(state_root):
    assert registry_path() == state_root / "torus_registry.parquet"


def test_a_path_is_shown_below_the_root_and_as_it_is_elsewhere(state_root, tmp_path):
    assert shown_path(state_root / "deep" / "x.parquet") == "<state root>/deep/x.parquet"
    assert shown_path(tmp_path / "x.parquet") == str(tmp_path / "x.parquet")


def test_asking_creates_nothing(unset):
    before = sorted(os.walk(Path.home()))
    registry_path()
    assert sorted(os.walk(Path.home())) == before
    assert list(unset.iterdir()) == []


def test_yaml_and_platformdirs_are_loaded_only_when_needed(state_root):
    code = "import sys, toriwork.state as s; s.registry_path(); print({'yaml', 'platformdirs'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
