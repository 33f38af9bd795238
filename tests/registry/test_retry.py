"""What a failed call says of its rows is true, and trying again with their ids records them once."""

from __future__ import annotations

import errno
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from toriwork.errors import BadInput, DurabilityError, StoreError
from toriwork.registry import TorusRegistry
from toriwork.storage.handles import OsHandle

CLOUD = np.array([[1.0, 2.0], [3.0, 4.0]])
GIVEN = (1.0, 0.0, 0.0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "r.parquet"


def failing(monkeypatch: pytest.MonkeyPatch, name: str, *, after: bool = False, part: int | None = None) -> None:
    """Let a call of every handle fail: before it did anything, after it did all of it, or with a part of it done."""
    whole: Callable[..., Any] = getattr(OsHandle, name)

    def fail(self: OsHandle, *arguments: Any) -> Any:
        if part is not None:
            offset, data, *_ = arguments
            return whole(self, offset, data[:part])
        if after:
            whole(self, *arguments)
        raise OSError(errno.EIO, "the disk failed")

    monkeypatch.setattr(OsHandle, name, fail)


def rows_of(path: Path) -> list[str]:
    with TorusRegistry(path, read_only=True) as registry:
        return registry.to_pandas(["row_id"])["row_id"].tolist()


CALLS = [
    lambda registry, **options: registry.record_shape(CLOUD, GIVEN, **options),
    lambda registry, **options: registry.record_shape(CLOUD, **options),
    lambda registry, **options: registry.record_shapes([CLOUD, CLOUD + 1], [GIVEN, GIVEN], **options),
]


@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("how", ["sync", "write before", "write after", "short"])
@pytest.mark.parametrize("durability", ["process", "power"])
def test_a_failed_call_names_its_rows_if_they_may_be_there_and_a_retry_records_them_once(
    path: Path, call: Any, how: str, durability: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    registry = TorusRegistry(path, durability=durability)
    registry.record_shape(CLOUD - 1, GIVEN)
    before = rows_of(path)
    with monkeypatch.context() as patch:
        if how == "sync":
            failing(patch, "sync")
        else:
            failing(patch, "write_at", after=how == "write after", part=90 if how == "short" else None)
        if how == "sync" and durability == "process":
            call(registry)
            with pytest.raises(StoreError) as caught:
                registry.flush(publish=False)
        else:
            with pytest.raises(StoreError) as caught:
                call(registry)
        error = caught.value
        if isinstance(error, DurabilityError):
            with pytest.raises(DurabilityError, match="nothing of this call") as again:
                call(registry)
            assert again.value.row_ids == ()
            with pytest.raises(DurabilityError):
                registry.close()
    left = [name for name in rows_of(path) if name not in before]
    assert left == [name for name in error.row_ids if name not in before]
    assert ("may have been recorded" in str(error)) is bool(error.row_ids)
    if not isinstance(error, DurabilityError):
        registry.close()
    wanted = 2 if call is CALLS[2] else 1
    for _ in range(3):
        with TorusRegistry(path) as registry:
            ids = tuple(name for name in error.row_ids if name not in before)
            call(registry, retry=ids or rows_of(path)[len(before) :])
            registry.flush(publish=True)
        assert len(rows_of(path)) == len(before) + wanted
    assert len(pd.read_parquet(path)) == len(before) + wanted


def test_a_retry_of_rows_that_are_not_there_records_them(path: Path) -> None:
    with TorusRegistry(path) as registry:
        registry.record_shape(CLOUD, GIVEN, retry=("0" * 32,))
        registry.record_shape(CLOUD, GIVEN, retry=("0" * 32,))
    assert len(rows_of(path)) == 2


@pytest.mark.parametrize("retry", ["0" * 32, ["x"], [1], [b"0" * 32]])
def test_what_are_no_row_ids_is_refused(path: Path, retry: Any) -> None:
    with TorusRegistry(path) as registry, pytest.raises(BadInput, match="retry"):
        registry.record_shape(CLOUD, GIVEN, retry=retry)
