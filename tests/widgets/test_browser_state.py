"""The state of a browser: it filters, pages, follows what is new, and previews a row."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from toriwork.errors import BadInput, NotFound
from toriwork.registry import TorusRegistry
from toriwork.topology import persistence
from toriwork.widgets import BrowserState, Span, Wanted
from toriwork.widgets.browser_state import MOST_POINTS, preview_cloud, preview_spectrum

RNG = np.random.default_rng(0)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[TorusRegistry]:
    with TorusRegistry(tmp_path / "r.parquet", compute_betti=False) as made:
        made.record_shapes([np.full((3, 2), float(n)) for n in range(10)], [(1, n % 2) for n in range(10)])
        yield made


def test_the_newest_rows_come_first_page_by_page(registry: TorusRegistry) -> None:
    state = BrowserState(registry, page_rows=4)
    ids = registry.to_pandas(["row_id"])["row_id"].tolist()[::-1]
    assert (state.page_ids, state.n_pages, state.row_id) == (tuple(ids[:4]), 3, ids[0])
    state.go_to(2)
    assert state.page_ids == tuple(ids[8:])
    state.go_to(99)
    assert state.page == 2
    state.go_to(-5)
    assert state.page == 0


@pytest.mark.parametrize("odd", ["a", 1.5, None, True])
def test_an_odd_page_column_or_number_of_rows_is_refused(registry: TorusRegistry, odd: Any) -> None:
    state = BrowserState(registry, page_rows=4)
    with pytest.raises(BadInput, match="page: expected an integer, got"):
        state.go_to(odd)
    with pytest.raises(BadInput, match="sort: expected an integer, got"):
        state.sort(odd)
    with pytest.raises(BadInput, match="page_rows: expected an integer >= 1, got"):
        BrowserState(registry, page_rows=odd)
    with pytest.raises(BadInput, match="registry: expected a TorusRegistry, got"):
        BrowserState(odd)
    assert (state.page, state.order) == (0, None)


def test_a_deleted_registry_is_said_and_what_is_shown_stays(registry: TorusRegistry) -> None:
    state = BrowserState(registry, page_rows=4)
    shown = state.page_ids
    registry.close()
    with TorusRegistry(registry.path, read_only=True) as reader:
        state = BrowserState(reader, page_rows=4)
        registry.path.unlink()
        shutil.rmtree(registry.path.with_suffix(".d"))
        for again in (state.refresh, lambda: state.filter(Wanted()), lambda: BrowserState(reader)):
            with pytest.raises(NotFound, match="there is no registry any more"):
                again()
        assert (state.page_ids, state.n_matching) == (shown, 10)


def test_a_page_is_told_in_a_sentence_and_as_a_table(registry: TorusRegistry) -> None:
    state = BrowserState(registry, Wanted(betti={1: Span(1, 1)}), page_rows=4)
    assert state.text.sentence == "5 of 10 rows match; page 1 of 2."
    number, time, shape, *rest = state.text.rows[0]
    assert (number, len(time), len(shape)) == ("1 (chosen)", 19, 8)
    assert rest == ["local", "1", "1", "–", "given", "3 × 2, float64"]
    state.go_to(1)
    assert [row[0] for row in state.text.rows] == ["5 (chosen)"]


def test_typed_columns_are_in_the_table_and_rows_are_sorted_by_them(registry: TorusRegistry) -> None:
    registry.add_columns({"t": "float64", "sample": "string", "at": "timestamp"})
    registry.record_shape(np.eye(2), (1, 0), t=7.25, sample="a\nb", at="2026-01-01T10:00:00Z")
    registry.record_shape(np.eye(2), (1, 0), t=2)
    state = BrowserState(registry, page_rows=4)
    assert state.header[-3:] == state.text.header[-3:] == ("t", "sample", "at")
    assert [row[-3:] for row in state.text.rows[:3]] == [
        ("2", "–", "–"),
        ("7.25", "a\\nb", "2026-01-01 10:00:00"),
        ("–", "–", "–"),
    ]
    state.sort(len(state.header) - 3, descending=True)
    assert [row[-3] for row in state.text.rows[:3]] == ["7.25", "2", "–"]
    with pytest.raises(BadInput, match="from 0 to 11"):
        state.sort(12)


def test_what_cannot_be_paged_to_is_told(registry: TorusRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toriwork.widgets.rows.find.__defaults__", (6,))
    state = BrowserState(registry, page_rows=4)
    assert state.text.sentence == "10 of 10 rows match; page 1 of 2; only the newest 6 can be paged to."


def test_the_first_page_follows_what_is_new(registry: TorusRegistry) -> None:
    state = BrowserState(registry, page_rows=4)
    chosen = state.row_id
    registry.record_shape(np.eye(2))
    assert chosen == state.page_ids[0]
    assert state.refresh() == 1
    assert state.page_ids[1] == state.row_id == chosen
    registry.record_shapes([np.eye(3)] * 4)
    assert state.refresh() == 4
    assert state.row_id == state.page_ids[0] != chosen


def test_a_later_page_stays_with_the_chosen_row(registry: TorusRegistry) -> None:
    state = BrowserState(registry, page_rows=4)
    state.go_to(1)
    chosen = state.page_ids[3]
    state.choose(chosen)
    registry.record_shapes([np.eye(3)] * 3)
    state.refresh()
    assert (state.page, state.row_id) == (2, chosen)


def test_numbers_that_were_computed_meanwhile_are_there_after_a_refresh(tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        registry.record_shape(RNG.normal(size=(20, 2)))
        with TorusRegistry(tmp_path / "r.parquet", read_only=True) as reader:
            state = BrowserState(reader)
            registry.flush(publish=True)
            state.refresh()
            assert state.text.rows[0][4:8] == ("1", "0", "–", "computed")


def test_a_filter_that_is_refused_changes_nothing(registry: TorusRegistry) -> None:
    state = BrowserState(registry, page_rows=4)
    state.go_to(1)
    before = state.text
    with pytest.raises(BadInput, match="no ISO time"):
        state.filter(Wanted(since="never"))
    assert (state.text, state.wanted) == (before, Wanted())
    state.filter(Wanted(band="critical"))
    assert state.text.sentence == "0 of 10 rows match; page 1 of 1."
    assert (state.text.rows, state.row_id, state.row(), state.preview.caption) == ((), None, None, "No row is chosen")
    assert not state.preview.is_drawn


def test_only_a_row_of_the_page_can_be_chosen(registry: TorusRegistry) -> None:
    state = BrowserState(registry, page_rows=4)
    state.go_to(1)
    gone = state.page_ids[0]
    state.go_to(0)
    with pytest.raises(NotFound, match="no row of page 1"):
        state.choose(gone)


def test_a_page_has_rows(registry: TorusRegistry) -> None:
    with pytest.raises(BadInput, match=">= 1"):
        BrowserState(registry, page_rows=0)


def test_a_cloud_is_previewed_with_its_diagram(registry: TorusRegistry) -> None:
    cloud = RNG.normal(size=(30, 3))
    registry.record_shape(cloud)
    preview = BrowserState(registry).preview
    assert np.array_equal(preview.points, cloud)
    assert preview.diagram == persistence(cloud)
    assert (preview.spectrum, preview.note) == (None, "")
    assert preview.caption.endswith(": 30 × 3, float64")


@pytest.mark.parametrize("values", [RNG.normal(size=6), np.exp(1j * np.arange(5)), np.ones((2, 2)) * 1j])
def test_a_spectrum_is_previewed_as_one(registry: TorusRegistry, values: np.ndarray) -> None:
    registry.record_shape(values)
    preview = BrowserState(registry).preview
    assert (preview.points, preview.diagram) == (None, None)
    assert sorted(preview.spectrum, key=abs) == sorted(values.ravel(), key=abs)


def test_of_a_large_cloud_evenly_spaced_points_are_drawn_and_it_says_so() -> None:
    cloud = np.column_stack([np.arange(1000.0), np.zeros(1000)])
    preview = preview_cloud("", cloud)
    assert len(preview.points) == len(preview.diagram.in_dimension(0)) == MOST_POINTS
    assert (preview.points[0, 0], preview.points[-1, 0]) == (0.0, 999.0)
    assert preview.note.startswith("drawn are 300 of 1,000 points")


def test_points_that_are_not_finite_are_not_drawn() -> None:
    assert preview_cloud("", np.array([[0.0, np.nan], [1.0, 2.0]])).note.startswith("drawn are 1 of 2 points")
    assert preview_spectrum("", np.array([np.inf, 1.0])).note.startswith("drawn are 1 of 2 eigenvalues")
    assert len(preview_cloud("", np.zeros((0, 2))).points) == 0


def test_of_a_long_spectrum_the_largest_are_drawn() -> None:
    preview = preview_spectrum("", np.arange(-3000.0, 0.0))
    assert (preview.spectrum.min(), preview.spectrum.max()) == (-3000.0, -1001.0)


def test_vertices_that_were_not_kept_cannot_be_drawn(tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "r.parquet", keep_vertices=False) as registry:
        registry.record_shape(np.eye(2), (1, 0))
        state = BrowserState(registry)
        assert "not kept" in state.preview.note
        assert len(state.text.rows) == 1


def test_what_is_too_large_is_not_even_read(registry: TorusRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("toriwork.widgets.browser_state.MOST_NUMBERS", 5)
    monkeypatch.setattr(registry, "vertices", None)
    assert BrowserState(registry).preview.note == "more than 5 numbers are not drawn"
