"""Rows by a condition: the same as Arrow finds in the whole table, whatever the condition asks for."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq
import pytest

from toriwork.errors import DamagedFile
from toriwork.registry import TorusRegistry, matching
from toriwork.storage.columns import ParquetSource

N_ROWS = 3000


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorusRegistry]:
    """Several row groups; ``at`` rises, ``noise`` is anywhere and at times null, ``name`` repeats."""
    path = tmp_path_factory.mktemp("matching") / "torus_registry.parquet"
    rng = np.random.default_rng(0)
    typed = {"at": "int64", "noise": "float64", "name": "string"}
    with TorusRegistry(path, columns=typed, compute_betti=False) as registry:
        noise = [None if k % 7 == 0 else float(value) for k, value in enumerate(rng.uniform(size=N_ROWS))]
        names = [f"s{k % 11}" for k in range(N_ROWS)]
        clouds = rng.normal(size=(N_ROWS, 600, 2))
        for k in range(0, N_ROWS, 300):
            part = slice(k, k + 300)
            registry.record_shapes(
                clouds[part], [(1, 0)] * 300, at=range(k, k + 300), noise=noise[part], name=names[part]
            )
            registry.flush(publish=True)
        yield registry


CONDITIONS = [
    pc.field("at") == 1234,
    (pc.field("at") >= 290) & (pc.field("at") < 310),
    pc.field("noise") > 0.99,
    pc.field("noise").is_null(),
    ~(pc.field("noise") > 0.5),
    (pc.field("name") == "s3") & (pc.field("noise") < 0.01),
    pc.field("name").isin(["s1", "s10", "none"]),
    pc.field(18) == 7,
    pc.field("at") < 0,
    pc.scalar(True),
    pc.list_value_length(pc.field("vertices")) > 0,
]
WANTED = [["row_id"], ["noise"], ["vertices", "at"], ["name", "shape_id", "noise"]]


@pytest.mark.parametrize("columns", WANTED, ids="+".join)
@pytest.mark.parametrize("where", CONDITIONS, ids=str)
@pytest.mark.parametrize("piece_bytes", [1, 2**17, 2**22])
def test_a_condition_finds_what_arrow_finds(
    registry: TorusRegistry, monkeypatch: pytest.MonkeyPatch, where: pc.Expression, columns: list[str], piece_bytes: int
) -> None:
    monkeypatch.setattr(matching, "_PIECE_BYTES", piece_bytes)
    found = registry.scan(columns, where=where).read_all()
    assert found == pads.dataset(registry.path).to_table(columns=columns, filter=where)


@pytest.mark.parametrize("n_threads", [1, 3])
@pytest.mark.parametrize("skip", [0, 1, 299, 300, 1000, N_ROWS])
def test_the_first_rows_are_passed_over(
    registry: TorusRegistry, monkeypatch: pytest.MonkeyPatch, skip: int, n_threads: int
) -> None:
    monkeypatch.setattr(pa, "cpu_count", lambda: n_threads)
    with registry._table.snapshot() as snapshot:
        where = pc.field("noise") < 0.7
        args = (snapshot.base, snapshot.spec.schema, ["at"], where)
        everything = [n for batch in matching.matching(*args) for n in batch["at"].to_pylist()]
        some = [n for batch in matching.matching(*args, skip=skip) for n in batch["at"].to_pylist()]
    assert len(everything) > N_ROWS / 3
    assert some == [n for n in everything if n >= skip]


def test_only_the_columns_of_the_condition_are_needed(registry: TorusRegistry) -> None:
    schema = pq.read_schema(registry.path)
    assert matching.needed((pc.field("noise") > 1) & pc.field("name").is_valid(), schema) == ["noise", "name"]
    assert matching.needed(pc.scalar(True), schema) == []
    assert matching.needed(pc.field(3) == "x", schema) == schema.names


def test_other_columns_are_read_only_where_a_row_matches(
    registry: TorusRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[tuple[list[int], list[str]]] = []
    groups = ParquetSource.groups

    def noted(self: ParquetSource, numbers: list[int], columns: list[str], idle: list[Any]) -> pa.Table:
        read.append((numbers, columns))
        return groups(self, numbers, columns, idle)

    monkeypatch.setattr(ParquetSource, "groups", noted)
    noise = pq.read_table(registry.path, columns=["noise"])["noise"].drop_null().to_pylist()
    wanted = [("noise", "==", sorted(noise)[N_ROWS // 3])]
    (row,) = registry.scan(["vertices", "at"], where=wanted).read_all().to_pylist()
    assert len(row["vertices"]) == 1200
    assert [len(numbers) for numbers, columns in read if columns == ["vertices", "at"]] == [1]
    assert len([number for numbers, columns in read if columns == ["noise"] for number in numbers]) > 3


def test_a_reader_that_is_given_up_leaves_no_thread_at_work(
    registry: TorusRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    at_work: list[threading.Thread] = []
    groups = ParquetSource.groups

    def noted(self: ParquetSource, numbers: list[int], columns: list[str], idle: list[Any]) -> pa.Table:
        at_work.append(threading.current_thread())
        try:
            return groups(self, numbers, columns, idle)
        finally:
            at_work.remove(threading.current_thread())

    monkeypatch.setattr(ParquetSource, "groups", noted)
    reader = registry.scan(["vertices"], where=[("at", ">=", 0)])
    reader.read_next_batch()
    del reader
    assert at_work == []


def test_a_child_of_a_fork_has_threads_of_its_own(registry: TorusRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    where = [("at", ">=", 100)]
    monkeypatch.setattr(pa, "cpu_count", lambda: 2)
    assert registry.scan(["at"], where=where).read_all().num_rows == N_ROWS - 100
    assert matching._threads()
    parent = os.getpid()
    monkeypatch.setattr(os, "getpid", lambda: parent + 1)  # as it is behind a fork
    assert matching._threads() == []
    assert registry.scan(["at"], where=where).read_all().num_rows == N_ROWS - 100
    del matching._POOLS[parent + 1]


def test_where_no_thread_can_be_started_whoever_asks_does_the_work(
    registry: TorusRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(pa, "cpu_count", lambda: 2)
    monkeypatch.setattr(matching, "_POOLS", {})
    monkeypatch.setattr(matching.BackgroundThread, "start", refuse)
    assert registry.scan(["at"], where=[("at", ">=", 100)]).read_all().num_rows == N_ROWS - 100
    assert matching._threads() == []


AT_EXIT = """
import atexit, sys
from toriwork.registry import TorusRegistry

