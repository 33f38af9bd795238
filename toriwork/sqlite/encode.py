"""Blocks of SQLite rows as Arrow columns and back: most cells in the column's main class, every other one a misfit.

Parquet columns have one type and SQLite columns have none. A cell of another class than its column's is null in the
main file and stands in the misfits file with its row, its class and its bytes; both together are every cell, exactly.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable, Iterator, Sequence
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa

from toriwork.sqlite.schema import Table, free_name
from toriwork.sqlite.values import CLASSES, TAGS, ColumnDigest, Text, class_of, from_bytes, to_bytes

ROWID = "__rowid__"
TYPES = {"integer": pa.int64(), "real": pa.float64(), "text": pa.string(), "blob": pa.binary()}
MISFITS = pa.schema(
    [("row", pa.int64()), ("column", pa.string()), ("storage_class", pa.string()), ("value", pa.binary())]
)


class Misfit(NamedTuple):
    """One cell that its column cannot hold: another class, or a text that is not UTF-8."""

    row: int  #: 0-based place in the order of the export
    column: str
    storage_class: str
    value: bytes


class Encoder:
    """Turns blocks of rows of one table into record batches, keeping a digest of every column as SQLite gave it."""

    def __init__(self, table: Table) -> None:
        rowid = [free_name(ROWID, (column.name for column in table.columns))] if table.rowid else []
        self.names = rowid + [table.label(column.name) for column in table.columns]
        self._classes = (["integer"] if table.rowid else []) + [main_class(table, c.name) for c in table.columns]
        self._pure = ([True] if table.rowid else []) + [_is_pure(table, c.name) for c in table.columns]
        self._digests = [ColumnDigest() for _ in self.names]
        self.schema = pa.schema([(n, TYPES[c]) for n, c in zip(self.names, self._classes, strict=True)])
        #: what texts arrive as: telling them from blobs costs a call each, and only mixed columns need it
        self.text_factory: type[bytes] = bytes if all(self._pure) else Text
        self.n_rows = 0
        self.digest_seconds = 0.0  #: of the work so far, what belongs to the proof

    def batch(self, columns: Sequence[Sequence[Any]]) -> tuple[pa.RecordBatch, list[Misfit]]:
        """The next rows, given as columns, as a batch, and the cells that do not fit, in the order of the rows."""
        arrays: list[pa.Array] = []
        misfits: list[Misfit] = []
        begun = perf_counter()
        for index, cells in enumerate(columns):
            self._take(index, cells)
        self.digest_seconds += perf_counter() - begun
        for index, cells in enumerate(columns):
            found = _whole(cells, self._classes[index]) if self._pure[index] else None
            arrays.append(self._without_misfits(index, cells, misfits) if found is None else found)
        self.n_rows += len(columns[0])
        misfits.sort(key=lambda misfit: misfit.row)
        return pa.RecordBatch.from_arrays(arrays, schema=self.schema), misfits

    def _take(self, index: int, cells: Sequence[Any]) -> None:
        """The block into the column's digest; a block of one class by a few calls."""
        digest, name = self._digests[index], self._classes[index]
        if not self._pure[index]:
            digest.cells(cells)
            return
        tags = TAGS[name] * len(cells)
        if None in cells:
            tags = b"".join([b"n" if cell is None else TAGS[name] for cell in cells])
            cells = [cell for cell in cells if cell is not None]
        if name in ("integer", "real"):
            digest.take(tags, numbers=array("q" if name == "integer" else "d", cells).tobytes())
        else:
            lengths = array("q", list(map(len, cells))).tobytes()
            digest.take(tags, lengths=lengths, data=b"".join(cells))

    def _without_misfits(self, index: int, cells: Sequence[Any], misfits: list[Misfit]) -> pa.Array:
        """The cells that fit, null for each other one, which joins the misfits."""
        name, main = self.names[index], self._classes[index]
        kept: list[Any] = []
        for at, value in enumerate(cells):
            found = main if self._pure[index] and value is not None else class_of(value)
            if found == "null" or (found == main and (found != "text" or _is_utf8(value))):
                kept.append(value)
            else:
                kept.append(None)
                misfits.append(Misfit(self.n_rows + at, name, found, to_bytes(value)))
        return _whole(kept, main)

    def digests(self) -> dict[str, str]:
        """Column name -> digest of all cells so far."""
        return {name: digest.hexdigest() for name, digest in zip(self.names, self._digests, strict=True)}


def main_class(table: Table, column: str) -> str:
    """The storage class that a column of the Parquet file has."""
    found = table.profiles[column].main
    return found if found != "null" else table.affinity(column)


def _is_pure(table: Table, column: str) -> bool:
    counts, main = table.profiles[column].counts, main_class(table, column)
    return all(not counts[name] for name in CLASSES if name not in ("null", main))


