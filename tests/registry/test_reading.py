"""Conditions reach the row groups: what cannot match is not read from the disk."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
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
        pc.field("betti0"),
        pc.scalar(1),
        pc.scalar(None),
        pc.field("metadata").is_null() & pc.field("betti0"),
        [("timestamp", ">=", dt.datetime(2020, 1, 1))],  # noqa: DTZ001 - that is the point
        [("metadata", ">", 1)],
    ],
)
@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("narrowed", [False, True])
def test_a_condition_that_fails_is_bad_input_and_no_damage(
    tmp_path: Path, condition: Any, *, published: bool, narrowed: bool
) -> None:
    """``narrowed``: by another condition, which no row group can hold."""
    with TorusRegistry(tmp_path / "x.parquet") as registry:
        registry.record_shape([[0.0, 1.0], [1.0, 0.0]], (1, 0), metadata={"a": 1})
        if published:
            registry.flush(publish=True)
        with pytest.raises(BadInput, match="where"):
            registry.scan(["shape_id"], pc.field("betti0") > 7 if narrowed else None, where=condition).read_all()


@pytest.mark.parametrize("published", [False, True])
@pytest.mark.parametrize("where", [None, [("betti0", "==", 1)]])
def test_a_column_is_asked_for_once(tmp_path: Path, where: Any, *, published: bool) -> None:
    with TorusRegistry(tmp_path / "x.parquet") as registry:
        registry.record_shape([[0.0, 1.0], [1.0, 0.0]], (1, 0))
        if published:
            registry.flush(publish=True)
        for columns in (["betti0", "betti0"], lambda schema: [schema.names[0]] * 2):
            with pytest.raises(BadInput, match="each name once"):
                registry.scan(columns, where=where)
        with pytest.raises(BadInput, match="no column"):
            registry.scan(lambda _: ["no column"], where=where)
        assert registry.scan(["betti0"], where=[("betti0", ">", 0), ("betti0", "<", 2)]).read_all().num_rows == 1


def by_pandas(table: pa.Table, path: Path) -> None:
    table.to_pandas().to_parquet(path, row_group_size=2)


def by_polars(table: pa.Table, path: Path) -> None:
    pl.from_arrow(table).write_parquet(path, row_group_size=2, statistics=False)  # type: ignore[union-attr]


def with_empty_groups(table: pa.Table, path: Path) -> None:
    with pq.ParquetWriter(path, table.schema) as writer:
        for start in (0, table.num_rows, 2, table.num_rows):
            writer.write_table(table.slice(start, 2) if start < 2 else table.slice(start))


def with_dictionaries(table: pa.Table, path: Path) -> None:
    for at, name in enumerate(table.column_names):
        if table[name].type == pa.string():
            table = table.set_column(at, name, table[name].dictionary_encode())
    pq.write_table(table, path)


def with_nan(table: pa.Table, path: Path) -> None:
    """The schema is that of the registry; what was null is NaN."""
    for name in ("betti0", "betti1", "betti2"):
        filled = pc.fill_null(table[name], math.nan)
        table = table.set_column(table.column_names.index(name), name, filled)
    pq.write_table(table, path, row_group_size=1)


@pytest.mark.parametrize("write", [by_pandas, by_polars, with_empty_groups, with_dictionaries, with_nan])
def test_a_file_that_other_software_wrote_anew_reads_as_before(tmp_path: Path, write: Any) -> None:
    path = tmp_path / "x.parquet"
    conditions = [None, pc.field("betti0") != 5, pc.field("betti1").is_null(), ~(pc.field("betti1") > 1)]
    with TorusRegistry(path) as registry:
        clouds = [[[0.0, math.nan], [1.0, 0.0]], [[0.0, 2.0]], [[0.0, 3.0]], [[0.0, 4.0]]]
        numbers = [(5, None), (5, 2), (None, 1), (1, 1)]
        ids = registry.record_shapes(clouds, numbers, metadata=[{"n": n} for n in range(4)], allow_nonfinite=True)
        registry.retract(ids[3], "a mistake")
        registry.flush(publish=True)
        expected = [registry.scan(["shape_id", "betti0"], where).read_all() for where in conditions]
    write(pq.read_table(path).replace_schema_metadata(None), path)
    with TorusRegistry(path, repair=True) as registry:
        for published in (False, True):
            assert [registry.scan(["shape_id", "betti0"], where).read_all() for where in conditions] == expected
            assert len(registry) == registry.dataset().count_rows() == 3
            for shape_id, cloud in zip(ids[:3], clouds, strict=False):
                np.testing.assert_array_equal(registry.vertices(shape_id), cloud)
            if not published:
                registry.flush(publish=True)


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
