"""A synthesis that keeps its tokens in memory, for monitors that are not about files."""

from __future__ import annotations

import pytest

from toriwork.synthesis import ObserverSynthesis


@pytest.fixture
def synthesis():
    return ObserverSynthesis()


@pytest.fixture
def generated(synthesis):
    """How many tokens were emitted so far."""
    return lambda: synthesis.metrics["tokens_generated"]
