"""Small tables for the tests: a name per row, so that every row can be told from every other."""

from __future__ import annotations

import datetime as dt
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa

from tests.storage.memdisk import MemDisk, MemFiles
from toriwork.storage import ArrowCodec, ParquetTable, TableSpec
from toriwork.storage.policy import PublishPolicy
from toriwork.storage.snapshot import Snapshot

SCHEMA = pa.schema(
    [("row_id", pa.string()), ("time", pa.timestamp("us", tz="UTC")), ("number", pa.int64()), ("text", pa.string())]
)
CODEC = ArrowCodec(SCHEMA)
SPEC = TableSpec(SCHEMA, CODEC, row_id="row_id", time="time", dictionary=("text",))
NOON = dt.datetime(2026, 1, 1, 12, tzinfo=dt.UTC)
#: where a table lies on a disk in memory
BASE = Path("/state/table.parquet")
#: publishes only when told to
BY_HAND = PublishPolicy(small_base=-1, growth=1e9, max_age=1e9, max_files=10**9, close_seconds=-1.0)


def payload(*names: str, size: int = 0) -> bytes:
    """One frame with a row for each name; ``size`` adds characters to each."""
    return CODEC.encode(batch(*names, size=size))


def batch(*names: str, size: int = 0) -> pa.RecordBatch:
    """The rows of one frame as Arrow gets them back."""
    rows = [{"row_id": name, "time": NOON, "number": len(name), "text": name[:1] + "x" * size} for name in names]
    return pa.RecordBatch.from_pylist(rows, schema=SCHEMA)


def add(table: ParquetTable, *names: str, size: int = 0) -> Any:
    """Append one frame."""
    return table.append(payload(*names, size=size), len(names))


def names_in(snapshot: Snapshot) -> list[str]:
    """The names of all rows that a snapshot holds, published ones first."""
    published = [name for found in snapshot.base_batches(["row_id"]) for name in found.column(0).to_pylist()]
    return published + [name for found in snapshot.pending_batches() for name in found["row_id"].to_pylist()]


def names_of(table: ParquetTable) -> list[str]:
    """The names of all rows of a table."""
    with table.snapshot() as snapshot:
        names = names_in(snapshot)
        assert len(names) == snapshot.n_rows()
        return names


def published_names(path: Path) -> list[str]:
    """What a reader finds that knows only the public file."""
    import pandas as pd

    return pd.read_parquet(path)["row_id"].tolist()


def twice(names: list[str]) -> list[str]:
    """The names that occur more than once."""
    return [name for name, n in Counter(names).items() if n > 1]


def opened(where: Path | MemDisk | MemFiles, **options: Any) -> ParquetTable:
    """A table that does nothing in the background: at a path, or on a disk in memory at ``BASE``."""
    options.setdefault("policy", BY_HAND)
    if isinstance(where, Path):
        return still(ParquetTable(where, SPEC, **options))
    options.setdefault("files", where.files() if isinstance(where, MemDisk) else where)
    return still(ParquetTable(BASE, SPEC, **options))


def still(table: ParquetTable) -> ParquetTable:
    """The same table without its background thread, so that a test decides when things happen."""
    table._worker.awake = True  # an append does not wake it then
    return table
