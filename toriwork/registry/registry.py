"""TorusRegistry: every cloud and spectrum that was recorded, in one plain Parquet file that no crash can hurt."""

from __future__ import annotations

import datetime as dt
import logging
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toriwork.checks import check_count, shown
from toriwork.errors import BadInput, Closed, NotFound, PublishError, StoreError
from toriwork.lifetime import OpenStores
from toriwork.printed import one_line
from toriwork.progress import progress_bar
from toriwork.registry import reading
from toriwork.registry.adoption import Preparation
from toriwork.registry.at import RegistryAt
from toriwork.registry.betti_values import Budget
from toriwork.registry.codec import SPEC
from toriwork.registry.columns import SINGLE, check_values, declared, refuse_misfits, with_values
from toriwork.registry.completion import BettiQueue
from toriwork.registry.loading import load_pandas
from toriwork.registry.metrics import figures_of, write_figures
from toriwork.registry.partitions import Partition, partitions
from toriwork.registry.reader import RegistryReader
from toriwork.registry.rows import SCHEMA_VERSION, pack_retraction, pack_shape
from toriwork.state import registry_path
from toriwork.storage import Backup, ParquetTable
from toriwork.storage.frames import Kind
from toriwork.storage.paths import StorePaths, stamp

_LOG = logging.getLogger("toriwork.registry")
_EXIT_SECONDS = 10.0  # an interpreter that ends waits so long for Betti numbers; the rest is computed later
_ROUNDS = 5  # of publishing again what a first publish could not take


