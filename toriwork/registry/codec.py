"""Packed rows to the columns of the registry, and what is computed later filled in."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa

from toriwork.checks import BANDS, strict_text
from toriwork.registry.columns import cut
from toriwork.registry.legacy import upgrade
from toriwork.registry.rows import (
    DICTIONARY,
    PENDING,
    PUBLISHED,
    RETRACTION,
    RETRACTION_KEY,
    SCHEMA,
    SCHEMA_VERSION,
    STATUSES,
    PackedRow,
    unpack_rows,
    unpack_values,
)
from toriwork.storage import Payload, TableSpec, arrays
from toriwork.storage.frames import Address


class ShapeCodec:
    """Frames of packed rows to columns; what is computed later is filled in from the completions."""

    def open_positions(self, payload: Payload) -> list[int]:
        """Which rows of a frame wait for their Betti numbers."""
        return [position for position, row in enumerate(unpack_rows(payload)) if row.status == PENDING]

    def decode(self, payloads: Sequence[Payload], done: Mapping[Address, bytes]) -> pa.RecordBatch:
        """The rows of some frames as a record batch of ``SCHEMA``."""
        rows: list[PackedRow] = []
        ids: list[str] = []
        times: list[int] = []
        completed: list[bytes | None] = []
        for payload in payloads:
            unpacked = unpack_rows(payload)
            rows += unpacked
            half = payload.journal[:16]
            for position, row in enumerate(unpacked):
                time_ns = payload.time_ns + position
                times.append(time_ns // 1000)
                ids.append(f"{time_ns:016x}{half}")
                address = Address(payload.journal, payload.frame, position)
                completed.append(done.get(address) if row.status == PENDING else None)
        return _batch(rows, ids, times, completed)

    def needle(self, value: str) -> bytes | None:
        """The digest that a shape id is made of; an id of another form is in no journal."""
        try:
            digest = bytes.fromhex(value.removeprefix("shape_"))
        except ValueError:
            return None
        return digest if len(digest) == 16 else None

    def upgrade(self, table: pa.Table) -> pa.Table:
        """A registry that the legacy code wrote, in ``SCHEMA``."""
        return upgrade(table)


def _batch(
    rows: Sequence[PackedRow], ids: Sequence[str], times: Sequence[int], completed: Sequence[bytes | None]
) -> pa.RecordBatch:
    bettis: list[tuple[float, float, float]] = []
    statuses: list[str] = []
    rules: list[str | None] = []
    for row, values in zip(rows, completed, strict=True):
        betti, status, rule = row.betti, row.status, None
        if values is not None:
            betti, status, rule = unpack_values(values)
        bettis.append(betti)
        statuses.append(STATUSES[status])
        rules.append(rule)
    numbers = np.array(bettis, dtype=np.float64).reshape(-1, 3)
    hashes = [row.digest.hex() for row in rows]
    columns = [
        arrays.texts(["shape_" + text for text in hashes]),
        arrays.times(times),
        *(arrays.numbers(numbers[:, k]) for k in range(3)),
        arrays.texts(hashes),
        arrays.texts([BANDS[row.band] for row in rows]),
        arrays.texts([strict_text(row.metadata) for row in rows]),
        arrays.texts([SCHEMA_VERSION] * len(rows)),
        arrays.texts(ids),
        arrays.texts(statuses),
        arrays.texts(rules),
        arrays.texts([row.dtype.str for row in rows]),
        arrays.lists(pa.int64(), [len(row.shape) for row in rows], _axes(rows)),
        _vertex_lists(rows),
        *(pa.nulls(len(rows), SCHEMA.field(name).type) for name in PUBLISHED),
        arrays.texts([_retracts(row) if row.status == RETRACTION else None for row in rows]),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=SCHEMA)


def _retracts(row: PackedRow) -> str:
    row_id = json.loads(row.metadata)[RETRACTION_KEY]["row_id"]
    return str(row_id)


_FLOAT64 = np.dtype("<f8")
_COMPLEX128 = np.dtype("<c16")


def _axes(rows: Sequence[PackedRow]) -> bytes:
    return np.array([axis for row in rows for axis in row.shape], dtype=np.int64).tobytes()


def _vertex_lists(rows: Sequence[PackedRow]) -> pa.Array:
    """All vertices as lists of float64 in C order; complex numbers as real, imaginary; null where not kept."""
    parts = [_float64_bytes(row) if row.kept else b"" for row in rows]
    return arrays.lists(pa.float64(), [len(part) // 8 for part in parts], b"".join(parts), [row.kept for row in rows])


def _float64_bytes(row: PackedRow) -> memoryview | bytes:
    canonical = row.dtype.newbyteorder("<")
    if canonical in (_FLOAT64, _COMPLEX128):
        return row.data
    values = np.frombuffer(row.data, canonical)
    return values.astype(np.complex128 if canonical.kind == "c" else np.float64).tobytes()


SPEC = TableSpec(
    SCHEMA,
    ShapeCodec(),
    row_id="row_id",
    time="timestamp",
    dictionary=DICTIONARY,
    by_hand="toriwork registry publish --path {path}",
    index="shape_id",
    published=PUBLISHED,
    cut=cut,
    group_bytes=4 * 2**20,  # one cloud costs a row group: a few milliseconds
)
