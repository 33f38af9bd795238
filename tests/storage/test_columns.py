"""The Parquet files of the store: row groups of one size, checked pages, encodings that pay, a schema that grows."""

from __future__ import annotations

import itertools
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.storage.memdisk import MemDisk, MemFiles, MemHandle, content
from tests.storage.rows import BASE, BY_HAND, SCHEMA, SPEC, add, batch, still
from toriwork.errors import BadInput, DamagedFile, StoreError, StoreMismatch
from toriwork.storage import ArrowCodec, ParquetTable, TableSpec, columns, sink, unify
from toriwork.storage.columns import ParquetSource, parquet_format
from toriwork.storage.files import OsFiles
from toriwork.storage.footer import Facts
from toriwork.storage.paths import StorePaths
from toriwork.storage.seal import seal
from toriwork.storage.sink import ParquetSink
from toriwork.storage.snapshot import open_snapshot

PATH = Path("/table.parquet")
FACTS = Facts("ab" * 16)
CLOUD = pa.schema([("name", pa.string()), ("values", pa.list_(pa.field("element", pa.float64())))])
#: the same table some releases later
WIDER = pa.schema([*SCHEMA, pa.field("weight", pa.float64()), pa.field("tags", pa.list_(pa.string()))])
WIDER_SPEC = TableSpec(WIDER, ArrowCodec(WIDER), row_id="row_id", time="time", dictionary=("text",))


@pytest.fixture
def files() -> MemFiles:
    return MemDisk().files()


def write(
    files: MemFiles, batches: list[pa.RecordBatch], schema: pa.Schema = SCHEMA, dictionary: tuple[str, ...] = ()
) -> MemHandle:
    """A file of the store with these batches."""
    handle = files.create(PATH)
    sink = ParquetSink(handle, PATH, schema, dictionary)
    for found in batches:
        sink.write(found)
    assert sink.close(FACTS).n_rows == sum(found.num_rows for found in batches)
    return handle


def clouds(*values: np.ndarray) -> pa.RecordBatch:
    """One row for each array."""
    return pa.record_batch([[f"c{n}" for n in range(len(values))], [list(v) for v in values]], schema=CLOUD)


def groups(handle: MemHandle) -> list[pa.Table]:
    found = pq.ParquetFile(handle.arrow())
    return [found.read_row_group(n) for n in range(found.num_row_groups)]


def chunk(handle: MemHandle, column: int) -> pq.ColumnChunkMetaData:
    return pq.read_metadata(handle.arrow()).row_group(0).column(column)


def test_a_row_group_holds_sixteen_megabytes() -> None:
    assert sink.ROW_GROUP_BYTES == 16 * 2**20


