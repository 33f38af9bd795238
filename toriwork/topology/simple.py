"""Exact Rips persistence over Z/2 in NumPy alone: the fallback without engines, and the judge of the engines.

Spanning tree for H0, cohomology with clearing and apparent pairs for H1 and above.  It enumerates simplices, so
it is for small clouds (H1 to about 150 points, H2 to about 50); beyond its budget it refuses with the number.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import TooLarge
from toriwork.topology.metric import component_bars, spanning_tree

MAX_SIMPLICES = 2_000_000

Bars = list[NDArray[np.float64]]
Matrix = NDArray[np.float64]
Ranks = NDArray[np.int64]


def rips_bars(distances: Matrix, max_dimension: int, threshold: float = math.inf) -> Bars:
    """Bars of H0..H_max_dimension, one (n_bars, 2) float64 array each; inf for what outlives ``threshold``.

    Zero-length pairs may be among them.  ``distances`` is a checked matrix (see ``clouds.py``), n_points >= 1.

    Sources
    -------
    de Silva, Morozov & Vejdemo-Johansson 2011, doi:10.1088/0266-5611/27/12/124003, sect. 4 (the bars of cohomology
    are those of homology).  Bauer 2021, doi:10.1007/s41468-021-00071-5, sect. 3 (clearing, apparent pairs).
    """
    n_points = len(distances)
    if max_dimension == 0:
        return [component_bars(spanning_tree(n_points, distances.__getitem__).lengths, n_points, threshold)]
    level = _vertices(n_points)
    cleared = np.zeros(n_points, dtype=np.bool_)
    bars = []
    for k in range(max_dimension + 1):
        above = _cofaces(distances, level, threshold, k + 1)
        found, cleared = _reduce(level, above, cleared)
        bars.append(found)
        level = above
    return bars


@dataclass(frozen=True, slots=True)
class _Level:
    """All simplices of one dimension in filtration order: diameter first, vertices break ties."""

    vertices: Ranks  #: (n_simplices, k + 1) int64, ascending within a row
    diameters: NDArray[np.float64]  #: (n_simplices,) float64, ascending
    facets: Ranks  #: (n_simplices, k + 1) int64: ranks of the facets in the level below


def _vertices(n_points: int) -> _Level:
    ids = np.arange(n_points, dtype=np.int64)[:, None]
    return _Level(ids, np.zeros(n_points), np.zeros((n_points, 0), dtype=np.int64))


def _cofaces(distances: Matrix, below: _Level, threshold: float, k: int) -> _Level:
    """The simplices of dimension ``k`` with diameter <= threshold: those below, each joined with a later vertex."""
    n_points = len(distances)
    bound = math.comb(n_points, k + 1)
    if bound > MAX_SIMPLICES and len(below.vertices) * n_points > 2 * MAX_SIMPLICES:
        raise TooLarge(
            f"simple engine: up to {bound} simplices of dimension {k} for {n_points} points, the budget is "
            f"{MAX_SIMPLICES}; install gudhi, or give a threshold"
        )
    parents, joined = np.nonzero(np.arange(n_points) > below.vertices[:, -1:])
    vertices = np.column_stack([below.vertices[parents], joined]).astype(np.int64)
    diameters = below.diameters[parents]
    for column in range(k):
        np.maximum(diameters, distances[vertices[:, column], joined], out=diameters)
    kept = diameters <= threshold
    vertices, diameters = vertices[kept], diameters[kept]
    order = np.lexsort((*vertices.T[::-1], diameters))
    vertices, diameters = vertices[order], diameters[order]
    return _Level(vertices, diameters, _facet_ranks(vertices, below, n_points))


def _facet_ranks(vertices: Ranks, below: _Level, n_points: int) -> Ranks:
    keys = _keys(below.vertices, n_points)
    by_key = np.argsort(keys)
    width = vertices.shape[1]
    ranks = np.empty((len(vertices), width), dtype=np.int64)
    for column, kept in enumerate(combinations(range(width), width - 1)):
        wanted = _keys(vertices[:, kept], n_points)
        ranks[:, column] = by_key[np.searchsorted(keys, wanted, sorter=by_key)]
    return ranks


def _keys(vertices: Ranks, n_points: int) -> Ranks:
    keys = np.zeros(len(vertices), dtype=np.int64)
    for column in vertices.T:
        keys = keys * n_points + column
    return keys


def _reduce(level: _Level, above: _Level, cleared: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Bars born in ``level`` and dying in ``above``, and the mask of the simplices of ``above`` that kill one."""
    n_simplices, n_above = len(level.vertices), len(above.vertices)
    columns = _Coboundary(above, n_simplices)
    birth_of = _apparent_pairs(columns, above)
    killer_of = np.full(n_simplices, -1, dtype=np.int64)
    paired = np.flatnonzero(birth_of >= 0)
    killer_of[birth_of[paired]] = paired
    owner = {int(death): int(birth) for death, birth in zip(paired, birth_of[paired], strict=True)}
    reduced: dict[int, int] = {}
    for simplex in range(n_simplices - 1, -1, -1):
        if cleared[simplex] or killer_of[simplex] >= 0:
            continue
        pivot, column = _reduce_column(columns, simplex, owner, reduced)
        if pivot >= 0:
            owner[pivot], reduced[simplex], killer_of[simplex] = simplex, column, pivot
    births = np.flatnonzero(~cleared)
    deaths = np.append(above.diameters, np.inf)[killer_of[births]]  # rank -1 picks the appended inf
    kills = np.zeros(n_above, dtype=np.bool_)
    kills[killer_of[killer_of >= 0]] = True
    return np.column_stack([level.diameters[births], deaths]), kills


def _reduce_column(
    columns: _Coboundary, simplex: int, owner: dict[int, int], reduced: dict[int, int]
) -> tuple[int, int]:
    column = columns.bits(simplex)
    while column:
        pivot = (column & -column).bit_length() - 1
        other = owner.get(pivot)
        if other is None:
            return pivot, column
        column ^= reduced[other] if other in reduced else columns.bits(other)
    return -1, 0


def _apparent_pairs(columns: _Coboundary, above: _Level) -> Ranks:
    """For each simplex above: the rank of the simplex that it kills as an apparent pair, or -1.

    A simplex and its first coface are a pair whenever that coface's last facet is the simplex: no reduction needed.
    """
    birth_of = np.full(len(above.vertices), -1, dtype=np.int64)
    has = np.flatnonzero(columns.starts[1:] > columns.starts[:-1])
    first = columns.cofaces[columns.starts[has]]
    apparent = above.facets[first].max(axis=1) == has
    birth_of[first[apparent]] = has[apparent]
    return birth_of


class _Coboundary:
    """Cofaces of each simplex, ascending by rank, in one flat array; as a Python int of bits on request."""

    def __init__(self, above: _Level, n_simplices: int) -> None:
        width = above.facets.shape[1]
        facets = above.facets.ravel()
        order = np.argsort(facets, kind="stable")
        self.cofaces = order // width
        self.starts = np.searchsorted(facets[order], np.arange(n_simplices + 1))
        self._n_bytes = len(above.facets) // 8 + 1

    def bits(self, simplex: int) -> int:
        cofaces = self.cofaces[self.starts[simplex] : self.starts[simplex + 1]]
        raw = np.zeros(self._n_bytes, dtype=np.uint8)
        np.bitwise_or.at(raw, cofaces >> 3, (1 << (cofaces & 7)).astype(np.uint8))
        return int.from_bytes(raw.tobytes(), "little")
