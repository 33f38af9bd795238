"""A cell of somebody's table, or a value of somebody's JSON, as the numbers that it stands for; never a guess.

Numbers are kept as ``numpy.save`` wrote them, as the bytes of an array, as JSON or as text with commas. A pickle is
never loaded: loading one runs what is in it.
"""

from __future__ import annotations

import io
import json
import re
import zlib
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.sqlite.values import Text

_MAX_UNPACKED = 2**28
_SEPARATORS = re.compile(r"[\s,;]+")
_NPY = b"\x93NUMPY"
_PLAUSIBLE = (1e-30, 1e30)  #: sizes of numbers that somebody measured
_USUAL = (1e-9, 1e9)
_MOST = 0.95
_INNER = ("data", "values", "eigenvalues", "real")
_WIDTHS = {"<f8": 8, "<f4": 4, "<c16": 16, "<c8": 8}


def numbers(cell: Any, dtype: str = "", count: int | None = None) -> NDArray[Any]:
    """The numbers of a cell: (n,) float64 or complex128, exactly as they were written.

    Parameters
    ----------
    cell : bytes, str, list or number
        Text of a database comes as :class:`~toriwork.sqlite.values.Text`.
    dtype : str
        What another column says about the type of the bytes, "" when none does.
    count : int, optional
        What another column says about how many numbers there are.

    Raises
    ------
    BadInput
        It is none of the forms, or a pickle.
    """
    if isinstance(cell, Text):
        cell = cell.decode("utf-8", "strict") if _is_text(cell) else bytes(cell)
    if isinstance(cell, bytes | bytearray | memoryview):
        return _of_bytes(bytes(cell), dtype, count)
    if isinstance(cell, str):
        return _of_text(cell)
    return _of_json(cell)


def _is_text(cell: bytes) -> bool:
    try:
        cell.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _of_bytes(cell: bytes, dtype: str, count: int | None) -> NDArray[Any]:
    cell = _unpacked(cell)
    if cell.startswith(_NPY):
        return _flat(np.load(io.BytesIO(cell), allow_pickle=False))
    if _is_pickle(cell):
        raise BadInput("a pickle, which is not loaded: loading one runs what is in it")
    if cell[:1] in (b"[", b"{") and _is_text(cell):
        try:
            return _of_text(cell.decode("utf-8"))
        except BadInput:
            return _raw(cell, dtype, count)  # numbers that only begin like this
    return _raw(cell, dtype, count)


def _is_pickle(cell: bytes) -> bool:
    return cell[:1] == b"\x80" and cell[1:2] in b"\x02\x03\x04\x05" and cell.endswith(b".")


def _unpacked(cell: bytes) -> bytes:
    """What zlib packed, else the bytes themselves."""
    if cell[:2] not in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        return cell
    unpacker = zlib.decompressobj()
    try:
        inner = unpacker.decompress(cell, _MAX_UNPACKED)
    except zlib.error:
        return cell  # numbers that only begin like this
    return inner if unpacker.eof else cell


def likely_dtype(cells: Iterable[Any]) -> str:
    """Whether bytes that nothing describes are float64 or float32, told by all cells of a column together; "" when
    there are none or they are neither.

    Pairs of float32 often look like float64, but the low halves of float64 look like float32 of every size: so it is
    float32 when all of them are of usual size, and float64 otherwise. Numbers like 0.5 have low halves of zeros, which
    say nothing.
    """
    raw = [_unpacked(bytes(cell)) for cell in cells if isinstance(cell, bytes) and not isinstance(cell, Text)]
    raw = [cell for cell in raw if cell and cell[:1] not in (b"[", b"{") and not cell.startswith(_NPY)]
    raw = [cell for cell in raw if not _is_pickle(cell)]
    if not raw or any(len(cell) % 4 for cell in raw):
        return ""
    halves = np.frombuffer(b"".join(raw), "<f4")
    fits = _share(halves, _PLAUSIBLE) > _MOST
    if any(len(cell) % 8 for cell in raw):
        return "<f4" if fits else ""
    if len(halves) > 3 and halves.view("<u4")[::2].any() and _share(halves, _USUAL) > _MOST:
        return "<f4"
    if _share(np.frombuffer(b"".join(raw), "<f8"), _PLAUSIBLE) > _MOST:
        return "<f8"
    return "<f4" if fits else ""


