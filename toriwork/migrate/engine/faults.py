"""Faults on demand, for tests: ``TORIWORK_CRASH_AT=7`` kills the process right after line 7 of a journal was written.

``7-`` kills in front of the line, ``7~`` in the middle of it. Without the variable nothing here does anything.
"""

from __future__ import annotations

import os
import re
import signal

from toriwork.errors import BadInput

CRASH_AT = "TORIWORK_CRASH_AT"
_FORM = re.compile(r"([1-9][0-9]*)([-~]?)")


def crash_point(line: int) -> str:
    """Where to die at this line: ``before``, ``within``, ``after`` or not at all (``""``).

    Raises
    ------
    BadInput
        The variable is set to something else.
    """
    given = os.environ.get(CRASH_AT)
    if not given:
        return ""
    found = _FORM.fullmatch(given)
    if found is None:
        raise BadInput(
            f"{CRASH_AT}={given!r}: the number of a journal line is wanted, with - or ~ behind it or nothing"
        )
    return {"-": "before", "~": "within", "": "after"}[found[2]] if int(found[1]) == line else ""


def crash() -> None:
    """End the process as ``kill -9`` does: no handler runs, nothing is flushed."""
    os.kill(os.getpid(), getattr(signal, "SIGKILL", signal.SIGTERM))
