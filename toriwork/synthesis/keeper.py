"""The context of an ObserverSynthesis: which tokens are in it, and what is told of them."""

from __future__ import annotations

import datetime as dt
import logging
import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from toriwork.errors import NotFound
from toriwork.locks import Mutex
from toriwork.synthesis import occurrences, prompt
from toriwork.synthesis.budget import Budget
from toriwork.synthesis.context import Entry, Members, entry
from toriwork.synthesis.explained import Selection
from toriwork.synthesis.identity import PREFIX, given
from toriwork.synthesis.memory import TokenMemory
from toriwork.synthesis.occurrences import Occurrence
from toriwork.synthesis.selection import Rules, select

if TYPE_CHECKING:
    from toriwork.synthesis.log import TokenLog

_LOG = logging.getLogger("toriwork.synthesis")
_SHOWN = slice(len(PREFIX), len(PREFIX) + 8)


class ContextKeeper:
    """What an ObserverSynthesis does with its context; it brings lock, memory and clock."""

    _lock: Mutex
    _memory: TokenMemory
    _context: Members
    _now: Callable[[], float]
    _fence_key: bytes | None
    max_tokens: int

    if TYPE_CHECKING:

        @property
        def log(self) -> TokenLog | None: ...

    def add_to_context(self, token: str, *, importance: float | None = None, pinned: bool = False) -> bool:
        """Whether the token is in the context now; False when it was never emitted here, or is forgotten.

        Parameters
        ----------
        token : str
            What ``emit_token`` gave back.
        importance : float, optional
            0 to 1, 0.5 unless given; a token that is in the context already takes it.
        pinned : bool
            Chosen before all others, and never superseded by a newer token of its observer.

        Raises
        ------
        BadInput
            The importance is not between 0 and 1.
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
        """Whether the token was in the context; it is not any more."""
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
        """``empty``, ``summary`` (text), ``token_count``, ``measurement_types`` (type -> how many), ``reflexive``
        (whether a token rests on one of its own observer), ``reflexive_tokens`` (how many do), ``pinned_tokens``,
        ``current_tokens`` (how many no newer token of their observer supersedes) and ``displaced_tokens`` (how many
        had to leave because the context was full).
        """
        with self._lock.alone():
            displaced = self._context.displaced
        return {**prompt.summarise(self._snapshot()), "displaced_tokens": displaced}

    def select_context(self, budget: Budget | None = None, rules: Rules | None = None) -> Selection:
        """What of the context is shown, as text and as facts, and why each other token is not.

        The same tokens under the same budget and rules give the same text, whatever the order in which they were
        added and whenever it is asked for (a floor apart); a token below the cut does not change it. In another
        process the fence has another name, unless both were given the same ``fence_key``.
        """
        key = self._fence_key or prompt.PROCESS_KEY
        return select(self._snapshot(), budget or Budget(), rules or Rules(), self._now(), key)

    def create_reasoning_prompt(self, budget: Budget | None = None, rules: Rules | None = None) -> str:
        """The text of :meth:`select_context` for a language model; the same context gives the same bytes.

        Every measurement is one quoted line of ASCII inside a fence that is longer than any run of its sign inside and
        named after a keyed hash of what it encloses, so that recalled text cannot end the quotation and pose as
        instructions. Outside the fence are only counts.
        """
        return self.select_context(budget, rules).text

    def _snapshot(self) -> list[Entry]:
        with self._lock.alone():
            return [found.at(self._memory.seen(found.token)) for found in self._context]

    # ---- what was, and when --------------------------------------------------------------------------------------

    def occurrences(self, newest: int = 10_000) -> list[Occurrence]:
        """The newest emissions in the order of time: those of the log, without one the last of each token in memory."""
        log = self.log
        if log is not None:
            return occurrences.logged(log, newest)
        with self._lock.alone():
            return occurrences.remembered(self._memory, newest)

    def as_of(self, time: dt.datetime | float, budget: Budget | None = None, rules: Rules | None = None) -> Selection:
        """What would have been chosen at an earlier time from the newest ``max_tokens`` emissions in the log by then.

        It is replayed from the log alone: any process, at any later time, gets the same bytes. So the fence is named
        with the random id of the log, unless a ``fence_key`` was given: who cannot read the log's files cannot tell
        it. What somebody had added to a context, removed from it or called important is not in the log: every token
        counts 0.5.

        Parameters
        ----------
        time : datetime or float
            With a time zone, or seconds since 1970.
        budget : Budget, optional
            What the text may cost.
        rules : Rules, optional
            What makes a token worth its place.

        Raises
        ------
        NotFound
            There is no log.
        BadInput
            The datetime has no time zone.
        """
        now = occurrences.seconds_of(time)
        log = self.log
        if log is None:
            raise NotFound("this ObserverSynthesis has no token log; give it a path")
        found = occurrences.logged(log, self.max_tokens, until_us=math.floor(now * 1e6))
        key = self._fence_key or log.fence_key() or prompt.PROCESS_KEY
        return select(occurrences.replayed(found), budget or Budget(), rules or Rules(), now, key)
