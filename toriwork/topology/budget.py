"""What a diagram will cost before it is begun: a law fitted to measurements, for deciding, not for billing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import as_array, check_points
from toriwork.errors import BadInput, TooLarge
from toriwork.topology.clouds import check_distances, distances_of_points, enclosing_radius
from toriwork.topology.engines import run_best, staying_edges


class WorkEstimate(NamedTuple):
    """Predicted cost of one Rips diagram with the default engine on one ordinary core."""

    seconds: float
    bytes: int


#: bytes for each pair of points, whatever their shape
_PER_PAIR = 72.0
#: what the engine remembers of a loop are the triangles over the edges that cross it: their number over n^3, against
#: bytes at 100 points, which grow with this power of n; between them by logarithms
_CROSSING = (0.0002, 0.0015, 0.003, 0.02, 0.03, 0.05)
_BY_CROSSING = (0.03e6, 0.157e6, 0.52e6, 0.55e6, 0.74e6, 1.15e6)
_CROSSING_POWER = 2.8
#: loops of the probe that are looked at, longest first
_LOOPS = 24
#: bytes per pair of points that distances and their copies take in any case
_MATRIX = 48.0
#: for H2: bytes and power of n where almost no edge collapses (points on a sphere), at 200 points; elsewhere bytes for
#: each pair of points by the share of the edges of the probe that stay
_RIGID, _RIGID_POWER = 45e6, 4.9
_STAYING, _BY_STAYING = (0.2, 0.5, 0.7), (75.0, 115.0, 300.0)
#: points of the probe
_LEAST_PROBE, _LARGEST_PROBE = 100, 250
_WORTH_ASKING = 2.0**28
#: per max_dimension: seconds at 100 points, exponent of n, bytes at 100 points, exponent of n
_LAW = {
    0: (1.0e-3, 2.1, 0.0, 2.0),
    1: (4.0e-3, 3.3, 1.6e6, 2.7),
    2: (12e-3, 3.3, _RIGID / 2.0**_RIGID_POWER, _RIGID_POWER),
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
        With H2 the bytes are those of exact spheres; most other clouds need a hundredth.

    Raises
    ------
    BadInput
        A negative number.
    """
    if min(n_points, dim, max_dimension) < 0:
        raise BadInput(f"work_estimate: numbers >= 0 are wanted, given were {(n_points, dim, max_dimension)}")
    seconds, power, _, _ = _LAW[min(max_dimension, 2)]
    ratio = n_points / 100.0
    extra = max(1.0, n_points / 10.0) ** max(0, max_dimension - 2)
    distances = n_points * n_points * _MATRIX
    engine = max(size * ratio**growth for top, (_, _, size, growth) in _LAW.items() if top <= max_dimension)
    total_bytes = engine * extra + distances + 8.0 * n_points * dim
    total_seconds = seconds * ratio**power * extra + 1e-9 * n_points * n_points * dim + 1e-4
    return WorkEstimate(total_seconds, math.ceil(total_bytes))


def refuse_matrix(points: Any, max_bytes: float | None = None) -> None:
    """Nothing, when the distances of so many points fit into the memory; ``points`` need not be checked yet.

    None looks at what the machine has free.

    Raises
    ------
    TooLarge
        They would not; the message has both numbers.
    """
    n_points = len(points) if hasattr(points, "__len__") and getattr(points, "ndim", None) != 0 else 0
    needed = n_points * n_points * _MATRIX
    if needed < _WORTH_ASKING:
        return
    limit = available_bytes() if max_bytes is None else max_bytes
    if needed > limit:
        raise TooLarge(
            f"{n_points} points: about {needed:.3g} bytes are predicted for their distances, the limit is {limit:.3g}; "
            "filtration='landmark', 'h0' or 'alpha' needs less"
        )


def refuse_beyond(distances: NDArray[np.float64], max_dimension: int, max_bytes: float | None) -> None:
    """Nothing, when the Rips diagram of a checked matrix is predicted to fit into the memory.

    None looks at what the machine has free, and only where a quarter of a gigabyte may be needed.

    Raises
    ------
    TooLarge
        It would not fit; the message has both numbers.
    """
    n_points = len(distances)
    blind = work_estimate(n_points, 0, max_dimension).bytes
    if max_bytes is None and blind < _WORTH_ASKING:
        return
    limit = available_bytes() if max_bytes is None else max_bytes
    if blind <= limit:
        return
    needed = _by_shape(distances, max_dimension, blind)
    if needed > limit:
        raise TooLarge(
            f"{n_points} points, H{max_dimension}: about {needed:.3g} bytes are predicted, the limit is {limit:.3g}; "
            "a threshold or filtration='landmark' needs less"
        )


