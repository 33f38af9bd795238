"""Distances of two diagrams in one dimension of homology; inf where their numbers of essential classes differ.

Diagrams of another scale or field, those that were cut at a threshold, a dimension that was not computed, and
parameters out of range are BadInput.  A diagram thinned by ``min_persistence`` m is at bottleneck distance at most
m / 2 from the whole one.
"""

from __future__ import annotations

import math
from typing import Literal, overload

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.topology.diagram import Diagram
from toriwork.topology.engines import hera_bottleneck, hera_wasserstein
from toriwork.topology.matchings import Matching, cheapest, rows_matched, within
from toriwork.topology.sketch import born_together, one_birth_bottleneck

Bars = NDArray[np.float64]


@overload
def bottleneck(first: Diagram, second: Diagram, k: int = ..., *, matching: Literal[False] = ...) -> float: ...
@overload
def bottleneck(
    first: Diagram, second: Diagram, k: int = ..., *, matching: Literal[True]
) -> tuple[float, Matching | None]: ...
def bottleneck(
    first: Diagram, second: Diagram, k: int = 1, *, matching: bool = False
) -> float | tuple[float, Matching | None]:
    """The bottleneck distance of the bars of H_k: the least largest move, births and deaths alike, of a matching.

    Exact: by Hera (BSD licence) in gudhi, or by the formula of :func:`toriwork.topology.sketch.one_birth_bottleneck`
    where all bars are born at one scale. A bar may be matched to the diagonal, at half its persistence.

    Parameters
    ----------
    first, second : Diagram
        Of one scale and field.
    k : int
        Dimension of homology.
    matching : bool
        True: return the distance and a matching that has it, one of many as a rule: int array (n_moves, 2), rows of
        ``first.in_dimension(k)`` and of ``second.in_dimension(k)``, each once, -1 for the diagonal. None where the
        distance is inf.

    Sources
    -------
    Kerber, Morozov & Nigmetov 2017, doi:10.1145/3064175, sect. 3. Cohen-Steiner, Edelsbrunner & Harer 2007,
    doi:10.1007/s00454-006-1276-5 (what it is stable against).
    """
    one, other, essential = separated(first, second, k)
    if math.isinf(essential.max(initial=0.0)):
        return (math.inf, None) if matching else math.inf
    together = born_together(one, other)  # H0 of clouds: a formula, a hundred times faster than a matching
    finite = one_birth_bottleneck(one, other) if together else hera_bottleneck(one, other)
    distance = max(finite, float(essential.max(initial=0.0)))
    if not matching:
        return distance
    return distance, rows_matched(first.in_dimension(k), second.in_dimension(k), within(one, other, finite))


