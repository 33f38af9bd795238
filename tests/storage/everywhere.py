"""A KeyboardInterrupt before any line, or any byte code, of the store: a tracer raises it at the n-th of them.

The tracer counts what the calling thread runs of the rooms that hold files; the other threads run on beside it.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import Any

import toriwork

_HOME = str(Path(toriwork.__file__).parent)
ROOMS = tuple(f"{_HOME}/{room}" for room in ("storage/", "registry/", "synthesis/", "cells/", "locks.py"))


class Stop:
    """Counts lines (or byte codes) and raises at one of them.

    Parameters
    ----------
    at
        Which one; 0 for none.
    opcodes
        Count byte codes instead of lines.
    only
        Count in this file alone.
    keep
        Keep the traceback and with it every frame and every local variable, as a notebook does.
    """

    def __init__(self, at: int = 0, *, opcodes: bool = False, keep: bool = False, only: str = "") -> None:
        self.at, self.n, self.where = at, 0, ""
        self.kept: KeyboardInterrupt | None = None
        self._keep = keep
        self._only = only
        self._event = "opcode" if opcodes else "line"
        self._opcodes = opcodes

    def run(self, action: Callable[[], Any]) -> bool:
        """Whether the action was interrupted."""
        before = sys.gettrace()
        sys.settrace(self._calls)
        try:
            action()
        except KeyboardInterrupt as error:
            self.kept = error if self._keep else None
            return True
        finally:
            sys.settrace(before)
        return False

    def _calls(self, frame: FrameType, event: str, argument: Any) -> Any:
        if not frame.f_code.co_filename.startswith(ROOMS) or not frame.f_code.co_filename.endswith(self._only):
            return None
        if self._opcodes:
            frame.f_trace_opcodes = True
            frame.f_trace_lines = False
        return self._lines

    def _lines(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == self._event:
            self.n += 1
            if self.n == self.at:
                self.where = f"{Path(frame.f_code.co_filename).name}:{frame.f_lineno} {frame.f_code.co_name}"
                raise KeyboardInterrupt(self.where)
        return self._lines


def count(action: Callable[[], Any], *, opcodes: bool = False) -> int:
    """How many lines (or byte codes) an action runs."""
    stop = Stop(opcodes=opcodes)
    stop.run(action)
    return stop.n
