"""The processes of a run: they end with the one that started them, and their failures are told once."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import psutil

from toriwork.soak.pool import WorkerPool
from toriwork.soak.worker import run_folder

RUN = "r"


WATCHER = """
import pathlib, sys, time
from toriwork.soak.pool import WorkerPool
pool = WorkerPool(pathlib.Path(sys.argv[1]), "r", 0.01)
pool.wait_for([pool.start("writer")])
print(*(worker.process.pid for worker in pool._workers.values()), flush=True)
time.sleep(600)
"""


def test_the_workers_end_when_the_one_who_watches_is_killed(tmp_path: Path) -> None:
    run_folder(tmp_path, RUN).mkdir()
    process = subprocess.Popen([sys.executable, "-c", WATCHER, str(tmp_path)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    worker = psutil.Process(int(process.stdout.readline()))
    assert worker.is_running()
    process.kill()
    process.communicate()
    assert psutil.wait_procs([worker], timeout=60)[1] == []


def test_a_worker_that_fails_is_a_finding_with_its_last_words(tmp_path: Path) -> None:
    run_folder(tmp_path, RUN).mkdir()
    pool = WorkerPool(tmp_path, RUN, 0.01)
    pool.start("reader")  # of files that are not there
    try:
        pool.wait_for([0])
        while pool.alive:
            pass
        (told,) = pool.failures()
    finally:
        pool.stop()
    assert told.startswith("reader 0 failed: toriwork.errors.")
    assert pool.failures() == []


def test_what_grows_is_looked_for_with_one_arena_and_others_run_as_users_do(tmp_path: Path) -> None:
    run_folder(tmp_path, RUN).mkdir()
    pool = WorkerPool(tmp_path, RUN, 0.01)
    try:
        pool.wait_for([pool.start("writer"), pool.start("writer", steady=True)])
        found = [psutil.Process(one.process.pid).environ().get("MALLOC_ARENA_MAX") for one in pool._workers.values()]
    finally:
        pool.stop()
    assert found == [os.environ.get("MALLOC_ARENA_MAX"), "1"]