class TorusRegistry(RegistryReader):
    """The registry in one file; any number of handles, threads and processes may record at once.

    Parameters
    ----------
    path : path-like, optional
        The public Parquet file; ``$TORI_STATE_ROOT/torus_registry.parquet`` when not given. Created when missing.
    durability : {"process", "power"}
        What a returned ``record_shape`` survives; ``flush`` makes rows survive a power cut in both.
    read_only : bool
        Read without creating or locking anything.
    repair : bool
        Set damaged files aside in ``quarantine/`` and go on with what is left; ``recovery_report`` says what.
    keep_vertices : bool
        Whether the clouds themselves are stored; without them a row takes about 200 bytes.
    compute_betti : bool
        Whether Betti numbers that the caller does not give are computed (b0 and b1, in threads).
    betti_threads : int
        How many threads compute them.
    budget : Budget
        Predicted cost above which a cloud is stored as ``too_large`` instead.
    publish_to : str, optional
        ``s3://BUCKET/PREFIX`` or a folder, which gets each published generation as an object of its own, in the
        background; ``get_statistics()["uploaded"]`` says how far it got.
    columns : mapping of str to str, optional
        Typed columns that the registry is to have, see :meth:`add_columns`; those that it has already may be left out.

    Raises
    ------
    DamagedFile, StoreMismatch, VersionTooOld, LockUnavailable
        The files cannot be used as they are; nothing was changed, the message has the remedy.
    BadInput
        A column is there with another type, or rows have values that do not fit it; the registry stayed as it was.

    Examples
    --------
    >>> from toriwork import TorusRegistry
    >>> with TorusRegistry("shapes.parquet") as registry:
    ...     shape_id = registry.record_shape([[0, 0], [0, 1], [1, 1], [1, 0]], metadata={"run": 1})
    ...     registry.flush(publish=True)
    ...     registry.vertices(shape_id).shape, registry.df[["coherence_band", "metadata"]].values.tolist()
    ((4, 2), [['local', '{"run":1}']])
    """

    SCHEMA: ClassVar[str] = SCHEMA_VERSION

    def __init__(  # noqa: PLR0913  # each is an option by itself
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        durability: str = "process",
        read_only: bool = False,
        repair: bool = False,
        keep_vertices: bool = True,
        compute_betti: bool = True,
        betti_threads: int = 2,
        budget: Budget | None = None,
        publish_to: str | os.PathLike[str] | None = None,
        columns: Mapping[str, str] | None = None,
    ) -> None:
        self._budget = budget = budget or Budget()
        self._options = {
            "durability": durability,
            "read_only": read_only,
            "keep_vertices": keep_vertices,
            "compute_betti": compute_betti,
            "betti_threads": betti_threads,
            "budget": budget,
            "publish_to": publish_to,
        }
        preparation = Preparation(budget)
        self._table = ParquetTable(
            registry_path() if path is None else path,
            SPEC,
            durability=durability,
            read_only=read_only,
            repair=repair,
            prepare=preparation,
            publish_to=publish_to,
        )
        self._pack = partial(
            pack_shape, keep_vertices=keep_vertices, compute=compute_betti, check=partial(_check, self._table)
        )
        self._queue = BettiQueue(self._table, budget, betti_threads)
        preparation.serve(self._queue)
        _OPEN.add(self)
        n_rows = self._table.recovery_report.n_rows
        _LOG.info("TorusRegistry loaded %d rows (schema %s) from %s", n_rows, SCHEMA_VERSION, one_line(str(self.path)))
        if columns:
            try:
                self.add_columns(columns)
            except BaseException:
                self.close()
                raise

    @property
    def closed(self) -> bool:
        """True when it takes no more calls: ``close`` was called, and got so far if it was interrupted."""
        return self._table.closed or self._queue.stopped

    @property
    def recovery_report(self) -> Any:
        """The findings of opening: rows of crashed writers, and files that ``repair=True`` set aside."""
        return self._table.recovery_report

    def record_shape(
        self,
        vertices: Any,
        betti_numbers: Sequence[float | None] | None = None,
        coherence_band: str = "local",
        metadata: Mapping[str, Any] | None = None,
        *,
        allow_nonfinite: bool = False,
        retry: Sequence[str] = (),
        **values: Any,
    ) -> str:
        """The content id of a cloud, which is recorded and survives the death of the process.

        Parameters
        ----------
        vertices : array_like
            (n_points, dim) cloud, or a 1-D spectrum (real or complex), for which no Betti numbers are computed.
            float16/32/64, complex64/128, bool, integers up to 2**53: they come back bit for bit. A ``Cloud`` of
            :func:`toriwork.topology.clouds.cloud_of` is neither checked nor hashed again.
        betti_numbers : sequence of up to three numbers, optional
            (b0, b1, b2), None or NaN for unknown. Not given or empty: b0 and b1 are computed later in threads; they
            are in the row after ``flush``.
        coherence_band : {"local", "global", "critical"}
        metadata : mapping, optional
            Anything that has a JSON form.
        allow_nonfinite : bool
            Store NaN and infinite vertices instead of refusing them.
        retry : sequence of str
            ``row_ids`` of the error that the last try of this call raised: if those rows are there, they are published
            and nothing is recorded twice. After a ``DurabilityError`` with a new handle, the old one closed.
        **values
            Values of typed columns by their names, ``temperature=20.5``; the same as in the metadata.

        Returns
        -------
        str
            ``"shape_"`` and the 32 hex digits of BLAKE2b-128 over dtype, shape and the little-endian C-order bytes.
            The same cloud recorded twice is two rows with one id.

        Raises
        ------
        BadInput
            Vertices, Betti numbers, band or metadata are not usable, a value does not fit its column, or there is no
            column of that name; nothing was recorded.
        Closed, ReadOnly, StoreError, DurabilityError
            Nothing was recorded, unless ``row_ids`` of the error names rows: those may have been, see ``retry``.
            Everything before stays.
        """
        if values:
            self._require_columns(values)
            metadata = with_values(metadata, values)
        shape = self._pack(vertices, betti_numbers, coherence_band, metadata, allow_nonfinite=allow_nonfinite)
        if retry and self._recorded_before(retry):
            return shape.shape_id
        if shape.is_open:
            self._append_open(shape.row, 1)
        else:
            self._table.append(shape.row)
        return shape.shape_id

    def record_shapes(
        self,
        clouds: Iterable[Any],
        betti_numbers: Sequence[Sequence[float | None] | None] | None = None,
        coherence_band: str | Sequence[str] = "local",
        metadata: Mapping[str, Any] | Sequence[Mapping[str, Any] | None] | None = None,
        *,
        allow_nonfinite: bool = False,
        retry: Sequence[str] = (),
        **values: Any,
    ) -> list[str]:
        """The content ids of many clouds, recorded at once: all of them or, after an error or a crash, none.

        Parameters are those of :meth:`record_shape`; Betti numbers, bands, metadata and values come one per cloud, a
        single band, mapping, text or number holds for all. BadInput has the number of the cloud in front.
        """
        if not isinstance(clouds, Iterable):
            raise BadInput(f"clouds: expected one array after the other, got {shown(clouds)}")
        arrays = clouds if isinstance(clouds, Sequence | np.ndarray) else list(clouds)
        n_clouds = len(arrays)
        numbers = _per_cloud("betti_numbers", betti_numbers, n_clouds, single=type(None))
        bands = _per_cloud("coherence_band", coherence_band, n_clouds, single=str)
        notes = _per_cloud("metadata", metadata, n_clouds, single=(Mapping, type(None)))
        if values:
            self._require_columns(values)
            given = {name: _per_cloud(name, one, n_clouds, single=SINGLE) for name, one in values.items()}
            notes = [with_values(note, {k: v[i] for k, v in given.items()}) for i, note in enumerate(notes)]
        ids: list[str] = []
        parts: list[bytes] = []
        is_open = False
        for index, (cloud, betti, band, note) in enumerate(zip(arrays, numbers, bands, notes, strict=True)):
            try:
                shape = self._pack(cloud, betti, band, note, allow_nonfinite=allow_nonfinite)
            except BadInput as error:
                raise BadInput(f"cloud {index} of {n_clouds}: {error}; nothing was recorded") from error
            ids.append(shape.shape_id)
            parts += shape.parts
            is_open = is_open or shape.is_open
        if not ids or (retry and self._recorded_before(retry)):
            return ids
        if is_open:
            self._append_open(b"".join(parts), n_clouds)
        else:
            self._table.append(b"".join(parts), n_clouds)
        return ids

    def _require_columns(self, values: Mapping[str, Any]) -> None:
        """BadInput where a value is named that is no declared column, whoever declared it."""
        unknown = values.keys() - {column.name for column in self._table.columns}
        if unknown and (unknown := unknown - self.columns.keys()):
            raise BadInput(
                f"{', '.join(sorted(unknown))}: expected a parameter or a typed column, which are "
                f"{', '.join(self.columns) or 'none: add_columns declares them'}; other values belong into metadata"
            )

    def add_columns(self, columns: Mapping[str, str]) -> dict[str, str]:
        """The typed columns that the registry has now, name -> type, with those that are given among them.

        A typed column is a typed view of the metadata key of its name: other readers filter by it without parsing JSON.
        Rows that have the key already get the value, by one publish that writes the whole file anew. From now on a
        value that does not fit is refused. A column is null where there is no value; it keeps its type for ever.

        Parameters
        ----------
        columns : mapping of str to {"float64", "int64", "bool", "string", "timestamp"}
            Names of letters, digits and _. Those that are there already with the same type stay as they are. A
            timestamp has microseconds in UTC and is given as a datetime or ISO text.

        Raises
        ------
        BadInput
            No name or type; a column is there with another type, which says who declared it; or a row has a value that
            does not fit, which says how many. Nothing was declared.
        ReadOnly, PublishError
            The public file could not be written.

        Examples
        --------
        >>> from toriwork import TorusRegistry
        >>> with TorusRegistry("runs.parquet", columns={"temperature": "float64"}) as registry:
        ...     _ = registry.record_shape([[0, 0], [0, 1]], metadata={"temperature": 20.5})
        ...     _ = registry.record_shape([[0, 0], [0, 2]], temperature=80)
        ...     registry.scan(["temperature"], where=[("temperature", ">", 50)]).read_all().to_pylist()
        [{'temperature': 80.0}]
        """
        wanted = declared(columns)
        with self._table.snapshot() as snapshot:
            known = snapshot.spec.grown(wanted).columns
            fresh = known[len(snapshot.spec.columns) :]
        if fresh:
            refuse_misfits(self.scan(["row_id", "metadata"]), fresh)
            self._table.declare(fresh)
        return {column.name: column.type for column in self._table.columns}

    def retract(self, row: str, reason: str) -> int:
        """How many rows were marked as retracted: readers leave them out unless they are asked for.

        Nothing is removed, and no published row changes: a retraction is a row of its own.

        Parameters
        ----------
        row : str
            A ``shape_id``: all rows that have it now; or a ``row_id``: that one.
        reason : str
            It stands in the metadata of the retraction.

        Raises
        ------
        NotFound
            No row that counts has this id.
        """
        given: object = reason
        if not isinstance(given, str) or not given.strip():
            raise BadInput(f"reason: expected a text, got {shown(reason)}")
        named = "shape_id" if str(row).startswith("shape_") else "row_id"
        columns = ["row_id", "vertices_hash", "coherence_band"]
        rows = self.scan(columns, pc.field(named) == str(row)).read_all().to_pylist()
        if not rows:
            raise NotFound(f"{row!r}: no such row in {self.path}, or it is retracted already")
        self._table.append(b"".join(pack_retraction(one, reason) for one in rows), len(rows))
        return len(rows)

    def at(self, as_of: int | dt.date | str) -> RegistryAt:
        """The registry as it was at a generation or a time: the rows that were published then.

        A publish stamps its rows before it writes the file, and they are seen when it is there: a time within the
        publish that is under way shows more when it is asked again. A generation is the same for ever.

        Parameters
        ----------
        as_of : int, datetime or ISO text
            See :meth:`scan`. What was before a restore is in the backups.
        """
        return RegistryAt(self, as_of)

    def scan_partitions(self, n_rows: int = 2_000) -> list[Partition]:
        """The published rows in parts of at most ``n_rows``, for workers that read the file themselves.

        ``client.map(work, registry.scan_partitions())`` hands out places in the file, and no cloud. A part gives its
        rows by ``read(columns)``, row ids and points by ``clouds()``. Rows that are not published are in none:
        ``flush(publish=True)`` first.
        """
        return partitions(self._table, check_count(n_rows, name="n_rows"))

    def get_statistics(self) -> dict[str, Any]:
        """The figures of :meth:`RegistryReader.get_statistics`, and of this handle ``publish_seconds`` (of its last
        publish, None before the first) and ``betti_waiting`` (rows that wait for their Betti numbers).
        """
        waiting = self._queue.n_waiting  # before the others, which wait for them
        return {**super().get_statistics(), "publish_seconds": self._table.publish_seconds, "betti_waiting": waiting}

    def write_metrics(self, path: str | os.PathLike[str], *, synthesis: Any = None, memory: Any = None) -> None:
        """Write the statistics for Prometheus, as a text file that is replaced whole.

        Parameters
        ----------
        path : path-like
            Ends in ``.prom``, in the folder that node exporter's ``--collector.textfile.directory`` names.
        synthesis : ObserverSynthesis, optional
            Its emissions and their rate, too.
        memory : DiagramMemory, optional
            What it knew and what it did not, too.
        """
        write_figures(path, figures_of(self.get_statistics(), synthesis, memory))

    def stamp(self) -> object:
        """A value that changes whenever somebody else writes to the registry; it costs a look at a folder."""
        return stamp(StorePaths.of(self.path), own=self._table.own_frames())

    def _recorded_before(self, row_ids: Sequence[str]) -> bool:
        """True when rows of an earlier try are there. They are published: a sync of their journal has failed."""
        if isinstance(row_ids, str) or any(type(name) is not str or len(name) != 32 for name in row_ids):
            raise BadInput(f"retry: expected row_ids of an error, got {row_ids!r}")
        tried = pc.field("row_id").isin(list(row_ids))
        if not len(reading.scan(self._table, lambda _: ["row_id"], lambda _: tried, retracted=True).read_all()):
            return False
        self.flush(publish=True)
        with self._table.snapshot() as snapshot:
            load_pandas()
            values = pa.array(list(row_ids))
            if any(
                pc.is_in(batch["row_id"], value_set=values).true_count for batch in snapshot.base_batches(["row_id"])
            ):
                return True
        error = StoreError(
            f"{self.path}: the rows of the earlier try are there, but could not be published; close the handle that "
            "recorded them, then try again"
        )
        error.row_ids = tuple(row_ids)
        raise error

    def _append_open(self, rows: bytes, n_rows: int) -> None:
        try:
            self._queue.put(self._table.append(rows, n_rows, Kind.OPEN), n_rows)
        except BaseException:
            self._queue.interrupted()
            raise

    def flush(self, publish: bool | None = None, *, progress: bool = True) -> None:
        """Return when every row that this handle recorded before survives a power cut and has its Betti numbers.

        Numbers that cannot be stored, because the disk is full, are not waited for: the rows are safe, a warning says
        so once, and the next flush or publish tries again.

        Parameters
        ----------
        publish : bool, optional
            True: the public file holds them all when this returns, and all rows of writers that have ended. Rows of
            other live handles are there up to the first one of each handle that still waits for its numbers. False:
            it is left as it is. Not given: a small registry is published, a large one in the background, within
            a minute; one of more than 256 MB within a minute for each 256 MB, where the disk shares no copied bytes.
        progress : bool
            False: no bar where it takes long.

        Raises
        ------
        DurabilityError
            The disk refused; ``rows`` of the error holds what is at risk.
        PublishError
            Only with ``publish=True``: the public file could not be replaced, or rows that this handle recorded are
            still not in it, with the reason. They stay safe in the journals.
        """
        self._queue.ask()
        recorded = self._table.own_frames() if publish else {}
        self._table.sync()
        with progress_bar("Betti numbers", self._queue.n_waiting, unit=" rows", progress=progress) as done:
            self._settle_numbers(done)
        with progress_bar("publish", unit=" rows", progress=progress) as done:
            self._table.flush(publish, told=done)
        if publish:
            self._publish_rest(recorded)

    def _publish_rest(self, recorded: Mapping[str, int]) -> None:
        """See that the frames of some own journals are in the public file; publish again where they are not."""
        for _ in range(_ROUNDS):
            if not self._table.unpublished(recorded):
                return
            self._settle_numbers(search=True)
            self._table.flush(publish=True)
        n_left = self._table.unpublished(recorded)
        if n_left:
            why = self._settle_numbers() or "rows in front of them still lack Betti numbers"
            raise PublishError(
                f"{self.path}: {n_left} rows that this handle recorded are not in the public file after {_ROUNDS + 1} "
                f"tries: {why}; they stay safe in the journals. Remove the cause and call flush(publish=True) again"
            )

    def upload(self, to: str | os.PathLike[str] | None = None) -> Backup:
        """The newest published generation, which is in a bucket or folder when this returns: publish, then upload.

        Parameters
        ----------
        to : str, optional
            Another place than that of ``publish_to``.

        Raises
        ------
        BadInput
            No place is named.
        StoreError
            It could not be uploaded; what was published stays published.
        """
        self.flush(publish=True)
        return self._table.upload(to)

    def close(self) -> None:
        """Flush and give up the files; more calls do nothing.

        It waits for Betti numbers. Where some cannot be stored, a warning says so: the rows are safe, and whoever
        publishes next computes what they lack.
        """
        self.finish(None)

    def finish(self, patience: float | None) -> None:
        """Close; with ``patience``, as at exit, spend at most so many seconds on Betti numbers, and leave the rest."""
        if self._table.closed:
            self._table.close()  # again: what an interrupt left open
            return
        self._queue.ask()
        try:
            if not self._options["read_only"] and not self._queue.stopped:
                self._table.sync()
                self._finish_numbers(patience)
        finally:
            _OPEN.discard(self)
            self._queue.stop()
            self._table.close()

    def _finish_numbers(self, patience: float | None) -> None:
        why = self._queue.settle(search=True) if patience is None else self._queue.finish_here(patience)
        if why:
            text = "%s: closed while rows lack Betti numbers (%s); they are safe, whoever publishes next computes them"
            _LOG.warning(text, self.path, why)

    def _wait_for_numbers(self) -> None:
        if not self._options["read_only"]:
            self._settle_numbers()

    def _settle_numbers(self, told: Callable[[int], object] | None = None, *, search: bool = False) -> str:
        """Wait for this handle's Betti numbers; Closed when a ``close`` that is not over yet has stopped them."""
        why = self._queue.settle(search=search, told=told)
        if self._queue.stopped and not self._table.closed:
            raise Closed(f"{self.path}: this handle is being closed; open the registry again")
        return why

    def after_fork(self) -> None:
        """In a child: leave the parent's open rows to the parent."""
        self._queue.after_fork()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (str(self.path), self._options)


_OPEN = OpenStores[TorusRegistry](lambda registry: registry.finish(_EXIT_SECONDS))


def _check(table: ParquetTable, metadata: str) -> None:
    if table.columns:
        check_values(table.columns, metadata)


def _per_cloud(name: str, given: Any, n_clouds: int, *, single: Any) -> Sequence[Any]:
    if isinstance(given, single):
        return [given] * n_clouds
    try:
        n_given = len(given)
    except TypeError:
        raise BadInput(f"{name}: expected one per cloud ({n_clouds}), got {shown(given)}") from None
    if n_given != n_clouds:
        raise BadInput(f"{name}: expected one per cloud ({n_clouds}), got {n_given}")
    return list(given)


def _reopen(path: str, options: dict[str, Any]) -> TorusRegistry:
    return TorusRegistry(path, **options)
