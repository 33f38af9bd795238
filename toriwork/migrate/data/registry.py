"""Legacy spectra in the registry, and the way back: the files as they were, or the rows retracted and that said.

Every row says in its metadata which migration brought it and which row of which source it was. What the registry was
before is kept file by file; as long as nobody recorded anything since, a rollback puts those files back byte for byte.
Otherwise the rows are left out of the next public file, and a row says that they were.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toriwork.errors import MigrationError, NotFound, NotProven
from toriwork.migrate.data.history import Spectrum
from toriwork.registry.adoption import Preparation
from toriwork.registry.codec import SPEC
from toriwork.registry.completion import Budget
from toriwork.registry.registry import TorusRegistry
from toriwork.registry.rows import pack_shape
from toriwork.registry.spectral import STREAM_KEY
from toriwork.storage import ParquetTable
from toriwork.storage.retention import Rows

BATCH_ROWS = 1000
_TRIES = 5
Key = tuple[str, int]  #: source, source row


def rows_of(path: Path, migration: str) -> dict[Key, str]:
    """Source and source row of every row that a migration brought -> its shape id; empty without a registry."""
    return {key: shape_id for key, shape_id, brought in _migrated(path) if brought == migration}


def is_brought(path: Path, spectra: Iterable[Spectrum]) -> bool:
    """Whether earlier migrations brought all of these spectra: a file that stays where it is, is met again."""
    known = _brought(path)
    return bool(known) and all((_key(spectrum), _shape_id(spectrum)) in known for spectrum in spectra)


def _brought(path: Path) -> set[tuple[Key, str]]:
    """Source row and shape id of what any migration brought."""
    return {(key, shape_id) for key, shape_id, _ in _migrated(path)}


def _migrated(path: Path) -> Iterator[tuple[Key, str, str]]:
    """Source row, shape id and migration of every row that some migration brought; nothing without a registry."""
    try:
        registry = TorusRegistry(path, read_only=True)
    except NotFound:
        return
    with registry:
        for batch in registry.scan(["shape_id", "metadata"], pc.match_substring(pc.field("metadata"), '"source_row":')):
            for shape_id, text in zip(batch["shape_id"].to_pylist(), batch["metadata"].to_pylist(), strict=True):
                row = json.loads(text)
                if "migration" in row and "source_row" in row:
                    yield (row["source"], row["source_row"]), shape_id, row["migration"]


def _key(spectrum: Spectrum) -> Key:
    return spectrum.source, spectrum.source_row


def _shape_id(spectrum: Spectrum) -> str:
    return pack_shape(spectrum.eigenvalues, (), spectrum.band, None).shape_id


def record(path: Path, migration: str, spectra: Iterable[Spectrum], stream: str, *, stays: bool = False) -> int:
    """How many rows were added; those that the migration had brought before are not added again.

    ``stays``: the source is not retired, so what earlier migrations brought of it is not added again either.
    """
    n_added, pending = 0, iter(spectra)
    own, earlier = set(rows_of(path, migration)), _brought(path) if stays else set()
    with TorusRegistry(path) as registry:
        while batch := list(islice(pending, BATCH_ROWS)):
            fresh = [one for one in batch if _key(one) not in own and (_key(one), _shape_id(one)) not in earlier]
            registry.record_shapes(
                [spectrum.eigenvalues for spectrum in fresh],
                [spectrum.betti for spectrum in fresh],
                [spectrum.band for spectrum in fresh],
                [metadata(spectrum, migration, stream) for spectrum in fresh],
            )
            n_added += len(fresh)
        registry.flush(publish=True if n_added else None)
    return n_added


def metadata(spectrum: Spectrum, migration: str, stream: str) -> dict[str, Any]:
    """What the row of a spectrum says beside its numbers: as SpectralDB writes it, and where it comes from."""
    signature = {"timestamp": spectrum.timestamp, "hash_id": spectrum.hash_id, "gaps": list(spectrum.gaps)}
    origin = {"migration": migration, "source": spectrum.source, "source_row": spectrum.source_row}
    return {**spectrum.notes, **origin, STREAM_KEY: stream, "signature": signature}


def prove(
    path: Path, migration: str, spectra: Iterable[Spectrum], sources: Sequence[str], *, stays: bool = False
) -> int:
    """How many spectra were found in the registry, each under its content id, and none beside them.

    ``stays`` as above: what earlier migrations brought counts.

    Raises
    ------
    NotProven
        One is missing, has other numbers, or there is one too many.
    """
    rows = {key: shape_id for key, shape_id in rows_of(path, migration).items() if key[0] in sources}
    earlier = _brought(path) if stays else set()
    n_found = 0
    for spectrum in spectra:
        key, wanted = _key(spectrum), _shape_id(spectrum)
        if rows.pop(key, None) != wanted and (key, wanted) not in earlier:
            raise NotProven(f"{path}: row {key[1]} of {key[0]} is missing or has other numbers")
        n_found += 1
    if rows:
        source, number = next(iter(rows))
        raise NotProven(f"{path}: holds row {number} of {source}, which the source does not have")
    return n_found


def others(path: Path, migration: str) -> tuple[int, str]:
    """Number and digest of the row ids of all rows that a migration neither brought nor wrote about itself."""
    try:
        table = ParquetTable(path, SPEC, read_only=True)
    except NotFound:
        return 0, _digest([])
    with table, table.view() as view:
        ids = [row_id for batch in _batches(view) for row_id in batch.filter(_foreign(batch, migration))["row_id"]]
    return len(ids), _digest(sorted(row_id.as_py() for row_id in ids))


def _batches(view: Any) -> Iterator[pa.RecordBatch]:
    yield from view.base_batches(["row_id", "metadata"])
    for batch in view.pending_batches():
        yield batch.select(["row_id", "metadata"])


def _digest(ids: Iterable[str]) -> str:
    return blake2b("\n".join(ids).encode(), digest_size=16).hexdigest()


def _foreign(batch: pa.RecordBatch, migration: str) -> pa.BooleanArray:
    """Which rows are none of the migration's."""
    return pa.array([_says(text) != migration for text in batch["metadata"].to_pylist()], pa.bool_())


