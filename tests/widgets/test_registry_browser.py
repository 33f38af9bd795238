"""The browser: controls move its state, refusals are told, a still page stands beside it, nothing is left."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

from toriwork.registry import TorusRegistry
from toriwork.widgets import RegistryBrowser, Span, Wanted


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorusRegistry]:
    path = tmp_path_factory.mktemp("browser") / "r.parquet"
    with TorusRegistry(path, compute_betti=False) as made:
        for n in range(9):
            made.record_shape(np.eye(4)[:, :2] * n, (1, n % 2), ("local", "global", "critical")[n % 3])
    with TorusRegistry(path, read_only=True) as reader:
        yield reader


@pytest.fixture
def browser(registry: TorusRegistry) -> Iterator[RegistryBrowser]:
    with RegistryBrowser(registry, page_rows=4) as made:
        yield made


def parts(browser: RegistryBrowser) -> dict[str, Any]:
    """The controls by their names, and what they show."""
    filters, moves, table, image, text = browser.widget.children
    named = {control.description: control for control in (*filters.children, *moves.children)}
    return {**named, "table": table, "image": image, "text": text}


def test_filters_pages_and_rows_move_table_picture_and_words(browser: RegistryBrowser) -> None:
    controls = parts(browser)
    before = controls["image"].value
    assert bytes(before).startswith(b"\x89PNG")
    assert "9 of 9 rows match; page 1 of 3" in controls["text"].value
    controls["older rows"].click()
    assert browser.state.page == 1
    assert "5 (chosen)" in controls["table"].value
    controls["Row"].value = browser.state.page_ids[2]
    assert browser.state.row_id == browser.state.page_ids[2]
    assert "7 (chosen)" in controls["table"].value
    assert controls["image"].value != before
    controls["Band"].value = "global"
    controls["b1"].value = "1"
    assert browser.state.wanted == Wanted("global", betti={1: Span(1, 1)})
    assert "2 of 9 rows match; page 1 of 1" in controls["text"].value
    assert controls["newer rows"].disabled
    assert controls["older rows"].disabled
    controls["refresh"].click()
    assert len(controls["Row"].options) == 2


def test_a_refusal_is_told_and_nothing_else_changes(browser: RegistryBrowser) -> None:
    controls = parts(browser)
    before = controls["table"].value
    controls["b0"].value = "many"
    assert "Not possible: Betti number: expected 2, 1-3, 1- or unknown" in controls["text"].value
    controls["b0"].value = ""
    controls["Since"].value = "never"
    assert "Not possible: since" in controls["text"].value
    assert controls["table"].value == before
    controls["Since"].value = ""
    assert "9 of 9" in controls["text"].value


def test_what_it_began_with_stays_when_another_filter_moves(registry: TorusRegistry) -> None:
    with RegistryBrowser(registry, wanted=Wanted("local", betti={1: Span(1)})) as browser:
        controls = parts(browser)
        controls["b0"].value = "1"
        assert browser.state.wanted == Wanted("local", betti={0: Span(1, 1), 1: Span(1)})


def test_every_control_has_a_name_and_an_explanation(browser: RegistryBrowser) -> None:
    controls = parts(browser)
    assert set(controls) >= {"Band", "Since", "Until", "b0", "b1", "b2", "Row", "newer rows", "older rows", "refresh"}
    assert all(control.tooltip for name, control in controls.items() if name[0] not in "ti")
    assert 'role="status" aria-live="polite"' in controls["text"].value


def test_the_still_form_has_the_page_as_a_table_and_the_preview(browser: RegistryBrowser) -> None:
    html, text = browser.to_html(), repr(browser)
    assert html.index("<table><caption>Page 1 of 3 of r.parquet") < html.index("<img alt=")
    assert "1 (chosen)" in html
    assert "Cloud of 4 points" in html
    assert text.startswith("RegistryBrowser: 9 of 9 rows match; page 1 of 3. Shape ")
    assert "cloud: Cloud of 4 points" in text


def test_without_a_row_it_can_be_shown_all_the_same(registry: TorusRegistry) -> None:
    with RegistryBrowser(registry, wanted=Wanted(since="2100-01-01")) as browser:
        controls = parts(browser)
        assert (controls["Row"].options, controls["Row"].value) == ((), None)
        assert "0 of 9 rows match" in controls["text"].value
        assert "No row is chosen." in browser.to_html()
