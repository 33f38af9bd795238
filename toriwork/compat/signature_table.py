"""The table of signatures of an older class, kept in the registry: every answer is the one that the table gave.

A row of the registry holds a row of the table: its texts as SQLite stored them, and the bound after which the oldest
went. Reading the rows in order gives what the table would hold now, whoever wrote it.
"""

from __future__ import annotations

import datetime as dt
import json
import math
import os
import re
import uuid
from collections import deque
from dataclasses import dataclass
from itertools import islice
from operator import index
from pathlib import Path
from typing import Any
from weakref import WeakKeyDictionary

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toriwork.checks import BANDS
from toriwork.errors import BadInput, Closed
from toriwork.lifetime import OpenObjects
from toriwork.locks import Mutex
from toriwork.registry import TorusRegistry, get_torus_registry
from toriwork.registry.spectral import STREAM_KEY, of_stream

_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?\s*", re.IGNORECASE)
_COLUMNS = ("row_id", "metadata", "vertices")
KEEPS = "keeps"  #: key of a row's metadata: the ids up to its own less this are forgotten; None: none is


def stream_of(stream: str, path: Any, module_file: str, module: str) -> str:
    """The stream that holds what a database of the older class held; another file is another stream.

    Parameters
    ----------
    stream : str
        That of the class.
    path : path or None
        What the class was given; ``:memory:``, "" and None are of nobody else.
    module_file, module : str
        The module's ``__file__``, and its path in the code base, with slashes.
    """
    if path is None or os.fspath(path) in ("", ":memory:"):
        return f"{stream}:memory:{uuid.uuid4().hex}"
    home = Path(os.path.realpath(module_file)).parents[module.count("/")]
    place = Path(os.path.realpath(path))
    return f"{stream}:{(place.relative_to(home) if place.is_relative_to(home) else place).as_posix()}"


@dataclass(frozen=True, slots=True)
class SignatureRow:
    """One row of the table, as SQLite gives it back."""

    hash_id: str
    timestamp: float | str
    eigenvalues: NDArray[np.float64]  #: (n_modes,), read-only; NaN and infinity are kept
    betti: str | None  #: JSON
    band: str
    gaps: str | None  #: JSON

    @classmethod
    def of(cls, signature: Any) -> SignatureRow:
        """A signature as the table would hold it; BadInput where it would refuse it."""
        betti = signature.betti_numbers
        return cls(
            hash_id=_text("hash_id", signature.hash_id),
            timestamp=_real("timestamp", signature.timestamp),
            eigenvalues=np.frombuffer(np.asarray(signature.eigenvalues, dtype="<f8").tobytes(), dtype="<f8"),
            betti=None if betti is None else json.dumps([float(number) for number in betti]),
            band=_text("coherence_state", signature.coherence_state),
            gaps=json.dumps([float(gap) for gap in signature.gaps]),
        )

    def fields(self) -> dict[str, Any]:
        """The fields of a signature, made anew."""
        return {
            "timestamp": self.timestamp,
            "eigenvalues": self.eigenvalues,
            "hash_id": self.hash_id,
            "betti_numbers": None if self.betti is None else json.loads(self.betti),
            "coherence_state": self.band,
            "gaps": json.loads(self.gaps or "[]"),
        }

    @property
    def known_betti(self) -> list[float] | None:
        """Betti numbers as the registry's columns take them; None where they do not."""
        found = _numbers(self.betti)
        return found if found and len(found) <= 3 and min(found) >= 0 else None

    @property
    def known_band(self) -> str:
        """The band as the registry's column takes it."""
        return self.band if self.band in BANDS else "local"

    def metadata(self) -> dict[str, Any]:
        """Return the metadata of a row of the registry that holds it."""
        texts = {"betti": self.betti, "band": self.band, "gaps": self.gaps}
        gaps = _numbers(self.gaps) or []
        return {"signature": {"timestamp": self.timestamp, "hash_id": self.hash_id, "gaps": gaps, "texts": texts}}


