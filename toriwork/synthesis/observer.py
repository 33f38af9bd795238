"""ObserverSynthesis: measurements become tokens, chosen tokens a context, the context a summary and a prompt."""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from toriwork.errors import BadInput, Closed, NotFound
from toriwork.lifetime import OpenObjects
from toriwork.locks import Mutex
from toriwork.state import shown_path
from toriwork.synthesis.context import ContextEntries
from toriwork.synthesis.identity import PREFIX, digest_of, identify
from toriwork.synthesis.memory import Held, TokenMemory
from toriwork.synthesis.rate_limiting import RateLimited
from toriwork.synthesis.token_context import TokenContext

if TYPE_CHECKING:
    from toriwork.synthesis.log import TokenLog
    from toriwork.synthesis.report import LogReport

_LOG = logging.getLogger("toriwork.synthesis")
_RATE_SECONDS = 10.0
_RATE_EMISSIONS = 4096
_SHOWN = slice(len(PREFIX), len(PREFIX) + 8)

_ALL: OpenObjects[ObserverSynthesis] = OpenObjects(lambda synthesis: synthesis.after_fork())


class Monitor(Protocol):
    """A monitor that can be bound: ``synthesis`` takes its tokens, None stands for the shared one."""

    synthesis: Any


_M = TypeVar("_M", bound=Monitor)


