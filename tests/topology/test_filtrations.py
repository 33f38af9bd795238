"""Every filtration gives the bars of its definition, states its error, and answers or refuses hostile input."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from tests.topology import oracles
from tests.topology.clouds import AWKWARD, OCTAHEDRON, circle
from tests.topology.test_engines_agree import assert_same_bars
from toriwork.errors import BadInput, EngineError, MissingExtra, TooLarge
from toriwork.topology import Diagram, engines, gudhi_filtrations, persistence, rips_family
from toriwork.topology.filtrations import DTM, FILTRATIONS, Landmark

NOISE = np.random.default_rng(0).standard_normal((400, 40))
RANDOM = np.triu(np.random.default_rng(0).random((300, 300)), 1)  # no edge collapses
TINY = {
    **{name: cloud for name, (cloud, _) in AWKWARD.items() if len(cloud) <= 6},
    "octahedron": OCTAHEDRON,
    "seven in the plane": np.random.default_rng(3).random((7, 2)),
    "seven in space": np.random.default_rng(4).random((7, 3)),
    "seven on a line": np.random.default_rng(5).random((7, 1)),
    "a flat cloud in space": np.random.default_rng(6).random((7, 2)) @ np.array([[1.0, 2, 0], [0, 1, -1]]),
    "more coordinates than points": np.random.default_rng(7).random((6, 12)),
    "far away": np.random.default_rng(8).random((6, 2)) + 1e6,
    "six copies of three points": np.repeat(np.random.default_rng(9).random((3, 2)), 2, axis=0),
    "huge": np.random.default_rng(10).random((6, 2)) * 1e200,
    "minute": np.random.default_rng(10).random((6, 2)) * 1e-200,
}


@pytest.mark.parametrize("filtration", ["alpha", "delaunay_cech"])
@pytest.mark.parametrize("name", TINY)
def test_delaunay_filtrations_equal_cech_by_brute_force(name: str, filtration: str) -> None:
    cloud = TINY[name]
    size = float(np.ptp(cloud, axis=0).max(initial=0.0)) if len(cloud) else 0.0
    scale = size or 1.0  # the brute force squares: it wants numbers near 1
    moved = (cloud - cloud.mean(axis=0)) / scale if len(cloud) else cloud
    wanted = oracles.cech_pairs(moved, 2) * [1, scale, scale]
    # rounding leaves bars of length 1e-16 on the one side or the other
    wanted = Diagram(wanted, 2, min_persistence=1e-9 * size).pairs
    found = persistence(cloud, filtration=filtration, max_dimension=2, min_persistence=1e-9 * size)
    assert_same_bars(found.pairs, wanted, 1e-9 * size)
    assert (found.scale, found.filtration) == ("radius", filtration)


def test_alpha_is_a_radius_and_not_its_square() -> None:
    cloud = np.array([[0.0, 0.0], [10.0, 0.0]])
    assert persistence(cloud, filtration="alpha").in_dimension(0).tolist() == [[0.0, 5.0], [0.0, math.inf]]


def test_alpha_and_delaunay_cech_have_one_diagram() -> None:
    cloud = np.random.default_rng(0).random((60, 3))
    alpha, cech = (persistence(cloud, filtration=f, max_dimension=2) for f in ("alpha", "delaunay_cech"))
    assert_same_bars(*(Diagram(d.pairs, 2, min_persistence=1e-9).pairs for d in (alpha, cech)), 1e-9)


def test_the_part_of_gudhi_under_the_gpl_is_called_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **options: object) -> list[np.ndarray]:
        raise AssertionError

    monkeypatch.setattr(gudhi_filtrations, "delaunay_bars", refuse)
    for name in FILTRATIONS:
        if name not in ("alpha", "delaunay_cech"):
            given = {"graph": [[0, 1]]} if name == "flag" else {"points": np.eye(3)[0 if name == "lower_star" else ...]}
            persistence(**given, filtration=name)
    with pytest.raises(EngineError):
        persistence(np.eye(3), filtration="alpha")


@pytest.mark.parametrize("name", AWKWARD)
def test_the_spanning_tree_is_h0_of_rips(name: str) -> None:
    cloud, _ = AWKWARD[name]
    tree, rips = persistence(cloud, filtration="h0"), persistence(cloud, max_dimension=0)
    assert tree.max_dimension == 0
    assert_same_bars(tree.pairs, rips.pairs, 1e-15 * float(np.abs(cloud).max(initial=0.0)))
    if len(cloud):
        matrix = oracles.euclidean(cloud)
        assert persistence(distances=matrix, filtration="h0") == persistence(distances=matrix, max_dimension=0)


def test_a_cut_tree_is_cut_like_rips() -> None:
    cloud = np.random.default_rng(2).random((30, 2))
    for threshold in (0.0, 0.05, 0.1, 5.0):
        tree, rips = (persistence(cloud, filtration=f, max_dimension=0, threshold=threshold) for f in ("h0", "rips"))
        assert_same_bars(tree.pairs, rips.pairs, 1e-15)
        assert tree.censored.sum() == rips.censored.sum()


def test_what_enters_at_the_threshold_itself_is_in() -> None:
    matrix = oracles.euclidean(np.random.default_rng(2).random((12, 2)))
    for death in persistence(distances=matrix, max_dimension=0).in_dimension(0)[:-1, 1]:
        cut = [persistence(distances=matrix, filtration=f, max_dimension=0, threshold=death) for f in ("h0", "rips")]
        assert death in cut[0].pairs[:, 2]
        assert cut[0].pairs.tolist() == cut[1].pairs.tolist()


@pytest.mark.parametrize("threshold", [0.0, 0.1, 0.2, 0.3, 9.0])
def test_a_cut_alpha_filtration_is_the_whole_one_up_to_there(threshold: float) -> None:
    cloud = circle(25, 0.1, seed=2)
    whole, cut = (persistence(cloud, filtration="alpha", threshold=t) for t in (math.inf, threshold))
    for r in np.linspace(0, threshold, 7):
        assert cut.betti(r) == whole.betti(r)
    assert np.isinf(cut.pairs[:, 2]).sum() == cut.censored.sum() + 1
    assert (cut.threshold == threshold) == (threshold < 9)


@pytest.mark.parametrize("name", ["unit square", "duplicates", "collinear", "random integers", "octahedron"])
@pytest.mark.parametrize("neighbours", [1, 3, 99])
def test_dtm_equals_the_weighted_complex_by_brute_force(name: str, neighbours: int) -> None:
    cloud, max_dimension = AWKWARD[name]
    distances = oracles.euclidean(cloud)
    size = distances.max()
    found = persistence(cloud, filtration=DTM(neighbours), max_dimension=max_dimension, min_persistence=1e-9 * size)
    wanted = Diagram(oracles.dtm_pairs(distances, neighbours, max_dimension), 2, min_persistence=1e-9 * size).pairs
    assert_same_bars(found.pairs, wanted, 1e-9 * size)


@pytest.mark.parametrize("threshold", [0.0, 0.2, 0.4, 0.7, 9.0])
def test_a_threshold_stops_the_work_of_dtm(threshold: float, monkeypatch: pytest.MonkeyPatch) -> None:
    cloud, collapsed, known = circle(40, 0.1, seed=3), [], rips_family.weighted_edges
    monkeypatch.setattr(
        rips_family, "weighted_edges", lambda values: collapsed.append(np.isfinite(values).sum()) or known(values)
    )
    whole, cut = (persistence(cloud, filtration=DTM(4), threshold=t) for t in (math.inf, threshold))
    for r in np.linspace(0, min(threshold, 3.0), 7):
        assert cut.betti(r) == whole.betti(r)
    assert np.isinf(cut.pairs[:, 2]).sum() == cut.censored.sum() + bool(len(cut))
    assert (cut.threshold == threshold) == (threshold < 9)
    if threshold < 9:
        assert len(collapsed) == 1 or collapsed[1] < collapsed[0] / 2


def test_dtm_with_one_neighbour_is_rips() -> None:
    cloud = circle(25, 0.1, seed=5)
    assert np.allclose(persistence(cloud, filtration=DTM(1)).pairs, persistence(cloud).pairs)


def test_dtm_lets_outliers_in_late() -> None:
    rng = np.random.default_rng(1)
    cloud = np.vstack([circle(60, 0.02, 1), rng.uniform(-0.4, 0.4, (4, 2))])
    plain, weighted = persistence(cloud).persistence(1), persistence(cloud, filtration="dtm").persistence(1)
    assert weighted.max() / np.sort(weighted)[-2] > plain.max() / np.sort(plain)[-2]


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("n_landmarks", [5, 20, 60])
def test_landmarks_stay_within_their_stated_error(seed: int, n_landmarks: int) -> None:
    import gudhi.hera

    cloud = circle(80, 0.1, seed)
    exact, some = persistence(cloud), persistence(cloud, filtration=Landmark(n_landmarks))
    assert some.provenance.n_points == 80
    assert json.loads(some.provenance.parameters) == {"n_landmarks": n_landmarks}
    for k in (0, 1):
        assert gudhi.hera.bottleneck_distance(exact.in_dimension(k), some.in_dimension(k), 0.0) <= (
            some.provenance.error * (1 + 1e-9)
        )


def test_as_many_landmarks_as_points_are_exact() -> None:
    cloud = np.repeat(circle(15, 0.1), 2, axis=0)
    some = persistence(cloud, filtration=Landmark(15))
    assert some.provenance.error == 0.0
    assert some.pairs.tolist() == persistence(cloud).pairs.tolist()
    by_distances = persistence(distances=oracles.euclidean(cloud), filtration=Landmark(15))
    assert np.allclose(by_distances.pairs, some.pairs)


def test_a_ring_in_an_image_is_a_loop_from_its_rim_to_its_middle() -> None:
    image = np.ones((5, 5))
    image[2, 2] = 3.0
    diagram = persistence(image, filtration="cubical")
    assert diagram.pairs.tolist() == [[0, 1.0, math.inf], [1, 1.0, 3.0]]
    assert (diagram.scale, diagram.provenance.n_points) == ("value", 25)
    assert diagram.betti(2.0) == (1, 1)


def test_an_image_is_counted_pixel_by_pixel() -> None:
    from scipy.ndimage import label

    image = np.random.default_rng(0).integers(0, 6, (9, 8)).astype(float)
    diagram = persistence(image, filtration="cubical")
    eight, four = np.ones((3, 3)), None
    for level in range(6):
        components = label(image <= level, structure=eight)[1]
        outside = label(np.pad(image > level, 1, constant_values=True), structure=four)[1]
        assert diagram.betti(level) == (components, outside - 1)


@pytest.mark.parametrize("seed", range(5))
def test_a_series_equals_filling_it_with_water(seed: int) -> None:
    rng = np.random.default_rng(seed)
    for series in (rng.standard_normal(30), rng.integers(0, 4, 25).astype(float), rng.random(seed)):
        diagram = persistence(series, filtration="lower_star", max_dimension=0)
        assert sorted(map(tuple, diagram.in_dimension(0).tolist())) == oracles.sublevel_components(series.tolist())


@pytest.mark.parametrize(
    ("arguments", "error", "word"),
    [
        pytest.param({"filtration": "alpha", "distances": [[0.0]]}, BadInput, "points", id="alpha of distances"),
        pytest.param({"filtration": "alpha", "points": np.eye(3), "engine": "ripser"}, BadInput, "engine", id="engine"),
        pytest.param(
            {"filtration": "h0", "points": np.eye(3), "field": 3}, BadInput, "field", id="a tree has no field"
        ),
        pytest.param({"filtration": "cubical", "points": 3.0}, BadInput, "axes", id="a number is no image"),
        pytest.param({"filtration": "lower_star", "points": np.eye(3)}, BadInput, "series", id="no series"),
        pytest.param({"filtration": "cubical", "points": [["a"]]}, BadInput, "dtype", id="an image of words"),
        pytest.param({"filtration": Landmark, "points": np.eye(3)}, BadInput, "filtration", id="a class"),
        pytest.param(
            {"filtration": "dtm", "distances": RANDOM + RANDOM.T, "max_dimension": 3},
            TooLarge,
            "dtm",
            id="dtm too large",
        ),
        pytest.param({"filtration": "alpha", "points": NOISE}, TooLarge, "simplices", id="alpha too large"),
    ],
)
def test_what_a_filtration_cannot_do_is_refused(arguments: dict, error: type[Exception], word: str) -> None:
    with pytest.raises(error, match=word):
        persistence(**arguments)


def test_parameters_out_of_range_are_refused() -> None:
    for make in (Landmark, DTM):
        for value in (0, -3, 2.5):
            with pytest.raises(BadInput, match="integer >= 1"):
                make(value)


@pytest.mark.parametrize(
    ("failure", "wanted"), [(MemoryError(), TooLarge), (ImportError("x"), MissingExtra), (ValueError(), EngineError)]
)
def test_what_gudhi_raises_becomes_a_known_error(failure: Exception, wanted: type[Exception]) -> None:
    def fail() -> list[np.ndarray]:
        raise failure

    with pytest.raises(wanted, match="gudhi"):
        engines.guarded(fail, "3 points")
