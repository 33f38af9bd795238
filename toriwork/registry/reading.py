"""Reading the registry: one consistent view, scanned lazily with filters pushed down to row groups."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterator, Sequence
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from toriwork.errors import BadInput, StoreError
from toriwork.registry.rows import SCHEMA
from toriwork.storage import ParquetTable, lookup
from toriwork.storage.columns import parquet_format
from toriwork.storage.footer import unreadable
from toriwork.storage.view import View

if TYPE_CHECKING:
    import pyarrow.dataset as pads

_MARKED_ROWS = 8  # in front of a cursor: rows of two histories have different ids
CURSOR = "cursor"  #: where the schema of a reader that follows keeps the next cursor
_SCAN = {"batch_readahead": 2, "fragment_readahead": 1}  # a few row groups in memory, however large the file is


def time_filter(since: Any, until: Any) -> pads.Expression | None:
    """``since <= timestamp < until`` as an expression; times without a zone are taken as UTC."""
    found: pads.Expression | None = None
    when = pc.field("timestamp")
    for name, value in (("since", since), ("until", until)):
        if value is None:
            continue
        bound = pa.scalar(_utc(name, value), pa.timestamp("us", tz="UTC"))
        part = when >= bound if name == "since" else when < bound
        found = part if found is None else found & part
    return found


def _utc(name: str, value: Any) -> dt.datetime:
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError as error:
            raise BadInput(f"{name}: no ISO time: {value!r}") from error
    if isinstance(value, dt.datetime):  # a pandas Timestamp is one
        return value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    raise BadInput(f"{name}: a datetime or an ISO text is wanted, given was {value!r}")


def check_columns(columns: Sequence[str] | None) -> list[str]:
    """The names of existing columns; None means all of them."""
    if columns is None:
        return list(SCHEMA.names)
    names = [columns] if isinstance(columns, str) else list(columns)
    unknown = [name for name in names if name not in SCHEMA.names]
    if unknown:
        raise BadInput(f"columns: {unknown} are not in the registry; there are {SCHEMA.names}")
    return names


def scan(table: ParquetTable, columns: Sequence[str], where: pads.Expression | None) -> pa.RecordBatchReader:
    """All rows of the state at the time of the call, lazily: published rows first, then segments and journals."""
    schema = pa.schema([SCHEMA.field(name) for name in columns])
    state = contextlib.ExitStack()
    view = state.enter_context(table.view())  # now, not when the first batch is asked for
    return pa.RecordBatchReader.from_batches(schema, _batches(table, state, view, list(columns), where))


def follow(
    table: ParquetTable, columns: Sequence[str], where: pads.Expression | None, after: str
) -> pa.RecordBatchReader:
    """The rows that were published behind a cursor, in the order of publishing, lazily.

    The public file only ever grows at its end, so a place in it is a count of rows. The store's id, the ids of the
    last rows in front of it, and when ``repair=True`` last took another file tell whether it is still that place.
    """
    state = contextlib.ExitStack()
    view = state.enter_context(table.view())
    try:
        skip = _place(after, view, table)
        cursor = _cursor(view, view.base.n_rows if view.base is not None else 0)
    except BaseException:
        state.close()
        raise
    fields = [SCHEMA.field(name) for name in columns]
    schema = pa.schema(fields, metadata={CURSOR: cursor})
    return pa.RecordBatchReader.from_batches(schema, _followed(table, state, view, list(columns), where, skip))


def _cursor(view: View, n_rows: int) -> str:
    """The place behind the first ``n_rows`` published rows."""
    owner, accepted = (view.head.store_id, view.head.accepted) if view.head is not None else ("", 0)
    start = max(0, n_rows - _MARKED_ROWS)
    ids: list[str] = []
    for batch in view.base_batches(["row_id"], skip=start):
        ids += batch["row_id"].slice(0, n_rows - start - len(ids)).to_pylist()
        if len(ids) >= n_rows - start:
            break
    return f"{owner}:{n_rows}:{blake2b(' '.join(map(str, ids)).encode(), digest_size=8).hexdigest()}:{accepted}"


def _place(after: str, view: View, table: ParquetTable) -> int:
    if after == "":
        return 0
    store, *parts = after.split(":")
    if len(parts) not in (1, 3) or not parts[0].isdecimal():
        raise BadInput(f"after: the cursor of an earlier scan or '' is wanted, given was {after!r}")
    again = f"expected the cursor of an earlier scan, got {after!r}; begin again with after=''"
    if len(parts) == 1:
        raise BadInput(f"after: a cursor of version 0.1 does not tell whether its rows were replaced since: {again}")
    owner, n_rows = view.head.store_id if view.head is not None else "", view.base.n_rows if view.base else 0
    if store != owner or int(parts[0]) > n_rows:
        raise BadInput(
            f"after: {table.path} has {n_rows:,} published rows of store {owner[:8]}, the cursor is behind them or of "
            f"another store (restored from a backup?): {again}"
        )
    if after != _cursor(view, int(parts[0])):
        raise BadInput(
            f"after: the rows of {table.path} in front of row {int(parts[0]):,} are others than the cursor followed "
            f"(restored from a backup, or another file was accepted with repair=True): {again}"
        )
    return int(parts[0])


def _followed(
    table: ParquetTable,
    state: contextlib.ExitStack,
    view: View,
    columns: list[str],
    where: pads.Expression | None,
    skip: int,
) -> Iterator[pa.RecordBatch]:
    with state, damage_named(table):
        for batch in view.base_batches(columns if where is None else None, skip=skip):
            if where is None:
                yield batch
                continue
            import pyarrow.dataset as pads

            yield from pads.Scanner.from_batches([batch], schema=SCHEMA, columns=columns, filter=where).to_batches()


def _batches(
    table: ParquetTable, state: contextlib.ExitStack, view: View, columns: list[str], where: pads.Expression | None
) -> Iterator[pa.RecordBatch]:
    with state, damage_named(table):
        if where is None:
            yield from view.base_batches(columns)
            for batch in view.pending_batches():
                yield batch.select(columns)
            return
        import pyarrow.dataset as pads  # only where it is needed: it imports pandas

        for source in _sources(view):
            yield from source.scanner(columns=columns, filter=where, **_SCAN).to_batches()
        for batch in view.pending_batches():
            yield from pads.Scanner.from_batches([batch], schema=SCHEMA, columns=columns, filter=where).to_batches()


def _sources(view: View) -> Iterator[pads.Dataset]:
    """The published rows as datasets: the file itself, or a converted copy where an older version wrote it."""
    import pyarrow.dataset as pads

    if view.base is None:
        return
    if view.base.footer.metadata.schema.to_arrow_schema().equals(SCHEMA):
        yield pads.FileSystemDataset([view.base.fragment()], schema=SCHEMA, format=parquet_format())
    else:
        for batch in view.base_batches():
            yield pads.dataset(pa.Table.from_batches([batch], schema=SCHEMA))


@contextlib.contextmanager
def damage_named(table: ParquetTable) -> Iterator[None]:
    """Turn what Arrow says of a broken page into the error of the store, with the file and the remedy."""
    try:
        yield
    except (OSError, pa.ArrowInvalid) as error:
        if isinstance(error, StoreError):
            raise
        raise unreadable(table.path, error) from error


def as_dataset(table: ParquetTable) -> pads.Dataset:
    """One consistent state as a dataset for other engines: the public file by reference, the rest in memory."""
    import pyarrow.dataset as pads

    with table.view() as view:
        parts = list(_sources(view))
        pending = list(view.pending_batches())
    if pending or not parts:
        parts.append(pads.dataset(pa.Table.from_batches(pending, schema=SCHEMA)))
    return parts[0] if len(parts) == 1 else pads.dataset(parts)


def newest(table: ParquetTable, n: int, columns: Sequence[str]) -> pa.Table:
    """The ``n`` newest rows in the order in which they were recorded."""
    with table.view() as view, damage_named(table):
        return lookup.newest(view, n, columns)


def newest_of(table: ParquetTable, shape_id: str, columns: Sequence[str]) -> dict[str, pa.Scalar] | None:
    """Some columns of the newest row of an id, None when it has none."""
    with table.view() as view, damage_named(table):
        return lookup.newest_match(view, shape_id, columns)
