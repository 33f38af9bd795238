"""The identity of a measurement: the bytes that its token is the hash of, apart from one occurrence of it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Callable, Mapping
from hashlib import blake2b
from operator import itemgetter
from typing import Any, NamedTuple

from toriwork.checks import shown
from toriwork.errors import BadInput
from toriwork.synthesis.canonical import (
    REFUSALS,
    Take,
    canonical,
    in_unit_order,
    read,
    restore,
    taker,
    template,
    write,
    write_each,
)

PREFIX = "t1:"
_new = tuple.__new__
_hash = blake2b(digest_size=20, person=b"toriwork.token.1").copy  # a copy costs less than a new one
_NAMED = ("type", "source", "subject")
_APART = frozenset({*_NAMED, "timestamp", "refs", "references"})  # everything else is what was measured
_MANY_KEYS = 64  # measurements with more are rare, and their keys mostly vary
_MANY_SHAPES = 1024
_MANY_ENDS = 64
_LONG_END = 256  # characters; longer ones are not remembered


class Identity(NamedTuple):
    """The bytes that the id of a token is the hash of, and the values beside them."""

    body: bytes  #: canonical JSON of {"m", "refs", "source", "subject", "type", "v"}
    digest: bytes
    refs: tuple[str, ...]  #: sorted by UTF-16 units, without repetition
    given_time: str | None  #: the measurement's own ``timestamp``, which is no part of the identity

    @property
    def token(self) -> str:
        """``"t1:"`` and 40 hex digits."""
        return PREFIX + self.digest.hex()


class Core(NamedTuple):
    """A body, parsed again."""

    type: str | None
    source: str | None
    subject: str | None
    refs: tuple[str, ...]
    measurement: dict[str, Any]

    @property
    def observer(self) -> tuple[str | None, str | None, str | None]:
        """Who measured what of which: source, type, subject."""
        return self.source, self.type, self.subject


def token_id(measurement: Mapping[str, Any]) -> str:
    """The id that :func:`emit_token` gives a measurement, without emitting anything.

    ``"t1:"`` and the 40 hex digits of BLAKE2b-160 (RFC 7693, doi:10.17487/RFC7693; personalisation
    ``toriwork.token.1``) over the canonical JSON of type, source, subject, references and everything else but the
    timestamp.

    BadInput as of :func:`identify`.

    Examples
    --------
    >>> from toriwork.synthesis import token_id
    >>> token_id({"type": "probe", "value": 1})
    't1:41577dde295cdc1e6fcc36605992a11bc0b26986'
    """
    return identify(measurement).token


def identify(measurement: Mapping[str, Any]) -> Identity:
    """The identity of a measurement; the mapping itself is left as it is.

    Raises
    ------
    BadInput
        It is no mapping, its references are no texts, or something in it has no JSON form; the message names the key.
    """
    if type(measurement) is not dict and not isinstance(measurement, Mapping):  # the first is quicker to ask
        raise BadInput(f"measurement: expected a mapping, got {type(measurement).__name__}")
    keys = tuple(measurement)
    take, pieces, rest, refers, timed, names, ends = _shapes.get(keys) or _keep_shape(keys)
    refs: tuple[str, ...] = ()
    filled = pieces.copy()
    try:
        if rest is None:
            filled[1::2] = write_each(take(measurement))
        else:
            filled[1] = write({key: measurement[key] for key in rest})
        if refers:
            refs = _references(measurement)
            filled.append(f',"refs":{canonical(refs)}')
        try:
            filled.append(ends[names(measurement)])
        except (KeyError, TypeError):  # TypeError: the type is a list, say
            filled.append(_end(measurement, names, ends))
        body = "".join(filled).encode()
    except REFUSALS:
        canonical({key: value for key, value in measurement.items() if key != "timestamp"})  # says where
        raise
    time = measurement["timestamp"] if timed else None
    found = _hash()
    found.update(body)
    # what Identity(...) does, at half the cost: every emission comes through here
    return _new(Identity, (body, found.digest(), refs, None if time is None else _time_text(time)))


class _Shape(NamedTuple):
    """Where the values of measurements with certain keys go."""

    take: Take  #: what was measured, in the order of the body
    pieces: list[str]  #: the body up to the references, those too where there are none; each second piece is a value's
    rest: tuple[Any, ...] | None  #: keys that have no template, written as one object
    refers: bool
    timed: bool
    names: Callable[[Mapping[str, Any]], Any]  #: what is given of source, subject and type: a tuple, or the only one
    ends: dict[Any, str]  #: names that are texts -> the end of the body: most observers emit often


_shapes: dict[tuple[Any, ...], _Shape] = {}


def _keep_shape(keys: tuple[Any, ...]) -> _Shape:
    """The shape of measurements with these keys; remembered, since measurements of one kind have the same keys."""
    rest = tuple(key for key in keys if key not in _APART)
    measured = template(rest)
    refers = "refs" in keys or "references" in keys
    given_names = [name for name in _NAMED if name in keys]
    pieces = ["", "", ""] if measured is None else measured
    pieces[0] = '{"m":' + pieces[0]
    if not refers:
        pieces[-1] += ',"refs":[]'
    shape = _Shape(
        take=taker(() if measured is None else sorted(rest)),
        pieces=pieces,
        rest=rest if measured is None else None,
        refers=refers,
        timed="timestamp" in keys,
        names=itemgetter(*given_names) if given_names else lambda _: (),
        ends={},
    )
    if len(keys) <= _MANY_KEYS:
        if len(_shapes) >= _MANY_SHAPES:
            _shapes.clear()
        _shapes[keys] = shape
    return shape


def _end(measurement: Mapping[str, Any], names: Callable[[Mapping[str, Any]], Any], ends: dict[Any, str]) -> str:
    """The end of a body, behind the references, noted among the ``ends`` of its shape."""
    given_names = [measurement.get(name) for name in ("source", "subject", "type")]
    source, subject, kind = write_each(given_names)
    end = f',"source":{source},"subject":{subject},"type":{kind},"v":1}}'
    # of equal texts each is written alike; of equal numbers, as True and 1, not
    if len(end) <= _LONG_END and all(name is None or type(name) is str for name in given_names):
        if len(ends) >= _MANY_ENDS:
            ends.clear()
        ends[names(measurement)] = end
    return end


def _references(measurement: Mapping[str, Any]) -> tuple[str, ...]:
    """The references of a measurement under either name, sorted and without repetition."""
    found = _texts("refs", measurement.get("refs")) | _texts("references", measurement.get("references"))
    return tuple(in_unit_order(found))


def digest_of(body: bytes) -> bytes:
    """The 20 bytes that a token's hex digits show."""
    found = _hash()
    found.update(body)
    return found.digest()


