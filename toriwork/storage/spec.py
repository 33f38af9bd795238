"""The description of a table: a schema, and how frames become columns.

The store has no mathematics and no idea what a shape is: the registry, the cells' state and the token log are
three specs over the same ``ParquetTable``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import pyarrow as pa

from toriwork.errors import BadInput

if TYPE_CHECKING:
    from toriwork.storage.frames import Address
    from toriwork.storage.retention import Retention


#: the types of columns that users declare, which every reader of Parquet has and can filter by
COLUMN_TYPES = {
    "float64": pa.float64(),
    "int64": pa.int64(),
    "bool": pa.bool_(),
    "string": pa.string(),
    "timestamp": pa.timestamp("us", tz="UTC"),
}
_NAME = re.compile("[A-Za-z][A-Za-z0-9_]{0,62}")


class Column(NamedTuple):
    """A column that a user declared. Files hold it, journals do not: its values are cut from the rows."""

    name: str
    type: str  #: a key of ``COLUMN_TYPES``
    by: str = ""  #: who declared it
    at: str = ""  #: when, ISO time in UTC

    @property
    def is_sound(self) -> bool:
        """True when name and type are such that every reader takes them without quotes."""
        return _NAME.fullmatch(self.name) is not None and self.type in COLUMN_TYPES


def are_columns(value: Any) -> bool:
    """True for the JSON of declared columns: a list of four texts each."""
    return isinstance(value, list) and all(
        isinstance(one, list) and len(one) == 4 and all(type(text) is str for text in one) and Column(*one).is_sound
        for one in value
    )


class Payload(NamedTuple):
    """One frame of rows as a codec gets it."""

    journal: str  #: journal id, 32 hex digits
    frame: int  #: its number in the journal
    time_ns: int  #: of the first row, nanoseconds since 1970; the next rows count up by one
    n_rows: int  #: of the frame
    data: memoryview  #: as the codec packed them


class Codec(Protocol):
    """How a kind of row is packed into frames and unpacked into columns."""

    def decode(self, payloads: Sequence[Payload], done: Mapping[Address, bytes]) -> pa.RecordBatch:
        """The rows of some frames, in order, with what was completed later; open values are null."""
        ...

    def open_positions(self, payload: Payload) -> Sequence[int]:
        """Which rows of an OPEN frame wait for values that are computed later."""
        ...

    def needle(self, value: str) -> bytes | None:
        """Bytes that a payload holds when a row of it has this value in the indexed column; None: no such bytes."""
        ...

    def upgrade(self, table: pa.Table) -> pa.Table:
        """A table of an older layout (written by legacy code) in the schema of the spec; BadInput when it is none."""
        ...


@dataclass(frozen=True, slots=True)
class TableSpec:
    """Schema, codec and column hints of one table."""

    schema: pa.Schema
    codec: Codec
    row_id: str  #: name of the column with the unique, time-ordered row id
    time: str  #: name of the UTC timestamp column
    dictionary: tuple[str, ...] = ()  #: columns of few distinct values
    retention: Retention | None = None  #: which rows a publish may leave out; None: every row stays for ever
    group_bytes: int | None = None  #: of a row group; None: 16 MB. Small where rows are read singly
    #: how to publish by hand what a closed handle left; ``{path}`` stands for the public file
    by_hand: str = "open {path} again and call flush(publish=True)"
    index: str | None = None  #: a text column whose values are looked up singly
    #: columns that a publish fills in, in the rows that it brings: its generation and its time; none: ()
    published: tuple[str, ...] = ()
    columns: tuple[Column, ...] = ()  #: that users declared: the last ones of the schema
    #: the values of declared columns in some rows; None: a table that takes no columns
    cut: Callable[[pa.RecordBatch, Sequence[Column]], list[pa.Array]] | None = None

    @property
    def keys(self) -> tuple[str, str] | None:
        """The indexed column and the one that orders rows with equal values in it; None where nothing is indexed."""
        return None if self.index is None else (self.index, self.row_id)

    @property
    def core(self) -> pa.Schema:
        """The columns that the codec fills in."""
        return pa.schema(list(self.schema)[: len(self.schema) - len(self.columns)])

    def grown(self, columns: Sequence[Column]) -> TableSpec:
        """The table with more columns; BadInput where one is there with another type."""
        known = {column.name: column for column in self.columns}
        taken = {name.lower() for name in self.schema.names}  # SQL knows no upper and lower case
        fresh: list[Column] = []
        for column in columns:
            found = known.get(column.name)
            if found is not None and found.type != column.type:
                who = f", as {found.by} declared it at {found.at}" if found.by else ""  # a Delta table does not say
                raise BadInput(
                    f"column {column.name}: expected {found.type}{who}, got {column.type}. A column keeps its type; "
                    "declare one of another name"
                )
            if found is None:
                if column.name.lower() in taken:
                    raise BadInput(f"column {column.name}: expected a name that is free, got that of another column")
                taken.add(column.name.lower())
                known[column.name] = column
                fresh.append(column)
        if not fresh:
            return self
        fields = [pa.field(column.name, COLUMN_TYPES[column.type]) for column in fresh]
        texts = tuple(column.name for column in fresh if column.type == "string")
        return replace(
            self,
            schema=pa.schema([*self.schema, *fields]),
            columns=(*self.columns, *fresh),
            dictionary=(*self.dictionary, *texts),
        )

    def filled(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        """Rows as the codec knows them, with the declared columns."""
        if not self.columns or self.cut is None:
            return batch
        return pa.RecordBatch.from_arrays([*batch.columns, *self.cut(batch, self.columns)], schema=self.schema)

    def fitted(self, table: pa.Table) -> Iterator[pa.RecordBatch]:
        """Rows that were written when the table had fewer columns, in its schema; BadInput as :func:`unify`."""
        return map(self.filled, unify(self._bare(table), self.core).to_batches())

    def upgraded(self, table: pa.Table) -> pa.Table:
        """Rows that other software wrote, in this schema; BadInput where they are of another table."""
        rows = self.codec.upgrade(self._bare(table))
        return pa.Table.from_batches(map(self.filled, rows.to_batches()), schema=self.schema)

    def _bare(self, table: pa.Table) -> pa.Table:
        return table.drop_columns([column.name for column in self.columns if column.name in table.column_names])


class ArrowCodec:
    """Rows that arrive as Arrow record batches: each frame is one IPC stream. Nothing is ever completed later."""

    def __init__(self, schema: pa.Schema) -> None:
        self._schema = schema

    def encode(self, batch: pa.RecordBatch) -> bytes:
        """A batch of the schema as the payload of one frame."""
        if batch.schema.names != self._schema.names:
            raise BadInput(f"expected columns {self._schema.names}, got {batch.schema.names}")
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, self._schema) as writer:
            writer.write_batch(batch.cast(self._schema))
        return bytes(sink.getvalue())

    def decode(self, payloads: Sequence[Payload], done: Mapping[Address, bytes]) -> pa.RecordBatch:
        """The rows of some frames, in order."""
        batches = [batch for payload in payloads for batch in pa.ipc.open_stream(pa.py_buffer(payload.data))]
        for batch in batches:
            batch.validate(full=True)  # Arrow trusts lengths and offsets, and reads beyond its buffers otherwise
        tables = [unify(pa.Table.from_batches([batch]), self._schema) for batch in batches]
        table = pa.concat_tables(tables).combine_chunks() if tables else self._schema.empty_table()
        return table.to_batches()[0] if table.num_rows else pa.RecordBatch.from_pylist([], schema=self._schema)

    def open_positions(self, payload: Payload) -> Sequence[int]:
        """No row waits for anything."""
        return ()

    def needle(self, value: str) -> bytes | None:
        """The text itself, which Arrow stores as it is."""
        return value.encode()

    def upgrade(self, table: pa.Table) -> pa.Table:
        """The table in this schema, columns that it lacks as nulls."""
        return unify(table, self._schema)


def unify(table: pa.Table, schema: pa.Schema) -> pa.Table:
    """A table in a schema that only ever grew by nullable columns: what is missing comes as nulls.

    Raises
    ------
    BadInput
        A column has a type that cannot be cast without loss, or the table has a column that the schema lacks.
    """
    extra = [name for name in table.column_names if name not in schema.names]
    if extra:
        raise BadInput(f"columns {extra} are not known here; a newer version may have written them")
    arrays = []
    for field in schema:
        if field.name not in table.column_names:
            arrays.append(pa.nulls(table.num_rows, field.type))
            continue
        try:
            arrays.append(table[field.name].cast(field.type))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            raise BadInput(f"column {field.name}: expected {field.type}: {error}") from error
    return pa.table(arrays, schema=schema)
