"""What a diagram will cost before it is begun: a law fitted to measurements, for deciding, not for billing."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import as_array, check_number, check_points
from toriwork.errors import BadInput, MissingExtra, TooLarge
from toriwork.topology.clouds import check_distances, distances_of_points, enclosing_radius
from toriwork.topology.engines import loop_cocycles, staying_edges


class WorkEstimate(NamedTuple):
    """Predicted cost of one Rips diagram with the default engine on one ordinary core."""

    seconds: float
    bytes: int


#: H1: bytes for each pair of points, whatever their shape, and for each triangle over the cocycles of the probe;
#: fitted by benchmarks/memory_law.py, as are the next
_PER_PAIR, _PER_TRIANGLE = 76.0, 23.4
#: triangles grow with this power of the number of points if one in 100 of all possible ones is there, and with so much
#: more or less for ten times as many or few: a loop that lives long is crossed by ever more edges, noise is not
_GROWTH, _GROWTH_BY_SHARE = 2.805, 0.481
#: between the sum over all cocycles (1) and the largest alone (inf): they are reduced one after another, but stay
_NORM = 1.25
#: bytes per pair of points that distances and their copies take in any case
_MATRIX = 48.0
#: for H2: bytes and power of n where almost no edge collapses (points on a sphere), at 200 points; elsewhere bytes for
#: each pair of points by the share of the edges of the probe that stay
_RIGID, _RIGID_POWER = 45e6, 4.9
_STAYING, _BY_STAYING = (0.2, 0.5, 0.7), (75.0, 115.0, 300.0)
#: points from which a shape is looked at, up to which it is looked at whole; of larger ones so many parts of so many
_WORTH_PROBING, _WHOLE, _PROBES, _PROBE = 100, 400, 3, 300
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
    for name, given in (("n_points", n_points), ("dim", dim), ("max_dimension", max_dimension)):
        check_number(given, name=name, least=0.0)
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
    shape = np.shape(points) if hasattr(points, "shape") else (len(points) if hasattr(points, "__len__") else 0,)
    n_points = shape[0] if shape else 0
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

    What the engine holds while it reduces a loop are the triangles over the edges of its cocycle: an exact circle needs
    15 times the memory of a cube of as many points. The cocycles of up to 400 points, or of three times 300 drawn with
    a seed, tell which it is; ripser finds them in 10 ms to 1 s. With H2 it is the share of the edges of 100 points that
    cannot be collapsed, at 3 to 60 ms. Other dimensions are those of :func:`work_estimate`.

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
        ``bytes`` was 1 to 3 times the measured peak of H0+H1 for 97 of 100 clouds of 200 to 2,000 points, and 0.7 to
        5 times for the strangest (docs/topology.md).

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
    parts = probe_indices(n_points)
    if distances is None:
        probes = [distances_of_points(given[some]) for some in parts]
    else:
        probes = [check_distances(given[np.ix_(some, some)]) for some in parts]
    return blind._replace(bytes=_of_probes(probes, n_points, max_dimension, blind.bytes))


def _by_shape(distances: NDArray[np.float64], max_dimension: int, blind: int) -> int:
    probes = [distances[np.ix_(some, some)] for some in probe_indices(len(distances))]
    return _of_probes(probes, len(distances), max_dimension, blind)


def probe_indices(n_points: int) -> list[NDArray[np.intp]]:
    """Indices of each probe, always the same for a number of points; drawn: a step could miss a shape."""
    if n_points <= _WHOLE:
        return [np.arange(n_points)]
    rng = np.random.default_rng(0)
    return [np.sort(rng.choice(n_points, _PROBE, replace=False)) for _ in range(_PROBES)]


def _of_probes(probes: list[NDArray[np.float64]], n_points: int, max_dimension: int, blind: int) -> int:
    """Bytes for ``n_points`` points of which each probe has some; ``blind`` where nothing better is known."""
    if max_dimension not in (1, 2) or n_points < _WORTH_PROBING:
        return blind
    if max_dimension == 2:
        every = max(1, len(probes[0]) // _WORTH_PROBING)
        return _of_collapse(probes[0][::every, ::every], n_points, blind)
    try:
        triangles = float(np.mean([triangles_over_loops(probe) for probe in probes]))
    except MissingExtra:
        return blind
    return bytes_for_loops(n_points, len(probes[0]), triangles)


def bytes_for_loops(n_points: int, in_probe: int, triangles: float) -> int:
    """Bytes for H0 and H1 of ``n_points`` points, when ``in_probe`` of them have so many triangles over their loops."""
    share = max(triangles, 1.0) / in_probe**3
    power = max(2.0, _GROWTH + _GROWTH_BY_SHARE * math.log10(share / 0.01))
    loops: float = _PER_TRIANGLE * triangles * (n_points / in_probe) ** power
    return math.ceil(_PER_PAIR * n_points**2 + loops)


def triangles_over_loops(probe: NDArray[np.float64]) -> float:
    """Triangles up to the enclosing radius over the edges of each cocycle, as a norm of these numbers; 0 without."""
    radius = enclosing_radius(probe)
    joined = (probe <= radius).astype(np.float64)
    shared = joined @ joined - 2.0  # of two points that are joined, each is joined to itself and to the other
    counts = [shared[edges[:, 0], edges[:, 1]].sum() for edges in loop_cocycles(probe, radius)]
    return float(np.linalg.norm(counts, _NORM)) if counts else 0.0


def _of_collapse(probe: NDArray[np.float64], n_points: int, blind: int) -> int:
    share = staying_edges(probe, enclosing_radius(probe))
    return blind if share > _STAYING[-1] else math.ceil(float(np.interp(share, _STAYING, _BY_STAYING)) * n_points**2)