def read(when):
    with TorusRegistry(sys.argv[1], read_only=True) as registry:
        print(when, registry.scan(["at"], where=[("at", ">=", 100)]).read_all().num_rows, flush=True)

class Last:
    def __init__(self):
        self.reader = TorusRegistry(sys.argv[1], read_only=True).scan(["vertices"], where=[("at", ">=", 0)])
        self.reader.read_next_batch()  # and is left so

read("before")
last = Last()
atexit.register(read, "at exit")
"""


def test_an_interpreter_that_ends_still_reads(registry: TorusRegistry) -> None:
    command = [sys.executable, "-c", AT_EXIT, str(registry.path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split("\n")[:2] == [f"before {N_ROWS - 100}", f"at exit {N_ROWS - 100}"]


def test_a_signal_handler_reads_wherever_a_reader_is(registry: TorusRegistry) -> None:
    """A timer interrupts every line that hands out work, and each time a whole answer is asked for."""
    where, answers = [("noise", ">", 0.9)], []
    expected = registry.scan(["at"], where=where).read_all().num_rows
    busy = False

    def handle(*_: object) -> None:
        nonlocal busy
        if not busy:
            busy = True
            answers.append(registry.scan(["at"], where=where).read_all().num_rows)
            busy = False

    before = signal.signal(signal.SIGALRM, handle)
    try:
        for delay in np.linspace(0.0002, 0.02, 40):
            signal.setitimer(signal.ITIMER_REAL, delay)
            answers.append(registry.scan(["at"], where=where).read_all().num_rows)
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert set(answers) == {expected}
    assert len(answers) > 40


def open_files() -> int:
    """How many files this process has open; 0 where nobody tells."""
    place = Path("/proc/self/fd")
    return len(list(place.iterdir())) if place.exists() else 0


def test_an_interrupt_at_any_line_leaves_nothing_that_waits(
    registry: TorusRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever asks is interrupted at each line of this module in turn; the next answer is whole, no file stays open."""
    monkeypatch.setattr(pa, "cpu_count", lambda: 2)
    where = [("at", ">=", 100)]
    n_open = open_files()
    for stop in range(1, 4000, 37):
        seen = 0

        def trace(frame: FrameType, event: str, _: object, stop: int = stop) -> Any:
            nonlocal seen
            if frame.f_code.co_filename != matching.__file__:
                return None
            seen += event == "line"
            if seen == stop:
                sys.settrace(None)
                raise KeyboardInterrupt
            return trace

        reached = False
        sys.settrace(trace)
        try:
            registry.scan(["vertices"], where=where).read_all()
        except KeyboardInterrupt:
            reached = True
        finally:
            sys.settrace(None)
        if not reached:
            break
    assert stop > 37
    assert registry.scan(["at"], where=where).read_all().num_rows == N_ROWS - 100
    gc.collect()
    assert open_files() <= n_open


def test_a_broken_page_is_damage(registry: TorusRegistry, tmp_path: Path) -> None:
    copy = tmp_path / registry.path.name
    data = bytearray(registry.path.read_bytes())
    group = pq.read_metadata(registry.path).row_group(2)
    [chunk] = [c for k in range(group.num_columns) if (c := group.column(k)).path_in_schema == "noise"]
    data[chunk.data_page_offset + chunk.total_compressed_size - 9] ^= 1
    copy.write_bytes(data)
    with TorusRegistry(copy, read_only=True) as broken, pytest.raises(DamagedFile, match="repair"):
        broken.scan(["row_id"], where=[("noise", ">", 0.5)]).read_all()


