"""Legacy spectra in the registry: recorded, proven, and retracted where the files cannot be put back as they were.

Every row says in its metadata which migration brought it and which row of which source it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from toriwork.errors import MigrationError, NotFound, NotProven
from toriwork.migrate.data.history import Spectrum
from toriwork.registry.adoption import Preparation
from toriwork.registry.betti_values import Budget
from toriwork.registry.codec import SPEC
from toriwork.registry.registry import TorusRegistry
from toriwork.registry.rows import pack_shape
from toriwork.registry.spectral import STREAM_KEY
from toriwork.storage import ParquetTable
from toriwork.storage.retention import Rows

BATCH_ROWS = 1000
_TRIES = 5
Key = tuple[str, int]  #: source, source row


def rows_of(path: Path, migration: str) -> dict[Key, str]:
    """Return source and source row of each row that a migration brought -> its shape id; nothing without a registry."""
    try:
        registry = TorusRegistry(path, read_only=True)
    except NotFound:
        return {}
    found = {}
    with registry:
        for batch in registry.scan(["shape_id", "metadata"], pc.match_substring(pc.field("metadata"), '"source_row":')):
            for shape_id, text in zip(batch["shape_id"].to_pylist(), batch["metadata"].to_pylist(), strict=True):
                row = json.loads(text)
                if row.get("migration") == migration and "source_row" in row:
                    found[row["source"], row["source_row"]] = shape_id
    return found


def _key(spectrum: Spectrum) -> Key:
    return spectrum.source, spectrum.source_row


def _shape_id(spectrum: Spectrum) -> str:
    return pack_shape(spectrum.eigenvalues, (), spectrum.band, None, allow_nonfinite=True).shape_id


def record(path: Path, migration: str, spectra: Iterable[Spectrum], stream: str) -> int:
    """Add rows and return how many; those that the migration had brought before are not added again."""
    n_added, pending, known = 0, iter(spectra), rows_of(path, migration)
    with TorusRegistry(path) as registry:
        while batch := list(islice(pending, BATCH_ROWS)):
            fresh = [one for one in batch if known.get(_key(one)) != _shape_id(one)]
            registry.record_shapes(
                [spectrum.eigenvalues for spectrum in fresh],
                [spectrum.betti for spectrum in fresh],
                [spectrum.band for spectrum in fresh],
                [metadata(spectrum, migration, stream) for spectrum in fresh],
                allow_nonfinite=True,
            )
            n_added += len(fresh)
        registry.flush(publish=True if n_added else None)
    return n_added


def metadata(spectrum: Spectrum, migration: str, stream: str) -> dict[str, Any]:
    """Return what the row of a spectrum says beside its numbers: as SpectralDB writes it, and where it comes from."""
    signature = {"timestamp": spectrum.timestamp, "hash_id": spectrum.hash_id, "gaps": list(spectrum.gaps)}
    origin = {"migration": migration, "source": spectrum.source, "source_row": spectrum.source_row}
    stream = f"{stream}:{spectrum.table}" if spectrum.table else stream
    return {"signature": signature, **spectrum.notes, **origin, STREAM_KEY: stream}


def prove(path: Path, migration: str, spectra: Iterable[Spectrum], sources: Sequence[str]) -> int:
    """Return how many spectra were found in the registry, each under its content id, and none beside them.

    Raises
    ------
    NotProven
        One is missing, has other numbers, or there is one too many.
    """
    known, n_found = rows_of(path, migration), 0
    more = {key for key in known if key[0] in sources}
    for spectrum in spectra:
        key = _key(spectrum)
        if known.get(key) != _shape_id(spectrum):
            raise NotProven(f"{path}: row {key[1]} of {key[0]} is missing or has other numbers")
        more.discard(key)
        n_found += 1
    if more:
        source, number = next(iter(more))
        raise NotProven(f"{path}: holds row {number} of {source}, which the source does not have")
    return n_found


def others(path: Path, migration: str) -> tuple[int, str]:
    """Return number and digest of the row ids of all rows that a migration neither brought nor wrote about itself."""
    try:
        table = ParquetTable(path, SPEC, read_only=True)
    except NotFound:
        return 0, _digest([])
    with table, table.snapshot() as snapshot:
        rows = [
            row
            for batch in chain(snapshot.base_batches(["row_id", "metadata"]), snapshot.pending_batches())
            for row in zip(batch["row_id"].to_pylist(), batch["metadata"].to_pylist(), strict=True)
        ]
    ids = sorted(row_id for row_id, text in rows if _says(text) != migration)
    return len(ids), _digest(ids)


def _digest(ids: Iterable[str]) -> str:
    return blake2b("\n".join(ids).encode(), digest_size=16).hexdigest()


def _says(text: str | None) -> str | None:
    """Return the migration that a row belongs to or tells of."""
    if not text or ('"migration":' not in text and '"retracts":' not in text):
        return None
    row: Mapping[str, Any] = json.loads(text)
    found = row.get("migration", row.get("retracts"))
    return found if isinstance(found, str) else None


# ---- taking rows back ---------------------------------------------------------------------------------------------


def retract(path: Path, migration: str) -> int:
    """Take the rows of a migration out of the registry and return how many; rows of everybody else stay.

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
    before: str = ""

    def begin(self, rows: Rows, note: str) -> _Without:
        return replace(self, before=note)

    def passes(self, n_rows: int) -> bool:
        return False  # a row that goes may be anywhere

    def keep(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        texts = batch["metadata"].to_pylist()
        wanted = [_says(text) != self.migration or "retracts" in json.loads(text) for text in texts]
        return batch.filter(pa.array(wanted, pa.bool_()))

    def note(self) -> str:
        return self.before
