"""Where a table lies: links, permissions, stale files, read-only media, locks that vanish, many journals."""

from __future__ import annotations

import errno
import logging
import os
from pathlib import Path

import pytest

from tests.storage.memdisk import MemDisk, MemFiles, content
from tests.storage.rows import BASE, BY_HAND, add, names_of, opened, published_names
from toriwork.errors import LockUnavailable, NotFound, PublishError, VersionTooOld
from toriwork.storage import PublishPolicy, frames
from toriwork.storage.files import OsFiles, file_system_of
from toriwork.storage.paths import StorePaths
from toriwork.storage.store_lock import store_lock


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "a state root" / "table.parquet"


def test_a_symbolic_link_stays_one_and_mode_and_group_are_kept(base: Path, tmp_path: Path) -> None:
    with opened(base) as table:
        add(table, "a1")
        table.flush(publish=True)
    base.chmod(0o640)
    if os.geteuid() == 0:
        os.chown(base, -1, 12345)
    link = tmp_path / "link.parquet"
    link.symlink_to(base)
    with opened(link) as table:
        assert table.path == base.resolve()
        add(table, "b1")
        table.flush(publish=True)
    assert link.is_symlink()
    assert published_names(link) == ["a1", "b1"]
    assert base.stat().st_mode & 0o777 == 0o640
    if os.geteuid() == 0:
        assert base.stat().st_gid == 12345
    assert [found.name for found in tmp_path.iterdir()].count("link.d") == 0


def test_half_written_files_of_dead_processes_go_and_those_of_living_ones_stay() -> None:
    disk = MemDisk()
    opened(disk).close()
    files = disk.files()
    stale = [BASE.with_name(".table.0123.tmp")]
    stale += [BASE.with_suffix(".d") / name for name in ("a.segment.new", "b.journal.new", "HEAD.12.tmp")]
    for path in stale:
        files.create(path)
    held = files.create(BASE.with_suffix(".d") / "c.journal.new")
    held.try_lock()
    foreign = BASE.with_name("notes.tmp")
    files.create(foreign)
    fresh = BASE.with_suffix(".d") / "d.journal.new"
    inode = files.create(fresh).inode
    inode.modified = 1e12  # just now
    opened(disk).close()
    left = [Path(name) for name, _ in content(disk)]
    assert not set(stale) & set(left)
    assert {held.path, foreign, fresh} <= set(left)


@pytest.mark.parametrize("system", ["nfs4", "cifs", "lustre"])
def test_a_network_file_system_is_refused_before_anything_is_created(system: str) -> None:
    disk = MemDisk()
    files = disk.files()
    files.system = system
    with pytest.raises(LockUnavailable, match=rf"network file system \({system}\).*TORI_STATE_ROOT"):
        opened(files)
    assert list(disk.folders) == ["/"]


def test_the_file_system_of_a_folder_is_that_of_the_longest_mount_point() -> None:
    lines = [
        "1 0 8:1 / / rw - ext4 /dev/a rw",
        r"2 1 0:2 / /data\040sets rw shared:1 - nfs4 host:/x rw",
        "3 1 0:3 / /home rw - xfs /dev/b rw",
        "4 1 0:4 / /home rw - btrfs /dev/c rw",
    ]
    assert file_system_of("/data sets/run", lines) == "nfs4"
    assert file_system_of("/data", lines) == "ext4"
    assert file_system_of("/home/me", lines) == "btrfs"
    assert file_system_of("/homeless", lines) == "ext4"
    assert file_system_of("/x", []) == "unknown"
    assert OsFiles().system_type(Path("/proc")) == "proc"


def test_reading_changes_nothing_and_takes_no_lock() -> None:
    disk = MemDisk()
    writer = opened(disk)
    add(writer, "a1")
    writer.flush(publish=True)
    add(writer, "b1")
    files = disk.files()

    def refuse(what: str, path: Path) -> None:
        if what not in ("open", "stat", "list", "read"):
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), f"{what} {path}")

    files.hook = refuse
    before = dict(content(disk))
    with opened(files, read_only=True) as table:
        assert names_of(table) == ["a1", "b1"]
        assert table.verify().n_rows == 2
    assert dict(content(disk)) == before


