"""Observer tokens: a measurement gets an identity that anybody can recompute, chosen ones become a context.

pyarrow is loaded when a token log is opened, not before.
"""

from toriwork.synthesis.identity import token_id
from toriwork.synthesis.observer import Monitor, ObserverSynthesis
from toriwork.synthesis.shared import (
    emit_token,
    get_observer_synthesis,
    integrate_with_eigensentry,
    integrate_with_origin_sentry,
)

__all__ = [
    "Monitor",
    "ObserverSynthesis",
    "emit_token",
    "get_observer_synthesis",
    "integrate_with_eigensentry",
    "integrate_with_origin_sentry",
    "token_id",
]