def work_estimate_of(points: Any = None, *, distances: Any = None, max_dimension: int = 1) -> WorkEstimate:
    """Predicted cost of an untruncated Rips diagram of these points: looks at their shape, not only at their number.

    What the engine must remember of a loop are the edges that cross it while it lives, and their triangles: an exact
    circle needs 15 times the memory of a cube of as many points. A diagram of 100 to 250 of the points, taken evenly
    by index, tells which it is; that costs 4 to 60 ms. With H2 it is the share of the edges of 100 points that cannot
    be collapsed, at 3 to 60 ms. Other dimensions are those of :func:`work_estimate`.

    Parameters
    ----------
    points : array_like of shape (n_points, dim), optional
        Finite real coordinates.
    distances : array_like of shape (n_points, n_points), optional
        In place of points.
    max_dimension : int
        Highest homology dimension.

    Returns
    -------
    WorkEstimate
        ``bytes`` was 1 to 3 times the measured peak of H0+H1 for most clouds of 200 to 2,000 points, and 0.5 to 5
        times for the strangest (docs/topology.md).

    Raises
    ------
    BadInput
        No cloud and no matrix of distances.
    """
    given = check_points(points) if distances is None else as_array(distances, name="distances")
    if given.ndim != 2:
        raise BadInput(f"distances: shape (n_points, n_points) is wanted, given was {given.shape}")
    n_points, dim = given.shape
    blind = work_estimate(n_points, dim, max_dimension)
    some = _sample(n_points)
    probe = distances_of_points(given[some]) if distances is None else check_distances(given[np.ix_(some, some)])
    return blind._replace(bytes=_of_probe(probe, n_points, max_dimension, blind.bytes))


def _by_shape(distances: NDArray[np.float64], max_dimension: int, blind: int) -> int:
    some = _sample(len(distances))
    return _of_probe(distances[np.ix_(some, some)], len(distances), max_dimension, blind)


def _sample(n_points: int) -> NDArray[np.intp]:
    size = min(max(n_points // 2, _LEAST_PROBE), _LARGEST_PROBE, n_points)
    return np.linspace(0, n_points - 1, size).astype(np.intp)


def _of_probe(probe: NDArray[np.float64], n_points: int, max_dimension: int, blind: int) -> int:
    """Bytes for ``n_points`` points of which ``probe`` are some; ``blind`` where nothing better is known."""
    if max_dimension not in (1, 2) or n_points < _LEAST_PROBE:
        return blind
    if max_dimension == 2:
        every = max(1, len(probe) // _LEAST_PROBE)
        return _of_collapse(probe[::every, ::every], n_points, blind)
    by_loops: float = _at_100_points(_most_crossing(probe)) * (n_points / 100.0) ** _CROSSING_POWER
    return math.ceil(_PER_PAIR * n_points**2 + by_loops)


def _at_100_points(crossing: float) -> float:
    """Bytes that the loop of that share needs among 100 points."""
    return float(np.exp(np.interp(math.log(max(crossing, _CROSSING[0])), np.log(_CROSSING), np.log(_BY_CROSSING))))


def _most_crossing(probe: NDArray[np.float64]) -> float:
    """The largest share of all triples of points that are triangles over edges which cross one loop; 0 without one."""
    bars = run_best(probe, 1, math.inf, "auto", 2)[0][1]
    longest = bars[np.argsort(bars[:, 0] - bars[:, 1], kind="stable")][:_LOOPS]
    joined = (probe <= enclosing_radius(probe)).astype(np.float64)
    return max((_crossing(probe, joined, birth, death) for birth, death in longest.tolist()), default=0.0)


def _crossing(probe: NDArray[np.float64], joined: NDArray[np.float64], birth: float, death: float) -> float:
    """That share for the loop which the edge of length ``birth`` closes; ``joined`` has 1 for each edge there is."""
    one, other = (probe[i] for i in divmod(int(np.abs(probe - birth).argmin()), len(probe)))
    near = np.maximum(one, other) <= death
    here, there = np.flatnonzero(near & (one < other)), np.flatnonzero(near & (other < one))
    lengths = probe[np.ix_(here, there)]
    crosses = (lengths >= birth) & (lengths <= death)
    return float((joined[here] @ joined[there].T)[crosses].sum()) / len(probe) ** 3


def _of_collapse(probe: NDArray[np.float64], n_points: int, blind: int) -> int:
    share = staying_edges(probe, enclosing_radius(probe))
    return blind if share > _STAYING[-1] else math.ceil(float(np.interp(share, _STAYING, _BY_STAYING)) * n_points**2)
