"""What no control of a front end sends is refused in a sentence: no error in the kernel, and nothing changes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest

from tests.widgets.asking import ask, send
from toriwork import CurvatureAwareGuard, ObserverSynthesis
from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry
from toriwork.widgets import DiagramExplorer, MonitorPanel, RegistryBrowser, TokenContextExplorer
from toriwork.widgets.asked import AskedView

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])
#: no value of these is one that any action takes
ODD = [None, "many", [], [99], {"a": 1}, {"since": 5}, {"source": ["x"]}, 1.5, [None, None], [1, "down"], ["0", True]]


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorusRegistry]:
    with TorusRegistry(tmp_path_factory.mktemp("asked") / "r.parquet", compute_betti=False) as made:
        for n in range(9):
            made.record_shape(SQUARE * (1 + n), (1, n % 2))
        yield made


@pytest.fixture
def makers(registry: TorusRegistry) -> Iterator[dict[str, Callable[[], AskedView]]]:
    observers = ObserverSynthesis()
    for n in range(5):
        observers.add_to_context(observers.emit_token({"source": "s", "type": "x", "value": n}))
    yield {
        "browser": lambda: RegistryBrowser(registry, page_rows=4),
        "context": lambda: TokenContextExplorer(observers),
        "panel": lambda: MonitorPanel(CurvatureAwareGuard()),
    }
    observers.close()


@pytest.mark.parametrize("name", ["browser", "context", "panel"])
@pytest.mark.parametrize("request_", [None, 5, "refresh", [], {}, {"do": []}, {"do": "explode"}, {"with": 3}], ids=repr)
def test_what_is_no_request_is_refused(makers: Any, name: str, request_: Any) -> None:
    with makers[name]() as view:
        before = view.widget.data
        shown = send(view, request_)
        assert shown["refused"].startswith("Not possible: request: expected one of ")
        assert {**shown, "refused": ""} == before


@pytest.mark.parametrize(
    ("name", "what"),
    [("browser", "filter"), ("browser", "choose"), ("browser", "sort"), ("browser", "go"), ("context", "filter")],
)
def test_a_value_that_an_action_does_not_take_is_refused(makers: Any, name: str, what: str) -> None:
    with makers[name]() as view:
        before = view.widget.data
        for value in [one for one in ODD if not (what == "filter" and one == {})]:
            shown = ask(view, what, value)
            assert shown["refused"].startswith("Not possible: "), value
            assert {**shown, "refused": ""} == before


@pytest.mark.parametrize(("what", "value"), [("limit", value) for value in ODD[1:]] + [("unit", v) for v in ODD[1:]])
def test_a_budget_that_is_none_is_refused(makers: Any, what: str, value: Any) -> None:
    with makers["context"]() as view:
        before = view.widget.data
        shown = ask(view, what, value)
        assert shown["refused"].startswith(f"Not possible: {what}: expected ")
        assert {**shown, "refused": ""} == before


def update(explorer: DiagramExplorer, **state: Any) -> None:
    message = {"method": "update", "state": state, "buffer_paths": []}
    explorer.widget._handle_msg({"content": {"data": message}, "buffers": []})


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("scale", None), ("scale", "far"), ("scale", float("nan")), ("scale", float("inf")), ("selection", [99]),
        ("selection", [-1]), ("selection", ["a"]), ("selection", [10**30]), ("selection", 7), ("chosen", ["a"]),
        ("chosen", {"a": 1}), ("chosen", None),
    ],
    ids=str,
)  # fmt: skip
def test_an_explorer_refuses_in_its_log_what_it_cannot_be(
    name: str, value: Any, caplog: pytest.LogCaptureFixture
) -> None:
    with DiagramExplorer(SQUARE, scale=1.2) as explorer:
        update(explorer, selection=[1, 2])
        before = getattr(explorer.widget, name)
        with caplog.at_level(logging.WARNING, logger="toriwork.widgets"):
            update(explorer, **{name: value})
        (record,) = caplog.records
        assert record.getMessage().startswith("ExplorerFront: refused what the browser sent: ")
        assert "\n" not in record.getMessage()
        assert getattr(explorer.widget, name) == before
        assert (explorer.state.scale, explorer.selection.tolist()) == (1.2, [1, 2])


@pytest.mark.parametrize(
    "chosen", [[99], [1, 99], [1, -1], [-1, 0], [7, 0], [1, 0, 0], [0, 10**30], [10**30, 0]], ids=str
)
def test_a_bar_that_there_is_not_is_refused_in_words(chosen: list[int]) -> None:
    with DiagramExplorer(SQUARE, scale=1.2) as explorer:
        update(explorer, chosen=[1, 0])
        update(explorer, chosen=chosen)
        shown = explorer.widget.highlight
        assert (shown["bar"], shown["told"][:14]) == (chosen, "Not possible: ")
        assert explorer.state.highlight == ()
        update(explorer, chosen=[1, 0])
        assert "points" in explorer.widget.highlight


def test_python_is_told_what_is_wrong_with_a_value_that_it_sets() -> None:
    with DiagramExplorer(SQUARE, scale=1.2) as explorer:
        with pytest.raises(BadInput, match="scale: expected a finite number"):
            explorer.widget.scale = float("nan")
        assert explorer.widget.scale == explorer.state.scale == 1.2
