"""What the four monitors share: one token per measurement, a lock that survives a fork, subscribers that may fail."""

from __future__ import annotations

import copy
import inspect
import logging
import threading
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from toriwork.errors import BadInput
from toriwork.lifetime import OpenObjects
from toriwork.synthesis import ObserverSynthesis, get_observer_synthesis

_LOG = logging.getLogger("toriwork.monitors")
SIGNIFICANT = 12  #: digits of a measurement in its token: the last bits differ between machines

_ALL: OpenObjects[ObservingMonitor] = OpenObjects(lambda monitor: monitor.after_fork())


class ObservingMonitor:
    """A monitor that says what it measured in one token each time.

    Parameters
    ----------
    subject : str, optional
        Which of several monitors of one kind it is.
    synthesis : ObserverSynthesis, optional
        Where the tokens go; the shared one of the state root when not given. May be exchanged at any time
        (``integrate_with_*`` does): tokens go to one place only.
    """

    kind: ClassVar[str]  #: ``type`` of its tokens
    source: ClassVar[str]

    def __init__(self, subject: str | None = None, synthesis: ObserverSynthesis | None = None) -> None:
        self.synthesis = synthesis
        self.subject = subject
        self.last_token: str | None = None
        self._lock = threading.RLock()
        _ALL.add(self)

    def _emit(self, measured: Mapping[str, Any], *, matters: bool, time: float | None = None, **named: Any) -> str:
        """Emit the one token of a measurement, rounded, and add it to the context when it matters."""
        synthesis = get_observer_synthesis() if self.synthesis is None else self.synthesis
        token = synthesis.emit_token(
            {
                "type": self.kind,
                "source": self.source,
                "subject": self.subject,
                "timestamp": time,
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


def rounded(value: Any) -> Any:
    """Numbers to twelve significant digits, also inside lists and mappings; everything else as it is."""
    if isinstance(value, float | np.floating):
        return float(f"{value:.{SIGNIFICANT - 1}e}")
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return value


def check_callback(callback: Any) -> Callable[[dict[str, Any]], Any]:
    """The callback itself when it can be called plainly; BadInput otherwise, also for a coroutine function."""
    if not callable(callback):
        raise BadInput(f"callback: a function of one dict is wanted, given was {callback!r:.80}")
    if inspect.iscoroutinefunction(callback):
        raise BadInput("callback: a plain function is wanted; it may schedule a coroutine, nobody here would await one")
    return callback  # type: ignore[no-any-return]  # callable() says no more


def call_back(callback: Callable[[dict[str, Any]], Any], report: Mapping[str, Any]) -> bool:
    """Whether a subscriber took a report of its own copy; what it raises is logged and hurts nobody else."""
    try:
        callback(copy.deepcopy(dict(report)))
    except Exception:  # noqa: BLE001 - a subscriber's fault is not the monitor's
        _LOG.exception("a subscriber failed: %r", callback)
        return False
    return True


def check_count(name: str, value: Any, least: int = 1) -> int:
    """A whole number from ``least`` upwards; BadInput otherwise."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < least:
        raise BadInput(f"{name}: a whole number >= {least} is wanted, given was {value!r}")
    return int(value)


def check_name(name: str, value: Any) -> str:
    """A text that is not empty; BadInput otherwise."""
    if not isinstance(value, str) or not value:
        raise BadInput(f"{name}: a text that is not empty is wanted, given was {value!r:.80}")
    return value
