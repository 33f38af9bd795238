"""The file of the ideas: changes appended, the newest of each idea held in memory, the file thinned when published.

Other processes change ideas too. Whether they did is seen from names and sizes in the store's folder, so that
nothing is read again as long as nobody else wrote.
"""

from __future__ import annotations

import heapq
import os
import secrets
import time
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from toriwork.cells.cache import BoundedCache
from toriwork.cells.ideas import (
    CHANGES,
    DICTIONARY,
    PROTECTED,
    REFERENCE,
    SCHEMA,
    Idea,
    change_row,
    idea_of,
    reference_row,
    told,
)
from toriwork.cells.protection import MAX_REFERENCE_BYTES
from toriwork.locks import Mutex
from toriwork.storage import ArrowCodec, Chosen, ParquetTable, Pass, Rows, TableSpec
from toriwork.storage.paths import StorePaths, stamp
from toriwork.topology.clouds import Cloud, cloud_of

HISTORY = 64  #: changes of an idea that stay when the file is published
REFERENCES = 2  #: clouds of an idea that stay: another process may still stand on the one before the newest
ENDED = 10_000  #: ideas that are no longer protected of which anything stays: those that ended last
CLOUD_BYTES = 64 * 2**20  #: of reference clouds in memory
_TICKS = 16  #: hex digits of the time in a row id


@dataclass(frozen=True, slots=True)
class IdeaRetention:
    """Every protected idea with its newest changes and clouds; of the others those that ended last."""

    history: int = HISTORY
    references: int = REFERENCES
    ended: int = ENDED

    def begin(self, rows: Rows, note: str) -> Pass:
        """The choice, made from names, row ids and statuses alone."""
        newest: dict[tuple[str, bool], list[tuple[str, int, str]]] = defaultdict(list)
        position = 0
        for batch in rows(["idea_id", "row_id", "status"]):
            columns = (batch[name].to_pylist() for name in ("idea_id", "row_id", "status"))
            for idea_id, row_id, status in zip(*columns, strict=True):
                is_reference = status == REFERENCE
                found = newest[idea_id, is_reference]
                limit = self.references if is_reference else self.history
                (heapq.heappush if len(found) < limit else heapq.heappushpop)(found, (row_id, position, status))
                position += 1
        last = {idea: max(found) for (idea, is_reference), found in newest.items() if not is_reference}
        over = sorted(((row, idea) for idea, (row, _, status) in last.items() if status != PROTECTED), reverse=True)
        forgotten = {idea for _, idea in over[self.ended :]}
        stays = np.zeros(position, dtype=bool)
        stays[[at for (idea, _), found in newest.items() if idea not in forgotten for _, at, _ in found]] = True
        return Chosen(stays, "")  # the choice is made anew from the rows


def _wants(idea: Idea, cloud: Cloud) -> bool:
    """True when this cloud is to be stored: the idea stands on it from now on, and it is not too large."""
    new = idea.status == PROTECTED and idea.reference is not None and idea.reference.row_id is None
    return new and cloud.values.nbytes <= MAX_REFERENCE_BYTES


_CODEC = ArrowCodec(SCHEMA)
SPEC = TableSpec(SCHEMA, _CODEC, row_id="row_id", time="timestamp", dictionary=DICTIONARY, retention=IdeaRetention())


