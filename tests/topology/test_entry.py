"""Images with holes or closed axes, points with weights, frames: each has the bars of its meaning, or is refused."""

from __future__ import annotations

import json
import math
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.topology import hostile, oracles
from tests.topology.clouds import circle
from tests.topology.test_engines_agree import assert_same_bars
from toriwork.cells.memory import DiagramMemory
from toriwork.errors import BadInput, TooLarge
from toriwork.topology import Diagram, gudhi_filtrations, persistence, persistence_many

POINTS = np.random.default_rng(0).random((20, 2))
INF = math.inf


# ---- images ----------------------------------------------------------------------------------------------------------


def test_a_pixel_that_is_masked_leaves_a_hole_that_nothing_fills() -> None:
    mask = np.ones((5, 5), dtype=bool)
    mask[2, 2] = False
    image = np.where(mask, 0.0, math.nan)  # its value is never looked at
    found = persistence(image, filtration="cubical", mask=mask)
    assert found.pairs.tolist() == [[0, 0, INF], [1, 0, INF]]
    masked = persistence(np.ma.masked_invalid(image), filtration="cubical")
    assert masked == found
    assert len(json.loads(found.provenance.parameters)["mask"]) == 32
    assert masked.provenance.parameters == found.provenance.parameters
    assert persistence(np.zeros((5, 5)), filtration="cubical", mask=~mask).pairs.tolist() == [[0, 0, INF]]
    assert len(persistence(image, filtration="cubical", mask=np.zeros((5, 5), dtype=bool))) == 0


def test_a_masked_column_parts_an_image_and_a_masked_sample_a_series() -> None:
    mask = np.ones((3, 5), dtype=bool)
    mask[:, 2] = False
    image = np.arange(15).reshape(3, 5)
    assert persistence(image, filtration="cubical", mask=mask).pairs.tolist() == [[0, 0, INF], [0, 3, INF]]
    series = persistence([2, 9, 1, 3, 0], filtration="lower_star", mask=[True, False, True, True, True])
    assert series.pairs.tolist() == [[0, 0, INF], [0, 1, 3], [0, 2, INF]]


def test_an_image_whose_sides_are_joined_is_a_torus() -> None:
    image = np.arange(9.0).reshape(3, 3)
    found = persistence(image, filtration="cubical", period=True, max_dimension=2)
    assert found.pairs.tolist() == [[0, 0, INF], [1, 2, INF], [1, 6, INF], [2, 8, INF]]
    tube = persistence(image, filtration="cubical", period=[True, False], max_dimension=2)
    assert tube.pairs.tolist() == [[0, 0, INF], [1, 6, INF]]
    assert persistence(image, filtration="cubical", period=image.shape, max_dimension=2) == found
    assert persistence(image, filtration="cubical", period=[3.0, INF], max_dimension=2) == tube
    open_sides = persistence(image, filtration="cubical", period=[False, False])
    assert open_sides == persistence(image, filtration="cubical")
    ring = persistence([0.0, 5, 1, 7], filtration="lower_star", period=True)
    assert ring.pairs.tolist() == [[0, 0, INF], [0, 1, 5], [1, 7, INF]]


@pytest.mark.parametrize("threshold", [INF, 5.0, 2.0])
@pytest.mark.parametrize("shape", [(1,), (2,), (7,), (3, 4), (1, 3), (2, 2), (5, 5), (2, 3, 4), (3, 3, 3)], ids=str)
def test_grids_equal_the_reduction_cell_by_cell(shape: tuple[int, ...], threshold: float) -> None:
    rng = np.random.default_rng(len(shape) * 100 + shape[0])
    for closed in (False, True):
        periodic = tuple(closed or bool(rng.integers(2)) for _ in shape)
        image = rng.integers(0, 8, shape)
        mask = rng.random(shape) < 0.8
        values = np.where(mask & (image <= threshold), image, INF)
        for filtration in ("cubical", "lower_star")[: 2 if len(shape) == 1 else 1]:
            options = {"filtration": filtration, "mask": mask, "threshold": threshold, "max_dimension": len(shape)}
            for axes in (periodic, (False,) * len(shape)):
                wanted = oracles.grid_pairs(values, axes, on_vertices=filtration == "lower_star")
                found = persistence(image, period=list(axes), **options)
                assert found.pairs.tolist() == wanted.tolist()
                alone = persistence(image, period=list(axes), **options | {"max_dimension": 0})
                assert alone.pairs.tolist() == wanted[wanted[:, 0] == 0].tolist()
            assert (found.threshold == threshold) == bool((image[mask] > threshold).any() or threshold == INF)


