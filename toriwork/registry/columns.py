"""Typed columns that users declare: each is a typed view of the metadata key of its name.

A value is checked when a row is recorded. A row whose writer did not know of the column yet, and whose value does not
fit, has null there: its metadata says what was given.
"""

from __future__ import annotations

import datetime as dt
import getpass
import json
import logging
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pyarrow as pa

from toriwork.checks import shown, strict_text
from toriwork.errors import BadInput
from toriwork.registry.rows import RETRACTION_KEY, SCHEMA
from toriwork.storage import arrays
from toriwork.storage.spec import COLUMN_TYPES, Column

#: a value of a column that stands for all clouds of a call
SINGLE = (str, int, float, bool, type(None), dt.date, np.generic)
_LOG = logging.getLogger("toriwork.registry")
_PYTHON: dict[str, type[Any]] = {"float64": float, "int64": int, "bool": bool, "string": str}
_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def declared(columns: Mapping[str, str]) -> list[Column]:
    """Columns as they are declared here and now; BadInput where a name or a type is none."""
    if not isinstance(columns, Mapping):
        raise BadInput(f"columns: expected names with a type each, got {shown(columns)}")
    now = dt.datetime.now(dt.UTC).isoformat(timespec="seconds")
    found = [Column(name, kind, _user(), now) for name, kind in columns.items()]
    for column in found:
        if column.type not in COLUMN_TYPES:
            raise BadInput(f"column {column.name}: expected one of {', '.join(COLUMN_TYPES)}, got {shown(column.type)}")
        if not column.is_sound or column.name.lower() in (RETRACTION_KEY, *map(str.lower, SCHEMA.names)):
            raise BadInput(
                f"column {shown(column.name)}: expected up to 63 letters, digits and _ that begin with a letter and "
                "are no column of every registry"
            )
    return found


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):  # a container without a name for its user
        return "somebody"


def with_values(metadata: Any, values: Mapping[str, Any]) -> Any:
    """Metadata with values that were given by name; BadInput where one was given twice."""
    if metadata is None:
        return values
    if not isinstance(metadata, Mapping):
        return metadata  # whoever packs it says what is wrong
    if twice := metadata.keys() & values.keys():
        raise BadInput(f"{', '.join(sorted(twice))}: expected in the metadata or by name, got both")
    return {**metadata, **values}


def check_values(columns: Sequence[Column], metadata: str) -> None:
    """BadInput where a value of metadata, as JSON, does not fit its column."""
    for value in _values(metadata, columns):
        if isinstance(value, BadInput):
            raise value


def _fitting(kind: str, value: Any) -> Any:
    """A value of JSON as a column holds it: times as microseconds since 1970, in UTC where they have no zone.

    ValueError, TypeError or OverflowError where it does not fit.
    """
    if value is None:
        return None
    if kind == "timestamp":
        time = dt.datetime.fromisoformat(value)
        return ((time if time.tzinfo else time.replace(tzinfo=dt.UTC)) - _EPOCH) // dt.timedelta(microseconds=1)
    if kind == "float64" and type(value) is int and float(value) == value:
        return float(value)
    if type(value) is not _PYTHON[kind] or (kind == "int64" and not -(2**63) <= value < 2**63):
        raise ValueError(value)
    return value


def cut(batch: pa.RecordBatch, columns: Sequence[Column]) -> list[pa.Array]:
    """The values of columns in some rows, from their metadata; null where there is none, or none that fits."""
    values: list[list[Any]] = [[] for _ in columns]
    known: dict[str | None, list[Any]] = {}
    for position, text in enumerate(batch["metadata"].to_pylist()):
        row = known.get(text)
        if row is None:
            row = known[text] = []
            for value in _values(text, columns):
                if isinstance(value, BadInput):
                    _say(batch["row_id"][position].as_py(), str(value))
                row.append(None if isinstance(value, BadInput) else value)
        for found, value in zip(values, row, strict=True):
            found.append(value)
    return [arrays.plain(found, COLUMN_TYPES[c.type]) for found, c in zip(values, columns, strict=True)]


def _values(text: str | None, columns: Sequence[Column]) -> Iterator[Any]:
    """The value of each column, or the BadInput that says why it is none."""
    try:
        known = json.loads(strict_text(text or "{}"))
    except (ValueError, RecursionError):  # of a row that other software wrote
        known = None
    for column in columns:
        value = known.get(column.name) if isinstance(known, dict) else None
        try:
            found = _fitting(column.type, value)
        except (TypeError, ValueError, OverflowError):
            found = BadInput(f"column {column.name}: expected {column.type}, got {shown(value)}")
        yield found


@lru_cache(maxsize=1000)
def _say(row_id: str, why: str) -> None:
    """Warn of a row, once."""
    _LOG.warning("row %s: %s; it is null there, the metadata keeps it", row_id, why)


def refuse_misfits(batches: Iterable[pa.RecordBatch], columns: Sequence[Column]) -> None:
    """BadInput where rows, their ids and metadata, have a value that does not fit."""
    first, n_rows = "", 0
    known: dict[str | None, str] = {}
    for batch in batches:
        for row_id, text in zip(batch["row_id"].to_pylist(), batch["metadata"].to_pylist(), strict=True):
            if text not in known:
                known[text] = next((str(v) for v in _values(text, columns) if isinstance(v, BadInput)), "")
            if known[text]:
                n_rows += 1
                first = first or f"{known[text]} (row {row_id})"
        known.clear()
    if n_rows:
        raise BadInput(
            f"{first}; {n_rows:,} rows do not fit. Nothing was declared: retract them, or declare another type or name"
        )