def _raw(cell: bytes, dtype: str, count: int | None) -> NDArray[Any]:
    """The bytes of an array: of the type that is told, that the count tells, or that alone makes sense."""
    if not cell:
        return np.empty(0)
    if count is not None and count > 0 and not dtype:
        fitting = [name for name, width in _WIDTHS.items() if width * count == len(cell)]
        dtype = next((name for name in fitting if _share(np.frombuffer(cell, name), _PLAUSIBLE) > _MOST), "")
    dtype = dtype or likely_dtype([cell])
    if not dtype:
        raise BadInput(f"{len(cell)} bytes that are no array of float64 or float32")
    try:
        wanted = np.dtype(dtype.strip().lower())
    except TypeError as error:
        raise BadInput(f"{len(cell)} bytes of an unknown type {dtype!r}") from error
    if wanted.hasobject or wanted.kind not in "fciu" or len(cell) % wanted.itemsize:
        raise BadInput(f"{len(cell)} bytes are no array of {dtype}")
    return _flat(np.frombuffer(cell, wanted))


def _share(values: NDArray[Any], within: tuple[float, float]) -> float:
    """Which part of the numbers is zero, of a size in between, or plainly not finite."""
    with np.errstate(all="ignore"):  # bytes that are no numbers make odd ones
        sizes = np.abs(np.concatenate([values.real, values.imag])).astype(np.float64)
    return float(np.mean((sizes == 0) | ((sizes > within[0]) & (sizes < within[1])) | np.isinf(sizes)))


def _of_text(cell: str) -> NDArray[Any]:
    stripped = cell.strip()
    if stripped[:1] in ("[", "{"):
        try:
            return _of_json(json.loads(stripped))
        except ValueError as error:
            if not isinstance(error, BadInput) and stripped[0] == "[" and stripped[-1] == "]":
                return _words(stripped.strip("[]"))  # as numpy prints an array
            raise BadInput(f"no JSON: {error}") from error
    return _words(stripped)


def _words(cell: str) -> NDArray[Any]:
    words = [word for word in _SEPARATORS.split(cell) if word]
    if not words or "..." in words:
        raise BadInput(f"no numbers: {cell[:60]!r}")
    try:
        return _flat(np.array([complex(word) if "j" in word else float(word) for word in words]))
    except ValueError as error:
        raise BadInput(f"no numbers: {cell[:60]!r}") from error


def _of_json(value: Any) -> NDArray[Any]:
    if isinstance(value, dict):
        if "real" in value and "imag" in value:
            return np.asarray(_of_json(value["real"]) + 1j * _of_json(value["imag"]))
        inner = next((name for name in _INNER if name in value), None)
        if inner is None:
            raise BadInput(f"an object with the keys {', '.join(sorted(value))[:60]}, numbers are wanted")
        return _of_json(value[inner])
    if not isinstance(value, list):
        raise BadInput(f"{type(value).__name__}, a list of numbers is wanted")
    return _flat(np.array([_one(item) for item in value])) if value else np.empty(0)


def _one(item: Any) -> float | complex:
    """A number of a list; complex ones are pairs, objects or text."""
    if isinstance(item, bool) or item is None:
        raise BadInput(f"{item!r} in a list of numbers")
    if isinstance(item, int | float):
        return float(item)
    if isinstance(item, dict):
        real, imag = (next((item[k] for k in keys if k in item), None) for keys in (("re", "real"), ("im", "imag")))
        if isinstance(real, int | float) and isinstance(imag, int | float):
            return complex(real, imag)
    if isinstance(item, list) and len(item) == 2 and all(isinstance(part, int | float) for part in item):
        return complex(*item)
    if isinstance(item, str):
        try:
            return complex(item.replace(" ", "")) if "j" in item else float(item)
        except ValueError as error:
            raise BadInput(f"{item[:40]!r} in a list of numbers") from error
    raise BadInput(f"{type(item).__name__} in a list of numbers")


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim > 2 or (values.ndim == 2 and 1 not in values.shape) or values.dtype.kind not in "fciu":
        raise BadInput(f"an array of {values.dtype} {values.shape}, a list of numbers is wanted")
    return np.array(values.ravel(), np.complex128 if values.dtype.kind == "c" else np.float64)


def few_numbers(cell: Any) -> Sequence[float] | None:
    """Real numbers of a cell that may be missing or unreadable, as a list; None then."""
    if cell is None:
        return None
    if isinstance(cell, int | float) and not isinstance(cell, bool):
        return [float(cell)]
    try:
        found = numbers(cell)
    except BadInput:
        return None
    return None if found.dtype.kind == "c" else [float(value) for value in found]
