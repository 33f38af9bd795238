"""Where an explorer stands is a plain object: it moves, it tells, and it needs no widget."""

from __future__ import annotations

import math
import subprocess
import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.errors import BadInput
from toriwork.topology import Diagram, persistence
from toriwork.widgets import ExplorerState

INF = float("inf")
SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def test_it_begins_in_the_middle_of_the_longest_loop() -> None:
    state = ExplorerState(SQUARE)
    assert state.scale == pytest.approx((1 + 2**0.5) / 2)
    assert state.moment.n_edges == 4
    assert state.moment.n_triangles == 0


def test_without_a_loop_it_begins_in_the_middle_of_the_range() -> None:
    state = ExplorerState(np.array([[0.0], [2.0]]))
    assert state.scale == pytest.approx((state.low + state.high) / 2)


def test_it_stays_within_the_range() -> None:
    state = ExplorerState(SQUARE)
    assert state.move_to(-5.0).scale == state.scale == state.low == 0.0
    assert state.move_to(99.0).scale == state.scale == state.high > 2**0.5


@pytest.mark.parametrize("scale", [INF, -INF, float("nan")])
def test_a_scale_that_is_no_number_is_refused_and_changes_nothing(scale: float) -> None:
    state = ExplorerState(SQUARE, scale=0.5)
    with pytest.raises(BadInput, match="finite"):
        state.move_to(scale)
    assert state.scale == 0.5


def test_the_words_tell_the_betti_numbers_at_the_scale() -> None:
    state = ExplorerState(SQUARE, scale=1.2)
    assert state.text.sentence == (
        "At scale 1.2 (diameter): Betti numbers H0 1, H1 1. The complex has 4 edges and no triangles."
    )
    assert state.text.rows == (("H0", "1", "0", "∞"), ("H1", "1", "1", "1.41"))
    state.move_to(0.5)
    assert state.text.rows == (("H0", "4", "0", "∞"), ("H1", "0", "–", "–"))


WALKED = ExplorerState(SQUARE)


@given(st.floats(0, 2))
def test_its_numbers_are_those_of_the_diagram_at_every_scale(scale: float) -> None:
    state = WALKED
    moment = state.move_to(scale)
    assert tuple(int(row[1]) for row in state.text.rows) == state.diagram.betti(moment.scale)


def test_the_events_are_walked_through_in_order_and_back() -> None:
    state = ExplorerState(SQUARE, scale=0.0)
    passed = []
    while state.scale < state.high:
        passed.append(state.move_to(state.event_after()).scale)
    assert passed == pytest.approx([1.0, 2**0.5, state.high])
    back = []
    while state.scale > state.low:
        back.append(state.move_to(state.event_before()).scale)
    assert back == pytest.approx([2**0.5, 1.0, 0.0])


def test_a_bar_is_chosen_by_its_row_and_told() -> None:
    state = ExplorerState(SQUARE, scale=1.2)
    found = state.choose(1, 0)
    assert state.highlight == (found,)
    assert sorted(found.points) == [0, 1, 2, 3]
    assert state.text.sentence.endswith("Highlighted: a class of H1, loop through 4 edges, born at 1, dies at 1.41.")


def test_a_bar_that_cannot_be_shown_is_refused_and_none_stays_highlighted() -> None:
    state = ExplorerState(SQUARE)
    state.choose(1, 0)
    with pytest.raises(BadInput, match="rows of the 1 bars of H1, got 1"):
        state.choose(1, 1)
    assert state.highlight == ()
    with pytest.raises(BadInput, match="got a diagram alone"):
        ExplorerState(persistence(SQUARE)).choose(1, 0)


def test_points_are_selected_once_each_and_in_order() -> None:
    state = ExplorerState(SQUARE)
    state.select([3, 0, 3])
    assert state.selection.tolist() == [0, 3]
    state.select([])
    assert state.selection.tolist() == []


@pytest.mark.parametrize("wrong", [[4], [-1, 2]])
def test_what_is_no_point_is_not_selected(wrong: list[int]) -> None:
    state = ExplorerState(SQUARE)
    with pytest.raises(BadInput, match="expected indices of 4 points"):
        state.select(wrong)
    assert len(state.selection) == 0


