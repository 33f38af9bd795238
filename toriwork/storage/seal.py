"""Segments: journals that were closed, turned into columns. Sealing never removes a journal (only publishing does)."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from toriwork.errors import LockUnavailable
from toriwork.storage import arrays
from toriwork.storage.decoding import decode
from toriwork.storage.footer import Facts
from toriwork.storage.pending import ADDRESS_FIELDS, SEGMENT_SUFFIX, PendingJournal, payload_groups
from toriwork.storage.sink import ParquetSink
from toriwork.storage.snapshot import Snapshot

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.frames import Address
    from toriwork.storage.paths import StorePaths
    from toriwork.storage.spec import Payload, TableSpec

TEMPORARY_SUFFIX = ".segment.new"


def seal(
    files: Files,
    paths: StorePaths,
    spec: TableSpec,
    store_id: str,
    journals: Sequence[PendingJournal],
    done: Mapping[Address, bytes],
) -> Path:
    """The new segment that holds all rows of some closed journals; it is on the disk when this returns."""
    name = secrets.token_hex(16)
    temporary = paths.folder / (name + TEMPORARY_SUFFIX)
    path = paths.folder / (name + SEGMENT_SUFFIX)
    handle = files.create(temporary)
    try:
        if not handle.try_lock():  # locked: so that nobody takes it for the remains of a dead process
            raise LockUnavailable(f"{temporary}: could not be locked")
        dictionary = (*spec.dictionary, ADDRESS_FIELDS[0].name)
        sink = ParquetSink(handle, temporary, segment_schema(spec), dictionary, spec.group_bytes, keys=spec.keys)
        for journal in journals:
            for batch in addressed_batches(spec, journal, done):
                sink.write(batch)
        covers = {journal.id: (journal.after + 1, journal.last_frame) for journal in journals}
        created_ns = min(journal.created_ns for journal in journals)
        sink.close(Facts(store_id, covers=covers, created_ns=created_ns))
        handle.sync()
        files.replace(temporary, path)
        files.sync_folder(paths.folder)
    except BaseException:
        with contextlib.suppress(OSError):  # the first error is the one to tell
            files.unlink(temporary)
            files.unlink(path)  # the journals are still there, and the next try seals them under another name
        raise
    finally:
        handle.close()
    return path


def is_needed(journal: PendingJournal, snapshot: Snapshot) -> bool:
    """True when a journal completes, or notes an attempt at, rows that are in another journal only.

    Nobody reads a journal any more that a segment holds, so it stays a journal until those rows have a segment or are
    public.
    """
    after = {other.id: other.after for other in snapshot.journals if other.id != journal.id}
    return any(
        address.frame > after[address.journal]
        for address in (*journal.done, *journal.attempts)
        if address.journal in after
    )


def segment_schema(spec: TableSpec) -> pa.Schema:
    """The table's columns and the address of each row."""
    return pa.schema([*spec.schema, *ADDRESS_FIELDS])


def addressed_batches(
    spec: TableSpec, journal: PendingJournal, done: Mapping[Address, bytes]
) -> Iterator[pa.RecordBatch]:
    """The rows of a journal with their addresses."""
    for payloads in payload_groups(journal):
        batch = decode(spec, journal.path, payloads, done)
        yield pa.RecordBatch.from_arrays([*batch.columns, *_addresses(payloads)], schema=segment_schema(spec))


def _addresses(payloads: Sequence[Payload]) -> list[pa.Array]:
    counts = [payload.n_rows for payload in payloads]
    numbers = np.repeat(np.array([payload.frame for payload in payloads], dtype=np.int64), counts)
    positions = np.concatenate([np.arange(count, dtype=np.int32) for count in counts])
    names = arrays.encoded([payloads[0].journal.encode()] * len(numbers))
    return [names, arrays.integers(numbers, pa.int64()), arrays.integers(positions, pa.int32())]
