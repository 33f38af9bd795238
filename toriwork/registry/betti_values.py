"""The Betti numbers of one row, within a budget; an engine's failure becomes a status."""

from __future__ import annotations

import json
import threading
from typing import NamedTuple

import numpy as np

from toriwork.errors import Busy, TooLarge
from toriwork.registry.loading import load_once
from toriwork.registry.rows import COMPUTED, FAILED, TOO_LARGE, UNDECIDED, PackedRow, pack_values
from toriwork.topology import estimate_betti, work_estimate
from toriwork.topology.by_parts import ByParts


class Budget(NamedTuple):
    """The limits for one row's Betti numbers; a cloud above them is stored with status ``too_large``."""

    seconds: float = 20.0  #: predicted, on one ordinary core
    bytes: int = 2 * 2**30  #: predicted, beyond what the process has


def compute_values(row: PackedRow, budget: Budget) -> bytes:
    """The completion of one row: b0 and b1 by one engine call, the rule and its evidence; no exception but Busy."""
    vertices = row.vertices()
    n_points, dim = vertices.shape
    cost = work_estimate(min(n_points, ByParts().most_points), dim, 1)  # of more a sample is judged
    if cost.seconds > budget.seconds or cost.bytes > budget.bytes:
        return _too_large(n_points, predicted_seconds=round(cost.seconds, 1))
    try:
        load_once(lambda: estimate_betti(np.zeros((3, 2)), max_dimension=1))
        estimate = estimate_betti(vertices, max_dimension=1, max_bytes=budget.bytes)
    except Busy:  # of a handler, or in one: that says nothing about the cloud, which stays open
        raise
    except TooLarge as error:  # points that lie evenly are judged whole
        return _too_large(n_points, error=str(error)[:500])
    except Exception as error:
        if not threading.main_thread().is_alive():
            raise  # the interpreter is going down: that says nothing about the cloud, which stays open
        # whatever an engine says, the row and the rows behind it must not wait for ever
        return pack_values((), FAILED, json.dumps({"reason": "failed", "error": str(error)[:500]}))
    undecided = any(np.isnan(number) for number in estimate.numbers)
    return pack_values(estimate.numbers, UNDECIDED if undecided else COMPUTED, estimate.to_json())


def _too_large(n_points: int, **facts: object) -> bytes:
    return pack_values((), TOO_LARGE, json.dumps({"reason": "too_large", "n_points": n_points, **facts}))
