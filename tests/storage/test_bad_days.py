"""Interrupts, full disks, and public files that were deleted, replaced or restored."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.storage.rows import SPEC, add, names_of, opened, published_names, twice
from toriwork.errors import StoreMismatch

HERE = Path(__file__).parent


def run(script: str, *arguments: object) -> str:
    done = subprocess.run(
        [sys.executable, str(HERE / script), *map(str, arguments)], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if line and line[0] not in " ^"]
    # Python drops an interrupt that comes while it collects an object, and says so
    assert set(lines) <= {line for line in lines if line.startswith(("Exception ignored", "Traceback", "KeyboardInt"))}
    return done.stdout


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return tmp_path / "a state root" / "table.parquet"


def test_interrupts_at_any_point_use_no_address_twice_and_lose_no_row(base: Path, tmp_path: Path) -> None:
    interrupts = int(run("interrupted.py", base, tmp_path / "acks", 250))
    assert interrupts == 250
    told = [line.split() for line in (tmp_path / "acks").read_text().splitlines()]
    assert twice([f"{journal} {frame}" for _, journal, frame in told]) == []
    with opened(base) as table:
        names = names_of(table)
    assert twice(names) == []
    assert {name for name, _, _ in told} - set(names) == set()


def test_a_full_disk_refuses_a_row_and_keeps_every_other(base: Path) -> None:
    said = run("full_disk.py", base)
    assert "publish refused" in said
    assert "all there" in said


def test_a_deleted_public_file_is_refused_and_repair_goes_on_with_what_is_left(base: Path) -> None:
    with opened(base) as table:
        add(table, "a1", "a2")
        table.flush(publish=True)
        add(table, "b1")
    base.unlink()
    for options in ({}, {"read_only": True}):
        with pytest.raises(StoreMismatch, match=r"missing, generation 2 with 2 rows.*repair=True"):
            opened(base, **options)
    assert not base.exists()
    with opened(base, repair=True) as table:
        assert names_of(table) == ["b1"]
        assert any("missing" in note for note in table.recovery_report.notes)
        table.flush(publish=True)
    assert published_names(base) == ["b1"]
    with opened(base) as table:
        assert table.recovery_report.clean


def test_a_file_that_pandas_wrote_over_it_is_refused_and_repair_accepts_it_without_doubling_a_row(base: Path) -> None:
    alive = opened(base)
    add(alive, "a1", "a2")
    add(alive, "a3")
    with opened(base) as other:
        other.flush(publish=True)  # rows of a journal that lives on: it must stay beside the public file
    add(alive, "b1")
    alive.sync()
    frame = pd.read_parquet(base)
    frame.loc[len(frame)] = {**frame.iloc[0].to_dict(), "row_id": "from pandas"}
    frame.to_parquet(base)
    written = base.read_bytes()
    with pytest.raises(StoreMismatch, match=r"this store did not write.*repair=True"):
        opened(base)
    with pytest.raises(StoreMismatch):
        alive.flush(publish=True)
    assert base.read_bytes() == written
    with opened(base, repair=True) as table:
        assert any("did not write" in note for note in table.recovery_report.notes)
        assert sorted(names_of(table)) == ["a1", "a2", "a3", "b1", "from pandas"]
    with opened(base) as table:
        assert sorted(names_of(table)) == ["a1", "a2", "a3", "b1", "from pandas"]
        add(alive, "c1")
        table.flush(publish=True)
        assert sorted(published_names(base)) == ["a1", "a2", "a3", "b1", "c1", "from pandas"]
    alive.close()
    with opened(base) as table:
        table.flush(publish=True)
        assert sorted(published_names(base)) == ["a1", "a2", "a3", "b1", "c1", "from pandas"]
    assert [found.read_bytes() for found in base.with_suffix(".d").glob("*.original")] == [written]


def test_rows_of_a_sealed_segment_do_not_come_twice_beside_an_accepted_file(base: Path) -> None:
    from toriwork.storage.files import OsFiles
    from toriwork.storage.paths import StorePaths
    from toriwork.storage.seal import seal

    alive = opened(base)
    add(alive, "a1")
    add(alive, "a2")
    alive.sync()
    with alive.snapshot() as snapshot:
        assert snapshot.head is not None
        alive._writer.freeze()  # type: ignore[union-attr]
        seal(OsFiles(), StorePaths.of(base), SPEC, snapshot.head.store_id, snapshot.journals, {})
    with alive.snapshot() as snapshot:
        frame = pd.concat([found.to_pandas() for found in snapshot.pending_batches()])
    frame.iloc[:1].to_parquet(base)
    with opened(base, repair=True) as table:
        assert sorted(names_of(table)) == ["a1", "a2"]
        table.flush(publish=True)
        assert sorted(names_of(table)) == ["a1", "a2"]
    alive.close()


def test_a_restored_older_copy_is_refused_and_repair_mixes_nothing(base: Path, tmp_path: Path) -> None:
    with opened(base) as table:
        add(table, "a1")
        table.flush(publish=True)
    shutil.copy(base, tmp_path / "backup")
    alive = opened(base)
    for name in ("b1", "b2"):
        add(alive, name)
        with opened(base) as other:
            other.flush(publish=True)
    shutil.copy(tmp_path / "backup", base)
    with pytest.raises(StoreMismatch, match=r"generation 2 with 1 rows, an older copy.*generation 4.*repair=True"):
        opened(base)
    assert published_names(base) == ["a1"]
    with opened(base, repair=True) as table:
        assert any("older copy" in note for note in table.recovery_report.notes)
        assert sorted(names_of(table)) == ["a1", "b1", "b2"]  # the journal of the living writer still had them
        table.flush(publish=True)
    alive.close()
    with opened(base) as table:
        table.flush(publish=True)
    assert sorted(published_names(base)) == ["a1", "b1", "b2"]


def test_a_public_file_of_another_store_is_refused(base: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "other.parquet"
    with opened(foreign) as table:
        add(table, "z1")
        table.flush(publish=True)
    with opened(base) as table:
        add(table, "a1")
        table.flush(publish=True)
        add(table, "b1")
    shutil.copy(foreign, base)
    with pytest.raises(StoreMismatch, match="did not write"):
        opened(base)
    with opened(base, repair=True) as table:
        assert sorted(names_of(table)) == ["b1", "z1"]
        table.flush(publish=True)
        assert sorted(names_of(table)) == ["b1", "z1"]


def test_what_is_no_parquet_file_at_all_is_refused_and_left_alone(base: Path) -> None:
    base.parent.mkdir()
    base.write_text("time,b0\n")
    from toriwork.errors import BadInput

    with pytest.raises(BadInput, match=r"expected a Parquet file, got a file that begins with b'time'"):
        opened(base)
    assert base.read_text() == "time,b0\n"
    assert list(base.parent.iterdir()) == [base]


def test_a_public_file_that_arrives_alone_is_read_and_grows(base: Path, tmp_path: Path) -> None:
    with opened(base) as table:
        add(table, "a1")
        table.flush(publish=True)
    copy = tmp_path / "elsewhere" / "table.parquet"
    copy.parent.mkdir()
    shutil.copy(base, copy)
    with opened(copy, read_only=True) as table:
        assert names_of(table) == ["a1"]
    assert [found.name for found in copy.parent.iterdir()] == ["table.parquet"]
    with opened(copy) as table:
        add(table, "b1")
        table.flush(publish=True)
    assert published_names(copy) == ["a1", "b1"]


def test_a_lost_head_beside_journals_is_refused_and_repair_writes_it_anew(base: Path) -> None:
    with opened(base) as table:
        add(table, "a1")
        table.flush(publish=True)
        add(table, "b1")
    head = base.with_suffix(".d") / "HEAD"
    head.unlink()
    with pytest.raises(StoreMismatch, match=r"HEAD: is missing.*repair=True"):
        opened(base)
    with opened(base, repair=True) as table:
        assert names_of(table) == ["a1", "b1"]
    head.write_bytes(b"{} 00000000\n")
    with pytest.raises(OSError, match=r"HEAD: damaged.*repair=True"):
        opened(base)
    with opened(base, repair=True) as table:
        assert names_of(table) == ["a1", "b1"]
        table.flush(publish=True)
        assert published_names(base) == ["a1", "b1"]


@pytest.mark.parametrize("damage", [lambda head: head.unlink(), lambda head: head.write_bytes(b"{} 00000000\n")])
def test_repair_says_what_is_lost_where_neither_head_nor_public_file_is_there(base: Path, damage: Any) -> None:
    with opened(base) as table:
        add(table, "a1")
        table.flush(publish=True)
        add(table, "b1")
    damage(base.with_suffix(".d") / "HEAD")
    with opened(base, repair=True) as table:
        assert not any("gone" in note for note in table.recovery_report.notes)
    damage(base.with_suffix(".d") / "HEAD")
    base.unlink()
    with opened(base, repair=True) as table:
        assert names_of(table) == ["b1"]
        assert any("rows that only it held are gone" in note for note in table.recovery_report.notes)


def test_a_file_of_older_software_is_adopted_and_its_original_kept(base: Path) -> None:
    base.parent.mkdir()
    with opened(base.with_name("new.parquet")) as table:
        add(table, "a1")
        with table.snapshot() as snapshot:
            [rows] = snapshot.pending_batches()
    pq.write_table(pa.Table.from_batches([rows]), base)
    original = base.read_bytes()
    with opened(base) as table:
        assert names_of(table) == ["a1"]
        assert base.read_bytes() == original  # until the first publish
        add(table, "b1")
        table.flush(publish=True)
    assert published_names(base) == ["a1", "b1"]
    assert [found.read_bytes() for found in base.with_suffix(".d").glob("*.original")] == [original]
