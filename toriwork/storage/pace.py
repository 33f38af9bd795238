"""What one handle knows about rows that are not published yet and about its last publishes."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from toriwork.storage.journal import SUFFIX
from toriwork.storage.policy import Choice, Load, PublishPolicy
from toriwork.storage.view import SEGMENT_SUFFIX

if TYPE_CHECKING:
    from toriwork.storage.files import Files
    from toriwork.storage.head import Places


class Begun(NamedTuple):
    """How things stood when a publish began."""

    at: float
    pending_bytes: int
    oldest: float | None


class Pace:
    """Counts what waits, measures publishes, and asks the policy."""

    def __init__(self, files: Files, places: Places, policy: PublishPolicy) -> None:
        self._files = files
        self._places = places
        self._policy = policy
        self._last_end, self._last_seconds, self._failures = -1e9, 0.0, 0
        self._speed = 0.0
        self.pending_bytes = 0  #: of rows that this handle appended or found, about
        self.oldest: float | None = None  #: monotonic seconds of the first of them

    def note(self, n_bytes: int) -> None:
        """Count rows that were appended or found."""
        self.pending_bytes += n_bytes
        if self.oldest is None:
            self.oldest = time.monotonic()

    @property
    def age(self) -> float | None:
        """Seconds since the oldest unpublished row, None when there is none."""
        return None if self.oldest is None else time.monotonic() - self.oldest

    def load(self) -> Load:
        """What a decision rests on."""
        found = self._files.stat(self._places.base)
        names = self._files.names(self._places.folder) if self.pending_bytes else []
        return Load(
            base_bytes=found.size if found else 0,
            pending_bytes=self.pending_bytes,
            pending_files=sum(name.endswith((SUFFIX, SEGMENT_SUFFIX)) for name in names),
            pending_age=self.age or 0.0,
            since_last=time.monotonic() - self._last_end,
            last_seconds=self._last_seconds,
            failures=self._failures,
            speed=self._speed,
        )

    def decide(self, *, flushing: bool) -> Choice:
        """Whether to publish now."""
        return self._policy.decide(self.load(), flushing=flushing) if self.pending_bytes else Choice.WAIT

    def quick_enough_to_close(self) -> bool:
        """Whether publishing takes no longer than somebody who closes a handle wants to wait."""
        return self._policy.estimate(self.load()) <= self._policy.close_seconds

    def quick(self) -> bool:
        """Whether publishing takes no longer than a flush may wait for it."""
        return self._policy.estimate(self.load()) <= self._policy.inline_seconds

    def begin(self) -> Begun:
        """Remember how things stand, before a publish."""
        return Begun(time.monotonic(), self.pending_bytes, self.oldest)

    def published(self, begun: Begun, bytes_written: int, *, left: bool) -> None:
        """Take note of a publish; ``left``: rows of this handle could not be taken yet."""
        self._last_end = time.monotonic()
        self._last_seconds, self._failures = self._last_end - begun.at, 0
        if bytes_written > 2**20:  # smaller ones measure the overhead
            self._speed = bytes_written / self._last_seconds
        self.pending_bytes = max(int(left), self.pending_bytes - begun.pending_bytes)
        if self.oldest == begun.oldest:
            self.oldest = begun.at if self.pending_bytes else None

    def failed(self) -> None:
        """Take note of a publish that failed: the next try waits longer."""
        self._failures += 1
        self._last_end = time.monotonic()