@overload
def wasserstein(
    first: Diagram,
    second: Diagram,
    k: int = ...,
    *,
    order: float = ...,
    internal_p: float = ...,
    relative_error: float = ...,
    matching: Literal[False] = ...,
) -> float: ...
@overload
def wasserstein(
    first: Diagram,
    second: Diagram,
    k: int = ...,
    *,
    order: float = ...,
    internal_p: float = ...,
    matching: Literal[True],
) -> tuple[float, Matching | None]: ...
def wasserstein(
    first: Diagram,
    second: Diagram,
    k: int = 1,
    *,
    order: float = 2.0,
    internal_p: float = math.inf,
    relative_error: float = 0.0,
    matching: bool = False,
) -> float | tuple[float, Matching | None]:
    """The Wasserstein distance of the bars of H_k: the ``order``-th root of the least sum of powers of moves.

    Parameters
    ----------
    first, second : Diagram
        Of one scale and field.
    k : int
        Dimension of homology.
    order : float
        >= 1.
    internal_p : float
        How one move is measured: 1, 2 or inf for the norm of (birth, death). Libraries differ: gudhi takes inf,
        persim 2.
    relative_error : float
        0: exact, in time (n + m)^3, up to 12,000 bars together. Above: by Hera (BSD licence), at most
        that share too large.
    matching : bool
        As of :func:`bottleneck`; exact distances alone have one.

    Raises
    ------
    BadInput
        See above.
    TooLarge
        Too many bars for an exact matching; the message has the numbers.

    Sources
    -------
    Edelsbrunner & Harer 2010, doi:10.1090/mbk/069, sect. VIII.2. Kerber, Morozov & Nigmetov 2017,
    doi:10.1145/3064175, sect. 4.
    """
    if not 1 <= order < math.inf:
        raise BadInput(f"order: expected a finite number >= 1, got {order!r}")
    if internal_p not in (1, 2, math.inf):
        raise BadInput(f"internal_p: expected 1, 2 or inf, got {internal_p!r}")
    if not 0 <= relative_error < math.inf:
        raise BadInput(f"relative_error: expected a finite number >= 0, got {relative_error!r}")
    if matching and relative_error:
        raise BadInput(f"matching: expected relative_error = 0, got {relative_error!r}")
    one, other, essential = separated(first, second, k)
    if math.isinf(essential.max(initial=0.0)):
        return (math.inf, None) if matching else math.inf
    size = max((float(np.abs(part).max(initial=0.0)) for part in (one, other, essential)), default=0.0) or 1.0
    one, other, essential = one / size, other / size, essential / size  # powers of moves stay within float64
    finite, moves = 0.0, np.repeat(np.arange(len(one))[:, None], 2, axis=1)
    if not np.array_equal(one, other):
        if relative_error > 0:
            finite = hera_wasserstein(one, other, order, internal_p, relative_error) ** order
        else:
            finite, moves = cheapest(one, other, order, internal_p)
    distance = float((finite + (essential**order).sum()) ** (1 / order)) * size
    if not matching:
        return distance
    return distance, rows_matched(first.in_dimension(k), second.in_dimension(k), moves)


def sliced_wasserstein(first: Diagram, second: Diagram, k: int = 1, *, n_directions: int = 50) -> float:
    """The mean over directions of the 1-Wasserstein distance of the projected bars of H_k.

    Each diagram is given the diagonal projections of the other. The births of essential classes are compared in
    rising order and their differences added.

    Parameters
    ----------
    first, second : Diagram
        Of one scale and field.
    k : int
        Dimension of homology.
    n_directions : int
        Evenly spaced over a half turn, >= 1.

    Sources
    -------
    Carriere, Cuturi & Oudot 2017, arXiv:1706.03358, sect. 3.1 and algorithm 1.
    """
    if n_directions < 1:
        raise BadInput(f"n_directions: expected an integer >= 1, got {n_directions!r}")
    one, other, essential = separated(first, second, k)
    if math.isinf(essential.max(initial=0.0)):
        return math.inf
    angles = np.pi * ((np.arange(n_directions) + 0.5) / n_directions - 0.5)
    directions = np.vstack([np.cos(angles), np.sin(angles)])
    left = np.sort(np.vstack([one, _on_diagonal(other)]) @ directions, axis=0)
    right = np.sort(np.vstack([other, _on_diagonal(one)]) @ directions, axis=0)
    return float(np.abs(left - right).sum(axis=0).mean() + essential.sum())


def separated(first: Diagram, second: Diagram, k: int) -> tuple[Bars, Bars, Bars]:
    """Finite bars of both, and how far essential births lie apart when matched in order: inf for one too many."""
    first.check_comparable(second)
    for diagram in (first, second):
        if math.isfinite(diagram.threshold):
            raise BadInput(f"distance: expected complete diagrams, got one cut at {diagram.threshold}")
    one, other = first.in_dimension(k), second.in_dimension(k)
    endless = [np.sort(bars[np.isinf(bars[:, 1]), 0]) for bars in (one, other)]
    same = len(endless[0]) == len(endless[1])
    moves = np.abs(endless[0] - endless[1]) if same else np.array([np.inf])
    return one[np.isfinite(one[:, 1])], other[np.isfinite(other[:, 1])], moves


def _on_diagonal(bars: Bars) -> Bars:
    return np.repeat(bars.mean(axis=1)[:, None], 2, axis=1)
