"""Loading the engines, once a process, in such a way that a fork does not come in between.

A child that is forked while a thread imports a module would wait for ever for that thread, which it does not have. The
engines bring more than a thousand modules, and it is a thread that computes the first Betti numbers.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable

from toriwork.locks import Mutex

_FORK_SECONDS = 60.0  # loading takes one, on a busy machine ten
_LOADING = Mutex("_LOADING")  #: held while the engines are loaded, and while the process is forked before they are
_state = {"loaded": False, "forking": False}


def load_once(load: Callable[[], object]) -> None:
    """Run what loads the engines, unless that was done; a fork waits for it.

    Raises
    ------
    Busy
        The calling thread is loading them already: a signal handler came in between.
    """
    if _state["loaded"]:
        return
    with _LOADING.alone():
        if not _state["loaded"]:
            with contextlib.suppress(Exception):  # the computation that follows meets it again and says so
                load()
            _state["loaded"] = True


def _before_fork() -> None:
    _state["forking"] = not _state["loaded"] and _LOADING.lock.acquire(timeout=_FORK_SECONDS)


def _after_fork() -> None:
    if _state["forking"]:
        _state["forking"] = False
        _LOADING.lock.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
