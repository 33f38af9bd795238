"""Statistics of one handle: rows that are not published yet, and its last publishes."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from toriwork.storage.files import WITH_REFLINKS
from toriwork.storage.frames import FILE_HEADER_BYTES, scan, unpack_file_header
from toriwork.storage.journal import SUFFIX
from toriwork.storage.pending import SEGMENT_SUFFIX
from toriwork.storage.policy import Load, PublishPolicy, PublishTime

if TYPE_CHECKING:
    from collections.abc import Iterable

    from toriwork.storage.files import Files
    from toriwork.storage.paths import StorePaths
    from toriwork.storage.pending import PendingJournal, PendingSegment
    from toriwork.storage.snapshot import Snapshot

_NEVER = 1e8  # seconds: three years
_SKEW_NS = 1_000_000_000  # rows of one batch have times a little ahead


class Begun(NamedTuple):
    """How things stood when a publish began."""

    at: float
    pending_bytes: int
    oldest: float | None
    estimate: float  #: seconds that it was to take


class PublishStats:
    """Counts what waits, measures publishes, and asks the policy."""

    def __init__(self, files: Files, paths: StorePaths, policy: PublishPolicy) -> None:
        self._files = files
        self._paths = paths
        self._policy = policy
        self._last_end, self._last_seconds, self._failures = -1e9, 0.0, 0
        self._slowness = 1.0
        self._shares = files.system_type(paths.base.parent) in WITH_REFLINKS
        self.pending_bytes = 0  #: of rows that this handle appended or found, about
        self.oldest: float | None = None  #: monotonic seconds of the first of them
        self._taken: Begun | None = None  #: how things stood when the publish that is under way began
        self.asked = False  #: whether a flush left publishing to the background thread

    @property
    def last_seconds(self) -> float | None:
        """Duration of the last publish; None before the first."""
        return self._last_seconds or None

    def note(self, n_bytes: int) -> None:
        """Count rows that were appended or found."""
        self.pending_bytes += n_bytes
        if self.oldest is None:
            self.oldest = time.monotonic()

    def found(self, n_bytes: int, oldest_ns: int) -> None:
        """Count rows that an earlier writer left. Their age goes on from where it was; a row from the future tells
        none, since a clock was put back, and is due.
        """
        ahead = oldest_ns - time.time_ns() > _SKEW_NS
        self.pending_bytes += max(1, n_bytes)
        self.oldest = time.monotonic() - (self._policy.longest_age if ahead else seconds_since(oldest_ns))

    @property
    def age(self) -> float | None:
        """Seconds since the oldest unpublished row, None when there is none."""
        return None if self.oldest is None else time.monotonic() - self.oldest

    def load(self) -> Load:
        """The facts for a decision."""
        found = self._files.stat(self._paths.base)
        names = self._files.names(self._paths.folder) if self.pending_bytes else []
        return Load(
            base_bytes=found.size if found else 0,
            pending_bytes=self.pending_bytes,
            pending_files=sum(name.endswith((SUFFIX, SEGMENT_SUFFIX)) for name in names),
            pending_age=self.age or 0.0,
            since_last=time.monotonic() - self._last_end,
            last_seconds=self._last_seconds,
            failures=self._failures,
            slowness=self._slowness,
            shares=self._shares,
        )

    def decide(self, *, flushing: bool) -> PublishTime:
        """The decision of the policy for now."""
        return self._policy.decide(self.load(), flushing=flushing) if self.pending_bytes else PublishTime.WAIT

    def due(self) -> bool:
        """True when the background thread is to publish now: a row waited long enough, or a flush asked for it."""
        if not self.pending_bytes:
            return False
        load = self.load()
        return self._policy.allowed(load) and self._policy.wanted(load, flushing=self.asked)

    def near(self) -> bool:
        """True when a publish that has not begun will take what waits within a minute: sealing it would be in vain."""
        if self._taken is None:
            return self.pending_bytes > 0 and self._policy.near(self.load())
        left = self.pending_bytes - self._taken.pending_bytes
        since = time.monotonic() - self._taken.at
        return left > 0 and self._policy.near(replace(self.load(), pending_bytes=left, pending_age=since))

    def will_be_due(self) -> bool:
        """True when rows wait for the background thread, which publishes by age."""
        return self.pending_bytes > 0 and self._policy.max_age < _NEVER

    def due_at_close(self) -> bool:
        """True when closing publishes: it is quick, or a row has waited too long."""
        load, policy = self.load(), self._policy
        return policy.estimate(load) <= policy.close_seconds or load.pending_age >= policy.patience(load)

    @property
    def close_wait(self) -> float:
        """Seconds that closing waits for somebody else who publishes."""
        return max(0.0, self._policy.close_seconds)

    def quick(self) -> bool:
        """True when publishing takes no longer than a flush may wait."""
        return self._policy.estimate(self.load()) <= self._policy.inline_seconds

    def begin(self) -> Begun:
        """Remember how things stand, before a publish."""
        self.asked = False
        self._taken = Begun(time.monotonic(), self.pending_bytes, self.oldest, self._policy.estimate(self.load()))
        return self._taken

    def ended(self) -> None:
        """Take note that no publish is under way."""
        self._taken = None

    def published(self, begun: Begun, *, left: bool) -> None:
        """Take note of a publish; ``left``: rows of this handle could not be taken yet."""
        self._last_end = time.monotonic()
        self._last_seconds, self._failures = self._last_end - begun.at, 0
        beside = self._policy.overhead_seconds
        if begun.estimate > 2 * beside:  # a shorter one measures the overhead
            self._slowness *= min(8.0, max(0.125, (self._last_seconds - beside) / (begun.estimate - beside)))
            self._slowness = min(64.0, max(1 / 64, self._slowness))
        self.pending_bytes = max(int(left), self.pending_bytes - begun.pending_bytes)
        if self.oldest == begun.oldest:
            self.oldest = begun.at if self.pending_bytes else None

    def failed(self) -> None:
        """Take note of a publish that failed: the next try waits longer."""
        self._failures += 1
        self._last_end = time.monotonic()
        self.asked = True

    def forget(self) -> None:
        """In a child of a fork: what waits is the parent's business."""
        self.pending_bytes, self.oldest, self.asked, self._taken = 0, None, False, None


