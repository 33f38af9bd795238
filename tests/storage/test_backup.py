"""Backups hold every row that was acknowledged before they began, or do not exist."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from tests.storage.memdisk import MemDisk, PowerCut
from tests.storage.rows import BASE, BY_HAND, SPEC, add, names_in, still
from tests.storage.test_kills import Crew
from toriwork.errors import BadInput, DamagedFile, NotFound, StoreError, StoreMismatch
from toriwork.registry.codec import SPEC as SHAPES
from toriwork.storage import ParquetTable, backup, find_backup, restore
from toriwork.storage.backup import Backup
from toriwork.storage.files import OsFiles

FOLDER = Path("/backups/nightly")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a table lies; backups go to the folder ``kept`` beside."""
    return tmp_path / "root" / "table.parquet"


def rows_of(path: Path) -> list[str]:
    with ParquetTable(path, SPEC, read_only=True) as table, table.snapshot() as snapshot:
        return sorted(names_in(snapshot))


def opened(path: Path) -> ParquetTable:
    return ParquetTable(path, SPEC, policy=BY_HAND)


def test_published_and_unpublished_rows_are_in_one_plain_file(path: Path, tmp_path: Path) -> None:
    with opened(path) as table:
        add(table, "a", "b")
        table.flush(publish=True)
        add(table, "c")
        made = backup(table, tmp_path / "kept")
        assert (made.n_rows, made.n_unpublished) == (3, 1)
        assert list(pd.read_parquet(made.path).row_id) == ["a", "b", "c"]
        assert list(pd.read_parquet(path).row_id) == ["a", "b"], "a backup publishes nothing"
    names = sorted(found.name for found in (tmp_path / "kept").iterdir())
    assert names == [f"{made.name}.json", f"{made.name}.parquet"]


def test_nothing_new_is_no_new_file_and_a_new_row_is_one(path: Path, tmp_path: Path) -> None:
    with opened(path) as table:
        add(table, "a")
        first = backup(table, tmp_path / "kept")
        assert backup(table, tmp_path / "kept") == first
        add(table, "b")
        second = backup(table, tmp_path / "kept")
        assert second.name > first.name
        table.flush(publish=True)
        third = backup(table, tmp_path / "kept")
        assert backup(table, tmp_path / "kept") == third
        third.path.write_bytes(b"damaged")
        assert backup(table, tmp_path / "kept").name > third.name, "a damaged backup is none"


def test_a_public_file_without_news_is_copied_to_the_byte(path: Path, tmp_path: Path) -> None:
    with opened(path) as table:
        add(table, "a")
        table.flush(publish=True)
        assert backup(table, tmp_path / "kept").path.read_bytes() == path.read_bytes()


@pytest.mark.parametrize("place", ["root", "root/table.d", "root/table.d/more"])
def test_the_folder_of_the_table_is_refused(path: Path, tmp_path: Path, place: str) -> None:
    with opened(path) as table, pytest.raises(BadInput, match="folder of its own"):
        backup(table, tmp_path / place)


def test_other_places_that_are_no_folder_for_backups_are_refused(path: Path, tmp_path: Path) -> None:
    with opened(path) as table, opened(tmp_path / "other.parquet") as other:
        for place in ("", other.path.with_suffix(".d"), other.path.with_suffix(".d") / "more"):
            with pytest.raises(BadInput, match="expected a folder"):
                backup(table, place)
        add(table, "a")
        made = backup(table, tmp_path / "kept")
    with pytest.raises(BadInput, match="is a backup"):
        opened(made.path)
    assert rows_of(made.path) == ["a"], "it may be read"
    made.check(OsFiles())
    assert not made.path.with_suffix(".d").exists()


def test_names_that_no_backup_can_have_are_passed_over(path: Path, tmp_path: Path) -> None:
    with opened(path) as table:
        add(table, "a")
        made = backup(table, tmp_path / "kept")
        for stamp in ("20261399T000000000000Z", "99991231T235959999999Z"):
            (tmp_path / "kept" / f"table-{stamp}.json").write_text("{}")
        assert backup(table, tmp_path / "kept") == made == find_backup(tmp_path / "kept", "table")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("n_rows", 10),
        ("n_bytes", 1),
        ("generation", 99),
        ("table", "other"),
        ("created", "once"),
        ("sha256", ""),
        ("beside", {".parquet": "x"}),
        ("beside", {"/../evil": "x"}),
        ("beside", {".checkpoints": "\ud800"}),
    ],
)
def test_a_manifest_that_was_edited_is_refused_before_anything_is_there(
    path: Path, tmp_path: Path, name: str, value: object
) -> None:
    with opened(path) as table:
        add(table, "a")
        made = backup(table, tmp_path / "kept")
    manifest = made.path.with_suffix(".json")
    manifest.write_text(json.dumps({**json.loads(manifest.read_text()), name: value}))
    with pytest.raises(DamagedFile, match="Choose another backup"):
        restore(find_backup(tmp_path / "kept", "table"), path, replace=True)
    assert rows_of(path) == ["a"]
    assert sorted(found.name for found in path.parent.iterdir()) == [".table.lock", "table.d", "table.parquet"]


