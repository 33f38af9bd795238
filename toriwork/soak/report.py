"""The report of a run as one HTML page: totals over all pieces, latencies, and curves over time with their numbers."""

from __future__ import annotations

import datetime as dt
import html
import math
from collections.abc import Iterator, Mapping, Sequence
from statistics import median
from typing import Any

from toriwork.printed import html_table
from toriwork.soak.history import History, merged, percentile

Event = Mapping[str, Any]
Curve = tuple[str, list[float]]

_BINS = 48  # points of a curve
_WIDTH, _HEIGHT = 560, 130
_COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7")  # told apart by the colour-blind
_UNKNOWN = (None, None)
_READERS = ("toriwork", "pandas", "duckdb", "polars", "verify")
_STYLE = (
    "body{font:15px/1.5 sans-serif;max-width:60em;margin:2em auto;padding:0 1em}table{border-collapse:collapse}"
    "th,td{padding:.15em .8em;text-align:right;border-bottom:1px solid #ccc}"
    "th:first-child,td:first-child{text-align:left}"
)


def report(history: History) -> str:
    """The page."""
    events = history.of("round", "end")
    if not events:
        return _page("<p>No round is over yet.</p>")
    parts = [
        html_table(("figure", "value"), _totals(history, events)),
        "<h2>Violations</h2>",
        "".join(f"<p>{html.escape(text)}</p>" for text in events[-1]["findings"]) or "<p>none</p>",
        "<h2>How long it took</h2>",
        html_table(("what", "times", "median", "95 %", "99 %", "longest"), _latencies(events)),
        "<h2>What could grow</h2>",
        html_table(
            ("process that is never killed", "piece", "figure", "first quarter", "last quarter"), _growth(history)
        ),
        "<h2>Over time</h2>",
        *_curves(events),
    ]
    return _page("".join(parts))


def _totals(history: History, events: Sequence[Event]) -> Iterator[tuple[str, str]]:
    last, starts = events[-1], history.of("start")
    counts = {kind: sum(found.values()) for kind, found in merged(events).items()}
    began = dt.datetime.fromtimestamp(starts[0]["time"], dt.UTC)
    yield "began", f"{began:%Y-%m-%d %H:%M} UTC"
    yield "hours at work", f"{last['seconds'] / 3600:.2f}, in {len(starts)} pieces"
    for name in ("rows", "tokens", "promised", "killed", "publishes", "drills"):
        words = {"promised": "rows and tokens that were promised", "drills": "backups restored and compared"}
        yield words.get(name, name), f"{last[name]:,}"
    for name in _READERS:
        yield f"reads by {name}", f"{counts.get(name, 0):,}"
    yield "files", f"{last['files']}, {last['disk_bytes'] / 1e6:.1f} MB"
    yield "violations", str(len(last["findings"]))


def _latencies(events: Sequence[Event]) -> Iterator[tuple[str, ...]]:
    for kind, found in sorted(merged(events).items()):
        shares = (_seconds(percentile(found, share)) for share in (0.5, 0.95, 0.99, 1.0))
        yield kind, f"{sum(found.values()):,}", *shares


