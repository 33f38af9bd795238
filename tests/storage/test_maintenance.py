"""Sealing and publishing beside recording: neither waits for the other, and no row is taken over twice."""

from __future__ import annotations

import threading
import time
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Any

import pytest

from tests.storage.rows import BY_HAND, SPEC, add, names_of, published_names, still
from toriwork.storage import ParquetTable, maintenance
from toriwork.storage import worker as worker_module
from toriwork.storage.files import OsFiles
from toriwork.storage.policy import PublishPolicy
from toriwork.storage.worker import Worker

#: every publish is due, none is quick enough to be waited for
ASIDE = PublishPolicy(
    growth=0.0, small_base=0, inline_seconds=-1.0, close_seconds=-1.0, min_interval=0.0, max_share=1.0
)
SEAL_SIZE = 9 * 2**20  # characters in a row that fills a journal
WAIT = 20.0


class SlowDisk(OsFiles):
    """Stops where the public file is replaced until it is told to go on."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.reached = threading.Event()
        self.go_on = threading.Event()
        self.go_on.set()

    def replace(self, source: Path, target: Path) -> None:
        if target == self.base:
            self.reached.set()
            assert self.go_on.wait(WAIT)
        super().replace(source, target)


@pytest.fixture
def disk(tmp_path: Path) -> SlowDisk:
    return SlowDisk((tmp_path / "t.parquet").resolve())


@pytest.fixture
def table(disk: SlowDisk) -> Any:
    opened = still(ParquetTable(disk.base, SPEC, policy=ASIDE, files=disk))
    disk.reached.clear()
    yield opened
    disk.go_on.set()
    opened.close()


class Tended:
    """Stands for a table: counts its rounds."""

    def __init__(self) -> None:
        self.rounds: SimpleQueue[None] = SimpleQueue()

    def run_maintenance(self) -> bool:
        self.rounds.put(None)
        return True


def test_a_thread_that_an_append_starts_leaves_the_first_second_to_whoever_appends(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(worker_module, "_PERIOD", 3600.0)
    table = Tended()
    worker = Worker(table.run_maintenance, None)
    worker.wake(now=False)
    with pytest.raises(Empty):
        table.rounds.get(timeout=0.2)
    worker.wake()
    table.rounds.get(timeout=WAIT)
    worker.wake(now=False)  # there is a thread, which may be asleep
    table.rounds.get(timeout=WAIT)
    worker.stop()
    Worker(table.run_maintenance, None).wake()
    table.rounds.get(timeout=WAIT)


def test_rows_reach_the_disk_without_a_flush(disk: SlowDisk) -> None:
    with ParquetTable(disk.base, SPEC, files=disk) as table:
        add(table, "a1")
        assert table._writer is not None
        for _ in range(int(WAIT * 100)):
            if not table._writer.dirty:
                break
            time.sleep(0.01)
        assert not table._writer.dirty


def segments(disk: SlowDisk) -> list[Path]:
    return sorted(disk.base.with_suffix(".d").glob("*.parquet"))


def test_rows_are_synced_while_a_long_publish_is_under_way(table: ParquetTable, disk: SlowDisk) -> None:
    add(table, "a1")
    disk.go_on.clear()
    table.run_maintenance()
    assert disk.reached.wait(WAIT)
    add(table, "b2")
    assert table._writer is not None
    assert table._writer.dirty
    table.run_maintenance()
    assert not table._writer.dirty
    assert published_names(disk.base) == []
    disk.go_on.set()
    table.close()
    with still(ParquetTable(disk.base, SPEC)) as again:
        assert names_of(again) == ["a1", "b2"]


def test_full_journals_are_sealed_while_a_long_publish_is_under_way(disk: SlowDisk) -> None:
    table = still(ParquetTable(disk.base, SPEC, policy=BY_HAND, files=disk))
    disk.reached.clear()
    add(table, "a1")
    disk.go_on.clear()
    publishing = threading.Thread(target=table.flush, args=(True,))
    publishing.start()
    assert disk.reached.wait(WAIT)
    add(table, "b2", size=SEAL_SIZE)
    add(table, "c3")  # the journal before is full: this opens the next
    table.run_maintenance()
    assert len(segments(disk)) == 1
    assert sorted(names_of(table)) == ["a1", "b2", "c3"]
    disk.go_on.set()
    publishing.join(WAIT)
    table.flush(publish=True)
    assert published_names(disk.base) == ["a1", "b2", "c3"]
    assert segments(disk) == []
    table.close()


@pytest.mark.parametrize(("seconds", "sealed"), [(0.0, 0), (40.0, 0), (70.0, 1)])
def test_full_journals_are_not_sealed_when_a_publish_takes_them_within_a_minute(
    disk: SlowDisk, seconds: float, sealed: int
) -> None:
    due = replace(ASIDE, growth=0.1, max_age=50.0, max_share=0.1, min_interval=0.0)
    table = still(ParquetTable(disk.base, SPEC, policy=due, files=disk))
    stats = table._maintenance.stats
    stats._last_end, stats._last_seconds = time.monotonic(), seconds / 9
    add(table, "a1", size=SEAL_SIZE)
    add(table, "b2")
    if seconds:  # else it is published at once
        table.run_maintenance()
        assert len(segments(disk)) == sealed
    stats._last_seconds = 0.0
    table.run_maintenance()
    table._maintenance.join()
    assert published_names(disk.base) == ["a1", "b2"]
    table.close()


def test_the_frames_that_wait_for_a_publish_without_a_segment_are_bounded(
    disk: SlowDisk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(maintenance, "_NEAR_FRAMES", 4)
    due = replace(ASIDE, growth=0.1, max_age=50.0, max_share=0.1)
    table = still(ParquetTable(disk.base, SPEC, policy=due, files=disk))
    stats = table._maintenance.stats
    stats._last_end, stats._last_seconds = time.monotonic(), 4.0
    for name in ("a1", "b2", "c3", "d4", "e5"):
        add(table, name, size=SEAL_SIZE)
    table.run_maintenance()
    assert len(segments(disk)) == 3  # of five full journals with one frame each, the number of the next counted
    assert sorted(names_of(table)) == ["a1", "b2", "c3", "d4", "e5"]
    table.close()


def test_full_journals_are_sealed_when_publishing_fails(table: ParquetTable, disk: SlowDisk) -> None:
    add(table, "a1", size=SEAL_SIZE)
    add(table, "b2")
    table._maintenance.stats.failed()
    table.run_maintenance()
    assert len(segments(disk)) == 1


def test_what_a_publish_is_taking_over_gets_no_segment_behind_its_back(table: ParquetTable, disk: SlowDisk) -> None:
    add(table, "a1", size=SEAL_SIZE)
    add(table, "b2")
    disk.go_on.clear()
    publishing = threading.Thread(target=table.flush, args=(True,))
    publishing.start()
    assert disk.reached.wait(WAIT)
    table._maintenance.run_maintenance(table._writer)  # type: ignore[arg-type] - open
    assert segments(disk) == []
    disk.go_on.set()
    publishing.join()
    assert published_names(disk.base) == ["a1", "b2"]
    assert names_of(table) == ["a1", "b2"]


def test_closing_waits_for_a_publish_under_way(table: ParquetTable, disk: SlowDisk) -> None:
    add(table, "a1")
    disk.go_on.clear()
    table.run_maintenance()
    assert disk.reached.wait(WAIT)
    closing = threading.Thread(target=table.close)
    closing.start()
    closing.join(0.2)
    assert closing.is_alive()
    disk.go_on.set()
    closing.join(WAIT)
    assert published_names(disk.base) == ["a1"]
