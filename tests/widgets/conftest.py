"""What every test of a widget gets: somebody who sees to it that nothing of it is left."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest
from ipywidgets.widgets import widget as registry


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Every test closes what it opened: widgets, and threads that follow."""
    before = set(registry._instances)
    yield
    assert set(registry._instances) == before
    assert [thread.name for thread in threading.enumerate() if thread.name == "toriwork-follower"] == []
