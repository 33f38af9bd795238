"""A registry as it was: the rows that were published at a generation or a time, under the same methods."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc

from toriwork.errors import BadInput
from toriwork.registry.reader import RegistryReader
from toriwork.registry.reading import Choice

if TYPE_CHECKING:
    from toriwork.storage import Backup


class ByScan(RegistryReader):
    """A registry that answers every question by a scan of a state whose rows have their Betti numbers."""

    def _wait_for_numbers(self) -> None:
        """Nothing: the rows have them."""

    def _newest(self, n: int, choose: Choice) -> pa.Table:
        ids = self.scan(["row_id"]).read_all()["row_id"]
        newest = ids.take(pc.sort_indices(ids)[len(ids) - min(n, len(ids)) :])
        names: list[str] = []

        def wanted(schema: pa.Schema) -> list[str]:
            names[:] = choose(schema)
            return [*names, *({"row_id"} - set(names))]

        rows = self.scan(wanted, pc.field("row_id").isin(newest.combine_chunks())).read_all()
        return rows.sort_by("row_id").select(names)

    def _find(self, shape_id: str, columns: Sequence[str]) -> dict[str, pa.Scalar] | None:
        wanted = [*columns, *({"row_id"} - set(columns))]
        rows = self.scan(wanted, pc.field("shape_id") == shape_id).read_all().sort_by("row_id")
        return {name: rows[name][rows.num_rows - 1] for name in columns} if rows.num_rows else None

    def __len__(self) -> int:
        return sum(batch.num_rows for batch in self.scan(["row_id"]))


class RegistryAt(ByScan):
    """The rows of a registry that were published at one moment; it reads as long as the registry is open."""

    def __init__(self, registry: RegistryReader, as_of: int | dt.date | str) -> None:
        self._table = registry._table  # noqa: SLF001 - the other half of the same class
        self._as_of = as_of
        self.scan(["row_id"])  # BadInput now, not at the first question

    def at(self, as_of: int | dt.date | str) -> RegistryAt:
        """The registry at another moment."""
        return RegistryAt(self, as_of)

    def backup(self, to: Any) -> Backup:
        """BadInput: a backup is of all rows that there are."""
        raise BadInput("backup: expected a registry as it is, got one as it was; `at` belongs to a restored copy")

    def __repr__(self) -> str:
        return f"{super().__repr__()}\n  as of {self._as_of}"
