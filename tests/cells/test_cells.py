"""TorusCells: numbers of ideas, recorded; ideas with topology protected, whatever happens to the process."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.cells.clouds import circle, line, sphere, two_circles
from toriwork.cells import TorusCells, betti0_1, get_torus_cells
from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry, get_torus_registry
from toriwork.topology import available_engines, estimate_betti, persistence
from toriwork.topology.clouds import cloud_of

ROOT = Path(__file__).resolve().parents[2]
NAN = float("nan")


@pytest.fixture
def cells(registry):
    with TorusCells(registry) as cells:
        yield cells


class Tensor:
    """What a tensor does that wants to be moved first."""

    def __array__(self, dtype=None, copy=None):
        raise TypeError("can't convert cuda:0 device type tensor to numpy")


def again(cells: TorusCells) -> dict:
    """What another handle on the same files sees."""
    with TorusCells(cells.registry) as other:
        return other.get_protected_ideas()


# ---- numbers -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("cloud", "betti"),
    [
        pytest.param(circle(), [1, 1, 0], id="a circle"),
        pytest.param(two_circles(), [2, 2, 0], id="two circles"),
        pytest.param(sphere(), [1, 0, 1], id="a sphere"),
        pytest.param(line(), [1, 0, 0], id="points in a row"),
        pytest.param(np.zeros((0, 3)), [0, 0, 0], id="nothing"),
        pytest.param([[0, 0]], [1, 0, 0], id="one point, of integers"),
    ],
)
def test_numbers_of_known_spaces(cells, cloud, betti):
    found = cells.compute_betti(cloud)
    assert found[1:] == betti[1:]
    assert found[0] == betti[0] or math.isnan(found[0])  # the rule of the day may leave it open
    assert {type(number) for number in found} == {float}
    np.testing.assert_equal(found, estimate_betti(cloud, max_dimension=2).numbers)
    np.testing.assert_equal(betti0_1(cloud), found[:2])


@pytest.mark.parametrize("spectrum", [[0.1, 0.2], np.array([1j, 2.0]), np.ones((4, 2)) * 1j, []])
def test_a_spectrum_has_no_numbers(cells, spectrum):
    assert np.isnan(cells.compute_betti(spectrum)).all()
    assert np.isnan(betti0_1(spectrum)).all()


def test_numbers_above_the_highest_dimension_are_unknown(registry):
    cells = TorusCells(registry, max_dimension=1)
    np.testing.assert_equal(cells.compute_betti(sphere())[1:], [0.0, NAN])
    np.testing.assert_equal(TorusCells(registry, max_dimension=0).compute_betti(circle())[1:], [NAN, NAN])


def test_a_threshold_counts_features_instead(registry):
    cells = TorusCells(registry, persistence_threshold=0.5)
    assert cells.compute_betti(circle()) == [1, 1, 0]
    counted = TorusCells(registry, max_dimension=1, persistence_threshold=0.0).compute_betti(circle())
    assert counted[0] == 60  # every point is a bar of H0: no Betti number of anything


def test_what_would_cost_too_much_is_unknown_and_says_so(cells, monkeypatch):
    from toriwork.cells import measure

    monkeypatch.setattr(measure, "work_estimate", lambda n, d, k: measure.Budget()._replace(seconds=10.0 ** (2 * k)))
    np.testing.assert_equal(cells.compute_betti(circle())[1:], [NAN, NAN])
    monkeypatch.setattr(measure, "work_estimate", lambda n, d, k: measure.Budget()._replace(bytes=2**60))
    assert np.isnan(cells.compute_betti(two_circles())).all()


def test_the_backend_is_the_maintained_engine(cells):
    assert cells.backend == available_engines()[0]
    assert cells.backend in {"gudhi", "ripser", "simple"}


@pytest.mark.parametrize(
    "options",
    [
        {"max_dimension": 3},
        {"max_dimension": -1},
        {"max_dimension": 1.0},
        {"max_dimension": True},
        {"persistence_threshold": -0.1},
        {"persistence_threshold": "0.1"},
        {"filtration": "cubical"},
        {"filtration": "lower_star"},
        {"filtration": "rops"},
        {"scale": "value"},
        {"engine": "fastest"},
        {"filtration": "alpha", "engine": "ripser"},
    ],
)
def test_options_are_checked(registry, options):
    with pytest.raises(BadInput):
        TorusCells(registry, **options)
    with pytest.raises(BadInput):
        TorusCells(registry, persistence_threshold=NAN)
    with pytest.raises(BadInput, match="TorusRegistry"):
        TorusCells(registry.path)


# ---- recording ---------------------------------------------------------------------------------------------------


def test_an_update_gives_two_numbers_and_records_three(cells, registry):
    assert cells.betti_update("ball", sphere(), "global", {"run": 7})[1] == 0.0
    row = registry.to_pandas(["betti0", "betti1", "betti2", "coherence_band", "metadata", "betti_status"]).iloc[0]
    assert (row["betti1"], row["betti2"]) == (0, 1)
    assert (row["coherence_band"], row["betti_status"]) == ("global", "given")
    notes = json.loads(row["metadata"])
    assert notes["run"] == 7
    assert notes["torus_cells"]["idea_id"] == "ball"
    assert set(notes["torus_cells"]["rule"]) >= {"rule", "parameters", "evidence", "engine", "version"}


def test_a_spectrum_is_recorded_without_numbers(cells, registry):
    assert np.isnan(cells.betti_update("tones", [0.05, 0.03], "critical")).all()
    assert registry.to_pandas(["betti_status"])["betti_status"].tolist() == ["spectrum"]
    assert cells.get_protected_ideas() == {}


@pytest.mark.parametrize(
    "call",
    [
        pytest.param(lambda c: c.betti_update("x", circle(), "loud"), id="unknown band"),
        pytest.param(lambda c: c.betti_update("", circle()), id="no name"),
        pytest.param(lambda c: c.betti_update(7, circle()), id="a number as name"),
        pytest.param(lambda c: c.betti_update(10**5000, circle()), id="a number without a repr as name"),
        pytest.param(lambda c: c.betti_update("\ud800", circle(), "global"), id="a lone surrogate as name"),
        pytest.param(lambda c: c.betti_update("x\udfff", [0.5, 0.1]), id="a spectrum with a lone surrogate as name"),
        pytest.param(lambda c: c.betti_update("x", circle(), "global", {"a": "\ud800"}), id="a lone surrogate below"),
        pytest.param(lambda c: c.betti_update("x", circle(), []), id="a band that is a list"),
        pytest.param(lambda c: c.betti_update("x", [[0, NAN]]), id="NaN"),
        pytest.param(lambda c: c.betti_update("x", [[0, 1], [2]]), id="ragged"),
        pytest.param(lambda c: c.betti_update("x", ["a", "b"]), id="texts"),
        pytest.param(lambda c: c.betti_update("x", circle(), "global", {"a": object()}), id="metadata without form"),
        pytest.param(lambda c: c.betti_update("x", circle(), "global", [1]), id="metadata that is no mapping"),
        pytest.param(lambda c: c.betti_update("x", circle(), "global", {"torus_cells": 1}), id="our own key"),
        pytest.param(lambda c: c.betti_update("x", Tensor(), "global"), id="a tensor on a GPU"),
        pytest.param(lambda c: c.compute_homology_persistence(7), id="a series that is none"),
    ],
)
def test_what_is_refused_leaves_nothing(cells, registry, call):
    with pytest.raises(BadInput):
        call(cells)
    assert registry.get_statistics()["total_shapes"] == 0
    assert cells.get_protected_ideas() == {}
    assert not cells.path.exists()


# ---- protection --------------------------------------------------------------------------------------------------


def test_a_loop_in_a_band_is_protected(cells, registry):
    cells.betti_update("ring", circle(), "global")
    shape_id = registry.df["shape_id"].iloc[0]
    diagram = persistence(circle())
    bar = diagram.in_dimension(1)[diagram.persistence(1).argmax()].tolist()
    expected = {
        "ring": {
            "shape_id": shape_id,
            "betti": cells.compute_betti(circle()),
            "braid_id": f"braid_{shape_id}",
            "protection_level": "medium",
            "coherence_band": "global",
            "protection_radius": pytest.approx((bar[1] - bar[0]) / 4),
            "reference_shape_id": shape_id,
            "classes": [[1, *bar]],
            "convention": "rips diameter",
            "certified_by": None,
        }
    }
    assert cells.get_protected_ideas() == again(cells) == expected


@pytest.mark.parametrize(
    ("cloud", "band", "level"),
    [
        pytest.param(two_circles(), "critical", "high", id="two loops"),
        pytest.param(circle(), "critical", "medium", id="one loop"),
        pytest.param(sphere(), "global", "medium", id="a void"),
        pytest.param(circle(), "local", None, id="a loop in the local band"),
        pytest.param(line(), "critical", None, id="no loop"),
    ],
)
def test_who_is_protected_and_how_much(cells, cloud, band, level):
    cells.betti_update("x", cloud, band)
    assert cells.get_protected_ideas().get("x", {}).get("protection_level") == level


def test_the_newest_update_counts(cells):
    cells.betti_update("x", circle(), "global")
    cells.betti_update("x", two_circles(), "critical")
    assert again(cells) == cells.get_protected_ideas()
    assert cells.get_protected_ideas()["x"]["betti"][1:] == [2.0, 0.0]


@pytest.mark.parametrize(
    ("cloud", "band", "status"),
    [
        pytest.param(circle(), "local", "released", id="an update in the local band"),
        pytest.param(line(), "global", "lost", id="the loop is gone"),
    ],
)
def test_what_ends_a_protection(cells, cloud, band, status):
    cells.betti_update("x", circle(), "global")
    cells.betti_update("x", cloud, band)
    assert cells.get_protected_ideas() == again(cells) == {}
    assert [row["status"] for row in cells.history("x")] == ["protected", status]


@pytest.mark.parametrize("undecided", [[0.1, 0.2], np.array([1j])])
def test_no_evidence_ends_no_protection(cells, undecided):
    cells.betti_update("x", circle(), "global")
    cells.betti_update("x", undecided, "global")
    assert list(cells.get_protected_ideas()) == ["x"]


def test_a_void_is_not_lost_to_one_who_does_not_look_for_voids(cells, registry):
    cells.betti_update("x", sphere(), "global")
    with TorusCells(registry, max_dimension=1) as flat:
        flat.betti_update("x", sphere(), "global")
        assert list(flat.get_protected_ideas()) == ["x"]


def test_a_loop_is_lost_also_to_one_who_does_not_look_for_voids(cells, registry):
    cells.betti_update("x", circle(), "global")
    with TorusCells(registry, max_dimension=1) as flat:
        flat.betti_update("x", line(), "global")
        assert flat.get_protected_ideas() == {}


def test_tunnelling_moves_a_protected_idea(cells):
    cells.betti_update("x", circle(), "global")
    before = cells.get_protected_ideas()["x"]
    assert cells.tunnel_idea("x", "critical") is True
    assert again(cells)["x"] == {**before, "coherence_band": "critical"}
    assert cells.tunnel_idea("x", "local") is True
    assert again(cells) == {}
    assert cells.tunnel_idea("x", "global") is False
    history = cells.history("x")
    assert [(row["status"], row["previous_band"], row["coherence_band"]) for row in history] == [
        ("protected", None, "global"),
        ("protected", "global", "critical"),
        ("released", "critical", "local"),
    ]
    assert all(row["timestamp"].tzinfo is not None for row in history)


def test_tunnelling_what_is_not_protected_does_nothing(cells):
    cells.betti_update("x", line(), "global")
    assert cells.tunnel_idea("x", "critical") is False
    assert cells.tunnel_idea("nobody", "critical") is False
    assert not cells.path.exists()


def test_an_unknown_band_is_refused_first(cells):
    with pytest.raises(ValueError, match="loud"):
        cells.tunnel_idea("nobody", "loud")


def test_another_handle_is_seen(cells, registry):
    with TorusCells(registry) as other:
        other.betti_update("x", circle(), "global")
        assert list(cells.get_protected_ideas()) == ["x"]
        assert cells.tunnel_idea("x", "local")
        assert other.get_protected_ideas() == {}


def test_the_file_has_plain_columns(cells):
    cells.betti_update("x", circle(), "global")
    cells._protected.ideas._table.flush(publish=True)
    cloud, row = (row for _, row in pd.read_parquet(cells.path).iterrows())
    assert (row["idea_id"], row["status"], row["betti1"]) == ("x", "protected", 1.0)
    assert np.array_equal(cloud["vertices"].reshape(cloud["vertices_shape"]), circle())
    assert cells.path.name == "torus_cells.parquet"


def test_protected_ideas_survive_kill_9(state_root):
    program = (
        "import os, signal\n"
        "from tests.cells.clouds import circle, two_circles\n"
        "from toriwork.cells import get_torus_cells\n"
        "cells = get_torus_cells()\n"
        "cells.betti_update('a', circle(), 'global'); cells.betti_update('b', two_circles(), 'global')\n"
        "cells.betti_update('c', circle(), 'global'); cells.tunnel_idea('c', 'local')\n"
        "cells.tunnel_idea('a', 'critical')\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    with TorusRegistry() as registry, TorusCells(registry) as cells:
        ideas = cells.get_protected_ideas()
        assert {name: (idea["coherence_band"], idea["protection_level"]) for name, idea in ideas.items()} == {
            "a": ("critical", "medium"),
            "b": ("global", "high"),
        }
        assert set(registry.df["shape_id"]) >= {idea["shape_id"] for idea in ideas.values()}


# ---- what is said ------------------------------------------------------------------------------------------------


def test_the_logs_say_what_people_grep_for(registry, caplog):
    caplog.set_level(logging.INFO, logger="toriwork.cells")
    cells = TorusCells(registry)
    cells.betti_update("x", circle(), "global")
    cells.betti_update("y", line(), "global")
    cells.tunnel_idea("x", "local")
    assert caplog.messages == [
        f"TorusCells initialized with backend: {cells.backend}",
        f"Idea x is topologically protected (medium): b0={cells.compute_betti(circle())[0]:g} b1=1 b2=0, band global",
        "Idea x is no longer protected: b1=1 b2=0, band local",
    ]


def test_cells_say_what_they_hold(cells):
    cells.betti_update("x", circle(), "global")
    assert repr(cells).endswith(f"1 protected ideas, 1 answers in memory, backend {cells.backend}")


# ---- the shared ones ---------------------------------------------------------------------------------------------


def test_the_shared_cells_follow_the_state_root(tmp_path, monkeypatch):
    one = get_torus_cells()
    assert get_torus_cells() is one
    assert one.registry is get_torus_registry()
    monkeypatch.setenv("TORI_STATE_ROOT", str(tmp_path / "elsewhere"))
    other = get_torus_cells()
    assert other is not one
    assert other.path.parent == other.registry.path.parent == (tmp_path / "elsewhere").resolve()
    other.registry.close()
    assert get_torus_cells() is not other
    for cells in (one, get_torus_cells()):
        cells.close()
        cells.registry.close()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_finds_its_shared_cells_although_a_thread_of_the_parent_was_looking(state_root):
    from toriwork.cells import shared

    with shared._lock.alone():
        child = os.fork()
        if child == 0:
            get_torus_cells().betti_update("child", circle(), "global")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    cells = get_torus_cells()
    assert list(cells.get_protected_ideas()) == ["child"]
    cells.close()
    cells.registry.close()


def test_two_numbers_touch_no_file(state_root):
    assert betti0_1(circle())[1] == 1.0
    assert not state_root.exists()


# ---- memory ------------------------------------------------------------------------------------------------------


def forget_how_to_compute(monkeypatch):
    from toriwork.cells import memory, shape

    monkeypatch.setattr(shape, "estimate_betti", None)
    monkeypatch.setattr(memory, "persistence", None)


def test_a_cloud_that_was_looked_at_is_not_computed_again(cells, monkeypatch):
    first = cells.compute_betti(circle())
    forget_how_to_compute(monkeypatch)
    assert cells.compute_betti(circle()) == first
    assert cells.compute_betti(circle().tolist()) == first
    assert math.isclose(first[1], 1)


@pytest.mark.parametrize("threshold", [None, 0.5])
def test_nor_by_another_handle_on_the_same_files(registry, monkeypatch, threshold):
    with TorusCells(registry, persistence_threshold=threshold) as cells:
        first = [cells._numbers.of(cloud_of(cloud)) for cloud in (circle(), two_circles(), sphere())]
    forget_how_to_compute(monkeypatch)
    with TorusCells(registry, persistence_threshold=threshold) as cells:
        again = [cells._numbers.of(cloud_of(cloud)) for cloud in (circle(), two_circles(), sphere())]
    for one, other in zip(first, again, strict=True):
        np.testing.assert_equal(one.betti, other.betti)
        assert (one.rule, one.diagram) == (other.rule, other.diagram)
        assert one.diagram.provenance == other.diagram.provenance


def test_memory_of_answers_is_bounded(tmp_path):
    from toriwork.cells.measure import Measure
    from toriwork.cells.memory import DiagramMemory
    from toriwork.cells.shape import ShapeNumbers

    for limits, n_held in (({"max_diagrams": 3}, 3), ({"max_bytes": 1}, 0)):
        with DiagramMemory(tmp_path / "d.parquet", **limits) as diagrams:
            numbers = ShapeNumbers(Measure(1), diagrams)
            for seed in range(6):
                assert numbers.of(cloud_of(circle(seed=seed))).betti[1] == 1.0
            assert len(diagrams.cache) == n_held


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_child_goes_on_although_a_thread_of_the_parent_held_the_lock(cells):
    with cells._protected.lock.alone():
        child = os.fork()
        if child == 0:
            cells.betti_update("child", circle(), "global")
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert list(cells.get_protected_ideas()) == ["child"]


def test_one_thread_may_close_while_others_update_and_flush(cells):
    def work(number):
        for step in range(6):
            cells.betti_update(f"idea {number}", circle(20) * (1 + number + step / 100), "global")
            cells.flush()
            cells.close()

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    assert len(cells.get_protected_ideas()) == 4
