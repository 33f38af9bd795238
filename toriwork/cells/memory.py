"""The memory of diagrams: what was computed once is answered again, in this process and in every later one."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np

from toriwork.cells.cache import BoundedCache
from toriwork.cells.diagram_store import DiagramStore
from toriwork.cells.diagrams import pack, question, question_of, representatives_from, representatives_text
from toriwork.checks import check_count
from toriwork.errors import BadInput, ToriworkError
from toriwork.lifetime import OpenObjects
from toriwork.locks import Mutex
from toriwork.state import shown_path, state_root
from toriwork.topology import Diagram, Representative, persistence
from toriwork.topology.clouds import Cloud, cloud_of
from toriwork.topology.representatives import chosen_bars

DIAGRAMS_FILE = "torus_diagrams.parquet"
_MAX_DIAGRAMS = 20_000
_MAX_BYTES = 192 * 2**20
_MAX_STORED = 200_000
_OVERHEAD_BYTES = 1000  # of a Diagram and its place, beside its arrays
_MANY_QUESTIONS = 256
_KEY = re.compile("[0-9a-f]{32}")

_ALL: OpenObjects[DiagramMemory] = OpenObjects(lambda memory: memory.after_fork())


class DiagramMemory:
    """Persistence diagrams by the content of their clouds: the latest in memory, all of them in one Parquet file.

    Any number of handles, threads and processes may use one file at once. An answer is found again only for the same
    cloud (dtype, shape and bytes), filtration and parameters, dimension, field, threshold, engine and its version.

    Parameters
    ----------
    path : path, optional
        The public file, created with the first diagram; ``torus_diagrams.parquet`` in the state root when not given.
    max_diagrams, max_bytes : int
        Kept in memory, decoded rows of the file and answers of :class:`TorusCells` among them; the ones that were used
        longest ago go first.
    max_stored : int
        How many diagrams stay on disk when it is published; the newest ones.
    durability : {"process", "power"}
        What a diagram survives once ``put`` has returned: ``kill -9``, or a power cut as well.

    Raises
    ------
    BadInput
        A limit below 1, or no such durability.

    Examples
    --------
    >>> from toriwork.cells import DiagramMemory
    >>> from toriwork.samples import load_sample
    >>> with DiagramMemory("diagrams.parquet") as memory:
    ...     first = memory.persistence(load_sample("circle"), max_dimension=1)
    ...     memory.persistence(load_sample("circle"), max_dimension=1) is first
    True
    """

    def __init__(
        self,
        path: str | os.PathLike[str] | None = None,
        *,
        max_diagrams: int = _MAX_DIAGRAMS,
        max_bytes: int = _MAX_BYTES,
        max_stored: int = _MAX_STORED,
        durability: str = "process",
    ) -> None:
        if durability not in ("process", "power"):
            raise BadInput(f"durability: expected process or power, got {durability!r}")
        limits = {"max_diagrams": max_diagrams, "max_bytes": max_bytes, "max_stored": max_stored}
        for name, limit in limits.items():
            check_count(limit, name=name)
        self._options = {**limits, "durability": durability}
        self.cache = BoundedCache(max_bytes, max_diagrams)
        place = state_root() / DIAGRAMS_FILE if path is None else Path(path)
        self._store = DiagramStore(place, durability, max_stored, self.cache)
        self._counts = {"in_memory": 0, "on_disk": 0, "missed": 0}
        self._questions: dict[tuple[Any, ...], Any] = {}
        self._lock = Mutex("_lock")
        _ALL.add(self)

    @property
    def path(self) -> Path:
        """The public file; it is there once a diagram was put."""
        return self._store.path

    # ---- asking --------------------------------------------------------------------------------------------------

    def persistence(self, points: Any = None, *, distances: Any = None, **options: Any) -> Diagram:
        """The diagram that :func:`toriwork.topology.persistence` gives, computed only when it is not known yet.

        Parameters
        ----------
        points, distances, **options
            As there. ``max_bytes`` limits a computation and is no part of the question.

        Raises
        ------
        BadInput, MissingExtra, EngineError, TooLarge
            See there; nothing is remembered.
        StoreError
            The file is damaged, or refused the new diagram.
        """
        given, cloud = _given(points, distances)
        key = self._key(given, cloud, options)
        known = self._look([key])[0]
        if known is not None:
            return known
        if cloud is None or key is None:  # refused there, or a question that has no name: a function, a graph
            return persistence(points, distances=distances, **options)
        data = {"points": cloud} if distances is None else {"distances": cloud.array}
        diagram = persistence(**data, **options)
        self._keep([(cloud, given, diagram)])
        return diagram

    def representatives(
        self,
        points: Any = None,
        k: int = 1,
        *,
        distances: Any = None,
        which: Any = "longest",
        n: int = 1,
        **options: Any,
    ) -> tuple[Representative, ...]:
        """Representatives of classes of the remembered diagram, computed only when they are not known yet.

        They are kept in the diagram's row, and come back with it in every later process.

        Parameters
        ----------
        points, distances, **options
            As in :meth:`persistence`; ``max_dimension`` is ``k`` unless it is given, and 1 at least.
        k, which, n
            As in :meth:`toriwork.topology.Diagram.representatives`.

        Raises
        ------
        BadInput, TooLarge, StoreError
            See both; nothing is remembered.

        Examples
        --------
        >>> from toriwork.cells import DiagramMemory
        >>> octahedron = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [-1, 0, 0], [0, -1, 0], [0, 0, -1]]
        >>> with DiagramMemory("diagrams.parquet") as memory:
        ...     (void,) = memory.representatives(octahedron, 2)
        >>> len(void.triangles), void.death_simplex
        (8, (0, 3, 4, 5))
        """
        options.setdefault("max_dimension", 2 if k == 2 else 1)
        diagram = self.persistence(points, distances=distances, **options)
        wanted = chosen_bars(diagram.in_dimension(k), which, n, k)
        given, cloud = _given(points, distances)
        key = self._key(given, cloud, options)
        if cloud is None or key is None:  # a question that has no name
            return diagram.representatives(k, points=points, distances=distances, which=wanted)
        places = [(key, k, bar) for bar in wanted]
        found = {place: self.cache.get(place) for place in places}
        if None in found.values():
            found |= self._representatives(key, diagram)
            absent = sorted({bar for (_, _, bar), one in found.items() if one is None})
            if absent:
                data = {"points": cloud} if distances is None else {"distances": cloud.array}
                new = diagram.representatives(k, **data, which=absent)
                found |= {(key, k, one.bar): one for one in new}
                known = self._representatives(key, diagram) | {(key, k, one.bar): one for one in new}
                self._store.append([pack(key, cloud.digest, given, diagram, representatives_text(known.values()))])
                for place, one in known.items():
                    self.cache.put(place, one, _OVERHEAD_BYTES + 100 * (len(one.points) + len(one.triangles)))
        return tuple(found[place] for place in places)

    def _representatives(self, key: bytes, diagram: Diagram) -> dict[tuple[bytes, int, int], Representative]:
        """Those on disk, by the key of their diagram, dimension and bar."""
        with self._lock.alone():
            text = self._store.representatives(key)
        return {(key, one.dimension, one.bar): one for one in representatives_from(text, diagram)}

    def get(self, points: Any = None, *, distances: Any = None, **options: Any) -> Diagram | None:
        """The remembered answer to this question, or None; nothing is computed.

        Raises
        ------
        StoreError
            The file is damaged.
        """
        return self._look([self._key(*_given(points, distances), options)])[0]

    def get_many(self, clouds: Sequence[Any], **options: Any) -> list[Diagram | None]:
        """The remembered diagram of each cloud, None where there is none; see :meth:`get`."""
        return self._look([self._key("points", _given(cloud, None)[1], options) for cloud in clouds])

    def key(self, points: Any = None, *, distances: Any = None, **options: Any) -> str | None:
        """The key, 32 hex digits, under which the answer stands in the file; None for what has no answer."""
        key = self._key(*_given(points, distances), options)
        return None if key is None else key.hex()

    def __contains__(self, key: object) -> bool:
        """True when the answer with this key (see :meth:`key`) is remembered."""
        is_key = isinstance(key, str) and _KEY.fullmatch(key) is not None
        return is_key and self._look([bytes.fromhex(str(key))])[0] is not None

    def __len__(self) -> int:
        """How many answers are on disk; those in memory are among them."""
        with self._lock.alone():
            return self._store.count()

    def _key(self, given: str, cloud: Cloud | None, options: dict[str, Any]) -> bytes | None:
        seeded = None if cloud is None else self._seeded(given, options)
        if cloud is None or seeded is None:
            return None
        digest = seeded.copy()
        digest.update(cloud.digest)
        return bytes(digest.digest())

    def _seeded(self, given: str, options: dict[str, Any]) -> Any:
        """The hash of a question without its cloud; None where ``persistence`` will refuse it, with better words."""
        try:
            asked = given, *((name, type(value), value) for name, value in options.items())  # 2.0 is no field, 2 is
            brief = all(value.__hash__ is not None for value in options.values())  # no array, which has its own digest
            known = self._questions.get(asked) if brief else None
            if known is None:
                known = question(given, **{k: v for k, v in options.items() if k != "max_bytes"}).seeded()
                if len(self._questions) >= _MANY_QUESTIONS:
                    self._questions.clear()
                if brief:
                    self._questions[asked] = known
        except (TypeError, ValueError, OverflowError, ToriworkError):
            return None
        return known

    def _look(self, keys: Sequence[bytes | None]) -> list[Diagram | None]:
        """The answers in memory and on disk; those from the disk are in memory from now on."""
        with self._lock.alone():
            found: list[Diagram | None] = [None if key is None else self.cache.get(key) for key in keys]
            n_known = sum(known is not None for known in found)
            absent = [key for key, known in zip(keys, found, strict=True) if key is not None and known is None]
            if absent:
                read = self._store.find(absent)
                for key, diagram in read.items():
                    self._remember(key, diagram)
                self._counts["on_disk"] += len(read)
                found = [
                    read.get(key) if key is not None and known is None else known
                    for key, known in zip(keys, found, strict=True)
                ]
            self._counts["in_memory"] += n_known
            self._counts["missed"] += sum(known is None for known in found)
            return found

    # ---- keeping -------------------------------------------------------------------------------------------------

    def put(self, diagram: Diagram, points: Any = None, *, distances: Any = None) -> str:
        """The key under which the diagram is remembered; what the question was, its provenance says.

        When this returns, the diagram survives what ``durability`` promises.

        Parameters
        ----------
        diagram : Diagram
            Of :func:`toriwork.topology.persistence`.
        points, distances : array_like
            What it was computed from, one of them.

        Raises
        ------
        BadInput
            It has no provenance, or its cloud is no array of numbers.
        StoreError
            The file is damaged, or the disk refused.
        """
        given, cloud = _given(points, distances)
        if cloud is None:
            raise BadInput("expected either points or distances, as an array of numbers")
        return self._keep([(cloud, given, diagram)])[0].hex()

    def put_many(self, clouds: Sequence[Any], diagrams: Sequence[Diagram]) -> None:
        """Remember the diagrams of some clouds, all or none of them; see :meth:`put`."""
        checked = [_given(cloud, None)[1] for cloud in clouds]
        kept = zip(checked, diagrams, strict=True)
        self._keep([(cloud, "points", diagram) for cloud, diagram in kept if cloud is not None])

    def _keep(self, answers: Sequence[tuple[Cloud, str, Diagram]]) -> list[bytes]:
        keys, rows, new = [], [], {}
        for cloud, given, diagram in answers:
            seeded = question_of(diagram, given).seeded()
            seeded.update(cloud.digest)
            key = seeded.digest()
            keys.append(key)
            if key not in self.cache and key not in new:
                rows.append(pack(key, cloud.digest, given, diagram))
                new[key] = diagram
        if rows:
            self._store.append(rows)
        for key, diagram in new.items():
            self._remember(key, diagram)
        return keys

    def _remember(self, key: bytes, diagram: Diagram) -> None:
        self.cache.put(key, diagram, _OVERHEAD_BYTES + diagram.pairs.nbytes + diagram.censored.nbytes)

    # ---- the frame -----------------------------------------------------------------------------------------------

    def statistics(self) -> dict[str, int]:
        """Counts: answers ``in_memory`` and ``on_disk`` that were found, ``missed`` ones, ``n_diagrams`` and
        ``n_bytes`` that are in memory now.
        """
        with self._lock.alone():
            return {**self._counts, "n_diagrams": self.cache.count(Diagram), "n_bytes": self.cache.n_bytes}

    def flush(self, publish: bool | None = None) -> None:
        """Return when every diagram before survives a power cut; ``publish=True``: when the public file has it."""
        with self._lock.alone():  # until the end: nobody is to close the file meanwhile
            self._store.flush(publish)

    def close(self) -> None:
        """Flush and give up the file; what is in memory stays, and the next call that needs the file opens it."""
        with self._lock.alone():
            self._store.close()

    def after_fork(self) -> None:
        """In a child: locks that no vanished thread holds."""
        self._lock = Mutex("_lock")
        self.cache.after_fork()
        self._store.after_fork()

    def __enter__(self) -> DiagramMemory:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopen, (self.path, self._options)

    def __repr__(self) -> str:
        n_diagrams = self.cache.count(Diagram)
        return (
            f"DiagramMemory({shown_path(self.path)!r}): {n_diagrams} diagrams in memory, {self.cache.n_bytes:,} bytes"
        )


def _given(points: Any, distances: Any) -> tuple[str, Cloud | None]:
    """Name and checked data of the one that was given; None for what has no answer, which ``persistence`` judges."""
    given, data = ("points", points) if distances is None else ("distances", distances)
    if isinstance(data, np.ma.MaskedArray) or (points is not None and distances is not None):
        return given, None
    try:
        cloud = cloud_of(data, name=given)
    except BadInput:
        return given, None
    return given, None if cloud.array.dtype.kind == "c" else cloud


def _reopen(path: Path, options: dict[str, Any]) -> DiagramMemory:
    return DiagramMemory(path, **options)
