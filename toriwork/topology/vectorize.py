"""Diagrams as vectors of fixed length: landscape, silhouette, image, entropy, lengths; for H_k and finite bars.

Essential classes have no finite coordinates and are left out; the Betti curve, which counts them, is
``Diagram.betti_curve``.  Diagrams that were cut at a threshold, and parameters out of range, are BadInput.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toriwork.errors import BadInput
from toriwork.topology.diagram import Diagram

Vector = NDArray[np.float64]


def landscape(diagram: Diagram, k: int, grid: ArrayLike, *, n_layers: int = 5) -> Vector:
    """The first layers of the persistence landscape of H_k: shape (n_layers, n_grid), >= 0, falling by layer.

    Layer i at scale t is the i-th largest of min(t - birth, death - t), or 0.

    Sources
    -------
    Bubenik 2015, JMLR 16:77-102, sect. 2.2.
    """
    if n_layers < 1:
        raise BadInput(f"n_layers: expected an integer >= 1, got {n_layers!r}")
    tents = _tents(finite_bars(diagram, k), _grid(grid))
    layers = np.zeros((n_layers, tents.shape[1]))
    found = -np.sort(-tents, axis=0)[:n_layers]
    layers[: len(found)] = found
    return layers


def silhouette(diagram: Diagram, k: int, grid: ArrayLike, *, power: float = 1.0) -> Vector:
    """The mean of the bars' tents weighted by persistence ** power: shape (n_grid,), zero without a bar.

    Sources
    -------
    Chazal, Fasy, Lecci, Rinaldo & Wasserman 2014, doi:10.1145/2582112.2582128, sect. 4.
    """
    if not 0 <= power < math.inf:
        raise BadInput(f"power: expected a finite number >= 0, got {power!r}")
    bars = finite_bars(diagram, k)
    tents = _tents(bars, _grid(grid))
    if not len(bars):
        return np.zeros(tents.shape[1])
    lengths = bars[:, 1] - bars[:, 0]
    weights = (lengths / lengths.max()) ** power
    return np.asarray(weights @ tents / weights.sum())


def persistence_image(
    diagram: Diagram, k: int, births: ArrayLike, lengths: ArrayLike, *, bandwidth: float, power: float = 1.0
) -> Vector:
    """The persistence image of H_k: shape (n_lengths - 1, n_births - 1), each pixel the integral over it.

    Every bar is a Gaussian at (birth, persistence) of weight persistence ** power; the sum over a plane-wide image is
    the sum of the weights.

    Parameters
    ----------
    diagram : Diagram
        Complete.
    k : int
        Dimension of homology.
    births, lengths : array_like
        Rising borders of the pixels.
    bandwidth : float
        Standard deviation of the Gaussians, > 0, in units of the scale.
    power : float
        >= 0.

    Sources
    -------
    Adams et al. 2017, JMLR 18(8):1-35, sect. 4.
    """
    from scipy.special import ndtr

    if not (0 < bandwidth < math.inf and 0 <= power < math.inf):
        raise BadInput(f"expected bandwidth > 0 and power >= 0, got {bandwidth!r} and {power!r}")
    borders = [_grid(births), _grid(lengths)]
    if any(len(axis) < 2 or (np.diff(axis) <= 0).any() for axis in borders):
        raise BadInput("births, lengths: expected two or more rising borders")
    bars = finite_bars(diagram, k)
    length = bars[:, 1] - bars[:, 0]
    across, along = (
        np.diff(ndtr((axis[None, :] - centre[:, None]) / bandwidth), axis=1)
        for axis, centre in zip(borders, (bars[:, 0], length), strict=True)
    )
    return np.asarray(np.einsum("b,bl,bp->lp", length**power, along, across))


def entropy(diagram: Diagram, k: int) -> float:
    """The Shannon entropy in nats of the persistences of H_k as shares of their sum; 0.0 without a bar.

    Sources
    -------
    Rucco, Castiglione, Merelli & Pettini 2016, doi:10.1007/978-3-319-29228-1_11, definition 2.
    """
    bars = finite_bars(diagram, k)
    shares = bars[:, 1] - bars[:, 0]
    if not len(shares):
        return 0.0
    shares = shares / shares.max()
    shares = shares / shares.sum()
    shares = shares[shares > 0]
    return float(abs((shares * np.log(shares)).sum()))


def lengths(diagram: Diagram, k: int, n_longest: int = 10) -> Vector:
    """The ``n_longest`` largest persistences of H_k, falling, zeros behind the last: shape (n_longest,)."""
    if n_longest < 1:
        raise BadInput(f"n_longest: expected an integer >= 1, got {n_longest!r}")
    bars = finite_bars(diagram, k)
    found = -np.sort(bars[:, 0] - bars[:, 1])[:n_longest]
    return np.append(-np.sort(-found), np.zeros(n_longest - len(found)))


def finite_bars(diagram: Diagram, k: int) -> Vector:
    """The bars of H_k that die, (n_bars, 2) float64."""
    if math.isfinite(diagram.threshold):
        raise BadInput(f"vector: expected a complete diagram, got one cut at {diagram.threshold}")
    bars = diagram.in_dimension(k)
    return bars[np.isfinite(bars[:, 1])]


def _grid(given: ArrayLike) -> Vector:
    grid = np.asarray(given, dtype=np.float64).ravel()
    if not np.isfinite(grid).all():
        raise BadInput("grid: expected finite numbers, got NaN or infinity")
    return grid


def _tents(bars: Vector, grid: Vector) -> Vector:
    """Height of each bar's tent at each grid value, (n_bars, n_grid)."""
    return np.maximum(np.minimum(grid[None, :] - bars[:, :1], bars[:, 1:] - grid[None, :]), 0.0)
