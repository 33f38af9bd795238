"""The thread behind a handle: syncs once a second while rows are at risk, seals, and publishes by policy.

Nobody has to call flush for memory, journals and the window of loss to stay bounded. It holds its table weakly, so
that a forgotten handle can be collected; then it syncs a last time and ends.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import weakref
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING

from toriwork.errors import DurabilityError

if TYPE_CHECKING:
    from toriwork.storage.table import ParquetTable
    from toriwork.storage.writer import Writer

_LOG = logging.getLogger("toriwork.storage")
_PERIOD = 1.0  # seconds
_IDLE_ROUNDS = 30  # without work, then the thread sleeps until the next append


class Worker:
    """Runs ``table.tend()`` once a second, or at once when somebody asks for it."""

    def __init__(self, table: ParquetTable, writer: Writer | None) -> None:
        # not an Event: an interrupt inside Event.set() can leave its lock taken for ever, SimpleQueue is one C call
        self._bell: SimpleQueue[None] = SimpleQueue()
        self._table = weakref.ref(table, lambda _, bell=self._bell: bell.put(None))  # type: ignore[misc]
        self._writer = writer
        self._mutex = threading.Lock()
        self._stopping = False
        self._thread: threading.Thread | None = None
        self.awake = False  #: whether the next round comes by itself

    def wake(self, *, now: bool = True) -> None:
        """Have a round each second until there is nothing left to do.

        The first one comes at once; with ``now=False`` a new thread leaves its first second to whoever appends.
        """
        with self._mutex:
            self.awake = True
            alive = self._thread is not None and self._thread.is_alive()
            if not alive:
                thread = threading.Thread(target=self._run, name="toriwork-store", daemon=True)
                try:
                    thread.start()
                except RuntimeError as error:
                    # out of threads, or the interpreter is ending: the row is recorded all the same
                    _LOG.debug("no background thread: %s", error)
                    self.awake = False
                    return
                self._thread = thread
        if now or alive:
            self._bell.put(None)

    def stop(self) -> None:
        """Return when the thread has ended; a round that is under way is finished first."""
        self._stopping = True
        self._bell.put(None)
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        idle = 0
        while True:
            self._wait()
            busy = None if self._stopping else self._round()
            if busy is None:
                return
            idle = 0 if busy else idle + 1
            # an append sets ``dirty`` before it looks at ``awake``; so this asks once more behind it
            self.awake = idle < _IDLE_ROUNDS
            if not self.awake and self._writer is not None and self._writer.dirty:
                self.awake = True

    def _wait(self) -> None:
        with contextlib.suppress(Empty):
            self._bell.get(timeout=_PERIOD if self.awake else None)
            while not self._bell.empty():  # several calls are one
                self._bell.get_nowait()

    def _round(self) -> bool | None:
        """Whether there was anything to do; None when there will not be any more."""
        table = self._table()
        try:
            if table is not None:
                return table.tend()
            if self._writer is not None:  # the handle was dropped without being closed
                self._writer.sync(mark=True)
                self._writer.close()
        except DurabilityError as error:
            _LOG.warning("the handle takes no more rows: %s", error)
        except Exception as error:  # noqa: BLE001 - nobody waits for this thread; the user's next call meets it again
            _LOG.warning("background work failed: %s: %s", type(error).__name__, error)
            return True
        return None
