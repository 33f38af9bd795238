"""A diagram that exists is valid, counts by the definitions, and is equal by content."""

from __future__ import annotations

import copy
import dataclasses
import math
import pickle
from collections.abc import Callable

import numpy as np
import pytest

from tests.topology import oracles
from tests.topology.clouds import circle
from toriwork.errors import BadInput
from toriwork.topology import Diagram, persistence

INF = math.inf
PAIRS = [[1, 0.5, 2.0], [0, 0.0, INF], [0, 0.0, 1.0], [1, 1.0, 1.5], [0, 0.0, 0.0]]


def diagram(**changes: object) -> Diagram:
    return Diagram(**{"pairs": PAIRS, "max_dimension": 2, **changes})


def test_pairs_are_sorted_and_zero_length_ones_dropped() -> None:
    assert diagram().pairs.tolist() == [[0, 0, 1], [0, 0, INF], [1, 0.5, 2], [1, 1, 1.5]]
    assert len(diagram()) == 4


def test_arrays_are_copies_and_read_only() -> None:
    given = np.array(PAIRS)
    made = diagram(pairs=given)
    given[:] = 7
    assert made == diagram()
    for array in (made.pairs, made.censored, made.in_dimension(1)):
        with pytest.raises(ValueError, match="read-only"):
            array[0] = 1
    with pytest.raises(dataclasses.FrozenInstanceError):
        made.field = 3  # type: ignore[misc]


@pytest.mark.parametrize(
    "again", [copy.copy, copy.deepcopy, lambda made: pickle.loads(pickle.dumps(made))], ids=["copy", "deep", "pickle"]
)
def test_copies_are_the_same_diagram_and_read_only(again: Callable[[Diagram], Diagram]) -> None:
    """What comes back from another process is pickled."""
    first = persistence(np.eye(4), threshold=1.0)
    made = again(first)
    assert (made, made.content_id, made.provenance) == (first, first.content_id, first.provenance)
    assert not made.pairs.flags.writeable
    assert not made.censored.flags.writeable


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        pytest.param({"pairs": [[0, 1.0, 0.5]]}, "row 0: dies before", id="dies before it is born"),
        pytest.param({"pairs": [[0, 0, 1], [0, math.nan, 1.0]]}, "row 1: its birth", id="NaN birth"),
        pytest.param({"pairs": [[0, 0.0, math.nan]]}, "row 0", id="NaN death"),
        pytest.param({"pairs": [[0, -INF, 1.0]]}, "row 0", id="infinite birth"),
        pytest.param({"pairs": [[3, 0.0, 1.0]]}, "none of 0 to 2", id="dimension too high"),
        pytest.param({"pairs": [[0.5, 0.0, 1.0]]}, "none of 0 to 2", id="dimension not whole"),
        pytest.param({"pairs": [[0, 1]]}, "shape", id="two columns"),
        pytest.param({"scale": "squared radius"}, "scale", id="unknown scale"),
        pytest.param({"censored": [True]}, "censored", id="flags of another length"),
        pytest.param({"pairs": [[0, 0, 1.0]], "censored": [True]}, "row 0: is censored", id="cut, and ends"),
        pytest.param({"pairs": "bars"}, "real numbers", id="a text"),
        pytest.param({"max_dimension": 2.5}, "max_dimension", id="a half dimension"),
        pytest.param({"max_dimension": -1, "pairs": []}, "max_dimension", id="no dimension at all"),
        pytest.param({"field": "2"}, "field", id="a text for a prime"),
        pytest.param({"field": 0}, "field", id="no field"),
        pytest.param({"threshold": math.nan}, "threshold", id="NaN for a threshold"),
        pytest.param({"min_persistence": -1.0}, "min_persistence", id="negative persistence"),
    ],
)
def test_an_invalid_diagram_cannot_be_made(changes: dict[str, object], word: str) -> None:
    with pytest.raises(BadInput, match=word):
        diagram(**changes)


def test_betti_counts_bars_from_birth_up_to_but_not_at_death() -> None:
    made = diagram()
    assert made.betti(-1.0) == (0, 0, 0)
    assert made.betti(0.0) == (2, 0, 0)
    assert made.betti(0.5) == (2, 1, 0)
    assert made.betti(1.0) == (1, 2, 0)
    assert made.betti(1.5) == (1, 1, 0)
    assert made.betti(2.0) == (1, 0, 0)


