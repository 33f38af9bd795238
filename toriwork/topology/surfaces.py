"""The smallest closed surface through a triangle of a Rips complex, by a linear program."""

from __future__ import annotations

from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from toriwork.topology.cycles import EdgeOrder

Triangle = tuple[int, ...]

#: triangles among which a smallest surface is looked for, and seconds for the square of their number: measured from
#: 7,000 to 36,000
MOST_TRIANGLES, _SECONDS = 40_000, 3.5e-9
#: what a triangle without area costs, as a share of the largest one
_FLAT = 1e-6


def areas(order: EdgeOrder, triangles: NDArray[np.intp]) -> NDArray[np.float64]:
    """The areas of triangles, (n_triangles, 3) points, by their sides; 0 where two sides are shorter than the third."""
    first, second, third = triangles.T
    ranks = order.ranks[[first, first, second], [second, third, third]]
    sides = np.sort(order.lengths[ranks.astype(np.intp)], axis=0)
    largest = float(sides.max(initial=0.0)) or 1.0
    a, b, c = sides / largest  # squares leave the range of float64 sooner
    squared = (a + b + c) * (a + b - c) * (c + a - b) * (c - a + b)
    found: NDArray[np.float64] = np.sqrt(np.maximum(squared, 0.0)) / 4.0 * largest * largest
    return found


def seconds_of(order: EdgeOrder, birth: int) -> float:
    """Predicted seconds of :func:`smallest_surface`."""
    n_triangles = _number_before(order, birth)
    return _SECONDS * n_triangles**2 if n_triangles <= MOST_TRIANGLES else 0.0


def smallest_surface(order: EdgeOrder, bearing: Triangle, birth: int) -> set[Triangle] | None:
    """The closed surface of the smallest area through a triangle with last edge number ``birth`` and earlier ones.

    Smallest among the chains over the real numbers; these are whole but for rare torsion.  None where they are not, or
    there are more than ``MOST_TRIANGLES`` triangles.

    Sources
    -------
    Obayashi 2018, doi:10.1137/17M1159439, sect. 5 (cycles of a bar by linear programs).
    """
    from scipy.optimize import linprog
    from scipy.sparse import csc_array, hstack

    triangles = _until(order, bearing, birth)
    if triangles is None:
        return None
    weights = areas(order, triangles)
    weights += (_FLAT * float(weights.max())) or 1.0
    first, second, third = triangles.T
    ranks = order.ranks[[first, second, first], [second, third, third]].astype(np.intp)
    edges, rows = np.unique(ranks.ravel(), return_inverse=True)
    signs = np.repeat([1.0, 1.0, -1.0], len(triangles))
    columns = np.tile(np.arange(len(triangles)), 3)
    boundary = csc_array((signs, (rows.ravel(), columns)), shape=(len(edges), len(triangles)))
    bounds = np.tile([0.0, np.inf], (2 * len(triangles), 1))
    bounds[len(triangles) - 1] = 1.0  # the last one is the triangle that bears the void
    bounds[-1] = 0.0
    found = linprog(
        np.tile(weights / weights.max(), 2),
        A_eq=hstack([boundary, -boundary], format="csc"),
        b_eq=np.zeros(len(edges)),
        bounds=bounds,
        method="highs",
    )
    if found.x is None:
        return None
    taken = np.round(found.x[: len(triangles)] - found.x[len(triangles) :]).astype(np.intp) % 2 == 1
    surface = {tuple(points) for points in triangles[taken].tolist()}
    return surface if is_closed(surface) and bearing in surface else None


def is_closed(surface: set[Triangle]) -> bool:
    """True when each edge has an even number of the triangles."""
    odd: set[Triangle] = set()
    for triangle in surface:
        odd ^= set(combinations(triangle, 2))
    return not odd


def _until(order: EdgeOrder, bearing: Triangle, birth: int) -> NDArray[np.intp] | None:
    """The triangles before ``bearing`` and this one at the end, (n_triangles, 3) rising points; None for too many."""
    if _number_before(order, birth) > MOST_TRIANGLES:
        return None
    found = []
    for number in range(1, birth + 1):
        thirds = order.shared(number)
        if number == birth:
            (last,) = set(bearing) - set(order.edge(birth))
            thirds = thirds[thirds <= last]
        found.append(np.column_stack([np.tile(order.ends[number - 1], (len(thirds), 1)), thirds]))
    return np.sort(np.concatenate(found), axis=1)


def _number_before(order: EdgeOrder, birth: int) -> float:
    """The number of the triangles of earlier edges."""
    earlier = order.before(birth).astype(np.float32)
    return float(((earlier @ earlier) * earlier).sum(dtype=np.float64)) / 6
