"""A filtration that is cut early has the bars of the whole one, whatever the cloud; what it costs is another matter."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.topology import oracles
from tests.topology.clouds import AWKWARD, circle
from toriwork.topology import Landmark, persistence, rips_family, truncation
from toriwork.topology.clouds import distances_of_points, enclosing_radius
from toriwork.topology.engines import ENGINES, is_installed, run_best
from toriwork.topology.truncation import Truncation, share_within, truncation_of, worth_collapsing

INSTALLED = [engine.name for engine in ENGINES if is_installed(engine)]
COLLAPSE = {"collapsed": -1.0, "as it is": math.inf}


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Clouds of any size are cut, as many points as possible are asked, and all edges are looked at in small blocks."""
    monkeypatch.setattr(rips_family, "WORTH_CUTTING", 1)
    monkeypatch.setattr(rips_family, "WORTH_CUTTING_RANKS", 1)
    for name, value in {"_FEWEST": 2, "_BLOCK": 1, "_FEW_JOINED": 0.0}.items():
        monkeypatch.setattr(truncation, name, value)
    return monkeypatch


def bare(distances: np.ndarray, engine: str = "gudhi", field: int = 2) -> list[np.ndarray]:
    """The bars by one call of an engine for the whole filtration, sorted, those of length zero left out."""
    found, _, _ = run_best(distances, 1, math.inf, engine, field)
    kept = [bars[bars[:, 0] < bars[:, 1]] for bars in found]
    return [bars[np.lexsort((bars[:, 1], bars[:, 0]))] for bars in kept]


def shapes() -> dict[str, np.ndarray]:
    """Clouds that are cut in different ways, large enough to be cut without being told."""
    rng = np.random.default_rng(7)
    loop = circle(240, 0.05)
    torus = rng.uniform(0, 2 * np.pi, (260, 2))
    wide = 1 + 0.45 * np.cos(torus[:, 0])
    return {
        "circle": loop,
        "exact circle": circle(210),
        "regular polygon": np.exp(2j * np.pi * np.arange(210) / 210).view(float).reshape(-1, 2),
        "torus": np.column_stack([wide * np.cos(torus[:, 1]), wide * np.sin(torus[:, 1]), 0.45 * np.sin(torus[:, 0])]),
        "cube": rng.random((300, 3)),
        "many dimensions": rng.standard_normal((220, 12)),
        "far blobs": rng.standard_normal((220, 2)) * 0.1 + 5.0 * rng.integers(0, 3, (220, 1)),
        "loop of far loops": np.vstack([circle(60, 0.02, i) + 6 * c for i, c in enumerate(circle(5, 0.0, 4))]),
        "outliers": np.vstack([loop, 40 * rng.standard_normal((8, 2))]),
        "twice": np.vstack([loop, loop]),
        "one point": np.ones((230, 3)),
        "grid": np.stack(np.meshgrid(np.arange(15.0), np.arange(15.0)), -1).reshape(-1, 2),
        "line": np.arange(230.0)[:, None],
        "heavy tails": rng.standard_cauchy((220, 2)),
    }


@pytest.mark.parametrize("name", shapes())
def test_the_bars_are_those_of_the_whole_filtration_bit_for_bit(name: str) -> None:
    cloud = shapes()[name]
    diagram = persistence(cloud, engine="gudhi")
    assert persistence(cloud) == diagram
    for k, wanted in enumerate(bare(distances_of_points(cloud))):
        assert np.array_equal(diagram.in_dimension(k), wanted)
    assert not diagram.censored.any()
    assert math.isinf(diagram.threshold)


@pytest.mark.parametrize("collapse", COLLAPSE)
@pytest.mark.parametrize("engine", INSTALLED)
@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_clouds_lose_nothing(eager: pytest.MonkeyPatch, name: str, engine: str, collapse: str) -> None:
    eager.setattr(truncation, "_WORTH_COLLAPSING", COLLAPSE[collapse])
    points, _ = AWKWARD[name]
    wanted = oracles.rips_pairs(oracles.euclidean(points), 1)
    found = persistence(points, engine=engine).pairs
    assert found.shape == wanted.shape
    np.testing.assert_allclose(found, wanted, rtol=1e-9)