def test_persistent_betti_counts_what_lives_through_an_interval() -> None:
    made = diagram()
    assert made.persistent_betti(0.5, 1.0) == (1, 1, 0)
    assert made.persistent_betti(1.0, 1.5) == (1, 1, 0)
    with pytest.raises(BadInput, match="r <= s"):
        made.persistent_betti(1.0, 0.5)


def test_the_betti_curve_is_betti_at_each_scale() -> None:
    made = persistence(circle(40, 0.1), max_dimension=1)
    grid = np.concatenate([made.pairs[:, 1], made.pairs[:, 2][np.isfinite(made.pairs[:, 2])], np.linspace(-1, 3, 50)])
    for k in (0, 1):
        curve = made.betti_curve(k, grid)
        assert curve.dtype == np.int64
        assert curve.tolist() == [oracles.betti_at(made.pairs, r, 1)[k] for r in grid]


def test_persistence_is_death_minus_birth() -> None:
    assert diagram().persistence(0).tolist() == [1.0, INF]
    assert diagram().persistence(2).tolist() == []
    with pytest.raises(BadInput, match="0 to 2"):
        diagram().in_dimension(3)


def test_nothing_is_said_beyond_the_cut() -> None:
    cut = persistence(circle(30), threshold=0.2)
    assert cut.threshold == 0.2
    assert cut.censored.any()
    assert cut.betti(0.2)[0] >= 1
    with pytest.raises(BadInput, match="beyond"):
        cut.betti(0.21)
    with pytest.raises(BadInput, match="beyond"):
        cut.betti_curve(0, [0.1, 0.3])
    for scale in (math.nan, INF):
        with pytest.raises(BadInput, match="finite"):
            cut.betti(scale)


def test_a_threshold_that_cuts_nothing_leaves_a_complete_diagram() -> None:
    points = circle(30)
    assert persistence(points, threshold=2.0) == persistence(points)
    assert not persistence(points, threshold=2.0).censored.any()


def test_min_persistence_drops_bars_and_is_remembered() -> None:
    points = circle(30, 0.1)
    thinned = persistence(points, min_persistence=0.3)
    assert (thinned.pairs[:, 2] - thinned.pairs[:, 1] > 0.3).all()
    assert thinned.min_persistence == 0.3
    assert thinned != persistence(points)


def test_equality_is_by_content_and_ignores_provenance() -> None:
    points = circle(30, 0.1)
    one, other = persistence(points, engine="gudhi"), persistence(points[::-1], engine="simple")
    assert one.provenance != other.provenance
    assert one == other
    assert hash(one) == hash(other)
    assert one.content_id == other.content_id
    assert one != "diagram"


@pytest.mark.parametrize(
    "changes",
    [
        {"scale": "radius"},
        {"field": 3},
        {"filtration": "alpha"},
        {"max_dimension": 3},
        {"threshold": 5.0},
        {"min_persistence": 0.1},
        {"censored": [False, True, False, False, False]},
        {"pairs": PAIRS[:-2]},
    ],
    ids=str,
)
def test_any_difference_of_bars_or_convention_makes_another_diagram(changes: dict[str, object]) -> None:
    assert diagram(**changes) != diagram()
    assert diagram(**changes).content_id != diagram().content_id


def test_minus_zero_is_zero() -> None:
    assert Diagram([[0, -0.0, 1.0]], 0).content_id == Diagram([[0, 0.0, 1.0]], 0).content_id


def test_a_diagram_survives_pickle_and_copy() -> None:
    made = persistence(circle(30, 0.1), threshold=0.4)
    for again in (pickle.loads(pickle.dumps(made)), copy.copy(made), copy.deepcopy(made)):
        assert again == made
        assert again.provenance == made.provenance


def test_text_and_html_state_the_same_facts() -> None:
    made = persistence(circle(30, 0.05), threshold=0.4)
    text, page = repr(made), made._repr_html_()
    for fact in ("30 points", "scale = diameter", "Z/2", "cut at 0.4", "censored"):
        assert fact in text
        assert fact in page
    assert "<script" not in page
    assert "H1" in repr(diagram())
    assert "0 points" in repr(persistence(np.empty((0, 2))))
