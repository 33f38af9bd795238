"""The error tree: one root, a stable ``kind`` per leaf, and the built-in that people already catch.

A message says what was expected, what came and where (row, file, key). Nothing else lives here.
"""

from __future__ import annotations

from typing import ClassVar


class ToriworkError(Exception):
    """Root of every error that toriwork raises on purpose; ``kind`` is stable across releases.

    Examples
    --------
    >>> from toriwork import ToriworkError, persistence
    >>> try:
    ...     persistence([[0.0, float("nan")]])
    ... except ToriworkError as error:
    ...     error.kind
    'bad_input'
    """

    kind: ClassVar[str] = "error"

    def __str__(self) -> str:
        # a leaf that is also a KeyError would otherwise print its message in quotes
        return " ".join(str(part) for part in self.args)


class BadInput(ToriworkError, ValueError):
    """A value that the caller gave is not usable: wrong shape, dtype, range, band, NaN or infinity."""

    kind = "bad_input"


class NotFound(ToriworkError, KeyError):
    """No row, shape or sample has the given name."""

    kind = "not_found"


class MissingExtra(ToriworkError, ImportError):
    """An optional library is needed for what was asked; the message names the extra to install."""

    kind = "missing_extra"


class EngineError(ToriworkError, RuntimeError):
    """A persistence engine failed on input that had passed the checks."""

    kind = "engine"


class TooLarge(ToriworkError, MemoryError):
    """The work would not fit into the stated budget; the message carries the predicted size."""

    kind = "too_large"

    def __new__(cls, *args: object) -> TooLarge:
        """Make one, also where unpickling calls this by name, as Dask does: that of MemoryError refuses it."""
        return Exception.__new__(cls, *args)


class StoreError(ToriworkError, OSError):
    """Root of everything that concerns a file of the store."""

    kind = "store"

    #: ids of rows that may have been recorded although the call failed; (): nothing of it was
    row_ids: tuple[str, ...] = ()

    # OSError.__str__ would render (errno, text) pairs; the root's rendering is what we want
    __str__ = ToriworkError.__str__


class DamagedFile(StoreError):
    """A file of the store fails its checks; it was left as it is."""

    kind = "damaged_file"


class StoreMismatch(StoreError):
    """The public file is not the one that this store published last (deleted, replaced or restored)."""

    kind = "store_mismatch"


class VersionTooOld(StoreError):
    """The store was written by a newer toriwork that this one may not read or write beside."""

    kind = "version"


class DurabilityError(StoreError):
    """The disk refused to make rows durable; the handle takes no more rows, those at risk are in ``rows``.

    They may have been recorded all the same: ``row_ids`` has their ids, by which a retry tells.
    """

    kind = "durability"

    def __init__(self, message: str, rows: tuple[bytes, ...] = (), row_ids: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.rows = rows
        self.row_ids = row_ids


class PublishError(StoreError):
    """The public file could not be replaced; rows stay safe in the journals and segments."""

    kind = "publish"


class LockUnavailable(StoreError):
    """The file system gives no lock that can be trusted, or somebody else holds it."""

    kind = "lock"


class NotPermitted(StoreError, PermissionError):
    """The operating system does not let this user read or write a file of the store; nothing was changed."""

    kind = "permission"


class OddFile(StoreError):
    """A name of the store stands for something that is no regular file: a FIFO, a folder, a device, a link."""

    kind = "odd_file"


class Busy(StoreError):
    """The calling thread is inside the same object already: a signal handler, a ``__del__``, a logging handler."""

    kind = "busy"


class ReadOnly(StoreError):
    """The handle was opened with ``read_only=True``."""

    kind = "read_only"


class MigrationError(ToriworkError, RuntimeError):
    """Root of everything that concerns leaving a database behind."""

    kind = "migration"


class SourceInUse(MigrationError):
    """A process has the database open, or something wrote to it meanwhile; nothing was changed."""

    kind = "in_use"


class Unsure(MigrationError):
    """A file cannot be read or rewritten without guessing; the message says why."""

    kind = "unsure"


class NotProven(MigrationError):
    """A copy is not proven to be equal to its source; nothing was removed."""

    kind = "not_proven"


class Drift(MigrationError):
    """A file is not what it was when the plan was made; the message names it and shows the difference."""

    kind = "drift"


class Closed(StoreError, ValueError):
    """The handle was closed."""

    kind = "closed"
