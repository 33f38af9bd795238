"""H0 of the sublevel sets of a grid from its minima: the cells of all other dimensions are never made."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.engines import Bars, weighted_bars

Matrix = NDArray[np.float64]
Places = NDArray[Any]  #: of integers


def component_bars_of_grid(values: Matrix, periodic: tuple[bool, ...], field: int) -> Bars:
    """Bars of H0 of a grid whose values are joined across sides and corners; inf is no value, periodic axes close.

    Each place goes down to the lowest one beside it, and so to a minimum, which changes no bar. What is left is the
    graph of the minima and of the lowest passes between them.
    """
    from scipy.ndimage import minimum_filter
    from scipy.sparse import coo_matrix
    from scipy.sparse.csgraph import minimum_spanning_tree

    closed = periodic or (False,) * values.ndim
    order = values.argsort(axis=None, kind="stable")
    rising, n_values = values.ravel()[order], int(np.isfinite(values).sum())
    if not n_values:
        return [np.empty((0, 2))]
    ranks: Places = np.empty(values.shape, dtype=np.int32 if values.size < 2**31 else np.int64)
    ranks.reshape(-1)[order] = np.minimum(np.arange(values.size), n_values)  # n_values: none
    down = np.arange(n_values + 1, dtype=ranks.dtype)
    down[ranks.ravel()] = minimum_filter(ranks, size=3, mode=["wrap" if c else "nearest" for c in closed]).ravel()
    down[n_values] = n_values
    while not np.array_equal(down, below := down[down]):
        down = below
    minima = np.flatnonzero(down[:n_values] == np.arange(n_values))
    first, second, passes = _passes(ranks, down, n_values, closed)
    ends = np.searchsorted(minima, first), np.searchsorted(minima, second)
    graph = coo_matrix((passes + 1.0, ends), shape=(len(minima), len(minima)))
    tree = minimum_spanning_tree(graph.tocsr()).tocoo()
    edges = tree.row, tree.col, rising[tree.data.astype(np.intp) - 1]
    return weighted_bars(rising[minima], edges, 0, field)


def _passes(ranks: Places, down: Places, n_values: int, closed: tuple[bool, ...]) -> tuple[Places, Places, Places]:
    """Pairs of minima whose basins touch, each once, and the rank of the lowest place from which both are reached."""
    around = ranks
    for axis, closes in enumerate(closed):
        width = [(int(other == axis),) * 2 for other in range(ranks.ndim)]
        around = np.pad(around, width, mode="wrap") if closes else np.pad(around, width, constant_values=n_values)
    found = []
    for step in product((0, 1, 2), repeat=ranks.ndim):
        if step <= (1,) * ranks.ndim:  # the other half says the same, and the middle nothing
            continue
        beside = around[tuple(slice(start, start + side) for start, side in zip(step, ranks.shape, strict=True))]
        here, there = down[ranks], down[beside]
        apart = (here != there) & (here < n_values) & (there < n_values)
        ends = np.sort(np.column_stack([here[apart], there[apart]]), axis=1)
        found.append(_lowest(np.column_stack([ends, np.maximum(ranks, beside)[apart]])))
    first, second, passes = _lowest(np.vstack(found)).T
    return first, second, passes


def _lowest(rows: Places) -> Places:
    """Of rows that begin with the same pair, the one of the least rank."""
    rows = rows[np.lexsort(rows.T[::-1])]
    new = np.ones(len(rows), dtype=np.bool_)
    new[1:] = (rows[1:, :2] != rows[:-1, :2]).any(axis=1)
    return rows[new]
