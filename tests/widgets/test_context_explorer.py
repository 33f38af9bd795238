"""The context explorer: budget and filters move its state, the prompt stands in its fence."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import pytest

from tests.widgets.asking import ask
from toriwork.synthesis import ObserverSynthesis
from toriwork.widgets import Sought, TokenContextExplorer


@pytest.fixture(scope="module")
def observers() -> ObserverSynthesis:
    made = ObserverSynthesis()
    for n in range(8):
        measured = {"source": f"s{n % 2}", "type": "x", "subject": f"c{n}", "text": "</pre><b>``` end"}
        made.add_to_context(made.emit_token(measured))
    return made


@pytest.fixture
def explorer(observers: ObserverSynthesis) -> Iterator[TokenContextExplorer]:
    with TokenContextExplorer(observers) as made:
        yield made


def test_budget_unit_and_filter_move_picture_tables_and_text(explorer: TokenContextExplorer) -> None:
    widget = explorer.widget
    before = widget.still
    assert widget.data["limit"] == widget.data["highest"] == explorer.state.highest
    shown = ask(explorer, "limit", 500)
    assert explorer.state.limit == shown["limit"] == 500
    assert explorer.state.selection.used["characters"] <= 500
    assert "over the budget" in shown["sentence"]
    assert "no: the budget was used up by weightier ones" in {row[-1] for row in shown["rows"]}
    assert widget.still != before
    shown = ask(explorer, "unit", "items")
    assert (shown["limit"], shown["highest"]) == (8, 8)
    shown = ask(explorer, "limit", 1)
    assert f"<pre>{escape(explorer.state.selection.text)}</pre>" in shown["context"]
    shown = ask(explorer, "filter", {"source": "s1", "type": None, "since": "", "until": " "})
    assert explorer.state.sought == Sought(source="s1")
    assert "4 of the newest 8 emissions match" in shown["sentence"]
    assert explorer.state.limit == 1
    assert (shown["sources"], shown["types"]) == (["s0", "s1"], ["x"])


def test_a_refusal_is_told(explorer: TokenContextExplorer) -> None:
    shown = ask(explorer, "filter", {"since": "tomorrow"})
    assert shown["refused"].startswith("Not possible: since: expected an ISO time")
    assert shown["sought"]["since"] is None
    shown = ask(explorer, "refresh")
    assert shown["refused"] == ""
    assert "8 of 8 tokens chosen" in shown["sentence"]
    assert ask(explorer, "limit", -1)["refused"].startswith("Not possible: limit")


def test_the_still_form_has_tables_reasons_and_the_text_laid_open(observers: ObserverSynthesis) -> None:
    explorer = TokenContextExplorer(observers)
    explorer.state.set_budget(2, "items")
    html = explorer.to_html()
    assert "Emissions, the newest first" in html
    assert "Context: 2 of 8 tokens chosen" in html
    assert f"<details open><summary>The text</summary><pre>{escape(explorer.state.selection.text)}" in html
    assert "</pre><b>" not in html
    assert "a context of at most 2 items" in html
    assert repr(explorer).startswith("TokenContextExplorer: 2 of 8 tokens chosen: 2 of 2 items")


def test_an_empty_context_can_be_shown() -> None:
    with TokenContextExplorer(ObserverSynthesis()) as explorer:
        shown = ask(explorer, "limit", 0)
        assert "data:image/png;base64," in explorer.widget.still
        assert "Empty context" in shown["sentence"]
        assert (shown["rows"], shown["sources"]) == ([], [])
