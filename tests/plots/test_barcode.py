"""Barcodes show one line per bar; Betti curves are exact step functions."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from toriwork.plots import describe_barcode, describe_betti_curves, plot_barcode, plot_betti_curves
from toriwork.topology import Diagram

INF = float("inf")


def segments(axes: Axes) -> list[np.ndarray]:
    return [segment for part in axes.collections if isinstance(part, LineCollection) for segment in part.get_segments()]


def arrow_heads(axes: Axes) -> list[PathCollection]:
    return [part for part in axes.collections if isinstance(part, PathCollection)]


def test_a_barcode_has_one_line_per_bar_from_birth_to_death(diagram: Diagram, axes: Axes) -> None:
    assert plot_barcode(diagram, ax=axes) is axes
    ends = sorted((segment[0, 0], segment[1, 0]) for segment in segments(axes))
    end = max(stop for _, stop in ends)
    assert ends == sorted([(0.0, 0.1), (0.0, 0.1), (0.0, end), (0.1, 0.83), (0.2, 0.25), (0.5, end)])
    assert end > 0.83
    assert len({segment[0, 1] for segment in segments(axes)}) == len(ends), "no two bars on one height"


def test_bars_that_never_end_carry_a_filled_arrow_and_censored_ones_a_hollow_one(
    diagram: Diagram, cut_diagram: Diagram
) -> None:
    plain = plot_barcode(diagram, ax=Figure().add_subplot())
    assert [len(part.get_offsets()) for part in arrow_heads(plain)] == [1, 1]
    cut = plot_barcode(cut_diagram, ax=Figure().add_subplot())
    faces = [part.get_facecolor()[0].tolist() for part in arrow_heads(cut)]
    assert faces[1] == [1.0, 1.0, 1.0, 1.0]
    assert faces[0] != faces[1]
    assert "cut at 0.5" in [text.get_text() for text in cut.texts]


def test_the_groups_are_named_with_their_counts(diagram: Diagram, axes: Axes) -> None:
    plot_barcode(diagram, ax=axes)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["H0 (3)", "H1 (2)", "H2 (1)"]


def test_a_few_bars_beside_hundreds_have_room_of_their_own() -> None:
    points = [[0, 0.0, 0.1 + i / 1000] for i in range(300)]
    loops = [[1, 0.2, 2.0], [1, 0.2, 2.0]]
    axes = plot_barcode(Diagram(pairs=np.array([*points, *loops]), max_dimension=1), ax=Figure().add_subplot())
    heights = sorted(segment[0, 1] for segment in segments(axes))
    assert heights[-1] - heights[-2] >= 15 > heights[1] - heights[0] == 1
    assert heights[-2] > heights[-3] + 1
    assert axes.get_ylim()[1] > heights[-1]


def test_hidden_bars_are_counted_in_picture_and_words(diagram: Diagram, axes: Axes) -> None:
    plot_barcode(diagram, ax=axes, min_persistence=0.1)
    assert [text.get_text() for text in axes.texts] == ["not shown: bars up to 0.1 long (H0: 2, H1: 1)"]
    assert "Not shown: bars up to 0.1 long (H0: 2, H1: 1)." in describe_barcode(diagram, min_persistence=0.1).sentence


def test_an_empty_diagram_draws_nothing_and_says_so(empty_diagram: Diagram) -> None:
    assert segments(plot_barcode(empty_diagram, ax=Figure().add_subplot())) == []
    assert len(plot_betti_curves(empty_diagram, ax=Figure().add_subplot()).get_lines()) == 2
    assert describe_betti_curves(empty_diagram).sentence.endswith("H0: always 0. H1: always 0.")


def test_a_betti_curve_has_the_right_value_at_every_scale(diagram: Diagram, axes: Axes) -> None:
    plot_betti_curves(diagram, ax=axes)
    for k, line in enumerate(axes.get_lines()):
        assert line.get_drawstyle() == "steps-post", "a value holds from its scale on, not up to it"
        scales, numbers = line.get_data(orig=True)
        for r in np.linspace(0.0, 0.85, 200):
            drawn = np.asarray(numbers)[np.searchsorted(scales, r, side="right") - 1]
            assert drawn == diagram.betti(r)[k], (k, r)


def test_a_curve_of_a_cut_diagram_ends_at_the_cut(cut_diagram: Diagram, axes: Axes) -> None:
    plot_betti_curves(cut_diagram, ax=axes)
    assert max(float(np.max(line.get_xdata(orig=True))) for line in axes.get_lines()) <= 0.5
    assert axes.get_xlim()[1] <= 0.5


def test_the_words_of_a_curve_name_the_value_that_holds_longest(diagram: Diagram) -> None:
    text = describe_betti_curves(diagram)
    assert text.rows[0] == ("H0", "3", "1", "0.1", "0.83")
    assert text.rows[1] == ("H1", "2", "1", "0.25", "0.83")
    assert "H2: at most 1; 1 from 0.5 to 0.83." in text.sentence


@given(st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6), st.integers(1, 6), st.booleans()), max_size=25))
def test_every_bar_has_its_line(bars: list[tuple[int, int, int, bool]]) -> None:
    pairs = np.array([[k, b, INF if forever else b + length] for k, b, length, forever in bars]).reshape(-1, 3)
    axes = plot_barcode(Diagram(pairs=pairs, max_dimension=1), ax=Figure().add_subplot())
    assert len(segments(axes)) == len(bars)


def test_the_legend_of_betti_curves_lies_above_every_curve(axes: Axes) -> None:
    pairs = np.array([[k, 0.0, 1.0] for k in (0, 1, 2) for _ in range(7)])
    plot_betti_curves(Diagram(pairs=pairs, max_dimension=2), ax=axes)
    axes.figure.draw_without_rendering()
    bottom = axes.get_legend().get_window_extent().y0
    assert bottom > axes.transData.transform((0.0, 7))[1]
