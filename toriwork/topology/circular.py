"""A coordinate on a circle for each point, from a loop of a Rips diagram: how far round the loop it is."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.topology.clouds import cloud_of
from toriwork.topology.cost_model import admit_matrix
from toriwork.topology.cycles import cocycles_at, edge_order, loops
from toriwork.topology.inputs import finite_distances

#: a prime for which classes over Z/p come from whole numbers but for rare torsion
_PRIME = 47


def circular_coordinates(
    points: Any = None, *, distances: Any = None, which: int = 0, scale: float | None = None
) -> NDArray[np.float64]:
    """A number from 0 to 1 for each point, shape (n_points,) float64: how far round a loop it is, as a share of a turn.

    A cocycle of the loop over Z/47 is lifted to whole numbers, and the function on the points whose differences along
    the edges are nearest to it, by least squares, is the coordinate. Where it begins and which way round it goes means
    nothing. Points of components that the scale does not join are not comparable. Where points lie unevenly round the
    loop, the coordinate runs faster through what is empty.

    Parameters
    ----------
    points, distances : array_like
        As in :func:`toriwork.topology.persistence`, one of the two; finite.
    which : int
        0 for the longest bar of H1, 1 for the next one.
    scale : float, optional
        Longest edge that is looked at, where the loop is alive; None: the last one before it dies, which joins most.

    Raises
    ------
    BadInput
        There is no such loop, it is not alive at that scale, or its cocycle comes from no whole numbers.
    MissingExtra, TooLarge
        ripser, which gives cocycles, is not there; the distances do not fit.

    Sources
    -------
    de Silva, Morozov & Vejdemo-Johansson 2011, doi:10.1007/s00454-011-9344-x, sect. 2.

    Examples
    --------
    >>> import numpy as np
    >>> from toriwork.topology import circular_coordinates
    >>> turn = np.arange(12) / 12
    >>> circle = np.column_stack([np.cos(2 * np.pi * turn), np.sin(2 * np.pi * turn)])
    >>> found = circular_coordinates(circle, scale=0.6)
    >>> steps = np.diff(found) % 1.0
    >>> bool(np.allclose(np.minimum(steps, 1 - steps), 1 / 12))
    True
    """
    if points is not None:
        admit_matrix(cloud_of(points).n_points)
    order = edge_order(finite_distances(points, distances).matrix)
    bars = loops(order.ranks, len(order.ends), _PRIME)
    lengths = np.append(order.lengths, math.inf)[np.minimum(bars, len(order.lengths)).astype(np.intp)]
    longest = (lengths[:, 0] - lengths[:, 1]).argsort(kind="stable")
    bars = bars[longest[: np.count_nonzero(lengths[:, 1] > lengths[:, 0])]]  # numbers tell equal lengths apart
    if isinstance(which, bool) or which not in range(len(bars)):
        raise BadInput(f"which: expected one of the {len(bars)} loops, counted from 0, got {which!r}")
    birth, death = bars[which].astype(int).tolist()
    born, dies = order.lengths[[birth, death]].tolist()
    cut = int(order.lengths.searchsorted(dies)) - 1 if scale is None else order.last_within(scale)
    if not birth <= cut < death:
        raise BadInput(f"scale: expected one from {born:.6g} to below {dies:.6g}, where the loop lives, got {scale!r}")
    cocycle = _lifted(cocycles_at(order, cut, _PRIME)[birth], len(order.ranks), order.before(cut + 1))
    return _smoothed(cocycle, order.ends[:cut])


def _lifted(cocycle: NDArray[np.intp], n_points: int, joined: NDArray[np.bool_]) -> NDArray[np.float64]:
    """A cocycle over Z/p as whole numbers near 0, shape (n_points, n_points), which add up to 0 round each triangle."""
    first, second, values = cocycle.T
    lifted = np.zeros((n_points, n_points))
    lifted[first, second] = (values + _PRIME // 2) % _PRIME - _PRIME // 2
    lifted -= lifted.T
    for i in np.flatnonzero(lifted.any(axis=1)):
        near = np.flatnonzero(joined[i])
        round_it = lifted[i, near][:, None] + lifted[np.ix_(near, near)] - lifted[i, near]
        if round_it[joined[np.ix_(near, near)]].any():
            raise BadInput("circular_coordinates: the cocycle of this loop comes from no whole numbers; try a scale")
    return lifted


def _smoothed(cocycle: NDArray[np.float64], edges: NDArray[np.intp]) -> NDArray[np.float64]:
    """The function, modulo 1, whose differences along the edges are nearest to the cocycle."""
    from scipy.sparse import csr_array
    from scipy.sparse.linalg import lsqr

    first, second = edges.T
    rows, ones = np.arange(len(edges)), np.ones(len(edges))
    entries = np.concatenate([-ones, ones]), (np.concatenate([rows, rows]), np.concatenate([first, second]))
    differences = csr_array(entries, shape=(len(edges), len(cocycle)))
    found: NDArray[np.float64] = lsqr(differences, cocycle[first, second], atol=1e-12, btol=1e-12)[0] % 1.0
    return found
