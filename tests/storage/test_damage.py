"""Every byte flipped and every truncation of a small base, segment and journal: an error or the same answer.

For a journal the answer is an exact prefix, never below the last sync mark in the file, and a torn tail is reported.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from unittest import mock

import pytest

from tests.storage.memdisk import MemDisk, content
from tests.storage.rows import BASE, SPEC, add, names_in, names_of, opened
from toriwork.errors import DamagedFile, StoreError
from toriwork.storage.columns import ParquetSource
from toriwork.storage.frames import FILE_HEADER_BYTES, FRAME_MAGIC
from toriwork.storage.journal import read_journal
from toriwork.storage.paths import StorePaths
from toriwork.storage.pending import open_journal
from toriwork.storage.seal import seal
from toriwork.storage.snapshot import open_snapshot

#: how many bits of each byte are flipped, one after the other
BITS = pytest.mark.parametrize("bits", [1, pytest.param(8, marks=pytest.mark.long)])
PLACES = StorePaths(BASE)


def damaged(data: bytes, bits: int) -> Iterator[bytes]:
    """Each byte with one flipped bit, as often as ``bits`` says, then every truncation."""
    rng = random.Random(0)
    for at in range(len(data)):
        for bit in rng.sample(range(8), bits):
            yield data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]
    for length in range(len(data)):
        yield data[:length]


def base_only() -> tuple[MemDisk, Path]:
    disk = MemDisk()
    with opened(disk) as table:
        add(table, "a1", "a2", "a3")
        table.flush(publish=True)
    return disk, BASE


def with_segment() -> tuple[MemDisk, Path]:
    disk = MemDisk()
    table = opened(disk)
    add(table, "a1")
    table.flush(publish=True)
    add(table, "b1", "b2")
    add(table, "b3")
    table.flush(publish=False)
    files = disk.files()
    with open_snapshot(files, PLACES, SPEC).opened, table.snapshot() as snapshot:
        assert snapshot.head is not None
        path = seal(files, PLACES, SPEC, snapshot.head.store_id, snapshot.journals, {})
    disk.kill_processes()
    return disk, path


def with_journal(durability: str = "process") -> tuple[MemDisk, Path]:
    """A journal of five rows, three of them known to be on the disk, whose writer has died."""
    disk = MemDisk()
    table = opened(disk, durability=durability)
    add(table, "a1", "a2")
    add(table, "a3")
    table.flush(publish=False)
    add(table, "b1")
    add(table, "b2")
    [path] = [Path(name) for name, _ in content(disk) if name.endswith(".journal")]
    disk.kill_processes()
    return disk, path


def with_filled_journal() -> tuple[MemDisk, Path]:
    """The same, with zeros behind the rows as a writer leaves them that waits for the disk."""
    with mock.patch("toriwork.storage.journal._AHEAD_BYTES", 90):
        disk, path = with_journal("power")
    assert dict(content(disk))[str(path)].endswith(bytes(90))
    return disk, path


@BITS
@pytest.mark.parametrize("made", [base_only, with_segment])
def test_a_flip_or_truncation_of_a_parquet_file_is_an_error_or_the_same_answer(
    made: Callable[[], tuple[MemDisk, Path]], bits: int
) -> None:
    disk, path = made()
    files = disk.files()
    with open_snapshot(files, PLACES, SPEC).opened, opened(disk, read_only=True).snapshot() as snapshot:
        right = names_in(snapshot)
    inode = disk.inode(path)
    assert inode is not None
    whole = bytes(inode.now)
    silent = 0
    for bad in damaged(whole, bits):
        inode.now[:] = bad
        try:
            snapshot = open_snapshot(files, PLACES, SPEC)
            with snapshot.opened:
                assert names_in(snapshot) == right
            silent += 1
        except StoreError as error:
            assert str(path) in str(error)  # noqa: PT017 - most variants raise, some rightly do not
            assert "repair=True" in str(error)  # noqa: PT017 - most variants raise, some rightly do not
        assert inode.now == bad
    assert silent == 0  # these files are small: their digests cover every byte


@BITS
def test_a_large_parquet_file_is_read_with_page_checksums(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    # the digest of a large file is not checked when it is opened; here every file counts as large
    monkeypatch.setattr("toriwork.storage.columns.SMALL_FILE_BYTES", -1)
    disk, path = base_only()
    inode = disk.inode(path)
    assert inode is not None
    whole = bytes(inode.now)
    files = disk.files()
    wrong = 0
    for bad in damaged(whole, bits):
        inode.now[:] = bad
        try:
            source = ParquetSource(files.open(path), path)
            rows = [row for batch in source.batches() for row in batch.to_pylist()]
        except DamagedFile:
            continue
        wrong += [row["row_id"] for row in rows] != ["a1", "a2", "a3"]
    assert wrong == 0


@BITS
@pytest.mark.parametrize("made", [with_journal, with_filled_journal])
def test_a_flip_or_truncation_of_a_journal_leaves_an_exact_prefix_down_to_the_last_sync_mark(
    made: Callable[[], tuple[MemDisk, Path]], bits: int
) -> None:
    disk, path = made()
    files = disk.files()
    inode = disk.inode(path)
    assert inode is not None
    whole = bytes(inode.now)
    right = ["a1", "a2", "a3", "b1", "b2"]
    store = files.open(path)
    header_store = open_snapshot(files, PLACES, SPEC)
    with header_store.opened:
        assert header_store.head is not None
        store_id = header_store.head.store_id
    store.close()
    refused = 0
    for bad in damaged(whole, bits):
        inode.now[:] = bad
        try:
            found = open_journal(files.open(path), path, store_id, 0)
        except DamagedFile as error:
            assert str(path) in str(error)  # noqa: PT017 - most variants raise, some rightly do not
            assert "repair=True" in str(error)  # noqa: PT017 - most variants raise, some rightly do not
            refused += 1
            continue
        names = [
            n for group in found.rows() for n in SPEC.codec.decode([found.payload(group)], {})["row_id"].to_pylist()
        ]
        assert names == right[: len(names)]
        rest = bad[found.scan.good_bytes :]
        assert found.scan.torn == (
            any(rest) if found.created_ns else bool(bad)
        )  # zeros alone are an end like any other
        if len(names) < len(right) and len(bad) == len(whole):
            assert found.scan.torn
        assert found.scan.good_bytes >= found.scan.synced
        if made is with_journal and found.scan.synced > FILE_HEADER_BYTES:
            assert names[:3] == right[:3]
        assert inode.now == bad
    assert refused > 0


def test_zeros_where_rows_had_reached_the_disk_are_damage() -> None:
    disk, path = with_filled_journal()
    inode = disk.inode(path)
    assert inode is not None
    inode.now[FILE_HEADER_BYTES:] = bytes(len(inode.now) - FILE_HEADER_BYTES)
    assert names_of(opened(disk)) == []  # no header that is left says that they had been synced
    disk, path = with_filled_journal()
    inode = disk.inode(path)
    assert inode is not None
    mark = inode.now.rindex(FRAME_MAGIC)  # the last header says that everything in front of it was
    inode.now[FILE_HEADER_BYTES:mark] = bytes(mark - FILE_HEADER_BYTES)
    with pytest.raises(DamagedFile, match="had reached the disk"):
        opened(disk)


@pytest.mark.parametrize("made", [base_only, with_segment, with_journal, with_filled_journal])
def test_a_damaged_store_is_refused_untouched_until_repair_sets_the_file_aside(
    made: Callable[[], tuple[MemDisk, Path]],
) -> None:
    disk, path = made()
    inode = disk.inode(path)
    assert inode is not None
    inode.now[len(inode.now) // 4] ^= 1
    before = dict(content(disk))
    for options in ({}, {"read_only": True}):
        with pytest.raises(DamagedFile, match=str(path)):
            opened(disk, **options)
    assert {k: v for k, v in content(disk) if "lock" not in k} == {k: v for k, v in before.items() if "lock" not in k}
    table = opened(disk, repair=True)
    report = table.recovery_report
    assert [found.name.rsplit(".", 1)[0] for found in report.quarantined] == [path.name]
    assert any(path.name in note for note in report.notes)
    kept = disk.inode(report.quarantined[0])
    assert kept is not None
    assert bytes(kept.now) == before[str(path)]
    names = names_of(table)
    if made is with_segment:  # the journal that it was made of is still there
        assert sorted(names) == ["a1", "b1", "b2", "b3"]
    if made is with_journal:
        assert set(names) <= {"a1", "a2", "a3", "b1", "b2"}
        assert len(names) >= 2
    table.flush(publish=True)
    assert sorted(names_of(table)) == sorted(names)
    table.close()
    assert sorted(names_of(opened(disk))) == sorted(names)


def test_a_torn_tail_is_kept_in_quarantine_and_counted() -> None:
    disk, path = with_journal()
    inode = disk.inode(path)
    assert inode is not None
    del inode.now[-3:]
    torn = bytes(inode.now)
    table = opened(disk)
    assert names_of(table) == ["a1", "a2", "a3", "b1"]
    assert table.recovery_report.torn[path.name] > 0
    assert bytes(inode.now) == torn
    table.flush(publish=True)
    [kept] = table.recovery_report.quarantined
    found = disk.inode(kept)
    assert found is not None
    assert bytes(found.now) == torn
    assert names_of(table) == ["a1", "a2", "a3", "b1"]


def test_while_its_writer_lives_a_bad_tail_is_still_being_written() -> None:
    disk = MemDisk()
    writer = opened(disk)
    add(writer, "a1")
    add(writer, "a2")
    [path] = [Path(name) for name, _ in content(disk) if name.endswith(".journal")]
    inode = disk.inode(path)
    assert inode is not None
    del inode.now[-3:]
    other = opened(disk)
    assert other.recovery_report.clean
    assert names_of(other) == ["a1"]
    other.flush(publish=True)
    assert path in [Path(name) for name, _ in content(disk)]


def test_a_journal_whose_header_never_reached_the_disk_is_torn_not_damaged() -> None:
    for left in (b"", bytes(3000), b"TORIJRN1"):
        disk = MemDisk()
        table = opened(disk)
        add(table, "a1")
        table.flush(publish=True)
        add(table, "b1")
        disk.kill_processes()
        [path] = [Path(name) for name, _ in content(disk) if name.endswith(".journal")]
        inode = disk.inode(path)
        assert inode is not None
        inode.now[:] = left
        again = opened(disk)
        assert names_of(again) == ["a1"]
        again.flush(publish=True)
        assert names_of(again) == ["a1"]
        assert bool(again.recovery_report.torn) == bool(left)


def test_a_renamed_journal_and_one_of_another_store_are_refused() -> None:
    disk, path = with_journal()
    files = disk.files()
    store_id = files.open(path).read_at(12, 16).hex()
    assert read_journal(files.open(path), path, store_id).header is not None
    with pytest.raises(DamagedFile, match="repair=True"):
        read_journal(files.open(path), path, "0" * 32)
    other = path.with_name("f" * 32 + ".journal")
    files.replace(path, other)
    with pytest.raises(DamagedFile, match="renamed"):
        opened(disk)
