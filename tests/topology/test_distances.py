"""Distances equal a search over all matchings, keep the laws of a metric, and are inf where they must be."""

from __future__ import annotations

import dataclasses
import math
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.topology.clouds import circle
from toriwork.errors import BadInput
from toriwork.topology import Diagram, bottleneck, persistence, sliced_wasserstein, wasserstein

INF = math.inf
DISTANCES = {
    "bottleneck": bottleneck,
    "wasserstein 2": wasserstein,
    "wasserstein 1": lambda a, b: wasserstein(a, b, order=1, internal_p=2),
    "sliced": sliced_wasserstein,
}
every = pytest.mark.parametrize("distance", DISTANCES.values(), ids=DISTANCES)


def loops(*bars: tuple[float, float]) -> Diagram:
    return Diagram([[1, *bar] for bar in bars], 1)


def by_all_matchings(first: Diagram, second: Diagram, order: float, p: float) -> float:
    """The least cost over every way to match; as many diagonal places on each side as bars on the other."""
    one, other = first.in_dimension(1).tolist(), second.in_dimension(1).tolist()
    left, right = [*one, *([None] * len(other))], [*other, *([None] * len(one))]

    def cost(a: list[float] | None, b: list[float] | None) -> float:
        if a is None or b is None:
            bar = a or b
            move = (0.0, 0.0) if bar is None else ((bar[1] - bar[0]) / 2,) * 2
        else:
            move = (abs(a[0] - b[0]), abs(a[1] - b[1]))
        return float(np.linalg.norm(move, p))

    if order == INF:
        return min((max(map(cost, left, way), default=0.0) for way in permutations(right)), default=0.0)
    return min(sum(cost(a, b) ** order for a, b in zip(left, way, strict=True)) for way in permutations(right)) ** (
        1 / order
    )


bars = st.lists(
    st.tuples(st.integers(0, 9), st.integers(1, 9)).map(lambda b: (b[0] / 4, (b[0] + b[1]) / 4)), max_size=3
)
diagrams = bars.map(lambda some: loops(*some))


@settings(max_examples=12, deadline=None)
@given(diagrams, diagrams)
def test_each_equals_a_search_over_all_matchings(first: Diagram, second: Diagram) -> None:
    assert bottleneck(first, second) == pytest.approx(by_all_matchings(first, second, INF, INF), abs=1e-12)
    for order in (1, 2, 3.5):
        for p in (1, 2, INF):
            wanted = by_all_matchings(first, second, order, p)
            assert wasserstein(first, second, order=order, internal_p=p) == pytest.approx(wanted, abs=1e-12)


@settings(max_examples=40, deadline=None)
@given(diagrams, diagrams, diagrams)
def test_each_is_a_metric(a: Diagram, b: Diagram, c: Diagram) -> None:
    for distance in DISTANCES.values():
        assert distance(a, a) == pytest.approx(0, abs=1e-12)
        assert distance(a, b) == pytest.approx(distance(b, a), abs=1e-12)
        assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-12
        assert (distance(a, b) > 1e-12) == (a != b)


@every
def test_it_is_inf_where_essential_counts_differ(distance: object) -> None:
    assert distance(loops((0.5, INF)), loops()) == INF
    assert distance(loops((0.5, INF), (0.0, INF)), loops((0.0, INF), (0.2, 0.3))) == INF


@every
def test_essential_classes_are_compared_by_birth(distance: object) -> None:
    assert distance(loops((0.0, INF), (2.0, INF)), loops((2.0, INF), (0.25, INF))) == pytest.approx(0.25)


@every
def test_empty_diagrams_are_equal(distance: object) -> None:
    assert distance(loops(), loops()) == 0.0


def test_hera_is_within_its_stated_error() -> None:
    rng = np.random.default_rng(0)
    first, second = (loops(*np.sort(rng.random((30, 2)), axis=1)) for _ in range(2))
    for order in (1.0, 2.0):
        exact = wasserstein(first, second, order=order)
        assert exact * (1 - 1e-12) <= wasserstein(first, second, order=order, relative_error=0.05) <= exact * 1.05


@pytest.mark.parametrize("size", [2.0**-600, 2.0**-40, 1.0, 2.0**600])
def test_a_minute_bottleneck_distance_is_not_taken_for_none(size: float) -> None:
    first, second = loops((0.0, 2 * size), (size, 4 * size)), loops((0.0, 2 * size), (size, 4 * size * (1 + 2**-50)))
    assert bottleneck(first, second) == 4 * size * 2**-50
    assert bottleneck(first, loops()) == 1.5 * size


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_powers_of_huge_or_minute_moves_do_not_leave_the_range(size: float) -> None:
    assert wasserstein(loops((0.0, 2 * size)), loops()) == pytest.approx(size, rel=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_a_rips_diagram_moves_by_at_most_twice_the_points(seed: int) -> None:
    cloud = circle(30, 0.05, seed)
    moves = np.random.default_rng(seed).standard_normal(cloud.shape) * 0.05
    before, after = persistence(cloud), persistence(cloud + moves)
    for k in (0, 1):
        assert bottleneck(before, after, k) <= 2 * np.linalg.norm(moves, axis=1).max() * (1 + 1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_an_alpha_diagram_moves_by_at_most_as_much_as_the_points(seed: int) -> None:
    cloud = circle(30, 0.05, seed)
    moves = np.random.default_rng(seed).standard_normal(cloud.shape) * 0.05
    before, after = (persistence(c, filtration="alpha") for c in (cloud, cloud + moves))
    for k in (0, 1):
        assert bottleneck(before, after, k) <= np.linalg.norm(moves, axis=1).max() * (1 + 1e-9)


@every
def test_what_does_not_mean_the_same_is_refused(distance: object) -> None:
    plain = persistence(circle(20))
    cut = persistence(circle(20), threshold=0.3)
    for other, word in (
        (dataclasses.replace(plain, scale="radius"), "scale"),
        (dataclasses.replace(plain, field=3), "field"),
        (cut, "cut at 0.3"),
    ):
        with pytest.raises(BadInput, match=word):
            distance(plain, other)


@pytest.mark.parametrize(
    ("options", "word"),
    [
        ({"order": 0.5}, "order"),
        ({"order": INF}, "order"),
        ({"internal_p": 3}, "internal_p"),
        ({"relative_error": -1.0}, "relative_error"),
        ({"k": 2}, "dimension"),
    ],
)
def test_parameters_out_of_range_are_refused(options: dict[str, float], word: str) -> None:
    with pytest.raises(BadInput, match=word):
        wasserstein(loops(), loops(), **options)
    with pytest.raises(BadInput, match="n_directions"):
        sliced_wasserstein(loops(), loops(), n_directions=0)
