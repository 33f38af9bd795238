"""Ideas over time: certified updates, lost classes, bands, restarts, other processes, and a file that stays small."""

from __future__ import annotations

import dataclasses
import json
import math
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.cells.clouds import circle, line, sphere, two_circles
from tests.cells.observers import Ears
from tests.cells.test_protection import brute_hausdorff
from toriwork import get_observer_synthesis
from toriwork.cells import TorusCells, events, shape
from toriwork.cells.idea_store import SPEC, IdeaRetention, IdeaStore
from toriwork.cells.ideas import LOST, PROTECTED, RELEASED, Idea
from toriwork.cells.protection import Reference
from toriwork.errors import BadInput, NotFound, StoreError
from toriwork.registry import TorusRegistry
from toriwork.storage import ParquetTable
from toriwork.topology import persistence
from toriwork.topology.clouds import cloud_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def observer():
    return Ears()


@pytest.fixture
def cells(registry, observer):
    with TorusCells(registry, max_dimension=1, observer=observer) as cells:
        yield cells


def entry(cells, name="x"):
    return cells.get_protected_ideas()[name]


def idea(name, k=0, **changes):
    return dataclasses.replace(Idea(name, f"shape_{k}", (1.0, 1.0, 0.0), "global"), **changes)


# ---- certified updates -------------------------------------------------------------------------------------------


def test_a_small_move_is_accepted_without_a_diagram(cells, registry, monkeypatch):
    numbers = cells.betti_update("x", circle(), "global")
    before = entry(cells)
    monkeypatch.setattr(shape, "estimate_betti", None)
    cloud = circle() + np.random.default_rng(0).uniform(-0.1, 0.1, (60, 2))
    assert cells.betti_update("x", cloud, "critical", {"run": 7}) == numbers
    row = registry.to_pandas(["shape_id", "betti0", "betti1", "betti2", "metadata"]).iloc[-1]
    assert row[["betti0", "betti1", "betti2"]].isna().all()  # the class is certain, the numbers are not
    by = {
        "reference_shape_id": before["shape_id"],
        "displacement": pytest.approx(brute_hausdorff(circle(), cloud)),
        "radius": before["protection_radius"],
    }
    notes = json.loads(row["metadata"])
    assert (notes["run"], notes["torus_cells"]) == (7, {"idea_id": "x", "certified_by": by})
    new = {"shape_id": row["shape_id"], "braid_id": f"braid_{row['shape_id']}", "coherence_band": "critical"}
    assert entry(cells) == {**before, **new, "certified_by": by}
    last = cells.history("x")[-1]
    assert (last["status"], last["previous_band"], last["certified_by"]) == ("protected", "global", by)


def test_moves_are_measured_from_the_cloud_of_the_diagram_never_from_the_last_update(cells):
    """Five moves of 0.2 under a radius of 0.41 together take a loop's bar to nothing: the third is computed."""
    angle = np.linspace(0, 2 * np.pi, 100, endpoint=False)
    cloud = np.column_stack([np.cos(angle), np.sin(angle)])
    cells.betti_update("x", cloud, "global")
    assert 0.41 < entry(cells)["protection_radius"] < 0.43
    how = []
    for step in range(1, 6):
        cells.betti_update("x", cloud * (1 - 0.2 * step), "global")
        left = cells.get_protected_ideas().get("x")
        how.append("lost" if left is None else "certified" if left["certified_by"] else "computed")
    assert how == ["certified", "certified", "computed", "computed", "lost"]
    assert (
        persistence(cloud * 0.004).persistence(1).max() < 0.007
    )  # what five moves of 0.2, one a little shorter, leave


def test_whatever_is_certified_has_its_class(cells):
    """A walk: the diagram of every certified update is computed anyway."""
    rng = np.random.default_rng(1)
    cloud = circle(40)
    cells.betti_update("x", cloud, "global")
    certified = 0
    for _ in range(30):
        cloud = cloud + rng.normal(0, 0.06, cloud.shape)
        cells.betti_update("x", cloud, "global")
        now = cells.get_protected_ideas().get("x")
        if now is not None and now["certified_by"] is not None:
            certified += 1
            reference = cells.reference_cloud("x")
            assert brute_hausdorff(reference, cloud) == pytest.approx(now["certified_by"]["displacement"])
            bar = persistence(reference).persistence(1).max()
            least = bar - 4 * now["certified_by"]["displacement"]
            assert persistence(cloud).persistence(1).max(initial=0) >= least > 0
    assert certified >= 3