def test_a_damaged_backup_is_named_itself(path: Path, tmp_path: Path) -> None:
    with opened(path) as table:
        add(table, "a")
        made = backup(table, tmp_path / "kept")
    made.path.write_bytes(made.path.read_bytes()[:-1] + b"X")
    with pytest.raises(DamagedFile, match=re.escape(f"{made.path}: damaged")) as refused:
        restore(made, path, replace=True)
    assert ".tmp" not in str(refused.value)
    made.path.unlink()
    with pytest.raises(NotFound, match="is missing, its manifest is there"):
        restore(made, path, replace=True)
    assert rows_of(path) == ["a"]


def test_small_files_beside_are_those_of_the_backup_or_none(path: Path, tmp_path: Path) -> None:
    notes = path.with_suffix(".notes")
    with opened(path) as table:
        add(table, "a")
        bare = backup(table, tmp_path / "kept", beside=(".notes",))
        notes.write_text("of a, b")
        add(table, "b")
        full = backup(table, tmp_path / "kept", beside=(".notes",))
    notes.write_text("newer")
    assert restore(full, path, replace=True).kept
    assert notes.read_text() == "of a, b"
    kept = restore(bare, path, replace=True).kept
    assert not notes.exists()
    assert kept is not None
    assert kept.with_suffix(".notes").read_text() == "of a, b"
    notes.write_text("newer")
    # an earlier version left empty texts out
    restore(dataclasses.replace(bare, beside={}), path, replace=True, beside=(".notes",))
    assert not notes.exists()


def test_damaged_rows_make_no_backup(path: Path, tmp_path: Path) -> None:
    with opened(path) as table:
        add(table, *(random.Random(n).randbytes(700).hex() for n in range(4000)))  # more than is checked at each open
        table.flush(publish=True)
        assert path.stat().st_size > 2**21
        with path.open("r+b") as file:
            file.seek(100_000)
            file.write(b"damaged")
        with pytest.raises(DamagedFile, match="No backup was made"):
            backup(table, tmp_path / "kept")
    assert list((tmp_path / "kept").iterdir()) == []


