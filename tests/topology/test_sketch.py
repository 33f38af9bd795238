"""Bounds never exceed the exact distances that Hera and SciPy compute, and are those distances where they say so."""

from __future__ import annotations

import dataclasses
import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.topology.clouds import AWKWARD
from toriwork.topology import Diagram, persistence, wasserstein
from toriwork.topology.engines import hera_bottleneck
from toriwork.topology.sketch import (
    Ragged,
    born_together,
    essential_bounds,
    longest_first,
    margin,
    norm,
    one_birth_bottleneck,
    one_birth_bounds,
    point_bounds,
    sorted_bounds,
)

INF = math.inf
ORDERS = (1.0, 2.0, INF)


def diagrams_of(numbers: st.SearchStrategy[float], most: int = 7) -> st.SearchStrategy[np.ndarray]:
    """Finite bars (n, 2), longest first."""
    bar = st.tuples(numbers, numbers).filter(lambda pair: pair[0] != pair[1]).map(sorted)
    return st.lists(bar, max_size=most).map(lambda bars: longest_first(np.array(bars, dtype=float).reshape(-1, 2)))


ties = st.integers(-6, 6).map(lambda i: i / 4)
reals = st.floats(-1e6, 1e6, allow_subnormal=False)
few_bars = diagrams_of(ties) | diagrams_of(reals)


def ragged(*diagrams: np.ndarray) -> Ragged:
    starts = np.concatenate([[0], np.cumsum([len(bars) for bars in diagrams])]).astype(np.int64)
    return Ragged(np.vstack([np.empty((0, 2)), *diagrams]), starts)


def exact(one: np.ndarray, other: np.ndarray, order: float) -> float:
    """What Hera says for the bottleneck, and SciPy's assignment for the others."""
    if order == INF:
        return hera_bottleneck(one, other) if len(one) or len(other) else 0.0
    first, second = (Diagram(np.insert(bars, 0, 1, axis=1), 1) for bars in (one, other))
    return wasserstein(first, second, 1, order=order)


def assert_below(bounds: np.ndarray, query: np.ndarray, many: list[np.ndarray], order: float) -> None:
    reach = np.array([max(np.abs(bars).max(initial=0.0), np.abs(query).max(initial=0.0)) for bars in many])
    n_bars = np.array([len(bars) + len(query) for bars in many])
    for bound, bars in zip(bounds - margin(bounds, reach, n_bars), many, strict=True):
        assert bound <= exact(query, bars, order)


@pytest.mark.parametrize("order", ORDERS)
@settings(max_examples=75, deadline=None)
@given(few_bars, st.lists(few_bars, max_size=4))
def test_no_bound_exceeds_the_distance(order: float, query: np.ndarray, many: list[np.ndarray]) -> None:
    assert_below(sorted_bounds(query, ragged(*many), order), query, many, order)
    assert_below(point_bounds(query, ragged(*many), order), query, many, order)


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("k", [0, 1])
def test_no_bound_exceeds_the_distance_of_clouds(order: float, k: int) -> None:
    clouds = [cloud for name, (cloud, _) in AWKWARD.items() if name not in ("huge", "tiny")]
    bars = [persistence(cloud).in_dimension(k) for cloud in clouds]
    many = [longest_first(each[np.isfinite(each[:, 1])]) for each in bars]
    for query in many[::4]:
        for bound in (sorted_bounds, point_bounds):
            assert_below(bound(query, ragged(*many), order), query, many, order)


def one_birth(birth: float) -> st.SearchStrategy[np.ndarray]:
    lengths = st.lists(st.integers(1, 12).map(lambda i: i / 4) | st.floats(1e-3, 1e3), max_size=9)
    return lengths.map(lambda some: longest_first(np.array([[birth, birth + p] for p in some]).reshape(-1, 2)))


