"""A matching has each bar once and the distance that it comes with."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.topology.clouds import circle
from tests.topology.test_distances import loops
from toriwork.errors import BadInput, TooLarge
from toriwork.topology import Diagram, bottleneck, matchings, persistence, wasserstein

INF = math.inf


def moves_of(first: Diagram, second: Diagram, matching: np.ndarray, k: int, p: float) -> np.ndarray:
    """How far each bar moves, rows of both diagrams being used once each."""
    one, other = first.in_dimension(k), second.in_dimension(k)
    for bars, rows in ((one, matching[:, 0]), (other, matching[:, 1])):
        assert sorted(rows[rows >= 0].tolist()) == list(range(len(bars)))
    assert (matching >= 0).any(axis=1).all()
    moves = []
    for i, j in matching.tolist():
        bar = one[i] if i >= 0 else other[j]
        there = other[j] if i >= 0 and j >= 0 else np.repeat(bar.mean(), 2)
        assert np.isinf(bar[1]) == np.isinf(there[1])
        move = np.abs(bar - there) if np.isfinite(bar[1]) else np.array([abs(bar[0] - there[0]), 0.0])
        moves.append(float(np.linalg.norm(move, p)))
    return np.array(moves)


bars = st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=7)
ends = st.lists(st.integers(0, 5), min_size=2, max_size=2)


@settings(max_examples=60, deadline=None)
@given(bars, bars, ends, ends, st.sampled_from([1.0, 1e-150, 1e150, 0.1]))
def test_a_matching_costs_the_distance(
    one: list[tuple[int, int]], other: list[tuple[int, int]], some: list[int], more: list[int], size: float
) -> None:
    first, second = (
        loops(*((b * size, (b + d) * size) for b, d in given), *((b * size, INF) for b in endless))
        for given, endless in ((one, some), (other, more))
    )
    distance, matching = bottleneck(first, second, matching=True)
    assert distance == bottleneck(first, second)
    assert moves_of(first, second, matching, 1, INF).max(initial=0.0) <= distance + 1e-12 * size
    for order, p in ((1.0, INF), (2.0, 2), (3.0, 1)):
        distance, matching = wasserstein(first, second, order=order, internal_p=p, matching=True)
        assert distance == wasserstein(first, second, order=order, internal_p=p)
        moves = moves_of(first, second, matching, 1, p) / size
        assert (moves**order).sum() ** (1 / order) * size == pytest.approx(distance, rel=1e-9, abs=1e-12 * size)


def test_a_matching_by_hand() -> None:
    first, second = loops((0, 4), (5, 5.5), (1, INF)), loops((0.25, 4.5), (9, 9.25), (2, INF))
    for distance in (bottleneck, wasserstein):
        # rows: (0, 4), (1, inf), (5, 5.5) and (0.25, 4.5), (2, inf), (9, 9.25)
        assert distance(first, second, matching=True)[1].tolist() == [[0, 0], [1, 1], [2, -1], [-1, 2]]
    assert bottleneck(first, second, matching=True)[0] == 1.0


@pytest.mark.parametrize("k", [0, 1])
def test_clouds_have_a_matching(k: int) -> None:
    first, second = (persistence(circle(150, 0.1, seed)) for seed in (1, 2))
    for distance, found in ((bottleneck, INF), (wasserstein, 2)):
        cost, matching = distance(first, second, k, matching=True)
        assert np.linalg.norm(moves_of(first, second, matching, k, INF), found) == pytest.approx(cost)
        same = distance(first, first, k, matching=True)
        assert same[0] == 0.0
        assert np.array_equal(same[1], np.repeat(np.arange(len(first.in_dimension(k)))[:, None], 2, axis=1))


def test_without_a_finite_distance_there_is_no_matching() -> None:
    for distance in (bottleneck, wasserstein):
        assert distance(loops((0, INF)), loops(), matching=True) == (INF, None)
        cost, matching = distance(loops(), loops(), matching=True)
        assert (cost, matching.shape) == (0.0, (0, 2))
    with pytest.raises(BadInput, match="relative_error = 0"):
        wasserstein(loops((0, 1)), loops(), relative_error=0.1, matching=True)


def test_a_matching_that_would_fill_the_memory_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matchings, "_EDGE_BYTES", 1e18)
    with pytest.raises(TooLarge, match="a matching of 1 and 1 bars"):
        bottleneck(loops((0, 4)), loops((1, 4)), matching=True)
