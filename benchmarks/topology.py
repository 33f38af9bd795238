"""Alpha and large Rips diagrams against bare gudhi; predicted memory of Rips diagrams against their measured peak."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import child
from benchmarks.paired_rounds import Cloud, seconds, take_turns
from benchmarks.report import Line, Target, compare, progress
from benchmarks.sizes import Size

ALPHA_POINTS = 10_000
#: points of the Rips diagrams that bare gudhi computes, too; a circle of 2,000 takes it 90 s and 4.5 GB
LARGE_POINTS = (500, 1000, 2000)
#: points of the Rips diagrams whose memory is predicted
MEMORY_POINTS = {1: (200, 500, 1000, 2000), 2: (200, 300)}
TIGHT_BYTES = 2**27
#: points of the clouds whose Betti numbers are estimated, and what that may cost over their diagram
BETTI_POINTS, _BETTI_COST = (100, 300), Target("at most", 1.3)
_SEED = 20_261_123  # nothing was fitted with it


def torus(rng: np.random.Generator, n_points: int, noise: float = 0.03) -> Cloud:
    """Points of a torus in space, 1 / 0.45."""
    around, along = rng.uniform(0, 2 * np.pi, (2, n_points))
    wide = 1 + 0.45 * np.cos(around)
    cloud = np.column_stack([wide * np.cos(along), wide * np.sin(along), 0.45 * np.sin(around)])
    return cloud + noise * rng.standard_normal(cloud.shape)


def circle(rng: np.random.Generator, n_points: int, noise: float = 0.05) -> Cloud:
    """Points of a noisy circle in the plane: a loop that lives long needs most memory."""
    angle = rng.uniform(0, 2 * np.pi, n_points)
    return np.column_stack([np.cos(angle), np.sin(angle)]) + noise * rng.standard_normal((n_points, 2))


def cube(rng: np.random.Generator, n_points: int) -> Cloud:
    """Points of the unit cube: what has no loop needs least memory."""
    return rng.random((n_points, 3))


SHAPES: dict[str, Callable[[np.random.Generator, int], Cloud]] = {"torus": torus, "circle": circle, "cube": cube}


def some_shapes(size: Size) -> list[str]:
    """The names of all shapes, or of the first for the smallest size: each takes processes of its own."""
    return list(SHAPES) if size.rounds > 1 else list(SHAPES)[:1]


def alpha(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of alpha: seconds for H0, H1 and H2 of one cloud in space."""
    del folder  # nothing is written
    n_points = ALPHA_POINTS if size.rounds > 1 else 200
    lines = []
    for name in ("torus", "cube"):
        cloud = SHAPES[name](np.random.default_rng(0), n_points)
        found = take_turns(
            {"ours": partial(seconds, partial(_ours, cloud)), "gudhi": partial(seconds, partial(_bare_gudhi, cloud))},
            size.rounds,
        )
        title = f"alpha, H0 to H2, {n_points:,} points of a {name}"
        lines.append(compare(title, found["ours"], "bare gudhi", found["gudhi"], "s", Target("at most", 1.2)))
    return tuple(lines)


