"""TorusRegistry: what was recorded is there, in every way of reading it."""

from __future__ import annotations

import datetime as dt
import html
import json
import logging
import pickle
import re
import sys
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from tests.storage.rows import add, opened
from toriwork.errors import BadInput, Closed, NotFound, ReadOnly, StoreMismatch, ToriworkError
from toriwork.registry import TorusRegistry, get_torus_registry
from toriwork.registry.codec import SPEC
from toriwork.registry.rows import SCHEMA, V1_COLUMNS
from toriwork.storage.restore import rehearse_repair

RNG = np.random.default_rng(20261123)


def circle(n: int = 40) -> np.ndarray:
    angle = np.linspace(0, 2 * np.pi, n, endpoint=False)
    return np.column_stack([np.cos(angle), np.sin(angle)])


def test_an_empty_registry_is_a_readable_file_with_all_columns(registry: TorusRegistry) -> None:
    assert list(pd.read_parquet(registry.path).columns) == SCHEMA.names
    assert len(registry) == 0
    assert bool(registry)
    assert list(registry.df.columns) == list(V1_COLUMNS)
    assert registry.get_statistics()["total_shapes"] == 0
    assert registry.query_recent(5).empty


def test_a_recorded_shape_is_in_every_reader_before_and_after_publishing(registry: TorusRegistry) -> None:
    shape_id = registry.record_shape(circle(), [1, 1], "global", {"run": 3})
    assert shape_id.startswith("shape_")
    assert registry.get_statistics()["pending_writes"] == 1
    before = registry.df
    registry.flush(publish=True)
    assert registry.get_statistics()["pending_writes"] == 0
    pd.testing.assert_frame_equal(before, registry.df)
    row = before.iloc[0]
    assert (row.shape_id, row.betti0, row.betti1, row.coherence_band) == (shape_id, 1.0, 1.0, "global")
    assert row.vertices_hash == shape_id.removeprefix("shape_")
    assert json.loads(row.metadata) == {"run": 3}
    assert row._schema == registry.SCHEMA == "v1"
    assert str(before.timestamp.dtype) == "datetime64[us, UTC]"
    assert abs(row.timestamp - pd.Timestamp.now("UTC")) < pd.Timedelta(minutes=5)
    for public in (pd.read_parquet(registry.path), duckdb.read_parquet(str(registry.path)).df()):
        assert public.shape_id.tolist() == [shape_id]
    assert pl.read_parquet(registry.path)["shape_id"].to_list() == [shape_id]


def test_betti_numbers_that_were_not_given_are_in_the_row_after_flush(registry: TorusRegistry) -> None:
    registry.record_shape(circle())
    registry.flush(publish=True)
    row = pd.read_parquet(registry.path).iloc[0]
    assert (row.betti0, row.betti1) == (1.0, 1.0)
    assert pd.isna(row.betti2)
    assert row.betti_status == "computed"
    assert {"rule", "parameters", "evidence", "engine", "version"} <= set(json.loads(row.betti_rule))


def test_a_query_waits_for_betti_numbers_that_it_needs(registry: TorusRegistry) -> None:
    for k in range(30):
        registry.record_shape(circle() * (1 + k))
    assert registry.df.betti1.tolist() == [1.0] * 30


def test_vertices_come_back_as_they_were_given(registry: TorusRegistry) -> None:
    given = [circle(), circle().astype("f4"), np.arange(6).reshape(3, 2), RNG.normal(size=9) + 1j * RNG.normal(size=9)]
    ids = [registry.record_shape(cloud, [0]) for cloud in given]
    for published in (False, True):
        registry.flush(publish=published)
        for shape_id, cloud in zip(ids, given, strict=True):
            back = registry.vertices(shape_id)
            assert back.dtype == cloud.dtype
            assert back.shape == cloud.shape
            assert back.tobytes() == cloud.tobytes()


