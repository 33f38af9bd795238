"""Calls into the store from where they may come in the middle of other calls into it.

``python handlers.py FOLDER HOW RUNS SEED``: the main thread records, flushes, reads and closes, while a signal handler,
a ``__del__`` method, a weakref callback or a logging handler does the same, at any point of it. Each such call works or
raises ``Busy`` at once. In the end every row that was acknowledged is there once.
"""

from __future__ import annotations

import atexit
import faulthandler
import gc
import json
import logging
import random
import signal
import sys
import threading
import weakref
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from toriwork.cells.memory import DiagramMemory
from toriwork.errors import Busy, Closed
from toriwork.registry import TorusRegistry
from toriwork.synthesis import ObserverSynthesis
from toriwork.topology import persistence

CLOUD = np.random.default_rng(0).normal(size=(6, 2))
_LUCK = 20  #: times as many runs until one of them was in the middle of a call
DIAGRAM = persistence(CLOUD, max_dimension=1)


class User:
    """Handles on three tables and every call that there is; it remembers which rows were acknowledged."""

    def __init__(self, folder: Path, rng: random.Random) -> None:
        self.folder, self.rng = folder, rng
        self.registry = self.opened()
        self.tokens = ObserverSynthesis(path=folder / "t.parquet")
        self.diagrams = DiagramMemory(folder / "m.parquet")
        self.n = 0
        self.rows: set[int] = set()
        self.emitted: set[int] = set()
        self.busy: Counter[str] = Counter()
        self.done: Counter[str] = Counter()
        self.calls: dict[str, Callable[[], Any]] = {
            "record": self.record,
            "record_shapes": self.record_many,
            "flush": lambda: self.registry.flush(publish=None),  # of the registry that is open then
            "publish": lambda: self.registry.flush(publish=True),
            "query_recent": lambda: self.registry.query_recent(3),
            "scan": lambda: self.registry.scan(["row_id"]).read_all(),
            "close": lambda: self.registry.finish(None),
            "open": self.another,
            "emit": self.emit,
            "log.flush": self.tokens.flush,
            "log.publish": self.log_publish,
            "log.close": self.tokens.close,
            "put": lambda: self.diagrams.put(DIAGRAM, CLOUD + self.number()),
            "get": lambda: self.diagrams.get(CLOUD + self.number(), max_dimension=1),
            "memory.flush": lambda: self.diagrams.flush(publish=True),
            "memory.close": self.diagrams.close,
        }

    def opened(self) -> TorusRegistry:
        return TorusRegistry(self.folder / "x.parquet", betti_threads=1)

    def number(self) -> int:
        self.n += 1
        return self.n

    def record(self) -> None:
        n = self.number()
        self.registry.record_shape(CLOUD, [1, 0] if n % 2 else None, metadata={"n": n})
        self.rows.add(n)

    def record_many(self) -> None:
        numbers = [self.number() for _ in range(3)]
        self.registry.record_shapes([CLOUD] * 3, [[1, 0]] * 3, metadata=[{"n": n} for n in numbers])
        self.rows.update(numbers)

    def emit(self) -> None:
        n = self.number()
        self.tokens.emit_token({"n": n})
        self.emitted.add(n)

    def log_publish(self) -> None:
        log = self.tokens.log
        assert log is not None
        log.flush(publish=True)

    def another(self) -> None:
        with self.opened() as registry:
            n = self.number()
            registry.record_shape(CLOUD, [1, 0], metadata={"n": n})
            self.rows.add(n)

    def do(self, name: str) -> None:
        """Make a call, which may find the handle closed or this thread in the middle of another call."""
        try:
            self.calls[name]()
        except Busy:
            self.busy[name] += 1
        except Closed:  # the other one closed it
            return
        self.done[name] += 1

    def something(self) -> None:
        """Any call; a cheap one more often."""
        self.do(self.rng.choice([*self.calls, "record", "record", "emit", "emit", "emit", "put"]))

    def main(self, wanted: int, most: int, ran: Counter[str]) -> None:
        """Do anything until the handler has run often enough, and once in the middle of a call, or ``most`` times."""
        while (times := sum(ran.values())) < wanted or (not self.busy and times < most):
            if self.registry.closed:
                self.registry = self.opened()
            self.something()

    def check(self) -> None:
        """Every acknowledged row is there, once."""
        self.registry.close()
        with self.opened() as registry:
            registry.flush(publish=True)
            texts = registry.scan(["metadata"]).read_all()["metadata"].to_pylist()
        found = Counter(json.loads(text)["n"] for text in texts)
        assert [n for n in self.rows if found[n] != 1] == []
        assert max(found.values(), default=1) == 1
        self.diagrams.close()
        self.tokens.close()
        log = self.tokens.log
        assert log is not None
        emitted = Counter(json.loads(text)["m"]["n"] for text in log.rows()["body"].to_pylist())
        assert [n for n in self.emitted if emitted[n] != 1] == []
        assert log.verify().findings == ()
        self.tokens.close()


