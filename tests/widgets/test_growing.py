"""The growing complex holds exactly the simplices whose diameter is at most the scale, and says what it leaves out."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.errors import BadInput
from toriwork.topology import persistence
from toriwork.widgets.growing import MAX_POINTS, GrowingComplex

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])

clouds = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4)), max_size=9).map(
    lambda rows: np.array(rows, dtype=float).reshape(-1, 2)
)


def simplices(points: np.ndarray, size: int, scale: float) -> set[frozenset[int]]:
    """The slow, obvious text: every subset whose points are pairwise within the scale."""
    return {
        frozenset(corners)
        for corners in combinations(range(len(points)), size)
        if all(np.linalg.norm(points[i] - points[j]) <= scale for i, j in combinations(corners, 2))
    }


@given(clouds, st.sampled_from([0.0, 0.5, 1.0, 1.5, 2.3, 9.0]))
def test_edges_and_triangles_are_those_of_the_rips_complex(points: np.ndarray, scale: float) -> None:
    moment = GrowingComplex(points).at(scale)
    assert set(map(frozenset, moment.edges.tolist())) == simplices(points, 2, scale)
    assert set(map(frozenset, moment.triangles.tolist())) == simplices(points, 3, scale)
    assert (moment.n_edges, moment.n_triangles) == (len(moment.edges), len(moment.triangles))
    assert moment.note == ""


@given(clouds, st.sampled_from([0.5, 1.0, 1.5, 9.0]))
def test_beyond_the_bound_it_says_that_there_is_more(points: np.ndarray, scale: float) -> None:
    moment = GrowingComplex(points, max_edges=2, max_triangles=1).at(scale)
    assert (moment.n_edges > 2) == (len(simplices(points, 2, scale)) > 2)
    assert (moment.n_triangles > 1) == (len(simplices(points, 3, scale)) > 1)
    assert len(moment.edges) == min(2, moment.n_edges)
    assert len(moment.triangles) == min(1, moment.n_triangles)


def test_the_first_simplices_to_enter_are_the_ones_that_are_drawn() -> None:
    points = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 1.0], [5.0, 5.0], [9.0, 0.0]])
    moment = GrowingComplex(points, max_edges=3, max_triangles=1).at(20.0)
    assert sorted(map(sorted, moment.edges.tolist())) == [[0, 1], [0, 2], [1, 2]]
    assert sorted(moment.triangles[0].tolist()) == [0, 1, 2]
    assert moment.note == "not shown: edges after the first 3, triangles after the first 1"
    assert moment.size == "more than 3 edges and more than 1 triangles"


def test_an_edge_is_there_at_its_own_length() -> None:
    assert GrowingComplex(SQUARE).at(1.0).n_edges == 4
    assert GrowingComplex(SQUARE).at(np.nextafter(1.0, 0.0)).n_edges == 0


def test_the_euler_characteristic_is_that_of_the_diagram() -> None:
    """Up to the scale at which tetrahedra enter, points - edges + triangles is b0 - b1 + b2."""
    angles = 2 * np.pi * np.arange(9) / 9
    points = np.column_stack([np.cos(angles), np.sin(angles)])  # neighbours but one make triangles at 1.29
    complex_, diagram = GrowingComplex(points), persistence(points, max_dimension=2)
    assert not simplices(points, 4, 1.5)
    assert complex_.at(1.5).n_triangles == 9
    for scale in (0.5, 1.0, 1.5):
        moment = complex_.at(scale)
        b0, b1, b2 = diagram.betti(scale)
        assert len(points) - moment.n_edges + moment.n_triangles == b0 - b1 + b2


def test_clouds_too_large_to_draw_are_refused_with_the_number() -> None:
    with pytest.raises(BadInput, match=f"at most {MAX_POINTS} .* got {MAX_POINTS + 1}"):
        GrowingComplex(np.zeros((MAX_POINTS + 1, 2)))
