"""Classes followed through a series: by matching bars, not by counting them."""

from __future__ import annotations

import math

import numpy as np
import pytest

from tests.cells.clouds import circle, line, two_circles
from toriwork.cells import TorusCells
from toriwork.cells.tracks import Series
from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry
from toriwork.topology.clouds import cloud_of


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


def test_the_vineyard_holds_the_tracks_and_the_components(cells):
    found = cells.compute_homology_persistence([circle(seed=seed) for seed in range(3)])
    vineyard = found["vineyard"]
    assert (vineyard.n_times, vineyard.scale) == (3, "diameter")
    (whole,) = [vine for vine in vineyard.vines if vine.essential]
    assert (whole.dimension, whole.entry, whole.exit) == (0, 0, 3)
    loops = vineyard.in_dimension(1)
    assert [vine.births.tolist() for vine in loops] == [track["births"] for track in found["tracks"]]
    assert [vine.entry for vine in loops] == [track["start"] for track in found["tracks"]]


def test_a_long_series_keeps_what_is_followed(cells):
    numbers = cells._numbers.of(cloud_of(circle()))
    series = Series(max_bars=5, max_tracks=3, max_bytes=2 * numbers.diagram.pairs.nbytes)
    for _ in range(4):
        series.add(numbers, cells._numbers.features(numbers))
    found = series.result()
    assert [step["complete"] for step in found["persistence_data"]] == [True, True, False, False]
    whole, longest = (found["persistence_data"][k]["diagrams"][0] for k in (0, 3))
    assert (len(whole), len(longest)) == (60, 5)
    assert np.array_equal(longest, whole[-5:])
    assert found["statistics"]["stable_features"] == 1
    with pytest.raises(ValueError, match="read-only"):
        whole[0] = 7


def test_a_series_may_be_a_generator(cells):
    found = cells.compute_homology_persistence(circle() for _ in range(2))
    assert len(found["persistence_data"]) == 2


def test_nothing_is_recorded(cells):
    cells.compute_homology_persistence([circle()])
    assert cells.registry.get_statistics()["total_shapes"] == 0
