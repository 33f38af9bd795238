"""Many clouds: each answered once, bad ones reported, memory kept, and a stop that is a stop."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from tests.topology.clouds import circle
from toriwork.errors import BadInput, StoreError, TooLarge
from toriwork.topology import (
    Diagram,
    Progress,
    free_memory,
    many,
    persistence,
    persistence_many,
    work_estimate,
    work_estimate_of,
)
from toriwork.topology.clouds import Cloud
from toriwork.topology.compute import persistence_each

CLOUDS = [circle(20 + i, 0.05, i) for i in range(30)]
ALONE = [persistence(cloud) for cloud in CLOUDS]


class AtOnce(Executor):
    """An executor of somebody else: everything happens in ``submit``; remembers what is handed over."""

    def __init__(self) -> None:
        self.submitted: list[np.ndarray] = []
        self.closed = False

    def submit(self, call: object, *args: object, **options: object) -> Future:
        self.submitted += args[0]
        future: Future = Future()
        try:
            future.set_result(call(*args, **options))
        except Exception as error:  # noqa: BLE001  # an executor hands on whatever happened
            future.set_exception(error)
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self.closed = True


@pytest.mark.parametrize("make", [lambda: None, AtOnce, lambda: ThreadPoolExecutor(3)], ids=["own", "other", "threads"])
def test_every_cloud_is_answered_once_as_if_alone(make: object) -> None:
    executor = make()
    results = list(persistence_many(CLOUDS, executor, max_workers=3))
    assert sorted(r.index for r in results) == list(range(30))
    assert all(r.diagram == ALONE[r.index] and r.error is None for r in results)
    if isinstance(executor, AtOnce):
        assert not executor.closed


def test_processes_give_the_same_diagrams() -> None:
    from multiprocessing import get_context

    with ProcessPoolExecutor(1, get_context("spawn")) as pool:
        results = list(persistence_many(CLOUDS[:4], pool, max_workers=1, max_dimension=1))
    assert all(r.diagram == ALONE[r.index] and r.diagram.provenance is not None for r in results)


def test_a_bad_cloud_is_reported_and_the_others_go_on() -> None:
    bad = {3: np.full((4, 2), np.nan), 7: "no cloud", 8: None}
    given = [bad.get(i, cloud) for i, cloud in enumerate(CLOUDS)]
    results = {r.index: r for r in persistence_many(given, max_workers=2)}
    assert {i for i, r in results.items() if r.error} == set(bad)
    assert all(isinstance(results[i].error, BadInput) and results[i].diagram is None for i in bad)
    assert len(results) == 30


def test_a_wrong_option_is_no_fault_of_a_cloud() -> None:
    with pytest.raises(TypeError, match="colour"):
        list(persistence_many(CLOUDS, max_workers=1, colour="red"))
    with pytest.raises(BadInput, match="max_workers"):
        persistence_many(CLOUDS, max_workers=0)


class Watched(ThreadPoolExecutor):
    """Threads that count the tasks that are not done and the clouds of all tasks."""

    def __init__(self, workers: int) -> None:
        super().__init__(workers)
        self.tasks: list[Future[Any]] = []
        self.most_waiting = self.clouds = 0

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        waiting = sum(not task.done() for task in self.tasks)
        self.most_waiting, self.clouds = max(self.most_waiting, waiting + 1), self.clouds + len(args[0])
        self.tasks.append(super().submit(fn, *args, **kwargs))
        return self.tasks[-1]


def test_clouds_are_taken_as_room_becomes_free() -> None:
    taken, large = [], circle(600, 0.05)
    alone = persistence(large)

    def endless() -> Iterator[np.ndarray]:
        while True:
            taken.append(1)
            yield large

    with Watched(2) as executor:
        results = persistence_many(endless(), executor, max_workers=2)
        assert next(results).diagram == alone
        assert len(taken) == executor.clouds == 2 * 2  # a task each: such a cloud is predicted to fill one
        for _ in range(4):  # how many clouds a task has from now on, the speed of this machine tells
            assert next(results).diagram == alone
        results.close()
    assert 5 <= executor.clouds <= len(taken)
    assert executor.most_waiting <= 2 * 2


def test_a_cloud_that_would_not_fit_is_refused_with_the_number_and_not_begun() -> None:
    executor = AtOnce()
    limit = work_estimate(100, 2, 1).bytes
    large = circle(2000, 0.1)
    clouds = [CLOUDS[0], large, CLOUDS[1]]
    results = {r.index: r for r in persistence_many(clouds, executor, max_bytes=limit)}
    assert isinstance(results[1].error, TooLarge)
    assert f"{float(work_estimate_of(large).bytes):.3g} bytes" in str(results[1].error)
    assert f"{float(limit):.3g}" in str(results[1].error)
    assert [len(cloud) for cloud in executor.submitted] == [20, 21]


class Remembering:
    """A memory in a dict, by the bytes of the clouds; says what it was asked and told."""

    def __init__(self) -> None:
        self.known: dict[bytes, Diagram] = {}
        self.asked = 0
        self.broken: Exception | None = None

    def get_many(self, clouds: Sequence[object], **options: object) -> list[Diagram | None]:
        self.asked += len(clouds)
        return [self.known.get(np.asarray(cloud).tobytes()) if isinstance(cloud, Cloud) else None for cloud in clouds]

    def put_many(self, clouds: Sequence[object], diagrams: Sequence[Diagram]) -> None:
        if self.broken:
            raise self.broken
        pairs = zip(clouds, diagrams, strict=True)
        self.known |= {np.asarray(cloud).tobytes(): diagram for cloud, diagram in pairs}


@pytest.mark.parametrize("make", [lambda: None, AtOnce, lambda: ThreadPoolExecutor(3)], ids=["own", "other", "threads"])
def test_what_a_memory_knows_is_not_computed_and_what_is_computed_it_has(make: object) -> None:
    memory = Remembering()
    memory.put_many(CLOUDS[:10], ALONE[:10])
    results = {r.index: r for r in persistence_many(CLOUDS, make(), memory=memory, max_workers=2)}
    assert [results[i].remembered for i in range(30)] == [True] * 10 + [False] * 20
    assert all(results[i].diagram == ALONE[i] for i in range(30))
    again = AtOnce()
    assert all(r.remembered and r.diagram == ALONE[r.index] for r in persistence_many(CLOUDS, again, memory=memory))
    assert again.submitted == []
    assert memory.asked == 60


def test_a_diagram_is_in_the_memory_before_it_is_handed_over() -> None:
    memory = Remembering()
    for result in persistence_many(CLOUDS, memory=memory, max_workers=2):
        assert CLOUDS[result.index].tobytes() in memory.known


def test_what_is_computed_is_remembered_although_nobody_asks_for_it() -> None:
    memory = Remembering()
    with ThreadPoolExecutor(1) as pool:
        results = persistence_many([*CLOUDS, circle(300, 0.05)], pool, memory=memory, max_workers=1)
        next(results)
        results.close()
    assert {cloud.tobytes() for cloud in CLOUDS} <= memory.known.keys()


def test_a_bad_cloud_is_not_remembered() -> None:
    memory = Remembering()
    given = [CLOUDS[0], np.full((4, 2), np.nan), "no cloud", CLOUDS[1], [[1.0], [2.0, 3.0]]]
    results = {r.index: r for r in persistence_many(given, memory=memory, max_workers=1)}
    assert [i for i, r in sorted(results.items()) if r.error] == [1, 2, 4]
    assert len(memory.known) == 2


def test_a_buffer_that_is_filled_again_is_remembered_under_what_it_held() -> None:
    memory, buffer = Remembering(), np.empty((30, 2))

    def refilled() -> Iterator[np.ndarray]:
        for number in range(20):
            buffer[:] = circle(30, 0.05, number)
            yield buffer

    results = {r.index: r.diagram for r in persistence_many(refilled(), memory=memory, max_workers=2)}
    for number in range(20):
        cloud = circle(30, 0.05, number)
        assert results[number] == memory.known[cloud.tobytes()] == persistence(cloud)


def test_a_memory_that_refuses_stops_the_run() -> None:
    memory = Remembering()
    memory.broken = StoreError("the disk is full")
    with pytest.raises(StoreError, match="disk is full"):
        list(persistence_many(CLOUDS, memory=memory, max_workers=1))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="together"),
        pytest.param({"max_dimension": 2, "min_persistence": 0.05}, id="together, H2"),
        pytest.param({"engine": "gudhi", "max_dimension": 0}, id="H0"),
        pytest.param({"field": 3}, id="another field"),
        pytest.param({"threshold": 0.4}, id="cut"),
        pytest.param({"filtration": "h0"}, id="another filtration"),
        pytest.param({"engine": "ripser"}, id="an engine without batches"),
    ],
)
def test_clouds_in_one_task_are_answered_as_if_alone(options: dict) -> None:
    given = [*CLOUDS[:3], circle(1), circle(2), circle(220, 0.05)]
    for clouds in (given, given[:5], CLOUDS[:3]):
        found = persistence_each(clouds, options)
        assert found == [persistence(cloud, **options) for cloud in clouds]
        for diagram, cloud in zip(found, clouds, strict=True):
            alone = persistence(cloud, **options).provenance
            assert replace(diagram.provenance, seconds=0.0) == replace(alone, seconds=0.0)
            assert diagram.provenance.seconds > 0


def test_a_bad_cloud_or_option_in_a_task_is_what_it_is_alone() -> None:
    found = persistence_each([CLOUDS[0], np.full((4, 2), np.nan), np.zeros((0, 2)), CLOUDS[1]], {})
    assert [type(each) for each in found] == [Diagram, BadInput, Diagram, Diagram]
    assert found[3] == ALONE[1]
    assert all(isinstance(each, BadInput) for each in persistence_each(CLOUDS[:2], {"max_dimension": 99}))
    assert all(isinstance(each, BadInput) for each in persistence_each(CLOUDS[:2], {"min_persistence": -1.0}))


def test_clouds_at_work_together_stay_within_the_memory() -> None:
    gate, most, running, lock = threading.Event(), [0], [0], threading.Lock()

    class Watching(ThreadPoolExecutor):
        def submit(self, call: object, *args: object, **options: object) -> Future:
            with lock:
                running[0] += 1
                most[0] = max(most[0], running[0])
            future = super().submit(call, *args, **options)
            future.add_done_callback(lambda _: running.__setitem__(0, running[0] - 1))
            return future

    gate.set()
    limit = 2.5 * work_estimate(60, 2, 1).bytes
    clouds = [circle(60, 0.1, i) for i in range(10)]
    with Watching(4) as pool:
        assert len(list(persistence_many(clouds, pool, max_workers=4, max_bytes=limit))) == 10
    assert most[0] == 2


@pytest.mark.parametrize("filtration", ["lower_star", "alpha", "h0"])
def test_each_cloud_is_held_to_the_limit_whatever_its_filtration(filtration: str) -> None:
    data = [np.sin(np.arange(500.0))] * 3 if filtration == "lower_star" else [circle(500, 0.1)] * 3
    options = {"filtration": filtration, "max_dimension": 0, "max_workers": 1}
    refused = list(persistence_many(data, max_bytes=1000, **options))
    assert all(isinstance(r.error, TooLarge) and "1e+03 bytes" in str(r.error) for r in refused)
    assert all(r.error is None for r in persistence_many(data, max_bytes=1e9, **options))


def test_small_clouds_of_one_task_are_held_to_the_limit_too() -> None:
    limit = work_estimate(25, 2, 1).bytes
    found = persistence_each(CLOUDS[:8], {"max_bytes": float(limit)})
    assert [isinstance(one, TooLarge) for one in found] == [False] * 6 + [True] * 2
    assert found[:6] == ALONE[:6]


def test_the_clouds_of_one_task_share_the_time_that_they_took() -> None:
    started = time.perf_counter()
    found = persistence_each(CLOUDS * 4, {})
    assert sum(diagram.provenance.seconds for diagram in found) <= 1.5 * (time.perf_counter() - started)


@pytest.mark.parametrize("filtration", ["rips", "h0"])
def test_tasks_grow_with_the_work_that_was_done(filtration: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(many, "_PATIENCE", float("inf"))  # a busy machine is no slow source
    sizes: list[int] = []
    known = replace(ALONE[0], provenance=replace(ALONE[0].provenance, seconds=1e-3))

    class Steady(AtOnce):
        """Each cloud takes a millisecond, or says so."""

        def submit(self, call: object, *args: object, **more: object) -> Future:
            sizes.append(len(args[0]))
            return super().submit(lambda clouds: [known] * len(clouds), args[0])

    clouds = [CLOUDS[0][:4]] * 4000
    assert len(list(persistence_many(clouds, Steady(), max_workers=1, filtration=filtration))) == 4000
    assert sum(sizes) == 4000
    later = sizes[3:-1]  # once some are done: from 0.1 s to an eighth of all work before
    assert 100 <= min(later) < 150
    assert 350 < max(later) < 500


def test_the_free_memory_of_this_machine_is_known() -> None:
    assert free_memory.available_bytes() > 1e6


def test_progress_goes_to_the_log_or_to_a_callable_or_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, logger=many.__name__)
    list(persistence_many(CLOUDS, max_workers=1, progress=False))
    assert caplog.text == ""
    list(persistence_many(CLOUDS, max_workers=1))
    assert "30 of 30 clouds, 0 failed" in caplog.text
    seen: list[Progress] = []
    list(persistence_many(iter([CLOUDS[0], "bad"]), max_workers=1, progress=seen.append))
    assert [(p.done, p.total) for p in seen] == [(1, None), (2, None)]
    assert seen[-1].failed == 1


INTERRUPTED = """
import os, signal, threading
import numpy as np
from toriwork.topology import persistence_many

def endless():
    yield from (np.random.default_rng(i).random((8, 2)) for i in range(6))
    while True:
        yield np.random.default_rng(0).random((700, 3))

kept = []
try:
    for result in persistence_many(endless(), max_workers=1, progress=False):
        kept.append(result)
        if len(kept) == 6:
            threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
except KeyboardInterrupt:
    print(len(kept), all(r.diagram is not None for r in kept), flush=True)
"""


def test_an_interrupt_ends_the_run_and_keeps_what_was_handed_over() -> None:
    done = subprocess.run([sys.executable, "-c", INTERRUPTED], capture_output=True, text=True, check=False, timeout=60)
    count, whole = done.stdout.split()
    assert int(count) >= 6
    assert whole == "True"
