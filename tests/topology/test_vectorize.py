"""Vectors equal their definitions evaluated point by point, and stay finite on diagrams without a bar."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.topology.clouds import circle
from toriwork.errors import BadInput
from toriwork.topology import Diagram, persistence
from toriwork.topology.vectorize import entropy, landscape, lengths, persistence_image, silhouette

INF = math.inf
GRID = np.linspace(-0.5, 3, 15)
SOME = Diagram([[0, 0.0, INF], [1, 0.0, 2.0], [1, 0.5, 1.5], [1, 1.0, 3.0], [1, 0.2, INF]], 2)
NOISY = persistence(circle(40, 0.1, 1))


def tent(bar: list[float], t: float) -> float:
    return max(0.0, min(t - bar[0], bar[1] - t))


def dying(diagram: Diagram) -> list[list[float]]:
    return [bar for bar in diagram.in_dimension(1).tolist() if bar[1] < INF]


@pytest.mark.parametrize("diagram", [SOME, NOISY])
def test_a_landscape_is_the_sorted_tents(diagram: Diagram) -> None:
    found = landscape(diagram, 1, GRID, n_layers=4)
    for j, t in enumerate(GRID):
        wanted = sorted((tent(bar, t) for bar in dying(diagram)), reverse=True)[:4]
        assert found[:, j].tolist() == [*wanted, *[0.0] * (4 - len(wanted))]


@pytest.mark.parametrize("power", [0.0, 1.0, 2.5])
def test_a_silhouette_is_the_weighted_mean_of_the_tents(power: float) -> None:
    weights = [(d - b) ** power for b, d in dying(NOISY)]
    for t, found in zip(GRID, silhouette(NOISY, 1, GRID, power=power), strict=True):
        wanted = sum(w * tent(bar, t) for w, bar in zip(weights, dying(NOISY), strict=True)) / sum(weights)
        assert found == pytest.approx(wanted, abs=1e-14)


def test_an_image_holds_the_weight_of_its_bars() -> None:
    borders = np.linspace(-20, 20, 9)
    image = persistence_image(SOME, 1, borders, borders, bandwidth=0.5)
    assert image.shape == (8, 8)
    assert image.sum() == pytest.approx(2 + 1 + 2)


def test_a_pixel_is_the_integral_of_the_gaussians_over_it() -> None:
    births, heights, width = [0.1, 0.4], [0.9, 1.3], 0.3
    (pixel,) = persistence_image(SOME, 1, births, heights, bandwidth=width).ravel()
    x = np.linspace(*births, 801)[:-1] + 0.3 / 1600
    y = np.linspace(*heights, 801)[:-1] + 0.4 / 1600
    total = 0.0
    for birth, death in dying(SOME):
        length = death - birth
        along = np.exp(-((x - birth) ** 2) / (2 * width**2)).mean() * 0.3
        across = np.exp(-((y - length) ** 2) / (2 * width**2)).mean() * 0.4
        total += length * along * across / (2 * math.pi * width**2)
    assert pixel == pytest.approx(total, rel=1e-5)


def test_lengths_fall_and_end_in_zeros() -> None:
    assert lengths(SOME, 1, 5).tolist() == [2.0, 2.0, 1.0, 0.0, 0.0]
    assert lengths(SOME, 1, 2).tolist() == [2.0, 2.0]


def test_the_entropy_of_equal_bars_is_the_logarithm_of_their_number() -> None:
    equal = Diagram([[1, i, i + 0.5] for i in range(7)], 1)
    assert entropy(equal, 1) == pytest.approx(math.log(7))
    shares = np.array([2, 1, 2]) / 5
    assert entropy(SOME, 1) == pytest.approx(-(shares * np.log(shares)).sum())
    assert entropy(Diagram([[1, 0.0, 1.0]], 1), 1) == 0.0


def test_no_bar_gives_zeros() -> None:
    for k in (0, 2):
        assert not landscape(SOME, k, GRID).any()
        assert not silhouette(SOME, k, GRID).any()
        assert not persistence_image(SOME, k, [0, 1], [0, 1], bandwidth=1).any()
        assert not lengths(SOME, k).any()
        assert entropy(SOME, k) == 0.0


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda: landscape(SOME, 1, GRID, n_layers=0), id="no layer"),
        pytest.param(lambda: landscape(SOME, 1, [0.0, INF]), id="an endless grid"),
        pytest.param(lambda: silhouette(SOME, 1, GRID, power=-1), id="negative power"),
        pytest.param(lambda: persistence_image(SOME, 1, [0, 1], [0, 1], bandwidth=0), id="no bandwidth"),
        pytest.param(lambda: persistence_image(SOME, 1, [1, 0], [0, 1], bandwidth=1), id="falling borders"),
        pytest.param(lambda: lengths(SOME, 1, 0), id="no length"),
        pytest.param(lambda: entropy(SOME, 3), id="no such dimension"),
        pytest.param(lambda: entropy(persistence(circle(9), threshold=0.1), 1), id="a cut diagram"),
    ],
)
def test_what_has_no_vector_is_refused(call: object) -> None:
    with pytest.raises(BadInput):
        call()