def test_a_diagram_alone_has_no_complex() -> None:
    state = ExplorerState(persistence(SQUARE), scale=1.2)
    assert state.points is None
    assert not state.moment.drawable
    assert "complex" not in state.text.sentence


def test_the_complex_of_another_filtration_is_not_invented() -> None:
    state = ExplorerState(SQUARE, diagram=persistence(SQUARE, filtration="alpha"))
    assert not state.moment.drawable
    assert "(radius)" in state.text.sentence


def test_a_cut_diagram_is_walked_up_to_the_cut() -> None:
    state = ExplorerState(SQUARE, diagram=persistence(SQUARE, threshold=0.9))
    assert state.high <= 0.9
    assert state.move_to(99.0).scale == state.high


def test_negative_values_are_within_reach() -> None:
    state = ExplorerState(persistence(np.array([3.0, -2.0, 1.0, -1.0]), filtration="lower_star"))
    assert state.move_to(-99.0).scale == state.low == -2.0
    assert state.diagram.betti(state.low)[0] == 1


@pytest.mark.parametrize("data", [np.zeros((0, 2)), np.zeros((1, 3)), Diagram(np.zeros((0, 3)), max_dimension=1)])
def test_nothing_and_a_single_point_can_be_explored(data: object) -> None:
    state = ExplorerState(data)
    assert state.low <= state.scale <= state.high
    assert state.event_after() == state.high


@pytest.mark.parametrize(
    ("data", "options", "words"),
    [
        pytest.param(persistence(SQUARE), {"diagram": persistence(SQUARE)}, "got two", id="two-diagrams"),
        pytest.param(SQUARE[:3], {"diagram": persistence(SQUARE)}, "expected one of the 3 points", id="another-cloud"),
        pytest.param([[0.0, float("nan")]], {}, "row 0 is not finite", id="not-finite"),
        pytest.param(SQUARE, {"scale": INF}, "finite", id="endless-scale"),
    ],
)
def test_what_cannot_be_explored_is_refused(data: object, options: dict, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        ExplorerState(data, **options)


def test_no_state_loads_ipywidgets_or_matplotlib_and_no_picture_loads_pyplot() -> None:
    code = (
        "import sys, numpy as np\n"
        "from toriwork import ChaosChannelController, ObserverSynthesis, TorusRegistry\n"
        "from toriwork.widgets import BrowserState, ContextState, DiagramExplorer, ExplorerState, PanelState\n"
        "with TorusRegistry() as registry:\n"
        "    registry.record_shape(np.eye(3))\n"
        "    BrowserState(registry).preview\n"
        "ExplorerState(np.eye(3)).text\n"
        "ContextState(ObserverSynthesis()).text\n"
        "PanelState(ChaosChannelController(8)).text\n"
        "assert not {'anywidget', 'ipywidgets', 'IPython', 'matplotlib'} & set(sys.modules)\n"
        "DiagramExplorer(np.eye(3)).to_html()\n"
        "assert not {'anywidget', 'ipywidgets', 'IPython', 'matplotlib.pyplot'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("points", [[1.5], [True], None, ["a"], [10**30], {1}, [[0], [0, 1]]], ids=repr)
def test_what_is_no_index_selects_nothing(points: Any) -> None:
    state = ExplorerState(np.eye(3))
    state.select([2, np.int64(0), 2])
    with pytest.raises(BadInput, match="select: expected"):
        state.select(points)
    assert state.selection.tolist() == [0, 2]
    state.select([])
    assert state.selection.tolist() == []


@pytest.mark.parametrize("scale", ["a", None, [1.0], math.nan, math.inf, 1j], ids=repr)
def test_what_is_no_scale_moves_nowhere(scale: Any) -> None:
    state = ExplorerState(np.eye(3))
    before = state.scale
    with pytest.raises(BadInput, match="scale: expected a finite number, got"):
        state.move_to(scale)
    assert state.scale == before
    assert state.move_to(10**400).scale == state.high
