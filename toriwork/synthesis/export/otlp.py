"""OTLP in its JSON encoding: emissions as log records, or tokens as spans whose links are their references."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from toriwork.synthesis.identity import PREFIX, Core
from toriwork.synthesis.occurrences import Occurrence
from toriwork.synthesis.prompt import UNTYPED

_INFO = 9  # SeverityNumber
_INTERNAL = 1  # SpanKind
_DIGEST_HEX = 40
_INT64 = 2**63
_SCOPE = {"name": "toriwork"}


def to_otlp_logs(occurrences: Iterable[Occurrence], resource: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Emissions as an OTLP ``ExportLogsServiceRequest``: a log record each, the measurement as its body.

    Type, source, subject, token and references are attributes under ``toriwork.``; trace and span are those of
    :func:`to_otlp_spans`. A number without a fraction is an integer: 1 and 1.0 are one number in a token.

    The attributes of the resource are ``{"service.name": "toriwork"}`` unless given.

    Sources
    -------
    OpenTelemetry protocol 1.5, "JSON Protobuf Encoding" (ids in hex, enums as numbers); Protocol Buffers,
    "ProtoJSON Format" (64-bit integers as strings; "NaN", "Infinity").
    """
    records = [_record(one) for one in occurrences]
    return {
        "resourceLogs": [{"resource": _resource(resource), "scopeLogs": [{"scope": _SCOPE, "logRecords": records}]}]
    }


def to_otlp_spans(occurrences: Iterable[Occurrence], resource: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Tokens as an OTLP ``ExportTraceServiceRequest``: a span each, from its first emission to its last.

    The trace id is the first 16 bytes of the token's hash, the span id the last 8, so that a link to a token is known
    from the token alone: references are links, resolved or not, but for those that are no token ids at all. The
    measurement is the attribute ``toriwork.measurement``, the number of emissions ``toriwork.count``.
    For ``resource`` and sources see :func:`to_otlp_logs`.
    """
    groups: dict[str, list[Occurrence]] = {}
    for one in occurrences:
        groups.setdefault(one.token, []).append(one)
    spans = [_span(group) for group in groups.values()]
    return {"resourceSpans": [{"resource": _resource(resource), "scopeSpans": [{"scope": _SCOPE, "spans": spans}]}]}


def _record(one: Occurrence) -> dict[str, Any]:
    core = one.core
    return {
        "timeUnixNano": f"{one.time_us}000",
        "observedTimeUnixNano": f"{one.time_us}000",
        "severityNumber": _INFO,
        "eventName": core.type or UNTYPED,
        "body": any_value(core.measurement),
        "attributes": _attributes(_named(one, core)),
        **_ids(one.token),
    }


def _span(group: list[Occurrence]) -> dict[str, Any]:
    one = group[0]
    core = one.core
    times = [other.time_us for other in group]
    said = {**_named(one, core), "toriwork.measurement": core.measurement, "toriwork.count": len(group)}
    return {
        **_ids(one.token),
        "name": core.type or UNTYPED,
        "kind": _INTERNAL,
        "startTimeUnixNano": f"{min(times)}000",
        "endTimeUnixNano": f"{max(times)}000",
        "attributes": _attributes(said),
        "links": [_ids(ref) for ref in core.refs if _ids(ref)],
    }


def _ids(token: str) -> dict[str, str]:
    digits = token.removeprefix(PREFIX)
    if not token.startswith(PREFIX) or len(digits) != _DIGEST_HEX or set(digits) - set("0123456789abcdef"):
        return {}
    return {"traceId": digits[:32], "spanId": digits[-16:]}


def _named(one: Occurrence, core: Core) -> dict[str, Any]:
    """The attributes beside the measurement, without those that are missing."""
    said: dict[str, Any] = {"token": one.token, "type": core.type, "source": core.source, "subject": core.subject}
    said |= {"refs": list(core.refs) or None, "timestamp": one.given_time}
    return {f"toriwork.{name}": value for name, value in said.items() if value is not None}


def _resource(attributes: Mapping[str, Any] | None) -> dict[str, Any]:
    return {"attributes": _attributes({"service.name": "toriwork"} if attributes is None else attributes)}


def _attributes(said: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [{"key": key, "value": any_value(value)} for key, value in said.items()]


def any_value(value: Any) -> dict[str, Any]:
    """A value as an OTLP ``AnyValue``; an integer beyond 64 bits is a text, None is the empty value."""
    if value is None:
        return {}
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int) and -_INT64 <= value < _INT64:
        return {"intValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": _double(value)}
    if isinstance(value, Mapping | list | tuple):
        return _many(value)
    return {"stringValue": str(value)}


def _many(value: Mapping[str, Any] | Sequence[Any]) -> dict[str, Any]:
    if isinstance(value, Mapping):
        return {"kvlistValue": {"values": _attributes(value)}}
    return {"arrayValue": {"values": [any_value(inner) for inner in value]}}


def _double(value: float) -> float | str:
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
