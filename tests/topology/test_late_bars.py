"""Classes of H1 that live long or are born late: the very bars of the matrix, and what points may be left out."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from toriwork.topology import domination, persistence, sparse_rips
from toriwork.topology.clouds import distances_of_points
from toriwork.topology.delaunay import delaunay_graph
from toriwork.topology.domination import Core
from toriwork.topology.late_bars import late_bars

Matrix = NDArray[np.float64]


def ring(rng: np.random.Generator, n: int, radius: float, noise: float, centre: tuple[float, float]) -> Matrix:
    angle = rng.uniform(0.0, 2.0 * np.pi, n)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)]) + rng.normal(0, noise, (n, 2)) + np.array(centre)


def loops(rng: np.random.Generator, name: str, n: int) -> Matrix:
    """Clouds with 0 to 4 loops that live long."""
    corners = np.arange(n) * 2.0 * np.pi / n
    polygon = np.column_stack([np.cos(corners), np.sin(corners)])
    side = math.isqrt(n) + 4
    grid = np.stack(np.meshgrid(np.arange(side), np.arange(side)), axis=-1).reshape(-1, 2).astype(float)
    made = {
        "one": lambda: ring(rng, n, 1.0, 0.08, (0, 0)),
        "one, exact": lambda: ring(rng, n, 1.0, 0.0, (0, 0)),
        "one in space": lambda: np.column_stack([ring(rng, n, 1.0, 0.05, (0, 0)), rng.normal(0, 0.05, n)]),
        "polygon": lambda: polygon,
        "two": lambda: np.vstack([ring(rng, n // 2, 1.0, 0.05, (0, 0)), ring(rng, n // 2, 0.5, 0.05, (2.1, 0))]),
        "two that are alike": lambda: np.vstack([polygon, polygon + np.array([3.0, 0.0])]),
        "one in one": lambda: np.vstack([ring(rng, n // 2, 1.0, 0.02, (0, 0)), ring(rng, n // 2, 0.4, 0.02, (0, 0))]),
        "three": lambda: np.vstack([ring(rng, n // 3, 0.5, 0.03, (x, x * x)) for x in (0.0, 1.2, 2.1)]),
        "grid with holes": lambda: grid[((grid // 3) % 2).sum(axis=1) != 2],
        "frame": lambda: grid[(np.abs(grid - grid.mean()) > side / 4).any(axis=1)],
        "blobs": lambda: rng.integers(0, 4, (5, 2))[rng.integers(0, 5, n)] + rng.normal(0, 0.2, (n, 2)),
        "gauss": lambda: rng.standard_normal((n, 2)),
        "disc": lambda: rng.random((n, 2)),
    }
    return made[name]()


NAMES = (
    *("one", "one, exact", "one in space", "polygon", "two", "two that are alike", "one in one", "three"),
    *("grid with holes", "frame", "blobs", "gauss", "disc"),
)


def found_late(cloud: Matrix, *, from_birth: int, field: int = 2, limit: float = math.inf) -> tuple[Matrix, Matrix]:
    """The late bars beyond one of the births, counted from the last one on, and those of the matrix."""
    graph = delaunay_graph(np.unique(cloud, axis=0))
    if graph is None:
        return np.zeros((0, 2)), np.zeros((0, 2))
    wanted = persistence(distances=distances_of_points(graph.cloud), field=field, threshold=limit).in_dimension(1)
    births = graph.births_beyond(0.0, math.inf)
    scale = min(float(births[::-1][from_birth : from_birth + 1].max(initial=0.0)), limit)
    wanted = wanted[wanted[:, 1] > scale]
    found = late_bars(graph, wanted[wanted[:, 0] <= scale, 0], scale, limit, field)
    assert found is not None
    return found[np.lexsort(found.T[::-1])], wanted[np.lexsort(wanted.T[::-1])]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("n", [24, 90])
def test_late_bars_are_those_of_the_matrix(name: str, n: int) -> None:
    every = itertools.product(range(4), (0, 3))
    for seed, later in every if n < 50 else zip(range(4), (0, 3, 3, 0), strict=True):
        rng = np.random.default_rng(seed)
        cloud = loops(rng, name, n)
        limit = math.inf if seed % 2 else float(rng.uniform(0.3, 2.0))
        found, wanted = found_late(cloud, from_birth=later, field=(2, 3)[seed // 2], limit=limit)
        assert np.array_equal(found, wanted), (seed, later)


@settings(max_examples=60)
@given(
    st.lists(st.tuples(st.integers(0, 8), st.integers(0, 8)), min_size=5, max_size=50, unique=True),
    st.integers(0, 6),
    st.sampled_from([1.0, 1.0 / 3.0]),
)
def test_ties_make_no_difference(points: list[tuple[int, int]], later: int, unit: float) -> None:
    found, wanted = found_late(np.array(points) * unit, from_birth=later)
    assert np.array_equal(found, wanted)


def test_a_noisy_circle_of_many_points_needs_no_matrix(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_rips, "_WORTH_LATE", 1_000)
    monkeypatch.setattr(sparse_rips, "takes_ranks", lambda *asked: False)
    for noise in (0.1, 0.0):  # of an exact circle too many points may be left
        cloud = ring(np.random.default_rng(0), 1_000, 1.0, noise, (0, 0))
        found = persistence(cloud)
        assert "neighbours" in found.provenance.reason or not noise
        assert np.array_equal(found.pairs, persistence(distances=distances_of_points(cloud)).pairs)


def test_two_rings_far_apart_are_followed_beyond_the_gap_between_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_rips, "_WORTH_LATE", 1_000)
    monkeypatch.setattr(sparse_rips, "takes_ranks", lambda *asked: False)
    rng = np.random.default_rng(1)
    cloud = np.vstack([ring(rng, 550, 1.0, 0.05, (0, 0)), ring(rng, 450, 0.6, 0.05, (2.5, 0.3))])
    assert sparse_rips.sparse_rips(cloud, math.inf, 2) is not None
    assert np.array_equal(persistence(cloud).pairs, persistence(distances=distances_of_points(cloud)).pairs)


@pytest.mark.parametrize("name", NAMES)
def test_points_go_only_where_another_one_has_all_their_neighbours(name: str) -> None:
    rng = np.random.default_rng(3)
    cloud = np.unique(loops(rng, name, 100), axis=0)
    distances = distances_of_points(cloud)
    for low in np.quantile(distances, [0.05, 0.2, 0.5]):
        for high in (float(low), 1.05 * float(low)):
            core = Core(cloud, np.arange(len(cloud))).within(float(low), high)
            kept = np.flatnonzero((cloud[:, None] == core.cloud).all(axis=2).any(axis=1))
            assert (kept[core.place[kept]] == kept).all()
            for scale in (low, high):
                near = distances <= scale
                moved = near[np.ix_(kept[core.place], kept[core.place])]
                assert moved[near].all()  # a map of complexes: edges go to edges
                assert len(np.unique(core.place)) == len(core.cloud)
                before, after = (
                    persistence(distances=one, threshold=scale).betti(scale)
                    for one in (distances, distances[np.ix_(kept, kept)])
                )
                assert before == after


def test_one_point_is_left_of_a_full_ball_and_all_of_a_polygon() -> None:
    disc = np.random.default_rng(0).random((300, 2))
    assert len(Core(disc, np.arange(300)).within(0.4, 0.4).cloud) == 1
    polygon = loops(np.random.default_rng(0), "polygon", 40)
    assert len(Core(polygon, np.arange(40)).within(0.5, 0.5).cloud) == 40


def test_a_square_root_rounds_down_to_the_scale() -> None:
    for scale in np.random.default_rng(0).random(200):
        square = domination._largest_square(float(scale))
        assert math.sqrt(square) <= scale < math.sqrt(math.nextafter(square, math.inf))


def test_the_late_way_ends_when_all_distances_would_have_been_sooner() -> None:
    """The last scales of an exact circle leave hundreds of points, again and again."""
    graph = delaunay_graph(ring(np.random.default_rng(1), 400, 1.0, 0.1, (0, 0)))
    births = np.array([graph.last_birth()])
    scale = 1.2 * float(births[0])
    assert late_bars(graph, births, scale, math.inf, 2, most_pairs=400**2 - 1) is None
    looked: list[int] = []
    within = Core.within

    def counted(self: Core, low: float, high: float) -> Core:
        looked.append(len(self.cloud) ** 2)
        return within(self, low, high)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Core, "within", counted)
        late_bars(graph, births, scale, math.inf, 2, most_pairs=3e6)
    assert 0 < sum(looked) <= 3e6


def test_what_lies_on_a_convex_curve_is_left_to_all_distances(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sparse_rips, "_WORTH_LATE", 1_000)
    monkeypatch.setattr(sparse_rips, "takes_ranks", lambda *asked: False)
    monkeypatch.setattr(sparse_rips, "late_bars", lambda *given, **options: pytest.fail("tried"))
    assert sparse_rips.sparse_rips(ring(np.random.default_rng(0), 1_000, 1.0, 0.0, (0, 0)), math.inf, 2) is None
