"""Which rows of a registry are wanted, and the newest of those, read in one pass with bounded memory."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from toriwork.checks import check_band
from toriwork.errors import BadInput

if TYPE_CHECKING:
    import pandas as pd

    from toriwork.registry import TorusRegistry

COLUMNS = (
    "row_id", "timestamp", "shape_id", "coherence_band", "betti0", "betti1", "betti2", "betti_status",
    "vertices_dtype", "vertices_shape",
)  # fmt: skip
MOST_ROWS = 10_000  #: that can be paged through; the newest. All that match are counted
UNKNOWN = "unknown"
_SPAN = re.compile(r"\s*(\d+(?:\.\d+)?)\s*(?:(-)\s*(\d+(?:\.\d+)?)?\s*)?")


@dataclass(frozen=True, slots=True)
class Span:
    """Numbers from ``low`` to ``high``, both included; or those that are not known."""

    low: float = 0.0
    high: float = math.inf
    unknown: bool = False

    def __post_init__(self) -> None:
        if not self.low <= self.high:
            raise BadInput(f"Betti number: a range that is not empty is wanted, given was {self.low} to {self.high}")

    @classmethod
    def read(cls, text: str) -> Span | None:
        """``"2"``, ``"1-3"``, ``"1-"`` (and more), ``"unknown"``; None for an empty text.

        Raises
        ------
        BadInput
            It is none of these.
        """
        if not text.strip():
            return None
        if text.strip().lower() == UNKNOWN:
            return cls(unknown=True)
        found = _SPAN.fullmatch(text)
        if found is None:
            raise BadInput(f"Betti number: 2, 1-3, 1- or unknown is wanted, given was {text!r:.40}")
        low, dash, high = found.groups()
        return cls(float(low), float(high) if high else math.inf if dash else float(low))

    def __str__(self) -> str:
        """What :meth:`read` reads."""
        if self.unknown:
            return UNKNOWN
        high = "" if math.isinf(self.high) else f"{self.high:g}"
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g}-{high}"

    def holds(self, values: pd.Series[float]) -> pd.Series[bool]:
        """Which of some numbers are in it; NaN is unknown."""
        return values.isna() if self.unknown else values.between(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which rows are wanted; every condition that is given has to hold.

    Parameters
    ----------
    band : {"local", "global", "critical"}, optional
    since, until : datetime or ISO text, optional
        ``since <= timestamp < until``, without a zone taken as UTC.
    betti : mapping of int to Span
        Dimension 0, 1 or 2 -> the numbers that are wanted.

    Raises
    ------
    BadInput
        No such band or dimension.
    """

    band: str | None = None
    since: Any = None
    until: Any = None
    betti: Mapping[int, Span] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.band is not None:
            check_band(self.band)
        if unknown := set(self.betti) - {0, 1, 2}:
            raise BadInput(f"betti: dimensions 0, 1 and 2 are wanted, given was {sorted(unknown)}")

    def among(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Those of some rows that are wanted; times were seen to before."""
        if self.band is not None:
            rows = rows[rows["coherence_band"] == self.band]
        for dimension, span in self.betti.items():
            rows = rows[span.holds(rows[f"betti{dimension}"])]
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The rows that were wanted, the newest first."""

    rows: pd.DataFrame  #: at most ``MOST_ROWS``, columns as in ``COLUMNS``
    n_matching: int
    n_rows: int  #: of the registry


def find(registry: TorusRegistry, wanted: Wanted, most: int = MOST_ROWS) -> Found:
    """The newest ``most`` rows that are wanted, and how many there are in all.

    Raises
    ------
    BadInput
        ``since`` or ``until`` is no time.
    DamagedFile
        A page fails its checksum.
    """
    import pandas as pd

    n_matching, kept = 0, pd.DataFrame(columns=list(COLUMNS))
    for batch in registry.scan(list(COLUMNS), since=wanted.since, until=wanted.until):
        rows = wanted.among(batch.to_pandas())
        n_matching += len(rows)
        if len(rows):
            both = pd.concat([kept, rows]) if len(kept) else rows
            kept = both.sort_values("row_id", ascending=False).head(most)
    return Found(kept.reset_index(drop=True), n_matching, len(registry))
