"""Diagrams of a few small clouds in one go: what an engine does once a call, it then does once a chunk.

The results are those of one call of ``persistence`` per cloud, errors included.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from toriwork.errors import ToriworkError
from toriwork.topology.clouds import CheckedDistances, distances_of_points
from toriwork.topology.compute import persistence
from toriwork.topology.diagram import Diagram
from toriwork.topology.engines import pick_engine
from toriwork.topology.truncation import WORTH_CUTTING

_USUAL = {"filtration": "rips", "field": 2, "threshold": math.inf, "max_bytes": None}


def persistence_each(clouds: Sequence[Any], options: Mapping[str, Any]) -> list[Diagram | ToriworkError]:
    """The diagram of each cloud, or the error that it met, in order.

    Parameters
    ----------
    clouds : sequence of array_like
        What :func:`toriwork.topology.persistence` takes as points.
    options : mapping
        Its other arguments.
    """
    together = _together(clouds, options) if len(clouds) > 1 else None
    if together is None:
        return [_one(options, points=cloud) for cloud in clouds]
    return [_one(options, distances=known) for known in together]


def _together(clouds: Sequence[Any], options: Mapping[str, Any]) -> list[CheckedDistances] | None:
    """The bars of all clouds by one call of the engine; None where they had better be taken one by one."""
    highest = options.get("max_dimension", 1)
    if highest not in (0, 1, 2) or any(options.get(name, usual) != usual for name, usual in _USUAL.items()):
        return None
    if options.keys() - _USUAL.keys() - {"max_dimension", "engine", "min_persistence", "scale"}:
        return None
    began = time.perf_counter()
    try:
        used, _ = pick_engine(options.get("engine", "auto"), 2)
        if used.compute_many is None:
            return None
        matrices = [distances_of_points(cloud) for cloud in clouds]
        if not all(0 < len(matrix) < WORTH_CUTTING for matrix in matrices):
            return None
        found = used.compute_many(matrices, int(highest), 2)
    except Exception:  # noqa: BLE001  # one by one, so that the cloud or the option is found that was the reason
        return None
    share = (time.perf_counter() - began) / len(clouds)
    return [CheckedDistances(matrix, bars, share) for matrix, bars in zip(matrices, found, strict=True)]


def _one(options: Mapping[str, Any], **data: Any) -> Diagram | ToriworkError:
    try:
        return persistence(**data, **options)
    except ToriworkError as error:
        return error
