"""What an ObserverSynthesis does with a rate limit: admit, hold back, and tell what was held back."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Mapping
from functools import cache
from typing import Any

from toriwork.errors import ToriworkError
from toriwork.lifetime import OpenObjects
from toriwork.locks import Mutex
from toriwork.synthesis.rate import RateLimit, RateLimiter, Summary

_LOG = logging.getLogger("toriwork.synthesis")


class Limited:
    """The part of an ObserverSynthesis that may hold emissions back; off unless a limit is set."""

    _lock: Mutex
    _limiter: RateLimiter | None
    _clock: Callable[[], float]
    _times: deque[float]
    emit_token: Callable[[Mapping[str, Any]], str]

    def limit_rate(self, limit: RateLimit | None) -> None:
        """Hold back what any source emits of any type beyond a limit, from now on; None: nothing any more.

        What is held back is in no log and no memory, but ``emit_token`` still returns its id, and one token of the
        type "suppressed" tells how many there were: as soon as the bucket has an emission left again and somebody
        emits, flushes or closes.
        """
        old, self._limiter = self._limiter, None if limit is None else RateLimiter(limit, self._clock)
        if old is not None:
            self._tell(old, old.end())

    @property
    def tokens_suppressed(self) -> int:
        """How many emissions the present limit has held back."""
        limiter = self._limiter
        return 0 if limiter is None else limiter.suppressed

    def tell_suppressed(self) -> None:
        """Emit what there is to tell of emissions that were held back, without waiting for their bucket."""
        limiter = self._limiter
        if limiter is not None:
            self._tell(limiter, limiter.drain())

    def _admitted(self, limiter: RateLimiter, measurement: Mapping[str, Any], token: str) -> bool:
        """Whether an emission may go on; the id of a measurement is known to exist by now."""
        admitted, summaries = limiter.take(measurement, token)
        if not admitted:
            with self._lock.alone():
                self._times.append(self._clock())  # it was measured, and counts for the rate
            _watched().add(self)  # tells what it held back at exit
        self._tell(limiter, summaries)
        return admitted

    def _tell(self, limiter: RateLimiter, summaries: list[Summary]) -> None:
        try:
            while summaries:
                self.emit_token(summaries[0])
                del summaries[0]
        finally:
            limiter.put_back(summaries)


@cache
def _watched() -> OpenObjects[Limited]:
    """The objects that held something back; at exit they tell it before their logs are closed.

    Made when the first one holds something back. By then a log is open, and exit functions run in reverse order.
    """
    return OpenObjects(at_exit=_tell_last)


def _tell_last(synthesis: Limited) -> None:
    try:
        synthesis.tell_suppressed()
    except ToriworkError as error:
        _LOG.warning("what was held back could not be told: %s", error)
