"""What ``repair=True`` would do is told by doing it to links, and nothing of the store changes meanwhile."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.storage.rows import BY_HAND, SPEC, add
from toriwork.errors import LockUnavailable, StoreMismatch, ToriworkError
from toriwork.storage import ParquetTable, backup, rehearse_repair, restore
from toriwork.storage.recovery import RecoveryReport


def damaged(folder: Path) -> Path:
    """A table whose HEAD, public file and one journal are damaged."""
    path = folder / "table.parquet"
    table = ParquetTable(path, SPEC, policy=BY_HAND)
    add(table, "a")
    table.flush(publish=True)
    add(table, "b")
    add(table, "c")
    table.flush(publish=False)
    table.close()
    [journal] = path.with_suffix(".d").glob("*.journal")
    harmed = bytearray(journal.read_bytes())
    harmed[200] ^= 255
    for file, content in ((journal, harmed), (path, b"PAR1 damaged PAR1"), (path.with_suffix(".d") / "HEAD", b"no")):
        file.write_bytes(content)
    return path


def everything(folder: Path) -> dict[str, bytes]:
    return {str(file): file.read_bytes() for file in sorted(folder.rglob("*")) if file.is_file()}


def told(report: RecoveryReport, folder: Path) -> set[str]:
    """The notes without the folder."""
    return {note.replace(str(folder), "") for note in report.notes}


def lost(*names: str) -> Callable[[Path], None]:
    """What removes files of a table."""

    def remove(path: Path) -> None:
        for name in names:
            path.with_suffix(".d").joinpath(name).unlink()

    return remove


STATES: dict[str, tuple[Callable[[Path], object], list[str]]] = {
    "all damaged": (
        lambda _: None,
        [
            "HEAD goes to .*: damaged; it is written anew",
            "table.parquet goes to .*: damaged: it",
            "good frames, .* are in a new segment",
        ],
    ),
    "public file lost": (Path.unlink, ["table.parquet is missing, .*: an empty one takes its place; rows in"]),
    "HEAD lost": (lost("HEAD"), ["HEAD is missing; it is written anew"]),
    "older file": (
        lambda path: path.write_bytes(path.with_name("older").read_bytes()),
        ["table.parquet is generation 1 .* older copy; .*: it is accepted as it is"],
    ),
    "foreign segment": (
        lambda path: path.with_suffix(".d").joinpath("ab" * 16 + ".parquet").write_bytes(b"PAR1 no PAR1"),
        ["ab.parquet goes to .*: damaged: its footer"],
    ),
}


def broken(folder: Path, state: str) -> Path:
    """A table in one of these states."""
    if state == "all damaged":
        return damaged(folder)
    path = folder / "table.parquet"
    with ParquetTable(path, SPEC, policy=BY_HAND) as table:
        path.with_name("older").write_bytes(path.read_bytes())
        for name in "abc":
            add(table, name)
            table.flush(publish=True)
        add(table, "d")
    STATES[state][0](path)
    return path


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("state", STATES)
def test_a_rehearsal_tells_what_repair_then_does_and_changes_nothing(tmp_path: Path, state: str) -> None:
    path = broken(tmp_path, state)
    before = everything(tmp_path)
    plan = rehearse_repair(path, SPEC)
    after = everything(tmp_path)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {str(tmp_path / ".table.lock")}
    assert len(plan.notes) == len(STATES[state][1])
    for note, wanted in zip(plan.notes, STATES[state][1], strict=True):
        assert re.search(wanted, note)
        assert not re.search(r"trial|Nothing was changed|repair=True|was moved", note), "true before and after"
    with ParquetTable(path, SPEC, repair=True) as table:
        done = table.recovery_report
    assert told(plan, tmp_path) == told(done, tmp_path)
    assert sorted(plan.quarantined) == sorted(done.quarantined)
    assert rehearse_repair(path, SPEC).notes == []
    with ParquetTable(path, SPEC) as table:
        assert table.verify().ok


CUT = """
import os, signal, sys
from tests.storage.rows import SPEC
from toriwork.storage import find_backup, restore
from toriwork.storage.files import OsFiles

class Killed(OsFiles):
    def replace(self, source, target):
        if str(target) == sys.argv[2]:
            os.kill(os.getpid(), signal.SIGKILL)
        super().replace(source, target)