@settings(max_examples=150, deadline=None)
@given(st.sampled_from([0.0, 1.0, -2.5]).flatmap(lambda birth: st.tuples(one_birth(birth), one_birth(birth))))
def test_with_one_birth_the_formula_is_the_distance(pair: tuple[np.ndarray, np.ndarray]) -> None:
    one, other = pair
    wanted = exact(one, other, INF)
    assert born_together(one, other)
    assert one_birth_bottleneck(one, other) == pytest.approx(wanted, rel=1e-13, abs=1e-13)
    assert one_birth_bounds(one, ragged(other, one)) == pytest.approx([wanted, 0.0], rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("seed", range(8))
def test_for_components_of_clouds_the_formula_is_bit_for_bit_what_hera_says(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = (persistence(rng.standard_normal((n, 2)), max_dimension=0).in_dimension(0)[:-1] for n in (40, 25))
    assert one_birth_bottleneck(one, other) == hera_bottleneck(one, other)


def test_bars_of_two_births_are_not_born_together() -> None:
    one, other = np.array([[0.0, 2.0]]), np.array([[1.0, 2.0]])
    assert not born_together(one, other)
    assert not born_together(np.vstack([one, other]))
    assert born_together(one, np.empty((0, 2)))
    assert born_together(np.empty((0, 2)))


@pytest.mark.parametrize("order", ORDERS)
def test_against_nothing_each_bound_is_the_distance(order: float) -> None:
    bars, nothing = np.array([[0.0, 4.0], [1.0, 2.0]]), np.empty((0, 2))
    for bound in (sorted_bounds, point_bounds):
        assert bound(bars, ragged(nothing, nothing), order) == pytest.approx([exact(bars, nothing, order)] * 2)
        assert bound(nothing, ragged(bars, nothing), order) == pytest.approx([exact(bars, nothing, order), 0.0])


def test_the_bounds_see_what_they_are_there_for() -> None:
    query = np.array([[0.0, 4.0]])
    shorter, elsewhere = np.array([[0.0, 2.0]]), np.array([[1.0, 5.0]])
    assert sorted_bounds(query, ragged(shorter, elsewhere), INF).tolist() == [1.0, 0.0]
    assert point_bounds(query, ragged(shorter, elsewhere), INF).tolist() == [2.0, 1.0]


@pytest.mark.parametrize("order", ORDERS)
@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_powers_of_huge_or_minute_bars_stay_within_the_range(order: float, size: float) -> None:
    query, other = np.array([[0.0, 4.0]]) * size, np.array([[0.0, 2.0]]) * size
    assert sorted_bounds(query, ragged(other), order) == pytest.approx([size], rel=1e-12)
    assert point_bounds(query, ragged(other), order) == pytest.approx([2 * size], rel=1e-12)


@settings(max_examples=50, deadline=None)
@given(st.lists(ties, max_size=3), st.lists(st.lists(ties, max_size=3), max_size=4), st.sampled_from(ORDERS))
def test_essential_classes_are_at_their_distance(query: list[float], many: list[list[float]], order: float) -> None:
    starts = np.concatenate([[0], np.cumsum([len(births) for births in many])]).astype(np.int64)
    births = np.array([birth for some in many for birth in sorted(some)])
    found = essential_bounds(np.sort(query), births, starts, order)
    first, *others = (Diagram([[0, b, INF] for b in some], 0) for some in (query, *many))
    distance = (lambda a, b: wasserstein(a, b, 0, order=order)) if order < INF else bottleneck_of_births
    assert found == pytest.approx([distance(first, other) for other in others], rel=1e-12)


def bottleneck_of_births(first: Diagram, second: Diagram) -> float:
    one, other = (diagram.in_dimension(0)[:, 0] for diagram in (first, second))
    return float(np.abs(one - other).max(initial=0.0)) if len(one) == len(other) else INF


@settings(max_examples=50, deadline=None)
@given(st.lists(few_bars, min_size=1, max_size=6), st.integers(1, 12), st.randoms())
def test_pieces_and_choices_are_the_diagrams_that_they_name(many: list[np.ndarray], size: int, random: object) -> None:
    whole = ragged(*many)
    for which, piece in whole.pieces(size):
        for bars, (start, stop) in zip(many[which], pairwise(piece.starts), strict=True):
            assert np.array_equal(piece.bars[start:stop], bars)
    assert [i for which, _ in whole.pieces(size) for i in range(len(many))[which]] == list(range(len(many)))
    chosen = [random.randrange(len(many)) for _ in range(5)]  # type: ignore[attr-defined]  # of Hypothesis
    taken = whole.take(np.array(chosen))
    assert np.array_equal(taken.bars, ragged(*(many[i] for i in chosen)).bars)
    assert taken.counts.tolist() == [len(many[i]) for i in chosen]


def test_norms_have_infinite_and_empty_values() -> None:
    assert norm(np.array([[3.0, 4.0], [1.0, INF]]), 2.0).tolist() == [5.0, INF]
    assert norm(np.empty((2, 0)), 1.0).tolist() == [0.0, 0.0]
    assert norm(np.array([3e200, 4e200]), 2.0) == pytest.approx(5e200)


def test_a_thinned_diagram_is_as_any_other() -> None:
    diagram = dataclasses.replace(persistence(AWKWARD["random plane"][0]), min_persistence=0.1)
    bars = longest_first(diagram.in_dimension(1))
    assert sorted_bounds(bars, ragged(bars), INF).tolist() == [0.0]
