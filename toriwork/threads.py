"""Threads behind a handle, whose start waits for nothing.

``threading.Thread.start`` returns when the new thread says that it runs. Before it says so, a weakref callback or a
``__del__`` method may run in it, and call the very handle that starts it and is locked meanwhile: both would wait for
each other. Here whoever starts a thread goes on at once.
"""

from __future__ import annotations

import _thread
import contextlib
import os
from collections.abc import Callable

#: of threads that were started and did not end yet
_RUNNING: set[BackgroundThread] = set()


class BackgroundThread:
    """A thread that does ``work`` once, and that an interpreter which ends does not wait for.

    Parameters
    ----------
    work
        Called without arguments in the new thread. What it raises goes to ``sys.unraisablehook``.
    name
        For :func:`running`.
    """

    def __init__(self, work: Callable[[], object], name: str) -> None:
        self._work: Callable[[], object] | None = work
        self.name = name
        self._process = os.getpid()  # in a child of a fork there is no such thread
        self._running = _thread.allocate_lock()  #: taken from the start to the end
        self._ident = 0

    def start(self) -> None:
        """Have the work begin in a new thread.

        Raises
        ------
        RuntimeError
            There are too many threads, or the interpreter is ending. Nothing was begun.
        """
        try:
            self._running.acquire()
            _RUNNING.add(self)
            _thread.start_new_thread(self._run, ())
        except BaseException:  # an interrupt too
            self._over()
            raise

    def is_alive(self) -> bool:
        """True from the start to the end of the work."""
        return self._running.locked() and os.getpid() == self._process

    def is_current(self) -> bool:
        """True in the thread itself."""
        return self._ident == _thread.get_ident() and self.is_alive()

    def join(self, timeout: float) -> None:
        """Return when the work has ended, or after so many seconds."""
        if self.is_alive() and self._running.acquire(timeout=timeout):
            self._running.release()

    def _run(self) -> None:
        self._ident = _thread.get_ident()
        try:
            if (work := self._work) is not None:
                work()
        finally:
            self._over()

    def _over(self) -> None:
        self._work = None  # which holds whoever started this
        _RUNNING.discard(self)
        with contextlib.suppress(RuntimeError):  # an interrupt came in the middle of the start
            self._running.release()


def running() -> list[BackgroundThread]:
    """The threads that are alive in this process."""
    return [thread for thread in _RUNNING.copy() if thread.is_alive()]