def test_a_threshold_stops_the_work_on_an_image(monkeypatch: pytest.MonkeyPatch) -> None:
    image = np.full((60, 60, 60), 9.0)
    image[20:23, 30:33, 40:43] = 1.0
    image[21, 31, 41] = 9.0
    seen = []
    known = gudhi_filtrations.grid_bars
    monkeypatch.setattr(
        gudhi_filtrations, "grid_bars", lambda values, *a, **o: seen.append(values.shape) or known(values, *a, **o)
    )
    found = persistence(image, filtration="cubical", threshold=2.0, max_dimension=2, max_bytes=1e6)
    assert found.pairs.tolist() == [[0, 1, INF], [2, 1, INF]]
    assert found.censored.tolist() == [False, True]
    assert seen == [(3, 3, 3)]
    with pytest.raises(TooLarge):
        persistence(image, filtration="cubical", max_dimension=2, max_bytes=1e6)


# ---- weights ---------------------------------------------------------------------------------------------------------


def test_two_balls_meet_where_their_radii_say() -> None:
    # 3 apart; of squared radii t + 4 and t + 1: on the line they touch where sqrt(t + 4) + sqrt(t + 1) = 3
    found = persistence([[0.0], [3.0]], weights=[4, 1], filtration="alpha")
    assert found.pairs.tolist() == [[0, -4, INF], [0, -1, 0]]
    assert (found.scale, found.filtration) == ("value", "weighted_alpha")
    assert persistence([[0.0], [3.0]], weights=[4, 1], filtration="delaunay_cech") == found


def test_a_ball_inside_another_is_never_seen() -> None:
    assert persistence([[0.0, 0], [1, 0]], weights=[9, 0], filtration="alpha").pairs.tolist() == [[0, -9, INF]]
    twice = persistence([[0.0, 0], [0, 0], [5, 0], [-0.0, 0]], weights=[1, 2, 0, 2], filtration="alpha")
    assert twice == persistence([[0.0, 0], [5, 0]], weights=[2, 0], filtration="alpha")
    assert persistence([[1.0, 2]] * 2000, weights=np.zeros(2000), filtration="alpha").pairs.tolist() == [[0, 0, INF]]


