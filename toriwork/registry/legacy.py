"""Registry files that the legacy code wrote: nine columns, timestamps as ISO text, no vertices."""

from __future__ import annotations

import math

import pyarrow as pa
import pyarrow.compute as pc

from toriwork.errors import BadInput
from toriwork.registry.rows import SCHEMA, V1_COLUMNS
from toriwork.storage.spec import unify


def upgrade(table: pa.Table) -> pa.Table:
    """A table of the nine columns of schema v1 (or of an older toriwork) in the present schema.

    Timestamps become UTC (text without a zone is taken as UTC, as the legacy code wrote it); rows without an id get
    one from their time and position, so that they sort in front of what is recorded later. BadInput names a missing
    column, or the row of a timestamp that cannot be read.
    """
    missing = [name for name in V1_COLUMNS if name not in table.column_names]
    if missing:
        raise BadInput(f"no registry of schema v1: columns {missing} are missing; found were {table.column_names}")
    if "__index_level_0__" in table.column_names:
        table = table.drop_columns(["__index_level_0__"])
    at = table.column_names.index("timestamp")
    table = table.set_column(at, "timestamp", _utc(table["timestamp"]))
    for name in ("betti0", "betti1", "betti2"):
        try:
            numbers = pc.cast(table[name], pa.float64())
        except pa.ArrowException as error:
            raise BadInput(f"column {name}: expected numbers: {error}") from error
        numbers = pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)
        table = table.set_column(table.column_names.index(name), name, numbers)
    if "row_id" not in table.column_names:
        table = table.append_column("row_id", _row_ids(table["timestamp"]))
    if "betti_status" not in table.column_names:
        table = table.append_column("betti_status", pa.array(["given"] * table.num_rows, pa.string()))
    table = unify(table, SCHEMA)
    at = table.column_names.index("vertices")
    return table.set_column(at, SCHEMA.field("vertices"), _with_nan(table["vertices"]))


def _with_nan(lists: pa.ChunkedArray) -> pa.ChunkedArray:
    """Lists of numbers without nulls in them: pandas writes NaN as null."""
    parts = []
    for part in lists.chunks:
        inner = part.values.fill_null(math.nan) if part.values.null_count else part.values
        parts.append(
            pa.Array.from_buffers(part.type, len(part), part.buffers()[:2], offset=part.offset, children=[inner])
        )
    return pa.chunked_array(parts, lists.type)


def _utc(column: pa.ChunkedArray) -> pa.ChunkedArray:
    wanted = pa.timestamp("us", tz="UTC")
    if pa.types.is_timestamp(column.type):
        zoned = column if column.type.tz else pc.assume_timezone(column, "UTC")
        return pc.cast(zoned, wanted, safe=False)
    import pandas as pd  # its reader of ISO text takes every form that the legacy code wrote

    values = column.to_pandas()
    parsed = pd.to_datetime(values, utc=True, format="ISO8601", errors="coerce")
    bad = parsed.isna() & values.notna()
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise BadInput(f"timestamp: row {row} is no ISO time: {values.iloc[row]!r}")
    return pa.chunked_array([pa.Array.from_pandas(parsed).cast(wanted, safe=False)])


def _row_ids(times: pa.ChunkedArray) -> pa.Array:
    micros = pc.fill_null(pc.cast(times, pa.int64()), 0).to_pylist()
    return pa.array([f"{max(0, us) * 1000:016x}{row:016x}" for row, us in enumerate(micros)], pa.string())
