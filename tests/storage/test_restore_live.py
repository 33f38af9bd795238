"""A restore takes nothing from a writer that begins meanwhile, and one that was cut short says what to do."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.storage.rows import BY_HAND, SPEC, add, names_in
from toriwork.errors import StoreError, StoreMismatch
from toriwork.storage import ParquetTable, backup, find_backup, rehearse_repair, restore
from toriwork.storage.files import OsFiles


class CutShort(BaseException):
    """The process is gone."""


class Watched(OsFiles):
    """A disk that does something once, in front of the first call of a name."""

    def __init__(self, path: Path, call: str, then: Callable[[], object]) -> None:
        super().__init__(path)
        self.call, self.then, self.done = call, then, False

    def _look(self, call: str) -> None:
        if call == self.call and not self.done:
            self.done = True
            self.then()

    def make_folder(self, folder: Path) -> list[Path]:
        if "replaced" in str(folder):  # every lock is held by now
            self._look("make_folder")
        return super().make_folder(folder)

    def replace(self, source: Path, target: Path) -> None:
        if target == self._public:
            self._look("replace")
        super().replace(source, target)

    def open(self, path: Path):  # type: ignore[no-untyped-def]
        if path.name.endswith(".journal"):
            self._look("open")
        return super().open(path)


def opened(path: Path) -> ParquetTable:
    return ParquetTable(path, SPEC, policy=BY_HAND)


def seal_all(table: ParquetTable) -> None:
    """Turn the journals of a handle into segments, as its background thread does with full ones."""
    writer, maintenance = table._writer, table._maintenance
    assert writer is not None
    writer.freeze()
    for journal in list(writer.closed):
        with maintenance._sealing.alone():
            assert maintenance._seal_one(journal.path, writer.store_id)
        writer.release({journal.id})


def rows_of(path: Path) -> list[str]:
    with ParquetTable(path, SPEC, read_only=True) as table, table.snapshot() as snapshot:
        return sorted(names_in(snapshot))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A table with a backup of ``a`` in the folder ``kept``, and an unpublished row ``b``."""
    path = tmp_path / "root" / "table.parquet"
    with opened(path) as table:
        add(table, "a")
        backup(table, tmp_path / "kept")
        table.flush(publish=True)
        add(table, "b")
    return path


@pytest.mark.parametrize("step", ["make_folder", "replace"])
@pytest.mark.parametrize("ends", [False, True])
def test_rows_of_a_writer_that_begins_during_a_restore_stay(
    path: Path, tmp_path: Path, step: str, *, ends: bool
) -> None:
    found = find_backup(tmp_path / "kept", "table")
    with opened(path) as writer:

        def record() -> None:
            add(writer, "c")
            if ends:
                writer.close()

        done = restore(found, path, replace=True, files=Watched(path, step, record))
        if not ends:
            add(writer, "d")
        assert rows_of(path) == (["a", "c"] if ends else ["a", "c", "d"])
        assert done.kept is not None
        assert rows_of(done.kept) == ["a", "b"]
    with opened(path) as table:
        table.flush(publish=True)
        assert table.verify().ok
    assert rows_of(path) == (["a", "c"] if ends else ["a", "c", "d"])


@pytest.mark.parametrize("step", ["make_folder", "replace"])
def test_a_segment_that_is_made_during_a_restore_stays(path: Path, tmp_path: Path, step: str) -> None:
    with opened(path) as writer:

        def record() -> None:
            add(writer, "c")
            seal_all(writer)

        done = restore(find_backup(tmp_path / "kept", "table"), path, replace=True, files=Watched(path, step, record))
        assert rows_of(path) == ["a", "c"]
        assert done.kept is not None
        assert rows_of(done.kept) == ["a", "b"]


def test_segments_of_before_are_set_aside(path: Path, tmp_path: Path) -> None:
    with opened(path) as writer:
        add(writer, "c")
        seal_all(writer)
    done = restore(find_backup(tmp_path / "kept", "table"), path, replace=True)
    assert rows_of(path) == ["a"]
    assert done.kept is not None
    assert rows_of(done.kept) == ["a", "b", "c"]


def test_a_writer_that_ends_without_a_row_stops_no_restore(path: Path, tmp_path: Path) -> None:
    [journal] = path.with_suffix(".d").glob("*.journal")
    gone = Watched(path, "open", journal.unlink)
    restore(find_backup(tmp_path / "kept", "table"), path, replace=True, files=gone)
    assert gone.done
    assert rows_of(path) == ["a"]


def test_a_journal_that_is_written_anew_meanwhile_is_in_use(path: Path, tmp_path: Path) -> None:
    [journal] = path.with_suffix(".d").glob("*.journal")
    files = OsFiles(path)
    with closing(files.create(journal.with_suffix(".copy"))) as copy:
        copy.write(journal.read_bytes())

        class Exchanging(OsFiles):
            def open(self, path: Path):  # type: ignore[no-untyped-def]
                handle = super().open(path)
                if path == journal and journal.with_suffix(".copy").exists():
                    journal.with_suffix(".copy").rename(journal)
                return handle

        with pytest.raises(StoreError, match="is in use"):
            restore(find_backup(tmp_path / "kept", "table"), path, replace=True, files=Exchanging(path))
    assert rows_of(path) == ["a", "b"]


def cut_short() -> None:
    raise CutShort


def test_a_restore_that_was_cut_short_says_restore_once_more_and_repair_takes_nothing(
    path: Path, tmp_path: Path
) -> None:
    found = find_backup(tmp_path / "kept", "table")
    with pytest.raises(CutShort):
        restore(found, path, replace=True, files=Watched(path, "replace", cut_short))
    for read_only, repair in ((True, False), (False, False), (False, True)):
        with pytest.raises(StoreMismatch, match="Restore once more, with --replace"):
            ParquetTable(path, SPEC, read_only=read_only, repair=repair)
    with pytest.raises(StoreMismatch, match="Restore once more"):
        rehearse_repair(path, SPEC)
    done = restore(found, path, replace=True)
    assert rows_of(path) == ["a"]
    assert done.kept is not None
    assert rows_of(done.kept) == ["a", "b"]
    assert len(list(path.parent.glob("*.replaced-*"))) == 1
    with opened(path) as table, opened(done.kept) as old:
        assert table.verify().ok
        assert old.verify().ok
