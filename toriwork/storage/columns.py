"""Reading the store's Parquet files: page checksums are always verified.

``ParquetSource`` reads one open file, never a path, so that a replaced base cannot mix two generations into one answer.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq

from toriwork.errors import StoreError
from toriwork.storage import index, splice
from toriwork.storage.footer import Extent, Facts, damaged, parquet_format, read_footer, unreadable
from toriwork.storage.sink import Behind

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow.dataset as pads

    from toriwork.storage.handles import Handle

#: below this size a file's data digest is checked when it is opened: page checksums do not cover page headers
SMALL_FILE_BYTES = 2 * 2**20
_CHUNK_BYTES = 4 * 2**20
_ONE_THREAD_BYTES = 8 * 2**20  # smaller row groups are read by one thread


class ParquetSource:
    """An open Parquet file of the store; everything is read from the file that was opened, checksums verified."""

    def __init__(self, handle: Handle, path: Path, *, again: bool = True) -> None:
        self.path = path
        self.stat = handle.stat()
        self.footer = read_footer(handle, path, again=again)
        self._handle = handle
        self._reader: pq.ParquetFile | None = None
        if self.footer.facts is not None and self.footer.data_bytes <= SMALL_FILE_BYTES:
            self.check_data_digest()

    @property
    def facts(self) -> Facts | None:
        """The facts in the footer, or None when the store did not write this file."""
        return self.footer.facts

    @property
    def n_rows(self) -> int:
        """Rows in the file."""
        return int(self.footer.metadata.num_rows)

    @property
    def schema(self) -> pa.Schema:
        """Names and types of the columns."""
        return self.footer.metadata.schema.to_arrow_schema()

    def behind(self, extents: Sequence[Extent]) -> Behind:
        """The front of a new file that keeps the first extents of this one."""
        n_groups, n_rows, n_bytes = (sum(column) for column in list(zip(*extents, strict=True))[1:4] or [()] * 3)
        kept = splice.kept_groups(self.footer.raw, n_groups, n_bytes, n_rows)
        end = extents[-1].end if extents else 0
        indexes = self.facts.indexes if self.facts is not None else ()
        return Behind(kept, tuple(extents), tuple(found for found in indexes if found[0] < end))

    def copy_to(self, target: Handle, n_bytes: int) -> None:
        """Append the first bytes of this file to another one; the system copies them where it can."""
        copied = 0
        while copied < n_bytes:
            taken = target.copy_from(self._handle, copied, n_bytes - copied)
            if taken <= 0:
                raise StoreError(f"{self.path}: expected {n_bytes} bytes to copy, got {copied}")
            copied += taken

    def rows_with(self, value: str) -> Iterator[Iterator[int]]:
        """For each index the numbers of the rows that may have a value in the indexed column, the newest first."""
        facts = self.facts
        key = index.hash_of(value)
        for offset, first, n_rows in facts.indexes if facts is not None else ():
            yield self._indexed(offset, first, n_rows, key)

    def _indexed(self, offset: int, first: int, n_rows: int, key: int) -> Iterator[int]:
        try:
            for row in index.find(self._handle, offset, n_rows, key):
                yield first + row
        except index.BadIndex as error:
            raise damaged(self.path, str(error)) from error

    @property
    def n_indexed(self) -> int:
        """How many rows, from the first on, an index holds."""
        indexes = self.facts.indexes if self.facts is not None else ()
        return indexes[-1][1] + indexes[-1][2] if indexes else 0

    def times(self, row_id: str) -> tuple[int, int]:
        """First and last time in the row ids, by the statistics of the row groups; zeros where there are none."""
        metadata = self.footer.metadata
        names = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
        if row_id not in names or not metadata.num_rows:
            return 0, 0
        at = names.index(row_id)
        found = [metadata.row_group(number).column(at).statistics for number in range(metadata.num_row_groups)]
        if any(one is None or not one.has_min_max for one in found):
            return 0, 0
        try:
            return int(min(one.min for one in found)[:16], 16), int(max(one.max for one in found)[:16], 16)
        except (ValueError, TypeError):  # row ids of another kind
            return 0, 0

    def bounds(self, column: str) -> tuple[Any, int]:
        """The least value of a column, None where no row has one, and in how many rows it is null."""
        metadata = self.footer.metadata
        names = [metadata.schema.column(number).path for number in range(metadata.num_columns)]
        if column not in names:
            return None, self.n_rows
        at = names.index(column)
        found = [metadata.row_group(number).column(at).statistics for number in range(metadata.num_row_groups)]
        least = [one.min for one in found if one is not None and one.has_min_max]
        n_null = sum(one.null_count if one is not None else 0 for one in found)
        return min(least, default=None), n_null

    def has(self, columns: Sequence[str]) -> bool:
        """True when the file has all of some columns."""
        return set(columns) <= set(self.schema.names)

    def groups_of(self, rows: Iterable[int]) -> set[int]:
        """The row groups in which some rows stand."""
        return {bisect_right(self.footer.starts, row) - 1 for row in rows}

    def row(self, number: int, columns: Sequence[str]) -> pa.RecordBatch:
        """One row; its row group is read, of the named columns only."""
        group = bisect_right(self.footer.starts, number) - 1
        return self.group(group, columns).slice(number - self.footer.starts[group], 1)

    def fragment(self) -> pads.ParquetFileFragment:
        """The file as a fragment of a dataset, page checksums verified on every read."""
        return parquet_format().make_fragment(self._handle.arrow())

    def batches(self, columns: Sequence[str] | None = None, *, skip: int = 0) -> Iterator[pa.RecordBatch]:
        """The rows in file order, one row group in memory at a time; not the first ``skip`` of them."""
        reader = self._open_reader()
        for number in range(reader.num_row_groups):
            n_rows = self.footer.metadata.row_group(number).num_rows
            if skip >= n_rows:  # not read at all
                skip -= n_rows
                continue
            for batch in self._read(reader, number, columns):
                passed = min(skip, batch.num_rows)
                skip -= passed
                if passed < batch.num_rows:
                    yield batch.slice(passed)

    def groups_for(self, where: pads.Expression, schema: pa.Schema) -> list[int]:
        """The row groups that may hold a row of a condition, by their statistics."""
        return [part.row_groups[0].id for part in self.footer.fragment.split_by_row_group(where, schema)]

    def zeros(self, columns: Sequence[str]) -> Iterator[int]:
        """The row groups in which all values of one of some columns are zeros, by their statistics."""
        metadata = self.footer.metadata
        at = [n for n in range(metadata.num_columns) if metadata.schema.column(n).path in columns]
        for number in range(metadata.num_row_groups if at else 0):
            found = [metadata.row_group(number).column(n).statistics for n in at]
            if any(one is not None and one.has_min_max and one.min == one.max == 0 for one in found):
                yield number

    def group(self, number: int, columns: Sequence[str] | None = None) -> pa.RecordBatch:
        """The rows of one row group; the reader stays open for the next one."""
        if self._reader is None:
            self._reader = self._open_reader()
        return pa.Table.from_batches(self._read(self._reader, number, columns)).combine_chunks().to_batches()[0]

    def groups(self, numbers: Sequence[int], columns: Sequence[str], idle: list[pq.ParquetFile]) -> pa.Table:
        """The rows of some row groups; several threads may ask at once, and share a list of readers that are idle."""
        try:
            reader = idle.pop()
        except IndexError:
            reader = self._open_reader()
        try:
            found = reader.read_row_groups(numbers, columns=columns, use_threads=False)
            idle.append(reader)
        except StoreError:
            raise
        except (OSError, ValueError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from error
        self._check_rows(numbers, found.num_rows)
        return found

    def _open_reader(self) -> pq.ParquetFile:
        try:
            return pq.ParquetFile(
                self._handle.arrow(), metadata=self.footer.metadata, page_checksum_verification=True, pre_buffer=False
            )
        except StoreError:
            raise
        except (OSError, ValueError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from error

    def _read(self, reader: pq.ParquetFile, number: int, columns: Sequence[str] | None) -> list[pa.RecordBatch]:
        # each thread of Arrow's has a heap of its own and keeps what it freed
        threads = reader.metadata.row_group(number).total_byte_size > _ONE_THREAD_BYTES
        try:
            found = reader.read_row_group(number, columns=columns, use_threads=threads)
        except StoreError:
            raise
        except (OSError, ValueError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from error
        self._check_rows([number], found.num_rows)
        return list(found.to_batches())

    def _check_rows(self, numbers: Sequence[int], n_found: int) -> None:
        """DamagedFile where row groups gave other rows than they have: a page header has no checksum, and Arrow passes
        over a page of a type that it does not know.
        """
        n_rows = sum(self.footer.metadata.row_group(number).num_rows for number in numbers)
        if n_found != n_rows:
            raise damaged(self.path, f"expected {n_rows} rows in row groups {list(numbers)}, got {n_found}")

    def check_data_digest(self) -> None:
        """Compare everything before the footer with the digests that were recorded; DamagedFile on a difference."""
        start = 0
        for extent in self.footer.extents():
            digest = blake2b(digest_size=32, person=b"toriwork.data")
            for offset in range(start, extent.end, _CHUNK_BYTES):
                digest.update(self._handle.read_at(offset, min(_CHUNK_BYTES, extent.end - offset)))
            if digest.hexdigest() != extent.digest:
                raise damaged(self.path, f"its data fails its checksum between bytes {start} and {extent.end}")
            start = extent.end
        if start != self.footer.data_bytes and self.facts is not None:
            raise damaged(self.path, f"expected {start} bytes before the footer, got {self.footer.data_bytes}")

    def close(self) -> None:
        """Close the file."""
        self._handle.close()
