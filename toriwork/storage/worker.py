"""The thread behind a handle: syncs once a second while rows are at risk, seals, and publishes by policy.

Nobody has to call flush for memory, journals and the window of loss to stay bounded. It holds its handle weakly: when
nobody else holds it any more, the thread syncs a last time and ends. It also ends when there was nothing to do
for a while: a handle that does nothing has no thread.
"""

from __future__ import annotations

import contextlib
import logging
import weakref
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from toriwork.errors import Closed, DurabilityError
from toriwork.locks import Mutex
from toriwork.threads import BackgroundThread

if TYPE_CHECKING:
    from toriwork.storage.writer import Writer

_LOG = logging.getLogger("toriwork.storage")
_PERIOD = 1.0  # seconds
_IDLE_ROUNDS = 5  # without work, then the thread ends; the next append starts another
_ROUND_SECONDS = 10.0
_TIDY_SECONDS = 1.0  # for a thread whose last round is over to be gone


class Worker:
    """Does a round of work once a second, or at once when somebody asks for it.

    ``work`` is a method of the handle, which is held weakly; True: there was or will be anything to do. ``writer`` is
    synced and closed when the handle is collected.
    """

    def __init__(self, work: Callable[[], bool], writer: Writer | None) -> None:
        # not an Event: an interrupt inside Event.set() can leave its lock taken for ever, SimpleQueue is one C call
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._work = weakref.WeakMethod(work, lambda _, bell=self._bell: bell.put(None))  # type: ignore[misc]
        self._writer = writer
        self._at_work = Mutex("_at_work")  #: during a round
        self._turn: object = None  #: of the thread that may go on; an older one ends
        self._thread: BackgroundThread | None = None
        self.awake = False  #: whether the next round comes by itself

    def ask(self) -> None:
        """Return when the calling thread is not in the middle of anything here; Busy when it is."""
        self._at_work.alone()

    def wake(self, *, now: bool = True) -> None:
        """Have a round each second until there is nothing left to do.

        The first one comes at once; with ``now=False`` a new thread leaves its first second to whoever appends.
        """
        self.awake = True
        alive = self._turn is not None and self._thread is not None and self._thread.is_alive()
        if not alive and not self._start():
            return
        if now or alive:
            self._bell.put(None)

    def _start(self) -> bool:
        """True when there is a thread now. Of two that were started at the same moment one ends."""
        turn = object()
        thread = BackgroundThread(lambda: self._run(turn), "toriwork-store")
        try:
            self._turn, self._thread = turn, thread
            thread.start()
        except BaseException as error:
            self._turn, self.awake = None, False  # the next append tries again
            if not isinstance(error, RuntimeError):
                raise
            # out of threads, or the interpreter is ending: the row is recorded all the same
            _LOG.debug("no background thread: %s", error)
            return False
        return True

    def stop(self) -> None:
        """Return when no round is under way and none will begin, until somebody wakes it again."""
        self._turn, self.awake = None, False
        self._bell.put(None)
        thread = self._thread
        if thread is None or thread.is_current():
            return
        lock = self._at_work.alone()
        try:
            # a round that is under way is finished first; not for ever: it may be logging, where we are waited for
            lock.acquire(timeout=_ROUND_SECONDS)
            self._turn, self._thread = None, None  # again: the round may have set it
        finally:
            self._at_work.release()
        if thread.is_alive():
            thread.join(_TIDY_SECONDS)

    def _run(self, turn: object) -> None:
        idle = 0
        while True:
            self._wait()
            with self._at_work.alone():
                busy = self._round() if self._turn is turn else None
                idle = 0 if busy else idle + 1
                if busy is None:
                    break
                if idle >= _IDLE_ROUNDS:
                    # an append sets ``dirty`` before it looks at ``awake``; so this asks once more behind it
                    self._turn, self.awake = None, False
                    if self._writer is None or not self._writer.dirty:
                        break
                    self._turn, self.awake = turn, True
        self._bell.put(None)  # for another one that may wait at the same bell

    def _wait(self) -> None:
        with contextlib.suppress(Empty):
            self._bell.get(timeout=_PERIOD)
            while not self._bell.empty():  # several calls are one
                self._bell.get_nowait()

    def _round(self) -> bool | None:
        """True when there was anything to do; None when there will not be any more."""
        work = self._work()
        try:
            if work is not None:
                return work()
            if self._writer is not None:  # the handle was dropped without being closed
                self._writer.sync(mark=True)
                self._writer.close()
        except Closed:
            return None
        except DurabilityError as error:
            _LOG.warning("the handle takes no more rows: %s", error)
        except Exception as error:  # noqa: BLE001 - nobody waits for this thread; the user's next call meets it again
            _LOG.warning("background work failed: %s: %s", type(error).__name__, error)
            return True
        return None
