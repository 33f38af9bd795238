"""Every engine gives the bars of the textbook reduction, on ordinary and on awkward clouds."""

from __future__ import annotations

import math
import threading
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tests.topology import oracles
from tests.topology.clouds import AWKWARD, OCTAHEDRON, circle
from toriwork.errors import BadInput, EngineError, MissingExtra, TooLarge
from toriwork.topology import available_engines, compute, engines, persistence, simple
from toriwork.topology.engines import ENGINES, Engine, hera_bottleneck

INSTALLED = [engine.name for engine in ENGINES if engines.is_installed(engine)]
#: of the textbook's distances, relative to the diameter of the cloud; engines agree with one another bit for bit
TOLERANCE = 1e-9


def assert_same_bars(found: np.ndarray, wanted: np.ndarray, tolerance: float) -> None:
    """As many bars in every dimension, and the bottleneck distance within the tolerance."""
    assert found.shape == wanted.shape
    assert np.array_equal(found[:, 0], wanted[:, 0])
    for k in np.unique(wanted[:, 0]):
        a, b = (pairs[pairs[:, 0] == k, 1:] for pairs in (found, wanted))
        endless = [np.sort(bars[np.isinf(bars[:, 1]), 0]) for bars in (a, b)]
        assert np.abs(endless[0] - endless[1]).max(initial=0.0) <= tolerance
        finite = [bars[np.isfinite(bars[:, 1])] for bars in (a, b)]
        size = max(bars.max(initial=0.0) for bars in finite) or 1.0  # Hera counts in units near 1
        assert hera_bottleneck(*(bars / size for bars in finite)) <= tolerance / size


@pytest.mark.parametrize("engine", INSTALLED)
@pytest.mark.parametrize("name", AWKWARD)
def test_an_engine_equals_the_textbook_reduction(engine: str, name: str) -> None:
    points, max_dimension = AWKWARD[name]
    distances = oracles.euclidean(points)
    diagram = persistence(points, max_dimension=max_dimension, engine=engine)
    diameter = distances.max(initial=0.0)
    assert_same_bars(diagram.pairs, oracles.rips_pairs(distances, max_dimension), TOLERANCE * diameter)
    assert np.isinf(diagram.pairs[:, 2]).sum() == min(len(points), 1)
    assert diagram.provenance is not None
    assert diagram.provenance.engine == engine


@pytest.mark.parametrize("engine", INSTALLED)
@pytest.mark.parametrize("share", [0.0, 0.3, 0.6, 1.0])
def test_a_cut_filtration_equals_the_cut_textbook_reduction(engine: str, share: float) -> None:
    points = np.round(np.random.default_rng(0).random((16, 2)), 2)
    distances = oracles.euclidean(points)
    threshold = float(np.quantile(distances, share))
    diagram = persistence(points, threshold=threshold, engine=engine)
    assert_same_bars(diagram.pairs, oracles.rips_pairs(distances, 1, threshold), TOLERANCE * 2)
    assert np.isinf(diagram.pairs[:, 2]).sum() == diagram.censored.sum() + 1
    assert diagram.threshold == (threshold if share < 1.0 else math.inf)


@pytest.mark.parametrize("engine", INSTALLED)
def test_an_engine_takes_dissimilarities_that_break_the_triangle_inequality(engine: str) -> None:
    half = np.triu(np.random.default_rng(1).random((9, 9)), 1)
    distances = half + half.T
    diagram = persistence(distances=distances, max_dimension=2, engine=engine)
    assert_same_bars(diagram.pairs, oracles.rips_pairs(distances, 2), TOLERANCE)


@pytest.mark.parametrize("n_points", [60, 100])
def test_engines_agree_on_clouds_too_large_for_the_textbook(n_points: int) -> None:
    points = np.random.default_rng(n_points).random((n_points, 3))
    wanted = persistence(points, engine="simple")
    for engine in INSTALLED:
        assert persistence(points, engine=engine) == wanted


def test_engines_agree_bit_for_bit_in_dimension_two() -> None:
    points = np.random.default_rng(3).standard_normal((40, 3))
    points /= np.linalg.norm(points, axis=1)[:, None]
    wanted = persistence(points, max_dimension=2, engine="simple")
    for engine in INSTALLED:
        assert persistence(points, max_dimension=2, engine=engine) == wanted


def test_the_octahedron_has_its_sphere() -> None:
    diagram = persistence(OCTAHEDRON, max_dimension=2)
    assert diagram.in_dimension(2).tolist() == [[math.sqrt(2), 2.0]]
    assert len(diagram.in_dimension(1)) == 0


def test_h0_alone_equals_h0_of_the_whole(rng: np.random.Generator) -> None:
    points = rng.random((40, 2))
    for engine in INSTALLED:
        whole, alone = persistence(points, engine=engine), persistence(points, max_dimension=0, engine=engine)
        assert np.array_equal(whole.in_dimension(0), alone.in_dimension(0))


