"""Summaries of results and errors: small, always representable, made without running anybody's code."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

LONGEST_TEXT = 200  #: characters
MOST_ENTRIES = 16
_DEEPEST = 2
_MOST_BITS = 64
SIGNIFICANT = 12  #: digits of a number that a monitor measured: the last bits differ between machines


def digest_result(value: Any, depth: int = _DEEPEST) -> Any:
    """A bounded summary of a value, in which JSON-like values stand for themselves while they are small.

    None, bool, numbers and texts of up to 200 characters are kept; lists, tuples and dicts of up to 16 entries two
    levels deep; of arrays dtype and shape, and up to 16 values; of everything else the name of its type and, for the
    built-in containers, its length.
    """
    if value is None or isinstance(value, bool | float):
        return value if value is None or isinstance(value, bool) else float(value)
    if isinstance(value, int):
        bits = int(value).bit_length()
        return int(value) if bits <= _MOST_BITS else {"kind": "int", "bits": bits}
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, np.ndarray | np.generic):
        return _array(np.asarray(value), depth)
    return _container(value, depth)


def digest_error(error: BaseException) -> dict[str, str]:
    """Type and message of an exception, the message cut at 200 characters."""
    try:
        message = str(error)
    except Exception as failure:  # noqa: BLE001 - somebody's __str__; what is reported is the error, not this
        message = f"its message cannot be read: {type(failure).__name__}"
    return {"type": type(error).__qualname__, "message": clean(message[:LONGEST_TEXT])}


def clean(text: str) -> str:
    """The text with lone surrogates written out."""
    return str.__str__(text).encode("utf-8", "backslashreplace").decode()


def _text(value: str) -> Any:
    if len(value) <= LONGEST_TEXT:
        return clean(value)
    return {"kind": "str", "length": len(value), "start": clean(value[:LONGEST_TEXT])}


def _array(array: np.ndarray[Any, Any], depth: int) -> Any:
    plain = array.dtype.kind in "fiub" and array.dtype.itemsize <= 8
    if plain and array.ndim == 0:
        return digest_result(array.item())
    found: dict[str, Any] = {"kind": "ndarray", "dtype": str(array.dtype), "shape": list(array.shape)}
    if plain and depth and array.size <= MOST_ENTRIES:
        found["values"] = array.tolist()
    return found


def _container(value: Any, depth: int) -> Any:
    kind = type(value)  # subclasses bring code of their own along
    found: dict[str, Any] = {"kind": clean(kind.__qualname__)}
    if kind not in (dict, list, tuple, set, frozenset, bytes, bytearray):
        return found
    if depth and len(value) <= MOST_ENTRIES:
        if kind in (list, tuple):
            return [digest_result(inner, depth - 1) for inner in value]
        if kind is dict and all(type(key) is str and len(key) <= LONGEST_TEXT for key in value):
            return {clean(key): digest_result(inner, depth - 1) for key, inner in value.items()}
    return found | {"length": len(value)}


def rounded(value: Any) -> Any:
    """Numbers to twelve significant digits, also inside lists and mappings; everything else as it is."""
    if isinstance(value, float | np.floating):
        return float(f"{value:.{SIGNIFICANT - 1}e}")
    if isinstance(value, Mapping):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return value
