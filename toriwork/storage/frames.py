"""The bytes of a journal: its header, its frames, and the scan that says which frames are good.

A frame is one record call. Its header has a checksum of its own, so that a good header behind a bad frame can be
told from noise, and what it says of syncs tells damage from a torn write. No file is opened here.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import IntEnum
from itertools import count
from typing import NamedTuple
from zlib import crc32

JOURNAL_MAGIC = b"TORIJRN1"
FRAME_MAGIC = b"TwF1"
MIN_READER = 1  #: format version that a reader needs at least
MIN_WRITER = 1  #: format version that whoever publishes or adopts needs at least
FORMAT = 2  #: what this library reads; journals are of format 1

# magic, min_reader, min_writer, store id, journal id, created (ns since 1970), process id
_FILE_HEADER = struct.Struct("<8sHH16s16sQI")
# magic, journal id, frame number, synced-up-to offset, time (ns since 1970), payload bytes, rows, kind, payload crc
_FRAME_HEADER = struct.Struct("<4s16sQQQIIB3xI")
_CRC = struct.Struct("<I")
_WHOLE_HEADER = struct.Struct(_FRAME_HEADER.format + "I")  # and its own crc
_TARGET = struct.Struct("<16sQI")
_pack_frame, _pack_crc = _FRAME_HEADER.pack, _CRC.pack

FILE_HEADER_BYTES = _FILE_HEADER.size + _CRC.size
TARGET_BYTES = _TARGET.size  #: of an address in front of what completes it
FRAME_HEADER_BYTES = _FRAME_HEADER.size + _CRC.size
#: one write() takes less than 2 GiB, and a batch of one-byte numbers of this size still fits Arrow's 32-bit offsets
MAX_PAYLOAD = 2**30


class Kind(IntEnum):
    """The content of a frame."""

    ROWS = 1  #: rows, complete
    OPEN = 2  #: rows, some of which still lack values that are computed later
    DONE = 3  #: the values that one row of an OPEN frame lacked
    SYNC = 4  #: nothing: everything below its synced-up-to offset had reached the disk
    ATTEMPT = 5  #: somebody is about to compute what a row of another writer lacks


class Address(NamedTuple):
    """Where a row is: journal id (32 hex digits), frame number, position in the frame."""

    journal: str
    frame: int
    position: int


class Frame(NamedTuple):
    """One good frame of a journal; ``offset`` is that of its payload in the file."""

    number: int
    kind: int
    n_rows: int
    time_ns: int
    offset: int
    length: int


class JournalHeader(NamedTuple):
    """The first bytes of a journal."""

    min_reader: int
    min_writer: int
    store_id: str
    journal_id: str
    created_ns: int
    process_id: int


@dataclass(frozen=True, slots=True)
class Scan:
    """The good frames of a journal in order, and the state of its end."""

    frames: tuple[Frame, ...]
    good_bytes: int  #: everything below this offset is a valid prefix
    total_bytes: int
    synced: int  #: highest synced-up-to offset that any good header states
    damaged: bool  #: a bad frame below ``synced``: not a torn write
    salvaged: tuple[Frame, ...] = ()  #: good frames behind the bad one

    @property
    def torn(self) -> bool:
        """True when bytes follow the good prefix."""
        return self.good_bytes < self.total_bytes


def pack_file_header(store_id: str, journal_id: str, created_ns: int, process_id: int) -> bytes:
    """The header of a new journal; ids are 32 hex digits."""
    body = _FILE_HEADER.pack(
        JOURNAL_MAGIC,
        MIN_READER,
        MIN_WRITER,
        bytes.fromhex(store_id),
        bytes.fromhex(journal_id),
        created_ns,
        process_id,
    )
    return body + _CRC.pack(crc32(body))


def unpack_file_header(data: bytes) -> JournalHeader | None:
    """The header that the first bytes of a journal state, or None when they fail their checks."""
    body = data[: _FILE_HEADER.size]
    if len(data) < FILE_HEADER_BYTES or _CRC.unpack_from(data, len(body))[0] != crc32(body):
        return None
    magic, min_reader, min_writer, store, journal, created, process = _FILE_HEADER.unpack(body)
    if magic != JOURNAL_MAGIC:
        return None
    return JournalHeader(min_reader, min_writer, store.hex(), journal.hex(), created, process)


def pack_header(
    journal: bytes, number: int, synced: int, time_ns: int, n_rows: int, kind: int, payload: bytes
) -> bytes:
    """The header of a frame, which goes in front of its payload; ``journal`` is the id as 16 bytes."""
    header = _pack_frame(FRAME_MAGIC, journal, number, synced, time_ns, len(payload), n_rows, kind, crc32(payload))
    return header + _pack_crc(crc32(header))


def pack_target(address: Address) -> bytes:
    """An address as the first bytes of a DONE or ATTEMPT payload."""
    return _TARGET.pack(bytes.fromhex(address.journal), address.frame, address.position)


def row_ids(journal_id: str, time_ns: int, n_rows: int) -> tuple[str, ...]:
    """The ids of the rows of one frame: the time of each, and half of the journal's id."""
    return tuple(f"{time_ns + k:016x}{journal_id[:16]}" for k in range(n_rows))


