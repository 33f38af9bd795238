"""A registry in a Delta table, which many machines write: the interface of TorusRegistry, one commit a call."""

from __future__ import annotations

import datetime as dt
import os
import secrets
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from toriwork.errors import BadInput, Closed, ReadOnly, StoreError
from toriwork.locks import Mutex
from toriwork.registry import reading
from toriwork.registry.at import ByScan
from toriwork.registry.betti_values import Budget, compute_values
from toriwork.registry.codec import SPEC
from toriwork.registry.columns import check_values
from toriwork.registry.delta_table import DeltaRows, is_delta
from toriwork.registry.facts import STATISTICS_COLUMNS, statistics
from toriwork.registry.registry import TorusRegistry
from toriwork.registry.retractions import valid_filter
from toriwork.registry.rows import SCHEMA, pack_shape, unpack_rows
from toriwork.storage import Backup, Payload, VerifyReport
from toriwork.storage.copies import copy_of
from toriwork.storage.frames import Address, Kind
from toriwork.storage.spec import COLUMN_TYPES, Column, TableSpec

if TYPE_CHECKING:
    import pyarrow.dataset as pads

    from toriwork.registry.partitions import Partition

_BATCH_ROWS = 20_000


class _Writer:
    """Takes packed rows as a table does, and commits them with what is to be computed for them."""

    def __init__(self, rows: DeltaRows, budget: Budget, *, read_only: bool) -> None:
        self._rows, self._budget, self._read_only = rows, budget, read_only
        self._id = secrets.token_hex(16)
        self._lock = Mutex("_lock")
        self._number = self._newest_ns = 0

    @property
    def spec(self) -> TableSpec:
        """The schema and codec of a row, with the typed columns that the table has."""
        types = {str(kind): name for name, kind in COLUMN_TYPES.items()}
        fields = [field for field in self._rows.schema() if field.name not in SCHEMA.names]
        return SPEC.grown([Column(field.name, types[str(field.type)]) for field in fields if str(field.type) in types])

    @property
    def columns(self) -> tuple[Column, ...]:
        """The typed columns."""
        return self.spec.columns

    @contextmanager
    def snapshot(self) -> Iterator[_Writer]:
        """The table as it is now, for who asks for its columns."""
        self._rows.newest()
        yield self

    def declare(self, columns: Sequence[Column]) -> None:
        """Give the table typed columns; rows that are there have null in them."""
        with self._lock.alone():
            self._commit(self.spec.grown(columns).schema.empty_table())

    def append(self, payload: bytes, n_rows: int = 1, kind: int = Kind.ROWS) -> None:
        """Return when the rows are in the table; their Betti numbers are computed first."""
        with self._lock.alone():
            self._newest_ns = max(time.time_ns(), self._newest_ns + 1)
            frame = Payload(self._id, 1, self._newest_ns, n_rows, memoryview(payload))
            self._newest_ns += n_rows
            done: dict[Address, bytes] = {}
            if kind == Kind.OPEN:
                for position, row in enumerate(unpack_rows(frame)):
                    if row.open:
                        done[Address(self._id, 1, position)] = compute_values(row, self._budget)
            self._commit(pa.Table.from_batches([self.spec.filled(SPEC.codec.decode([frame], done))]))

    def _commit(self, rows: pa.Table) -> None:
        if self._read_only:
            raise ReadOnly(f"{self._rows.uri}: this handle was opened with read_only=True")
        self._number += 1
        try:
            if not self._rows.append(rows, f"toriwork-writer:{self._id}", self._number, alone=True):
                raise StoreError(f"{self._rows.uri}: expected what was committed before, got a table that has lost it")
        except StoreError as error:  # no answer: it may be there all the same
            error.row_ids = tuple(rows["row_id"].to_pylist())
            raise