def test_the_same_cloud_twice_is_two_rows_and_the_newest_answers(registry: TorusRegistry) -> None:
    first = registry.record_shape(circle(), [1, 0])
    second = registry.record_shape(circle(), [5, 7])
    other = registry.record_shape(circle() * 2, [1, 1, 2])
    assert first == second
    assert len(registry.df) == 3
    assert registry.compute_betti_delta(other, first) == {
        "delta_b0": 4.0,
        "delta_b1": 6.0,
        "delta_b2": pytest.approx(float("nan"), nan_ok=True),
    }


def test_unknown_ids_are_key_errors_with_the_id(registry: TorusRegistry) -> None:
    with pytest.raises(KeyError, match="shape_nowhere") as caught:
        registry.vertices("shape_nowhere")
    assert isinstance(caught.value, ToriworkError)
    with pytest.raises(NotFound):
        registry.compute_betti_delta("shape_a", "shape_b")


def test_queries_by_band_and_by_age_keep_the_order_of_recording(registry: TorusRegistry) -> None:
    bands = ["local", "critical", "global", "critical", "local"]
    ids = [registry.record_shape(circle() + k, [1], band) for k, band in enumerate(bands)]
    registry.flush(publish=True)
    ids += [registry.record_shape(circle() - k, [1], "critical") for k in range(1, 3)]
    assert registry.query_by_coherence("critical").shape_id.tolist() == [ids[1], ids[3], ids[5], ids[6]]
    assert registry.query_recent(3).shape_id.tolist() == ids[-3:]
    assert registry.query_recent(100).shape_id.tolist() == ids
    assert registry.get_statistics()["coherence_distribution"] == {"critical": 4, "local": 2, "global": 1}
    with pytest.raises(BadInput, match="coherence band"):
        registry.query_by_coherence("everything")


def test_statistics_average_only_what_is_known(registry: TorusRegistry) -> None:
    registry.record_shape(circle(), [1, 3])
    registry.record_shape(circle(), [2])
    found = registry.get_statistics()
    assert found["avg_betti"]["b0"] == 1.5
    assert found["avg_betti"]["b1"] == 3.0
    assert np.isnan(found["avg_betti"]["b2"])
    assert found["schema_version"] == "v1"
    assert 0 <= found["pending_age_seconds"] < 300


def test_scan_selects_columns_rows_and_times(registry: TorusRegistry) -> None:
    registry.record_shapes([circle() + k for k in range(10)], [[1, k] for k in range(10)])
    registry.flush(publish=True)
    middle = dt.datetime.now(dt.UTC)
    registry.record_shapes([circle() - k for k in range(1, 6)], [[1, 100]] * 5)
    assert registry.scan(["betti1"], pc.field("betti1") >= 7).read_all()["betti1"].to_pylist() == [7, 8, 9, *[100] * 5]
    assert registry.scan(["shape_id"], since=middle).read_all().num_rows == 5
    assert registry.scan(["shape_id"], until=middle).read_all().num_rows == 10
    assert registry.scan(since=middle.isoformat(), until="2100-01-01").read_all().num_rows == 5
    assert registry.scan().schema.equals(SCHEMA)
    with pytest.raises(BadInput, match="nonsense"):
        registry.scan(["nonsense"])
    with pytest.raises(BadInput, match="since"):
        registry.scan(since="yesterday")


def test_a_scan_is_one_state_whatever_is_recorded_meanwhile(registry: TorusRegistry) -> None:
    registry.record_shapes([circle() + k for k in range(5)], [[1]] * 5)
    registry.flush(publish=True)
    reader = registry.scan(["row_id"])
    first = reader.read_next_batch().num_rows
    registry.record_shape(circle(), [1])
    registry.flush(publish=True)
    assert first + sum(batch.num_rows for batch in reader) == 5