class Guest:
    """What comes in the middle: it makes one call at a time, and remembers what went wrong."""

    def __init__(self, user: User, seed: int) -> None:
        self.user, self.rng = user, random.Random(seed)
        self.ran: Counter[str] = Counter()
        self.wrong: list[BaseException] = []
        self.kept: set[object] = set()
        self._inside = threading.local()

    def comes(self) -> None:
        if getattr(self._inside, "here", False):
            return
        self._inside.here = True
        name = self.rng.choice(list(self.user.calls))
        try:
            self.user.do(name)
        except BaseException as error:  # noqa: BLE001 - told in the end: nobody sees what a __del__ raises
            self.wrong.append(error)
        finally:
            self.ran[name] += 1
            self._inside.here = False


def by_signal(guest: Guest) -> None:
    def comes(*_: object) -> None:
        guest.comes()
        signal.setitimer(signal.ITIMER_REAL, guest.rng.uniform(1e-5, 5e-3))

    signal.signal(signal.SIGALRM, comes)
    signal.setitimer(signal.ITIMER_REAL, 0.01)


def by_del(guest: Guest) -> None:
    class Dying:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            guest.comes()
            Dying()  # garbage of a cycle: collected in the middle of anything

    gc.set_threshold(50, 2, 2)
    Dying()


def by_weakref(guest: Guest) -> None:
    class Dying:
        pass

    kept = guest.kept  # held from outside: a reference that is garbage itself is never called back

    def comes(reference: object) -> None:
        kept.discard(reference)
        guest.comes()
        born()

    def born() -> None:
        dying = Dying()
        dying.me = dying  # type: ignore[attr-defined]
        kept.add(weakref.ref(dying, comes))

    gc.set_threshold(50, 2, 2)
    born()


def by_logging(guest: Guest) -> None:
    class Recording(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            guest.comes()

    logger = logging.getLogger("toriwork")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(Recording())


HOW = {"signal": by_signal, "del": by_del, "weakref": by_weakref, "logging": by_logging}


def main(folder: str, how: str, runs: str, seed: str) -> None:
    faulthandler.dump_traceback_later(240, exit=True)
    user = User(Path(folder), random.Random(int(seed)))
    guest = Guest(user, int(seed) + 1)
    if how == "atexit":  # runs before those of the store, and among them
        for name in user.calls:
            atexit.register(user.do, name)
        for _ in range(10):
            user.something()
        return
    HOW[how](guest)
    # a logging handler is called where nothing is locked
    user.main(int(runs), int(runs) * (1 if how == "logging" else _LUCK), guest.ran)
    signal.setitimer(signal.ITIMER_REAL, 0)
    guest.comes = lambda: None  # type: ignore[method-assign]
    gc.set_threshold(700, 10, 10)
    if guest.wrong:
        raise guest.wrong[0]
    user.check()
    print(json.dumps({"ran": guest.ran, "busy": user.busy}))  # noqa: T201 - for the test that started this


if __name__ == "__main__":
    main(*sys.argv[1:])
