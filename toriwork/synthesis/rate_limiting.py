"""A limit on emissions: a token bucket for each source and type; held back emissions are counted in a summary token.

Nothing waits here and no thread runs: buckets refill by arithmetic when somebody emits, flushes or closes.
"""

from __future__ import annotations

import logging
import math
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from toriwork.errors import BadInput, ToriworkError
from toriwork.lifetime import OpenObjects
from toriwork.locks import Mutex
from toriwork.synthesis.canonical import canonical

_LOG = logging.getLogger("toriwork.synthesis")
SUPPRESSED = "suppressed"  #: the type of a summary
_MANY_BUCKETS = 1024
_Key = tuple[str, str]


@dataclass(frozen=True, slots=True)
class RateLimit:
    """How often one source may emit one type: so many a second in the long run, so many at once.

    Raises
    ------
    BadInput
        The rate is not positive and finite, or the burst smaller than 1.
    """

    per_second: float
    burst: int = 10

    def __post_init__(self) -> None:
        if not 0 < self.per_second < math.inf:
            raise BadInput(f"per_second: expected a positive, finite number, got {self.per_second!r}")
        if self.burst < 1:
            raise BadInput(f"burst: expected an integer of at least 1, got {self.burst!r}")


class Summary(dict[str, Any]):
    """The measurement that stands for emissions that were held back: it is never held back itself.

    ``type`` "suppressed", ``source`` theirs, ``suppressed_type``, ``n``, ``seconds`` between the ``first`` and the
    ``last`` of them, which are token ids; ids of tokens that are in no log are no references.
    """

    since: float  #: by the clock of the limiter
    until: float


class _Bucket:
    """How many emissions one source and type has left, and what was held back since the last summary."""

    __slots__ = ("first", "kind", "last", "left", "n", "since", "source", "until", "updated")

    def __init__(self, source: Any, kind: Any, burst: float, now: float) -> None:
        self.source, self.kind = source, kind
        self.left, self.updated = burst, now
        self.n = 0
        self.first = self.last = ""
        self.since = self.until = now

    def refill(self, limit: RateLimit, now: float) -> None:
        self.left = min(float(limit.burst), self.left + max(0.0, now - self.updated) * limit.per_second)
        self.updated = now

    def hold_back(self, token: str, now: float) -> None:
        if not self.n:
            self.first, self.since = token, now
        self.n += 1
        self.last, self.until = token, now

    def summary(self) -> Summary:
        summary = Summary(type=SUPPRESSED, source=self.source, suppressed_type=self.kind, n=self.n)
        summary |= {"seconds": self.until - self.since, "first": self.first, "last": self.last}
        summary.since, summary.until = self.since, self.until
        self.n = 0
        return summary


