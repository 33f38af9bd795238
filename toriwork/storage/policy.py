"""When to publish: a pure decision. Rewriting a large file for every few rows would write everything many times."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

MIB = 2**20


class Choice(Enum):
    """What to do about unpublished rows now."""

    INLINE = "inline"
    BACKGROUND = "background"
    WAIT = "wait"


@dataclass(frozen=True, slots=True)
class Load:
    """What the decision rests on. Bytes of the public file and of what is not in it yet; times in seconds."""

    base_bytes: int
    pending_bytes: int
    pending_files: int
    pending_age: float  #: of the oldest unpublished row
    since_last: float  #: since the last publish of this handle ended; inf before the first
    last_seconds: float  #: how long it took
    failures: int  #: publishes that failed in a row
    speed: float = 0.0  #: bytes a second that the last large publish wrote; 0 before the first


@dataclass(frozen=True, slots=True)
class PublishPolicy:
    """Limits of publishing. The defaults keep it under a tenth of the time and the writing under 4 x of the rows."""

    inline_seconds: float = 0.1
    close_seconds: float = 1.0
    small_base: int = 8 * MIB  #: below this a flush publishes whenever the pace allows
    growth: float = 1.5  #: a larger base is rewritten when pending rows have this share of it
    max_age: float = 800.0  #: seconds that a row may wait (the contract says 900)
    max_files: int = 64
    min_interval: float = 1.0
    max_share: float = 0.1  #: of wall time
    max_backoff: float = 600.0
    bytes_per_second: float = 40 * MIB  #: a first guess; what a publish took takes its place
    overhead_seconds: float = 0.02

    def estimate(self, load: Load) -> float:
        """Seconds that a publish would take."""
        return self.overhead_seconds + (load.base_bytes + load.pending_bytes) / (load.speed or self.bytes_per_second)

    def allowed(self, load: Load) -> bool:
        """Whether the pace (and the back-off after failures) admits a publish now."""
        if load.failures:
            return load.since_last >= min(self.max_backoff, self.min_interval * 2.0**load.failures)
        rest = load.last_seconds * (1 / self.max_share - 1)
        return load.since_last >= max(self.min_interval, rest)

    def wanted(self, load: Load, *, flushing: bool) -> bool:
        """Whether enough has gathered, or has waited long enough, to be worth it."""
        if not load.pending_bytes:
            return False
        # a small base is fresh within seconds; rewriting a large one as often would write every byte many times
        small = load.base_bytes <= self.small_base
        patience = min(self.max_age, max(2.0, 100 * self.estimate(load))) if small else self.max_age
        return (
            (flushing and load.base_bytes <= self.small_base)
            or load.pending_bytes >= self.growth * max(load.base_bytes, self.small_base)
            or load.pending_age >= patience
            or load.pending_files > self.max_files
        )

    def decide(self, load: Load, *, flushing: bool) -> Choice:
        """What to do now."""
        if not self.wanted(load, flushing=flushing):
            return Choice.WAIT
        if not self.allowed(load):
            return Choice.BACKGROUND if flushing else Choice.WAIT
        if flushing and self.estimate(load) <= self.inline_seconds:
            return Choice.INLINE
        return Choice.BACKGROUND
