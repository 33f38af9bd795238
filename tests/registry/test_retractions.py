"""A retracted row is marked, not removed: our readers leave it out, unless asked; other readers can."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd
import pytest

from toriwork.cli import main
from toriwork.errors import BadInput, NotFound
from toriwork.registry import TorusRegistry

FIVE = np.arange(10.0).reshape(5, 2)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[TorusRegistry]:
    """Four rows, of which two have one id."""
    with TorusRegistry(tmp_path / "torus_registry.parquet") as registry:
        for k in (0, 1, 0, 2):
            registry.record_shape(FIVE + k, (k, 0))
        yield registry


@pytest.mark.parametrize("published", ["before", "between", "after", "never", "both"])
def test_every_reader_leaves_a_retracted_row_out(registry: TorusRegistry, published: str) -> None:
    twice, other, _, last = registry.df.shape_id
    if published in ("before", "both"):
        registry.flush(publish=True)
    assert registry.retract(twice, "wrong sensor") == 2
    if published in ("between", "both"):
        registry.flush(publish=True)
    [row_id] = registry.to_pandas(["row_id"], filter=None).row_id[-1:]
    assert registry.retract(row_id, "moved") == 1
    if published == "after":
        registry.flush(publish=True)
    assert list(registry.df.shape_id) == [other]
    assert list(registry.query_recent(1).shape_id) == list(registry.query_recent(9).shape_id) == [other]
    assert list(registry.query_by_coherence("local").shape_id) == [other]
    assert len(registry) == registry.get_statistics()["total_shapes"] == registry.dataset().to_table().num_rows == 1
    assert np.array_equal(registry.vertices(other), FIVE + 1)
    for gone in (twice, last):
        with pytest.raises(NotFound):
            registry.vertices(gone)
        with pytest.raises(NotFound):
            registry.retract(gone, "again")
    everything = registry.scan(["row_id", "retracts", "metadata"], retracted=True).read_all().to_pylist()
    assert len(everything) == 4 + 3
    reasons = [json.loads(row["metadata"])["retraction"]["reason"] for row in everything if row["retracts"]]
    assert sorted(reasons) == ["moved", "wrong sensor", "wrong sensor"]
    registry.record_shape(FIVE, (0, 0))
    assert len(registry) == 2, "recorded anew it counts again"
    assert np.array_equal(registry.vertices(twice), FIVE)
    assert registry.verify().ok


def test_other_readers_see_both_rows_and_can_tell_them(registry: TorusRegistry) -> None:
    registry.retract(registry.df.shape_id[0], "wrong")
    registry.flush(publish=True)
    assert len(pd.read_parquet(registry.path)) == 6
    sql = f"""WITH t AS (FROM '{registry.path}') SELECT count(*) FROM t WHERE retracts IS NULL
              AND row_id NOT IN (SELECT retracts FROM t WHERE retracts IS NOT NULL)"""
    assert duckdb.sql(sql).fetchall() == [(2,)]


def test_what_was_there_before_a_retraction_is_there_as_of_then(registry: TorusRegistry) -> None:
    registry.flush(publish=True)
    first = registry.scan(["generation"], retracted=True).read_all()["generation"][0].as_py()
    registry.retract(registry.df.shape_id[0], "wrong")
    registry.flush(publish=True)
    assert [len(registry.at(first)), len(registry.at(first + 1)), len(registry)] == [4, 2, 2]
    assert len(registry.at(first).df) == 4


def test_a_follower_sees_retractions_when_it_asks(registry: TorusRegistry) -> None:
    registry.flush(publish=True)
    cursor = registry.scan(["row_id"], after="").schema.metadata[b"cursor"].decode()
    registry.retract(registry.df.shape_id[0], "wrong")
    registry.flush(publish=True)
    assert registry.scan(["row_id"], after=cursor).read_all().num_rows == 0
    assert registry.scan(["retracts"], after=cursor, retracted=True).read_all().num_rows == 2


@pytest.mark.parametrize("reason", ["", "  ", None, 7, "\ud800"])
def test_a_retraction_needs_a_reason_that_can_be_kept(registry: TorusRegistry, reason: object) -> None:
    with pytest.raises(BadInput):
        registry.retract(registry.df.shape_id[0], reason)  # type: ignore[arg-type]
    assert len(registry) == 4


def test_metadata_that_looks_like_a_retraction_is_none(registry: TorusRegistry) -> None:
    [row_id] = registry.to_pandas(["row_id"]).row_id[:1]
    registry.record_shape(FIVE, metadata={"retraction": {"row_id": row_id, "reason": "mine"}})
    assert len(registry) == 5


def test_the_command_retracts_and_publishes(registry: TorusRegistry, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["registry", "retract", registry.df.shape_id[0], "--reason", "wrong", "--path", str(registry.path)]
    registry.close()
    assert main(arguments) == 0
    assert capsys.readouterr().out == "2 rows retracted\n"
    assert main(arguments) == 2
