"""Any JSON-like value as the one text that stands for it: RFC 8785, and tags for what JSON lacks.

The bytes written here are what a token's id is the hash of: a change here changes every id, so nothing is ever
changed, only added. What cannot be represented is refused with the key where it stands.

Sources: RFC 8785 (doi:10.17487/RFC8785), sect. 3.2.2 (numbers, strings) and 3.2.3 (order of keys);
ECMA-262, Number::toString.
"""

from __future__ import annotations

import json
import json.encoder
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from hashlib import blake2b
from operator import itemgetter
from typing import Any

import numpy as np

from toriwork.checks import shown
from toriwork.errors import BadInput

SMALL_ARRAY = 64  #: arrays of up to so many elements are written as lists, larger ones by content
_LIMIT = 10**4300  # integers of more digits Python does not read, unless told to
EXACT = 2**53 - 1  #: larger integers have no exact double; they are tagged
_ARRAY_PERSON = b"toriwork.array.1"
_SURROGATES = "\ud800"  # from here on, code points and UTF-16 units sort differently
_MANY_TEMPLATES = 1024
_MANY_KEYS_OF_ONE = 64  # objects with more are rare and their keys mostly vary

_quote = json.encoder.encode_basestring  # its escapes are those of RFC 8785
Take = Callable[[Mapping[Any, Any]], tuple[Any, ...]]
_templates: dict[tuple[Any, ...], tuple[Take, list[str]]] = {}  # keys as given -> values in order, and their template


