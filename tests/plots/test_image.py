"""A persistence image holds the whole weight of the bars that end, and names the others."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import QuadMesh
from matplotlib.figure import Figure

from toriwork.errors import BadInput
from toriwork.plots import describe_image, plot_image
from toriwork.topology import Diagram

INF = float("inf")


def of_loops(*bars: tuple[float, float]) -> Diagram:
    return Diagram(pairs=np.array([[1, *bar] for bar in bars]).reshape(-1, 3), max_dimension=1)


def mesh(axes: Axes) -> QuadMesh:
    (found,) = (part for part in axes.collections if isinstance(part, QuadMesh))
    return found


@given(st.lists(st.tuples(st.floats(0, 9), st.floats(1, 5)), min_size=1, max_size=12))
def test_the_pixels_hold_nearly_all_the_weight(bars: list[tuple[float, float]]) -> None:
    axes = plot_image(of_loops(*[(birth, birth + length) for birth, length in bars]), ax=Figure().add_subplot())
    total = sum((birth + length) - birth for birth, length in bars)
    assert float(mesh(axes).get_array().sum()) == pytest.approx(total, rel=0.01)


def test_the_darkest_pixel_lies_where_the_heavy_bar_is(axes: Axes) -> None:
    diagram = of_loops((0.1, 0.83), (0.2, 0.25))
    plot_image(diagram, ax=axes)
    weights = np.asarray(mesh(axes).get_array())
    corners = mesh(axes).get_coordinates()
    row, column = np.unravel_index(weights.argmax(), weights.shape)
    (left, low), (right, high) = corners[row, column], corners[row + 1, column + 1]
    assert left <= 0.1 <= right
    assert low <= 0.73 <= high
    _, n_bars, birth, length, *_ = describe_image(diagram).rows[0]
    assert (n_bars, float(birth), float(length)) == ("2", pytest.approx(0.1, abs=0.01), pytest.approx(0.73, abs=0.01))


def test_essential_bars_are_counted_in_picture_and_words(axes: Axes) -> None:
    diagram = of_loops((0.0, 1.0), (0.0, INF))
    plot_image(diagram, ax=axes)
    assert [text.get_text() for text in axes.texts] == ["not shown: 1 essential bar"]
    assert "Not shown: 1 essential bar." in describe_image(diagram).sentence


def test_options_reach_the_picture_and_the_words(axes: Axes) -> None:
    options = {"n_pixels": 7, "bandwidth": 0.2, "power": 0.0}
    plot_image(of_loops((0.0, 1.0)), ax=axes, **options)
    assert np.asarray(mesh(axes).get_array()).shape == (7, 7)
    assert float(mesh(axes).get_array().sum()) == pytest.approx(1.0, rel=0.01), "power 0: every bar weighs 1"
    assert "7 by 7 pixels, bandwidth 0.2" in describe_image(of_loops((0.0, 1.0)), **options).sentence


def test_a_diagram_without_a_bar_that_ends_says_so(empty_diagram: Diagram, axes: Axes) -> None:
    plot_image(empty_diagram, ax=axes)
    assert [text.get_text() for text in axes.texts] == ["no bar that ends"]
    assert describe_image(empty_diagram).rows == (("H1", "0", "–", "–", "0", "0"),)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"n_pixels": 0}, "1 to 1000", id="no-pixels"),
        pytest.param({"bandwidth": 0.0}, "bandwidth > 0", id="no-bandwidth"),
        pytest.param({"bandwidth": INF}, "bandwidth > 0", id="endless-bandwidth"),
        pytest.param({"power": -1.0}, "power >= 0", id="negative-power"),
        pytest.param({"dimension": 5}, "0 to 1 was computed", id="unknown-dimension"),
    ],
)
def test_options_that_mean_nothing_are_refused(axes: Axes, options: dict, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        plot_image(of_loops((0.0, 1.0)), ax=axes, **options)


def test_a_cut_diagram_is_refused(cut_diagram: Diagram, axes: Axes) -> None:
    with pytest.raises(BadInput, match="one cut at"):
        plot_image(cut_diagram, ax=axes)