def parse(body: bytes) -> Core:
    """A body as its parts."""
    core = read(body)
    return Core(
        type=named(core["type"]),
        source=named(core["source"]),
        subject=named(core["subject"]),
        refs=tuple(core["refs"]),
        measurement=restore(core["m"]),
    )


def given(body: bytes, time: str | None) -> dict[str, Any]:
    """The measurement as it was emitted, NumPy values as plain ones; an array kept by content stays its tag."""
    core = read(body)
    found: dict[str, Any] = {name: restore(core[name]) for name in _NAMED if core[name] is not None}
    found.update(restore(core["m"]))
    if core["refs"]:
        found["refs"] = core["refs"]
    if time is not None:
        found["timestamp"] = time
    return found


def named(value: Any) -> str | None:
    """A type, source or subject as text; what is none is shown as JSON."""
    return value if value is None or isinstance(value, str) else json.dumps(value, sort_keys=True)


def _texts(name: str, refs: Any) -> set[str]:
    """References as a set of texts; one text stands for itself."""
    if refs is None:
        return set()
    if isinstance(refs, str):
        return {refs}
    if not isinstance(refs, list | tuple) or not all(isinstance(ref, str) for ref in refs):
        raise BadInput(f"measurement: key {name!r}: expected token ids, got {shown(refs)}")
    return set(refs)


def _time_text(time: Any) -> str:
    if type(time) is float:
        return repr(time)
    if isinstance(time, dt.date):  # a datetime is one
        return time.isoformat()
    try:
        return str(time)
    except ValueError as error:  # an integer of more digits than Python writes
        raise BadInput(f"measurement: key 'timestamp': expected a time, got {shown(time)}: {error}") from None
