"""Voids against a slow reduction of the boundary matrix in the same strict order, and surfaces near true ones."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.topology.oracles import ReducedBoundaries
from toriwork.errors import BadInput, TooLarge
from toriwork.topology import Diagram, Representative, cost_model, edge_collapse, persistence, surfaces
from toriwork.topology.clouds import distances_of_points
from toriwork.topology.cycles import edge_order
from toriwork.topology.edge_collapse import CollapsedComplex


def _rng(seed: int) -> np.random.Generator:
    return np.random.default_rng(seed)


def sphere(n: int, noise: float, seed: int) -> np.ndarray:
    rng = _rng(seed)
    points = rng.standard_normal((n, 3))
    return points / np.linalg.norm(points, axis=1)[:, None] * (1.0 + noise * rng.standard_normal((n, 1)))


def two_spheres(n: int, seed: int) -> np.ndarray:
    return np.vstack([sphere(n, 0.03, seed), 1.3 * sphere(n, 0.03, seed + 100) + np.array([2.6, 0.0, 0.0])])


def nested_spheres(n: int, seed: int) -> np.ndarray:
    return np.vstack([0.4 * sphere(n // 3, 0.03, seed), sphere(n, 0.03, seed + 100)])


def flat_torus(n: int) -> np.ndarray:
    turn = np.stack(np.meshgrid(np.arange(n), np.arange(n)), -1).reshape(-1, 2) * (2 * np.pi / n)
    return np.hstack([np.cos(turn), np.sin(turn)])


def cross_polytope(k: int) -> np.ndarray:
    """Hops of the graph of a cross-polytope: all pairs are joined but the opposite ones."""
    hops = np.ones((2 * k, 2 * k)) - np.eye(2 * k)
    hops[np.arange(2 * k), (np.arange(2 * k) + k) % (2 * k)] = 2.0
    return hops


class Judge(ReducedBoundaries):
    """The textbook reduction over Z/2: edges as lengths rise, triangles by third point, tetrahedra by both others."""

    def __init__(self, distances: np.ndarray) -> None:
        super().__init__()
        n = len(distances)
        edges = sorted(combinations(range(n), 2), key=lambda e: (distances[e], e[1], e[0]))
        self.edge = {edge: i for i, edge in enumerate(edges)}
        self.rank = {one: i for i, one in enumerate(sorted(combinations(range(n), 3), key=self.key))}
        whole = [points for points in combinations(range(n), 4) if np.isfinite(distances[np.ix_(points, points)]).all()]
        for i, points in enumerate(sorted(whole, key=self.key)):
            self.add(self.bits(combinations(points, 3)), points, i)

    def key(self, points: Sequence[int]) -> tuple[int, list[int]]:
        last = max(combinations(points, 2), key=self.edge.__getitem__)
        return self.edge[last], sorted(set(points) - set(last), reverse=True)

    def bits(self, triangles: Iterable[Sequence[int]]) -> int:
        total = 0
        for triangle in triangles:
            total ^= 1 << self.rank[tuple(triangle)]
        return total


def check(distances: np.ndarray, diagram: Diagram, found: tuple[Representative, ...]) -> None:
    judge = Judge(distances)
    assert len({one.birth_simplex for one in found}) == len(found)
    for one in found:
        assert max(distances[edge] for edge in combinations(one.birth_simplex, 2)) == one.birth
        assert surfaces.is_closed(set(one.triangles))
        assert one.points == tuple(sorted({point for triangle in one.triangles for point in triangle}))
        assert set(one.edges) == {edge for triangle in one.triangles for edge in combinations(triangle, 2)}
        chain, birth = judge.bits(one.triangles), judge.rank[one.birth_simplex]
        assert chain.bit_length() - 1 == birth  # the triangle of the birth is in it, and the last of its triangles
        assert one.cycle == ()
        if one.death_simplex is None:
            assert one.death == math.inf
            ends = judge.killer.get(birth)
            assert ends is None or distances[np.ix_(ends, ends)].max() > diagram.threshold
            continue
        assert one.death_simplex == judge.killer[birth]
        assert distances[np.ix_(one.death_simplex, one.death_simplex)].max() == one.death
        assert not judge.bounds(chain, judge.when[birth] - 1)
        assert judge.bounds(chain, judge.when[birth])


def all_voids(points: np.ndarray | None = None, *, distances: np.ndarray | None = None) -> tuple[Representative, ...]:
    given = {"points": points} if distances is None else {"distances": distances}
    matrix = distances_of_points(points) if distances is None else distances
    diagram = persistence(**given, max_dimension=2)
    rows = range(len(diagram.in_dimension(2)))
    found = diagram.representatives(2, **given, which=rows)
    assert [one.bar for one in found] == list(rows)
    assert [[one.birth, one.death] for one in found] == diagram.in_dimension(2).tolist()
    check(matrix, diagram, found)
    return found


SHAPES = {
    "noisy sphere": lambda seed: sphere(24 + seed, 0.05, seed),
    "exact sphere": lambda seed: sphere(22 + seed, 0.0, seed),
    "two spheres": lambda seed: two_spheres(15, seed),
    "nested spheres": lambda seed: nested_spheres(24, seed),
    "cube": lambda seed: _rng(seed).random((28 + seed, 3)),
    "six coordinates": lambda seed: _rng(seed).standard_normal((24, 6)),
}


@pytest.mark.parametrize("shape", SHAPES)
def test_surfaces_are_closed_alive_at_their_birth_and_bound_from_their_death_on(shape: str) -> None:
    assert sum(len(all_voids(SHAPES[shape](seed))) for seed in range(4)) >= 2


LATTICE = np.stack(np.meshgrid(*[np.arange(3.0)] * 3), -1).reshape(-1, 3)
SIGNS = [(1, 1), (1, -1), (-1, 1), (-1, -1)]
TIED = {
    "octahedron": np.vstack([np.eye(3), -np.eye(3)]),
    "octahedron, repeated points": np.vstack([np.eye(3), -np.eye(3), np.eye(3)]),
    "hollow cube": np.delete(LATTICE, 13, axis=0),
    "icosahedron": np.vstack(
        [np.roll([[0, s, t * (1 + 5**0.5) / 2]], k) for k in range(3) for s in (1, -1) for t in (1, -1)]
    ),
    "flat torus": flat_torus(6),
    **{f"integers {seed}": _rng(seed).integers(0, 4, (26, 4 + seed % 3)).astype(float) for seed in (1, 2, 4, 5, 6, 9)},
}


@pytest.mark.parametrize("name", TIED)
def test_with_equal_lengths_the_order_decides(name: str) -> None:
    assert all_voids(TIED[name])


@pytest.mark.parametrize("k", [3, 4])
def test_a_cross_polytope_has_a_void_in_three_dimensions_alone(k: int) -> None:
    found = all_voids(distances=cross_polytope(k))
    assert len(found) == (k == 3)
    for one in found:
        assert (one.birth, one.death, len(one.triangles), one.points) == (1.0, 2.0, 8, tuple(range(6)))
        assert one.area == pytest.approx(8 * math.sqrt(3) / 4)


def test_a_graph_whose_void_nothing_fills_keeps_it() -> None:
    hops = cross_polytope(3)
    hops[hops == 2.0] = np.inf
    (one,) = all_voids(distances=hops)
    assert one.death_simplex is None
    assert len(one.triangles) == 8


def test_integer_distances_without_a_triangle_inequality_have_voids() -> None:
    n_bars = 0
    for seed in range(40):
        entries = _rng(seed).integers(1, 4 + seed % 9, (14, 14)).astype(float)
        n_bars += len(all_voids(distances=np.triu(entries, 1) + np.triu(entries, 1).T))
    assert n_bars > 40


def test_random_distances_have_many_voids_at_once() -> None:
    n_bars = 0
    for seed in range(15):
        entries = np.triu(_rng(seed).random((17, 17)), 1)
        n_bars += len(all_voids(distances=entries + entries.T))
    assert n_bars > 40


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(6, 13), st.sampled_from([2, 3, 5, 9, 1000]))
def test_any_distances_have_voids_as_the_slow_way_says(seed: int, n: int, largest: int) -> None:
    entries = np.triu(_rng(seed).integers(1, largest + 1, (n, n)), 1).astype(float)
    all_voids(distances=entries + entries.T)


@pytest.mark.parametrize("n", [60, 100, 150])
def test_the_longest_void_of_a_noisy_sphere_goes_round_its_middle_near_the_sphere(n: int) -> None:
    points = sphere(n, 0.05, n)
    (one,) = persistence(points, max_dimension=2).representatives(2, points=points)
    assert np.abs(np.linalg.norm(points[list(one.points)], axis=1) - 1.0).max() < 0.2
    turns = sum(_solid_angle(*points[list(triangle)]) for triangle in _turned(one.triangles)) / (4 * np.pi)
    assert abs(turns) == pytest.approx(1.0)
    assert 6.0 < one.area < 4 * np.pi  # it lies within the sphere
    assert len(one.triangles) < n  # with all points as corners there are 2 n - 4


def _turned(triangles: Iterable[Sequence[int]]) -> list[tuple[int, ...]]:
    """The triangles of a surface, each turned so that two of an edge run along it both ways."""
    left, turned = {tuple(one) for one in triangles}, []
    waiting = [min(left)]
    left.remove(waiting[0])
    while waiting:
        a, b, c = waiting.pop()
        turned.append((a, b, c))
        for first, second in ((a, b), (b, c), (c, a)):
            for one in [other for other in left if first in other and second in other]:
                left.remove(one)
                (third,) = set(one) - {first, second}
                waiting.append((second, first, third))
    return turned


def _solid_angle(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> float:
    """The solid angle of a triangle seen from the origin (Van Oosterom & Strackee 1983)."""
    x, y, z = (np.linalg.norm(one) for one in (a, b, c))
    return 2 * np.arctan2(np.dot(a, np.cross(b, c)), x * y * z + (a @ b) * z + (a @ c) * y + (b @ c) * x)


def test_both_of_two_spheres_have_a_surface_of_their_own_points() -> None:
    points = two_spheres(60, 3)
    found = persistence(points, max_dimension=2).representatives(2, points=points, n=2)
    sides = {frozenset(point // 60 for point in one.points) for one in found}
    assert sides == {frozenset([0]), frozenset([1])}


def test_radii_cuts_and_dropped_bars_name_the_same_simplices() -> None:
    points = sphere(40, 0.05, 5)
    (one,) = persistence(points, max_dimension=2).representatives(2, points=points)
    (half,) = persistence(points, max_dimension=2, scale="radius").representatives(2, points=points)
    assert (half.birth, half.death) == (one.birth / 2, one.death / 2)
    (few,) = persistence(points, max_dimension=2, min_persistence=0.01).representatives(2, points=points)
    for other in (half, few):
        assert (other.triangles, other.area, other.death_simplex) == (one.triangles, one.area, one.death_simplex)
    cut = persistence(points, max_dimension=2, threshold=(one.birth + one.death) / 2)
    (alive,) = cut.representatives(2, points=points)
    assert (alive.triangles, alive.death, alive.death_simplex) == (one.triangles, math.inf, None)


def test_without_a_smallest_surface_the_reduced_one_is_right_too(monkeypatch: pytest.MonkeyPatch) -> None:
    points = sphere(40, 0.05, 1)
    (small,) = persistence(points, max_dimension=2).representatives(2, points=points)
    monkeypatch.setattr(surfaces, "MOST_TRIANGLES", 0)
    (plain,) = persistence(points, max_dimension=2).representatives(2, points=points)
    assert plain.area > small.area
    assert (plain.birth_simplex, plain.death_simplex) == (small.birth_simplex, small.death_simplex)
    for shape in ("cube", "nested spheres", "six coordinates"):
        all_voids(SHAPES[shape](2))


# ---- what a collapse leaves ------------------------------------------------------------------------------------------


def test_a_collapse_keeps_apart_what_bounds_and_what_does_not() -> None:
    points = two_spheres(40, 4)
    distances = distances_of_points(points)
    diagram = persistence(points, max_dimension=2)
    first, second = diagram.representatives(2, points=points, n=2)
    scale = max(first.birth, second.birth)
    complex_ = CollapsedComplex(distances <= scale)
    classes = [complex_.class_of(one.triangles) for one in (first, second)]
    assert 0 not in classes
    assert classes[0] != classes[1]
    assert complex_.class_of(set(first.triangles) ^ set(second.triangles)) == classes[0] ^ classes[1]
    inside = np.arange(25)
    for some in combinations(inside.tolist(), 4):
        if distances[np.ix_(some, some)].max() <= scale:
            assert complex_.class_of(combinations(some, 3)) == 0
    ended = CollapsedComplex(distances <= min(first.death, second.death))
    assert 0 in [ended.class_of(one.triangles) for one in (first, second)]


def test_areas_are_those_of_the_sides() -> None:
    points = np.array([[0.0, 0, 0], [3, 0, 0], [0, 4, 0], [1e200, 0, 0]])
    order = edge_order(distances_of_points(points[:3]))
    assert surfaces.areas(order, np.array([[0, 1, 2]])) == pytest.approx([6.0])
    assert surfaces.areas(order, np.zeros((0, 3), dtype=int)).tolist() == []
    flat = np.array([[0.0, 1, 9], [1, 0, 1], [9, 1, 0]])
    assert surfaces.areas(edge_order(flat), np.array([[0, 1, 2]])).tolist() == [0.0]


# ---- the door --------------------------------------------------------------------------------------------------------


def test_text_says_what_the_surface_is() -> None:
    points = TIED["octahedron"]
    (one,) = persistence(points, max_dimension=2).representatives(2, points=points)
    assert repr(one).splitlines() == [
        "Representative: class H2, bar 0",
        "  born 1.41421 with triangle 3, 4, 5",
        "  dies 2 with tetrahedron 0, 3, 4, 5",
        "  surface of points 0, 1, 2, 3, 4, 5: 8 triangles, area 6.9282",
    ]
    assert "8 triangles, area 6.9282" in one._repr_html_()


def test_what_cannot_be_answered_is_refused() -> None:
    points = sphere(30, 0.05, 8)
    diagram = persistence(points, max_dimension=2)
    (one,) = diagram.representatives(2, points=points)
    with pytest.raises(BadInput, match="0 to 1 was computed"):
        persistence(points).representatives(2, points=points)
    with pytest.raises(BadInput, match="expected field 2 for H2, got 3"):
        persistence(points, max_dimension=2, field=3).representatives(2, points=points)
    with pytest.raises(BadInput, match="points or distances of this diagram: its bar 0 of H2"):
        diagram.representatives(2, points=sphere(30, 0.05, 9))
    moved = points.copy()
    moved[min(set(range(30)) - set(one.birth_simplex) - set(one.death_simplex or ()))] = 0.0  # fills the void
    with pytest.raises(BadInput, match="points or distances of this diagram"):
        diagram.representatives(2, points=moved)


def test_what_would_take_too_long_is_refused_with_what_would_do(monkeypatch: pytest.MonkeyPatch) -> None:
    points = sphere(120, 0.0, 8)
    diagram = persistence(points, max_dimension=2)
    with monkeypatch.context() as patch:
        patch.setattr(cost_model, "MOST_SECONDS", 1e-3)
        with pytest.raises(TooLarge, match=r"predicted, the limit is .* needs less"):
            diagram.representatives(2, points=points)
    with monkeypatch.context() as patch:
        patch.setattr(surfaces, "_SECONDS", 1.0)
        with pytest.raises(
            TooLarge, match=r"surfaces of 1 voids: .* predicted, .* fewer bars, by which= or n=, need less"
        ):
            diagram.representatives(2, points=points)
    monkeypatch.setattr(edge_collapse, "MOST_LEFT", 1)
    with pytest.raises(TooLarge, match="the diagram of fewer points"):
        diagram.representatives(2, points=points)
