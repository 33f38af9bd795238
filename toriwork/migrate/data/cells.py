"""A cell of somebody's table, or a value of somebody's JSON, as the numbers that it stands for; never a guess.

Numbers are kept as ``numpy.save`` wrote them, as the bytes of an array, as JSON or as text with commas. A pickle is
never loaded: loading one runs what is in it.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.sqlite.values import Text

_SEPARATORS = re.compile(r"[\s,;]+")
_NPY = b"\x93NUMPY"
_PLAUSIBLE = (1e-30, 1e30)  #: sizes of numbers that somebody measured
_USUAL = (1e-9, 1e9)
_MOST = 0.95
_INNER = ("data", "values", "eigenvalues")
_WIDTHS = {"<f8": 8, "<f4": 4, "<c16": 16, "<c8": 8}


def numbers(cell: Any, dtype: str = "", count: int | None = None) -> NDArray[Any]:
    """Return the numbers of a cell: (n,) float64 or complex128, exactly as they were written.

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
    if isinstance(cell, bytes | bytearray | memoryview):
        return _of_bytes(cell if isinstance(cell, Text) else bytes(cell), dtype, count)
    return _of_text(cell) if isinstance(cell, str) else _of_json(cell)


def _of_bytes(cell: bytes, dtype: str, count: int | None) -> NDArray[Any]:
    if cell.startswith(_NPY):
        return _flat(np.load(io.BytesIO(cell), allow_pickle=False))
    if _is_pickle(cell):
        raise BadInput("a pickle, which is not loaded: loading one runs what is in it")
    try:
        text = cell.decode("utf-8") if isinstance(cell, Text) or cell[:1] in (b"[", b"{") else None
        return _raw(cell, dtype, count) if text is None else _of_text(text)
    except (BadInput, UnicodeDecodeError):
        if isinstance(cell, Text):
            raise
        return _raw(cell, dtype, count)  # numbers that only begin like JSON


def _is_pickle(cell: bytes) -> bool:
    return cell[:1] == b"\x80" and cell[1:2] in b"\x02\x03\x04\x05" and cell.endswith(b".")


def likely_dtype(cells: Iterable[Any]) -> str:
    """Return "<f8" or "<f4" for bytes that nothing describes, told by all cells of a column together; else "".

    Pairs of float32 often look like float64, but the low halves of float64 look like float32 of every size: so it is
    float32 when all of them are of usual size, and float64 otherwise. Numbers like 0.5 have low halves of zeros, which
    say nothing.
    """
    raw = [cell for cell in cells if isinstance(cell, bytes) and not isinstance(cell, Text)]
    raw = [cell for cell in raw if cell and not cell.startswith((b"[", b"{", _NPY)) and not _is_pickle(cell)]
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
    """Return the array of some bytes: of the type that is told, that the count tells, or that alone makes sense."""
    if not cell:
        return np.empty(0)
    if count is not None and count > 0 and not dtype:
        fitting = [name for name, width in _WIDTHS.items() if width * count == len(cell)]
        dtype = next((name for name in fitting if _share(np.frombuffer(cell, name), _PLAUSIBLE) > _MOST), "")
    dtype = dtype or likely_dtype([cell])
    if not dtype:
        raise BadInput(f"expected an array of float64 or float32, got {len(cell)} bytes that are none")
    try:
        kind = np.dtype(dtype.strip().lower())
    except TypeError as error:
        raise BadInput(f"{len(cell)} bytes of an unknown type {dtype!r}") from error
    if kind.hasobject or kind.kind not in "fciu" or len(cell) % kind.itemsize:
        raise BadInput(f"expected an array of {dtype}, got {len(cell)} bytes")
    return _flat(np.frombuffer(cell, kind))


def _share(values: NDArray[Any], within: tuple[float, float]) -> float:
    """Return which part of the numbers is zero, of a size in between, or plainly not finite."""
    with np.errstate(all="ignore"):  # bytes that are no numbers make odd ones
        sizes = np.abs(np.concatenate([values.real, values.imag])).astype(np.float64)
    return float(np.mean((sizes == 0) | ((sizes > within[0]) & (sizes < within[1])) | np.isinf(sizes)))


def _of_text(cell: str) -> NDArray[Any]:
    stripped = cell.strip()
    if stripped[:1] in ("[", "{"):
        try:
            return _of_json(json.loads(stripped))
        except json.JSONDecodeError as error:
            raise BadInput(f"not JSON: {error}") from error
    words = [word for word in _SEPARATORS.split(stripped) if word]
    if not words:
        raise BadInput(f"expected numbers, got {cell[:60]!r}")
    return _flat(np.array([_one(word) for word in words]))


def _of_json(value: Any) -> NDArray[Any]:
    if isinstance(value, dict):
        value = next((value[name] for name in _INNER if name in value), value)
    if not isinstance(value, list):
        raise BadInput(f"expected a list of numbers, got {type(value).__name__}")
    return _flat(np.array([_one(item) for item in value])) if value else np.empty(0)


def _one(item: Any) -> float | complex:
    """Return a number of a list; complex ones are pairs or text."""
    if isinstance(item, list) and len(item) == 2 and all(type(part) in (int, float) for part in item):
        return complex(*item)
    try:
        if isinstance(item, str):
            return complex(item.replace(" ", "")) if "j" in item else float(item)
        if type(item) in (int, float):
            return float(item)
    except ValueError:
        pass
    raise BadInput(f"expected a number in a list, got {str(item)[:40]!r}")


def _flat(values: NDArray[Any]) -> NDArray[Any]:
    if values.ndim > 2 or (values.ndim == 2 and 1 not in values.shape) or values.dtype.kind not in "fciu":
        raise BadInput(f"expected a list of numbers, got an array of {values.dtype} {values.shape}")
    return np.array(values.ravel(), np.complex128 if values.dtype.kind == "c" else np.float64)


def few_numbers(cell: Any) -> Sequence[float] | None:
    """Return real numbers of a cell that may be missing or unreadable, as a list; None then."""
    if cell is None:
        return None
    try:
        found = numbers([cell] if type(cell) in (int, float) else cell)
    except (BadInput, ValueError):
        return None
    return None if found.dtype.kind == "c" else [float(value) for value in found]