def estimates(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of betti: seconds for the estimated Betti numbers of a cloud, beside those for its diagram alone."""
    del folder  # nothing is written
    lines = []
    for n_points in BETTI_POINTS if size.rounds > 1 else BETTI_POINTS[:1]:
        for name in ("circle", "cube"):
            clouds = [SHAPES[name](np.random.default_rng([_SEED, i]), n_points) for i in range(12)]
            found = take_turns(
                {
                    "estimate": partial(seconds, partial(_each, "estimate_betti", clouds)),
                    "diagram": partial(seconds, partial(_each, "persistence", clouds)),
                },
                size.rounds,
            )
            title = f"estimated Betti numbers of 12 clouds, {n_points} points of a {name}"
            lines.append(compare(title, found["estimate"], "the diagrams", found["diagram"], "s", _BETTI_COST))
    return tuple(lines)


def _each(call: str, clouds: list[Cloud]) -> object:
    from toriwork import topology

    return [getattr(topology, call)(cloud) for cloud in clouds]


def _ours(cloud: Cloud) -> object:
    from toriwork.topology import persistence

    return persistence(cloud, filtration="alpha", max_dimension=2)


def _bare_gudhi(cloud: Cloud) -> object:
    import gudhi

    tree = gudhi.AlphaComplex(points=cloud).create_simplex_tree(output_squared_values=False)
    tree.compute_persistence(homology_coeff_field=2, persistence_dim_max=True)
    return [tree.persistence_intervals_in_dimension(k) for k in range(3)]


def large(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of large: seconds and bytes of one Rips diagram, H0 and H1, each in a process of its own."""
    del folder  # nothing is written
    lines = []
    for n_points in LARGE_POINTS if size.rounds > 1 else (250,):
        for shape in some_shapes(size):
            progress(f"large: {n_points:,} points of a {shape}")
            ours, bare = (
                child.call("benchmarks.topology:large_rips", shape=shape, n_points=n_points, bare=alone)
                for alone in (False, True)
            )
            assert ours["bars"] == bare["bars"]
            name = f"H0 and H1, {n_points:,} points of a {shape}"
            for unit, key, title in (("s", "seconds", name), ("bytes", "peak", f"{name}, peak")):
                ratio = ours[key] / bare[key]
                lines.append(Line(title, ours[key], bare[key], unit, "bare gudhi", ratio, Target("at most", 1.0)))
    return tuple(lines)


def large_rips(shape: str, n_points: int, bare: bool) -> dict[str, Any]:
    """Seconds and bytes of one diagram, by ``persistence`` or by gudhi alone; the sum of its bars tells them apart."""
    from gudhi.sklearn.rips_persistence import RipsPersistence

    from toriwork.topology import persistence

    def alone(cloud: Cloud) -> Cloud:
        model = RipsPersistence(homology_dimensions=[0, 1], homology_coeff_field=2, n_jobs=1)
        found: Cloud = model.fit_transform([cloud])[0][1]
        return found

    def ours(cloud: Cloud) -> Cloud:
        return persistence(cloud, max_bytes=np.inf).in_dimension(1)

    cloud = SHAPES[shape](np.random.default_rng(_SEED), n_points)
    compute = alone if bare else ours
    compute(cloud[:50])  # what the libraries need once is no part of it
    before = child.restart_peak()
    began = time.perf_counter()
    bars = compute(cloud)
    taken, peak = time.perf_counter() - began, child.peak_bytes() - before
    return {"seconds": taken, "peak": peak, "bars": [len(bars), f"{np.ptp(bars, axis=1).sum():.9g}"]}


def memory(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of memory: bytes predicted for a Rips diagram and taken by it, each in a process of its own."""
    del folder  # nothing is written
    lines = []
    for top, sizes in MEMORY_POINTS.items():
        for n_points in sizes if size.rounds > 1 else sizes[:1]:
            for shape in some_shapes(size):
                progress(f"memory: H0 to H{top} of {n_points:,} points of a {shape}")
                lines.append(_predicted(shape, n_points, top))
    ratios = [line.ratio for line in lines]
    least = Line("least of these", min(ratios), max(ratios), "x", "the largest", min(ratios), Target("at least", 1.0))
    return (*lines, least, _refused())


def _predicted(shape: str, n_points: int, top: int) -> Line:
    found = child.call("benchmarks.topology:peak_of_rips", shape=shape, n_points=n_points, top=top)
    name = f"predicted bytes, H0 to H{top}, {n_points:,} points of a {shape}"
    ratio = found["predicted"] / found["peak"]
    note = f"{found['seconds']:.2g} s"
    return Line(name, found["predicted"], found["peak"], "bytes", "measured", ratio, Target("at most", 3.0), note)


def _refused() -> Line:
    """2,000 points that do not fit into an eighth of a gigabyte: their prediction, and how soon it is said."""
    found = child.call("benchmarks.topology:refusal", n_points=2000)
    progress(f"memory: {found['message']}")
    name = f"2,000 points {found['answer']} after {found['seconds']:.2g} s: predicted"
    share = found["predicted"] / TIGHT_BYTES
    return Line(name, found["predicted"], TIGHT_BYTES, "bytes", "allowed", share, Target("at least", 1.0))


def peak_of_rips(shape: str, n_points: int, top: int) -> dict[str, Any]:
    """Bytes that one diagram was predicted to take, and the most that it took beyond what was there before it."""
    from toriwork.topology import persistence, work_estimate_of

    cloud = SHAPES[shape](np.random.default_rng(_SEED), n_points)
    persistence(cloud[:50], max_dimension=top)  # what the libraries need once is no part of it
    before = child.restart_peak()
    began = time.perf_counter()
    persistence(cloud, max_dimension=top, max_bytes=np.inf)
    taken, peak = time.perf_counter() - began, child.peak_bytes() - before
    # said last: memory that a prediction gave back would hide some of the peak
    return {"predicted": work_estimate_of(cloud, max_dimension=top).bytes, "peak": peak, "seconds": taken}


def refusal(n_points: int) -> dict[str, Any]:
    """The answer to a budget below the prediction, and how soon it comes."""
    from toriwork.errors import TooLarge
    from toriwork.topology import persistence, work_estimate_of

    cloud = torus(np.random.default_rng(_SEED), n_points)
    began = time.perf_counter()
    try:
        persistence(cloud, max_bytes=TIGHT_BYTES)
        answer, message = "computed", "not refused"
    except TooLarge as error:
        answer, message = "refused", str(error)
    taken = time.perf_counter() - began
    return {"answer": answer, "message": message, "seconds": taken, "predicted": work_estimate_of(cloud).bytes}
