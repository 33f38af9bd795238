"""What no engine may see is refused with its place; what is odd but fine has a defined answer."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.topology import oracles
from toriwork.errors import BadInput
from toriwork.topology import estimate_betti, persistence
from toriwork.topology.clouds import distances_of_points, enclosing_radius
from toriwork.topology.inputs import check_distances

SQUARE = np.array([[0.0, 0], [1, 0], [1, 1], [0, 1]])
NAN_LATE = np.array([[0.0, 1.0], [1.0, math.nan]])

REFUSED = [
    pytest.param({"points": NAN_LATE}, "row 1", id="NaN coordinate"),
    pytest.param({"points": [[0.0, math.inf], [1.0, 2.0]]}, "row 0", id="infinite coordinate"),
    pytest.param({"points": [1.0, 2.0, 3.0]}, "shape", id="one-dimensional"),
    pytest.param({"points": []}, "shape", id="bare empty list"),
    pytest.param({"points": np.zeros((3, 0))}, "shape", id="points without coordinates"),
    pytest.param({"points": np.zeros((2, 2, 2))}, "shape", id="three-dimensional"),
    pytest.param({"points": np.zeros((3, 2), dtype=complex)}, "dtype", id="complex"),
    pytest.param({"points": [["a", "b"]]}, "dtype", id="text"),
    pytest.param({"points": None}, "either points or distances", id="nothing"),
    pytest.param({"points": SQUARE, "distances": np.zeros((4, 4))}, "either", id="both"),
    pytest.param({"points": [[-1.5e308], [1.5e308]]}, "range of float64", id="distance overflows"),
    pytest.param({"distances": np.zeros((2, 3))}, "shape", id="matrix not square"),
    pytest.param({"distances": [[0, 1], [2, 0]]}, "mirror", id="asymmetric"),
    pytest.param({"distances": [[0, -1], [-1, 0]]}, "negative", id="negative distance"),
    pytest.param({"distances": [[0, math.nan], [math.nan, 0]]}, "NaN", id="NaN distance"),
    pytest.param({"distances": [[math.inf, 1], [1, 0]]}, "diagonal", id="infinitely far from itself"),
    pytest.param({"distances": [[1, 1], [1, 0]]}, "diagonal", id="distance to itself"),
    pytest.param({"points": SQUARE, "max_dimension": -1}, "max_dimension", id="negative dimension"),
    pytest.param({"points": SQUARE, "max_dimension": 1.5}, "max_dimension", id="fractional dimension"),
    pytest.param({"points": SQUARE, "max_dimension": 99}, "max_dimension", id="absurd dimension"),
    pytest.param({"points": SQUARE, "field": 4}, "prime", id="field no prime"),
    pytest.param({"points": SQUARE, "field": 1}, "prime", id="field one"),
    pytest.param({"points": SQUARE, "field": 3, "engine": "simple"}, "up to 2 for", id="field unknown to engine"),
    pytest.param({"points": SQUARE, "field": 131, "engine": "ripser"}, "up to 127 for", id="field that ripser dies of"),
    pytest.param({"points": SQUARE, "threshold": -1.0}, "threshold", id="negative threshold"),
    pytest.param({"points": SQUARE, "threshold": math.nan}, "threshold", id="NaN threshold"),
    pytest.param({"points": SQUARE, "min_persistence": -0.1}, "min_persistence", id="negative persistence"),
    pytest.param({"points": SQUARE, "engine": "dionysus"}, "engine", id="unknown engine"),
    pytest.param({"points": SQUARE, "filtration": "bogus"}, "filtration", id="unknown filtration"),
]


@pytest.mark.parametrize(("arguments", "word"), REFUSED)
def test_bad_input_is_refused_with_its_place(arguments: dict[str, object], word: str) -> None:
    with pytest.raises(BadInput, match=word):
        persistence(**arguments)


def test_estimate_refuses_an_unknown_rule_before_it_computes() -> None:
    with pytest.raises(BadInput, match="rule"):
        estimate_betti(NAN_LATE, rule="bogus")


def test_distances_are_those_of_exact_arithmetic_far_from_the_origin() -> None:
    points = np.random.default_rng(0).random((30, 3)) + 1e7
    wanted = oracles.euclidean(points)
    found = distances_of_points(points)
    assert np.abs(found - wanted).max() <= 4e-16 * wanted.max()
    assert np.array_equal(found, found.T)


@pytest.mark.parametrize("size", [1e-310, 1e-200, 1.0, 1e200, 1e307])
def test_distances_keep_their_digits_at_any_size(size: float) -> None:
    points = np.random.default_rng(0).random((10, 2)) * size
    wanted = oracles.euclidean(points)
    assert np.abs(distances_of_points(points) - wanted).max() <= 1e-15 * wanted.max() + 5e-324


def test_distances_are_copied_not_changed() -> None:
    given = np.array([[0.0, 1.0], [1.0 + 1e-15, 0.0]])
    before = given.copy()
    checked = check_distances(given)
    assert np.array_equal(given, before)
    assert np.array_equal(checked, checked.T)
    assert checked[0, 1] == 1.0 + 1e-15


def test_enclosing_radius_is_the_smallest_largest_distance() -> None:
    assert enclosing_radius(oracles.euclidean(np.array([[0.0], [1.0], [3.0]]))) == 2.0
    assert enclosing_radius(np.zeros((0, 0))) == 0.0


def test_correlations_are_no_distances_and_are_told_how_to_become_some() -> None:
    correlations = np.corrcoef(np.random.default_rng(0).normal(size=(6, 40)))
    for similar in (correlations, np.abs(correlations), np.eye(3)):
        with pytest.raises(BadInput, match="take 1 - them"):
            persistence(distances=similar)
    assert len(persistence(distances=1 - correlations).in_dimension(0)) == 6
    assert len(persistence(distances=[[0.0]]).in_dimension(0)) == 1


def test_what_is_taken_for_something_else_has_a_warning() -> None:
    points = np.random.default_rng(0).normal(size=(20, 2))
    with pytest.warns(UserWarning, match="distances= takes distances"):
        estimate_betti(oracles.euclidean(points))
    with pytest.warns(UserWarning, match="of a colour image take one channel"):
        persistence(np.zeros((9, 9, 3)), filtration="cubical")


@pytest.mark.filterwarnings("error")
def test_what_is_what_it_looks_like_has_none() -> None:
    estimate_betti(np.random.default_rng(0).normal(size=(20, 2)))
    for shape in ((9, 9), (9, 9, 9), (4, 4, 3)):
        persistence(np.zeros(shape), filtration="cubical")
    persistence(graph=[(0, 1)])


def test_names_of_vertices_are_told_how_to_become_numbers() -> None:
    with pytest.raises(BadInput, match=r"number the vertices from 0 on, by pandas\.factorize"):
        persistence(graph=[("a", "b")])
