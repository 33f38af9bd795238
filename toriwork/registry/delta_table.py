"""A Delta table of rows of the registry: commits, versions and the engine's upkeep; deltalake is used here alone.

A commit names who commits and how far that one got (``txn`` of the Delta protocol), in one step with its rows.
So whoever was cut short, or got no answer, asks the table what is there.
"""

from __future__ import annotations

import datetime as dt
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal
from urllib.parse import urlsplit
from urllib.request import url2pathname

import pyarrow as pa

from toriwork.errors import BadInput, MissingExtra, NotFound, StoreError
from toriwork.locks import Mutex
from toriwork.storage.objects import aws_options, checked_uri, plain_http, refuse_fork, without_secrets

if TYPE_CHECKING:
    import pyarrow.dataset as pads
    from deltalake import DeltaTable

_RETRIES = 15  # of the engine, at once; then we wait and try again
_TRIES = 40
_WAIT = 0.05  # seconds, at random up to twice as long each time
_LONGEST_WAIT = 2.0
_CONFIGURATION = {"delta.setTransactionRetentionDuration": "interval 90 days"}  # a writer's name is kept so long
#: the process that uses the engine, whose threads no child of a fork has: there every call would wait for ever
_USED_BY: list[int] = []


class DeltaRows:
    """The rows in a Delta table.

    Parameters
    ----------
    uri
        ``delta+s3://BUCKET/TABLE`` (also ``gs``, ``az``), ``delta:FOLDER``, or without ``delta``.
    schema
        Of a table that is made; None: NotFound where there is none.

    Raises
    ------
    MissingExtra
        deltalake is not installed.
    StoreError
        The table cannot be reached.
    """

    def __init__(self, uri: str, schema: pa.Schema | None = None) -> None:
        self.uri = checked_uri(delta_place(uri))
        try:
            import deltalake  # noqa: F401
        except ImportError as error:
            raise MissingExtra(f"{self.uri}: needs deltalake: pip install 'toriwork[cluster]'") from error
        self._lock = Mutex("_lock")
        self._got: tuple[str, int, int | None] | None = None  # a committer, a version, and how far it got there
        parts = urlsplit(self.uri)
        self._place = url2pathname(parts.path) if parts.scheme == "file" else self.uri
        options = {**aws_options(), "aws_conditional_put": "etag"} if parts.scheme == "s3" else {}
        self._options = {**options, "allow_http": "true"} if plain_http(options) else options
        with self._said("open"):
            self._table = self._opened(schema)

    def _opened(self, schema: pa.Schema | None) -> DeltaTable:
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        try:
            return DeltaTable(self._place, storage_options=self._options)
        except TableNotFoundError:
            if schema is None:
                raise NotFound(f"{self.uri}: expected a Delta table, got none") from None
        try:
            return DeltaTable.create(
                self._place, schema=schema, storage_options=self._options, configuration=_CONFIGURATION
            )
        except DeltaError:  # somebody else made it just then
            return DeltaTable(self._place, storage_options=self._options)

    def newest(self) -> int:
        """The newest version."""
        with self._lock.alone(), self._said("read"):
            self._table.update_incremental()
            return int(self._table.version())

    def done(self, who: str) -> int | None:
        """How far a committer got; None when it never committed, or so long ago that it is forgotten."""
        with self._lock.alone(), self._said("read"):
            self._table.update_incremental()
            return self._done(who)

    def _done(self, who: str, *, alone: bool = False) -> int | None:
        """How far a committer got, at the version looked at last; the engine reads the whole log to tell it."""
        version = self._table.version()
        if self._got is None or self._got[0] != who or (self._got[1] != version and not alone):
            found = self._table.transaction_version(who)
            self._got = who, version, None if found is None else int(found)
        return self._got[2]

    def append(self, rows: pa.Table, who: str, upto: int, *, alone: bool = False) -> bool:
        """True when the rows are there, in one commit; False when somebody of the same name has committed meanwhile.

        Parameters
        ----------
        who, upto
            The committer, and how far it got with these rows: more than :meth:`done` says.
        alone
            Nobody else has this name.
        """
        from deltalake import CommitProperties, Transaction, write_deltalake
        from deltalake.exceptions import CommitFailedError, SchemaMismatchError

        with self._lock.alone(), self._said("append"):
            there = self._done(who, alone=alone)
            for attempt in range(_TRIES):
                if there is not None and there >= upto:
                    return bool(there == upto)
                named = Transaction(who, upto, int(time.time() * 1000))
                how = CommitProperties(app_transactions=[named], max_commit_retries=_RETRIES)
                self._got = None  # until the commit has its answer
                try:
                    merge: Literal["merge"] | None = None if rows.schema.equals(self.schema()) else "merge"
                    write_deltalake(self._table, rows, mode="append", schema_mode=merge, commit_properties=how)
                except SchemaMismatchError as error:
                    raise BadInput(f"{self.uri}: rows with other columns: {without_secrets(error)}") from error
                except CommitFailedError:
                    # others commit all the time; or a commit of ours got no answer, and stands in its own way
                    before = there
                    time.sleep(random.random() * min(_LONGEST_WAIT, _WAIT * 2**attempt))
                    self._table.update_incremental()
                    there = self._done(who)
                    if there != before:
                        return there == upto
                    if attempt == _TRIES - 1:
                        raise
                else:
                    self._got = who, self._table.version(), upto
                    return True
        raise AssertionError("the last attempt returns or raises")

    def schema(self) -> pa.Schema:
        """The columns of the version that was looked at last."""
        return pa.schema(self._table.schema().to_arrow())

    def dataset(self, as_of: int | dt.datetime | None = None) -> pads.Dataset:
        """The rows of the newest version, of a version, or of a time, as a dataset; files are skipped by statistics."""
        from deltalake import DeltaTable

        if as_of is None:
            self.newest()
            with self._said("read"):
                return self._table.to_pyarrow_dataset()
        with self._said("read a version of"):
            table = DeltaTable(self._place, storage_options=self._options)
            if isinstance(as_of, int) and not 0 <= as_of <= table.version():
                raise BadInput(f"as_of: expected a version from 0 to {table.version()}, got {as_of}")
            table.load_as_version(as_of)
            return table.to_pyarrow_dataset()

    def compact(self) -> dict[str, Any]:
        """The engine's count of small files that it joined; rows stay as they are, readers are not disturbed."""
        with self._lock.alone(), self._said("compact"):
            self._table.update_incremental()
            return dict(self._table.optimize.compact())

    def vacuum(self, hours: float | None = None) -> list[str]:
        """The files that were removed: those that no version of the last ``hours`` (168 where not given) has."""
        with self._lock.alone(), self._said("vacuum"):
            self._table.update_incremental()
            whole = None if hours is None else int(hours)
            return list(self._table.vacuum(whole, dry_run=False, enforce_retention_duration=hours is None))

    def row_ids(self) -> pa.Array:
        """The ids of all rows."""
        return self.dataset().to_table(columns=["row_id"])["row_id"].combine_chunks()

    def n_bytes(self) -> int:
        """Bytes of the files of the newest version."""
        self.newest()
        return sum(pa.table(self._table.get_add_actions(flatten=True))["size_bytes"].to_pylist())

    def files(self) -> list[str]:
        """The Parquet files of the newest version, for other readers."""
        self.newest()
        return list(self._table.file_uris())

    @contextmanager
    def _said(self, what: str) -> Iterator[None]:
        from deltalake.exceptions import DeltaError

        refuse_fork(_USED_BY, f"{self.uri}: cannot {what} it")
        try:
            yield
        except (BadInput, StoreError):
            raise
        except (DeltaError, OSError, ValueError, pa.ArrowException) as error:
            raise StoreError(f"{self.uri}: cannot {what} it: {without_secrets(error)}") from None


def is_delta(place: object) -> bool:
    """True for what names a Delta table."""
    return str(place).startswith(("delta:", "delta+"))


def delta_place(uri: str) -> str:
    """Where a table lies, without ``delta``; BadInput for ``delta://HOST/...``."""
    if uri.startswith("delta://") and not uri.startswith("delta:///"):
        raise BadInput(f"{uri}: expected delta+s3://BUCKET/TABLE, delta:///FOLDER or delta:FOLDER")
    return uri.removeprefix("delta+").removeprefix("delta://").removeprefix("delta:")
