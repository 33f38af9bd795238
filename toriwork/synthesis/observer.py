"""ObserverSynthesis: measurements become tokens, chosen tokens a context, the context a summary and a prompt."""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from toriwork.errors import BadInput, NotFound
from toriwork.synthesis import prompt
from toriwork.synthesis.budget import Budget
from toriwork.synthesis.context import Entry, Members, entry
from toriwork.synthesis.identity import PREFIX, digest_of, given, identify
from toriwork.synthesis.memory import TokenMemory
from toriwork.synthesis.selection import Rules, select

if TYPE_CHECKING:
    from toriwork.synthesis.explained import Selection
    from toriwork.synthesis.log import TokenLog

_LOG = logging.getLogger("toriwork.synthesis")
_RATE_SECONDS = 10.0
_RATE_EMISSIONS = 4096
_SHOWN = slice(len(PREFIX), len(PREFIX) + 8)

_ALL: weakref.WeakSet[ObserverSynthesis] = weakref.WeakSet()


class Monitor(Protocol):
    """What a monitor has for being bound: the synthesis that it emits into, None for the shared one."""

    synthesis: Any


_M = TypeVar("_M", bound=Monitor)


class ObserverSynthesis:
    """Tokens of what was measured, and the context made of some of them; safe to use from several threads.

    Parameters
    ----------
    max_tokens : int
        How many distinct tokens are remembered, and how many the context holds; the oldest go first.
    path : path-like, optional
        A token log; opened at the first emission. Without it nothing is written anywhere.
    clock : callable
        Seconds that never go back; for the rate.
    now : callable
        Seconds since 1970; for the recency of a token in a context.

    Raises
    ------
    BadInput
        ``max_tokens`` is not positive.
    """

    def __init__(
        self,
        max_tokens: int = 1000,
        *,
        path: str | os.PathLike[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
    ) -> None:
        if max_tokens < 1:
            raise BadInput(f"max_tokens: a positive number is wanted, given was {max_tokens}")
        self.max_tokens = max_tokens
        self._path = path
        self._clock = clock
        self._lock = threading.Lock()
        self._log: TokenLog | None = None
        self._now = now
        self._memory = TokenMemory(max_tokens, now)
        self._context = Members(max_tokens)
        self._times: deque[float] = deque(maxlen=_RATE_EMISSIONS)
        self._emitted = 0
        self._loops = 0
        _ALL.add(self)

    # ---- emitting ------------------------------------------------------------------------------------------------

    def emit_token(self, measurement: Mapping[str, Any]) -> str:
        """The token of a measurement, which is in the log and survives the death of the process, if there is a log.

        The same content gives the same token in every process and on every machine; each call is one emission.

        Parameters
        ----------
        measurement : mapping
            Anything JSON-like, NumPy values included; see :func:`toriwork.synthesis.token_id`. ``type``, ``source``,
            ``subject`` and ``refs`` (or ``references``: token ids) belong to the identity, ``timestamp`` does not,
            everything else is what was measured. It is not changed.

        Returns
        -------
        str
            ``"t1:"`` and 40 hex digits.

        Raises
        ------
        BadInput
            Something in it cannot be represented; the message names its key. Nothing was emitted.
        StoreError
            The log refused; nothing was emitted.
        """
        identity = identify(measurement)
        token = PREFIX + identity.digest.hex()
        with self._lock:
            sequence = self._emitted
            if self._path is not None:
                log = self._log or self._open_log()
                log.append(identity.digest, sequence, identity.given_time, identity.body)
            self._emitted = sequence + 1
            self._times.append(self._clock())
            if self._memory.put(token, identity):
                self._loops += 1
        if _LOG.isEnabledFor(logging.INFO):
            _LOG.info("Emitted token: %s...", token[_SHOWN])
        return token

    def _open_log(self) -> TokenLog:
        from toriwork.synthesis.log import TokenLog  # loads pyarrow: only who logs pays for it

        assert self._path is not None  # its callers looked
        self._log = TokenLog(self._path)
        return self._log

    @property
    def log(self) -> TokenLog | None:
        """The token log, opened when it is not yet, or None when there is none."""
        with self._lock:
            return None if self._path is None else self._log or self._open_log()

    def verify(self, token: str) -> bool:
        """Whether what is held under a token still hashes to it; the log is asked where memory has forgotten it.

        Raises
        ------
        NotFound
            Nothing is held under that token.
        """
        with self._lock:
            found = self._context.get(token)
            held = found.held if found is not None else self._memory.get(token)
        body = held.identity.body if held is not None else None
        if body is None and self.log is not None:
            body = self.log.body_of(token)
        if body is None:
            raise NotFound(f"{token!r}: no such token here")
        return PREFIX + digest_of(body).hex() == token

    def unresolved(self, token: str) -> tuple[str, ...]:
        """The references of a token that lead to nothing in memory; NotFound when the token itself is forgotten."""
        with self._lock:
            found = self._context.get(token)
            held = self._memory.get(token) or (found.held if found is not None else None)
            if held is None:
                raise NotFound(f"{token!r}: no such token in memory")
            return self._memory.unresolved(held.identity.refs)

    # ---- the context ---------------------------------------------------------------------------------------------

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
        with self._lock:
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
        with self._lock:
            return self._context.remove(token)

    def clear_context(self) -> None:
        """Leave the context empty; the tokens stay remembered."""
        with self._lock:
            self._context.clear()

    @property
    def context_tokens(self) -> tuple[str, ...]:
        """The tokens of the context in the order in which they were added."""
        with self._lock:
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
        with self._lock:
            displaced = self._context.displaced
        return {**prompt.summarise(self._snapshot()), "displaced_tokens": displaced}

    def select_context(self, budget: Budget | None = None, rules: Rules | None = None) -> Selection:
        """What of the context is shown, as text and as facts, and why each other token is not.

        The same tokens under the same budget and rules give the same text, whatever the order in which they were
        added and whenever it is asked for (a floor apart); a token below the cut does not change it.
        """
        return select(self._snapshot(), budget or Budget(), rules or Rules(), self._now())

    def create_reasoning_prompt(self, budget: Budget | None = None, rules: Rules | None = None) -> str:
        """The text of :meth:`select_context` for a language model; the same context gives the same bytes.

        Every measurement is one quoted line of ASCII inside a fence that is longer than any run of its sign inside and
        named after a hash of what it encloses, so that recalled text cannot end the quotation and pose as
        instructions.
        """
        return self.select_context(budget, rules).text

    def _snapshot(self) -> list[Entry]:
        with self._lock:
            return [found.at(self._memory.seen(found.token)) for found in self._context]

    # ---- figures -------------------------------------------------------------------------------------------------

    @property
    def metrics(self) -> dict[str, int]:
        """``tokens_generated`` (emissions), ``tokens_in_context``, ``reflexive_loops`` (emissions that close one)."""
        with self._lock:
            return {
                "tokens_generated": self._emitted,
                "tokens_in_context": len(self._context),
                "reflexive_loops": self._loops,
            }

    def get_measurement_rate(self) -> float:
        """Emissions per second over the last ten seconds."""
        with self._lock:
            now = self._clock()
            recent = [moment for moment in self._times if moment > now - _RATE_SECONDS]
        if len(recent) == _RATE_EMISSIONS and now > recent[0]:  # more than are remembered: over the time they span
            return len(recent) / (now - recent[0])
        return len(recent) / _RATE_SECONDS

    def should_throttle(self, max_rate: float = 10.0) -> bool:
        """Whether more than ``max_rate`` emissions a second came in lately; advice only, nothing is held back."""
        return self.get_measurement_rate() > max_rate

    # ---- monitors ------------------------------------------------------------------------------------------------

    def integrate_with_eigensentry(self, guard: _M) -> _M:
        """The guard, which emits its tokens here from now on; it makes no more of them than before."""
        return self._bind(guard)

    def integrate_with_origin_sentry(self, sentry: _M) -> _M:
        """The sentry, which emits its tokens here from now on; it makes no more of them than before."""
        return self._bind(sentry)

    def _bind(self, monitor: _M) -> _M:
        if not hasattr(monitor, "synthesis"):
            raise BadInput(f"monitor: an object with an attribute 'synthesis' is wanted, given was {monitor!r:.80}")
        monitor.synthesis = self
        return monitor

    # ---- the frame -----------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Return when every emission before survives a power cut."""
        with self._lock:
            log = self._log
        if log is not None:
            log.flush()

    def close(self) -> None:
        """Give up the log; memory and context stay. The next emission opens it again."""
        with self._lock:
            log, self._log = self._log, None
        if log is not None:
            log.close()

    def after_fork(self) -> None:
        """In a child: a lock that no vanished thread holds; the log takes a journal of its own."""
        self._lock = threading.Lock()

    def __repr__(self) -> str:
        where = "" if self._path is None else f", path={str(self._path)!r}"
        facts = ", ".join(f"{name}={count}" for name, count in self.metrics.items())
        return f"ObserverSynthesis(max_tokens={self.max_tokens}{where}): {facts}"


def _after_fork() -> None:
    for synthesis in list(_ALL):
        synthesis.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
