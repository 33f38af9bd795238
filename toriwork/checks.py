"""Validation that several floors share: point clouds, bands, metadata. Pure: no files, no state."""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput

BANDS = ("local", "global", "critical")


_OF_OTHER_DTYPE = {
    "U": "; a file is read first, by pandas.read_csv say, and columns of text are left out",
    "V": "; numpy.lib.recfunctions.structured_to_unstructured makes rows of a table",
    "M": "; take the seconds since the first",
}
_OF_OTHER_SHAPE = {
    1: "; a series becomes points by toriwork.samples.delay_embedding, or values by filtration='lower_star'",
    3: "; an image is taken by filtration='cubical'",
}


def check_points(points: Any, *, name: str = "points") -> NDArray[np.float64]:
    """A finite float64 copy of a point cloud, shape (n_points, dim), C order; n_points may be 0.

    Raises
    ------
    BadInput
        Not a 2-D array of real numbers with dim >= 1, rows of different length, masked entries, or a coordinate is
        NaN or infinite; the message names the first bad row.
    """
    array = as_array(points, name=name)
    expect_real(array, name=name)
    if array.ndim != 2 or (array.shape[1] == 0 and array.shape[0] > 0):
        remedy = _OF_OTHER_SHAPE.get(array.ndim, "")
        raise BadInput(f"{name}: expected shape (n_points, dim), got {array.shape}{remedy}")
    cloud = as_float64(array)
    finite = np.isfinite(cloud)
    if not finite.all():
        row = int(np.argmin(finite.all(axis=1)))
        raise BadInput(f"{name}: row {row} is not finite: {cloud[row].tolist()}; leave such rows out, by dropna() say")
    return cloud


def expect_real(array: NDArray[Any], *, name: str) -> None:
    """Raise BadInput for an array of anything but real numbers; the message says how numbers come out of it."""
    if array.dtype.kind not in "fiub":
        remedy = _OF_OTHER_DTYPE.get(array.dtype.kind, "")
        raise BadInput(f"{name}: expected real numbers, got dtype {array.dtype}{remedy}")


def as_array(given: Any, *, name: str) -> NDArray[Any]:
    """Whatever was given as an array of any shape and dtype.

    Raises
    ------
    BadInput
        Rows of different length, masked entries, a column that is no number, or an object that does not give its
        numbers (a tensor on a GPU).
    """
    if np.ma.is_masked(given):
        raise BadInput(f"{name}: {int(np.ma.getmaskarray(given).sum())} entries are masked; leave those points out")
    try:
        array = np.asarray(given)
        if array.dtype.kind not in "fiubc" and not isinstance(given, np.ndarray):
            return _by_protocol(given, array, name)
        return array
    except BadInput:
        raise
    except ValueError as error:  # rows of different length
        raise BadInput(f"{name}: expected a rectangular shape: {error}") from error
    except (RuntimeError, TypeError, BufferError) as error:  # of tensors that want to be detached first
        raise BadInput(f"{name}: expected an array of numbers: {error}") from error


def _by_protocol(given: Any, array: NDArray[Any], name: str) -> NDArray[Any]:
    """The numbers of a frame, column by column, of a series, or of an array that only DLPack gives; else ``array``."""
    if hasattr(given, "columns"):
        columns = list(getattr(given, "column_names", given.columns))  # the columns of an Arrow table are no names
        if len(set(columns)) < len(columns):
            raise BadInput(f"{name}: expected columns of different names, got {shown(columns)}")
        remedy = "; leave that column out, or make numbers of it"
        of = {column: f"{name}: column {shown(column)}" for column in columns}
        return np.column_stack([_column(given[column], of[column], remedy) for column in columns])
    if hasattr(given, "to_numpy"):
        return _column(given, name)
    return np.from_dlpack(given) if hasattr(given, "__dlpack__") else array


def _column(given: Any, name: str, remedy: str = "") -> NDArray[Any]:
    """The numbers of one column; where its own type has a value for nothing, that is NaN."""
    array = np.asarray(given)
    own = getattr(getattr(given, "dtype", None), "kind", "O")
    if array.dtype.kind == "O" and own in "fiub":  # a nullable type of pandas
        array = given.to_numpy(dtype=np.float64, na_value=np.nan)
    if array.dtype.kind not in "fiub":
        raise BadInput(f"{name}: expected real numbers, got dtype {getattr(given, 'dtype', array.dtype)}{remedy}")
    return array


