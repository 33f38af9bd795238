"""Conditions reach the row groups: what cannot match is not read from the disk."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.compute as pc
import pytest

from toriwork.errors import BadInput, DamagedFile
from toriwork.registry import TorusRegistry


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TorusRegistry]:
    """Six row groups of 4 MB; betti0 counts the rows."""
    path = tmp_path_factory.mktemp("many") / "torus_registry.parquet"
    clouds = np.random.default_rng(0).normal(size=(600, 2500, 2))
    with TorusRegistry(path) as registry:
        registry.record_shapes(list(clouds), [(k, k % 3) for k in range(600)])
        registry.flush(publish=True)
        yield registry


def bytes_read() -> int:
    lines = Path("/proc/self/io").read_text().splitlines()
    return int(lines[0].removeprefix("rchar: "))


def test_row_groups_that_cannot_match_are_not_read(registry: TorusRegistry) -> None:
    whole = bytes_read()
    assert registry.scan(["betti0", "vertices"]).read_all().num_rows == 600
    whole = bytes_read() - whole
    part = bytes_read()
    rows = registry.scan(["betti0", "vertices"], where=[("betti0", ">=", 590)]).read_all()
    part = bytes_read() - part
    assert rows["betti0"].to_pylist() == list(range(590, 600))
    assert whole > registry.path.stat().st_size * 0.9
    assert part < whole / 3


@pytest.mark.parametrize(
    ("where", "n_rows"),
    [
        (None, 600),
        ([], 600),
        (pc.field("betti0") < 10, 10),
        ([("betti0", "<", 10)], 10),
        ([("betti0", "<", 10), ("betti1", "==", 0)], 4),
        ([[("betti0", "<", 10)], [("betti0", ">", 594)]], 15),
        ([("betti0", "in", [1, 2, 700])], 2),
    ],
)
def test_a_condition_is_an_expression_or_tuples(registry: TorusRegistry, where: object, n_rows: int) -> None:
    assert registry.scan(["row_id"], where=where).read_all().num_rows == n_rows  # type: ignore[arg-type]
    filtered = registry.scan(["row_id"], pc.field("betti0") >= 5, where=where).read_all()  # type: ignore[arg-type]
    assert filtered.num_rows <= n_rows


@pytest.mark.parametrize("where", [[("no such", "<", 1)], [("betti0", "is like", 1)], "betti0 < 1", 7, [("betti0",)]])
def test_what_is_no_condition_is_refused(registry: TorusRegistry, where: object) -> None:
    with pytest.raises(BadInput):
        registry.scan(["row_id"], where=where)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "condition",
    [
        pc.field("nope") > 1,
        pc.field("metadata") > 1,
        pc.field("metadata").cast("int64") > 1,
        [("timestamp", ">=", dt.datetime(2020, 1, 1))],  # noqa: DTZ001 - that is the point
        [("metadata", ">", 1)],
    ],
)
@pytest.mark.parametrize("published", [False, True])
def test_a_condition_that_fails_is_bad_input_and_no_damage(tmp_path: Path, condition: Any, *, published: bool) -> None:
    with TorusRegistry(tmp_path / "x.parquet") as registry:
        registry.record_shape([[0.0, 1.0], [1.0, 0.0]], (1, 0), metadata={"a": 1})
        if published:
            registry.flush(publish=True)
        with pytest.raises(BadInput, match="where"):
            registry.scan(["shape_id"], where=condition).read_all()


def test_damage_stays_damage_under_a_condition(tmp_path: Path) -> None:
    path = tmp_path / "x.parquet"
    with TorusRegistry(path) as registry:
        registry.record_shape(np.random.default_rng(0).random((2000, 2)), (1, 0))
        registry.flush(publish=True)
        with path.open("r+b") as file:
            file.seek(2000)
            file.write(bytes(8))
        with pytest.raises(DamagedFile):
            registry.scan(["vertices"], where=pc.field("betti0") == 1).read_all()
