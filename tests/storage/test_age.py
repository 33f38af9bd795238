"""How long rows have waited, whoever recorded them and however often the table was opened; what closing does."""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.storage.rows import BY_HAND, SPEC, add, names_of, opened, published_names, still
from toriwork.registry.codec import SPEC as REGISTRY_SPEC
from toriwork.storage import ParquetTable, PublishPolicy
from toriwork.storage.files import OsFiles
from toriwork.storage.paths import StorePaths
from toriwork.storage.publish_stats import PublishStats
from toriwork.storage.seal import seal

HOUR = 3600.0
#: publishes nothing but what is a minute old
MINUTE = PublishPolicy(small_base=-1, growth=1e9, max_age=60.0, max_files=10**9, close_seconds=-1.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "table.parquet"


class Clock:
    """Sets the clock by which rows get their times."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.ahead = 0.0
        fake = SimpleNamespace(**{name: getattr(time, name) for name in dir(time)})
        fake.time_ns = lambda: int(time.time_ns() + self.ahead * 1e9)
        for module in ("clock", "journal"):
            monkeypatch.setattr(f"toriwork.storage.{module}.time", fake)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    return Clock(monkeypatch)


def is_about(age: float | None, wanted: float) -> bool:
    return age is not None and wanted <= age < wanted + HOUR / 2


@pytest.mark.parametrize("ago", [0.0, HOUR, 30 * HOUR])
def test_the_age_is_that_of_the_oldest_row_over_any_number_of_openings(path: Path, clock: Clock, ago: float) -> None:
    clock.ahead = -ago
    with opened(path) as table:
        add(table, "a1")
    clock.ahead = 0.0
    for run in range(3):
        with opened(path) as table:
            assert is_about(table.pending_age, ago)
            assert is_about(table._stats.age, ago)
            add(table, f"b{run}")
            assert is_about(table.pending_age, ago)
    with opened(path, read_only=True) as table:
        assert is_about(table.pending_age, ago)
        assert table._stats.age is None  # it publishes nothing


def test_rows_of_another_who_is_alive_have_an_age_and_are_left_to_them(path: Path, clock: Clock) -> None:
    clock.ahead = -HOUR
    with opened(path) as one:
        add(one, "a1")
        with opened(path) as two, opened(path, read_only=True) as three:
            assert two._stats.age is None
            assert is_about(two.pending_age, HOUR)
            assert is_about(three.pending_age, HOUR)


@pytest.mark.parametrize("n_public", [0, 2])
@pytest.mark.parametrize("keep", [True, False])
def test_sealed_rows_have_the_age_of_their_journal(path: Path, clock: Clock, n_public: int, keep: bool) -> None:
    clock.ahead = -5 * HOUR
    alive = opened(path)
    for number in range(n_public):
        add(alive, f"a{number}")
    if n_public:
        with opened(path) as other:
            other.flush(publish=True)  # a part of the journal is public then
    clock.ahead = -2 * HOUR
    add(alive, "b1")
    writer = alive._writer
    assert writer is not None
    own = writer.freeze()
    with alive.snapshot() as snapshot:
        segment = seal(OsFiles(), StorePaths.of(path), SPEC, writer.store_id, snapshot.journals, {})
    writer.release(own)
    if not keep:
        for name in own:  # as between two steps of a publish
            (segment.parent / f"{name}.journal").unlink()
    with opened(path) as table:
        assert is_about(table.pending_age, 2 * HOUR if keep else 0.0)
        assert is_about(table._stats.age, 2 * HOUR if keep else 0.0)
        assert table._stats.pending_bytes
    alive.close()


@pytest.mark.parametrize("ahead", [2.0, HOUR, 1e4 * HOUR])
def test_a_row_from_the_future_has_no_negative_age_and_is_due(path: Path, clock: Clock, ahead: float) -> None:
    clock.ahead = ahead
    with opened(path) as table:
        add(table, "a1")
    clock.ahead = 0.0
    with opened(path, read_only=True) as table:
        assert table.pending_age == 0.0
    opened(path, policy=MINUTE).close()
    assert published_names(path) == ["a1"]


@pytest.mark.parametrize(("ago", "public"), [(59.0 - 50, False), (61.0, True), (HOUR, True)])
def test_closing_publishes_what_is_too_old_whatever_it_takes(
    path: Path, clock: Clock, ago: float, public: bool, caplog: pytest.LogCaptureFixture
) -> None:
    clock.ahead = -ago
    with opened(path) as table:
        add(table, "a1")
    clock.ahead = 0.0
    caplog.clear()
    with opened(path, policy=MINUTE) as table:
        add(table, "b1")
    assert sorted(published_names(path)) == (["a1", "b1"] if public else [])
    assert [record.levelno for record in caplog.records] == ([] if public else [logging.WARNING])


def test_many_short_runs_do_not_reset_the_age(path: Path, clock: Clock) -> None:
    for run in range(10):
        clock.ahead = 10.0 * run - 200.0
        with opened(path) as table:
            add(table, f"a{run}")
    clock.ahead = 0.0
    with opened(path, policy=MINUTE) as table:
        add(table, "b")
    assert len(published_names(path)) == 11


def test_what_writers_left_is_published_by_a_handle_that_never_appends(path: Path) -> None:
    with opened(path) as table:
        add(table, "a1")
    for policy, awake in ((MINUTE, True), (BY_HAND, False)):
        table = ParquetTable(path, SPEC, policy=policy)
        assert (table._worker._thread is not None) is awake
        table._stats.oldest = time.monotonic() - HOUR
        table.run_maintenance()
        assert published_names(path) == ["a1"]  # by the first of them
        table.close()


@pytest.mark.parametrize(
    ("spec", "command"),
    [(SPEC, "open {} again and call flush(publish=True)"), (REGISTRY_SPEC, "toriwork registry publish --path {}")],
)
@pytest.mark.parametrize("name", ["table.parquet", "it's mine.parquet"])
def test_closing_says_how_many_rows_it_leaves_and_how_to_publish_them(
    tmp_path: Path, spec: Any, command: str, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    import shlex

    from toriwork.registry.rows import pack_shape

    path = tmp_path / name
    with still(ParquetTable(path, spec, policy=BY_HAND)) as table:
        for _ in range(3):
            if spec is SPEC:
                add(table, "a1", "a2")
            else:
                row = pack_shape([[1.0, 2.0]], (1.0, 0.0, 0.0), "local", None).row
                table.append(row + row, 2)
    [said] = [record for record in caplog.records if record.levelno == logging.WARNING]
    assert said.getMessage() == f"{path}: closed with 6 rows that are not public yet; publish them: " + command.format(
        shlex.quote(str(path))
    )


def test_closing_says_nothing_of_rows_that_somebody_else_published_or_keeps(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with opened(path) as one:
        add(one, "a1")
        with opened(path) as two:
            two.flush(publish=True)
        with opened(path):
            add(one, "a2")
    [said] = [record.getMessage() for record in caplog.records]
    assert said.startswith(f"{path}: closed with 1 rows that are not public yet; publish them: open {path} again")


def test_closing_waits_for_somebody_who_publishes_and_says_what_it_could_not_publish(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    from toriwork.storage.store_lock import store_lock

    policy = PublishPolicy(close_seconds=0.2)
    table = opened(path, policy=policy)
    add(table, "a1")
    with store_lock(table.files, StorePaths.of(path)) as lock:
        assert lock is not None
        closing = threading.Thread(target=table.close)  # another thread than the one that publishes
        closing.start()
        closing.join()
    texts = [record.getMessage() for record in caplog.records]
    assert len(texts) == 2
    assert "was not published" in texts[0]
    assert "closed with 1 rows" in texts[1]
    with opened(path) as table:
        assert names_of(table) == ["a1"]


# ---- a flush that leaves publishing to the background ------------------------------------------------------------


@pytest.mark.parametrize("seconds", [0.2, 2.0, 30.0])
def test_a_flush_that_comes_too_early_is_published_as_soon_as_the_pace_allows(path: Path, seconds: float) -> None:
    policy = PublishPolicy(inline_seconds=-1.0)
    with opened(path, policy=policy) as table:
        table._worker.stop()  # this test is the background

        def tended() -> list[str]:
            table.run_maintenance()
            table._maintenance.join()
            return published_names(path)

        table._stats._last_end, table._stats._last_seconds = time.monotonic(), seconds
        add(table, "a1")
        table.flush()
        assert tended() == []
        table._stats._last_end -= max(1.0, 10 * seconds)  # a tenth of the time
        assert tended() == ["a1"]
        add(table, "a2")
        table._stats._last_end -= HOUR
        assert tended() == ["a1"]  # nobody flushed


def test_a_publish_that_fails_is_still_asked_for(path: Path) -> None:
    stats = PublishStats(OsFiles(), StorePaths.of(path), PublishPolicy())
    stats.note(100)
    stats.asked = True
    assert stats.due()
    stats.begin()
    stats.failed()
    stats._last_end -= HOUR
    assert stats.due()
