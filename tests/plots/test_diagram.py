"""A persistence diagram shows every bar, or says which it does not."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import PathCollection
from matplotlib.figure import Figure

from toriwork.errors import BadInput
from toriwork.plots import describe_diagram, plot_diagram
from toriwork.plots.diagram import stacks
from toriwork.topology import Diagram

INF = float("inf")


def drawn(axes: Axes) -> np.ndarray:
    """Every point of every scatter, in data coordinates."""
    offsets = [np.asarray(part.get_offsets()) for part in axes.collections if isinstance(part, PathCollection)]
    return np.concatenate([np.zeros((0, 2)), *(places for places in offsets if len(places))])


def infinity_of(axes: Axes) -> float:
    heights = dict(zip([label.get_text() for label in axes.get_yticklabels()], axes.get_yticks(), strict=True))
    return heights["∞"]


def texts(axes: Axes) -> str:
    return "\n".join(text.get_text() for text in axes.texts)


def test_every_distinct_bar_is_a_point_and_stacks_carry_their_count(diagram: Diagram, axes: Axes) -> None:
    assert plot_diagram(diagram, ax=axes) is axes
    finite = {(0.0, 0.1), (0.1, 0.83), (0.2, 0.25)}
    infinity = infinity_of(axes)
    assert set(map(tuple, drawn(axes).tolist())) == finite | {(0.0, infinity), (0.5, infinity)}
    assert "×2" in texts(axes)


def test_essential_classes_lie_above_every_finite_death_inside_the_frame(diagram: Diagram, axes: Axes) -> None:
    plot_diagram(diagram, ax=axes)
    assert 0.83 < infinity_of(axes) < axes.get_ylim()[1]


def test_each_dimension_has_its_own_marker_colour_and_count_in_the_legend(diagram: Diagram, axes: Axes) -> None:
    plot_diagram(diagram, ax=axes)
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names == ["H0 (3)", "H1 (2)", "H2 (1)"]
    colours = {handle.get_facecolor().tobytes() for handle in axes.get_legend().legend_handles}
    shapes = {handle.get_paths()[0].vertices.tobytes() for handle in axes.get_legend().legend_handles}
    assert len(colours) == len(shapes) == 3


def test_censored_bars_are_hollow_and_named(cut_diagram: Diagram, axes: Axes) -> None:
    plot_diagram(cut_diagram, ax=axes)
    hollow = [part for part in axes.collections if len(part.get_offsets()) and not len(part.get_facecolor())]
    assert [part.get_offsets().tolist() for part in hollow] == [[[0.3, infinity_of(axes)]]]
    legend = axes.get_legend()
    names = [text.get_text() for text in legend.get_texts()]
    assert names == ["H0 (2)", "H1 (1)", "censored (1)"]
    assert not len(legend.legend_handles[2].get_facecolor()), "the legend's marker is hollow too"
    assert "cut at 0.5" in texts(axes)


@pytest.mark.parametrize(
    ("options", "note"),
    [
        pytest.param({}, "", id="nothing-hidden-nothing-said"),
        pytest.param({"min_persistence": 0.06}, "not shown: bars up to 0.06 long (H1: 1)", id="short-bars"),
        pytest.param({"dimensions": [1]}, "not shown: bars of other dimensions (H0: 3, H2: 1)", id="dimensions"),
    ],
)
def test_what_is_hidden_is_said_in_the_picture_and_in_the_words(
    diagram: Diagram, axes: Axes, options: dict[str, object], note: str
) -> None:
    plot_diagram(diagram, ax=axes, **options)
    assert texts(axes).replace("×2", "").strip() == note
    assert note[1:] in describe_diagram(diagram, **options).sentence


def test_bars_that_the_diagram_itself_dropped_are_mentioned(axes: Axes) -> None:
    thinned = Diagram(pairs=np.array([[0, 0.0, INF]]), max_dimension=0, min_persistence=0.2)
    plot_diagram(thinned, ax=axes)
    assert "dropped before: bars up to 0.2 long" in texts(axes)


def test_an_empty_diagram_is_an_empty_frame(empty_diagram: Diagram, axes: Axes) -> None:
    plot_diagram(empty_diagram, ax=axes)
    assert len(drawn(axes)) == 0
    assert "no bars" in describe_diagram(empty_diagram).sentence


def test_negative_births_stay_inside_the_frame(axes: Axes) -> None:
    plot_diagram(Diagram(pairs=np.array([[0, -3.0, -1.0], [0, -4.0, INF]]), max_dimension=0, scale="value"), ax=axes)
    low, high = axes.get_xlim()
    assert low < -4.0 < -1.0 < high


@pytest.mark.parametrize(
    ("options", "words"),
    [
        pytest.param({"min_persistence": -1.0}, "at least 0", id="negative-length"),
        pytest.param({"min_persistence": float("nan")}, "at least 0", id="nan-length"),
        pytest.param({"dimensions": [3]}, "0 to 2 was computed", id="unknown-dimension"),
    ],
)
def test_options_that_mean_nothing_are_refused(diagram: Diagram, axes: Axes, options: dict, words: str) -> None:
    with pytest.raises(BadInput, match=words):
        plot_diagram(diagram, ax=axes, **options)


def test_the_words_name_the_longest_loop_and_the_essential_void(diagram: Diagram) -> None:
    text = describe_diagram(diagram)
    assert text.sentence == (
        "Persistence diagram of 6 bars (rips, scale = diameter, Z/2). H0: 3 bars, 1 essential, longest 0 to 0.1. "
        "H1: 2 bars, longest 0.1 to 0.83. H2: 1 bar, 1 essential."
    )
    assert text.rows[1] == ("H1", "2", "0", "0", "0.1", "0.83")
    assert text.rows[2] == ("H2", "1", "1", "0", "–", "–")


@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 4), st.integers(1, 4), st.booleans()), max_size=30))
def test_no_bar_is_ever_lost(bars: list[tuple[int, int, int, bool]]) -> None:
    pairs = np.array([[k, b, INF if forever else b + length] for k, b, length, forever in bars]).reshape(-1, 3)
    diagram = Diagram(pairs=pairs, max_dimension=2)
    axes = plot_diagram(diagram, ax=Figure().add_subplot())
    infinity = infinity_of(axes)
    wanted = {(birth, min(death, infinity)) for _, birth, death in diagram.pairs.tolist()}
    assert set(map(tuple, drawn(axes).tolist())) == wanted
    assert sum(int(row[1]) for row in describe_diagram(diagram).rows) == len(bars)


def test_stacks_count_every_point() -> None:
    places, counts = stacks(np.array([[0.0, 1.0], [0.0, 2.0], [0.0, 1.0]]))
    assert places.tolist() == [[0.0, 1.0], [0.0, 2.0]]
    assert counts.tolist() == [2, 1]


@pytest.fixture
def judged() -> Diagram:
    """A loop that dies at five times its birth, and two that die at less than twice theirs; one of them is longer."""
    pairs = np.array([[0, 0.0, INF], [0, 0.0, 0.3], [1, 0.1, 0.5], [1, 0.9, 1.5], [1, 0.3, 0.4]])
    return Diagram(pairs, max_dimension=1)


def ringed(axes: Axes) -> set[tuple[float, float]]:
    """The points that carry a ring."""
    rings = [part for part in axes.collections if str(part.get_label()).startswith("feature")]
    return {tuple(place) for part in rings for place in np.asarray(part.get_offsets()).tolist()}


def band_of(axes: Axes) -> float | None:
    """How far the grey band reaches above the diagonal."""
    bands = [part for part in axes.collections if str(part.get_label()).startswith("up to")]
    return max(float(y - x) for part in bands for x, y in part.get_paths()[0].vertices) if bands else None


def test_a_rule_rings_its_features_and_the_band_holds_every_loop_it_refuses(judged: Diagram, axes: Axes) -> None:
    plot_diagram(judged, ax=axes, rule="late_death")
    assert ringed(axes) == {(0.0, infinity_of(axes)), (0.0, 0.3), (0.1, 0.5)}
    assert band_of(axes) == pytest.approx(0.6)
    names = [text.get_text() for text in axes.get_legend().get_texts()]
    assert names[2:] == ["up to 0.6 long", "feature (late_death)"]


def test_the_words_tell_the_features_and_the_band(judged: Diagram) -> None:
    text = describe_diagram(judged, rule="late_death")
    assert "Features by rule late_death: H0 2, H1 1." in text.sentence
    assert "Refused bars of H1 and above are at most 0.6 long." in text.sentence
    assert text.header[-1] == "features"
    assert [row[-1] for row in text.rows] == ["2", "1"]


def test_the_default_rule_is_named_by_its_own_name(judged: Diagram, axes: Axes) -> None:
    plot_diagram(judged, ax=axes, rule="default")
    assert "feature (by_parts)" in [text.get_text() for text in axes.get_legend().get_texts()]


def test_without_a_rule_nothing_is_ringed_and_no_band_drawn(judged: Diagram, axes: Axes) -> None:
    plot_diagram(judged, ax=axes)
    assert ringed(axes) == set()
    assert band_of(axes) is None


def test_a_rule_that_does_not_exist_is_refused(judged: Diagram, axes: Axes) -> None:
    with pytest.raises(BadInput, match="rule: "):
        plot_diagram(judged, ax=axes, rule="astrology")


def test_no_rule_can_be_asked_about_a_cut_diagram(cut_diagram: Diagram, axes: Axes) -> None:
    with pytest.raises(BadInput, match="complete diagram"):
        plot_diagram(cut_diagram, ax=axes, rule="default")
