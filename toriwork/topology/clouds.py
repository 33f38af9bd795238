"""Clouds that were checked once, and their distances: finite, float64, symmetric.

Every engine is reached through here, so that none of them meets NaN, infinity or a wrong shape.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from toriwork.checks import as_array, as_float64, check_points, expect_real
from toriwork.errors import BadInput

Kind = Literal["points", "spectrum", "grid"]
_FLOAT64 = np.dtype(np.float64)
#: squares of coordinates within these bounds neither overflow nor lose digits to underflow
_SAFE_LARGEST, _SAFE_SMALLEST = 2.0**480, 2.0**-400
#: a distance below this may have lost digits to the underflow of a square
TINY = 2.0**-480


@dataclass(frozen=True, eq=False, repr=False)
class Cloud:
    """Checked numbers that nobody can change, made by :func:`cloud_of`; hashed when that is first asked for."""

    array: NDArray[Any]  #: as it was given: finite, C order, read-only
    kind: Kind  #: "points": real, (n_points, dim); "spectrum": 1-D, or complex; "grid": real, of another shape

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of the array."""
        return self.array.shape

    @property
    def n_points(self) -> int:
        """The length of the first axis; 0 of a single number."""
        return self.array.shape[0] if self.array.ndim else 0

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.array, dtype=dtype, copy=copy)

    @property
    def digest(self) -> bytes:
        """BLAKE2b-128 of dtype, shape and C-order little-endian bytes: the ``vertices_hash`` of the registry."""
        found: bytes | None = self.__dict__.get("_digest")  # cached_property would let all threads wait for one another
        if found is None:
            array = self.array.astype(self.array.dtype.newbyteorder("<"), copy=False)
            hashed = seeded_hash(array.dtype, array.shape)
            hashed.update(array.tobytes())
            found = self.__dict__["_digest"] = bytes(hashed.digest())
        return found

    @property
    def values(self) -> NDArray[np.float64]:
        """The array in float64, read-only."""
        return self.as_float64.array

    @property
    def as_float64(self) -> Cloud:
        """The same numbers in float64: this cloud when it has them."""
        if self.array.dtype == np.float64:
            return self
        found: Cloud | None = self.__dict__.get("_as_float64")
        if found is None:
            found = self.__dict__["_as_float64"] = Cloud(_locked(as_float64(self.array)), self.kind)
        return found

    def points(self, name: str = "points") -> NDArray[np.float64]:
        """Coordinates (n_points, dim), float64, read-only."""
        return self.values if self.kind == "points" else check_points(self.array, name=name)


def seeded_hash(dtype: np.dtype[Any], shape: tuple[int, ...]) -> Any:
    """A BLAKE2b-128 that has seen a little-endian dtype and a shape, and waits for the bytes."""
    return blake2b(f"{dtype.str}{shape}".encode(), digest_size=16)


def cloud_of(given: Any, *, name: str = "points") -> Cloud:
    """A checked private copy of what was given; a :class:`Cloud` as it is.

    Raises
    ------
    BadInput
        Not a rectangular array of finite numbers; the message names the first bad row or entry.
    """
    if isinstance(given, Cloud):
        return given
    if type(given) is np.ndarray and given.dtype is _FLOAT64 and given.ndim == 2 and given.shape[1]:
        copied = given.copy()
        if np.isfinite(copied).all():  # the common case, in a third of the time; others have their messages below
            return Cloud(_locked(copied), "points")
    array = as_array(given, name=name)
    real = array.dtype.kind != "c"
    if real and array.ndim == 2 and (array.shape[1] or not len(array)):
        if array.dtype == np.float64:
            return Cloud(_locked(check_points(array, name=name)), "points")
        array = _locked(np.array(array, order="C"))
        check_points(array, name=name)
        return Cloud(array, "points")
    if array.dtype.kind != "c":
        expect_real(array, name=name)
    array = _locked(np.array(array, order="C"))
    finite = np.isfinite(array if not real or array.dtype == np.float64 else as_float64(array))
    if not finite.all():
        place = tuple(int(i) for i in np.argwhere(~finite)[0])
        raise BadInput(f"{name}: expected finite values, got {array[place]} (entry {place})")
    return Cloud(array, "spectrum" if not real or array.ndim == 1 else "grid")


def _locked(array: NDArray[Any]) -> NDArray[Any]:
    array.setflags(write=False)
    return array


def distances_of_points(points: Any) -> NDArray[np.float64]:
    """Euclidean distances of a cloud: shape (n_points, n_points) float64, symmetric, zero diagonal.

    Each is the root of a sum of squared coordinate differences, never of dot products, so that a cloud far from
    the origin loses nothing: at offset 1e7 the dot-product form merges half of the points.  The differences are
    taken straight from the coordinates, where they are rounded once; centring first would round them twice.
    """
    return euclidean_distances(cloud_of(points).points())


def euclidean_distances(cloud: NDArray[np.float64]) -> NDArray[np.float64]:
    """The same of checked coordinates (n_points, dim)."""
    return as_square(euclidean_pairs(cloud)) if len(cloud) else np.zeros((0, 0))


