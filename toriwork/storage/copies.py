"""A table made of rows that come from elsewhere, as a backup: restoring it is the one way into a state root."""

from __future__ import annotations

import datetime as dt
import secrets
import time
from collections.abc import Iterable
from contextlib import closing, suppress
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from toriwork.storage.access import typed
from toriwork.storage.columns import ParquetSource
from toriwork.storage.files import OsFiles, write_whole
from toriwork.storage.footer import Facts
from toriwork.storage.manifest import MANIFEST_SUFFIX, Backup, sha256_of
from toriwork.storage.paths import SUFFIX, TEMPORARY_SUFFIX
from toriwork.storage.sink import ParquetSink
from toriwork.storage.spec import unify

if TYPE_CHECKING:
    from toriwork.storage.spec import TableSpec


def copy_of(batches: Iterable[pa.RecordBatch], spec: TableSpec, folder: Path, table: str) -> Backup:
    """The backup of rows as they come, a new store of its own; their generations stay, and its own is behind them."""
    now = dt.datetime.now(dt.UTC)
    name = f"{table.removesuffix(SUFFIX)}-{now:%Y%m%dT%H%M%S%fZ}"
    files, store_id, generation = OsFiles(), secrets.token_hex(16), 0
    temporary = folder / f".{name}{TEMPORARY_SUFFIX}"
    with typed(folder):
        files.make_folder(folder)
        try:
            with closing(files.create(temporary)) as handle:
                sink = ParquetSink(handle, temporary, spec.schema, spec.dictionary, spec.group_bytes, keys=spec.keys)
                for batch in batches:
                    for piece in unify(pa.Table.from_batches([batch]), spec.schema).to_batches():
                        generation = max(generation, _highest(piece, spec))
                        sink.write(piece)
                facts = Facts(
                    store_id,
                    generation=generation + 1,
                    published_us=time.time_ns() // 1000,
                    columns=spec.columns,
                )
                sink.close(facts)
                handle.sync()
                source = ParquetSource(handle, temporary)
                made = Backup(
                    folder, name, name.rpartition("-")[0], now.isoformat(), source.n_rows, 0, store_id, generation + 1,
                    source.stat.size, sha256_of(handle),
                )  # fmt: skip
            files.replace(temporary, made.path)
            files.sync_folder(folder)
            write_whole(files, folder / (name + MANIFEST_SUFFIX), made.to_json().encode())
        except BaseException:
            with suppress(OSError):  # the first error is the one to tell
                files.unlink(temporary)
            raise
    return made


def _highest(batch: pa.RecordBatch, spec: TableSpec) -> int:
    return int(pc.max(batch[spec.published[0]]).as_py() or 0) if spec.published else 0
