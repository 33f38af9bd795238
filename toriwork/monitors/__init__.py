"""The four monitors: pure arithmetic in functions, state in a thin class, one observer token per measurement.

Each is loaded on first use, so that ``python -m toriwork.monitors.origin_sentry`` runs the module it names.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from toriwork.monitors.braid_aggregator import BraidAggregator as BraidAggregator
    from toriwork.monitors.chaos_controller import ChaosChannelController as ChaosChannelController
    from toriwork.monitors.curvature_guard import CurvatureAwareGuard as CurvatureAwareGuard
    from toriwork.monitors.origin_sentry import OriginSentry as OriginSentry

#: monitor -> the module that owns it
_HOMES = {
    "OriginSentry": "toriwork.monitors.origin_sentry",
    "CurvatureAwareGuard": "toriwork.monitors.curvature_guard",
    "BraidAggregator": "toriwork.monitors.braid_aggregator",
    "ChaosChannelController": "toriwork.monitors.chaos_controller",
}

__all__ = ["BraidAggregator", "ChaosChannelController", "CurvatureAwareGuard", "OriginSentry"]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
