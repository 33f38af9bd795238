"""The predicted cost of a diagram before it is begun, by a law that was fitted to measurements."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import as_array, check_number
from toriwork.errors import TooLarge
from toriwork.progress import LONG
from toriwork.topology.clouds import cloud_of, drawn, enclosing_radius, euclidean_distances
from toriwork.topology.engines import RIGID_PROBE, engines_for, stay_most_edges, staying_edges
from toriwork.topology.free_memory import available_bytes
from toriwork.topology.inputs import check_distances, is_sparse
from toriwork.topology.truncation import WORTH_CUTTING, joined_at_the_cut

_LOG = logging.getLogger(__name__)

#: the call that can be done in place of one that is refused; it may ask for the free memory, which takes a millisecond
Advice = str | Callable[[], str]


class WorkEstimate(NamedTuple):
    """Predicted cost of one Rips diagram with the default engine on one ordinary core."""

    seconds: float  #: wall time
    bytes: int  #: peak of memory beyond the interpreter


#: H0+H1 from WORTH_CUTTING points on: bytes, bytes for each pair of points, and for each that is joined where the
#: filtration is cut; the numbers that research/memory_law.py fits, with a little more for what no shape depends on
_FIXED, _PER_PAIR, _PER_JOINED = 1.9e6, 26.0, 92.0
#: the same over ranks, where neither shape nor cut makes much of a difference: bytes, and for each pair of points;
#: measured on 25 clouds of 200 to 2,000 points
_RANKS_FIXED, _RANKS_PER_PAIR = 1e6, 42.0
#: bytes per pair of points that distances and their copies take in any case
MATRIX_BYTES = 16.0
#: for H2: bytes and power of n where almost no edge collapses (points on a sphere), at 200 points; the same over ranks,
#: and its seconds; elsewhere bytes for each pair of points by the share of the edges of the probe that stay
_RIGID, _RIGID_POWER = 45e6, 4.9
_RANKS_RIGID, _RANKS_RIGID_POWER, _RIGID_SECONDS, _RIGID_SECONDS_POWER = 20e6, 2.5, 2.0, 3.6
_STAYING, _BY_STAYING = (0.2, 0.5, 0.7), (75.0, 115.0, 300.0)
#: points from which H2 is looked at, and how many of them
_PROBE = 100
#: of how many points an estimate of H1 looks at the distances, at most
_SAMPLE = 2_000
#: the same before a computation of minutes: a fifth of a second
_EARLY_SAMPLE = 1_000
_WORTH_ASKING = 2.0**28
#: seconds from which the log has a warning, with what takes less
_MINUTES = 120.0
#: seconds beyond which nothing is begun that nobody has given a limit of memory for
MOST_SECONDS = 3_600.0
#: per max_dimension: seconds at 100 points and exponent of n; H1 over ranks
_SECONDS = {0: (1.0e-3, 2.1), 1: (4.0e-3, 2.85), 2: (12e-3, 3.3)}
_RANKS_SECONDS = (1.0e-3, 2.75)
#: seconds over ranks for each two points in either order where no loop lives long, of 1,000 to 3,000 points
_PAIR_SECONDS = 8e-8
#: the share of pairs within the cut of a circle, which the seconds of H1 are those of
_CIRCLE_JOINED = 0.67
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
    engine = n_points * n_points * MATRIX_BYTES
    if by_ranks:
        engine = bytes_ranked(n_points)
    elif max_dimension >= 1:
        engine += _SMALL * min(ratio, WORTH_CUTTING / 100.0) ** _SMALL_POWER
    if max_dimension >= 1 and n_points >= WORTH_CUTTING and not by_ranks:
        engine = max(engine, bytes_joined(n_points, 1.0))
    if max_dimension >= 2:
        ranks = max_dimension == 2 and _takes_ranks(n_points, 2, rigid=True)
        engine = max(engine, _bytes_rigid(n_points, ranks=ranks))
    total_bytes = engine * extra + 8.0 * n_points * dim
    total_seconds = seconds * ratio**power * extra + 1e-9 * n_points * n_points * dim + 1e-4
    return WorkEstimate(total_seconds, math.ceil(total_bytes))


def admit(
    what: str, seconds: float, n_bytes: float, max_bytes: float | None, advice: Advice, *, rough: bool = False
) -> None:
    """Let work begin that is predicted to be possible; what takes long is announced in the log, at level INFO.

    ``rough`` seconds are no reason for either: they will be known better.

    Raises
    ------
    TooLarge
        It does not fit into ``max_bytes``, or for None into what is free and into ``MOST_SECONDS``. The message has
        the prediction and the advice.
    """
    limit = _limit(n_bytes, max_bytes)
    if n_bytes > limit:
        raise too_large(what, seconds, n_bytes, f"{limit:.3g} bytes", advice)
    if rough:
        return
    if seconds > MOST_SECONDS and max_bytes is None:
        raise too_large(what, seconds, n_bytes, f"{MOST_SECONDS:.0f} s where no max_bytes is given", advice)
    if seconds > LONG:
        level, less = logging.INFO, ""
        if seconds > _MINUTES:
            level, less = logging.WARNING, f"; {advice if isinstance(advice, str) else advice()}"
        _LOG.log(level, "%s: about %.2g s and %.3g bytes are predicted%s", what, seconds, n_bytes, less)


def _limit(n_bytes: float, max_bytes: float | None) -> float:
    """The bytes that may be taken; what is free is asked only where it may be too little: that takes a millisecond."""
    return max_bytes if max_bytes is not None else available_bytes() if n_bytes >= _WORTH_ASKING else math.inf


def too_large(what: str, seconds: float, n_bytes: float, limit: str, advice: Advice) -> TooLarge:
    """The error of work that is not begun: its prediction, the limit and the call that can be done."""
    advice = advice if isinstance(advice, str) else advice()
    predicted = f"about {seconds:.2g} s and {n_bytes:.3g} bytes are predicted"
    return TooLarge(f"{what}: {predicted}, the limit is {limit}; {advice}")


def admit_rips(  # what the cost depends on
    n_points: int,
    max_dimension: int,
    among: Callable[[NDArray[np.intp]], NDArray[np.float64]],
    *,
    dim: int | None = None,
    engine: str = "auto",
    field: int = 2,
    threshold: float = math.inf,
    max_bytes: float | None = None,
) -> None:
    """Let a Rips diagram begin, or raise TooLarge; ``among`` gives the distances of some points, few of them."""
    if max_bytes is None and n_points < (WORTH_CUTTING if max_dimension <= 1 else _PROBE):
        return  # what is asked often is not asked at length
    if max_dimension > 2 and threshold < math.inf:
        return  # no law knows what a cut leaves of so many dimensions
    cost = _cost(n_points, 0, max_dimension, among, engine, field, threshold)
    rough = max_dimension == 1 and n_points >= WORTH_CUTTING  # until it is known where they may be cut
    advice, what = partial(less_work, dim, max_dimension, max_bytes), f"{n_points} points, H{max_dimension}"
    admit(what, *cost, max_bytes, advice, rough=rough)
    if (
        rough and cost.seconds > _MINUTES and math.isinf(threshold)
    ):  # where some of them would be cut, before all distances are made
        seconds = seconds_joined(n_points, joined_at_the_cut(among(drawn(n_points, _EARLY_SAMPLE))))
        if seconds > _MINUTES:
            admit(what, seconds, cost.bytes, max_bytes, advice)


def less_work(
    dim: int | None, max_dimension: int = 1, max_bytes: float | None = None, n_points: float = math.inf
) -> str:
    """The call that can be done in place of one that is refused; ``dim`` is None where there are only distances."""
    limit = available_bytes() if max_bytes is None else max_bytes
    some = [n for n in (1000, 300, 100) if work_estimate(n, 0, max_dimension).bytes <= limit]
    most = [*some, 50][0]
    few = f"filtration=Landmark({most})" if most < n_points else "filtration='rips'"
    return f"filtration='alpha' or {few} needs less" if dim in (1, 2, 3) else f"{few} needs less"


def admit_matrix(n_points: int, max_bytes: float | None = None, per_pair: float = MATRIX_BYTES) -> None:
    """Raise TooLarge when the distances of so many points do not fit into ``max_bytes``, or what is free for None."""
    n_bytes = n_points * n_points * per_pair
    if n_bytes >= _WORTH_ASKING:  # less is asked for when more is known
        what, advice = (
            f"{n_points} points, their distances",
            "fewer points, or filtration='landmark' of points, need less",
        )
        admit(what, 1e-9 * n_bytes, n_bytes, max_bytes, advice)


def collapse_seconds(n_points: int, n_edges: float) -> float:
    """Predicted seconds of an edge collapse: of each edge, and of each of the neighbours that its ends share."""
    return n_edges * (2e-6 + 3e-8 * 2.0 * n_edges / max(n_points, 1))


def seconds_by_ranks(n_points: int, joined: float) -> float:
    """Predicted seconds of H0 and H1 by an engine over the ranks of all distances: to make and to sort them, and of the
    longest loop, at whose death a share ``joined`` of them is there.
    """
    return _PAIR_SECONDS * n_points**2 + seconds_joined(n_points, joined)


def takes_ranks(n_points: int, engine: str, field: int, max_bytes: float | None) -> bool:
    """Tell if H0 and H1 of so many points would be left to an engine over ranks, and fit."""
    n_bytes = bytes_ranked(n_points)
    by_ranks = engines_for(engine, field, n_points, 1)[0][0].by_ranks
    return by_ranks and n_bytes <= _limit(n_bytes, max_bytes)


def seconds_joined(n_points: int, joined: float) -> float:
    """Predicted seconds of H0 and H1 with a share ``joined`` of all pairs of points within the cut."""
    seconds, power = _RANKS_SECONDS if _takes_ranks(n_points, 1) else _SECONDS[1]
    return float(seconds * (n_points / 100.0) ** power * min(1.0, joined / _CIRCLE_JOINED) ** 2)


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

    def among(some: NDArray[np.intp]) -> NDArray[np.float64]:
        return euclidean_distances(given[some]) if distances is None else check_distances(given[np.ix_(some, some)])

    cost = _cost(n_points, dim, max_dimension, among)
    if max_dimension == 1 and n_points >= WORTH_CUTTING and not _takes_ranks(n_points, 1):
        return cost._replace(bytes=bytes_joined(n_points, joined_at_the_cut(among(drawn(n_points, _SAMPLE)))))
    return cost


def bytes_joined(n_points: int, joined: float) -> int:
    """Bytes for H0 and H1 when a share ``joined`` of all pairs of points is within the cut of the filtration."""
    return math.ceil(_FIXED + (_PER_PAIR + _PER_JOINED * joined) * n_points**2)


def bytes_ranked(n_points: int) -> float:
    """Bytes for H0 and H1 by an engine over ranks."""
    return _RANKS_FIXED * min(1.0, n_points / WORTH_CUTTING) + _RANKS_PER_PAIR * n_points**2


def _takes_ranks(n_points: int, max_dimension: int, *, rigid: bool = False) -> bool:
    return engines_for("auto", 2, int(n_points), max_dimension, rigid=rigid)[0][0].by_ranks


def _cost(
    n_points: int,
    dim: int,
    max_dimension: int,
    among: Callable[[NDArray[np.intp]], NDArray[np.float64]],
    engine: str = "auto",
    field: int = 2,
    threshold: float = math.inf,
) -> WorkEstimate:
    """The cost of Rips as far as it is known before the distances are; of H2 some of them are looked at."""
    blind = work_estimate(n_points, dim, max_dimension)
    by_ranks = engines_for(engine, field, n_points, max_dimension)[0][0].by_ranks
    if max_dimension == 1 and (by_ranks or n_points >= WORTH_CUTTING):  # of others more is known where they are cut
        n_bytes = bytes_ranked(n_points) + 8.0 * n_points * dim if by_ranks else bytes_joined(n_points, 0.0)
        return blind._replace(bytes=math.ceil(n_bytes))
    if max_dimension != 2 or n_points < _PROBE:
        return blind
    rigid = stay_most_edges(among(drawn(n_points, RIGID_PROBE)))
    some = among(drawn(n_points, _PROBE))
    if engines_for(engine, field, n_points, 2, rigid=rigid)[0][0].name == "redzed":
        seconds = _RIGID_SECONDS * (n_points / 200.0) ** _RIGID_SECONDS_POWER
        n_bytes = _bytes_rigid(n_points, ranks=True)
    else:
        seconds, n_bytes = blind.seconds, _of_collapse(some, n_points)
    joined = np.count_nonzero(some <= threshold) / np.count_nonzero(some <= enclosing_radius(some))
    part = min(1.0, joined) ** 3  # of the tetrahedra
    return WorkEstimate(seconds * part, math.ceil(max(n_bytes * part, bytes_ranked(n_points))))


def _bytes_rigid(n_points: int, *, ranks: bool) -> float:
    """Bytes for H2 where almost no edge collapses."""
    most, power = (_RANKS_RIGID, _RANKS_RIGID_POWER) if ranks else (_RIGID, _RIGID_POWER)
    return max(bytes_ranked(n_points), float(most * (n_points / 200.0) ** power))


def _of_collapse(probe: NDArray[np.float64], n_points: int) -> float:
    """Bytes for H2 of so many points like these, edges collapsed."""
    share = staying_edges(probe, enclosing_radius(probe))
    if share > _STAYING[-1]:
        return _bytes_rigid(n_points, ranks=False)
    return float(np.interp(share, _STAYING, _BY_STAYING)) * n_points**2
