"""Betti numbers that come later: ``record_shape`` returns at once, threads fill in what its row lacks.

The queue holds addresses, not arrays: a cloud is read back from the journal when its turn comes. What a crash leaves
undone is found again by whoever publishes next (:func:`complete_dead`).
"""

from __future__ import annotations

import concurrent.futures.process
import concurrent.futures.thread  # noqa: F401 - engines that are first imported at exit may no longer register these
import json
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from toriwork.errors import ToriworkError
from toriwork.registry.rows import COMPUTED, FAILED, TOO_LARGE, UNDECIDED, PackedRow, pack_values, unpack_rows
from toriwork.storage import ParquetTable, Payload
from toriwork.storage.frames import Address, Kind
from toriwork.storage.view import JournalView, View
from toriwork.storage.writer import Appended
from toriwork.topology import estimate_betti, work_estimate

_LOG = logging.getLogger("toriwork.registry")
_QUEUE_LIMIT = 20_000  # addresses; what does not fit is found again in the journals
_GROUP = 16
_IDLE_SECONDS = 5.0
_REMEMBERED = 2048
_MAX_ATTEMPTS = 2


class Budget(NamedTuple):
    """What one row's Betti numbers may cost; a cloud above it is stored with status ``too_large``."""

    seconds: float = 20.0
    bytes: int = 2 * 2**30


def compute_values(row: PackedRow, budget: Budget) -> bytes:
    """The completion of one row: b0 and b1 by one engine call, the rule and its evidence; never an exception."""
    vertices = row.vertices()
    n_points, dim = vertices.shape
    cost = work_estimate(n_points, dim, 1)
    if cost.seconds > budget.seconds or cost.bytes > budget.bytes:
        reason = {"reason": "too_large", "n_points": n_points, "predicted_seconds": round(cost.seconds, 1)}
        return pack_values((), TOO_LARGE, json.dumps(reason))
    try:
        estimate = estimate_betti(vertices, max_dimension=1)
    except (ToriworkError, ValueError, ArithmeticError, RuntimeError, MemoryError) as error:
        if not threading.main_thread().is_alive():
            raise  # the interpreter is going down: that says nothing about the cloud, which stays open
        # whatever an engine says, the row and the rows behind it must not wait for ever
        return pack_values((), FAILED, json.dumps({"reason": "failed", "error": str(error)[:500]}))
    undecided = any(np.isnan(number) for number in estimate.numbers)
    return pack_values(estimate.numbers, UNDECIDED if undecided else COMPUTED, estimate.to_json())


