"""The base of the four monitors: one token per measurement, a lock that survives a fork, subscribers that may fail."""

from __future__ import annotations

import copy
import inspect
import logging
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from toriwork.errors import BadInput
from toriwork.lifetime import OpenObjects
from toriwork.synthesis import ObserverSynthesis, get_observer_synthesis
from toriwork.synthesis.digest import rounded

_LOG = logging.getLogger("toriwork.monitors")

_ALL: OpenObjects[ObservingMonitor] = OpenObjects(lambda monitor: monitor.after_fork())


class ObservingMonitor:
    """A monitor that emits one token for each measurement.

    Parameters
    ----------
    subject : str, optional
        Which of several monitors of one kind it is.
    synthesis : ObserverSynthesis, optional
        Takes the tokens; the shared one when not given. ``integrate_with_*`` exchanges it: tokens go to one place only.
    clock : callable
        Seconds since 1970.
    """

    kind: ClassVar[str]  #: ``type`` of its tokens
    source: ClassVar[str]

    def __init__(
        self, subject: str | None, synthesis: ObserverSynthesis | None, clock: Callable[[], float] = time.time
    ) -> None:
        self.synthesis = synthesis
        self.subject = subject
        self._clock = clock
        self.last_token: str | None = None
        self._lock = threading.RLock()
        _ALL.add(self)

    def _emit(self, measured: Mapping[str, Any], *, matters: bool, at: float | None = None, **named: Any) -> str:
        """Emit the one token of a measurement, rounded, and add it to the context when it matters."""
        synthesis = get_observer_synthesis() if self.synthesis is None else self.synthesis
        token = synthesis.emit_token(
            {
                "type": self.kind,
                "source": self.source,
                "subject": self.subject,
                "timestamp": at,
                **named,
                **{key: rounded(value) for key, value in measured.items()},
            }
        )
        if matters:
            synthesis.add_to_context(token)
        self.last_token = token
        return token

    def after_fork(self) -> None:
        """In a child: a lock that no vanished thread holds."""
        self._lock = threading.RLock()


def check_callback(callback: Any) -> Callable[[dict[str, Any]], Any]:
    """The callback itself; BadInput when it cannot be called, or is a coroutine function."""
    if not callable(callback):
        raise BadInput(f"callback: expected a function of one dict, got {callback!r:.80}")
    if inspect.iscoroutinefunction(callback):
        raise BadInput("callback: expected a plain function, got a coroutine function; nobody here would await it")
    return callback  # type: ignore[no-any-return]  # callable() says no more


def call_back(callback: Callable[[dict[str, Any]], Any], report: Mapping[str, Any]) -> bool:
    """Give a subscriber its own copy of a report; False when it raised, which is logged."""
    try:
        callback(copy.deepcopy(dict(report)))
    except Exception:  # noqa: BLE001 - a subscriber's fault is not the monitor's
        _LOG.exception("a subscriber failed: %r", callback)
        return False
    return True


def check_count(name: str, value: Any, least: int = 1) -> int:
    """A whole number from ``least`` upwards; BadInput otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise BadInput(f"{name}: expected a whole number >= {least}, got {value!r}")
    return int(value)


def check_name(name: str, value: Any) -> str:
    """A text that is not empty; BadInput otherwise."""
    if not isinstance(value, str) or not value:
        raise BadInput(f"{name}: expected a text that is not empty, got {value!r:.80}")
    return value
