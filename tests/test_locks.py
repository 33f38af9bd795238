"""A lock that its own thread never waits for, and that no interrupt leaves taken for ever."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator

import pytest

from toriwork import locks
from toriwork.errors import Busy, StoreError
from toriwork.locks import Mutex


class Account:
    def __init__(self) -> None:
        self._mutex = Mutex("_mutex")
        self.events: list[str] = []

    def enter(self, inside: object = None) -> None:
        with self._mutex.alone():
            self.events.append("in")
            if callable(inside):
                inside()

    def quick(self) -> None:
        if self._mutex.owned():
            self._mutex.alone()
        with self._mutex.lock:
            self.events.append("quick")

    def take_and_fail(self) -> None:
        self._mutex.lock.acquire()  # as if an interrupt came before the block was left
        raise KeyboardInterrupt

    def outer(self, action: object) -> None:
        assert callable(action)
        action()


@pytest.fixture
def account() -> Account:
    return Account()


@pytest.mark.parametrize("name", ["enter", "quick"])
def test_a_call_inside_a_call_is_refused_and_does_nothing(account: Account, name: str) -> None:
    with pytest.raises(Busy, match="nothing was done"):
        account.enter(getattr(account, name))
    assert account.events == ["in"]
    account.enter()
    account.quick()
    assert account.events == ["in", "in", "quick"]
    assert issubclass(Busy, StoreError)


def test_another_object_is_not_busy(account: Account) -> None:
    other = Account()
    account.enter(other.enter)
    assert other.events == ["in"]


def test_a_call_inside_that_gives_up_leaves_the_lock_to_the_one_outside(account: Account) -> None:
    def handler() -> None:
        with pytest.raises(Busy):
            account.enter()
        assert account._mutex.owned()

    account.enter(handler)
    assert not account._mutex.owned()


@pytest.mark.parametrize("name", ["enter", "quick"])
def test_a_lock_that_an_interrupt_left_taken_is_given_up_by_the_next_call(account: Account, name: str) -> None:
    with pytest.raises(KeyboardInterrupt):
        account.take_and_fail()
    assert account._mutex.owned()
    account.outer(getattr(account, name))
    assert not account._mutex.owned()
    other = threading.Thread(target=account.enter)
    other.start()
    other.join(10)
    assert account.events[-1] == "in"
    assert len(account.events) == 2


def test_a_thread_waits_for_another(account: Account) -> None:
    inside, leave = threading.Event(), threading.Event()

    def stay() -> None:
        inside.set()
        leave.wait(10)

    first = threading.Thread(target=account.enter, args=(stay,))
    first.start()
    inside.wait(10)
    second = threading.Thread(target=account.enter)
    second.start()
    assert account._mutex.owned() is False
    leave.set()
    first.join(10)
    second.join(10)
    assert account.events == ["in", "in"]


def test_who_holds_a_lock_of_files_is_known_as_long_as_its_call_runs() -> None:
    given_up: list[str] = []
    kept: list[contextlib.AbstractContextManager[None]] = []

    @contextlib.contextmanager
    def context() -> Iterator[None]:
        locks.hold("key", lambda: given_up.append("key"))
        yield

    def holder(*, interrupted: bool) -> bool:
        kept.append(context())
        kept[-1].__enter__()
        inside = locks.holds("key")
        if not interrupted:
            locks.let_go("key")
        return inside

    assert holder(interrupted=False)
    assert not locks.holds("key")
    assert given_up == []
    assert holder(interrupted=True)
    assert not locks.holds("key")
    assert given_up == ["key"]
    assert not locks.holds("key")
    assert given_up == ["key"]
