"""Rips diagrams of many points in the plane and in space, beside gudhi's alpha complex of the same cloud.

The alpha complex is another filtration, which such clouds are often given instead; a Rips filtration of all distances
of 20,000 points takes gudhi minutes and gigabytes.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import child
from benchmarks.report import Line, Target, progress
from benchmarks.sizes import Size

#: points, coordinates, highest dimension, and what H0 and H1 may take: seconds, bytes
CASES = (
    (20_000, 2, 1, 4.0, 400e6),
    (20_000, 3, 1, 10.0, 600e6),
    (100_000, 2, 1, 40.0, 1.5e9),
    (100_000, 2, 0, 10.0, 1e9),
    (100_000, 3, 0, 10.0, 1e9),
)
_SEED = 20_261_130


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """Seconds and bytes of each, in a process of its own; the note has the scale of the peer."""
    del folder  # nothing is written
    lines = []
    for n_points, dim, top, most_seconds, most_bytes in CASES if size.rounds > 1 else ((1_000, 2, 1, 4.0, 400e6),):
        name = f"H0 to H{top}, {n_points:,} points of a {'square' if dim == 2 else 'cube'}"
        progress(f"many: {name}")
        ours, alpha = (
            child.call("benchmarks.many_points:measured", n_points=n_points, dim=dim, top=top, filtration=filtration)
            for filtration in ("rips", "alpha")
        )
        for unit, key, most in (("s", "seconds", most_seconds), ("bytes", "peak", most_bytes)):
            target = Target("at most", most / alpha[key])
            note = f"want {most:g} {unit}; {ours['bars']:,} bars"
            lines.append(Line(name, ours[key], alpha[key], unit, "alpha, gudhi", ours[key] / alpha[key], target, note))
    return tuple(lines)


def measured(n_points: int, dim: int, top: int, filtration: str) -> dict[str, Any]:
    """Seconds, peak bytes and number of bars of one diagram."""
    from toriwork.topology import persistence

    cloud = np.random.default_rng(_SEED).random((n_points, dim))
    persistence(cloud[:50], filtration=filtration)  # what the libraries need once is no part of it
    before = child.restart_peak()
    began = time.perf_counter()
    bars = persistence(cloud, filtration=filtration, max_dimension=top).pairs
    return {"seconds": time.perf_counter() - began, "peak": child.peak_bytes() - before, "bars": len(bars)}
