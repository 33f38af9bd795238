"""A Parquet file written in row groups by a thread of its own, while the next rows are read."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

_GROUP_ROWS = 65_536
_GROUP_BYTES = 32 * 2**20
_OPTIONS: dict[str, Any] = {"compression": "zstd", "write_page_checksum": True}


class GroupWriter:
    """Batches in, row groups out; at most one group waits while another is written, so that memory stays bounded.

    The file is made by the first group. One that is the only group is written at once, without a thread.
    """

    def __init__(self, path: Path, schema: pa.Schema) -> None:
        self._path, self._schema = path, schema
        self._file: pa.OSFile | None = None
        self._writer: pq.ParquetWriter | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="row-groups")
        self._under_way: Future[None] | None = None
        self._waiting: list[pa.RecordBatch] = []
        self._rows = self._bytes = 0

    def write(self, batch: pa.RecordBatch) -> None:
        """Take a batch; an error of an earlier group is raised here."""
        self._waiting.append(batch)
        self._rows += batch.num_rows
        self._bytes += batch.nbytes
        if self._rows >= _GROUP_ROWS or self._bytes >= _GROUP_BYTES:
            group = self._group()
            self._wait()
            self._under_way = self._thread.submit(self._write_group, group)

    def _group(self) -> pa.Table:
        table = pa.Table.from_batches(self._waiting, schema=self._schema)
        self._waiting, self._rows, self._bytes = [], 0, 0
        return table

    def _wait(self) -> None:
        if self._under_way is not None:
            self._under_way.result()

    def _write_group(self, table: pa.Table) -> None:
        if self._writer is None:
            self._file = pa.OSFile(str(self._path), "wb")  # of a path, pyarrow looks for the file system
            self._writer = pq.ParquetWriter(self._file, self._schema, **_OPTIONS)
        self._writer.write_table(table, row_group_size=max(1, table.num_rows))

    def __enter__(self) -> GroupWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._wait()
                if self._waiting or self._writer is None:
                    self._write_group(self._group())
        finally:
            self._thread.shutdown()
            if self._writer is not None and self._file is not None:
                self._writer.close()
                self._file.close()
