"""What ``repair=True`` would do is told by doing it to links, and nothing of the store changes meanwhile."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.storage.rows import BY_HAND, SPEC, add
from toriwork.storage import ParquetTable, rehearse_repair
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
    """The notes without what is drawn by lot."""
    return {note.replace(str(folder), "").partition(", are in ")[0] for note in report.notes}


@pytest.mark.filterwarnings("ignore")
def test_a_rehearsal_tells_what_repair_then_does_and_changes_nothing(tmp_path: Path) -> None:
    path = damaged(tmp_path)
    before = everything(tmp_path)
    plan = rehearse_repair(path, SPEC)
    after = everything(tmp_path)
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) <= {str(tmp_path / ".table.lock")}
    assert len(plan.notes) >= 3
    with ParquetTable(path, SPEC, repair=True) as table:
        done = table.recovery_report
    assert told(plan, tmp_path) == told(done, tmp_path)
    assert sorted(plan.quarantined) == sorted(done.quarantined)


def test_there_is_nothing_to_repair_in_a_sound_table_that_is_in_use(tmp_path: Path) -> None:
    with ParquetTable(tmp_path / "table.parquet", SPEC, policy=BY_HAND) as table:
        add(table, "a")
        assert rehearse_repair(table.path, SPEC).notes == []
        add(table, "b")
        table.flush(publish=True)
        assert table.verify().ok
    assert [found.name for found in tmp_path.iterdir() if found.name.endswith(".trial")] == []
