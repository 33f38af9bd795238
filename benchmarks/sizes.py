"""How much each benchmark does: enough for a verdict, or just enough to see that it runs."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """Numbers of rounds and rows."""

    rounds: int
    rows: int  #: a round of the fast stores
    synced_rows: int  #: a round of what waits for the disk each time
    delta_rows: int
    batch: int  #: clouds in one record_shapes
    batches: int  #: in a round
    base_rows: int  #: of the large registry; a million is the full form
    flat_rows: int  #: recorded into it
    loop_rows: int
    families: int  #: of shapes, 100 diagrams each, among which the nearest are searched

    @property
    def full(self) -> bool:
        """True when the large registry has the size that the targets speak of."""
        return self.base_rows >= 1_000_000


SIZES = {
    "smallest": Size(1, 40, 4, 2, 10, 2, 400, 200, 12, 2),
    "default": Size(7, 4000, 150, 15, 1000, 8, 100_000, 10_000, 1000, 200),
}
