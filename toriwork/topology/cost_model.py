"""The predicted cost of a diagram before it is begun, by a law that was fitted to measurements."""

from __future__ import annotations

import logging
import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import as_array, check_number
from toriwork.errors import TooLarge
from toriwork.topology.clouds import as_square, cloud_of, drawn, enclosing_radius, euclidean_distances, n_points_of
from toriwork.topology.engines import engines_for, staying_edges
from toriwork.topology.free_memory import available_bytes
from toriwork.topology.inputs import check_distances, is_sparse
from toriwork.topology.truncation import WORTH_CUTTING, joined_at_the_cut

_LOG = logging.getLogger(__name__)


class WorkEstimate(NamedTuple):
    """Predicted cost of one Rips diagram with the default engine on one ordinary core."""

    seconds: float
    bytes: int


#: H0+H1 from WORTH_CUTTING points on: bytes, bytes for each pair of points, and for each that is joined where the
#: filtration is cut; the numbers that research/memory_law.py fits, with a little more for what no shape depends on
_FIXED, _PER_PAIR, _PER_JOINED = 1.9e6, 26.0, 92.0
#: the same over ranks, where neither shape nor cut makes much of a difference: bytes, and for each pair of points;
#: measured on 25 clouds of 200 to 2,000 points
_RANKS_FIXED, _RANKS_PER_PAIR = 1e6, 42.0
#: bytes per pair of points that distances and their copies take in any case
_MATRIX = 16.0
#: for H2: bytes and power of n where almost no edge collapses (points on a sphere), at 200 points; elsewhere bytes for
#: each pair of points by the share of the edges of the probe that stay
_RIGID, _RIGID_POWER = 45e6, 4.9
_STAYING, _BY_STAYING = (0.2, 0.5, 0.7), (75.0, 115.0, 300.0)
#: points from which H2 is looked at, and how many of them
_PROBE = 100
#: of how many points an estimate of H1 looks at the distances, at most
_SAMPLE = 2_000
_WORTH_ASKING = 2.0**28
#: seconds from which a prediction goes to the log
_LONG = 5.0
#: seconds from which it is said aloud, and what helps
_MINUTES = 120.0
_ADVICE = "; fewer points, a threshold, or filtration='alpha' in two or three coordinates takes less"
#: per max_dimension: seconds at 100 points and exponent of n; H1 over ranks
_SECONDS = {0: (1.0e-3, 2.1), 1: (4.0e-3, 2.85), 2: (12e-3, 3.3)}
_RANKS_SECONDS = (1.0e-3, 2.75)
#: bytes at 100 points, and the exponent of n for fewer than WORTH_CUTTING: an exact circle
_SMALL, _SMALL_POWER = 1.6e6, 2.7


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
        ``seconds``: of the engine that "auto" takes, on circles of 100 to 2,000 points, which are costly for their
        size. ``bytes``: for the worst shape of that size.

    Raises
    ------
    BadInput
        A negative number.

    Examples
    --------
    >>> from toriwork.topology import work_estimate
    >>> small, large = work_estimate(200, 3), work_estimate(2000, 3)
    >>> small.bytes < large.bytes < 1e9
    True
    """
    for name, given in (("n_points", n_points), ("dim", dim), ("max_dimension", max_dimension)):
        check_number(given, name=name, least=0.0)
    by_ranks = _takes_ranks(n_points, max_dimension)
    seconds, power = _RANKS_SECONDS if by_ranks and max_dimension == 1 else _SECONDS[min(max_dimension, 2)]
    ratio = n_points / 100.0
    extra = max(1.0, n_points / 10.0) ** max(0, max_dimension - 2)
    engine = n_points * n_points * _MATRIX
    if by_ranks:
        engine = bytes_ranked(n_points)
    elif max_dimension >= 1:
        engine += _SMALL * min(ratio, WORTH_CUTTING / 100.0) ** _SMALL_POWER
    if max_dimension >= 1 and n_points >= WORTH_CUTTING and not by_ranks:
        engine = max(engine, bytes_joined(n_points, 1.0))
    if max_dimension >= 2:
        engine = max(engine, bytes_ranked(n_points), _RIGID * (ratio / 2.0) ** _RIGID_POWER)
    total_bytes = engine * extra + 8.0 * n_points * dim
    total_seconds = seconds * ratio**power * extra + 1e-9 * n_points * n_points * dim + 1e-4
    return WorkEstimate(total_seconds, math.ceil(total_bytes))


def announce(what: str, seconds: float, n_bytes: float) -> None:
    """A line of the log for work that is predicted to take longer than anybody waits for unasked.

    At level INFO; at WARNING, which Python prints where no log was set up, when it is minutes.
    """
    if seconds > _LONG:
        level, advice = (logging.WARNING, _ADVICE) if seconds > _MINUTES else (logging.INFO, "")
        _LOG.log(level, "%s: about %.0f s and %.3g bytes are predicted%s", what, seconds, n_bytes, advice)


def refuse_matrix(n_points: int, max_bytes: float | None = None) -> None:
    """Raise TooLarge when the distances of so many points do not fit into ``max_bytes``, or what is free for None."""
    advice = "filtration='landmark', 'h0' or 'alpha' needs less"
    if n_points * n_points * _MATRIX >= _WORTH_ASKING:  # less is asked for when more is known
        refuse_bytes(n_points * n_points * _MATRIX, f"{n_points} points, their distances", max_bytes, advice)


def refuse_bytes(needed: float, what: str, max_bytes: float | None, advice: str) -> None:
    """Raise TooLarge when so many bytes do not fit into ``max_bytes``, or what is free for None."""
    limit = _limit(needed, max_bytes)
    if needed > limit:
        raise TooLarge(f"{what}: about {needed:.3g} bytes are predicted, the limit is {limit:.3g}; {advice}")


def refuse_ranked(n_points: int, max_bytes: float | None) -> None:
    """Raise TooLarge when H0 and H1 do not fit by an engine over ranks."""
    if max_bytes is not None or n_points >= WORTH_CUTTING:  # what is asked often is not asked at length
        _refuse(n_points, 1, bytes_ranked(n_points), max_bytes)


def refuse_joined(n_points: int, joined: float, max_bytes: float | None) -> None:
    """Raise TooLarge when H0 and H1 do not fit with a share ``joined`` of all pairs of points within the cut."""
    _refuse(n_points, 1, bytes_joined(n_points, joined), max_bytes)


def refuse_beyond(distances: NDArray[np.float64], max_dimension: int, max_bytes: float | None) -> None:
    """Raise TooLarge when the Rips diagram of checked distances, square or condensed, is not predicted to fit."""
    n_points = n_points_of(distances)
    needed = work_estimate(n_points, 0, max_dimension).bytes
    if max_dimension == 2 and n_points >= _PROBE and needed > _limit(needed, max_bytes):
        some = drawn(n_points, _PROBE)
        needed = _of_collapse(as_square(distances)[np.ix_(some, some)], n_points, needed)
    _refuse(n_points, max_dimension, needed, max_bytes)


def _limit(needed: float, max_bytes: float | None) -> float:
    if max_bytes is not None:
        return max_bytes
    return available_bytes() if needed >= _WORTH_ASKING else math.inf


def _refuse(n_points: int, max_dimension: int, needed: float, max_bytes: float | None) -> None:
    advice = "a threshold or filtration='landmark' needs less"
    refuse_bytes(needed, f"{n_points} points, H{max_dimension}", max_bytes, advice)


def work_estimate_of(points: Any = None, *, distances: Any = None, max_dimension: int = 1) -> WorkEstimate:
    """Predicted cost of an untruncated Rips diagram of these points: looks at their shape, not only at their number.

    With H2 the share of the edges of 100 points that cannot be collapsed decides. With H1 the number of points does,
    or where no engine over ranks is taken the share of the pairs of points within the cut of the filtration
    (``truncation.py``), asked of up to 2,000 points in 5 ms to 0.5 s. Other dimensions are those of
    :func:`work_estimate`.

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
        ``bytes`` was 1 to 3 times the measured peak of H0+H1 for all of 375 clouds of 200 to 2,000 points
        (docs/measurements/large_clouds.md).

    Raises
    ------
    BadInput
        No cloud and no matrix of distances.
    """
    if distances is None:
        given = cloud_of(points).points()
    elif getattr(distances, "ndim", 0) == 2 and not is_sparse(distances):
        given = as_array(distances, name="distances")  # of which a few are looked at, and only those are checked
    else:
        given = check_distances(distances)
    n_points, dim = given.shape
    blind = work_estimate(n_points, dim, max_dimension)
    if (
        max_dimension not in (1, 2)
        or _takes_ranks(n_points, max_dimension)
        or n_points < (WORTH_CUTTING if max_dimension == 1 else _PROBE)
    ):
        return blind
    some = drawn(n_points, _SAMPLE if max_dimension == 1 else _PROBE)
    sample = euclidean_distances(given[some]) if distances is None else check_distances(given[np.ix_(some, some)])
    if max_dimension == 1:
        return blind._replace(bytes=bytes_joined(n_points, joined_at_the_cut(sample)))
    return blind._replace(bytes=_of_collapse(sample, n_points, blind.bytes))


def bytes_joined(n_points: int, joined: float) -> int:
    """Bytes for H0 and H1 when a share ``joined`` of all pairs of points is within the cut of the filtration."""
    return math.ceil(_FIXED + (_PER_PAIR + _PER_JOINED * joined) * n_points**2)


def bytes_ranked(n_points: int) -> float:
    """Bytes for H0 and H1 by an engine over ranks."""
    return _RANKS_FIXED * min(1.0, n_points / WORTH_CUTTING) + _RANKS_PER_PAIR * n_points**2


def _takes_ranks(n_points: int, max_dimension: int) -> bool:
    return engines_for("auto", 2, int(n_points), max_dimension)[0][0].by_ranks


def _of_collapse(probe: NDArray[np.float64], n_points: int, blind: int) -> int:
    """Bytes for H2 of so many points like these; ``blind`` where nothing better is known."""
    share = staying_edges(probe, enclosing_radius(probe))
    return blind if share > _STAYING[-1] else math.ceil(float(np.interp(share, _STAYING, _BY_STAYING)) * n_points**2)