def as_float64(array: NDArray[Any]) -> NDArray[np.float64]:
    """A float64 copy of an array of real numbers, C order; what is beyond float64 becomes infinity."""
    with np.errstate(over="ignore"):
        return np.array(array, dtype=np.float64, order="C")


def check_number(given: Any, *, name: str, least: float) -> float:
    """The number as a float when it is one real number >= ``least``, inf among them; otherwise BadInput."""
    if type(given) is float and given >= least:
        return given
    number = given.item() if isinstance(given, np.ndarray) and given.ndim == 0 else given
    with suppress(OverflowError):  # an integer beyond float64
        if isinstance(number, Real) and float(number) >= least:
            return float(number)
    raise BadInput(f"{name}: expected a number >= {least:g}, got {shown(given)}")


def check_count(number: Any, *, name: str) -> int:
    """The number itself when it is an integer >= 1; otherwise BadInput."""
    return check_integer(number, name=name, least=1)


def check_integer(number: Any, *, name: str, least: int | None = None) -> int:
    """The number itself when it is an integer, >= ``least`` where that is given; otherwise BadInput."""
    if isinstance(number, bool) or not isinstance(number, int | np.integer) or (least is not None and number < least):
        raise BadInput(f"{name}: expected an integer{'' if least is None else f' >= {least}'}, got {shown(number)}")
    return int(number)


def check_band(band: Any) -> str:
    """The coherence band itself when it is one of local, global, critical; otherwise BadInput."""
    if not isinstance(band, str) or band not in BANDS:
        raise BadInput(f"coherence band: expected one of {', '.join(BANDS)}, got {shown(band)}")
    return str.__str__(band)  # of an enumeration that is a text, str() would give the name of the member


def metadata_text(metadata: Mapping[str, Any] | None) -> str:
    """Metadata as compact JSON text with sorted keys.

    NumPy scalars and arrays of up to 10,000 numbers become plain numbers and lists; times ISO text in UTC (without a
    zone they are taken as UTC), dates ISO text, durations seconds, paths text, other mappings objects.

    None gives ``{}``. What strict readers refuse is refused: one such row, and the JSON functions of DuckDB fail on the
    whole file. So NaN, infinity, integers beyond the range of float64, lone surrogates, and mappings and lists nested
    more than 100 deep.

    Raises
    ------
    BadInput
        A value has no JSON form (the message names its key), a key is no text, or the metadata is no mapping.
    """
    if metadata is None:
        return "{}"
    if not isinstance(metadata, Mapping):
        raise BadInput(f"metadata: expected a mapping, got {type(metadata).__name__}")
    for key in metadata:
        if not isinstance(key, str):
            raise BadInput(f"metadata: expected texts as keys, got {shown(key)}")
    try:
        return _encoded(dict(metadata))
    except _NOT_JSON as error:
        raise BadInput(f"metadata: key {_culprit(metadata)} has no JSON form: {error}") from error


def _culprit(metadata: Mapping[str, Any]) -> str:
    for key, value in metadata.items():
        try:
            _encoded({key: value})
        except _NOT_JSON:
            return shown(key)
    return "unknown"


def _encoded(value: dict[str, Any]) -> str:
    """The text of a mapping, looked at closely only where something in it can be what strict readers refuse."""
    text = _ENCODER.encode(value)
    _require_text_keys(value)
    if (
        len(text) > _DEEPEST
        and (text.count("{") + text.count("[") > _DEEPEST or _LONG_INTEGER in text.encode().translate(_DIGITS_AS_ZEROS))
    ) or _ESCAPED_SURROGATE in text:
        _require_strict(text)
    return text


def _require_text_keys(value: Any) -> None:
    """Raise ValueError for keys that JSON would write as others, or twice, in mappings at any depth."""
    if isinstance(value, dict):
        texts = {str.__str__(key) for key in value if isinstance(key, str)}
        if len(texts) < len(value):
            other = next((key for key in value if not isinstance(key, str)), None)
            if other is None and None not in value:
                raise ValueError("expected different keys, got texts of their own types that are equal")
            raise ValueError(f"expected texts as keys, got {shown(other)}")
        value = value.values()
    for inner in value:
        if isinstance(inner, dict | list | tuple):
            _require_text_keys(inner)


def _require_strict(text: str) -> None:
    depth = deepest = 0
    for sign in _BRACKET.findall(text):
        depth += {"{": 1, "[": 1, "}": -1, "]": -1}.get(sign, 0)
        deepest = max(deepest, depth)
    if deepest > _DEEPEST:
        raise ValueError(f"expected at most {_DEEPEST} levels, got {deepest}")
    value = json.loads(text, parse_int=_in_range)
    if _LONE.search(json.dumps(value, ensure_ascii=False)):
        raise ValueError("expected text that UTF-8 can hold, got a lone surrogate")


