"""Exports, read by the real packages: opentelemetry-proto, cloudevents and prov."""

from __future__ import annotations

import base64
import copy
import json
import math
import subprocess
import sys

import pytest
from cloudevents.core.bindings.http import HTTPMessage, from_structured
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent
from google.protobuf import json_format
from hypothesis import given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from prov.model import ProvDocument

from tests.synthesis import oracles
from toriwork.synthesis import (
    ObserverSynthesis,
    to_cloudevents,
    to_otlp_logs,
    to_otlp_spans,
    to_prov,
    token_id,
)
from toriwork.synthesis.identity import PREFIX, digest_of
from toriwork.synthesis.occurrences import Occurrence

MEASUREMENT = {
    "type": "origin spectral",
    "source": "origin/sentry é",
    "subject": "shape_1",
    "timestamp": "yesterday",
    "lambda_max": 0.05,
    "n": 3,
    "large": 2**70,
    "none": None,
    "yes": True,
    "death": math.inf,
    "birth": -math.inf,
    "unknown": math.nan,
    "$key": {"nested": [1.5, "text", {"$f": "a text"}]},
}


def emitted(*measurements):
    """Occurrences a millisecond apart, from a round second on."""
    ticks = iter(range(1_700_000_000_000, 1_800_000_000_000))
    observers = ObserverSynthesis(now=lambda: next(ticks) / 1000)
    found = []
    for measurement in measurements:
        observers.emit_token(measurement)
        found += [one._replace(row_id=f"row-{len(found)}") for one in observers.occurrences()[-1:]]
    return found


FIRST = token_id(MEASUREMENT)
OCCURRENCES = emitted(
    MEASUREMENT,
    {"type": "curvature", "source": "eigensentry", "refs": [FIRST, "t1:" + "0" * 39 + "a", "no token"], "x": 1},
    MEASUREMENT,
    {"y": 1},
)

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
measurements = st.fixed_dictionaries(
    {"value": json_values}, optional={"type": json_values, "source": json_values, "subject": st.text()}
)


# ---- OTLP --------------------------------------------------------------------------------------------------------


def with_ids_in_base64(message):
    """OTLP/JSON deviates from proto3 JSON in one point: ids are hex. The protobuf package knows base64 only."""
    if isinstance(message, list):
        return [with_ids_in_base64(inner) for inner in message]
    if not isinstance(message, dict):
        return message
    return {
        key: base64.b64encode(bytes.fromhex(value)).decode()
        if key in ("traceId", "spanId")
        else with_ids_in_base64(value)
        for key, value in message.items()
    }


def parsed(message, kind):
    return json_format.Parse(json.dumps(with_ids_in_base64(message), allow_nan=False), kind())


def plain(value):
    """A protobuf AnyValue as a Python value."""
    which = value.WhichOneof("value")
    if which is None:
        return None
    inner = getattr(value, which)
    if which == "kvlist_value":
        return {pair.key: plain(pair.value) for pair in inner.values}
    return [plain(one) for one in inner.values] if which == "array_value" else inner


def attributes(record):
    return {pair.key: plain(pair.value) for pair in record.attributes}


def test_log_records_are_read_by_the_protobuf_package():
    request = parsed(to_otlp_logs(OCCURRENCES), ExportLogsServiceRequest)
    (resource,) = request.resource_logs
    assert attributes(resource.resource) == {"service.name": "toriwork"}
    records = resource.scope_logs[0].log_records
    assert [record.event_name for record in records] == ["origin spectral", "curvature", "origin spectral", "untyped"]
    first = records[0]
    assert first.time_unix_nano == first.observed_time_unix_nano == 1_700_000_000_000_000_000
    assert records[2].time_unix_nano == 1_700_000_000_002_000_000
    assert (first.trace_id.hex(), first.span_id.hex()) == (FIRST[3:35], FIRST[-16:])
    assert attributes(first) == {
        "toriwork.token": FIRST,
        "toriwork.type": "origin spectral",
        "toriwork.source": "origin/sentry é",
        "toriwork.subject": "shape_1",
        "toriwork.timestamp": "yesterday",
    }
    body = plain(first.body)
    assert math.isnan(body.pop("unknown"))
    assert body == {
        "lambda_max": 0.05,
        "n": 3,
        "large": str(2**70),
        "none": None,
        "yes": True,
        "death": math.inf,
        "birth": -math.inf,
        "$key": {"nested": [1.5, "text", {"$f": "a text"}]},
    }
    assert isinstance(body["n"], int)


def test_spans_are_read_by_the_protobuf_package_and_linked_by_references():
    request = parsed(to_otlp_spans(OCCURRENCES, {"service.name": "lab"}), ExportTraceServiceRequest)
    (resource,) = request.resource_spans
    assert attributes(resource.resource) == {"service.name": "lab"}
    first, second, third = resource.scope_spans[0].spans
    assert attributes(first)["toriwork.count"] == 2
    assert first.end_time_unix_nano - first.start_time_unix_nano == 2_000_000
    assert third.end_time_unix_nano == third.start_time_unix_nano
    assert [link.span_id.hex() for link in second.links] == ["0" * 15 + "a", FIRST[-16:]]
    assert second.links[1].trace_id == first.trace_id
    assert attributes(second)["toriwork.refs"] == ["no token", "t1:" + "0" * 39 + "a", FIRST]
    assert attributes(second)["toriwork.measurement"] == {"x": 1}
    assert (first.name, first.kind, third.name) == ("origin spectral", 1, "untyped")