#: a row of the table, None when it is forgotten; its id where the older table gave it; what it keeps
_Known = tuple[SignatureRow | None, int | None, int | None]


class SignatureTable:
    """The signatures that an older class kept in a table of SQLite, in a stream of the registry.

    Parameters
    ----------
    max_entries : int or None
        How many the newest row leaves, told by their ids; None: all of them.
    stream : str
        See :func:`stream_of`. Objects of one stream are views of one table, in any process.
    registry : TorusRegistry, optional
        The shared one when not given.
    """

    pads_large_end = False  #: of two spectra of unequal length, which end of the shorter one is padded with zeros

    def __init__(self, max_entries: int | None, *, stream: str, registry: TorusRegistry | None = None) -> None:
        self.max_entries = max_entries
        self.stream = stream
        self.registry = get_torus_registry() if registry is None else registry
        self._closed = False
        self._rows = _SHARED.setdefault(self.registry, {}).setdefault(stream, _Rows(stream))

    def add(self, signature: Any) -> int:
        """The id of a signature that was recorded; ids count on from the highest that is there.

        Raises
        ------
        BadInput
            A value is None, or of a type that the table did not take. Nothing was recorded.
        Closed, StoreError
            Nothing was recorded.
        """
        row = SignatureRow.of(signature)
        bound = self.max_entries
        keeps = None if bound is None or bound == math.inf else math.ceil(bound)
        return self._table().add(self.registry, row, keeps)

    def distance(self, eigenvalues: ArrayLike, top_k: int = 10) -> float:
        """The least mean absolute difference of sorted magnitudes to the newest ``top_k``; inf of nothing."""
        rows = self._table().newest(self.registry, top_k)
        if not rows:
            return math.inf
        wanted = np.sort(np.abs(np.asarray(eigenvalues)))[::-1]
        return min(self._compared(wanted, row.eigenvalues) for row in rows)

    def _compared(self, a: NDArray[Any], b: NDArray[Any]) -> float:
        b = np.sort(np.abs(b))[::-1]
        size = max(len(a), len(b))
        a, b = (np.pad(one, (size - len(one), 0) if self.pads_large_end else (0, size - len(one))) for one in (a, b))
        return float(np.mean(np.abs(a - b)))

    def recent(self, n: int = 10) -> list[Any]:
        """The fields of the newest ``n`` signatures, newest first; of all where ``n`` is negative."""
        return [row.fields() for row in self._table().newest(self.registry, n)]

    def count(self) -> int:
        """How many signatures the table holds."""
        return len(self._table().newest(self.registry, -1))

    def flush(self) -> None:
        """Return when every signature that was added survives a power cut."""
        self._table()
        self.registry.flush()

    def close(self) -> None:
        """Flush, and answer no more; the registry belongs to the process and stays open."""
        if not self._closed:
            self.registry.flush()
        self._closed = True

    def _table(self) -> _Rows:
        if self._closed:
            raise Closed(f"{self.stream}: was closed; open it again")
        return self._rows


