"""What opening a store finds and mends: the report, half-written files, a lost HEAD, and what ``repair=True`` saves."""

from __future__ import annotations

import logging
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.storage.memdisk import MemDisk, MemFiles, content
from tests.storage.rows import BASE, SPEC, add, names_of, opened
from toriwork.errors import StoreMismatch
from toriwork.storage.frames import FILE_HEADER_BYTES, FRAME_HEADER_BYTES, Address, Kind, pack_target
from toriwork.storage.head import Head, read_head, write_head
from toriwork.storage.paths import StorePaths
from toriwork.storage.recovery import RecoveryReport, create_head, examine, remove_stale

PLACES = StorePaths(BASE)
FOLDER = PLACES.folder


def journals(disk: MemDisk) -> list[Path]:
    return [Path(name) for name, _ in content(disk) if name.endswith(".journal")]


def bytes_of(disk: MemDisk, path: Path) -> bytearray:
    inode = disk.inode(path)
    assert inode is not None
    return inode.now


@pytest.fixture
def disk() -> MemDisk:
    """A table with one published row."""
    disk = MemDisk()
    with opened(disk) as table:
        add(table, "a1")
        table.flush(publish=True)
    return disk


def left_by_a_dead_writer(disk: MemDisk, *names: str) -> Path:
    """A journal with a frame for each name, synced, whose owner was killed."""
    table = opened(disk)
    for name in names:
        add(table, name)
    table.sync()
    [path] = journals(disk)
    disk.kill_processes()
    return path


# ---- the report --------------------------------------------------------------------------------------------------


def test_a_store_in_good_order_gives_a_clean_report(disk: MemDisk) -> None:
    report = opened(disk).recovery_report
    assert report == RecoveryReport(n_rows=1, newest_ns=report.newest_ns)
    assert report.newest_ns > 10**18
    assert report.clean


def test_rows_of_a_dead_writer_are_counted_and_kept(disk: MemDisk) -> None:
    path = left_by_a_dead_writer(disk, "b1", "b2")
    before = bytes(bytes_of(disk, path))
    table = opened(disk)
    report = table.recovery_report
    assert (report.n_rows, report.adopted_rows) == (3, 2)
    assert report.pending_bytes > 0
    assert report.clean  # a death between two writes is nothing to worry about
    assert names_of(table) == ["a1", "b1", "b2"]
    assert bytes_of(disk, path) == before  # an adopted journal is never appended to
    assert table.pending_age is not None  # the next publish takes them


def test_rows_of_a_living_writer_are_read_and_not_adopted(disk: MemDisk) -> None:
    writer = opened(disk)
    add(writer, "b1", "b2", "b3")
    report = opened(disk).recovery_report
    assert (report.n_rows, report.adopted_rows) == (4, 0)


def test_a_torn_end_is_a_warning_with_the_number_of_bytes(disk: MemDisk, caplog: pytest.LogCaptureFixture) -> None:
    path = left_by_a_dead_writer(disk, "b1", "b2")
    bytes_of(disk, path).extend(b"torn!")
    with caplog.at_level(logging.WARNING, logger="toriwork.storage"):
        report = examine(disk.files(), PLACES, SPEC)
    assert report.torn == {path.name: 5}
    assert not report.clean
    assert report.adopted_rows == 2
    [record] = caplog.records
    assert path.name in record.getMessage()
    assert "5 bytes" in record.getMessage()


def test_looking_changes_nothing_and_leaves_no_lock(disk: MemDisk) -> None:
    path = left_by_a_dead_writer(disk, "b1")
    bytes_of(disk, path).extend(b"torn!")
    before = list(content(disk))
    examine(disk.files(), PLACES, SPEC)
    assert list(content(disk)) == before
    inode = disk.inode(path)
    assert inode is not None
    assert inode.owner is None


@pytest.mark.parametrize(
    ("report", "clean"),
    [
        (RecoveryReport(n_rows=9, pending_bytes=9, adopted_rows=9), True),
        (RecoveryReport(torn={"x": 1}), False),
        (RecoveryReport(quarantined=[Path("x")]), False),
        (RecoveryReport(notes=["accepted"]), False),
    ],
)
def test_a_report_is_clean_without_torn_damaged_or_accepted_files(report: RecoveryReport, clean: bool) -> None:
    assert report.clean is clean


# ---- half-written files ------------------------------------------------------------------------------------------


def make(files: MemFiles, path: Path, *, age: float, locked: bool = False) -> Path:
    """A file that was changed so many seconds ago."""
    handle = files.create(path)
    handle.inode.modified = time.time() - age
    if locked:
        handle.try_lock()
    return path