@pytest.mark.parametrize("engine", ["gudhi", "ripser"])
def test_another_field_tells_the_projective_plane(engine: str) -> None:
    # the six-vertex projective plane as the flag complex of its barycentric subdivision
    distances = projective_plane()
    assert persistence(distances=distances, max_dimension=2, engine=engine, field=2).betti(1.0) == (1, 1, 1)
    assert persistence(distances=distances, max_dimension=2, engine=engine, field=3).betti(1.0) == (1, 0, 0)


def projective_plane() -> np.ndarray:
    """Distances of the barycentric subdivision: 1 between a simplex and its faces, 2 otherwise."""
    triangles = [
        (0, 1, 4),
        (0, 1, 5),
        (0, 2, 3),
        (0, 2, 5),
        (0, 3, 4),
        (1, 2, 3),
        (1, 2, 4),
        (1, 3, 5),
        (2, 4, 5),
        (3, 4, 5),
    ]
    faces = {frozenset(part) for t in triangles for part in ([t[0]], [t[1]], [t[2]], t[:2], t[1:], (t[0], t[2]), t)}
    nodes = sorted(faces, key=lambda f: (len(f), sorted(f)))
    return np.array([[0.0 if a == b else 1.0 if a < b or b < a else 2.0 for b in nodes] for a in nodes])


def test_engines_run_from_many_threads_at_once() -> None:
    clouds = [circle(40, 0.05, seed) for seed in range(24)]
    for engine in INSTALLED:
        alone = [persistence(cloud, engine=engine) for cloud in clouds]
        with ThreadPoolExecutor(4) as pool:
            together = list(pool.map(lambda cloud, name=engine: persistence(cloud, engine=name), clouds))
        assert together == alone


def test_the_default_engine_lets_other_threads_run() -> None:
    # 300 points take gudhi tens of milliseconds without a Python step in between
    points = np.random.default_rng(0).random((300, 3))
    ticks, done = [0], threading.Event()

    def tick() -> None:
        while not done.wait(0.0005):
            ticks[0] += 1

    ticker = threading.Thread(target=tick)
    ticker.start()
    before = ticks[0]
    compute.persistence(points, engine="gudhi")
    during = ticks[0] - before
    done.set()
    ticker.join()
    assert during >= 3


@pytest.mark.skipif("redzed" not in INSTALLED, reason="redzed is not installed")
def test_auto_takes_the_fastest_engine_of_the_case_and_says_why() -> None:
    taken = {
        name: persistence(circle(20), **asked).provenance
        for name, asked in {"loops": {}, "another field": {"field": 3}, "by name": {"engine": "ripser"}}.items()
    }
    assert {name: made.engine for name, made in taken.items() if made} == {
        "loops": "redzed",
        "another field": "gudhi",
        "by name": "ripser",
    }
    assert taken["loops"].reason == "fastest exact engine for H1 of 20 points"  # type: ignore[union-attr]
    assert available_engines()[0] == "gudhi"
    assert available_engines()[-1] == "simple"


def test_auto_passes_over_an_engine_that_cannot_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    broken = Engine("redzed", "numpy", (), _import_fails, largest_field=46337, by_ranks=True)
    monkeypatch.setattr(engines, "ENGINES", (*(engine for engine in ENGINES if engine.name != "redzed"), broken))
    diagram = persistence(circle(20))
    assert diagram.provenance is not None
    assert diagram.provenance.engine == INSTALLED[0]
    assert "redzed could not be imported" in diagram.provenance.reason
    with pytest.raises(MissingExtra, match="pip install numpy"):
        persistence(circle(20), engine="redzed")


def _import_fails(*args: object) -> list[np.ndarray]:
    raise ImportError("built for another NumPy")


@pytest.mark.parametrize(
    ("failure", "wanted"),
    [
        pytest.param(MemoryError(), TooLarge, id="no memory"),
        pytest.param(ValueError("odd"), EngineError, id="anything else"),
        pytest.param(BadInput("known"), BadInput, id="an error of ours stays itself"),
    ],
)
def test_what_an_engine_raises_becomes_a_known_error(
    monkeypatch: pytest.MonkeyPatch, failure: Exception, wanted: type[Exception]
) -> None:
    def fail(*args: object) -> list[np.ndarray]:
        raise failure

    monkeypatch.setattr(engines, "ENGINES", (Engine("failing", "numpy", (), fail, largest_field=46337),))
    with pytest.raises(wanted):
        persistence(circle(20), engine="failing")


def test_the_fallback_refuses_what_it_cannot_enumerate() -> None:
    with pytest.raises(TooLarge, match=r"simplices of dimension 2 for 400 points"):
        simple.rips_bars(np.ones((400, 400)) - np.eye(400), 1)


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(12)
