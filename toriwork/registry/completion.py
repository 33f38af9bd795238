"""Betti numbers that come later: ``record_shape`` returns at once, threads fill in what its row lacks.

The queue holds addresses, not arrays: a cloud is read back from the journal when its turn comes. What a crash leaves
undone is found again by whoever publishes next (:mod:`toriwork.registry.adoption`).
"""

from __future__ import annotations

import concurrent.futures.process
import concurrent.futures.thread  # noqa: F401 - engines that are first imported at exit may no longer register these
import contextlib
import itertools
import logging
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from typing import NamedTuple

from toriwork.errors import Busy
from toriwork.locks import BUSY, Mutex
from toriwork.registry.betti_values import Budget
from toriwork.registry.betti_values import compute_values as compute_values  # noqa: PLC0414 - adoption asks for it here
from toriwork.registry.rows import PackedRow, rows_in
from toriwork.storage import ParquetTable
from toriwork.storage.frames import Address
from toriwork.storage.pending import open_rows
from toriwork.storage.snapshot import Snapshot
from toriwork.storage.writer import Appended
from toriwork.threads import BackgroundThread

_LOG = logging.getLogger("toriwork.registry")
_QUEUE_LIMIT = 20_000  # addresses; what does not fit is found again in the journals
_GROUP = 16
_IDLE_SECONDS = 5.0
_LOOK_SECONDS = 0.5  # whoever waits for numbers looks so often whether the handle was closed meanwhile
_REMEMBERED = 2048
_FINISHED = 4096


class Doubt:
    """Why rows of a handle may lack numbers without waiting for them. Each one is another: they compare by identity."""

    def __init__(self, why: str) -> None:
        self.why = why


class _Piece(NamedTuple):
    """Some rows of one frame that wait for their numbers."""

    ticket: int  #: rises in the order of waiting; that of what was found again is below all others
    place: Appended
    positions: Sequence[int]

    @property
    def key(self) -> tuple[str, int, int]:
        return self.place.journal, self.place.frame, self.positions[0] // _GROUP


