"""The loop that judged the legacy backend, Betti numbers computed, against the bare engine on the same clouds."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.paired_rounds import Cloud, make_clouds, seconds, take_turns
from benchmarks.report import Line, Target, compare
from benchmarks.sizes import Size

TARGET = Target("at least", 300.0, of="ours")


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of both loops: one cloud that moves, and clouds that are independent."""
    cloud = np.random.default_rng(0).standard_normal((100, 3))
    moved = [cloud + number * 0.01 for number in range(size.loop_rows)]
    return (
        *_lines("one cloud moved", folder, moved, size),
        *_lines("independent clouds", folder, make_clouds(size.loop_rows), size),
    )


def _lines(what: str, folder: Path, clouds: list[Cloud], size: Size) -> list[Line]:
    peers = {f"bare gudhi, n_jobs={n_jobs}": partial(_gudhi, clouds, n_jobs) for n_jobs in (1, 2)}
    work: dict[str, Callable[[], object]] = {"toriwork": partial(_ours, folder / "loop", clouds), **peers}
    found = take_turns({name: partial(_rate, one, len(clouds)) for name, one in work.items()}, min(size.rounds, 3))
    return [
        compare(f"record, compute, flush, publish: {what}", found["toriwork"], name, found[name], "rows/s", target)
        for name, target in zip(peers, (None, TARGET), strict=True)
    ]


def _rate(work: Callable[[], object], n_rows: int) -> float:
    return n_rows / seconds(work)


def _ours(folder: Path, clouds: list[Cloud]) -> None:
    from toriwork.registry import TorusRegistry

    registry = TorusRegistry(folder / "torus_registry.parquet")
    for cloud in clouds:
        registry.record_shape(cloud)
    registry.flush(publish=True)
    registry.close()
    shutil.rmtree(folder)


def _gudhi(clouds: list[Cloud], n_jobs: int) -> None:
    from gudhi.sklearn import RipsPersistence

    RipsPersistence(homology_dimensions=[0, 1], n_jobs=n_jobs).fit_transform(clouds)
