"""H0 and H1 from neighbours alone: the very bars of the matrix of distances."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from toriwork.errors import TooLarge
from toriwork.topology import available_engines, persistence, sparse_rips
from toriwork.topology.clouds import distances_of_points

Matrix = NDArray[np.float64]


def shapes(rng: np.random.Generator, n: int) -> dict[str, Matrix]:
    t = rng.uniform(0.0, 2.0 * np.pi, n)
    side = math.isqrt(n)
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2).astype(float)
    bundles = rng.integers(0, 5, (6, 2))[rng.integers(0, 6, n)] + rng.normal(0, 0.05, (n, 2))
    return {
        "square": rng.random((n, 2)),
        "cube": rng.random((n, 3)),
        "gauss": rng.standard_normal((n, 2)),
        "ring": np.column_stack([np.cos(t), np.sin(t)]) + rng.normal(0, 0.05, (n, 2)),
        "circle": np.column_stack([np.cos(t), np.sin(t)]),
        "polygon": np.column_stack([np.cos(np.arange(n) * 2 * np.pi / n), np.sin(np.arange(n) * 2 * np.pi / n)]),
        "grid": grid,
        "holes": grid[(grid % 4).sum(axis=1) != 2],
        "integers": rng.integers(0, 12, (n, 2)).astype(float),
        "integers in space": rng.integers(0, 5, (n, 3)).astype(float),
        "bundles": bundles,
        "far away": rng.random((n, 2)) + 1e7,
        "near copies": np.concatenate([a := rng.random((n // 2, 2)), a + 1e-13]),
        "sphere": (v := rng.standard_normal((n, 3))) / np.linalg.norm(v, axis=1)[:, None],
        "flat": np.column_stack([rng.random((n, 2)), np.zeros(n)]),
        "line": np.column_stack([rng.random(n), np.zeros(n)]),
        "tiny": rng.random((n, 2)) * 1e-300,
        "huge": rng.random((n, 2)) * 1e300,
    }


@pytest.fixture
def always(monkeypatch: pytest.MonkeyPatch) -> list[object]:
    """Take this way for small clouds too, whatever it costs; the list has what it gave."""
    given_back: list[object] = []
    found = sparse_rips.sparse_rips

    def noted(*arguments: object) -> object:
        given_back.append(found(*arguments))  # type: ignore[arg-type]
        return given_back[-1]

    monkeypatch.setattr(sparse_rips, "WORTH_IT", {2: 4, 3: 5})
    monkeypatch.setattr(sparse_rips, "WORTH_IT_H0", 4)
    monkeypatch.setattr(sparse_rips, "collapse_seconds", lambda n_points, n_edges: 0.0)
    monkeypatch.setattr(sparse_rips, "takes_ranks", lambda *asked: False)
    monkeypatch.setattr("toriwork.topology.rips_family.sparse_rips", noted)
    return given_back


def dense(cloud: Matrix, **options: object) -> Matrix:
    return persistence(distances=distances_of_points(np.unique(cloud, axis=0)), **options).pairs  # type: ignore[arg-type]


@pytest.mark.parametrize("name", shapes(np.random.default_rng(0), 100))
@pytest.mark.parametrize("n", [30, 120, 300])
def test_the_bars_are_those_of_the_matrix(name: str, n: int, always: list[object]) -> None:
    for seed in range(3 if n < 300 else 1):
        cloud = shapes(np.random.default_rng(seed), n)[name]
        assert np.array_equal(persistence(cloud).pairs, dense(cloud)), seed
        assert np.array_equal(persistence(cloud, max_dimension=0).pairs, dense(cloud, max_dimension=0)), seed
    if name in ("square", "cube", "gauss", "grid", "holes", "bundles", "far away"):
        assert any(always)


@given(
    st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=5, max_size=60, unique=True),
    st.sampled_from([1.0, 0.1, 1.0 / 3.0, 1e-5]),
    st.sampled_from([math.inf, 1.0, 2.5]),
)
def test_ties_and_thresholds_make_no_difference(points: list[tuple[int, int]], unit: float, threshold: float) -> None:
    cloud = np.array(points) * unit
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sparse_rips, "WORTH_IT", {2: 4, 3: 5})
        patch.setattr(sparse_rips, "collapse_seconds", lambda n_points, n_edges: 0.0)
        patch.setattr(sparse_rips, "takes_ranks", lambda *asked: False)
        found = persistence(cloud, threshold=threshold * unit)
    wanted = persistence(distances=distances_of_points(cloud), threshold=threshold * unit)
    assert found == wanted
    assert found.threshold == wanted.threshold


def test_births_end_where_the_slow_way_says(always: list[object]) -> None:
    cloud = np.random.default_rng(4).random((150, 2))
    graph = sparse_rips.delaunay_graph(cloud)
    assert graph is not None
    bars = dense(cloud)
    assert graph.last_birth() == bars[bars[:, 0] == 1][:, 1].max()
    matrix = distances_of_points(cloud)
    assert graph.enclosing_radius() == matrix.max(axis=1).min()
    assert graph.in_tree.sum() == 149


@pytest.mark.parametrize(
    "name", ["square", "gauss", "ring", "circle", "grid", "holes", "bundles", "heavy", "gauss in space"]
)
def test_births_that_lonely_points_tell_are_births(name: str) -> None:
    told = true = 0
    for seed in range(4):
        rng = np.random.default_rng(seed)
        shape = shapes(rng, 500) | {"heavy": rng.standard_t(1.5, (500, 2)), "gauss in space": rng.normal(size=(500, 3))}
        graph = sparse_rips.delaunay_graph(shape[name])
        assert graph is not None
        for scale in np.quantile(graph.lengths[graph.in_tree], [0.5, 0.9, 0.99]).tolist():
            surely = sparse_rips.surely_born_beyond(graph.cloud, graph.neighbours, scale)
            births = len(graph.births_beyond(scale, math.inf))
            assert 0 <= surely <= births
            told, true = told + surely, true + births
    assert told >= (0.0 if name in ("ring", "circle", "holes") else 0.5) * true


def test_what_neighbours_cannot_do_is_refused_before_a_triangulation(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(cloud: Matrix) -> None:
        raise AssertionError(f"{len(cloud)} points were triangulated")

    monkeypatch.setattr(sparse_rips, "delaunay_graph", fail)
    rng = np.random.default_rng(0)
    for cloud in (rng.standard_normal((60_000, 3)), rng.standard_normal((60_000, 2)), rng.standard_t(2, (60_000, 3))):
        with pytest.raises(TooLarge, match="60000 points, H1: about"):
            persistence(cloud)
    for cloud in (rng.random((60_000, 3)), rng.random((60_000, 2))):
        with pytest.raises(AssertionError, match="60000 points were triangulated"):
            persistence(cloud)


def test_what_does_not_fit_is_refused_with_the_number_of_pairs() -> None:
    cloud = np.random.default_rng(0).random((3_000, 2))
    with pytest.raises(TooLarge, match=r"3000 points, .* pairs within"):
        persistence(cloud, max_bytes=4e6)


def test_many_points_of_a_square_and_a_cube() -> None:
    rng = np.random.default_rng(2)
    for dim, n in ((2, 2_000), (3, 2_500)):
        cloud = rng.random((n, dim))
        found = persistence(cloud)
        assert "neighbours" in found.provenance.reason
        assert np.array_equal(found.pairs, dense(cloud))


def moons(rng: np.random.Generator, n: int) -> Matrix:
    t, upper = rng.uniform(0.0, np.pi, n), np.arange(n) % 2 == 0
    arcs = np.where(upper, [np.cos(t), np.sin(t)], [1.0 - np.cos(t), 0.5 - np.sin(t)])
    return arcs.T + rng.normal(0, 0.05, (n, 2))


def torus(rng: np.random.Generator, n: int) -> Matrix:
    around, along = rng.uniform(0, 2 * np.pi, (2, n))
    wide = 1.0 + 0.45 * np.cos(around)
    return np.column_stack([wide * np.cos(along), wide * np.sin(along), 0.45 * np.sin(around)])


def scan(rng: np.random.Generator, n: int) -> Matrix:
    """A bumpy ball, dense where it faces one of two cameras."""
    normal = rng.standard_normal((40 * n, 3))
    normal /= np.linalg.norm(normal, axis=1)[:, None]
    seen = np.maximum(normal @ [0.8, 0.6, 0.0], normal @ [-0.6, 0.0, 0.8]).clip(0.02) ** 2
    normal = normal[rng.choice(len(normal), n, replace=False, p=seen / seen.sum())]
    return normal * (1.0 + 0.3 * np.sin(5.0 * normal[:, :1]) * np.cos(4.0 * normal[:, 1:2]))


@pytest.mark.skipif("redzed" not in available_engines(), reason="all distances are sooner over ranks alone")
@pytest.mark.parametrize(("name", "n"), [("square", 2_000), ("cube", 2_000), ("grid", 2_000), ("ring", 3_000)])
def test_neighbours_are_taken_where_they_are_measured_to_be_sooner(name: str, n: int) -> None:
    found = persistence(shapes(np.random.default_rng(1), n)[name])
    assert "neighbours" in found.provenance.reason  # type: ignore[union-attr]


@pytest.mark.skipif("redzed" not in available_engines(), reason="all distances are sooner over ranks alone")
@pytest.mark.parametrize("name", ["gauss", "bundles", "circle", "sphere", "moons", "torus", "scan"])
def test_all_distances_are_taken_where_they_are_measured_to_be_sooner(name: str) -> None:
    rng = np.random.default_rng(1)
    more = {"moons": moons(rng, 2_000), "torus": torus(rng, 2_000), "scan": scan(rng, 2_000)}
    cloud = (shapes(rng, 2_000) | more)[name]
    assert sparse_rips.sparse_rips(cloud, math.inf, 2) is None
    for engine, max_bytes in (("gudhi", None), ("auto", 1e8)):  # where ranks are not asked for, or do not fit
        other = sparse_rips._other_way(cloud, math.inf, 2, max_bytes, engine)
        assert other is not None
        assert not other.by_ranks


@pytest.mark.parametrize("name", ["line", "tiny", "huge", "flat", "far away", "near copies", "integers"])
def test_clouds_that_cannot_be_triangulated_are_looked_at_as_well(name: str) -> None:
    cloud = shapes(np.random.default_rng(1), 2_000)[name]
    assert np.array_equal(persistence(cloud).pairs, dense(cloud))


def test_a_threshold_is_a_reason_for_neighbours() -> None:
    cloud = np.random.default_rng(1).standard_normal((2_000, 2))
    found = persistence(cloud, threshold=0.05)
    assert "neighbours" in found.provenance.reason  # type: ignore[union-attr]
    assert np.array_equal(found.pairs, dense(cloud, threshold=0.05))


def test_clouds_of_very_uneven_density_are_left_to_the_matrix() -> None:
    assert sparse_rips.sparse_rips(np.random.default_rng(0).standard_normal((3_000, 2)), math.inf, 2) is None


def test_a_tree_of_nearest_neighbours_gives_h0_in_space(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_rips, "WORTH_IT_H0", 4)
    used = []
    for seed, (name, n) in enumerate(
        (name, n) for name in ("cube", "integers in space", "sphere", "flat") for n in (40, 400)
    ):
        cloud = np.unique(shapes(np.random.default_rng(seed), n)[name], axis=0)
        used.append(sparse_rips._tree_of_neighbours(cloud))
        assert np.array_equal(persistence(cloud, max_dimension=0).pairs, dense(cloud, max_dimension=0)), (name, n)
    assert sum(one is not None for one in used) >= 6
    pieces = np.concatenate([a := np.random.default_rng(0).random((200, 3)), a + 9.0])
    assert sparse_rips._tree_of_neighbours(pieces) is None
    assert np.array_equal(persistence(pieces, max_dimension=0).pairs, dense(pieces, max_dimension=0))


def test_long_work_is_announced_with_its_seconds_and_bytes(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    cloud = np.random.default_rng(0).random((1_200, 2))
    with caplog.at_level("INFO", "toriwork.topology"):
        persistence(cloud)
        assert not caplog.messages
        monkeypatch.setattr("toriwork.topology.cost_model.LONG", 1e-4)
        persistence(cloud)
        persistence(distances=distances_of_points(cloud[:120]), max_dimension=2)
    for start in ("1200 points, their Delaunay graph", "1200 points, ", "120 points, H2"):
        assert any(line.startswith(start) and "bytes are predicted" in line for line in caplog.messages), start
    with pytest.raises(TooLarge, match="their Delaunay graph: about"):
        persistence(cloud, max_bytes=1e5)


def test_the_triangulation_of_a_sphere_is_predicted_to_take_long() -> None:
    rng = np.random.default_rng(0)
    ball = rng.standard_normal((60_000, 3))
    radius = np.linalg.norm(ball, axis=1)[:, None]
    sphere, rough = 3.0 * ball / radius + 5.0, ball / radius + 1e-4 * ball
    assert sparse_rips._on_a_sphere(sphere[:1000])
    assert sparse_rips._on_a_sphere(sphere[sphere[:, 0] > 6.0][:1000])
    assert not sparse_rips._on_a_sphere(rough[:1000])
    assert not sparse_rips._on_a_sphere(ball[:1000])
    with pytest.raises(TooLarge, match=r"their Delaunay graph: about 1.5e\+03 s"):
        persistence(sphere, max_bytes=1e8)
    with pytest.raises(TooLarge, match=r"their Delaunay graph: about 9 s"):
        persistence(rough, max_bytes=1e8)
    with pytest.raises(TooLarge, match="the limit is 3600 s"):
        persistence(np.concatenate([sphere, 10.0 - sphere]))