def test_what_was_cut_short_is_cleared_away_after_a_minute(path: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    kept.mkdir()
    remains = [kept / ".table-20260101T000000000000Z.ab.tmp"]
    # one whose manifest was lost or never copied may be the only copy
    strangers = [kept / name for name in ("table.parquet", "table-20260101T000000000000Z.parquet", "own.tmp")]
    for file in remains + strangers:
        file.write_bytes(b"x")
        os.utime(file, (time.time() - 100,) * 2)
    with opened(path) as table:
        with pytest.raises(NotFound):
            find_backup(kept, "table")
        backup(table, kept)
    assert not any(file.exists() for file in remains)
    assert all(file.exists() for file in strangers)


def test_a_backup_restores_to_an_equal_table_that_takes_rows(path: Path, tmp_path: Path) -> None:
    with opened(path) as table:
        add(table, "a", "b")
        table.flush(publish=True)
        add(table, "c")
        backup(table, tmp_path / "kept")
        done = restore(find_backup(tmp_path / "kept", "table"), tmp_path / "drill" / "table.parquet")
    assert rows_of(done.path) == ["a", "b", "c"]
    assert done.kept is None
    with opened(done.path) as again:
        add(again, "d")
        again.flush(publish=True)
        assert again.verify().ok
    assert rows_of(done.path) == ["a", "b", "c", "d"]


def test_a_table_that_is_there_is_replaced_only_when_told_and_kept(path: Path, tmp_path: Path) -> None:
    with opened(path) as table:
        add(table, "a")
        made = backup(table, tmp_path / "kept")
        table.flush(publish=True)
        add(table, "b")
        with pytest.raises(StoreMismatch, match="expected no table there"):
            restore(made, path)
        with pytest.raises(StoreError, match="is in use"):
            restore(made, path, replace=True)
        table.sync()
    done = restore(made, path, replace=True)
    assert rows_of(path) == ["a"]
    assert done.kept is not None
    assert rows_of(done.kept) == ["a", "b"]
    with opened(path) as table, opened(done.kept) as old:
        assert table.verify().ok
        assert old.verify().ok
        assert table.recovery_report.clean


@pytest.mark.parametrize("harm", ["no base", "no folder", "damaged HEAD", "damaged base"])
def test_restoring_is_the_remedy_for_a_table_that_opens_no_more(path: Path, tmp_path: Path, harm: str) -> None:
    with opened(path) as table:
        add(table, "a", "b")
        table.flush(publish=True)
        made = backup(table, tmp_path / "kept")
    if harm == "no base":
        path.unlink()
    elif harm == "no folder":
        shutil.rmtree(path.with_suffix(".d"))
    else:
        (path if harm == "damaged base" else path.with_suffix(".d") / "HEAD").write_bytes(b"no")
    restore(made, path, replace=True)
    with opened(path) as table:
        assert table.verify().ok
    assert rows_of(path) == ["a", "b"]


def test_a_backup_of_another_store_replaces_nothing(path: Path, tmp_path: Path) -> None:
    with opened(path) as table, opened(tmp_path / "other" / "table.parquet") as other:
        add(table, "a")
        add(other, "b")
        made = backup(other, tmp_path / "kept")
    with pytest.raises(StoreMismatch, match="another store"):
        restore(made, path, replace=True)
    assert rows_of(path) == ["a"]


def test_backups_are_found_by_name_and_the_newest_first(path: Path, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    with opened(path) as table:
        made = []
        for name in "abc":
            add(table, name)
            made.append(backup(table, kept))
    assert find_backup(kept, "table") == made[2]
    for name in (made[0].name, made[0].path.name, str(made[0].path), made[0].name.removeprefix("table-")):
        assert find_backup(kept, "table", name) == made[0]
    with pytest.raises(NotFound, match="no finished backup of that name"):
        find_backup(kept, "table", "1999")
    with pytest.raises(BadInput, match="one backup, got 3"):
        find_backup(kept, "table", "20")
    (kept / f"{made[2].name}.json").write_text("{}")
    with pytest.raises(DamagedFile, match="by its name"):
        find_backup(kept, "table")
    made[1].path.write_bytes(made[1].path.read_bytes()[:-1] + b"X")
    with pytest.raises(DamagedFile):
        restore(made[1], tmp_path / "drill" / "table.parquet")
    assert not (tmp_path / "drill" / "table.parquet").exists()


def disk_with_rows(seed: int) -> tuple[MemDisk, ParquetTable]:
    disk = MemDisk(seed)
    table = still(ParquetTable(BASE, SPEC, files=disk.files(), policy=BY_HAND))
    add(table, "a", "b")
    table.flush(publish=True)
    add(table, "c")
    table.flush(publish=False)
    return disk, table


def test_a_power_cut_at_any_step_leaves_a_whole_backup_or_none() -> None:
    whole = 0
    for step in range(1, 400):
        disk, table = disk_with_rows(step)
        table.files.cut_at = table.files.steps + step
        try:
            backup(table, FOLDER)
        except PowerCut:
            pass
        else:
            disk.cut_power()
            assert step > 20
        files = disk.files()
        try:
            found = find_backup(FOLDER, "table", files=files)
        except NotFound:
            assert table.files.steps < table.files.cut_at + 1, "a finished backup is gone"
            continue
        whole += 1
        found.check(files)
        target = Path("/drill/table.parquet")
        restore(found, target, files=files)
        with still(ParquetTable(target, SPEC, files=files, policy=BY_HAND)) as again, again.snapshot() as snapshot:
            assert sorted(names_in(snapshot)) == ["a", "b", "c"]
        if whole > 10:
            return
    raise AssertionError("no backup was ever finished")


def names_at(disk: MemDisk, path: Path = BASE) -> list[str] | None:
    """The rows of a table after the power came back; None where it is refused."""
    try:
        table = ParquetTable(path, SPEC, files=disk.files(), policy=BY_HAND, read_only=True)
        with table, table.snapshot() as snapshot:
            return sorted(names_in(snapshot))
    except (StoreMismatch, NotFound):
        return None


def test_a_power_cut_at_any_step_of_a_restore_leaves_the_old_or_the_new_table_or_a_refusal() -> None:
    seen = set()
    for step in range(1, 400):
        disk, table = disk_with_rows(step)
        made: Backup = backup(table, FOLDER)
        add(table, "d")
        table.flush(publish=True)
        add(table, "e")
        table.close()
        files = disk.files()
        files.cut_at = files.steps + step
        finished = False
        try:
            restore(made, BASE, replace=True, files=files)
            finished = True
        except PowerCut:
            pass
        if finished:
            disk.cut_power()
        now = names_at(disk)
        seen.add(None if now is None else len(now))
        if now is None or finished:
            restore(made, BASE, replace=True, files=disk.files())
            now = names_at(disk)
            assert now == ["a", "b", "c"]
        assert now in (["a", "b", "c"], ["a", "b", "c", "d", "e"])
        kept = [Path(place).with_suffix(".parquet") for place in disk.folders if ".replaced-" in place]
        old = [rows for place in kept if (rows := names_at(disk, place))]
        assert ["a", "b", "c", "d", "e"] in [now, *old]
        if finished:
            assert seen == {None, 3, 5}
            return
    raise AssertionError("no restore was ever finished")


#: forks one process for each line that it reads, and kills it after so many seconds; single-threaded, everything loaded
BACKUPS = """
import os, signal, sys, time
from toriwork.registry.codec import SPEC
from toriwork.storage import ParquetTable, backup
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        with ParquetTable(sys.argv[1], SPEC, read_only=True) as table:
            backup(table, sys.argv[2])
        os._exit(0)
    if line.strip():
        time.sleep(float(line))
        os.kill(pid, signal.SIGKILL)  # one that ended waits to be asked for: its id is nobody else's
    print(os.waitpid(pid, 0)[1], flush=True)
"""


class Drill(Crew):
    """Four writers and a publisher, and backups that are killed."""

    finished = 0

    def back_up(self, server: subprocess.Popen[str], folder: Path, patience: float | None) -> None:
        """One backup, killed after so many seconds; whatever is finished then holds what was acknowledged before."""
        assert server.stdin is not None
        assert server.stdout is not None
        acknowledged = set(self.acknowledged())
        started = pd.Timestamp.now("UTC")
        print("" if patience is None else patience, file=server.stdin, flush=True)
        status = int(server.stdout.readline())
        assert status in (0, signal.SIGKILL)
        try:
            found = find_backup(folder, self.path.stem)
        except NotFound:
            assert status != 0
            return
        if pd.Timestamp(found.created) < started:
            assert status != 0
            return
        rows = pd.read_parquet(found.path)
        assert len(rows) == found.n_rows
        assert rows.row_id.is_unique
        assert acknowledged - set(rows.shape_id) == set()
        done = restore(found, folder.parent / "drill" / found.name / self.path.name)
        with ParquetTable(done.path, SHAPES) as table:
            assert table.verify().ok
        assert pd.read_parquet(done.path).equals(rows)
        shutil.rmtree(done.path.parent)
        self.finished += 1


def drill(tmp_path: Path, n_backups: int, seed: int = 0) -> int:
    """How many of the backups, two of three killed at a random moment, were finished."""
    tmp_path.mkdir(exist_ok=True)
    crew = Drill(tmp_path)
    for role in ("slowly", "slowly", "slowly", "slowly", "publish slowly"):
        crew.start(role)
    crew.wait_ready()
    rng = random.Random(seed)
    command = [sys.executable, "-c", BACKUPS, str(crew.path), str(tmp_path / "kept")]
    server = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        for n in range(n_backups):
            crew.back_up(server, tmp_path / "kept", None if n % 3 == 0 else rng.uniform(0.0, 0.1))
    finally:
        crew.kill_all()
        server.communicate()
    crew.check()
    return crew.finished


def test_backups_killed_under_four_writers_and_a_publisher_are_whole_or_absent(tmp_path: Path) -> None:
    assert drill(tmp_path, 6) >= 2


@pytest.mark.long
def test_two_hundred_killed_backups(tmp_path: Path) -> None:
    """In ten tables one after the other: one that grew all the time would take most of an hour."""
    n_finished = 0
    for number in range(10):
        n_finished += drill(tmp_path / "drill", 30, seed=number)
        shutil.rmtree(tmp_path / "drill")
    assert n_finished >= 100
