"""Validation that several floors share: point clouds, bands, metadata. Pure: no files, no state."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput

BANDS = ("local", "global", "critical")


def check_points(points: Any, *, name: str = "points") -> NDArray[np.float64]:
    """A finite float64 copy of a point cloud, shape (n_points, dim), C order; n_points may be 0.

    Raises
    ------
    BadInput
        Not a 2-D array of real numbers with dim >= 1, rows of different length, masked entries, or a coordinate is
        NaN or infinite; the message names the first bad row.
    """
    array = as_array(points, name=name)
    if array.dtype.kind not in "fiub":
        raise BadInput(f"{name}: real numbers are wanted, given was dtype {array.dtype}")
    if array.ndim != 2 or (array.shape[1] == 0 and array.shape[0] > 0):
        raise BadInput(f"{name}: shape (n_points, dim) is wanted, given was {array.shape}")
    cloud = as_float64(array)
    finite = np.isfinite(cloud)
    if not finite.all():
        row = int(np.argmin(finite.all(axis=1)))
        raise BadInput(f"{name}: row {row} is not finite: {cloud[row].tolist()}")
    return cloud


def as_array(given: Any, *, name: str) -> NDArray[Any]:
    """Whatever was given as an array of any shape and dtype.

    Raises
    ------
    BadInput
        Rows of different length, masked entries, or an object that does not give its numbers (a tensor on a GPU).
    """
    if np.ma.is_masked(given):
        raise BadInput(f"{name}: {int(np.ma.getmaskarray(given).sum())} entries are masked; leave those points out")
    try:
        return np.asarray(given)
    except ValueError as error:  # rows of different length
        raise BadInput(f"{name}: a rectangular shape is wanted: {error}") from error
    except (RuntimeError, TypeError) as error:  # what tensors raise that want to be detached or moved first
        raise BadInput(f"{name}: an array of numbers is wanted: {error}") from error


def as_float64(array: NDArray[Any]) -> NDArray[np.float64]:
    """A float64 copy of an array of real numbers, C order; what is beyond float64 becomes infinity."""
    with np.errstate(over="ignore"):
        return np.array(array, dtype=np.float64, order="C")


def check_number(given: Any, *, name: str, least: float) -> float:
    """The number as a float when it is one real number >= ``least``, inf among them; otherwise BadInput."""
    number = given.item() if isinstance(given, np.ndarray) and given.ndim == 0 else given
    with suppress(OverflowError):  # an integer beyond float64
        if isinstance(number, Real) and float(number) >= least:
            return float(number)
    raise BadInput(f"{name}: a number >= {least:g} is wanted, given was {given!r}")


def check_count(number: Any, *, name: str) -> int:
    """The number itself when it is an integer >= 1; otherwise BadInput."""
    if not isinstance(number, int | np.integer) or number < 1:
        raise BadInput(f"{name}: an integer >= 1 is wanted, given was {number!r}")
    return int(number)


def check_band(band: Any) -> str:
    """The coherence band itself when it is one of local, global, critical; otherwise BadInput."""
    if not isinstance(band, str) or band not in BANDS:
        raise BadInput(f"coherence band: one of {', '.join(BANDS)} is wanted, given was {band!r}")
    return str(band)


def metadata_text(metadata: Mapping[str, Any] | None) -> str:
    """Metadata as compact JSON text with sorted keys; NumPy scalars and arrays become plain numbers and lists.

    None gives ``{}``. NaN and infinity have no JSON form.

    Raises
    ------
    BadInput
        A value has no JSON form (the message names its key), a key is no text, or the metadata is no mapping.
    """
    if metadata is None:
        return "{}"
    if not isinstance(metadata, Mapping):
        raise BadInput(f"metadata: a mapping is wanted, given was {type(metadata).__name__}")
    for key in metadata:
        if not isinstance(key, str):
            raise BadInput(f"metadata: keys are texts, given was {key!r}")
    try:
        return _ENCODER.encode(dict(metadata))
    except _NOT_JSON as error:
        raise BadInput(f"metadata: key {_culprit(metadata)!r} has no JSON form: {error}") from error


def _culprit(metadata: Mapping[str, Any]) -> str | None:
    for key, value in metadata.items():
        try:
            _ENCODER.encode(value)
        except _NOT_JSON:
            return key
    return None


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"{type(value).__name__} is not JSON")


#: what an encoder raises: an unknown type; NaN, infinity or a cycle; a nesting too deep
_NOT_JSON = (TypeError, ValueError, RecursionError)
# one encoder for all calls: json.dumps with options builds a new one each time, half of the cost of a small row
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
