"""Rips diagrams of many points in the plane and in space, beside gudhi's alpha complex of the same cloud.

The alpha complex is another filtration, which such clouds are often given instead; a Rips filtration of all distances
of 20,000 points takes gudhi minutes and gigabytes.
"""

from __future__ import annotations

import math
import subprocess
import time
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import child
from benchmarks.report import Line, Target, progress
from benchmarks.sizes import Size

#: points, their shape, highest dimension, and what H0 and H1 may take: seconds, bytes
CASES = (
    (20_000, "square", 1, 4.0, 400e6),
    (20_000, "cube", 1, 10.0, 600e6),
    (100_000, "square", 1, 40.0, 1.5e9),
    (100_000, "square", 0, 10.0, 1e9),
    (100_000, "cube", 0, 10.0, 1e9),
    (5_000, "noisy circle", 1, 60.0, 2e9),
)
_FEW = ((1_000, "square", 1, 4.0, 400e6),)
#: what engines alone are given of the noisy circle, each in a process of its own
PEERS, _PEER_SECONDS, _PEER_BYTES = ("redzed", "ripser", "gudhi"), 60.0, 12e9
_SEED = 20_261_130


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """Seconds and bytes of each, in a process of its own; the note has the scale of the peer."""
    del folder  # nothing is written
    lines = []
    for n_points, shape, top, most_seconds, most_bytes in CASES if size.rounds > 1 else _FEW:
        name = f"H0 to H{top}, {n_points:,} points of a {shape}"
        progress(f"many: {name}")
        ours, alpha = (
            child.call(
                "benchmarks.many_points:measured", n_points=n_points, shape=shape, top=top, filtration=filtration
            )
            for filtration in ("rips", "alpha")
        )
        beside = "".join(f"; {peer}: {_beside(peer, n_points)}" for peer in PEERS) if shape == "noisy circle" else ""
        for unit, key, most in (("s", "seconds", most_seconds), ("bytes", "peak", most_bytes)):
            target = Target("at most", most / alpha[key])
            note = f"want {most:g} {unit}; {ours['bars']:,} bars{beside}"
            lines.append(Line(name, ours[key], alpha[key], unit, "alpha, gudhi", ours[key] / alpha[key], target, note))
    return tuple(lines)


def _beside(peer: str, n_points: int) -> str:
    """How an engine alone does on the noisy circle, in words."""
    try:
        found = child.call("benchmarks.many_points:alone", seconds=_PEER_SECONDS, peer=peer, n_points=n_points)
    except subprocess.TimeoutExpired:
        return f"no answer in {_PEER_SECONDS:.0f} s"
    except subprocess.CalledProcessError:
        return f"no answer in {_PEER_BYTES:.2g} bytes"
    return f"{found['seconds']:.1f} s, {found['peak']:.2g} bytes"


def alone(peer: str, n_points: int) -> dict[str, Any]:
    """Seconds and peak bytes of the noisy circle's distances by one engine; ends where memory does."""
    import resource

    from toriwork.topology.clouds import euclidean_pairs
    from toriwork.topology.engines import run_best

    resource.setrlimit(resource.RLIMIT_AS, (int(_PEER_BYTES), int(_PEER_BYTES)))
    pairs = euclidean_pairs(_cloud(n_points, "noisy circle"))
    before, began = child.restart_peak(), time.perf_counter()
    run_best(pairs, 1, math.inf, peer, 2)
    return {"seconds": time.perf_counter() - began, "peak": child.peak_bytes() - before}


def _cloud(n_points: int, shape: str) -> Any:
    rng = np.random.default_rng(_SEED)
    if shape != "noisy circle":
        return rng.random((n_points, {"square": 2, "cube": 3}[shape]))
    angle = rng.uniform(0.0, 2.0 * np.pi, n_points)
    return np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(0, 0.1, (n_points, 2))


def measured(n_points: int, shape: str, top: int, filtration: str) -> dict[str, Any]:
    """Seconds, peak bytes and number of bars of one diagram."""
    from toriwork.topology import persistence

    cloud = _cloud(n_points, shape)
    persistence(cloud[:50], filtration=filtration)  # what the libraries need once is no part of it
    before = child.restart_peak()
    began = time.perf_counter()
    bars = persistence(cloud, filtration=filtration, max_dimension=top).pairs
    return {"seconds": time.perf_counter() - began, "peak": child.peak_bytes() - before, "bars": len(bars)}
