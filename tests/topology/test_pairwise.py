"""Points are compared by the metric that was asked for, or across the sides of a box; what has no distance is named."""

from __future__ import annotations

import json
import math
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.spatial.distance import pdist

from tests.topology.clouds import circle
from toriwork.cells.memory import DiagramMemory
from toriwork.errors import BadInput, TooLarge
from toriwork.topology import persistence, persistence_many

POINTS = np.random.default_rng(0).random((20, 3))
NAMES = ["cityblock", "chebyshev", "cosine", "correlation", "canberra", "braycurtis", "sqeuclidean", "minkowski"]


@pytest.mark.parametrize("metric", [*NAMES, "seuclidean", "mahalanobis", "hamming", "jensenshannon"])
@pytest.mark.parametrize("filtration", ["rips", "h0", "landmark", "dtm"])
def test_a_metric_by_its_name_is_that_of_scipy(metric: str, filtration: str) -> None:
    found = persistence(POINTS, metric=metric, filtration=filtration)
    assert found.pairs.tolist() == persistence(distances=pdist(POINTS, metric), filtration=filtration).pairs.tolist()
    assert json.loads(found.provenance.parameters)["metric"] == metric


def test_a_function_is_a_metric() -> None:
    found = persistence(POINTS, metric=lambda a, b: np.abs(a - b).max())
    assert found.pairs.tolist() == persistence(POINTS, metric="chebyshev").pairs.tolist()
    hops = persistence([[0.0], [1.0], [5.0]], metric=lambda a, b: 1 if abs(a[0] - b[0]) < 2 else math.inf)
    assert hops.pairs.tolist() == [[0, 0, 1], [0, 0, math.inf], [0, 0, math.inf]]


def test_the_angle_of_vectors_and_of_series_that_go_up_and_down_together() -> None:
    vectors = [[1.0, 0.0], [7.0, 0.0], [0.0, 3.0], [-2.0, 0.0]]
    assert persistence(vectors, metric="cosine").in_dimension(0).tolist() == [[0, 1], [0, 1], [0, math.inf]]
    series = [[0.0, 1.0, 2.0], [5.0, 6.0, 7.0], [2.0, 1.0, 0.0]]
    found = persistence(series, metric="correlation", min_persistence=1e-12)  # rounding tells the first two apart
    assert found.in_dimension(0).tolist() == [[0, pytest.approx(2)], [0, math.inf]]


def test_a_few_points_have_their_answer() -> None:
    for n_points in (0, 1):
        for options in ({"metric": "cosine"}, {"period": 1.0}, {"metric": lambda a, b: 1.0}):
            assert len(persistence(np.ones((n_points, 2)), **options).pairs) == n_points


# ---- boxes -----------------------------------------------------------------------------------------------------------


def test_a_line_that_closes_is_a_circle() -> None:
    points = np.arange(12.0)[:, None]
    assert len(persistence(points).in_dimension(1)) == 0
    assert persistence(points, period=12.0).in_dimension(1).tolist() == [[1, 4]]  # a third of the way around
    assert persistence(points + 1000.0, period=[12.0]).in_dimension(1).tolist() == [[1, 4]]  # wherever the box begins
    assert len(persistence(points, period=math.inf).in_dimension(1)) == 0


def test_a_grid_in_a_box_is_a_torus() -> None:
    grid = np.array(list(product(range(8), repeat=2)), dtype=float)
    assert persistence(grid, period=8).betti(2.0) == (1, 2)
    assert persistence(grid, period=[8, math.inf]).betti(2.0) == (1, 1)
    assert persistence(grid).betti(2.0) == (1, 0)


def test_a_box_is_that_of_the_nearest_image() -> None:
    rng = np.random.default_rng(3)
    points, period = rng.random((30, 3)) * 3.0, np.array([1.0, 1.5, 0.7])
    shifts = [np.array(shift) * period for shift in product(range(-5, 6), repeat=3)]
    apart = [
        min(float(np.linalg.norm(points[i] - points[j] + shift)) for shift in shifts)
        for i in range(30)
        for j in range(i + 1, 30)
    ]
    found, wanted = persistence(points, period=period), persistence(distances=apart)
    assert len(found.pairs) == len(wanted.pairs)
    assert np.allclose(found.pairs, wanted.pairs, atol=1e-12)
    assert json.loads(found.provenance.parameters) == {"period": [1.0, 1.5, 0.7]}


