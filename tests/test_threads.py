"""Threads whose start waits for nothing."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

import toriwork
from toriwork.threads import BackgroundThread, running

PACKAGE = Path(toriwork.__file__).parent


@pytest.fixture
def one_at_a_time() -> Iterator[None]:
    """No thread takes over from another that does not wait."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(30.0)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("one_at_a_time")
def test_a_start_does_not_wait_for_the_new_thread() -> None:
    ran: list[int] = []
    thread = BackgroundThread(lambda: ran.append(1), "test")
    thread.start()
    assert (ran, thread.is_alive(), thread in running()) == ([], True, True)
    thread.join(60)
    assert (ran, thread.is_alive(), thread in running()) == ([1], False, False)


def test_a_join_has_an_end_and_ends_with_the_work() -> None:
    gate, inside = threading.Event(), []

    def work() -> None:
        gate.wait(60)
        inside.append(thread.is_current())

    thread = BackgroundThread(work, "test")
    thread.join(60)  # not started: nothing to wait for
    thread.start()
    thread.join(0.01)
    assert thread.is_alive()
    assert not thread.is_current()
    gate.set()
    thread.join(60)
    assert inside == [True]


def test_an_error_ends_the_thread_and_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", lambda said: told.append(said.exc_type))
    thread = BackgroundThread(lambda: 1 / 0, "test")
    thread.start()
    thread.join(60)
    for _ in range(1_000):  # the thread ends, then it is told
        if told:
            break
        threading.Event().wait(0.01)
    assert told == [ZeroDivisionError]
    assert not thread.is_alive()


def test_a_start_that_fails_leaves_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr("_thread.start_new_thread", refuse)
    thread = BackgroundThread(list, "test")
    with pytest.raises(RuntimeError, match="new thread"):
        thread.start()
    assert not thread.is_alive()
    assert thread not in running()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork")
def test_a_child_of_a_fork_has_no_thread() -> None:
    gate = threading.Event()
    thread = BackgroundThread(lambda: gate.wait(60), "test")
    thread.start()
    child = os.fork()
    if child == 0:
        os._exit(int(thread.is_alive() or bool(running())))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert thread.is_alive()
    gate.set()
    thread.join(60)


@pytest.mark.parametrize("room", ["storage", "registry", "synthesis", "cells"])
def test_no_handle_starts_a_thread_for_which_it_would_wait(room: str) -> None:
    assert [path.name for path in (PACKAGE / room).rglob("*.py") if "threading.Thread(" in path.read_text()] == []
