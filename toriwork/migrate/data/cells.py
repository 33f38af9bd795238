"""A cell of somebody's table, or a value of somebody's JSON, as the numbers that it stands for; never a guess.

Numbers are kept as ``numpy.save`` wrote them, as the bytes of an array, as JSON or as text with commas. A pickle is
never loaded: loading one runs what is in it.
"""

from __future__ import annotations

import io
import json
import re
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.migrate.mover.values import Text

_MAX_UNPACKED = 2**28
_SEPARATORS = re.compile(r"[\s,;]+")
_PLAUSIBLE = (1e-30, 1e30)
_INNER = ("data", "values", "eigenvalues", "real")
_WIDTHS = {"<f8": 8, "<f4": 4, "<c16": 16, "<c8": 8}


def numbers(cell: Any, dtype: str = "", count: int | None = None) -> NDArray[Any]:
    """The numbers of a cell: (n,) float64 or complex128, exactly as they were written.

    Parameters
    ----------
    cell : bytes, str, list or number
        Text of a database comes as :class:`~toriwork.migrate.mover.values.Text`.
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
    if cell.startswith(b"\x93NUMPY"):
        return _flat(np.load(io.BytesIO(cell), allow_pickle=False))
    if cell[:1] == b"\x80" and cell[1:2] in b"\x02\x03\x04\x05" and cell.endswith(b"."):
        raise BadInput("a pickle, which is not loaded: loading one runs what is in it")
    if cell[:2] in (b"\x78\x01", b"\x78\x5e", b"\x78\x9c", b"\x78\xda"):
        unpacker = zlib.decompressobj()
        try:
            inner = unpacker.decompress(cell, _MAX_UNPACKED)
        except zlib.error:
            inner = b""  # numbers that only begin like this
        if inner and unpacker.eof:
            return _of_bytes(inner, dtype, count)
    if cell[:1] in (b"[", b"{") and _is_text(cell):
        try:
            return _of_text(cell.decode("utf-8"))
        except BadInput:
            return _raw(cell, dtype, count)  # numbers that only begin like this
    return _raw(cell, dtype, count)


def _raw(cell: bytes, dtype: str, count: int | None) -> NDArray[Any]:
    """The bytes of an array: of the type that is told, that the count tells, or that alone makes sense."""
    if not cell:
        return np.empty(0)
    if dtype:
        try:
            wanted = np.dtype(dtype.strip().lower())
        except TypeError as error:
            raise BadInput(f"{len(cell)} bytes of an unknown type {dtype!r}") from error
        if wanted.hasobject or wanted.kind not in "fciu" or len(cell) % wanted.itemsize:
            raise BadInput(f"{len(cell)} bytes are no array of {dtype}")
        return _flat(np.frombuffer(cell, wanted))
    if count is not None and count > 0 and len(cell) % count == 0:
        names = [name for name, width in _WIDTHS.items() if width * count == len(cell)]
        for name in names:
            if _makes_sense(values := np.frombuffer(cell, name)):
                return _flat(values)
    for name in ("<f8", "<f4"):
        if len(cell) % _WIDTHS[name] == 0 and _makes_sense(values := np.frombuffer(cell, name)):
            return _flat(values)
    raise BadInput(f"{len(cell)} bytes that are no array of float64 or float32")


def _makes_sense(values: NDArray[Any]) -> bool:
    """Whether bytes that nothing describes are likely to be such numbers: others are of absurd size."""
    sizes = np.abs(np.concatenate([values.real, values.imag])).astype(np.float64)
    inside = (sizes == 0) | ((sizes > _PLAUSIBLE[0]) & (sizes < _PLAUSIBLE[1]))
    return bool(inside.all())


def _of_text(cell: str) -> NDArray[Any]:
    stripped = cell.strip()
    if stripped[:1] in ("[", "{"):
        try:
            return _of_json(json.loads(stripped))
        except ValueError as error:
            if not isinstance(error, BadInput) and stripped[0] == "[":
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
