"""Published rows in parts that workers read from the file themselves: no cloud passes through who hands them out."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from toriwork.errors import BadInput
from toriwork.registry.codec import SPEC
from toriwork.registry.reading import as_of_filter, chosen, damage_named
from toriwork.registry.retractions import retracted_ids, valid_filter
from toriwork.registry.rows import restore_vertices
from toriwork.storage import ParquetTable, arrays
from toriwork.storage.publish import generation_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

_POINTS = ("row_id", "vertices", "vertices_dtype", "vertices_shape")


@dataclass(frozen=True, slots=True)
class Partition:
    """Some rows of the public file at one generation; small, and pickled to whoever reads them.

    The file has to be reachable under the same path. What is published later changes nothing in it.
    """

    path: str
    generation: int
    start: int  #: place of the first row in the file
    n_rows: int  #: retracted ones among them
    first: str  #: row id of the first row

    def read(self, columns: Sequence[str] | None = None) -> pa.Table:
        """The rows that count, of these columns.

        Raises
        ------
        BadInput
            The file has other rows there: it was restored from a backup, or another one was accepted.
        """
        with (
            ParquetTable(self.path, SPEC, read_only=True) as table,
            table.snapshot() as snapshot,
            damage_named(table),
        ):
            names = chosen(columns, snapshot.spec.schema)
            wanted = [*names, *({"row_id", "retracts"} - set(names))]
            parts, n_read = [], 0
            for batch in snapshot.base_batches(wanted, skip=self.start):
                parts.append(batch)
                n_read += batch.num_rows
                if n_read >= self.n_rows:
                    break
            rows = pa.Table.from_batches(parts, schema=pa.schema([snapshot.spec.schema.field(name) for name in wanted]))
            rows = rows.slice(0, self.n_rows)
            if rows.num_rows < self.n_rows or rows["row_id"][0].as_py() != self.first:
                raise BadInput(
                    f"{self.path}: expected row {self.first} at place {self.start}, got another one (restored from a "
                    "backup?); call scan_partitions again"
                )
            ids = retracted_ids(snapshot, as_of_filter(snapshot, self.generation))
        return rows.filter(valid_filter(ids)).select(names)

    def clouds(self) -> Iterator[tuple[str, NDArray[Any]]]:
        """Row id and points of each row whose points were kept, as they were recorded."""
        for batch in self.read(_POINTS).to_batches():
            for row_id, points, dtype, shape in zip(*(batch[name] for name in _POINTS), strict=True):
                if points.is_valid:
                    values = arrays.float64_of(points.values)
                    yield row_id.as_py(), restore_vertices(values, dtype.as_py(), shape.as_py())


def partitions(table: ParquetTable, n_rows: int) -> list[Partition]:
    """The published rows in parts of at most ``n_rows``, cut between row groups where that makes no part too small."""
    with table.snapshot() as snapshot, damage_named(table):
        base = snapshot.base
        if base is None or not base.n_rows:
            return []
        metadata = base.footer.metadata
        ends = list(accumulate(metadata.row_group(i).num_rows for i in range(metadata.num_row_groups)))
        starts = [0]
        while starts[-1] + n_rows < base.n_rows:
            last = starts[-1] + n_rows
            end = ends[max(0, bisect_right(ends, last) - 1)]
            starts.append(end if last - n_rows // 2 < end <= last else last)
        ids = [batch["row_id"] for batch in snapshot.base_batches(["row_id"])]
        first = pa.chunked_array(ids).take(pa.array(starts)).to_pylist()
        bounds = zip(starts, [*starts[1:], base.n_rows], first, strict=True)
        generation = generation_of(snapshot)
        return [Partition(str(table.path), generation, start, stop - start, name) for start, stop, name in bounds]
