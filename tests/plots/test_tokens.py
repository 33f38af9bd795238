"""Figures of tokens: timeline, what rests on what, the budget of a context; each says in words what it shows."""

from __future__ import annotations

from itertools import pairwise

import pytest
from matplotlib.axes import Axes
from matplotlib.colors import to_hex
from matplotlib.figure import Figure

from toriwork.errors import BadInput
from toriwork.plots import (
    Panel,
    describe_context,
    describe_token_graph,
    describe_tokens,
    picture,
    plot_context,
    plot_token_graph,
    plot_tokens,
)
from toriwork.plots.token_graph import MOST_NODES, _columns, read_graph
from toriwork.plots.tokens import MOST_LANES, OTHERS, plain_words, read_timeline
from toriwork.synthesis import Budget, ObserverSynthesis, RateLimit

SENTRY = {"source": "sentry", "type": "spectral"}
HOSTILE = "$x^{$ \u202e\n```"


class Minutes:
    """A clock that goes on a minute at each look."""

    now = 1_700_000_000.0

    def __call__(self) -> float:
        self.now += 60.0
        return self.now


@pytest.fixture
def observers() -> ObserverSynthesis:
    """A sentry whose third token rests, through a guard's, on its first; one reference leads nowhere."""
    found = ObserverSynthesis(now=Minutes())
    first = found.emit_token({**SENTRY, "n": 1})
    guard = found.emit_token({"source": "guard", "type": "curvature", "refs": [first]})
    found.emit_token({**SENTRY, "n": 2, "refs": [guard, "t1:nowhere"]})
    return found


def filled(n_tokens: int) -> ObserverSynthesis:
    found = ObserverSynthesis(now=Minutes())
    for n in range(n_tokens):
        found.add_to_context(found.emit_token({**SENTRY, "subject": n, "n": n}))
    return found


# ---- timeline ----------------------------------------------------------------------------------------------------


def test_each_emission_is_a_mark_on_the_lane_of_its_observer(axes: Axes, observers: ObserverSynthesis) -> None:
    assert plot_tokens(observers, ax=axes, along="number") is axes
    tokens, loops = axes.collections
    assert tokens.get_offsets().tolist() == [[1, 1], [2, 0], [3, 1]]
    assert loops.get_offsets().tolist() == [[3, 1]]
    assert [label.get_text() for label in axes.get_yticklabels()] == ["guard, curvature", "sentry, spectral"]
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["token", "closes a loop"]


def test_a_summary_of_what_was_held_back_has_a_mark_of_its_own(axes: Axes) -> None:
    observers = ObserverSynthesis(now=Minutes(), clock=lambda: 0.0)
    observers.limit_rate(RateLimit(1.0, 1))
    for n in range(5):
        observers.emit_token({**SENTRY, "n": n})
    observers.flush()
    plot_tokens(observers, ax=axes, along="number")
    assert [len(marks.get_offsets()) for marks in axes.collections] == [1, 1]


def test_the_words_hold_times_only_when_the_picture_does(observers: ObserverSynthesis) -> None:
    assert describe_tokens(observers, along="number").sentence == "3 emissions of 2 observers; 1 of them close a loop."
    text = describe_tokens(observers)
    assert "from 2023-11-14 22:14:20 to 2023-11-14 22:16:20 UTC" in text.sentence
    assert text.rows == (("guard, curvature", "1", "0"), ("sentry, spectral", "2", "1"))


def test_occurrences_can_be_given_in_any_order(observers: ObserverSynthesis) -> None:
    found = observers.occurrences()
    assert read_timeline(reversed(found)) == read_timeline(observers)


def test_more_observers_than_fit_share_the_last_lane() -> None:
    observers = ObserverSynthesis(now=Minutes())
    for n in range(3 * MOST_LANES):
        for _ in range(1 + (n < 2)):
            observers.emit_token({"source": f"s{n:02}", "type": "t", "x": observers.metrics["tokens_generated"]})
    timeline = read_timeline(observers)
    assert len(timeline.names) == MOST_LANES
    assert timeline.names[-1] == OTHERS
    assert timeline.names[:2] == ("s00, t", "s01, t")


# ---- graph -------------------------------------------------------------------------------------------------------


def test_a_token_stands_to_the_right_of_what_it_rests_on(observers: ObserverSynthesis) -> None:
    graph = read_graph(observers)
    columns = {node.name: node.column for node in graph.nodes.values() if node.order >= 0}
    assert columns == {"spectral": 2, "curvature": 1}  # two tokens are called spectral: the later one is told
    assert sorted(node.column for node in graph.nodes.values()) == [0, 0, 1, 2]
    assert len(graph.edges) == 3


def test_loops_are_ringed_and_numbered_and_what_is_unknown_is_open(axes: Axes, observers: ObserverSynthesis) -> None:
    assert plot_token_graph(observers, ax=axes) is axes
    texts = [text.get_text() for text in axes.texts]
    assert texts.count("1") == 1
    assert "not known" in texts
    assert [text.get_text() for text in axes.get_legend().get_texts()] == ["closes a loop (how often)", "not known"]
    shown = [marks for marks in axes.collections if len(marks.get_offsets())]
    fills = [to_hex(colour) for marks in shown for colour in marks.get_facecolor()]
    assert fills.count("#ffffff") == 1
    assert len(shown) == 5  # four tokens, one ring


