"""Bars for long work: text in a terminal, a widget in a notebook, nothing anywhere else.

``progress=False`` of a call turns its bar off, ``TQDM_DISABLE=1`` in the environment all of them.
"""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

ENV_NAME = "TQDM_DISABLE"
#: seconds of work without a bar
DELAY = 1.0
#: predicted seconds that are said in the log before the work begins
LONG = 5.0


def shows_bars() -> bool:
    """Tell if anybody would see a bar: standard error is a terminal, or this is a notebook, and none are unwanted."""
    if os.environ.get(ENV_NAME, "0") not in ("", "0"):
        return False
    return _in_notebook() or (sys.stderr is not None and sys.stderr.isatty())


@contextmanager
def progress_bar(
    what: str, total: float | None = None, *, unit: str = "it", seconds: float | None = None, progress: bool = True
) -> Iterator[Bar]:
    """A function to be told of each piece of work that is done, which shows a bar while the work takes long.

    Parameters
    ----------
    what : str
        In front of the bar.
    total : float, optional
        Units in all; None while nobody knows.
    unit : str
        What is counted: " clouds", " rows"; "B" stands for bytes, with kB and MB.
    seconds : float, optional
        A prediction: beyond ``DELAY`` the bar is there from the start. Else it comes once so many have gone by.
    progress : bool
        False: no bar.

    Yields
    ------
    Bar
        Takes the units that were done since the last call, and the units in all once they are known. Call it from one
        thread at a time.

    Examples
    --------
    >>> with progress_bar("export", 3, unit=" tables") as done:
    ...     for _ in range(3):
    ...         done(1)
    """
    delay = 0.0 if seconds is not None and seconds > DELAY else DELAY
    bar = Bar(what, total, unit, time.monotonic() + delay if progress and shows_bars() else math.inf)
    try:
        bar(0)
        yield bar
    finally:
        bar.close()


class Bar:
    """A bar of tqdm from a given moment on; tqdm is not imported before, nor for work that is over by then."""

    def __init__(self, what: str, total: float | None, unit: str, since: float) -> None:
        self._options = {"desc": what, "total": total, "unit": unit, "unit_scale": unit == "B"}
        self._since = since
        self._done: float = 0
        self._shown: Any = None
        self._output: Any = None  #: of a notebook

    def __call__(self, n: float, total: float | None = None) -> None:
        if total is not None and total != self._options["total"]:
            self._options["total"] = total
            if self._shown is not None:
                self._shown.reset(total)
                self._shown.update(self._done)
        if self._shown is None and time.monotonic() >= self._since:
            self._show()
        self._done += n
        if self._shown is not None:
            self._shown.update(n)

    def _show(self) -> None:
        options = {**self._options, "initial": self._done, "leave": False, "dynamic_ncols": True}
        if not _in_notebook():
            from tqdm import tqdm

            self._shown = tqdm(**options)
            return
        from IPython.display import display
        from tqdm.notebook import tqdm as widget

        self._shown = widget(**options, display=False)
        self._output = display(self._shown.container, display_id=True)  # type: ignore[no-untyped-call]  # it has no types

    def close(self) -> None:
        """Take the bar away; a notebook that is saved afterwards holds nothing of it, whatever the clock said."""
        if self._shown is None:
            return
        self._shown.close()
        if self._output is not None:
            container = self._shown.container
            for part in (*container.children, container):
                part.close()
            self._output.update({}, raw=True)


def _in_notebook() -> bool:
    """Tell if IPython runs in a kernel, whose standard error is no terminal."""
    shell_of = getattr(sys.modules.get("IPython"), "get_ipython", None)
    return shell_of is not None and hasattr(shell_of(), "kernel")
