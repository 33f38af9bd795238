"""The predicted cost grows with the work and never forgets the distance matrix."""

from __future__ import annotations

import pytest

from toriwork.errors import BadInput
from toriwork.topology import work_estimate


def test_more_points_or_dimensions_cost_more() -> None:
    for smaller, larger in [((50, 3, 1), (100, 3, 1)), ((100, 3, 1), (100, 3, 2)), ((100, 3, 2), (100, 3, 3))]:
        assert work_estimate(*smaller).seconds < work_estimate(*larger).seconds
        assert work_estimate(*smaller).bytes <= work_estimate(*larger).bytes


def test_nothing_costs_next_to_nothing() -> None:
    assert work_estimate(0, 3, 1).seconds < 1e-3
    assert work_estimate(0, 3, 1).bytes == 0


def test_a_large_cloud_is_seen_to_be_large() -> None:
    assert work_estimate(2_000, 3, 1).bytes > 1e9
    assert work_estimate(50_000, 3, 1).bytes > 50_000**2 * 8
    assert work_estimate(50_000, 3, 1).seconds > 3600


def test_negative_sizes_are_refused() -> None:
    with pytest.raises(BadInput, match=">= 0"):
        work_estimate(-1, 3, 1)
