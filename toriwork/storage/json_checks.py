"""The JSON of HEAD and footers, checked by name: a checksum proves that it is whole, not that it is usable."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from toriwork.storage.spec import are_columns

_COUNT = 2**63  # more fit into no column
_HEX_ID = re.compile("[0-9a-f]{32}")
_DIGEST = re.compile("(?:[0-9a-f]{64})?")
_ENDING = re.compile(r"\.[a-z]{1,40}")
_OURS = (".parquet", ".d", ".lock", ".tmp", ".json")
_SHOWN = 60

Check = Callable[[Any], bool]


def is_count(value: Any) -> bool:
    """True for an integer from 0 to 2**63 - 1."""
    return type(value) is int and 0 <= value < _COUNT


def is_version(value: Any) -> bool:
    """True for a format version."""
    return type(value) is int and 0 <= value < 2**16


def is_id(value: Any) -> bool:
    """True for the id of a store or a journal: 32 hex digits."""
    return isinstance(value, str) and _HEX_ID.fullmatch(value) is not None


def is_digest(value: Any) -> bool:
    """True for a digest, 64 hex digits, or "" for none."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def is_text(value: Any) -> bool:
    """True for text."""
    return isinstance(value, str)


def is_name(value: Any) -> bool:
    """True for the name of a file, or "" for none."""
    return isinstance(value, str) and "/" not in value and "\0" not in value and value not in (".", "..")


def is_flag(value: Any) -> bool:
    """True for true and false."""
    return isinstance(value, bool)


def are_frames(value: Any) -> bool:
    """True for a mapping from journal ids to frame numbers."""
    return isinstance(value, dict) and all(is_id(journal) and is_count(frame) for journal, frame in value.items())


def is_moment(value: Any) -> bool:
    """True for an ISO time with its zone."""
    with contextlib.suppress(ValueError, TypeError):
        return dt.datetime.fromisoformat(value).tzinfo is not None
    return False


def are_beside(value: Any) -> bool:
    """True for a mapping from endings of small files to texts; no ending of a store's own files is one."""
    return isinstance(value, dict) and all(
        _ENDING.fullmatch(ending) and ending not in _OURS and isinstance(text, str) and _is_utf8(text)
        for ending, text in value.items()
    )


def _is_utf8(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:  # half of a pair
        return False
    return True


def are_spans(value: Any) -> bool:
    """True for a mapping from journal ids to a first and a last frame number."""
    return isinstance(value, dict) and all(is_id(j) and _is_span(found) for j, found in value.items())


def _is_span(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and is_count(value[0]) and is_count(value[1])


def are_extents(value: Any) -> bool:
    """True for a list of extents: four counts and a digest each."""
    return isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 5 and all(map(is_count, one[:4])) and is_digest(one[4]) for one in value
    )


def are_indexes(value: Any) -> bool:
    """True for a list of indexes: offset, first row and number of rows each."""
    return isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 3 and all(map(is_count, one)) for one in value
    )


#: in words, for an error
_EXPECTED: dict[Check, str] = {
    is_count: "an integer from 0 to 2**63 - 1",
    is_version: "a format version",
    is_id: "32 hex digits",
    is_digest: "64 hex digits or none",
    is_text: "text",
    is_name: "the name of a file or none",
    is_flag: "true or false",
    are_frames: "journal ids with a frame number each",
    is_moment: "an ISO time with its zone",
    are_beside: "endings of small files (.checkpoints) with a text each",
    are_extents: "extents of four numbers and a digest",
    are_indexes: "indexes of three numbers",
    are_spans: "journal ids with a first and a last frame number each",
    are_columns: "columns with name, type, who declared it and when",
}


def read_checked(text: bytes | str, checks: Mapping[str, Check], required: frozenset[str]) -> dict[str, Any]:
    """The JSON object in a text; ValueError says which name is missing or has a wrong value.

    Names without a check are passed on: a newer version may have added them.
    """
    try:
        raw = json.loads(text)
    except RecursionError:
        raise ValueError("expected a JSON object, got one that is nested too deeply") from None
    if not isinstance(raw, dict):
        raise ValueError(f"expected a JSON object, got {type(raw).__name__}")
    missing = sorted(required - raw.keys())
    if missing:
        raise ValueError(f"expected {', '.join(missing)}, got nothing of that name")
    for name, check in checks.items():
        if name in raw and not check(raw[name]):
            raise ValueError(f"{name}: expected {_EXPECTED[check]}, got {json.dumps(raw[name])[:_SHOWN]}")
    return raw
