"""Rows that were marked as retracted: a retraction is a row of the same log, which names the row that it marks.

Nothing that is published changes. Readers of this package leave out both, other readers see both.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from toriwork.registry.rows import RETRACTION_KEY
from toriwork.storage.arrays import texts
from toriwork.storage.decoding import decode
from toriwork.storage.pending import payload_groups

if TYPE_CHECKING:
    import pyarrow.dataset as pads

    from toriwork.storage.columns import ParquetSource
    from toriwork.storage.snapshot import Snapshot

_COLUMNS = ["retracts", "generation", "published"]
_MARK = f'"{RETRACTION_KEY}":{{'.encode()


def retracted_ids(snapshot: Snapshot, then: pads.Expression | None = None) -> pa.Array:
    """The row ids that retractions name, one for each retraction; ``then``: of those that it passes."""
    parts = list(_retractions(snapshot))
    if not parts:
        return texts([])  # pa.array would load pandas
    rows = pa.Table.from_batches(parts)
    return (rows if then is None else rows.filter(then))["retracts"].drop_null().combine_chunks()


def valid_filter(ids: pa.Array) -> pads.Expression:
    """The rows that are neither retracted nor a retraction."""
    return pc.field("retracts").is_null() & ~pc.field("row_id").isin(ids)


def _retractions(snapshot: Snapshot) -> Iterator[pa.RecordBatch]:
    """Batches that hold all retractions, of a few columns; row groups and frames without one are not decoded."""
    sources = [snapshot.base] if snapshot.base is not None else []
    for source in (*sources, *(segment.source for segment in snapshot.segments)):
        if not source.has(_COLUMNS):
            continue
        if source.facts is None:  # other software has types and row groups of its own
            yield from snapshot.base_batches(_COLUMNS)
        else:
            for number in _groups(source):
                yield source.group(number, _COLUMNS)
    for journal in snapshot.journals:
        for payloads in payload_groups(journal):
            marked = [payload for payload in payloads if _MARK in bytes(payload.data)]
            if marked:
                yield decode(snapshot.spec, journal.path, marked, snapshot.done).select(_COLUMNS)


def _groups(source: ParquetSource) -> Iterator[int]:
    """The row groups in which a row has a value, by the statistics."""
    metadata = source.footer.metadata
    at = [metadata.schema.column(number).path for number in range(metadata.num_columns)].index(_COLUMNS[0])
    for number in range(metadata.num_row_groups):
        group = metadata.row_group(number)
        found = group.column(at).statistics
        if found is None or not found.has_null_count or found.null_count < group.num_rows:
            yield number