def _in_range(digits: str) -> int:
    if math.isinf(float(digits)):
        raise ValueError(f"expected an integer within the range of float64, got one of {len(digits)} digits")
    return int(digits)


def strict_text(text: str) -> str:
    r"""JSON text itself, or the same with lone surrogates written out: ``\\ud800`` instead of ``\ud800``.

    For rows that an earlier release took. Duplicate keys it cannot have written.
    """
    if _ESCAPED_SURROGATE not in text:
        return text
    try:
        whole = json.dumps(json.loads(text), ensure_ascii=False, separators=(",", ":"))
    except (ValueError, RecursionError):  # not written by us: nobody's to mend
        return text
    mended = _LONE.sub(lambda found: f"\\\\u{ord(found[0]):04x}", whole)
    return text if mended == whole else mended


def shown(value: Any) -> str:
    """The repr of a value for a message: on one line, cut, and never an error (an integer of 5,000 digits has none)."""
    try:
        text = repr(value)
    except Exception:  # noqa: BLE001 - somebody's __repr__; the message is about something else
        return f"a value of type {type(value).__name__}"
    if not text.isprintable():
        text = ascii(text)[1:-1]
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _plain(value: Any) -> Any:
    """The stand-in for a value that JSON has no form for; see :func:`metadata_text`."""
    if isinstance(value, np.ndarray | np.generic):
        return _plain_array(np.asanyarray(value))
    if isinstance(value, dt.datetime):  # a pandas Timestamp is one
        if value != value:  # noqa: PLR0124 - the NaT of pandas
            raise ValueError("expected a time, got NaT")
        zoned = value if value.tzinfo is not None else value.replace(tzinfo=dt.UTC)
        return zoned.astimezone(dt.UTC).isoformat()
    if isinstance(value, dt.date | dt.time):
        return value.isoformat()
    if isinstance(value, dt.timedelta):
        return value.total_seconds()
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, Mapping):
        plain = dict(value)
        _require_text_keys(plain)
        return plain
    raise TypeError(f"{type(value).__name__} is not JSON")


def _plain_array(value: NDArray[Any]) -> Any:
    if np.ma.is_masked(value):
        raise ValueError(f"expected values, got {int(np.ma.getmaskarray(value).sum())} that are masked")
    if value.size > _LARGEST_ARRAY:
        raise ValueError(f"expected arrays of at most {_LARGEST_ARRAY:,} numbers, got {value.size:,}; record them")
    if value.dtype.kind in "mM" and np.isnat(value).any():
        raise ValueError("expected a time, got NaT")
    if value.dtype.kind == "m":
        return (value / np.timedelta64(1, "s")).tolist()
    if value.dtype.kind == "M":  # its own list has integers where it counts nanoseconds
        unit = np.datetime_data(value.dtype)[0]
        if unit in ("Y", "M", "W", "D"):
            return np.datetime_as_string(value, "D").tolist()
        texts = np.datetime_as_string(value.astype("M8[s]") if unit in ("h", "m") else value)
        return np.char.add(texts, "+00:00").tolist()
    plain = value.astype(_AS_PYTHON.get(value.dtype.char, value.dtype)).tolist()
    if isinstance(plain, list):
        _require_text_keys(plain)
    return plain


_SHOWN = 80  # characters
_LARGEST_ARRAY = 10_000
_AS_PYTHON = {"g": np.float64, "G": np.complex128}  # Python has no such numbers: a list of them holds themselves
_DEEPEST = 100  # the narrowest of the common readers stop at 64 and 128
_LONG_INTEGER = b"0" * 309  # what may be beyond float64, whose largest number has so many digits
_DIGITS_AS_ZEROS = bytes.maketrans(b"123456789", b"0" * 9)
_ESCAPED_SURROGATE = "\\ud"  # of a pair, or alone
_LONE = re.compile("[\ud800-\udfff]")
_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*"|[{}\[\]]')  # texts as a whole, so that brackets in them do not count

#: what an encoder raises: an unknown type; NaN, infinity or a cycle; a nesting too deep; a time before year 1 in UTC
_NOT_JSON = (TypeError, ValueError, RecursionError, OverflowError)
# one encoder for all calls: json.dumps with options builds a new one each time, half of the cost of a small row
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False, default=_plain)
