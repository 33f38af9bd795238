"""Distances in each form that people have them give the same bars; what is no distance is refused with its place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import sparse
from scipy.spatial.distance import pdist, squareform

from tests.topology import oracles
from toriwork.errors import BadInput
from toriwork.topology import DTM, Landmark, available_engines, estimate_betti, persistence, work_estimate_of
from toriwork.topology.inputs import check_distances, sparse_distances

POINTS = np.random.default_rng(0).random((14, 2))
SQUARE = squareform(pdist(POINTS))
NO = math.inf
#: a square of side 1 without its diagonals, and a lone pair at 2
TWO_PIECES = np.full((6, 6), NO)
np.fill_diagonal(TWO_PIECES, 0.0)
for a, b, length in ((0, 1, 1.0), (1, 2, 1.0), (2, 3, 1.0), (0, 3, 1.0), (4, 5, 2.0)):
    TWO_PIECES[a, b] = TWO_PIECES[b, a] = length
#: with the nearest one other point: weights are 1 / sqrt 2 and sqrt 2, vertices enter at twice that
DTM_H0 = [[math.sqrt(2), 1 + math.sqrt(2)]] * 3 + [
    [math.sqrt(2), NO],
    [math.sqrt(8), 2 + math.sqrt(8)],
    [math.sqrt(8), NO],
]
PIECES_H0 = [[0, 1], [0, 1], [0, 1], [0, 2], [0, NO], [0, NO]]


def edges_of(matrix: np.ndarray, *, form: str = "coo") -> Any:
    row, column = np.nonzero(np.isfinite(matrix) & ~np.eye(len(matrix), dtype=bool))
    return sparse.coo_array((matrix[row, column], (row, column)), shape=matrix.shape).asformat(form)


# ---- no edge ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["auto", *available_engines()])
def test_two_components_and_an_open_square_never_die(engine: str) -> None:
    diagram = persistence(distances=TWO_PIECES, engine=engine, max_dimension=2)
    assert diagram.in_dimension(0).tolist() == PIECES_H0
    assert diagram.in_dimension(1).tolist() == [[1, NO]]
    assert len(diagram.in_dimension(2)) == 0
    assert not diagram.censored.any()
    assert diagram.threshold == NO
    assert diagram.betti(5.0) == (2, 1, 0)


@pytest.mark.parametrize("engine", ["auto", *available_engines()])
@pytest.mark.parametrize("threshold", [NO, 0.4, 0.3])
@pytest.mark.parametrize("seed", range(4))
def test_missing_edges_are_those_of_the_reduction(engine: str, threshold: float, seed: int) -> None:
    rng = np.random.default_rng(seed)
    matrix = squareform(pdist(rng.random((11, 2))).round(2))
    gone = np.triu(rng.random(matrix.shape) < 0.15 + 0.2 * seed, 1)
    matrix[gone | gone.T] = NO
    found = persistence(distances=matrix, engine=engine, threshold=threshold)
    wanted = oracles.rips_pairs(matrix, 1, min(threshold, matrix[np.isfinite(matrix)].max()))
    assert found.pairs.tolist() == wanted.tolist()


@pytest.mark.parametrize(("engine", "n_points"), [("auto", 800), ("gudhi", 150)])
def test_a_large_graph_of_two_pieces_is_cut_where_nothing_changes(engine: str, n_points: int) -> None:
    turns = np.random.default_rng(0).random(n_points) * 2 * np.pi
    circle = np.column_stack([np.cos(turns), np.sin(turns)])
    both = np.full((2 * n_points, 2 * n_points), NO)
    both[:n_points, :n_points] = both[n_points:, n_points:] = squareform(pdist(circle))
    alone, found = persistence(circle), persistence(distances=both, engine=engine)
    for k in (0, 1):
        wanted = np.repeat(alone.in_dimension(k), 2, axis=0)
        assert found.in_dimension(k).tolist() == wanted[np.lexsort(wanted.T[::-1])].tolist()


def test_a_spanning_tree_landmarks_and_weights_know_missing_edges() -> None:
    assert persistence(distances=TWO_PIECES, filtration="h0").in_dimension(0).tolist() == PIECES_H0
    assert persistence(distances=TWO_PIECES, filtration=Landmark(6)).pairs.tolist() == (
        persistence(distances=TWO_PIECES).pairs.tolist()
    )
    hops = TWO_PIECES.copy()
    hops[[0, 1, 2, 3], [2, 3, 0, 1]] = 2.0
    few = persistence(distances=hops, filtration=Landmark(2))
    assert (few.betti(9.0), few.provenance.error) == ((2, 0), 4.0)
    with pytest.raises(BadInput, match="each point has an edge to one, got 1"):
        persistence(distances=hops, filtration=Landmark(1))
    weighted = persistence(distances=TWO_PIECES, filtration=DTM(2))
    assert np.allclose(weighted.in_dimension(0), DTM_H0)
    assert np.allclose(weighted.in_dimension(1), [[1 + math.sqrt(2), NO]])
    with pytest.raises(BadInput, match="3 points with an edge to each, itself one; not so 4"):
        persistence(distances=TWO_PIECES, filtration=DTM(3))


def test_a_rule_for_features_wants_all_distances() -> None:
    with pytest.raises(BadInput, match="no edge"):
        estimate_betti(distances=TWO_PIECES)


# ---- forms -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("filtration", ["rips", "h0", "landmark", "dtm"])
def test_a_condensed_vector_and_its_matrix_have_one_diagram(filtration: str) -> None:
    wanted = persistence(distances=SQUARE, filtration=filtration)
    for given in (pdist(POINTS), pdist(POINTS).tolist(), edges_of(SQUARE), edges_of(SQUARE, form="csr")):
        assert persistence(distances=given, filtration=filtration).pairs.tolist() == wanted.pairs.tolist()
    assert wanted.pairs.tolist() == persistence(POINTS, filtration=filtration).pairs.tolist()


def test_no_pair_is_one_point_and_a_count_that_no_points_have_is_refused() -> None:
    assert persistence(distances=np.zeros(0)).pairs.tolist() == [[0, 0, NO]]
    assert persistence(distances=[3.0]).pairs.tolist() == [[0, 0, 3], [0, 0, NO]]
    for count in (2, 4, 5, 7):
        with pytest.raises(BadInput, match=rf"n_points - 1.* got \({count},\)"):
            persistence(distances=np.ones(count))


@pytest.mark.parametrize("form", ["coo", "csr", "csc", "lil", "dok"])
@pytest.mark.parametrize("kind", ["array", "matrix"])
def test_what_a_sparse_matrix_does_not_store_is_no_edge(form: str, kind: str) -> None:
    given = edges_of(TWO_PIECES)
    given = (given if kind == "array" else sparse.coo_matrix(given)).asformat(form)
    assert persistence(distances=given).pairs.tolist() == persistence(distances=TWO_PIECES).pairs.tolist()


def test_one_triangle_is_enough_and_stored_zeros_and_infinities_count() -> None:
    wanted = persistence(distances=TWO_PIECES).pairs.tolist()
    upper = sparse.triu(edges_of(TWO_PIECES))
    assert persistence(distances=upper).pairs.tolist() == wanted
    assert persistence(distances=upper.T).pairs.tolist() == wanted
    zero = sparse.coo_array(([0.0, 2.0, 3.0, NO, 0.0], ([0, 1, 0, 0, 2], [1, 2, 2, 3, 2])), shape=(4, 4))
    assert persistence(distances=zero).pairs.tolist() == [[0, 0, 2], [0, 0, NO], [0, 0, NO]]
    assert sparse_distances(zero).matrix[0].tolist() == [0, 0, 3, NO]


REFUSED = [
    pytest.param([1.0, 1.0], [0, 0], [1, 1], r"\(0, 1\) is stored twice", id="duplicates"),
    pytest.param([1.0, 2.0], [0, 1], [1, 0], r"\(0, 1\) differs from its mirror image", id="asymmetric"),
    pytest.param([1.0, 1.0, 1.0], [0, 1, 0], [1, 0, 2], r"\(0, 2\) has no mirror image", id="neighbours of one side"),
    pytest.param([1.0, 1.0], [0, 2], [1, 1], r"\(0, 1\) has no mirror image", id="two sides, no pair"),
    pytest.param([math.nan], [0], [1], "is NaN", id="NaN"),
    pytest.param([-1.0], [0], [1], "is negative", id="negative"),
    pytest.param([1.0, 0.5], [0, 1], [1, 1], r"\(1, 1\) lies on the diagonal", id="far from itself"),
    pytest.param([1j], [0], [1], "dtype complex", id="complex"),
]


@pytest.mark.parametrize(("values", "row", "column", "words"), REFUSED)
def test_a_sparse_matrix_that_is_no_distances_is_refused_with_its_place(values, row, column, words) -> None:
    with pytest.raises(BadInput, match=words):
        persistence(distances=sparse.coo_array((values, (row, column)), shape=(3, 3)))


def test_blocks_and_oblong_matrices_are_refused() -> None:
    with pytest.raises(BadInput, match="blocks"):
        persistence(distances=sparse.bsr_array(SQUARE))
    with pytest.raises(BadInput, match="shape"):
        persistence(distances=sparse.coo_array((3, 4)))


def test_a_large_sparse_matrix_is_never_made_whole() -> None:
    n_points = 60_000  # a cycle: 29 GB as a matrix
    ring = np.arange(n_points)
    lengths = np.random.default_rng(0).permutation(n_points) + 1.0
    given = sparse.coo_array((lengths, (ring, (ring + 1) % n_points)), shape=(n_points, n_points))
    given = given.maximum(given.T)
    diagram = persistence(distances=given)
    assert diagram.in_dimension(1).tolist() == [[n_points, NO]]
    assert np.array_equal(diagram.in_dimension(0)[:-1, 1], np.arange(1.0, n_points))
    half = persistence(distances=given, threshold=n_points / 2)
    assert (half.betti(n_points / 2), half.threshold) == ((n_points // 2, 0), n_points / 2)


@pytest.mark.parametrize("seed", range(3))
def test_the_edges_alone_give_the_bars_of_the_matrix(seed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    matrix = squareform(pdist(np.random.default_rng(seed).random((40, 2))))
    matrix[matrix > 0.5] = NO
    wanted = persistence(distances=matrix, max_dimension=2)
    monkeypatch.setattr("toriwork.topology.rips_family._FEW_POINTS", 1)
    found = persistence(distances=edges_of(matrix), max_dimension=2)
    assert found.provenance.reason == "the edges alone, collapsed"
    assert found.pairs.tolist() == wanted.pairs.tolist()


# ---- rounding --------------------------------------------------------------------------------------------------------


def test_correlations_are_taken_as_they_come() -> None:
    series = np.random.default_rng(5).standard_normal((12, 40)).cumsum(axis=1)
    series[3] = 2.0 * series[2]  # distance 0 up to rounding, on either side
    given = 1 - np.corrcoef(series)
    given[5, 5], given[2, 3], given[0, 1] = 2.2e-16, -2.2e-16, given[0, 1] * (1 + 1e-15)
    found = check_distances(given)
    assert not found.diagonal().any()
    assert np.array_equal(found, found.T)
    assert found.min() == 0.0
    assert np.abs(found - given).max() < 1e-14
    assert found[0, 1] == found[1, 0] == max(given[0, 1], given[1, 0])
    assert len(persistence(distances=given).in_dimension(0)) in (11, 12)
    assert len(persistence(distances=1 - np.corrcoef(series.astype(np.float32), dtype=np.float32)).in_dimension(0)) > 9


def test_series_that_are_all_alike_are_one_place() -> None:
    alike = np.outer([1.0, 2.0, 3.0, 7.0], np.random.default_rng(0).random(9))
    given = 1 - np.corrcoef(alike)
    given[0, 0] = -2.2e-16
    assert np.abs(check_distances(given)).max() < 1e-15


@pytest.mark.parametrize(
    "given",
    [
        [[0, 1], [1 + 1e-9, 0]],
        [[1e-9, 1], [1, 0]],
        [[0, -1e-9, 1], [-1e-9, 0, 1], [1, 1, 0]],
        [[0, 1e-300], [2e-300, 0]],
        [[0, NO], [1, 0]],
        np.array([[0, 1], [1.001, 0]], dtype=np.float32),
    ],
)
def test_more_than_rounding_is_refused(given: Any) -> None:
    with pytest.raises(BadInput):
        persistence(distances=given)


def test_an_estimate_takes_the_same_forms() -> None:
    wanted = work_estimate_of(distances=SQUARE)
    assert work_estimate_of(distances=pdist(POINTS)).seconds == wanted.seconds
    assert work_estimate_of(distances=edges_of(SQUARE)).seconds == wanted.seconds


@pytest.mark.parametrize("filtration", ["rips", "dtm", "landmark", "h0"])
def test_a_matrix_in_any_order_of_its_entries_is_read_and_not_changed(filtration: str) -> None:
    cloud = np.random.default_rng(0).random((25, 2))
    matrix = squareform(pdist(cloud))
    kept, found = matrix.copy(), persistence(distances=pdist(cloud), filtration=filtration)
    spread = np.kron(matrix, np.ones((2, 2)))[::2, ::2]
    for form in (matrix, np.asfortranarray(matrix), matrix.astype(">f8"), spread):
        form.setflags(write=False)
        assert persistence(distances=form, filtration=filtration) == found
    assert np.array_equal(matrix, kept)
