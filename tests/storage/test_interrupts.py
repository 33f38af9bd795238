"""A KeyboardInterrupt at any line of the store: the handle works or is closed, and no row is lost or comes twice."""

from __future__ import annotations

import contextlib
import gc
import linecache
import random
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.storage.everywhere import Stop, count
from tests.storage.kinds import KINDS, Kind, Plain
from toriwork.errors import Closed
from toriwork.storage import journal, maintenance
from toriwork.threads import BackgroundThread, running

ACTIONS = ("open", "add", "first", "roll", "seal", "flush", "publish", "close", "names")
SAMPLES = 2
#: Python drops an interrupt that comes while it collects an object, and says so
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")


class Case:
    """A table with three rows of which one is public, and something that is done to it."""

    def __init__(self, kind: Kind, action: str) -> None:
        self.kind, self.action = kind, action
        self.acked: list[str] = []
        self.handle: Any = kind.open()
        self.add("r1")
        kind.publish(self.handle)
        self.add("r2")
        if action in ("open", "first"):
            kind.close(self.handle)
            self.handle = kind.open()
        elif action == "seal":
            self.add("r3")
        if action == "open":
            kind.close(self.handle)

    def add(self, name: str) -> None:
        self.kind.add(self.handle, name)
        self.acked.append(name)

    def act(self) -> None:
        if self.action == "open":
            self.handle = self.kind.open()
        elif self.action in ("add", "first"):
            self.add("r4")
        elif self.action == "roll":
            for name in ("r4", "r5", "r6"):
                self.add(name)
        elif self.action == "seal":
            self.kind.table(self.handle).run_maintenance()
        else:
            getattr(self.kind, self.action)(self.handle)

    def check(self) -> None:
        """The handle works or says that it is closed; a new one finds every row that was acknowledged, once."""
        may_be_closed = contextlib.nullcontext() if self.kind.reopens else contextlib.suppress(Closed)
        with may_be_closed:
            self.add("r7")
            self.kind.flush(self.handle)
            self.add("r8")
        self.kind.close(self.handle)
        self.kind.close(self.handle)
        again = self.kind.open()
        self.rows(again)
        self.kind.publish(again)
        self.rows(again)
        self.kind.close(again)
        self.kind.sound()

    def rows(self, handle: Any) -> None:
        found = Counter(self.kind.names(handle))
        assert [name for name in self.acked if found[name] != 1] == []
        assert max(found.values()) == 1


def threads(before: set[BackgroundThread]) -> list[str]:
    """Threads of the store that are still there and were not before; they may take a moment to go."""
    until = time.monotonic() + 10
    while True:
        found = [thread.name for thread in set(running()) - before]
        if not found or time.monotonic() > until:
            return found
        time.sleep(0.01)


def descriptors(folder: Path) -> list[str]:
    """Files below a folder that this process has open."""
    names = []
    for number in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(OSError):  # the one of this very loop
            names.append(str(number.readlink()))
    return [name for name in names if name.startswith(str(folder))]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Journals are full after a row or two and sealed at any size. In the end no file is left open."""
    monkeypatch.setattr(journal, "ROLL_BYTES", 400)
    monkeypatch.setattr(maintenance, "_SEAL_BYTES", 1)
    yield
    gc.collect()
    if sys.platform == "linux":
        assert descriptors(tmp_path) == []


def interrupted(kind: type[Kind], action: str, at: int, folder: Path, *, opcodes: bool, keep: bool) -> None:
    folder.mkdir()
    before = set(running())  # of handles that other tests keep: not this one's
    case = Case(kind(folder), action)
    stop = Stop(at, opcodes=opcodes, keep=keep)
    stop.run(case.act)
    try:
        case.check()
        assert threads(before) == []
    except BaseException as error:
        error.add_note(f"interrupted before {stop.where or 'nothing'}, number {at}, kept {keep}")
        raise


def number_of(kind: type[Kind], action: str, folder: Path, *, opcodes: bool = False) -> int:
    folder.mkdir()
    case = Case(kind(folder), action)
    n = count(case.act, opcodes=opcodes)
    case.check()
    return n


@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_an_interrupt_leaves_a_handle_that_works_or_is_closed(kind: type[Kind], action: str, tmp_path: Path) -> None:
    n_lines = number_of(kind, action, tmp_path / "counted")
    rng = random.Random(f"{kind.__name__} {action}")
    for number, at in enumerate(sorted(rng.sample(range(1, n_lines + 1), min(n_lines, SAMPLES)))):
        interrupted(kind, action, at, tmp_path / str(number), opcodes=False, keep=rng.random() < 0.5)


def test_an_interrupt_at_any_line_of_upkeep_leaves_the_lock_of_publishing_free(tmp_path: Path) -> None:
    """But for the line that gives it up; this thread's next call finds that out, others wait until then."""
    at, reached, left = 0, True, []
    while reached:
        at += 1
        folder = tmp_path / str(at)
        folder.mkdir()
        case = Case(Plain(folder), "publish")
        stop = Stop(at, only="storage/maintenance.py")
        reached = stop.run(case.act)
        if case.handle._maintenance._publishing.owned():
            left.append(linecache.getline(maintenance.__file__, int(stop.where.split(":")[1].split()[0])).strip())
        assert set(left) <= {"self._publishing.release()"}
        case.check()
    assert at > 20


@pytest.mark.long
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_so_does_one_before_every_line(kind: type[Kind], action: str, tmp_path: Path) -> None:
    for at in range(1, number_of(kind, action, tmp_path / "counted") + 1):
        interrupted(kind, action, at, tmp_path / str(at), opcodes=False, keep=at % 2 == 0)


@pytest.mark.long
@pytest.mark.parametrize("action", ACTIONS)
@pytest.mark.parametrize("kind", KINDS)
def test_so_does_one_before_any_byte_code(kind: type[Kind], action: str, tmp_path: Path) -> None:
    n_codes = number_of(kind, action, tmp_path / "counted", opcodes=True)
    rng = random.Random(f"{kind.__name__} {action}")
    for at in rng.sample(range(1, n_codes + 1), min(n_codes, 300)):
        interrupted(kind, action, at, tmp_path / str(at), opcodes=True, keep=at % 2 == 0)
