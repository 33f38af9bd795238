"""The memory of diagrams: asked twice, computed once, in this process and in the next."""

from __future__ import annotations

import json
import math
import pickle
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from toriwork.cells import diagrams
from toriwork.cells.memory import DiagramMemory
from toriwork.errors import BadInput, DamagedFile, StoreMismatch
from toriwork.registry import TorusRegistry
from toriwork.topology import DTM, Diagram, persistence
from toriwork.topology.clouds import cloud_of
from toriwork.topology.filtrations import Landmark, Rips

CLOUDS = [np.random.default_rng(seed).standard_normal((12 + seed, 3)) for seed in range(8)]
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def memory(tmp_path):
    with DiagramMemory(tmp_path / "diagrams.parquet") as memory:
        yield memory


def bits(diagram: Diagram) -> tuple[object, ...]:
    """Everything of a diagram, so that -0.0 differs from 0.0."""
    return (
        diagram.pairs.tobytes(),
        diagram.censored.tobytes(),
        [part.hex() if isinstance(part, float) else part for part in diagram.convention()],
        repr(diagram.provenance),
        diagram.content_id,
    )


# ---- asked twice -------------------------------------------------------------------------------------------------


def test_an_answer_is_computed_once_and_found_by_the_next_handle(memory):
    answers = [memory.persistence(cloud) for cloud in CLOUDS]
    assert answers == [persistence(cloud) for cloud in CLOUDS]
    assert all(memory.persistence(cloud) is answer for cloud, answer in zip(CLOUDS, answers, strict=True))
    with DiagramMemory(memory.path) as later:
        assert later.get_many(CLOUDS) == answers
        assert later.statistics()["on_disk"] == len(CLOUDS) == len(later)


def test_the_default_file_is_in_the_state_root(state_root):
    with DiagramMemory() as memory:
        assert memory.path == state_root / "torus_diagrams.parquet"
        assert memory.get(CLOUDS[0]) is None
        assert not state_root.exists()
        memory.persistence(CLOUDS[0])
    assert memory.path.exists()


READ = """
import json, sys
import numpy as np
from toriwork.cells.memory import DiagramMemory

clouds = [np.random.default_rng(seed).standard_normal((12 + seed, 3)) for seed in range(8)]
with DiagramMemory(sys.argv[1]) as memory:
    found = memory.get_many(clouds, threshold=1.0, max_dimension=2)
print(json.dumps([[d.pairs.tobytes().hex(), d.censored.tobytes().hex(), repr(d.provenance), d.content_id]
                  for d in found]))
"""


@pytest.mark.parametrize("publish", [False, True], ids=["from the journal", "from the public file"])
def test_another_process_reads_the_same_object_bit_for_bit(memory, publish):
    asked = {"threshold": 1.0, "max_dimension": 2}
    written = [memory.persistence(cloud, **asked) for cloud in CLOUDS]
    assert any(diagram.censored.any() for diagram in written)
    memory.flush(publish=publish)
    done = subprocess.run(
        [sys.executable, "-c", READ, str(memory.path)], capture_output=True, text=True, check=True, cwd=ROOT
    )
    for found, diagram in zip(json.loads(done.stdout), written, strict=True):
        made = [diagram.pairs.tobytes().hex(), diagram.censored.tobytes().hex(), repr(diagram.provenance)]
        assert found == [*made, diagram.content_id]


def test_pandas_reads_plain_columns_and_the_hash_of_the_registry(memory, tmp_path):
    memory.persistence(CLOUDS[0], threshold=1.5)
    memory.flush(publish=True)
    row = pd.read_parquet(memory.path).iloc[0]
    diagram = persistence(CLOUDS[0], threshold=1.5)
    assert np.array_equal(np.column_stack([row.dimensions, row.births, row.deaths]), diagram.pairs)
    assert (row.filtration, row.field, row.n_points, row.scale) == ("rips", 2, 12, "diameter")
    with TorusRegistry(tmp_path / "registry.parquet") as registry:
        shape_id = registry.record_shape(CLOUDS[0])
    assert shape_id == "shape_" + row.cloud_hash