class RateLimiter:
    """The buckets of one ObserverSynthesis; safe to use from several threads. ``clock`` never goes back."""

    def __init__(self, limit: RateLimit, clock: Callable[[], float]) -> None:
        self.limit = limit
        self.suppressed = 0  #: how many emissions were held back so far
        self._clock = clock
        self._ended = False
        self._lock = Mutex("_lock")
        self._buckets: OrderedDict[_Key, _Bucket] = OrderedDict()  # the least recently used first
        self._due: OrderedDict[_Key, float] = OrderedDict()  # key -> when a bucket that holds back has one left again

    def take(self, measurement: Mapping[str, Any], token: str) -> tuple[bool, list[Summary]]:
        """True when this emission may go on, and the summaries that have to be emitted before it."""
        if isinstance(measurement, Summary):
            return True, []
        source, kind = measurement.get("source"), measurement.get("type")
        key = _text(source), _text(kind)
        with self._lock.alone():
            if self._ended:
                return True, []
            now = self._clock()
            summaries = self._refilled(now)
            bucket = self._buckets.get(key)
            if bucket is None:
                bucket = self._buckets[key] = _Bucket(source, kind, self.limit.burst, now)
                summaries += self._forget()
            self._buckets.move_to_end(key)
            bucket.refill(self.limit, now)
            if bucket.left >= 1:
                bucket.left -= 1
                if bucket.n:  # rounding: refilled a moment before it was due
                    del self._due[key]
                    summaries.append(bucket.summary())
                return True, summaries
            bucket.hold_back(token, now)
            self.suppressed += 1
            self._due.setdefault(key, now + (1 - bucket.left) / self.limit.per_second)
            return False, summaries

    def end(self) -> list[Summary]:
        """The last summaries; nothing is held back any more."""
        with self._lock.alone():
            self._ended = True
        return self.drain()

    def drain(self) -> list[Summary]:
        """Summaries of all that was held back since the last ones."""
        with self._lock.alone():
            self._due.clear()
            return [bucket.summary() for bucket in self._buckets.values() if bucket.n]

    def put_back(self, summaries: list[Summary]) -> None:
        """Take summaries that could not be emitted into the next ones."""
        with self._lock.alone():
            now = self._clock()
            for summary in summaries:
                source, kind = summary["source"], summary["suppressed_type"]
                key = _text(source), _text(kind)
                bucket = self._buckets.setdefault(key, _Bucket(source, kind, 0.0, now))
                if not bucket.n:
                    bucket.last, bucket.until = summary["last"], summary.until
                bucket.first, bucket.since = summary["first"], summary.since
                bucket.n += summary["n"]
                self._due.setdefault(key, now)

    def after_fork(self) -> None:
        """In a child: a lock that no vanished thread holds; the summaries of the parent are the parent's to emit."""
        self._lock = Mutex("_lock")
        self._due.clear()
        for bucket in self._buckets.values():
            bucket.n = 0

    def _refilled(self, now: float) -> list[Summary]:
        """Summaries of the buckets that have an emission left again, whoever emits now."""
        summaries = []
        while self._due:
            key, due = next(iter(self._due.items()))
            if due > now:
                break
            del self._due[key]
            summaries.append(self._buckets[key].summary())
        return summaries

    def _forget(self) -> list[Summary]:
        """Drop the oldest buckets over the bound; the summaries of those that held something back."""
        summaries = []
        while len(self._buckets) > _MANY_BUCKETS:
            key, bucket = self._buckets.popitem(last=False)
            self._due.pop(key, None)
            if bucket.n:
                summaries.append(bucket.summary())
        return summaries


def _text(value: Any) -> str:
    return value if type(value) is str else "\0" + canonical(value)


class RateLimited:
    """The part of an ObserverSynthesis that may hold emissions back; off unless a limit is set."""

    _lock: Mutex
    _limiter: RateLimiter | None
    _clock: Callable[[], float]
    _times: deque[float]
    emit_token: Callable[[Mapping[str, Any]], str]

    def limit_rate(self, limit: RateLimit | None) -> None:
        """Hold back what any source emits of any type beyond a limit, from now on; None: nothing any more.

        What is held back is in no log and no memory, but ``emit_token`` still returns its id, and one token of the
        type "suppressed" says how many there were: as soon as the bucket has an emission left again and somebody
        emits, flushes or closes.
        """
        old, self._limiter = self._limiter, None if limit is None else RateLimiter(limit, self._clock)
        if old is not None:
            self._emit_summaries(old, old.end())

    @property
    def tokens_suppressed(self) -> int:
        """How many emissions the present limit has held back."""
        limiter = self._limiter
        return 0 if limiter is None else limiter.suppressed

    def emit_suppressed_summary(self) -> None:
        """Emit a summary of each source and type that was held back, without waiting for its bucket."""
        limiter = self._limiter
        if limiter is not None:
            self._emit_summaries(limiter, limiter.drain())

    def _admitted(self, limiter: RateLimiter, measurement: Mapping[str, Any], token: str) -> bool:
        admitted, summaries = limiter.take(measurement, token)
        if not admitted:
            with self._lock.alone():
                self._times.append(self._clock())  # it was measured, and counts for the rate
            _watched().add(self)  # emits its summaries at exit
        self._emit_summaries(limiter, summaries)
        return admitted

    def _emit_summaries(self, limiter: RateLimiter, summaries: list[Summary]) -> None:
        try:
            while summaries:
                self.emit_token(summaries[0])
                del summaries[0]
        finally:
            limiter.put_back(summaries)


@cache
def _watched() -> OpenObjects[RateLimited]:
    """The objects that held something back; at exit they emit their summaries before their logs are closed.

    Made when the first one holds something back. By then a log is open, and exit functions run in reverse order.
    """
    return OpenObjects(at_exit=_emit_last_summary)


def _emit_last_summary(synthesis: RateLimited) -> None:
    try:
        synthesis.emit_suppressed_summary()
    except ToriworkError as error:
        _LOG.warning("The summary of what was held back could not be emitted: %s", error)