def test_a_page_header_that_was_changed_is_damage_or_changes_nothing(registry: TorusRegistry, tmp_path: Path) -> None:
    """Headers have no checksum. A page of a type that Arrow does not know is passed over: its rows would be gone."""
    copy = tmp_path / registry.path.name
    data = registry.path.read_bytes()
    metadata = pq.read_metadata(registry.path)
    at = metadata.schema.to_arrow_schema().names.index("at")
    where = pc.field("at") >= 0
    asked: list[tuple[list[str], Any]] = [
        (["at", "row_id"], where),
        (["row_id"], where),
        (["at"], where),
        (["at"], None),
    ]
    with TorusRegistry(registry.path, read_only=True) as sound:
        expected = [sound.scan(names, where=given).read_all() for names, given in asked]
    refused = 0
    for group in (0, metadata.num_row_groups // 2, metadata.num_row_groups - 1):
        chunk = metadata.row_group(group).column(at)
        start = chunk.dictionary_page_offset or chunk.data_page_offset
        for place in range(start, start + 12):
            broken = bytearray(data)
            broken[place] ^= 1
            copy.write_bytes(broken)
            for (names, given), answer in zip(asked, expected, strict=True):
                try:
                    with TorusRegistry(copy, read_only=True) as damaged:
                        assert damaged.scan(names, where=given).read_all().equals(answer)
                except DamagedFile:
                    refused += 1
    assert refused > 12


def test_no_columns_are_as_many_rows(registry: TorusRegistry) -> None:
    assert registry.scan([], where=[("at", ">=", 100)]).read_all().num_rows == N_ROWS - 100
    assert registry.scan([], where=[("at", "<", 0)]).read_all().num_rows == 0


def test_a_condition_asks_for_the_columns_that_it_names(registry: TorusRegistry) -> None:
    schema = registry.scan().schema
    many = pc.field("row_id").isin([f"{n:032x}" for n in range(1000)])
    assert matching.needed(many & (pc.field("name") != "row_ids"), schema) == ["row_id", "name"]
    assert set(matching.needed(pc.field("noise") > 1, schema)) == {"noise"}
    assert "at" in matching.needed(pc.field("name") == "at", schema), "a value may look like a column: one too many"


def test_a_child_of_a_fork_goes_on_with_a_reader_or_drops_it(
    registry: TorusRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pa, "cpu_count", lambda: 2)
    for drop in (True, False) * 4:
        reader = registry.scan(["vertices"], where=[("at", ">=", 0)])
        n_before = reader.read_next_batch().num_rows
        child = os.fork()
        if not child:
            if drop:
                del reader
                gc.collect()
                os._exit(0)
            os._exit(0 if n_before + reader.read_all().num_rows == N_ROWS else 1)
        for _ in range(3000):
            done, status = os.waitpid(child, os.WNOHANG)
            if done:
                break
            time.sleep(0.01)
        else:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
            pytest.fail("the child waits for a thread of its parent's")
        assert status == 0
        assert n_before + reader.read_all().num_rows == N_ROWS


@pytest.mark.parametrize("published", [False, True])
def test_zeros_of_both_signs_are_found_whatever_the_statistics_say(tmp_path: Path, *, published: bool) -> None:
    """Statistics of zeros state -0.0 to 0.0, which Arrow takes for one value: ``isin([0])`` found no row."""
    shift = pc.field("betti1") + 0.0
    conditions: list[tuple[Any, int]] = [
        (pc.field("betti1").isin([0.0]), 3),
        (~pc.field("betti1").isin([0.0]), 0),
        (pc.field("betti1").isin([-0.0]), 0),
        (~pc.field("betti1").isin([-0.0]), 3),
        (shift.isin([0.0]), 3),
        (pc.field("betti1").cast("string") == "0", 3),
        (pc.field(3).isin([0.0, 5.0]), 3),
        (pc.field("betti1").isin([0.0]) & (pc.field("betti0") == 1), 3),
        (pc.field("betti1") == -0.0, 3),
        (pc.field("betti1") > 0, 0),
    ]
    with TorusRegistry(tmp_path / "x.parquet") as registry:
        registry.record_shapes([[[k, 1.0]] for k in range(3)], [(1, 0)] * 3)
        if published:
            registry.flush(publish=True)
        for condition, n_rows in conditions:
            assert registry.scan(["row_id"], where=condition).read_all().num_rows == n_rows, str(condition)
        assert registry.scan(["row_id"], where=[("betti1", "in", [0])]).read_all().num_rows == 3
        assert registry.scan(["row_id"], where=[("betti1", "not in", [0])]).read_all().num_rows == 0


def test_row_groups_of_zeros_are_read_for_calls_alone(registry: TorusRegistry) -> None:
    schema = registry.scan().schema
    noise, retracted = pc.field("noise"), ~pc.field("row_id").isin(["a"]) & pc.field("retracts").is_null()
    assert matching._by_bits(noise.isin([0.0]) & retracted, schema) == ["noise"]
    assert matching._by_bits((noise == 0) & retracted & ~(noise > 1), schema) == []
    assert matching._by_bits((noise * 2 > 1) & retracted, schema) == ["noise"]
