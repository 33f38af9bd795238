"""The work in front of each publish, without the store's lock.

Rows of dead writers get what they lack, and rows of this handle that missed its queue get into it.
"""

from __future__ import annotations

import json
import logging
import weakref
from collections.abc import Callable

from toriwork.errors import Busy, Closed, DurabilityError, StoreError
from toriwork.registry import completion
from toriwork.registry.betti_values import Budget
from toriwork.registry.completion import BettiQueue
from toriwork.registry.rows import FAILED, pack_values, unpack_rows
from toriwork.storage import ParquetTable
from toriwork.storage.frames import Address, Kind
from toriwork.storage.pending import PendingJournal, open_rows
from toriwork.storage.snapshot import Snapshot

_LOG = logging.getLogger("toriwork.registry")
_GROUP = 16
_MAX_ATTEMPTS = 2
_PATIENCE = 1.0  # seconds that a publish waits for rows found again; what takes longer is public with the next one


class Preparation:
    """The function that a registry's table calls before it publishes. It keeps neither of them alive."""

    def __init__(self, budget: Budget) -> None:
        self._budget = budget
        self._queue: Callable[[], BettiQueue | None] = lambda: None

    def serve(self, queue: BettiQueue) -> None:
        """Look after a queue's handle from now on."""
        self._queue = weakref.ref(queue)

    def __call__(self, table: ParquetTable, snapshot: Snapshot) -> None:
        """Complete what the snapshot shows open, as far as its owner is this handle or dead."""
        try:
            complete_dead(table, snapshot, self._budget)
        except (Busy, Closed, DurabilityError):
            raise
        except StoreError as error:  # a disk that is full now: no reason to hold back what is complete
            _LOG.warning("%s: rows of dead writers wait for the next publish: %s", table.path, error)
        queue = self._queue()
        if queue is not None and queue.requeue(snapshot):
            queue.join(_PATIENCE)


def complete_dead(table: ParquetTable, snapshot: Snapshot, budget: Budget) -> None:
    """Compute what the rows of dead writers lack. Called before a publish, without the store's lock.

    A cloud can kill an engine and with it the process, so a durable note is made before each; after two tries the row
    is published without numbers, with status ``failed``.
    """
    done = snapshot.done
    for journal in snapshot.journals:
        lacking = [address for group in open_rows(snapshot.spec, journal, done).values() for address in group]
        if not lacking or not journal.handle.try_lock():
            continue  # nothing to do, or its owner is alive and does it
        # an attempt of a process that lives, this one among them, was interrupted: it killed nobody
        ended = [other for other in snapshot.journals if other.attempts and other.handle.try_lock()]
        tries = {address: sum(other.attempts.get(address, 0) for other in ended) for address in lacking}
        fresh = [address for address in lacking if not tries[address]]
        for start in range(0, len(fresh), _GROUP):
            _complete_group(table, journal, fresh[start : start + _GROUP], budget)
        for address in lacking:
            if 0 < tries[address] < _MAX_ATTEMPTS:  # one of its group killed a process: now each alone
                _complete_group(table, journal, [address], budget)
            elif tries[address] >= _MAX_ATTEMPTS:
                reason = {"reason": "failed", "error": f"{tries[address]} processes died while computing it"}
                table.complete(address, pack_values((), FAILED, json.dumps(reason)))


def _complete_group(table: ParquetTable, journal: PendingJournal, group: list[Address], budget: Budget) -> None:
    wanted = {frame.number: frame for frame in journal.scan.frames if frame.kind == Kind.OPEN}
    table.attempt(group)
    for address in group:
        row = unpack_rows(journal.payload(wanted[address.frame]))[address.position]
        table.complete(address, completion.compute_values(row, budget))


def fill_in(snapshot: Snapshot, budget: Budget) -> None:
    """Complete in memory what rows of a snapshot lack, whoever recorded them; nothing is appended."""
    done = snapshot.done
    for journal in snapshot.journals:
        lacking = open_rows(snapshot.spec, journal, done)
        for frame in (frame for frame in journal.rows() if frame.number in lacking):
            rows = unpack_rows(journal.payload(frame))
            for address in lacking[frame.number]:
                journal.done[address] = completion.compute_values(rows[address.position], budget)
