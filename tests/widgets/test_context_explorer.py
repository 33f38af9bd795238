"""The context explorer: slider and filters move its state, the prompt stands in its fence."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from typing import Any

import pytest

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


def parts(explorer: TokenContextExplorer) -> dict[str, Any]:
    """The controls by their names, and what they show."""
    budget, filters, image, text, tokens, context = explorer.widget.children
    named = {control.description: control for control in (*budget.children, *filters.children)}
    return {**named, "image": image, "text": text, "tokens": tokens, "context": context}


def test_slider_unit_and_filter_move_picture_tables_and_text(explorer: TokenContextExplorer) -> None:
    controls = parts(explorer)
    slider, before = controls["at most"], controls["image"].value
    assert slider.value == slider.max == explorer.state.highest
    slider.value = 500
    assert explorer.state.limit == 500
    assert explorer.state.selection.used["characters"] <= 500
    assert "over the budget" in controls["text"].value
    assert "no: the budget was used up by weightier ones" in controls["tokens"].value
    assert controls["image"].value != before
    controls["Budget"].value = "items"
    assert (slider.value, slider.max) == (8, 8)
    slider.value = 1
    assert f"<pre>{escape(explorer.state.selection.text)}</pre>" in controls["context"].value
    controls["Source"].value = "s1"
    assert explorer.state.sought == Sought(source="s1")
    assert "4 of the newest 8 emissions match" in controls["text"].value
    assert explorer.state.limit == 1


def test_a_refusal_is_told(explorer: TokenContextExplorer) -> None:
    controls = parts(explorer)
    controls["Since"].value = "tomorrow"
    assert "Not possible: since: expected an ISO time" in controls["text"].value
    controls["refresh"].click()
    assert controls["Since"].value == ""
    assert "8 of 8 tokens chosen" in controls["text"].value


def test_every_control_has_a_name_and_an_explanation(explorer: TokenContextExplorer) -> None:
    controls = parts(explorer)
    assert set(controls) >= {"Budget", "at most", "Source", "Type", "Since", "Until", "refresh"}
    assert all(controls[name].tooltip for name in ("at most", "Source", "Type", "Since", "Until", "refresh"))
    assert len(controls["Budget"].tooltips) == 2


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
        controls = parts(explorer)
        controls["at most"].value = 0
        assert bytes(controls["image"].value).startswith(b"\x89PNG")
        assert "Empty context" in controls["text"].value
