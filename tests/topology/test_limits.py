"""What is too large is refused with its number; what is odd but small has its answer."""

from __future__ import annotations

import math
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from tests.topology.clouds import circle
from toriwork.errors import BadInput, TooLarge
from toriwork.topology import DTM, Diagram, Landmark, cost_model, engines, persistence, persistence_many, wasserstein

RING = np.exp(2j * np.pi * np.arange(12) / 12).view(float).reshape(-1, 2)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param({"points": circle(300)}, id="rips"),
        pytest.param({"points": circle(300), "threshold": 0.5}, id="rips, cut"),
        pytest.param({"points": circle(300), "engine": "gudhi", "threshold": 0.5}, id="rips by gudhi, cut"),
        pytest.param({"points": circle(300), "filtration": Landmark(250)}, id="landmark"),
        pytest.param({"points": circle(300), "filtration": "dtm"}, id="dtm"),
        pytest.param({"points": circle(300), "filtration": "alpha"}, id="alpha"),
        pytest.param({"points": circle(300), "filtration": "delaunay_cech"}, id="delaunay_cech"),
        pytest.param({"points": np.zeros((100, 100)), "filtration": "cubical"}, id="an image"),
        pytest.param({"points": np.zeros((20, 20, 20)), "filtration": "cubical"}, id="a volume"),
        pytest.param({"points": np.zeros(10_000), "filtration": "lower_star"}, id="a series"),
        pytest.param({"points": np.random.default_rng(0).random((20_000, 2)), "filtration": "h0"}, id="h0"),
    ],
)
def test_every_filtration_keeps_to_the_memory_that_it_is_given(asked: dict[str, Any]) -> None:
    with pytest.raises(TooLarge, match=r"about .* the limit is 1e\+05"):
        persistence(**asked, max_bytes=1e5)


@pytest.mark.parametrize("filtration", ["alpha", "delaunay_cech"])
@pytest.mark.parametrize("shape", [(10_000, 500), (10_000, 7), (2_000, 4_000)])
def test_a_triangulation_in_many_coordinates_is_too_large(filtration: str, shape: tuple[int, int]) -> None:
    with pytest.raises(TooLarge, match="simplices"):
        persistence(np.random.default_rng(0).random(shape), filtration=filtration)


def test_an_exact_matching_of_thousands_of_bars_is_refused_and_an_inexact_one_is_named() -> None:
    bars = np.sort(np.random.default_rng(0).random((2, 10_000, 2)), axis=2)
    first, second = (Diagram(np.column_stack([np.ones(10_000), some]), 1) for some in bars)
    with pytest.raises(TooLarge, match=r"10000 and 10000 bars.*relative_error"):
        wasserstein(first, second)
    assert wasserstein(first, first) == 0.0


def test_a_bare_lack_of_memory_is_too_large_and_says_what_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr("toriwork.topology.rips_family.euclidean_pairs", fail)
    with pytest.raises(TooLarge, match=r"rips: no memory for an array of shape \(12, 2\)"):
        persistence(RING)
    found = list(persistence_many([RING, np.zeros((0, 2)), RING], max_workers=1, progress=False))
    assert [type(result.error) for result in found] == [TooLarge, TooLarge, TooLarge]


def test_the_largest_field_is_known_and_the_next_prime_is_not() -> None:
    for asked in ({}, {"filtration": "alpha"}, {"filtration": "cubical"}):
        assert persistence(RING, field=engines.LARGEST_PRIME, **asked).field == 46_337
        with pytest.raises(BadInput, match="a prime up to 46337"):
            persistence(RING, field=46_349, **asked)


WITH_COPIES = [{}, {"filtration": "h0"}, {"filtration": "alpha"}, {"filtration": "delaunay_cech"}]
WITH_COPIES += [{"max_dimension": 2}, {"filtration": Landmark(99)}, {"engine": "gudhi", "field": 3}]


@pytest.mark.parametrize("asked", WITH_COPIES)
@pytest.mark.parametrize("copies", [2, 50])
def test_repeated_points_change_nothing(asked: dict[str, Any], copies: int) -> None:
    cloud = np.random.default_rng(0).permutation(np.repeat(RING, copies, axis=0))
    found, wanted = (persistence(some, **asked, min_persistence=1e-9) for some in (cloud, RING))
    assert np.allclose(found.pairs, wanted.pairs, rtol=1e-12)
    assert found.provenance.n_points == 12 * copies  # type: ignore[union-attr]


def test_repeated_points_weigh_in_dtm_and_are_merged_then() -> None:
    cloud = np.repeat(circle(20, 0.1), [1, 3] * 10, axis=0)
    heavy = persistence(cloud, filtration=DTM(3))
    assert heavy != persistence(circle(20, 0.1), filtration=DTM(3))
    assert heavy.betti(10.0) == (1, 0)
    assert len(heavy.in_dimension(0)) == 20


def test_two_thousand_points_at_one_place_have_one_component_and_nothing_else() -> None:
    for asked in ({"max_dimension": 2}, {"filtration": "dtm"}, {"filtration": "alpha"}, {"filtration": "h0"}):
        assert persistence(np.full((2000, 3), 0.1), **asked).in_dimension(0)[:, 1].tolist() == [math.inf]