restore(find_backup(sys.argv[1], "table"), sys.argv[2], replace=True, files=Killed())
"""


def test_a_restore_that_was_cut_short_is_resumed_behind_a_writer_that_was_open_before(tmp_path: Path) -> None:
    path = tmp_path / "root" / "table.parquet"
    with ParquetTable(path, SPEC, policy=BY_HAND) as table:
        add(table, "a")
        table.flush(publish=True)
        kept = backup(table, tmp_path / "kept")
        add(table, "b")
        table.flush(publish=True)
    writer = ParquetTable(path, SPEC, policy=BY_HAND)  # has recorded nothing yet
    command = [sys.executable, "-c", CUT, str(tmp_path / "kept"), str(path)]
    assert subprocess.run(command, cwd=Path(__file__).parents[2], check=False).returncode == -signal.SIGKILL
    add(writer, "c")
    with pytest.raises(StoreMismatch, match="Restore once more"):
        rehearse_repair(path, SPEC)
    with pytest.raises(ToriworkError, match="Restore once more"):
        writer.flush(publish=True)
    before = everything(path.parent)
    with pytest.raises(LockUnavailable, match="in use"):
        restore(kept, path, replace=True)
    assert {name: content for name, content in everything(path.parent).items() if ".lock" not in name} == {
        name: content for name, content in before.items() if ".lock" not in name
    }
    writer.close()
    made = restore(kept, path, replace=True)
    assert made.kept is not None
    held = {}
    for place in (path, made.kept):
        with ParquetTable(place, SPEC) as table, table.snapshot() as snapshot:
            held[place] = snapshot.n_rows()
            assert table.verify().ok
    assert held == {path: 1, made.kept: 3}, "no row is gone"


def test_there_is_nothing_to_repair_in_a_sound_table_that_is_in_use(tmp_path: Path) -> None:
    with ParquetTable(tmp_path / "table.parquet", SPEC, policy=BY_HAND) as table:
        add(table, "a")
        assert rehearse_repair(table.path, SPEC).notes == []
        add(table, "b")
        table.flush(publish=True)
        assert table.verify().ok
    assert [found.name for found in tmp_path.iterdir() if found.name.endswith(".trial")] == []


KILLED = """
import os, signal, sys
from tests.storage.rows import SPEC
from toriwork.storage import rehearse_repair
sys.modules["toriwork.storage.restore"].repair = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
rehearse_repair(sys.argv[1], SPEC)
"""


@pytest.mark.parametrize("remedy", ["open", "restore"])
def test_what_a_killed_rehearsal_left_goes_with_the_next_opening_or_restore(tmp_path: Path, remedy: str) -> None:
    path = tmp_path / "root" / "table.parquet"
    with ParquetTable(path, SPEC, policy=BY_HAND) as table:
        add(table, "a")
        kept = backup(table, tmp_path / "kept")
    with subprocess.Popen([sys.executable, "-c", KILLED, str(path)], cwd=Path(__file__).parents[2]) as process:
        assert process.wait() == -signal.SIGKILL
    [left] = path.parent.glob(".table.*.trial")
    older = left.with_name(".table.00000000.trial")  # of a release that locked none
    (older / "table.d").mkdir(parents=True)
    others = [path.with_name(name) for name in (".other.00000000.trial", ".table.mine.trial", "x.trial")]
    for one in others:
        one.mkdir()

    def look() -> None:
        if remedy == "open":
            ParquetTable(path, SPEC, policy=BY_HAND).close()
        else:
            restore(kept, path, replace=True)

    look()
    assert left.exists(), "it may be at work: it is not a minute old"
    for one in (left / "owner", older, *others):
        os.utime(one, (1, 1))
    look()
    assert not left.exists()
    assert not older.exists()
    assert all(one.exists() for one in others)
    with ParquetTable(path, SPEC, read_only=True) as table:
        assert table.verify().ok


def test_a_rehearsal_that_is_at_work_keeps_its_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "table.parquet"
    with ParquetTable(path, SPEC, policy=BY_HAND) as table:
        add(table, "a")

    def meanwhile(*_: object) -> RecoveryReport:
        [folder] = path.parent.glob(".table.*.trial")
        os.utime(folder / "owner", (1, 1))
        ParquetTable(path, SPEC, policy=BY_HAND).close()
        assert folder.exists()
        return RecoveryReport()

    monkeypatch.setattr(sys.modules["toriwork.storage.restore"], "repair", meanwhile)
    rehearse_repair(path, SPEC)
    assert not list(path.parent.glob(".table.*.trial"))


@pytest.mark.parametrize("state", ["published", "journal", "HEAD lost", "public file lost"])
def test_an_empty_backup_takes_no_rows_away_unless_that_is_said(tmp_path: Path, state: str) -> None:
    path = tmp_path / "root" / "table.parquet"
    with ParquetTable(path, SPEC, policy=BY_HAND) as table:
        empty = backup(table, tmp_path / "kept")
        restore(empty, tmp_path / "drill" / "table.parquet")
        add(table, "a")
        if state == "published":
            table.flush(publish=True)
    if state == "HEAD lost":
        path.with_suffix(".d").joinpath("HEAD").unlink()
    if state == "public file lost":
        path.unlink()
    before = everything(path.parent)
    with pytest.raises(StoreMismatch, match=r"holds no rows.* by its name.*empty=True"):
        restore(empty, path, replace=True)
    assert everything(path.parent) == before
    made = restore(empty, path, replace=True, empty=True)
    assert made.n_rows == 0
    restore(empty, path, replace=True)  # nothing is there to lose