def _whole(cells: Sequence[Any], main: str) -> pa.Array | None:
    """Cells of one class and nulls as an array, or None when a text among them is not UTF-8."""
    if main != "text":
        return pa.array(cells, TYPES[main])
    try:
        return pa.array(cells, pa.binary()).cast(pa.string())
    except pa.ArrowInvalid:
        return None


def _is_utf8(value: bytes) -> bool:
    try:
        value.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


class Decoder:
    """Batches of the main file and its misfits back to cells, with a digest of every column as Parquet gave it.

    ``misfits`` come in the order of the rows, and only those of the present block are held.
    """

    def __init__(self, schema: pa.Schema, misfits: Iterable[Misfit] = ()) -> None:
        self.names = list(schema.names)
        #: column -> storage class of the cells that stand in the main file
        self.classes = {field.name: class_of_type(field.type) for field in schema}
        self._classes = list(self.classes.values())
        self._digests = [ColumnDigest() for _ in self.names]
        self._misfits = iter(misfits)
        self._next = next(self._misfits, None)
        self.n_rows = 0
        self.n_misfits = 0

    def digest(self, batch: pa.RecordBatch) -> None:
        """Take the next rows into the digests, without making Python objects of them where that is not needed."""
        odd = self._misfits_of(batch.num_rows)
        for index, values in enumerate(batch.columns):
            here = odd.get(self.names[index], {})
            if here:
                self._digests[index].cells(self._cells(index, values, here))
            else:
                _take_whole(self._digests[index], values, self._classes[index])

    def rows(self, batch: pa.RecordBatch) -> list[tuple[Any, ...]]:
        """The next rows as SQLite gave them."""
        odd = self._misfits_of(batch.num_rows)
        columns = [self._cells(i, values, odd.get(self.names[i], {})) for i, values in enumerate(batch.columns)]
        return list(zip(*columns, strict=True))

    def _misfits_of(self, n_rows: int) -> dict[str, dict[int, Any]]:
        """Column -> row in the block -> value, for the next ``n_rows`` rows."""
        found: dict[str, dict[int, Any]] = {}
        while self._next is not None and self._next.row < self.n_rows + n_rows:
            row, column, storage_class, value = self._next
            found.setdefault(column, {})[row - self.n_rows] = from_bytes(storage_class, value)
            self.n_misfits += 1
            self._next = next(self._misfits, None)
        self.n_rows += n_rows
        return found

    def _cells(self, index: int, values: pa.Array, misfits: dict[int, Any]) -> list[Any]:
        cells: list[Any]
        if self._classes[index] == "text":
            cells = [None if value is None else Text(value) for value in values.cast(pa.binary()).to_pylist()]
        else:
            cells = values.to_pylist()
        for at, value in misfits.items():
            cells[at] = value
        return cells

    def digests(self) -> dict[str, str]:
        """Column name -> digest of all cells so far."""
        return {name: digest.hexdigest() for name, digest in zip(self.names, self._digests, strict=True)}


def class_of_type(kind: pa.DataType) -> str:
    """The storage class whose cells a Parquet column of this type holds."""
    return next(name for name, found in TYPES.items() if found == kind)


def misfits_in(batches: Iterable[pa.RecordBatch]) -> Iterator[Misfit]:
    """The misfits of a file, one after the other."""
    for batch in batches:
        yield from map(Misfit._make, zip(*(batch[name].to_pylist() for name in MISFITS.names), strict=True))


def misfits_batch(misfits: Sequence[Misfit]) -> pa.RecordBatch:
    """Misfits as a batch of their file."""
    columns = list(zip(*misfits, strict=True)) or [()] * len(MISFITS)
    return pa.RecordBatch.from_arrays(
        [pa.array(column, field.type) for column, field in zip(columns, MISFITS, strict=True)], schema=MISFITS
    )


def _take_whole(digest: ColumnDigest, values: pa.Array, name: str) -> None:
    """A column without misfits, from Arrow's own buffers."""
    tags = TAGS[name] * len(values)
    if values.null_count:
        valid = values.is_valid().cast(pa.uint8())
        bits = np.frombuffer(valid.buffers()[1], np.uint8)[valid.offset : valid.offset + len(valid)]
        tags = np.where(bits, np.uint8(TAGS[name][0]), np.uint8(TAGS["null"][0])).tobytes()
        values = values.drop_null()
    start, stop = values.offset, values.offset + len(values)
    buffers = values.buffers()
    if not len(values):
        digest.take(tags)
    elif name in ("integer", "real"):
        digest.take(tags, numbers=memoryview(buffers[1])[8 * start : 8 * stop])
    else:
        offsets = np.frombuffer(buffers[1], np.int32)[start : stop + 1]
        data = memoryview(buffers[2])[offsets[0] : offsets[-1]] if buffers[2] is not None else b""
        digest.take(tags, lengths=np.diff(offsets).astype("<i8").tobytes(), data=data)