@pytest.mark.parametrize(
    "sizes",
    [
        pytest.param([10] * 1000, id="many small batches"),
        pytest.param([20_000], id="one large batch"),
        pytest.param([3, 9000, 1, 1, 7000, 2], id="a mixture"),
    ],
)
def test_small_batches_are_merged_and_large_ones_cut(
    files: MemFiles, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    limit = 2**16
    monkeypatch.setattr(sink, "ROW_GROUP_BYTES", limit)
    numbers = np.arange(sum(sizes))
    schema = pa.schema([("n", pa.int64())])
    everything = pa.record_batch([numbers], schema=schema)
    starts = np.cumsum([0, *sizes])
    handle = write(files, [everything.slice(a, n) for a, n in zip(starts, sizes, strict=False)], schema)
    found = groups(handle)
    assert [n for table in found for n in table["n"].to_pylist()] == numbers.tolist()
    weights = [8 * table.num_rows for table in found]
    assert max(weights) <= limit
    assert min(a + b for a, b in itertools.pairwise(weights)) > limit  # no two neighbours would fit into one


def test_a_row_larger_than_a_row_group_has_one_of_its_own(files: MemFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sink, "ROW_GROUP_BYTES", 1000)
    small, large = np.zeros(5), np.zeros(500)
    handle = write(files, [clouds(small, small, large, small)], CLOUD)
    assert [table["name"].to_pylist() for table in groups(handle) if table.nbytes > 1000] == [["c2"]]
    assert [name for table in groups(handle) for name in table["name"].to_pylist()] == ["c0", "c1", "c2", "c3"]


def test_a_table_may_ask_for_smaller_row_groups_and_each_can_be_read_alone(files: MemFiles) -> None:
    schema = pa.schema([("n", pa.int64())])
    handle = files.create(PATH)
    sink = ParquetSink(handle, PATH, schema, group_bytes=800)
    sink.write(pa.record_batch([np.arange(1000)], schema=schema))
    sink.close(Facts("0" * 32))
    source = ParquetSource(handle, PATH)
    whole = list(source.batches())
    assert len(whole) >= 10
    for number in (3, 0, len(whole) - 1):
        assert source.group(number) == whole[number]


def test_a_file_without_rows_is_a_whole_file(files: MemFiles) -> None:
    handle = write(files, [])
    source = ParquetSource(handle, PATH)
    assert source.n_rows == 0
    assert list(source.batches()) == []
    assert pq.read_table(handle.arrow()).schema.equals(SCHEMA)


def damaged_in_a_page(files: MemFiles) -> tuple[MemHandle, bytes]:
    """A file with one flipped bit in a page of random numbers, and the column as it should be."""
    values = np.frombuffer(np.random.default_rng(0).bytes(8 * 4096))
    handle = write(files, [clouds(values)], CLOUD)
    at = bytes(handle.inode.now).find(values[2000:2002].tobytes())
    assert at > 0
    handle.inode.now[at] ^= 1
    return handle, values.tobytes()


def test_pages_carry_checksums_that_a_reader_can_ask_for(files: MemFiles) -> None:
    handle, right = damaged_in_a_page(files)
    careless = pq.read_table(handle.arrow())["values"][0].values.to_numpy().tobytes()
    assert careless != right  # nothing but the checksum would have noticed
    with pytest.raises(OSError, match="CRC"):
        pq.read_table(handle.arrow(), page_checksum_verification=True)


def test_every_way_of_reading_verifies_the_pages(files: MemFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "SMALL_FILE_BYTES", -1)  # else the digest of all data comes first
    handle, _ = damaged_in_a_page(files)
    source = ParquetSource(handle, PATH)
    assert [found.num_rows for found in source.batches(["name"])] == [1]  # the other column is whole
    with pytest.raises(DamagedFile, match=r"(?s)data cannot be read.*repair=True"):
        list(source.batches())
    with pytest.raises(DamagedFile, match="data cannot be read"):
        source.group(0)
    with pytest.raises(OSError, match="CRC"):
        source.fragment().to_table()
    assert parquet_format().default_fragment_scan_options.page_checksum_verification
    with pytest.raises(DamagedFile, match="data fails its checksum"):
        source.check_data_digest()


def test_small_files_are_checked_byte_by_byte_when_opened(files: MemFiles) -> None:
    handle = write(files, [batch("a1")])
    ParquetSource(handle, PATH)
    handle.inode.now[1] ^= 1  # in the opening magic, which no page checksum covers
    with pytest.raises(DamagedFile, match="data fails its checksum"):
        ParquetSource(handle, PATH)


@pytest.mark.parametrize(
    ("values", "split"),
    [
        pytest.param(np.linspace(0, 1, 4096), True, id="a smooth curve shrinks"),
        pytest.param(np.zeros(4096), True, id="zeros shrink"),
        pytest.param(np.frombuffer(np.random.default_rng(0).bytes(8 * 4096)), False, id="random bits do not"),
        pytest.param(np.empty(0), False, id="nothing to judge by"),
    ],
)
def test_lists_of_floats_are_byte_split_only_where_that_is_smaller(
    files: MemFiles, values: np.ndarray, split: bool
) -> None:
    handle = write(files, [clouds(values)], CLOUD)
    found = chunk(handle, 1)
    assert ("BYTE_STREAM_SPLIT" in found.encodings) is split
    assert found.compression == ("ZSTD" if split else "UNCOMPRESSED")
    plain_size = values.nbytes + 200
    assert found.total_compressed_size <= (0.95 * plain_size if split else plain_size)
    assert pq.read_table(handle.arrow())["values"][0].values.to_numpy().tobytes() == values.tobytes()


def test_lists_are_encoded_whatever_their_values_are_called(files: MemFiles) -> None:
    schema = pa.schema([("name", pa.string()), ("values", pa.list_(pa.float64())), ("sizes", pa.list_(pa.int64()))])
    row = pa.record_batch([["c0"], [[0.0] * 4096], [[3] * 4096]], schema=schema)
    handle = write(files, [row], schema)
    assert "BYTE_STREAM_SPLIT" in chunk(handle, 1).encodings
    assert [chunk(handle, n).compression for n in (1, 2)] == ["ZSTD", "ZSTD"]


def test_the_sample_is_taken_from_the_rows_themselves_also_in_a_slice(files: MemFiles) -> None:
    noise = np.frombuffer(np.random.default_rng(0).bytes(8 * 4096))
    handle = write(files, [clouds(noise, np.zeros(4096)).slice(1)], CLOUD)
    assert "BYTE_STREAM_SPLIT" in chunk(handle, 1).encodings


def test_text_is_compressed_and_few_values_are_a_dictionary(files: MemFiles) -> None:
    handle = write(files, [batch("a1", "a2", "b3", size=50)], dictionary=("text", "no such column"))
    assert {chunk(handle, n).compression for n in range(4)} == {"ZSTD"}
    assert [chunk(handle, n).has_dictionary_page for n in range(4)] == [False, False, False, True]


def test_a_disk_that_takes_no_more_bytes_is_an_error_not_a_loop(
    files: MemFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(MemHandle, "write", lambda self, data, more=b"": 0)
    with pytest.raises(StoreError, match="takes no more bytes"):
        write(files, [batch("a1")])


def test_a_write_that_takes_a_part_goes_on_with_the_rest(files: MemFiles, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = MemHandle.write
    monkeypatch.setattr(MemHandle, "write", lambda self, data, more=b"": whole(self, bytes(data[:7])))
    assert pq.read_table(write(files, [batch("a1", "a2")]).arrow())["row_id"].to_pylist() == ["a1", "a2"]


def test_pandas_duckdb_and_polars_read_the_public_file(tmp_path: Path) -> None:
    path = tmp_path / "with space.parquet"
    handle = OsFiles().create(path)
    sink = ParquetSink(handle, path, SCHEMA, ("text",))
    sink.write(batch("a1", "b22", "c333"))
    sink.close(FACTS)
    handle.close()
    wanted = [("a1", 2, "a"), ("b22", 3, "b"), ("c333", 4, "c")]
    by_pandas = pd.read_parquet(path)
    assert str(by_pandas.time.dt.tz) == "UTC"
    assert list(by_pandas[["row_id", "number", "text"]].itertuples(index=False, name=None)) == wanted
    assert pl.read_parquet(path).select("row_id", "number", "text").rows() == wanted
    assert duckdb.read_parquet(str(path)).project("row_id, number, text").fetchall() == wanted


# ---- a schema that grows by nullable columns ---------------------------------------------------------------------


def old_table(disk: MemDisk) -> None:
    """A public file of two rows in the narrower schema, published by an older release."""
    with still(ParquetTable(BASE, SPEC, files=disk.files(), policy=BY_HAND)) as table:
        add(table, "a1", "a2")
        table.flush(publish=True)


def wider_row(name: str) -> bytes:
    row = {**batch(name).to_pylist()[0], "weight": 2.5, "tags": ["x"]}
    return ArrowCodec(WIDER).encode(pa.RecordBatch.from_pylist([row], schema=WIDER))


def test_an_older_public_file_is_read_with_nulls_and_the_next_publish_unifies() -> None:
    disk = MemDisk()
    old_table(disk)
    with still(ParquetTable(BASE, WIDER_SPEC, files=disk.files(), policy=BY_HAND)) as table:
        with table.snapshot() as snapshot:
            [read] = snapshot.base_batches()
            assert read.schema.equals(WIDER)
            assert read["row_id"].to_pylist() == ["a1", "a2"]
            assert read["weight"].to_pylist() == read["tags"].to_pylist() == [None, None]
            [narrow] = snapshot.base_batches(["weight"])
            assert narrow.to_pydict() == {"weight": [None, None]}
        table.append(wider_row("b1"))
        table.flush(publish=True)
        assert table.verify().ok
    data = dict(content(disk))[str(BASE)]
    public = pq.read_table(pa.BufferReader(data))
    assert public.schema.equals(WIDER)
    assert public["row_id"].to_pylist() == ["a1", "a2", "b1"]
    assert public["weight"].to_pylist() == [None, None, 2.5]
    assert public["tags"].to_pylist() == [None, None, ["x"]]


@pytest.mark.parametrize("sealed", [pytest.param(False, id="in a journal"), pytest.param(True, id="in a segment")])
def test_pending_rows_of_an_older_release_are_read_with_nulls_too(sealed: bool) -> None:
    disk = MemDisk()
    table = still(ParquetTable(BASE, SPEC, files=disk.files(), policy=BY_HAND))
    add(table, "a1", "a2")
    table.sync()
    if sealed:
        files, paths = disk.files(), StorePaths(BASE)
        snapshot = open_snapshot(files, paths, SPEC)
        assert snapshot.head is not None
        with snapshot.opened:
            seal(files, paths, SPEC, snapshot.head.store_id, snapshot.journals, {})
    disk.kill_processes()
    with still(ParquetTable(BASE, WIDER_SPEC, files=disk.files(), policy=BY_HAND)) as wider:
        with wider.snapshot() as snapshot:
            assert [row for found in snapshot.pending_batches() for row in found["tags"].to_pylist()] == [None, None]
        wider.flush(publish=True)
        with wider.snapshot() as snapshot:
            assert [row for found in snapshot.base_batches() for row in found["weight"].to_pylist()] == [None, None]


def test_a_public_file_with_columns_of_a_newer_release_is_not_cut_down() -> None:
    disk = MemDisk()
    with still(ParquetTable(BASE, WIDER_SPEC, files=disk.files(), policy=BY_HAND)) as table:
        table.append(wider_row("a1"))
        table.flush(publish=True)
    before = dict(content(disk))[str(BASE)]
    table = still(ParquetTable(BASE, SPEC, files=disk.files(), policy=BY_HAND))
    add(table, "b1")
    with pytest.raises(StoreMismatch, match=r"columns \['weight', 'tags'\] are not known here"):
        table.flush(publish=True)
    table.close()
    with still(ParquetTable(BASE, SPEC, repair=True, files=disk.files(), policy=BY_HAND)) as table:
        assert table.recovery_report.notes == []  # nor set aside
    assert dict(content(disk))[str(BASE)] == before


@pytest.mark.parametrize(
    ("given", "message"),
    [
        pytest.param({"n": [1], "other": [2]}, r"\['other'\] are not known", id="a column too many"),
        pytest.param({"n": [1.5]}, "column n: expected int64", id="a cast that would lose something"),
        pytest.param({"n": [[1]]}, "column n: expected int64", id="another kind of value"),
    ],
)
def test_what_cannot_be_unified_without_loss_is_refused(given: dict[str, list[object]], message: str) -> None:
    with pytest.raises(BadInput, match=message):
        unify(pa.table(given), pa.schema([("n", pa.int64())]))


def test_unifying_orders_casts_and_fills() -> None:
    schema = pa.schema([("a", pa.int64()), ("b", pa.string()), ("c", pa.float64())])
    found = unify(pa.table({"c": pa.array([1, 2], pa.int32()), "a": pa.array([3, 4], pa.int8())}), schema)
    assert found.schema.equals(schema)
    assert found.to_pydict() == {"a": [3, 4], "b": [None, None], "c": [1.0, 2.0]}