def test_whole_numbers_of_64_bits_are_texts_in_the_json():
    record = to_otlp_logs(OCCURRENCES)["resourceLogs"][0]["scopeLogs"][0]["logRecords"][0]
    assert record["timeUnixNano"] == "1700000000000000000"
    assert {"key": "n", "value": {"intValue": "3"}} in record["body"]["kvlistValue"]["values"]


@settings(max_examples=30)
@given(st.lists(measurements, max_size=3))
def test_whatever_was_measured_protobuf_reads_it(some):
    found = emitted(*some)
    parsed(to_otlp_logs(found), ExportLogsServiceRequest)
    parsed(to_otlp_spans(found), ExportTraceServiceRequest)


# ---- CloudEvents -------------------------------------------------------------------------------------------------


def event_of(plain_event):
    message = HTTPMessage(
        {"content-type": "application/cloudevents+json"}, json.dumps(plain_event, allow_nan=False).encode()
    )
    return from_structured(message, JSONFormat(), CloudEvent)


def test_an_event_is_read_by_the_cloudevents_package():
    event = event_of(to_cloudevents(OCCURRENCES)[0])
    assert event.get_id() == "row-0"
    assert event.get_source() == "/toriwork/origin%2Fsentry%20%C3%A9"
    assert event.get_type() == "toriwork.origin%20spectral"
    assert event.get_subject() == FIRST
    assert event.get_time().timestamp() == 1_700_000_000
    assert event.get_specversion() == "1.0"
    assert event.get_datacontenttype() == "application/json"


def test_the_data_of_an_event_hashes_to_its_token_again():
    """The receiver needs RFC 8785 and BLAKE2b, nothing of ours."""
    for event in to_cloudevents(OCCURRENCES):
        body = oracles.rfc8785.dumps(json.loads(json.dumps(event["data"])))
        assert PREFIX + digest_of(body).hex() == event["subject"]


def test_source_and_id_are_unique_for_each_occurrence():
    events = to_cloudevents(OCCURRENCES)
    assert len({(event["source"], event["id"]) for event in events}) == len(events)
    assert events[0]["subject"] == events[2]["subject"]


@settings(max_examples=30)
@given(measurements)
def test_whatever_was_measured_it_is_an_event(measurement):
    (event,) = to_cloudevents(emitted(measurement))
    read = event_of(event)
    assert read.get_type().isascii()
    assert read.get_source().isascii()
    assert read.get_data() == event["data"]


# ---- PROV --------------------------------------------------------------------------------------------------------


def document_of(occurrences):
    return ProvDocument.deserialize(content=json.dumps(to_prov(occurrences), allow_nan=False), format="json")


def test_a_document_is_read_by_the_prov_package():
    document = document_of(OCCURRENCES)
    kinds = sorted(type(record).__name__ for record in document.get_records())
    assert kinds == sorted(
        ["ProvEntity"] * 5
        + ["ProvAgent"] * 2
        + ["ProvGeneration"] * 3
        + ["ProvAttribution"] * 2
        + ["ProvDerivation"] * 3
    )
    (entity,) = document.get_record(FIRST)
    said = {str(name): value for name, value in entity.attributes}
    assert entity.identifier.uri == f"urn:toriwork:{FIRST}"
    assert said["toriwork:type"] == "origin spectral"
    assert said["toriwork:count"] == 2
    assert '"unknown":{"$f":"nan"}' in said["toriwork:measurement"]
    assert '"$$key"' in said["toriwork:measurement"]


def test_a_document_survives_a_round_trip_through_the_package():
    document = document_of(OCCURRENCES)
    again = ProvDocument.deserialize(content=document.serialize(format="json"), format="json")
    assert again == document


def test_a_derivation_leads_from_a_token_to_what_it_rests_on():
    document = document_of(OCCURRENCES)
    derived = [record for record in document.get_records() if type(record).__name__ == "ProvDerivation"]
    used = {str(dict(record.formal_attributes)[record.FORMAL_ATTRIBUTES[1]]) for record in derived}
    assert FIRST in used
    assert any(name.startswith("ref:x") for name in used)


@settings(max_examples=30)
@given(st.lists(measurements, min_size=1, max_size=3))
def test_whatever_was_measured_it_is_a_document(some):
    document = document_of(emitted(*some))
    assert len([record for record in document.get_records() if type(record).__name__ == "ProvEntity"]) == len(
        {token_id(one) for one in some}
    )


# ---- all of them -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("export", [to_otlp_logs, to_otlp_spans, to_cloudevents, to_prov])
def test_an_export_of_nothing_is_valid_and_none_changes_what_it_is_given(export):
    assert json.dumps(export([]))
    before = copy.deepcopy(OCCURRENCES)
    assert json.dumps(export(OCCURRENCES), allow_nan=False)
    assert before == OCCURRENCES
    assert export(iter(OCCURRENCES)) == export(OCCURRENCES)


def test_exporting_loads_none_of_the_packages():
    script = (
        "import sys\nfrom toriwork.synthesis import *\n"
        "observers = ObserverSynthesis(); observers.emit_token({'x': 1}); found = observers.occurrences()\n"
        "to_otlp_logs(found), to_otlp_spans(found), to_cloudevents(found), to_prov(found)\n"
        "assert not {'opentelemetry', 'google.protobuf', 'cloudevents', 'prov', 'pyarrow'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_an_occurrence_tells_its_time_in_utc():
    one = Occurrence(1_500_000, "row", "t1:", b"", (), None)
    assert one.time.isoformat() == "1970-01-01T00:00:01.500000+00:00"
