"""When to publish: little writing, little waiting, nothing older than the contract allows."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from toriwork.storage.policy import MIB, Choice, Load, PublishPolicy

POLICY = PublishPolicy()
IDLE = Load(0, 0, 0, 0.0, math.inf, 0.0, 0)
WAITING = replace(IDLE, base_bytes=MIB, pending_bytes=1000, pending_files=1, pending_age=0.1)


def written_per_byte(rows_per_second: float, speed: float = 40 * MIB) -> float:
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
        load = Load(int(base), int(pending), 3, now - oldest, now - last, took, 0, speed)
        if POLICY.wanted(load, flushing=True) and POLICY.allowed(load):
            base, pending = base + pending, 0.0
            written += base
            took = POLICY.estimate(load)
            now += took
            last = now
    return written / (1000 * chunk)


@pytest.mark.parametrize("rows_per_second", [1000, 2000, 5000, 10_000, 20_000, 50_000])
def test_a_million_rows_are_written_at_most_four_times(rows_per_second: float) -> None:
    assert written_per_byte(rows_per_second) <= 4.0


def test_a_small_table_is_published_by_the_flush_itself() -> None:
    assert POLICY.decide(WAITING, flushing=True) is Choice.INLINE
    assert POLICY.decide(WAITING, flushing=False) is Choice.WAIT
    assert POLICY.decide(IDLE, flushing=True) is Choice.WAIT


def test_at_most_one_publish_a_second_and_a_tenth_of_the_time() -> None:
    assert POLICY.decide(replace(WAITING, since_last=0.9), flushing=True) is Choice.BACKGROUND
    slow = replace(WAITING, pending_age=1e4, last_seconds=10.0)
    assert not POLICY.allowed(replace(slow, since_last=89.0))
    assert POLICY.allowed(replace(slow, since_last=91.0))


def test_what_takes_longer_than_a_tenth_of_a_second_goes_to_the_background() -> None:
    assert POLICY.decide(replace(WAITING, base_bytes=8 * MIB, speed=10.0 * MIB), flushing=True) is Choice.BACKGROUND


def test_no_row_waits_longer_than_the_contract_allows() -> None:
    large = replace(WAITING, base_bytes=4000 * MIB)
    assert POLICY.decide(replace(large, pending_age=300.0), flushing=False) is Choice.WAIT
    assert POLICY.decide(replace(large, pending_age=801.0), flushing=False) is Choice.BACKGROUND
    assert POLICY.max_age < 900


@pytest.mark.parametrize(("failures", "wait"), [(1, 2), (3, 8), (9, 512), (10, 600), (60, 600)])
def test_failures_double_the_wait_up_to_ten_minutes(failures: int, wait: float) -> None:
    failed = replace(WAITING, failures=failures)
    assert not POLICY.allowed(replace(failed, since_last=wait - 0.1))
    assert POLICY.allowed(replace(failed, since_last=wait + 0.1))


def test_many_files_are_reason_enough() -> None:
    assert POLICY.decide(replace(WAITING, base_bytes=100 * MIB, pending_files=65), flushing=False) is Choice.BACKGROUND