class BettiQueue:
    """Threads that complete the rows of one handle.

    No lock is held while a row is put in or waited for: a signal handler or the stop button may come at any point.
    Where a row may have missed the queue, or its numbers the journal, there is a ``doubt``, and :meth:`settle` looks.
    """

    def __init__(self, table: ParquetTable, budget: Budget, threads: int = 2) -> None:
        self._table = table
        self._budget = budget
        self._wanted_threads = threads
        self._reset()

    def _reset(self) -> None:
        self._n_threads = self._wanted_threads
        self._stopped = False
        self._tickets = itertools.count()
        self._waiting: deque[_Piece] = deque()
        #: what is worked on, by thread and an object of its own; None: somebody is about to take a piece
        self._hands: dict[tuple[int, object], _Piece | None] = {}
        self._finished: deque[tuple[str, int, int]] = deque(maxlen=_FINISHED)  #: keys of the last pieces
        self._bell: SimpleQueue[None] = SimpleQueue()  #: for the threads
        self._joiners: dict[object, SimpleQueue[None]] = {}
        self._overflow: object | None = None  #: set anew each time that a row did not fit
        self._threads: set[BackgroundThread] = set()
        self._starting = Mutex("_starting")  #: of whoever starts threads; nobody waits for it
        self._known: OrderedDict[bytes, bytes] = OrderedDict()
        self._last: tuple[Appended, list[PackedRow]] | None = None
        self._used = False
        self.doubt: Doubt | None = None

    def after_fork(self) -> None:
        """In a child: the parent's rows are the parent's business."""
        self._reset()

    def put(self, place: Appended, n_rows: int = 1) -> None:
        """Have the open rows of a frame completed."""
        self._used = True
        if len(self._waiting) >= _QUEUE_LIMIT:
            self._overflow = object()
        else:
            for start in range(0, n_rows, _GROUP):
                self._waiting.append(_Piece(next(self._tickets), place, range(start, min(start + _GROUP, n_rows))))
        self._call_threads()

    @property
    def n_waiting(self) -> int:
        """The number of rows that nobody has taken up yet."""
        return sum(len(piece.positions) for piece in list(self._waiting))

    def interrupted(self) -> None:
        """Take note that a row may be in the journal and not in here: an exception came in between."""
        self._used, self.doubt = True, Doubt("a call was interrupted while it recorded")

    def requeue(self, snapshot: Snapshot) -> int:
        """How many rows of this handle a snapshot shows without numbers that did not wait here; they do now."""
        # in the order in which pieces move on; what was finished since the snapshot is no news
        here = {piece.key for piece in (*self._waiting.copy(), *self._hands.copy().values()) if piece is not None}
        here.update(self._finished.copy())
        pieces = [piece for piece in self._lacking(snapshot) if piece.key not in here]
        room = max(0, _QUEUE_LIMIT - len(self._waiting))
        if len(pieces) > room:
            self._overflow = object()
        self._waiting.extendleft(reversed(pieces[:room]))  # in front: whoever waits for later rows waits for these too
        if pieces:
            self._call_threads()
        return sum(len(piece.positions) for piece in pieces[:room])

    def _lacking(self, snapshot: Snapshot) -> Iterator[_Piece]:
        """The rows of this handle that a snapshot shows without numbers."""
        own, done = self._table.own_frames(), snapshot.done
        for journal in [journal for journal in snapshot.journals if journal.id in own]:
            lacking = open_rows(snapshot.spec, journal, done)
            for frame in [frame for frame in journal.rows() if frame.number in lacking]:
                place = Appended(journal.id, frame.number, frame.offset, frame.length, frame.time_ns)
                positions = [address.position for address in lacking[frame.number]]
                for _, group in itertools.groupby(positions, lambda position: position // _GROUP):
                    yield _Piece(-1, place, list(group))

    def settle(self, *, search: bool = False, told: Callable[[int], object] | None = None) -> str:
        """Wait until every row recorded before has its numbers: "", or why some of them could not be stored.

        ``told`` hears how many more rows were taken up.

        With ``search`` the journals are looked through in any case, not only when there is a doubt. Busy where the
        calling thread is in the middle of another call, for which the threads may have to wait, or of a row.
        """
        self.ask()
        if self.doubt is not None or (search and self._used):
            self._find()
        self.join(told=told)
        return "" if self.doubt is None else self.doubt.why

    def ask(self) -> None:
        """Return when the calling thread may wait for numbers; Busy where it is in the middle of a call or a row."""
        self._table.ask()
        me = threading.get_ident()
        if any(thread == me for thread, _ in self._hands.copy()):
            raise Busy(BUSY)

    def join(
        self, timeout: float | None = None, *, here: bool = False, told: Callable[[int], object] | None = None
    ) -> bool:
        """Wait for everything put in before; True when it is done. With ``here`` this thread does its part.

        It does so too where no thread can be started.
        """
        until = None if timeout is None else time.monotonic() + timeout
        before, bell, me = next(self._tickets), SimpleQueue[None](), object()
        n_waiting = self.n_waiting
        self._joiners[me] = bell
        try:
            while self._busy(before):
                left = _LOOK_SECONDS if until is None else until - time.monotonic()
                if left <= 0 or self._stopped or self._table.closed:
                    return False
                if told is not None and (fewer := n_waiting - self.n_waiting) > 0:
                    told(fewer)
                    n_waiting -= fewer
                self._call_threads()
                if (here or not self._threads) and self._work_once():
                    continue
                with contextlib.suppress(Empty):
                    bell.get(timeout=min(left, _LOOK_SECONDS))
        finally:
            self._joiners.pop(me, None)
        return True

    def finish_here(self, patience: float) -> str:
        """As :meth:`settle`, in the calling thread too, for at most about ``patience`` seconds."""
        self.ask()
        self._n_threads = 0  # an interpreter that ends may start no more
        if self.doubt is not None:
            self._find()
        if not self.join(patience, here=True):
            return f"{patience:.0f} seconds were not enough"
        return "" if self.doubt is None else self.doubt.why

    @property
    def stopped(self) -> bool:
        """True when the handle is being closed, or was when an interrupt came."""
        return self._stopped

    def stop(self) -> None:
        """Have the threads end: at once where they wait, else behind the row that they compute."""
        self._stopped = True
        for _ in range(len(self._threads) + self._wanted_threads):
            self._bell.put(None)

    def _busy(self, before: int) -> bool:
        """True while a piece with a lower ticket waits or is worked on. The order matters: hands are looked at last."""
        if self._overflow is not None:
            return True
        try:
            if self._waiting[0].ticket < before:
                return True
        except IndexError:
            pass
        return any(piece is None or piece.ticket < before for piece in self._hands.copy().values())

    def _call_threads(self) -> None:
        if self._bell.empty():  # one is enough: whoever hears it rings on while more waits
            self._bell.put(None)
        if len(self._threads) >= self._n_threads or self._stopped:
            return
        if not self._starting.is_free():  # in a handler, in the middle of this
            return
        try:  # from here on: an interrupt between the two would leave it taken
            if self._starting.lock.acquire(blocking=False):
                self._start_threads()
        finally:
            self._starting.release()

    def _start_threads(self) -> None:
        self._threads = {thread for thread in self._threads if thread.is_alive()}
        while len(self._threads) < self._n_threads:
            thread = self._new_thread()
            try:
                thread.start()
            except RuntimeError as error:  # out of threads, or the interpreter is ending: see join
                _LOG.debug("no thread for Betti numbers: %s", error)
                return
            self._threads.add(thread)

    def _new_thread(self) -> BackgroundThread:
        thread = BackgroundThread(lambda: self._work(thread), "toriwork-betti")
        return thread

    def _work(self, me: BackgroundThread) -> None:
        while not self._stopped and not self._table.closed:
            if self._work_once():
                continue
            try:
                self._bell.get(timeout=_IDLE_SECONDS)
            except Empty:
                self._last = None
                self._threads.discard(me)
                if not self._waiting and self._overflow is None:  # asked behind it: put() looks the other way round
                    return
                self._threads.add(me)
        self._threads.discard(me)

    def _work_once(self) -> bool:
        """Do one piece of work; False when there is none."""
        hand = (threading.get_ident(), object())
        self._hands[hand] = None  # first: whoever finds nothing waiting finds this
        try:
            try:
                piece = self._waiting.popleft()
            except IndexError:
                return self._refill()
            self._hands[hand] = piece
            if self._waiting and self._bell.empty():
                self._bell.put(None)
            self._do(piece, hand)
            return True
        finally:
            self._hands.pop(hand, None)
            for bell in list(self._joiners.values()):
                bell.put(None)

    def _do(self, piece: _Piece, hand: tuple[int, object]) -> None:
        try:
            self._complete(piece)
        except BaseException as error:
            self._hands[hand] = None  # before the doubt: whoever looks because of it must not take the rows for at work
            # the handle was closed, its disk is full or failed: the next flush or publish finds these rows again
            self._failed(error)
            if not isinstance(error, Exception):
                raise

    def _failed(self, error: BaseException) -> None:
        known, self.doubt = self.doubt, Doubt(str(error) or type(error).__name__)
        if known is None and not self._stopped and isinstance(error, Exception):  # once, not for each row
            _LOG.warning("%s: Betti numbers are still missing, the rows are safe: %s", self._table.path, error)

    def _complete(self, piece: _Piece) -> None:
        rows = self._rows(piece.place)
        for position in piece.positions:
            if position < len(rows) and rows[position].open:
                address = Address(piece.place.journal, piece.place.frame, position)
                self._table.complete(address, self._values(rows[position]))
        self._finished.append(piece.key)

    def _rows(self, place: Appended) -> list[PackedRow]:
        """The rows of a frame; the last frame is remembered, since a large batch is worked on in many pieces."""
        last = self._last
        if last is not None and last[0] is place:
            return last[1]
        data = self._table.read_payload(place)
        if data is None:
            return []
        rows = rows_in(memoryview(data))
        self._last = (place, rows)
        return rows

    def _values(self, row: PackedRow) -> bytes:
        known = self._known.get(row.digest)
        if known is None:
            known = self._known[row.digest] = compute_values(row, self._budget)
            if len(self._known) > _REMEMBERED:
                with contextlib.suppress(KeyError):  # several threads may find it too full
                    self._known.popitem(last=False)
        return known

    def _refill(self) -> bool:
        """True when something that did not fit into the queue was found again."""
        overflow = self._overflow
        if overflow is None:
            return False
        found = self._find()
        if self._overflow is overflow:
            self._overflow = None
        return found > 0

    def _find(self) -> int:
        """How many rows of this handle lacked numbers and did not wait here."""
        doubt = self.doubt
        try:
            with self._table.snapshot() as snapshot:
                found = self.requeue(snapshot)
        except Busy:  # of a handler that ran meanwhile: whoever called is to see it
            raise
        except Exception as error:  # noqa: BLE001 - the store's own calls say what is wrong with it
            self._failed(error)
            return 0
        if self.doubt is doubt:  # what was found meanwhile is looked for again
            self.doubt = None
        return found
