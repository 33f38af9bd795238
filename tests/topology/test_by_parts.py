"""The default rule: parts of a sample, what only looks like a loop, samples of many points."""

from __future__ import annotations

import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.cluster.hierarchy import fcluster, linkage
from scipy.spatial.distance import pdist

from tests.topology import oracles
from tests.topology.clouds import circle
from toriwork.topology import estimate_betti, judge, persistence, significant
from toriwork.topology.by_parts import ByParts, _with_loops
from toriwork.topology.clouds import cloud_of, distances_of_points, pairs_at
from toriwork.topology.evidence import Sampling
from toriwork.topology.inputs import CheckedDistances, lie_evenly, sample_distances
from toriwork.topology.single_linkage import SingleLinkage


def moons(rng: np.random.Generator, n: int, noise: float) -> np.ndarray:
    t = rng.uniform(0, np.pi, n)
    upper = np.arange(n) < n // 2
    cloud = np.column_stack([np.where(upper, np.cos(t), 1 - np.cos(t)), np.where(upper, np.sin(t), 0.5 - np.sin(t))])
    return cloud + noise * rng.standard_normal((n, 2))


def six_clusters(rng: np.random.Generator) -> np.ndarray:
    turn = 2 * np.pi * rng.integers(0, 6, 180) / 6
    return np.column_stack([np.cos(turn), np.sin(turn)]) + 0.05 * rng.standard_normal((180, 2))


def swiss_roll(rng: np.random.Generator) -> np.ndarray:
    t = 1.5 * np.pi * (1 + 2 * rng.random(400))
    return np.column_stack([t * np.cos(t), rng.uniform(0, 10, 400), t * np.sin(t)])


def torus(rng: np.random.Generator, n: int, tube: float = 0.45) -> np.ndarray:
    u, v = rng.uniform(0, 2 * np.pi, (2, n))
    wide = 1 + tube * np.cos(u)
    return np.column_stack([wide * np.cos(v), wide * np.sin(v), tube * np.sin(u)])


def loops(clouds: list[np.ndarray]) -> list[float]:
    return [estimate_betti(cloud).numbers[1] for cloud in clouds]


@pytest.mark.parametrize("noise", [0.0, 0.02])
@pytest.mark.parametrize("n", [100, 200, 400])
def test_two_moons_have_no_loop(n: int, noise: float) -> None:
    found = loops([moons(np.random.default_rng([n, i]), n, noise) for i in range(10)])
    assert sum(number > 0 for number in found) <= 1


def test_a_circle_open_by_60_degrees_has_no_loop_and_a_closed_one_of_as_many_points_has() -> None:
    turns = [np.random.default_rng([60, i]).uniform(0, 2 * np.pi, 150) for i in range(10)]
    made = [np.column_stack([np.cos(share * t), np.sin(share * t)]) for share in (5 / 6, 1.0) for t in turns]
    found = loops(made)
    assert found[:10].count(0.0) >= 9
    assert found[10:].count(1.0) >= 9


def test_roses_of_narrow_petals_have_a_loop_each() -> None:
    clouds = []
    for i in range(10):
        rng = np.random.default_rng([3, i])
        t = rng.uniform(0, np.pi, 1200)
        t = t[rng.random(1200) < np.hypot(np.cos(3 * t), 3 * np.sin(3 * t)) / 3][:300]  # even in arc length
        clouds.append(1.5 * np.cos(3 * t)[:, None] * np.column_stack([np.cos(t), np.sin(t)]))
    assert (
        loops([cloud + 0.02 * np.random.default_rng(0).standard_normal(cloud.shape) for cloud in clouds]).count(3.0)
        >= 8
    )


def test_six_tight_clusters_on_a_ring_have_no_loop() -> None:
    assert loops([six_clusters(np.random.default_rng([6, i])) for i in range(10)]).count(0.0) >= 9


def test_dust_in_small_pieces_has_no_loop() -> None:
    found = []
    for i in range(12):
        rng = np.random.default_rng([5, i])
        dust = 2 * (2 * rng.integers(0, 2, (150, 2, 8)) / 3.0 ** np.arange(1, 9)).sum(axis=2)
        found += loops([dust + 0.05 * rng.standard_normal((150, 2))])
    assert sum(number > 0 for number in found) <= 1


