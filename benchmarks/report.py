"""The lines that a benchmark finds, and the one place where they are printed.

A line compares ours with a peer of the same run. Its target is a bound on the ratio where two machines should agree
about it, and a bound on ours where a person waits.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal


@dataclass(frozen=True, slots=True)
class Target:
    """A bound that the ratio (``of="ratio"``) or our own figure (``of="ours"``) should keep."""

    bound: Literal["at least", "at most"]
    value: float
    of: Literal["ratio", "ours"] = "ratio"
    stretch: float | None = None  #: a second, harder bound that nobody has to meet

    def holds(self, value: float) -> bool:
        """True when a value keeps the bound."""
        return value >= self.value if self.bound == "at least" else value <= self.value


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the table. ``ratio`` is ours / peer, as the median over rounds where there were rounds."""

    name: str
    ours: float
    peer: float
    unit: str  #: of both
    peer_name: str
    ratio: float
    target: Target | None = None
    note: str = ""

    @property
    def verdict(self) -> str:
        """``met``, ``missed``, or ``-`` where there is nothing to meet."""
        if self.target is None:
            return "-"
        return "met" if self.target.holds(self.ratio if self.target.of == "ratio" else self.ours) else "missed"

    def as_dict(self) -> dict[str, Any]:
        """The line with its verdict, ready for JSON."""
        return {**asdict(self), "verdict": self.verdict}


def compare(
    name: str, ours: Sequence[float], peer_name: str, peer: Sequence[float], unit: str, target: Target | None = None
) -> Line:
    """The line of two series of rounds that were taken in turn: medians, and the median of the rounds' ratios."""
    ratio = statistics.median(one / other for one, other in zip(ours, peer, strict=True))
    return Line(name, statistics.median(ours), statistics.median(peer), unit, peer_name, ratio, target)


def progress(text: str) -> None:
    """Say on stderr what is being measured now."""
    print(f"[{time.strftime('%H:%M:%S')}] {text}", file=sys.stderr, flush=True)


HEADINGS = ("name", "ours", "peer", "ratio", "target", "verdict")


def table(lines: Sequence[Line]) -> str:
    """The lines as a text table, one line per figure."""
    cells = [HEADINGS, *(_cells(line) for line in lines)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(HEADINGS))]
    texts = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    texts.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(texts)


def _cells(line: Line) -> tuple[str, ...]:
    name = f"{line.name} ({line.note})" if line.note else line.name
    peer = f"{readable(line.peer, line.unit)} {line.peer_name}"
    return name, readable(line.ours, line.unit), peer, f"{line.ratio:.2f} x", _target(line), line.verdict


def _target(line: Line) -> str:
    target = line.target
    if target is None:
        return "-"
    sign = ">=" if target.bound == "at least" else "<="
    bound = f"{target.value:g} x" if target.of == "ratio" else readable(target.value, line.unit)
    stretch = f" (stretch {target.stretch:g} x)" if target.stretch is not None else ""
    return f"{sign} {bound}{stretch}"


def readable(value: float, unit: str) -> str:
    """A figure with its unit: ``12,300 rows/s``, ``3.1 ms``, ``140 MB``."""
    if unit == "s":
        return next(f"{value * k:.3g} {u}" for k, u, least in _SECONDS if value >= least)
    if unit == "bytes":
        return f"{value / 1e6:,.0f} MB" if value >= 1e8 else f"{value / 1e6:,.1f} MB"
    return f"{value:,.0f} {unit}" if value >= 100 else f"{value:.3g} {unit}"


_SECONDS = ((1.0, "s", 1.0), (1e3, "ms", 1e-3), (1e6, "us", float("-inf")))


def machine(folder: Path) -> dict[str, Any]:
    """The facts of the machine that figures depend on: cores, memory, file system, Python, load."""
    from toriwork.storage.files import OsFiles

    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return {
        "cores": cores,
        "system": platform.system(),
        "python": platform.python_version(),
        "file_system": OsFiles().system_type(folder),
        "load": round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None,
    }


def show(lines: Sequence[Line], about: dict[str, Any], *, as_json: bool) -> None:
    """Print the table, or everything as JSON."""
    if as_json:
        print(json.dumps({"machine": about, "lines": [line.as_dict() for line in lines]}, indent=1))
        return
    print("{cores} cores, {system}, {file_system}, Python {python}, load {load} at the start".format(**about))
    print(table(lines))
    missed = sum(line.verdict == "missed" for line in lines)
    print(f"{len(lines)} lines, {sum(line.verdict == 'met' for line in lines)} targets met, {missed} missed")
