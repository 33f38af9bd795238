"""The token log: every emission as one row of ``observer_tokens.parquet``, safe once ``append`` returned.

One emission is one frame: a few fixed bytes and the body that was hashed. Columns are made of it when somebody
publishes or reads, so that an emission costs one ``write()`` and nothing else.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from toriwork.errors import Busy, ToriworkError
from toriwork.lifetime import at_fork
from toriwork.storage import ParquetTable, Payload, TableSpec, arrays, unify
from toriwork.storage.lookup import matches
from toriwork.synthesis.canonical import read
from toriwork.synthesis.chain import HEAD, LAYOUT, LINK_BYTES, Chain, Emission
from toriwork.synthesis.checkpoints import SUFFIX, add_checkpoint, checkpoint_of, read_checkpoints
from toriwork.synthesis.identity import PREFIX, digest_of, named
from toriwork.synthesis.report import LogReport
from toriwork.synthesis.retention import KEEP_ROWS, LogRetention, Note
from toriwork.synthesis.verify import LogCheck, read_note

if TYPE_CHECKING:
    from toriwork.storage.frames import Address

_LOG = logging.getLogger("toriwork.synthesis")
_forks = 0  #: that lie between this process and the one that loaded the module

SCHEMA = pa.schema(
    [
        ("token_id", pa.string()),
        ("timestamp", pa.timestamp("us", tz="UTC")),  # of the emission
        ("type", pa.string()),
        ("source", pa.string()),
        ("subject", pa.string()),
        ("refs", pa.list_(pa.string())),
        ("body", pa.string()),  # the bytes that the id is the hash of
        ("given_timestamp", pa.string()),  # what the caller said
        ("sequence", pa.int64()),  # of the writer: from 0, without gaps
        ("row_id", pa.string()),
        ("writer", pa.string()),  # one open log in one process
        ("link", pa.string()),  # hash over this emission and the link of the writer's emission before
        ("generation", pa.int64()),  # of the publish that brought the row; null until then
    ]
)

#: of the columns that frames hold, in the order of the schema: all but the last
_MAKERS: tuple[Callable[[Any], pa.Array], ...] = (
    arrays.texts,
    arrays.times,
    *[arrays.texts] * 3,
    arrays.text_lists,
    arrays.encoded,
    arrays.texts,
    partial(arrays.integers, of=pa.int64()),
    *[arrays.texts] * 3,
)


def unpack(payload: Payload) -> Iterator[tuple[Emission, bytes, bytes]]:
    """Emission, link and body of each row of a frame."""
    data, at = payload.data, 0
    for _ in range(payload.n_rows):
        layout, digest, writer, sequence, time_us, n_time, n_body = HEAD.unpack_from(data, at)
        if layout != LAYOUT:
            raise ValueError(f"token layout {layout} is not known")
        link_at = at + HEAD.size
        time_at = link_at + LINK_BYTES
        body_at = time_at + max(0, n_time)
        at = body_at + n_body
        given_time = None if n_time < 0 else bytes(data[time_at:body_at])
        emission = Emission(digest, writer, sequence, time_us, given_time, n_body)
        yield emission, bytes(data[link_at:time_at]), bytes(data[body_at:at])
    if at != len(data):
        raise ValueError(f"expected {payload.n_rows} emissions in {at} bytes, got {len(data)} bytes")


_Parts = tuple[str | None, str | None, str | None, list[str]]
_REFS = b',"refs":['
_MANY_FRAMES = 4096
_GROUP_BYTES = 4 * 2**20  # rows are looked at as Python objects when they are published, verified and searched
_BEHIND = {"refs", "source", "subject", "type", "v"}


def _parts(core: Mapping[str, Any]) -> _Parts:
    return named(core["type"]), named(core["source"]), named(core["subject"]), core["refs"]


def _parts_behind_refs(end: bytes) -> _Parts | None:
    """The parts of a body from its last key "refs" on; None when that key is not its own but one of its source, say."""
    try:
        core = read(b"{" + end[1:])
    except ValueError:
        return None
    return _parts(core) if core.keys() == _BEHIND else None


class TokenCodec:
    """Frames of emissions to columns."""

    def decode(self, payloads: Sequence[Payload], done: Mapping[Address, bytes]) -> pa.RecordBatch:
        """The emissions of some frames, in order."""
        known: dict[bytes, _Parts] = {}
        starts = range(0, max(1, len(payloads)), _MANY_FRAMES)  # as Python objects a row takes many times its bytes
        batches = [self._some(payloads[start : start + _MANY_FRAMES], known) for start in starts]
        return batches[0] if len(batches) == 1 else pa.Table.from_batches(batches).combine_chunks().to_batches()[0]

    def _some(self, payloads: Sequence[Payload], known: dict[bytes, _Parts]) -> pa.RecordBatch:
        rows = []
        for payload in payloads:
            half = payload.journal[:16]
            for position, ((digest, writer, sequence, time_us, given, _), link, body) in enumerate(unpack(payload)):
                end = body[body.rfind(_REFS) :]  # the same for most rows of one observer
                found = known.get(end)
                if found is None:
                    found = _parts_behind_refs(end)
                    if found is None:
                        found = _parts(read(body))
                    else:
                        known[end] = found
                time = None if given is None else given.decode()
                row_id = f"{payload.time_ns + position:016x}{half}"
                token = PREFIX + digest.hex()
                rows.append((token, time_us, *found, body, time, sequence, row_id, writer.hex(), link.hex()))
        columns = zip(*rows, strict=True) if rows else [()] * len(_MAKERS)
        made = [make(column) for make, column in zip(_MAKERS, columns, strict=True)]
        return pa.RecordBatch.from_arrays([*made, pa.nulls(len(rows), pa.int64())], schema=SCHEMA)

    def open_positions(self, payload: Payload) -> Sequence[int]:
        """No row waits for anything."""
        return ()

    def needle(self, value: str) -> bytes | None:
        """The digest that a token is made of."""
        try:
            return bytes.fromhex(value.removeprefix(PREFIX)) or None
        except ValueError:
            return None

    def upgrade(self, table: pa.Table) -> pa.Table:
        """A log of an older version, columns that it lacks as nulls."""
        return unify(table, SCHEMA)


def token_spec(retention: LogRetention) -> TableSpec:
    """The token log as a table of the store."""
    return TableSpec(
        SCHEMA,
        TokenCodec(),
        row_id="row_id",
        time="timestamp",
        dictionary=("type", "source", "writer"),
        retention=retention,
        index="token_id",
        group_bytes=_GROUP_BYTES,
    )


class TokenLog:
    """The log in one file; any number of handles and processes may emit into it at once.

    Emissions of one handle form a chain: whoever appends holds a lock meanwhile, see :meth:`append`.

    Parameters
    ----------
    path
        The public file.
    keep_rows, keep_days, now
        As of :class:`toriwork.synthesis.ObserverSynthesis`.
    read_only : bool
        Create and lock nothing.

    Raises
    ------
    DamagedFile, StoreMismatch, VersionTooOld, LockUnavailable
        The files cannot be used as they are; nothing was changed, the message has the remedy.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep_rows: int | None = None,
        keep_days: float | None = None,
        read_only: bool = False,
        now: Callable[[], float] = time.time,
    ) -> None:
        base = Path(os.path.realpath(path))
        self._checkpoints = base.with_suffix(SUFFIX)
        keep_rows = KEEP_ROWS if keep_rows is None else keep_rows
        anchor = partial(_anchor, self._checkpoints)
        retention = LogRetention(keep_rows, keep_days, anchor, now_us=lambda: int(now() * 1e6))
        self._table = ParquetTable(base, token_spec(retention), read_only=read_only)
        self._append = self._table.append
        self._chain: Chain | None = None
        self._read_only = read_only

    @property
    def path(self) -> Path:
        """The public file."""
        return self._table.path

    @property
    def closed(self) -> bool:
        """True once the log was closed."""
        return self._table.closed

    def append(self, digest: bytes, now: float, given_time: str | None, body: bytes) -> None:
        """Return when the emission, at ``now`` (seconds since 1970), survives the death of the process.

        Not locked: its owner is. A call that does not return leaves its chain behind: the next one begins another,
        whatever reached the file.
        """
        chain = self._chain
        self._chain = None
        if chain is None or chain.forks != _forks:  # the parent of a fork goes on with the chain that we inherited
            chain = Chain(_forks)
        given = None if given_time is None else given_time.encode("utf-8", "backslashreplace")
        payload, link = chain.pack(digest, int(now * 1e6), given, body)
        self._append(payload)
        chain.link = link
        chain.sequence += 1
        self._chain = chain

    def rows(self) -> pa.Table:
        """Every emission in the order of the clock, unpublished ones included."""
        batches = list(self.batches(None))
        return pa.Table.from_batches(batches, schema=SCHEMA).sort_by("row_id")

    def body_of(self, token: str) -> bytes | None:
        """The body that stands in the log under a token, or None; one that does not hash to it is preferred."""
        found: bytes | None = None
        with self._table.snapshot() as snapshot:
            for batch in matches(snapshot, token, ["body"]):
                for text in set(batch["body"].to_pylist()):
                    found = bytes(text, "utf-8")
                    if PREFIX + digest_of(found).hex() != token:
                        return found
        return found

    def batches(self, columns: list[str] | None = None) -> Iterator[pa.RecordBatch]:
        """Every emission in batches, unpublished ones last; within a batch in the order of the clock."""
        with self._table.snapshot() as snapshot:
            yield from snapshot.base_batches(columns)
            for batch in snapshot.pending_batches():
                yield batch if columns is None else batch.select(columns)

    def verify(self) -> LogReport:
        """The report on every row, chain and generation; see :class:`toriwork.synthesis.verify.LogCheck`."""
        files = self._table.verify()
        with self._table.snapshot() as snapshot:
            check = LogCheck(snapshot.note, read_checkpoints(self._checkpoints))
            for batch in snapshot.base_batches():
                check.published(batch)
            for batch in snapshot.pending_batches():
                check.pending(batch)
        return check.finish(files.findings)

    def note(self) -> Note:
        """The account of the public file of all rows that were ever published."""
        with self._table.snapshot() as snapshot:
            return Note.from_json(snapshot.note)

    def fence_key(self) -> bytes:
        """32 bytes made of the log's random id: the same in every process, known to those who can read its files.

        Empty where there is no id yet.
        """
        with self._table.snapshot() as snapshot:
            if snapshot.head is None:
                return b""
            store_id = snapshot.head.store_id
        return blake2b(store_id.encode(), digest_size=32, person=b"toriwork.fences").digest()

    def flush(self, publish: bool | None = None) -> None:
        """Return when every emission before survives a power cut; ``publish=True``: when the public file has it."""
        self._table.flush(publish)
        if publish:
            self._anchor_last()

    def close(self) -> None:
        """Flush and give up the files; more calls do nothing."""
        closed = self._table.closed
        self._table.close()  # again: what an interrupt left open
        if not closed and not self._read_only:
            self._anchor_last()

    def _anchor_last(self) -> None:
        """Write the checkpoint of the newest generation."""
        if not self.path.exists():  # another process is still publishing it for the first time
            return
        try:
            _anchor(self._checkpoints, read_note(self.path))
        except Busy:  # of a handler that ran meanwhile: whoever called is to see it
            raise
        except (ToriworkError, OSError) as error:  # the next publish writes it
            _LOG.warning("%s: no checkpoint was written: %s", self._checkpoints, error)


def _anchor(checkpoints: Path, note: str) -> None:
    """Write the checkpoint of a note, as far as the disk lets us: a missing one keeps nobody from publishing."""
    try:
        new = checkpoint_of(Note.from_json(note))
        if new is not None:
            add_checkpoint(checkpoints, new)
    except Busy:
        raise
    except OSError as error:
        _LOG.warning("%s: no checkpoint was written: %s", checkpoints, error)


def _after_fork() -> None:
    global _forks  # noqa: PLW0603 - asked at every emission: an attribute of a module costs less than a system call
    _forks += 1


at_fork(after_in_child=_after_fork)
