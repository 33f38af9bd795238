"""A landscape's layers are the largest, second largest, ... of the tents, at every scale that is drawn."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toriwork.errors import BadInput
from toriwork.plots import describe_landscape, plot_landscape
from toriwork.topology import Diagram

INF = float("inf")


def of_loops(*bars: tuple[float, float]) -> Diagram:
    return Diagram(pairs=np.array([[1, *bar] for bar in bars]).reshape(-1, 3), max_dimension=1)


def texts(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(1, 9)), max_size=12))
def test_each_line_is_the_tent_of_its_rank_at_every_scale(bars: list[tuple[int, int]]) -> None:
    bars = [(birth, birth + length) for birth, length in bars]
    axes = plot_landscape(of_loops(*bars), ax=Figure().add_subplot(), n_layers=3)
    for rank, line in enumerate(axes.get_lines()):
        for t, height in zip(*line.get_data(), strict=True):
            tents = sorted((max(0.0, min(t - birth, death - t)) for birth, death in bars), reverse=True)
            assert height == pytest.approx(tents[rank], abs=1e-12)


def test_no_line_is_drawn_for_a_layer_that_is_zero_everywhere(axes: Axes) -> None:
    plot_landscape(of_loops((0.0, 1.0), (2.0, 3.0)), ax=axes)
    assert len(axes.get_lines()) == 1, "the two bars are never alive together"


def test_the_top_of_the_longest_bar_is_met_exactly(axes: Axes) -> None:
    plot_landscape(of_loops((0.1, 0.83), (0.2, 0.25)), ax=axes)
    assert axes.get_lines()[0].get_ydata().max() == pytest.approx((0.83 - 0.1) / 2, abs=1e-15)


def test_the_legend_lies_above_the_tops(axes: Axes) -> None:
    plot_landscape(of_loops((0.0, 1.0), (0.1, 0.9)), ax=axes)
    assert axes.get_ylim()[1] >= 1.15 * 0.5
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["layer 1", "2"]


def test_essential_bars_and_lower_layers_are_counted_in_picture_and_words(axes: Axes) -> None:
    given_bars = of_loops(*[(0.0, 1.0 + i) for i in range(4)], (0.5, INF))
    plot_landscape(given_bars, ax=axes, n_layers=2)
    assert texts(axes) == ["not shown: 1 essential bar, 2 lower layers"]
    assert "Not shown: 1 essential bar, 2 lower layers." in describe_landscape(given_bars, n_layers=2).sentence


def test_the_words_tell_top_and_area_of_each_layer() -> None:
    text = describe_landscape(of_loops((0.0, 2.0), (0.5, 1.5)))
    assert text.rows == (("1", "1", "1", "1"), ("2", "0.5", "1", "0.25"))
    assert text.sentence.startswith("Persistence landscape of 2 bars of H1 (rips, scale = diameter, Z/2): 2 layers.")


def test_a_diagram_without_a_bar_that_ends_says_so(empty_diagram: Diagram, axes: Axes) -> None:
    plot_landscape(empty_diagram, ax=axes)
    assert texts(axes) == ["no bar that ends"]
    assert describe_landscape(empty_diagram).rows == ()


def test_a_cut_diagram_and_a_dimension_that_was_not_computed_are_refused(cut_diagram: Diagram, axes: Axes) -> None:
    with pytest.raises(BadInput, match="one cut at"):
        plot_landscape(cut_diagram, ax=axes)
    with pytest.raises(BadInput, match="0 to 1 was computed"):
        plot_landscape(of_loops((0, 1)), ax=axes, dimension=2)
