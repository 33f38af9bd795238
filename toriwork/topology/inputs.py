"""Distances in every form that people have them, checked once: square, condensed or sparse; inf where there is no edge.

Rounding is told from error by one rule: up to 1e-12 of the largest distance, or 8 units of the last place of a coarser
float, two mirror entries are the same distance, of which the larger is taken, and what is below zero or on the diagonal
is zero. Where entries below zero or on the diagonal show that the distances are differences from 1, as in
``1 - np.corrcoef(series)``, the largest distance counts as 1 at least.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import as_array, as_float64, expect_real
from toriwork.errors import BadInput
from toriwork.topology.clouds import Cloud, as_square, distances_of_points, drawn, euclidean_distances, safely_scaled

Matrix = NDArray[np.float64]
Indices = NDArray[np.intp]


#: dimensions that distances alone may have at most; points have those of their coordinates
_MOST_DIMENSIONS = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class CheckedDistances:
    """Distances that came out of :func:`distance_matrix` or ``euclidean_pairs``: not checked a second time."""

    given: Matrix  #: square, or the entries above the diagonal of one point or more

    @property
    def matrix(self) -> Matrix:
        """All of them, shape (n_points, n_points)."""
        return as_square(self.given)


@dataclass(frozen=True, slots=True)
class Graph:
    """Checked edges, each once, and the distance of each; points without an edge stay."""

    n_points: int
    first: Indices  #: (n_edges,), the smaller of the two points
    second: Indices  #: (n_edges,)
    lengths: Matrix  #: (n_edges,) finite: when each edge enters
    entries: Matrix | None = None  #: (n_points,) finite: when each point enters, 0 for None

    @property
    def matrix(self) -> Matrix:
        """All distances, shape (n_points, n_points); inf where there is no edge."""
        square = np.full((self.n_points, self.n_points), np.inf)
        np.fill_diagonal(square, 0.0)
        square[self.first, self.second] = square[self.second, self.first] = self.lengths
        return square


def distance_matrix(points: Any, distances: Any) -> Matrix:
    """The checked distances of whichever of the two was given."""
    if (points is None) == (distances is None):
        raise BadInput("expected either points or distances, got both or neither")
    return distances_of_points(points) if distances is None else check_distances(distances)


def finite_distances(points: Any, distances: Any) -> CheckedDistances:
    """The same, which must be finite: the rules for features were made for clouds in one piece."""
    matrix = distance_matrix(points, distances)
    if distances is not None:
        _refuse(np.isinf(matrix), matrix, "distances", "is no edge; persistence alone takes it")
    return CheckedDistances(matrix)


def sample_distances(points: Cloud | None, distances: CheckedDistances | None, wanted: int) -> NDArray[np.float64]:
    """The distances of so many of the points, always the same ones whatever their order.

    They are drawn from the points in order of their distance to the middle, which no motion and no unit changes.
    """
    if distances is not None:
        matrix = distances.matrix
        far = ((matrix / (matrix.max(initial=0.0) or 1.0)) ** 2).sum(axis=1)  # the same order, by the parallel axis
        kept = far.argsort(kind="stable")[drawn(len(matrix), wanted)]
        return matrix[np.ix_(kept, kept)]
    assert points is not None
    cloud, _ = safely_scaled(points.points())
    far = ((cloud - cloud.mean(axis=0)) ** 2).sum(axis=1)
    return euclidean_distances(points.points()[far.argsort(kind="stable")[drawn(len(cloud), wanted)]])


def lie_evenly(points: Cloud | None, distances: CheckedDistances | None) -> bool:
    """Tell if points lie more evenly than points that are drawn one by one: on a grid, a mesh, with distance kept.

    Of drawn points the logarithm of the distance to the second nearest over that to the nearest one has the mean 1 / d
    in d dimensions. A smaller one, by a fifth, is no chance.

    Sources
    -------
    Facco et al. 2017, doi:10.1038/s41598-017-11873-y.
    """
    if points is not None:
        from scipy.spatial import cKDTree

        cloud, _ = safely_scaled(points.points())
        nearest, most = cKDTree(cloud).query(cloud, k=3)[0][:, 1:], 1.25 * cloud.shape[1]
    else:
        assert distances is not None
        nearest, most = np.partition(distances.matrix, 2, axis=1)[:, 1:3], _MOST_DIMENSIONS
    nearest = np.sort(nearest[nearest.min(axis=1) > 0], axis=1)
    return bool(len(nearest)) and float(np.log(nearest[:, 1] / nearest[:, 0]).mean()) * most < 1.0


def checked_distances(given: Any) -> CheckedDistances | Graph:
    """Distances that are checked: a graph where they are sparse, else their matrix."""
    if isinstance(given, CheckedDistances | Graph):
        return given
    return sparse_distances(given) if is_sparse(given) else CheckedDistances(check_distances(given))


def check_distances(given: Any, name: str = "distances") -> Matrix:
    """Dissimilarities as a square float64 matrix: >= 0, symmetric, zero on the diagonal; inf for no edge.

    They are given as a matrix, as its entries above the diagonal (n_points (n_points - 1) / 2 of them, as by ``pdist``)
    or sparse. The triangle inequality is not asked for: a Rips filtration needs none.
    """
    if isinstance(given, CheckedDistances | Graph) or is_sparse(given):
        return checked_distances(given).matrix
    array = as_array(given, name=name)
    expect_real(array, name=name)
    if array.ndim == 1 and math.isqrt(1 + 8 * len(array)) ** 2 == 1 + 8 * len(array):
        matrix = as_square(as_float64(array))
    elif array.ndim == 2 and array.shape[0] == array.shape[1]:
        whole = array.dtype == np.float64 and array.flags.c_contiguous
        matrix = array if whole else as_float64(array)  # in one order, in which means are added up
    else:
        raise BadInput(
            f"{name}: expected shape (n_points, n_points) or (n_points (n_points - 1) / 2,), got {tuple(array.shape)}"
        )
    if not matrix.diagonal().any() and matrix.min(initial=0.0) >= 0.0:
        if (matrix == matrix.T).all():
            return matrix
        larger = np.maximum(matrix, matrix.T)
        largest = larger.max(keepdims=True)
        if largest < math.inf and (larger - matrix).max() <= _rounding(largest, False, array.dtype):
            return larger  # paths that were added up from either end
    return _mended(matrix, array.dtype, name)


def is_sparse(given: Any) -> bool:
    """True for a sparse matrix or array of SciPy, which is not imported for it."""
    return hasattr(given, "tocoo") and hasattr(given, "nnz")


def sparse_distances(given: Any) -> Graph:
    """The distances that are stored in a sparse matrix or array of SciPy; what is not stored is no edge.

    A stored 0 off the diagonal is a distance of 0, a stored inf no edge. Either both triangles are stored, which mirror
    each other, or one alone.

    Raises
    ------
    BadInput
        An entry is NaN, negative, stored twice, lies on the diagonal and is not 0, or has another mirror image or none.
    """
    found, at, diagonal = sparse_edges(given, "distances")
    rounding = _rounding(found.lengths, bool(diagonal.any()), given.dtype)
    refuse_entry(found.lengths < -rounding, found, "distances", "is negative")
    if (np.abs(diagonal) > rounding).any():
        worst = int((np.abs(diagonal) > rounding).argmax())
        i = int(at[worst])
        raise BadInput(f"distances: entry ({i}, {i}) lies on the diagonal and is not zero: {diagonal[worst]}")
    kept = np.isfinite(found.lengths)
    return Graph(found.n_points, found.first[kept], found.second[kept], np.maximum(found.lengths[kept], 0.0))


def sparse_edges(given: Any, name: str) -> tuple[Graph, Indices, Matrix]:
    """The entries of a sparse matrix off its diagonal, each pair once; the points of those stored on it, and those."""
    if getattr(given, "format", "") == "bsr":
        raise BadInput(f"{name}: expected entries one by one, got blocks, whose zeros may be entries or not: .tocsr()")
    if len(given.shape) != 2 or given.shape[0] != given.shape[1]:
        raise BadInput(f"{name}: expected shape (n_points, n_points), got {tuple(given.shape)}")
    if given.dtype.kind not in "fiub":
        raise BadInput(f"{name}: expected real numbers, got dtype {given.dtype}")
    n_points, stored = int(given.shape[0]), given.tocoo()
    every = Graph(n_points, stored.row.astype(np.intp), stored.col.astype(np.intp), as_float64(stored.data))
    refuse_entry(np.isnan(every.lengths), every, name, "is NaN")
    refuse_entry(repeated_pairs(every.first, every.second), every, name, "is stored twice")
    loop = every.first == every.second
    at, diagonal = every.first[loop], every.lengths[loop]
    above, below = every.first < every.second, every.first > every.second
    if not (above.any() and below.any()):
        return _ordered(every, ~loop), at, diagonal
    upper, lower = _ordered(every, above), _ordered(every, below)
    if not (np.array_equal(upper.first, lower.first) and np.array_equal(upper.second, lower.second)):
        ends = every.first, every.second
        low, high = np.minimum(*ends), np.maximum(*ends)
        alone = ~loop & ~(repeated_pairs(low, high) | repeated_pairs(low[::-1], high[::-1])[::-1])
        advice = "; of neighbours, one side may know the other: graph.maximum(graph.T)"
        refuse_entry(alone, every, name, "has no mirror image", advice)
    rounding = _rounding(every.lengths, bool(diagonal.any()), given.dtype)
    refuse_entry(~_alike(upper.lengths, lower.lengths, rounding), upper, name, "differs from its mirror image")
    return replace(upper, lengths=np.maximum(upper.lengths, lower.lengths)), at, diagonal


def refuse_entry(bad: NDArray[np.bool_], edges: Graph, name: str, why: str, advice: str = "") -> None:
    """Raise BadInput that names the first bad one of the edges."""
    if bad.any():
        i = int(bad.argmax())
        raise BadInput(f"{name}: entry ({edges.first[i]}, {edges.second[i]}) {why}: {edges.lengths[i]}{advice}")


def repeated_pairs(first: Indices, second: Indices) -> NDArray[np.bool_]:
    """True for each pair that was there before."""
    order = np.lexsort((second, first))  # stable: of equal pairs the earlier one comes first
    repeated = np.zeros(len(first), dtype=np.bool_)
    repeated[order[1:]] = (first[order[1:]] == first[order[:-1]]) & (second[order[1:]] == second[order[:-1]])
    return repeated


def _ordered(edges: Graph, kept: NDArray[np.bool_]) -> Graph:
    """Some of the edges, the smaller point of each first, in the order of their points."""
    ends = edges.first[kept], edges.second[kept]
    first, second = np.minimum(*ends), np.maximum(*ends)
    order = np.lexsort((second, first))
    return Graph(edges.n_points, first[order], second[order], edges.lengths[kept][order])


def _mended(matrix: Matrix, given: np.dtype[Any], name: str) -> Matrix:
    """The matrix without what is rounding; BadInput for what is more."""
    _refuse(np.isnan(matrix), matrix, name, "is NaN")
    diagonal = matrix.diagonal()
    if len(matrix) > 1 and np.allclose(diagonal, 1.0) and np.abs(matrix).max() < 1.0 + 1e-9:
        raise BadInput(
            f"{name}: expected zeros on the diagonal, got the ones of correlations or similarities; take 1 - them, or "
            "1 - their absolute values"
        )
    rounding = _rounding(matrix, bool(diagonal.any()), given)
    _refuse(matrix < -rounding, matrix, name, "is negative")
    _refuse(np.diag(np.abs(diagonal) > rounding), matrix, name, "lies on the diagonal and is not zero")
    _refuse(~_alike(matrix, matrix.T, rounding), matrix, name, "differs from its mirror image")
    matrix = np.maximum(np.maximum(matrix, matrix.T), 0.0)
    np.fill_diagonal(matrix, 0.0)
    return matrix


def _rounding(values: Matrix, off_diagonal: bool, given: np.dtype[Any]) -> float:
    """How far values may be off by the rule at the top of this module."""
    largest = float(values.max(where=np.isfinite(values), initial=0.0))
    if off_diagonal or (values < 0.0).any():
        largest = max(largest, 1.0)
    return largest * max(1e-12, 8.0 * float(np.finfo(given).eps) if given.kind == "f" else 0.0)


def _alike(values: Matrix, others: Matrix, rounding: float) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):  # inf - inf
        alike: NDArray[np.bool_] = (values == others) | (np.abs(values - others) <= rounding)
    return alike


def _refuse(bad: NDArray[np.bool_], matrix: Matrix, name: str, why: str) -> None:
    if bad.any():
        row, column = (int(i) for i in np.argwhere(bad)[0])
        raise BadInput(f"{name}: entry ({row}, {column}) {why}: {matrix[row, column]}")
