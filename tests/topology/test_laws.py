"""Laws that hold for every cloud: Hypothesis looks for one that breaks them."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from tests.topology import oracles
from toriwork.topology import Diagram, estimate_betti, persistence

COORDINATES = st.floats(-8, 8, allow_nan=False, width=32)
CLOUDS = hnp.arrays(np.float64, st.tuples(st.integers(0, 12), st.integers(1, 3)), elements=COORDINATES)
TIED = hnp.arrays(np.float64, st.tuples(st.integers(0, 12), st.just(2)), elements=st.integers(0, 3).map(float))


@given(TIED, st.integers(0, 2))
@settings(max_examples=40)
def test_fallback_and_default_engine_equal_the_textbook_on_tied_clouds(cloud: np.ndarray, top: int) -> None:
    wanted = oracles.rips_pairs(oracles.euclidean(cloud), top)
    for engine in ("simple", "auto"):
        found = persistence(cloud, max_dimension=top, engine=engine).pairs
        assert found.shape == wanted.shape
        assert np.allclose(found, wanted, rtol=0, atol=1e-14)


@given(CLOUDS, st.randoms(use_true_random=False))
@settings(max_examples=40)
def test_the_order_of_the_points_does_not_matter(cloud: np.ndarray, random: object) -> None:
    order = list(range(len(cloud)))
    random.shuffle(order)  # type: ignore[attr-defined]  # hypothesis types its randoms as object
    assert persistence(cloud[order]) == persistence(cloud)


@given(CLOUDS, st.integers(-30, 30))
@settings(max_examples=40)
def test_scaling_by_a_power_of_two_scales_every_bar_exactly(cloud: np.ndarray, power: int) -> None:
    scaled, plain = persistence(cloud * 2.0**power), persistence(cloud)
    assert np.array_equal(scaled.pairs, plain.pairs * [1, 2.0**power, 2.0**power])
    assert estimate_betti(cloud * 2.0**power).numbers == pytest.approx(estimate_betti(cloud).numbers, nan_ok=True)


@given(st.integers(3, 14), st.integers(0, 10_000))
@settings(max_examples=40)
def test_moving_and_turning_a_cloud_keeps_its_bars(n_points: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cloud = rng.random((n_points, 3))
    turn, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    moved = cloud @ turn + rng.uniform(-10, 10, 3)
    assert bottleneck(persistence(cloud), persistence(moved)) <= 1e-13


@given(st.integers(2, 25), st.integers(0, 10_000), st.floats(0, 0.5))
@settings(max_examples=40)
def test_bars_move_at_most_twice_as_far_as_the_points(n_points: int, seed: int, size: float) -> None:
    rng = np.random.default_rng(seed)
    cloud = rng.random((n_points, 2))
    step = rng.uniform(-size, size, cloud.shape)
    displacement = np.linalg.norm(step, axis=1).max()
    assert bottleneck(persistence(cloud), persistence(cloud + step)) <= 2 * displacement + 1e-12


@given(CLOUDS)
@settings(max_examples=40)
def test_repeating_points_adds_nothing(cloud: np.ndarray) -> None:
    assert persistence(np.vstack([cloud, cloud[:3]])) == persistence(cloud)


@given(CLOUDS, st.floats(0, 30))
@settings(max_examples=40)
def test_alternating_sum_and_single_component_hold_beyond_the_diameter(cloud: np.ndarray, r: float) -> None:
    diagram = persistence(cloud, max_dimension=2)
    assert diagram.betti(r) == oracles.betti_at(diagram.pairs, r, 2)
    assert diagram.betti(100.0) == (min(1, len(cloud)), 0, 0)


def bottleneck(one: Diagram, other: Diagram) -> float:
    gudhi = pytest.importorskip("gudhi")
    return max(gudhi.bottleneck_distance(one.in_dimension(k), other.in_dimension(k)) for k in (0, 1))
