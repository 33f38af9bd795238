"""Kill a migration at a line of its journal: ``python dying.py 7~ SCRIPT`` dies in the middle of writing line 7."""

from __future__ import annotations

import os
import runpy
import signal
import sys
from typing import Any

from toriwork.migrate.engine.journal import Journal


def die_at(where: str) -> None:
    """From now on ``7`` kills this process behind line 7 of a journal, ``7~`` in the middle of it."""
    append, line = Journal.append, int(where.rstrip("~"))

    def dying(journal: Journal, kind: str, **facts: Any) -> None:
        append(journal, kind, **facts)
        if len(journal.lines) == line:
            if where.endswith("~"):
                *_, last = journal.path.read_bytes().splitlines(keepends=True)
                os.truncate(journal.path, journal.path.stat().st_size - len(last) // 2)
            os.kill(os.getpid(), signal.SIGKILL)

    Journal.append = dying  # type: ignore[method-assign]  # the process does nothing else


if __name__ == "__main__":
    die_at(sys.argv[1])
    sys.argv[:] = sys.argv[2:]
    sys.path.insert(0, "")
    runpy.run_path(sys.argv[0], run_name="__main__")
