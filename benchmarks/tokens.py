"""``emit_token`` with its log open, against sorting the same dict into JSON and against OpenTelemetry spans.

Then a synthesis of a thousand tokens, and the memory of a process that emits a great many.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.child import call, peak_bytes
from benchmarks.paired_rounds import seconds, take_turns
from benchmarks.report import Line, Target, compare
from benchmarks.sizes import Size

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

JSON = "json.dumps(sort_keys=True)"
IN_FILE, IN_MEMORY, IN_BATCHES = "OpenTelemetry span, to a file", "span, to memory", "span, batches to nowhere"
JSON_TARGET, SPAN_TARGET = Target("at most", 3.0), Target("at most", 1 / 2.5)
SYNTHESIS_TARGET = Target("at most", 0.05, of="ours")
MEMORY_TARGET = Target("at most", 1.5)
IN_CONTEXT = 1000

Measurement = dict[str, Any]


def small(n: int) -> Measurement:
    """Three keys."""
    return {"type": "origin_spectral", "source": "origin_sentry", "lambda_max": 0.05 + n * 1e-6}


def spectral(n: int) -> Measurement:
    """A measurement as OriginSentry makes it of one spectrum."""
    more = {"novelty": 0.7, "gap_birth": True, "coherence": "critical", "step": n}
    return {**small(n), **more}


def curvature(n: int) -> Measurement:
    """A dozen keys: subject, time and a list among them."""
    return {
        "type": "curvature",
        "source": "eigensentry",
        "subject": "shape_0",
        "timestamp": 1.7e9 + n,
        "max_eigenvalue": 0.731,
        "threshold": 0.97,
        "curvature": 0.0612 + n * 1e-6,
        "action": "none",
        "damping_factor": 0.0,
        "gaps": [0.02, 0.013, 0.007],
        "step": n,
        "ok": True,
    }


KINDS: tuple[tuple[str, Callable[[int], Measurement]], ...] = (
    ("3 keys", small),
    ("7 keys", spectral),
    ("12 keys", curvature),
)


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of emitting, of synthesis and of memory."""
    return *emitting(folder, size), synthesis(size), memory(folder, size)


def emitting(folder: Path, size: Size) -> list[Line]:
    """Seconds a call, in turn."""
    lines = []
    for name, make in KINDS:
        measurements = [make(n) for n in range(size.rows)]
        works: dict[str, Callable[[Sequence[Measurement]], float]] = {
            "ours": partial(_emit, folder / "tokens"),
            "no log": _emit_unlogged,
            JSON: _dumps,
            IN_FILE: partial(_spans_to_file, folder / "spans"),
            IN_MEMORY: _spans_to_memory,
            IN_BATCHES: _spans_in_batches,
        }
        contestants = {who: partial(work, measurements) for who, work in works.items()}
        found = take_turns(contestants, size.rounds)
        lines += [
            compare(f"emit_token, {name}", found["ours"], JSON, found[JSON], "s", JSON_TARGET),
            compare(f"emit_token, {name}", found["ours"], IN_FILE, found[IN_FILE], "s", SPAN_TARGET),
            # these survive nothing, a token does: told all the same
            compare(f"emit_token, {name}", found["ours"], IN_MEMORY, found[IN_MEMORY], "s", SPAN_TARGET),
            compare(f"emit_token, {name}", found["ours"], IN_BATCHES, found[IN_BATCHES], "s"),
            compare(f"emit_token, {name}, no log", found["no log"], IN_MEMORY, found[IN_MEMORY], "s", SPAN_TARGET),
        ]
    return lines


def _each(work: Callable[[Measurement], object], measurements: Sequence[Measurement]) -> float:
    def every() -> None:
        for measurement in measurements:
            work(measurement)

    return seconds(every) / len(measurements)


def _emit(folder: Path, measurements: Sequence[Measurement]) -> float:
    from toriwork.synthesis import ObserverSynthesis

    observers = ObserverSynthesis(path=folder / "observer_tokens.parquet")
    observers.emit_token({})  # opens the log
    found = _each(observers.emit_token, measurements)
    observers.close()
    shutil.rmtree(folder)
    return found


def _emit_unlogged(measurements: Sequence[Measurement]) -> float:
    from toriwork.synthesis import ObserverSynthesis

    return _each(ObserverSynthesis().emit_token, measurements)


def _dumps(measurements: Sequence[Measurement]) -> float:
    return _each(partial(json.dumps, sort_keys=True), measurements)


def _spans_to_file(path: Path, measurements: Sequence[Measurement]) -> float:
    """Each span is in a file when its block ends, as a token is: both survive the death of the process."""
    from opentelemetry.sdk.trace.export import ConsoleSpanExporter, SimpleSpanProcessor

    with path.open("w") as file:
        return _spans(SimpleSpanProcessor(ConsoleSpanExporter(out=file)), measurements)


def _spans_to_memory(measurements: Sequence[Measurement]) -> float:
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    return _spans(SimpleSpanProcessor(InMemorySpanExporter()), measurements)


def _spans_in_batches(measurements: Sequence[Measurement]) -> float:
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

    class Nowhere(SpanExporter):
        def export(self, spans: object) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    return _spans(BatchSpanProcessor(Nowhere()), measurements)


def _spans(processor: SpanProcessor, measurements: Sequence[Measurement]) -> float:
    """Spans with the same attributes, begun and ended."""
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("benchmarks")

    def span(measurement: Measurement) -> None:
        with tracer.start_as_current_span("token", attributes=measurement):
            pass

    found = _each(span, measurements)
    provider.shutdown()
    return found


def synthesis(size: Size) -> Line:
    """Choosing from, summing up and writing out a context of a thousand tokens."""
    from toriwork.synthesis import ObserverSynthesis

    observers = ObserverSynthesis(IN_CONTEXT)
    for n in range(IN_CONTEXT):
        observers.add_to_context(observers.emit_token({**spectral(n), "subject": f"shape_{n}"}))
    measured = observers.get_context_measurements()
    works = {"ours": observers.synthesize_context, "peer": partial(json.dumps, measured, sort_keys=True)}
    found = take_turns({who: partial(seconds, work) for who, work in works.items()}, size.rounds)
    name = f"synthesize_context, {IN_CONTEXT:,} tokens"
    return compare(name, found["ours"], f"{JSON} of them", found["peer"], "s", SYNTHESIS_TARGET)


def memory(folder: Path, size: Size) -> Line:
    """Peak memory of a process that emits many tokens, against one that emits a tenth of them."""
    n_many = size.base_rows
    peaks = [
        call("benchmarks.tokens:emit_many", path=str(folder / str(n) / "observer_tokens.parquet"), n_tokens=n)["peak"]
        for n in (n_many, n_many // 10)
    ]
    ratio = peaks[0] / peaks[1]
    name = f"peak memory, {n_many:,} tokens emitted"
    return Line(name, peaks[0], peaks[1], "bytes", f"{n_many // 10:,}", ratio, MEMORY_TARGET)


def emit_many(path: str, n_tokens: int) -> dict[str, int]:
    """Emit, flush and publish in this process; its peak memory in bytes."""
    from toriwork.synthesis import ObserverSynthesis

    Path(path).parent.mkdir(parents=True)
    observers = ObserverSynthesis(path=path)
    for n in range(n_tokens):
        observers.emit_token(spectral(n))
    assert observers.log is not None
    observers.log.flush(publish=True)
    observers.close()
    return {"peak": peak_bytes()}
