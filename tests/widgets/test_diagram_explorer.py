"""The explorer in a notebook: it follows the slider, a still picture beside it, nothing left behind."""

from __future__ import annotations

import io
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
from toriwork.widgets.base import VIEW, _next_id

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


@pytest.fixture
def explorer() -> Iterator[DiagramExplorer]:
    with DiagramExplorer(SQUARE, scale=1.2) as made:
        yield made


def parts(explorer: DiagramExplorer) -> tuple[Any, Any, Any, Any, Any]:
    """Slider, button back, button on, image, text."""
    controls, image, text = explorer.widget.children
    return (*controls.children, image, text)


def pixels(png: bytes) -> np.ndarray:
    return imread(io.BytesIO(png), format="png")


def test_moving_the_slider_moves_state_picture_and_words(explorer: DiagramExplorer) -> None:
    slider, _, _, image, text = parts(explorer)
    before = image.value
    slider.value = 0.5
    assert explorer.state.scale == 0.5
    assert image.value != before
    assert "At scale 0.5 (diameter): Betti numbers H0 4, H1 0." in text.value


def test_a_message_of_the_browser_moves_it_too(explorer: DiagramExplorer) -> None:
    slider, *_, text = parts(explorer)
    update = {"method": "update", "state": {"value": 1.1}, "buffer_paths": []}
    slider._handle_msg({"content": {"data": update}, "buffers": []})
    assert explorer.state.scale == 1.1
    assert "At scale 1.1" in text.value


def test_the_buttons_go_from_event_to_event(explorer: DiagramExplorer) -> None:
    slider, before, after, *_ = parts(explorer)
    before.click()
    assert slider.value == explorer.state.scale == 1.0
    after.click()
    assert slider.value == explorer.state.scale == pytest.approx(2**0.5)


def test_everything_has_a_name_and_an_explanation(explorer: DiagramExplorer) -> None:
    slider, before, after, _, text = parts(explorer)
    assert slider.description == "Scale (diameter)"
    assert all(part.tooltip for part in (slider, before, after))
    assert 'role="status" aria-live="polite"' in text.value


def test_the_picture_changes_in_each_of_the_four_panels() -> None:
    with DiagramExplorer(SQUARE) as made:
        early, late = (pixels(made._view.png(made.state.move_to(r), made.state.text)) for r in (0.2, 1.3))
    changed = (early != late).any(axis=2)
    height, width = changed.shape
    quarters = [
        changed[rows, columns]
        for rows in (slice(40, height // 2), slice(height // 2, None))
        for columns in (slice(None, width // 2), slice(width // 2, None))
    ]
    assert [bool(quarter.any()) for quarter in quarters] == [True] * 4


def test_going_away_and_back_gives_the_same_picture(explorer: DiagramExplorer) -> None:
    first = explorer.png()
    explorer.state.move_to(0.3)
    assert explorer.png() != first
    explorer.state.move_to(1.2)
    assert explorer.png() == first


def test_the_bundle_holds_the_view_a_picture_and_words(explorer: DiagramExplorer) -> None:
    bundle = explorer._repr_mimebundle_()
    assert set(bundle) == {VIEW, "image/png", "text/plain"}
    assert bundle[VIEW]["model_id"] == explorer.widget.model_id
    assert bundle["image/png"].startswith(b"\x89PNG")
    assert bundle["text/plain"].startswith("DiagramExplorer: At scale 1.2")
    assert set(explorer._repr_mimebundle_(exclude={VIEW})) == {"image/png", "text/plain"}


def test_a_notebook_gets_the_live_view_and_a_still_one_that_needs_no_kernel(
    explorer: DiagramExplorer, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.publish_display_data", shown.append)
    explorer._ipython_display_()
    live, still = shown
    assert set(live) == {VIEW, "text/plain"}
    assert set(still) == {"text/html", "text/plain"}
    assert 'alt="At scale 1.2' in still["text/html"]
    assert "data:image/png;base64," in still["text/html"]
    assert "<table>" in still["text/html"]


def test_once_closed_it_shows_its_still_picture_and_no_view(monkeypatch: pytest.MonkeyPatch) -> None:
    explorer = DiagramExplorer(SQUARE, scale=1.2)
    assert isinstance(explorer.widget, ipywidgets.VBox)
    explorer.close()
    shown: list[dict[str, Any]] = []
    monkeypatch.setattr("IPython.display.publish_display_data", shown.append)
    explorer._ipython_display_()
    assert [set(bundle) for bundle in shown] == [{"text/html", "text/plain"}]
    assert VIEW not in explorer._repr_mimebundle_()
    with pytest.raises(Closed, match="it was closed"):
        _ = explorer.widget
    explorer.close()


def test_no_widget_is_made_before_it_is_asked_for() -> None:
    before = len(registry._instances)
    explorer = DiagramExplorer(SQUARE)
    explorer.to_html()
    assert len(registry._instances) == before
    explorer.close()


def test_two_widgets_have_two_ids_of_32_hex_digits() -> None:
    ids = {_next_id("DiagramExplorer") for _ in range(2)}
    assert len(ids) == 2
    assert all(len(name) == 32 and int(name, 16) >= 0 for name in ids)


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
        slider, *_, image, text = parts(explorer)
        slider.value = slider.max
        assert bytes(image.value).startswith(b"\x89PNG")
        assert "Betti numbers" in text.value
        assert pixels(explorer.png()).std() > 0