def row_ids_in(data: bytes, journal_id: str) -> tuple[str, ...]:
    """The ids of the rows in a piece of a journal that begins with its header or with a frame."""
    start = FILE_HEADER_BYTES if data.startswith(JOURNAL_MAGIC) else 0
    if len(data) < start + FRAME_HEADER_BYTES:
        return ()
    first = _WHOLE_HEADER.unpack_from(data, start)[2]
    found = scan(data, journal_id, start=start, first=first).frames
    return tuple(
        name for f in found if f.kind in (Kind.ROWS, Kind.OPEN) for name in row_ids(journal_id, f.time_ns, f.n_rows)
    )


def unpack_target(payload: bytes) -> tuple[Address, bytes]:
    """The address at the start of a DONE or ATTEMPT payload, and the bytes behind it."""
    journal, frame, position = _TARGET.unpack_from(payload)
    return Address(journal.hex(), frame, position), payload[_TARGET.size :]


def scan(data: bytes, journal_id: str, *, start: int = FILE_HEADER_BYTES, first: int = 1) -> Scan:
    """The frames in a journal's bytes, from ``start`` (0-based offset) and frame number ``first`` on.

    A bad frame ends the prefix. When any good header, earlier or later, states that the bad place had been synced, the
    journal counts as damaged; else the bytes behind the prefix are a torn write (after a power cut later pages may
    have reached the disk before earlier ones). Zeros up to the end are nobody's bytes, a journal may be filled with
    them ahead of its frames; but not where the header of the file itself is missing (``start`` 0).
    """
    journal = bytes.fromhex(journal_id)
    view = memoryview(data)
    frames: list[Frame] = []
    offset, synced, end = start, 0, len(data)
    # written out, not by calls: opening a registry comes through here once for each row that is not published
    for number in count(first):
        body = offset + FRAME_HEADER_BYTES
        if body > end:
            break
        magic, owner, stated, upto, time_ns, length, n_rows, kind, payload_crc, crc = _WHOLE_HEADER.unpack_from(
            data, offset
        )
        if magic != FRAME_MAGIC or owner != journal or stated != number or body + length > end:
            break
        if crc32(view[offset : body - _CRC.size]) != crc or crc32(view[body : body + length]) != payload_crc:
            break
        synced = max(synced, upto)
        frames.append(Frame(number, kind, n_rows, time_ns, body, length))
        offset = body + length
    if offset == len(data) or (start and data.count(0, offset) == len(data) - offset):
        return Scan(tuple(frames), offset, offset, synced, damaged=synced > offset)
    salvaged, later_synced = _later_frames(data, view, offset, journal)
    synced = max(synced, later_synced)
    return Scan(tuple(frames), offset, len(data), synced, damaged=synced > offset, salvaged=salvaged)


def _frame_at(view: memoryview, offset: int, journal: bytes) -> tuple[Frame, int] | None:
    header_end = offset + _FRAME_HEADER.size
    if header_end + _CRC.size > len(view):
        return None
    header = view[offset:header_end]
    if _CRC.unpack_from(view, header_end)[0] != crc32(header):
        return None
    magic, owner, number, synced, time_ns, length, n_rows, kind, payload_crc = _FRAME_HEADER.unpack(header)
    start = header_end + _CRC.size
    payload = view[start : start + length]
    if magic != FRAME_MAGIC or owner != journal or len(payload) != length or crc32(payload) != payload_crc:
        return None
    return Frame(number, kind, n_rows, time_ns, start, length), synced


def _later_frames(data: bytes, view: memoryview, offset: int, journal: bytes) -> tuple[tuple[Frame, ...], int]:
    """Good frames behind a bad place, and the highest synced-up-to offset among their headers."""
    found: list[Frame] = []
    synced = 0
    needle = FRAME_MAGIC + journal
    at = data.find(needle, offset)
    while at >= 0:
        good = _frame_at(view, at, journal)
        if good is None:
            synced = max(synced, _header_synced(view, at))
            at = data.find(needle, at + 1)
            continue
        frame, stated = good
        found.append(frame)
        synced = max(synced, stated)
        at = data.find(needle, frame.offset + frame.length)
    return tuple(found), synced


def _header_synced(view: memoryview, at: int) -> int:
    """The synced-up-to offset of a header whose payload is bad or missing; 0 for a bad header."""
    end = at + _FRAME_HEADER.size
    if end + _CRC.size > len(view) or _CRC.unpack_from(view, end)[0] != crc32(view[at:end]):
        return 0
    return int(_FRAME_HEADER.unpack(view[at:end])[3])
