"""The thread behind a handle: syncs once a second while rows are at risk, seals, and publishes by policy.

Nobody has to call flush for memory, journals and the window of loss to stay bounded. It holds its table weakly, so
that a forgotten handle can be collected, and ends with it.
"""

from __future__ import annotations

import logging
import threading
import weakref
from typing import TYPE_CHECKING

from toriwork.errors import ToriworkError

if TYPE_CHECKING:
    from toriwork.storage.table import ParquetTable

_LOG = logging.getLogger("toriwork.storage")
_PERIOD = 1.0  # seconds
_IDLE_ROUNDS = 30  # without work, then the thread ends; the next append starts another


class Worker:
    """Runs ``table.tend()`` once a second, or at once when it is woken."""

    def __init__(self, table: ParquetTable) -> None:
        self._table = weakref.ref(table)
        self._wake = threading.Event()
        self._stop = False
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Make sure that the thread runs; cheap when it does."""
        if self._thread is None or not self._thread.is_alive():
            self._thread = threading.Thread(target=self._run, name="toriwork-store", daemon=True)
            self._thread.start()

    @property
    def running(self) -> bool:
        """Whether the thread is there."""
        return self._thread is not None and self._thread.is_alive()

    def wake(self) -> None:
        """Have the next round now."""
        self.start()
        self._wake.set()

    def stop(self) -> None:
        """Return when the thread has ended; a round that is under way is finished first."""
        self._stop = True
        self._wake.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        idle = 0
        while not self._stop and idle < _IDLE_ROUNDS:
            self._wake.wait(_PERIOD)
            self._wake.clear()
            table = self._table()
            if table is None or self._stop:
                return
            try:
                idle = 0 if table.tend() else idle + 1
            except (ToriworkError, OSError) as error:
                # nobody waits for this thread: the next call of the user meets the same error if it lasts
                _LOG.warning("background work on %s failed: %s", table.path, error)
            del table
