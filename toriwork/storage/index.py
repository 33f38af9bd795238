"""A sorted index of one column, kept in the Parquet file between the row groups and the footer.

Parquet has statistics and Bloom filters, which say where a value is not. For an id that may be anywhere, this says
where it is: the rows that one publish added, sorted by a hash of the value and within equal hashes by the time in the
row id, in blocks with a checksum each. A look-up reads the first hash of every block and then one block. Other readers
never see these bytes, since no row group refers to them. A hash is only a hint: whoever asks compares the value in the
row itself.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any
from zlib import crc32

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from toriwork.storage import arrays

if TYPE_CHECKING:
    from toriwork.storage.handles import Handle

_MAGIC = b"TwIx0001"
_BLOCK = 512  #: entries: 6 kB
_WIDTH = 16  #: bytes at the end of a value that its hash is made of, and hex digits of the time in a row id
_CHUNK = 65_536
_FACTORS = np.array([0x9E3779B97F4A7C15, 0xC2B2AE3D27D4EB4F], np.uint64)

Hashes = NDArray[np.uint64]


class BadIndex(ValueError):
    """The bytes are no index, or fail their checksum."""


def hashes(values: pa.Array) -> Hashes:
    """(n,) 64-bit hashes of an array of text: of the last 16 bytes of each and its length, equal in every process."""
    text = values.cast(pa.string()) if pa.types.is_dictionary(values.type) else values
    found = np.empty(len(text), np.uint64)
    for start in range(0, len(text), _CHUNK):
        ends, lengths, data = _buffers(text.slice(start, _CHUNK))
        words = _gather(data, ends[:, None] - _WIDTH + np.arange(_WIDTH), (ends - lengths)[:, None], ends[:, None])
        mixed = words.view(np.uint64).reshape(-1, 2) * _FACTORS
        mixed ^= mixed >> np.uint64(29)
        found[start : start + len(ends)] = (mixed[:, 0] ^ (mixed[:, 1] << np.uint64(1))) + lengths.astype(np.uint64)
    return found


def hash_of(value: str) -> int:
    """The hash of one value."""
    return int(hashes(arrays.texts([value]))[0])  # pa.array would import pandas


def times_of(row_ids: pa.Array) -> NDArray[np.uint64]:
    """(n,) the first 16 hex digits of each row id as a number, 0 for what is none."""
    found = np.zeros(len(row_ids), np.uint64)
    for start in range(0, len(row_ids), _CHUNK):
        ends, lengths, data = _buffers(row_ids.slice(start, _CHUNK))
        starts = (ends - lengths)[:, None]
        digits = _DIGITS[_gather(data, starts + np.arange(_WIDTH), starts, ends[:, None])]
        value = (digits[:, ::2] << 4 | digits[:, 1::2] & 15).view(">u8").ravel().astype(np.uint64)
        value[(digits > 15).any(axis=1)] = 0
        found[start : start + len(ends)] = value
    return found


_DIGITS = np.full(256, 99, np.uint8)
_DIGITS[np.frombuffer(b"0123456789abcdef", np.uint8)] = np.arange(16)


def _buffers(values: pa.Array) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.uint8]]:
    """Ends and lengths of some texts in their data; a null is empty."""
    _, offsets, data = values.buffers()
    if offsets is None or not len(values):
        empty = np.zeros(len(values), np.int64)
        return empty, empty, np.zeros(1, np.uint8)
    wide = np.int64 if pa.types.is_large_string(values.type) else np.int32
    edges = np.frombuffer(offsets, wide)[values.offset : values.offset + len(values) + 1].astype(np.int64)
    raw = np.frombuffer(data, np.uint8) if data is not None and data.size else np.zeros(1, np.uint8)
    return edges[1:], np.diff(edges), raw


def _gather(data: NDArray[np.uint8], places: Any, first: Any, end: Any) -> NDArray[np.uint8]:
    inside = (places >= first) & (places < end)
    return np.where(inside, data[np.clip(places, 0, len(data) - 1)], 0).astype(np.uint8)


def pack_index(keys: Sequence[Hashes], times: Sequence[NDArray[np.uint64]]) -> bytes:
    """The bytes of an index over rows that are given in their order, as hashes and times in pieces."""
    key = np.concatenate([np.empty(0, np.uint64), *keys])
    order = np.lexsort((np.concatenate([np.empty(0, np.uint64), *times]), key))
    key = key[order]
    rows = order.astype("<u4")
    fences = key[::_BLOCK].astype("<u8").tobytes()
    parts = [_MAGIC, fences, _checksum(fences)]
    for start in range(0, len(key), _BLOCK):
        block = key[start : start + _BLOCK].astype("<u8").tobytes() + rows[start : start + _BLOCK].tobytes()
        parts += (block, _checksum(block))
    return b"".join(parts)


def _checksum(data: bytes) -> bytes:
    return crc32(data).to_bytes(4, "little")


def find(handle: Handle, offset: int, n_rows: int, key: int) -> Iterator[int]:
    """The rows of an index whose value has a hash, the newest first; blocks are read as they are needed."""
    n_blocks = -(-n_rows // _BLOCK)
    front = handle.read_at(offset, len(_MAGIC) + 8 * n_blocks + 4)
    if front[: len(_MAGIC)] != _MAGIC:
        raise BadIndex(f"expected an index at byte {offset}, got other bytes")
    fences = np.frombuffer(_checked(front[len(_MAGIC) :], 8 * n_blocks, offset), "<u8")
    wanted = np.uint64(key)
    last = int(np.searchsorted(fences, wanted, side="right")) - 1
    start = offset + len(front)
    for block in range(last, -1, -1):
        n_entries = min(_BLOCK, n_rows - block * _BLOCK)
        raw = _checked(handle.read_at(start + block * (12 * _BLOCK + 4), 12 * n_entries + 4), 12 * n_entries, offset)
        keys, rows = np.frombuffer(raw, "<u8", n_entries), np.frombuffer(raw, "<u4", n_entries, 8 * n_entries)
        low, high = np.searchsorted(keys, wanted, side="left"), np.searchsorted(keys, wanted, side="right")
        yield from rows[low:high][::-1].tolist()
        if low:
            return


def _checked(data: bytes, size: int, offset: int) -> bytes:
    if len(data) != size + 4 or _checksum(data[:size]) != data[size:]:
        raise BadIndex(f"the index at byte {offset} fails its checksum")
    return data[:size]
