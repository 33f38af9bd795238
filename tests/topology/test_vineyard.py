"""Classes followed through a series of diagrams: by matching bars, not by counting them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import linear_sum_assignment

from toriwork.errors import BadInput
from toriwork.topology import Diagram, Vine, Vineyard, persistence, vineyard_of, wasserstein
from toriwork.topology.vineyard import Trellis, match

INF = math.inf


def bars(max_size):
    return st.lists(st.tuples(st.floats(0, 4), st.floats(0.01, 4)), max_size=max_size).map(
        lambda rows: np.array([(birth, birth + length) for birth, length in rows]).reshape(-1, 2)
    )


def loops(*rows, max_dimension=1, **options):
    """A diagram with these bars in H1."""
    return Diagram([(1, birth, death) for birth, death in rows], max_dimension, **options)


def cost(before, after, pairs):
    """Squared 2-Wasserstein cost of a partial matching."""
    moved = sum(float(((before[i] - after[j]) ** 2).sum()) for i, j in pairs)
    here, there = {i for i, _ in pairs}, {j for _, j in pairs}
    left = [bar for i, bar in enumerate(before) if i not in here]
    left += [bar for j, bar in enumerate(after) if j not in there]
    return moved + sum((bar[1] - bar[0]) ** 2 / 2 for bar in left)


def cheapest(before, after):
    """The slow twin: every partial matching there is."""
    return min(
        cost(before, after, list(zip(rows, columns, strict=True)))
        for size in range(min(len(before), len(after)) + 1)
        for rows in itertools.combinations(range(len(before)), size)
        for columns in itertools.permutations(range(len(after)), size)
    )


def textbook_cost(before, after):
    """scipy's assignment on the full matrix: a diagonal place for every bar."""
    n, m = len(before), len(after)
    matrix = np.zeros((n + m, n + m))
    matrix[:n, :m] = ((before[:, None, :] - after[None, :, :]) ** 2).sum(axis=2)
    matrix[:n, m:] = ((before[:, 1] - before[:, 0]) ** 2 / 2)[:, None]
    matrix[n:, :m] = ((after[:, 1] - after[:, 0]) ** 2 / 2)[None, :]
    return float(matrix[linear_sum_assignment(matrix)].sum())


# ---- the matching ------------------------------------------------------------------------------------------------


@given(bars(4), bars(4))
def test_no_matching_is_cheaper(before, after):
    pairs = match(before, after)
    assert cost(before, after, pairs) == pytest.approx(cheapest(before, after), abs=1e-9)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)


@given(bars(25), bars(25))
def test_the_small_matrix_has_the_answer_of_the_textbooks(before, after):
    total = cost(before, after, match(before, after))
    assert total == pytest.approx(textbook_cost(before, after), abs=1e-9)
    assert math.sqrt(total) == pytest.approx(wasserstein(loops(*before), loops(*after), internal_p=2), abs=1e-6)


@pytest.mark.parametrize("factor", [1e-200, 1.0, 1e200])
def test_a_matching_does_not_depend_on_the_unit(factor):
    before, after = np.array([[1.0, 3.0], [1.0, 1.1]]) * factor, np.array([[5.0, 5.1], [1.1, 2.9]]) * factor
    assert match(before, after) == [(0, 1)]


def test_what_moves_further_than_to_the_diagonal_is_not_matched():
    assert match(np.array([[0.0, 1.0]]), np.array([[0.0, 2.0]])) == [(0, 0)]
    assert match(np.array([[0.0, 1.0]]), np.array([[1.0, 2.0]])) == []
    assert match(np.empty((0, 2)), np.array([[1.0, 2.0]])) == []


# ---- vines -------------------------------------------------------------------------------------------------------


