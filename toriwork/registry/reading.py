"""Reading the registry: one consistent snapshot, scanned lazily with filters pushed down to row groups."""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toriwork.errors import BadInput, StoreError
from toriwork.registry.matching import matching
from toriwork.registry.retractions import retracted_ids, valid_filter
from toriwork.registry.rows import SCHEMA, V1_COLUMNS
from toriwork.storage import ParquetTable, lookup
from toriwork.storage.footer import parquet_format, unreadable
from toriwork.storage.publish import generation_of
from toriwork.storage.snapshot import Snapshot

if TYPE_CHECKING:
    import pyarrow.dataset as pads

_MARKED_ROWS = 8  # in front of a cursor: rows of two histories have different ids
CURSOR = "cursor"  #: where the schema of a reader that follows keeps the next cursor
_SHOWN = 200  # characters of a condition in an error


def time_filter(since: Any, until: Any) -> pads.Expression | None:
    """``since <= timestamp < until`` as an expression; times without a zone are taken as UTC."""
    found: pads.Expression | None = None
    when = pc.field("timestamp")
    for name, value in (("since", since), ("until", until)):
        if value is None:
            continue
        bound = pa.scalar(utc(name, value), pa.timestamp("us", tz="UTC"))
        part = when >= bound if name == "since" else when < bound
        found = part if found is None else found & part
    return found


def as_of_filter(snapshot: Snapshot, as_of: Any) -> pads.Expression:
    """The published rows that were there at a generation (an integer) or at a time; for the public file only.

    Rows of a file that an earlier release wrote do not say when they came: an answer that hangs on it is refused.
    """
    base = snapshot.base
    value: Any = moment(as_of)
    name = "generation" if isinstance(value, int) else "published"
    if name == "generation" and not 0 <= value <= generation_of(snapshot):
        raise BadInput(f"as_of: expected a generation from 0 to {generation_of(snapshot)}, got {as_of}")
    column, bound = pc.field(name), pa.scalar(value, SCHEMA.field(name).type)
    first, n_unknown = base.bounds(name) if base is not None else (None, 0)
    if base is None or not n_unknown:
        return column <= bound
    if first is None:
        first = (
            dt.datetime.fromtimestamp(base.stat.modified, dt.UTC) if name == "published" else generation_of(snapshot)
        )
    elif name == "generation":
        first -= 1
    if value < first:
        raise BadInput(
            f"as_of: {n_unknown:,} rows were published by an earlier release, which noted no generation; expected "
            f"{name} {first} or later, got {as_of}"
        )
    return column.is_null() | (column <= bound)


def moment(as_of: Any) -> int | dt.datetime:
    """A generation, or a time with its zone; BadInput for anything else."""
    if isinstance(as_of, int | np.integer) and not isinstance(as_of, bool):
        return int(as_of)
    return utc("as_of", as_of)


def utc(name: str, value: Any) -> dt.datetime:
    """A time with its zone, of a datetime, a date or an ISO text; BadInput, with the name, where it is none."""
    if isinstance(value, str):
        try:
            value = dt.datetime.fromisoformat(value)
        except ValueError as error:
            raise BadInput(f"{name}: no ISO time: {value!r}") from error
    if isinstance(value, np.datetime64):  # a cell of a column's values
        value = value.astype("M8[us]").item()
    if isinstance(value, dt.datetime) and value == value:  # noqa: PLR0124 - a pandas Timestamp is one, NaT too
        try:
            zoned = value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
            return zoned.astimezone(dt.UTC)
        except OverflowError as error:
            raise BadInput(f"{name}: expected a time within the years 1 to 9999 in UTC, got {value}") from error
    if isinstance(value, dt.date) and not isinstance(value, dt.datetime):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    raise BadInput(f"{name}: expected a datetime or an ISO text, got {value!r}")


#: the names of the columns that are to be read, of a registry with this schema
Choice = Callable[[pa.Schema], list[str]]
#: the condition for rows of a registry with this schema
Where = Callable[[pa.Schema], "pads.Expression | None"] | None