class BettiQueue:
    """Threads that complete the rows of one handle."""

    def __init__(self, table: ParquetTable, budget: Budget, threads: int = 2) -> None:
        self._table = table
        self._budget = budget
        self._n_threads = threads
        self._reset()

    def _reset(self) -> None:
        self._changed = threading.Condition()
        self._waiting: deque[tuple[Appended, int, int]] = deque()
        self._in_hand = 0
        self._overflow = False
        self._threads: list[threading.Thread] = []
        self._known: OrderedDict[bytes, bytes] = OrderedDict()
        self._last: tuple[Appended, list[PackedRow]] | None = None

    def after_fork(self) -> None:
        """In a child: the parent's rows are the parent's business."""
        self._reset()

    def put(self, place: Appended, n_rows: int = 1) -> None:
        """Have the open rows of a frame completed."""
        with self._changed:
            if len(self._waiting) >= _QUEUE_LIMIT:
                self._overflow = True
                return
            for start in range(0, n_rows, _GROUP):
                self._waiting.append((place, start, min(start + _GROUP, n_rows)))
            self._start_threads()
            self._changed.notify()

    def join(self, timeout: float | None = None) -> bool:
        """Whether nothing is left to do, after waiting for it."""
        until = None if timeout is None else time.monotonic() + timeout
        with self._changed:
            while self._waiting or self._in_hand or self._overflow:
                left = 0.5 if until is None else until - time.monotonic()
                if left <= 0 or self._table.closed:
                    return False
                self._start_threads()
                self._changed.wait(min(left, 0.5))
        return True

    def finish_here(self, patience: float) -> None:
        """Complete what is left in the calling thread, for at most ``patience`` seconds, then wait for the others.

        For an interpreter that ends: it may start no more threads.
        """
        until = time.monotonic() + patience
        self._n_threads = 0
        while time.monotonic() < until:
            with self._changed:
                if self._overflow and not self._waiting:
                    self._refill()
                if not self._waiting:
                    break
                self._in_hand += 1
                piece = self._waiting.popleft()
            self._do(piece)
        self.join(max(0.0, until - time.monotonic()))

    def _start_threads(self) -> None:
        self._threads = [thread for thread in self._threads if thread.is_alive()]
        while len(self._threads) < self._n_threads:
            thread = threading.Thread(target=self._work, name="toriwork-betti", daemon=True)
            self._threads.append(thread)
            thread.start()

    def _take(self) -> tuple[Appended, int, int] | None:
        """The next piece of work, or None after a while without any."""
        with self._changed:
            until = time.monotonic() + _IDLE_SECONDS
            while not self._waiting:
                if self._overflow and not self._in_hand:
                    self._refill()
                    continue
                left = until - time.monotonic()
                if left <= 0 or self._table.closed:
                    self._threads.remove(threading.current_thread())
                    self._last = None
                    return None
                self._changed.wait(left)
            self._in_hand += 1
            return self._waiting.popleft()

    def _work(self) -> None:
        while (piece := self._take()) is not None:
            self._do(piece)

    def _do(self, piece: tuple[Appended, int, int]) -> None:
        try:
            self._complete(*piece)
        except (ToriworkError, OSError, RuntimeError) as error:
            # the handle was closed or its disk failed: whoever publishes these rows computes what they lack
            _LOG.warning("Betti numbers of %s were not stored: %s", piece[0].journal[:8], error)
        finally:
            with self._changed:
                self._in_hand -= 1
                self._changed.notify_all()

    def _complete(self, place: Appended, start: int, stop: int) -> None:
        for position, row in list(enumerate(self._rows(place)))[start:stop]:
            if row.open:
                self._table.complete(Address(place.journal, place.frame, position), self._values(row))

    def _rows(self, place: Appended) -> list[PackedRow]:
        """The rows of a frame; the last frame is remembered, since a large batch is worked on in many pieces."""
        last = self._last
        if last is not None and last[0] is place:
            return last[1]
        data = self._table.read_payload(place)
        if data is None:
            return []
        rows = list(_rows_in(memoryview(data)))
        self._last = (place, rows)
        return rows

    def _values(self, row: PackedRow) -> bytes:
        with self._changed:
            known = self._known.get(row.digest)
        if known is None:
            known = compute_values(row, self._budget)
            with self._changed:
                self._known[row.digest] = known
                if len(self._known) > _REMEMBERED:
                    self._known.popitem(last=False)
        return known

    def _refill(self) -> None:
        """Find again what did not fit into the queue. The caller holds the condition."""
        self._overflow = False
        with self._table.view() as view:
            for journal in view.journals:
                lacking = view.open_addresses(journal)
                for frame in journal.rows():
                    if frame.number in lacking and len(self._waiting) < _QUEUE_LIMIT:
                        place = Appended(journal.id, frame.number, frame.offset, frame.length, frame.time_ns)
                        if self._table.read_payload(place) is not None:  # ours, not another writer's
                            self._waiting.append((place, 0, frame.n_rows))
                    elif frame.number in lacking:
                        self._overflow = True


def _rows_in(data: memoryview) -> Iterator[PackedRow]:
    """The rows of a payload whose number of rows is not at hand: it is used up when they are."""
    at = 0
    while at < len(data):
        rest = data[at:]
        row = unpack_rows(Payload("", 0, 0, 1, rest))[0]
        at += row.size
        yield row


def complete_dead(table: ParquetTable, view: View, budget: Budget) -> None:
    """Compute what the rows of dead writers lack. Called before a publish, without the store's lock.

    A cloud can kill an engine and with it the process, so a durable note is made before each; after two tries the row
    is published without numbers, with status ``failed``.
    """
    for journal in view.journals:
        lacking = [address for group in view.open_addresses(journal).values() for address in group]
        if not lacking or not journal.handle.try_lock():
            continue  # nothing to do, or its owner is alive and does it
        tries = {a: sum(other.attempts.get(a, 0) for other in view.journals) for a in lacking}
        fresh = [address for address in lacking if not tries[address]]
        for start in range(0, len(fresh), _GROUP):
            _complete_group(table, journal, fresh[start : start + _GROUP], budget)
        for address in lacking:
            if 0 < tries[address] < _MAX_ATTEMPTS:  # one of its group killed a process: now each alone
                _complete_group(table, journal, [address], budget)
            elif tries[address] >= _MAX_ATTEMPTS:
                reason = {"reason": "failed", "error": f"{tries[address]} processes died while computing it"}
                table.complete(address, pack_values((), FAILED, json.dumps(reason)))


def _complete_group(table: ParquetTable, journal: JournalView, group: list[Address], budget: Budget) -> None:
    wanted = {frame.number: frame for frame in journal.scan.frames if frame.kind == Kind.OPEN}
    table.attempt(group)
    for address in group:
        row = unpack_rows(journal.payload(wanted[address.frame]))[address.position]
        table.complete(address, compute_values(row, budget))