def test_the_number_of_a_loop_does_not_touch_its_ring(axes: Axes, observers: ObserverSynthesis) -> None:
    plot_token_graph(observers, ax=axes)
    axes.figure.draw_without_rendering()
    (ring,) = [marks for marks in axes.collections if len(marks.get_offsets()) and not len(marks.get_facecolor())]
    (number,) = [text for text in axes.texts if text.get_text() == "1"]
    point = axes.figure.dpi / 72
    centre = axes.transData.transform(ring.get_offsets()[0])
    reach = (ring.get_sizes()[0] ** 0.5 + ring.get_linewidths()[0]) / 2 * point
    right, above = number.get_window_extent().p0 - centre - reach
    assert max(right, above) >= 2 * point


def test_the_words_name_loops_and_what_is_unknown(observers: ObserverSynthesis) -> None:
    text = describe_token_graph(observers)
    assert text.sentence == "3 tokens with 3 references; 1 of them in a loop, 1 referred to and not known."
    assert [row[1:] for row in text.rows] == [
        ("spectral", "0", "0", "–"),
        ("curvature", "1", "1", "–"),
        ("spectral", "2", "2", "1"),
    ]


def test_of_many_tokens_the_newest_are_drawn_and_the_others_counted() -> None:
    observers = ObserverSynthesis(now=Minutes())
    token = observers.emit_token({**SENTRY, "n": 0})
    for n in range(1, MOST_NODES + 10):
        token = observers.emit_token({**SENTRY, "n": n, "refs": [token]})
    graph = read_graph(observers)
    assert len(graph.nodes) == MOST_NODES
    assert graph.n_left_out == 10
    assert max(node.column for node in graph.nodes.values()) == MOST_NODES - 1
    assert describe_token_graph(observers).sentence.endswith("; 10 older ones are not shown.")


def test_a_forged_cycle_is_drawn_too() -> None:
    assert set(_columns({"a": ["b"], "b": ["c"], "c": ["a"]})) == {"a", "b", "c"}
    assert _columns({"a": ["a"]}) == {"a": 0}


# ---- context -----------------------------------------------------------------------------------------------------


def test_the_bars_of_a_context_are_its_text_from_the_first_character_to_the_last(axes: Axes) -> None:
    selection = filled(30).select_context(Budget(characters=1000))
    assert plot_context(selection, ax=axes) is axes
    bars = [(bar.get_x(), bar.get_width()) for bar in axes.patches]
    assert len(bars) == len(selection.chosen) + 1
    assert bars[0][0] == 0
    assert all(left + width == right for (left, width), (right, _) in pairwise(bars))
    assert sum(width for _, width in bars) == len(selection.text) == selection.used["characters"]
    assert [line.get_xdata()[0] for line in axes.get_lines()] == [1000]
    assert any("over the budget" in text.get_text() for text in axes.texts)


def test_the_words_of_a_context_hold_the_ledger() -> None:
    selection = filled(30).select_context(Budget(characters=1000, items=4))
    text = describe_context(selection)
    used = selection.used["characters"]
    assert text.sentence == f"4 of 30 tokens chosen: 4 of 4 items, {used} of 1000 characters; 26 over the budget."
    assert text.rows[-1][-1] == str(used)


def test_a_long_context_has_no_more_bars_than_can_be_read(axes: Axes) -> None:
    selection = filled(100).select_context()
    plot_context(selection, ax=axes)
    assert len(axes.patches) == 25
    assert axes.get_yticklabels()[-1].get_text() == "77 more"
    assert sum(bar.get_width() for bar in axes.patches) == len(selection.text)


# ---- all three ---------------------------------------------------------------------------------------------------


def test_nothing_is_drawn_and_described_too() -> None:
    empty = ObserverSynthesis()
    for plot, describe, data in (
        (plot_tokens, describe_tokens, empty),
        (plot_token_graph, describe_token_graph, []),
        (plot_context, describe_context, empty.select_context()),
    ):
        assert plot(data, ax=Figure().add_subplot())
        assert describe(data).sentence


def test_names_of_others_are_drawn_as_plain_words() -> None:
    observers = ObserverSynthesis(now=Minutes())
    observers.add_to_context(observers.emit_token({"source": HOSTILE, "type": HOSTILE, "subject": "s"}))
    shown = picture(
        Panel(plot_tokens, observers),
        Panel(plot_token_graph, observers),
        Panel(plot_context, observers.select_context()),
        caption="Names of others.",
    )
    assert shown.png()
    assert "\u202e" not in repr(shown) + shown.to_html()


@pytest.mark.parametrize(
    ("text", "words"),
    [("plain", "plain"), ("a\nb", "a\\nb"), ("\u202ex", "\\u202ex"), ("x" * 40, "x" * 27 + "…"), ("–, t", "-, t")],
)
def test_plain_words(text: str, words: str) -> None:
    assert plain_words(text) == words


@pytest.mark.parametrize("wrong", [3, [1, 2], "tokens"])
def test_what_holds_no_emissions_is_refused(wrong: object) -> None:
    with pytest.raises(BadInput, match="expected an ObserverSynthesis"):
        plot_tokens(wrong, ax=Figure().add_subplot())
    with pytest.raises(BadInput, match="'time' or 'number'"):
        describe_tokens(ObserverSynthesis(), along="row")  # type: ignore[arg-type]
