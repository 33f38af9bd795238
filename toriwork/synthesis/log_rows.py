"""Rows of the token log as values, each checked by itself."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import pyarrow as pa

from toriwork.errors import BadInput
from toriwork.synthesis.canonical import read
from toriwork.synthesis.chain import Emission
from toriwork.synthesis.identity import PREFIX, digest_of, named


class LogRow(NamedTuple):
    """One row as it stands in the columns."""

    token_id: str | None
    timestamp: int | None  #: microseconds since 1970
    type: str | None
    source: str | None
    subject: str | None
    refs: list[str] | None
    body: str | None
    given_timestamp: str | None
    sequence: int | None
    row_id: str | None
    writer: str | None
    link: str | None
    generation: int | None


def log_rows(batch: pa.RecordBatch) -> Iterator[LogRow]:
    """The rows of a batch; BadInput when it has not the columns of a token log."""
    if not set(LogRow._fields) <= set(batch.schema.names):
        raise BadInput(f"this is no token log: it has the columns {', '.join(batch.schema.names)}")
    columns: list[Sequence[object]] = [
        _microseconds(batch[name]) if name == "timestamp" else batch[name].to_pylist() for name in LogRow._fields
    ]
    return map(LogRow._make, zip(*columns, strict=True))


def _microseconds(times: pa.Array) -> list[int | None]:
    """Times as whole microseconds, whatever unit the software that wrote them has chosen."""
    found: list[int | None] = times.cast(pa.timestamp("us", tz=times.type.tz), safe=False).cast(pa.int64()).to_pylist()
    return found


def contradiction(row: LogRow) -> str:
    """The contradiction between a row and its token in words; "" when there is none."""
    body = (row.body or "").encode("utf-8", "surrogatepass")
    if PREFIX + digest_of(body).hex() != row.token_id:
        return "its body does not hash to its token"
    try:
        core = read(body)
        parts = {name: named(core[name]) for name in ("type", "source", "subject")}
        refs = core["refs"]
    except (ValueError, KeyError, TypeError):
        return "its body is that of no token"
    for name, part in parts.items():
        if part != getattr(row, name):
            return f"its {name} is not that of its body"
    return "" if list(row.refs or ()) == refs else "its refs are not those of its body"


def emission_of(row: LogRow) -> Emission | None:
    """The emission that the link of a row is made of; None when the row cannot have any."""
    digest, writer = bytes_of((row.token_id or "").removeprefix(PREFIX)), bytes_of(row.writer)
    if digest is None or writer is None or row.timestamp is None or row.sequence is None or row.sequence < 0:
        return None
    given = None if row.given_timestamp is None else row.given_timestamp.encode()
    n_body = len((row.body or "").encode("utf-8", "surrogatepass"))
    return Emission(digest, writer, row.sequence, row.timestamp, given, n_body)


def bytes_of(text: str | None) -> bytes | None:
    """The bytes of a text of hex digits, None when it is none."""
    try:
        return None if text is None else bytes.fromhex(text)
    except ValueError:
        return None
