"""Signal handlers, ``__del__``, weakref callbacks, logging handlers, exit functions: none waits for its own thread."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.storage.memdisk import MemDisk
from tests.storage.rows import BASE, BY_HAND, SPEC, add, names_of, still
from toriwork.errors import Busy
from toriwork.storage import ParquetTable
from toriwork.storage.handles import OsHandle
from toriwork.storage.paths import StorePaths

HERE = Path(__file__).parent
HOW = ("signal", "del", "weakref", "logging")


def run(folder: Path, how: str, runs: int, seed: int) -> dict[str, dict[str, int]]:
    """What ran and what was busy; a call that hangs ends the process with a traceback, and the test."""
    folder.mkdir()
    command = [sys.executable, str(HERE / "handlers.py"), str(folder), how, str(runs), str(seed)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr, done.stderr
    said: dict[str, dict[str, int]] = json.loads(done.stdout or "{}")
    return said


class Handler:
    """A signal handler that runs in the n-th call of the disk, calls a table that is busy, and lets the error out."""

    def __init__(self, at: int) -> None:
        self.at, self.raised = at, False

    def __call__(self, what: str, path: Path) -> None:
        if threading.current_thread() is threading.main_thread():
            self.at -= 1
        if self.at == 0 and not self.raised:
            self.raised = True
            raise Busy("busy in this thread")


CALLS: dict[str, Callable[[ParquetTable], object]] = {
    "snapshot": names_of,
    "verify": ParquetTable.verify,
    "sync": ParquetTable.sync,
    "publish": lambda table: table.flush(publish=True),
    "flush": ParquetTable.flush,
    "pending_age": lambda table: table.pending_age,
    "open": lambda table: ParquetTable(table.path, SPEC, files=table.files, policy=BY_HAND),
    "repair": lambda table: ParquetTable(table.path, SPEC, files=table.files, policy=BY_HAND, repair=True),
}


@pytest.mark.parametrize("call", CALLS)
def test_what_a_handler_raises_is_never_called_damage_nor_swallowed(call: str) -> None:
    at, raised = 0, True
    while raised:
        at += 1
        disk = MemDisk()
        files = disk.files()
        table = still(ParquetTable(BASE, SPEC, files=files, policy=BY_HAND))
        add(table, "a1")
        table.flush(publish=True)
        add(table, "a2")
        files.hook = hook = Handler(at)
        try:
            CALLS[call](table)
        except Busy:
            assert hook.raised
        else:
            assert not hook.raised, f"call {at} of the disk"
        raised, files.hook = hook.raised, None
        assert names_of(table) == ["a1", "a2"]
    assert at > 3


INSIDE: dict[str, Callable[[ParquetTable], object]] = {
    "append": lambda table: add(table, "b1"),
    "sync": ParquetTable.sync,
    "flush": lambda table: table.flush(publish=False),
    "publish": lambda table: table.flush(publish=True),
    "close": ParquetTable.close,
}


@pytest.mark.parametrize("call", INSIDE)
@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_call_while_a_frame_is_written_is_busy_and_takes_no_frame_number(call: str, durability: str) -> None:
    files = MemDisk().files()
    table = still(ParquetTable(BASE, SPEC, files=files, policy=BY_HAND, durability=durability))
    add(table, "a1")
    said: list[str] = []

    def handler(what: str, path: Path) -> None:
        if what == "write" and not said:
            said.append("")
            try:
                INSIDE[call](table)
            except Busy:
                said.append("busy")

    files.hook = handler
    add(table, "a2")
    files.hook = None
    assert said == ["", "busy"]
    add(table, "a3")
    assert names_of(table) == ["a1", "a2", "a3"]
    table.flush(publish=True)
    assert table.verify().ok


@pytest.mark.parametrize("step", ["try_lock", "unlock", "stat"])
def test_a_callback_as_the_lock_is_taken_and_given_up_is_busy_at_once(
    step: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = ParquetTable(tmp_path / "x.parquet", SPEC, policy=BY_HAND)
    other = ParquetTable(tmp_path / "x.parquet", SPEC, policy=BY_HAND)
    add(table, "a1")
    lock = StorePaths(table.path).lock
    doing, said = getattr(OsHandle, step), []

    def do(handle: OsHandle) -> object:
        done = doing(handle) if step != "unlock" else None
        if not said and os.path.samestat(os.fstat(handle.fileno()), lock.stat()) and locked(handle):
            said.append("")
            try:
                other.flush(publish=True)  # of another handle, which knows nothing of this one
            except Busy:
                said.append("busy")
        return done if step != "unlock" else doing(handle)

    monkeypatch.setattr(OsHandle, step, do)
    table.flush(publish=True)
    monkeypatch.undo()
    assert said == ["", "busy"]
    add(other, "a2")
    other.flush(publish=True)
    assert names_of(table) == ["a1", "a2"]


def locked(handle: OsHandle) -> bool:
    """True when somebody holds the lock of this very file."""
    fcntl = pytest.importorskip("fcntl")
    with Path(f"/proc/self/fd/{handle.fileno()}").open("rb") as again:
        try:
            fcntl.flock(again, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


@pytest.mark.parametrize("how", HOW)
def test_a_call_in_the_middle_of_another_works_or_raises_at_once(how: str, tmp_path: Path) -> None:
    said = run(tmp_path / how, how, 12, 1)
    assert sum(said["ran"].values()) >= 12


def test_exit_functions_may_call_anything(tmp_path: Path) -> None:
    run(tmp_path / "atexit", "atexit", 0, 1)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("how", HOW)
def test_five_hundred_calls_in_the_middle_of_others(how: str, seed: int, tmp_path: Path) -> None:
    said = run(tmp_path / how, how, 100 if how != "signal" else 400, seed)
    assert len(said["ran"]) > 12
    assert how == "logging" or sum(said["busy"].values()) > 0