@pytest.mark.parametrize("name", ["a.segment.new", "b.journal.new", "HEAD.12.tmp"])
def test_remains_in_the_folder_go_when_they_are_a_minute_old_and_nobody_has_them_locked(
    name: str, disk: MemDisk
) -> None:
    files = disk.files()
    make(files, FOLDER / name, age=61)
    fresh = make(files, FOLDER / f"1{name}", age=55)
    held = make(files, FOLDER / f"2{name}", age=1e6, locked=True)
    remove_stale(files, PLACES)
    left = {path for path in map(Path, dict(content(disk))) if path.name.endswith(name)}
    assert left == {fresh, held}


def test_beside_the_public_file_only_our_own_remains_go(disk: MemDisk) -> None:
    files = disk.files()
    ours = make(files, BASE.with_name(".table.01ab.tmp"), age=1e6)
    others = [
        make(files, BASE.with_name(name), age=1e6)
        for name in (".other.01ab.tmp", "table.tmp", "notes.tmp", "a.journal.new")
    ]
    remove_stale(files, PLACES)
    left = set(map(Path, dict(content(disk))))
    assert ours not in left
    assert left >= {*others, BASE, PLACES.head}


def test_journals_and_segments_are_never_taken_for_remains(disk: MemDisk) -> None:
    path = left_by_a_dead_writer(disk, "b1")
    segment = make(disk.files(), FOLDER / ("ab" * 16 + ".parquet"), age=1e6)
    remove_stale(disk.files(), PLACES)
    assert disk.inode(path) is not None
    assert disk.inode(segment) is not None


def test_remains_that_somebody_else_removes_meanwhile_are_fine(disk: MemDisk) -> None:
    files = disk.files()
    path = make(files, FOLDER / "a.segment.new", age=1e6)

    def take_away(what: str, where: Path) -> None:
        if what == "open" and where == path:
            files.hook = None
            files.unlink(path)

    files.hook = take_away
    remove_stale(files, PLACES)
    assert disk.inode(path) is None


# ---- HEAD: the identity of a store -------------------------------------------------------------------------------


def test_a_store_gets_its_identity_once() -> None:
    files = MemDisk().files()
    files.make_folder(FOLDER)
    create_head(files, PLACES)
    first = read_head(files, PLACES)
    create_head(files, PLACES)
    assert first is not None
    assert read_head(files, PLACES) == first
    assert (len(first.store_id), first.generation, first.digest, first.committed) == (32, 0, "", True)


def test_a_public_file_that_came_alone_keeps_the_identity_it_states(disk: MemDisk) -> None:
    old = read_head(disk.files(), PLACES)
    assert old is not None
    files = MemDisk().files()
    files.make_folder(FOLDER)
    files.create(BASE).write(bytes(bytes_of(disk, BASE)))
    create_head(files, PLACES)
    assert read_head(files, PLACES) == replace(old, previous="")


def test_without_head_rows_that_are_pending_are_not_given_to_a_new_store(disk: MemDisk) -> None:
    left_by_a_dead_writer(disk, "b1")
    files = disk.files()
    files.unlink(PLACES.head)
    before = list(content(disk))
    with pytest.raises(StoreMismatch, match=r"HEAD: is missing, although 1 journals or segments.*repair=True"):
        create_head(files, PLACES)
    assert list(content(disk)) == before


def test_repair_gives_a_lost_head_back_from_the_journals_when_there_is_no_public_file(disk: MemDisk) -> None:
    left_by_a_dead_writer(disk, "b1")
    files = disk.files()
    head = read_head(files, PLACES)
    assert head is not None
    files.unlink(PLACES.head)
    files.unlink(BASE)
    table = opened(disk, repair=True)
    found = read_head(disk.files(), PLACES)
    assert found is not None
    assert found.store_id == head.store_id
    assert names_of(table) == ["b1"]  # what was published went with the public file


# ---- repair ------------------------------------------------------------------------------------------------------


def test_repairing_what_is_sound_changes_no_row_and_reports_nothing(disk: MemDisk) -> None:
    left_by_a_dead_writer(disk, "b1", "b2")
    table = opened(disk, repair=True)
    assert table.recovery_report.clean
    assert table.recovery_report.adopted_rows == 2
    assert names_of(table) == ["a1", "b1", "b2"]


def test_good_frames_behind_the_damage_are_saved_and_the_file_is_kept(
    disk: MemDisk, caplog: pytest.LogCaptureFixture
) -> None:
    path = left_by_a_dead_writer(disk, "b1", "b2", "b3")
    found = bytes_of(disk, path)
    frame = (len(found) - FILE_HEADER_BYTES - FRAME_HEADER_BYTES) // 3  # three frames of rows and a sync mark
    found[FILE_HEADER_BYTES + frame + FRAME_HEADER_BYTES + 9] ^= 1
    damaged = bytes(found)
    with caplog.at_level(logging.WARNING, logger="toriwork.storage"):
        table = opened(disk, repair=True)
    assert names_of(table) == ["a1", "b1", "b3"]
    [target] = table.recovery_report.quarantined
    assert bytes_of(disk, target) == damaged
    [note] = table.recovery_report.notes
    assert "3 good frames, 2 of them behind the damage" in note
    assert note in caplog.text
    table.flush(publish=True)
    table.close()
    assert names_of(opened(disk)) == ["a1", "b1", "b3"]


