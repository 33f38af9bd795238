"""Typed columns: a value that other readers filter by, cut from the metadata key of its name."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
import os
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.storage.memdisk import MemDisk, PowerCut
from tests.storage.rows import BASE, BY_HAND, still
from toriwork.errors import BadInput, ReadOnly, StoreMismatch
from toriwork.registry import TorusRegistry, columns
from toriwork.registry.codec import SPEC
from toriwork.registry.rows import pack_shape
from toriwork.storage import ParquetTable, find_backup, restore
from toriwork.storage.spec import Column

FIVE = np.arange(10.0).reshape(5, 2)
TYPED = {"temperature": "float64", "sample": "string"}
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "root" / "torus_registry.parquet"


@pytest.fixture
def registry(path: Path) -> Iterator[TorusRegistry]:
    """Three rows of before: published, pending, and without the keys."""
    with TorusRegistry(path, compute_betti=False) as registry:
        registry.record_shape(FIVE, (1, 0), metadata={"temperature": 20, "sample": "a", "run": 1})
        registry.flush(publish=True)
        registry.record_shape(FIVE + 1, (1, 0), metadata={"temperature": 30.5, "sample": "b"})
        registry.record_shape(FIVE + 2, (1, 0))
        yield registry


def values(registry: TorusRegistry, name: str = "temperature", **options: Any) -> list[Any]:
    return registry.scan([name, "row_id"], **options).read_all().sort_by("row_id")[name].to_pylist()


# ---- declaring ------------------------------------------------------------------------------------------------------


def test_rows_that_have_the_key_already_have_the_value(registry: TorusRegistry) -> None:
    generation = registry.scan(["generation"]).read_all()["generation"].to_pylist()[0]
    assert registry.add_columns(TYPED) == registry.columns == TYPED
    assert values(registry) == [20.0, 30.5, None]
    assert values(registry, "sample") == ["a", "b", None]
    assert values(registry, where=[("temperature", ">", 25)]) == [30.5]
    assert values(registry, "sample", where=[("sample", "in", ["a", "c"])]) == ["a"]
    assert registry.scan(["generation"]).read_all()["generation"].to_pylist()[0] == generation
    assert registry.verify().ok


def test_more_are_declared_when_the_registry_is_opened_again(registry: TorusRegistry, path: Path) -> None:
    registry.close()
    with TorusRegistry(path, columns={"temperature": "float64"}) as again:
        assert again.columns == {"temperature": "float64"}
    before = path.read_bytes()
    with TorusRegistry(path, columns={"temperature": "float64"}) as again:
        assert path.read_bytes() == before  # nothing new, nothing written
        assert again.add_columns({"run": "int64"}) == {"temperature": "float64", "run": "int64"}
        assert values(again, "run") == [1, None, None]
    with TorusRegistry(path, read_only=True) as again:
        assert again.columns == {"temperature": "float64", "run": "int64"}


def test_a_new_registry_has_its_columns_from_the_first_row_on(path: Path) -> None:
    with TorusRegistry(path, columns=TYPED, compute_betti=False) as registry:
        registry.record_shape(FIVE, (1, 0), metadata={"sample": "a"})
        assert values(registry, "sample") == ["a"]
    assert pd.read_parquet(path)["sample"].tolist() == ["a"]


def test_a_column_keeps_its_type_and_says_who_gave_it(registry: TorusRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columns, "_user", lambda: "anna")
    registry.add_columns(TYPED)
    with pytest.raises(BadInput, match=r"column temperature: expected float64, as anna declared it at 20.*got string"):
        registry.add_columns({"temperature": "string", "run": "int64"})
    with pytest.raises(BadInput, match="declared it at"):
        TorusRegistry(registry.path, columns={"sample": "int64"})
    assert registry.columns == TYPED


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"temperature": "float"}, "expected one of float64, int64, bool, string, timestamp, got 'float'"),
        ({"temperature": pa.float64()}, "expected one of"),
        ({"Temperature (K)": "float64"}, "letters, digits and _"),
        ({"_x": "float64"}, "letters, digits and _"),
        ({"": "float64"}, "letters, digits and _"),
        ({"Betti0": "float64"}, "no column of every registry"),
        ({"retraction": "string"}, "no column of every registry"),
        ({"a": "string", "A": "string"}, "column A: expected a name that is free"),
        (["temperature"], "expected names with a type each"),
    ],
)
def test_what_is_no_column_is_refused(registry: TorusRegistry, given: Any, said: str) -> None:
    with pytest.raises(BadInput, match=said.replace("(", r"\(")):
        registry.add_columns(given)
    assert registry.columns == {}


def test_a_value_of_before_that_does_not_fit_is_named_and_can_be_retracted(registry: TorusRegistry) -> None:
    registry.record_shape(FIVE + 3, (1, 0), metadata={"temperature": "warm"})
    row_id = registry.scan(["row_id"]).read_all()["row_id"].to_pylist()[-1]
    with pytest.raises(BadInput, match=rf"column temperature: expected float64, got 'warm' \(row {row_id}\); 1 rows"):
        registry.add_columns(TYPED)
    assert registry.columns == {}
    registry.retract(row_id, "typed by hand")
    registry.add_columns(TYPED)
    assert values(registry) == [20.0, 30.5, None]


def test_a_reader_declares_nothing(registry: TorusRegistry, path: Path) -> None:
    registry.close()
    with TorusRegistry(path, read_only=True) as reader, pytest.raises(ReadOnly):
        reader.add_columns(TYPED)
    with TorusRegistry(path, columns=TYPED):
        pass
    with TorusRegistry(path, read_only=True, columns=TYPED) as reader:
        assert values(reader) == [20.0, 30.5, None]


# ---- recording ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "fits", "misfits"),
    [
        ("float64", [1, 1.5, -0.0, 2**53, np.float32(0.5), np.int8(3), None], ["1.5", True, 2**53 + 1, [1.0], {}]),
        ("int64", [0, -(2**63), 2**63 - 1, np.uint8(3), None], [1.0, 2**63, "1", False]),
        ("bool", [True, False, np.bool_(1), None], [0, 1, "true"]),
        ("string", ["", "a\n\u20ac", Path("x"), None], [1, True, ["a"]]),
        (
            "timestamp",
            [NOON, NOON.isoformat(), "2026-01-01T13:00+01:00", np.datetime64("2026-01-01T12:00"), None],
            ["noon", 1.5, True],
        ),
    ],
)
def test_a_value_that_fits_is_kept_and_any_other_refused(
    path: Path, kind: str, fits: list[Any], misfits: list[Any]
) -> None:
    with TorusRegistry(path, columns={"x": kind}, compute_betti=False) as registry:
        for value in misfits:
            with pytest.raises(BadInput, match=f"column x: expected {kind}, got "):
                registry.record_shape(FIVE, (1, 0), metadata={"x": value})
        assert len(registry) == 0
        for value in fits:
            registry.record_shape(FIVE, (1, 0), metadata={"x": value})
        expected = {
            "timestamp": [NOON] * 4 + [None],
            "string": ["", "a\n\u20ac", "x", None],
        }.get(kind, fits)
        assert values(registry, "x") == expected
        registry.flush(publish=True)
        assert values(registry, "x") == expected


def test_a_batch_with_a_value_that_does_not_fit_is_refused_whole(registry: TorusRegistry) -> None:
    registry.add_columns(TYPED)
    notes = [{"temperature": 1.0}, {"temperature": "warm"}]
    with pytest.raises(BadInput, match="cloud 1 of 2: column temperature: expected float64, got 'warm'; nothing was"):
        registry.record_shapes([FIVE, FIVE], [(1, 0)] * 2, metadata=notes)
    assert len(registry) == 3


def test_values_are_given_by_name(registry: TorusRegistry) -> None:
    registry.add_columns(TYPED)
    registry.record_shape(FIVE, (1, 0), temperature=5, metadata={"run": 2})
    registry.record_shapes([FIVE, FIVE], [(1, 0)] * 2, temperature=np.array([6.5, 7]), sample="c")
    assert values(registry)[-3:] == [5.0, 6.5, 7.0]
    assert registry.df["metadata"].tolist()[-3:-1] == ['{"run":2,"temperature":5}', '{"sample":"c","temperature":6.5}']
    with pytest.raises(
        BadInput, match="temprature: expected a parameter or a typed column, which are temperature, sam"
    ):
        registry.record_shape(FIVE, (1, 0), temprature=5)
    with pytest.raises(BadInput, match="temperature: expected in the metadata or by name, got both"):
        registry.record_shape(FIVE, (1, 0), temperature=5, metadata={"temperature": 5})
    with pytest.raises(BadInput, match="temperature: expected one per cloud"):
        registry.record_shapes([FIVE, FIVE], [(1, 0)] * 2, temperature=[1])
    assert len(registry) == 6


# ---- reading --------------------------------------------------------------------------------------------------------


def test_other_readers_filter_by_plain_types(registry: TorusRegistry, path: Path) -> None:
    registry.add_columns({**TYPED, "run": "int64", "good": "bool", "when": "timestamp"})
    registry.record_shape(FIVE, (1, 0), metadata={"good": True, "when": NOON, "temperature": 99.5})
    registry.flush(publish=True)
    schema = pq.read_schema(path)
    assert [str(schema.field(name).type) for name in registry.columns] == [
        "double", "string", "int64", "bool", "timestamp[us, tz=UTC]",
    ]  # fmt: skip
    with path.open("rb") as file:
        frame = pd.read_parquet(file, filters=[("temperature", ">", 25)])
    assert frame["temperature"].tolist() == [30.5, 99.5]
    assert duckdb.sql(f"SELECT count(*) FROM '{path}' WHERE good AND \"when\" < '2027-01-01'").fetchall() == [(1,)]
    assert duckdb.sql(f"SELECT sample FROM '{path}' WHERE temperature < 25").fetchall() == [("a",)]
    assert pl.scan_parquet(path).filter(pl.col("temperature") > 25).collect().height == 2


def test_every_way_of_reading_shows_them(registry: TorusRegistry, path: Path) -> None:
    then = registry.at(2)
    registry.add_columns(TYPED)
    assert registry.df.columns.tolist()[-3:] == ["_schema", "temperature", "sample"]
    assert registry.query_recent(2)["temperature"].fillna(-1).tolist() == [30.5, -1]
    assert registry.query_by_coherence("local")["sample"].tolist()[:2] == ["a", "b"]
    assert registry.to_pandas(["sample"])["sample"].tolist()[:2] == ["a", "b"]
    assert registry.dataset().to_table(columns=["sample"]).num_rows == 3
    assert registry.scan().schema.names[-2:] == ["temperature", "sample"]
    assert then.query_recent(5)["temperature"].tolist() == values(then) == [20.0]  # what the rows of then say
    assert "columns                     temperature float64, sample string" in repr(registry)
    assert "30.5  b" in repr(registry)
    assert "<th scope='col'>temperature</th>" in registry._repr_html_()
    reader = registry.scan(["temperature"], after="", where=[("temperature", "<", 25)])
    assert reader.read_all()["temperature"].to_pylist() == [20.0]
    with pytest.raises(BadInput, match="are not in the registry"):
        registry.scan(["temprature"])
    with pytest.raises(BadInput, match="are not in the registry"):
        registry.scan(where=[("temprature", ">", 1)])


def bytes_read() -> int:
    """Bytes that this process has read from files so far."""
    return int(Path("/proc/self/io").read_text().split()[1])


@pytest.mark.skipif(sys.platform != "linux", reason="counts what the process reads")
def test_a_condition_reads_the_row_groups_that_may_hold_it(path: Path) -> None:
    n_rows, step, wanted = 20_000, 5_000, ("temperature", "vertices")
    with TorusRegistry(path, columns={**TYPED, "noise": "float64"}, compute_betti=False) as registry:
        for first in range(0, n_rows, step):
            clouds = np.random.default_rng(first).normal(size=(step, 50, 2))
            times = range(first, first + step)  # the noise has each value once, anywhere
            noise = [n * 7919 % n_rows for n in times]
            registry.record_shapes(clouds, [(1, 0)] * step, temperature=times, noise=noise)
        registry.flush(publish=True)
    footer = pq.read_metadata(path)
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    chunks = [{(c := g.column(k)).path_in_schema.split(".")[0]: c for k in range(g.num_columns)} for g in groups]
    assert len(chunks) > 4
    with TorusRegistry(path, read_only=True) as registry:
        for low, high in ((100, 102), (n_rows - 5, n_rows), (n_rows, n_rows + 1), (0, n_rows)):
            before = bytes_read()
            rows = registry.scan(wanted, where=[("temperature", ">=", low), ("temperature", "<", high)]).read_all()
            n_read = bytes_read() - before
            assert sorted(rows["temperature"].to_pylist()) == list(range(low, min(high, n_rows)))
            found = [c["temperature"].statistics for c in chunks]
            hits = [c for c, of in zip(chunks, found, strict=True) if of.max >= low and of.min < high]
            assert len(hits) <= 2 or low == 0
            needed = sum(c[name].total_compressed_size for c in hits for name in wanted)
            assert needed <= n_read <= needed + 2**19  # footers
        before = bytes_read()
        (row,) = registry.scan(wanted, where=[("noise", "==", 777.0)]).read_all().to_pylist()
        assert row["temperature"] * 7919 % n_rows == 777
        assert bytes_read() - before < max(c["vertices"].total_compressed_size for c in chunks) + 2**20


# ---- several processes, and what may go wrong -----------------------------------------------------------------------


def test_a_handle_that_was_open_before_goes_on_and_keeps_the_columns(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with TorusRegistry(path, compute_betti=False) as early, TorusRegistry(path, compute_betti=False) as late:
        early.record_shape(FIVE, (1, 0), metadata={"temperature": 1})
        late.add_columns(TYPED)
        early.record_shape(FIVE, (1, 0), metadata={"temperature": 2})
        early.record_shape(FIVE, (1, 0), metadata={"temperature": "warm"})  # it knows of no column yet
        with caplog.at_level(logging.WARNING):
            early.flush(publish=True)
        (said,) = [text for text in caplog.messages if "warm" in text]
        assert "column temperature: expected float64, got 'warm'; it is null there, the metadata keeps it" in said
        assert values(late) == values(early) == [1.0, 2.0, None]
        assert late.df["metadata"].tolist()[2] == '{"temperature":"warm"}'
        with pytest.raises(BadInput, match="column temperature"):  # now it knows
            early.record_shape(FIVE, (1, 0), metadata={"temperature": "warm"})
        early.record_shape(FIVE, (1, 0), sample="b")
        assert early.columns == TYPED
    assert pq.read_table(path)["sample"].to_pylist() == [None, None, None, "b"]


def test_a_segment_has_no_typed_columns_and_its_rows_have(path: Path) -> None:
    with TorusRegistry(path, compute_betti=False) as registry:
        registry.add_columns({"n": "int64"})
        notes = [{"n": n} for n in range(600)]
        registry.record_shapes([np.full((1000, 2), float(n)) for n in range(600)], [(1, 0)] * 600, metadata=notes)
        registry.record_shape(FIVE, (1, 0))  # the next journal
        table = registry._table
        table.sync()
        with table._maintenance._sealing.alone():
            for journal in list(table._writer.closed):  # type: ignore[union-attr]
                assert table._maintenance._seal_one(journal.path, table._writer.store_id)  # type: ignore[union-attr]
        with table.snapshot() as snapshot:
            assert [s.source.footer.metadata.schema.to_arrow_schema().names[-4] for s in snapshot.segments] == [
                "retracts"
            ]
        assert values(registry, "n") == [*range(600), None]
        assert values(registry, "n", where=[("n", ">", 597)]) == [598, 599]
        assert registry.query_recent(2)["n"].tolist()[0] == 599
        registry.flush(publish=True)
        assert values(registry, "n") == [*range(600), None]


def test_a_backup_has_them_and_a_restore_brings_them_back(registry: TorusRegistry, path: Path, tmp_path: Path) -> None:
    registry.backup(tmp_path / "kept")
    registry.add_columns(TYPED)
    registry.record_shape(FIVE, (1, 0), sample="c")
    made = registry.backup(tmp_path / "kept")  # the rows are those of before but one; the columns are not
    expected = registry.scan(lambda schema: schema.names, retracted=True).read_all().sort_by("row_id")
    assert pq.read_table(made.path)["sample"].to_pylist() == ["a", "b", None, "c"]
    registry.close()
    done = restore(made, tmp_path / "other" / path.name)
    restore(find_backup(tmp_path / "kept", path.stem), path, replace=True)
    for place in (done.path, path):
        with TorusRegistry(place, compute_betti=False) as restored:
            assert restored.columns == TYPED
            assert restored.scan(["sample", "temperature", "row_id"]).read_all().sort_by("row_id") == expected.select(
                ["sample", "temperature", "row_id"]
            )
            with pytest.raises(BadInput, match="column sample"):
                restored.record_shape(FIVE, (1, 0), metadata={"sample": 1})


def test_a_repair_keeps_them_whatever_became_of_the_public_file(registry: TorusRegistry, path: Path) -> None:
    old = path.read_bytes()
    registry.add_columns(TYPED)
    frame = registry.df
    registry.close()
    for replaced in ("older", "foreign", "missing"):
        if replaced == "older":
            path.write_bytes(old)
        elif replaced == "foreign":
            frame.to_parquet(path)
        else:
            path.unlink()
        with pytest.raises(StoreMismatch):
            TorusRegistry(path)
        with TorusRegistry(path, repair=True, compute_betti=False) as mended:
            assert mended.columns == TYPED
            assert (
                values(mended)
                == {"older": [20.0], "foreign": [20.0, 30.5, None], "missing": []}[replaced][: len(mended)]
            )
            mended.record_shape(FIVE, (1, 0), sample="z")
            mended.flush(publish=True)
            assert values(mended, "sample")[-1] == "z"
        assert pq.read_schema(path).names[-2:] == ["temperature", "sample"]


def test_a_power_cut_while_columns_are_declared_leaves_every_row_once() -> None:
    known = set()
    for step in range(1, 200, 3):
        disk = MemDisk(step)
        with contextlib.suppress(PowerCut):
            table = still(ParquetTable(BASE, SPEC, files=disk.files(), policy=BY_HAND))
            table.append(pack_shape(FIVE, (1, 0), "local", {"n": 1}).row)
            table.flush(publish=True)
            table.append(pack_shape(FIVE, (1, 0), "local", {"n": 2}).row)
            table.sync()
            table.files.cut_at = table.files.steps + step
            table.declare([Column("n", "int64", "me", "now")])
        finished = not disk.boots
        again = still(ParquetTable(BASE, SPEC, files=disk.files(), policy=BY_HAND))
        with again.snapshot() as snapshot:
            names = [column.name for column in snapshot.spec.columns]
            known.add((tuple(names), finished))
            batches = [*snapshot.base_batches(), *snapshot.pending_batches()]
        assert sorted(text for batch in batches for text in batch["metadata"].to_pylist()) == ['{"n":1}', '{"n":2}']
        assert sorted(n for b in batches for name in names for n in b[name].to_pylist()) == [1, 2][: 2 * len(names)]
        if finished:
            break
    assert known == {((), False), (("n",), False), (("n",), True)}


def test_files_of_the_last_release_take_columns(tmp_path: Path) -> None:
    with tarfile.open(Path(__file__).parents[1] / "storage" / "release_0_1" / "state.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    with TorusRegistry(tmp_path / "state" / "torus_registry.parquet", compute_betti=False) as registry:
        n_rows = len(registry)
        texts = registry.df["metadata"].map(lambda text: pd.io.json.ujson_loads(text).get("elsewhere"))
        registry.add_columns({"elsewhere": "int64"})
        assert len(registry) == n_rows
        assert sorted(v for v in values(registry, "elsewhere") if v is not None) == sorted(texts.dropna())
        assert registry.verify().ok


def test_a_file_of_the_legacy_code_takes_columns(path: Path) -> None:
    path.parent.mkdir()
    legacy = {"shape_id": "shape_0123456789ab", "timestamp": "2024-01-01T00:00:00", "betti0": 1.0, "betti1": 0.0}
    rest = {"betti2": 0.0, "vertices_hash": "ab", "coherence_band": "local", "_schema": "v1"}
    notes = ['{"n": 3, "t": "\\ud800"}', "no JSON", None, '{"n": NaN}']
    pd.DataFrame([{**legacy, **rest, "metadata": text} for text in notes]).to_parquet(path)
    with TorusRegistry(path, columns={"t": "string"}) as registry:
        assert values(registry, "t") == ["\\ud800", None, None, None]
        with pytest.raises(BadInput, match="column n: expected int64, got nan"):
            registry.add_columns({"n": "int64"})
        registry.add_columns({"N2": "float64"})


RECORDS = """
import sys
import numpy as np
from toriwork.registry import TorusRegistry
with TorusRegistry(sys.argv[1], columns={"t": "float64", "s": "string", "b": "bool"}, compute_betti=False) as registry:
    registry.record_shape(np.ones((3, 2)), (1, 0), metadata={"t": 1, "s": "x"})
    registry.flush(publish=True)
    assert registry.add_columns({"when": "timestamp"})["when"] == "timestamp"
assert "pandas" not in sys.modules
"""


def test_declaring_and_publishing_load_no_pandas(path: Path) -> None:
    """What loads it while it holds a lock has hung signal handlers."""
    subprocess.run([sys.executable, "-c", RECORDS, str(path)], check=True, env=os.environ)