def test_a_class_that_is_swapped_for_another_is_two_vines():
    found = vineyard_of([loops((0, 1)), loops((0.1, 1.1)), loops((5, 6)), loops((5, 6.5))])
    assert [(vine.dimension, vine.entry, vine.exit) for vine in found.vines] == [(1, 0, 2), (1, 2, 4)]
    first = found.vines[0]
    assert (first.times.tolist(), first.births.tolist(), first.deaths.tolist()) == ([0, 1], [0, 0.1], [1, 1.1])
    assert first.times.dtype == np.int64
    assert first.persistence.tolist() == [1, 1]
    assert (found.n_times, found.scale, found.left_out, len(found)) == (4, "diameter", 0, 2)


def test_crossing_vines_keep_their_own_way():
    steps = np.linspace(0, 1, 11)
    found = vineyard_of([loops((s, 3 + s), (1 - s, 5 - 2 * s)) for s in steps])
    assert len(found) == 2
    longer, shorter = found.vines
    np.testing.assert_allclose(longer.births, 1 - steps)
    np.testing.assert_allclose(shorter.births, steps)


def test_essential_classes_are_followed_by_themselves():
    series = [np.array([[0.0], [1.0], [9.0 + k]]) for k in range(3)]
    found = vineyard_of([persistence(cloud, max_dimension=0) for cloud in series])
    (whole,) = [vine for vine in found.vines if vine.essential]
    assert (whole.dimension, whole.entry, whole.exit, whole.deaths.tolist()) == (0, 0, 3, [INF] * 3)
    assert [vine.deaths.tolist() for vine in found.vines if not vine.essential] == [[8, 9, 10], [1, 1, 1]]


def test_a_step_without_a_diagram_ends_every_vine():
    found = vineyard_of(iter([loops((0, 1)), None, loops((0, 1))]))
    assert [(vine.entry, vine.exit) for vine in found.vines] == [(0, 1), (2, 3)]
    assert found.n_times == 3


def test_dimensions_can_be_chosen():
    diagram = persistence(np.random.default_rng(0).normal(size=(30, 2)), max_dimension=1)
    assert {vine.dimension for vine in vineyard_of([diagram]).vines} == {0, 1}
    found = vineyard_of([diagram], dimensions=[1])
    assert len(found.in_dimension(1)) == len(found) == len(diagram.in_dimension(1))
    assert found.in_dimension(0) == ()


def test_nothing_has_no_vines():
    assert (vineyard_of([]).vines, vineyard_of([]).n_times) == ((), 0)
    assert len(vineyard_of([loops()])) == 0


def test_the_longest_bars_are_followed_and_the_rest_is_counted():
    found = vineyard_of([loops((0, 1), (0, 3), (0, 2))] * 2, max_bars=2)
    assert [vine.deaths.tolist() for vine in found.vines] == [[3, 3], [2, 2]]
    assert found.left_out == 2
    assert "2 short ones left out" in repr(found)


def test_a_long_series_stays_bounded():
    trellis = Trellis(max_vines=5)
    for step in range(100):  # each loop is far from the one before: a vine a step
        trellis.add(loops((10.0 * (step % 2), 10.0 * (step % 2) + 1 + step / 100), (50, 60)))
        assert len(trellis._vines) <= 2 * 5 + 3
    found = trellis.vineyard()
    assert (len(found), found.left_out) == (5 + 2, 100 - 6)
    assert [vine.entry for vine in found.vines] == [0, 94, 95, 96, 97, 98, 99]
    assert found.vines[0].exit == 100


@pytest.mark.parametrize(
    "second", [loops((0, 1), scale="radius"), loops((0, 1), field=3), loops((0, 1), threshold=4.0)]
)
def test_diagrams_that_do_not_mean_the_same_are_refused_by_index(second):
    with pytest.raises(BadInput, match="diagram 1 of the series"):
        vineyard_of([loops((0, 1)), second])


def test_vines_are_values():
    vine = Vine(1, [3, 4], [0, 0], [1, 2])
    with pytest.raises(ValueError, match="read-only"):
        vine.births[0] = 7
    with pytest.raises(BadInput, match="one length"):
        Vine(1, [3, 4], [0], [1, 2])
    with pytest.raises(BadInput):
        Vine(1, [], [], [])
    assert len(Vineyard((vine,), 5, "radius")) == 1