class DeltaRegistry(ByScan, TorusRegistry):
    """A registry in a Delta table: many processes on many machines record at once, and every call is one commit.

    A commit takes milliseconds on a disk and a few round trips to a bucket: record many clouds by one
    :meth:`record_shapes`, or record locally and deliver (:func:`toriwork.registry.exchange.deliver`).

    Parameters
    ----------
    uri : str
        ``delta+s3://BUCKET/TABLE`` (also ``gs``, ``az``) or ``delta:FOLDER``. The table is made when it is missing.
    read_only : bool
        Read, and make nothing.
    keep_vertices, compute_betti, budget
        See :class:`TorusRegistry`; Betti numbers are computed by who records, before the commit.
    columns : mapping of str to str, optional
        Typed columns that the table is to have; those that it has already may be left out.

    Raises
    ------
    BadInput
        A column is there with another type.
    MissingExtra
        deltalake is not installed: ``pip install 'toriwork[cluster]'``.
    StoreError, NotFound
        The table cannot be reached, or is not there and ``read_only``.
    """

    def __init__(
        self,
        uri: str,
        *,
        read_only: bool = False,
        keep_vertices: bool = True,
        compute_betti: bool = True,
        budget: Budget | None = None,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        self._budget = budget or Budget()
        self._options: dict[str, Any] = {
            "read_only": read_only,
            "keep_vertices": keep_vertices,
            "compute_betti": compute_betti,
            "budget": self._budget,
        }
        self._given = uri
        self.rows = DeltaRows(uri, None if read_only else SCHEMA)
        self._writer = _Writer(self.rows, self._budget, read_only=read_only)
        self._pack = partial(
            pack_shape,
            keep_vertices=keep_vertices,
            compute=compute_betti,
            check=lambda text: check_values(self._writer.columns, text),
        )
        self._closed = False
        if columns:
            self.add_columns(columns)

    @property
    def _table(self) -> Any:  # type: ignore[override]  # what records in a table: it is asked for nothing else
        if self._closed:
            raise Closed(f"{self._given}: this handle was closed; open the registry again")
        return self._writer

    @property
    def path(self) -> Path:
        """The folder of the table; of a bucket its address in the form of a path."""
        return Path(self.rows.uri.removeprefix("file://"))

    @property
    def is_there(self) -> bool:
        """True: a read of a table that is gone raises."""
        return True

    @property
    def _shown(self) -> str:
        return self._given

    @property
    def closed(self) -> bool:
        """True when the registry was closed."""
        return self._closed

    def _append_open(self, rows: bytes, n_rows: int) -> None:
        self._table.append(rows, n_rows, Kind.OPEN)

    def _recorded_before(self, row_ids: Sequence[str]) -> bool:
        return bool(self.scan(["row_id"], pc.field("row_id").isin(list(row_ids)), retracted=True).read_all().num_rows)

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
        """All rows of one version, lazily; see :meth:`TorusRegistry.scan`.

        ``as_of`` is a version of the table or a time; there is no ``after``: follow the local registries.
        """
        if after is not None:
            raise BadInput("after: expected none: a Delta table has no order of rows; use as_of")
        rows = self._dataset(self._as_of if as_of is None else as_of)
        names = columns(rows.schema) if callable(columns) else reading.chosen(columns, rows.schema)
        given = reading.joined(reading.time_filter(since, until), filter, reading.where_filter(where, rows.schema))
        valid = None if retracted else _valid(rows)
        return rows.scanner(columns=names, filter=reading.joined(given, valid), batch_size=_BATCH_ROWS).to_reader()

    def _dataset(self, as_of: int | dt.date | str | None) -> pads.Dataset:
        if self._closed:
            raise Closed(f"{self._given}: this handle was closed; open the registry again")
        return self.rows.dataset(None if as_of is None else reading.moment(as_of))

    def dataset(self) -> pads.Dataset:
        """The rows of the newest version as an Arrow dataset, which DuckDB and Polars query without copying it."""
        rows = self._dataset(self._as_of)
        valid = _valid(rows)
        return rows if valid is None else rows.filter(valid)

    def at(self, as_of: int | dt.date | str) -> DeltaRegistry:  # type: ignore[override]  # it reads as every other
        """The registry as it was at a version or a time; it only reads."""
        found = DeltaRegistry(self._given, **{**self._options, "read_only": True})
        found._as_of = as_of
        found.scan(["row_id"])  # BadInput now, not at the first question
        return found

    def get_statistics(self) -> dict[str, Any]:
        """As those of a local registry; ``generation`` is the version of the table, ``files`` how many it has."""
        rows = self.scan(STATISTICS_COLUMNS).read_all()
        n_files = len(self.rows.files())
        return {**statistics(rows, 0, None, self.rows.n_bytes(), self.rows.newest()), "files": n_files}

    def scan_partitions(self, n_rows: int = 2_000) -> list[Partition]:
        """BadInput: parts are of a local file; Dask and others read the files of a table by themselves."""
        raise BadInput("scan_partitions: expected a local registry, got a Delta table; hand out `rows.files()`")

    def verify(self) -> VerifyReport:
        """A reading of every row, and whether a row id is there twice."""
        ids = self.scan(["row_id", "vertices"], retracted=True).read_all()["row_id"]
        counted = pc.value_counts(ids)
        twice = counted.filter(pc.greater(counted.field("counts"), 1)).field("values").to_pylist()
        found = tuple(f"row id {one} is there more than once" for one in twice)
        return VerifyReport(self.path, len(ids), len(ids), len(self.rows.files()), found)

    def backup(self, to: str | os.PathLike[str]) -> Backup:
        """All rows as a backup in a folder: a registry of one plain file, which :func:`restore` takes."""
        spec = self._table.spec
        rows = self._dataset(self._as_of).scanner(columns=spec.schema.names, batch_size=_BATCH_ROWS)
        return copy_of(rows.to_batches(), spec, Path(to), self.path.name)

    def compact(self) -> dict[str, Any]:
        """The engine's count of small files of many commits that it joined; see ``vacuum`` for the old ones."""
        return self.rows.compact()

    def vacuum(self, hours: float | None = None) -> list[str]:
        """The files that were removed: no version of the last ``hours`` (168 where not given) has them."""
        return self.rows.vacuum(hours)

    def flush(self, publish: bool | None = None, *, progress: bool = True) -> None:
        """Nothing: what was recorded is committed."""

    def stamp(self) -> object:
        """A value that changes with each commit."""
        return self.rows.newest()

    def upload(self, to: Any = None) -> Backup:
        """BadInput: the table is where it is meant to be."""
        raise BadInput("upload: expected a local registry, got a Delta table; `backup` makes a file of it")

    @property
    def recovery_report(self) -> Any:
        """None: a commit is whole or not there."""
        return None

    def finish(self, patience: float | None) -> None:
        """Take no more calls."""
        self._closed = True

    def after_fork(self) -> None:
        """Nothing: a child of a fork is told to start anew by its first call."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self._given, self._options)


def open_registry(place: str | os.PathLike[str] | None = None, **options: Any) -> TorusRegistry:
    """The registry in a file, or in a Delta table that many machines write.

    Parameters
    ----------
    place : path-like or str, optional
        A path, as :class:`TorusRegistry` takes it; or ``delta+s3://BUCKET/TABLE`` or ``delta:FOLDER``, for which
        ``pip install 'toriwork[cluster]'`` brings the engine.
    **options
        Those of :class:`TorusRegistry` or :class:`toriwork.registry.delta.DeltaRegistry`.

    Examples
    --------
    >>> from toriwork import open_registry
    >>> with open_registry("shapes.parquet") as registry:
    ...     shape_id = registry.record_shape([[0, 0], [0, 1], [1, 1], [1, 0]])
    ...     len(registry)
    1
    """
    return DeltaRegistry(str(place), **options) if is_delta(place) else TorusRegistry(place, **options)


def _valid(rows: pads.Dataset) -> pads.Expression | None:
    """The rows that count; None where nothing was retracted, and all of them do."""
    marked = pc.field("retracts").is_valid()
    ids = rows.to_table(columns=["retracts"], filter=marked)["retracts"].combine_chunks()
    return valid_filter(ids) if len(ids) else None


def _reopen(uri: str, options: dict[str, Any]) -> DeltaRegistry:
    return DeltaRegistry(uri, **options)
