"""An idea, and how a change of one becomes a row of ``torus_cells.parquet`` and is read again.

Two kinds of rows: changes, of which the newest of an idea counts and the others are its history, and references, each
a cloud whose diagram was computed, written in one frame with the change that stands on it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from toriwork.cells.protection import RIPS, Bar, Certificate, Reference

PROTECTED, RELEASED, LOST = "protected", "released", "lost"
REFERENCE = "reference"  #: the status of a row that holds a cloud; the others are changes
SCHEMA = pa.schema(
    [
        ("idea_id", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),
        ("status", pa.string()),
        ("coherence_band", pa.string()),
        ("previous_band", pa.string()),  # null when the idea was not protected before
        ("shape_id", pa.string()),
        ("betti0", pa.float64()),  # null when undecided
        ("betti1", pa.float64()),
        ("betti2", pa.float64()),
        ("braid_id", pa.string()),
        ("protection_level", pa.string()),
        ("row_id", pa.string()),
        ("protection_radius", pa.float64()),  # null when nothing is certified
        ("reference_shape_id", pa.string()),  # of the cloud whose diagram was last computed
        ("reference_row", pa.string()),  # row id of that cloud; null when it was too large to keep
        ("certified", pa.bool_()),  # accepted without a diagram, by the displacement
        ("displacement", pa.float64()),  # from the reference cloud; of certified and lost rows
        ("classes", pa.list_(pa.float64())),  # dimension, birth, death of each protected class, or of the lost one
        ("reason", pa.string()),  # why a class is lost
        ("convention", pa.string()),  # filtration and scale of the classes; null, in old rows: Rips in diameters
        ("vertices", pa.list_(pa.float64())),  # of references
        ("vertices_shape", pa.list_(pa.int64())),
    ]
)
DICTIONARY = ("status", "coherence_band", "previous_band", "protection_level", "reason", "convention")
#: the columns of changes
CHANGES = tuple(name for name in SCHEMA.names if not name.startswith("vertices"))
_NUMBERS = ("betti0", "betti1", "betti2")


@dataclass(frozen=True, slots=True)
class Loss:
    """A protected class that is gone."""

    bar: Bar  #: as it was in the reference
    displacement: float | None  #: from the reference cloud; None when the clouds have no distance
    reason: str


@dataclass(frozen=True, slots=True)
class Idea:
    """One idea as it was last changed."""

    idea_id: str
    shape_id: str
    betti: tuple[float, float, float]  #: as last computed; NaN where undecided
    coherence_band: str
    status: str = PROTECTED
    previous_band: str | None = None
    reference: Reference | None = None
    certificate: Certificate | None = None
    loss: Loss | None = None

    @property
    def braid_id(self) -> str:
        """``"braid_"`` and the shape's id."""
        return "braid_" + self.shape_id

    @property
    def protection_level(self) -> str:
        """High with more than one loop, else medium."""
        return "high" if self.betti[1] > 1 else "medium"

    @property
    def radius(self) -> float | None:
        """How far the reference cloud may move while its classes are certain to stay; None: nothing is certain."""
        return self.reference.radius if self.reference is not None else None

    def entry(self) -> dict[str, Any]:
        """The idea as a caller gets to see it."""
        known = self.reference
        return {
            "shape_id": self.shape_id,
            "betti": list(self.betti),
            "braid_id": self.braid_id,
            "protection_level": self.protection_level,
            "coherence_band": self.coherence_band,
            "protection_radius": self.radius,
            "reference_shape_id": known.shape_id if known is not None else None,
            "classes": [list(bar) for bar in known.classes] if known is not None else [],
            "convention": known.convention if known is not None else None,
            "certified_by": self.certificate.to_dict() if self.certificate is not None else None,
        }


def is_nontrivial(betti: Sequence[float]) -> bool:
    """True when a loop or a void is there; an undecided number is no evidence of one."""
    return any(number > 0 for number in betti[1:])


def is_gone(before: Sequence[float], now: Sequence[float]) -> bool:
    """True when it is decided that of the loops and voids that were there none is left."""
    return all(number == 0 for was, number in zip(before[1:], now[1:], strict=True) if was > 0)


def change_row(idea: Idea, row_id: str, micros: int) -> dict[str, Any]:
    """A change as one row."""
    known, loss = idea.reference, idea.loss
    bars = [loss.bar] if loss is not None else known.classes if known is not None else ()
    moved = loss.displacement if loss is not None else None
    return {
        "idea_id": idea.idea_id,
        "timestamp": micros,
        "status": idea.status,
        "coherence_band": idea.coherence_band,
        "previous_band": idea.previous_band,
        "shape_id": idea.shape_id,
        **{name: _known(number) for name, number in zip(_NUMBERS, idea.betti, strict=True)},
        "braid_id": idea.braid_id,
        "protection_level": idea.protection_level,
        "row_id": row_id,
        "protection_radius": idea.radius,
        "reference_shape_id": known.shape_id if known is not None else None,
        "reference_row": known.row_id if known is not None else None,
        "certified": idea.certificate is not None,
        "displacement": idea.certificate.displacement if idea.certificate is not None else moved,
        "classes": [float(part) for bar in bars for part in bar],
        "reason": loss.reason if loss is not None else None,
        "convention": known.convention if known is not None else None,
    }


def reference_row(idea: Idea, cloud: NDArray[np.float64], micros: int) -> dict[str, Any]:
    """The cloud on which a change stands, as one row."""
    assert idea.reference is not None  # its callers made it
    return {
        "idea_id": idea.idea_id,
        "timestamp": micros,
        "status": REFERENCE,
        "shape_id": idea.reference.shape_id,
        "row_id": idea.reference.row_id,
        "vertices": cloud.ravel(),
        "vertices_shape": list(cloud.shape),
    }


def idea_of(row: Mapping[str, Any]) -> Idea:
    """The change that a row holds."""
    b0, b1, b2 = (math.nan if row[name] is None else float(row[name]) for name in _NUMBERS)
    reference = certificate = None
    if row["reference_shape_id"] is not None and row["status"] == PROTECTED:
        reference = Reference(
            row["reference_shape_id"],
            bars_of(row["classes"]),
            row["protection_radius"],
            row["reference_row"],
            row["convention"] or RIPS,
        )
        if row["certified"]:
            certificate = Certificate(row["reference_shape_id"], row["displacement"], row["protection_radius"])
    return Idea(
        row["idea_id"],
        row["shape_id"],
        (b0, b1, b2),
        row["coherence_band"],
        row["status"],
        row["previous_band"],
        reference,
        certificate,
    )


def told(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of the history as a caller gets to see it."""
    names = ("timestamp", "status", "coherence_band", "previous_band", "shape_id", "protection_radius")
    certificate = Certificate(row["reference_shape_id"], row["displacement"], row["protection_radius"])
    lost = row["status"] == LOST and row["reason"] is not None
    return {
        **{name: row[name] for name in names},
        "betti": [math.nan if row[name] is None else row[name] for name in _NUMBERS],
        "classes": [] if lost else [list(bar) for bar in bars_of(row["classes"])],
        "certified_by": certificate.to_dict() if row["certified"] else None,
        "lost": {"bar": list(bars_of(row["classes"])[0]), "displacement": row["displacement"], "reason": row["reason"]}
        if lost
        else None,
    }


def bars_of(flat: Sequence[float] | None) -> tuple[Bar, ...]:
    """Bars from a flat list of dimensions, births and deaths."""
    values = flat or ()
    return tuple((int(values[i]), values[i + 1], values[i + 2]) for i in range(0, len(values), 3))


def _known(number: float) -> float | None:
    return None if math.isnan(number) else number