@pytest.mark.parametrize("dtype", ["<f8", ">f8", "<f4", "<i4", "|u1", "|b1"])
def test_the_hash_is_that_of_the_registry_for_each_element_type(tmp_path, dtype):
    cloud = (np.arange(12).reshape(6, 2) % 5).astype(dtype)
    with TorusRegistry(tmp_path / "registry.parquet") as registry:
        assert registry.record_shape(cloud) == "shape_" + cloud_of(cloud).digest.hex()


def test_two_handles_find_what_the_other_one_put(tmp_path):
    with DiagramMemory(tmp_path / "d.parquet") as one, DiagramMemory(tmp_path / "d.parquet") as two:
        for first, second in ((one, two), (two, one), (one, two)):
            cloud = np.random.default_rng().random((9, 2))
            answer = first.persistence(cloud)
            second._store._catalogue and setattr(second._store._catalogue, "stale_from", 0.0)  # no waiting in a test
            assert second.get(cloud) == answer


@pytest.mark.parametrize("durability", ["process", "power"])
def test_what_another_handle_puts_is_found_although_its_journal_keeps_its_size(tmp_path, durability):
    one, two = (DiagramMemory(tmp_path / "d.parquet", durability=durability) for _ in range(2))
    with one, two:
        for cloud in CLOUDS[:6]:  # with "power" a journal is filled ahead by zeros
            answer = one.persistence(cloud)
            two._store._catalogue and setattr(two._store._catalogue, "stale_from", 0.0)  # no waiting in a test
            assert two.get(cloud) == answer


def test_threads_share_a_memory(memory):
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda number: memory.persistence(CLOUDS[number % 8]), range(64)))
    assert all(answer == persistence(CLOUDS[k]) for k, answer in enumerate(answers[:8]))
    assert len(memory) == 8


def test_a_copy_for_another_process_is_its_path_and_options(memory):
    memory.persistence(CLOUDS[0])
    with pickle.loads(pickle.dumps(memory)) as copy:
        assert copy.path == memory.path
        assert copy.get(CLOUDS[0]) is not None


# ---- which question ----------------------------------------------------------------------------------------------

OTHERS = {
    "dimension": {"max_dimension": 0},
    "field": {"field": 3},
    "threshold": {"threshold": 0.9},
    "least persistence": {"min_persistence": 0.1},
    "filtration": {"filtration": "alpha"},
    "scale": {"scale": "radius"},
    "scale of a filtration": {"filtration": "alpha", "scale": "diameter"},
    "parameters": {"filtration": Landmark(5)},
    "other parameters": {"filtration": Landmark(6)},
    "weights": {"filtration": DTM(3)},
}


def test_each_question_has_its_own_answer(memory):
    cloud = CLOUDS[7]
    keys = {name: memory.key(cloud, **asked) for name, asked in OTHERS.items()}
    keys |= {"default": memory.key(cloud), "distances": memory.key(distances=np.zeros(cloud.shape))}
    keys |= {"shape": memory.key(cloud.reshape(-1, 1)), "type": memory.key(cloud.astype(np.float32))}
    assert len(set(keys.values())) == len(keys)
    for asked in OTHERS.values():
        assert memory.persistence(cloud, **asked) == persistence(cloud, **asked)
        assert memory.key(cloud, **asked) in memory
    with DiagramMemory(memory.path) as later:
        assert [bits(later.get(cloud, **asked)) for asked in OTHERS.values()] == [
            bits(memory.get(cloud, **asked)) for asked in OTHERS.values()
        ]
        assert later.get(cloud) is None
        assert memory.key(cloud) not in later


