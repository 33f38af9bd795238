"""The predicted cost grows with the work and never forgets the distance matrix."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.topology import oracles
from tests.topology.clouds import circle
from toriwork.errors import BadInput, TooLarge
from toriwork.topology import Landmark, budget, estimate_betti, persistence, work_estimate, work_estimate_of
from toriwork.topology.clouds import enclosing_radius
from toriwork.topology.engines import loop_cocycles


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


def test_a_shape_with_a_lasting_loop_costs_more_than_one_without() -> None:
    loop, cube = circle(600), np.random.default_rng(0).random((600, 3))
    assert work_estimate_of(loop).bytes > 4 * work_estimate_of(cube).bytes
    of_matrix = work_estimate_of(distances=oracles.euclidean(cube[:150]))
    assert of_matrix.bytes == work_estimate_of(cube[:150]).bytes


def test_cavities_cost_most_where_no_edge_collapses(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(1)
    ball = rng.standard_normal((400, 3))
    sphere = ball / np.linalg.norm(ball, axis=1)[:, None]
    predicted = [work_estimate_of(cloud, max_dimension=2).bytes for cloud in (ball, sphere)]
    assert predicted[0] < 20e6
    assert predicted[1] == work_estimate(400, 3, 2).bytes > 1e9
    with pytest.raises(TooLarge, match="H2"):
        persistence(sphere, max_dimension=2, max_bytes=1e8)
    monkeypatch.setitem(sys.modules, "gudhi", None)  # whoever computes then collapses nothing
    assert work_estimate_of(ball, max_dimension=2) == work_estimate(400, 3, 2)


def test_the_triangles_over_the_edges_of_each_loop_are_counted() -> None:
    distances = oracles.euclidean(circle(24, 0.3, 2))
    reach = enclosing_radius(distances)
    counts = []
    for edges in loop_cocycles(distances, reach):
        third = [(i, j, k) for i, j in edges.tolist() for k in range(24) if k not in (i, j)]
        counts.append(sum(max(distances[i, j], distances[i, k], distances[j, k]) <= reach for i, j, k in third))
    assert len(counts) == len(persistence(distances=distances).in_dimension(1)) > 1
    found = budget.triangles_over_loops(distances)
    assert found == pytest.approx(sum(count**1.25 for count in counts) ** 0.8)
    assert max(counts) < found < sum(counts)
    assert budget.triangles_over_loops(distances[:3, :3]) == 0


def test_no_order_of_the_points_hides_a_part_of_them() -> None:
    for n_points, parts, size in [(1, 1, 1), (400, 1, 400), (401, 3, 300), (5_000, 3, 300)]:
        probes = budget.probe_indices(n_points)
        assert [len(set(some.tolist())) for some in probes] == [size] * parts
        assert all(some.min() >= 0 and some.max() < n_points for some in probes)
    assert len({some.tobytes() for some in budget.probe_indices(401)}) == 3
    for period in (2, 3, 5):  # points of several shapes by turns
        shares = np.bincount(np.concatenate(budget.probe_indices(1_000)) % period) / 900
        assert (abs(shares - 1 / period) < 0.1).all()


def test_without_ripser_the_law_of_the_number_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ripser", None)
    assert work_estimate_of(circle(300)) == work_estimate(300, 2, 1)


def test_small_or_higher_dimensional_clouds_have_the_law_of_their_number() -> None:
    assert work_estimate_of(circle(60)) == work_estimate(60, 2, 1)
    assert work_estimate_of(circle(200), max_dimension=3) == work_estimate(200, 2, 3)
    assert work_estimate_of(np.ones((300, 2))).bytes > 0
    for wrong in ({"points": [[np.nan]]}, {"distances": [1.0]}, {"points": "cloud"}):
        with pytest.raises(BadInput):
            work_estimate_of(**wrong)


def test_a_diagram_that_would_not_fit_is_refused_with_the_number_before_it_is_begun() -> None:
    cloud = circle(500, 0.1)
    needed = work_estimate_of(cloud).bytes
    with pytest.raises(TooLarge, match=re.escape(f"about {needed:.3g} bytes are predicted, the limit is 1e+06")):
        persistence(cloud, max_bytes=1e6)
    cube = np.random.default_rng(0).random((300, 3))  # its number alone would promise more than it needs
    assert work_estimate_of(cube).bytes < work_estimate(300, 3, 1).bytes
    assert persistence(cube, max_bytes=work_estimate_of(cube).bytes) == persistence(cube)
    assert persistence(cloud[:60], max_bytes=np.inf) == persistence(cloud[:60])


def test_without_a_limit_the_free_memory_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(budget, "available_bytes", lambda: 1e7)
    with pytest.raises(TooLarge, match="limit is 1e\\+07"):
        persistence(np.random.default_rng(0).random((900, 2)))
    persistence(circle(60))
    persistence(np.random.default_rng(0).random((900, 2)), threshold=0.01)


def test_a_cut_beyond_the_cone_and_landmarks_are_held_to_the_limit_too() -> None:
    cloud = circle(300, 0.1)
    for arguments in ({"threshold": 1e6}, {"filtration": Landmark(280)}):
        with pytest.raises(TooLarge, match="H1"):
            persistence(cloud, max_bytes=5e6, **arguments)
    assert persistence(cloud, filtration=Landmark(20), max_bytes=5e6).provenance.n_points == 300


def test_distances_that_would_not_fit_are_refused_before_they_are_made() -> None:
    cloud = np.zeros((10**6, 2))  # their matrix would take terabytes
    for refused in (
        lambda: persistence(cloud),
        lambda: persistence(cloud, threshold=0.1),
        lambda: persistence(cloud, filtration="dtm"),
        lambda: estimate_betti(cloud),
    ):
        with pytest.raises(TooLarge, match=r"4.8e\+13 bytes"):
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
