"""How one recorded shape becomes bytes in a journal and a row in a table.

The layout of a row's bytes is fixed by ``_ROW``; the columns by ``SCHEMA``. Everything that a reader of schema v1
knows is there under the same name, with the same meaning.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping, Sequence, Set
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from toriwork.checks import BANDS, check_band, metadata_text, shown
from toriwork.errors import BadInput
from toriwork.storage.frames import MAX_PAYLOAD
from toriwork.storage.spec import Payload
from toriwork.topology.clouds import Cloud, seeded_hash

SCHEMA_VERSION = "v1"
V1_COLUMNS = (
    "shape_id",
    "timestamp",
    "betti0",
    "betti1",
    "betti2",
    "vertices_hash",
    "coherence_band",
    "metadata",
    "_schema",
)
SCHEMA = pa.schema(
    [
        ("shape_id", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("betti0", pa.float64()),
        ("betti1", pa.float64()),
        ("betti2", pa.float64()),
        ("vertices_hash", pa.string()),
        ("coherence_band", pa.string()),
        ("metadata", pa.string()),
        ("_schema", pa.string()),
        ("row_id", pa.string()),
        ("betti_status", pa.string()),
        ("betti_rule", pa.string()),
        ("vertices_dtype", pa.string()),
        ("vertices_shape", pa.list_(pa.int64())),
        ("vertices", pa.list_(pa.float64())),
        ("generation", pa.int64()),  # of the publish that brought the row, and its time; null until then
        ("published", pa.timestamp("us", tz="UTC")),
        ("retracts", pa.string()),  # of a retraction: the row id that it marks
    ]
)
PUBLISHED = ("generation", "published")
DICTIONARY = ("coherence_band", "_schema", "betti_status", "vertices_dtype", "metadata")

#: where the Betti numbers of a row come from, or why they are missing; the code is the index
STATUSES = (
    "pending",
    "given",
    "computed",
    "undecided",
    "failed",
    "too_large",
    "spectrum",
    "not_computed",
    "retraction",
)
PENDING, GIVEN, COMPUTED, UNDECIDED, FAILED, TOO_LARGE, SPECTRUM, NOT_COMPUTED, RETRACTION = range(len(STATUSES))

#: element types that a list of float64 holds exactly; the code is the index
_DTYPES = tuple(np.dtype(name) for name in "<f8 <f4 <f2 i1 <i2 <i4 <i8 u1 <u2 <u4 <u8 <c16 <c8 ?".split())
_CODE = {dtype: code for code, dtype in enumerate(_DTYPES)}
_BIG_ENDIAN = 0x80  #: of the dtype code
_NOT_KEPT = 0x80  #: of the number of axes: the vertices are only there for computing
_EXACT_INTEGER = 2**53

# band, status, dtype code, number of axes, bytes of metadata, bytes of vertices, three Betti numbers, digest
_ROW = struct.Struct("<BBBBII3d16s")
_VALUES = struct.Struct("<3dB")
UNKNOWN = (float("nan"),) * 3
_BAND_CODE = {band: code for code, band in enumerate(BANDS)}


class Shape(NamedTuple):
    """One cloud or spectrum, checked and packed."""

    shape_id: str
    parts: tuple[bytes, ...]  #: the row's bytes in order; joined where they are needed
    is_open: bool  #: whether its Betti numbers are computed later

    @property
    def row(self) -> bytes:
        """The bytes for a frame."""
        return b"".join(self.parts)


class _Layout(NamedTuple):
    """The part that depends on dtype and shape alone, worked out once for all clouds of the same layout."""

    code: int
    axes: bytes
    seeded: Any  #: a BLAKE2b that has seen dtype and shape
    canonical: np.dtype[Any]
    finite_check: bool
    integer_check: bool
    spectrum: bool


_LAYOUTS: dict[tuple[np.dtype[Any], tuple[int, ...]], _Layout] = {}
_MANY_LAYOUTS = 4096


def _layout(dtype: np.dtype[Any], shape: tuple[int, ...]) -> _Layout:
    canonical = dtype.newbyteorder("<") if dtype.byteorder == ">" else dtype
    code = _CODE.get(canonical)
    if code is None:
        raise BadInput(
            f"vertices: expected float16/32/64, complex64/128, bool or an integer type, got dtype {dtype}, "
            "which cannot be stored exactly"
        )
    if len(shape) not in (1, 2) or (len(shape) == 2 and shape[1] == 0):
        raise BadInput(f"vertices: expected shape (n_points, dim) or a 1-D spectrum, got {shape}")
    n_bytes = math.prod(shape) * canonical.itemsize
    if n_bytes > MAX_PAYLOAD:  # before anything is copied: an array without strides of its own may stand for terabytes
        raise BadInput(f"vertices: expected at most {MAX_PAYLOAD:,} bytes, got {n_bytes:,}")
    axes = struct.pack(f"<{len(shape)}Q", *shape)
    seeded = seeded_hash(_DTYPES[code], shape)
    if dtype.byteorder == ">":
        code |= _BIG_ENDIAN
    kind = canonical.kind
    exact = canonical.itemsize == 8 and kind in "iu"
    found = _Layout(code, axes, seeded, canonical, kind in "fc", exact, len(shape) == 1 or kind == "c")
    if len(_LAYOUTS) >= _MANY_LAYOUTS:
        _LAYOUTS.clear()
    _LAYOUTS[dtype, shape] = found
    return found


def pack_shape(
    vertices: Any,
    betti_numbers: Any,
    band: str,
    metadata: Mapping[str, Any] | None,
    *,
    keep_vertices: bool = True,
    allow_nonfinite: bool = False,
    compute: bool = True,
    check: Callable[[str], None] | None = None,
) -> Shape:
    """A cloud or spectrum as the bytes of one row, with its content id; a ``Cloud`` was checked and is hashed once.

    BadInput where vertices, Betti numbers, band or metadata are not usable; ``check`` has more to say of the JSON text.
    """
    cloud = vertices if type(vertices) is Cloud else None
    if cloud is not None:
        array = cloud.array
    else:
        array = vertices if type(vertices) is np.ndarray else _as_array(vertices)
    layout = _LAYOUTS.get((array.dtype, array.shape)) or _layout(array.dtype, array.shape)
    if layout.code & _BIG_ENDIAN:
        array = array.astype(layout.canonical)
    if cloud is None and layout.finite_check:
        # looking for a zero byte among the truth values costs half of .all() on a small cloud
        if not allow_nonfinite and np.isfinite(array).tobytes().find(0) >= 0:
            _refuse_nonfinite(array)
    elif layout.integer_check:
        _require_exact(array)
    data = array.tobytes()
    if cloud is not None:
        digest = cloud.digest
    else:
        hashed = layout.seeded.copy()
        hashed.update(data)
        digest = hashed.digest()
    betti = None if betti_numbers is None else _given(betti_numbers)
    if betti is None:
        betti = UNKNOWN
        status = SPECTRUM if layout.spectrum else PENDING
        if status == PENDING and not compute:
            status = NOT_COMPUTED
    else:
        status = GIVEN
    try:
        band_code = _BAND_CODE[band]
    except (KeyError, TypeError):  # TypeError: a list, say
        band_code = _BAND_CODE[check_band(band)]
    note = _note(metadata, check) if metadata else b""
    stored = keep_vertices or status == PENDING  # what is still to be computed needs its vertices until then
    head = _ROW.pack(
        band_code,
        status,
        layout.code,
        len(array.shape) if keep_vertices else len(array.shape) | _NOT_KEPT,
        len(note),
        len(data) if stored else 0,
        *betti,
        digest,
    )
    return Shape("shape_" + digest.hex(), (head, layout.axes, note, data if stored else b""), status == PENDING)


def _note(metadata: Mapping[str, Any], check: Callable[[str], None] | None) -> bytes:
    text = metadata_text(metadata)
    if check is not None:
        check(text)
    return text.encode()


RETRACTION_KEY = "retraction"  #: of the metadata of a retraction: ``row_id`` and ``reason``


def pack_retraction(row: Mapping[str, Any], reason: str) -> bytes:
    """The bytes of a row that marks another one, of which id, hash and band are given, as retracted."""
    text = metadata_text({RETRACTION_KEY: {"row_id": row["row_id"], "reason": reason}}).encode()
    try:
        digest = bytes.fromhex(row["vertices_hash"])
    except ValueError:  # of legacy code
        digest = b""
    head = _ROW.pack(_BAND_CODE[row["coherence_band"]], RETRACTION, 0, 1 | _NOT_KEPT, len(text), 0, *UNKNOWN, digest)
    return head + struct.pack("<Q", 0) + text


def _as_array(vertices: Any) -> NDArray[Any]:
    if isinstance(vertices, np.ma.MaskedArray):
        raise BadInput("vertices: expected an array without masked entries; fill them or drop their rows first")
    try:
        return np.asarray(vertices)
    except ValueError as error:
        raise BadInput(f"vertices: expected a rectangular array of numbers: {error}") from error


def _refuse_nonfinite(array: NDArray[Any]) -> None:
    row = int(np.argmin(np.isfinite(array).reshape(len(array), -1).all(axis=1)))
    raise BadInput(
        f"vertices: row {row} is not finite: {array[row].tolist()}; allow_nonfinite=True stores it as it is, "
        "without Betti numbers"
    )


def _require_exact(array: NDArray[Any]) -> None:
    if array.size and max(int(array.max()), -int(array.min())) > _EXACT_INTEGER:
        raise BadInput(
            f"vertices: expected integers up to 2**53, which are stored exactly, got {array.min()} to {array.max()}"
        )


def _given(betti_numbers: Any) -> tuple[float, float, float] | None:
    """Up to three Betti numbers that the caller gave, None where there are none; None and NaN mean unknown."""
    kind = type(betti_numbers)
    # a text, a set or a mapping says nothing about which number is which
    listed = kind is list or kind is tuple or not isinstance(betti_numbers, str | bytes | bytearray | Set | Mapping)
    try:
        n_given = len(betti_numbers) if listed else -1
    except TypeError:
        n_given = -1
    if n_given < 0:
        raise BadInput(f"betti_numbers: expected a sequence of up to three numbers >= 0, got {shown(betti_numbers)}")
    if not n_given:
        return None
    if n_given > 3:
        raise BadInput(f"betti_numbers: expected at most three (b0, b1, b2), got {n_given}")
    numbers = [*UNKNOWN]
    try:
        for at, value in enumerate(betti_numbers):
            if value is not None:
                if isinstance(value, str | bytes | bytearray):
                    raise TypeError("a text is no number")
                numbers[at] = float(value)
    except (TypeError, ValueError, OverflowError, IndexError) as error:
        raise BadInput(f"betti_numbers: expected numbers, got {shown(betti_numbers)}") from error
    b0, b1, b2 = numbers
    if b0 < 0.0 or b1 < 0.0 or b2 < 0.0 or math.inf in numbers:
        raise BadInput(f"betti_numbers: expected numbers >= 0, got {shown(betti_numbers)}")
    return b0, b1, b2


def pack_values(numbers: Sequence[float], status: int, rule: str) -> bytes:
    """The completion of a row: up to three Betti numbers (NaN: not decided), their status, the rule as JSON."""
    b0, b1, b2 = (*numbers, *UNKNOWN)[:3]
    return _VALUES.pack(b0, b1, b2, status) + rule.encode()


def unpack_values(values: bytes) -> tuple[tuple[float, float, float], int, str]:
    """The Betti numbers, the status code and the rule that a completion holds."""
    b0, b1, b2, status = _VALUES.unpack_from(values)
    return (b0, b1, b2), status, values[_VALUES.size :].decode()


class PackedRow(NamedTuple):
    """One row of a frame, unpacked; ``data`` are the little-endian bytes of the vertices."""

    band: int
    status: int
    dtype: np.dtype[Any]
    shape: tuple[int, ...]
    betti: tuple[float, float, float]
    digest: bytes
    metadata: str
    data: memoryview
    kept: bool
    size: int  #: bytes in the frame

    @property
    def open(self) -> bool:
        """True when its Betti numbers are computed later."""
        return self.status == PENDING

    def vertices(self) -> NDArray[Any]:
        """The array as it was given."""
        return np.frombuffer(self.data, self.dtype.newbyteorder("<")).astype(self.dtype).reshape(self.shape)


def unpack_rows(payload: Payload) -> list[PackedRow]:
    """The rows of one frame; ValueError or struct.error where the bytes are not those of so many rows."""
    found = rows_in(payload.data)
    if len(found) != payload.n_rows:
        raise ValueError(f"expected {payload.n_rows} rows in {len(payload.data)} bytes, got {len(found)}")
    return found


def rows_in(data: memoryview) -> list[PackedRow]:
    """All rows of a payload; see :func:`unpack_rows`."""
    found: list[PackedRow] = []
    at, end = 0, len(data)
    while at < end:
        start = at
        band, status, code, axes, n_text, n_data, b0, b1, b2, digest = _ROW.unpack_from(data, at)
        at += _ROW.size
        n_axes = axes & ~_NOT_KEPT
        shape = struct.unpack_from(f"<{n_axes}Q", data, at)
        at += 8 * n_axes
        text = str(data[at : at + n_text], "utf-8") if n_text else "{}"
        at += n_text
        dtype = _DTYPES[code & ~_BIG_ENDIAN]
        if code & _BIG_ENDIAN:
            dtype = dtype.newbyteorder(">")
        kept = not axes & _NOT_KEPT
        values = data[at : at + n_data]
        at += n_data
        row = PackedRow(band, status, dtype, shape, (b0, b1, b2), digest, text, values, kept, at - start)
        if band >= len(BANDS) or status >= len(STATUSES) or n_axes not in (1, 2) or at > end:
            raise ValueError(f"row {len(found)}: got band {band}, status {status}, {n_axes} axes, end {at} of {end}")
        if (kept or n_data) and n_data != math.prod(shape) * dtype.itemsize:
            raise ValueError(f"row {len(found)}: expected vertices of {dtype} and shape {shape}, got {n_data} bytes")
        found.append(row)
    return found


def restore_vertices(values: NDArray[np.float64], dtype: str, shape: Sequence[int]) -> NDArray[Any]:
    """The array that was recorded, from a stored list of float64: same dtype, same shape, same bits."""
    wanted = np.dtype(dtype)
    flat = np.ascontiguousarray(values, dtype=np.float64)
    if wanted.kind == "c":
        flat = flat.view(np.complex128)  # real, imaginary pairs
    return flat.astype(wanted).reshape(tuple(shape))