@pytest.mark.parametrize(
    "asked",
    [
        {"engine": "gudhi"},
        {"engine": "auto"},
        {"engine": "ripser"},
        {"engine": "redzed"},
        {"filtration": Rips()},
        {"scale": "diameter"},
        {"max_dimension": np.int64(1)},
        {"max_bytes": 1e9},
    ],
)
def test_the_same_question_in_other_words_has_the_same_answer(memory, asked):
    answer = memory.persistence(CLOUDS[0])
    assert memory.get(CLOUDS[0], **asked) is answer
    assert memory.get(np.asfortranarray(CLOUDS[0]), **asked) is answer
    assert memory.get(CLOUDS[0].tolist(), **asked) is answer


def test_another_version_of_the_engine_is_another_question(memory, monkeypatch):
    memory.persistence(CLOUDS[0])
    monkeypatch.setattr(diagrams, "engine_version", lambda engine: "999")
    assert memory._questions
    assert DiagramMemory(memory.path).get(CLOUDS[0]) is None


def test_a_diagram_of_another_version_than_the_engine_here_has_its_own_question(memory):
    here = persistence(CLOUDS[0], engine="redzed")
    rounded = replace(here, provenance=replace(here.provenance, version="0.1.1", error=1e-7))  # before ranks
    memory.put(rounded, CLOUDS[0])
    assert memory.get(CLOUDS[0], engine="redzed") is None
    memory.put(here, CLOUDS[0])
    assert memory.get(CLOUDS[0]) is here


def test_distances_are_remembered_as_distances(memory):
    matrix = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
    answer = memory.persistence(distances=matrix)
    assert memory.persistence(distances=matrix) is answer
    assert memory.get(matrix) is None


@pytest.mark.parametrize(
    ("data", "asked", "error"),
    [
        pytest.param({"points": CLOUDS[0]}, {"field": 2.0}, BadInput, id="a field that is no integer"),
        pytest.param({"points": CLOUDS[0]}, {"max_dimension": 1.0}, BadInput, id="a dimension that is no integer"),
        pytest.param({"points": CLOUDS[0]}, {"engine": "no such"}, BadInput, id="no such engine"),
        pytest.param({"points": CLOUDS[0]}, {"colour": "red"}, TypeError, id="no such option"),
        pytest.param({"points": CLOUDS[0], "distances": np.zeros((2, 2))}, {}, BadInput, id="both"),
        pytest.param({}, {}, BadInput, id="neither"),
        pytest.param({"points": [[1.0, 2.0], [3.0]]}, {}, BadInput, id="ragged"),
        pytest.param({"points": [["a", "b"]]}, {}, BadInput, id="no numbers"),
        pytest.param({"points": np.full((3, 2), np.nan)}, {}, BadInput, id="NaN"),
        pytest.param({"points": np.ma.masked_less(CLOUDS[0], 0.0)}, {}, BadInput, id="masked"),
    ],
)
def test_what_persistence_refuses_is_refused_however_much_is_remembered(memory, data, asked, error):
    memory.persistence(CLOUDS[0])
    assert memory.get(**data, **asked) is None
    with pytest.raises(error):
        memory.persistence(**data, **asked)
    assert len(memory) == 1


# ---- putting -----------------------------------------------------------------------------------------------------


def test_a_diagram_that_was_computed_elsewhere_is_found(memory):
    diagram = persistence(CLOUDS[1], threshold=0.7, engine="ripser")
    key = memory.put(diagram, CLOUDS[1])
    assert key == memory.key(CLOUDS[1], threshold=0.7, engine="ripser")
    assert memory.persistence(CLOUDS[1], threshold=0.7, engine="ripser") is diagram


def test_a_diagram_that_says_nothing_of_itself_is_refused(memory):
    with pytest.raises(BadInput, match="provenance"):
        memory.put(Diagram(np.zeros((0, 3)), 1), CLOUDS[0])
    with pytest.raises(BadInput, match="array of numbers"):
        memory.put(persistence(CLOUDS[0]))
    made = persistence(CLOUDS[0])
    with pytest.raises(BadInput, match="diameter and 2"):
        memory.put(Diagram(made.pairs, 1, field=3, provenance=made.provenance), CLOUDS[0])
    assert not memory.path.exists()


