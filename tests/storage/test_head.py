"""HEAD says which public file is the right one: what it allows, what it refuses, and how it is replaced."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.storage.memdisk import MemDisk, MemFiles, PowerCut, content
from tests.storage.rows import BASE, BY_HAND, SPEC, add, still
from toriwork.errors import DamagedFile, StoreError, StoreMismatch
from toriwork.storage import ParquetTable
from toriwork.storage.columns import ParquetSource
from toriwork.storage.footer import Facts
from toriwork.storage.head import Head, check_base, read_head, write_head
from toriwork.storage.paths import StorePaths, stamp
from toriwork.storage.sink import ParquetSink

PLACES = StorePaths(BASE)
STORE, OTHER = "ab" * 16, "cd" * 16
SCHEMA = pa.schema([("a", pa.int64())])
NAMES = st.text("0123456789abcdef", min_size=32, max_size=32)
DIGESTS = st.just("") | st.text("0123456789abcdef", min_size=64, max_size=64)
COUNTS = st.integers(0, 2**63 - 1)
HEADS = st.builds(
    Head,
    NAMES,
    COUNTS,
    DIGESTS,
    DIGESTS,
    st.booleans(),
    COUNTS,
    st.dictionaries(NAMES, COUNTS),
)


def public_file(generation: int, store_id: str = STORE) -> ParquetSource:
    """A file of the store; each generation has one row more."""
    handle = MemDisk().files().create(Path("/x.parquet"))
    sink = ParquetSink(handle, BASE, SCHEMA)
    sink.write(pa.record_batch([list(range(generation))], schema=SCHEMA))
    sink.close(Facts(store_id, generation=generation))
    return ParquetSource(handle, BASE)


def foreign_file() -> ParquetSource:
    """What ``df.to_parquet`` leaves."""
    handle = MemDisk().files().create(Path("/x.parquet"))
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table({"a": [1, 2]}), sink)
    handle.write(bytes(sink.getvalue()))
    return ParquetSource(handle, BASE)


FIRST, SECOND, THIRD, FOREIGN = public_file(1), public_file(2), public_file(3), foreign_file()
STRANGER = public_file(2, OTHER)
#: what HEAD says at each moment of publishing the second generation
NEW = Head(STORE, 0, "", "", True, 0)
BEGUN = Head(STORE, 1, FIRST.footer.digest, "", False, 1)
PREPARED = Head(STORE, 2, SECOND.footer.digest, FIRST.footer.digest, False, 2)
COMMITTED = replace(PREPARED, committed=True)
ADOPTED = Head(STORE, 0, FOREIGN.footer.digest, "", True, 2)
CONVERTING = Head(STORE, 1, FIRST.footer.digest, FOREIGN.footer.digest, False, 1)


@pytest.mark.parametrize(
    ("head", "base"),
    [
        pytest.param(NEW, None, id="nothing was published yet"),
        pytest.param(BEGUN, None, id="a crash before the first rename"),
        pytest.param(BEGUN, FIRST, id="a crash behind the first rename"),
        pytest.param(PREPARED, FIRST, id="a crash between HEAD and the rename"),
        pytest.param(PREPARED, SECOND, id="a crash between the rename and HEAD"),
        pytest.param(COMMITTED, SECOND, id="all is well"),
        pytest.param(ADOPTED, FOREIGN, id="a legacy file that was adopted"),
        pytest.param(CONVERTING, FOREIGN, id="a legacy file whose replacement was cut short"),
    ],
)
def test_the_public_file_that_a_crash_may_leave_is_right(head: Head, base: ParquetSource | None) -> None:
    check_base(head, base, BASE)


@pytest.mark.parametrize(
    ("head", "base", "why"),
    [
        pytest.param(COMMITTED, None, "is missing, generation 2 with 2 rows was published", id="deleted"),
        pytest.param(PREPARED, None, "is missing", id="deleted in the middle of a publish"),
        pytest.param(COMMITTED, FIRST, "generation 1 with 1 rows, an older copy", id="one generation old"),
        pytest.param(replace(PREPARED, generation=9, digest="f" * 64), SECOND, "older copy", id="older still"),
        pytest.param(PREPARED, THIRD, "generation 3", id="a generation that HEAD knows nothing of"),
        pytest.param(COMMITTED, FOREIGN, "replaced by a file that this store did not write", id="df.to_parquet"),
        pytest.param(PREPARED, FOREIGN, "did not write", id="df.to_parquet while publishing"),
        pytest.param(COMMITTED, STRANGER, "did not write", id="the file of another store, same generation"),
        pytest.param(NEW, STRANGER, "did not write", id="a file that came later than HEAD"),
        pytest.param(replace(ADOPTED, digest="0" * 64), FOREIGN, "did not write", id="a legacy file that changed"),
    ],
)
def test_any_other_file_is_refused_with_the_remedy(head: Head, base: ParquetSource | None, why: str) -> None:
    with pytest.raises(StoreMismatch, match=rf"{BASE}: .*{why}.*Nothing was changed\. Put .*repair=True"):
        check_base(head, base, BASE)


def test_files_of_one_generation_but_other_content_are_told_apart() -> None:
    copies = Head(STORE, 2, public_file(2).footer.digest, "", True, 2)
    check_base(copies, SECOND, BASE)  # the same rows give the same bytes
    handle = MemDisk().files().create(Path("/x.parquet"))
    sink = ParquetSink(handle, BASE, SCHEMA)
    sink.write(pa.record_batch([[7, 8]], schema=SCHEMA))
    sink.close(Facts(STORE, generation=2))
    with pytest.raises(StoreMismatch):
        check_base(copies, ParquetSource(handle, BASE), BASE)


@given(HEADS)
def test_a_head_comes_back_from_its_bytes(head: Head) -> None:
    assert Head.from_bytes(head.to_bytes(), PLACES.head) == head


def test_a_field_that_a_newer_version_added_is_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setattr("toriwork.storage.head.asdict", lambda head: {"store_id": STORE, "zz_new": 1} | fields(head))
        data = COMMITTED.to_bytes()
    assert b"zz_new" in data
    assert Head.from_bytes(data, PLACES.head) == COMMITTED


def test_a_field_that_an_older_version_did_not_know_has_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        older = {name: value for name, value in fields(COMMITTED).items() if name != "held"}
        patched.setattr("toriwork.storage.head.asdict", lambda head: older)
        data = COMMITTED.to_bytes()
    assert Head.from_bytes(data, PLACES.head) == COMMITTED


def fields(head: Head) -> dict[str, object]:
    return {name: getattr(head, name) for name in Head.__slots__}


def test_every_flip_and_every_cut_of_head_is_noticed() -> None:
    data = COMMITTED.to_bytes()
    bad = [data[:n] for n in range(len(data) - 1)]  # without its last newline it is still whole
    bad += [data[:n] + bytes([data[n] ^ (1 << bit)]) + data[n + 1 :] for n in range(len(data) - 1) for bit in range(8)]
    for found in bad:
        with pytest.raises(DamagedFile, match=r"HEAD: damaged\. Nothing was changed\..*repair=True"):
            Head.from_bytes(found, PLACES.head)


@pytest.fixture
def files() -> MemFiles:
    files = MemDisk().files()
    for parent in files.make_folder(PLACES.folder):
        files.sync_folder(parent)
    return files


def test_there_is_no_head_before_the_first_and_then_the_last_one(files: MemFiles) -> None:
    assert read_head(files, PLACES) is None
    for head in (NEW, BEGUN, COMMITTED):
        write_head(files, PLACES, head)
        assert read_head(files, PLACES) == head
    assert [Path(name).name for name, _ in content(files.disk)] == ["HEAD"]


def test_at_any_power_cut_there_is_the_old_head_or_the_new_one() -> None:
    found = []
    for step in range(1, 20):
        for seed in range(20):
            disk = MemDisk(seed)
            files = disk.files()
            for parent in files.make_folder(PLACES.folder):
                files.sync_folder(parent)
            write_head(files, PLACES, BEGUN)
            files.cut_at = files.steps + step
            try:
                write_head(files, PLACES, COMMITTED)
            except PowerCut:
                found.append(read_head(disk.files(), PLACES))
            else:
                disk.cut_power()
                assert read_head(disk.files(), PLACES) == COMMITTED  # what was written is on the disk
    assert {head.generation if head else None for head in found} == {BEGUN.generation, COMMITTED.generation}


@pytest.mark.parametrize("what", ["write", "sync", "rename"])
def test_a_head_that_cannot_be_written_leaves_the_old_one_and_no_remains(what: str, files: MemFiles) -> None:
    write_head(files, PLACES, BEGUN)

    def fail(step: str, path: Path) -> None:
        if step == what:
            raise OSError(5, "Input/output error", str(path))

    files.hook = fail
    with pytest.raises(OSError, match="Input/output"):
        write_head(files, PLACES, COMMITTED)
    files.hook = None
    assert read_head(files, PLACES) == BEGUN
    assert [Path(name).name for name, _ in content(files.disk)] == ["HEAD"]


def test_a_head_of_which_the_disk_took_a_part_is_not_put_in_place(files: MemFiles) -> None:
    write_head(files, PLACES, BEGUN)
    files.room = 30
    with pytest.raises(StoreError, match="only a part"):
        write_head(files, PLACES, COMMITTED)
    assert read_head(files, PLACES) == BEGUN


# ---- the names ---------------------------------------------------------------------------------------------------


def test_the_names_of_a_store_lie_beside_and_below_its_public_file() -> None:
    found = [getattr(PLACES, name).as_posix() for name in ("base", "folder", "lock", "head", "quarantine")]
    assert found == [
        "/state/table.parquet",
        "/state/table.d",
        "/state/.table.lock",
        "/state/table.d/HEAD",
        "/state/table.d/quarantine",
    ]


def test_a_temporary_name_is_new_each_time_and_known_as_ours() -> None:
    names = {PLACES.temporary.name for _ in range(20)}
    assert len(names) == 20
    assert all(map(PLACES.is_temporary, names))
    assert {PLACES.temporary.parent} == {BASE.parent}
    others = ["table.parquet", ".table.lock", ".table2.ab.tmp", "table.ab.tmp", ".other.ab.tmp"]
    assert not any(map(PLACES.is_temporary, others))


@pytest.mark.parametrize("kind", [str, Path])
def test_a_symbolic_link_leads_to_the_names_of_the_file_behind_it(
    kind: Callable[[Path], object], tmp_path: Path
) -> None:
    (tmp_path / "deep").mkdir()
    link = tmp_path / "link.parquet"
    link.symlink_to(tmp_path / "deep" / "real.parquet")
    paths = StorePaths.of(kind(link))  # type: ignore[arg-type]  # a text or a path
    assert paths.base == (tmp_path / "deep" / "real.parquet").resolve()
    assert paths.folder.name == "real.d"


# ---- whether somebody wrote --------------------------------------------------------------------------------------


@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_stamp_changes_with_each_row_and_stays_while_nobody_writes(tmp_path: Path, durability: str) -> None:
    paths = StorePaths.of(tmp_path / "t.parquet")
    with still(ParquetTable(paths.base, SPEC, policy=BY_HAND, durability=durability)) as table:
        seen = [stamp(paths)]
        for number in range(30):
            add(table, f"a{number}")
            seen.append(stamp(paths))
            assert seen[-1] != seen[-2]  # however short the time between two rows
        _rest(paths)
        assert stamp(paths) == stamp(paths)
        for change in (table.sync, lambda: table.flush(publish=True)):
            add(table, f"b{change}")
            _rest(paths)
            before = stamp(paths)
            change()
            assert stamp(paths) != before


def test_a_stamp_passes_over_own_journals(tmp_path: Path) -> None:
    paths = StorePaths.of(tmp_path / "t.parquet")
    with still(ParquetTable(paths.base, SPEC, policy=BY_HAND)) as table:
        own = {add(table, "a1").journal}
        before = stamp(paths, own=own)
        add(table, "a2")
        assert stamp(paths, own=own) == before != stamp(paths)


def test_a_stamp_of_a_missing_file_equals_no_other(tmp_path: Path) -> None:
    paths = StorePaths.of(tmp_path / "t.parquet")
    assert stamp(paths) != stamp(paths)


def _rest(paths: StorePaths) -> None:
    """Make every file as old as it will be a minute later."""
    for path in (paths.base, *paths.folder.iterdir()):
        os.utime(path, ns=(path.stat().st_atime_ns, path.stat().st_mtime_ns - 60 * 10**9))
