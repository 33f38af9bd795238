"""Which token a measurement is: what belongs to its identity, what to one occurrence of it."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Mapping
from hashlib import blake2b
from typing import Any, NamedTuple

from toriwork.errors import BadInput
from toriwork.synthesis.canonical import REFUSALS, canonical, in_unit_order, read, restore, write

PREFIX = "t1:"
_PERSON = b"toriwork.token.1"
_DIGEST_BYTES = 20
_NO_REFS = "[]"
_NAMED = ("type", "source", "subject")


class Identity(NamedTuple):
    """What the id of a token is the hash of, and what stands beside it."""

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

    Raises
    ------
    BadInput
        See :func:`identify`.
    """
    return identify(measurement).token


def identify(measurement: Mapping[str, Any]) -> Identity:
    """The identity of a measurement; the mapping itself is left as it is.

    Raises
    ------
    BadInput
        It is no mapping, its references are no texts, or something in it has no JSON form; the message names the key.
    """
    if not isinstance(measurement, Mapping):
        raise BadInput(f"measurement: a mapping is wanted, given was {type(measurement).__name__}")
    rest = dict(measurement)
    kind, source, subject = rest.pop("type", None), rest.pop("source", None), rest.pop("subject", None)
    time = rest.pop("timestamp", None)
    named, more = rest.pop("refs", None), rest.pop("references", None)
    refs: tuple[str, ...] = ()
    refs_text = _NO_REFS
    if named is not None or more is not None:
        refs = tuple(in_unit_order(_texts("refs", named) | _texts("references", more)))
        refs_text = canonical(refs)
    try:
        body = (
            f'{{"m":{write(rest)},"refs":{refs_text},"source":{write(source)},"subject":{write(subject)},'
            f'"type":{write(kind)},"v":1}}'
        ).encode()
    except REFUSALS:
        canonical({key: value for key, value in measurement.items() if key != "timestamp"})  # says where
        raise
    return Identity(body, digest_of(body), refs, None if time is None else _time_text(time))


def digest_of(body: bytes) -> bytes:
    """The 20 bytes that a token's hex digits show."""
    return blake2b(body, digest_size=_DIGEST_BYTES, person=_PERSON).digest()


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
        raise BadInput(f"measurement: key {name!r}: token ids are wanted, given was {refs!r:.80}")
    return set(refs)


def _time_text(time: Any) -> str:
    if isinstance(time, dt.date):  # a datetime is one
        return time.isoformat()
    return str(time)
