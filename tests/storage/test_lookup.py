"""Look-ups and newest rows: the same as a look at every row, at the cost of what comes back."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.test_growing import CODEC, NEVER, SPEC, Grown
from toriwork import ObserverSynthesis, TorusRegistry
from toriwork.errors import BadInput, NotFound
from toriwork.storage import ParquetTable, columns, lookup, publish
from toriwork.storage import journal as journals

steps = st.lists(st.sampled_from(["append", "append", "batch", "publish", "seal", "reopen", "other"]), max_size=14)


@settings(max_examples=40, deadline=None)
@given(steps, st.integers(0, 10))
def test_every_look_up_is_that_of_a_slow_twin(history: list[str], n_newest: int) -> None:
    """Rows in the public file, in segments, in journals of living and dead handles, in any mixture."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(publish, "_SMALL_BYTES", 0)
        patch.setattr(journals, "ROLL_BYTES", 2000)
        patch.setattr("toriwork.storage.maintenance._SEAL_BYTES", 0)
        grown = Grown()
        handles = [grown.table]
        for step in history:
            if step in ("append", "batch"):
                grown.append(1 if step == "append" else 17)
            elif step == "publish":
                grown.table.flush(publish=True)
            elif step == "seal":
                grown.table._maintenance._seal_closed(grown.table._writer)  # type: ignore[arg-type]
            else:
                grown.table = ParquetTable(grown.path, SPEC, policy=NEVER, files=grown.files)
                handles.append(grown.table)
        compare(grown, n_newest)


def compare(grown: Grown, n_newest: int) -> None:
    """Both ways of looking with the rows as they were recorded."""
    wanted = ["row_id", "values"]
    with grown.table.snapshot() as snapshot:
        found = lookup.newest(snapshot, n_newest, wanted).to_pylist()
        last = grown.rows[len(grown.rows) - min(n_newest, len(grown.rows)) :]
        assert found == [{name: row[name] for name in wanted} for row in last]
        for name in ("name 0", "name 7", "name 31", "nowhere", ""):
            every = [row for row in grown.rows if row["name"] == name]
            one = lookup.newest_match(snapshot, name, wanted)
            told = None if one is None else {column: value.as_py() for column, value in one.items()}
            assert told == ({column: every[-1][column] for column in wanted} if every else None)
            rows = [row for batch in lookup.matches(snapshot, name, wanted) for row in batch.to_pylist()]
            assert sorted(row["row_id"] for row in rows) == [row["row_id"] for row in every]


def test_a_look_up_decodes_one_row_group_of_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "_SMALL_BYTES", 0)
    grown = Grown()
    grown.append(2000, 40)
    grown.table.flush(publish=True)
    read: list[tuple[int, Any]] = []
    whole = columns.ParquetSource._read

    def counted(source: Any, reader: Any, number: int, names: Any) -> Any:
        read.append((number, names))
        return whole(source, reader, number, names)

    monkeypatch.setattr(columns.ParquetSource, "_read", counted)
    name = grown.rows[3]["name"]
    with grown.table.snapshot() as snapshot:
        assert snapshot.base is not None
        assert snapshot.base.footer.metadata.num_row_groups > 20
        newest = lookup.newest_match(snapshot, name, ["values"])
        assert newest is not None
        assert [names for _, names in read] == [["name", "row_id"], ["values"]]
        read.clear()
        assert lookup.newest(snapshot, 5, ["name"]).num_rows == 5
        assert len(read) <= 2  # the last group may be short


@pytest.mark.parametrize("n", [-1, -100])
def test_a_negative_number_of_rows_is_refused(n: int, tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "x.parquet", compute_betti=False) as registry:
        registry.record_shape(np.ones((3, 2)))
        with pytest.raises(BadInput, match=f"n: expected an integer >= 0, got {n}"):
            registry.query_recent(n)
        assert len(registry.query_recent(0)) == 0


def test_clouds_of_a_registry_are_found_wherever_they_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publish, "_SMALL_BYTES", 0)
    rng = np.random.default_rng(5)
    clouds = [rng.normal(size=(30, 3)).astype(rng.choice(["f8", "f4"])) for _ in range(60)]
    path = tmp_path / "x.parquet"
    ids = []
    for start in range(0, 60, 12):
        with TorusRegistry(path, compute_betti=False) as registry:
            ids += [registry.record_shape(cloud, (start, 0)) for cloud in clouds[start : start + 12]]
            registry.flush(publish=start != 48)
            for shape, cloud in zip(ids, clouds, strict=False):
                assert registry.vertices(shape).tobytes() == cloud.tobytes()
    with TorusRegistry(path, compute_betti=False) as registry:
        registry.record_shape(clouds[0], (99, 0))  # again: the newest counts, published or not
        assert registry.compute_betti_delta(ids[1], ids[0])["delta_b0"] == 99
        for nothing in ("shape_" + "0" * 32, "", "shape_", "zz", "é"):
            with pytest.raises(NotFound, match="no such shape"):
                registry.vertices(nothing)


def test_a_token_is_found_in_the_log_when_memory_has_forgotten_it(tmp_path: Path) -> None:
    synthesis = ObserverSynthesis(max_tokens=2, path=tmp_path / "t.parquet")
    tokens = [synthesis.emit_token({"n": number % 40}) for number in range(100)]
    assert synthesis.log is not None
    synthesis.log.flush(publish=True)
    tokens += [synthesis.emit_token({"m": number}) for number in range(20)]
    for token in random.Random(1).sample(tokens, 30):
        assert synthesis.verify(token)
    with pytest.raises(NotFound):
        synthesis.verify("t1:" + "0" * 40)
    synthesis.close()


def test_codecs_know_what_a_value_looks_like_in_a_payload() -> None:
    from toriwork.registry.codec import ShapeCodec
    from toriwork.synthesis.log import TokenCodec

    assert CODEC.needle("é") == "é".encode()
    assert ShapeCodec().needle("shape_" + "ab" * 16) == b"\xab" * 16
    assert TokenCodec().needle("t1:" + "cd" * 20) == b"\xcd" * 20
    for other in ("", "shape_", "shape_abc", "shape_" + "zz" * 16):
        assert ShapeCodec().needle(other) is None
    assert TokenCodec().needle("t1:") is None
