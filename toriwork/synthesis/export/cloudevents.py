"""CloudEvents 1.0 in the JSON format: one event for each emission."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from urllib.parse import quote

from toriwork.synthesis.canonical import read
from toriwork.synthesis.occurrences import Occurrence
from toriwork.synthesis.prompt import UNTYPED

_SOURCE = "/toriwork/"
_TYPE = "toriwork."


def to_cloudevents(occurrences: Iterable[Occurrence]) -> list[dict[str, Any]]:
    """Emissions as CloudEvents 1.0, in the order in which they are given.

    ``id`` is the row of the log (without a log the token, which then occurs once), ``source`` "/toriwork/" and the
    source, ``type`` "toriwork." and the type, both percent-encoded; ``subject`` the token, ``time`` that of the
    emission. ``data`` is what the token is the hash of, tags for NaN and infinity in it: its canonical JSON hashes
    to the token again.

    Sources
    -------
    CloudEvents 1.0.2, "Required Attributes"; its JSON Event Format 1.0.2, sect. 2 and 3; RFC 3339 for the time.
    """
    return [_event(one) for one in occurrences]


def _event(one: Occurrence) -> dict[str, Any]:
    core = one.core
    return {
        "specversion": "1.0",
        "id": one.row_id,
        "source": _SOURCE + quote(core.source or "", safe=""),
        "type": _TYPE + quote(core.type or UNTYPED, safe=""),
        "subject": one.token,
        "time": one.time.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "datacontenttype": "application/json",
        "data": read(one.body),
    }
