"""No row is left behind: what missed the queue, lost its numbers or was sealed away becomes public all the same."""

from __future__ import annotations

import errno
import logging
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from toriwork.errors import PublishError, StoreError
from toriwork.registry import TorusRegistry, betti_values, completion
from toriwork.registry.completion import BettiQueue
from toriwork.registry.rows import COMPUTED, PackedRow, pack_shape, pack_values
from toriwork.storage import ParquetTable, journal, maintenance
from toriwork.storage.files import OsFiles
from toriwork.storage.frames import Address, Kind
from toriwork.storage.handles import OsHandle
from toriwork.storage.writer import Writer
from toriwork.threads import BackgroundThread

WAIT = 60.0
SLOW = 13  # points of a cloud that waits for its gate


def cloud(n: int, points: int = 4) -> np.ndarray[Any, Any]:
    return np.random.default_rng(n).normal(size=(points, 2))


def quick(row: PackedRow, budget: object) -> bytes:
    """Numbers that take no time."""
    return pack_values((float(row.shape[0]), 0.0), COMPUTED, "{}")


@pytest.fixture(autouse=True)
def quick_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "compute_values", quick)


class Gate(threading.Event):
    """Clouds of 13 points are computed when it is open, the others when ``others`` is."""

    def __init__(self) -> None:
        super().__init__()
        self.others = threading.Event()
        self.others.set()


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    opened = Gate()

    def slow(row: PackedRow, budget: object) -> bytes:
        assert (opened if row.shape[0] == SLOW else opened.others).wait(WAIT)
        return quick(row, budget)

    monkeypatch.setattr(completion, "compute_values", slow)
    yield opened
    opened.set()
    opened.others.set()


@pytest.fixture
def small_journals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(journal, "ROLL_BYTES", 20_000)
    monkeypatch.setattr(maintenance, "_SEAL_BYTES", 10_000)
    monkeypatch.setattr(maintenance, "_SEAL_REST", 0.0)
    monkeypatch.setattr(ParquetTable, "run_maintenance", lambda _: False)  # sealed and published when the test says so