def _growth(history: History) -> Iterator[tuple[str, ...]]:
    """The medians of the first and last quarter of each piece, beyond its first minute, in which imports happen."""
    piece, pieces = 0, dict[int, list[Event]]()
    for event in history.events:
        piece += event["event"] == "start"
        if event["event"] == "round":
            pieces.setdefault(piece, []).append(event)
    for number, events in pieces.items():
        settled = [one for one in events if one["seconds"] > events[0]["seconds"] + 60.0] or events
        quarter = max(1, len(settled) // 4)
        for role in settled[-1]["growth"]:
            for at, (name, unit) in enumerate((("memory, MB", 1e6), ("open files", 1.0))):
                values = [one["growth"][role][at] for one in settled if role in one["growth"]]
                known = [value / unit for value in values if value is not None]
                if known:
                    yield role, str(number), name, f"{median(known[:quarter]):.0f}", f"{median(known[-quarter:]):.0f}"


def _curves(events: Sequence[Event]) -> Iterator[str]:
    step = math.ceil(len(events) / _BINS)
    bins = [events[i : i + step] for i in range(0, len(events), step)]
    ends = [group[-1] for group in bins]
    hours = [one["seconds"] / 3600 for one in ends]
    before: list[Event] = [{"seconds": 0.0, "rows": 0, "publishes": 0}, *ends]

    def rate(name: str) -> list[float]:
        pairs = zip(before, ends, strict=False)
        return [(b[name] - a[name]) / max(b["seconds"] - a["seconds"], 1e-9) for a, b in pairs]

    def latency(kind: str, share: float) -> list[float]:
        return [1e3 * percentile(merged(group).get(kind, {}), share) for group in bins]

    def steady(at: int, unit: float) -> list[Curve]:
        roles = sorted({role for one in ends for role in one["growth"]})
        return [
            (role, [((one["growth"].get(role) or _UNKNOWN)[at] or math.nan) / unit for one in ends]) for role in roles
        ]

    yield _chart("rows a second", hours, [("rows", rate("rows"))])
    yield _chart("publishes a minute", hours, [("publishes", [60 * value for value in rate("publishes")])])
    for kind in ("record", "publish", "toriwork"):
        shares = [(f"{share:.0%}", latency(kind, share)) for share in (0.5, 0.95, 0.99)]
        yield _chart(f"{kind}: milliseconds", hours, shares)
    yield _chart("memory of the processes that are never killed, MB", hours, steady(0, 1e6))
    yield _chart("their open files", hours, steady(1, 1.0))
    yield _chart("size of all files, MB", hours, [("size", [one["disk_bytes"] / 1e6 for one in ends])])


def _chart(title: str, hours: Sequence[float], curves: Sequence[Curve]) -> str:
    """Curves from 0 upward, and the numbers behind them in a table that opens."""
    known = [value for _, values in curves for value in values if math.isfinite(value)]
    top, last = max(known, default=0.0) or 1.0, hours[-1] or 1.0
    lines = []
    for (_, values), colour in zip(curves, _COLOURS, strict=False):
        places = [
            f"{40 + (_WIDTH - 50) * hour / last:.1f},{10 + (_HEIGHT - 30) * (1 - value / top):.1f}"
            for hour, value in zip(hours, values, strict=True)
            if math.isfinite(value)
        ]
        lines.append(f"<polyline fill='none' stroke='{colour}' stroke-width='1.5' points='{' '.join(places)}'/>")
    names = ", ".join(
        f"<span style='color:{colour}'>{html.escape(name)}</span>"
        for (name, _), colour in zip(curves, _COLOURS, strict=False)
    )
    axis = (
        f"<text x='36' y='16' text-anchor='end'>{top:.3g}</text>"
        f"<text x='36' y='{_HEIGHT - 20}' text-anchor='end'>0</text>"
        f"<text x='{_WIDTH - 10}' y='{_HEIGHT - 4}' text-anchor='end'>{last:.2f} h</text>"
        f"<path d='M40 10V{_HEIGHT - 20}H{_WIDTH - 10}' fill='none' stroke='#888'/>"
    )
    rows = zip(
        *([f"{hour:.3f}" for hour in hours], *([f"{v:.3g}" for v in values] for _, values in curves)), strict=True
    )
    numbers = html_table(("hours", *(name for name, _ in curves)), rows)
    return (
        f"<h3>{html.escape(title)}</h3><p>{names}</p><svg viewBox='0 0 {_WIDTH} {_HEIGHT}' width='{_WIDTH}' role='img' "
        f"aria-label='{html.escape(title, quote=True)}' font-size='11'>{axis}{''.join(lines)}</svg>"
        f"<details><summary>numbers</summary>{numbers}</details>"
    )


def _seconds(value: float) -> str:
    if math.isnan(value):
        return "-"
    return f"{value:.2f} s" if value >= 1 else f"{1e3 * value:.2f} ms" if value >= 1e-3 else f"{1e6 * value:.0f} µs"


def _page(body: str) -> str:
    return (
        "<!doctype html><html lang='en'><meta charset='utf-8'><title>toriwork soak</title>"
        f"<style>{_STYLE}</style><h1>Endurance run</h1>{body}</html>\n"
    )
