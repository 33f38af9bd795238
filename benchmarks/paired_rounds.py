"""Fair rounds: everybody in turn on the same clouds, from the same state of the disk, the first round thrown away."""

from __future__ import annotations

import gc
import os
import shutil
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

N_POINTS, DIM = 100, 3
CLOUD_BYTES = N_POINTS * DIM * 8
BETTI = (1.0, 0.0, 0.0)

Cloud = NDArray[np.float64]  #: (n_points, dim), finite


class Store(Protocol):
    """Whatever keeps clouds: ours and every peer."""

    def record(self, cloud: Cloud) -> str: ...
    def close(self) -> None: ...


Opener = Callable[[Path], Store]
Found = TypeVar("Found")


def make_clouds(n_clouds: int, seed: int = 0) -> list[Cloud]:
    """Independent clouds of 100 x 3 normal coordinates."""
    return list(np.random.default_rng(seed).standard_normal((n_clouds, N_POINTS, DIM)))


def settle() -> None:
    """Let nobody pay for what the one before left behind: garbage, and pages that wait for the disk."""
    gc.collect()
    if hasattr(os, "sync"):
        os.sync()


def seconds(work: Callable[[], Any]) -> float:
    """How long a piece of work takes."""
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def take_turns(contestants: Mapping[str, Callable[[], Found]], n_rounds: int) -> dict[str, list[Found]]:
    """The answers of each contestant, round by round; in each round another one begins.

    One round is a look whether it runs: nothing settles or warms up for it.
    """
    names = list(contestants)
    found: dict[str, list[Found]] = {name: [] for name in names}
    for number in range(n_rounds + 1) if n_rounds > 1 else (1,):
        first = number % len(names)
        for name in names[first:] + names[:first]:
            if n_rounds > 1:
                settle()
            one = contestants[name]()
            if number:  # round 0 warms up
                found[name].append(one)
    return found


def record_each(opener: Opener, folder: Path, clouds: Sequence[Cloud]) -> tuple[float, float]:
    """Clouds a second into a new store, one call each; and the same with the time that closing the store takes."""
    folder.mkdir(parents=True)
    try:
        store = opener(folder)
        record = store.record
        began = time.perf_counter()
        for cloud in clouds:
            record(cloud)
        recorded = time.perf_counter() - began
        store.close()
        return len(clouds) / recorded, len(clouds) / (time.perf_counter() - began)
    finally:
        shutil.rmtree(folder)
