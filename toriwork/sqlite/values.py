"""Cells of SQLite, byte for byte, and the digest of a column of cells that two sides compute apart.

SQLite types values, not columns (https://sqlite.org/datatype3.html): a cell is null, an integer of 64 bits, a double,
a text of bytes or a blob, whatever was declared. A digest covers class and value of every cell in the order of the
rows; doubles are taken by their bits.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from typing import Any

#: what a hash takes
Buffer = bytes | memoryview

#: storage classes as ``typeof`` names them, and the tag of each in a digest
TAGS = {"null": b"n", "integer": b"i", "real": b"r", "text": b"t", "blob": b"b"}
CLASSES = tuple(TAGS)


class Text(bytes):
    """The bytes of a TEXT value. They need not be UTF-8; a plain ``bytes`` is a BLOB."""

    __slots__ = ()


def class_of(value: Any) -> str:
    """The storage class of a value as ``sqlite3`` hands it over with ``text_factory = Text``."""
    if value is None:
        return "null"
    if type(value) is int:
        return "integer"
    if type(value) is float:
        return "real"
    return "text" if type(value) is Text else "blob"


def to_bytes(value: Any) -> bytes:
    """The canonical bytes of a value that is not null: 8 for a number, little-endian, else its own."""
    if type(value) is int:
        return struct.pack("<q", value)
    if type(value) is float:
        return struct.pack("<d", value)
    return bytes(value)


def from_bytes(storage_class: str, data: bytes) -> Any:
    """The value that :func:`to_bytes` was given."""
    if storage_class == "integer":
        return struct.unpack("<q", data)[0]
    if storage_class == "real":
        return struct.unpack("<d", data)[0]
    return Text(data) if storage_class == "text" else data


class ColumnDigest:
    """BLAKE2b-256 over the cells of one column, fed a block of rows at a time; blocks may be cut anywhere.

    The tags of the cells, the numbers, and the lengths and bytes of texts and blobs run into four hashes, each in the
    order of the rows, so that a block costs a few calls and not one a cell.
    """

    def __init__(self) -> None:
        self._parts = {name: blake2b(digest_size=32) for name in ("tags", "numbers", "lengths", "bytes")}
        self.n_cells = 0

    def take(self, tags: bytes, numbers: Buffer = b"", lengths: bytes = b"", data: Buffer = b"") -> None:
        """Take a tag for each cell, and of those that are not null the numbers, or the lengths (int64) and bytes."""
        for name, piece in (("tags", tags), ("numbers", numbers), ("lengths", lengths), ("bytes", data)):
            self._parts[name].update(piece)
        self.n_cells += len(tags)

    def cells(self, values: Sequence[Any]) -> None:
        """Take any values, in order."""
        classes = [class_of(value) for value in values]
        sized = list(zip(classes, values, strict=True))
        texts = [value for name, value in sized if name in ("text", "blob")]
        self.take(
            b"".join([TAGS[name] for name in classes]),
            b"".join([to_bytes(value) for name, value in sized if name in ("integer", "real")]),
            struct.pack(f"<{len(texts)}q", *map(len, texts)),
            b"".join(texts),
        )

    def hexdigest(self) -> str:
        """64 hex digits."""
        whole = blake2b(str(self.n_cells).encode(), digest_size=32, person=b"toriwork.column")
        for part in self._parts.values():
            whole.update(part.digest())
        return whole.hexdigest()


def table_digest(columns: Iterable[tuple[str, str]]) -> str:
    """64 hex digits over (name, digest) of every column in order."""
    whole = blake2b(digest_size=32, person=b"toriwork.table")
    for name, digest in columns:
        encoded = name.encode("utf-8", "surrogatepass")
        whole.update(struct.pack("<q", len(encoded)) + encoded + bytes.fromhex(digest))
    return whole.hexdigest()
