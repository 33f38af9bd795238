"""Tokens of what older monitors return: one for each result, as the monitor of its kind would emit it."""

from __future__ import annotations

import dataclasses
import datetime as dt
import functools
import inspect
from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any, TypeVar, cast

import numpy as np

from toriwork.synthesis import ObserverSynthesis, get_observer_synthesis
from toriwork.synthesis.digest import rounded

_SOURCES = {
    "origin_spectral": "origin_sentry",
    "curvature": "eigensentry",
    "braid_summary": "braid_aggregator",
    "chaos_burst": "chaos_controller",
}
_IDENTITY_KEYS = ("type", "source", "subject", "refs", "references")

_F = TypeVar("_F", bound=Callable[..., Any])
_R = TypeVar("_R")


def emit_measurement(monitor: Any, result: _R, kind: str) -> _R:
    """The result itself, after its token was emitted; the token joins the context when :func:`matters` says so.

    Parameters
    ----------
    monitor : object
        Its ``synthesis``, where it has one, takes the token; else the shared one. Its ``name`` is the subject.
    result : mapping, dataclass or anything else
        Only mappings and dataclasses are measurements; anything else gets no token.
    kind : {"origin_spectral", "curvature", "braid_summary", "chaos_burst"}

    Raises
    ------
    StoreError
        The token log refused.
    """
    is_instance = dataclasses.is_dataclass(result) and not isinstance(result, type)
    measured = dataclasses.asdict(result) if is_instance else result  # type: ignore[call-overload] # mypy loses the test
    if not isinstance(measured, Mapping):
        return result
    fields = {f"result_{key}" if key in _IDENTITY_KEYS else str(key): plain(value) for key, value in measured.items()}
    moment = fields.pop("timestamp", None)
    bound, name = getattr(monitor, "synthesis", None), getattr(monitor, "name", None)
    synthesis = bound if isinstance(bound, ObserverSynthesis) else get_observer_synthesis()
    identity = {
        "type": kind,
        "source": _SOURCES[kind],
        "subject": name if isinstance(name, str) and name else None,
        "timestamp": moment,
    }
    token = synthesis.emit_token({key: rounded(value) for key, value in fields.items()} | identity)
    if matters(measured, kind):
        synthesis.add_to_context(token)
    return result


def matters(result: Mapping[str, Any], kind: str) -> bool:
    """True when the token of a result belongs into the context: the rule of the monitor of its kind."""
    if kind == "origin_spectral":
        return bool(result.get("novelty_score", 0.0) > 0.5 or result.get("dim_expansion"))
    if kind == "curvature":
        top, threshold = result.get("max_eigenvalue", 0.0), result.get("threshold", 1.0)
        return bool(result.get("action", "none") != "none" or top > 0.8 * threshold)
    if kind == "braid_summary":
        judged = result.get("classification") or result
        return bool(result.get("spike") or judged.get("novelty_score", 0.0) > 0.7)
    return True


def emitting(kind: str) -> Callable[[_F], _F]:
    """A decorator that emits a token of what a method returns, also of an async one; of a generator, for each item."""

    def decorate(function: _F) -> _F:
        async def items(self: Any, *args: Any, **named: Any) -> Any:
            async for item in function(self, *args, **named):
                yield emit_measurement(self, item, kind)

        async def awaited(self: Any, *args: Any, **named: Any) -> Any:
            return emit_measurement(self, await function(self, *args, **named), kind)

        def each(self: Any, *args: Any, **named: Any) -> Any:
            for item in function(self, *args, **named):
                yield emit_measurement(self, item, kind)

        def called(self: Any, *args: Any, **named: Any) -> Any:
            return emit_measurement(self, function(self, *args, **named), kind)

        wrapper: Callable[..., Any] = called
        if inspect.isasyncgenfunction(function):
            wrapper = items
        elif inspect.iscoroutinefunction(function):
            wrapper = awaited
        elif inspect.isgeneratorfunction(function):
            wrapper = each
        return cast("_F", functools.wraps(function)(wrapper))

    return decorate


def plain(value: Any) -> Any:
    """A value that a token can hold; the name of its type where it has no such form."""
    if isinstance(value, Enum):
        value = value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = dataclasses.asdict(value)
    if value is None or isinstance(value, bool | int | float | str | np.generic | np.ndarray):
        return value.item() if isinstance(value, np.generic) else value
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, Mapping):
        return {str(key): plain(inner) for key, inner in value.items()}
    return [plain(inner) for inner in value] if hasattr(value, "__iter__") else type(value).__name__