def chosen(columns: Iterable[str] | None, schema: pa.Schema) -> list[str]:
    """The names of existing columns; None means all of them."""
    if columns is None:
        return list(schema.names)
    names = [columns] if isinstance(columns, str) else list(columns)
    unknown = [name for name in names if name not in schema.names]
    if unknown:
        raise BadInput(f"columns: {unknown} are not in the registry; there are {schema.names}")
    if len(set(names)) < len(names):
        raise BadInput(f"columns: expected each name once, got {names}")
    return names


def narrow(schema: pa.Schema, columns: Sequence[str] = V1_COLUMNS) -> list[str]:
    """Some columns, by default the nine of schema v1, and those that users declared."""
    return [*columns, *schema.names[len(SCHEMA) :]]


def scan(
    table: ParquetTable,
    choose: Choice,
    where: Where = None,
    as_of: Any = None,
    *,
    retracted: bool = False,
) -> pa.RecordBatchReader:
    """All rows of the state at the time of the call, lazily: published rows first, then segments and journals.

    With ``as_of`` the rows that were published at that generation or time; with ``retracted`` those that were retracted
    too, and the retractions.
    """
    state = contextlib.ExitStack()
    snapshot = state.enter_context(table.snapshot())  # now, not when the first batch is asked for
    try:
        columns = chosen(choose(snapshot.spec.schema), snapshot.spec.schema)
        given = where(snapshot.spec.schema) if where is not None else None
        if as_of is not None:
            snapshot = replace(snapshot, segments=[], journals=[])
        then = None if as_of is None else as_of_filter(snapshot, as_of)
        wanted = joined(then, given, None if retracted else _valid(snapshot, then))
    except BaseException:
        state.close()
        raise
    schema = pa.schema([snapshot.spec.schema.field(name) for name in columns])
    return pa.RecordBatchReader.from_batches(schema, _batches(table, state, snapshot, columns, wanted))


def _valid(snapshot: Snapshot, then: pads.Expression | None = None) -> pads.Expression | None:
    """The rows that count; None where nothing was retracted, and all of them do."""
    ids = retracted_ids(snapshot, then)
    return valid_filter(ids) if len(ids) else None


def where_filter(where: Any, schema: pa.Schema) -> pads.Expression | None:
    """An expression, or tuples of column, comparison and value, as one expression; BadInput names an unknown column."""
    if where is None or isinstance(where, pc.Expression):
        return where
    import pyarrow.parquet as pq

    try:
        groups = [[one] if isinstance(one, tuple) else list(one) for one in where]
        chosen({name for group in groups for name, _, _ in group}, schema)
        found: pads.Expression | None = pq.filters_to_expression(where) if groups else None
    except BadInput:
        raise
    except (TypeError, ValueError, pa.ArrowException) as error:
        raise BadInput(f"where: expected tuples of column, comparison and value, got {where!r}: {error}") from error
    return found


def joined(*parts: pads.Expression | None) -> pads.Expression | None:
    """All conditions as one; None where there is none."""
    found: pads.Expression | None = None
    for part in parts:
        if part is not None:
            found = part if found is None else found & part
    return found


def follow(
    table: ParquetTable, choose: Choice, where: Where, after: str, *, retracted: bool = False
) -> pa.RecordBatchReader:
    """The rows that were published behind a cursor, in the order of publishing, lazily.

    The public file only ever grows at its end, so a place in it is a count of rows. The store's id, the ids of the
    last rows in front of it, and when ``repair=True`` last took another file tell whether it is still that place.
    """
    state = contextlib.ExitStack()
    snapshot = state.enter_context(table.snapshot())
    try:
        skip = _place(after, snapshot, table)
        cursor = _cursor(snapshot, snapshot.base.n_rows if snapshot.base is not None else 0)
        columns = chosen(choose(snapshot.spec.schema), snapshot.spec.schema)
        given = where(snapshot.spec.schema) if where is not None else None
        wanted = joined(given, None if retracted else _valid(snapshot))
    except BaseException:
        state.close()
        raise
    schema = pa.schema([snapshot.spec.schema.field(name) for name in columns], metadata={CURSOR: cursor})
    return pa.RecordBatchReader.from_batches(schema, _followed(table, state, snapshot, columns, wanted, skip))


