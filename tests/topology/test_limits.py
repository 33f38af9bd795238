"""What is too large is refused with its number; what is odd but small has its answer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from tests.topology.clouds import circle
from toriwork.errors import BadInput, TooLarge
from toriwork.topology import DTM, Diagram, Landmark, engines, persistence, persistence_many, wasserstein

RING = np.exp(2j * np.pi * np.arange(12) / 12).view(float).reshape(-1, 2)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"points": circle(300)}, id="rips"),
        pytest.param({"points": circle(300), "threshold": 0.5}, id="rips, cut"),
        pytest.param({"points": circle(300), "engine": "gudhi", "threshold": 0.5}, id="rips by gudhi, cut"),
        pytest.param({"points": circle(300), "filtration": Landmark(250)}, id="landmark"),
        pytest.param({"points": circle(300), "filtration": "dtm"}, id="dtm"),
        pytest.param({"points": circle(300), "filtration": "alpha"}, id="alpha"),
        pytest.param({"points": circle(300), "filtration": "delaunay_cech"}, id="delaunay_cech"),
        pytest.param({"points": np.zeros((100, 100)), "filtration": "cubical"}, id="an image"),
        pytest.param({"points": np.zeros((20, 20, 20)), "filtration": "cubical"}, id="a volume"),
        pytest.param({"points": np.zeros(10_000), "filtration": "lower_star"}, id="a series"),
        pytest.param({"points": np.random.default_rng(0).random((20_000, 2)), "filtration": "h0"}, id="h0"),
    ],
)
def test_every_filtration_keeps_to_the_memory_that_it_is_given(asked: dict[str, Any]) -> None:
    with pytest.raises(TooLarge, match=r"about .* the limit is 1e\+05"):
        persistence(**asked, max_bytes=1e5)


@pytest.mark.parametrize("filtration", ["alpha", "delaunay_cech"])
@pytest.mark.parametrize("shape", [(10_000, 500), (10_000, 7), (2_000, 4_000)])
def test_a_triangulation_in_many_coordinates_is_too_large(filtration: str, shape: tuple[int, int]) -> None:
    with pytest.raises(TooLarge, match="simplices"):
        persistence(np.random.default_rng(0).random(shape), filtration=filtration)


def test_an_exact_matching_of_thousands_of_bars_is_refused_and_an_inexact_one_is_named() -> None:
    bars = np.sort(np.random.default_rng(0).random((2, 10_000, 2)), axis=2)
    first, second = (Diagram(np.column_stack([np.ones(10_000), some]), 1) for some in bars)
    with pytest.raises(TooLarge, match=r"10000 and 10000 bars.*relative_error"):
        wasserstein(first, second)
    assert wasserstein(first, first) == 0.0


def test_a_bare_lack_of_memory_is_too_large_and_says_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("toriwork.topology.rips_family.euclidean_pairs", fail)
    with pytest.raises(TooLarge, match=r"rips: no memory for an array of shape \(12, 2\)"):
        persistence(RING)
    found = list(persistence_many([RING, np.zeros((0, 2)), RING], max_workers=1, progress=False))
    assert [type(result.error) for result in found] == [TooLarge, TooLarge, TooLarge]


def test_the_largest_field_is_known_and_the_next_prime_is_not() -> None:
    for asked in ({}, {"filtration": "alpha"}, {"filtration": "cubical"}):
        assert persistence(RING, field=engines.LARGEST_PRIME, **asked).field == 46_337
        with pytest.raises(BadInput, match="a prime up to 46337"):
            persistence(RING, field=46_349, **asked)


WITH_COPIES = [{}, {"filtration": "h0"}, {"filtration": "alpha"}, {"filtration": "delaunay_cech"}]
WITH_COPIES += [{"max_dimension": 2}, {"filtration": Landmark(99)}, {"engine": "gudhi", "field": 3}]


@pytest.mark.parametrize("asked", WITH_COPIES)
@pytest.mark.parametrize("copies", [2, 50])
def test_repeated_points_change_nothing(asked: dict[str, Any], copies: int) -> None:
    cloud = np.random.default_rng(0).permutation(np.repeat(RING, copies, axis=0))
    found, wanted = (persistence(some, **asked, min_persistence=1e-9) for some in (cloud, RING))
    assert np.allclose(found.pairs, wanted.pairs, rtol=1e-12)
    assert found.provenance.n_points == 12 * copies  # type: ignore[union-attr]


def test_repeated_points_weigh_in_dtm_and_are_merged_then() -> None:
    cloud = np.repeat(circle(20, 0.1), [1, 3] * 10, axis=0)
    heavy = persistence(cloud, filtration=DTM(3))
    assert heavy != persistence(circle(20, 0.1), filtration=DTM(3))
    assert heavy.betti(10.0) == (1, 0)
    assert len(heavy.in_dimension(0)) == 20


def test_two_thousand_points_at_one_place_have_one_component_and_nothing_else() -> None:
    for asked in ({"max_dimension": 2}, {"filtration": "dtm"}, {"filtration": "alpha"}, {"filtration": "h0"}):
        assert persistence(np.full((2000, 3), 0.1), **asked).in_dimension(0)[:, 1].tolist() == [math.inf]


def test_a_matrix_loses_rows_that_repeat_others_and_keeps_those_that_are_only_at_distance_0() -> None:
    twice = np.array([0, 0, 1, 2, 2])
    whole = 1.0 + np.arange(3)[:, None] + np.arange(3)
    np.fill_diagonal(whole, 0.0)
    assert persistence(distances=whole[np.ix_(twice, twice)]) == persistence(distances=whole)
    odd = np.array([[0.0, 0.0, 5.0, 1.0], [0.0, 0.0, 1.0, 5.0], [5.0, 1.0, 0.0, 1.0], [1.0, 5.0, 1.0, 0.0]])
    for engine in ("auto", "gudhi", "simple"):
        assert persistence(distances=odd, engine=engine).in_dimension(1).tolist() == [[1.0, 5.0]]


@pytest.mark.parametrize("filtration", ["rips", "h0", Landmark(9)])
def test_a_minute_distance_beside_a_huge_one_is_not_lost(filtration: Any) -> None:
    for values in ([0.0, 1e-200, 1e200], [0.0, 3e-170, 1.0], [0.0, 5e-324, 1e-100]):
        cloud = np.array(values)[:, None]
        deaths = persistence(cloud, filtration=filtration, max_dimension=0).in_dimension(0)[:, 1]
        assert deaths.tolist() == [values[1], values[2] - values[1], math.inf]
    pair = np.array([[0.0, 0.0], [3e-200, 4e-200], [1e200, 0.0]])
    assert persistence(pair, filtration=filtration).in_dimension(0)[0, 1] == pytest.approx(5e-200, rel=1e-15)
