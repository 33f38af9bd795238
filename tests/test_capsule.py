"""A capsule file that somebody else wrote, or wrote to do harm: refused by name or passed over, never obeyed."""

from __future__ import annotations

import logging
import os
import socket
from pathlib import Path

import pytest

from tests.users import ALICE, BOB, as_root, as_user, shared_folder
from toriwork.capsule import MAX_BYTES, check_shape, untrusted
from toriwork.errors import BadInput
from toriwork.guard.settings import read_settings
from toriwork.state import capsule_state_path, nearest_capsule, state_root


def capsule(folder: Path, text: str) -> Path:
    path = folder / "capsule.yml"
    path.write_text(text, encoding="utf-8")
    return path


def bomb(levels: int = 10) -> str:
    """Lines that stand for 9 to the power of ``levels`` words, and the name of the last."""
    lines, before = ["a0: &a0 [x, x, x, x, x, x, x, x, x]"], "a0"
    for level in range(1, levels):
        lines.append(f"a{level}: &a{level} [{', '.join([f'*{before}'] * 9)}]")
        before = f"a{level}"
    return "\n".join(lines) + "\n"


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param(
            bomb() + "state_path: *a9\n",
            "state_path: expected the path of a folder, got a list",
            id="an alias for a thousand million words",
        ),
        pytest.param(
            "state_path: &a [*a]\n",
            "state_path: expected the path of a folder, got a list",
            id="a list that holds itself",
        ),
        pytest.param(
            "state_path: &a {b: *a}\n",
            "state_path: expected the path of a folder, got a dict",
            id="a mapping that holds itself",
        ),
        pytest.param("state_path: " + "[" * 20000 + "]" * 20000, "at most 32 lists", id="brackets, closed"),
        pytest.param("state_path: " + "[" * 60000, "at most 32 lists", id="brackets, open"),
        pytest.param("state_path: " + "{a: " * 9000, "at most 32 lists", id="braces"),
        pytest.param("- " * 30000 + "x", "at most 32 lists", id="dashes"),
        pytest.param("state_path: " + "x" * 5_000_000, "at most 65,536 bytes", id="five million characters"),
        pytest.param("state_path: " + "x" * 60_000, "at most 4096 characters, got 60000", id="a path too long"),
        pytest.param('state_path: "a\\0b"', r"no control characters, got U\+0000", id="a NUL"),
        pytest.param('state_path: "a\\x1b[31m"', r"no control characters, got U\+001B", id="an escape sequence"),
        pytest.param('state_path: "a\\nb"', r"no control characters, got U\+000A", id="a line break"),
        pytest.param('state_path: "a\\x85"', r"no control characters, got U\+0085", id="a control of Latin-1"),
        pytest.param('state_path: "\\ud800"', r"no control characters, got U\+D800", id="half a character"),
        pytest.param("state_path: ~nosuchuser/x", "names a user that does not exist", id="a user that is none"),
        pytest.param("<<: 5\nstate_path: x", "without merge keys, got <<", id="a merge of nothing"),
        pytest.param("<<: {state_path: y}\nstate_path: x", "without merge keys, got <<", id="a merge"),
        pytest.param("state_path: x\nstate_path: y", "expected state_path once, got it 2 times", id="the key twice"),
        pytest.param(
            "state_path: !!python/object/apply:os.system ['true']",
            "state_path: expected the path of a folder, got a list",
            id="a call",
        ),
        pytest.param("state_path: !!binary aGk=", "got aGk=", id="bytes"),
        pytest.param(
            "state_path: 2026-99-99", "expected the path of a folder, got 2026-99-99", id="a day that is none"
        ),
        pytest.param("state_path: " + "9" * 5000, "expected the path of a folder", id="five thousand digits"),
        pytest.param("state_path: true", "expected the path of a folder, got true", id="a truth value"),
        pytest.param("a: x\n--- \nstate_path: y", "not readable as YAML", id="two documents"),
        pytest.param("state_path: *nobody", "not readable as YAML", id="an alias for nothing"),
        pytest.param("just text", "expected a mapping, got a scalar", id="text alone"),
    ],
)
def test_what_cannot_be_a_state_path_is_refused_by_name(tmp_path: Path, text: str, words: str) -> None:
    path = capsule(tmp_path, text)
    with pytest.raises(BadInput, match=words) as caught:
        capsule_state_path(path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 1000


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param(bomb() + "state_path: here\n", "here", id="an alias that nobody spells out"),
        pytest.param("a: &p here\nstate_path: *p\n", "here", id="an alias of a text"),
        pytest.param("a: 1\na: 2\nstate_path: here\n", "here", id="another key twice"),
        pytest.param("a:\n  <<: {b: 1}\nstate_path: here\n", "here", id="a merge elsewhere"),
        pytest.param("a: 2026-99-99\nstate_path: here\n", "here", id="no day elsewhere"),
        pytest.param("state_path: !!str 7\n", "7", id="a number that is said to be text"),
        pytest.param('state_path: "päth ünd mehr"\n', "päth ünd mehr", id="letters of other languages"),
        pytest.param("\ufeffstate_path: here\n", "here", id="a byte order mark"),
        pytest.param("[a, b]: c\nstate_path: here\n", "here", id="a key that is a list"),
        pytest.param("state_path: |-\n  here\n", "here", id="a block of text"),
    ],
)
def test_what_else_the_file_says_is_left_alone(tmp_path: Path, text: str, named: str) -> None:
    assert capsule_state_path(capsule(tmp_path, text)) == tmp_path / named


