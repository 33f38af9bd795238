"""The memory of diagrams: asked twice, computed once, in this process and in the next."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from toriwork.cells.memory import DiagramMemory
from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry
from toriwork.topology import persistence

CLOUDS = [np.random.default_rng(seed).standard_normal((12 + seed, 3)) for seed in range(8)]


@pytest.fixture
def memory(tmp_path):
    with DiagramMemory(tmp_path / "diagrams.parquet") as memory:
        yield memory


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


@pytest.mark.parametrize("name", ["max_diagrams", "max_bytes", "max_stored"])
def test_a_limit_below_one_is_refused(tmp_path, name):
    with pytest.raises(BadInput, match=name):
        DiagramMemory(tmp_path / "d.parquet", **{name: 0})


def test_a_threshold_keeps_its_flags(memory):
    memory.persistence(CLOUDS[3], threshold=0.8)
    with DiagramMemory(memory.path) as later:
        found = later.get(CLOUDS[3], threshold=0.8)
    assert found.censored.any()
    assert math.isclose(found.threshold, 0.8)
    assert later.get(CLOUDS[3]) is None
