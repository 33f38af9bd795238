"""verify() says what is damaged and never raises for it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.storage.memdisk import MemDisk, content
from tests.storage.rows import BASE, add, opened
from toriwork.storage import ParquetTable
from toriwork.storage.publish_plan import PublishPlan


@pytest.fixture
def disk() -> MemDisk:
    return MemDisk()


def filled(disk: MemDisk) -> ParquetTable:
    table = opened(disk)
    add(table, "a1", "a2", "a3")
    table.flush(publish=True)
    add(table, "b1")
    add(table, "b2")
    table.flush(publish=False)
    return table


def test_a_sound_table_is_said_to_be_sound(disk: MemDisk) -> None:
    report = filled(disk).verify()
    assert report.ok
    assert (report.n_rows, report.n_published, report.n_files) == (5, 3, 3)
    assert "sound; 5 rows, 3 of them published" in str(report)


@pytest.mark.parametrize("suffix", [".parquet", ".journal", "HEAD"])
def test_a_flipped_bit_is_found_in_any_file(suffix: str, disk: MemDisk) -> None:
    table = filled(disk)
    before = dict(content(disk))
    [name] = [name for name in before if name.endswith(suffix)]
    inode = disk.inode(Path(name))
    assert inode is not None
    for at in range(4, len(inode.now) - 60, 97 if suffix != "HEAD" else 31):
        inode.now[at] ^= 4
        report = table.verify()
        assert not report.ok
        assert name in report.findings[0]
        inode.now[at] ^= 4
    assert table.verify().ok
    assert dict(content(disk)) == before


def test_every_damaged_file_is_named(disk: MemDisk) -> None:
    table = filled(disk)
    for name, _ in content(disk):
        inode = disk.inode(Path(name))
        if inode is not None and len(inode.now) > 100:
            inode.now[90] ^= 1
    assert len(table.verify().findings) == 3


def test_a_missing_public_file_is_found(disk: MemDisk) -> None:
    table = filled(disk)
    table.files.unlink(BASE)
    report = table.verify()
    assert "is missing" in report.findings[0]
    assert report.n_rows == 2


def test_rows_that_are_there_twice_are_found(disk: MemDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(PublishPlan, "absorbed", lambda self, files: {})
    table = opened(disk)
    other = opened(disk)
    add(table, "a1", "a2")
    other.flush(publish=True)
    assert any("2 rows are there more than once" in text for text in other.verify().findings)


def test_a_torn_tail_is_a_note_and_no_damage(disk: MemDisk) -> None:
    table = filled(disk)
    add(table, "c1")
    [name] = [name for name, _ in content(disk) if name.endswith(".journal")]
    disk.kill_processes()
    inode = disk.inode(Path(name))
    assert inode is not None
    del inode.now[-5:]
    report = opened(disk).verify()
    assert report.ok
    assert "died in the middle of a write" in report.notes[0]