class _Rows:
    """The rows that a table holds now; one for all objects of a stream in a process."""

    def __init__(self, stream: str) -> None:
        self._stream = stream
        self._known: dict[str, _Known | None] = {}  # row id -> what it holds; None: it is of another stream
        self._held: deque[tuple[int, SignatureRow | None]] = deque()  # id and row, oldest first
        self._seen: object = None
        self.after_fork()
        _ALL.add(self)

    def after_fork(self) -> None:
        """In a child: a lock that no vanished thread holds; what the parent writes is somebody else's."""
        self._lock = Mutex("_lock")
        self._seen = None

    def add(self, registry: TorusRegistry, row: SignatureRow, keeps: int | None) -> int:
        """The id of a row that was recorded behind all others."""
        with self._lock.alone():
            self._refresh(registry)
            seen, self._seen = self._seen, None  # an interrupt may come between recording it and holding it
            metadata = {**row.metadata(), KEEPS: keeps, STREAM_KEY: self._stream}
            registry.record_shape(row.eigenvalues, row.known_betti, row.known_band, metadata, allow_nonfinite=True)
            number = self._hold(row, None, keeps)
            self._seen = seen
            return number

    def newest(self, registry: TorusRegistry, n: int) -> list[SignatureRow]:
        """The newest rows, newest first; all of them where ``n`` is negative."""
        with self._lock.alone():
            self._refresh(registry)
            wanted = (row for _, row in reversed(self._held) if row is not None)
            return list(islice(wanted, index(n)) if index(n) >= 0 else wanted)

    def _hold(self, row: SignatureRow | None, number: int | None, keeps: int | None) -> int:
        """Take the next row, and forget what its bound forgets."""
        if number is None:
            number = self._held[-1][0] + 1 if self._held else 1
        self._held.append((number, row))
        while keeps is not None and self._held and self._held[0][0] <= number - keeps:
            self._held.popleft()
        return number

    def _refresh(self, registry: TorusRegistry) -> None:
        """Read what others wrote since."""
        seen = registry.stamp()  # before reading: who writes meanwhile changes the next one
        if seen == self._seen:
            return
        row_ids = sorted(registry.scan(["row_id"], of_stream(self._stream)).read_all()["row_id"].to_pylist())
        if new := [row_id for row_id in row_ids if row_id not in self._known]:
            self._known |= _told(self._stream, registry.scan(_COLUMNS, of_stream(self._stream, new[0])).read_all())
        mine = {row_id: held for row_id in row_ids if (held := self._known[row_id]) is not None}
        self._held.clear()
        for held in mine.values():
            self._hold(*held)
        for row_id in list(mine)[: len(mine) - len(self._held)]:  # forgotten for good: what it held takes no memory
            self._known[row_id] = (None, *mine[row_id][1:])
        self._seen = seen


_SHARED: WeakKeyDictionary[TorusRegistry, dict[str, _Rows]] = WeakKeyDictionary()
_ALL: OpenObjects[_Rows] = OpenObjects(lambda rows: rows.after_fork())


def _told(stream: str, rows: Any) -> dict[str, _Known | None]:
    """Row id -> what each of some rows holds."""
    found: dict[str, _Known | None] = {}
    for position, (row_id, text) in enumerate(
        zip(rows["row_id"].to_pylist(), rows["metadata"].to_pylist(), strict=True)
    ):
        told = json.loads(text)
        signature, found[row_id] = told.get("signature", {}), None
        if told.get(STREAM_KEY) == stream and "texts" in signature:
            values = np.array(rows["vertices"][position].values, dtype=np.float64)
            values.setflags(write=False)
            row = SignatureRow(signature["hash_id"], signature["timestamp"], values, **signature["texts"])
            found[row_id] = (row, told.get("source_row"), told.get(KEEPS))
    return found


def _numbers(text: str | None) -> list[float] | None:
    """The finite numbers of a JSON list; None for anything else."""
    try:
        found = json.loads(text or "null")
    except ValueError:
        return None
    fits = isinstance(found, list) and all(type(one) in (int, float) and math.isfinite(one) for one in found)
    return [float(one) for one in found] if fits else None


def _text(name: str, value: Any) -> str:
    """A value as a column of text holds it, that may not be null."""
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return str(int(value))
    raise BadInput(f"{name}: expected a text, got {type(value).__name__}")


def _real(name: str, value: Any) -> float | str:
    """A value as a column of real numbers holds it, that may not be null; NaN is null to SQLite."""
    if isinstance(value, dt.datetime):
        return value.isoformat(" ")
    if isinstance(value, dt.date):
        return value.isoformat()
    if isinstance(value, str):
        return float(value) if _NUMBER.fullmatch(value) else str.__str__(value)
    if isinstance(value, int | float) and math.isfinite(value):
        return float(value)
    raise BadInput(f"{name}: expected a finite number or a text, got {value!r}")
