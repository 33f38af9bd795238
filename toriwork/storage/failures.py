"""The errors of appending and syncing: what each says of the rows that were under way."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from toriwork.errors import Busy, DurabilityError, StoreError
from toriwork.storage.frames import row_ids, row_ids_in

if TYPE_CHECKING:
    from toriwork.storage.journal import JournalWriter


def not_recorded(folder: Path, error: OSError) -> StoreError:
    """The error for a row that does not exist."""
    if isinstance(error, StoreError):
        return error
    return StoreError(f"{folder}: the row was not recorded: {error}; everything recorded before stays")


def refused(refusal: StoreError) -> StoreError:
    """The error for a call of which nothing was recorded, since the handle takes no more rows."""
    if isinstance(refusal, DurabilityError):
        return DurabilityError(f"nothing of this call was recorded: {refusal}", refusal.rows)
    return refusal


def in_doubt(folder: Path, error: OSError, journal: str, time_ns: int, n_rows: int) -> StoreError:
    """The error for rows that may be there and may go."""
    if isinstance(error, Busy):  # of a handler that ran meanwhile
        return error
    text = f"{error}; the rows of this call may have been recorded, their ids are in .row_ids of this error"
    ids = row_ids(journal, time_ns, n_rows)
    if isinstance(error, DurabilityError):
        return DurabilityError(text, error.rows, ids)
    found = StoreError(f"{folder}: {text}")
    found.row_ids = ids
    return found


def not_now(path: Path, error: OSError) -> StoreError:
    """The error for a sync that could not be tried, for want of descriptors or memory."""
    return StoreError(
        f"{path}: the rows could not be made safe from a power cut now: {error}. Nothing is lost: they are "
        "in the journal, and in memory until the next try"
    )


def refused_twice(
    journal: JournalWriter, error: OSError, again: OSError, every: Sequence[JournalWriter]
) -> DurabilityError:
    """The error behind a failed sync whose rows could not be written to a new file either."""
    rows = tuple(piece for j in every for piece in j.kept)
    return DurabilityError(
        f"{journal.path}: the disk failed to make rows durable ({error}) and refused a new copy ({again}). "
        f"This handle takes no more rows; {sum(map(len, rows)):,} bytes of them are in .rows of this error. "
        "They may have been recorded: open again to see",
        rows,
        tuple(name for j in every for name in row_ids_in(b"".join(j.kept), j.id)),
    )
