"""The end of a Parquet file of the store: its key-value metadata and the digest that protects the footer itself.

Page checksums cover the data, nothing in the format covers the footer: a flipped bit there gives other data
without an error. So the key-value metadata carries a BLAKE2b of the footer, computed with the field as zeros.
"""

from __future__ import annotations

import io
import json
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from toriwork.errors import DamagedFile, StoreError, VersionTooOld
from toriwork.storage import frames, splice
from toriwork.storage.json_checks import (
    are_extents,
    are_frames,
    are_indexes,
    are_spans,
    is_count,
    is_digest,
    is_id,
    is_text,
    is_version,
    read_checked,
)
from toriwork.storage.spec import Column, are_columns
from toriwork.storage.splice import MAGIC

if TYPE_CHECKING:
    import pyarrow.dataset as pads

    from toriwork.storage.handles import FileStat, Handle

KEY_DIGEST = b"toriwork.footer_blake2b"
KEY_FACTS = b"toriwork.store"
NO_DIGEST = b"0" * 64
_FIELD = KEY_DIGEST + b"\x18\x40"  # in Thrift's compact protocol: the key, then a text of 64 bytes
_FORMAT = 2  #: of what is written here; 1 had one digest of all data
TAIL = 8  # footer length and magic
_FIRST_READ = 64 * 1024
_MAX_BYTES = 64 * 2**20  # of a footer; a thousand row groups need two
_MANY_KNOWN = 4
_HIGHEST = "\U0010ffff" * 8  #: above every row id


class Extent(NamedTuple):
    """The part of a file that one publish added: row groups, and the bytes behind them."""

    end: int  #: offset behind its last byte; it begins where the one before it ends
    n_groups: int
    n_rows: int
    footer_bytes: int  #: that the descriptions of its groups take in the footer
    digest: str  #: BLAKE2b-256 of its bytes, 64 hex digits


_CHECKS = {
    "store_id": is_id,
    "generation": is_count,
    "n_rows": is_count,
    "absorbed": are_frames,
    "covers": are_spans,
    "data_blake2b": is_digest,
    "published_us": is_count,
    "note": is_text,
    "extents": are_extents,
    "indexes": are_indexes,
    "columns": are_columns,
    "min_reader": is_version,
    "min_writer": is_version,
}


@dataclass(frozen=True, slots=True)
class Facts:
    """The statements of a base or segment about itself, in its footer."""

    store_id: str
    generation: int = 0  #: of a base; 0 for a segment
    n_rows: int = 0
    absorbed: dict[str, int] = field(default_factory=dict)  #: journal id -> last frame that the base contains
    covers: dict[str, tuple[int, int]] = field(default_factory=dict)  #: of a segment: journal id -> first, last frame
    created_ns: int = 0  #: of a segment: when the first of its journals was begun, nanoseconds since 1970
    data_blake2b: str = ""  #: of everything before the footer, in a file of format 1
    extents: tuple[Extent, ...] = ()  #: all bytes before the footer; none in a file of format 1
    indexes: tuple[tuple[int, int, int], ...] = ()  #: of the rows by a column: offset, first row, number of rows
    newest_ns: int = 0  #: highest time in the row ids of a base, nanoseconds since 1970; 0 when it is not known
    published_us: int = 0  #: time of the publish that made a base, microseconds since 1970; rises with the generation
    note: str = ""  #: what the table's retention says about the rows of a base
    columns: tuple[Column, ...] = ()  #: that users declared, in a base
    min_reader: int = _FORMAT
    min_writer: int = _FORMAT

    def to_json(self) -> str:
        """Compact JSON text with sorted keys."""
        return json.dumps({name: getattr(self, name) for name in self.__slots__}, sort_keys=True, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: bytes | str) -> Facts:
        """The facts in a footer's text, without names that a newer version added; ValueError says what is wrong."""
        raw = read_checked(text, _CHECKS, frozenset({"store_id"}))
        known = {name: raw[name] for name in cls.__slots__ if name in raw}
        known["extents"] = tuple(Extent(*extent) for extent in known.get("extents", ()))
        known["indexes"] = tuple((at, first, n_rows) for at, first, n_rows in known.get("indexes", ()))
        known["columns"] = tuple(Column(*column) for column in known.get("columns", ()))
        known["covers"] = {key: (first, last) for key, (first, last) in known.get("covers", {}).items()}
        return cls(**known)


