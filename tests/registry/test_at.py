"""The registry as it was: what a generation or a time shows is what a model of the history says."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tarfile
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, seed, settings
from hypothesis import strategies as st

from tests.storage.rows import BY_HAND
from toriwork.errors import BadInput
from toriwork.registry import TorusRegistry, reading
from toriwork.registry.codec import SPEC
from toriwork.registry.rows import pack_shape
from toriwork.storage import ParquetTable, backup, find_backup, restore
from toriwork.storage.spec import Column

FIVE = np.arange(10.0).reshape(5, 2)


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[TorusRegistry]:
    """Three generations with one, two and three more rows, and a row that is not published."""
    with TorusRegistry(tmp_path / "root" / "torus_registry.parquet", compute_betti=False) as registry:
        for n_rows in (1, 2, 3):
            registry.record_shapes([FIVE * n_rows + k for k in range(n_rows)], (((1, 0),) * n_rows))
            registry.flush(publish=True)
        registry.record_shape(FIVE * 9)
        yield registry


def test_each_generation_has_the_rows_that_were_published_by_then(registry: TorusRegistry) -> None:
    assert [len(registry.at(generation)) for generation in range(5)] == [0, 0, 1, 3, 6]
    assert len(registry) == 7
    then = registry.at(3)
    assert list(then.df.shape_id) == list(registry.df.shape_id[:3])
    assert list(then.query_recent(2).shape_id) == list(registry.df.shape_id[1:3])
    assert then.dataset().to_table().num_rows == len(then.query_by_coherence("local")) == 3
    assert then.get_statistics()["total_shapes"] == len(then.at(4)) - 3 == 3
    assert then.get_statistics()["pending_writes"] == 0
    assert np.array_equal(then.vertices(then.df.shape_id[0]), FIVE)
    assert registry.scan(["row_id"], as_of=3).read_all() == then.scan(["row_id"]).read_all()
    assert "as of 3" in repr(then)
    with pytest.raises(KeyError):
        then.vertices(registry.df.shape_id[4])


def test_numbers_and_times_of_numpy_and_pandas_are_moments(registry: TorusRegistry) -> None:
    rows = registry.to_pandas(["generation", "published"], as_of=4)
    assert len(registry.at(rows.generation.max())) == len(registry.at(np.uint8(4))) == 6
    assert len(registry.at(rows.published.max())) == 6
    assert len(registry.at(rows.published.to_numpy().max())) == 6, "in UTC"


NO_MOMENTS = [
    pd.NaT,
    np.datetime64("NaT"),
    np.bool_(True),
    2.0,
    dt.datetime(1, 1, 1, tzinfo=dt.timezone(dt.timedelta(hours=14))),
    dt.datetime(9999, 12, 31, 23, tzinfo=dt.timezone(-dt.timedelta(hours=14))),
]


@pytest.mark.parametrize("moment", NO_MOMENTS, ids=repr)
def test_what_is_no_moment_is_refused(registry: TorusRegistry, moment: object) -> None:
    for call in (registry.at, lambda value: registry.scan(since=value), lambda value: registry.scan(until=value)):
        with pytest.raises(BadInput, match="expected a"):
            call(moment)


@pytest.mark.parametrize("n", [-1, np.int64(-1), 1.5, True, "3", None])
def test_a_number_of_rows_is_an_integer_from_0_on(registry: TorusRegistry, n: object) -> None:
    registry.retract(registry.df.shape_id[0], "wrong")
    for reader in (registry, registry.at(3)):
        with pytest.raises(BadInput, match="n: expected an integer >= 0, got"):
            reader.query_recent(n)
        assert len(reader.query_recent(np.int64(2))) == 2


def test_a_time_has_the_rows_that_were_published_by_then(registry: TorusRegistry) -> None:
    rows = registry.scan(["generation", "published"], as_of=4).read_all().to_pylist()
    times = sorted({row["published"] for row in rows})
    assert [len(registry.at(time)) for time in times] == [1, 3, 6]
    assert [len(registry.at(time - dt.timedelta(microseconds=1))) for time in times] == [0, 1, 3]
    assert len(registry.at(times[1].isoformat())) == 3


@pytest.mark.parametrize("as_of", [5, -1, True, "yesterday", 2.0])
def test_what_was_never_there_is_refused(registry: TorusRegistry, as_of: object) -> None:
    with pytest.raises(BadInput, match="as_of: "):
        registry.at(as_of)  # type: ignore[arg-type]


def test_a_view_neither_follows_nor_is_backed_up(registry: TorusRegistry, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="got both"):
        registry.at(3).scan(after="")
    with pytest.raises(BadInput, match="backup"):
        registry.at(3).backup(tmp_path / "kept")


def test_rows_of_an_earlier_release_are_there_from_its_last_generation_on(tmp_path: Path) -> None:
    with tarfile.open(Path(__file__).parents[1] / "storage" / "release_0_1" / "state.tar.gz") as tar:
        tar.extractall(tmp_path, filter="data")
    path = tmp_path / "state" / "torus_registry.parquet"
    with TorusRegistry(path, read_only=True) as registry, registry._table.snapshot() as snapshot:
        assert snapshot.base is not None
        assert snapshot.head is not None
        n_before, last = snapshot.base.n_rows, snapshot.head.generation
        assert len(registry.at(last)) == n_before > 0
        with pytest.raises(BadInput, match="earlier release"):
            registry.at(last - 1)
    with TorusRegistry(path) as registry:
        registry.record_shape(FIVE, (1, 0))
        registry.flush(publish=True)
        assert len(registry.at(last)) == n_before
        with pytest.raises(BadInput, match="earlier release"):
            registry.at(last - 1)
        with pytest.raises(BadInput, match="earlier release"):
            registry.at("2020-01-01")
        assert len(registry.at(dt.datetime.now(dt.UTC))) == len(registry)


#: nothing here asks what survives a power cut, and syncing is most of what a history takes on a disk
IN_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
STEPS = st.lists(
    st.sampled_from(["record", "record", "publish", "reopen", "backup", "restore", "repair", "declare"]), max_size=14
)


def check_history(steps: list[str]) -> None:
    """Act out a history and compare every generation of it with the model."""
    folder = Path(tempfile.mkdtemp(dir=IN_MEMORY))
    path = folder / "root" / "x.parquet"
    try:
        table = ParquetTable(path, SPEC, policy=BY_HAND)
        shown: dict[int, int] = {0: 0, 1: 0}  # generation -> rows
        n_pending = n_rows = 0
        kept: tuple[dict[int, int], int] | None = None
        for number, step in enumerate(steps):
            generation = max(shown)
            if step == "record":
                for k in range(1 + number % 3):
                    table.append(pack_shape(FIVE + 100 * number + k, (1, 0), "local", None).row)
                    n_pending += 1
            elif step == "publish":
                table.flush(publish=True)
                if n_pending:
                    n_rows += n_pending
                    shown[generation + 1] = n_rows
                    n_pending = 0
            elif step == "declare":  # writes all rows anew
                table.declare([Column(f"c{number}", "int64", "me", "now")])
                n_rows, n_pending = n_rows + n_pending, 0
                shown[generation + 1] = n_rows
            elif step == "backup":
                backup(table, folder / "kept")
                kept = (dict(shown), n_rows + n_pending)
                if n_pending:
                    kept[0][generation + 1] = n_rows + n_pending
            elif step == "restore" and kept is not None:
                check_generations(table, shown, steps[:number])  # of the history that ends here
                table.close()
                restore(find_backup(folder / "kept", "x"), path, replace=True, empty=True)
                table = ParquetTable(path, SPEC, policy=BY_HAND)
                now, n_rows, n_pending = dict(kept[0]), kept[1], 0
                shown = dict.fromkeys(range(max(generation, *now) + 2), n_rows) | now
            elif step in ("reopen", "repair"):
                table.close()
                table = ParquetTable(path, SPEC, policy=BY_HAND, repair=step == "repair")
            assert reading.scan(table, lambda _: ["row_id"]).read_all().num_rows == n_rows + n_pending, steps[
                : number + 1
            ]
        check_generations(table, shown, steps)
        table.close()
    finally:
        shutil.rmtree(folder)


def check_generations(table: ParquetTable, shown: dict[int, int], steps: list[str]) -> None:
    """Compare what each generation shows with the model."""
    for generation, n_shown in shown.items():
        rows = reading.scan(table, lambda _: ["row_id"], None, generation).read_all()
        assert rows.num_rows == n_shown, (steps, generation)


@settings(max_examples=25, deadline=None)
@given(STEPS)
def test_every_generation_of_a_random_history_is_that_of_the_model(steps: list[str]) -> None:
    check_history(steps)


@pytest.mark.long
@pytest.mark.parametrize("piece", range(10))
def test_ten_thousand_histories(piece: int) -> None:
    """A thousand each, others in each."""
    seed(piece)(settings(max_examples=1000, deadline=None)(given(STEPS)(check_history)))()