def test_circles_around_one_centre_are_two_loops() -> None:
    assert loops([np.vstack([2 * circle(160, 0.02, i), circle(80, 0.02, 50 + i)]) for i in range(10)]).count(2.0) >= 8


def test_a_swiss_roll_seldom_has_a_loop() -> None:
    found = loops([swiss_roll(np.random.default_rng([8, i])) for i in range(8)])
    assert sum(number > 0 for number in found) <= 2


def test_a_torus_of_many_points_has_two_loops_and_says_of_how_many_it_speaks() -> None:
    found = estimate_betti(torus(np.random.default_rng(0), 5000))
    assert found.numbers == (1.0, 2.0)
    assert found.evidence["sample"] == {"points": 700, "of": 5000}


def test_a_circle_of_many_points_by_alpha_is_one_component() -> None:
    cloud = circle(8000, 0.05, 3)
    diagram = replace(persistence(cloud, filtration="alpha"), filtration="rips")
    assert judge(diagram, points=cloud).numbers == (1.0, 1.0)


def test_more_points_than_the_rule_knows_stay_open_when_nobody_gives_them() -> None:
    cloud = circle(800, 0.05, 4)
    diagram = persistence(cloud)
    assert all(math.isnan(number) for number in judge(diagram).numbers)
    assert judge(diagram, points=cloud).numbers == estimate_betti(cloud).numbers == (1.0, 1.0)
    assert significant(diagram, points=cloud)[diagram.pairs[:, 0] == 1].sum() == 1


def test_the_first_version_is_there_by_name() -> None:
    cloud = moons(np.random.default_rng(0), 100, 0.0)
    assert estimate_betti(cloud, rule="calibrated").parameters["version"] == 1
    assert estimate_betti(cloud).rule == "by_parts"
    assert estimate_betti(cloud).parameters["version"] == 4


