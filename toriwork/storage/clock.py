"""Times for rows that only rise: across handles, processes, restarts, and clocks that are put back.

Row ids begin with these times, and everything that asks for the newest row goes by row ids. A time is the monotonic
clock of the system, which all processes share, plus an offset: the highest difference to the wall clock that was ever
seen. As long as the wall clock goes forward, a time is its reading. When it was put back, times go on from where they
were, until it has caught up. The highest offset stands in ``x.d/CLOCK``; a handle reads it at its first row, when it
was idle, and at every row while the wall clock is behind. So a row whose call began after another one had returned has
the higher time, whichever process recorded it.
"""

from __future__ import annotations

import logging
import struct
import time
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING
from zlib import crc32

from toriwork.errors import Busy

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.handles import Handle

_LOG = logging.getLogger("toriwork.storage")
NAME = "CLOCK"
_STEP_NS = 1_000_000  #: a rise of less is that of two readings one after the other
_IDLE_NS = 500_000_000  #: who appends more often sees a step of the wall clock for himself
_RECORD = struct.Struct("<qI")  # the offset in nanoseconds, its CRC
_NONE = -(2**63)
_FAR_NS = 2**62  #: the year 2116; what lies behind it is no time
_TRIES = 50  #: milliseconds that an append waits at most for others to write 12 bytes


class Clock:
    """Times for the rows of one handle, whose mutex the caller holds.

    ``known_ns`` is the highest time in the store when the handle was opened, nanoseconds since 1970.
    """

    def __init__(self, files: Files, folder: Path, known_ns: int = 0) -> None:
        self._files = files
        self._path = folder / NAME
        known_ns = known_ns if known_ns < _FAR_NS else 0
        self.last = known_ns
        now = time.monotonic_ns()
        self._offset = _NONE  # a reading of the wall clock counts from the first row on
        self._seen = now - _IDLE_NS - 1  # so that the first row asks what others know
        self._ahead = known_ns - now  #: the offset that the store itself demands

    def next(self, n_rows: int = 0) -> int:
        """The time of the first of some rows, nanoseconds since 1970; the others count up from it by one."""
        ticks = time.monotonic_ns()
        wall = time.time_ns()
        # once the wall clock was put back, every row asks: a handle that was idle may know of a higher offset
        if ticks - self._seen > _IDLE_NS or ticks + self._offset - wall > _STEP_NS:
            self._ask(wall - ticks)
        self._seen = ticks
        now = ticks + self._offset
        if wall > now:
            self._offset += wall - now
            if wall - now > _STEP_NS:
                self._tell()
            now = wall
        if now <= self.last:
            now = self.last + 1
        self.last = now + n_rows
        return now

    def _ask(self, reading: int) -> None:
        """Take over the highest offset that the store or anybody demands; write it down when it is ours."""
        stated = self._stated()
        if self._offset == _NONE:
            self._offset = reading
        self._offset = max(self._offset, self._ahead, stated)
        if self._offset > stated + _STEP_NS:
            self._tell()

    def _tell(self) -> None:
        try:
            with closing(self._files.create(self._path, exclusive=False)) as handle:
                if not self._locked(handle):  # the row is what matters: others find the offset by the store
                    return
                data = self._offset.to_bytes(8, "little", signed=True)
                if self._offset > _offset_in(handle.read_at(0, _RECORD.size)):
                    handle.write_at(0, data + crc32(data).to_bytes(4, "little"))
        except Busy:  # of a handler that ran meanwhile: whoever called is to see it
            raise
        except OSError as error:
            _LOG.debug("%s: not written: %s", self._path, error)

    def _locked(self, handle: Handle) -> bool:
        for _ in range(_TRIES):
            if handle.try_lock():
                return True
            time.sleep(0.001)
        return False

    def _stated(self) -> int:
        try:
            if self._files.stat(self._path) is None:
                return _NONE
            with closing(self._files.open(self._path)) as handle:
                return _offset_in(handle.read_at(0, _RECORD.size))
        except Busy:
            raise
        except OSError as error:
            _LOG.debug("%s: not read: %s", self._path, error)
            return _NONE


def _offset_in(raw: bytes) -> int:
    if len(raw) != _RECORD.size:
        return _NONE
    value, checksum = _RECORD.unpack(raw)
    return int(value) if crc32(raw[:8]) == checksum else _NONE
