"""Which ideas are protected, durably: every change is one row of ``torus_cells.parquet``, the newest of an idea counts.

Older rows are the idea's history. They are left out when reading; the file itself is not thinned.
"""

from __future__ import annotations

import math
import os
import secrets
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from toriwork.storage import ArrowCodec, ParquetTable, TableSpec

PROTECTED, RELEASED, LOST = "protected", "released", "lost"
SCHEMA = pa.schema(
    [
        ("idea_id", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("status", pa.string()),  # protected, released (by tunnelling), lost (its topology became trivial)
        ("coherence_band", pa.string()),
        ("previous_band", pa.string()),  # null when the idea was not protected before
        ("shape_id", pa.string()),
        ("betti0", pa.float64()),  # null when undecided
        ("betti1", pa.float64()),
        ("betti2", pa.float64()),
        ("braid_id", pa.string()),
        ("protection_level", pa.string()),
        ("row_id", pa.string()),
    ]
)
_CODEC = ArrowCodec(SCHEMA)
SPEC = TableSpec(
    SCHEMA, _CODEC, row_id="row_id", time="timestamp", dictionary=("status", "coherence_band", "protection_level")
)
_NUMBERS = ("betti0", "betti1", "betti2")


@dataclass(frozen=True, slots=True)
class Idea:
    """One idea as it was last changed."""

    idea_id: str
    shape_id: str
    betti: tuple[float, float, float]  #: NaN where undecided
    coherence_band: str
    status: str = PROTECTED
    previous_band: str | None = None

    @property
    def braid_id(self) -> str:
        """``"braid_"`` and the shape's id."""
        return "braid_" + self.shape_id

    @property
    def protection_level(self) -> str:
        """High with more than one loop, else medium."""
        return "high" if self.betti[1] > 1 else "medium"

    def entry(self) -> dict[str, Any]:
        """What a caller gets to see."""
        return {
            "shape_id": self.shape_id,
            "betti": list(self.betti),
            "braid_id": self.braid_id,
            "protection_level": self.protection_level,
            "coherence_band": self.coherence_band,
        }


def is_nontrivial(betti: tuple[float, ...]) -> bool:
    """Whether a loop or a void is there; an undecided number is no evidence of one."""
    return any(number > 0 for number in betti[1:])


def is_gone(before: tuple[float, ...], now: tuple[float, ...]) -> bool:
    """Whether it is decided that of the loops and voids that were there none is left."""
    return all(number == 0 for was, number in zip(before[1:], now[1:], strict=True) if was > 0)


class IdeaStore:
    """Changes of ideas in one file, opened when it is there or when the first change comes."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._table: ParquetTable | None = None
        self._last_ns = 0
        self.after_fork()

    def after_fork(self) -> None:
        """In a child: a lock that no vanished thread holds."""
        self._lock = threading.Lock()

    def _open(self, *, create: bool) -> ParquetTable | None:
        with self._lock:
            if self._table is None and (create or os.path.lexists(self.path) or self._folder.is_dir()):
                self._table = ParquetTable(self.path, SPEC)
            return self._table

    @property
    def _folder(self) -> Path:
        return self.path.with_suffix(".d")

    def append(self, idea: Idea) -> None:
        """Return when the change survives the death of the process."""
        table = self._open(create=True)
        assert table is not None  # it was just created
        table.append(_CODEC.encode(pa.RecordBatch.from_pylist([self._row(idea)], schema=SCHEMA)))

    def _row(self, idea: Idea) -> dict[str, Any]:
        with self._lock:
            now = self._last_ns = max(time.time_ns(), self._last_ns + 1)
        numbers = (None if math.isnan(number) else number for number in idea.betti)
        return {
            "idea_id": idea.idea_id,
            "timestamp": now // 1000,
            "status": idea.status,
            "coherence_band": idea.coherence_band,
            "previous_band": idea.previous_band,
            "shape_id": idea.shape_id,
            **dict(zip(_NUMBERS, numbers, strict=True)),
            "braid_id": idea.braid_id,
            "protection_level": idea.protection_level,
            "row_id": f"{now:016x}{secrets.token_hex(8)}",
        }

    def protected(self) -> dict[str, Idea]:
        """The ideas whose newest row says protected, in the order in which they became what they are."""
        newest: dict[str, dict[str, Any]] = {}
        for row in self._rows():
            known = newest.get(row["idea_id"])
            if known is None or known["row_id"] < row["row_id"]:
                newest[row["idea_id"]] = row
        ordered = sorted(newest.values(), key=lambda row: str(row["row_id"]))
        return {row["idea_id"]: _idea(row) for row in ordered if row["status"] == PROTECTED}

    def history(self, idea_id: str) -> list[dict[str, Any]]:
        """Every change of one idea, oldest first."""
        rows = sorted((row for row in self._rows() if row["idea_id"] == idea_id), key=lambda row: str(row["row_id"]))
        return [{name: value for name, value in row.items() if name not in ("idea_id", "row_id")} for row in rows]

    def _rows(self) -> list[dict[str, Any]]:
        table = self._open(create=False)
        if table is None:
            return []
        with table.view() as view:
            batches = [*view.base_batches(), *view.pending_batches()]
        rows: list[dict[str, Any]] = pa.Table.from_batches(batches, schema=SCHEMA).to_pylist()
        return rows

    def flush(self) -> None:
        """Return when every change before survives a power cut."""
        with self._lock:
            table = self._table
        if table is not None:
            table.flush()

    def close(self) -> None:
        """Give up the file; the next change opens it again."""
        with self._lock:
            table, self._table = self._table, None
        if table is not None:
            table.close()


def _idea(row: dict[str, Any]) -> Idea:
    b0, b1, b2 = (float("nan") if row[name] is None else float(row[name]) for name in _NUMBERS)
    return Idea(
        row["idea_id"], row["shape_id"], (b0, b1, b2), row["coherence_band"], row["status"], row["previous_band"]
    )
