"""Loading the engines and pandas, once a process, in such a way that neither a fork nor a handler waits for ever.

A child that is forked while a thread imports a module would wait for ever for that thread, which it does not have. The
engines bring more than a thousand modules, and it is a thread that computes the first Betti numbers. pyarrow loads
pandas while it holds a lock that is not reentrant; a handler that comes meanwhile would wait for its own thread.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from types import FrameType

import pyarrow as pa

from toriwork.errors import Busy
from toriwork.lifetime import at_fork
from toriwork.locks import BUSY, Mutex

_FORK_SECONDS = 60.0  # loading takes one, on a busy machine ten
_LOADING = Mutex("_LOADING")  #: held while the engines are loaded, and while the process is forked before they are
_PANDAS = ("pandas", "pyarrow.pandas_compat")  # what pyarrow loads when it first meets a list or makes a DataFrame
_state = {"loaded": False, "forking": False, "pandas": False}


def load_once(load: Callable[[], object]) -> None:
    """Run what loads the engines, unless that was done; a fork waits for it. Busy in a handler that came in between."""
    if _state["loaded"]:
        return
    with _LOADING.alone():
        if not _state["loaded"]:
            with contextlib.suppress(Exception):  # the computation that follows meets it again and says so
                load()
            _state["loaded"] = True


def load_pandas() -> None:
    """Have pyarrow load pandas, unless that was done.

    Raises
    ------
    Busy
        The calling thread is loading it already: a signal handler came in between.
    """
    if _state["pandas"]:
        return
    if not all(name in sys.modules and not _is_being_loaded(name) for name in _PANDAS):
        frame: FrameType | None = sys._getframe(1)  # noqa: SLF001 - only this thread's own imports count
        while frame is not None:
            importing = frame.f_globals.get("__name__") == "importlib._bootstrap"
            if importing and str(frame.f_locals.get("name")).startswith(_PANDAS):
                raise Busy(BUSY)
            frame = frame.f_back
    pa.table({}).to_pandas()
    _state["pandas"] = True


def _is_being_loaded(name: str) -> bool:
    return bool(getattr(sys.modules[name].__spec__, "_initializing", False))


def _before_fork() -> None:
    _state["forking"] = not _state["loaded"] and _LOADING.lock.acquire(timeout=_FORK_SECONDS)


def _after_fork() -> None:
    if _state["forking"]:
        _state["forking"] = False
        _LOADING.lock.release()


at_fork(before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork)
