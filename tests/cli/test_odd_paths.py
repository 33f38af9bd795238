"""``toriwork registry`` and ``tokens`` on what is no table of ours: one line, exit code 2, no traceback, no waiting."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.users import ALICE, as_root, as_user, shared_folder
from toriwork.cli import main

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="no FIFOs there")
COMMANDS = [
    (command, action)
    for command, actions in {
        "registry": ("info", "head", "verify", "publish"),
        "tokens": ("info", "tail", "verify", "context"),
    }.items()
    for action in actions
]
ODD: dict[str, Callable[[Path], object]] = {
    "fifo": os.mkfifo,
    "folder": Path.mkdir,
    "empty": Path.touch,
    "text": lambda path: path.write_text("no Parquet at all"),
    "loop": lambda path: path.symlink_to(path.name),
    "link to a fifo": lambda path: (os.mkfifo(path.with_name("f")), path.symlink_to("f")),
    "device": lambda path: path.symlink_to("/dev/null"),
    "missing": lambda path: None,
    "below a file": lambda path: path.parent.rmdir() or path.parent.touch(),
}
every_command = pytest.mark.parametrize(("command", "action"), COMMANDS, ids=" ".join)


@every_command
@pytest.mark.parametrize("odd", ODD)
def test_one_line_and_exit_code_2(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, command: str, action: str, odd: str
) -> None:
    path = tmp_path / "state" / "x.parquet"
    path.parent.mkdir()
    ODD[odd](path)
    code = main([command, action, "--path", str(path)])
    said = capsys.readouterr()
    assert (code, said.out) == (2, "")
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith("toriwork: ")
    assert str(tmp_path) in said.err or odd == "device"


@as_root
@every_command
def test_a_folder_that_may_not_be_searched(command: str, action: str) -> None:
    with shared_folder() as folder:
        (folder / "closed").mkdir(mode=0o700)
        path = folder / "closed" / "x.parquet"
        path.touch()
        assert as_user(ALICE, lambda: main([command, action, "--path", str(path)])) == 2


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_copy_that_is_a_fifo_is_not_waited_for(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "copy.parquet")
    assert main(["tokens", "verify", str(tmp_path / "copy.parquet")]) == 2
    assert "expected a regular file, got a FIFO" in capsys.readouterr().err