@dataclass(frozen=True, eq=False)
class Footer:
    """A footer that passed its check."""

    metadata: pq.FileMetaData
    facts: Facts | None  #: None: not written by this store (a legacy registry, a foreign file)
    digest: str  #: hex; identifies this very file among all generations
    data_bytes: int  #: bytes before the footer
    raw: bytes  #: its bytes, without length and magic
    _highest: dict[str, list[tuple[int, str]]] = field(default_factory=dict, repr=False)

    @cached_property
    def starts(self) -> list[int]:
        """The number of the first row of each row group, and behind them the number of all rows."""
        metadata = self.metadata
        return [0, *accumulate(metadata.row_group(number).num_rows for number in range(metadata.num_row_groups))]

    @cached_property
    def fragment(self) -> pads.ParquetFileFragment:
        """The row groups and their statistics for conditions of Arrow; no rows can be read by it."""
        end = self.raw + len(self.raw).to_bytes(4, "little") + MAGIC
        return parquet_format().make_fragment(pa.PythonFile(_Tail(end, self.data_bytes + len(end)), mode="r"))

    def groups_by(self, column: str) -> list[tuple[int, str]]:
        """Row groups with the highest value of a text column, by the statistics, the highest first.

        A group without statistics comes first, with a value that nothing exceeds.
        """
        found = self._highest.get(column)
        if found is None:
            metadata = self.metadata
            at = [metadata.schema.column(number).path for number in range(metadata.num_columns)].index(column)
            found = []
            for number in range(metadata.num_row_groups):
                statistics = metadata.row_group(number).column(at).statistics
                stated = statistics is not None and statistics.has_min_max and isinstance(statistics.max, str)
                found.append((number, statistics.max if stated else _HIGHEST))
            found.sort(key=lambda pair: pair[1], reverse=True)
            self._highest[column] = found
        return found

    def extents(self) -> tuple[Extent, ...]:
        """The parts of the data in order; one in a file of format 1, none in a file of other software."""
        facts = self.facts
        if facts is None or facts.extents or not facts.data_blake2b:
            return facts.extents if facts is not None else ()
        size = splice.bytes_of_groups(self.raw)
        return (Extent(self.data_bytes, self.metadata.num_row_groups, facts.n_rows, size, facts.data_blake2b),)


#: the footers that were checked last; a large one takes 15 ms, and every snapshot of the same file asks for it
_KNOWN: dict[tuple[FileStat, bytes], Footer] = {}


def read_footer(handle: Handle, path: Path, *, again: bool = True) -> Footer:
    """The footer of a Parquet file, checked; DamagedFile or VersionTooOld where it is not usable.

    With ``again=False`` it may be one that was checked before: of the same file, unchanged since by time, size and
    last 64 KiB, which hold the whole of a small footer.
    """
    stat = handle.stat()
    tail = handle.read_at(max(0, stat.size - _FIRST_READ), min(stat.size, _FIRST_READ))
    known = None if again else _KNOWN.get((stat, tail))
    if known is None:
        known = _read(handle, path, stat.size, tail)
        if len(_KNOWN) >= _MANY_KNOWN:
            _KNOWN.clear()
        _KNOWN[stat, tail] = known
    return known


def _read(handle: Handle, path: Path, size: int, tail: bytes) -> Footer:
    if len(tail) < TAIL + len(MAGIC) or tail[-4:] != MAGIC:
        raise damaged(path, "it does not end like a Parquet file")
    length = int.from_bytes(tail[-8:-4], "little")
    if length + TAIL + len(MAGIC) > size:
        raise damaged(path, "its footer is longer than the file")
    if length > _MAX_BYTES:
        raise damaged(path, f"its footer states {length:,} bytes, at most {_MAX_BYTES:,} are read")
    if length + TAIL > len(tail):
        tail = handle.read_at(size - TAIL - length, TAIL + length)
    footer = tail[-TAIL - length :]
    digest = _check_digest(footer, path)
    try:
        metadata = _parsed(footer, size)
    except StoreError:  # of a handler that ran meanwhile
        raise
    except (OSError, ValueError, pa.ArrowException) as error:
        raise damaged(path, f"its footer cannot be read: {error}") from error
    if digest is None:
        return Footer(metadata, None, footer_digest(footer), size - TAIL - length, footer[:-TAIL])
    try:
        facts = Facts.from_json(metadata.metadata[KEY_FACTS])
        _check_places(facts, size - TAIL - length)
        metadata.schema.to_arrow_schema()
    except StoreError:
        raise
    except (ValueError, KeyError, OSError, pa.ArrowException) as error:
        raise damaged(path, f"its footer passes its checksum and is not usable: {error}") from error
    if facts.min_reader > frames.FORMAT:
        raise VersionTooOld(f"{path}: needs toriwork format {facts.min_reader}, this one reads {frames.FORMAT}")
    if facts.n_rows != metadata.num_rows:
        raise damaged(path, f"it states {facts.n_rows} rows and holds {metadata.num_rows}")
    return Footer(metadata, facts, digest, size - TAIL - length, footer[:-TAIL])


