"""The browser: requests move its state, refusals are told, a still page is left, nothing else is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from tests.widgets.asking import ask
from toriwork.plots.browser import Preview
from toriwork.registry import TorusRegistry
from toriwork.widgets import RegistryBrowser, Span, Wanted


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorusRegistry]:
    path = tmp_path_factory.mktemp("browser") / "r.parquet"
    with TorusRegistry(path, compute_betti=False) as made:
        for n in range(9):
            band = ("local", "global", "critical")[n % 3]
            made.record_shape(np.eye(4)[:, :2] * n, (1, n % 2), band, metadata={"run": n, "who": "<b>Ada</b>"})
    with TorusRegistry(path, read_only=True) as reader:
        yield reader


@pytest.fixture
def browser(registry: TorusRegistry) -> Iterator[RegistryBrowser]:
    with RegistryBrowser(registry, page_rows=4) as made:
        yield made


def test_filters_pages_and_rows_move_table_picture_and_words(browser: RegistryBrowser) -> None:
    widget = browser.widget
    before = widget.still
    assert "data:image/png;base64," in before
    assert "9 of 9 rows match; page 1 of 3" in widget.data["sentence"]
    shown = ask(browser, "go", 1)
    assert (browser.state.page, shown["page"], shown["chosen"]) == (1, 1, browser.state.page_ids[0])
    shown = ask(browser, "choose", browser.state.page_ids[2])
    assert browser.state.row_id == shown["chosen"] == shown["keys"][2]
    assert shown["rows"][2][0] == "7"
    assert widget.still != before
    shown = ask(browser, "filter", {"band": "global", "b1": "1", "since": " "})
    assert browser.state.wanted == Wanted("global", betti={1: Span(1, 1)})
    assert "2 of 9 rows match; page 1 of 1" in shown["sentence"]
    assert shown["fields"] == {"band": "global", "since": None, "until": None, "b1": "1"}
    assert len(ask(browser, "refresh")["rows"]) == 2
    assert ask(browser, "filter", {})["fields"] == {"band": None, "since": None, "until": None}


def test_a_refusal_is_told_and_nothing_else_changes(browser: RegistryBrowser) -> None:
    before = browser.widget.data
    shown = ask(browser, "filter", {"b0": "many"})
    assert shown["refused"].startswith("Not possible: Betti number: expected 2, 1-3, 1- or unknown")
    assert {**shown, "refused": ""} == before
    assert ask(browser, "filter", {"since": "never"})["refused"].startswith("Not possible: since")
    assert ask(browser, "refresh") == before


def test_the_rows_of_all_pages_are_sorted_by_a_column(browser: RegistryBrowser) -> None:
    shown = ask(browser, "sort", [5, True])
    assert shown["order"] == (5, True)
    assert [row[5] for row in shown["rows"]] == ["1"] * 4
    assert [row[0] for row in shown["rows"]] == ["2", "4", "6", "8"]
    assert ask(browser, "sort", [9, False])["refused"].startswith("Not possible: sort: expected a column from 0 to 8")


def test_the_chosen_row_is_told_with_its_metadata(browser: RegistryBrowser) -> None:
    facts = dict(ask(browser, "go", 0)["facts"])
    assert facts["row id"] == browser.state.row_id
    assert (facts["run"], facts["who"]) == ("8", "<b>Ada</b>")


def test_the_still_form_has_the_page_as_a_table_and_the_preview(browser: RegistryBrowser) -> None:
    html, text = browser.to_html(), repr(browser)
    assert html.index("<table><caption>Page 1 of 3 of r.parquet") < html.index("<img alt=")
    assert "1 (chosen)" in html
    assert "Cloud of 4 points" in html
    assert text.startswith("RegistryBrowser: 9 of 9 rows match; page 1 of 3. Shape ")
    assert "cloud: Cloud of 4 points" in text
    assert browser.widget.still == html
    ask(browser, "go", 1)
    assert browser.widget.still == browser.to_html() != html
    assert browser.widget.plain == repr(browser)


def test_without_a_row_it_can_be_shown_all_the_same(registry: TorusRegistry) -> None:
    with RegistryBrowser(registry, wanted=Wanted(since="2100-01-01")) as browser:
        shown = browser.widget.data
        assert (shown["rows"], shown["keys"], shown["chosen"], shown["facts"]) == ([], [], None, [])
        assert "0 of 9 rows match" in shown["sentence"]
        assert shown["sentence"].count("No row is chosen.") == browser.to_html().count("No row is chosen.") == 1
        assert "<img" not in browser.to_html()  # an empty picture would be a large white box


def test_a_row_without_vertices_says_so_instead_of_an_empty_picture(browser: RegistryBrowser) -> None:
    assert "<img" in browser.to_html()
    browser.state._preview = str(browser.state.row_id), Preview("Shape 1", note="its vertices were not kept")
    assert browser.text.sentence.endswith(" Shape 1. Its vertices were not kept.")
    assert "<img" not in browser.to_html()
    assert browser.png()[1:4] == b"PNG"
