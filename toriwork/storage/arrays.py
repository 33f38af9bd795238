"""Arrow arrays straight from buffers: ``pa.array`` imports pandas to look whether it was given a Series.

That costs 0.3 s and 40 MB in a process that only records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray


def texts(values: Sequence[str | None]) -> pa.Array:
    """An array of text; None is null."""
    present = np.fromiter((value is not None for value in values), dtype=bool, count=len(values))
    return encoded([b"" if value is None else value.encode() for value in values], present)


def encoded(parts: Sequence[bytes], present: NDArray[np.bool_] | None = None) -> pa.Array:
    """An array of text that is given as UTF-8, which is not checked; ``present`` is False for null ones."""
    offsets = _offsets([len(part) for part in parts])
    validity = None if present is None else _validity(present)
    return pa.Array.from_buffers(
        pa.string(), len(parts), [validity, pa.py_buffer(offsets), pa.py_buffer(b"".join(parts))]
    )


def text_lists(values: Sequence[Sequence[str]]) -> pa.Array:
    """An array of lists of text."""
    offsets = _offsets([len(value) for value in values])
    flat = texts([text for value in values for text in value])
    buffers = [None, pa.py_buffer(offsets)]
    return pa.Array.from_buffers(pa.list_(pa.string()), len(values), buffers, children=[flat])


def integers(values: ArrayLike, of: pa.DataType) -> pa.Array:
    """An array of whole numbers of a type; its NumPy type is not asked for, pyarrow 18 loads pandas for the answer."""
    flat = np.ascontiguousarray(values, dtype=f"{'i' if pa.types.is_signed_integer(of) else 'u'}{of.bit_width // 8}")
    return pa.Array.from_buffers(of, len(flat), [None, pa.py_buffer(flat)])


def numbers(values: NDArray[np.float64]) -> pa.Array:
    """An array of float64; NaN is null."""
    flat = np.ascontiguousarray(values)
    return pa.Array.from_buffers(pa.float64(), len(flat), [_validity(~np.isnan(flat)), pa.py_buffer(flat)])


def plain(values: Sequence[Any], of: pa.DataType) -> pa.Array:
    """An array of text, truth values, numbers, or times in microseconds since 1970; None is null."""
    if pa.types.is_string(of):
        return texts(values)
    present = np.fromiter((value is not None for value in values), dtype=bool, count=len(values))
    if pa.types.is_boolean(of):
        data = np.packbits(np.array([bool(value) for value in values], dtype=bool), bitorder="little")
    else:
        flat = [0 if value is None else value for value in values]
        data = np.array(flat, dtype=np.float64 if pa.types.is_floating(of) else np.int64)
    return pa.Array.from_buffers(of, len(values), [_validity(present), pa.py_buffer(data)])


def float64_of(values: pa.Array) -> NDArray[np.float64]:
    """The numbers of an array of float64 without nulls; they stay where they are, read-only."""
    data = values.buffers()[1]
    flat = np.frombuffer(b"" if data is None else data, np.float64)
    return flat[values.offset : values.offset + len(values)]


def times(micros: Sequence[int]) -> pa.Array:
    """An array of UTC times, given in microseconds since 1970."""
    flat = np.array(micros, dtype=np.int64)
    return pa.Array.from_buffers(pa.timestamp("us", tz="UTC"), len(flat), [None, pa.py_buffer(flat)])


def lists(of: pa.DataType, lengths: Sequence[int], values: bytes, present: Sequence[bool] | None = None) -> pa.Array:
    """An array of lists of 8-byte numbers; ``values`` holds those of all lists, ``present`` is False for null ones."""
    offsets = _offsets(lengths)
    flat = pa.Array.from_buffers(of, int(offsets[-1]), [None, pa.py_buffer(values)])
    validity = None if present is None else _validity(np.array(present, dtype=bool))
    buffers = [validity, pa.py_buffer(offsets)]
    return pa.Array.from_buffers(pa.list_(of), len(lengths), buffers, children=[flat])


def _offsets(lengths: Sequence[int]) -> NDArray[np.int32]:
    offsets = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return offsets.astype(np.int32)


def _validity(present: NDArray[np.bool_]) -> pa.Buffer | None:
    """The bit map of what is not null, or None when everything is there."""
    return None if present.all() else pa.py_buffer(np.packbits(present, bitorder="little"))
