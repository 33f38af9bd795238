"""The nearest of many stored diagrams: the same as from all distances, from few of them, in less time.

Families of shapes: each is a curve, a surface or a ring with parameters of its own, sampled once; its members are that
sample, moved a little. Queries are members that are not stored. Brute force is ``shape_distance`` to every
stored diagram; its formula for components is compared with Hera's matching in the same run.
"""

from __future__ import annotations

import statistics
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.paired_rounds import Cloud
from benchmarks.report import Line, Target, compare, progress
from benchmarks.sizes import Size
from toriwork.cells.nearest import NearestIndex, shape_distance
from toriwork.cells.neighbours import Nearest
from toriwork.topology import Diagram, bottleneck, persistence
from toriwork.topology.engines import hera_bottleneck

N_POINTS, K = 50, 10
MEMBERS = 100  #: of a family
FEW = 5  #: members of a family in the smaller store; queries against the large one
N_RANDOM = 50  #: queries among independent clouds
N_PAIRS = 1000  #: for the formula against Hera
Found = tuple[tuple[Any, float], ...]


def run(_: Path, size: Size) -> tuple[Line, ...]:
    """The lines of ``size.families`` families; no file is written."""
    rng = np.random.default_rng(20_261_123)
    progress(f"nearest: {size.families * (MEMBERS + 1):,} diagrams of {size.families} families")
    families = [family(rng) for _ in range(size.families)]
    queries = [members.pop() for members in families]
    stored = [diagram for members in families for diagram in members]
    index = NearestIndex(stored)
    found = [index.search(query, K) for query in queries]
    return (
        _formula(stored),
        _small(queries, [diagram for members in families for diagram in members[:FEW]]),
        *_large(queries[:: max(1, len(queries) // FEW)][:FEW], stored, index),
        _share(f"families, {len(stored):,} stored", found, Target("at most", 2.0, of="ours")),
        _share(f"independent clouds, {len(stored):,} stored", _independent(rng, len(stored)), None),
    )


def _formula(stored: list[Diagram]) -> Line:
    """For how many pairs of diagrams the distance of components is bit for bit what Hera says."""
    rng = np.random.default_rng(1)
    pairs = rng.integers(0, len(stored), (min(N_PAIRS, len(stored)), 2))
    progress(f"nearest: {len(pairs):,} distances of components by formula and by Hera")
    equal = 0
    for one, other in ((stored[i], stored[j]) for i, j in pairs):
        bars = (each.in_dimension(0) for each in (one, other))
        equal += bottleneck(one, other, 0) == hera_bottleneck(*(each[np.isfinite(each[:, 1])] for each in bars))
    return _equal("distance of components by formula", equal, len(pairs), "by Hera")


def _small(queries: list[Diagram], stored: list[Diagram]) -> Line:
    progress(f"nearest: brute force, {len(queries)} queries x {len(stored):,}")
    index = NearestIndex(stored)
    with ProcessPoolExecutor(mp_context=get_context("spawn"), initializer=_hold, initargs=(stored,)) as pool:
        wanted = list(pool.map(_brute_of_held, queries, chunksize=4))
    equal = sum(index.search(query, K).neighbours == each for query, each in zip(queries, wanted, strict=True))
    return _equal(f"{len(queries)} queries x {len(stored):,}", equal, len(queries), "by brute force")


def _large(queries: list[Diagram], stored: list[Diagram], index: NearestIndex) -> tuple[Line, Line]:
    progress(f"nearest: brute force, {len(queries)} queries x {len(stored):,}")
    answers: list[tuple[Found, Found]] = []
    times: list[tuple[float, float]] = []
    for query in queries:
        began = time.perf_counter()
        ours = index.search(query, K).neighbours
        between = time.perf_counter()
        theirs = brute(query, stored)
        times.append((between - began, time.perf_counter() - between))
        answers.append((ours, theirs))
    equal = sum(one == other for one, other in answers)
    ours_seconds, peer_seconds = zip(*times, strict=True)
    name = f"nearest: one query among {len(stored):,}"
    return (
        _equal(f"{len(queries)} queries x {len(stored):,}", equal, len(queries), "by brute force"),
        compare(name, ours_seconds, "brute force", peer_seconds, "s"),
    )


def _independent(rng: np.random.Generator, n_stored: int) -> list[Nearest]:
    progress(f"nearest: {n_stored:,} diagrams of independent clouds")
    index = NearestIndex(persistence(independent(rng, i)) for i in range(n_stored))
    return [index.search(persistence(independent(rng, i)), K) for i in range(min(N_RANDOM, n_stored))]


def _equal(name: str, equal: int, of: int, peer: str) -> Line:
    return Line(f"nearest: {name}: equal", equal, of, "answers", peer, equal / of, Target("at least", 1.0))


def _share(name: str, found: list[Nearest], target: Target | None) -> Line:
    """Exact distances of the worst query, as a share of those stored; the mean in the note."""
    shares = [100 * each.share for each in found]
    note = f"the worst of {len(found)} queries; mean {statistics.mean(shares):.3f} %"
    worst = max(shares)
    return Line(f"nearest: exact distances, {name}", worst, 100.0, "%", "brute force", worst / 100, target, note)


def brute(query: Diagram, stored: list[Diagram]) -> Found:
    """The nearest by all distances; of equal ones the first stored."""
    distances = sorted((shape_distance(query, diagram), row) for row, diagram in enumerate(stored))
    return tuple((row, distance) for distance, row in distances[:K])


_HELD: list[Diagram] = []  # of a worker process


def _hold(stored: list[Diagram]) -> None:
    _HELD[:] = stored


def _brute_of_held(query: Diagram) -> Found:
    return brute(query, _HELD)


# ---- shapes ----------------------------------------------------------------------------------------------------------


def family(rng: np.random.Generator) -> list[Diagram]:
    """Diagrams of one more member than are stored."""
    base = shape(rng)
    noise = rng.uniform(0.005, 0.03)
    moves = noise * rng.standard_normal((MEMBERS + 1, *base.shape))
    return [persistence(base + move) for move in moves]


def shape(rng: np.random.Generator) -> Cloud:
    """Points of a shape with random parameters: ellipse, Lissajous curve, torus, ellipsoid, annulus, knot or spiral."""
    t, u = 2 * np.pi * rng.random(N_POINTS), rng.random(N_POINTS)
    p, q, r = rng.uniform(0.5, 1.5, 3)
    tube, knot = p + 0.4 * q * np.cos(2 * np.pi * u), 2 + np.cos(3 * t)
    height = 2 * u - 1
    ring, width = np.sqrt(0.4 * q + u * (1 - 0.4 * q)), np.sqrt(1 - height**2)
    shapes = (
        (p * np.cos(t), q * np.sin(t), 0 * t),
        (p * np.sin(t), q * np.sin(2 * t), r * np.cos(t)),
        (tube * np.cos(t), tube * np.sin(t), 0.4 * q * np.sin(2 * np.pi * u)),
        (p * width * np.cos(t), q * width * np.sin(t), r * height),
        (p * ring * np.cos(t), p * ring * np.sin(t), 0 * t),
        (0.4 * p * knot * np.cos(2 * t), 0.4 * q * knot * np.sin(2 * t), 0.4 * r * np.sin(3 * t)),
        (p * np.cos(2 * t), p * np.sin(2 * t), q * t / np.pi),
    )
    return np.column_stack(shapes[rng.integers(len(shapes))])


def independent(rng: np.random.Generator, number: int) -> Cloud:
    """A cloud that has nothing to do with any other: normal or uniform in turn."""
    return rng.standard_normal((N_POINTS, 3)) if number % 2 else rng.random((N_POINTS, 3))
