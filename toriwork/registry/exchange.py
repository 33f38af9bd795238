"""From a local registry to a Delta table, each row exactly once, and back.

The public file only ever grows at its end, so a place in it is a count of rows. The commit that brings rows says up to
which place it brings them; who follows begins where the table says that he got. A table that does not know him (a new
one, one that was copied, a registry that was restored) is looked through for row ids once.
"""

from __future__ import annotations

import logging
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from toriwork.errors import StoreError
from toriwork.printed import one_line
from toriwork.registry.delta_table import DeltaRows
from toriwork.registry.rows import SCHEMA
from toriwork.storage import Restored, restore
from toriwork.storage.files import OsFiles
from toriwork.storage.paths import StorePaths

if TYPE_CHECKING:
    from toriwork.registry.reader import RegistryReader
    from toriwork.storage.snapshot import Snapshot

_LOG = logging.getLogger("toriwork.registry")
_COMMIT_BYTES = 64 * 2**20  # of rows in memory, and in a file of the table


def deliver(registry: RegistryReader, rows: DeltaRows, *, commit_bytes: int = _COMMIT_BYTES) -> int:
    """How many rows were brought to a Delta table: all published ones that are not there yet, retractions too.

    Any number of processes may deliver the same registry, and die at any moment: each row comes exactly once.

    Raises
    ------
    StoreError
        The table could not be reached. What was committed before stays, and is not brought again.
    """
    n_new = 0
    with registry._table.snapshot() as snapshot:  # noqa: SLF001 - published rows in their order are nobody else's business
        head = snapshot.head
        who = f"toriwork:{head.store_id if head else ''}:{head.accepted if head else 0}"
        at = rows.done(who)
        known = None if at is not None else rows.row_ids()
        for upto, piece in _pieces(snapshot, at or 0, commit_bytes):
            new = piece if known is None else piece.filter(pc.invert(pc.is_in(piece["row_id"], value_set=known)))
            if not rows.append(new, who, upto):
                break  # somebody else delivers the same registry, and got further
            n_new += new.num_rows
    return n_new


def _pieces(snapshot: Snapshot, skip: int, most_bytes: int) -> Iterator[tuple[int, pa.Table]]:
    """Yield published rows behind a place, with the place behind them."""
    waiting: list[pa.RecordBatch] = []
    for batch in snapshot.base_batches(skip=skip):
        waiting.append(batch)
        skip += batch.num_rows
        if sum(one.nbytes for one in waiting) >= most_bytes:
            yield skip, pa.Table.from_batches(waiting)
            waiting = []
    if waiting:
        yield skip, pa.Table.from_batches(waiting)


def follow(
    path: str | os.PathLike[str], uri: str, *, every: float = 10.0, over: Callable[[], bool] = lambda: False
) -> int:
    """How many rows were delivered when ``over()`` said so: bring what a local registry publishes to a Delta table.

    Parameters
    ----------
    every
        Seconds between two looks. A table that is away is said once, and tried again.
    """
    from toriwork.registry.registry import TorusRegistry

    n_rows, said = 0, ""
    with TorusRegistry(path, read_only=True) as registry:
        rows = DeltaRows(uri, SCHEMA)
        while True:
            try:
                n_rows += deliver(registry, rows)
                said = ""
            except StoreError as error:
                text = one_line(str(error))
                if text != said:
                    _LOG.warning("%s: was not delivered, the next look tries again: %s", registry.path, text)
                said = text
            if over():
                return n_rows
            time.sleep(every)


def bring_back(uri: str, path: str | os.PathLike[str], *, replace: bool = False) -> Restored:
    """The rows of a Delta table as a registry of one file at ``path``; equal to them, row for row.

    Parameters
    ----------
    replace
        Take the place of a registry that is there; it is kept beside.
    """
    from toriwork.registry.delta import DeltaRegistry

    base = StorePaths.of(path).base
    OsFiles(base).make_folder(base.parent)
    with (
        DeltaRegistry(uri, read_only=True) as registry,
        tempfile.TemporaryDirectory(prefix=f".{base.stem}.", dir=base.parent) as folder,
    ):
        return restore(registry.backup(Path(folder)), path, replace=replace)
