"""Thrift's compact protocol, as far as a Parquet footer uses it: bytes to plain values and back, nothing lost.

Arrow reads and writes footers but offers no way to move the row groups of one file behind those of another. A struct
is a dict from field number to ``(type, value)``, in the order of the bytes; a list is ``(type, [values])``. What a
newer version of the format adds comes back as it was, since nothing here knows a field by name.

Specification: https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md
"""

from __future__ import annotations

from typing import Any

TRUE, FALSE, BYTE, I16, I32, I64, DOUBLE, BINARY, LIST, SET, MAP, STRUCT = range(1, 13)
_DEEP = 32  # a footer nests 8 deep; what nests deeper is not read

Field = tuple[int, Any]
Struct = dict[int, Field]


class Reader:
    """Reads values from bytes, from ``at`` on; ValueError where they end early, nest deep or have no known type."""

    def __init__(self, data: bytes, at: int = 0) -> None:
        self.data = data
        self.at = at

    def varint(self) -> int:
        """An unsigned number."""
        result = shift = 0
        data = self.data
        try:
            while True:
                byte = data[self.at]
                self.at += 1
                result |= (byte & 0x7F) << shift
                if byte < 0x80:
                    return result
                shift += 7
                if shift > 63:
                    raise ValueError(f"expected a number of at most 10 bytes, got more at byte {self.at}")
        except IndexError:
            raise ValueError("expected a number, got the end of the bytes") from None

    def signed(self) -> int:
        """A number in zigzag form."""
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def fields(self, deep: int = 0) -> Struct:
        """A struct."""
        if deep > _DEEP:
            raise ValueError(f"expected at most {_DEEP} nested structs")
        found: Struct = {}
        number = 0
        while True:
            head = self.byte()
            if not head:
                return found
            kind, step = head & 0x0F, head >> 4
            number = number + step if step else self.signed()
            found[number] = kind, kind == TRUE if kind <= FALSE else self.value(kind, deep)

    def value(self, kind: int, deep: int = 0) -> Any:
        """A value of a type; a boolean here stands in a list and takes a byte."""
        if kind == BINARY:
            return self._take(self.varint())
        if kind in (I16, I32, I64):
            return self.signed()
        if kind == STRUCT:
            return self.fields(deep + 1)
        if kind in (LIST, SET):
            return self._items(deep)
        if kind == DOUBLE:
            return self._take(8)
        if kind in (TRUE, FALSE, BYTE):
            return self.byte()
        raise ValueError(f"expected a type of the compact protocol, got {kind} at byte {self.at}")

    def list_head(self) -> tuple[int, int]:
        """Type and number of the items of a list, which follow."""
        head = self.byte()
        size = head >> 4
        return head & 0x0F, self.varint() if size == 15 else size

    def _items(self, deep: int) -> tuple[int, list[Any]]:
        kind, size = self.list_head()
        if size > len(self.data) - self.at:  # every item takes a byte at least
            raise ValueError(f"expected at most {len(self.data) - self.at} items, got {size}")
        return kind, [self.value(kind, deep + 1) for _ in range(size)]

    def byte(self) -> int:
        """One byte."""
        try:
            byte = self.data[self.at]
        except IndexError:
            raise ValueError("expected a value, got the end of the bytes") from None
        self.at += 1
        return byte

    def _take(self, size: int) -> bytes:
        end = self.at + size
        if end > len(self.data):
            raise ValueError(f"expected {size} bytes, got the end of the bytes")
        taken = self.data[self.at : end]
        self.at = end
        return taken


def pack(fields: Struct) -> bytes:
    """The bytes of a struct, its closing byte included."""
    out = bytearray()
    put_fields(out, fields)
    return bytes(out)


def _put_varint(out: bytearray, value: int) -> None:
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)


def put_head(out: bytearray, number: int, before: int, kind: int) -> None:
    """Append the head of a field that follows field ``before`` in its struct."""
    step = number - before
    if 0 < step <= 15:
        out.append(step << 4 | kind)
    else:
        out.append(kind)
        _put_varint(out, (number << 1) ^ (number >> 63))


def put_list_head(out: bytearray, kind: int, size: int) -> None:
    """Append the head of a list; its items follow."""
    if size < 15:
        out.append(size << 4 | kind)
    else:
        out.append(0xF0 | kind)
        _put_varint(out, size)


def put_fields(out: bytearray, fields: Struct, before: int = 0) -> None:
    """Append the fields of a struct that follow field ``before``, and the closing byte."""
    for number, (kind, value) in fields.items():
        if kind <= FALSE:
            kind = TRUE if value else FALSE
        put_head(out, number, before, kind)
        before = number
        if kind > FALSE:
            _put_value(out, kind, value)
    out.append(0)


def _put_value(out: bytearray, kind: int, value: Any) -> None:
    if kind == BINARY:
        _put_varint(out, len(value))
        out += value
    elif kind in (I16, I32, I64):
        _put_varint(out, (value << 1) ^ (value >> 63))
    elif kind == STRUCT:
        put_fields(out, value)
    elif kind in (LIST, SET):
        of, items = value
        put_list_head(out, of, len(items))
        for item in items:
            _put_value(out, of, item)
    elif kind == DOUBLE:
        out += value
    else:
        out.append(value)
