"""Representatives against a slow reduction of the boundary matrix in the same strict order of simplices."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import pytest

from tests.topology.oracles import ReducedBoundaries
from toriwork.errors import BadInput, TooLarge
from toriwork.topology import DTM, Diagram, Representative, cycles, persistence
from toriwork.topology.clouds import distances_of_points
from toriwork.topology.cycles import strong_collapse


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def ring(n: int, radius: float, noise: float, seed: int) -> np.ndarray:
    rng = _rng(seed)
    angle = 2 * np.pi * (np.arange(n) + rng.uniform(-0.3, 0.3, n)) / n
    return radius * np.column_stack([np.cos(angle), np.sin(angle)]) + noise * rng.standard_normal((n, 2))


def eight(n: int, seed: int) -> np.ndarray:
    half = n // 2
    left, right = ring(half, 1.0, 0.04, seed), ring(n - half, 1.0, 0.04, seed + 1000)
    return np.vstack([left - np.array([1.0, 0.0]), right + np.array([1.0, 0.0])])


def annulus(n: int, seed: int) -> np.ndarray:
    rng = _rng(seed)
    angle, radius = 2 * np.pi * np.arange(n) / n, rng.uniform(0.8, 1.2, n)
    return radius[:, None] * np.column_stack([np.cos(angle), np.sin(angle)])


def torus(n: int, seed: int) -> np.ndarray:
    rng = _rng(seed)
    u, v = rng.uniform(0, 2 * np.pi, (2, n))
    return np.column_stack([(1 + 0.4 * np.cos(v)) * np.cos(u), (1 + 0.4 * np.cos(v)) * np.sin(u), 0.4 * np.sin(v)])


class Judge(ReducedBoundaries):
    """The textbook reduction over Z/2: edges by (length, larger point, smaller point), triangles by last and third."""

    def __init__(self, distances: np.ndarray) -> None:
        super().__init__()
        n = len(distances)
        edges = sorted(combinations(range(n), 2), key=lambda e: (distances[e], e[1], e[0]))
        self.rank = {edge: i for i, edge in enumerate(edges)}
        triangles = []
        for points in combinations(range(n), 3):
            last = max(combinations(points, 2), key=self.rank.__getitem__)
            triangles.append((self.rank[last], next(p for p in points if p not in last), points))
        for last, _, points in sorted(triangles):
            self.add(self.bits(combinations(points, 2)), points, last)

    def bits(self, edges: Iterable[Sequence[int]]) -> int:
        total = 0
        for edge in edges:
            total ^= 1 << self.rank[tuple(sorted(edge))]
        return total


def check_loops(distances: np.ndarray, diagram: Diagram, found: tuple[Representative, ...]) -> None:
    judge = Judge(distances)
    assert len({one.birth_simplex for one in found}) == len(found)
    for one in found:
        birth = judge.rank[one.birth_simplex]
        assert distances[one.birth_simplex] == one.birth
        assert one.cycle[0] == one.cycle[-1]
        assert all(a != b for a, b in one.edges)
        assert one.length == pytest.approx(sum(distances[edge] for edge in one.edges))
        chain = judge.bits(one.edges)
        assert chain.bit_length() - 1 == birth  # the birth edge is in it, and the last of its edges
        ends = judge.killer.get(birth)
        if one.death_simplex is None:
            assert one.death == math.inf
            assert ends is None or judge.when[birth] >= np.count_nonzero(np.triu(distances <= diagram.threshold, 1))
            continue
        assert one.death_simplex == ends
        assert max(distances[edge] for edge in combinations(one.death_simplex, 2)) == one.death
        assert not judge.bounds(chain, birth)
        assert not judge.bounds(chain, judge.when[birth] - 1)
        assert judge.bounds(chain, judge.when[birth])


def all_loops(points: np.ndarray) -> tuple[Representative, ...]:
    diagram = persistence(points)
    rows = range(len(diagram.in_dimension(1)))
    found = diagram.representatives(1, points=points, which=rows)
    assert [one.bar for one in found] == list(rows)
    assert [[one.birth, one.death] for one in found] == diagram.in_dimension(1).tolist()
    check_loops(distances_of_points(points), diagram, found)
    return found


SHAPES = {
    "noisy circle": lambda seed: ring(20 + seed % 16, 1.0, 0.05, seed),
    "figure eight": lambda seed: eight(26 + seed % 10, seed),
    "annulus": lambda seed: annulus(20 + seed % 20, seed),
    "torus": lambda seed: torus(40, seed),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_cycles_of_fifty_clouds_are_born_and_bound_where_their_bars_say(shape: str) -> None:
    for seed in range(50):
        all_loops(SHAPES[shape](seed))


def test_the_cycle_of_the_longest_bar_goes_once_around_the_loop_and_along_it() -> None:
    for seed in range(20):
        points = ring(36, 1.0, 0.03, seed)
        (one,) = persistence(points).representatives(points=points)
        x, y = points[list(one.cycle)].T
        turns = np.diff(np.unwrap(np.arctan2(y, x))).sum() / (2 * np.pi)
        assert abs(turns) == pytest.approx(1.0)
        assert np.abs(np.hypot(x, y) - 1.0).max() < 0.15
        assert len(set(one.points)) == len(one.points)


def test_both_loops_of_a_figure_eight_have_a_cycle_each() -> None:
    for seed in range(10):
        points = eight(40, seed)
        first, second = persistence(points).representatives(points=points, n=2)
        sides = {np.sign(np.median(points[list(one.points), 0])) for one in (first, second)}
        assert sides == {-1.0, 1.0}


GRID = np.stack(np.meshgrid(np.arange(5.0), np.arange(5.0)), -1).reshape(-1, 2)
TIED = {
    "square": np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]),
    "grid": GRID,
    "grid with holes": np.delete(GRID, [6, 18], axis=0),
    "grid in space": np.stack(np.meshgrid(*[np.arange(3.0)] * 3), -1).reshape(-1, 3),
    "frame": GRID[(GRID % 4 == 0).any(axis=1)],
    "repeated square": np.repeat(np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]]), 3, axis=0),
    "repeated circle": np.vstack([ring(15, 1.0, 0.05, 1)] * 2)[_rng(0).permutation(30)],
    **{f"polygon {n}": np.exp(2j * np.pi * np.arange(n) / n).view(float).reshape(-1, 2) for n in (5, 6, 12, 24)},
    **{f"integers {seed}": _rng(seed).integers(0, 5, (24, 2 + seed % 3)).astype(float) for seed in range(12)},
}


@pytest.mark.parametrize("name", TIED)
def test_with_equal_lengths_and_repeated_points_the_order_decides(name: str) -> None:
    assert all_loops(TIED[name])


def integer_distances(seed: int, n: int = 16, largest: int = 7) -> np.ndarray:
    entries = _rng(seed).integers(1, largest, (n, n)).astype(float)
    return np.triu(entries, 1) + np.triu(entries, 1).T


def test_integer_distances_without_a_triangle_inequality_have_representatives() -> None:
    n_bars = 0
    for seed in range(100):
        distances = integer_distances(seed, 12 + seed % 8, 3 + seed % 9)
        diagram = persistence(distances=distances)
        found = diagram.representatives(distances=distances, which=range(len(diagram.in_dimension(1))))
        check_loops(distances, diagram, found)
        n_bars += len(found)
    assert n_bars > 300


def test_an_edge_that_ends_several_loops_at_once_shares_its_triangles_out() -> None:
    # two points apart, each near every one of three that are apart: the edge of the two ends two loops
    distances = np.full((5, 5), 9.0)
    np.fill_diagonal(distances, 0.0)
    near = iter(np.arange(1.0, 2.0, 0.1))
    for a in (0, 1):
        for b in (2, 3, 4):
            distances[a, b] = distances[b, a] = next(near)
    distances[0, 1] = distances[1, 0] = 5.0
    diagram = persistence(distances=distances)
    found = diagram.representatives(distances=distances, which=[0, 1])
    assert {one.death_simplex for one in found} == {(0, 1, 3), (0, 1, 4)}
    check_loops(distances, diagram, found)


def test_a_cycle_avoids_an_older_loop_that_lives_longer() -> None:
    seen = 0
    for seed in range(25):
        points = _rng(seed).random((36, 2))
        seen += len(all_loops(points))
    assert seen > 60


def test_other_fields_find_the_simplices_of_their_own_pairs() -> None:
    for seed in range(5):
        points = eight(30, seed)
        plain = persistence(points).representatives(points=points, n=2)
        for field in (3, 47):
            diagram = persistence(points, field=field)
            assert diagram.representatives(points=points, n=2) == plain
    points = _rng(3).random((36, 2))
    rows = range(len(persistence(points).in_dimension(1)))
    found = persistence(points, field=3).representatives(points=points, which=rows)
    check_loops(distances_of_points(points), persistence(points), found)


def test_radii_and_cuts_name_the_same_simplices() -> None:
    points = ring(30, 1.0, 0.05, 5)
    whole = persistence(points)
    (one,) = whole.representatives(points=points)
    (half,) = persistence(points, scale="radius").representatives(points=points)
    assert (half.birth, half.death) == (one.birth / 2, one.death / 2)
    assert (half.cycle, half.death_simplex) == (one.cycle, one.death_simplex)
    cut = persistence(points, threshold=(one.birth + one.death) / 2)
    (alive,) = cut.representatives(points=points)
    assert (alive.cycle, alive.death, alive.death_simplex) == (one.cycle, math.inf, None)


# ---- components ------------------------------------------------------------------------------------------------------


def test_a_component_ends_with_the_edge_that_joins_it_to_an_earlier_one() -> None:
    points = np.array([[0.0], [10.0], [0.5], [10.25], [11.0]])
    diagram = persistence(points)
    found = diagram.representatives(0, points=points, which=range(5))
    assert [(one.birth_simplex, one.death_simplex, one.points) for one in found] == [
        ((3,), (1, 3), (3,)),
        ((2,), (0, 2), (2,)),
        ((4,), (3, 4), (4,)),
        ((1,), (1, 2), (1, 3, 4)),
        ((0,), None, (0, 1, 2, 3, 4)),
    ]
    assert found[3].cycle == found[3].edges == ()


@pytest.mark.parametrize("name", TIED)
def test_components_with_ties_join_as_the_slow_way_says(name: str) -> None:
    points = TIED[name]
    distances, diagram = distances_of_points(points), persistence(points)
    groups = [{i} for i in range(len(points))]
    expected = []
    for edge in sorted(combinations(range(len(points)), 2), key=lambda e: (distances[e], e[1], e[0])):
        first, second = (next(group for group in groups if point in group) for point in edge)
        if first is not second:
            older, younger = sorted((first, second), key=min)
            if distances[edge] > 0:
                expected.append((min(younger), edge, tuple(sorted(younger))))
            older |= younger
            groups.remove(younger)
    found = diagram.representatives(0, points=points, which=range(len(diagram.in_dimension(0))))
    assert sorted((one.birth_simplex[0], one.death_simplex, one.points) for one in found[:-1]) == sorted(expected)
    assert found[-1].points == tuple(range(len(points)))


def test_components_of_a_cut_diagram_are_those_at_the_cut() -> None:
    points = np.array([[0.0], [10.0], [0.5], [10.25], [11.0]])
    found = persistence(points, threshold=2.0).representatives(0, points=points, which=[3, 4])
    assert [(one.points, one.death_simplex) for one in found] == [((0, 2), None), ((1, 3, 4), None)]


def test_components_that_no_edge_joins_never_end() -> None:
    points = np.array([[0.0], [10.0], [0.5], [10.25], [11.0]])
    distances = distances_of_points(points)
    distances[distances > 5.0] = np.inf
    found = persistence(distances=distances).representatives(0, distances=distances, which=range(5))
    assert [one.points for one in found] == [(3,), (2,), (4,), (0, 2), (1, 3, 4)]
    assert [one.death_simplex for one in found[3:]] == [None, None]


# ---- the door --------------------------------------------------------------------------------------------------------


def test_text_and_html_say_the_same() -> None:
    points = TIED["square"]
    (one,) = persistence(points).representatives(points=points)
    assert repr(one).splitlines() == [
        "Representative: class H1, bar 0",
        "  born 1 with edge 2, 3",
        "  dies 1.41421 with triangle 0, 2, 3",
        "  cycle 2, 1, 0, 3, 2: 4 edges, length 4",
    ]
    for fact in ("edge 2, 3", "triangle 0, 2, 3", "2, 1, 0, 3, 2: 4 edges, length 4"):
        assert fact in one._repr_html_()
    assert "..." in repr(persistence(GRID).representatives(0, points=GRID)[0])


def test_which_names_rows_or_the_longest() -> None:
    points = eight(30, 0)
    diagram = persistence(points)
    lengths = diagram.persistence(1)
    assert [one.bar for one in diagram.representatives(points=points, n=2)] == list((-lengths).argsort()[:2])
    assert diagram.representatives(points=points, which=[]) == ()
    assert diagram.representatives(points=points, which=1)[0].bar == 1
    assert persistence(points[:1]).representatives(points=points[:1]) == ()
    assert persistence(points[:0]).representatives(0, points=points[:0]) == ()


@pytest.mark.parametrize(
    ("k", "options", "words"),
    [
        (3, {}, "H0, H1 or H2"),
        (1, {"which": 99}, "rows of the"),
        (1, {"which": "widest"}, "'longest'"),
        (1, {"which": "longest", "n": 0}, "n >= 1"),
        (1, {"which": [0.5]}, "rows of the"),
        (1, {"points": None}, "either points or distances"),
        (1, {"points": ring(30, 1.0, 0.05, 9)}, "points or distances of this diagram"),
        (0, {"points": ring(30, 1.0, 0.05, 9), "which": 3}, "points or distances of this diagram"),
    ],
)
def test_what_cannot_be_answered_is_refused(k: int, options: dict[str, object], words: str) -> None:
    points = ring(30, 1.0, 0.05, 8)
    with pytest.raises(BadInput, match=words):
        persistence(points).representatives(k, **{"points": points, **options})  # type: ignore[arg-type]


def test_other_filtrations_are_refused_by_name() -> None:
    points = ring(30, 1.0, 0.05, 8)
    for filtration in ("alpha", DTM(5)):
        with pytest.raises(BadInput, match="Rips diagram"):
            persistence(points, filtration=filtration).representatives(points=points)


# ---- the steps -------------------------------------------------------------------------------------------------------


def test_a_strong_collapse_moves_joined_points_to_joined_ones_until_none_is_dominated() -> None:
    for seed in range(20):
        distances = distances_of_points(_rng(seed).random((40, 2)))
        joined = distances <= 0.1 + 0.03 * seed
        moved = strong_collapse(joined)
        assert (moved[moved] == moved).all()
        assert joined[moved[np.nonzero(joined)[0]], moved[np.nonzero(joined)[1]]].all()
        core = np.unique(moved)
        among = joined[np.ix_(core, core)]
        for a, b in combinations(range(len(core)), 2):
            assert not among[a, b] or (among[a] & ~among[b]).any()
            assert not among[a, b] or (among[b] & ~among[a]).any()


def test_a_search_that_grows_without_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    points = np.random.default_rng(5).random((60, 2))
    diagram = persistence(points)
    n = len(diagram.in_dimension(1))
    assert len(diagram.representatives(1, points=points, n=n)) == n
    monkeypatch.setattr(cycles, "MOST_STATES", 3)
    with pytest.raises(TooLarge, match="loops live longer"):
        diagram.representatives(1, points=points, n=n)