def test_a_move_beyond_the_radius_is_computed_and_is_the_new_reference(cells):
    cells.betti_update("x", circle(), "global")
    cloud = circle(centre=(9.0, 0.0))
    cells.betti_update("x", cloud, "global")
    assert entry(cells)["certified_by"] is None
    assert entry(cells)["reference_shape_id"] == entry(cells)["shape_id"]
    assert np.array_equal(cells.reference_cloud("x"), cloud)


@pytest.mark.parametrize(
    "cloud",
    [
        pytest.param(np.vstack([circle(), circle()[:9] + 0.05]), id="points added near the old ones"),
        pytest.param(circle()[::-1] + 0.02, id="in another order"),
    ],
)
def test_a_certificate_needs_no_correspondence(cells, cloud):
    cells.betti_update("x", circle(), "global")
    cells.betti_update("x", cloud, "global")
    assert entry(cells)["certified_by"] is not None


def test_the_same_cloud_again_has_its_numbers(cells, registry):
    cells.betti_update("x", circle(), "global")
    cells.betti_update("x", circle(), "critical")
    assert entry(cells)["certified_by"] is None
    assert registry.df["betti1"].tolist() == [1.0, 1.0]


def test_the_local_band_ends_a_protection_with_numbers(cells, registry):
    cells.betti_update("x", circle(), "global")
    cells.betti_update("x", circle() + 0.01, "local")
    assert cells.get_protected_ideas() == {}
    assert registry.df["betti1"].tolist() == [1.0, 1.0]


def test_a_cloud_too_large_to_keep_protects_without_a_certificate(cells, observer, monkeypatch):
    for module in ("protection_rules", "idea_store"):
        monkeypatch.setattr(f"toriwork.cells.{module}.MAX_REFERENCE_BYTES", 100)
    cells.betti_update("x", circle(), "global")
    assert entry(cells)["protection_radius"] is None
    with pytest.raises(NotFound, match="'x'"):
        cells.reference_cloud("x")
    cells.betti_update("x", circle() + 0.01, "global")
    assert entry(cells)["certified_by"] is None
    cells.betti_update("x", line(), "global")
    assert [(told["reason"], told["displacement"]) for told in observer.heard] == [("below the rule's level", None)]


# ---- lost --------------------------------------------------------------------------------------------------------


def test_a_class_that_is_gone_is_lost_with_its_bar_and_told(cells, observer, registry):
    cells.betti_update("x", circle(), "critical")
    before = entry(cells)
    (bar,) = before["classes"]
    cells.betti_update("x", line(), "global")
    assert cells.get_protected_ideas() == {}
    lost = cells.history("x")[-1]
    moved = pytest.approx(brute_hausdorff(circle(), line()))
    assert (lost["status"], lost["lost"]) == ("lost", {"bar": bar, "displacement": moved, "reason": "unmatched"})
    assert observer.heard == [
        {
            "type": "protection_lost",
            "source": "torus_cells",
            "subject": "x",
            "dimension": 1,
            "birth": bar[1],
            "death": bar[2],
            "reason": "unmatched",
            "displacement": moved,
            "protection_radius": before["protection_radius"],
            "shape_id": registry.df["shape_id"].iloc[-1],
            "reference_shape_id": before["shape_id"],
            "coherence_band": "critical",
        }
    ]


def test_a_loop_that_takes_the_place_of_another_does_not_inherit_its_protection(cells, observer):
    """b1 is 1 before and after; by counting nothing has happened."""
    cells.betti_update("x", circle(), "global")
    cells.betti_update("x", circle() * 20, "global")
    assert [told["reason"] for told in observer.heard] == ["unmatched"]
    assert [row["status"] for row in cells.history("x")] == ["protected", "lost", "protected"]
    assert entry(cells)["classes"][0][2] > 20


def test_one_of_two_loops_is_lost_and_the_other_is_still_protected(cells, observer):
    cells.betti_update("x", two_circles(), "global")
    assert entry(cells)["protection_level"] == "high"
    cells.betti_update("x", circle(), "global")
    assert len(observer.heard) == 1
    assert entry(cells)["protection_level"] == "medium"
    assert len(entry(cells)["classes"]) == 1