def _says(text: str | None) -> str | None:
    """The migration that a row belongs to or tells of."""
    if not text or ('"migration":' not in text and '"retracts":' not in text):
        return None
    row: Mapping[str, Any] = json.loads(text)
    found = row.get("migration", row.get("retracts"))
    return found if isinstance(found, str) else None


# ---- taking rows back ---------------------------------------------------------------------------------------------


def retract(path: Path, migration: str) -> int:
    """How many rows of a migration are gone from the registry; rows of everybody else stay.

    A row with ``{"retracts": <migration>, "rows": n}`` in its metadata says so from now on, and is what makes the
    store write its public file again; that file is written by the store's own publish, so a crash leaves the old or
    the new one.

    Raises
    ------
    MigrationError
        Others published without end; nothing is lost, try again.
    PublishError
        The public file could not be replaced.
    """
    n_rows = n_left = len(rows_of(path, migration))
    spec = replace(SPEC, retention=_Without(migration))
    for _ in range(_TRIES):
        if not n_left:
            return n_rows
        with ParquetTable(path, spec, prepare=Preparation(Budget())) as table:
            note = {"retracts": migration, "rows": n_rows}
            table.append(pack_shape(np.empty(0), None, "local", note).row)
            table.flush(publish=True)
        n_left = len(rows_of(path, migration))
    if n_left:
        raise MigrationError(f"{path}: {n_left} rows of migration {migration} are still there; others published. Again")
    return n_rows


@dataclass(frozen=True, slots=True)
class _Without:
    """A retention for one publish: every row stays but those of a migration."""

    migration: str

    def begin(self, rows: Rows, note: str) -> _Pass:
        return _Pass(self.migration, note)


@dataclass(slots=True)
class _Pass:
    migration: str
    before: str

    def passes(self, n_rows: int) -> bool:
        return False  # a row that goes may be anywhere

    def keep(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = batch["metadata"].to_pylist()
        wanted = [_says(text) != self.migration or "retracts" in json.loads(text) for text in texts]
        return batch.filter(pa.array(wanted, pa.bool_()))

    def note(self) -> str:
        return self.before
