"""The predicted cost grows with the work and never forgets the distance matrix."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.topology import oracles
from tests.topology.clouds import circle
from toriwork.errors import BadInput, TooLarge
from toriwork.topology import (
    Landmark,
    clouds,
    cost_model,
    engines,
    estimate_betti,
    persistence,
    work_estimate,
    work_estimate_of,
)
from toriwork.topology.cost_model import admit
from toriwork.topology.engines import ENGINES, engines_for


@pytest.fixture
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    """An installation without redzed: H1 is predicted by the shape."""
    monkeypatch.setattr(engines, "ENGINES", tuple(engine for engine in ENGINES if engine.name != "redzed"))


def test_more_points_or_dimensions_cost_more() -> None:
    for smaller, larger in [((50, 3, 1), (100, 3, 1)), ((100, 3, 1), (100, 3, 2)), ((100, 3, 2), (100, 3, 3))]:
        assert work_estimate(*smaller).seconds < work_estimate(*larger).seconds
        assert work_estimate(*smaller).bytes <= work_estimate(*larger).bytes


def test_nothing_costs_next_to_nothing() -> None:
    assert work_estimate(0, 3, 1).seconds < 1e-3
    assert work_estimate(0, 3, 1).bytes == 0


def test_a_large_cloud_is_seen_to_be_large() -> None:
    assert work_estimate(2_000, 3, 1).bytes > 1.6e8
    assert work_estimate(50_000, 3, 1).bytes > 50_000**2 * 100
    assert work_estimate(50_000, 3, 1).seconds > 3600


def test_negative_sizes_are_refused() -> None:
    with pytest.raises(BadInput, match=">= 0"):
        work_estimate(-1, 3, 1)


def test_a_shape_that_is_cut_late_costs_more_than_one_that_is_cut_soon(slow: None) -> None:
    loop, cube = circle(600), np.random.default_rng(0).random((600, 3))
    assert work_estimate_of(loop).bytes > 1.5 * work_estimate_of(cube).bytes
    assert work_estimate(600, 3, 1).bytes > work_estimate_of(loop).bytes
    of_matrix = work_estimate_of(distances=oracles.euclidean(cube[:250]))
    assert of_matrix.bytes == work_estimate_of(cube[:250]).bytes


def test_cavities_cost_most_where_no_edge_collapses(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    ball = rng.standard_normal((400, 3))
    sphere = ball / np.linalg.norm(ball, axis=1)[:, None]
    predicted = [work_estimate_of(cloud, max_dimension=2).bytes for cloud in (ball, sphere)]
    assert predicted[0] < 20e6
    assert predicted[1] == pytest.approx(work_estimate(400, 3, 2).bytes, rel=1e-3)
    assert predicted[1] > 1e8
    with pytest.raises(TooLarge, match=r"400 points, H2: about .* s and .* bytes.*filtration='alpha' or .*Landmark"):
        persistence(sphere, max_dimension=2, max_bytes=1e8)
    within = work_estimate_of(sphere, max_dimension=2)
    monkeypatch.setattr(engines, "ENGINES", tuple(engine for engine in ENGINES if engine.name != "redzed"))
    assert work_estimate_of(sphere, max_dimension=2).bytes > 10 * within.bytes > 1e9
    monkeypatch.setitem(sys.modules, "gudhi", None)  # whoever computes then collapses nothing
    assert work_estimate_of(ball, max_dimension=2).bytes == work_estimate_of(sphere, max_dimension=2).bytes


def test_points_that_come_by_turns_do_not_hide_the_costlier_of_two_shapes() -> None:
    rng = np.random.default_rng(1)
    sphere = rng.standard_normal((800, 3))
    sphere /= np.linalg.norm(sphere, axis=1)[:, None]
    clump = 0.01 * rng.standard_normal((800, 3))
    turns = [np.where(np.arange(800)[:, None] % 2 == first, sphere, clump) for first in (0, 1)]
    one, other = (work_estimate_of(cloud, max_dimension=2).bytes for cloud in turns)
    assert 0.8 < one / other < 1.25


def test_the_pairs_within_the_cut_are_what_is_paid_for(slow: None) -> None:
    for cloud in (circle(300, 0.1), np.random.default_rng(2).standard_normal((200, 8))):
        distances = oracles.euclidean(cloud)
        reason = persistence(cloud).provenance.reason  # type: ignore[union-attr]
        cut = float(reason.split("nothing changes beyond ")[1]) * (1 + 1e-5)
        joined = sum(distances[i, j] <= cut for i in range(len(cloud)) for j in range(len(cloud))) / len(cloud) ** 2
        assert work_estimate_of(cloud).bytes == pytest.approx(cost_model.bytes_joined(len(cloud), joined), rel=1e-3)


def test_of_a_large_cloud_some_points_are_asked_in_no_order_that_hides_a_part(slow: None) -> None:
    assert clouds.drawn(2_000, 2_000).tolist() == list(range(2_000))
    drawn = clouds.drawn(6_000, 2_000)
    assert len(set(drawn.tolist())) == 2_000
    assert abs(np.mean(drawn) / 6_000 - 0.5) < 0.02
    for period in (2, 3, 5):  # points of several shapes by turns
        assert (abs(np.bincount(drawn % period) / 2_000 - 1 / period) < 0.05).all()
    small, large = circle(2_000, 0.1), circle(4_000, 0.1)
    assert work_estimate_of(large).bytes == pytest.approx(4 * work_estimate_of(small).bytes, rel=0.1)


def test_small_or_higher_dimensional_clouds_have_the_law_of_their_number() -> None:
    assert work_estimate_of(circle(199)) == work_estimate(199, 2, 1)
    assert work_estimate_of(circle(200), max_dimension=3) == work_estimate(200, 2, 3)
    assert work_estimate_of(np.ones((300, 2))).bytes > 0
    for wrong in ({"points": [[np.nan]]}, {"distances": [1.0, 2.0]}, {"points": "cloud"}):
        with pytest.raises(BadInput):
            work_estimate_of(**wrong)


def test_a_diagram_that_would_not_fit_is_refused_with_the_number_before_it_is_begun(slow: None) -> None:
    cloud = circle(500, 0.1)
    needed = work_estimate_of(cloud).bytes
    with pytest.raises(TooLarge, match=re.escape(f"{needed:.3g} bytes are predicted, the limit is 1e+07")):
        persistence(cloud, max_bytes=1e7)
    cube = np.random.default_rng(0).random((300, 3))  # its number alone would promise more than it needs
    assert work_estimate_of(cube).bytes < 0.7 * work_estimate(300, 3, 1).bytes
    assert persistence(cube, max_bytes=work_estimate_of(cube).bytes) == persistence(cube)
    assert persistence(cloud[:60], max_bytes=np.inf) == persistence(cloud[:60])


@pytest.mark.skipif(not engines_for("auto", 2, 300, 1)[0][0].by_ranks, reason="redzed is not installed")
def test_over_ranks_the_number_of_points_is_what_is_paid_for() -> None:
    loop, cube = circle(600), np.random.default_rng(0).random((600, 3))
    assert work_estimate_of(loop) == work_estimate(600, 2, 1)
    assert work_estimate_of(cube).bytes == work_estimate_of(loop).bytes + 8 * 600
    needed = cost_model.bytes_ranked(600)
    with pytest.raises(TooLarge, match=re.escape(f"{needed:.3g} bytes are predicted, the limit is 1e+06")):
        persistence(loop, max_bytes=1e6)
    assert persistence(loop, max_bytes=needed).provenance.engine == "redzed"  # type: ignore[union-attr]


def test_without_a_limit_the_free_memory_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cost_model, "available_bytes", lambda: 3e7)
    monkeypatch.setattr(cost_model, "_WORTH_ASKING", 1e6)
    with pytest.raises(TooLarge, match="limit is 3e\\+07"):
        persistence(np.random.default_rng(0).random((900, 2)))
    persistence(circle(60))
    persistence(np.random.default_rng(0).random((900, 2)), threshold=0.01, engine="gudhi")


def test_a_cut_beyond_the_cone_and_landmarks_are_held_to_the_limit_too(slow: None) -> None:
    cloud = circle(300, 0.1)
    for arguments in ({"threshold": 1e6}, {"filtration": Landmark(280)}):
        with pytest.raises(TooLarge, match=r"H1|280 landmarks"):
            persistence(cloud, max_bytes=5e6, **arguments)
    assert persistence(cloud, filtration=Landmark(20), max_bytes=5e6).provenance.n_points == 300


def test_distances_that_would_not_fit_are_refused_before_they_are_made() -> None:
    cloud = np.random.default_rng(0).random((10**6, 4))  # their matrix would take terabytes
    for refused in (
        lambda: persistence(cloud),
        lambda: persistence(cloud, threshold=0.1),
        lambda: persistence(cloud, filtration="dtm"),
        lambda: estimate_betti(cloud, rule="guarded_gap"),
    ):
        with pytest.raises(TooLarge, match=r"e\+13 bytes"):
            refused()


PEAK = """
import os, sys
import numpy as np
from toriwork.topology import persistence, work_estimate_of