def test_a_sparse_file_of_forty_gigabytes_is_not_read(tmp_path: Path) -> None:
    path = capsule(tmp_path, "state_path: x\n#")
    os.truncate(path, 40 * 2**30)
    with pytest.raises(BadInput, match=f"at most {MAX_BYTES:,} bytes"):
        capsule_state_path(path)


@pytest.mark.parametrize("kind", ["fifo", "socket", "folder", "loop", "dangling"])
def test_what_is_no_regular_file_is_passed_over(tmp_path: Path, kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    inner = tmp_path / "i"
    inner.mkdir()
    path = inner / "capsule.yml"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as one:
            one.bind("i/capsule.yml")
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(path if kind == "loop" else inner / "nothing")
    outer = capsule(tmp_path, "state_path: up")
    assert nearest_capsule(inner) == outer
    with pytest.raises(BadInput, match=r"cannot be read|expected a regular file"):
        capsule_state_path(path)


class TestAnotherUser:
    """The uids 1001 and 1002 own nothing here but what these tests give them."""

    @pytest.fixture
    def work(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        monkeypatch.delenv("TORI_STATE_ROOT")
        work = tmp_path / "shared" / "mine" / "work"
        work.mkdir(parents=True)
        monkeypatch.chdir(work)
        return work

    @as_root
    @pytest.mark.parametrize("what", ["file", "folder", "link"])
    def test_what_belongs_to_somebody_else_is_passed_over(
        self, work: Path, what: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        shared = work.parent.parent
        path = capsule(shared, "state_path: /nowhere/theirs")
        if what == "link":
            path.rename(shared / "real.yml")
            path.symlink_to(shared / "real.yml")
        os.chown(shared if what == "folder" else path, 1002, 1002, follow_symlinks=False)
        with caplog.at_level(logging.WARNING, "toriwork.state"):
            assert "theirs" not in str(state_root())
            state_root()
        said = [record.getMessage() for record in caplog.records]
        assert len(said) == 1
        assert "belongs to another user (uid 1002)" in said[0]
        assert "TORI_STATE_ROOT" in said[0]

    @as_root
    def test_a_capsule_of_roots_is_taken_by_a_user_and_not_the_other_way_round(self) -> None:
        with shared_folder() as shared:
            path = capsule(shared, "state_path: ours")
            assert as_user(ALICE, lambda: nearest_capsule(shared)) == path
            os.chown(path, ALICE, ALICE)
            assert as_user(ALICE, lambda: nearest_capsule(shared)) == path
            assert nearest_capsule(shared) is None
            os.chown(path, BOB, BOB)
            assert as_user(ALICE, lambda: nearest_capsule(shared)) is None

    @as_root
    def test_a_capsule_that_may_not_be_read_is_refused_by_name(self) -> None:
        with shared_folder() as shared:
            path = capsule(shared, "state_path: ours")
            path.chmod(0o600)
            found = as_user(ALICE, lambda: capsule_state_path(path))
        assert isinstance(found, BadInput)
        assert f"{path}: cannot be read: Permission denied" in str(found)

    @pytest.mark.parametrize("mode", [0o777, 0o1777, 0o707])
    def test_a_folder_that_everybody_may_write_is_passed_over(self, work: Path, mode: int) -> None:
        shared = work.parent.parent
        capsule(shared, "state_path: theirs")
        shared.chmod(mode)
        assert "may be written by everybody" in untrusted(shared / "capsule.yml")
        assert "theirs" not in str(state_root())

    def test_a_file_that_everybody_may_write_is_passed_over(self, work: Path) -> None:
        capsule(work, "state_path: theirs").chmod(0o666)
        assert "theirs" not in str(state_root())

    @pytest.mark.parametrize("mode", [0o755, 0o700, 0o775])
    def test_a_folder_of_ones_own_is_trusted(self, work: Path, mode: int) -> None:
        work.chmod(mode)
        capsule(work, "state_path: mine").chmod(0o664)
        assert state_root() == work / "mine"

    def test_the_next_one_upwards_is_taken_where_one_is_passed_over(self, work: Path) -> None:
        capsule(work, "state_path: theirs").chmod(0o666)
        capsule(work.parent, "state_path: mine")
        assert state_root() == work.parent / "mine"


def test_a_working_directory_that_was_removed_has_no_capsule(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TORI_STATE_ROOT")
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert state_root().is_absolute()


def test_the_variable_may_not_name_a_user_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TORI_STATE_ROOT", "~nosuchuser/x")
    with pytest.raises(BadInput, match="TORI_STATE_ROOT is '~nosuchuser/x'"):
        state_root()


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("guard: {ban: *a}\na: &a [x]", id="an alias before its anchor"),
        pytest.param("a: &a {ban: [x]}\nguard:\n  <<: [" + "*a, " * 50 + "*a]", id="merges"),
        pytest.param(bomb() + "guard: {ban: *a9}", id="an alias bomb"),
        pytest.param("guard: " + "[" * 5000, id="brackets"),
        pytest.param("guard: {ban: [" + "9" * 5000 + "]}", id="five thousand digits"),
        pytest.param("guard: {ban: [2026-99-99]}", id="a day that is none"),
    ],
)
def test_the_guard_reads_its_part_with_the_same_care(tmp_path: Path, text: str) -> None:
    capsule(tmp_path, text)
    with pytest.raises(BadInput) as caught:
        read_settings(tmp_path)
    assert len(str(caught.value)) < 1000


def test_a_text_without_aliases_passes() -> None:
    check_shape("a: &b [1, {c: 2}]\nd: e", "here", aliases=False)
    check_shape("", "here", aliases=False)