def test_duckdb_and_polars_query_published_and_pending_rows_alike(registry: TorusRegistry) -> None:
    registry.record_shapes([circle() + k for k in range(4)], [[1, 1]] * 4, "global")
    registry.flush(publish=True)
    registry.record_shape(circle(), [1, 5], "critical")
    rows = registry.dataset()
    assert duckdb.sql("select coherence_band, count(*), max(betti1) from rows group by 1 order by 1").fetchall() == [
        ("critical", 1, 5.0),
        ("global", 4, 1.0),
    ]
    assert pl.scan_pyarrow_dataset(rows).select(pl.len()).collect().item() == 5


def test_a_batch_is_recorded_whole_or_not_at_all(registry: TorusRegistry) -> None:
    good = [circle() + k for k in range(3)]
    with pytest.raises(BadInput, match=r"cloud 2 of 3: .*row 0 is not finite"):
        registry.record_shapes([*good[:2], good[2] * np.nan])
    assert len(registry) == 0
    ids = registry.record_shapes(good, metadata=[{"k": 0}, None, {"k": 2}], coherence_band=["local", "global", "local"])
    assert ids == [registry.record_shape(cloud, [1]) for cloud in good]
    frame = registry.to_pandas(["row_id", "metadata", "betti1"])
    frame = frame.sort_values("row_id").iloc[:3]  # what was published meanwhile comes before what waits for numbers
    assert frame.metadata.tolist() == ['{"k":0}', "{}", '{"k":2}']
    assert frame.betti1.tolist() == [1.0] * 3
    assert registry.record_shapes([]) == []
    assert len(registry.record_shapes(np.zeros((2, 4, 3)), [[1], [1]])) == 2
    with pytest.raises(BadInput, match="one per cloud"):
        registry.record_shapes(good, coherence_band=["local"])


def test_nonfinite_clouds_are_stored_when_allowed_and_say_why_they_have_no_numbers(registry: TorusRegistry) -> None:
    cloud = np.array([[0.0, np.nan], [np.inf, 1.0]])
    shape_id = registry.record_shape(cloud, allow_nonfinite=True)
    registry.flush()
    row = registry.to_pandas(["betti0", "betti_status", "betti_rule"]).iloc[0]
    assert pd.isna(row.betti0)
    assert row.betti_status == "failed"
    assert "not finite" in row.betti_rule
    np.testing.assert_array_equal(registry.vertices(shape_id), cloud)


def test_a_closed_registry_says_so_and_closing_twice_is_fine(tmp_path: Path) -> None:
    registry = TorusRegistry(tmp_path / "r.parquet")
    registry.record_shape(circle())
    registry.close()
    registry.close()
    for use in (lambda: registry.record_shape(circle()), registry.flush, lambda: registry.df, lambda: len(registry)):
        with pytest.raises(Closed, match="closed"):
            use()
    assert "closed" in repr(registry)
    assert "closed" in registry._repr_html_()
    assert pd.read_parquet(tmp_path / "r.parquet").betti1.tolist() == [1.0]


