"""Single rows and the newest rows of a snapshot, at the cost of what comes back.

The public file is asked through its sorted index and the statistics of its row groups, segments likewise, journals by
the bytes of their frames; only row groups and columns that hold an answer are decoded.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from toriwork.errors import BadInput
from toriwork.storage.decoding import decode
from toriwork.storage.pending import PendingSegment, fitted

if TYPE_CHECKING:
    from toriwork.storage.columns import ParquetSource
    from toriwork.storage.frames import Frame
    from toriwork.storage.pending import PendingJournal
    from toriwork.storage.snapshot import Snapshot


def newest(snapshot: Snapshot, n_rows: int, columns: Sequence[str]) -> pa.Table:
    """The rows with the highest row ids, the newest last."""
    if n_rows < 0:
        raise BadInput(f"n: expected a number of rows from 0 on, got {n_rows}")
    row_id = snapshot.spec.row_id
    wanted = [*columns, *({row_id} - set(columns))]
    schema = pa.schema([snapshot.spec.schema.field(name) for name in wanted])
    parts = [batch.select(wanted) for batch in _newest_parts(snapshot, n_rows, wanted)] if n_rows else []
    rows = pa.Table.from_batches(parts, schema=schema).sort_by(row_id)
    return rows.slice(max(0, rows.num_rows - n_rows)).select(list(columns))


def _newest_parts(snapshot: Snapshot, n_rows: int, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Rows among which the newest are, and few others."""
    base, row_id = snapshot.base, snapshot.spec.row_id
    if base is not None and base.facts is not None and base.has(columns):
        yield from _newest_groups(base, n_rows, row_id, columns)
    else:
        yield from snapshot.base_batches(columns)
    done = snapshot.done
    for source in snapshot.pending():
        if isinstance(source, PendingSegment):
            yield from fitted(source.batches(), snapshot.spec)
            continue
        frames: list[Frame] = []
        left = n_rows
        for frame in reversed(source.rows()):  # times rise within a journal
            if left <= 0:
                break
            frames.append(frame)
            left -= frame.n_rows
        for frame in reversed(frames):
            yield decode(snapshot.spec, source.path, [source.payload(frame)], done)


def _newest_groups(source: ParquetSource, n_rows: int, row_id: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """The row groups with the highest row ids, as many as can hold one of the newest rows."""
    found = pa.chunked_array([], pa.string())
    for number, highest in source.footer.groups_by(row_id):
        if len(found) >= n_rows and found[-n_rows].as_py() > highest:
            return
        batch = source.group(number, columns)
        ids = pa.chunked_array([*found.chunks, batch[row_id].cast(pa.string())])
        found = ids.take(pc.array_sort_indices(ids))
        yield batch


def matches(snapshot: Snapshot, value: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """All rows that have a value in the indexed column, in no order."""
    base, key = snapshot.base, snapshot.spec.index
    assert key is not None  # only tables with an index are asked
    wanted = [*columns, *({key} - set(columns))]
    indexed = base is not None and base.facts is not None and base.has(wanted)
    if base is not None and indexed:
        for number in sorted({number for rows in base.rows_with(value) for number in base.groups_of(rows)}):
            yield from _equal(base.group(number, wanted), key, value)
    skip = base.n_indexed if base is not None and indexed else 0
    for batch in snapshot.base_batches(wanted, skip=skip):  # of an earlier version, or of other software
        yield from _equal(batch, key, value)
    yield from _pending_matches(snapshot, value, wanted)


def newest_match(snapshot: Snapshot, value: str, columns: Sequence[str]) -> dict[str, pa.Scalar] | None:
    """The newest row that has a value in the indexed column, None when there is none."""
    base, key, row_id = snapshot.base, snapshot.spec.index, snapshot.spec.row_id
    assert key is not None  # only tables with an index are asked
    best: tuple[str, pa.RecordBatch | int] | None = None
    narrow = [key, row_id]
    wanted = [*columns, *({key, row_id} - set(columns))]
    if base is not None and base.facts is not None and base.has(wanted):
        for rows in base.rows_with(value):
            for number in rows:  # the newest of this index first
                row = base.row(number, narrow)
                if row[key][0].as_py() == value:
                    best = max(best or ("", 0), (row[row_id][0].as_py(), number), key=_first)
                    break
        rest = base.batches(wanted, skip=base.n_indexed)
    else:
        rest = snapshot.base_batches(wanted)
    for batches in (rest, _pending_matches(snapshot, value, wanted)):
        for batch in batches:
            for equal in _equal(batch, key, value):
                at = pc.index(equal[row_id], pc.max(equal[row_id])).as_py()
                found = equal.slice(at, 1)
                best = max(best or ("", found), (found[row_id][0].as_py(), found), key=_first)
    if best is None:
        return None
    if isinstance(best[1], int):
        assert base is not None  # it has the row
        best = best[0], base.row(best[1], list(columns))
    row = best[1]
    return {name: row[name][0] for name in columns}  # type: ignore[index]  # it is a batch now


def _first(pair: tuple[str, object]) -> str:
    return pair[0]


def _equal(batch: pa.RecordBatch, column: str, value: str) -> Iterator[pa.RecordBatch]:
    found = batch.filter(pc.equal(batch[column], value))
    if found.num_rows:
        yield found


def _pending_matches(snapshot: Snapshot, value: str, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
    key = snapshot.spec.index
    assert key is not None  # its callers looked
    done = snapshot.done
    for source in snapshot.pending():
        if isinstance(source, PendingSegment):
            if (
                source.untouched
                and source.source.n_indexed == source.source.n_rows
                and not any(True for rows in source.source.rows_with(value) for _ in rows)
            ):
                continue
            for batch in fitted(source.batches(), snapshot.spec):
                yield from _equal(batch.select(columns), key, value)
            continue
        for frame in _frames_with(source, snapshot.spec.codec.needle(value)):
            yield from _equal(
                decode(snapshot.spec, source.path, [source.payload(frame)], done).select(columns), key, value
            )


def _frames_with(journal: PendingJournal, needle: bytes | None) -> Iterator[Frame]:
    """The frames that may hold a row with a value, by the bytes that stand for it in a payload."""
    frames = journal.rows()
    if not needle or not frames:
        yield from frames
        return
    start = frames[0].offset
    data = journal.handle.read_at(start, frames[-1].offset + frames[-1].length - start)
    offsets = [frame.offset for frame in frames]
    at = data.find(needle)
    while at >= 0:
        number = bisect_right(offsets, start + at) - 1
        frame = frames[number]
        yield frame
        at = data.find(needle, frame.offset + frame.length - start)
