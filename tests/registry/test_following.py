"""Following a registry by a cursor: every published row once, whoever published it and however late."""

from __future__ import annotations

import dataclasses
import random
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry, reading
from toriwork.storage import ParquetTable

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
        assert cursor.split(":")[1] == "20"  # behind what was looked at, not behind what was found


def test_row_groups_in_front_of_the_cursor_are_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toriwork.storage.columns import ParquetSource

    monkeypatch.setattr("toriwork.storage.sink.ROW_GROUP_BYTES", 2000)
    with TorusRegistry(tmp_path / "r.parquet") as registry:
        registry.record_shapes([np.full((50, 2), float(n)) for n in range(40)], [GIVEN] * 40)
        registry.flush(publish=True)
        _, cursor = follow(registry, "")
        last = record(registry, 99)
        registry.flush(publish=True)
        read: list[int] = []
        whole = ParquetSource._read
        monkeypatch.setattr(
            ParquetSource, "_read", lambda self, r, n, c: (c != ["row_id"] and read.append(n)) or whole(self, r, n, c)
        )
        assert follow(registry, cursor)[0] == [last]
        assert len(read) == 1


@pytest.mark.parametrize(
    "cursor", ["nonsense", "12", "a:b", ":-1", "a:1:b", "a:b:c:0", "a:1:b:0:1", "::::", "a:-1:b:0"]
)
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
        store, place, *rest = cursor.split(":")
        with pytest.raises(BadInput, match="behind"):
            a.scan(after=":".join([store, str(int(place) + 1), *rest]))


# ---- histories that were replaced --------------------------------------------------------------------------------


def save(path: Path, to: Path) -> None:
    to.mkdir()
    shutil.copy(path, to)
    shutil.copytree(path.with_suffix(".d"), to / path.with_suffix(".d").name)


def restore(path: Path, saved: Path) -> None:
    shutil.rmtree(path.with_suffix(".d"))
    shutil.copytree(saved / path.with_suffix(".d").name, path.with_suffix(".d"))
    shutil.copy(saved / path.name, path)


def grow(path: Path, *numbers: int, repair: bool = False) -> None:
    with TorusRegistry(path, repair=repair) as registry:
        for number in numbers:
            record(registry, number)
        registry.flush(publish=True)


def cursor_at_end(path: Path) -> str:
    with TorusRegistry(path, read_only=True) as registry:
        return follow(registry, "")[1]


def refused(path: Path, cursor: str) -> bool:
    with TorusRegistry(path, read_only=True) as registry:
        try:
            registry.scan(after=cursor)
        except BadInput as error:
            return all(part in str(error) for part in ("expected", "got", "begin again with after=''"))
    return False


@pytest.mark.parametrize("n_before", [0, 1, 5, 20])
@pytest.mark.parametrize("n_seen", [1, 7, 9])
@pytest.mark.parametrize("n_new", [0, 1, 7, 9, 30])
def test_a_restored_backup_is_never_taken_for_the_history_that_was_followed(
    tmp_path: Path, n_before: int, n_seen: int, n_new: int
) -> None:
    path = tmp_path / "r.parquet"
    grow(path, *range(n_before))
    save(path, tmp_path / "backup")
    kept = cursor_at_end(path)
    grow(path, *range(100, 100 + n_seen))
    lost = cursor_at_end(path)
    restore(path, tmp_path / "backup")
    grow(path, *range(100, 100 + n_new))  # the same clouds once more: other rows
    assert refused(path, lost)
    with TorusRegistry(path, read_only=True) as registry:
        assert len(follow(registry, kept)[0]) == n_new  # what the backup had is still in front


def test_a_repair_that_changes_nothing_keeps_cursors_and_one_that_takes_another_file_does_not(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    grow(path, 1, 2)
    cursor = cursor_at_end(path)
    grow(path, repair=True)
    assert not refused(path, cursor)
    frame = pd.read_parquet(path)
    frame.to_parquet(path)  # the same rows: but nobody can know that
    grow(path, 3, repair=True)
    assert refused(path, cursor)
    later = cursor_at_end(path)
    grow(path, 4)
    with TorusRegistry(path, read_only=True) as registry:
        assert len(follow(registry, later)[0]) == 1


@pytest.mark.parametrize("edit", ["last", "first", "order", "fewer", "deleted"])
def test_a_replaced_file_that_was_accepted_ends_every_cursor(tmp_path: Path, edit: str) -> None:
    path = tmp_path / "r.parquet"
    grow(path, *range(12))
    cursor = cursor_at_end(path)
    frame = pd.read_parquet(path)
    if edit in ("last", "first"):
        frame.loc[0 if edit == "first" else 11, "row_id"] = "f" * 32
    elif edit == "order":
        frame = frame.iloc[::-1]
    else:
        frame = frame.iloc[:-3]
    frame.to_parquet(path)
    if edit == "deleted":
        path.unlink()
    grow(path, *range(100, 120), repair=True)
    assert refused(path, cursor)


def test_a_damaged_file_that_was_set_aside_ends_every_cursor(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    grow(path, 1, 2)
    cursor = cursor_at_end(path)
    data = bytearray(path.read_bytes())
    data[50] ^= 1
    path.write_bytes(data)
    grow(path, 1, 2, 3, repair=True)
    assert refused(path, cursor)


def test_the_public_file_alone_in_another_place_is_followed_on(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    grow(path, 1, 2)
    cursor = cursor_at_end(path)
    copy = tmp_path / "elsewhere" / "r.parquet"
    copy.parent.mkdir()
    shutil.copy(path, copy)
    grow(copy, 3)
    with TorusRegistry(copy, read_only=True) as registry:
        assert len(follow(registry, cursor)[0]) == 1
    grow(path, 4)
    assert refused(copy, cursor_at_end(path))  # two histories from here on


def test_a_file_of_the_legacy_code_is_followed_through_its_conversion(tmp_path: Path) -> None:
    from toriwork.registry.rows import V1_COLUMNS

    path = tmp_path / "r.parquet"
    grow(tmp_path / "other.parquet", *range(12))
    frame = pd.read_parquet(tmp_path / "other.parquet")[list(V1_COLUMNS)]
    frame["timestamp"] = [stamp.isoformat() for stamp in frame["timestamp"]]
    frame.to_parquet(path)
    with TorusRegistry(path) as registry:
        first, cursor = follow(registry, "")
        assert len(first) == 12
        record(registry, 99)
        registry.flush(publish=True)
        assert len(follow(registry, cursor)[0]) == 1


def test_a_file_with_fewer_columns_is_followed_while_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from toriwork.registry import codec

    path = tmp_path / "r.parquet"
    grow(path, 1, 2, 3)
    cursor = cursor_at_end(path)
    grown = pa.schema([*codec.SPEC.schema, pa.field("later", pa.string())])
    spec = dataclasses.replace(codec.SPEC, schema=grown)
    with ParquetTable(path, spec, read_only=True) as table, table.snapshot() as snapshot:
        assert reading._cursor(snapshot, 3) == cursor


def test_cursors_of_version_0_1_are_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "r.parquet"
    grow(path, 1, 2)
    store, place, *_ = cursor_at_end(path).split(":")
    with (
        TorusRegistry(path) as registry,
        pytest.raises(BadInput, match=r"version 0\.1.*got.*begin again with after=''"),
    ):
        registry.scan(after=f"{store}:{place}")
