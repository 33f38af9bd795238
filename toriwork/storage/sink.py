"""Writing the store's Parquet files: page checksums always, row groups of at most 16 MB, a sealed footer.

``ParquetSink`` writes a whole file, or goes on behind the row groups of an older one that were copied into it.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toriwork.errors import Closed, StoreError
from toriwork.storage import index, splice
from toriwork.storage.footer import KEY_DIGEST, KEY_FACTS, NO_DIGEST, TAIL, Extent, Facts, sealed_footer
from toriwork.storage.splice import MAGIC, Kept

if TYPE_CHECKING:
    from toriwork.storage.handles import Handle

ROW_GROUP_BYTES = 16 * 2**20
_CHUNK_BYTES = 4 * 2**20
_SAMPLE_VALUES = 8192
_SPLIT_SHARE = 0.8  # byte-splitting pays when a sample of the values shrinks to less than this


@dataclass(frozen=True, slots=True)
class Behind:
    """The part of an older file in front of the new row groups, its bytes copied already."""

    kept: Kept = splice.NOTHING
    extents: tuple[Extent, ...] = ()
    indexes: tuple[tuple[int, int, int], ...] = ()

    @property
    def end(self) -> int:
        """Bytes that were copied."""
        return self.extents[-1].end if self.extents else 0

    @property
    def indexed(self) -> int:
        """How many of its rows, from the first on, are in its indexes."""
        return self.indexes[-1][1] + self.indexes[-1][2] if self.indexes else 0


class _Tee:
    """A file object for Arrow: passes bytes on to a handle and hashes them, or holds them back."""

    closed = False

    def __init__(self, handle: Handle, path: Path, *, skip: int = 0) -> None:
        self._handle = handle
        self._path = path
        self._hash = blake2b(digest_size=32, person=b"toriwork.data")
        self._skip = skip  #: first bytes that are not written: the magic, which a file has once
        self.held: list[bytes] | None = None  #: collects instead of writing while it is a list
        self.n_bytes = 0  #: written

    def write(self, data: Any) -> int:
        """Bytes taken: all of them, or an error."""
        view = memoryview(data)
        if self.held is not None:
            self.held.append(bytes(view))
            return len(view)
        skipped = min(self._skip, len(view))
        self._skip -= skipped
        self._hash.update(view[skipped:])
        with contextlib.suppress(Closed):  # given up: Arrow's writer ends its file when it is collected
            self.put(view[skipped:])
        return len(view)

    def put(self, data: Any) -> None:
        """Write bytes that are not part of the digest."""
        view = memoryview(data)
        while view:
            written = self._handle.write(view[:_CHUNK_BYTES])  # type: ignore[arg-type]  # any buffer will do
            if written <= 0:
                raise StoreError(f"{self._path}: the disk takes no more bytes")
            self.n_bytes += written
            view = view[written:]

    def digest(self) -> str:
        """Hex digest of what was written so far."""
        return self._hash.hexdigest()

    def flush(self) -> None:
        """Do nothing: syncing is the owner's business."""

    def close(self) -> None:
        """Do nothing: the owner closes the handle."""