def euclidean_pairs(cloud: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distances of each point to those after it, shape (n_points (n_points - 1) / 2,)."""
    if len(cloud) < 2:
        return np.zeros(0)
    from scipy.spatial import distance

    scaled, factor = safely_scaled(cloud)
    distances: NDArray[np.float64] = distance.pdist(scaled)
    tiny = np.flatnonzero(distances < TINY) if distances.min() < TINY else np.zeros(0, dtype=np.intp)
    if factor != 1.0:
        with np.errstate(over="ignore"):
            distances *= factor
        if not np.isfinite(distances).all():
            raise BadInput("points: their distances exceed the range of float64")
    if len(tiny):
        first, second = pairs_at(tiny, len(cloud))
        distances[tiny] = lengths_of(cloud[first] - cloud[second])
    return distances


def lengths_of(differences: NDArray[np.float64]) -> NDArray[np.float64]:
    """The lengths of vectors (n_vectors, dim), of which no square may leave the range of float64."""
    largest = np.abs(differences).max(axis=1, initial=0.0)
    ratios = differences / np.where(largest > 0.0, largest, 1.0)[:, None]
    lengths: NDArray[np.float64] = largest * np.sqrt((ratios**2).sum(axis=1))
    return lengths


def pairs_at(places: NDArray[np.intp], n_points: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The two points of each place in :func:`euclidean_pairs`."""
    half = n_points - 0.5  # the root of a square is exact, so that the first place of each row is not missed
    first = (half - np.sqrt(half * half - 2.0 * places)).astype(np.intp)
    return first, places - first * (2 * n_points - 3 - first) // 2 + 1


def as_square(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The matrix of distances that are given as one, or by its entries above the diagonal, row by row."""
    if distances.ndim == 2:
        return distances
    from scipy.spatial import distance

    matrix: NDArray[np.float64] = distance.squareform(distances, checks=False) if len(distances) else np.zeros((1, 1))
    return matrix


def as_condensed(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The entries above the diagonal, row by row, of distances that are given so or as a matrix."""
    if distances.ndim == 1:
        return distances
    from scipy.spatial import distance

    entries: NDArray[np.float64] = distance.squareform(distances, checks=False)
    return entries


def n_points_of(distances: NDArray[np.float64]) -> int:
    """The number of points, at least 1, that distances in either form are of."""
    return len(distances) if distances.ndim == 2 else (1 + math.isqrt(1 + 8 * len(distances))) // 2


def drawn(n_points: int, wanted: int) -> NDArray[np.intp]:
    """Indices of so many points, always the same; drawn, since a step could miss a shape."""
    if n_points <= wanted:
        return np.arange(n_points)
    return np.sort(np.random.default_rng(0).choice(n_points, wanted, replace=False))


def distinct_points(cloud: NDArray[np.float64]) -> NDArray[np.float64]:
    """The cloud (n_points, dim) without repeated points, each where it came first."""
    n_points, dim = cloud.shape
    if dim == 0 or len(np.unique(cloud[:, 0])) == n_points:  # most clouds differ in one coordinate
        return cloud[:1] if dim == 0 else cloud
    rows = np.ascontiguousarray(cloud + 0.0).view(np.dtype((np.void, 8 * dim))).ravel()  # -0.0 is 0.0
    first = np.unique(rows, return_index=True)[1]
    return cloud if len(first) == n_points else cloud[np.sort(first)]


def distinct_rows(matrix: NDArray[np.float64]) -> NDArray[np.intp] | None:
    """The points of a square matrix of distances that repeat no earlier one, None when all; a repetition is at
    distance 0 and as far from all others.
    """
    n_points = len(matrix)
    if np.count_nonzero(matrix) == n_points * (n_points - 1):
        return None
    earliest = (matrix == 0.0).argmax(axis=1)
    repeated = (earliest < np.arange(n_points)) & (matrix == matrix[earliest]).all(axis=1)
    return np.flatnonzero(~repeated)


def safely_scaled(cloud: NDArray[np.float64]) -> tuple[NDArray[np.float64], float]:
    """The cloud over a factor, and that factor: a power of two, 1 unless squares would leave the range of float64."""
    largest = float(np.abs(cloud).max(initial=0.0))
    if not largest or _SAFE_SMALLEST < largest < _SAFE_LARGEST:
        return cloud, 1.0
    factor = math.ldexp(1.0, max(-1000, min(1000, math.frexp(largest)[1])))
    return cloud / factor, factor


def enclosing_radius(distances: NDArray[np.float64]) -> float:
    """The scale from which nothing changes any more; 0 without points.

    There the Rips complex is a cone, so that only one component is left; where no point has an edge to all the others
    (inf is none), it is the largest distance.
    """
    radius = float(distances.max(axis=1).min()) if len(distances) else 0.0
    return radius if math.isfinite(radius) else float(distances.max(where=np.isfinite(distances), initial=0.0))