def memory(what):
    return next(int(line.split()[1]) * 1024 for line in open("/proc/self/status") if line.startswith(what))

rng = np.random.default_rng(5)
t, u = rng.uniform(0, 2 * np.pi, (2, 400))
ring = np.column_stack([np.cos(t), np.sin(t)])
wide = 1 + 0.45 * np.cos(u)
clouds = [
    ring, ring + 0.05 * rng.standard_normal((400, 2)), rng.random((400, 3)), rng.standard_normal((400, 2)),
    np.column_stack([wide * np.cos(t), wide * np.sin(t), 0.45 * np.sin(u)]),
    np.tile(ring, (2, 1)) + 0.1 * rng.standard_normal((800, 2)), rng.random((800, 3)), rng.standard_normal((800, 2)),
]
for cloud in clouds:
    child = os.fork()
    if child == 0:  # memory that an earlier cloud gave back must not hide what this one takes
        persistence(clouds[2][:50])  # pages of the libraries count as soon as this process has touched them
        before = memory("VmRSS")
        open("/proc/self/clear_refs", "w").write("5")
        persistence(cloud)
        peak = memory("VmHWM") - before
        print(work_estimate_of(cloud).bytes / peak, flush=True)
        os._exit(0)
    os.waitpid(child, 0)
"""


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="the peak is read from Linux's /proc")
def test_the_prediction_is_between_one_and_three_times_the_measured_peak() -> None:
    done = subprocess.run([sys.executable, "-c", PEAK], capture_output=True, text=True, check=True)
    ratios = [float(line) for line in done.stdout.split()]
    assert len(ratios) == 8
    assert all(1 <= ratio <= 3 for ratio in ratios), ratios


@pytest.mark.parametrize(("seconds", "level"), [(1.0, None), (30.0, "INFO"), (4000.0, "WARNING")])
def test_long_work_is_announced_and_minutes_are_said_aloud(
    seconds: float, level: str | None, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level("INFO", "toriwork"):
        admit("5000 points, H2", seconds, 1e9, 1e10, "filtration='alpha' takes less")
    assert [record.levelname for record in caplog.records] == ([level] if level else [])
    assert all(("takes less" in record.getMessage()) == (level == "WARNING") for record in caplog.records)


def test_minutes_are_announced_or_refused_before_all_distances_are_made(caplog: pytest.LogCaptureFixture) -> None:
    rng = np.random.default_rng(0)
    looked_at: list[int] = []

    def among(cloud: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        return lambda some: (looked_at.append(len(some)), oracles.euclidean(cloud[some]))[1]

    normal, wide = rng.standard_normal((20_000, 3)), rng.standard_normal((22_000, 10))
    with caplog.at_level("INFO", "toriwork"):
        cost_model.admit_rips(len(normal), 1, among(normal), dim=3, max_bytes=2e10)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "filtration='alpha'" in caplog.text
    with pytest.raises(TooLarge, match=r"22000 points, H1: .*; filtration=Landmark"):
        cost_model.admit_rips(len(wide), 1, among(wide), dim=10)
    assert max(looked_at) <= 1_000
    cost_model.admit_rips(2_000, 1, among(wide[:2_000]), dim=10)
    assert len(looked_at) == 2  # what takes seconds is not looked at


def test_advice_is_asked_for_only_where_it_is_given(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def advice() -> str:
        asked.append("once")
        return "fewer need less"

    admit("work", 1.0, 1e3, None, advice)
    assert not asked
    for refused in ({"seconds": 1.0, "n_bytes": 10.0, "max_bytes": 5.0}, {"seconds": 1e9, "n_bytes": 1.0}):
        with pytest.raises(TooLarge, match="fewer need less"):
            admit("work", **{"max_bytes": None, **refused}, advice=advice)  # type: ignore[arg-type]
    assert len(asked) == 2
    # whoever computes a small diagram does not ask what is free
    monkeypatch.setattr(cost_model, "available_bytes", lambda: pytest.fail("the free memory was asked for"))
    assert persistence(circle(300, 0.1)).betti(0.6) == (1, 1)
