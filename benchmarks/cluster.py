"""Diagrams of many clouds on a Dask cluster of this machine: what sending them costs beside the work."""

from __future__ import annotations

import statistics
import time
from pathlib import Path

from benchmarks.report import Line, Target, progress
from benchmarks.sizes import Size

WORKERS = 2
OVERHEAD = 1.10
N_POINTS = 100


def run(_folder: Path, size: Size) -> tuple[Line, ...]:
    """The seconds that workers were there for, beside those that they computed; and a run in threads."""
    from distributed import Client, LocalCluster

    from benchmarks.paired_rounds import make_clouds
    from toriwork.topology import persistence_many

    n_clouds = min(20_000, 5 * size.loop_rows)
    clouds = make_clouds(n_clouds)
    progress(f"cluster: {n_clouds:,} clouds, {WORKERS} workers")
    local: list[float] = []
    far: list[float] = []
    work: list[float] = []
    with (
        LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None) as cluster,
        Client(cluster) as client,
    ):
        list(persistence_many(clouds[:20], client, progress=False))  # imports
        for _ in range(max(1, size.rounds // 2)):
            began = time.perf_counter()
            near = {r.index: r.diagram for r in persistence_many(clouds, max_workers=WORKERS, progress=False)}
            local.append(time.perf_counter() - began)
            began = time.perf_counter()
            found = {r.index: r.diagram for r in persistence_many(clouds, client, progress=False)}
            far.append(WORKERS * (time.perf_counter() - began))
            work.append(sum(diagram.provenance.seconds for diagram in found.values()))
            assert found == near, "the cluster computes something else"
    ratios = [there / computed for there, computed in zip(far, work, strict=True)]
    name = f"{n_clouds:,} clouds of {N_POINTS} points on {WORKERS} workers"
    return (
        Line(name, statistics.median(far), statistics.median(work), "s", "at work on diagrams",
             statistics.median(ratios), Target("at most", OVERHEAD)),
        Line(f"{name}, waited", statistics.median(far) / WORKERS, statistics.median(local), "s", "two threads",
             statistics.median(far) / WORKERS / statistics.median(local)),
    )  # fmt: skip
