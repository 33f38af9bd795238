"""The context of an ObserverSynthesis: its tokens, its summary, its prompt."""

from __future__ import annotations

import datetime as dt
import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from toriwork.errors import NotFound
from toriwork.locks import Mutex
from toriwork.synthesis.context import ContextEntries, ContextEntry, entry
from toriwork.synthesis.context_budget import Budget
from toriwork.synthesis.explained import Selection
from toriwork.synthesis.identity import PREFIX, given
from toriwork.synthesis.memory import TokenMemory
from toriwork.synthesis.occurrences import Occurrence, logged, remembered, replayed, seconds_of
from toriwork.synthesis.prompt import PROCESS_KEY, summarise
from toriwork.synthesis.selection import Rules, select

if TYPE_CHECKING:
    from toriwork.synthesis.log import TokenLog

_LOG = logging.getLogger("toriwork.synthesis")
_SHOWN = slice(len(PREFIX), len(PREFIX) + 8)


class TokenContext:
    """The part of an ObserverSynthesis that keeps a context; lock, memory and clock are the other part's."""

    _lock: Mutex
    _memory: TokenMemory
    _context: ContextEntries
    _now: Callable[[], float]
    _fence_key: bytes | None
    max_tokens: int

    if TYPE_CHECKING:

        @property
        def log(self) -> TokenLog | None: ...

    def add_to_context(self, token: str, *, importance: float | None = None, pinned: bool = False) -> bool:
        """Put a token into the context; False when it was never emitted here, or is forgotten.

        The importance, 0 to 1, is 0.5 unless given; a token that is in the context already takes the new one. A pinned
        token is chosen before all others, and never superseded by a newer token of its observer.
        """
        with self._lock.alone():
            old = self._context.get(token)
            if old is not None and importance is None and pinned <= old.pinned:
                return True
            held = old.held if old is not None else self._memory.get(token)
            if held is None:
                return False
            if old is not None:
                importance, pinned = old.importance if importance is None else importance, pinned or old.pinned
            self._context.put(entry(token, held, importance, pinned=pinned))
        if old is None:
            _LOG.info("Observer token %s... added to reasoning context", token[_SHOWN])
        return True

    def remove_from_context(self, token: str) -> bool:
        """Take a token out of the context; False when it was not there."""
        with self._lock.alone():
            return self._context.remove(token)

    def clear_context(self) -> None:
        """Leave the context empty; the tokens stay remembered."""
        with self._lock.alone():
            self._context.clear()

    @property
    def context_tokens(self) -> tuple[str, ...]:
        """The tokens of the context in the order in which they were added."""
        with self._lock.alone():
            return tuple(found.token for found in self._context)

    def get_context_measurements(self) -> list[dict[str, Any]]:
        """The measurements of the context, in order, as they were emitted.

        NumPy values come back as plain ones; an array of more than 64 elements as the tag with its hash.
        """
        return [given(found.held.identity.body, found.held.identity.given_time) for found in self._snapshot()]

    def synthesize_context(self) -> dict[str, Any]:
        """As :func:`toriwork.synthesis.prompt.summarise`, and ``displaced_tokens``: how many had to leave because the
        context was full.
        """
        with self._lock.alone():
            displaced = self._context.displaced
        return {**summarise(self._snapshot()), "displaced_tokens": displaced}

    def select_context(self, budget: Budget | None = None, rules: Rules | None = None) -> Selection:
        """The tokens of the context that are shown, as text and as facts, and why each other one is not.

        The same tokens under the same budget and rules give the same text, whatever the order in which they were
        added and whenever it is asked for (a floor apart); a token below the cut does not change it. In another
        process the fence has another name, unless both were given the same ``fence_key``.
        """
        key = self._fence_key or PROCESS_KEY
        return select(self._snapshot(), budget or Budget(), rules or Rules(), self._now(), key)

    def create_reasoning_prompt(self, budget: Budget | None = None, rules: Rules | None = None) -> str:
        """The text of :meth:`select_context` for a language model; the same context gives the same bytes.

        Measurements are quoted lines inside a fence, see :func:`toriwork.synthesis.prompt.write_prompt`.
        """
        return self.select_context(budget, rules).text

    def _snapshot(self) -> list[ContextEntry]:
        with self._lock.alone():
            return [found.at(self._memory.seen(found.token)) for found in self._context]

    # ---- what was, and when --------------------------------------------------------------------------------------

    def occurrences(self, newest: int = 10_000) -> list[Occurrence]:
        """The newest emissions in the order of time: those of the log, without one the last of each token in memory."""
        log = self.log
        if log is not None:
            return logged(log, newest)
        with self._lock.alone():
            return remembered(self._memory, newest)

    def as_of(self, time: dt.datetime | float, budget: Budget | None = None, rules: Rules | None = None) -> Selection:
        """The selection at an earlier time, from the newest ``max_tokens`` emissions in the log by then.

        It is replayed from the log alone: any process, at any later time, gets the same bytes. So the fence is named
        with the random id of the log, unless a ``fence_key`` was given. What somebody had added to a context, removed
        from it or called important is not in the log: every token counts 0.5.

        Parameters
        ----------
        time : datetime or float
            With a time zone, or seconds since 1970.
        budget, rules
            As of :meth:`select_context`.

        Raises
        ------
        NotFound
            There is no log.
        BadInput
            The datetime has no time zone.
        """
        now = seconds_of(time)
        log = self.log
        if log is None:
            raise NotFound("this ObserverSynthesis has no token log; give it a path")
        found = logged(log, self.max_tokens, until_us=math.floor(now * 1e6))
        key = self._fence_key or log.fence_key() or PROCESS_KEY
        return select(replayed(found), budget or Budget(), rules or Rules(), now, key)
