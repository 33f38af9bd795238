"""Where an explorer of contexts stands is a plain object: it filters what is listed, and the budget alone chooses."""

from __future__ import annotations

import datetime as dt
from itertools import count
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from toriwork.errors import BadInput
from toriwork.synthesis import Budget, ObserverSynthesis
from toriwork.widgets import ContextState, Sought
from toriwork.widgets.context_state import CHOSEN, MOST_LISTED, NOT_IN_CONTEXT


def synthesis(n_tokens: int = 12) -> ObserverSynthesis:
    """Tokens an hour apart from 1970 on, by two observers; those of the lab rest on one another. Every other one is in
    the context."""
    hours = count(0, 3600)
    observers = ObserverSynthesis(now=lambda: float(next(hours)))
    before: list[str] = []
    for n in range(n_tokens):
        of_lab = n % 3 == 0
        token = observers.emit_token(
            {"source": "lab" if of_lab else "sentry", "type": "a" if of_lab else "b", "n": n, "refs": before}
        )
        before = [token] if of_lab else before
        if n % 2:
            observers.add_to_context(token)
    return observers


OBSERVERS = synthesis()


def test_without_a_budget_everything_is_chosen_that_is_not_superseded() -> None:
    state = ContextState(OBSERVERS)
    whole = OBSERVERS.select_context()
    assert state.selection.text == whole.text
    assert (state.limit, state.highest) == (len(whole.text), len(whole.text))
    assert (state.sources, state.types) == (("lab", "sentry"), ("a", "b"))


@given(st.integers(0, 2000), st.sampled_from(["characters", "items"]))
def test_the_budget_is_that_of_the_selection(limit: int, unit: Any) -> None:
    state = ContextState(OBSERVERS)
    found = state.set_budget(limit, unit)
    assert found.text == OBSERVERS.select_context(Budget(**{unit: limit})).text
    assert state.limit == min(limit, state.highest)
    assert found.used[unit] <= limit


def test_another_unit_begins_without_a_limit() -> None:
    state = ContextState(OBSERVERS)
    state.set_budget(300)
    state.set_budget(None, "items")
    assert state.limit == state.highest == len(state.selection.chosen)
    assert state.selection.limits == {}


def test_each_emission_says_whether_it_is_in_the_prompt_and_why_not() -> None:
    state = ContextState(OBSERVERS)
    state.set_budget(1, "items")
    said = {row[0]: (row[5], row[6]) for row in state.text.rows}
    assert len(said) == 12
    selection = state.selection
    expected = {choice.token[3:11]: CHOSEN for choice in selection.chosen}
    expected |= {omission.token[3:11]: f"no: {omission.reason}" for omission in selection.omitted}
    assert {token: why for token, (_, why) in said.items()} == {
        token: expected.get(token, NOT_IN_CONTEXT) for token in said
    }
    assert set(expected.values()) >= {CHOSEN, "no: superseded by a newer token of its observer"}
    loops = {token: loop for token, (loop, _) in said.items() if loop != "–"}
    assert sorted(loops.values()) == ["reflexive(1)", "reflexive(2)", "reflexive(3)"]
    assert state.text.sentence == "12 of the newest 12 emissions match, 3 close a loop."


@pytest.mark.parametrize(
    ("sought", "numbers"),
    [
        (Sought(), set(range(12))),
        (Sought(source="lab"), {0, 3, 6, 9}),
        (Sought(type="b"), {1, 2, 4, 5, 7, 8, 10, 11}),
        (Sought(source="lab", type="b"), set()),
        (Sought(source="nobody"), set()),
    ],
)
def test_a_filter_says_what_is_listed_and_never_what_is_chosen(sought: Sought, numbers: set[int]) -> None:
    state = ContextState(OBSERVERS)
    before = state.selection
    state.filter(sought)
    assert {one.core.measurement["n"] for one in state.listed} == numbers
    assert len(state.text.rows) == len(numbers)
    assert state.selection is before


def test_times_are_a_half_open_interval_in_utc() -> None:
    state = ContextState(OBSERVERS)
    times = sorted(one.time for one in state.listed)
    state.filter(Sought(since=times[2].isoformat(), until=times[5].replace(tzinfo=None)))
    assert [one.time for one in state.listed] == times[2:5]


@pytest.mark.parametrize("value", ["now", 5, dt.date(2026, 1, 1)])
def test_what_is_no_time_is_refused(value: Any) -> None:
    with pytest.raises(BadInput, match="until"):
        Sought(until=value)


@pytest.mark.parametrize(("limit", "unit"), [(-1, "items"), (3, "bytes")])
def test_no_such_budget(limit: int, unit: Any) -> None:
    state = ContextState(OBSERVERS)
    with pytest.raises(BadInput, match="expected"):
        state.set_budget(limit, unit)
    assert (state.unit, state.selection.limits) == ("characters", {})


def test_what_was_emitted_meanwhile_is_there_after_a_refresh() -> None:
    observers = synthesis(3)
    state = ContextState(observers)
    observers.add_to_context(observers.emit_token({"type": "new", "source": "c"}))
    assert "new" not in state.types
    state.refresh()
    assert "new" in state.types
    assert "new" in state.selection.text
    assert state.limit == state.highest == len(state.selection.text)


def test_only_the_newest_are_listed_and_all_are_counted() -> None:
    state = ContextState(synthesis(MOST_LISTED + 5))
    assert len(state.text.rows) == MOST_LISTED
    assert state.text.sentence.endswith(f"; listed are the newest {MOST_LISTED}.")
    assert state.text.rows[0][1] > state.text.rows[-1][1]


def test_nobody_has_measured_anything() -> None:
    state = ContextState(ObserverSynthesis())
    state.set_budget(0)
    assert (state.text.rows, state.text.sentence) == (
        (),
        "0 of the newest no emissions match, 0 close a loop.",
    )


def test_names_of_others_cannot_write_markup() -> None:
    observers = ObserverSynthesis()
    observers.add_to_context(observers.emit_token({"type": "<b>x</b>\u202e", "source": "`"}))
    state = ContextState(observers)
    assert "\u202e" not in str(state.text.rows)
    assert "<b>" not in state.text.to_html("t")
