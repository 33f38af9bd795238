"""ParquetTable from one end to the other, on the disk of this machine: record, flush, publish, close, open, read."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.memdisk import MemDisk
from tests.storage.rows import (
    BY_HAND,
    NOON,
    SCHEMA,
    SPEC,
    add,
    batch,
    names_of,
    opened,
    payload,
    published_names,
    still,
)
from toriwork.errors import BadInput, Closed, DamagedFile, NotFound, ReadOnly
from toriwork.storage import ArrowCodec, ParquetTable, Payload, PublishPolicy, TableSpec
from toriwork.storage.frames import Address, Kind
from toriwork.storage.pending import open_rows
from toriwork.storage.snapshot import Snapshot

MEASURED = pa.schema(
    [
        ("id", pa.string()),
        ("when", pa.timestamp("us", tz="UTC")),
        ("values", pa.list_(pa.float64())),
        ("flags", pa.list_(pa.string())),
        ("rank", pa.int16()),
        ("raw", pa.binary()),
    ]
)
MEASURED_SPEC = TableSpec(MEASURED, ArrowCodec(MEASURED), row_id="id", time="when")
VALUES = st.lists(st.one_of(st.none(), st.floats()), max_size=4)
ROWS = st.fixed_dictionaries(
    {
        "when": st.datetimes(min_value=NOON.replace(tzinfo=None), timezones=st.just(NOON.tzinfo)),
        "values": st.one_of(st.none(), VALUES),
        "flags": st.one_of(st.none(), st.lists(st.text("a\x00ä𝒯", max_size=3), max_size=2)),
        "rank": st.one_of(st.none(), st.integers(-(2**15), 2**15 - 1)),
        "raw": st.one_of(st.none(), st.binary(max_size=5)),
    }
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a state root" / "table.parquet"


def rows_of(table: ParquetTable) -> pa.Table:
    """All rows, published ones first."""
    with table.snapshot() as snapshot:
        return pa.Table.from_batches([*snapshot.base_batches(), *snapshot.pending_batches()], schema=table.spec.schema)


# ---- from one end to the other -----------------------------------------------------------------------------------


def test_rows_are_there_at_once_and_after_every_step(path: Path) -> None:
    with opened(path) as table:
        add(table, "a1")
        assert names_of(table) == ["a1"]
        table.flush(publish=False)
        assert published_names(path) == []
        table.flush(publish=True)
        assert published_names(path) == ["a1"]
        add(table, "b1", "b2")
        assert names_of(table) == ["a1", "b1", "b2"]
    assert published_names(path) == ["a1"]  # this policy publishes by hand
    with opened(path) as table:
        assert names_of(table) == ["a1", "b1", "b2"]
        table.flush(publish=True)
        assert table.verify().ok
    assert published_names(path) == ["a1", "b1", "b2"]
    assert sorted(found.name for found in path.parent.iterdir()) == [".table.lock", "table.d", "table.parquet"]
    assert sorted(found.name for found in path.with_suffix(".d").iterdir()) == ["CLOCK", "HEAD"]


@settings(max_examples=30)
@given(st.lists(st.lists(ROWS, min_size=1, max_size=3), min_size=1, max_size=4), st.integers(0, 4))
def test_values_of_every_type_come_back_bit_for_bit(groups: list[list[dict[str, Any]]], n_published: int) -> None:
    codec = ArrowCodec(MEASURED)
    table = still(ParquetTable("/t.parquet", MEASURED_SPEC, files=MemDisk().files(), policy=BY_HAND))
    batches = []
    for n, group in enumerate(groups):
        rows = [{**row, "id": f"{n}-{k}"} for k, row in enumerate(group)]
        batches.append(pa.RecordBatch.from_pylist(rows, schema=MEASURED))
        table.append(codec.encode(batches[-1]), len(rows))
        if n + 1 == n_published:
            table.flush(publish=True)
    found = rows_of(table)
    wanted = pa.Table.from_batches(batches)
    assert found.drop_columns("values").equals(wanted.drop_columns("values"))
    assert bits(found) == bits(wanted)
    table.close()


def bits(table: pa.Table) -> list[list[str | None] | None]:
    """The lists of floats as text that tells NaN, -0.0 and None apart."""
    rows = table["values"].to_pylist()
    return [None if row is None else [None if x is None else float(x).hex() for x in row] for row in rows]


def test_times_are_utc_for_whoever_reads(path: Path) -> None:
    with opened(path) as table:
        add(table, "a1")
        table.flush(publish=True)
    assert pd.read_parquet(path).time.tolist() == [pd.Timestamp(NOON)]


def test_a_frame_is_all_of_its_rows_or_none(path: Path) -> None:
    with opened(path) as table:
        place = table.append(payload("a1", "a2", "a3"), 3)
        assert table.read_payload(place) == payload("a1", "a2", "a3")
        [journal] = path.with_suffix(".d").glob("*.journal")
        journal.write_bytes(journal.read_bytes()[:-1])
        assert names_of(table) == []


def test_a_table_that_was_only_opened_is_an_empty_public_file(path: Path) -> None:
    opened(path).close()
    assert published_names(path) == []
    assert pd.read_parquet(path).columns.tolist() == SCHEMA.names


def test_a_small_table_is_published_by_every_flush_without_being_asked(path: Path) -> None:
    with still(ParquetTable(path, SPEC, policy=PublishPolicy(min_interval=0.0, max_share=1.0))) as table:
        for n in range(3):
            add(table, f"a{n}")
            table.flush()
            assert len(published_names(path)) == n + 1
        assert table.pending_age is None
        add(table, "b")
        table.flush(publish=False)
        assert len(published_names(path)) == 3


def test_the_age_of_the_oldest_pending_row_is_known(path: Path) -> None:
    with opened(path) as table:
        assert table.pending_age is None
        add(table, "a1")
        assert 0 <= (table.pending_age or 0) < 3600
        table.flush(publish=True)
        assert table.pending_age is None


# ---- values that come later --------------------------------------------------------------------------------------


class LateCodec(ArrowCodec):
    """Rows whose ``number`` may come later."""

    def open_positions(self, payload: Payload) -> list[int]:
        rows = super().decode([payload], {})
        return [n for n, number in enumerate(rows["number"].to_pylist()) if number is None]

    def decode(self, payloads: Any, done: Any) -> pa.RecordBatch:
        rows = [row for found in payloads for row in self._filled(found, done)]
        return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)

    def _filled(self, found: Payload, done: Any) -> list[dict[str, Any]]:
        rows = super().decode([found], {}).to_pylist()
        for position, row in enumerate(rows):
            values = done.get(Address(found.journal, found.frame, position))
            if values is not None:
                row["number"] = int(values)
        return rows


LATE = replace(SPEC, codec=LateCodec(SCHEMA))


def open_row(name: str) -> bytes:
    row = {**batch(name).to_pylist()[0], "number": None}
    return LateCodec(SCHEMA).encode(pa.RecordBatch.from_pylist([row], schema=SCHEMA))


def test_an_open_row_is_read_with_null_and_published_with_its_value(path: Path) -> None:
    with still(ParquetTable(path, LATE, policy=BY_HAND)) as table:
        table.append(payload("a1"))
        place = table.append(open_row("b1"), kind=Kind.OPEN)
        table.append(payload("c1"))
        assert rows_of(table)["number"].to_pylist() == [2, None, 2]
        table.flush(publish=True)
        assert published_names(path) == ["a1"]  # up to the first open row
        assert names_of(table) == ["a1", "b1", "c1"]
        table.complete(Address(place.journal, place.frame, 0), b"42")
        assert rows_of(table)["number"].to_pylist() == [2, 42, 2]
        table.flush(publish=True)
    assert pd.read_parquet(path).number.tolist() == [2, 42, 2]


def test_prepare_computes_what_a_dead_writer_left_open_before_the_publish(path: Path) -> None:
    writer = still(ParquetTable(path, LATE, policy=BY_HAND))
    writer.append(open_row("a1"), kind=Kind.OPEN)
    writer.sync()
    writer.close()

    def prepare(table: ParquetTable, snapshot: Snapshot) -> None:
        assert not lock_is_held(table)  # others must not wait for mathematics
        for found in snapshot.journals:
            for address in [
                a for addresses in open_rows(snapshot.spec, found, snapshot.done).values() for a in addresses
            ]:
                table.attempt([address])
                table.complete(address, b"7")

    with still(ParquetTable(path, LATE, policy=BY_HAND, prepare=prepare)) as table:
        table.flush(publish=True)
    assert pd.read_parquet(path).number.tolist() == [7]


def lock_is_held(table: ParquetTable) -> bool:
    handle = table.files.create(table.path.with_name(".table.lock"), exclusive=False)
    try:
        return not handle.try_lock()
    finally:
        handle.close()


# ---- the front ---------------------------------------------------------------------------------------------------


def test_a_context_manager_flushes_and_closes_whatever_happens_inside(path: Path) -> None:
    table = opened(path)
    with pytest.raises(ZeroDivisionError):
        record_and_fail(table)
    assert table.closed
    with opened(path, read_only=True) as again:
        assert names_of(again) == ["a1"]


def record_and_fail(table: ParquetTable) -> None:
    with table as entered:
        add(entered, "a1")
        raise ZeroDivisionError


def test_closing_twice_is_closing_once_and_a_closed_table_says_so(path: Path) -> None:
    table = opened(path)
    add(table, "a1")
    table.close()
    table.close()
    for use in (lambda: add(table, "b1"), table.flush, table.sync, lambda: names_of(table)):
        with pytest.raises(Closed, match="open the table again"):
            use()


def test_close_publishes_what_is_quickly_published(path: Path) -> None:
    with still(ParquetTable(path, SPEC)) as table:
        add(table, "a1")
    assert published_names(path) == ["a1"]


def test_a_handle_travels_as_path_spec_and_options(path: Path) -> None:
    policy = replace(BY_HAND, max_files=7)
    with opened(path, durability="power", policy=policy) as table:
        add(table, "a1")
        copy = pickle.loads(pickle.dumps(table))
        add(still(copy), "b1")
        assert copy.path == table.path
        assert copy.spec.schema.equals(SCHEMA)
        assert sorted(names_of(table)) == sorted(names_of(copy)) == ["a1", "b1"]
        assert len(list(path.with_suffix(".d").glob("*.journal"))) == 2  # two handles are two writers
        options = {"durability": "power", "read_only": False, "prepare": None, "policy": policy, "publish_to": None}
        assert copy.__reduce__()[1][2] == options
        copy.close()


def test_a_handle_for_reading_is_one_on_the_other_side_too(path: Path) -> None:
    opened(path).close()
    reader = pickle.loads(pickle.dumps(opened(path, read_only=True)))
    with pytest.raises(ReadOnly, match="read_only=True"):
        add(reader, "a1")


def test_repairing_is_not_repeated_by_a_copy_of_the_handle(path: Path) -> None:
    with opened(path, repair=True) as table:
        assert "repair" not in table.__reduce__()[1][2]


def test_reading_needs_a_table(path: Path) -> None:
    with pytest.raises(NotFound, match="read_only=True creates none"):
        opened(path, read_only=True)
    assert not path.parent.exists()


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        pytest.param(pa.schema([("row_id", pa.string())]), "expected columns .*, got", id="columns are missing"),
        pytest.param(pa.schema(list(SCHEMA)[::-1]), "expected columns .*, got", id="another order"),
    ],
)
def test_rows_of_other_columns_are_refused(schema: pa.Schema, message: str) -> None:
    with pytest.raises(BadInput, match=message):
        ArrowCodec(SCHEMA).encode(pa.RecordBatch.from_pylist([], schema=schema))


def test_rows_are_cast_to_the_schema_where_nothing_is_lost() -> None:
    codec = ArrowCodec(SCHEMA)
    narrow = batch("a1").set_column(2, "number", batch("a1")["number"].cast(pa.int8()))
    found = codec.decode([Payload("ab" * 16, 1, 0, 1, memoryview(codec.encode(narrow)))], {})
    assert found.equals(batch("a1"))
    assert codec.decode([], {}).schema.equals(SCHEMA)


def test_a_public_file_that_is_damaged_while_a_handle_is_open_is_not_published_over(path: Path) -> None:
    with opened(path) as table:
        add(table, "a1")
        table.flush(publish=True)
        whole = path.read_bytes()
        path.write_bytes(whole[:200] + b"?" + whole[201:])
        add(table, "b1")
        with pytest.raises(DamagedFile):
            table.flush(publish=True)
        assert path.read_bytes() != whole
        path.write_bytes(whole)
        table.flush(publish=True)
    assert published_names(path) == ["a1", "b1"]


def test_a_publish_reads_each_row_once_however_many_journals_there_are(path: Path) -> None:
    tables = [opened(path) for _ in range(5)]
    for n, table in enumerate(tables):
        add(table, f"r{n}", f"s{n}")
    for table in tables:
        table.flush(publish=True)
        table.close()
    found = pd.read_parquet(path).row_id
    assert sorted(found) == sorted([f"r{n}" for n in range(5)] + [f"s{n}" for n in range(5)])
    assert pc.count_distinct(pa.array(found)).as_py() == 10
