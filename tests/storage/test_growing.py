"""A publish copies what stays and writes what is new: the file is at every moment what a rewrite would have given."""

from __future__ import annotations

import gc
import io
import json
import random
import sys
from pathlib import Path
from typing import Any

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.memdisk import MemDisk
from toriwork.errors import DamagedFile
from toriwork.storage import ArrowCodec, NewestPerKey, ParquetTable, PublishPolicy, TableSpec, columns, index, publish
from toriwork.storage.footer import Facts

SCHEMA = pa.schema(
    [
        ("row_id", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("name", pa.string()),
        ("kind", pa.string()),
        ("values", pa.list_(pa.float64())),
    ]
)
CODEC = ArrowCodec(SCHEMA)
SPEC = TableSpec(
    SCHEMA, CODEC, row_id="row_id", time="timestamp", dictionary=("kind",), index="name", group_bytes=20_000
)
NEVER = PublishPolicy(max_age=1e9, growth=1e9, small_base=0, max_files=10**9, close_seconds=-1.0)


class Grown:
    """A table on a disk in memory, and the rows that it should hold."""

    def __init__(self, spec: TableSpec = SPEC, folder: Path | None = None) -> None:
        self.files = MemDisk().files() if folder is None else None
        self.path = (folder or Path("/t")) / "x.parquet"
        self.rows: list[dict[str, Any]] = []
        self.table = ParquetTable(self.path, spec, policy=NEVER, files=self.files)
        self.rng = random.Random(1)

    def append(self, n_rows: int, n_values: int = 3) -> None:
        new = [
            {
                "row_id": f"{len(self.rows) + at + 1:016x}",
                "timestamp": None,
                "name": f"name {self.rng.randrange(50)}",
                "kind": "ab"[at % 2],
                "values": [self.rng.random() for _ in range(n_values)],
            }
            for at in range(n_rows)
        ]
        self.table.append(CODEC.encode(pa.RecordBatch.from_pylist(new, schema=SCHEMA)), n_rows)
        self.rows += new

    def bytes(self) -> bytes:
        return self.path.read_bytes() if self.files is None else bytes(self.files.disk.inode(self.path).now)  # type: ignore[union-attr]

    def facts(self) -> Facts:
        return Facts.from_json(pq.read_metadata(io.BytesIO(self.bytes())).metadata[b"toriwork.store"])

    def check(self) -> None:
        file = io.BytesIO(self.bytes())
        found = pq.ParquetFile(file, page_checksum_verification=True).read()
        assert found.cast(SCHEMA).to_pylist() == self.rows
        facts = self.facts()
        assert facts.n_rows == sum(extent.n_rows for extent in facts.extents) == len(self.rows)
        assert self.table.verify().ok
        with self.table.snapshot() as snapshot:
            assert snapshot.base is not None
            for name in ("name 0", "name 17", "name 49", "nowhere"):
                hits = [row for rows in snapshot.base.rows_with(name) for row in sorted(rows)]
                same = index.hash_of(name)
                assert hits == [n for n, row in enumerate(self.rows) if index.hash_of(row["name"]) == same]


@settings(max_examples=10, deadline=None)
@given(st.lists(st.tuples(st.integers(1, 60), st.integers(0, 120)), min_size=1, max_size=9), st.sampled_from([0, 2000]))
def test_however_it_grows_the_file_holds_all_rows_in_order_and_an_index_over_them(
    publishes: list[tuple[int, int]], small: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "_SMALL_BYTES", small)
        patch.setattr(publish, "MERGED_BYTES", 60_000)
        grown = Grown()
        for n_rows, n_values in publishes:
            grown.append(n_rows, n_values)
            grown.table.flush(publish=True)
            grown.check()
        grown.table.close()


def test_pandas_duckdb_and_polars_read_a_file_that_grew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "_SMALL_BYTES", 0)
    grown = Grown(folder=tmp_path)
    for n_rows in (400, 100, 25, 6, 1):
        grown.append(n_rows, 50)
        grown.table.flush(publish=True)
    assert len(grown.facts().extents) > 2
    names = [row["name"] for row in grown.rows]
    assert pd.read_parquet(grown.path)["name"].tolist() == names
    assert pl.read_parquet(grown.path)["name"].to_list() == names
    total = duckdb.sql(f"select count(*), sum(list_sum(values)) from '{grown.path}'").fetchall()
    assert total == [(len(names), pytest.approx(sum(sum(row["values"]) for row in grown.rows)))]
    assert pq.read_table(grown.path, filters=[("kind", "=", "a")]).num_rows == sum(r["kind"] == "a" for r in grown.rows)
    grown.table.close()


def test_the_bytes_of_what_was_published_stay_where_they_were() -> None:
    grown = Grown()
    grown.append(500, 200)
    grown.table.flush(publish=True)
    before, facts = grown.bytes(), grown.facts()
    end = facts.extents[0].end
    grown.append(1)
    grown.table.flush(publish=True)
    after = grown.facts()
    assert grown.bytes()[:end] == before[:end]
    assert after.extents[0] == facts.extents[0]
    assert [extent.n_rows for extent in after.extents] == [500, 1]


