"""The token log: every emission as one row of ``observer_tokens.parquet``, safe once ``append`` returned.

One emission is one frame: a few fixed bytes and the body that was hashed. Columns are made of it when somebody
publishes or reads, so that an emission costs one ``write()`` and nothing else.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.compute as pc

from toriwork.errors import DamagedFile
from toriwork.storage import ParquetTable, Payload, TableSpec, unify
from toriwork.synthesis.canonical import read
from toriwork.synthesis.identity import PREFIX, digest_of, named

if TYPE_CHECKING:
    from pathlib import Path

    from toriwork.storage.frames import Address

SCHEMA = pa.schema(
    [
        ("token_id", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),  # of the emission, by the clock of the store
        ("type", pa.string()),
        ("source", pa.string()),
        ("subject", pa.string()),
        ("refs", pa.list_(pa.string())),
        ("body", pa.string()),  # the bytes that the id is the hash of
        ("given_timestamp", pa.string()),  # what the caller said
        ("sequence", pa.int64()),  # of the emitting ObserverSynthesis
        ("row_id", pa.string()),
    ]
)
# layout version, digest, sequence, bytes of the given time (-1: none), bytes of the body
_ROW = struct.Struct("<B20sQiI")
_LAYOUT = 1


class TokenRow(NamedTuple):
    """One emission, unpacked."""

    digest: bytes
    sequence: int
    given_time: str | None
    body: bytes


def pack(digest: bytes, sequence: int, given_time: str | None, body: bytes) -> bytes:
    """One emission as the payload of a frame."""
    if given_time is None:
        return _ROW.pack(_LAYOUT, digest, sequence, -1, len(body)) + body
    time = given_time.encode("utf-8", "backslashreplace")
    return _ROW.pack(_LAYOUT, digest, sequence, len(time), len(body)) + time + body


def unpack(payload: Payload) -> list[TokenRow]:
    """The emissions of a frame."""
    rows, at = [], 0
    for _ in range(payload.n_rows):
        layout, digest, sequence, n_time, n_body = _ROW.unpack_from(payload.data, at)
        if layout != _LAYOUT:
            raise DamagedFile(
                f"journal {payload.journal}, frame {payload.frame}: token layout {layout} is not known; "
                "a newer version may have written it"
            )
        at += _ROW.size
        time = None if n_time < 0 else str(payload.data[at : at + n_time], "utf-8")
        at += max(0, n_time)
        rows.append(TokenRow(digest, sequence, time, bytes(payload.data[at : at + n_body])))
        at += n_body
    return rows


class TokenCodec:
    """Frames of emissions to columns."""

    def decode(self, payloads: Sequence[Payload], done: Mapping[Address, bytes]) -> pa.RecordBatch:
        """The emissions of some frames, in order."""
        rows = [row for payload in payloads for row in unpack(payload)]
        times = [payload.time_ns + position for payload in payloads for position in range(payload.n_rows)]
        halves = [payload.journal[:16] for payload in payloads for _ in range(payload.n_rows)]
        cores = [read(row.body) for row in rows]
        columns = {
            "token_id": [PREFIX + row.digest.hex() for row in rows],
            "timestamp": [time_ns // 1000 for time_ns in times],
            **{name: [named(core[name]) for core in cores] for name in ("type", "source", "subject")},
            "refs": [core["refs"] for core in cores],
            "body": [row.body for row in rows],
            "given_timestamp": [row.given_time for row in rows],
            "sequence": [row.sequence for row in rows],
            "row_id": [f"{time_ns:016x}{half}" for time_ns, half in zip(times, halves, strict=True)],
        }
        return pa.RecordBatch.from_pydict(columns, schema=SCHEMA)

    def open_positions(self, payload: Payload) -> Sequence[int]:
        """No row waits for anything."""
        return ()

    def upgrade(self, table: pa.Table) -> pa.Table:
        """A log of an older version, columns that it lacks as nulls."""
        return unify(table, SCHEMA)


SPEC = TableSpec(SCHEMA, TokenCodec(), row_id="row_id", time="timestamp", dictionary=("type", "source"))


class TokenLog:
    """The log in one file; any number of handles, threads and processes may emit into it at once.

    Raises
    ------
    DamagedFile, StoreMismatch, VersionTooOld, LockUnavailable
        The files cannot be used as they are; nothing was changed, the message has the remedy.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._table = ParquetTable(path, SPEC)
        self._append = self._table.append

    @property
    def path(self) -> Path:
        """The public file."""
        return self._table.path

    @property
    def closed(self) -> bool:
        """Whether the log was closed."""
        return self._table.closed

    def append(self, digest: bytes, sequence: int, given_time: str | None, body: bytes) -> None:
        """Return when the emission survives the death of the process."""
        self._append(pack(digest, sequence, given_time, body))

    def rows(self) -> pa.Table:
        """Every emission in the order of the clock, unpublished ones included."""
        batches = list(self.batches(None))
        return pa.Table.from_batches(batches, schema=SCHEMA).sort_by("row_id")

    def body_of(self, token: str) -> bytes | None:
        """The body that stands in the log under a token, or None; one that does not hash to it is preferred."""
        found: bytes | None = None
        for batch in self.batches(["token_id", "body"]):
            for text in set(batch.filter(pc.equal(batch["token_id"], token))["body"].to_pylist()):
                found = bytes(text, "utf-8")
                if PREFIX + digest_of(found).hex() != token:
                    return found
        return found

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Every emission in batches, unpublished ones last; within a batch in the order of the clock."""
        with self._table.view() as view:
            yield from view.base_batches(columns)
            for batch in view.pending_batches():
                yield batch if columns is None else batch.select(columns)

    def flush(self, publish: bool | None = None) -> None:
        """Return when every emission before survives a power cut; ``publish=True``: when the public file has it."""
        self._table.flush(publish)

    def close(self) -> None:
        """Flush and give up the files; more calls do nothing."""
        self._table.close()
