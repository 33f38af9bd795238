"""Emissions in the order of time: the newest of a log or a memory, and the context of an earlier time."""

from __future__ import annotations

import datetime as dt
import heapq
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from toriwork.errors import BadInput
from toriwork.synthesis.context import ContextEntry, entry
from toriwork.synthesis.identity import PREFIX, Core, Identity, parse
from toriwork.synthesis.memory import TokenMemory

if TYPE_CHECKING:
    from toriwork.synthesis.log import TokenLog

_COLUMNS = ["timestamp", "row_id", "token_id", "body", "refs", "given_timestamp"]


class Occurrence(NamedTuple):
    """One emission of a token."""

    time_us: int  #: microseconds since 1970
    row_id: str  #: of the log; the token itself where there is none
    token: str  #: its id
    body: bytes  #: what the token's id is the hash of
    refs: tuple[str, ...]  #: ids of the tokens that it rests on
    given_time: str | None  #: the measurement's own ``timestamp``

    @property
    def core(self) -> Core:
        """Type, source, subject, references and measurement."""
        return parse(self.body)

    @property
    def time(self) -> dt.datetime:
        """When it was, UTC."""
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=self.time_us)


def logged(log: TokenLog, newest: int, until_us: int | None = None) -> list[Occurrence]:
    """The newest emissions of a log, not later than a time, in the order of time; only so many are ever held."""
    return sorted(heapq.nlargest(newest, _rows(log, until_us)))


def _rows(log: TokenLog, until_us: int | None) -> Iterator[Occurrence]:
    for batch in log.batches(_COLUMNS):
        times = batch["timestamp"].cast("int64").to_numpy(zero_copy_only=False)
        kept = np.arange(len(times)) if until_us is None else np.flatnonzero(times <= until_us)
        for row, time_us in zip(batch.take(kept).to_pylist(), times[kept].tolist(), strict=True):
            refs, body = tuple(row["refs"] or ()), row["body"].encode()
            yield Occurrence(time_us, row["row_id"], row["token_id"], body, refs, row["given_timestamp"])


def remembered(memory: TokenMemory, newest: int) -> list[Occurrence]:
    """The last emission of each token in memory, the newest tokens, in the order of time."""
    found = []
    for token, held in memory.items():
        body, _, refs, given = held.identity
        found.append(Occurrence(round(held.seen * 1e6), token, token, body, refs, given))
    return sorted(found)[-newest:] if newest else []


def replayed(occurrences: Iterable[Occurrence]) -> list[ContextEntry]:
    """The tokens of some emissions, given in the order of time, as the entries of a context: loops are found anew."""
    found = list(occurrences)
    memory = TokenMemory(max(1, len(found)))
    for one in found:
        digest = bytes.fromhex(one.token.removeprefix(PREFIX))
        memory.put(one.token, Identity(one.body, digest, one.refs, one.given_time), one.time_us / 1e6)
    return [entry(token, held) for token, held in memory.items()]


def orders_of(occurrences: Iterable[Occurrence]) -> list[int]:
    """How often the observer of each emission stands among its ancestors, of those that come before it."""
    found = list(occurrences)
    memory = TokenMemory(max(1, len(found)))
    return [memory.put(one.token, Identity(one.body, b"", one.refs, None), 0.0) for one in found]


def seconds_of(time: dt.datetime | float) -> float:
    """A time as seconds since 1970; BadInput for a datetime without a time zone."""
    if not isinstance(time, dt.datetime):
        return float(time)
    if time.tzinfo is None:
        raise BadInput(f"time: expected a datetime with a time zone, got {time!r}")
    return time.timestamp()
