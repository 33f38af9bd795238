"""A thread that looks when monitors have news, no more often than wanted, and holds up none of them."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Sequence
from typing import Any


class Follower:
    """Calls ``look`` when a monitor reports, and every ``seconds`` for those that report to nobody, until stopped.

    A report sets a flag and returns at once: a monitor never waits for a picture. The thread holds ``look`` weakly and
    ends with its owner.

    Parameters
    ----------
    monitors : sequence
        Those that have ``subscribe`` are subscribed to.
    look : bound method
        Called in the thread.
    seconds : float
        The least time between two calls, and the most when something has changed.
    """

    def __init__(self, monitors: Sequence[Any], look: Callable[[], object], seconds: float) -> None:
        self._news, self._ended = threading.Event(), threading.Event()
        self._subscriptions = [monitor.subscribe(self._notice) for monitor in monitors if hasattr(monitor, "subscribe")]
        self._thread = threading.Thread(
            target=_run, args=(weakref.WeakMethod(look), self._news, self._ended, seconds), daemon=True,
            name="toriwork-follower",
        )  # fmt: skip
        self._thread.start()

    def _notice(self, _: dict[str, Any]) -> None:
        self._news.set()

    def stop(self) -> None:
        """End the subscriptions and the thread; a look that has begun is finished."""
        for unsubscribe in self._subscriptions:
            unsubscribe()
        self._ended.set()
        self._news.set()
        if self._thread is not threading.current_thread():
            self._thread.join()


def _run(look: Callable[[], Any], news: threading.Event, ended: threading.Event, seconds: float) -> None:
    while not ended.wait(seconds):
        news.wait(seconds)
        news.clear()
        act = look()
        if act is None or ended.is_set():
            return
        act()
        del act  # or the thread would keep its owner while it waits