def _check_places(facts: Facts, data_bytes: int) -> None:
    """ValueError where extents or indexes lie outside of the data, or are not in order."""
    ends = [extent.end for extent in facts.extents]
    if ends and (ends != sorted(ends) or ends[-1] != data_bytes):
        raise ValueError(f"extents: expected ends that rise to {data_bytes}, got {ends[-1]}")
    for offset, first, n_rows in facts.indexes:
        if offset > data_bytes or first + n_rows > facts.n_rows:
            raise ValueError(
                f"indexes: expected places in {data_bytes} bytes and {facts.n_rows} rows, got {offset}, {first}"
            )


def _parsed(footer: bytes, size: int) -> pq.FileMetaData:
    """A footer as Arrow reads it."""
    with pa.PythonFile(_Tail(footer, size), mode="r") as file:
        return pq.read_metadata(file)


class _Tail:
    """A file of which only the end is known: Arrow keeps its size and reads nothing but its footer."""

    closed = False

    def __init__(self, footer: bytes, size: int) -> None:
        self._footer = footer
        self._size = size
        self._at = 0

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """The new position."""
        self._at = offset + {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        return self._at

    def tell(self) -> int:
        """The position."""
        return self._at

    def read(self, length: int = -1) -> bytes:
        """Bytes from the position on; zeros stand for what lies before the footer."""
        end = self._size if length < 0 else min(self._size, self._at + length)
        start = self._size - len(self._footer)
        zeros = bytes(max(0, min(end, start) - self._at))
        part = self._footer[max(0, self._at - start) : max(0, end - start)]
        self._at = end
        return zeros + part

    def close(self) -> None:
        """Do nothing: there is no file."""


def _check_digest(footer: bytes, path: Path) -> str | None:
    """The digest that a footer states of itself, or None when it states none; looked at before anything is parsed."""
    at = _digest_at(footer)
    if at is None:
        if any(name in footer for name in (KEY_DIGEST[:14], KEY_DIGEST[8:], KEY_FACTS)):
            raise damaged(path, "its footer is damaged")
        return None
    stated = footer[at : at + len(NO_DIGEST)]
    if footer_digest(footer[:at] + NO_DIGEST + footer[at + len(NO_DIGEST) :]).encode() != stated:
        raise damaged(path, "its footer fails its checksum")
    return stated.decode()


def _digest_at(footer: bytes) -> int | None:
    """Where the digest stands. The last place that looks like it: in front of it lie statistics of the user's texts."""
    at = footer.rfind(_FIELD)
    return at + len(_FIELD) if 0 <= at <= len(footer) - len(_FIELD) - len(NO_DIGEST) else None


def parquet_format() -> pads.ParquetFileFormat:
    """The dataset format with which the store reads: page checksums verified, no read-ahead of whole files."""
    import pyarrow.dataset as pads  # only where it is needed: it imports pandas

    return pads.ParquetFileFormat(
        default_fragment_scan_options=pads.ParquetFragmentScanOptions(page_checksum_verification=True)
    )


def sealed_footer(raw: bytes) -> tuple[bytes, str]:
    """A footer as Arrow wrote it, with the digest patched into its field; and the digest."""
    at = _digest_at(raw)
    if at is None or raw[at : at + len(NO_DIGEST)] != NO_DIGEST:
        raise DamagedFile("the footer to be sealed has no field for its digest")
    digest = footer_digest(raw)
    return raw[:at] + digest.encode() + raw[at + len(NO_DIGEST) :], digest


def footer_digest(footer: bytes) -> str:
    """64 hex digits: BLAKE2b-256 over the footer, its length and the closing magic."""
    return blake2b(footer, digest_size=32, person=b"toriwork.footer").hexdigest()


def damaged(path: Path, why: str) -> DamagedFile:
    """The error for a file that fails its checks, with the remedy."""
    return DamagedFile(
        f"{path}: damaged: {why.strip().rstrip('.')}. Nothing was changed. Restore this file from a backup, or open "
        "with repair=True, which sets it aside in quarantine/ and goes on with what is left"
    )


def unreadable(path: Path, error: Exception) -> StoreError:
    """The error for data that could not be read: damage, unless the system refused, which says nothing of the file."""
    refused = error.errno if isinstance(error, OSError) else None
    if refused is not None or isinstance(error, MemoryError):
        return StoreError(f"{path}: its data could not be read now: {error}; try again. Nothing was changed")
    return damaged(path, f"its data cannot be read: {error}")