def test_a_bar_below_the_threshold_is_lost(registry, observer):
    with TorusCells(registry, 1, persistence_threshold=1.3, observer=observer) as cells:
        cells.betti_update("x", circle(), "global")
        cells.betti_update("x", circle() * 0.55, "global")
        assert cells.get_protected_ideas() == {}
    assert [told["reason"] for told in observer.heard] == ["below the rule's level"]


def test_a_cloud_of_another_dimension_has_no_displacement(registry, observer):
    with TorusCells(registry, 2, observer=observer) as cells:
        cells.betti_update("x", circle(), "global")
        cells.betti_update("x", sphere(), "global")
        assert cells.history("x")[1]["lost"]["displacement"] is None
        assert [bar[0] for bar in entry(cells)["classes"]] == [2]


def test_losses_are_told_to_the_shared_synthesis_when_nobody_else_listens(registry):
    with TorusCells(registry, 1) as cells:
        cells.betti_update("x", circle(), "global")
        cells.betti_update("x", line(), "global")
    (told,) = get_observer_synthesis().get_context_measurements()
    assert (told["type"], told["subject"]) == ("protection_lost", "x")
    get_observer_synthesis().close()


def test_a_synthesis_can_be_given(registry):
    with TorusCells(registry, 1, observer=get_observer_synthesis()) as cells:
        cells.betti_update("x", circle(), "global")
        cells.betti_update("x", line(), "global")
    assert get_observer_synthesis().metrics["tokens_in_context"] == 1
    get_observer_synthesis().close()


def test_nobody_needs_to_listen(registry, monkeypatch, state_root):
    monkeypatch.setattr(events, "DEFAULT_OBSERVER", None)
    with TorusCells(registry, 1) as cells:
        cells.betti_update("x", circle(), "global")
        cells.betti_update("x", line(), "global")
        assert cells.history("x")[-1]["status"] == "lost"
    assert not state_root.exists()


@pytest.mark.parametrize("error", [StoreError("the disk is full"), RuntimeError("the disk is full")])
def test_an_observer_that_fails_does_not_undo_what_has_happened(cells, observer, caplog, error):
    def refuse(measurement):
        raise error

    observer.emit_token = refuse
    cells.betti_update("x", circle(), "global")
    assert cells.betti_update("x", line(), "global") == (1.0, 0.0)
    assert cells.history("x")[-1]["status"] == "lost"
    assert f"No token for protection_lost of idea x: {type(error).__name__}: the disk is full" in caplog.text


def test_an_observer_must_be_able_to_emit(registry):
    with pytest.raises(BadInput, match="emit_token"):
        TorusCells(registry, observer=print)


# ---- restarts and neighbours -------------------------------------------------------------------------------------


def test_the_reference_cloud_comes_back_bit_for_bit(registry):
    cloud = circle() * np.pi + 1e6
    cloud[0] = [-0.0, 5e-324]
    with TorusCells(registry, 1) as cells:
        cells.betti_update("x", cloud, "global")
        kept = entry(cells)
    with TorusCells(registry, 1) as cells:
        assert entry(cells) == kept
        assert cells.reference_cloud("x").tobytes() == cloud.tobytes()
        with pytest.raises(ValueError, match="read-only"):
            cells.reference_cloud("x")[0] = 0
        with pytest.raises(NotFound):
            cells.reference_cloud("nobody")


def test_the_points_of_protected_loops_are_found_also_after_a_restart(registry):
    two = np.concatenate([circle(), circle() + 9.0])
    with TorusCells(registry, 1) as cells:
        cells.betti_update("x", two, "global")
    with TorusCells(registry, 1) as cells:
        loops = cells.points_of("x")
        assert [[1, loop.birth, loop.death] for loop in loops] == entry(cells)["classes"]
        n_points = len(circle())
        assert {max(loop.points) < n_points for loop in loops} == {True, False}  # one in each circle
        with pytest.raises(NotFound):
            cells.points_of("nobody")
    with TorusCells(registry, 1, filtration="alpha") as cells:
        cells.betti_update("y", circle(), "global")
        with pytest.raises(BadInput, match="expected H0, H1 or H2 of a Rips diagram"):
            cells.points_of("y")


def test_the_points_of_a_protected_void_are_found(registry):
    rng = np.random.default_rng(0)
    ball = rng.standard_normal((100, 3))
    ball /= np.linalg.norm(ball, axis=1)[:, None]
    with TorusCells(registry, 2) as cells:
        cells.betti_update("x", ball, "global")
        classes = [bar for bar in entry(cells)["classes"] if bar[0] == 2]
        (void,) = [one for one in cells.points_of("x") if one.triangles]
        assert [[2, void.birth, void.death]] == classes


