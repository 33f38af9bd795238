"""What a handle promises when the disk says no: failed syncs, short writes, rolling, group commit, removed journals."""

from __future__ import annotations

import errno
import itertools
import os
import threading
import time
from pathlib import Path

import pytest

from tests.storage.memdisk import MemDisk, MemHandle, content
from tests.storage.rows import BASE, SPEC, add, names_of, opened, payload
from toriwork.errors import BadInput, Closed, DurabilityError, ReadOnly, StoreError
from toriwork.storage import ParquetTable
from toriwork.storage.frames import MAX_PAYLOAD


class Failing:
    """Let an operation fail, once or for ever."""

    def __init__(self, what: str, times: int) -> None:
        self.what, self.times = what, times

    def __call__(self, what: str, path: Path) -> None:
        if what == self.what and self.times > 0 and "state/table.d" in str(path):
            self.times -= 1
            raise OSError(errno.EIO, os.strerror(errno.EIO), str(path))


@pytest.fixture
def disk() -> MemDisk:
    return MemDisk()


def journals(disk: MemDisk) -> list[str]:
    return [name for name, _ in content(disk) if name.endswith(".journal")]


@pytest.mark.parametrize("what", ["sync", "sync_folder"])
def test_after_one_failed_sync_the_rows_are_in_a_new_file_and_survive_a_power_cut(what: str, disk: MemDisk) -> None:
    files = disk.files()
    table = opened(files)
    add(table, "a1")
    table.flush(publish=False)
    add(table, "b1", size=2000)
    old = disk.inode(Path(journals(disk)[0]))
    if what == "sync_folder":  # only a new journal has a name that is not on the disk yet
        table.flush(publish=True)
        add(table, "b2")
        old = disk.inode(Path(journals(disk)[0]))
    files.hook = Failing(what, 1)
    table.flush(publish=False)
    files.hook = None
    assert disk.inode(Path(journals(disk)[0])) is not old
    add(table, "c1")
    table.flush(publish=False)
    expected = names_of(table)
    disk.cut_power()
    assert names_of(opened(disk.files())) == expected


def test_a_retried_descriptor_would_have_lost_the_row(disk: MemDisk) -> None:
    # what the rule is for: the second sync of the same file succeeds and saves nothing
    files = disk.files()
    table = opened(files)
    add(table, "a1")
    table.flush(publish=False)
    add(table, "b1", size=2000)
    journal = table._writer._current  # type: ignore[union-attr]
    assert journal is not None
    files.hook = Failing("sync", 1)
    with pytest.raises(OSError, match="Input/output"):
        journal.handle.sync()
    files.hook = None
    journal.handle.sync()
    disk.cut_power()
    assert names_of(opened(disk.files())) == ["a1"]


@pytest.mark.parametrize("what", ["sync", "sync_folder"])
def test_when_every_sync_fails_the_handle_refuses_and_gives_the_rows_back(what: str, disk: MemDisk) -> None:
    files = disk.files()
    table = opened(files)
    add(table, "a1")
    files.hook = Failing(what, 10**9)
    with pytest.raises(DurabilityError, match=r"takes no more rows") as caught:
        table.flush(publish=False)
    assert payload("a1") in b"".join(caught.value.rows)
    with pytest.raises(DurabilityError):
        add(table, "b1")
    with pytest.raises(DurabilityError):
        table.close()
    files.hook = None
    table.close()
    again = opened(disk.files())
    assert names_of(again) == ["a1"]  # the process lives: its pages are still readable
    add(again, "b1")
    again.flush(publish=True)
    assert names_of(again) == ["a1", "b1"]


def test_a_short_write_retires_the_journal_and_the_row_does_not_exist(disk: MemDisk) -> None:
    files = disk.files()
    table = opened(files)
    first = add(table, "a1")
    files.room = 50
    with pytest.raises(StoreError, match=r"the row was not recorded, everything before it stays"):
        add(table, "b1")
    with pytest.raises(StoreError, match="not recorded"):
        add(table, "b2")
    files.room = None
    second = add(table, "c1")
    assert second.journal != first.journal
    assert names_of(table) == ["a1", "c1"]
    table.flush(publish=True)
    assert names_of(table) == ["a1", "c1"]
    [kept] = table.recovery_report.quarantined
    assert kept.name.startswith(first.journal)


def test_tries_on_a_full_disk_leave_no_files_behind(disk: MemDisk) -> None:
    files = disk.files()
    table = opened(files)
    add(table, "a1")
    for _ in range(20):
        files.room = 100  # a header fits, a frame does not
        with pytest.raises(StoreError):
            add(table, "b1", size=3000)
    assert len([name for name, _ in content(disk) if "table.d/" in name]) <= 4
    files.room = None
    assert names_of(table) == ["a1"]


def test_a_full_disk_at_the_sync_mark_does_not_fail_the_flush(disk: MemDisk) -> None:
    files = disk.files()
    table = opened(files)
    add(table, "a1")
    files.room = 0
    table.flush(publish=False)
    files.room = None
    disk.cut_power()
    assert names_of(opened(disk.files())) == ["a1"]


