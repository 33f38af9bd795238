"""Classes followed through a series: by matching bars, not by counting them."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.cells.clouds import circle, line, two_circles
from toriwork.cells import TorusCells
from toriwork.cells.tracks import match
from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry

bars = st.lists(st.tuples(st.floats(0, 4), st.floats(0.01, 4)), max_size=4).map(
    lambda rows: np.array([(birth, birth + length) for birth, length in rows]).reshape(-1, 2)
)


def cost(before, after, pairs):
    """Squared 2-Wasserstein cost of a partial matching."""
    moved = sum(float(((before[i] - after[j]) ** 2).sum()) for i, j in pairs)
    matched_before, matched_after = {i for i, _ in pairs}, {j for _, j in pairs}
    left = [bar for i, bar in enumerate(before) if i not in matched_before]
    left += [bar for j, bar in enumerate(after) if j not in matched_after]
    return moved + sum((bar[1] - bar[0]) ** 2 / 2 for bar in left)


def cheapest(before, after):
    """The slow twin: every partial matching there is."""
    return min(
        cost(before, after, list(zip(rows, columns, strict=True)))
        for size in range(min(len(before), len(after)) + 1)
        for rows in itertools.combinations(range(len(before)), size)
        for columns in itertools.permutations(range(len(after)), size)
    )


@given(bars, bars)
def test_no_matching_is_cheaper(before, after):
    pairs = match(before, after)
    assert cost(before, after, pairs) == pytest.approx(cheapest(before, after), abs=1e-9)
    assert len({i for i, _ in pairs}) == len({j for _, j in pairs}) == len(pairs)


@pytest.fixture(scope="module")
def cells(tmp_path_factory):
    with TorusRegistry(tmp_path_factory.mktemp("tracks") / "r.parquet") as registry, TorusCells(registry, 1) as cells:
        yield cells


def test_a_loop_that_stays_is_one_track(cells):
    series = [circle(50 + 5 * k, seed=k) * (1 + 0.1 * k) for k in range(4)]
    found = cells.compute_homology_persistence(series)
    assert set(found["statistics"]) == {"b0_mean", "b0_std", "b1_mean", "b1_std", "stable_features"}
    assert [found["statistics"][name] for name in ("b1_mean", "b1_std", "stable_features")] == [1, 0, 1]
    (loop,) = [track for track in found["tracks"] if all(track["is_feature"])]
    assert (loop["dimension"], loop["start"], loop["stop"]) == (1, 0, 4)
    assert loop["deaths"] == sorted(loop["deaths"])
    assert [step["betti"][1] for step in found["persistence_data"]] == [1] * 4
    for k, step in enumerate(found["persistence_data"]):
        pairs = step["diagrams"][1]
        assert [loop["births"][k], loop["deaths"][k]] in pairs.tolist()
        assert np.isinf(step["diagrams"][0]).sum() == 1


def test_a_loop_that_goes_and_comes_is_no_stable_feature(cells):
    found = cells.compute_homology_persistence([circle(), line(), circle(), two_circles()])
    assert found["statistics"]["stable_features"] == 0
    assert found["statistics"]["b1_mean"] == 1.0
    assert found["statistics"]["b1_std"] == pytest.approx(math.sqrt(0.5))
    loops = [(track["start"], track["stop"]) for track in found["tracks"] if any(track["is_feature"])]
    assert sorted(loops) == [(0, 1), (2, 4), (3, 4)]


def test_swapping_sizes_is_seen_where_counting_sees_nothing(cells):
    """One loop dies while another is born: b1 is 1 at every step, and no class is there at both ends."""
    found = cells.compute_homology_persistence([circle(), circle() * 20])
    assert found["statistics"]["b1_std"] == 0
    assert found["statistics"]["stable_features"] == 0


def test_a_series_of_nothing_has_no_statistics(cells):
    found = cells.compute_homology_persistence([])
    assert found["persistence_data"] == found["tracks"] == []
    assert found["statistics"]["stable_features"] == 0
    assert math.isnan(found["statistics"]["b0_mean"])


def test_what_is_undecided_is_left_out_of_the_mean(cells):
    found = cells.compute_homology_persistence([circle(), [0.1, 0.2]])
    assert found["statistics"]["b1_mean"] == 1.0
    assert np.isnan(found["persistence_data"][1]["betti"]).all()
    assert found["persistence_data"][1]["diagrams"] == {}


def test_a_bad_cloud_is_named(cells):
    with pytest.raises(BadInput, match="cloud 1 of the series"):
        cells.compute_homology_persistence([circle(), [[0, math.nan]]])


def test_nothing_is_recorded(cells):
    cells.compute_homology_persistence([circle()])
    assert cells.registry.get_statistics()["total_shapes"] == 0
