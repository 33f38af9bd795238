"""A filter for rows of a registry, and the newest rows that match, read in one pass with bounded memory."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from toriwork.checks import check_band
from toriwork.errors import BadInput, NotFound
from toriwork.registry.reading import narrow

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
            raise BadInput(f"Betti number: expected a range that is not empty, got {self.low} to {self.high}")

    @classmethod
    def read(cls, text: str) -> Span | None:
        """The span that ``"2"``, ``"1-3"``, ``"1-"`` (and more) or ``"unknown"`` means; None for an empty text."""
        if not text.strip():
            return None
        if text.strip().lower() == UNKNOWN:
            return cls(unknown=True)
        found = _SPAN.fullmatch(text)
        if found is None:
            raise BadInput(f"Betti number: expected 2, 1-3, 1- or unknown, got {text!r:.40}")
        low, dash, high = found.groups()
        return cls(float(low), float(high) if high else math.inf if dash else float(low))

    def __str__(self) -> str:
        """The text that :meth:`read` reads."""
        if self.unknown:
            return UNKNOWN
        high = "" if math.isinf(self.high) else f"{self.high:g}"
        return f"{self.low:g}" if self.low == self.high else f"{self.low:g}-{high}"

    def holds(self, values: pd.Series[float]) -> pd.Series[bool]:
        """True for each number that is in it; NaN is unknown."""
        return values.isna() if self.unknown else values.between(self.low, self.high)


@dataclass(frozen=True, slots=True)
class Wanted:
    """A filter for rows; every condition that is given has to hold.

    Parameters
    ----------
    band : {"local", "global", "critical"}, optional
    since, until : datetime or ISO text, optional
        ``since <= timestamp < until``, without a zone taken as UTC.
    betti : mapping of int to Span
        Dimension 0, 1 or 2 -> the numbers that match.

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
            raise BadInput(f"betti: expected dimensions 0, 1 and 2, got {sorted(unknown)}")

    def among(self, rows: pd.DataFrame) -> pd.DataFrame:
        """The rows that match; times were compared before."""
        if self.band is not None:
            rows = rows[rows["coherence_band"] == self.band]
        for dimension, span in self.betti.items():
            rows = rows[span.holds(rows[f"betti{dimension}"])]
        return rows


@dataclass(frozen=True, slots=True, eq=False)
class MatchingRows:
    """The rows that match a filter, the newest first."""

    rows: pd.DataFrame  #: at most ``MOST_ROWS``, columns as in ``COLUMNS`` and ``typed``
    n_matching: int
    n_rows: int  #: of the registry
    typed: tuple[str, ...] = ()  #: columns that users declared


def find(registry: TorusRegistry, wanted: Wanted, most: int = MOST_ROWS) -> MatchingRows:
    """The newest ``most`` rows that match, and how many there are in all.

    Raises
    ------
    BadInput
        A time is none.
    NotFound
        Somebody deleted the registry; an open one reads as empty then.
    """
    import pandas as pd

    if not registry.is_there:
        raise NotFound(f"{registry.path}: there is no registry any more")
    reader = registry.scan(partial(narrow, columns=COLUMNS), since=wanted.since, until=wanted.until)
    n_matching, kept = 0, pd.DataFrame(columns=reader.schema.names)
    for batch in reader:
        rows = wanted.among(batch.to_pandas())
        n_matching += len(rows)
        if len(rows):
            both = pd.concat([kept, rows]) if len(kept) else rows
            kept = both.sort_values("row_id", ascending=False).head(most)
    typed = tuple(reader.schema.names[len(COLUMNS) :])
    return MatchingRows(kept.reset_index(drop=True), n_matching, len(registry), typed)
