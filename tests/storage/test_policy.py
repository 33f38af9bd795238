"""When to publish: little writing, little waiting, nothing older than the contract allows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from toriwork.storage.policy import MIB, Load, PublishPolicy, PublishTime

POLICY = PublishPolicy()
IDLE = Load(0, 0, 0, 0.0, math.inf, 0.0, 0)
WAITING = replace(IDLE, base_bytes=MIB, pending_bytes=1000, pending_files=1, pending_age=0.1)


def written_per_byte(rows_per_second: float, *, shares: bool = False) -> float:
    """Journals, segments and public files of a million rows of 2.4 kB, flushed every thousand, in bytes per byte."""
    base = pending = written = unsealed = 0.0
    now, last, took, oldest = 0.0, -math.inf, 0.0, 0.0
    chunk = 1000 * 2470
    for _ in range(1000):
        now += 1000 / rows_per_second
        oldest = oldest if pending else now
        pending, written, unsealed = pending + chunk, written + chunk, unsealed + chunk
        if unsealed >= 8 * MIB:
            written, unsealed = written + unsealed, 0.0
        load = Load(int(base), int(pending), 3, now - oldest, now - last, took, 0, shares=shares)
        if POLICY.wanted(load, flushing=True) and POLICY.allowed(load):
            took = POLICY.estimate(load)
            written += pending + (0 if shares else base)
            base, pending = base + pending, 0.0
            now += took
            last = now
    return written / (1000 * chunk)


@pytest.mark.parametrize("rows_per_second", [1000, 2000, 5000, 10_000, 20_000, 50_000])
def test_a_million_rows_are_written_a_bounded_number_of_times(rows_per_second: float) -> None:
    assert written_per_byte(rows_per_second) <= (4.5 if rows_per_second < 10_000 else 4.0)
    assert written_per_byte(rows_per_second, shares=True) <= 3.01


def test_a_small_table_is_published_by_the_flush_itself() -> None:
    assert POLICY.decide(WAITING, flushing=True) is PublishTime.INLINE
    assert POLICY.decide(WAITING, flushing=False) is PublishTime.WAIT
    assert POLICY.decide(IDLE, flushing=True) is PublishTime.WAIT


def test_at_most_one_publish_a_second_and_a_tenth_of_the_time() -> None:
    assert POLICY.decide(replace(WAITING, since_last=0.9), flushing=True) is PublishTime.BACKGROUND
    slow = replace(WAITING, pending_age=1e4, last_seconds=10.0)
    assert not POLICY.allowed(replace(slow, since_last=89.0))
    assert POLICY.allowed(replace(slow, since_last=91.0))


def test_a_publish_is_near_when_it_is_wanted_and_soon_allowed() -> None:
    much = replace(WAITING, base_bytes=100 * MIB, pending_bytes=300 * MIB, last_seconds=10.0)
    assert POLICY.near(replace(much, since_last=41.0))
    assert not POLICY.near(replace(much, since_last=39.0))
    assert not POLICY.near(replace(much, since_last=89.0, pending_bytes=100 * MIB))
    assert not POLICY.near(replace(much, since_last=89.0, failures=1))


def test_what_takes_longer_than_a_tenth_of_a_second_goes_to_the_background() -> None:
    assert POLICY.decide(replace(WAITING, base_bytes=8 * MIB, slowness=10.0), flushing=True) is PublishTime.BACKGROUND


@pytest.mark.parametrize(
    ("megabytes", "shares", "seconds"),
    [
        (9, False, 50),
        (256, False, 50),
        (1024, False, 200),
        (4000, False, 781),
        (40_000, False, 800),
        (40_000, True, 50),
    ],
)
def test_a_row_is_public_within_a_minute_unless_copies_would_wear_out_the_disk(
    megabytes: int, shares: bool, seconds: float
) -> None:
    large = replace(WAITING, base_bytes=megabytes * MIB, shares=shares)
    assert POLICY.decide(replace(large, pending_age=seconds - 1), flushing=False) is PublishTime.WAIT
    assert POLICY.decide(replace(large, pending_age=seconds + 1.0), flushing=False) is PublishTime.BACKGROUND
    assert POLICY.patience(large) < 900


def test_a_policy_that_never_publishes_by_age_stays_one() -> None:
    never = PublishPolicy(max_age=1e9)
    assert never.patience(replace(WAITING, base_bytes=10_000 * MIB)) == 1e9


@pytest.mark.parametrize(("failures", "wait"), [(1, 2), (3, 8), (9, 512), (10, 600), (60, 600)])
def test_failures_double_the_wait_up_to_ten_minutes(failures: int, wait: float) -> None:
    failed = replace(WAITING, failures=failures)
    assert not POLICY.allowed(replace(failed, since_last=wait - 0.1))
    assert POLICY.allowed(replace(failed, since_last=wait + 0.1))


def test_many_files_are_reason_enough() -> None:
    assert (
        POLICY.decide(replace(WAITING, base_bytes=100 * MIB, pending_files=65), flushing=False)
        is PublishTime.BACKGROUND
    )