@pytest.mark.parametrize("engine", ["ripser", "redzed"])
def test_engines_over_ranks_lose_nothing_either(monkeypatch: pytest.MonkeyPatch, engine: str) -> None:
    if engine not in {e.name for e in ENGINES if is_installed(e)}:
        pytest.skip(f"{engine} is not installed")
    monkeypatch.setattr(rips_family, "WORTH_CUTTING_RANKS", 1)
    for name in ("circle", "far blobs", "cube"):
        cloud = shapes()[name]
        found = persistence(cloud, engine=engine)
        assert "nothing changes beyond" in found.provenance.reason  # type: ignore[union-attr]
        assert found == persistence(cloud, engine="gudhi")


@st.composite
def dissimilarities(draw: st.DrawFn) -> np.ndarray:
    """Symmetric matrices, most of them no metric: full of ties and of points at distance zero, or all different."""
    n_points = draw(st.integers(3, 14))
    n_edges = n_points * (n_points - 1) // 2
    tied = st.lists(st.integers(0, 6), min_size=n_edges, max_size=n_edges)
    half = draw(tied | st.permutations([1.0 + 5.0 * i / n_edges for i in range(n_edges)]))
    distances = np.zeros((n_points, n_points))
    distances[np.triu_indices(n_points, 1)] = half
    return distances + distances.T


@given(dissimilarities(), st.sampled_from(sorted(COLLAPSE)), st.floats(0.0, 10.0) | st.just(math.inf))
def test_any_matrix_and_any_threshold_give_the_bars_of_the_textbook(
    distances: np.ndarray, collapse: str, threshold: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rips_family, "WORTH_CUTTING", 1)
        patch.setattr(rips_family, "WORTH_CUTTING_RANKS", 1)
        patch.setattr(truncation, "_FEWEST", 2)
        patch.setattr(truncation, "_FEW_JOINED", 0.0)
        patch.setattr(truncation, "_WORTH_COLLAPSING", COLLAPSE[collapse])
        found = persistence(distances=distances, threshold=threshold)
    assert np.array_equal(found.pairs, oracles.rips_pairs(distances, 1, threshold))


def lunes(distances: np.ndarray, above: float) -> float:
    """The longest edge beyond ``above`` with an empty lune that joins what shorter edges join already."""
    longest = above
    groups = list(range(len(distances)))
    for length, i, j in sorted((distances[i, j], i, j) for i, j in itertools.combinations(range(len(distances)), 2)):
        bridges = groups[i] != groups[j]
        groups = [groups[i] if group == groups[j] else group for group in groups]
        empty = all(max(distances[i, k], distances[j, k]) >= length for k in range(len(distances)))
        if empty and not bridges:
            longest = max(longest, length)
    return longest


