"""A vineyard shows every vine for as long as it lives, or says which it does not show."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PathCollection
from matplotlib.figure import Figure

from toriwork.errors import BadInput
from toriwork.plots import describe_vineyard, plot_vineyard
from toriwork.topology import Diagram
from toriwork.topology.vineyard import Vine, Vineyard, vineyard_of

INF = float("inf")


def vine(k: int, start: int, *bars: tuple[float, float]) -> Vine:
    births, deaths = np.array(bars).T
    return Vine(k, np.arange(start, start + len(bars)), births, deaths)


@pytest.fixture
def vineyard() -> Vineyard:
    """One essential component, a loop that lives through all four steps, and one that is there once."""
    vines = (
        vine(0, 0, *[(0.0, INF)] * 4),
        vine(1, 0, (0.1, 0.9), (0.1, 0.8), (0.1, 0.6), (0.1, 0.3)),
        vine(1, 2, (0.2, 0.25)),
    )
    return Vineyard(vines, 4, "diameter", left_out=7)


def drawn(axes: Axes) -> list[list[list[float]]]:
    """The points of every vine: the lines, then the lone markers."""
    lines = [part.get_segments() for part in axes.collections if isinstance(part, LineCollection)]
    lone = [part.get_offsets() for part in axes.collections if isinstance(part, PathCollection)]
    return [np.asarray(line).tolist() for found in lines for line in found] + [
        [np.asarray(place).tolist()] for found in lone for place in found
    ]


def infinity_of(axes: Axes) -> float:
    heights = dict(zip([label.get_text() for label in axes.get_yticklabels()], axes.get_yticks(), strict=True))
    return heights["∞"]


def test_each_vine_is_a_line_of_its_persistence_and_a_short_lived_one_a_marker(vineyard: Vineyard, axes: Axes) -> None:
    assert plot_vineyard(vineyard, ax=axes) is axes
    infinity = infinity_of(axes)
    essential, loop, lone = drawn(axes)
    assert essential == [[step, infinity] for step in range(4)]
    assert loop == pytest.approx(np.array([[0, 0.8], [1, 0.7], [2, 0.5], [3, 0.2]]))
    assert lone == pytest.approx(np.array([[2, 0.05]]))
    assert 0.8 < infinity < axes.get_ylim()[1]


def test_nothing_is_marked_infinite_when_every_vine_ends(axes: Axes) -> None:
    plot_vineyard(Vineyard((vine(1, 0, (0.0, 1.0), (0.0, 1.0)),), 2, "radius"), ax=axes)
    assert "∞" not in [label.get_text() for label in axes.get_yticklabels()]
    assert "radius" in axes.get_ylabel()


@pytest.mark.parametrize(
    ("options", "note"),
    [
        pytest.param({}, "not shown: 7 never followed", id="what-the-vineyard-left-out"),
        pytest.param(
            {"min_persistence": 0.1}, "not shown: 1 vine up to 0.1 long, 7 never followed", id="what-is-asked-away"
        ),
        pytest.param(
            {"dimensions": [0]}, "not shown: 2 vines of other dimensions, 7 never followed", id="other-dimensions"
        ),
    ],
)
def test_what_is_hidden_is_said_in_picture_and_words(vineyard: Vineyard, axes: Axes, options: dict, note: str) -> None:
    plot_vineyard(vineyard, ax=axes, **options)
    assert [text.get_text() for text in axes.texts] == [note]
    assert note[1:] in describe_vineyard(vineyard, **options).sentence


def test_the_words_count_the_vines_and_name_the_longest_bar(vineyard: Vineyard) -> None:
    text = describe_vineyard(vineyard)
    assert text.rows == (("H0", "1", "1", "1", "–", "–"), ("H1", "2", "0", "1", "0.8", "0"))
    assert "H0: 1 vine, 1 essential, 1 all the way, none that ends." in text.sentence
    assert "H1: 2 vines, 0 essential, 1 all the way, longest bar 0.8 at step 0." in text.sentence


def test_an_empty_vineyard_is_an_empty_frame(axes: Axes) -> None:
    plot_vineyard(vineyard_of([]), ax=axes)
    assert drawn(axes) == []
    assert "no vines" in describe_vineyard(vineyard_of([])).sentence


def test_a_length_that_means_nothing_is_refused(vineyard: Vineyard, axes: Axes) -> None:
    with pytest.raises(BadInput, match="at least 0"):
        plot_vineyard(vineyard, ax=axes, min_persistence=float("nan"))


@given(st.lists(st.lists(st.tuples(st.integers(0, 5), st.integers(1, 5)), max_size=4), max_size=5))
def test_every_bar_of_every_step_is_drawn(steps: list[list[tuple[int, int]]]) -> None:
    diagrams = [
        Diagram(np.array([[1, birth, birth + length] for birth, length in bars]).reshape(-1, 3), max_dimension=1)
        for bars in steps
    ]
    axes = plot_vineyard(vineyard_of(diagrams), ax=Figure().add_subplot())
    points = sorted((step, height) for line in drawn(axes) for step, height in line)
    assert points == sorted((step, float(length)) for step, bars in enumerate(steps) for _, length in bars)