def test_a_damaged_journal_of_a_living_writer_is_not_touched_by_repair(disk: MemDisk) -> None:
    writer = opened(disk)
    add(writer, "b1")
    writer.sync()
    [path] = journals(disk)
    bytes_of(disk, path)[FILE_HEADER_BYTES + FRAME_HEADER_BYTES] ^= 1
    before = bytes(bytes_of(disk, path))
    with pytest.raises(OSError, match="damaged"):
        opened(disk, repair=True)
    assert bytes_of(disk, path) == before


def test_an_accepted_older_copy_gets_a_generation_that_was_never_used(disk: MemDisk) -> None:
    old = bytes(bytes_of(disk, BASE))
    with opened(disk) as table:
        add(table, "b1")
        table.flush(publish=True)
    before = read_head(disk.files(), PLACES)
    assert before is not None
    bytes_of(disk, BASE)[:] = old
    table = opened(disk, repair=True)
    [note] = table.recovery_report.notes
    assert "accepted as it is" in note
    assert "older copy" in note
    after = read_head(disk.files(), PLACES)
    assert after is not None
    assert after.generation == before.generation + 1
    assert names_of(table) == ["a1"]
    add(table, "c1")
    table.flush(publish=True)
    table.close()
    assert names_of(opened(disk)) == ["a1", "c1"]


def test_opening_notes_in_head_that_the_rename_of_a_dead_publisher_reached_the_disk(disk: MemDisk) -> None:
    files = disk.files()
    head = read_head(files, PLACES)
    assert head is not None
    write_head(files, PLACES, Head(head.store_id, head.generation, head.digest, "e" * 64, False, head.n_rows))
    opened(disk).close()
    after = read_head(disk.files(), PLACES)
    assert after is not None
    assert after.committed
    assert after.digest == head.digest


def test_two_files_of_one_name_both_have_a_place_in_quarantine(disk: MemDisk) -> None:
    for round_ in range(2):
        files = disk.files()
        handle = files.create(FOLDER / ("ab" * 16 + ".parquet"))
        handle.write(b"no segment %d" % round_)
        table = opened(disk, repair=True)
        assert [path.name for path in table.recovery_report.quarantined] == ["ab" * 16 + f".parquet.{round_}"]
        disk.kill_processes()
    kept = [data for name, data in content(disk) if "quarantine" in name]
    assert kept == [b"no segment 0", b"no segment 1"]


@pytest.mark.parametrize("kind", [Kind.DONE, Kind.ATTEMPT])
@pytest.mark.parametrize("left", [0, 30, FILE_HEADER_BYTES, FILE_HEADER_BYTES + 10, FILE_HEADER_BYTES + 70])
def test_what_was_said_of_a_row_that_a_power_cut_took_holds_no_other_row_back(
    disk: MemDisk, kind: Kind, left: int
) -> None:
    """The journal that completes rows of a dead writer was synced, that of the dead writer never was."""
    writer = opened(disk)
    place = add(writer, "lost")
    disk.kill_processes()
    adopter = opened(disk)
    adopter.append(pack_target(Address(place.journal, place.frame, 0)) + b"numbers", 0, kind)
    add(adopter, "b1")
    adopter.flush(publish=False)
    disk.kill_processes()
    del bytes_of(disk, FOLDER / f"{place.journal}.journal")[left:]
    with opened(disk) as table:
        table.flush(publish=True)
        assert names_of(table) == ["a1", "b1"]
        with table.snapshot() as snapshot:
            assert snapshot.pending_rows() == 0
    assert journals(disk) == []


def test_what_completes_a_row_that_its_living_writer_may_still_show_stays_behind(disk: MemDisk) -> None:
    writer = opened(disk)
    place = add(writer, "b1")
    adopter = opened(disk)
    for frame in (place.frame, place.frame + 1):  # the second one is not in the file yet, or not read
        adopter.append(pack_target(Address(place.journal, frame, 0)) + b"numbers", 0, Kind.DONE)
    add(adopter, "c1")
    adopter.flush(publish=True)
    with adopter.snapshot() as snapshot:
        assert Address(place.journal, place.frame + 1, 0) in snapshot.done
        assert snapshot.pending_rows() == 1  # what is behind it waits, too
