"""Where a Rips filtration may be cut so that H0 and H1 lose nothing: long before the complex becomes a cone.

An edge (u, w) whose lune has a point, some v closer to both than they are to each other, creates no class of H1: it
enters together with the triangle (u, v, w), two sides of which are there already. So births end with the longest edge
of empty lune, an edge of the relative neighbourhood graph, that is not in a minimal spanning tree. If no class is left
at a scale beyond that edge, none is at any later one, and every bar is known. Where that will be is guessed from points
far from each other; the guess is never trusted, but looked at.

Sources
-------
Toussaint 1980, doi:10.1016/0031-3203(80)90066-7 (the graph).  Koyama, Memoli, Robins & Turner 2023, arXiv:2307.16333
(lunes and H1).  Chazal, de Silva & Oudot 2014, doi:10.1007/s10711-013-9937-z, sect. 5 (how far the guess is off).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.clouds import enclosing_radius
from toriwork.topology.engines import run_best
from toriwork.topology.metric import SpanningTree, farthest_points, spanning_tree

Matrix = NDArray[np.float64]
_Edges = tuple[NDArray[np.intp], NDArray[np.intp], Matrix]

#: points from which the search pays; for engines over ranks, which are done sooner
WORTH_CUTTING, WORTH_CUTTING_RANKS = 200, 1_500
#: points far from each other that are asked at first: a quarter of all within the first two bounds; then twice as many,
#: up to half of all and the third bound, which take a second
_FEWEST, _MANY, _MOST = 50, 200, 800
#: beyond the rounding of engines that compute in float32
_A_LITTLE = 1.0 + 2.0**-20
#: what is tried after the guess, one cloud in 200: a few more edges instead of all
_MORE = 1.25
#: when no more than this share of the pairs is within the limit, the search would cost more than it saves
_FEW_JOINED = 0.03
#: edges are collapsed where the square of :attr:`Truncation.crossing`, times the number of points, exceeds so many
#: roots of the share of pairs within the threshold; measured on 163 clouds of 400 to 1,500 points
_WORTH_COLLAPSING = 30.0
#: entries of the matrix that are looked at together, at least
_BLOCK = 2**16


@dataclass(frozen=True, slots=True)
class Truncation:
    """The scales at which a filtration may be cut, and what was seen on the way to them."""

    thresholds: tuple[float, ...]  #: ascending: the guess, a quarter more, what no metric refutes, and the limit
    tree: SpanningTree | None  #: where it may have edges beyond the first threshold: the deaths of H0 that are cut off
    crossing: float  #: the largest share of all pairs of points that lie between birth and death of one loop


def truncation_of(distances: Matrix, limit: float, engine: str = "auto", field: int = 2) -> Truncation:
    """Where the Rips filtration of a checked matrix of distances may be cut, H0 and H1 of it, at most at ``limit``.

    The matrix need not be a metric; of one that is none the limit alone may be right.
    """
    if share_within(distances, limit) < _FEW_JOINED:
        return Truncation((limit,), None, 0.0)
    n_points = len(distances)
    chosen, covers = farthest_points(n_points, min(_MOST, max(1, n_points // 2)), distances.__getitem__)
    asked = min(len(chosen), _MANY, max(_FEWEST, n_points // 4))
    latest, cover, crossing = limit, 0.0, 0.0
    while asked <= len(chosen):  # more points tell more exactly, each time for an eighth of the next
        among = distances[np.ix_(chosen[:asked], chosen[:asked])]
        collapse = worth_collapsing(crossing, asked, share_within(among, latest))
        loops = run_best(among, 1, latest, engine, field, collapse=collapse)[0][1]
        crossing = crossing or _crossing(among, loops)
        if np.isinf(loops).any():
            break
        latest, cover = min(limit, float(loops[:, 1].max(initial=0.0)) * _A_LITTLE), float(covers[asked - 1])
        asked *= 2
    # the last of those chosen fill the gaps between the first, which lie on the rim
    births_end, tree = _last_birth(distances, latest, limit, chosen[::-1])
    safe = max(latest + 2.0 * cover, births_end + 4.0 * cover)
    later = {min(scale, limit) for scale in (births_end, _MORE * births_end, safe, limit)}
    return Truncation(tuple(sorted(later)), tree, crossing)


def worth_collapsing(crossing: float, n_points: int, joined: float) -> bool:
    """True when a collapse of edges pays, by :attr:`Truncation.crossing` and the share of pairs that are joined."""
    return crossing**2 * n_points > _WORTH_COLLAPSING * math.sqrt(joined)


def share_within(distances: Matrix, threshold: float) -> float:
    """The share of all ordered pairs of points, each with itself among them, that are no farther apart."""
    return float(np.count_nonzero(distances <= threshold)) / max(distances.size, 1)


def joined_at_the_cut(distances: Matrix) -> float:
    """The share of pairs within the scale at which the whole filtration will be cut, as far as it can be guessed."""
    return share_within(distances, truncation_of(distances, enclosing_radius(distances)).thresholds[0])


def _crossing(distances: Matrix, loops: Matrix) -> float:
    lengths = np.sort(distances, axis=None)
    born, dead = np.searchsorted(lengths, loops.T, side="right") / max(lengths.size, 1)
    return float((dead - born).max(initial=0.0))


def _last_birth(
    distances: Matrix, above: float, limit: float, witnesses: NDArray[np.intp]
) -> tuple[float, SpanningTree | None]:
    """The longest edge in (above, limit] with an empty lune and not in the tree, else ``above``; the tree if looked at.

    ``witnesses`` are looked for in the lunes first.
    """
    n_points = len(distances)
    longest, tree = above, None
    height = max(1, _BLOCK // n_points, n_points // 16)
    for start in range(0, n_points, height):
        first, second, lengths = _unwitnessed(distances, slice(start, start + height), longest, limit, witnesses)
        together = max(1, n_points // 16)
        for i in range(0, len(lengths), together):
            some = slice(i, i + together)
            nearest = np.maximum(distances[first[some]], distances[second[some]]).min(axis=1)
            empty = nearest >= lengths[some]
            if not empty.any():
                continue
            if tree is None:
                tree = spanning_tree(n_points, distances.__getitem__)
            creating = np.flatnonzero(empty & ~tree.joins(first[some], second[some]))
            if len(creating):
                longest = float(lengths[i + creating[0]])
                break
    return longest, tree


def _unwitnessed(distances: Matrix, rows: slice, above: float, limit: float, witnesses: NDArray[np.intp]) -> _Edges:
    """The edges of some rows in (above, limit] that have none of the witnesses in their lunes, longest first."""
    block = distances[rows]
    first, second = np.nonzero((block > above) & (block <= limit))
    first += rows.start
    once = first < second
    first, second = first[once], second[once]
    lengths = distances[first, second]
    for i in witnesses:
        if len(lengths) <= _FEWEST:
            break
        to_witness = distances[i]
        left = np.maximum(to_witness[first], to_witness[second]) >= lengths
        first, second, lengths = first[left], second[left], lengths[left]
    order = np.argsort(-lengths, kind="stable")
    return first[order], second[order], lengths[order]
