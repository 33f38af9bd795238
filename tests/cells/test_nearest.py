"""A search finds what all exact distances would, in the same order, and computes few of them."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.topology.clouds import AWKWARD, circle
from toriwork.cells.nearest import METRICS, NearestIndex, nearest, shape_distance, stored_shapes
from toriwork.errors import BadInput, TooLarge
from toriwork.registry import TorusRegistry
from toriwork.topology import Diagram, persistence
from toriwork.topology.engines import hera_bottleneck

INF = math.inf
every_metric = pytest.mark.parametrize("metric", METRICS)


def brute(stored: list[Diagram], query: Diagram, k: int, metric: str) -> tuple[tuple[int, float], ...]:
    """All distances, sorted; of equal ones the first stored comes first."""
    dimensions = range(query.max_dimension + 1)
    all_of_them = [(shape_distance(query, diagram, metric, dimensions), row) for row, diagram in enumerate(stored)]
    return tuple((row, distance) for distance, row in sorted(all_of_them)[:k])


def family(n_members: int, seed: int, n_points: int = 30) -> list[Diagram]:
    """Diagrams of one circle of its own size, moved a little."""
    rng = np.random.default_rng(seed)
    base = circle(n_points, 0.02, seed, rng.uniform(0.5, 2.0))
    return [persistence(base + 0.01 * rng.standard_normal(base.shape)) for _ in range(n_members)]


FAMILIES = [diagram for seed in range(12) for diagram in family(8, seed)]

bar = st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(1, 4) | st.just(INF)).map(
    lambda b: (min(b[0], 1), b[1] / 4, b[1] / 4 + b[2])
)
diagrams = st.lists(bar, max_size=5).map(lambda bars: Diagram(bars, 1))


@every_metric
@settings(max_examples=60, deadline=None)
@given(st.lists(diagrams, max_size=9), diagrams, st.integers(1, 10))
def test_it_finds_what_all_distances_find_with_ties_and_inf(
    metric: str, stored: list[Diagram], query: Diagram, k: int
) -> None:
    assert NearestIndex(stored, dimensions=(0, 1)).search(query, k, metric).neighbours == brute(
        stored, query, k, metric
    )


@every_metric
@pytest.mark.parametrize("seed", range(3))
def test_it_finds_what_all_distances_find_among_families(metric: str, seed: int) -> None:
    query = FAMILIES[seed * 17]
    found = NearestIndex(FAMILIES).search(query, 10, metric)
    assert found.neighbours == brute(FAMILIES, query, 10, metric)
    assert found.neighbours[0] == (seed * 17, 0.0)
    assert found.n_exact < len(FAMILIES) / 2


@every_metric
def test_it_finds_what_all_distances_find_among_awkward_clouds(metric: str) -> None:
    stored = [persistence(cloud) for cloud, _ in AWKWARD.values()]
    index = NearestIndex(stored)
    for query in stored[::3]:
        assert index.search(query, 6, metric).neighbours == brute(stored, query, 6, metric)


def test_bottleneck_distances_are_those_of_hera() -> None:
    query, other = FAMILIES[0], FAMILIES[9]
    wanted = [
        hera_bottleneck(*(bars[np.isfinite(bars[:, 1])] for bars in (query.in_dimension(k), other.in_dimension(k))))
        for k in (0, 1)
    ]
    assert NearestIndex([other]).search(query, 1).neighbours == ((0, max(wanted)),)


def test_most_exact_distances_are_spared() -> None:
    found = NearestIndex(FAMILIES).search(FAMILIES[20], 5)
    assert 5 <= found.n_exact <= 12
    assert found.share == found.n_exact / len(FAMILIES)


def test_of_equal_diagrams_the_first_ones_are_found_and_no_others_looked_at() -> None:
    found = NearestIndex([FAMILIES[0]] * 50, ids=[f"s{i}" for i in range(50)]).search(FAMILIES[0], 3)
    assert found.neighbours == (("s0", 0.0), ("s1", 0.0), ("s2", 0.0))
    assert found.n_exact == 3


@pytest.mark.parametrize("filtration", ["dtm", "alpha"])
def test_components_that_are_not_born_at_once_are_searched_as_well(filtration: str) -> None:
    stored = [persistence(circle(25, 0.1, seed), filtration=filtration) for seed in range(15)]
    assert NearestIndex(stored).search(stored[3], 5).neighbours == brute(stored, stored[3], 5, "bottleneck")


def test_one_dimension_can_be_compared_alone() -> None:
    index = NearestIndex(FAMILIES, dimensions=[1])
    found = index.search(FAMILIES[0], 4)
    wanted = sorted((shape_distance(FAMILIES[0], other, "bottleneck", [1]), i) for i, other in enumerate(FAMILIES))
    assert [(distance, row) for row, distance in found.neighbours] == wanted[:4]
    assert index.dimensions == found.dimensions == (1,)


def test_it_grows_and_a_search_sees_what_was_added() -> None:
    index = NearestIndex()
    assert index.search(FAMILIES[0]).neighbours == ()
    for i, diagram in enumerate(FAMILIES[:40]):
        index.add(i, diagram)
        assert index.search(diagram, 1).neighbours == ((i, 0.0),)
    assert len(index) == 40
    assert 39 in index
    assert 40 not in index


def test_an_index_takes_few_bytes_a_bar() -> None:
    n_bars = sum(len(diagram) for diagram in FAMILIES)
    assert NearestIndex(FAMILIES).nbytes <= 1.6 * (16 * n_bars + 2 * 64 * len(FAMILIES))


def test_a_full_index_refuses_with_the_number() -> None:
    with pytest.raises(TooLarge, match="40,000 bytes"):
        NearestIndex(FAMILIES, max_bytes=40_000)


def test_what_cannot_be_compared_is_refused_and_nothing_stored() -> None:
    cloud = circle(20)
    index = NearestIndex([persistence(cloud)], ids=["a"])
    for other, word in (
        (persistence(cloud, filtration="alpha"), "scale"),
        (persistence(cloud, field=3), "field"),
        (persistence(cloud, threshold=0.3), "cut at 0.3"),
        (persistence(cloud, max_dimension=0), "dimension"),
    ):
        with pytest.raises(BadInput, match=word):
            index.add("b", other)
        with pytest.raises(BadInput, match=word):
            index.search(other)
    with pytest.raises(BadInput, match="got 'a' twice"):
        index.add("a", persistence(cloud))
    with pytest.raises(BadInput, match="k: expected an integer >= 1, got 0"):
        index.search(persistence(cloud), 0)
    with pytest.raises(BadInput, match="metric: expected one of bottleneck"):
        index.search(persistence(cloud), 1, "euclidean")
    with pytest.raises(BadInput, match="1 for 2 diagrams"):
        NearestIndex([persistence(cloud)] * 2, ids=["a"])
    assert len(index) == 1


def test_text_and_html_tell_the_same() -> None:
    found = NearestIndex(FAMILIES, ids=[f"<{i}>" for i in range(len(FAMILIES))]).search(FAMILIES[7], 2, "wasserstein_2")
    text, page = repr(found), found._repr_html_()
    for fact in ("2 of 96 shapes by wasserstein_2 in H0, H1", f"{found.n_exact} exact distances", "nearest points"):
        assert fact in text
        assert fact in page
    assert "<7>" in text
    assert "&lt;7&gt;" in page
    assert f"{found.neighbours[1][1]:.6g}" in text
    assert f"{found.neighbours[1][1]:.6g}" in page


class TestOverARegistry:
    def test_the_nearest_shapes_are_found_once_each(self, tmp_path):
        clouds = [circle(20, 0.05, seed) for seed in range(6)]
        with TorusRegistry(tmp_path / "r.parquet", compute_betti=False) as registry:
            names = registry.record_shapes(clouds)
            registry.record_shape(clouds[2])
            registry.record_shape(np.array([0.5, 0.25]))
            registry.record_shape(circle(20) * 1j)
            found = nearest(registry, persistence(clouds[2]), 9)
        wanted = brute([persistence(cloud) for cloud in clouds], persistence(clouds[2]), 9, "bottleneck")
        assert found.neighbours == tuple((names[row], distance) for row, distance in wanted)

    def test_clouds_are_computed_in_the_scale_of_the_query(self, tmp_path):
        with TorusRegistry(tmp_path / "r.parquet", compute_betti=False) as registry:
            name = registry.record_shape(circle(20))
            found = nearest(registry, persistence(circle(20), scale="radius"))
        assert found.neighbours == ((name, 0.0),)

    def test_an_index_follows_a_registry_that_grows(self, tmp_path):
        asked = []

        def diagram_of(points):
            asked.append(points)
            return None if len(points) > 30 else persistence(points)

        with TorusRegistry(tmp_path / "r.parquet", compute_betti=False) as registry:
            index = NearestIndex()
            for n_points in (20, 25, 40):
                registry.record_shape(circle(n_points).astype(np.float32))
                for name, diagram in stored_shapes(registry, diagram_of, known=index):
                    index.add(name, diagram)
        assert [len(points) for points in asked] == [20, 25, 40]
        assert all(points.dtype == np.float64 for points in asked)
        assert len(index) == 2

    def test_vertices_that_were_not_kept_are_left_out(self, tmp_path):
        with TorusRegistry(tmp_path / "r.parquet", compute_betti=False, keep_vertices=False) as registry:
            registry.record_shape(circle(20))
            assert nearest(registry, persistence(circle(20))).n_stored == 0


def test_pairs_of_names_and_diagrams_will_do() -> None:
    found = nearest(iter([("x", FAMILIES[0]), ("y", FAMILIES[30]), ("x", FAMILIES[50])]), FAMILIES[0], 5)
    assert [name for name, _ in found.neighbours] == ["x", "y"]
