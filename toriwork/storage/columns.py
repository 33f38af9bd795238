"""Writing and reading the store's Parquet files: page checksums always written, always verified.

``ParquetSink`` streams batches into row groups of at most 16 MB and seals the footer; ``ParquetSource`` reads one
open file, never a path, so that a replaced base cannot mix two generations into one answer.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from toriwork.errors import StoreError
from toriwork.storage.footer import KEY_DIGEST, KEY_FACTS, Facts, damaged, read_footer, sealed_footer, unreadable

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pyarrow.dataset as pads

    from toriwork.storage.files import Handle

ROW_GROUP_BYTES = 16 * 2**20
#: below this size a file's data digest is checked when it is opened: page checksums do not cover page headers
SMALL_FILE_BYTES = 2 * 2**20
_CHUNK_BYTES = 4 * 2**20
_ONE_THREAD_BYTES = 8 * 2**20  # smaller row groups are read by one thread
_SAMPLE_VALUES = 8192
_SPLIT_SHARE = 0.8  # byte-splitting pays when a sample of the values shrinks to less than this


class _Tee:
    """A file object for Arrow: passes bytes on to a handle and hashes them, or holds them back."""

    closed = False

    def __init__(self, handle: Handle, path: Path) -> None:
        self._handle = handle
        self._path = path
        self._hash = blake2b(digest_size=32, person=b"toriwork.data")
        self.held: list[bytes] | None = None  #: collects instead of writing while it is a list

    def write(self, data: Any) -> int:
        """Bytes taken: all of them, or an error."""
        view = memoryview(data)
        if self.held is not None:
            self.held.append(bytes(view))
        else:
            self._hash.update(view)
            self.put(view)
        return len(view)

    def put(self, data: Any) -> None:
        """Write bytes that are not part of the digest."""
        view = memoryview(data)
        while view:
            written = self._handle.write(view[:_CHUNK_BYTES])  # type: ignore[arg-type]  # any buffer will do
            if written <= 0:
                raise StoreError(f"{self._path}: the disk takes no more bytes")
            view = view[written:]

    def digest(self) -> str:
        """Hex digest of what was written so far."""
        return self._hash.hexdigest()

    def flush(self) -> None:
        """Do nothing: syncing is the owner's business."""

    def close(self) -> None:
        """Do nothing: the owner closes the handle."""


class ParquetSink:
    """A Parquet file being written; ``close`` completes it with a sealed footer."""

    def __init__(
        self,
        handle: Handle,
        path: Path,
        schema: pa.Schema,
        dictionary: Sequence[str] = (),
        group_bytes: int | None = None,
    ) -> None:
        self._schema = schema
        self._limit = ROW_GROUP_BYTES if group_bytes is None else group_bytes
        self._dictionary = [name for name in dictionary if name in schema.names]
        self._tee = _Tee(handle, path)
        self._writer: pq.ParquetWriter | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._waiting_bytes = 0
        self.n_rows = 0

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
        self._waiting.append(batch)
        self._waiting_bytes += size
        self.n_rows += batch.num_rows

    def close(self, facts: Facts) -> Facts:
        """The facts as they stand in the completed file, which is not synced yet."""
        self._write_group()
        writer = self._open_writer(None)
        facts = replace(facts, n_rows=self.n_rows, data_blake2b=self._tee.digest())
        writer.add_key_value_metadata({KEY_FACTS.decode(): facts.to_json(), KEY_DIGEST.decode(): "0" * 64})
        self._tee.held = []
        writer.close()
        footer, _ = sealed_footer(b"".join(self._tee.held))
        self._tee.put(footer)
        return facts

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


class ParquetSource:
    """An open Parquet file of the store; everything is read from the file that was opened, checksums verified."""

    def __init__(self, handle: Handle, path: Path) -> None:
        self.path = path
        self.stat = handle.stat()
        self.footer = read_footer(handle, path)
        self._handle = handle
        self._reader: pq.ParquetFile | None = None
        if self.footer.facts is not None and self.footer.data_bytes <= SMALL_FILE_BYTES:
            self.check_data_digest()

    @property
    def facts(self) -> Facts | None:
        """What the store wrote about this file, or None when the store did not write it."""
        return self.footer.facts

    @property
    def n_rows(self) -> int:
        """Rows in the file."""
        return int(self.footer.metadata.num_rows)

    def fragment(self) -> pads.ParquetFileFragment:
        """The file as a fragment of a dataset, page checksums verified on every read."""
        return parquet_format().make_fragment(self._handle.arrow())

    def batches(self, columns: Sequence[str] | None = None, *, skip: int = 0) -> Iterator[pa.RecordBatch]:
        """The rows in file order, one row group in memory at a time; not the first ``skip`` of them.

        Raises
        ------
        DamagedFile
            A page fails its checksum or cannot be decoded.
        """
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

    def group(self, number: int) -> pa.RecordBatch:
        """The rows of one row group; the reader stays open for the next one.

        Raises
        ------
        DamagedFile
            A page fails its checksum or cannot be decoded.
        """
        if self._reader is None:
            self._reader = self._open_reader()
        return pa.Table.from_batches(self._read(self._reader, number, None)).combine_chunks().to_batches()[0]

    def _open_reader(self) -> pq.ParquetFile:
        try:
            # no metadata= here: Arrow mixes up the file size of a handed-in footer with that of the stub it came from
            return pq.ParquetFile(self._handle.arrow(), page_checksum_verification=True, pre_buffer=False)
        except StoreError:
            raise
        except (OSError, ValueError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from error

    def _read(self, reader: pq.ParquetFile, number: int, columns: Sequence[str] | None) -> list[pa.RecordBatch]:
        # each thread of Arrow's has a heap of its own and keeps what it freed
        threads = reader.metadata.row_group(number).total_byte_size > _ONE_THREAD_BYTES
        try:
            return list(reader.read_row_group(number, columns=columns, use_threads=threads).to_batches())
        except StoreError:
            raise
        except (OSError, ValueError, pa.ArrowException) as error:
            raise unreadable(self.path, error) from error

    def check_data_digest(self) -> None:
        """Compare everything before the footer with the digest that was recorded; DamagedFile on a difference."""
        facts = self.footer.facts
        if facts is None:
            return
        digest = blake2b(digest_size=32, person=b"toriwork.data")
        for offset in range(0, self.footer.data_bytes, _CHUNK_BYTES):
            digest.update(self._handle.read_at(offset, min(_CHUNK_BYTES, self.footer.data_bytes - offset)))
        if digest.hexdigest() != facts.data_blake2b:
            raise damaged(self.path, "its data fails its checksum")

    def close(self) -> None:
        """Close the file."""
        self._handle.close()


def parquet_format() -> pads.ParquetFileFormat:
    """The dataset format with which the store reads: page checksums verified, no read-ahead of whole files."""
    import pyarrow.dataset as pads  # only where it is needed: it imports pandas

    return pads.ParquetFileFormat(
        default_fragment_scan_options=pads.ParquetFragmentScanOptions(page_checksum_verification=True)
    )
