"""Observer tokens: a measurement gets an identity that anybody can recompute, chosen ones become a context.

pyarrow is loaded when a token log is opened, not before.
"""

from toriwork.synthesis.context_budget import Budget
from toriwork.synthesis.explained import ChosenToken, OmittedToken, Reason, Selection
from toriwork.synthesis.export import to_cloudevents, to_otlp_logs, to_otlp_spans, to_prov
from toriwork.synthesis.identity import token_id
from toriwork.synthesis.observed import Observation, observe, observed
from toriwork.synthesis.observer import Monitor, ObserverSynthesis
from toriwork.synthesis.occurrences import Occurrence
from toriwork.synthesis.rate_limiting import RateLimit
from toriwork.synthesis.selection import Rules
from toriwork.synthesis.shared import (
    emit_token,
    get_observer_synthesis,
    integrate_with_eigensentry,
    integrate_with_origin_sentry,
)

__all__ = [
    "Budget",
    "ChosenToken",
    "Monitor",
    "Observation",
    "ObserverSynthesis",
    "Occurrence",
    "OmittedToken",
    "RateLimit",
    "Reason",
    "Rules",
    "Selection",
    "emit_token",
    "get_observer_synthesis",
    "integrate_with_eigensentry",
    "integrate_with_origin_sentry",
    "observe",
    "observed",
    "to_cloudevents",
    "to_otlp_logs",
    "to_otlp_spans",
    "to_prov",
    "token_id",
]