@pytest.mark.parametrize("dim", [1, 2, 3, 9])
@pytest.mark.parametrize("seed", range(3))
def test_weights_equal_the_weighted_cech_complex_by_brute_force(dim: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    cloud, weights = rng.random((7, dim)), rng.uniform(-0.1, 0.1, 7)
    wanted = Diagram(oracles.weighted_cech_pairs(cloud, weights, 2), 2, min_persistence=1e-7, scale="value")
    for size in (1.0, 2.0**300, 2.0**-450):
        found = persistence(
            cloud * size,
            weights=weights * size * size,
            filtration="alpha",
            max_dimension=2,
            min_persistence=1e-7 * size * size,
        )
        assert_same_bars(found.pairs / [1, size * size, size * size], wanted.pairs, 1e-7)


@pytest.mark.parametrize("weight", [0.0, 0.5])
def test_equal_weights_are_the_alpha_filtration_squared(weight: float) -> None:
    cloud = circle(40, 0.1, seed=1)
    plain = persistence(cloud, filtration="alpha", min_persistence=1e-9).pairs
    found = persistence(cloud, filtration="alpha", weights=np.full(40, weight), min_persistence=1e-12)
    found = Diagram(np.column_stack([found.pairs[:, 0], np.sqrt(found.pairs[:, 1:] + weight)]), 1, min_persistence=1e-9)
    assert_same_bars(found.pairs, plain, 1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_a_threshold_and_a_dimension_stop_the_work_of_alpha(weighted: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    import gudhi

    rng, built = np.random.default_rng(1), []
    cloud = rng.random((300, 3))
    options = {"filtration": "alpha", "weights": rng.random(300) / 100 if weighted else None}
    count = gudhi.SimplexTree.compute_persistence
    monkeypatch.setattr(
        gudhi.SimplexTree,
        "compute_persistence",
        lambda tree, *a, **o: built.append(tree.num_simplices()) or count(tree, *a, **o),
    )
    whole = persistence(cloud, max_dimension=2, **options)
    for threshold in (0.0, 0.002, 0.08, 0.2, 1.0, 9.0):
        cut = persistence(cloud, max_dimension=2, threshold=threshold, **options)
        for r in np.linspace(0, min(threshold, 1.0), 5):
            assert cut.betti(r) == whole.betti(r)
        assert (cut.threshold == threshold) == (threshold < 0.9)
        assert built[-1] <= built[0] / (4 if threshold < 0.05 and not weighted else 1)
    size, unit = 2.0**490, 2.0**980 if weighted else 2.0**490  # beyond where squares stay within float64
    huge = options | {"weights": options["weights"] * unit if weighted else None}
    cut = persistence(cloud * size, max_dimension=2, threshold=0.08 * unit, **huge)
    assert cut.threshold == 0.08 * unit
    assert np.allclose(
        cut.pairs / [1, unit, unit], persistence(cloud, max_dimension=2, threshold=0.08, **options).pairs, atol=1e-12
    )
    low = persistence(cloud, max_dimension=0, **options)
    assert low.pairs.tolist() == whole.pairs[whole.pairs[:, 0] == 0].tolist()
    assert built[-1] < built[0] / 2
    nothing = persistence(cloud, filtration="alpha", weights=np.full(300, -2.0), threshold=1.0)
    assert len(nothing) == 0


# ---- what came as points and is none ---------------------------------------------------------------------------------


def test_a_matrix_of_distances_as_points_is_answered_with_a_warning() -> None:
    matrix = oracles.euclidean(POINTS)
    with pytest.warns(UserWarning, match="distances="):
        assert persistence(matrix).provenance.n_points == 20
    for image in (np.arange(30, dtype=np.uint8).reshape(5, 6), np.arange(30).reshape(5, 6), POINTS.reshape(5, 8)):
        with pytest.warns(UserWarning, match="filtration='cubical'"):
            persistence(image)


def test_one_matrix_among_many_clouds_has_the_warning() -> None:
    with pytest.warns(UserWarning, match="distances="):
        assert len(list(persistence_many([POINTS, oracles.euclidean(POINTS), POINTS], progress=False))) == 3


def test_clouds_and_images_have_no_warning() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for cloud in (
            POINTS,
            POINTS.T,
            POINTS.reshape(5, 8) - 0.5,
            POINTS.reshape(5, 8) * 300,
            np.eye(3),
            np.zeros((3, 3)),
            [[0.0, 1.0], [1.0, 0.0]],
        ):
            persistence(cloud)
        persistence(oracles.euclidean(POINTS), filtration="cubical")
        persistence(distances=oracles.euclidean(POINTS))


class OnlyDLPack:
    """An array that knows no NumPy."""

    def __init__(self, array: np.ndarray) -> None:
        self._array = array

    def __dlpack__(self, **options: Any) -> Any:
        return self._array.__dlpack__(**options)

    def __dlpack_device__(self) -> Any:
        return self._array.__dlpack_device__()


def frames() -> list[Any]:
    rows = {"x": [0, 1, 4], "y": [0.5, 0.5, 0.5]}
    pandas, polars, arrow = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    plain = pandas.DataFrame(rows)
    nullable = plain.astype({"x": "Int64", "y": "Float64"})
    arrays = OnlyDLPack(np.column_stack(list(rows.values())))
    return [plain, nullable, polars.DataFrame(rows), arrow.table(rows), arrays]


def test_frames_and_arrays_of_other_libraries_are_clouds() -> None:
    for given in frames():
        assert persistence(given).pairs.tolist() == [[0, 0, 1], [0, 0, 3], [0, 0, INF]]


@pytest.mark.parametrize(("library", "name"), [("xarray", "DataArray"), ("array_api_strict", "asarray")])
def test_arrays_of_other_libraries_are_data_of_every_kind(library: str, name: str) -> None:
    made = getattr(pytest.importorskip(library), name)
    assert persistence(made(POINTS)) == persistence(POINTS)
    matrix = oracles.euclidean(POINTS)
    assert persistence(distances=made(matrix)) == persistence(distances=matrix)
    weighted, mask = {"filtration": "alpha", "weights": np.ones(20)}, np.arange(9).reshape(3, 3) != 4
    assert persistence(made(POINTS), **weighted | {"weights": made(np.ones(20))}) == persistence(POINTS, **weighted)
    found = persistence(made(np.zeros((3, 3))), filtration="cubical", mask=made(mask))
    assert found.pairs.tolist() == [[0, 0, INF], [1, 0, INF]]


def test_a_column_of_text_or_with_nothing_in_it_is_refused_by_its_name() -> None:
    pandas, polars, arrow = (pytest.importorskip(name) for name in ("pandas", "polars", "pyarrow"))
    rows = {"x": [0.0, 1.0], "name": ["1.5", "2.5"]}
    for given in (pandas.DataFrame(rows), pandas.DataFrame(rows).astype({"name": "string"}), polars.DataFrame(rows)):
        with pytest.raises(BadInput, match="column 'name': expected real numbers"):
            persistence(given)
    with pytest.raises(BadInput, match="column 'name'"):
        persistence(arrow.table(rows))
    gap = {"x": [0, None], "y": [1, 2]}
    yes = pandas.DataFrame({"x": [True, None]}, dtype="boolean")
    for given in (pandas.DataFrame(gap).astype("Int64"), polars.DataFrame(gap), yes):
        with pytest.raises(BadInput, match="row 1 is not finite"):
            persistence(given)
    with pytest.raises(BadInput, match="different names"):
        persistence(pandas.DataFrame([["a", "b"]], columns=["x", "x"]))
    series = pandas.Series([3, 1, 2], dtype="Int64")
    assert persistence(series, filtration="lower_star").pairs.tolist() == [[0, 1, INF]]


# ---- remembered ------------------------------------------------------------------------------------------------------


def test_a_memory_tells_weights_and_masks_apart(tmp_path: Path) -> None:
    image, weights = np.arange(16.0).reshape(4, 4), np.arange(20) / 100
    asked = [
        (POINTS, {"filtration": "alpha"}),
        (POINTS, {"filtration": "alpha", "weights": weights}),
        (POINTS, {"filtration": "alpha", "weights": weights[::-1].tolist()}),
        (image, {"filtration": "cubical"}),
        (image, {"filtration": "cubical", "mask": image != 5}),
        (image, {"filtration": "cubical", "mask": image != 6}),
        (image, {"filtration": "cubical", "period": [True, False]}),
    ]
    with DiagramMemory(tmp_path / "memory.parquet") as memory:
        found = [memory.persistence(data, **options) for data, options in asked]
        assert len({diagram.content_id for diagram in found}) == len(memory) == len(asked)
        assert [memory.get(data, **options) for data, options in asked] == found
        assert found == [persistence(data, **options) for data, options in asked]
        weights[3] += 1
        assert memory.get(POINTS, filtration="alpha", weights=weights) is None


# ---- what is refused -------------------------------------------------------------------------------------------------

HALF = np.ones((4, 4), dtype=bool)
#: data in new forms that are none, by what is wrong with them
HOSTILE: dict[str, dict[str, Any]] = {
    "a mask of another shape": {"points": np.eye(4), "filtration": "cubical", "mask": HALF[:2]},
    "a mask of numbers": {"points": np.eye(4), "filtration": "cubical", "mask": HALF.astype(int)},
    "a mask of no image": {"points": np.eye(4), "mask": HALF},
    "a mask alone": {"filtration": "cubical", "mask": HALF},
    "NaN within the mask": {"points": np.full((4, 4), math.nan), "filtration": "cubical", "mask": HALF},
    "text under a mask": {"points": np.full((4, 4), "a"), "filtration": "cubical", "mask": HALF},
    "another length than the side": {"points": np.eye(4), "filtration": "cubical", "period": [4.0, 5.0]},
    "a period of NaN": {"points": np.eye(4), "filtration": "cubical", "period": math.nan},
    "a period of words": {"points": np.eye(4), "filtration": "cubical", "period": "both"},
    "an axis too many": {"points": np.eye(4), "filtration": "cubical", "period": [True] * 3},
    "a period of alpha": {"points": np.eye(4), "filtration": "alpha", "period": 1.0},
    "a metric of an image": {"points": np.eye(4), "filtration": "cubical", "metric": "cosine"},
    "too few weights": {"points": np.eye(4), "filtration": "alpha", "weights": [1.0]},
    "weights of NaN": {"points": np.eye(2), "filtration": "alpha", "weights": [0, math.nan]},
    "infinite weights": {"points": np.eye(2), "filtration": "alpha", "weights": [0, INF]},
    "weights of words": {"points": np.eye(2), "filtration": "alpha", "weights": ["a", "b"]},
    "weights of Rips": {"points": np.eye(2), "weights": [0, 1]},
    "weights and a metric": {"points": np.eye(2), "filtration": "alpha", "weights": [0, 1], "metric": "cosine"},
    "weights alone": {"filtration": "alpha", "weights": [0, 1]},
    "squares beyond float64": {"points": np.eye(2) * 1e300, "filtration": "alpha", "weights": [0, 1]},
    "an image of distances": {"distances": np.eye(4), "filtration": "cubical"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_each_hostile_form_is_refused_in_its_own_process(name: str) -> None:
    def work() -> int:
        return len(persistence(**HOSTILE[name]))

    assert hostile.in_forks([work], 1) == [BadInput.__name__]
