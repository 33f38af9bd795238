"""One walk decides what belongs to a tree; the index that everybody shares reads and hashes each file once."""

from __future__ import annotations

import hashlib
import os
import socket
import subprocess
from contextlib import closing

import pytest

from toriwork.codebase import CodebaseIndex
from toriwork.codebase.walk import TOOL_FOLDERS, select


@pytest.fixture
def tree(tmp_path):
    """A folder with code, data, a link to each, and everything that is no part of a code base."""
    inside = ("a.py", "sub/b.ipynb", "sub/data.bin", "venv/named_so_only.py")
    outside = (".git/x.py", "deep/__pycache__/x.py", "env/pyvenv.cfg", "env/x.py", "backup_pre_nodb-2/x.py")
    for name in (*inside, *outside):
        path = tmp_path / "top" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)
    top = tmp_path / "top"
    (top / "link.py").symlink_to("a.py")
    (top / "loop").symlink_to(top)
    (top / "broken").symlink_to("nowhere")
    return top


def test_the_index_holds_what_is_part_of_the_code_base_and_names_the_rest(tree):
    index = CodebaseIndex.scan(tree)
    assert index.files == ("a.py", "sub/b.ipynb", "sub/data.bin", "venv/named_so_only.py")
    assert index.code == ("a.py", "sub/b.ipynb", "venv/named_so_only.py")
    assert index.links == ("link.py",)
    assert {omission.path for omission in index.omitted} == {
        ".git/", "deep/__pycache__/", "env/", "backup_pre_nodb-2/", "loop", "broken",
    }  # fmt: skip


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert [omission.reason for omission in CodebaseIndex.scan(tmp_path).omitted] == ["no regular file"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes")
def test_git_is_silent_about_pipes_and_sockets_and_they_are_named_all_the_same(tmp_path):
    for folder in ("deep/er", "ignored", "other", ".venv"):
        (tmp_path / folder).mkdir(parents=True)
    for repository in (tmp_path, tmp_path / "other"):
        subprocess.run(["git", "init", "-q"], cwd=repository, check=True)
    (tmp_path / ".gitignore").write_text("ignored/\n.venv/\n")
    (tmp_path / "was_file.py").write_text("")
    subprocess.run(["git", "add", "was_file.py"], cwd=tmp_path, check=True)
    (tmp_path / "was_file.py").unlink()
    for name in ("pipe.py", "deep/er/pipe", "was_file.py", "ignored/pipe", "other/pipe", ".venv/pipe"):
        os.mkfifo(tmp_path / name)
    with closing(socket.socket(socket.AF_UNIX)) as listening:
        listening.bind(os.path.relpath(tmp_path / "deep" / "socket"))  # a whole path may be too long
        found = select([str(tmp_path), str(tmp_path / "deep")])
    named = [os.path.relpath(omission.path, tmp_path) for omission in found.omitted if "regular" in omission.reason]
    assert sorted(set(named)) == ["deep/er/pipe", "deep/socket", "pipe.py", "was_file.py"]
    assert named.count("was_file.py") == 1
    assert [os.path.relpath(file.path, tmp_path) for file in found.files if not file.staged] == [".gitignore"]


def test_a_selection_leaves_out_the_same(tree):
    chosen = select([str(tree)])
    assert [file.path.removeprefix(f"{tree}/") for file in chosen.files] == sorted(
        [*CodebaseIndex.scan(tree).files, "link.py"]
    )
    assert [file.path for file in select([str(tree / ".git" / "x.py")]).files] == [str(tree / ".git" / "x.py")]


def test_code_is_read_once_and_every_file_hashed_once(tree):
    index = CodebaseIndex.scan(tree)
    before = (index.read("a.py"), index.digest("sub/data.bin"))
    (tree / "a.py").write_text("changed")
    (tree / "sub" / "data.bin").write_text("changed")
    assert (index.read("a.py"), index.digest("sub/data.bin")) == before
    assert before == (b"a.py", hashlib.sha256(b"sub/data.bin").hexdigest())
    assert index.head("a.py", 1) == b"a"


@pytest.mark.parametrize("absolute", [True, False])
def test_a_folder_can_be_left_out(tree, absolute):
    kept = CodebaseIndex.scan(tree).without([tree / "sub" if absolute else "sub"])
    assert kept.files == ("a.py", "venv/named_so_only.py")


def test_every_folder_of_a_tool_is_named_in_the_page_about_the_guard(pytestconfig):
    page = (pytestconfig.rootpath / "docs" / "guard.md").read_text(encoding="utf-8")
    assert [name for name in sorted(TOOL_FOLDERS) if f"`{name}`" not in page] == []