REFUSED = [
    pytest.param({"metric": "bogus"}, "metric: expected a name of .*'bogus'", id="no such name"),
    pytest.param({"metric": 3}, "metric: expected a name", id="a number"),
    pytest.param({"metric": np.eye(2)}, "metric: expected a name", id="an array"),
    pytest.param({"metric": lambda a, b: 1 / 0}, "points 0 and 1, got ZeroDivisionError", id="raises"),
    pytest.param({"metric": lambda a, b: math.nan}, r"entry \(0, 1\) is NaN", id="returns NaN"),
    pytest.param({"metric": lambda a, b: -1.0}, r"entry \(0, 1\) is negative", id="returns less than zero"),
    pytest.param({"metric": lambda a, b: "far"}, "got ValueError", id="returns text"),
    pytest.param({"metric": lambda a, b: None}, "is NaN", id="returns nothing"),
    pytest.param({"metric": lambda a, b: a}, "got .*Error", id="returns a vector"),
    pytest.param({"points": [[0.0, 0.0], [1.0, 1.0]], "metric": "cosine"}, r"'cosine': entry \(0, 1\) is NaN", id="0"),
    pytest.param({"points": [[1e200], [-1e200]], "metric": "sqeuclidean"}, "range of float64", id="overflow"),
    pytest.param({"metric": "cosine", "filtration": "alpha"}, "rips, h0, landmark, dtm", id="alpha"),
    pytest.param({"period": 1.0, "filtration": "alpha"}, "rips, h0, landmark, dtm", id="a box of alpha"),
    pytest.param({"period": 1.0, "points": None, "distances": [[0.0]]}, "expected points", id="distances"),
    pytest.param({"period": 1.0, "metric": "cosine"}, "'euclidean'", id="a box of angles"),
    pytest.param({"period": 0.0}, "> 0", id="no box"),
    pytest.param({"period": -1.0}, "> 0", id="a box below zero"),
    pytest.param({"period": math.nan}, "> 0", id="a box of NaN"),
    pytest.param({"period": [1.0, 2.0]}, "one length or 3", id="too few lengths"),
    pytest.param({"period": "1"}, "one length or 3", id="a text"),
    pytest.param({"period": [None] * 3}, "one length or 3", id="objects"),
]


@pytest.mark.parametrize(("arguments", "words"), REFUSED)
def test_what_has_no_distance_is_refused_by_name(arguments: dict[str, Any], words: str) -> None:
    with pytest.raises(BadInput, match=words):
        persistence(**{"points": POINTS, **arguments})


def test_distances_that_do_not_fit_are_refused_before_they_are_made() -> None:
    with pytest.raises(TooLarge, match="their distances"):
        persistence(np.zeros((20_000, 2)), metric="cityblock", max_bytes=1e8)


# ---- a metric is part of the question --------------------------------------------------------------------------------


def test_a_memory_tells_metrics_apart_and_keeps_no_function(tmp_path: Path) -> None:
    cloud = circle(12)
    with DiagramMemory(tmp_path / "memory.parquet") as memory:
        plain = memory.persistence(cloud)
        city = memory.persistence(cloud, metric="cityblock")
        box = memory.persistence(cloud, period=2.0)
        memory.persistence(cloud, metric=lambda a, b: 1.0)
        memory.flush()
        assert len(memory) == 3
        assert memory.get(cloud) == plain
        assert memory.get(cloud, metric="cityblock") == city
        assert memory.get(cloud, period=2.0) == box
        assert memory.get(cloud, metric="cosine") is None
    assert len({str(diagram.pairs.tolist()) for diagram in (plain, city, box)}) == 3


def test_many_clouds_have_the_metric_of_one() -> None:
    clouds = [POINTS, POINTS[:7], np.zeros((2, 3))]
    found = list(persistence_many(clouds, metric="cosine", progress=False))
    found.sort(key=lambda result: result.index)
    for cloud, result in zip(clouds[:2], found, strict=False):
        assert result.diagram == persistence(cloud, metric="cosine")
    assert "cosine" in str(found[2].error)
