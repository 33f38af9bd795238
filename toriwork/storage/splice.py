"""Footers joined by their bytes: the row groups of the file before, as they were, and new ones behind them.

A publish copies the old row groups and writes new ones; the new footer holds the description of the old groups byte
for byte, so it costs in proportion to what is new. Only the offsets in new groups are moved.
"""

from __future__ import annotations

from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from toriwork.storage import thrift
from toriwork.storage.thrift import BINARY, I64, LIST, STRUCT, Reader, Struct

MAGIC = b"PAR1"
# field numbers of parquet.thrift
_SCHEMA, _N_ROWS, _GROUPS, _KEY_VALUES = 2, 3, 4, 5
_COLUMNS, _GROUP_OFFSET, _ORDINAL = 1, 5, 7
_CHUNK_OFFSETS = (2, 4, 6)  #: of the chunk, its offset index and its column index
_CHUNK_META = 3
_PAGE_OFFSETS = (9, 10, 11, 14)  #: data, index and dictionary page, bloom filter


class Kept(NamedTuple):
    """The row groups of an older file that the next one holds unchanged."""

    groups: bytes  #: their descriptions, as they stand in the footer
    n_groups: int
    n_rows: int


NOTHING = Kept(b"", 0, 0)


class FooterFront(NamedTuple):
    """The front of a footer, up to its row groups."""

    fields: Struct  #: that stand in front of them
    n_groups: int
    start: int  #: of the description of the first one


def opening(footer: bytes) -> FooterFront:
    """The front of a footer; the groups are not parsed."""
    reader = Reader(footer)
    fields: Struct = {}
    number = 0
    while head := reader.byte():
        step, kind = head >> 4, head & 0x0F
        number = number + step if step else reader.signed()
        if number == _GROUPS and kind == LIST:
            return FooterFront(fields, reader.list_head()[1], reader.at)
        fields[number] = kind, kind == thrift.TRUE if kind <= thrift.FALSE else reader.value(kind)
    raise ValueError("expected a footer with a list of row groups, got one without")


def bytes_of_groups(footer: bytes) -> int:
    """How many bytes the descriptions of all row groups take; each is parsed, which takes about a millisecond."""
    front = opening(footer)
    reader = Reader(footer, front.start)
    for _ in range(front.n_groups):
        reader.fields()
    return reader.at - front.start


def kept_groups(footer: bytes, n_groups: int, n_bytes: int, n_rows: int) -> Kept:
    """The first groups of a footer, whose number, bytes and rows are known: nothing of them is parsed."""
    front = opening(footer)
    if front.n_groups < n_groups or front.start + n_bytes > len(footer):
        raise ValueError(f"expected a footer with {n_groups} row groups in {n_bytes} bytes, got {front.n_groups}")
    return Kept(footer[front.start : front.start + n_bytes], n_groups, n_rows)


def new_groups(footer: bytes, shift: int) -> tuple[Struct, list[bytes]]:
    """A footer as Arrow wrote it, and its groups with offsets moved by ``shift`` bytes."""
    fields = Reader(footer).fields()
    found = []
    for group in fields[_GROUPS][1][1] if _GROUPS in fields else ():
        _move(group, (_GROUP_OFFSET,), shift)
        group.pop(_ORDINAL, None)  # 16 bits are not enough for every file, and nobody needs it without encryption
        for chunk in group[_COLUMNS][1][1]:
            _move(chunk, _CHUNK_OFFSETS, shift)
            _move(chunk[_CHUNK_META][1], _PAGE_OFFSETS, shift)
        found.append(thrift.pack(group))
    return fields, found


def _move(fields: Struct, numbers: tuple[int, ...], shift: int) -> None:
    for number in numbers:
        kind, value = fields.get(number, (I64, 0))
        if value:  # 0 stands for "none"
            fields[number] = kind, value + shift


def join(kept: Kept, fields: Struct, groups: list[bytes], added: dict[bytes, bytes]) -> bytes:
    """The footer of a file with old and new groups, its length and the closing magic behind it.

    ``fields`` is everything else, from :func:`new_groups`; ``added`` is key-value metadata, in this order.
    """
    number_of_rows = kept.n_rows + fields[_N_ROWS][1]
    pairs = list(fields[_KEY_VALUES][1][1]) if _KEY_VALUES in fields else []
    pairs += [{1: (BINARY, key), 2: (BINARY, value)} for key, value in added.items()]
    before = {number: field for number, field in fields.items() if number < _GROUPS}
    before[_N_ROWS] = I64, number_of_rows
    behind = {number: field for number, field in fields.items() if number > _KEY_VALUES}
    out = bytearray(thrift.pack(before)[:-1])
    thrift.put_head(out, _GROUPS, max(before), LIST)
    thrift.put_list_head(out, STRUCT, kept.n_groups + len(groups))
    out += b"".join((kept.groups, *groups))
    thrift.put_head(out, _KEY_VALUES, _GROUPS, LIST)
    thrift.put_list_head(out, STRUCT, len(pairs))
    out += b"".join(map(thrift.pack, pairs))
    thrift.put_fields(out, behind, _KEY_VALUES)
    return bytes(out) + len(out).to_bytes(4, "little") + MAGIC


@lru_cache(maxsize=16)
def _schema_bytes(schema: pa.Schema) -> bytes:
    """A schema as this Arrow writes it into a footer."""
    sink = BytesIO()
    pq.ParquetWriter(sink, schema, use_dictionary=False).close()
    file = sink.getvalue()
    return _schema_of(file[-8 - int.from_bytes(file[-8:-4], "little") : -8])


def same_schema(footer: bytes, schema: pa.Schema) -> bool:
    """True when a footer has this schema, to the byte: groups are kept only where it has not changed."""
    try:
        return _schema_of(footer) == _schema_bytes(schema)
    except (ValueError, KeyError):
        return False


def _schema_of(footer: bytes) -> bytes:
    return thrift.pack({_SCHEMA: opening(footer).fields[_SCHEMA]})