def test_many_small_publishes_leave_few_extents_and_write_a_row_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "_SMALL_BYTES", 0)
    grown = Grown()
    written = 0
    for _ in range(120):
        grown.append(2, 40)
        known = {extent.digest for extent in grown.facts().extents}
        grown.table.flush(publish=True)
        start = 0
        for extent in grown.facts().extents:
            written += 0 if extent.digest in known else extent.end - start
            start = extent.end
    grown.check()
    facts = grown.facts()
    assert len(facts.extents) <= 10
    assert written < 8 * facts.extents[-1].end


def test_an_extent_is_not_rewritten_once_it_is_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "MERGED_BYTES", 1000)
    grown = Grown()
    for _ in range(6):
        grown.append(30, 20)
        grown.table.flush(publish=True)
    assert [extent.n_rows for extent in grown.facts().extents] == [30] * 6
    grown.check()


@pytest.mark.parametrize("at", [20, 3000, -1])
def test_damage_in_what_is_copied_stays_and_is_found(at: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "SMALL_FILE_BYTES", -1)
    grown = Grown()
    grown.append(500, 200)
    grown.table.flush(publish=True)
    end = grown.facts().extents[0].end
    place = at if at >= 0 else end - 5
    grown.files.disk.inode(grown.path).now[place] ^= 1  # type: ignore[union-attr]
    grown.append(1)
    grown.table.flush(publish=True)
    report = grown.table.verify()
    assert [f"between bytes 0 and {end}" in text or "page" in text for text in report.findings] == [True]
    assert report.n_rows == 501


def test_a_file_of_format_1_is_kept_and_gets_its_index(monkeypatch: pytest.MonkeyPatch) -> None:
    grown = Grown()
    grown.append(300, 200)
    whole = Facts.to_json

    def old(facts: Facts) -> str:
        raw = json.loads(whole(facts))
        digest = raw["extents"][0][4]
        raw |= {"extents": [], "indexes": [], "newest_ns": 0, "data_blake2b": digest, "min_reader": 1, "min_writer": 1}
        return json.dumps(raw)

    with monkeypatch.context() as patch:
        patch.setattr(Facts, "to_json", old)
        patch.setattr("toriwork.storage.sink.ParquetSink._write_index", lambda sink: ())
        grown.table.flush(publish=True)
    assert not grown.facts().extents
    grown.append(2)
    grown.table.flush(publish=True)
    assert [extent.n_rows for extent in grown.facts().extents] == [300, 2]
    grown.check()


def test_a_schema_that_grew_is_written_whole_once() -> None:
    grown = Grown()
    grown.append(300, 200)
    grown.table.flush(publish=True)
    grown.table.close()
    wider = pa.schema([*SCHEMA, ("note", pa.string())])
    codec = ArrowCodec(wider)
    spec = TableSpec(wider, codec, row_id="row_id", time="timestamp", index="name", group_bytes=20_000)
    table = ParquetTable(grown.path, spec, policy=NEVER, files=grown.files)
    for _ in range(2):
        row = {"row_id": "f" * 16, "timestamp": None, "name": "new", "kind": "a", "values": [], "note": "there"}
        table.append(codec.encode(pa.RecordBatch.from_pylist([row], schema=wider)))
        table.flush(publish=True)
    found = pq.read_table(io.BytesIO(grown.bytes()))
    assert found["note"].to_pylist() == [None] * 300 + ["there"] * 2
    assert [extent.n_rows for extent in grown.facts().extents] == [301, 1]
    table.close()


def test_a_retention_that_keeps_the_old_rows_lets_them_be_copied() -> None:
    newest = NewestPerKey(("name",), "row_id", per_key=1000, max_rows=400)
    spec = TableSpec(SCHEMA, CODEC, "row_id", "timestamp", (), newest, 20_000)
    grown = Grown(spec)
    grown.append(300, 200)
    grown.table.flush(publish=True)
    first = grown.facts().extents[0]
    grown.append(100)
    grown.table.flush(publish=True)
    assert grown.facts().extents[0] == first  # 400 rows: none goes
    grown.append(50)
    grown.table.flush(publish=True)
    assert grown.facts().extents[0] != first
    found = pq.read_table(io.BytesIO(grown.bytes()))["row_id"].to_pylist()
    assert found == [row["row_id"] for row in grown.rows[50:]]


def test_an_index_that_is_damaged_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "SMALL_FILE_BYTES", -1)
    grown = Grown()
    grown.append(300)
    grown.table.flush(publish=True)
    grown.files.disk.inode(grown.path).now[grown.facts().indexes[0][0] + 9] ^= 4  # type: ignore[union-attr]
    with (
        grown.table.snapshot() as snapshot,
        pytest.raises(DamagedFile, match=r"x\.parquet: damaged: the index at byte"),
    ):
        list(next(snapshot.base.rows_with("name 3")))  # type: ignore[union-attr]


def test_a_publish_that_failed_half_way_leaves_no_writer_that_writes_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder
) -> None:
    grown = Grown(folder=tmp_path)
    grown.append(40, 500)
    unraisable: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", unraisable.append)
    with monkeypatch.context() as patch:
        patch.setattr("toriwork.storage.sink.ParquetSink.close", lambda sink, facts: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            grown.table.flush(publish=True)
    gc.collect()
    assert unraisable == []
    grown.table.flush(publish=True)
    grown.check()
    grown.table.close()
