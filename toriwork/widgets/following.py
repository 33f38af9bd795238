"""A thread that refreshes a panel now and then; no monitor waits for it."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable


class Follower:
    """Calls ``refresh`` every ``seconds`` in a thread, until stopped or until the owner of ``refresh`` is gone."""

    def __init__(self, refresh: Callable[[], object], seconds: float) -> None:
        self._ended = threading.Event()
        arguments = (weakref.WeakMethod(refresh), self._ended, seconds)
        self._thread = threading.Thread(target=_run, args=arguments, daemon=True, name="toriwork-follower")
        self._thread.start()

    def stop(self) -> None:
        """End the thread; a refresh that has begun is finished."""
        self._ended.set()
        if self._thread is not threading.current_thread():
            self._thread.join()


def _run(refresh: weakref.WeakMethod[Callable[[], object]], ended: threading.Event, seconds: float) -> None:
    while not ended.wait(seconds):
        call = refresh()
        if call is None:
            return
        call()
        del call  # or the thread would keep its owner while it waits
