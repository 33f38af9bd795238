"""Emissions in the words of other systems: plain dicts that JSON can hold, made without any of their libraries.

All take what :meth:`ObserverSynthesis.occurrences` gives, or any part of it.
"""

from toriwork.synthesis.export.cloudevents import to_cloudevents
from toriwork.synthesis.export.otlp import to_otlp_logs, to_otlp_spans
from toriwork.synthesis.export.prov import to_prov

__all__ = ["to_cloudevents", "to_otlp_logs", "to_otlp_spans", "to_prov"]
