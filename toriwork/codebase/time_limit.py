"""A time limit for one file, asked about by the loops that read it.

No signal and no thread: it holds in every thread and every process. What runs between two questions (a pattern, the
parser) takes time in proportion to the file: :func:`toriwork.codebase.source.parsed` sees to that for the parser.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from time import monotonic

from toriwork.errors import ToriworkError

_END: ContextVar[float] = ContextVar("end", default=float("inf"))


class OutOfTime(ToriworkError):
    """Reading a file took longer than it may."""

    kind = "out_of_time"


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Let :func:`check_time` raise OutOfTime once so many seconds are over."""
    before = _END.set(monotonic() + seconds)
    try:
        yield
    finally:
        _END.reset(before)


def check_time() -> None:
    """Do nothing while there is time. Raises OutOfTime when there is none left."""
    if monotonic() > _END.get():
        raise OutOfTime("its time is over")