def test_a_journal_rolls_and_every_one_ends_in_a_sync_mark(disk: MemDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toriwork.storage.journal.ROLL_BYTES", 4000)
    table = opened(disk.files())
    for n in range(12):
        add(table, f"a{n:02}", size=900)
    assert len(journals(disk)) >= 3
    table.flush(publish=False)
    with table.snapshot() as snapshot:
        assert all(journal.scan.synced >= journal.scan.total_bytes - 200 for journal in snapshot.journals)
        assert sum(len(journal.rows()) for journal in snapshot.journals) == 12
    assert names_of(table) == [f"a{n:02}" for n in range(12)]
    table.flush(publish=True)
    assert journals(disk) == []


def test_memory_for_unsynced_rows_is_bounded(disk: MemDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toriwork.storage.writer.KEPT_BYTES", 10_000)
    table = opened(disk.files())
    for n in range(50):
        add(table, f"a{n}", size=1000)
        kept = sum(len(piece) for journal in table._writer._journals() for piece in journal.kept)  # type: ignore[union-attr]
        assert kept < 15_000
    assert table._writer is not None


def test_row_times_never_go_back_whatever_the_clock_does(disk: MemDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    table = opened(disk.files())
    clock = itertools.cycle([10**18, 10**18, 5, 10**18 + 1, 10**18 + 2, 4, 3, 2, 1, 10**18 + 9])
    monkeypatch.setattr("toriwork.storage.clock.time.time_ns", lambda: next(clock))
    times = [table.append(payload("a", "b"), 2).time_ns for _ in range(8)]
    assert all(later - earlier >= 2 for earlier, later in itertools.pairwise(times))


def test_a_removed_journal_is_written_anew_by_the_next_flush(disk: MemDisk) -> None:
    files = disk.files()
    table = opened(files)
    add(table, "a1")
    table.flush(publish=False)
    add(table, "a2")
    files.unlink(Path(journals(disk)[0]))
    table.flush(publish=False)
    add(table, "a3")
    disk.kill_processes()
    assert names_of(opened(disk.files())) == ["a1", "a2", "a3"]


def test_threads_share_their_waits_for_the_disk(disk: MemDisk, monkeypatch: pytest.MonkeyPatch) -> None:
    files = disk.files()
    table = opened(files, durability="power")
    add(table, "warm")
    syncs = 0
    whole = MemHandle.sync

    def slow(self: MemHandle) -> None:
        nonlocal syncs
        syncs += 1
        time.sleep(0.004)
        whole(self)

    monkeypatch.setattr(MemHandle, "sync", slow)
    threads = [
        threading.Thread(target=lambda n=n: [add(table, f"t{n}-{k}") for k in range(12)])  # type: ignore[misc]
        for n in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert syncs <= 96 / 3  # each append waited for a sync of its own: 96
    disk.cut_power()
    assert len(names_of(opened(disk.files()))) == 97


def test_with_durability_power_a_row_survives_a_power_cut_without_a_flush(disk: MemDisk) -> None:
    table = opened(disk.files(), durability="power")
    for n in range(5):
        add(table, f"a{n}", size=700)
    disk.cut_power()
    assert names_of(opened(disk.files())) == [f"a{n}" for n in range(5)]


@pytest.mark.parametrize("room", [4_000, 9_000, 200_000, 540_000])
def test_a_disk_without_room_for_zeros_ahead_still_takes_rows_while_they_fit(disk: MemDisk, room: int) -> None:
    files = disk.files()
    table = opened(files, durability="power")
    files.room = room
    names: list[str] = []

    def until_it_is_full() -> None:
        while len(names) < 1_000:
            add(table, f"a{len(names)}", size=700)
            names.append(f"a{len(names)}")

    with pytest.raises(StoreError, match="not recorded"):
        until_it_is_full()
    assert len(names) >= room // 2_000
    files.room = None
    disk.cut_power()
    assert names_of(opened(disk.files())) == names


def test_an_interrupted_append_of_a_filled_journal_leaves_no_sync_mark_behind_a_torn_frame(disk: MemDisk) -> None:
    files = disk.files()
    table = opened(files, durability="power")
    add(table, "a1")
    journal = table._writer._current  # type: ignore[union-attr]
    assert journal is not None
    journal.handle.write_at(journal.size, b"TwF1 and no more")
    journal.usable = False
    table.flush(publish=False)
    add(table, "a2")
    disk.kill_processes()
    again = opened(disk.files())
    assert names_of(again) == ["a1", "a2"]
    assert again.recovery_report.torn


def test_a_closed_handle_and_one_for_reading_refuse_rows(disk: MemDisk) -> None:
    table = opened(disk.files())
    table.close()
    table.close()
    for act in (lambda: add(table, "a"), table.flush, lambda: names_of(table)):
        with pytest.raises(Closed, match="open the table again"):
            act()
    reader = ParquetTable(BASE, SPEC, files=disk.files(), read_only=True)
    for act in (lambda: add(reader, "a"), reader.flush):
        with pytest.raises(ReadOnly, match="read_only=True"):
            act()


def test_bad_arguments_are_named(disk: MemDisk) -> None:
    with pytest.raises(BadInput, match="durability: expected one of process, power, got 'often'"):
        opened(disk.files(), durability="often")

    class Huge(bytes):
        def __len__(self) -> int:
            return MAX_PAYLOAD + 1

    with pytest.raises(BadInput, match="use batches"):
        opened(disk.files()).append(Huge())


def test_an_empty_journal_is_not_left_behind(disk: MemDisk) -> None:
    table = opened(disk.files())
    with table.snapshot():
        pass
    table.close()
    assert journals(disk) == []


def test_a_payload_is_read_back_until_its_journal_is_given_up(disk: MemDisk) -> None:
    table = opened(disk.files())
    place = add(table, "a1")
    assert table.read_payload(place) == payload("a1")
    table.flush(publish=True)
    assert table.read_payload(place) is None