def test_a_matrix_loses_rows_that_repeat_others_and_keeps_those_that_are_only_at_distance_0() -> None:
    twice = np.array([0, 0, 1, 2, 2])
    whole = 1.0 + np.arange(3)[:, None] + np.arange(3)
    np.fill_diagonal(whole, 0.0)
    assert persistence(distances=whole[np.ix_(twice, twice)]) == persistence(distances=whole)
    odd = np.array([[0.0, 0.0, 5.0, 1.0], [0.0, 0.0, 1.0, 5.0], [5.0, 1.0, 0.0, 1.0], [1.0, 5.0, 1.0, 0.0]])
    for engine in ("auto", "gudhi", "simple"):
        assert persistence(distances=odd, engine=engine).in_dimension(1).tolist() == [[1.0, 5.0]]


@pytest.mark.parametrize("filtration", ["rips", "h0", Landmark(9)])
def test_a_minute_distance_beside_a_huge_one_is_not_lost(filtration: Any) -> None:
    for values in ([0.0, 1e-200, 1e200], [0.0, 3e-170, 1.0], [0.0, 5e-324, 1e-100]):
        cloud = np.array(values)[:, None]
        deaths = persistence(cloud, filtration=filtration, max_dimension=0).in_dimension(0)[:, 1]
        assert deaths.tolist() == [values[1], values[2] - values[1], math.inf]
    pair = np.array([[0.0, 0.0], [3e-200, 4e-200], [1e200, 0.0]])
    assert persistence(pair, filtration=filtration).in_dimension(0)[0, 1] == pytest.approx(5e-200, rel=1e-15)


REFUSED = """
import os, resource, sys
import numpy as np
from toriwork.topology import Landmark, estimate_betti, persistence, persistence_many
from toriwork.topology.clouds import distances_of_points

def memory(what):
    return next(int(line.split()[1]) / 1024 for line in open("/proc/self/status") if line.startswith(what))

def many(clouds, **asked):
    results = list(persistence_many(clouds, progress=False, max_workers=1, **asked))
    assert len(results) == len(clouds)
    raise results[0].error

rng = np.random.default_rng(0)
wide = rng.standard_normal((20_000, 8))
sphere = rng.standard_normal((3_000, 3))
sphere /= np.linalg.norm(sphere, axis=1)[:, None]
apart = distances_of_points(sphere)
persistence(wide[:99, :3], max_dimension=2)  # what the libraries take once
ends = np.triu(rng.random((1_200, 1_200)) < 0.3, 1).nonzero()
for name, ask in {
    "points": lambda: persistence(wide),
    "a metric": lambda: persistence(wide, metric="cosine"),
    "H2 of a sphere": lambda: persistence(sphere, max_dimension=2),
    "H2 of a sphere, cut": lambda: persistence(sphere, max_dimension=2, threshold=1.5),
    "H2 of a Gaussian": lambda: persistence(wide[:4_000, :5], max_dimension=2),
    "estimate": lambda: estimate_betti(sphere, max_dimension=2),
    "many": lambda: many([wide, sphere[:9]]),
    "distances": lambda: persistence(distances=apart, max_dimension=2),
    "graph": lambda: persistence(graph=np.column_stack(ends), max_dimension=2),
    "dtm": lambda: persistence(wide[:5_000], filtration="dtm"),
    "landmark": lambda: persistence(wide, filtration=Landmark(6_000)),
    "volume": lambda: persistence(rng.random((200, 200, 200)), filtration="cubical", max_dimension=2),
    "alpha": lambda: persistence(rng.random((400_000, 3)), filtration="alpha"),
}.items():
    child = os.fork()
    if child == 0:
        size = int(memory("VmSize:") * 2**20) + 10**9
        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        before = memory("VmHWM:")
        try:
            answer = type(ask()).__name__
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        print(name, int(memory("VmHWM:") - before), answer, sep="|", flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from Linux's /proc")
def test_what_does_not_fit_is_refused_before_memory_is_taken_each_in_a_process_of_a_gigabyte() -> None:
    done = subprocess.run([sys.executable, "-c", REFUSED], capture_output=True, text=True, check=True)
    answers = [line.split("|") for line in done.stdout.splitlines()]
    assert len(answers) == 13, done.stderr
    for name, megabytes, answer in answers:
        assert re.match(r"TooLarge: .*: about .* s and .* bytes are predicted, the limit is .*; .* less", answer), name
        assert int(megabytes) < 400, (name, megabytes)


def test_work_of_more_than_an_hour_needs_a_limit_of_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost_model, "MOST_SECONDS", 1e-3)
    cloud = circle(120, 0.1)
    with pytest.raises(TooLarge, match=r"the limit is 0 s where no max_bytes is given; filtration='alpha'"):
        persistence(cloud, max_dimension=2)
    assert persistence(cloud, max_dimension=2, max_bytes=1e9).max_dimension == 2
