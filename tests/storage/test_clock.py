"""Times rise whatever the system's clock does, and handles agree when it was put back."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.storage.memdisk import MemDisk
from toriwork.registry import TorusRegistry
from toriwork.storage import clock
from toriwork.storage.clock import Clock

HOUR = 3600 * 10**9


class Hands:
    """A clock on the wall that can be put, and one that only goes forward."""

    def __init__(self, patch: pytest.MonkeyPatch) -> None:
        self.true, self.put = 0, 1_764_000_000 * 10**9
        patch.setattr(clock.time, "time_ns", lambda: self.true + self.put)
        patch.setattr(clock.time, "monotonic_ns", lambda: self.true + 5_000_000)
        patch.setattr(clock.time, "sleep", lambda seconds: None)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32), st.integers(1, 4))
def test_a_time_is_above_every_time_that_was_given_before(seed: int, n_handles: int) -> None:
    """Any handles, opened and closed at any time, with a clock that is put an hour to and fro."""
    rng = random.Random(seed)
    disk = MemDisk(seed)
    files = disk.files()
    files.make_folder(Path("/x.d"))
    with pytest.MonkeyPatch.context() as patch:
        hands = Hands(patch)
        highest = 0
        handles = [Clock(files, Path("/x.d")) for _ in range(n_handles)]
        for _ in range(60):
            hands.true += rng.choice([0, 1, 1000, 10**6])
            if not rng.randrange(5):  # who appends all the time sees every step of the clock himself
                hands.true += rng.choice([10**9, HOUR // 3])
                hands.put += rng.choice([0, HOUR, -HOUR, -HOUR // 7])
            if not rng.randrange(6):  # a store is looked at when it is opened
                handles[rng.randrange(n_handles)] = Clock(files, Path("/x.d"), highest)
            n_rows = rng.choice([1, 1, 50])
            found = rng.choice(handles).next(n_rows)
            hands.true += 1000 * n_rows  # recording a row takes longer than a nanosecond
            assert found > highest
            highest = max(highest, found + n_rows - 1)


def test_a_time_is_the_reading_of_the_clock_as_long_as_that_goes_forward(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands(monkeypatch)
    files = MemDisk().files()
    one = Clock(files, Path("/"))
    for _ in range(5):
        hands.true += 1000
        assert one.next() == hands.true + hands.put
    assert files.names(Path("/")) == ["CLOCK"]


def test_it_is_the_reading_again_once_that_has_caught_up(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands(monkeypatch)
    files = MemDisk().files()
    one = Clock(files, Path("/"))
    before = one.next()
    hands.put -= HOUR
    assert before < one.next() < before + 10
    hands.put += HOUR
    hands.true += 1000
    assert one.next() == hands.true + hands.put


def test_nobody_waits_for_somebody_who_keeps_the_shared_file(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands(monkeypatch)
    files = MemDisk().files()
    one = Clock(files, Path("/"))
    before = one.next()
    other = files.create(Path("/CLOCK"), exclusive=False)
    assert other.try_lock()
    hands.put -= HOUR
    assert one.next() > before


def test_a_shared_file_of_other_bytes_counts_for_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    hands = Hands(monkeypatch)
    files = MemDisk().files()
    files.create(Path("/CLOCK")).write(b"\xff" * 40)
    one = Clock(files, Path("/"))
    before = one.next()
    hands.put -= HOUR
    assert before < one.next() < before + 10


def test_the_newest_row_is_the_one_recorded_last_whatever_the_clock_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hands = Hands(monkeypatch)
    path = tmp_path / "x.parquet"
    cloud = [[0.0, 1.0], [2.0, 3.0]]
    order = []
    one, two = (TorusRegistry(path, compute_betti=False) for _ in range(2))
    for number in range(12):
        hands.true += 10**9
        hands.put += {3: -HOUR, 5: HOUR, 6: -2 * HOUR, 9: 3 * HOUR, 10: -5 * HOUR}.get(number, 0)
        registry = (one, two)[number % 2] if number < 8 else TorusRegistry(path, compute_betti=False)
        shape = registry.record_shape(cloud, (number, 0, 0))
        order.append(float(number))
        if number % 3 == 0:
            registry.flush(publish=True)
        if number >= 8:
            registry.close()
        with TorusRegistry(path, read_only=True) as reader:
            assert reader.query_recent(100)["betti0"].tolist() == order
            assert reader.query_recent(1)["betti0"].tolist() == order[-1:]
            assert reader._newest_of(shape, ["betti0"])["betti0"].as_py() == order[-1]
    one.close()
    two.close()
