"""Locks that no thread waits for while it holds them itself.

A signal handler, a ``__del__`` method, a weakref callback or a logging handler may run at any point of the very code
that it calls. An ordinary lock would then wait for ever, a reentrant one would let it see half a change. This one says
that it is busy, at once.

An interrupt of the worst kind comes when a block is left and its lock not yet given up. Then the lock has an owner but
nobody is inside any more; whoever asks for it next in that thread finds this out and gives it up first.
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

from toriwork.errors import Busy

BUSY = (
    "busy in this thread: a signal handler, a __del__ method, a weakref callback or a logging handler called in the "
    "middle of another call; nothing was done. Set a flag there and do it behind that call"
)


class Mutex:
    """A lock, and how to ask for it: ``with self._mutex.alone(): ...``.

    Parameters
    ----------
    name
        The attribute (or the global variable) under which it is kept by whoever uses it.
    """

    __slots__ = ("lock", "name", "owned")

    def __init__(self, name: str) -> None:
        self.name = name
        #: entered and left by one C call each, between which and the block no interrupt comes
        self.lock = threading.RLock()
        #: whether the calling thread holds it; where every call counts, ``alone`` is only called when it does
        self.owned: Callable[[], bool] = self.lock._is_owned  # type: ignore[attr-defined] # noqa: SLF001

    def alone(self) -> Any:
        """The lock, to be entered.

        Raises
        ------
        Busy
            The calling thread is inside already.
        """
        if self.owned() and self._is_inside(sys._getframe(2)):  # noqa: SLF001
            raise Busy(BUSY)
        return self.lock

    def is_free(self) -> bool:
        """True when the calling thread may ask for it: it is not inside."""
        return not (self.owned() and self._is_inside(sys._getframe(2)))  # noqa: SLF001

    def release(self) -> None:
        """Give it up as often as the calling thread took it, which may be never."""
        while self.owned():
            self.lock.release()

    def _is_inside(self, frame: FrameType | None) -> bool:
        """True when one of the interrupted calls can hold this lock; if none can, it is left over and given up here."""
        while frame is not None:
            if self.name in frame.f_code.co_names:
                keeper = frame.f_locals.get("self")
                if getattr(keeper, self.name, None) is self or frame.f_globals.get(self.name) is self:
                    return True
            frame = frame.f_back
        self.release()
        return False


#: who holds a lock that is not of threads but of files, by key and thread: the call that does, and how to give it up
_Holder = tuple[FrameType, Callable[[], None]]
_HOLDERS: dict[tuple[Any, int], _Holder] = {}


def hold(key: Any, give_up: Callable[[], None]) -> _Holder | None:
    """Note that the call which enters this context manager holds, or tries to take, a lock of files from now on.

    Comes before the lock is taken: a callback in between would wait for its own thread. Returns what was noted before,
    by a call that this one interrupted, for :func:`let_go`.
    """
    frame = sys._getframe(2)  # noqa: SLF001
    while frame.f_globals.get("__name__") == "contextlib" and frame.f_back is not None:
        frame = frame.f_back
    here = key, threading.get_ident()
    before = _HOLDERS.get(here)
    _HOLDERS[here] = frame, give_up
    return before


def let_go(key: Any, before: _Holder | None = None) -> None:
    """Note that it does not any more."""
    here = key, threading.get_ident()
    if before is None:
        _HOLDERS.pop(here, None)
    else:
        _HOLDERS[here] = before


def holds(key: Any) -> bool:
    """True when the calling thread holds a lock of files in a call that is not over; one left over is given up."""
    holder = _HOLDERS.get((key, threading.get_ident()))
    if holder is None:
        return False
    frame: FrameType | None = sys._getframe(1)  # noqa: SLF001
    while frame is not None:
        if frame is holder[0]:
            return True
        frame = frame.f_back
    holder[1]()
    let_go(key)
    return False