class IdeaStore:
    """Changes of ideas in one file, opened when it is there or when the first change comes; safe from threads."""

    def __init__(self, path: Path, *, cloud_bytes: int = CLOUD_BYTES) -> None:
        self.path = path
        self._table: ParquetTable | None = None
        self._own: set[str] = set()  # names of our journals: what they hold we know
        self._seen: object = None
        self._newest: dict[str, tuple[str, Idea]] = {}  # row id and state of each idea that is protected
        self._cloud_bytes = cloud_bytes
        self._clouds = BoundedCache(cloud_bytes)  # by row id
        self._last_ns = 0
        self.after_fork()

    def after_fork(self) -> None:
        """In a child: a lock that no vanished thread holds, and what the parent writes is somebody else's."""
        self._lock = Mutex("_lock")
        self._clouds.after_fork()
        self._own, self._seen = set(), None

    def _open(self, *, create: bool) -> ParquetTable | None:
        folder = self.path.with_suffix(".d")
        if self._table is not None and self._table.closed:
            self._give_up()  # an interrupt came while it was being closed
        if self._table is None and (create or os.path.lexists(self.path) or folder.is_dir()):
            self._table = ParquetTable(self.path, SPEC)
        return self._table

    # ---- changing ------------------------------------------------------------------------------------------------

    def append(self, ideas: Sequence[Idea], cloud: Cloud | None = None) -> Idea:
        """The last of some changes as it stands; all of them survive the death of the process together, or none does.

        Parameters
        ----------
        ideas : sequence of Idea
            Changes of one idea, the last one counts.
        cloud : Cloud of float64, optional
            What the last one stands on from now on, when its reference says so: it gets the id of the cloud's row.
        """
        with self._lock.alone():
            table = self._open(create=True)
            assert table is not None  # it was just created
            *earlier, last = ideas
            rows, stored = [], None
            if cloud is not None and _wants(last, cloud) and last.reference is not None:
                stored, micros = self._next_id()
                last = replace(last, reference=replace(last.reference, row_id=stored))
                rows.append(reference_row(last, cloud.values, micros))
            rows += [change_row(idea, *self._next_id()) for idea in earlier]
            row_id, micros = self._next_id()
            rows.append(change_row(last, row_id, micros))
            place = table.append(_CODEC.encode(pa.RecordBatch.from_pylist(rows, schema=SCHEMA)), len(rows))
            self._own.add(place.journal)
            self._note(row_id, last)
            if cloud is not None and stored is not None:
                self._clouds.put(stored, cloud, cloud.values.nbytes)
            return last

    def _next_id(self) -> tuple[str, int]:
        # behind every row that was seen: a change must not be older than what it changes, whatever the clocks say
        now = self._last_ns = max(time.time_ns(), self._last_ns + 1)
        return f"{now:0{_TICKS}x}{secrets.token_hex(8)}", now // 1000

    def _note(self, row_id: str, idea: Idea) -> None:
        if idea.status == PROTECTED:
            self._newest[idea.idea_id] = (row_id, idea)
        else:
            self._newest.pop(idea.idea_id, None)

    # ---- reading -------------------------------------------------------------------------------------------------

    def protected(self) -> dict[str, Idea]:
        """The ideas whose newest change says protected, in the order in which they became what they are."""
        with self._lock.alone():
            self._refresh()
            return {name: idea for name, (_, idea) in sorted(self._newest.items(), key=lambda item: item[1][0])}

    def get(self, idea_id: str) -> Idea | None:
        """One protected idea, or None when it is not protected; what other processes changed is seen."""
        with self._lock.alone():
            self._refresh()
            found = self._newest.get(idea_id)
            return None if found is None else found[1]

    def _refresh(self) -> None:
        seen = self._stamp()  # before reading: who writes meanwhile changes the next one
        if seen is None or seen == self._seen:
            return
        newest: dict[str, dict[str, Any]] = {}
        for row in self._changes():
            known = newest.get(row["idea_id"])
            if known is None or known["row_id"] < row["row_id"]:
                newest[row["idea_id"]] = row
        self._newest = {}
        for row in newest.values():
            self._note(row["row_id"], idea_of(row))
            self._last_ns = max(self._last_ns, int(row["row_id"][:_TICKS], 16))
        self._seen = seen

    def _stamp(self) -> object:
        """A value that changes when somebody else writes; None when there is no file."""
        table = self._open(create=False)
        if table is None:
            return None
        return stamp(StorePaths.of(table.path), own=self._own)

    def _changes(self) -> Iterator[dict[str, Any]]:
        for batch in self._batches(CHANGES):
            yield from (row for row in batch.to_pylist() if row["status"] != REFERENCE)

    def _batches(self, columns: Sequence[str]) -> Iterator[pa.RecordBatch]:
        table = self._open(create=False)
        if table is None:
            return
        with table.snapshot() as snapshot:
            yield from snapshot.base_batches(columns)
            for batch in snapshot.pending_batches():
                yield batch.select(columns)

    def history(self, idea_id: str) -> list[dict[str, Any]]:
        """The changes of one idea, oldest first."""
        with self._lock.alone():
            rows = sorted((row for row in self._changes() if row["idea_id"] == idea_id), key=lambda row: row["row_id"])
        return [told(row) for row in rows]

    # ---- clouds --------------------------------------------------------------------------------------------------

    def cloud(self, idea: Idea) -> Cloud | None:
        """The reference cloud of an idea, bit for bit; None when it has none, or none that was kept."""
        row_id = idea.reference.row_id if idea.reference is not None else None
        if row_id is None:
            return None
        with self._lock.alone():
            known: Cloud | None = self._clouds.get(row_id)
            return self._load(row_id) if known is None else known

    def _load(self, wanted: str) -> Cloud | None:
        """The cloud of a row; those of the protected ideas are taken into memory, as many as fit, in one pass."""
        needed = {idea.reference.row_id for _, idea in self._newest.values() if idea.reference is not None}
        last = None
        for batch in self._batches(("row_id", "vertices", "vertices_shape")):
            for i, row_id in enumerate(batch["row_id"].to_pylist()):
                if row_id == wanted or (row_id in needed and row_id not in self._clouds):
                    flat = np.array(batch["vertices"][i].values, dtype=np.float64)
                    cloud = cloud_of(flat.reshape(batch["vertices_shape"][i].as_py()))
                    if row_id == wanted:
                        last = cloud
                    elif self._clouds.n_bytes + flat.nbytes <= self._cloud_bytes:
                        self._clouds.put(row_id, cloud, flat.nbytes)
        if last is not None:
            self._clouds.put(wanted, last, last.values.nbytes)
        return last

    # ---- the end -------------------------------------------------------------------------------------------------

    def flush(self) -> None:
        """Return when every change before survives a power cut."""
        with self._lock.alone():  # until the end: nobody is to close the file meanwhile
            if self._table is not None:
                self._table.flush()

    def close(self) -> None:
        """Give up the file; the next call opens it again."""
        with self._lock.alone():
            self._give_up()

    def _give_up(self) -> None:
        if self._table is not None:
            try:
                self._table.close()
            finally:
                if self._table.closed:  # an interrupt may have come before
                    self._table = None
