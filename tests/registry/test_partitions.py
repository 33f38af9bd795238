"""Parts of the published rows: together they are all of them, and each stays what it was."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry
from toriwork.registry.partitions import Partition


def cloud(number: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=(3 + number % 4, 2)).astype(np.float32 if number % 2 else float)


@pytest.fixture
def registry(tmp_path: Path) -> TorusRegistry:
    with TorusRegistry(tmp_path / "r.parquet", compute_betti=False) as registry:
        for first in range(0, 60, 20):
            registry.record_shapes([cloud(number) for number in range(first, first + 20)])
            registry.flush(publish=True)
        yield registry


def together(parts: list[Partition]) -> pa.Table:
    return pa.concat_tables([part.read() for part in parts])


@pytest.mark.parametrize("n_rows", [1, 7, 20, 33, 59, 60, 1000])
def test_the_parts_are_all_rows_in_their_order(registry: TorusRegistry, n_rows: int) -> None:
    parts = registry.scan_partitions(n_rows)
    assert all(0 < part.n_rows <= n_rows for part in parts)
    assert together(pickle.loads(pickle.dumps(parts))).equals(registry.scan().read_all().combine_chunks())
    points = [points for part in parts for _, points in part.clouds()]
    for number, found in enumerate(points):
        assert found.dtype == cloud(number).dtype
        np.testing.assert_array_equal(found, cloud(number))
    assert len(points) == 60


def test_a_part_is_what_it_was_whatever_is_published_or_retracted_later(registry: TorusRegistry) -> None:
    registry.retract(registry.df["shape_id"][3], "wrong")
    registry.flush(publish=True)
    parts, before = registry.scan_partitions(25), registry.scan().read_all()
    assert before.num_rows == 59
    registry.retract(registry.df["shape_id"][30], "wrong too")
    registry.record_shape(cloud(99))
    registry.flush(publish=True)
    assert together(parts).equals(before.combine_chunks())
    assert together(registry.scan_partitions(25)).num_rows == 59


def test_rows_that_are_not_published_are_in_no_part(registry: TorusRegistry) -> None:
    registry.record_shape(cloud(99))
    assert together(registry.scan_partitions()).num_rows == 60


def test_another_file_at_the_place_is_refused(registry: TorusRegistry, tmp_path: Path) -> None:
    part = registry.scan_partitions(25)[1]
    with TorusRegistry(tmp_path / "other.parquet", compute_betti=False) as other:
        other.record_shapes([cloud(number) for number in range(60)])
        other.flush(publish=True)
    moved = Partition(str(tmp_path / "other.parquet"), 1, part.start, part.n_rows, part.first)
    with pytest.raises(BadInput, match="call scan_partitions again"):
        moved.read()


def test_an_empty_registry_has_no_parts_and_no_rows_are_no_part(tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "e.parquet") as registry:
        assert registry.scan_partitions() == []
        with pytest.raises(BadInput, match="n_rows"):
            registry.scan_partitions(0)
