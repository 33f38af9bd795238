"""Moves of a widget leave no objects, handlers, models, threads or figures in the kernel."""

from __future__ import annotations

import gc
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import matplotlib.pyplot as plt
import numpy as np
import pytest
from ipywidgets.widgets import widget as registry

from tests.widgets.asking import ask
from toriwork import CurvatureAwareGuard, ObserverSynthesis
from toriwork.registry import TorusRegistry
from toriwork.widgets import DiagramExplorer, MonitorPanel, RegistryBrowser, TokenContextExplorer

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def pull(explorer: DiagramExplorer, number: int) -> None:
    states = ({"scale": 0.5}, {"selection": [0, 1]}, {"chosen": [1, 0]}, {"scale": 1.2}, {"chosen": []})
    update = {"method": "update", "state": states[number % len(states)], "buffer_paths": []}
    explorer.widget._handle_msg({"content": {"data": update}, "buffers": []})


def page(browser: RegistryBrowser, number: int) -> None:
    asked = (("go", 1), ("sort", [5, True]), ("filter", {"b1": "1"}), ("filter", {"b1": "no"}), ("filter", {}))
    ask(browser, *asked[number % len(asked)])


def budget(explorer: TokenContextExplorer, number: int) -> None:
    asked = (("limit", 300), ("unit", "items"), ("filter", {"source": "s1"}), ("filter", {}), ("unit", "characters"))
    ask(explorer, *asked[number % len(asked)])


def look(panel: MonitorPanel, number: int) -> None:
    ask(panel, ("refresh", "follow", "follow")[number % 3], number % 3 == 1)


@pytest.fixture
def views(tmp_path: Path) -> Iterator[dict[str, Callable[[], Any]]]:
    observers = ObserverSynthesis()
    with TorusRegistry(tmp_path / "r.parquet", compute_betti=False) as rows:
        for n in range(9):
            rows.record_shape(SQUARE * (1 + n), (1, n % 2))
            observers.add_to_context(observers.emit_token({"source": f"s{n % 2}", "type": "x", "value": n}))
        yield {
            "explorer": lambda: DiagramExplorer(SQUARE),
            "browser": lambda: RegistryBrowser(rows, page_rows=4),
            "context": lambda: TokenContextExplorer(observers),
            "panel": lambda: MonitorPanel(CurvatureAwareGuard()),
        }
    observers.close()


def alive(view: Any) -> Counter[str]:
    """How many objects of each type there are, and what else a view may leave behind."""
    gc.collect()
    found = Counter(f"{type(one).__module__}.{type(one).__qualname__}" for one in gc.get_objects())
    model = view.widget
    handlers = [one for by_type in model._trait_notifiers.values() for names in by_type.values() for one in names]
    found["handlers"] = len(handlers) + len(model._msg_callbacks.callbacks)
    found["models"] = len(registry._instances)
    found["threads"] = threading.active_count()
    found["figures"] = len(plt.get_fignums())
    return found


MOVES = {"explorer": pull, "browser": page, "context": budget, "panel": look}


@pytest.mark.parametrize("name", MOVES)
def test_moves_leave_nothing_behind(views: Any, name: str) -> None:
    """A move of the explorer draws nothing in the kernel; one of the others draws the still picture anew."""
    leaves_nothing(views[name], MOVES[name], 100 if name == "explorer" else 5)


@pytest.mark.long
@pytest.mark.parametrize("name", MOVES)
def test_200_moves_leave_nothing_behind(views: Any, name: str) -> None:
    leaves_nothing(views[name], MOVES[name], 105)


def leaves_nothing(make: Callable[[], Any], move: Callable[[Any, int], None], n_moves: int) -> None:
    """Twice so many moves; what is made once, and caches, grow in one of the two halves at most."""
    with make() as view:
        for number in range(5):
            move(view, number)
        counts = [alive(view)]
        for _ in range(2):
            for number in range(n_moves):
                move(view, number)
            counts.append(alive(view))
    first, middle, last = counts
    grown = {
        kind for kind in last if min(last[kind] - middle[kind], middle[kind] - first[kind]) >= max(5, n_moves // 5)
    }
    assert grown == set()
    assert all(last[kind] == middle[kind] for kind in ("handlers", "models", "threads", "figures"))
