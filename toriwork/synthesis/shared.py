"""The shared ObserverSynthesis of this process, one per state root, and the functions that speak to it."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, TypeVar

from toriwork.state import ENV_NAME, state_root
from toriwork.synthesis.observer import Monitor, ObserverSynthesis

LOG_FILE = "observer_tokens.parquet"
_MANY_SETTINGS = 256
# the mapping below os.environ, where a look-up costs a tenth; os.environ itself where there is none
_environ: Mapping[Any, Any] = getattr(os.environ, "_data", os.environ)
_SETTING: Any = ENV_NAME if _environ is os.environ else os.environ.encodekey(ENV_NAME)
_SLASH: Any = "/" if isinstance(_SETTING, str) else b"/"

_M = TypeVar("_M", bound=Monitor)

_by_path: dict[str, ObserverSynthesis] = {}
_by_setting: dict[tuple[Any, str], ObserverSynthesis] = {}  # finding the state root costs more than a token


def get_observer_synthesis() -> ObserverSynthesis:
    """The shared synthesis of the state root; its log is ``observer_tokens.parquet`` there, opened at first use.

    Examples
    --------
    >>> from toriwork import get_observer_synthesis
    >>> get_observer_synthesis() is get_observer_synthesis()
    True
    """
    setting = _environ.get(_SETTING)
    key = (setting, "" if setting is not None and setting[:1] == _SLASH else os.getcwd())  # noqa: PTH109 - a bare text
    found = _by_setting.get(key)
    return found if found is not None else _find(key)


def _find(key: tuple[Any, str]) -> ObserverSynthesis:
    path = os.path.realpath(state_root() / LOG_FILE)
    # each line is one step; a lock might be held by the very thread that a signal handler runs in
    found = _by_path.get(path) or _by_path.setdefault(path, ObserverSynthesis(path=path))
    if len(_by_setting) >= _MANY_SETTINGS:
        _by_setting.clear()
    _by_setting[key] = found
    return found


def emit_token(measurement: Mapping[str, Any]) -> str:
    """The token of a measurement, emitted by the shared synthesis; see :meth:`ObserverSynthesis.emit_token`.

    Examples
    --------
    >>> from toriwork import emit_token
    >>> emit_token({"type": "probe", "value": 1})
    't1:41577dde295cdc1e6fcc36605992a11bc0b26986'
    """
    return get_observer_synthesis().emit_token(measurement)


def integrate_with_eigensentry(guard: _M) -> _M:
    """The guard, bound to the shared synthesis."""
    return get_observer_synthesis().integrate_with_eigensentry(guard)


def integrate_with_origin_sentry(sentry: _M) -> _M:
    """The sentry, bound to the shared synthesis."""
    return get_observer_synthesis().integrate_with_origin_sentry(sentry)