def test_a_batch_is_kept_whole(memory):
    answers = [persistence(cloud) for cloud in CLOUDS]
    memory.put_many(CLOUDS, answers)
    with DiagramMemory(memory.path) as later:
        assert later.get_many(CLOUDS) == answers


# ---- bounds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["max_diagrams", "max_bytes", "max_stored"])
def test_a_limit_below_one_is_refused(tmp_path, name):
    with pytest.raises(BadInput, match=name):
        DiagramMemory(tmp_path / "d.parquet", **{name: 0})


def test_an_unknown_durability_is_refused(tmp_path):
    with pytest.raises(BadInput, match="durability"):
        DiagramMemory(tmp_path / "d.parquet", durability="hope")


@pytest.mark.parametrize("limit", [{"max_diagrams": 3}, {"max_bytes": 5000}])
def test_what_was_used_longest_ago_leaves_memory_and_stays_on_disk(tmp_path, limit):
    with DiagramMemory(tmp_path / "d.parquet", **limit) as memory:
        answers = [memory.persistence(cloud) for cloud in CLOUDS[:3]]
        memory.persistence(CLOUDS[0])
        for cloud in CLOUDS[3:]:
            memory.persistence(cloud)
            counts = memory.statistics()
            assert counts["n_diagrams"] <= limit.get("max_diagrams", 99)
            assert counts["n_bytes"] <= limit.get("max_bytes", 1e9)
        memory._store._drop()
        again = memory.persistence(CLOUDS[0])
        assert again == answers[0]
        assert again is not answers[0]
        assert memory.statistics()["on_disk"] == 1


def test_the_first_to_leave_is_the_one_that_was_not_used(tmp_path):
    with DiagramMemory(tmp_path / "d.parquet", max_diagrams=2) as memory:
        first, second = memory.persistence(CLOUDS[0]), memory.persistence(CLOUDS[1])
        memory.persistence(CLOUDS[0])
        memory.persistence(CLOUDS[2])
        assert memory.persistence(CLOUDS[0]) is first
        assert memory.persistence(CLOUDS[1]) is not second


def test_duplicates_and_the_oldest_go_when_it_is_published(tmp_path):
    path = tmp_path / "d.parquet"
    for _ in range(2):  # handles that do not know of each other write the same
        memory = DiagramMemory(path, max_stored=5)
        memory._keep([(cloud_of(cloud), "points", persistence(cloud)) for cloud in CLOUDS])
        memory.flush(publish=False)
    memory.flush(publish=True)
    table = pd.read_parquet(path)
    assert sorted(table.n_points) == [15, 16, 17, 18, 19]
    with DiagramMemory(path) as later:
        assert [found is not None for found in later.get_many(CLOUDS)] == [False] * 3 + [True] * 5
        assert len(later) == 5


# ---- representatives ------------------------------------------------------------------------------------------------


CORNERS = np.vstack([np.eye(3), -np.eye(3)])
SQUARE = np.random.default_rng(0).random((40, 2))


