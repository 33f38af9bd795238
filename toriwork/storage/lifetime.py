"""Open tables at the end of the process, and in a forked child."""

from __future__ import annotations

import atexit
import concurrent.futures.thread  # noqa: F401 - pyarrow loads pandas, which loads this: too late at the end of a process
import logging
import os
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from toriwork.storage.table import ParquetTable

_LOG = logging.getLogger("toriwork.storage")
_OPEN: weakref.WeakSet[ParquetTable] = weakref.WeakSet()


def opened(table: ParquetTable) -> None:
    """Have a table closed at the end of the process, unless it is closed or collected before."""
    _OPEN.add(table)


def closed(table: ParquetTable) -> None:
    """Forget a table that was closed."""
    _OPEN.discard(table)


def _close_all() -> None:
    for table in list(_OPEN):
        try:
            table.close()
        except Exception as error:  # noqa: BLE001 - the process ends: nobody can do more than read about it
            _LOG.warning("%s could not be closed cleanly; rows stay in the journals: %s", table.path, error)


def _after_fork() -> None:
    for table in list(_OPEN):
        table.after_fork()


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
