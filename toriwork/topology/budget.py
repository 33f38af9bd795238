"""What a diagram will cost before it is begun: a law fitted to measurements, for deciding, not for billing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import NamedTuple

from toriwork.errors import BadInput


class WorkEstimate(NamedTuple):
    """Predicted cost of one Rips diagram with the default engine on one ordinary core."""

    seconds: float
    bytes: int


#: per max_dimension: seconds at 100 points, exponent of n, bytes at 100 points, exponent of n
_LAW = {
    0: (1.0e-3, 2.1, 0.0, 2.0),
    1: (4.0e-3, 3.3, 1.5e6, 2.65),
    2: (12e-3, 3.3, 1.5e6, 2.65),
}


def available_bytes() -> float:
    """Memory that the machine can give without swapping, in bytes; inf where nobody says."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return math.inf
    found = [line.split()[1] for line in lines if line.startswith("MemAvailable:")]
    return float(found[0]) * 1024 if found else math.inf


def work_estimate(n_points: int, dim: int, max_dimension: int = 1) -> WorkEstimate:
    """Predicted seconds and peak bytes (beyond the interpreter) of an untruncated Rips diagram.

    Parameters
    ----------
    n_points, dim : int
        Size of the cloud, >= 0.
    max_dimension : int
        Highest homology dimension; each one beyond 2 is reckoned as a factor of n_points / 10 in both.

    Returns
    -------
    WorkEstimate
        ``seconds`` and ``bytes``: power laws fitted to gudhi 3.13 on noisy circles and tori of 100 to 2,000 points,
        which are costly for their size. Clouds that fill a volume need a tenth of that, exact circles twice as much.

    Raises
    ------
    BadInput
        A negative number.
    """
    if min(n_points, dim, max_dimension) < 0:
        raise BadInput(f"work_estimate: numbers >= 0 are wanted, given were {(n_points, dim, max_dimension)}")
    seconds, power, size, size_power = _LAW[min(max_dimension, 2)]
    ratio = n_points / 100.0
    extra = max(1.0, n_points / 10.0) ** max(0, max_dimension - 2)
    distances = n_points * n_points * 48.0
    total_bytes = size * ratio**size_power * extra + distances + 8.0 * n_points * dim
    total_seconds = seconds * ratio**power * extra + 1e-9 * n_points * n_points * dim + 1e-4
    return WorkEstimate(total_seconds, math.ceil(total_bytes))
