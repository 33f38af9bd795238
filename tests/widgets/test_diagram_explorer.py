"""The explorer in a notebook: what the browser is sent, what it sends back, the still picture, nothing left behind."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from typing import Any

import ipywidgets
import numpy as np
import pytest
from ipywidgets.widgets import widget as registry
from matplotlib.image import imread

from toriwork.errors import Closed
from toriwork.topology import Diagram, persistence
from toriwork.widgets import DiagramExplorer
from toriwork.widgets.diagram_explorer import explorer_data

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


@pytest.fixture
def explorer() -> Iterator[DiagramExplorer]:
    with DiagramExplorer(SQUARE, scale=1.2) as made:
        yield made


def from_browser(explorer: DiagramExplorer, **state: Any) -> None:
    """A message as the browser sends it when somebody moves something."""
    update = {"method": "update", "state": state, "buffer_paths": []}
    explorer.widget._handle_msg({"content": {"data": update}, "buffers": []})


def pixels(png: bytes) -> np.ndarray:
    return imread(io.BytesIO(png), format="png")


def test_the_browser_gets_the_numbers_as_bytes_in_the_order_in_which_simplices_enter(explorer: DiagramExplorer) -> None:
    data = explorer.widget.data
    assert np.frombuffer(data["pairs"]).reshape(-1, 3).tolist() == explorer.state.diagram.pairs.tolist()
    assert np.frombuffer(data["points"]).reshape(-1, 2).tolist() == SQUARE.tolist()
    assert np.frombuffer(data["lengths"]).tolist() == pytest.approx([1.0] * 4 + [2**0.5] * 2)
    assert np.frombuffer(data["entries"]).tolist() == pytest.approx([2**0.5] * 4)
    edges = np.frombuffer(data["edges"], dtype="<u4").reshape(-1, 2)
    assert sorted(map(sorted, edges[:4].tolist())) == [[0, 1], [0, 3], [1, 2], [2, 3]]
    assert len(np.frombuffer(data["triangles"], dtype="<u4")) == 12
    assert (data["most_edges"], data["most_triangles"], data["drawable"], data["space"]) == (6, 4, True, False)


def test_a_cloud_in_space_has_three_coordinates_to_be_turned() -> None:
    cloud = np.random.default_rng(0).normal(size=(30, 5))
    with DiagramExplorer(cloud) as explorer:
        data = explorer_data(explorer.state)
        places = np.frombuffer(data["places"]).reshape(-1, 3)
        assert data["space"]
        assert np.linalg.matrix_rank(places) == 3
        assert sorted(places.var(axis=0), reverse=True) == places.var(axis=0).tolist()


def test_a_move_in_the_browser_moves_the_state_and_the_words(explorer: DiagramExplorer) -> None:
    before = explorer.png()
    from_browser(explorer, scale=0.5)
    assert explorer.state.scale == 0.5
    assert explorer.png() != before
    assert repr(explorer).startswith("DiagramExplorer: At scale 0.5 (diameter): Betti numbers H0 4, H1 0.")


def test_a_lasso_in_the_browser_is_a_selection_here(explorer: DiagramExplorer) -> None:
    assert explorer.selection.tolist() == []
    from_browser(explorer, selection=[2, 1])
    assert explorer.selection.tolist() == [1, 2]
    assert SQUARE[explorer.selection].tolist() == [[1.0, 0.0], [1.0, 1.0]]


def test_a_click_on_a_bar_is_answered_with_its_cycle(explorer: DiagramExplorer) -> None:
    from_browser(explorer, chosen=[1, 0])
    shown = explorer.widget.highlight
    assert sorted(shown["points"]) == [0, 1, 2, 3]
    assert shown["cycle"][0] == shown["cycle"][-1]
    assert len(shown["birth"]) == 2
    assert len(shown["death"]) == 3
    assert "Highlighted: a class of H1, loop through 4 edges, born at 1, dies at 1.41." in explorer.text.sentence
    from_browser(explorer, chosen=[])
    assert explorer.widget.highlight == {}
    assert "Highlighted" not in explorer.text.sentence


def test_a_click_on_a_bar_of_a_void_is_answered_with_its_surface() -> None:
    octahedron = np.vstack([np.eye(3), -np.eye(3)])
    explorer = DiagramExplorer(octahedron, max_dimension=2)
    from_browser(explorer, chosen=[2, 0])
    shown = explorer.widget.highlight
    assert (len(shown["triangles"]), len(shown["birth"]), len(shown["death"]), shown["cycle"]) == (8, 3, 4, [])
    assert shown["told"] == "Highlighted: a class of H2, void within 8 triangles, born at 1.41, dies at 2."
    explorer.close()


def test_a_bar_whose_cycle_is_not_known_is_refused_in_words() -> None:
    with DiagramExplorer(persistence(SQUARE)) as explorer:
        from_browser(explorer, chosen=[1, 0])
        assert explorer.widget.highlight == {
            "bar": [1, 0],
            "told": "Not possible: choose: expected a cloud to find the class in, got a diagram alone",
        }


def test_it_is_linked_with_other_widgets_as_any_widget_is(explorer: DiagramExplorer) -> None:
    slider = ipywidgets.FloatSlider(min=0, max=2, step=0.001)
    link = ipywidgets.link((explorer.widget, "scale"), (slider, "value"))
    from_browser(explorer, scale=0.75)
    assert slider.value == 0.75
    slider.value = 0.25
    assert explorer.state.scale == 0.25
    link.unlink()
    for part in (slider.layout, slider.style, slider):
        part.close()


def test_the_picture_changes_in_each_of_the_four_panels() -> None:
    with DiagramExplorer(SQUARE, scale=0.2) as early, DiagramExplorer(SQUARE, scale=1.3) as late:
        changed = (pixels(early.png()) != pixels(late.png())).any(axis=2)
    height, width = changed.shape
    quarters = [
        changed[rows, columns]
        for rows in (slice(40, height // 2), slice(height // 2, None))
        for columns in (slice(None, width // 2), slice(width // 2, None))
    ]
    assert [bool(quarter.any()) for quarter in quarters] == [True] * 4


def test_the_class_that_is_highlighted_is_in_the_picture(explorer: DiagramExplorer) -> None:
    plain = explorer.png()
    explorer.state.choose(1, 0)
    assert explorer.png() != plain
    explorer.state.unchoose()
    assert explorer.png() == plain


def test_the_output_is_one_still_picture_with_the_key_of_the_live_view(explorer: DiagramExplorer) -> None:
    bundle = explorer._repr_mimebundle_()
    assert set(bundle) == {"text/html", "text/plain"}
    assert bundle["text/html"].startswith(f'<toriwork-live data-key="{explorer.widget.key}" ')
    assert bundle["text/html"].count("<img ") == 1
    assert 'alt="At scale 1.2' in bundle["text/html"]
    assert "data:image/png;base64," in bundle["text/html"]
    assert "<table>" in bundle["text/html"]
    assert bundle["text/plain"].startswith("DiagramExplorer: At scale 1.2")
    assert set(explorer._repr_mimebundle_(include={"image/png", "text/plain"})) == {"image/png", "text/plain"}
    assert explorer._repr_mimebundle_(exclude={"text/html"}).keys() == {"text/plain"}


def test_once_closed_it_shows_its_still_picture_alone() -> None:
    explorer = DiagramExplorer(SQUARE, scale=1.2)
    assert isinstance(explorer.widget, ipywidgets.DOMWidget)
    explorer.close()
    assert explorer._repr_mimebundle_()["text/html"].startswith("<figure ")
    with pytest.raises(Closed, match="it was closed"):
        _ = explorer.widget
    explorer.close()


def test_no_widget_is_made_before_it_is_asked_for() -> None:
    before = len(registry._instances)
    explorer = DiagramExplorer(SQUARE)
    explorer.to_html()
    assert len(registry._instances) == before
    explorer.close()


def test_no_two_views_have_one_key() -> None:
    with DiagramExplorer(SQUARE) as one, DiagramExplorer(SQUARE) as other:
        keys = {one.widget.key, other.widget.key}
    assert len(keys) == 2
    assert all(re.fullmatch("[0-9a-f]{32}", key) for key in keys)


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(np.zeros((0, 2)), id="no-points"),
        pytest.param(np.zeros((3, 1)), id="one-place-on-a-line"),
        pytest.param(np.random.default_rng(0).normal(size=(20, 5)), id="five-coordinates"),
        pytest.param(persistence(SQUARE), id="a-diagram-alone"),
        pytest.param(Diagram(np.zeros((0, 3)), max_dimension=2), id="an-empty-diagram"),
        pytest.param(persistence(SQUARE, threshold=1.1), id="a-cut-diagram"),
    ],
)
def test_it_can_be_shown_whatever_it_is_given(data: object) -> None:
    with DiagramExplorer(data) as explorer:
        from_browser(explorer, scale=explorer.state.high)
        assert "Betti numbers" in explorer._repr_mimebundle_()["text/plain"]
        assert pixels(explorer.png()).std() > 0