@given(dissimilarities(), st.floats(0.0, 6.0))
def test_the_last_birth_is_the_longest_edge_with_an_empty_lune_that_closes_a_loop(
    distances: np.ndarray, above: float
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(truncation, "_BLOCK", 1)
        found, tree = truncation._last_birth(distances, above, math.inf, np.arange(2))
    wanted = lunes(distances, above)
    lengths = distances[np.triu_indices(len(distances), 1)]
    tied = len(np.unique(lengths)) < len(lengths)
    assert found >= wanted if tied else found == wanted  # of edges equally long, which ones are bridges is open
    births = oracles.rips_pairs(distances, 1)
    assert births[births[:, 0] == 1, 1].max(initial=0.0) <= found
    if tree is None:
        joined = oracles.rips_pairs(distances, 0)
        assert joined[np.isfinite(joined[:, 2]), 2].max(initial=0.0) <= above


def test_the_last_birth_is_found_where_edges_are_looked_at_in_groups() -> None:
    corners = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
    loops = np.vstack([(1.0 + 0.01 * k) * corners + [[100.0 * k, 0.0]] for k in range(12)])
    distances = distances_of_points(loops + 0.001 * np.random.default_rng(0).random(loops.shape))
    for above in (0.0, 1.05, 2.0):
        assert truncation._last_birth(distances, above, math.inf, np.arange(9))[0] == lunes(distances, above)


def test_a_guess_that_leaves_a_loop_is_not_believed(eager: pytest.MonkeyPatch) -> None:
    cloud = circle(40, 0.05)
    wanted = persistence(cloud)
    far = enclosing_radius(distances_of_points(cloud))
    for scales in ((0.6, far), (0.6, 0.8, far)):
        eager.setattr(rips_family, "truncation_of", lambda *_, scales=scales: Truncation(scales, None, 0.0))
        found = persistence(cloud)
        assert np.array_equal(found.in_dimension(1), wanted.in_dimension(1))
        assert len(found.in_dimension(1)) > 0


@pytest.mark.parametrize("seed", range(30))
def test_where_distances_are_a_metric_the_last_scale_before_the_limit_leaves_no_loop(
    eager: pytest.MonkeyPatch, seed: int
) -> None:
    eager.setattr(truncation, "_MOST", 3)  # too few points to show a loop: the first guess is wrong
    eager.setattr(truncation, "_MORE", 1.0)
    cloud = circle(60, 0.03, seed)
    distances = distances_of_points(cloud)
    scales = truncation_of(distances, 10.0 * distances.max()).thresholds
    left = [np.isinf(run_best(distances, 1, scale, "gudhi", 2)[0][1]).any() for scale in scales[:2]]
    assert left == [True, False]
    assert scales[1] < scales[2]


def test_a_large_matrix_without_the_triangle_inequality_loses_nothing() -> None:
    half = np.triu(np.random.default_rng(3).random((205, 205)), 1)
    distances = half + half.T
    diagram = persistence(distances=distances)
    for k, wanted in enumerate(bare(distances)):
        assert np.array_equal(diagram.in_dimension(k), wanted)


@pytest.mark.parametrize("field", [2, 3, 11])
def test_every_field_is_cut_alike(field: int) -> None:
    cloud = shapes()["torus"]
    diagram = persistence(cloud, field=field, engine="gudhi")
    for k, wanted in enumerate(bare(distances_of_points(cloud), field=field)):
        assert np.array_equal(diagram.in_dimension(k), wanted)


@pytest.mark.parametrize("share", [0.02, 0.2, 0.6, 0.95])
def test_a_threshold_of_the_user_censors_what_it_censored(share: float) -> None:
    for name in ("circle", "far blobs", "outliers"):
        cloud = shapes()[name]
        distances = distances_of_points(cloud)
        threshold = float(np.quantile(distances, share))
        diagram = persistence(cloud, threshold=threshold, engine="gudhi")
        assert persistence(cloud, threshold=threshold) == diagram
        found, _, _ = run_best(distances, 1, threshold, "gudhi", 2)
        for k, bars in enumerate(found):
            kept = bars[bars[:, 0] < bars[:, 1]]
            assert np.array_equal(diagram.in_dimension(k), kept[np.lexsort((kept[:, 1], kept[:, 0]))])
        whole = threshold >= enclosing_radius(distances)
        assert math.isinf(diagram.threshold) == whole
        assert diagram.censored.sum() == (0 if whole else np.isinf(diagram.pairs[:, 2]).sum() - 1)


def test_the_provenance_says_where_it_was_cut_and_no_later_scale_is_asked_for() -> None:
    cloud = shapes()["circle"]
    diagram = persistence(cloud, engine="gudhi")
    assert diagram.provenance is not None
    cut = float(diagram.provenance.reason.split("nothing changes beyond ")[1])
    latest = diagram.in_dimension(1)[:, 1].max()
    assert latest <= cut < 1.2 * latest < enclosing_radius(distances_of_points(cloud))
    assert "beyond" not in persistence(cloud[:50], engine="gudhi").provenance.reason  # type: ignore[union-attr]


def test_edges_are_collapsed_where_a_loop_lives_long_and_not_where_none_does() -> None:
    for name, wanted in {
        "circle": True,
        "torus": True,
        "exact circle": True,
        "cube": False,
        "far blobs": False,
    }.items():
        distances = distances_of_points(np.repeat(shapes()[name], 2, axis=0))
        found = truncation_of(distances, enclosing_radius(distances))
        joined = share_within(distances, found.thresholds[0])
        assert worth_collapsing(found.crossing, len(distances), joined) == wanted, name


def test_landmarks_are_cut_like_other_clouds() -> None:
    cloud = circle(400, 0.05)
    diagram = persistence(cloud, filtration=Landmark(250), engine="gudhi")
    assert diagram.provenance is not None
    assert "nothing changes beyond" in diagram.provenance.reason
    assert (diagram.persistence(1) > 1).sum() == 1
