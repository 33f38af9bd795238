"""Diagrams on disk: one row each of a ParquetTable, found by key without decoding the others.

What is kept in memory is where each key is, 12 bytes a row, and a few decoded groups of rows.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from toriwork.cells.cache import BoundedCache
from toriwork.cells.diagrams import DICTIONARY, SCHEMA, DiagramCodec, Rows, unpack
from toriwork.errors import Closed
from toriwork.locks import Mutex
from toriwork.storage import NewestPerKey, ParquetTable, Retention, TableSpec
from toriwork.storage.decoding import decode
from toriwork.storage.frames import Frame
from toriwork.storage.paths import StorePaths, stamp
from toriwork.storage.pending import PendingJournal, PendingSegment, fitted, payload_groups
from toriwork.storage.snapshot import Snapshot
from toriwork.topology import Diagram

_GROUP_BYTES = 2**20  # one diagram costs a group of rows: 4 ms where the group was not decoded before
#: a look at what others wrote may take this share of the time
_LOOK_SHARE = 0.02

_Group = Callable[[], pa.RecordBatch]
_Part = TypeVar("_Part")


def diagram_spec(retention: Retention | None) -> TableSpec:
    """The diagrams as a table of the store."""
    return TableSpec(SCHEMA, DiagramCodec(), "row_id", "timestamp", DICTIONARY, retention, _GROUP_BYTES)


class DiagramStore:
    """The durable half of a memory: opened when it is there or when the first diagram comes. Its owner locks."""

    def __init__(self, path: Path, durability: str, max_rows: int, cache: BoundedCache) -> None:
        self.path = path
        self._cache = cache
        self._spec = diagram_spec(NewestPerKey(("key",), "row_id", max_rows=max_rows))
        self._durability = durability
        self._table: ParquetTable | None = None
        self._catalogue: _Catalogue | None = None
        self._opening = Mutex("_opening")

    def after_fork(self) -> None:
        """In a child: a lock that no vanished thread holds; the table looks after itself."""
        self._opening = Mutex("_opening")

    def _open(self, *, create: bool) -> ParquetTable | None:
        with self._opening.alone():
            if self._table is not None and self._table.closed:
                self._give_up()  # an interrupt came while it was being closed
            if self._table is None and (create or os.path.lexists(self.path) or self._folder.is_dir()):
                self._table = ParquetTable(self.path, self._spec, durability=self._durability)
            return self._table

    @property
    def _folder(self) -> Path:
        return self.path.with_suffix(".d")

    def append(self, rows: Sequence[bytes]) -> None:
        """Return when the packed rows survive the death of the process, all of them or none."""
        while True:
            table = self._open(create=True)
            assert table is not None  # it was just created
            try:
                table.append(b"".join(rows), len(rows))
            except Closed:  # by another thread, since we looked: ``close`` means that the next call opens it again
                if self._table is table and not table.closed:
                    raise
            else:
                return

    def representatives(self, key: bytes) -> str:
        """The representatives that stand beside the diagram of a key, as text; empty for none."""
        self._look_again(at_once=True)
        found = {} if self._catalogue is None else self._catalogue.find([key], Rows.representatives)
        return found.get(key, "")

    def find(self, keys: Iterable[bytes]) -> dict[bytes, Diagram]:
        """The diagrams of those keys that are there."""
        wanted = list(keys)
        found = self._catalogue.find(wanted, Rows.diagram) if self._catalogue is not None else {}
        if len(found) < len(wanted) and self._look_again():
            assert self._catalogue is not None  # just looked
            found |= self._catalogue.find([key for key in wanted if key not in found], Rows.diagram)
        return found

    def count(self) -> int:
        """How many keys there are on disk."""
        self._look_again(at_once=True)
        return 0 if self._catalogue is None else self._catalogue.n_keys

    def _look_again(self, *, at_once: bool = False) -> bool:
        """True when the catalogue is newer than before. Looking costs time, so it is done seldom."""
        known = self._catalogue
        began = time.monotonic()
        if known is not None and not at_once and began < known.stale_from:
            return False
        table = self._open(create=False)
        if table is None:
            return False
        state = stamp(StorePaths.of(self.path))
        if known is not None and known.state == state:
            return False
        fresh = _Catalogue(table.snapshot(), state, self._cache)
        fresh.stale_from = time.monotonic() + (time.monotonic() - began) / _LOOK_SHARE
        self._drop()
        self._catalogue = fresh
        return True

    def _drop(self) -> None:
        catalogue, self._catalogue = self._catalogue, None
        if catalogue is not None:
            catalogue.close()

    def flush(self, publish: bool | None) -> None:
        """Return when every diagram before survives a power cut."""
        if self._table is not None:
            self._table.flush(publish)

    def close(self) -> None:
        """Give up the files; the next call opens them again."""
        self._drop()
        self._give_up()

    def _give_up(self) -> None:
        table = self._table
        if table is not None:
            try:
                table.close()
            finally:
                if table.closed and self._table is table:  # an interrupt may have come before
                    self._table = None


class _Catalogue:
    """One consistent state of the table: where each key is; groups that were decoded last are in the cache."""

    def __init__(self, opened: AbstractContextManager[Snapshot], state: object, cache: BoundedCache) -> None:
        self._cache = cache
        self.state = state
        self.stale_from = 0.0
        self._opened = opened
        self._groups: list[_Group] = []
        snapshot = opened.__enter__()
        try:
            self._list(snapshot)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Give up the files."""
        self._cache.drop(self)
        self._opened.__exit__(None, None, None)

    def _list(self, snapshot: Snapshot) -> None:
        heads: list[NDArray[np.uint64]] = []
        for group, keys in _groups(snapshot):
            self._groups.append(group)
            heads.append(np.frombuffer(keys, ">u8")[::2].astype(np.uint64))
        starts = np.cumsum([0, *map(len, heads)])
        every = np.concatenate(heads) if heads else np.zeros(0, np.uint64)
        order = np.argsort(every, kind="stable").astype(np.uint32)
        self._heads, self._paths, self._starts = every[order], order, starts
        self.n_keys = len(np.unique(every))

    def find(self, keys: Sequence[bytes], part: Callable[[Rows, int], _Part]) -> dict[bytes, _Part]:
        """A part of the rows of those keys that are there; each group is decoded once."""
        heads = np.frombuffer(b"".join(key[:8] for key in keys), ">u8").astype(np.uint64)
        first = np.searchsorted(self._heads, heads, side="left")
        last = np.searchsorted(self._heads, heads, side="right")
        hits = np.flatnonzero(last > first)
        # the last of equal heads was written last; by group, so that none is decoded twice
        places = self._paths[last[hits] - 1]
        found: dict[bytes, _Part] = {}
        groups = np.searchsorted(self._starts, places, side="right") - 1
        last_group, rows = -1, None
        for which in np.argsort(places, kind="stable"):
            key, group = keys[hits[which]], int(groups[which])
            if rows is None or group != last_group:
                last_group, rows = group, self._rows(group)
            row = int(places[which] - self._starts[group])
            if rows.keys[row] == key.hex():  # two keys with one head: once in the age of the universe
                found[key] = part(rows, row)
        return found

    def _rows(self, group: int) -> Rows:
        found: Rows | None = self._cache.get((self, group))
        if found is None:
            found = Rows(self._groups[group]())
            self._cache.put((self, group), found, found.n_bytes)
        return found