def test_there_must_be_something_to_read(base: Path) -> None:
    with pytest.raises(NotFound, match="read_only=True creates none"):
        opened(base, read_only=True)
    assert not base.parent.exists()


def test_a_lock_file_that_is_removed_while_held_stops_the_publish(monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MemDisk()
    files = disk.files()
    table = opened(files)
    add(table, "a1")
    listed = MemFiles.free_bytes

    def meanwhile(self: MemFiles, folder: Path) -> int:
        self.unlink(StorePaths(BASE).lock)
        with store_lock(disk.files(), StorePaths(BASE)) as second:
            assert second is not None  # the new lock file is another file
        return listed(self, folder)

    monkeypatch.setattr(MemFiles, "free_bytes", meanwhile)
    with pytest.raises(PublishError, match="removed or replaced while publishing"):
        table.flush(publish=True)
    monkeypatch.undo()
    assert names_of(table) == ["a1"]
    table.flush(publish=True)
    assert names_of(table) == ["a1"]
    assert [name for name, _ in content(disk) if name.endswith(".tmp")] == []


def test_a_publish_without_room_is_refused_before_it_begins() -> None:
    disk = MemDisk()
    files = disk.files()
    table = opened(files)
    add(table, "a1")
    files.room = 5000
    with pytest.raises(PublishError, match=r"the disk has \d[\d,]+ free; rows stay safe"):
        table.flush(publish=True)
    files.room = None
    table.flush(publish=True)


def test_a_failed_publish_is_one_warning_and_the_flush_succeeds(caplog: pytest.LogCaptureFixture) -> None:
    disk = MemDisk()
    files = disk.files()
    table = opened(files, policy=PublishPolicy())
    add(table, "a1")
    files.room = 5000
    with caplog.at_level(logging.WARNING, "toriwork.storage"):
        for _ in range(5):
            table.flush()
    assert len([r for r in caplog.records if "was not published" in r.getMessage()]) == 1
    table._worker.stop()
    disk.cut_power()
    assert names_of(opened(disk)) == ["a1"]


def test_many_journals_of_dead_writers_are_published_by_the_next_flush() -> None:
    disk = MemDisk()
    for n in range(100):
        add(opened(disk), f"a{n:03}")
        disk.kill_processes()
    assert sum(name.endswith(".journal") for name, _ in content(disk)) == 100
    with opened(disk, policy=PublishPolicy(small_base=0)) as table:
        assert table.recovery_report.adopted_rows == 100
        add(table, "b")
        table.flush()
        assert sum(name.endswith(".journal") for name, _ in content(disk)) == 0
        assert names_of(table) == [*(f"a{n:03}" for n in range(100)), "b"]


@pytest.mark.parametrize("field", ["MIN_WRITER", "MIN_READER"])
def test_a_journal_of_a_newer_version_is_not_adopted(field: str, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = MemDisk()
    monkeypatch.setattr(frames, field, frames.FORMAT + 1)
    writer = opened(disk, policy=BY_HAND) if field == "MIN_WRITER" else None
    if writer is None:
        monkeypatch.undo()
        writer = opened(disk)
        monkeypatch.setattr(frames, field, frames.FORMAT + 1)
    add(writer, "a1")
    disk.kill_processes()
    monkeypatch.undo()
    if field == "MIN_READER":
        with pytest.raises(VersionTooOld, match=f"needs toriwork format {frames.FORMAT + 1}"):
            opened(disk)
        return
    table = opened(disk)
    assert names_of(table) == ["a1"]
    with pytest.raises(VersionTooOld, match=f"published by toriwork format {frames.FORMAT + 1}"):
        table.flush(publish=True)