def _cursor(snapshot: Snapshot, n_rows: int) -> str:
    """The place behind the first ``n_rows`` published rows."""
    owner, accepted = (snapshot.head.store_id, snapshot.head.accepted) if snapshot.head is not None else ("", 0)
    start = max(0, n_rows - _MARKED_ROWS)
    ids: list[str] = []
    for batch in snapshot.base_batches(["row_id"], skip=start):
        ids += batch["row_id"].slice(0, n_rows - start - len(ids)).to_pylist()
        if len(ids) >= n_rows - start:
            break
    return f"{owner}:{n_rows}:{blake2b(' '.join(map(str, ids)).encode(), digest_size=8).hexdigest()}:{accepted}"


def _place(after: str, snapshot: Snapshot, table: ParquetTable) -> int:
    if after == "":
        return 0
    store, *parts = after.split(":")
    if len(parts) not in (1, 3) or not parts[0].isdecimal():
        raise BadInput(f"after: expected the cursor of an earlier scan or '', got {after!r}")
    again = f"expected the cursor of an earlier scan, got {after!r}; begin again with after=''"
    if len(parts) == 1:
        raise BadInput(f"after: a cursor of version 0.1 does not tell whether its rows were replaced since: {again}")
    owner, n_rows = (
        snapshot.head.store_id if snapshot.head is not None else "",
        snapshot.base.n_rows if snapshot.base else 0,
    )
    if store != owner or int(parts[0]) > n_rows:
        raise BadInput(
            f"after: {table.path} has {n_rows:,} published rows of store {owner[:8]}, the cursor is behind them or of "
            f"another store (restored from a backup?): {again}"
        )
    if after != _cursor(snapshot, int(parts[0])):
        raise BadInput(
            f"after: the rows of {table.path} in front of row {int(parts[0]):,} are others than the cursor followed "
            f"(restored from a backup, or another file was accepted with repair=True): {again}"
        )
    return int(parts[0])


def _followed(
    table: ParquetTable,
    state: contextlib.ExitStack,
    snapshot: Snapshot,
    columns: list[str],
    where: pads.Expression | None,
    skip: int,
) -> Iterator[pa.RecordBatch]:
    with state, damage_named(table, snapshot, where):
        if where is None:
            yield from snapshot.base_batches(columns, skip=skip)
        else:
            yield from _published(snapshot, columns, where, skip)


def _batches(
    table: ParquetTable,
    state: contextlib.ExitStack,
    snapshot: Snapshot,
    columns: list[str],
    where: pads.Expression | None,
) -> Iterator[pa.RecordBatch]:
    with state, damage_named(table, snapshot, where):
        if where is None:
            yield from snapshot.base_batches(columns)
            for batch in snapshot.pending_batches():
                yield batch.select(columns)
            return
        yield from _published(snapshot, columns, where)
        yield from _filtered(snapshot.pending_batches(), snapshot.spec.schema, columns, where)


def _filtered(
    batches: Iterable[pa.RecordBatch], schema: pa.Schema, columns: list[str], where: pads.Expression
) -> Iterator[pa.RecordBatch]:
    import pyarrow.dataset as pads  # only where it is needed: it imports pandas

    for batch in batches:
        yield from pads.Scanner.from_batches([batch], schema=schema, columns=columns, filter=where).to_batches()


def _published(
    snapshot: Snapshot, columns: list[str], where: pads.Expression, skip: int = 0
) -> Iterator[pa.RecordBatch]:
    """The published rows that match, without the first ``skip`` rows of the file."""
    if snapshot.base is not None and _is_current(snapshot):
        yield from matching(snapshot.base, snapshot.spec.schema, columns, where, skip=skip)
    else:
        yield from _filtered(snapshot.base_batches(skip=skip), snapshot.spec.schema, columns, where)


def _is_current(snapshot: Snapshot) -> bool:
    """True when the rows of the public file are read as they are; an older version or other software may have written
    it.
    """
    base = snapshot.base
    return base is not None and base.facts is not None and base.schema.equals(snapshot.spec.schema)


