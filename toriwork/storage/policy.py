"""When to publish: a pure decision. Rewriting a large file for every few rows would write everything many times."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MIB = 2**20


class PublishTime(Enum):
    """The answers to: publish now?"""

    INLINE = "inline"
    BACKGROUND = "background"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Load:
    """The facts for a decision. Bytes of the public file and of rows that are not in it; times in seconds."""

    base_bytes: int
    pending_bytes: int
    pending_files: int
    pending_age: float  #: of the oldest unpublished row
    since_last: float  #: since the last publish of this handle ended; inf before the first
    last_seconds: float  #: how long it took
    failures: int  #: publishes that failed in a row
    slowness: float = 1.0  #: how many times as long as estimated the last publish took
    shares: bool = False  #: whether the file system shares the bytes of a copy


@dataclass(frozen=True, slots=True)
class PublishPolicy:
    """Limits of publishing. The defaults keep it under a tenth of the time and the writing under 4 x of the rows.

    A publish copies the public file and writes what is new, so what it costs is mostly a copy.
    """

    inline_seconds: float = 0.1
    close_seconds: float = 2.0
    small_base: int = 8 * MIB  #: below this a flush publishes whenever the pace allows
    growth: float = 2.5  #: a larger base is copied when pending rows have this share of it
    max_age: float = 50.0  #: seconds that a row may wait, so that it is public within a minute
    copied_bytes: int = 256 * MIB  #: a base that is larger is copied less often, where copies take room on the disk
    longest_age: float = 800.0  #: but at the latest after so many seconds (the contract says 900)
    max_files: int = 64
    min_interval: float = 1.0
    max_share: float = 0.1  #: of wall time
    max_backoff: float = 600.0
    written_per_second: float = 40 * MIB  #: new rows, decoded and written
    copied_per_second: float = 300 * MIB  #: bytes that stay, with fsync
    overhead_seconds: float = 0.02

    def estimate(self, load: Load) -> float:
        """Seconds that a publish would take."""
        copying = 0.0 if load.shares else load.base_bytes / self.copied_per_second
        return self.overhead_seconds + load.slowness * (copying + load.pending_bytes / self.written_per_second)

    def patience(self, load: Load) -> float:
        """Seconds that a row may wait here."""
        if load.base_bytes <= self.small_base:  # fresh within seconds
            return min(self.max_age, max(2.0, 100 * self.estimate(load)))
        if load.shares or load.base_bytes <= self.copied_bytes:
            return self.max_age
        # a copy of gigabytes every minute would write more in a day than a disk is made for
        return max(self.max_age, min(self.longest_age, self.max_age * load.base_bytes / self.copied_bytes))

    def rest(self, load: Load) -> float:
        """Seconds until the last publish, or the last failure, is long enough ago."""
        if load.failures:
            return max(0.0, min(self.max_backoff, self.min_interval * 2.0**load.failures) - load.since_last)
        return max(
            0.0, self.min_interval - load.since_last, load.last_seconds * (1 / self.max_share - 1) - load.since_last
        )

    def allowed(self, load: Load) -> bool:
        """True when the last publish, or the last failure, is long enough ago."""
        return self.rest(load) <= 0

    def near(self, load: Load) -> bool:
        """True when a publish takes what waits within a minute: to seal it before would write it once more."""
        return not load.failures and self.wanted(load, flushing=False) and self.rest(load) <= self.max_age

    def wanted(self, load: Load, *, flushing: bool) -> bool:
        """True when enough has gathered, or has waited long enough."""
        if not load.pending_bytes:
            return False
        return (
            (flushing and load.base_bytes <= self.small_base)
            or load.pending_bytes >= self.growth * max(load.base_bytes, self.small_base)
            or load.pending_age >= self.patience(load)
            or load.pending_files > self.max_files
        )

    def decide(self, load: Load, *, flushing: bool) -> PublishTime:
        """The decision for now."""
        if not self.wanted(load, flushing=flushing):
            return PublishTime.WAIT
        if not self.allowed(load):
            return PublishTime.BACKGROUND if flushing else PublishTime.WAIT
        if flushing and self.estimate(load) <= self.inline_seconds:
            return PublishTime.INLINE
        return PublishTime.BACKGROUND
