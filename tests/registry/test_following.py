"""Following a registry by a cursor: every published row once, whoever published it and however late."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pyarrow.compute as pc
import pytest

from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry

GIVEN = (1.0, 0.0, 0.0)


def record(registry: TorusRegistry, number: int) -> str:
    return registry.record_shape(np.array([[float(number), 0.0]]), GIVEN)


def follow(registry: TorusRegistry, cursor: str, **options: object) -> tuple[list[str], str]:
    """The ids behind a cursor, and the next one."""
    reader = registry.scan(["shape_id"], after=cursor, **options)
    return reader.read_all()["shape_id"].to_pylist(), reader.schema.metadata[b"cursor"].decode()


def test_every_row_comes_once_whichever_of_two_writers_publishes_when(tmp_path: Path) -> None:
    rng = random.Random(4)
    path = tmp_path / "r.parquet"
    seen: list[str] = []
    given: list[str] = []
    cursor = ""
    with TorusRegistry(path) as one, TorusRegistry(path) as two, TorusRegistry(path, read_only=True) as reader:
        for number in range(300):
            writer = rng.choice([one, two])
            given.append(record(writer, number))
            if rng.random() < 0.1:
                rng.choice([one, two]).flush(publish=True)
            if rng.random() < 0.1:
                found, cursor = follow(reader, cursor)
                seen += found
        one.flush(publish=True)
        two.flush(publish=True)
        found, cursor = follow(reader, cursor)
        assert sorted(seen + found) == sorted(given)
        assert follow(reader, cursor) == ([], cursor)


def test_rows_that_are_not_published_come_later(tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        first = record(registry, 1)
        assert follow(registry, "")[0] == []
        registry.flush(publish=True)
        assert follow(registry, "")[0] == [first]


def test_a_filter_goes_with_a_cursor(tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        for number in range(20):
            registry.record_shape(np.array([[float(number), 0.0]]), (1.0, float(number % 2), 0.0))
        registry.flush(publish=True)
        found, cursor = follow(registry, "", filter=pc.field("betti1") > 0)
        assert len(found) == 10
        assert cursor.endswith(":20")  # behind what was looked at, not behind what was found


def test_row_groups_in_front_of_the_cursor_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toriwork.storage.columns import ParquetSource

    monkeypatch.setattr("toriwork.storage.columns.ROW_GROUP_BYTES", 2000)
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        registry.record_shapes([np.full((50, 2), float(n)) for n in range(40)], [GIVEN] * 40)
        registry.flush(publish=True)
        _, cursor = follow(registry, "")
        last = record(registry, 99)
        registry.flush(publish=True)
        read: list[int] = []
        whole = ParquetSource._read
        monkeypatch.setattr(ParquetSource, "_read", lambda self, r, n, c: read.append(n) or whole(self, r, n, c))
        assert follow(registry, cursor)[0] == [last]
        assert len(read) == 1


@pytest.mark.parametrize("cursor", ["nonsense", "12", "a:b", ":-1"])
def test_what_is_no_cursor_is_refused(tmp_path: Path, cursor: str) -> None:
    with TorusRegistry(tmp_path / "r.parquet") as registry, pytest.raises(BadInput, match="after"):
        registry.scan(after=cursor)


def test_a_cursor_of_another_registry_or_of_a_lost_state_is_refused(tmp_path: Path) -> None:
    with TorusRegistry(tmp_path / "a.parquet") as a, TorusRegistry(tmp_path / "b.parquet") as b:
        record(a, 1)
        a.flush(publish=True)
        _, cursor = follow(a, "")
        with pytest.raises(BadInput, match="another store"):
            b.scan(after=cursor)
        store, _, place = cursor.partition(":")
        with pytest.raises(BadInput, match="behind"):
            a.scan(after=f"{store}:{int(place) + 1}")