def test_points_of_an_idea_that_was_protected_by_other_bars_are_refused(registry):
    with TorusCells(registry, 1, scale="radius") as cells:
        cells.betti_update("x", circle(), "global")
        assert len(cells.points_of("x")) == 1
    with TorusCells(registry, 1) as cells, pytest.raises(BadInput, match=r"'x': expected bars of rips diameter, got"):
        cells.points_of("x")


def test_of_loops_with_equal_bars_each_has_its_own_points(registry):
    places = np.argwhere(np.ones((9, 9))).astype(float)
    rim = places[(places % 8 == 0).any(axis=1)]
    with TorusCells(registry, 1) as cells:
        cells.betti_update("x", np.concatenate([rim, rim + np.array([40.0, 0.0])]), "global")
        assert [loop.bar for loop in cells.points_of("x")] == [0, 1]


def test_a_certificate_holds_after_a_restart_and_a_publish(registry):
    with TorusCells(registry, 1) as cells:
        cells.betti_update("x", circle(), "global")
        cells._protected.ideas._table.flush(publish=True)
    with TorusCells(registry, 1) as cells:
        cells.betti_update("x", circle() + 0.05, "global")
        assert entry(cells)["certified_by"]["displacement"] == pytest.approx(math.hypot(0.05, 0.05))


