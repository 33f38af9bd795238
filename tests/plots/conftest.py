"""Diagrams and axes that several tests of the figures use, and a watch on matplotlib's global settings."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from matplotlib import rcParams
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from toriwork.topology import Diagram

INF = float("inf")


@pytest.fixture(autouse=True)
def _settings_stay() -> Iterator[None]:
    """No test of a figure may find matplotlib's settings changed afterwards."""
    before = _settings()
    yield
    assert _settings() == before


def _settings() -> dict[str, object]:
    # which backend pyplot resolved to is pyplot's own business
    return {name: value for name, value in rcParams.items() if not name.startswith("backend")}


@pytest.fixture
def axes() -> Axes:
    return Figure().add_subplot()


@pytest.fixture
def diagram() -> Diagram:
    """Three components, two loops of which one is long, one void that never dies."""
    return Diagram(
        pairs=np.array(
            [
                [0, 0.0, 0.1],
                [0, 0.0, 0.1],
                [0, 0.0, INF],
                [1, 0.10, 0.83],
                [1, 0.2, 0.25],
                [2, 0.5, INF],
            ]
        ),
        max_dimension=2,
    )


@pytest.fixture
def cut_diagram() -> Diagram:
    """A loop of which only is known that it outlives the cut at 0.5."""
    return Diagram(
        pairs=np.array([[0, 0.0, 0.1], [0, 0.0, INF], [1, 0.3, INF]]),
        max_dimension=1,
        threshold=0.5,
        censored=np.array([False, False, True]),
    )


@pytest.fixture
def empty_diagram() -> Diagram:
    return Diagram(pairs=np.zeros((0, 3)), max_dimension=1)