class ObserverSynthesis(TokenContext, RateLimited):
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
        Seconds since 1970; the time of an emission in the log and for the recency of a token in a context.
    keep_rows : int, optional
        Of the log: it holds at most so many rows and those of its newest publish, a million unless said otherwise.
    keep_days : float, optional
        Of the log: older rows go. None: age does not matter.
    fence_key : bytes, optional
        16 to 64 secret bytes that the fences of prompts are named with, for the same text in every process. Whoever
        knows it can tell the name beforehand. Drawn at random in each process unless given.

    Raises
    ------
    BadInput
        ``max_tokens`` is not positive, or ``fence_key`` is not usable.

    Examples
    --------
    >>> from toriwork import ObserverSynthesis
    >>> observers = ObserverSynthesis()
    >>> token = observers.emit_token({"type": "origin_spectral", "source": "origin_sentry", "lambda_max": 0.05})
    >>> token[:15], observers.add_to_context(token)
    ('t1:908f4a97cd39', True)
    >>> observers.synthesize_context()["summary"]
    '1 token: origin_spectral 1'
    """

    def __init__(
        self,
        max_tokens: int = 1000,
        *,
        path: str | os.PathLike[str] | None = None,
        clock: Callable[[], float] = time.monotonic,
        now: Callable[[], float] = time.time,
        keep_rows: int | None = None,
        keep_days: float | None = None,
        fence_key: bytes | None = None,
    ) -> None:
        if max_tokens < 1:
            raise BadInput(f"max_tokens: expected a positive number, got {max_tokens}")
        if fence_key is not None:
            _check_key(fence_key)
        self._fence_key = fence_key
        self.max_tokens = max_tokens
        self._path = path
        self._keep = keep_rows, keep_days
        self._clock = clock
        self._new_lock()
        self._log: TokenLog | None = None
        self._now = now
        self._memory = TokenMemory(max_tokens)
        self._context = ContextEntries(max_tokens)
        self._times: deque[float] = deque(maxlen=_RATE_EMISSIONS)
        self._limiter = None
        self._emitted = 0
        self._loops = 0
        _ALL.add(self)

    # ---- emitting ------------------------------------------------------------------------------------------------

    def emit_token(self, measurement: Mapping[str, Any]) -> str:
        """The token of a measurement, which survives the death of the process if there is a log: "t1:" + 40 hex digits.

        The same content gives the same token in every process and on every machine; each call is one emission.

        Parameters
        ----------
        measurement : mapping
            Anything JSON-like, NumPy values included; see :func:`toriwork.synthesis.token_id`. ``type``, ``source``,
            ``subject`` and ``refs`` (or ``references``: token ids) belong to the identity, ``timestamp`` does not,
            everything else is the measurement. It is not changed.

        Raises
        ------
        BadInput
            Something in it cannot be represented; the message names its key. Nothing was emitted.
        StoreError
            The log refused; nothing was emitted, unless ``row_ids`` of the error names its row: then it may have been.
        """
        identity = identify(measurement)
        body, digest, _, given_time = identity
        token = PREFIX + digest.hex()
        if self._limiter is not None and not self._admitted(self._limiter, measurement, token):
            return token
        if self._inside():
            self._lock.alone()
        with self._emitting:
            now = self._now()
            if self._path is not None:
                log = self._log or self._open_log()
                try:
                    log.append(digest, now, given_time, body)
                except Closed:  # an interrupt came while it was being closed
                    self._open_log().append(digest, now, given_time, body)
            self._emitted += 1
            self._times.append(self._clock())
            if self._memory.put(token, identity, now):
                self._loops += 1
        if _LOG.isEnabledFor(logging.INFO):
            _LOG.info("Emitted token: %s...", token[_SHOWN])
        return token

    def _open_log(self) -> TokenLog:
        from toriwork.synthesis.log import TokenLog  # loads pyarrow: only who logs pays for it

        assert self._path is not None  # its callers looked
        if self._log is not None:
            self._log.close()  # it is, but perhaps not all the way
            self._log = None
        keep_rows, keep_days = self._keep
        self._log = TokenLog(self._path, keep_rows=keep_rows, keep_days=keep_days, now=self._now)
        return self._log

    @property
    def log(self) -> TokenLog | None:
        """The token log, opened when it is not yet, or None when there is none."""
        with self._lock.alone():
            if self._path is None:
                return None
            return self._open_log() if self._log is None or self._log.closed else self._log

    def verify(self, token: str) -> bool:
        """True when the body held under a token still hashes to it; the log is asked where memory has forgotten it.
        NotFound when nothing is held under that token.
        """
        with self._lock.alone():
            found = self._context.get(token)
            held = found.held if found is not None else self._memory.get(token)
        body = held.identity.body if held is not None else None
        if body is None and self.log is not None:
            body = self.log.body_of(token)
        if body is None:
            raise NotFound(f"{token!r}: no such token here")
        return PREFIX + digest_of(body).hex() == token

    def verify_log(self) -> LogReport:
        """The report on every row, chain and generation of the token log, and what that proves.

        NotFound when there is no log; DamagedFile or StoreMismatch when the store itself refuses its files.
        """
        if self.log is None:
            raise NotFound("this ObserverSynthesis has no token log; give it a path")
        return self.log.verify()

    def unresolved(self, token: str) -> tuple[str, ...]:
        """The references of a token that lead to nothing in memory; NotFound when the token itself is forgotten."""
        with self._lock.alone():
            return self._memory.unresolved(self._held(token).identity.refs)

    def loop_order(self, token: str) -> int:
        """How often the observer of a token (its source, type and subject) stands among its ancestors.

        0: no reflexive loop. At most 64; only ancestors that were in memory at the emission count. NotFound when the
        token is forgotten.
        """
        with self._lock.alone():
            return self._held(token).lineage.order

    def _held(self, token: str) -> Held:
        found = self._context.get(token)
        held = self._memory.get(token) or (found.held if found is not None else None)
        if held is None:
            raise NotFound(f"{token!r}: no such token in memory")
        return held

    # ---- figures -------------------------------------------------------------------------------------------------

    @property
    def metrics(self) -> dict[str, int]:
        """``tokens_generated`` (emissions), ``tokens_in_context``, ``reflexive_loops`` (emissions that close one),
        ``references_cut`` (references, observers and steps over a bound, see :mod:`toriwork.synthesis.references`).
        """
        with self._lock.alone():
            return {
                "tokens_generated": self._emitted,
                "tokens_in_context": len(self._context),
                "reflexive_loops": self._loops,
                "references_cut": self._memory.n_cut,
            }

    def get_measurement_rate(self) -> float:
        """Emissions per second over the last ten seconds."""
        with self._lock.alone():
            now = self._clock()
            recent = [moment for moment in self._times if moment > now - _RATE_SECONDS]
        if len(recent) == _RATE_EMISSIONS and now > recent[0]:  # more than are remembered: over the time they span
            return len(recent) / (now - recent[0])
        return len(recent) / _RATE_SECONDS

    def should_throttle(self, max_rate: float = 10.0) -> bool:
        """True when more than ``max_rate`` emissions a second came in lately; advice only, nothing is held back."""
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
            raise BadInput(f"monitor: expected an object with an attribute 'synthesis', got {monitor!r:.80}")
        monitor.synthesis = self
        return monitor

    # ---- the frame -----------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Return when every emission before survives a power cut; after a summary of what was held back."""
        self.emit_suppressed_summary()
        with self._lock.alone():
            log = self._log
        if log is not None:
            log.flush()

    def close(self) -> None:
        """Give up the log; memory and context stay. The next emission opens it again.

        A summary of what the rate limit held back comes first.
        """
        self.emit_suppressed_summary()
        with self._lock.alone():
            log = self._log
        if log is not None:
            try:
                log.close()
            finally:
                if log.closed and self._log is log:  # an interrupt may have come before
                    self._log = None

    def after_fork(self) -> None:
        """In a child: a lock that no vanished thread holds; the log takes a journal of its own."""
        self._new_lock()
        if self._limiter is not None:
            self._limiter.after_fork()

    def _new_lock(self) -> None:
        self._lock = Mutex("_lock")
        self._emitting, self._inside = self._lock.lock, self._lock.owned

    def __repr__(self) -> str:
        where = "" if self._path is None else f", path={shown_path(self._path)!r}"
        facts = ", ".join(f"{name}={count}" for name, count in self.metrics.items())
        return f"ObserverSynthesis(max_tokens={self.max_tokens}{where}): {facts}"


def _check_key(key: object) -> None:
    if not isinstance(key, bytes) or not 16 <= len(key) <= 64:
        of = f"{len(key)} bytes" if isinstance(key, bytes) else type(key).__name__
        raise BadInput(f"fence_key: expected 16 to 64 bytes, got {of}")