@pytest.mark.parametrize("publish", [False, True], ids=["from the journal", "from the public file"])
def test_representatives_are_computed_once_and_come_back_in_the_next_handle(memory, publish, monkeypatch):
    diagram = persistence(SQUARE)
    loops = memory.representatives(SQUARE, n=2)
    parts = memory.representatives(SQUARE, 0, which=[0, 5])
    (void,) = memory.representatives(CORNERS, 2)
    assert loops == diagram.representatives(points=SQUARE, n=2)
    assert parts == diagram.representatives(0, points=SQUARE, which=[0, 5])
    assert (void.death, void.death_simplex, len(void.triangles)) == (2.0, (0, 3, 4, 5), 8)
    memory.flush(publish=publish)
    monkeypatch.setattr(Diagram, "representatives", None)  # nothing is computed any more
    for asked in (memory, DiagramMemory(memory.path)):
        assert asked.representatives(SQUARE, n=2) == loops
        assert asked.representatives(SQUARE, 0, which=[5, 0]) == parts[::-1]
        assert asked.representatives(SQUARE, which=loops[1].bar) == loops[1:]
        assert asked.representatives(CORNERS, 2) == (void,)
        assert asked.representatives(CORNERS, which=[]) == ()
        assert asked.persistence(CORNERS, max_dimension=2).in_dimension(2).tolist() == [[2**0.5, 2.0]]


def test_representatives_that_another_handle_put_are_kept_beside_new_ones(memory):
    first = memory.representatives(SQUARE)
    with DiagramMemory(memory.path) as other:
        second = other.representatives(SQUARE, 0)
    third = memory.representatives(SQUARE, 0, which=2)
    memory.flush(publish=True)
    rows = pd.read_parquet(memory.path)
    assert [len(json.loads(text)) for text in rows.representatives] == [3]
    with DiagramMemory(memory.path) as later:
        assert later.representatives(SQUARE, 0, which=[second[0].bar, 2]) == second + third
        assert later.representatives(SQUARE) == first


def test_representatives_that_are_refused_leave_nothing(memory):
    with pytest.raises(BadInput, match="expected H0, H1 or H2 of a Rips diagram, got H1 of 'alpha'"):
        memory.representatives(CLOUDS[0], filtration="alpha")
    with pytest.raises(BadInput, match="rows of the"):
        memory.representatives(CLOUDS[0], which=99)
    memory.flush(publish=True)
    assert pd.read_parquet(memory.path).representatives.isna().all()


def test_representatives_of_distances_are_those_of_their_matrix(memory):
    distances = np.abs(np.subtract.outer(np.arange(5.0), np.arange(5.0)))
    (last,) = memory.representatives(k=0, distances=distances)
    assert last.points == (0, 1, 2, 3, 4)
    assert DiagramMemory(memory.path).representatives(k=0, distances=distances) == (last,)


# ---- damage ------------------------------------------------------------------------------------------------------


def test_a_damaged_file_raises_and_is_left_as_it_is(memory):
    memory.put_many(CLOUDS, [persistence(cloud) for cloud in CLOUDS])
    memory.flush(publish=True)
    memory.close()
    whole = memory.path.read_bytes()
    for at in (len(whole) // 3, len(whole) - 300):
        broken = bytearray(whole)
        broken[at] ^= 4
        memory.path.write_bytes(broken)
        with pytest.raises(DamagedFile):
            DiagramMemory(memory.path).persistence(CLOUDS[0])
        assert memory.path.read_bytes() == broken
    memory.path.write_bytes(whole)
    assert DiagramMemory(memory.path).get(CLOUDS[0]) is not None


def test_a_file_of_other_software_in_its_place_is_refused(memory):
    memory.persistence(CLOUDS[0])
    memory.close()
    pd.DataFrame({"a": [1]}).to_parquet(memory.path)
    with pytest.raises(StoreMismatch):
        DiagramMemory(memory.path).persistence(CLOUDS[0])


def test_a_closed_memory_opens_its_file_again(memory):
    answer = memory.persistence(CLOUDS[0])
    memory.close()
    memory.persistence(CLOUDS[1])
    memory.close()
    assert DiagramMemory(memory.path).get_many(CLOUDS[:2])[0] == answer
    assert math.isinf(answer.threshold)


def test_an_empty_diagram_in_memory_is_an_answer_beside_one_that_is_not_known(memory):
    empty = np.empty((0, 2))
    answer = memory.persistence(empty)
    assert len(answer) == 0
    assert memory.get_many([empty, CLOUDS[0]]) == [answer, None]