def seconds_since(time_ns: int) -> float:
    """Seconds since a row's time, never negative: clocks jump."""
    return max(0.0, (time.time_ns() - time_ns) / 1e9)


def oldest_pending(files: Files, snapshot: Snapshot, journals: Iterable[PendingJournal] | None = None) -> int | None:
    """Time of the oldest row that is not public, in nanoseconds since 1970, whoever wrote it; None: there is none.

    ``journals`` are those of the snapshot that count; all when not given.
    """
    times = [j.wanted[0].time_ns for j in (snapshot.journals if journals is None else journals) if j.wanted]
    for segment in snapshot.segments:
        for journal, (_, last) in segment.covers.items():
            after = snapshot.absorbed.get(journal, 0)
            if after < last and journal not in segment.elsewhere:
                times.append(_first_time(files, snapshot, segment, journal, after))
    return min(times, default=None)


def _first_time(files: Files, snapshot: Snapshot, segment: PendingSegment, journal: str, after: int) -> int:
    """When the first row of a sealed journal behind frame ``after`` was recorded: the journal still lies there."""
    try:
        handle = files.open(snapshot.folder / (journal + SUFFIX))
    except FileNotFoundError:  # published meanwhile
        return int(segment.source.stat.modified * 1e9)
    try:
        if after == 0:  # a journal is made for its first row
            header = unpack_file_header(handle.read_at(0, FILE_HEADER_BYTES))
            return header.created_ns if header is not None else int(segment.source.stat.modified * 1e9)
        data = handle.read_at(0, handle.stat().size)
        later = [frame.time_ns for frame in scan(data, journal).frames if frame.number > after and frame.n_rows]
        return min(later, default=int(segment.source.stat.modified * 1e9))
    finally:
        handle.close()
