"""The file of checkpoints: modes of the log, and nothing odd in its place is followed, waited for or read."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.storage.test_odd_files import plant
from tests.users import ALICE, as_root
from toriwork.errors import DamagedFile, OddFile
from toriwork.synthesis import checkpoints
from toriwork.synthesis.checkpoints import Checkpoint, add_checkpoint, read_checkpoints


def made(number: int) -> Checkpoint:
    return Checkpoint(number, 10 * number, f"{number:064x}")


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tokens.parquet").touch()
    return tmp_path / "tokens.checkpoints"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644, 0o660, 0o400])
def test_the_file_takes_the_mode_of_the_log(path: Path, mode: int) -> None:
    path.with_suffix(".parquet").chmod(mode)
    add_checkpoint(path, made(1))
    assert stat.S_IMODE(path.stat().st_mode) == mode


@as_root
def test_the_file_is_the_owners_of_the_log(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    os.chown(path.with_suffix(".parquet"), ALICE, ALICE)
    monkeypatch.setattr(checkpoints, "_MANY_BYTES", 150)
    for number in range(4):
        add_checkpoint(path, made(number))
        assert (path.stat().st_uid, path.stat().st_gid) == (ALICE, ALICE)


def test_a_large_file_is_halved_and_its_newest_lines_stay(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "_MANY_BYTES", 1000)
    for number in range(50):
        add_checkpoint(path, made(number))
    found = read_checkpoints(path)
    assert found[-1] == made(49)
    assert found == tuple(made(number) for number in range(found[0].generation, 50))
    assert path.stat().st_size <= 1000
    assert sorted(p.name for p in path.parent.iterdir()) == ["tokens.checkpoints", "tokens.parquet"]


@pytest.mark.parametrize("kind", ["fifo", "folder", "socket", "loop"])
def test_what_is_no_file_is_refused_by_name(path: Path, kind: str) -> None:
    plant(path, kind)
    for call in (lambda: read_checkpoints(path), lambda: add_checkpoint(path, made(1))):
        with pytest.raises(OddFile, match=r"tokens\.checkpoints: expected a regular file"):
            call()


@pytest.mark.parametrize("kind", ["link", "dangling"])
def test_nothing_is_written_through_a_link(path: Path, kind: str) -> None:
    plant(path, kind)
    with pytest.raises(OddFile, match="got a symbolic link"):
        add_checkpoint(path, made(1))
    assert not (path.parent / "nothing").exists()
    if kind == "link":
        assert (path.parent / "target").read_bytes() == b"of somebody else"


def test_forty_gigabytes_are_not_read(path: Path) -> None:
    add_checkpoint(path, made(1))
    os.truncate(path, 40 * 2**30)
    with pytest.raises(DamagedFile, match=r"expected at most [\d,]+ bytes of checkpoints, got 42,949,672,960"):
        read_checkpoints(path)


@pytest.mark.parametrize("line", [b"[" * 50000, b"{}", b"7", b'{"generation": [], "rows": 1, "head": ""}', b"\xff\xfe"])
def test_a_line_that_says_nothing_counts_for_nothing(path: Path, line: bytes) -> None:
    path.write_bytes(line + b"\n")
    add_checkpoint(path, made(1))
    assert read_checkpoints(path) == (made(1),)


def test_a_line_that_was_cut_short_is_ended_first(path: Path) -> None:
    path.write_bytes(made(1).line().encode() + b"\n" + b'{"generation": 2')
    add_checkpoint(path, made(3))
    assert read_checkpoints(path) == (made(1), made(3))