def _groups(snapshot: Snapshot) -> Iterable[tuple[_Group, bytes]]:
    """How to read each group of rows, and its keys, 16 bytes each; what is newer comes later."""
    base = snapshot.base
    if base is not None and base.facts is not None and base.footer.metadata.schema.to_arrow_schema().equals(SCHEMA):
        for number, batch in enumerate(base.batches(["key"])):
            yield partial(base.group, number), _key_bytes(batch)
    else:  # of another layout: it is read whole until the next publish
        for number, batch in enumerate(snapshot.base_batches()):
            yield partial(_nth, snapshot.base_batches, number), _key_bytes(batch)
    for source in snapshot.pending():
        if isinstance(source, PendingSegment):
            batches = partial(_fitted, source, snapshot.spec)
            for number, batch in enumerate(batches()):
                yield partial(_nth, batches, number), _key_bytes(batch)
            continue
        frames = {frame.number: frame for frame in source.rows()}
        for payloads in payload_groups(source):
            keys = b"".join(row.key for payload in payloads for row in unpack(payload))
            yield partial(_decoded, snapshot, source, [frames[payload.frame] for payload in payloads]), keys


def _fitted(segment: PendingSegment, spec: TableSpec) -> Iterable[pa.RecordBatch]:
    return fitted(segment.batches(), spec)


def _decoded(snapshot: Snapshot, journal: PendingJournal, frames: Sequence[Frame]) -> pa.RecordBatch:
    return decode(snapshot.spec, journal.path, journal.payloads(frames), {})


def _nth(batches: Callable[[], Iterable[pa.RecordBatch]], number: int) -> pa.RecordBatch:
    return next(islice(batches(), number, None))


def _key_bytes(batch: pa.RecordBatch) -> bytes:
    return bytes.fromhex("".join(batch["key"].to_pylist()))
