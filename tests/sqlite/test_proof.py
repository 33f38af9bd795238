"""The proof finds what a faulty exporter would do: each fault is put into the code, and the export is refused."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from toriwork.errors import NotProven
from toriwork.sqlite import encode, export_sqlite, groups, proof


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (a INTEGER, b TEXT, c REAL)")
        rows = [(n, f"text {n}", n / 3) for n in range(50)] + [("odd", None, 1), (None, b"blob", None)]
        connection.executemany("INSERT INTO t VALUES (?, ?, ?)", rows)
        connection.commit()
    return path


def skip_a_row(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.slice(1)


def double_a_row(batch: pa.RecordBatch) -> pa.RecordBatch:
    return pa.Table.from_batches([batch.slice(0, 1), batch]).combine_chunks().to_batches()[0]


def swap_two_rows(batch: pa.RecordBatch) -> pa.RecordBatch:
    return batch.take(pa.array([1, 0, *range(2, batch.num_rows)]))


def round_numbers(batch: pa.RecordBatch) -> pa.RecordBatch:
    at = batch.schema.get_field_index("c")
    if at < 0:
        return batch
    rounded = pa.array([None if v is None else round(v, 6) for v in batch["c"].to_pylist()], pa.float64())
    return batch.set_column(at, batch.schema.field("c"), rounded)


def empty_texts(batch: pa.RecordBatch) -> pa.RecordBatch:
    at = batch.schema.get_field_index("b")
    if at < 0:
        return batch
    return batch.set_column(at, batch.schema.field("b"), batch["b"].fill_null(""))


@pytest.mark.parametrize("fault", [skip_a_row, double_a_row, swap_two_rows, round_numbers, empty_texts])
def test_a_faulty_writer_is_refused(
    source: Path, tmp_path: Path, fault: Callable[[pa.RecordBatch], pa.RecordBatch], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = groups.GroupWriter.write
    monkeypatch.setattr(groups.GroupWriter, "write", lambda self, batch: whole(self, fault(batch)))
    with pytest.raises(NotProven, match="table 't'"):
        export_sqlite(source, tmp_path / "out")


def test_a_lost_misfit_is_refused(source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    batch = encode.Encoder.batch
    monkeypatch.setattr(encode.Encoder, "batch", lambda self, rows: (batch(self, rows)[0], []))
    with pytest.raises(NotProven, match=r"52 rows with 0 misfits|column 'a'"):
        export_sqlite(source, tmp_path / "out")


@pytest.mark.parametrize("reader", ["_compare_digests", "_by_duckdb"])
def test_a_reader_that_counts_otherwise_is_enough_to_refuse(
    source: Path, tmp_path: Path, reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = getattr(proof, reader)

    def off_by_one(*given: Any) -> Any:
        found = whole(*given)
        found["a"].n_cells -= 1
        return found

    monkeypatch.setattr(proof, reader, off_by_one)
    with pytest.raises(NotProven, match="SQL says"):
        export_sqlite(source, tmp_path / "out")
