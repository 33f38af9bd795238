"""Which bar goes where: matchings of finite bars, and their rows in two diagrams.

A matching is an int array (n_moves, 2): a bar of the one and a bar of the other, -1 for the diagonal.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import TooLarge
from toriwork.topology.cost_model import admit

Bars = NDArray[np.float64]
Matching = NDArray[np.intp]

#: of two diagrams together that are matched exactly, in seconds to a minute
_MOST_BARS = 12_000
#: of two bars that may be matched, while a matching is looked for
_EDGE_BYTES = 100.0


def cheapest(one: Bars, other: Bars, order: float, internal_p: float) -> tuple[float, Matching]:
    """The least sum of powers of moves over all matchings, and one that has it."""
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial import distance

    n, m = len(one), len(other)
    if not n + m:
        return 0.0, np.empty((0, 2), dtype=np.intp)
    _refuse_matching(n, m)
    metric = {1: "cityblock", 2: "euclidean", math.inf: "chebyshev"}[internal_p]
    cost = np.zeros((n + m, m + n))
    if n and m:
        cost[:n, :m] = distance.cdist(one, other, metric)
    to_diagonal = 2.0 ** (1 / internal_p - 1)  # of the persistence: (1/2, 1/2) in that norm
    cost[:n, m:] = ((one[:, 1] - one[:, 0]) * to_diagonal)[:, None]
    cost[n:, :m] = ((other[:, 1] - other[:, 0]) * to_diagonal)[None, :]
    cost **= order
    rows, columns = linear_sum_assignment(cost)
    moves = np.column_stack([np.where(rows < n, rows, -1), np.where(columns < m, columns, -1)])
    return float(cost[rows, columns].sum()), moves[(moves >= 0).any(axis=1)]


def within(one: Bars, other: Bars, reach: float) -> Matching:
    """A matching in which no bar moves farther than ``reach``, the bottleneck distance, rounding aside.

    Each bar has a place of its own on the diagonal; where two bars may be matched, so may their places. Then a perfect
    matching of this graph, by Hopcroft and Karp, is one of the bars.
    """
    n, m = len(one), len(other)
    largest = max((float(np.abs(bars).max()) for bars in (one, other) if len(bars)), default=0.0)
    tried = (_places(one, other, reach + slack * largest) for slack in (0.0, 2.0**-50, 2.0**-40))
    partner = next(found for found in tried if (found >= 0).all())  # the distance is one of a matching
    moved = np.column_stack([np.arange(n), np.where(partner[:n] < m, partner[:n], -1)])
    born = np.flatnonzero(partner[n:] == np.arange(m))
    return np.vstack([moved, np.column_stack([np.full(len(born), -1), born])]).astype(np.intp)


def _places(one: Bars, other: Bars, reach: float) -> Matching:
    """The partner of each bar of the one and of each place of the other's bars on the diagonal, -1 for none."""
    from scipy.sparse import csr_matrix
    from scipy.sparse.csgraph import maximum_bipartite_matching

    n, m = len(one), len(other)
    first, second = _near(one, other, reach)
    low, high = (np.flatnonzero(bars[:, 1] / 2 - bars[:, 0] / 2 <= reach) for bars in (one, other))
    rows = np.concatenate([first, n + second, low, n + high])
    columns = np.concatenate([second, m + first, m + low, high])
    graph = csr_matrix((np.ones(len(rows), dtype=np.int8), (rows, columns)), shape=(n + m, n + m))
    partner: Matching = maximum_bipartite_matching(graph, perm_type="column")
    return partner


def rows_matched(first: Bars, second: Bars, moves: Matching) -> Matching:
    """The rows of two diagrams' bars in H_k that a matching of the finite ones joins, essential ones in order."""
    parts = []
    for bars, side in zip((first, second), moves.T, strict=True):
        ends = np.isfinite(bars[:, 1])  # essential bars rise by birth, and so they are matched
        parts.append(np.concatenate([np.append(np.flatnonzero(ends), -1)[side], np.flatnonzero(~ends)]))
    matching = np.column_stack(parts)
    order = np.lexsort((matching[:, 1], np.where(matching[:, 0] < 0, len(first), matching[:, 0])))
    return matching[order]


def _near(one: Bars, other: Bars, reach: float) -> tuple[Matching, Matching]:
    """The pairs of bars of which births and deaths are no farther apart."""
    from scipy.spatial import cKDTree

    if not (len(one) and len(other)):
        return np.empty(0, dtype=np.intp), np.empty(0, dtype=np.intp)
    trees = cKDTree(one), cKDTree(other)
    n_pairs = float(trees[0].count_neighbors(trees[1], reach, p=math.inf))
    admit(
        f"a matching of {len(one)} and {len(other)} bars",
        1e-6 * n_pairs,
        _EDGE_BYTES * n_pairs,
        None,
        "fewer bars need less",
    )
    found = trees[0].sparse_distance_matrix(trees[1], reach, p=math.inf, output_type="ndarray")
    return found["i"], found["j"]


def _refuse_matching(n: int, m: int) -> None:
    """Raise TooLarge when an exact matching of so many bars would take too long or too much."""
    what, needed = f"wasserstein: {n} and {m} bars", 16.0 * (n + m) ** 2
    if n + m > _MOST_BARS:
        raise TooLarge(
            f"{what}: an exact matching takes about {needed:.3g} bytes and hours, the limit is {_MOST_BARS} bars "
            "together; relative_error=0.01 takes any number"
        )
    admit(what, 2e-9 * (n + m) ** 3, needed, None, "relative_error=0.01 needs less")
