"""Every way of reading the registry: queries, scans, the vertices, statistics, and its look in a notebook."""

from __future__ import annotations

import datetime as dt
import html
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from toriwork.checks import check_band, check_integer
from toriwork.errors import BadInput, NotFound
from toriwork.registry import reading
from toriwork.registry.adoption import fill_in
from toriwork.registry.betti_values import Budget
from toriwork.registry.facts import LAST_COLUMNS, STATISTICS_COLUMNS, RegistryFacts, gather, statistics
from toriwork.registry.loading import load_pandas
from toriwork.registry.retractions import retracted_ids
from toriwork.registry.rows import restore_vertices
from toriwork.state import shown_path
from toriwork.storage import Backup, ParquetTable, VerifyReport, arrays, backup
from toriwork.storage.publish import generation_of

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd
    import pyarrow.dataset as pads


class RegistryReader(ABC):
    """The reading half of a registry; the other half says which table it is and when its numbers are there."""

    _table: ParquetTable
    _as_of: int | dt.date | str | None = None  #: the generation or time that is looked at; None: now
    _budget: Budget  #: of Betti numbers that a backup computes

    @property
    def path(self) -> Path:
        """The public file."""
        return self._table.path

    @property
    def is_there(self) -> bool:
        """False when somebody deleted its files since it was opened: it reads as empty then."""
        return self.path.exists() or self.path.with_suffix(".d").exists()

    @property
    def _shown(self) -> str:
        return shown_path(self.path)

    @property
    def closed(self) -> bool:
        """True when the registry was closed."""
        return self._table.closed

    @abstractmethod
    def _wait_for_numbers(self) -> None:
        """Return when this handle's open rows have their Betti numbers."""

    def scan(
        self,
        columns: Sequence[str] | reading.Choice | None = None,
        filter: pads.Expression | None = None,  # noqa: A002 - the word that Arrow's readers use
        since: Any = None,
        until: Any = None,
        after: str | None = None,
        *,
        where: pads.Expression | Sequence[Any] | None = None,
        as_of: int | dt.date | str | None = None,
        retracted: bool = False,
    ) -> pa.RecordBatchReader:
        """All rows of one consistent state, lazily, as Arrow record batches.

        Parameters
        ----------
        columns : sequence of str, or function, optional
            All columns when not given; leaving out ``vertices`` saves nearly everything. A function gets the schema,
            with the typed columns that there are, and returns the names.
        filter : pyarrow.dataset.Expression, optional
            For example ``pyarrow.compute.field("betti1") >= 1``; row groups that cannot match are not read.
        since, until : datetime or ISO text, optional
            ``since <= timestamp < until``; without a zone taken as UTC. A row that is published late may have an
            early time: to see every row once, follow with ``after``.
        after : str, optional
            Only rows published behind this cursor, in the order of publishing; "" begins with the first. The next
            cursor is ``reader.schema.metadata[b"cursor"].decode()``. Rows that are not published yet come later.

        where : pyarrow.dataset.Expression or sequence of tuples, optional
            As ``filter``; also tuples as pandas takes them, all of which have to hold: ``[("betti1", ">=", 1)]``, or
            lists of them, of which one has to.
        as_of : int, datetime or ISO text, optional
            Only the rows that were published at that generation, or at that time: the registry as other readers saw
            it then. A row is in the generation that ``generation`` says, which came at ``published``.

        retracted : bool
            Also the rows that were retracted, and the retractions: rows with a row id in ``retracts``.

        Raises
        ------
        BadInput
            An unknown column, no time, or a cursor of another registry or of a state that the file no longer has; a
            generation that is still to come, or one of an earlier release, which noted none.
        DamagedFile
            While reading: a page fails its checksum.
        """
        times = reading.joined(reading.time_filter(since, until), filter)

        def given(schema: pa.Schema) -> pads.Expression | None:
            return reading.joined(times, reading.where_filter(where, schema))

        choose = columns if callable(columns) else partial(reading.chosen, columns)
        as_of = self._as_of if as_of is None else as_of
        if after is not None:
            if as_of is not None:
                raise BadInput("after, as_of: expected one of them, got both")
            return reading.follow(self._table, choose, given, after, retracted=retracted)
        if as_of is None and (times is not None or where is not None or _with_betti(columns)):
            self._wait_for_numbers()
        return reading.scan(self._table, choose, given, as_of, retracted=retracted)

    @property
    def columns(self) -> dict[str, str]:
        """The typed columns that users declared, name -> type, in the order of declaring."""
        with self._table.snapshot() as snapshot:
            return {column.name: column.type for column in snapshot.spec.columns}

    def dataset(self) -> pads.Dataset:
        """One consistent state as an Arrow dataset, which DuckDB and Polars query without copying it."""
        if self._as_of is None:
            self._wait_for_numbers()
        return reading.as_dataset(self._table, self._as_of)

    def to_pandas(self, columns: Sequence[str] | None = None, **scan_options: Any) -> pd.DataFrame:
        """A DataFrame in the order of recording; the nine columns of schema v1 and the typed ones, or those named."""
        names: list[str] = []

        def choose(schema: pa.Schema) -> list[str]:
            names[:] = reading.narrow(schema) if columns is None else reading.chosen(columns, schema)
            return names if "row_id" in names else [*names, "row_id"]

        rows: pa.Table = self.scan(choose, **scan_options).read_all().sort_by("row_id").select(names)
        return _frame(rows)

    @property
    def df(self) -> pd.DataFrame:
        """All rows, unpublished ones included: the nine columns of schema v1, times in UTC, and typed columns."""
        return self.to_pandas()

    def query_by_coherence(self, band: str) -> pd.DataFrame:
        """The rows of one band in the order of recording; BadInput for an unknown band."""
        return self.to_pandas(filter=pc.field("coherence_band") == check_band(band))

    def query_recent(self, n: int = 100) -> pd.DataFrame:
        """The ``n`` newest rows in the order of recording; BadInput for a negative number."""
        n = check_integer(n, name="n", least=0)
        self._wait_for_numbers()
        return _frame(self._newest(n, reading.narrow))

    def _newest(self, n: int, choose: reading.Choice) -> pa.Table:
        return reading.newest(self._table, n, choose)

    def vertices(self, shape_id: str) -> NDArray[Any]:
        """The cloud or spectrum that was recorded under an id: same dtype, same shape, same bits.

        Raises
        ------
        NotFound
            No such id, or its vertices were not kept.
        """
        columns = ("vertices", "vertices_dtype", "vertices_shape")
        row = self._newest_of(shape_id, columns)
        if not row["vertices"].is_valid:
            raise NotFound(f"{shape_id}: its vertices were not kept")
        values = arrays.float64_of(row["vertices"].values)
        return restore_vertices(values, row["vertices_dtype"].as_py(), row["vertices_shape"].as_py())

    def _newest_of(self, shape_id: str, columns: Sequence[str]) -> dict[str, Any]:
        found = self._find(str(shape_id), columns)
        if found is None:
            raise NotFound(f"{shape_id!r}: no such shape among the rows of {self.path}")
        return found

    def _find(self, shape_id: str, columns: Sequence[str]) -> dict[str, pa.Scalar] | None:
        return reading.newest_of(self._table, shape_id, columns)

    def compute_betti_delta(self, id1: str, id2: str) -> dict[str, float]:
        """``delta_b0``, ``delta_b1``, ``delta_b2``: the second shape's Betti numbers less the first's, NaN if unknown.

        The newest row of each id counts; NotFound when an id has none.
        """
        self._wait_for_numbers()
        names = ("betti0", "betti1", "betti2")
        first, second = (self._newest_of(shape_id, names) for shape_id in (id1, id2))

        def number(row: dict[str, Any], name: str) -> float:
            value = row[name].as_py()
            return float("nan") if value is None else float(value)

        return {f"delta_b{k}": number(second, name) - number(first, name) for k, name in enumerate(names)}

    def get_statistics(self) -> dict[str, Any]:
        """``total_shapes``, ``pending_writes`` (rows not yet in the public file), ``pending_age_seconds`` of the oldest
        of them, whoever recorded it (None when there is none), ``coherence_distribution``, ``avg_betti`` (b0, b1, b2;
        NaN when no row knows it), ``file_bytes``, ``generation``, ``schema_version``; where generations go to an object
        store, ``uploaded``: ``to``, the newest ``generation`` there, how many are ``behind`` it here, and the last
        ``error``.
        """
        rows = self.scan(STATISTICS_COLUMNS).read_all()
        with self._table.snapshot() as snapshot:
            pending = snapshot.pending_rows() if self._as_of is None else 0
            n_bytes = snapshot.base.stat.size if snapshot.base is not None else 0
            generation = generation_of(snapshot)
        found = self._table.uploaded
        uploaded = {} if found is None else {"uploaded": {**asdict(found), "behind": generation - found.generation}}
        age = self._table.pending_age if pending else None
        return {**statistics(rows, pending, age, n_bytes, generation), **uploaded}

    def verify(self) -> VerifyReport:
        """Check every file, page, row id and HEAD; see ``toriwork.storage.verify``."""
        return self._table.verify()

    def backup(self, to: str | os.PathLike[str]) -> Backup:
        """The backup of all rows, published or not, in a folder ``to``: a plain Parquet file and a manifest.

        Every row whose ``record_shape`` had returned, in any process, is in it, with its Betti numbers; writers and
        publishers go on meanwhile. When nothing was recorded since the newest sound backup there, that one comes back.

        Raises
        ------
        BadInput, StoreError
            The folder is that of the registry; or the disk refused, or is full: no backup was made.
        """
        self._wait_for_numbers()
        return backup(self._table, to, fill=lambda snapshot: fill_in(snapshot, self._budget))

    def facts(self, n_last: int = 5) -> RegistryFacts:
        """Facts about the registry now; reads a few narrow columns and the newest rows."""
        rows = self.scan(["coherence_band", "betti_status", "betti0", "betti1", "betti2"]).read_all()
        last = self._newest(n_last, partial(reading.narrow, columns=LAST_COLUMNS))
        return gather(self._shown, rows, last, self.get_statistics(), self.columns)

    def __repr__(self) -> str:
        return f"TorusRegistry({self._shown!r}), closed" if self.closed else self.facts().text()

    def _repr_html_(self) -> str:
        return f"<code>{html.escape(repr(self))}</code>" if self.closed else self.facts().html()

    def __len__(self) -> int:
        with self._table.snapshot() as snapshot:
            if not len(retracted_ids(snapshot)):
                return snapshot.n_rows()
        return sum(batch.num_rows for batch in self.scan(["row_id"]))

    def __bool__(self) -> bool:
        return True  # an empty registry is still a registry


def _with_betti(columns: Sequence[str] | reading.Choice | None) -> bool:
    """False where the answer does not hang on Betti numbers that are still computed."""
    if columns is None or callable(columns):
        return True
    return any(name.startswith("betti") for name in ([columns] if isinstance(columns, str) else columns))


def _frame(rows: pa.Table) -> pd.DataFrame:
    load_pandas()
    zoned = {name: rows[name].type for name in rows.column_names if pa.types.is_timestamp(rows[name].type)}
    for name, kind in zoned.items():  # pyarrow imports zoneinfo each time; an interrupt there comes out as ArrowInvalid
        rows = rows.set_column(rows.column_names.index(name), name, rows[name].cast(pa.timestamp(kind.unit)))
    frame: pd.DataFrame = rows.to_pandas()
    for name in zoned:
        frame[name] = frame[name].dt.tz_localize("UTC")
    return frame
