"""What is seen of a cycle: the path in the spanning tree that its last edge closes, whatever order and ties."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import breadth_first_order, minimum_spanning_tree

from tests.topology import oracles
from tests.topology.clouds import circle
from toriwork.topology import estimate_betti, persistence
from toriwork.topology.cycle_odds import HIGH, LOW, WEIGHTS, Cycles
from toriwork.topology.single_linkage import SingleLinkage


def cycles_of(distances: np.ndarray, n_parts: int = 1) -> Cycles:
    return Cycles(SingleLinkage(distances), n_parts)


def slow_steps(distances: np.ndarray, one: int, other: int) -> list[float]:
    """The path between two points in SciPy's spanning tree, rising."""
    tree = minimum_spanning_tree(distances)
    _, above = breadth_first_order(tree, one, directed=False)
    steps = []
    while other != one:
        steps.append(float(distances[other, above[other]]))
        other = above[other]
    return sorted(steps)


@given(st.integers(5, 40), st.integers(0, 10_000))
@settings(max_examples=40, deadline=None)
def test_steps_are_the_path_in_the_spanning_tree(n: int, seed: int) -> None:
    distances = oracles.euclidean(np.random.default_rng(seed).random((n, 2)))
    cycles = cycles_of(distances)
    births = persistence(distances=distances).in_dimension(1)[:, 0]
    for birth in np.random.default_rng(seed).permutation(births.copy())[:5].tolist():
        one, other = np.argwhere(distances == birth)[0]
        assert cycles.way(birth)[0].tolist() == slow_steps(distances, int(one), int(other))


@given(st.integers(0, 10_000))
@settings(max_examples=20, deadline=None)
def test_features_do_not_depend_on_the_order_of_the_points(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cloud = circle(60, 0.1, seed)
    order = rng.permutation(60)
    distances = oracles.euclidean(cloud)
    bars = persistence(distances=distances).in_dimension(1)
    birth, death = bars[np.argmax(bars[:, 1] - bars[:, 0])].tolist()
    shuffled = distances[np.ix_(order, order)]
    assert cycles_of(shuffled).features(birth, death, 1.0) == pytest.approx(
        cycles_of(distances).features(birth, death, 1.0)
    )


def test_features_by_hand_on_an_even_circle() -> None:
    turn = 2 * np.pi * np.arange(12) / 12
    distances = oracles.euclidean(np.column_stack([np.cos(turn), np.sin(turn)])).round(12)  # equal chords are equal
    birth, death = persistence(distances=distances).in_dimension(1)[0].tolist()
    found = cycles_of(distances).features(birth, death, 2.0)
    assert found[:2] == pytest.approx([2.0, math.log(death / birth)])
    assert found[5:10] == pytest.approx([0.0, 0.0, 0.0, math.log(12), math.log(11)])  # twelve equal steps


def test_the_tree_goes_on_beyond_the_ends_of_an_edge_that_closes_a_turn_and_not_of_one_that_closes_a_ring() -> None:
    turn = np.arange(0.0, 6.05, 0.1)
    ring = np.column_stack([np.cos(turn), np.sin(turn)])
    tail = np.column_stack([np.full(30, ring[-1, 0]), ring[-1, 1] - 0.1 * np.arange(1, 31)])
    far = []
    for cloud in (ring, np.vstack([ring, tail])):  # the ring closes from its last point to its first
        distances = oracles.euclidean(cloud)
        far.append(cycles_of(distances).way(distances[0, len(ring) - 1])[1])
    assert far[0] == 0.0
    assert far[1] == pytest.approx(3.0)


def test_a_jump_lowers_the_odds_and_an_even_circle_raises_them() -> None:
    closed, opened = np.arange(120) * 2 * np.pi / 120, np.arange(120) * 2 * np.pi / 145
    odds = []
    for turn in (closed, opened):
        distances = oracles.euclidean(np.column_stack([np.cos(turn), np.sin(turn)]))
        bars = persistence(distances=distances).in_dimension(1)
        birth, death = bars[np.argmax(bars[:, 1] - bars[:, 0])].tolist()
        odds.append(cycles_of(distances).odds(birth, death, 3.0))
    assert odds[0] > 3.0
    assert odds[1] < 0.0


def test_repeated_points_and_equal_distances_have_their_steps() -> None:
    cloud = np.repeat([[0, 0], [0, 1], [1, 1], [1, 0]], 5, axis=0).astype(float)
    distances = oracles.euclidean(cloud)
    steps, *_ = cycles_of(distances).way(1.0)
    assert np.count_nonzero(steps == 1.0) == 3  # three sides of the square, the fourth closes it
    assert (steps > 0.0).all()
    assert math.isfinite(estimate_betti(cloud).numbers[0])


def test_there_is_a_weight_for_each_product_and_a_range_for_each_feature() -> None:
    assert len(LOW) == len(HIGH) == 15
    assert (LOW < HIGH).all()
    assert len(WEIGHTS) == 15 + 15 * 16 // 2


def test_a_path_goes_on_straight_where_a_curve_closes_and_turns_off_between_two_turns_of_a_spiral() -> None:
    ring = 2 * np.pi * np.arange(40) / 40
    turn = np.linspace(20 * np.pi, 24 * np.pi, 800)
    curves = np.column_stack([np.cos(ring), np.sin(ring)]), np.column_stack([turn * np.cos(turn), turn * np.sin(turn)])
    closed, spiral = (oracles.euclidean(curve) for curve in curves)
    _, _, straight = cycles_of(closed).way(persistence(distances=closed).in_dimension(1)[0, 0])
    assert min(straight) > 0.8
    between = spiral[200, 600]  # a turn apart
    _, _, straight = cycles_of(spiral).way(between)
    assert max(abs(one) for one in straight) < 0.4
