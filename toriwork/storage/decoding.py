"""Frames to columns, where a frame that is no row of the table is an error that names file and frame.

A checksum proves that a frame is what somebody wrote, not that it was written by this table's codec.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa

from toriwork.errors import BadInput, DamagedFile, StoreMismatch
from toriwork.storage.frames import Address, unpack_target

if TYPE_CHECKING:
    from toriwork.storage.spec import Payload, TableSpec

#: what codecs raise on bytes that they did not pack: BadInput is a ValueError, Arrow has an OSError for messages that
#: are none (nothing is read here), lack of memory is none of these
_NO_ROWS = (struct.error, ValueError, LookupError, TypeError, AttributeError, OverflowError, RecursionError, OSError)
_SHOWN = 200


def decode(spec: TableSpec, path: Path, payloads: Sequence[Payload], done: Mapping[Address, bytes]) -> pa.RecordBatch:
    """The rows of some frames of a journal; DamagedFile names a frame that does not hold its rows."""
    try:
        return _decode(spec, payloads, done)
    except MemoryError:
        raise
    except (*_NO_ROWS, pa.ArrowException) as error:
        raise no_rows(path, _first_bad(spec, payloads, done), error) from error


def _decode(spec: TableSpec, payloads: Sequence[Payload], done: Mapping[Address, bytes]) -> pa.RecordBatch:
    batch = spec.codec.decode(payloads, done)
    stated = sum(payload.n_rows for payload in payloads)
    if batch.num_rows != stated:
        raise ValueError(f"expected {stated} rows, got {batch.num_rows}")
    return spec.filled(batch)


def _first_bad(spec: TableSpec, payloads: Sequence[Payload], done: Mapping[Address, bytes]) -> int:
    for payload in payloads:
        if not is_sound(spec, payload, done):
            return payload.frame
    return payloads[0].frame


def is_sound(spec: TableSpec, payload: Payload, done: Mapping[Address, bytes]) -> bool:
    """True when one frame can be decoded."""
    try:
        _decode(spec, [payload], done)
    except MemoryError:
        raise
    except (*_NO_ROWS, pa.ArrowException):
        return False
    return True


def open_positions(spec: TableSpec, path: Path, payload: Payload) -> Sequence[int]:
    """Which rows of an OPEN frame wait for values that are computed later; DamagedFile as :func:`decode`."""
    try:
        return spec.codec.open_positions(payload)
    except _NO_ROWS as error:
        raise no_rows(path, payload.frame, error) from error


def target_of(path: Path, frame: int, payload: bytes) -> tuple[Address, bytes]:
    """The row that a frame completes, and with what; DamagedFile where it names none."""
    try:
        return unpack_target(payload)
    except struct.error as error:
        raise no_rows(path, frame, error) from error


def no_rows(path: Path, frame: int, error: Exception) -> DamagedFile:
    """The error for a frame that is sound and yet no row of the table."""
    return DamagedFile(
        f"{path}: frame {frame} passes its checksum and holds no rows of this table: {str(error)[:_SHOWN]}. Nothing "
        "was changed. If a newer toriwork wrote it, upgrade; else restore the file from a backup, or open with "
        "repair=True, which keeps the other frames and sets the file aside in quarantine/"
    )


def misfit(path: Path, error: BadInput) -> StoreMismatch:
    """The error for a file whose columns are not those of the table."""
    return StoreMismatch(
        f"{path}: {error}. Nothing was changed. If a newer toriwork wrote it, upgrade; else restore the file from a "
        "backup"
    )