class ParquetSink:
    """A Parquet file being written; ``close`` completes it with a sealed footer.

    Parameters
    ----------
    handle, path
        The file, which stands behind the bytes that were copied.
    dictionary
        Columns of few distinct values.
    keys
        A text column that is indexed, and the column of row ids, which order equal values.
    behind
        What was copied from an older file.
    """

    def __init__(
        self,
        handle: Handle,
        path: Path,
        schema: pa.Schema,
        dictionary: Sequence[str] = (),
        group_bytes: int | None = None,
        *,
        keys: tuple[str, str] | None = None,
        behind: Behind | None = None,
    ) -> None:
        self._schema = schema
        self._limit = ROW_GROUP_BYTES if group_bytes is None else group_bytes
        self._dictionary = [name for name in dictionary if name in schema.names]
        self._behind = Behind() if behind is None else behind
        self._tee = _Tee(handle, path, skip=len(MAGIC) if self._behind.end else 0)
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self._index_by = keys
        self._keys: list[index.Hashes] = []
        self._times: list[index.Hashes] = []
        self.n_rows = self._behind.kept.n_rows

    def write(self, batch: pa.RecordBatch) -> None:
        """Take the rows of one batch; small batches are merged, large ones cut, into row groups (16 MB by default)."""
        size = batch.nbytes
        if size > self._limit and batch.num_rows > 1:
            step = max(1, batch.num_rows * self._limit // (2 * size))
            for start in range(0, batch.num_rows, step):
                self.write(batch.slice(start, step))
            return
        if self._waiting and self._waiting_bytes + size > self._limit:
            self._write_group()
        self.note_keys(batch)
        self._waiting.append(batch)
        self._waiting_bytes += size
        self.n_rows += batch.num_rows

    def note_keys(self, batch: pa.RecordBatch) -> None:
        """Have the rows of a batch in the index; for copied rows that no index has, before anything is written."""
        if self._index_by is not None and batch.num_rows:
            value, row_id = self._index_by
            self._keys.append(index.hashes(batch[value]))
            self._times.append(index.times_of(batch[row_id]))

    def close(self, facts: Facts) -> Facts:
        """The facts as they stand in the completed file, which is not synced yet."""
        self._write_group()
        writer = self._open_writer(None)  # a file without rows gets its first bytes here
        self._tee.held = []
        writer.close()
        arrow_footer, self._tee.held = b"".join(self._tee.held)[:-TAIL], None
        behind = self._behind
        fields, groups = splice.new_groups(arrow_footer, behind.end - len(MAGIC) if behind.end else 0)
        indexes = self._write_index()
        end, n_new = behind.end + self._tee.n_bytes, self.n_rows - behind.kept.n_rows
        extent = Extent(end, len(groups), n_new, sum(map(len, groups)), self._tee.digest())
        facts = replace(facts, n_rows=self.n_rows, extents=(*behind.extents, extent), indexes=indexes)
        added = {KEY_FACTS: facts.to_json().encode(), KEY_DIGEST: NO_DIGEST}
        footer, _ = sealed_footer(splice.join(behind.kept, fields, groups, added))
        self._tee.put(footer)
        return facts

    def _write_index(self) -> tuple[tuple[int, int, int], ...]:
        """The places of all indexes, one of the rows that had none among them."""
        behind = self._behind
        n_rows = self.n_rows - behind.indexed
        if not self._keys or sum(map(len, self._keys)) != n_rows:
            return behind.indexes
        at = behind.end + self._tee.n_bytes
        self._tee.write(index.pack_index(self._keys, self._times))
        return (*behind.indexes, (at, behind.indexed, n_rows))

    def _write_group(self) -> None:
        table = pa.Table.from_batches(self._waiting, schema=self._schema)
        self._waiting, self._waiting_bytes = [], 0
        if table.num_rows:
            self._open_writer(table).write_table(table, row_group_size=table.num_rows)
            del table
            pa.default_memory_pool().release_unused()  # else it keeps what was freed: 100 MB behind 15 MB in use

    def _open_writer(self, sample: pa.Table | None) -> pq.ParquetWriter:
        if self._writer is None:
            self._writer = pq.ParquetWriter(
                pa.PythonFile(self._tee, mode="w"),
                self._schema,
                write_page_checksum=True,
                use_dictionary=self._dictionary or False,
                **_encodings(self._schema, sample),
            )
        return self._writer


def _encodings(schema: pa.Schema, sample: pa.Table | None) -> dict[str, Any]:
    """Compression per column: zstd for text and numbers; lists of float64 byte-split where a sample shrinks."""
    compression: dict[str, str] = {}
    split: list[str] = []
    for field in schema:
        if pa.types.is_list(field.type):
            path = f"{field.name}.list.element"  # what the format calls it, whatever Arrow does
            if pa.types.is_floating(field.type.value_type) and not _shrinks(sample, field.name):
                compression[path] = "none"
                continue
            if pa.types.is_floating(field.type.value_type):
                split.append(path)
            compression[path] = "zstd"
        else:
            compression[field.name] = "zstd"
    return {"compression": compression, "compression_level": None, "use_byte_stream_split": split or False}


def _shrinks(sample: pa.Table | None, column: str) -> bool:
    if sample is None:
        return False
    values = sample[column].chunk(0).flatten().slice(0, _SAMPLE_VALUES)
    if not len(values):
        return False
    width = values.type.bit_width // 8
    # from the buffer: Arrow's own conversion to NumPy imports pandas
    raw = np.frombuffer(values.buffers()[1], np.uint8)[values.offset * width : (values.offset + len(values)) * width]
    split = raw.reshape(len(values), width).T.tobytes()
    packed = pa.Codec("zstd", 1).compress(split)
    return bool(packed.size < _SPLIT_SHARE * len(split))