@given(st.integers(2, 40), st.integers(0, 10_000), st.sampled_from(["drawn", "grid", "equal"]))
@settings(max_examples=60, deadline=None)
def test_the_tree_of_the_deaths_is_the_one_of_the_distances(n: int, seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    cloud = {"drawn": rng.random((n, 2)), "grid": rng.integers(0, 4, (n, 2)), "equal": np.ones((n, 2))}[kind].astype(
        float
    )
    distances = distances_of_points(cloud)
    deaths = persistence(distances=distances).in_dimension(0)[:, 1]
    deaths = deaths[np.isfinite(deaths)]
    tree = SingleLinkage.of_deaths(distances, deaths)
    wanted = linkage(pdist(cloud), "single")
    assert tree is not None
    assert tree.heights.tolist() == wanted[:, 2].tolist()
    if kind == "drawn":
        sizes = np.concatenate([np.ones(n), wanted[:, 3]])
        assert tree.smaller_sides.tolist() == sizes[wanted[:, :2].astype(int)].min(axis=1).tolist()
    if len(deaths):
        assert SingleLinkage.of_deaths(distances, deaths * 1.01) is None
        assert SingleLinkage.of_deaths(distances, deaths[1:]) is None


def slow_merges(distances: np.ndarray) -> list[tuple[float, tuple[int, int], set[int], set[int]]]:
    """Of each merge its height, the two points that it joins, and the points of its larger and of its smaller side."""
    pairs = sorted((distances[a, b], a, b) for a in range(len(distances)) for b in range(a + 1, len(distances)))
    groups, found = [{point} for point in range(len(distances))], []
    for height, a, b in pairs:
        one, other = (next(group for group in groups if point in group) for point in (a, b))
        if one is not other:
            large, small = (one, other) if len(one) >= len(other) else (other, one)
            found.append((float(height), (a, b), large, small))
            groups = [group for group in groups if group not in (large, small)] + [large | small]
    return found


@given(st.integers(2, 30), st.integers(0, 10_000), st.sampled_from(["drawn", "grid", "equal"]))
@settings(max_examples=60, deadline=None)
def test_the_tree_is_that_of_slow_merges_with_ties_and_repeated_points(n: int, seed: int, kind: str) -> None:
    rng = np.random.default_rng(seed)
    cloud = {"drawn": rng.random((n, 2)), "grid": rng.integers(0, 4, (n, 2)), "equal": np.ones((n, 2))}[kind]
    distances = distances_of_points(cloud.astype(float))
    tree, wanted = SingleLinkage(distances), slow_merges(distances)
    assert tree.heights.tolist() == [height for height, *_ in wanted]
    assert list(zip(*(end.tolist() for end in tree.ends), strict=True)) == [ends for _, ends, _, _ in wanted]
    assert tree.smaller_sides.tolist() == [len(small) for *_, small in wanted]
    for (*_, large, small), start, middle, stop in zip(wanted, *tree._runs, strict=True):
        assert set(tree._members(start, middle).tolist()) == large
        assert set(tree._members(middle, stop).tolist()) == small
    edges = {frozenset(ends) for _, ends, _, _ in wanted}
    for one, other in rng.integers(0, n, (5, 2)).tolist():
        walk = tree.path(one, other)
        assert (walk[0], walk[-1], len(set(walk))) == (other, one, len(walk))
        assert all(frozenset(step) in edges for step in itertools.pairwise(walk))


@pytest.mark.parametrize("n", [2, 3, 7, 60])
def test_places_of_pairs_are_told_apart(n: int) -> None:
    wanted = np.triu_indices(n, 1)
    assert np.array_equal(pairs_at(np.arange(len(wanted[0])), n), wanted)


def test_places_of_pairs_are_told_apart_where_there_are_many() -> None:
    n_points = 3_000_000
    first = np.random.default_rng(0).integers(0, n_points - 1, 1_000)
    starts = first * (2 * n_points - 1 - first) // 2
    for place, second in ((starts, first + 1), (starts + n_points - 2 - first, np.full(1_000, n_points - 1))):
        assert np.array_equal(pairs_at(place, n_points), (first, second))


@pytest.mark.parametrize("seed", range(4))
def test_parts_are_the_clusters_below_the_gap(seed: int) -> None:
    rng = np.random.default_rng(seed)
    cloud = np.vstack(
        [0.5 * circle(60, 0.02, seed), 2 * circle(120, 0.02, seed + 9), np.array([6, 0]) + rng.random((70, 2))]
    )
    cloud = cloud[rng.permutation(len(cloud))]
    tree = linkage(pdist(cloud), "single")
    wanted = fcluster(tree, 3, "maxclust")
    assert sorted(np.bincount(wanted)[1:]) == [60, 70, 120]
    for part in SingleLinkage(oracles.euclidean(cloud)).parts():
        assert len(set(wanted[part])) == 1
        assert len(part) == np.count_nonzero(wanted == wanted[part[0]])


@given(st.sampled_from(["moons", "clusters", "rings", "noise"]), st.integers(0, 1000), st.integers(-20, 20))
@settings(max_examples=25, deadline=None)
def test_order_unit_and_motion_change_nothing(kind: str, seed: int, power: int) -> None:
    rng = np.random.default_rng(seed)
    cloud = {
        "moons": lambda: moons(rng, 120, 0.02),
        "clusters": lambda: six_clusters(rng),
        "rings": lambda: np.vstack([2 * circle(100, 0.02, seed), circle(60, 0.02, seed + 1)]),
        "noise": lambda: rng.standard_normal((100, 2)),
    }[kind]()
    angle = rng.uniform(0, 2 * np.pi)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    numbers = estimate_betti(cloud).numbers
    for other in (cloud[rng.permutation(len(cloud))], cloud * 2.0**power, cloud @ turn + [3.0, -1.0]):
        assert estimate_betti(other).numbers == pytest.approx(numbers, nan_ok=True)


def test_the_sample_of_many_points_does_not_depend_on_their_order() -> None:
    cloud = np.random.default_rng(0).random((2000, 3))
    shuffled = cloud[np.random.default_rng(1).permutation(2000)]
    one, other = (np.sort(sample_distances(cloud_of(each), None, 700), axis=None) for each in (cloud, shuffled))
    assert np.array_equal(one, other)


def disc(rng: np.random.Generator, n: int) -> np.ndarray:
    turn = rng.uniform(0, 2 * np.pi, n)
    return np.sqrt(rng.random((n, 1))) * np.column_stack([np.cos(turn), np.sin(turn)])


def test_a_ring_too_small_for_the_sample_leaves_the_loops_open() -> None:
    rng = np.random.default_rng(0)
    alone, small, large = (
        disc(rng, 2900),
        [2.2, 0.0] + 0.3 * circle(40, 0.02, 0),
        [2.2, 0.0] + 0.5 * circle(400, 0.02, 1),
    )
    assert estimate_betti(alone).numbers[1] == 0.0
    found = estimate_betti(np.vstack([alone, small]))
    assert math.isnan(found.numbers[1])
    assert "too few points" in found.evidence["H1"]["reason"]
    assert estimate_betti(np.vstack([alone, large])).numbers[1] == 1.0


@pytest.mark.parametrize("seed", range(6))
def test_a_part_without_a_diagram_of_its_own_has_no_loop(seed: int) -> None:
    """The diagram of all shows which parts may have one; the others say the same when they are asked."""
    rng = np.random.default_rng(seed)
    cloud = np.vstack(
        [circle(70, 0.03, seed), np.add(rng.random((60, 2)), [4.0, 0.0]), np.add(moons(rng, 80, 0.02), [0.0, 4.0])]
    )
    distances = distances_of_points(cloud)
    diagram = persistence(distances=distances)
    tree = SingleLinkage(distances)
    parts = tree.parts()
    possible = _with_loops(Sampling(diagram), tree, parts, 1.25)
    assert len(parts) >= 3
    assert possible.any()
    for part in (part for part, may in zip(parts, possible, strict=True) if not may):
        among = distances[np.ix_(part, part)]
        alone = Sampling(persistence(distances=among))
        assert ByParts()._loops(alone, SingleLinkage(among), len(parts)).features == []


def even_clouds() -> dict[str, np.ndarray]:
    grid = np.argwhere(np.ones((33, 33))).astype(float)
    turn = np.arange(1200.0)
    disc = grid[((grid - 16.0) ** 2).sum(axis=1) <= 15.5**2]
    return {
        "grid": grid,
        "shaken grid": grid + np.random.default_rng(0).uniform(-0.2, 0.2, grid.shape),
        "disc of pixels": disc,
        "sunflower": np.sqrt(turn)[:, None] * np.c_[np.cos(turn * 2.39996), np.sin(turn * 2.39996)],
    }


@pytest.mark.parametrize("name", list(even_clouds()))
def test_a_cloud_that_lies_evenly_is_judged_whole_and_has_no_loop(name: str) -> None:
    """A sample of it has holes that the cloud has not."""
    cloud = even_clouds()[name]
    found = estimate_betti(cloud)
    assert found.numbers == (1.0, 0.0)
    assert "sample" not in found.evidence
    assert judge(persistence(cloud), points=cloud).numbers == (1.0, 0.0)
    assert estimate_betti(distances=distances_of_points(cloud)).numbers == (1.0, 0.0)


def test_even_clouds_are_told_from_drawn_ones() -> None:
    rng = np.random.default_rng(3)
    for cloud in even_clouds().values():
        assert lie_evenly(cloud_of(cloud), None)
    angle = rng.uniform(0, 2 * np.pi, 1000)
    circle = np.c_[np.cos(angle), np.sin(angle)]
    for cloud in (rng.random((1000, 2)), rng.random((1000, 5)), rng.standard_normal((1000, 3)), circle):
        assert not lie_evenly(cloud_of(cloud), None)
        assert not lie_evenly(None, CheckedDistances(distances_of_points(cloud)))
    assert not lie_evenly(cloud_of(np.repeat(rng.random((5, 2)), 300, axis=0)), None)


@pytest.mark.parametrize("n_points", [650, 701, 900])
def test_points_that_are_not_the_diagrams_leave_it_to_be_judged_whole(n_points: int) -> None:
    cloud = np.random.default_rng(0).random((n_points, 2))
    assert judge(persistence(cloud, period=1.0), points=cloud).numbers == (1.0, 2.0)
