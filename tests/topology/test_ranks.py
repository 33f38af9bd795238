"""Over ranks every engine has the bars of gudhi in float64, bit for bit: ties, repeated points, integers, graphs."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import shortest_path

from tests.topology.clouds import circle
from toriwork.errors import TooLarge
from toriwork.topology import persistence, ranks
from toriwork.topology.engines import ENGINES, is_installed
from toriwork.topology.ranks import Exact, Ranked, ranked

FAST = [engine.name for engine in ENGINES if engine.by_ranks and is_installed(engine)]


def test_ties_share_a_rank_and_nothing_is_rank_zero() -> None:
    found = ranked(np.array([3.0, 0.5, 3.0, 0.0, 7.25, 0.5]))
    assert isinstance(found, Ranked)
    assert found.ranks.tolist() == [2, 1, 2, 0, 3, 1]
    assert found.lengths.tolist() == [0.0, 0.5, 3.0, 7.25, math.inf]
    assert ranked(np.array([2.5])).lengths.tolist() == [0.0, 2.5, math.inf]


@pytest.mark.parametrize("values", [[3.0, 0.0, 2.0**24 - 1, 3.0], [1.0], []])
def test_whole_numbers_are_their_own_ranks(values: list[float]) -> None:
    given = np.array(values)
    found = ranked(given)
    assert isinstance(found, Exact)
    assert found.ranks is given
    assert ranked(given, 3.5).last == max([value for value in values if value <= 3.5], default=0.0)


@pytest.mark.parametrize("odd", [2.0**24, 2.0**24 + 1, 1.5, 1e300])
def test_one_value_that_float32_may_not_hold_makes_all_ranks(odd: float) -> None:
    whole = np.arange(100.0)
    for place in (0, 50, 100):
        found = ranked(np.insert(whole, place, odd))
        assert isinstance(found, Ranked)
        assert np.array_equal(found.ranks, np.unique(np.insert(whole, place, odd), return_inverse=True)[1])


@pytest.mark.parametrize("engine", FAST)
def test_hops_cut_anywhere_have_the_bars_of_gudhi(engine: str) -> None:
    rng = np.random.default_rng(5)
    graph = np.triu(rng.random((60, 60)) < 0.06, 1)
    hops = np.minimum(shortest_path(graph | graph.T, unweighted=True), 99.0)
    for threshold in (0.5, 1.0, 2.7, 5.0, math.inf):
        options = {"distances": hops, "threshold": threshold}
        assert persistence(**options, engine=engine) == persistence(**options, engine="gudhi")


@pytest.mark.parametrize(("cut", "kept"), [(0.4, 0), (0.5, 1), (3.1, 2), (7.25, 3), (math.inf, 3)])
def test_what_lies_beyond_the_cut_has_one_rank_more(cut: float, kept: int) -> None:
    found = ranked(np.array([3.0, 0.5, 3.0, 7.25]), cut)
    assert found.last == kept
    assert found.ranks.tolist() == [min(rank, kept + 1) for rank in (2, 1, 2, 3)]


def test_bars_come_back_as_distances() -> None:
    found = ranked(np.array([0.1, 0.2, 0.3]))
    bars = np.array([[0.0, 2.0], [1.0, 3.0], [3.0, np.inf]])
    assert found.bars_in_lengths(bars).tolist() == [[0.0, 0.2], [0.1, 0.3], [0.3, np.inf]]
    assert found.bars_in_lengths(np.empty((0, 2))).shape == (0, 2)


def test_more_distances_than_float32_tells_apart_are_refused_and_a_threshold_helps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ranks, "MOST_RANKS", 100)
    cloud = circle(30)
    with pytest.raises(TooLarge, match="435 different distances"):
        persistence(cloud, engine="ripser")
    assert persistence(cloud, engine="ripser", threshold=0.3) == persistence(cloud, engine="gudhi", threshold=0.3)


def test_values_that_differ_in_their_last_bits_are_told_apart_however_many_there_are() -> None:
    values = 1.0 + np.random.default_rng(0).permutation(5000) * 2.0**-52
    for few in (values, np.append(values, np.arange(130_000.0))):
        assert np.array_equal(ranked(few).ranks, np.unique(few, return_inverse=True)[1] + (few.min() > 0))


@pytest.mark.parametrize("engine", FAST)
def test_distances_that_are_one_float32_stay_two(engine: str) -> None:
    square = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0 + 1e-12], [0.0, 1.0]])
    loops = persistence(square, engine=engine).in_dimension(1)
    assert loops.tolist() == persistence(square, engine="gudhi").in_dimension(1).tolist()
    assert loops[0, 0] > 1.0  # in float32 the loop is born at 1
    assert persistence(square, engine=engine).provenance.error == 0.0  # type: ignore[union-attr]


def a_case(rng: np.random.Generator) -> dict[str, np.ndarray]:  # noqa: PLR0911  # a kind of case each
    """A cloud or a matrix of few points, of one of eight kinds."""
    n, dim = int(rng.integers(1, 26)), int(rng.integers(1, 5))
    kind = int(rng.integers(8))
    if kind == 0:
        return {"points": rng.standard_normal((n, dim)) * 10.0 ** rng.integers(-150, 150)}
    if kind == 1:
        return {"points": rng.integers(0, 4, (n, dim)).astype(float)}
    if kind == 2:
        return {"points": np.repeat(rng.random((n, dim)), rng.integers(1, 4), axis=0)}
    if kind == 3:
        return {"points": 1e7 + rng.random((n, dim))}
    if kind == 4:  # hops in a graph, often in several parts
        joined = np.triu(rng.random((n, n)) < rng.uniform(0.05, 0.5), 1)
        hops = shortest_path(joined | joined.T, unweighted=True)
        return {"distances": np.where(np.isinf(hops), n, hops)}
    if kind == 5:  # weighted paths
        weights = np.triu((rng.random((n, n)) < 0.3) * rng.random((n, n)), 1)
        paths = shortest_path(weights + weights.T, directed=False)
        return {"distances": np.where(np.isinf(paths), 9.0, paths)}
    values = rng.random((n, n)) if kind == 6 else 1.0 + rng.integers(0, 3, (n, n)) * 2.0**-40  # no metric; one float32
    half = np.triu(values, 1)
    return {"distances": half + half.T}


def agree(seed: int) -> None:
    """All engines over ranks have the diagram of gudhi, whole and cut, in H0 to H2."""
    rng = np.random.default_rng(seed)
    case, highest = a_case(rng), int(rng.integers(0, 3))
    wanted = persistence(**case, max_dimension=highest, engine="gudhi")
    ends = np.append(wanted.pairs[np.isfinite(wanted.pairs[:, 2]), 2], 0.0)
    threshold = float(rng.choice(ends))  # what enters there is in
    for engine in FAST:
        assert persistence(**case, max_dimension=highest, engine=engine) == wanted
        cut = {"max_dimension": highest, "threshold": threshold}
        assert persistence(**case, **cut, engine=engine) == persistence(**case, **cut, engine="gudhi")
    assert persistence(**case, max_dimension=highest) == wanted


@settings(max_examples=75, deadline=None)
@given(st.integers(0, 2**32 - 1))
def test_engines_over_ranks_agree_with_gudhi_bit_for_bit(seed: int) -> None:
    agree(seed)


@pytest.mark.long
def test_they_agree_on_ten_thousand_cases() -> None:
    for seed in range(10_000):
        agree(seed)


@pytest.mark.skipif("redzed" not in FAST, reason="redzed is not installed")
@pytest.mark.parametrize("name", ["circle", "grid", "hops"])
def test_they_agree_where_gudhi_is_cut_early(name: str) -> None:
    rng = np.random.default_rng(5)
    grid = np.stack(np.meshgrid(np.arange(16.0), np.arange(16.0)), -1).reshape(-1, 2)
    joined = np.triu(rng.random((260, 260)) < 0.02, 1)
    hops = shortest_path(joined | joined.T, unweighted=True)
    case = {
        "circle": {"points": circle(300, 0.1)},
        "grid": {"points": grid},
        "hops": {"distances": np.where(np.isinf(hops), 99.0, hops)},
    }[name]
    assert persistence(**case, engine="redzed") == persistence(**case, engine="gudhi")


@pytest.mark.skipif("redzed" not in FAST, reason="redzed is not installed")
def test_redzed_refuses_simplices_that_its_numbers_cannot_hold() -> None:
    cloud = np.random.default_rng(0).random((700, 2))
    with pytest.raises(TooLarge, match="gudhi"):
        persistence(cloud, max_dimension=8, engine="redzed", threshold=0.01)
    assert persistence(cloud, max_dimension=8, threshold=0.01).provenance.engine == "gudhi"  # type: ignore[union-attr]


@pytest.mark.parametrize("spread", [0.0, 2.0**-52, 2.0**-48, 2.0**-44, 2.0**-40, 2.0**-30, 1.0])
@pytest.mark.parametrize("few", [2**24, 10])
@pytest.mark.parametrize("many", [20_000, 100])
def test_values_that_differ_in_their_last_bits_are_sorted_as_numpy_does(
    spread: float, few: int, many: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranks, "_FEW", few)
    monkeypatch.setattr(ranks, "_MANY", many)
    rng = np.random.default_rng(int(-np.log2(spread or 2.0**-60)))
    for share in (0.01, 0.5, 1.0):  # of the values that are close to others
        values = np.where(rng.random(3000) < share, 1.0 + spread * rng.random(3000), 1.0 + rng.random(3000))
        values[rng.integers(0, 3000, 20)] = 0.0
        rising = np.empty(3000)
        order = ranks._sorted(values, rising)
        assert np.array_equal(rising, np.sort(values))
        assert np.array_equal(values[order], rising)
        assert np.array_equal(np.sort(order), np.arange(3000))