def test_read_only_creates_nothing_and_records_nothing(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    with pytest.raises(NotFound):
        TorusRegistry(path, read_only=True)
    assert list(tmp_path.iterdir()) == []
    with TorusRegistry(path) as writer:
        writer.record_shape(circle(), [1, 1])
        with TorusRegistry(path, read_only=True) as reader:
            assert len(reader) == 1
            with pytest.raises(ReadOnly):
                reader.record_shape(circle())
            with pytest.raises(ReadOnly):
                reader.flush()


def test_a_legacy_file_opens_reads_and_takes_new_rows(tmp_path: Path) -> None:
    path = tmp_path / "torus_registry.parquet"
    legacy = pd.DataFrame(
        {
            "shape_id": ["shape_0123456789ab", "shape_ba9876543210"],
            "timestamp": ["2024-03-01T12:00:00.123456", "2024-03-01T14:00:01+02:00"],
            "betti0": [1.0, 2.0],
            "betti1": [0, 3],
            "betti2": [float("nan"), 1.0],
            "vertices_hash": ["0123456789ab", "ba9876543210"],
            "coherence_band": ["local", "critical"],
            "metadata": ["{}", '{"a": 1}'],
            "_schema": ["v1", "v1"],
        }
    )
    legacy.to_parquet(path)
    original = path.read_bytes()
    with TorusRegistry(path) as registry:
        assert path.read_bytes() == original
        assert registry.df.shape_id.tolist() == legacy.shape_id.tolist()
        times = registry.df.timestamp
        assert times[0] == pd.Timestamp("2024-03-01T12:00:00.123456Z")
        assert times[1] == pd.Timestamp("2024-03-01T12:00:01Z")
        new = registry.record_shape(circle(), [1, 1])
        assert registry.compute_betti_delta("shape_0123456789ab", new)["delta_b1"] == 1.0
        registry.flush(publish=True)
    public = pd.read_parquet(path)
    assert public.shape_id.tolist() == [*legacy.shape_id, new]
    assert public.betti2.isna().tolist() == [True, False, True]
    assert any(f.read_bytes() == original for f in path.with_suffix(".d").iterdir() if f.is_file())


def test_a_foreign_parquet_file_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "torus_registry.parquet"
    pq.write_table(pa.table({"x": [1, 2]}), path)
    before = path.read_bytes()
    for options in ({}, {"repair": True}, {"read_only": True}):
        with pytest.raises(BadInput, match=r"columns.*It was left as it is"):
            TorusRegistry(path, **options)
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("betti", [["one"], [[1.0]]])
def test_a_column_of_another_type_is_no_registry(tmp_path: Path, betti: list[Any]) -> None:
    path = tmp_path / "torus_registry.parquet"
    names = ("shape_id", "vertices_hash", "coherence_band", "metadata", "_schema", "timestamp")
    numbers = {f"betti{k}": betti for k in range(3)}
    pq.write_table(pa.table({**{name: ["2024-03-01T12:00:00"] for name in names}, **numbers}), path)
    with pytest.raises(BadInput, match="betti0"), TorusRegistry(path) as registry:
        _ = registry.df


def test_a_foreign_parquet_file_in_its_place_is_set_aside_by_repair(tmp_path: Path) -> None:
    """Neither a table of other columns nor one of this package; a registry that other software wrote is taken."""
    path = tmp_path / "torus_registry.parquet"
    with TorusRegistry(path) as registry:
        registry.record_shape(circle(), [1, 1])
        registry.flush(publish=True)
    with opened(tmp_path / "other.parquet") as other:
        add(other, "a1")
        other.flush(publish=True)
    pq.write_table(pa.table({"x": [1, 2]}), tmp_path / "any.parquet")
    for name in ("any", "other"):
        foreign = (tmp_path / f"{name}.parquet").read_bytes()
        path.write_bytes(foreign)
        with pytest.raises(StoreMismatch, match="did not write"):
            TorusRegistry(path)
        planned = rehearse_repair(path, SPEC).notes
        with TorusRegistry(path, repair=True) as registry:
            assert registry.recovery_report.notes == planned
            [aside] = registry.recovery_report.quarantined
            assert aside.read_bytes() == foreign
            registry.record_shape(circle(), [1, 1])
            registry.flush(publish=True)
            assert len(registry) == len(registry.df) == 1


def test_the_shared_registry_is_one_per_path_and_opens_again(state_root: Path) -> None:
    registry = get_torus_registry()
    assert registry is get_torus_registry()
    assert registry.path == state_root.resolve() / "torus_registry.parquet"
    registry.close()
    again = get_torus_registry()
    assert again is not registry
    again.close()


def test_a_registry_pickles_as_its_path_and_options(registry: TorusRegistry) -> None:
    registry.record_shape(circle(), [1])
    copy = pickle.loads(pickle.dumps(registry))
    assert copy.path == registry.path
    copy.record_shape(circle() * 2, [1])
    assert len(registry) == 2
    copy.close()


def test_the_log_line_that_users_grep_for(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.INFO, "toriwork"), TorusRegistry(tmp_path / "r.parquet") as registry:
        pass
    assert f"TorusRegistry loaded 0 rows (schema v1) from {registry.path}" in caplog.messages


def test_both_forms_of_the_summary_state_the_same_facts(registry: TorusRegistry) -> None:
    registry.record_shapes([circle() + k for k in range(7)], [[1, k % 2] for k in range(7)], "global")
    registry.flush(publish=True)
    registry.record_shape(circle() * 3, [4, 1], "critical", {"html": "<b>"})
    facts = registry.facts()
    text, page = repr(registry), registry._repr_html_()
    for name, value in facts.lines():
        assert f"{name:<26}  {value}\n" in text
        assert html.escape(value) in page
    for counts in facts.betti.values():
        for value, n in counts.items():
            assert f"{n:,}" in text
            assert f"<th scope='row'>{value}</th>" in page
    assert facts.n_rows == 8
    assert facts.n_pending == 1
    assert facts.last[-1][0] in text
    assert facts.last[-1][0] in page


def test_two_registries_of_the_same_clouds_look_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when, how long ago nor into which state root they were recorded is shown."""
    looks = set()
    for name in ("one", "other"):
        monkeypatch.setenv("TORI_STATE_ROOT", str(tmp_path / name))
        with TorusRegistry(tmp_path / name / "torus_registry.parquet") as registry:
            registry.record_shape(circle())
            pending = repr(registry), registry._repr_html_()
            registry.flush(publish=True)
            looks.add((*pending, repr(registry), registry._repr_html_()))
        looks.add((repr(registry), registry._repr_html_()))
    assert len(looks) == 2
    for look in looks:
        assert "<state root>/torus_registry.parquet" in look[0]
        assert not re.search(r"\d{4}-\d\d-\d\d|\d s\b|\d:\d\d", " ".join(look))


def test_rows_without_vertices_are_small_and_say_so(tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "r.parquet", keep_vertices=False) as registry:
        shape_id = registry.record_shape(circle())
        registry.flush(publish=True)
        assert registry.df.betti1.tolist() == [1.0]
        with pytest.raises(NotFound, match="not kept"):
            registry.vertices(shape_id)


def test_what_is_not_to_be_computed_is_null_and_says_so(tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "r.parquet", compute_betti=False) as registry:
        registry.record_shape(circle())
        row: Any = registry.to_pandas(["betti0", "betti_status"]).iloc[0]
        assert pd.isna(row.betti0)
        assert row.betti_status == "not_computed"


def test_a_frame_imports_nothing_while_it_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An interrupt in the middle of pyarrow's own import would come out as ArrowInvalid."""
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        registry.record_shape(np.zeros((3, 2)), [1, 0])
        expected = registry.scan().read_all().to_pandas()["timestamp"]
        for module in ("zoneinfo", "pytz"):  # pyarrow takes either; pandas 2 brings pytz
            monkeypatch.setitem(sys.modules, module, None)
        with pytest.raises(pa.ArrowInvalid, match="zoneinfo"):
            registry.scan(["timestamp"]).read_all().to_pandas()
        for frame in (registry.df, registry.query_recent(1), registry.to_pandas(["timestamp"])):
            pd.testing.assert_series_equal(frame["timestamp"], expected)
        assert registry.to_pandas(["row_id"]).columns.tolist() == ["row_id"]


@pytest.mark.parametrize("progress", [True, False])
def test_a_flush_that_takes_long_shows_bars_to_a_terminal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], progress: bool
) -> None:
    monkeypatch.delenv("TQDM_DISABLE", raising=False)
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    monkeypatch.setattr("toriwork.progress.DELAY", -1.0)
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        for n in range(40):
            registry.record_shape(np.random.default_rng(n).normal(size=(30, 2)))
        registry.flush(publish=True, progress=progress)
        shown = capsys.readouterr().err
    assert ("publish" in shown, "Betti numbers" in shown) == (progress, progress)