class Disk:
    """A disk that is full while ``full`` is set."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.full = False
        for owner, name in ((OsHandle, "write_at"), (OsHandle, "write"), (OsFiles, "create")):
            monkeypatch.setattr(owner, name, self._refusing(getattr(owner, name)))

    def _refusing(self, call: Callable[..., Any]) -> Callable[..., Any]:
        def wrapped(*args: Any, **options: Any) -> Any:
            if self.full:
                raise OSError(errno.ENOSPC, "No space left on device")
            return call(*args, **options)

        return wrapped


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    return Disk(monkeypatch)


def public(path: Path) -> list[int]:
    """The ``n`` of the rows in the public file, all of which have their numbers."""
    rows = pd.read_parquet(path)
    assert "pending" not in set(rows.betti_status)
    assert rows.row_id.is_unique
    return sorted(int(text.split(":")[1].strip(" }")) for text in rows.metadata)


def statuses(registry: TorusRegistry) -> list[str]:
    with TorusRegistry(registry.path, read_only=True) as reader:
        return sorted(reader.to_pandas(["betti_status"]).betti_status)


def fill(registry: TorusRegistry, first: int, n_bytes: int) -> int:
    """How many rows with given numbers went into the journal."""
    n_rows = n_bytes // 1600 + 1
    for n in range(first, first + n_rows):
        registry.record_shape(cloud(n, 100), (1, 0), metadata={"n": n})
    return n_rows


def writer_of(registry: TorusRegistry) -> Writer:
    writer = registry._table._writer
    assert writer is not None
    return writer


def sealed(registry: TorusRegistry) -> int:
    """How many segments there are after a round of sealing."""
    writer = writer_of(registry)
    registry._table._maintenance._seal_closed(writer)
    return len(list(registry.path.with_suffix(".d").glob("*.parquet")))


# ---- sealed away -------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("small_journals")
@pytest.mark.parametrize("batch", [False, True])
def test_numbers_of_rows_that_wait_behind_a_slow_one_are_not_sealed_away(
    tmp_path: Path, gate: Gate, batch: bool
) -> None:
    path = tmp_path / "r.parquet"
    registry = TorusRegistry(path)
    gate.others.clear()
    registry.record_shape(cloud(0, SLOW), metadata={"n": 0})
    if batch:
        registry.record_shapes([cloud(n) for n in range(1, 41)], metadata=[{"n": n} for n in range(1, 41)])
    else:
        for n in range(1, 41):
            registry.record_shape(cloud(n), metadata={"n": n})
    last = 41 + fill(registry, 41, 25_000)
    gate.others.set()
    until_waiting(registry)
    last += fill(registry, last, 25_000)  # the journal with the numbers is full, too
    sealed(registry)
    waiting = statuses(registry).count("pending")
    assert waiting == 1
    gate.set()
    registry.flush(publish=True)
    assert public(path) == list(range(last))
    registry.close()


def until_waiting(registry: TorusRegistry) -> None:
    """Return when only the slow row is left."""
    pause = threading.Event()
    for _ in range(int(WAIT / 0.01)):
        if statuses(registry).count("pending") == 1:
            return
        pause.wait(0.01)
    raise AssertionError("rows still wait for their numbers")


@pytest.mark.usefixtures("small_journals")
def test_a_journal_that_waited_for_another_is_sealed_behind_it(tmp_path: Path, gate: Gate) -> None:
    registry = TorusRegistry(tmp_path / "r.parquet")
    gate.others.clear()
    registry.record_shape(cloud(0, SLOW), metadata={"n": 0})
    registry.record_shape(cloud(1), metadata={"n": 1})
    last = 2 + fill(registry, 2, 20_000)
    gate.others.set()
    until_waiting(registry)
    fill(registry, last, 45_000)
    n_journals, n_segments = len(registry._table.own_frames()), sealed(registry)
    assert (n_journals, n_segments) == (4, 1)  # the third one says nothing of others
    gate.set()
    registry.flush(publish=False)
    n_segments = sealed(registry)
    assert (len(registry._table.own_frames()), n_segments) == (1, 3)
    registry.close()


@pytest.mark.usefixtures("small_journals")
def test_a_store_that_sealed_numbers_away_heals(tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.parquet"
    monkeypatch.setattr(maintenance, "is_needed", lambda *_: False)  # as version 0.1 did
    owner = TorusRegistry(path)
    gate.others.clear()
    owner.record_shape(cloud(0, SLOW), metadata={"n": 0})
    for n in range(1, 20):
        owner.record_shape(cloud(n), metadata={"n": n})
    last = 20 + fill(owner, 20, 25_000)
    gate.others.set()
    until_waiting(owner)
    last += fill(owner, last, 25_000)
    n_sealed, waiting = sealed(owner), statuses(owner).count("pending")
    assert n_sealed > 0
    assert waiting == 20
    writer_of(owner).close()  # as if it died
    gate.set()
    with TorusRegistry(path) as other:
        other.flush(publish=True)
        assert public(path) == list(range(last))


@pytest.mark.usefixtures("small_journals")
def test_the_owner_finds_again_what_was_sealed_away(
    tmp_path: Path, gate: Gate, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "r.parquet"
    monkeypatch.setattr(maintenance, "is_needed", lambda *_: False)
    with TorusRegistry(path) as registry:
        gate.others.clear()
        registry.record_shape(cloud(0, SLOW), metadata={"n": 0})
        registry.record_shape(cloud(1), metadata={"n": 1})
        last = 2 + fill(registry, 2, 25_000)
        gate.others.set()
        until_waiting(registry)
        last += fill(registry, last, 25_000)
        n_sealed, waiting = sealed(registry), statuses(registry).count("pending")
        assert n_sealed > 0
        assert waiting == 2
        gate.set()
        registry._queue._finished.clear()  # as if it were long ago
        registry.flush(publish=True)
        assert public(path) == list(range(last))


@pytest.mark.usefixtures("small_journals")
@pytest.mark.parametrize("kind", [Kind.ATTEMPT, Kind.DONE])
def test_a_journal_that_speaks_of_rows_of_a_dead_writer_stays_until_they_are_public(tmp_path: Path, kind: Kind) -> None:
    path = tmp_path / "r.parquet"
    with TorusRegistry(path) as dead:
        place = dead._table.append(pack_shape(cloud(0), None, "local", {"n": 0}).row, 1, Kind.OPEN)
    owner = TorusRegistry(path)
    address = Address(place.journal, place.frame, 0)
    if kind == Kind.ATTEMPT:
        owner._table.attempt([address])
    else:
        owner._table.complete(address, quick(unpacked(dead, 0), None))
    last = 1 + fill(owner, 1, 25_000)
    n_sealed = sealed(owner)
    assert n_sealed == 0
    with owner._table.snapshot() as snapshot:
        spoken = [journal.attempts if kind == Kind.ATTEMPT else journal.done for journal in snapshot.journals]
        assert any(address in found for found in spoken)
    owner.flush(publish=True)
    assert public(path) == list(range(last))
    owner.close()


def unpacked(_: TorusRegistry, n: int) -> Any:
    from toriwork.registry.rows import unpack_rows
    from toriwork.storage import Payload

    row = pack_shape(cloud(n), None, "local", None).row
    return unpack_rows(Payload("", 1, 0, 1, memoryview(row)))[0]


# ---- interrupted -------------------------------------------------------------------------------------------------


class StopAt:
    """Raises KeyboardInterrupt in front of the n-th line that is run in some files."""

    def __init__(self, n: int, *names: str) -> None:
        self.left, self.names = n, names

    def __enter__(self) -> StopAt:
        sys.settrace(self._call)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(None)

    def _call(self, frame: Any, event: str, arg: object) -> Any:
        return self._line if frame.f_code.co_filename.endswith(self.names) else None

    def _line(self, frame: Any, event: str, arg: object) -> Any:
        if event == "line":
            self.left -= 1
            if self.left == 0:
                raise KeyboardInterrupt
        return self._line


@pytest.mark.parametrize("publish", [True, False])
def test_an_interrupt_in_front_of_any_line_of_recording_leaves_no_row_behind(tmp_path: Path, publish: bool) -> None:
    path = tmp_path / "r.parquet"
    recorded, stopped, n = [], 0, 0
    with TorusRegistry(path) as registry:
        while n == stopped:  # until a call gets through
            n += 1
            try:
                with StopAt(n, "registry/registry.py", "registry/completion.py"):
                    registry.record_shape(cloud(n), metadata={"n": n})
                recorded.append(n)
            except KeyboardInterrupt:
                stopped += 1
            registry.record_shape(cloud(1000 + n), metadata={"n": 1000 + n})
            recorded.append(1000 + n)
        assert stopped > 10
        registry.flush(publish)
        found = statuses(registry)
        assert "pending" not in found
        if publish:
            assert set(recorded) <= set(public(path))
    assert set(recorded) <= set(public(path))


@pytest.mark.parametrize("end", ["flush", "close", "exit", "background"])
def test_rows_that_never_reached_the_queue_are_found(tmp_path: Path, end: str) -> None:
    path = tmp_path / "r.parquet"
    registry = TorusRegistry(path)
    for n in range(5):
        registry._table.append(pack_shape(cloud(n), None, "local", {"n": n}).row, 1, Kind.OPEN)
        registry.record_shape(cloud(10 + n), metadata={"n": 10 + n})
    wanted = [*range(5), *range(10, 15)]
    if end == "flush":
        registry.flush(publish=True)
    elif end == "background":
        writer = writer_of(registry)
        registry._queue.join()
        for _ in range(3):
            registry._table._maintenance.try_publish(writer)
            registry._queue.join()
    elif end == "close":
        registry.close()
    else:
        registry._queue.interrupted()  # what the exception left
        registry.finish(WAIT)
    assert public(path) == wanted
    registry.close()


def test_an_interrupted_publish_is_no_death_of_a_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "r.parquet"
    with TorusRegistry(path) as dead:
        dead._table.append(pack_shape(cloud(0), None, "local", {"n": 0}).row, 1, Kind.OPEN)

    def stopped(row: PackedRow, budget: object) -> bytes:
        raise KeyboardInterrupt

    with TorusRegistry(path) as registry:
        monkeypatch.setattr(completion, "compute_values", stopped)
        for _ in range(3):
            with pytest.raises(KeyboardInterrupt):
                registry.flush(publish=True)
        monkeypatch.setattr(completion, "compute_values", quick)
        registry.flush(publish=True)
        assert pd.read_parquet(path).betti_status.tolist() == ["computed"]


# ---- numbers that cannot be stored -------------------------------------------------------------------------------


@pytest.mark.parametrize("end", ["flush", "close", "query", "background"])
def test_numbers_that_found_no_room_are_stored_when_there_is_some(
    tmp_path: Path, disk: Disk, gate: Gate, end: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "r.parquet"
    registry = TorusRegistry(path)
    for n in range(20):
        registry.record_shape(cloud(n, SLOW), metadata={"n": n})
    disk.full = True
    gate.set()
    registry._queue.join()
    disk.full = False
    assert [r.levelname for r in caplog.records if "No space left" in r.getMessage()] == ["WARNING"]
    if end == "query":
        assert registry.to_pandas(["betti0"]).betti0.notna().all()
    elif end == "background":
        writer = writer_of(registry)
        registry._table._maintenance.try_publish(writer)
        registry._queue.join()
        registry._table._maintenance.try_publish(writer)
        assert public(path) == list(range(20))
    elif end == "flush":
        registry.record_shape(cloud(20), metadata={"n": 20})
        registry.flush(publish=True)
        assert public(path) == list(range(21))
    registry.close()
    assert public(path) == list(range(21 if end == "flush" else 20))


def refusing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(table: ParquetTable, address: Address, values: bytes) -> None:
        raise StoreError("the disk takes no numbers")

    monkeypatch.setattr(ParquetTable, "complete", refuse)


def test_a_flush_that_cannot_make_rows_public_says_what_is_missing_and_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "r.parquet"
    registry = TorusRegistry(path)
    with monkeypatch.context() as patch:
        refusing(patch)
        registry.record_shape(cloud(0), (1, 0), metadata={"n": 0})
        for n in range(1, 4):
            registry.record_shape(cloud(n), metadata={"n": n})
        registry.flush()  # neither waits for ever nor raises: the rows are on the disk
        with pytest.raises(PublishError, match=r"3 rows .* not in the public file .* takes no numbers"):
            registry.flush(publish=True)
        assert public(path) == [0]
        waiting = statuses(registry).count("pending")
        assert waiting == 3
    registry.flush(publish=True)
    assert public(path) == list(range(4))
    registry.close()


def test_closing_says_that_rows_lack_numbers_and_gives_up_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "r.parquet"
    registry = TorusRegistry(path)
    with monkeypatch.context() as patch:
        refusing(patch)
        registry.record_shape(cloud(1), metadata={"n": 1})
        registry.close()
    assert registry.closed
    told = [r for r in caplog.records if "closed while rows lack Betti numbers" in r.getMessage()]
    assert [r.levelno for r in told] == [logging.WARNING]
    assert "takes no numbers" in told[0].getMessage()
    with TorusRegistry(path) as other:
        other.flush(publish=True)
    assert public(path) == [1]


class WhileTold(logging.Handler):
    """Holds up the thread that tells of missing numbers until somebody has looked for them."""

    def __init__(self) -> None:
        super().__init__()
        self.begun, self.looked = threading.Event(), threading.Event()

    def emit(self, record: logging.LogRecord) -> None:
        if "still missing" in record.getMessage():
            self.begun.set()
            assert self.looked.wait(WAIT)


def test_rows_whose_failure_is_just_being_told_are_looked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    handler, find = WhileTold(), BettiQueue._find

    def find_and_tell(queue: BettiQueue) -> int:
        try:
            return find(queue)
        finally:
            handler.looked.set()

    registry = TorusRegistry(tmp_path / "r.parquet")
    logging.getLogger("toriwork.registry").addHandler(handler)
    try:
        with monkeypatch.context() as patch:
            refusing(patch)
            patch.setattr(BettiQueue, "_find", find_and_tell)
            registry.record_shape(cloud(1), metadata={"n": 1})
            assert handler.begun.wait(WAIT)
            registry.close()
    finally:
        logging.getLogger("toriwork.registry").removeHandler(handler)
    assert "closed while rows lack Betti numbers" in caplog.text


@pytest.mark.parametrize("error", [TypeError, KeyError, StopIteration, RecursionError, OSError, MemoryError])
def test_whatever_an_engine_raises_no_row_waits_for_ever(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    monkeypatch.undo()  # the real computation

    def broken(points: Any, **options: Any) -> Any:
        raise error("engine")

    monkeypatch.setattr(betti_values, "estimate_betti", broken)
    path = tmp_path / "r.parquet"
    with TorusRegistry(path) as registry:
        registry.record_shape(cloud(0), metadata={"n": 0})
        registry.flush(publish=True)
    assert pd.read_parquet(path).betti_status.tolist() == ["failed"]


# ---- threads -----------------------------------------------------------------------------------------------------


def test_threads_end_when_the_registry_is_closed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(completion, "_IDLE_SECONDS", 3600.0)
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        registry.record_shape(cloud(0), metadata={"n": 0})
        registry.flush()
        threads = list(registry._queue._threads)
        assert threads
    for thread in threads:
        thread.join(WAIT)
        assert not thread.is_alive()


def test_rows_are_recorded_and_completed_where_no_thread_can_be_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(thread: BackgroundThread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(BackgroundThread, "start", refuse)
    path = tmp_path / "r.parquet"
    with TorusRegistry(path) as registry:
        for n in range(40):
            registry.record_shape(cloud(n), metadata={"n": n})
        registry.flush(publish=True)
        assert public(path) == list(range(40))


def test_a_flush_does_not_wait_for_rows_that_come_later(tmp_path: Path, gate: Gate) -> None:
    registry = TorusRegistry(tmp_path / "r.parquet", betti_threads=3)
    for n in range(10):
        registry.record_shape(cloud(n), metadata={"n": n})
    before = next(registry._queue._tickets)
    registry.record_shape(cloud(10, SLOW), metadata={"n": 10})
    pause = threading.Event()
    for _ in range(int(WAIT / 0.01)):
        if not registry._queue._busy(before):
            break
        pause.wait(0.01)
    early, late = registry._queue._busy(before), registry._queue._busy(next(registry._queue._tickets))
    assert (early, late) == (False, True)
    gate.set()
    registry.close()