def test_what_another_process_protects_tunnels_and_releases_is_seen(state_root):
    program = (
        "import sys\n"
        "from tests.cells.clouds import circle\n"
        "from toriwork.cells import get_torus_cells\n"
        "cells = get_torus_cells()\n"
        "for line in sys.stdin:\n"
        "    name, band = line.split()\n"
        "    if band == 'update': cells.betti_update(name, circle(), 'global')\n"
        "    elif band == 'move': cells.betti_update(name, circle() + 0.1, 'global')\n"
        "    else: cells.tunnel_idea(name, band)\n"
        "    print(sorted(cells.get_protected_ideas()), flush=True)\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )

    def order(text):
        child.stdin.write(f"{text}\n")
        child.stdin.flush()
        return child.stdout.readline().strip()

    with child, TorusRegistry() as registry, TorusCells(registry, 1) as cells:
        assert order("a update") == "['a']"
        assert list(cells.get_protected_ideas()) == ["a"]
        cells.betti_update("b", circle(seed=3), "global")
        assert order("b critical") == "['a', 'b']"
        assert entry(cells, "b")["coherence_band"] == "critical"
        assert cells.tunnel_idea("b", "local")
        assert order("a critical") == "['a']"
        cells.betti_update("a", circle() + 0.2, "critical")  # certified by the cloud that the other one stored
        assert entry(cells, "a")["certified_by"]["displacement"] == pytest.approx(math.hypot(0.2, 0.2), rel=0.2)
        assert order("a move") == "['a']"
        assert entry(cells, "a")["certified_by"]["displacement"] < 0.15
        child.stdin.close()
    assert child.returncode == 0


def test_an_acknowledged_change_survives_kill_9(state_root):
    program = (
        "import sys\n"
        "from tests.cells.clouds import circle, line\n"
        "from toriwork.cells import get_torus_cells\n"
        "cells = get_torus_cells()\n"
        "for k in range(1000):\n"
        "    name = f'idea {k % 7}'\n"
        "    cells.betti_update(name, circle() + 0.001 * k, 'global')\n"
        "    if k % 3 == 0: cells.tunnel_idea(name, 'critical')\n"
        "    if k % 5 == 0: cells.tunnel_idea(name, 'local')\n"
        "    found = cells.get_protected_ideas().get(name)\n"
        "    print(name, found and (found['shape_id'], found['coherence_band']), sep='|', flush=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    told = {}
    with child:
        for _ in range(40):
            name, _, state = child.stdout.readline().partition("|")
            told[name] = state.strip()
        os.kill(child.pid, signal.SIGKILL)
        *rest, _ = [*child.stdout, ""]  # what it still said
        for said in rest:
            name, _, state = said.partition("|")
            told[name] = state.strip()
    last = said.partition("|")[0] if rest else name
    with TorusRegistry() as registry, TorusCells(registry, 1) as cells:
        ideas = cells.get_protected_ideas()
        following = f"idea {(int(last.split()[1]) + 1) % 7}"  # was being changed when the process died
        for name, state in told.items():
            found = ideas.get(name)
            if name != following:
                assert str(found and (found["shape_id"], found["coherence_band"])) == state
            if found is not None:
                assert cells.reference_cloud(name).shape == (60, 2)


def test_a_change_is_newer_than_what_it_changes_whatever_the_clock_says(cells, monkeypatch):
    cells.betti_update("x", circle(), "global")
    monkeypatch.setattr("toriwork.cells.idea_store.time.time_ns", lambda: 10**18)  # 2001
    with TorusCells(cells.registry, 1) as other:
        assert other.tunnel_idea("x", "critical")
    assert entry(cells)["coherence_band"] == "critical"


# ---- the file ----------------------------------------------------------------------------------------------------


def test_nothing_is_read_again_while_nobody_else_writes(cells, monkeypatch):
    cells.betti_update("x", circle(), "global")
    entry(cells)
    monkeypatch.setattr(IdeaStore, "_changes", None)
    cells.betti_update("x", circle() + 0.01, "global")
    assert cells.tunnel_idea("x", "critical")
    assert entry(cells)["coherence_band"] == "critical"


def test_a_publish_thins_the_file(tmp_path):
    spec = dataclasses.replace(SPEC, retention=IdeaRetention(history=3, references=2, ended=2))
    store = IdeaStore(tmp_path / "i.parquet")
    store._table = ParquetTable(store.path, spec)
    cloud = np.zeros((4, 2))
    for k in range(10):
        new = Reference(f"shape_{k}", ((1, 0.0, 1.0),), 0.25, None)
        store.append([idea("kept", k, reference=new)], cloud_of(cloud + k))
        ended = idea(f"ended {k}", k, reference=new)
        store.append([ended], cloud_of(cloud))
        store.append([dataclasses.replace(ended, status=LOST if k % 2 else RELEASED)])
    store._table.flush(publish=True)
    with store._table.snapshot() as snapshot:
        assert snapshot.pending_rows() == 0
        assert snapshot.n_rows() == (3 + 2) + 2 * (2 + 1)
    assert [row["shape_id"] for row in store.history("kept")] == ["shape_7", "shape_8", "shape_9"]
    assert [row["status"] for row in store.history("ended 9")] == [PROTECTED, LOST]
    assert store.history("ended 7") == []
    store.close()
    again = IdeaStore(store.path)
    assert list(again.protected()) == ["kept"]
    assert np.array_equal(again.cloud(again.get("kept")).values, cloud + 9)
    again.close()


def test_clouds_in_memory_are_bounded(tmp_path):
    clouds = {f"idea {k}": np.full((4, 2), float(k)) for k in range(6)}
    for handle in range(2):  # the second one reads what the first one wrote
        store = IdeaStore(tmp_path / "i.parquet", cloud_bytes=3 * 64)
        for k, (name, cloud) in enumerate(clouds.items()):
            if handle == 0:
                store.append([idea(name, k, reference=Reference(f"shape_{k}", (), None, None))], cloud_of(cloud))
        for name, cloud in [*clouds.items(), *clouds.items()]:
            assert np.array_equal(store.cloud(store.get(name)).values, cloud)
            assert store._clouds.n_bytes == 64 * len(store._clouds) <= 3 * 64
        store.close()


def test_a_file_of_an_earlier_release_is_read(tmp_path, registry):
    """Rows without a reference: protected, and computed anew at the next update."""
    store = IdeaStore(tmp_path / "torus_cells.parquet")
    store.append([idea("x")])
    store.close()
    with TorusCells(registry, 1) as cells:
        assert entry(cells)["protection_radius"] is None
        cells.betti_update("x", circle(), "global")
        assert entry(cells)["protection_radius"] > 0
        cells.betti_update("x", [0.1, 0.2], "global")  # a spectrum decides nothing
        assert entry(cells)["protection_radius"] > 0


def test_a_row_without_a_reference_is_lost_by_the_numbers(tmp_path, registry, observer):
    store = IdeaStore(tmp_path / "torus_cells.parquet")
    store.append([idea("x")])
    store.close()
    with TorusCells(registry, 1, observer=observer) as cells:
        cells.betti_update("x", line(), "global")
        assert cells.get_protected_ideas() == {}
        assert cells.history("x")[-1]["lost"] is None
