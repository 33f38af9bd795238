"""What a publish looks at before it replaces or removes anything, and what it leaves behind."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.storage.memdisk import Inode, MemDisk, PowerCut, content
from tests.storage.rows import BASE, add, names_of, opened, twice
from toriwork.errors import PublishError, StoreMismatch
from toriwork.storage.paths import StorePaths

PLACES = StorePaths(BASE)


def journals(disk: MemDisk) -> list[str]:
    return [name for name, _ in content(disk) if name.endswith(".journal")]


@pytest.fixture
def disk() -> MemDisk:
    found = MemDisk()
    with opened(found.files()) as table:
        add(table, "a1")
        table.flush(publish=True)
    return found


def test_whoever_publishes_hears_of_the_rows_that_are_written() -> None:
    told: list[tuple[int, int]] = []
    with opened(MemDisk().files()) as table:
        for name in ("a1", "a2", "a3"):
            add(table, name)
        table.flush(publish=True, told=lambda n, of: told.append((n, of)))
        assert sum(n for n, _ in told) == 3
        assert {of for _, of in told} == {3}
        told.clear()
        table.flush(publish=False, told=lambda n, of: told.append((n, of)))
        assert told == []
        add(table, "a4")
        table.flush(publish=True, told=lambda n, of: told.append((n, of)))
        assert sum(n for n, _ in told) == told[0][1] in (1, 4)  # small row groups are written again


def test_a_copy_of_the_very_last_generation_is_refused(disk: MemDisk) -> None:
    inode = disk.inode(BASE)
    assert inode is not None
    old = bytes(inode.now)
    with opened(disk.files()) as table:
        add(table, "b1")
        table.flush(publish=True)
    inode = disk.inode(BASE)
    assert inode is not None
    inode.now[:] = old
    with pytest.raises(StoreMismatch, match="older copy"):
        opened(disk.files())


def test_a_file_that_came_while_the_next_one_was_written_is_not_overwritten(disk: MemDisk) -> None:
    files = disk.files()
    table = opened(files)
    add(table, "b1")
    other = Inode(10**6, bytearray(b"somebody's"))

    def replaces(what: str, path: Path) -> None:
        if what == "chmod":
            disk.folders["/state"].change(**{BASE.name: other})

    files.hook = replaces
    with pytest.raises(StoreMismatch, match="replaced by other software while publishing"):
        table.flush(publish=True)
    assert disk.inode(BASE) is other


def test_a_lock_file_that_was_removed_meanwhile_protects_nothing(disk: MemDisk) -> None:
    files = disk.files()
    table = opened(files)
    add(table, "b1")

    def removes(what: str, path: Path) -> None:
        if what == "chmod":
            files.hook = None
            files.unlink(PLACES.lock)

    files.hook = removes
    with pytest.raises(PublishError, match="removed or replaced while publishing"):
        table.flush(publish=True)
    assert names_of(table) == ["a1", "b1"]


def test_the_journal_of_a_living_writer_stays(disk: MemDisk) -> None:
    writer, other = opened(disk.files()), opened(disk.files())
    place = add(writer, "b1")
    other.flush(publish=True)
    assert journals(disk) == [f"/state/table.d/{place.journal}.journal"]
    add(writer, "b2")
    assert names_of(other) == ["a1", "b1", "b2"]


def test_what_an_owner_wrote_between_a_look_and_its_death_is_public(disk: MemDisk) -> None:
    owner = opened(disk.files())
    add(owner, "b1")
    files = disk.files()
    other = opened(files)

    def writes_and_dies(what: str, path: Path) -> None:
        if what == "lock" and path.suffix == ".journal":
            files.hook = None
            add(owner, "b2")
            owner.close()

    files.hook = writes_and_dies
    other.flush(publish=True)
    assert names_of(other) == ["a1", "b1", "b2"]


def test_a_torn_end_is_set_aside_and_not_removed(disk: MemDisk) -> None:
    writer = opened(disk.files())
    place = add(writer, "b1")
    inode = disk.inode(PLACES.folder / f"{place.journal}.journal")
    assert inode is not None
    inode.now += b"TwF1 and no more"
    disk.kill_processes()
    with opened(disk.files()) as table:
        table.flush(publish=True)
        assert names_of(table) == ["a1", "b1"]
    assert journals(disk) == []
    assert [name for name, _ in content(disk) if place.journal in name and "quarantine" in name] != []


def test_a_publish_in_front_of_any_step_of_a_verify_is_no_damage(disk: MemDisk) -> None:
    files = disk.files()
    table, other = opened(files), opened(disk.files())
    for at in range(1, 200):
        steps = itertools.count(1)

        def publishes(what: str, path: Path, at: int = at, steps: Iterator[int] = steps) -> None:
            if next(steps) == at:
                files.hook = None
                add(other, f"n{at}")
                other.flush(publish=True)

        files.hook = publishes
        report = table.verify()
        assert report.ok, report
        if files.hook is not None:  # it had no such step
            return
    raise AssertionError("a verify has fewer steps")


def test_a_handle_publishes_again_from_another_thread(disk: MemDisk) -> None:
    table = opened(disk.files())
    add(table, "b0")
    table.flush(publish=True)
    assert not table._maintenance._publishing.owned()  # another thread would wait for it
    for name in ("b1", "b2"):
        add(table, name)
        thread = threading.Thread(target=table.flush, args=(True,), daemon=True)
        thread.start()
        thread.join(20)
        assert not thread.is_alive()
    assert names_of(table) == ["a1", "b0", "b1", "b2"]


def test_rows_are_published_in_the_order_in_which_their_journals_were_begun(disk: MemDisk) -> None:
    table = opened(disk.files())
    names = [f"b{n}" for n in range(9)]
    for name in names:
        add(table, name)
        assert table._writer is not None
        table._writer.freeze()  # the next one goes into another journal, whose name is as random
    table.flush(publish=True)
    assert names_of(table) == ["a1", *names]


@pytest.mark.parametrize("seed", range(4))
def test_a_journal_that_a_power_cut_brings_back_is_known(seed: int) -> None:
    """Its name was removed and the folder never synced; the next public file leaves it out only behind a sync."""
    for step in range(1, 200):
        disk = MemDisk(seed)
        files = disk.files()
        first, second = opened(files), opened(files)
        add(first, "a1")
        add(second, "b1")
        files.hook = Cleanup()
        with pytest.raises(PublishError, match="not synced"):
            first.flush(publish=True)
        files.hook = None
        second.flush(publish=False)
        files.cut_at = files.steps + step
        try:
            second.flush(publish=True)
        except PowerCut:
            assert twice(names_of(opened(disk.files()))) == []
        else:
            return
    raise AssertionError("a publish has fewer steps")


class Cleanup:
    """The folder's sync fails behind the removal of a journal."""

    def __init__(self) -> None:
        self.removed = False

    def __call__(self, what: str, path: Path) -> None:
        self.removed |= what == "unlink" and path.suffix == ".journal"
        if self.removed and what == "sync_folder":
            raise OSError(5, "not synced", str(path))