def _sources(snapshot: Snapshot) -> Iterator[pads.Dataset]:
    """The published rows as datasets: the file itself, or a converted copy where an older version wrote it."""
    import pyarrow.dataset as pads

    if snapshot.base is None:
        return
    schema = snapshot.spec.schema
    if _is_current(snapshot):
        yield pads.FileSystemDataset([snapshot.base.fragment()], schema=schema, format=parquet_format())
    else:
        for batch in snapshot.base_batches():
            yield pads.dataset(pa.Table.from_batches([batch], schema=schema))


@contextlib.contextmanager
def damage_named(
    table: ParquetTable, snapshot: Snapshot | None = None, where: pads.Expression | None = None
) -> Iterator[None]:
    """Turn what Arrow says of a broken page into the error of the store, with the file and the remedy.

    With ``where`` a condition is applied to the rows of the snapshot: Arrow says the same of one that fails.
    """
    try:
        yield
    except (OSError, pa.ArrowInvalid, pa.ArrowNotImplementedError, pa.ArrowTypeError, pa.ArrowKeyError) as error:
        if isinstance(error, StoreError):
            raise
        if snapshot is not None and where is not None and not isinstance(error, OSError):
            _refuse_condition(table, snapshot, where, error)
        raise unreadable(table.path, error) from error


def _refuse_condition(table: ParquetTable, snapshot: Snapshot, where: pads.Expression, error: Exception) -> None:
    """BadInput where the rows can be read and the condition is what fails."""
    refusal = BadInput(
        f"filter, where: expected a condition that holds or does not for each row, got an error of Arrow: {error} "
        f"The condition: {str(where)[:_SHOWN]}"
    )
    try:
        schema = snapshot.spec.schema
        list(_filtered([pa.RecordBatch.from_pylist([], schema=schema)], schema, ["row_id"], where))
    except pa.ArrowException:
        raise refusal from error
    with damage_named(table):
        for batches in (snapshot.base_batches(), snapshot.pending_batches()):
            for _ in batches:
                pass
    raise refusal from error


def as_dataset(table: ParquetTable, as_of: Any = None) -> pads.Dataset:
    """One consistent state as a dataset for other engines: the public file by reference, the rest in memory."""
    import pyarrow.dataset as pads

    with table.snapshot() as snapshot:
        parts = list(_sources(snapshot))
        then = None if as_of is None else as_of_filter(snapshot, as_of)
        if as_of is not None:
            snapshot = replace(snapshot, segments=[], journals=[])
        where = joined(then, _valid(snapshot, then))
        pending = list(snapshot.pending_batches())
    if pending or not parts:
        parts.append(pads.dataset(pa.Table.from_batches(pending, schema=snapshot.spec.schema)))
    found = parts[0] if len(parts) == 1 else pads.dataset(parts)
    return found if where is None else found.filter(where)


def newest(table: ParquetTable, n: int, choose: Choice) -> pa.Table:
    """The ``n`` newest rows in the order in which they were recorded."""
    with table.snapshot() as snapshot, damage_named(table):
        columns = choose(snapshot.spec.schema)
        ids = retracted_ids(snapshot)
        if not len(ids):
            return lookup.newest(snapshot, n, columns)
        # among so many there are n that count, if there are n
        rows = lookup.newest(snapshot, n + 2 * len(ids), [*columns, *({"row_id", "retracts"} - set(columns))])
        rows = rows.filter(valid_filter(ids)) if n else rows.slice(0, 0)
        return rows.slice(max(0, rows.num_rows - n)).select(columns)


def newest_of(table: ParquetTable, shape_id: str, columns: Sequence[str]) -> dict[str, pa.Scalar] | None:
    """Some columns of the newest row of an id, None when it has none."""
    with table.snapshot() as snapshot, damage_named(table):
        ids = retracted_ids(snapshot)
        if not len(ids):
            return lookup.newest_match(snapshot, shape_id, columns)
        wanted = [*columns, *({"row_id", "retracts"} - set(columns))]
        schema = pa.schema([SCHEMA.field(name) for name in wanted])
        parts = [batch.select(wanted) for batch in lookup.matches(snapshot, shape_id, wanted)]
        rows = pa.Table.from_batches(parts, schema=schema).filter(valid_filter(ids)).sort_by("row_id")
        return {name: rows[name][rows.num_rows - 1] for name in columns} if rows.num_rows else None