class _Refused(Exception):
    """A value has no form; ``path`` grows on the way up."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.path: list[str] = []


#: raised by :func:`write`; :func:`canonical` makes a message of them
REFUSALS = (_Refused, UnicodeEncodeError, RecursionError)


def canonical(value: Any) -> str:
    """The canonical JSON text of a value.

    None, bool, int, float, str, list, tuple, mappings with text keys, NumPy scalars and arrays, nested in any way. 1
    and 1.0 are one number, tuples are lists, arrays of up to 64 elements are lists; a larger array is
    ``{"$nd":{"dtype","h","shape"}}`` with the BLAKE2b-160 of its little-endian C-order bytes. NaN, infinity and
    integers beyond 2**53 - 1 are tagged ``{"$f":"nan"}``, ``{"$i":"..."}``. A leading "$" of a key is doubled.

    Raises
    ------
    BadInput
        Something in it has no form; the message names its key.
    """
    try:
        text = write(value)
        text.encode()
    except _Refused as refused:
        raise BadInput(f"measurement: {_at(refused.path)}{refused}") from None
    except UnicodeEncodeError as error:
        where = _at(_find_surrogate(value))
        raise BadInput(f"measurement: {where}a lone surrogate has no UTF-8 form: {error}") from None
    except RecursionError:
        raise BadInput("measurement: it is nested too deeply, or holds itself") from None
    return text


def write(value: Any) -> str:
    """The canonical text of a value whose strings were not checked for lone surrogates."""
    return _WRITERS.get(type(value), _other)(value)


def write_each(values: Iterable[Any]) -> list[str]:
    """The canonical texts of some values, which were not checked for lone surrogates either."""
    texts = []
    for value in values:
        kind = type(value)
        # written here, without a call: nearly every value there is
        if kind is float and (1e-4 <= value < 1e15 or -1e15 < value <= -1e-4) and value % 1.0:
            texts.append(repr(value))
        elif kind is str:
            texts.append(_quote(value))
        elif kind is int and -EXACT <= value <= EXACT:
            texts.append(repr(value))
        else:
            texts.append(_WRITERS.get(kind, _other)(value))
    return texts


def template(keys: Sequence[str]) -> list[str] | None:
    """An object with these keys, in canonical order, as pieces: each second one, empty, is the place of a value.

    None when a key is no plain text, or one that sorts differently by UTF-16 units.
    """
    if not all(type(key) is str and max(key, default="") < _SURROGATES for key in keys):
        return None
    pieces = ["{"]
    for key in sorted(keys):
        pieces[-1] += f"{_key(key)}:"
        pieces += ["", ","]
    pieces[-1] = pieces[-1].removesuffix(",") + "}"
    return pieces


def taker(keys: Sequence[str]) -> Take:
    """A function that takes the values of these keys out of a mapping, in their order."""
    if len(keys) > 1:
        return itemgetter(*keys)
    if not keys:
        return lambda _: ()
    (key,) = keys
    return lambda mapping: (mapping[key],)


def _object(mapping: Mapping[Any, Any]) -> str:
    shape = tuple(mapping)
    found = _templates.get(shape)
    if found is None:
        found = _keep_template(shape)
        if found is None:
            return _object_by_units(mapping)
    take, pieces = found
    filled = pieces.copy()
    try:
        filled[1::2] = write_each(take(mapping))
        return "".join(filled)
    except _Refused:
        _object_by_units(mapping)  # says where
        raise


def _keep_template(shape: tuple[Any, ...]) -> tuple[Take, list[str]] | None:
    pieces = template(shape)
    if pieces is None:
        return None
    found = taker(sorted(shape)), pieces
    if len(shape) <= _MANY_KEYS_OF_ONE:
        if len(_templates) >= _MANY_TEMPLATES:
            _templates.clear()
        _templates[shape] = found
    return found


def _key(key: str) -> str:
    return _quote("$" + key if key.startswith("$") else str.__str__(key))


def _object_by_units(mapping: Mapping[Any, Any]) -> str:
    for key in mapping:
        if not isinstance(key, str):
            raise _Refused(f"expected keys that are texts, got {shown(key)}")
    parts = []
    for key in sorted(mapping, key=_units):
        try:
            parts.append(f"{_key(key)}:{write(mapping[key])}")
        except _Refused as refused:
            refused.path.insert(0, key)
            raise
    return "{" + ",".join(parts) + "}"


def _units(text: str) -> bytes:
    return text.encode("utf-16-be", "surrogatepass")


def in_unit_order(texts: set[str]) -> list[str]:
    """Texts sorted by UTF-16 code units."""
    return sorted(texts, key=_units)


def _array(values: list[Any] | tuple[Any, ...]) -> str:
    try:
        return "[" + ",".join(write_each(values)) + "]"
    except _Refused:
        for index, value in enumerate(values):
            try:
                write(value)
            except _Refused as refused:
                refused.path.insert(0, f"[{index}]")
                raise
        raise


def _integer(value: int) -> str:
    if -EXACT <= value <= EXACT:
        return repr(value)
    try:
        if -_LIMIT < value < _LIMIT:
            return f'{{"$i":"{value}"}}'
    except ValueError:  # told to write even fewer
        pass
    raise _Refused(f"expected an integer of at most 4300 digits, got one of {value.bit_length()} bits")


def _number(value: float) -> str:
    """A double as ECMAScript writes it: the shortest digits that read back, decimal from 1e-6 to below 1e21."""
    if -1e15 < value < 1e15 and not value % 1.0:
        return repr(int(value))  # -0.0 is 0 too
    if not math.isfinite(value):
        return '{"$f":"nan"}' if math.isnan(value) else '{"$f":"inf"}' if value > 0 else '{"$f":"-inf"}'
    text = repr(value)
    mantissa, _, exponent = text.partition("e")
    if not exponent:
        return text.removesuffix(".0")
    sign = "-" if mantissa[0] == "-" else ""
    digits = mantissa.lstrip("-").replace(".", "").removesuffix("0") or "0"
    power = int(exponent)
    if 0 <= power < 21:  # repr turns to exponents at 1e16, where no digit is left behind the point
        return sign + digits.ljust(power + 1, "0")
    if -7 < power < 0:
        return sign + "0." + "0" * (-power - 1) + digits
    behind = f".{digits[1:]}" if len(digits) > 1 else ""
    return f"{sign}{digits[0]}{behind}e{power:+d}"


def _other(value: Any) -> str:
    """Subclasses, mappings and NumPy: what the common cases left over."""
    if isinstance(value, np.generic) and not isinstance(value, str | float):
        plain = value.item()
        if not isinstance(plain, np.generic):  # a longdouble has no plain form
            return write(plain)
    for kind, plain_of, writer in _SUBCLASSES:
        if isinstance(value, kind):
            return writer(plain_of(value))
    raise _Refused(f"{type(value).__name__} has no JSON form: {shown(value)}")


def _ndarray(array: np.ndarray[Any, Any]) -> str:
    if isinstance(array, np.ma.MaskedArray):
        raise _Refused("a masked array has no single meaning; fill it first")
    if array.size <= SMALL_ARRAY:
        return write(array.tolist())
    if array.dtype.kind not in "fiub" or array.dtype.itemsize > 8:
        raise _Refused(f"an array of dtype {array.dtype} has no form; expected real numbers of up to 8 bytes")
    wanted = array.dtype.newbyteorder("<")
    plain = np.array(array, dtype=wanted, order="C")
    if wanted.kind == "f":
        plain += wanted.type(0)  # -0.0 becomes 0.0
        plain[np.isnan(plain)] = np.nan  # one NaN, whatever its payload
    digest = blake2b(plain.tobytes(), digest_size=20, person=_ARRAY_PERSON).hexdigest()
    shape = write(list(array.shape))
    return f'{{"$nd":{{"dtype":{_quote(wanted.str)},"h":"{digest}","shape":{shape}}}}}'


_WRITERS: dict[type, Callable[[Any], str]] = {
    str: _quote,
    float: _number,
    dict: _object,
    int: _integer,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _: "null",
    list: _array,
    tuple: _array,
}
#: a base, what makes a plain value of its subclasses, and what writes that
_SUBCLASSES: tuple[tuple[type, Callable[[Any], Any], Callable[[Any], str]], ...] = (
    (np.ndarray, np.asanyarray, _ndarray),
    (str, str.__str__, _quote),
    (int, int, _integer),
    (float, float, _number),
    (Mapping, dict, _object),
    (list, tuple, _array),
    (tuple, tuple, _array),
)


def read(text: str | bytes) -> Any:
    """The value of a canonical text, tags still in it: numbers are those that were written."""
    return json.loads(text, parse_int=_parse_integer)


def _parse_integer(text: str) -> int | float:
    value = int(text)
    return value if -EXACT <= value <= EXACT else float(text)  # a larger integer would have been tagged


def restore(value: Any) -> Any:
    """A parsed text with numbers in place of their tags; an array kept by content stays its tag."""
    if isinstance(value, list):
        return [restore(inner) for inner in value]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((tag, inner),) = value.items()
        if tag == "$f":
            return float(inner)
        if tag == "$i":
            return int(inner)
        if tag == "$nd":
            return value
    return {key[1:] if key.startswith("$$") else key: restore(inner) for key, inner in value.items()}


def _at(path: list[str]) -> str:
    return f"key {'.'.join(path).replace('.[', '[')!r}: " if path else ""


def _find_surrogate(value: Any) -> list[str]:
    """Where the first text stands that has no UTF-8 form."""
    items = value.items() if isinstance(value, Mapping) else enumerate(value) if isinstance(value, list | tuple) else ()
    for key, inner in items:
        try:
            write([key, inner]).encode()
        except UnicodeEncodeError:
            step = ascii(key)[1:-1] if isinstance(key, str) else f"[{key}]"
            return [step, *_find_surrogate(inner)]
    return []
