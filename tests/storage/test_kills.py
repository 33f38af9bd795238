"""kill -9 at random moments, three writers at once and one of them publishing: what was acknowledged is there, once."""

from __future__ import annotations

import random
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pandas as pd
import pytest

from toriwork.errors import StoreError
from toriwork.registry.codec import SPEC
from toriwork.storage import ParquetTable

CREW = Path(__file__).with_name("crew.py")
ROLES = ("write", "write", "publish")


class Crew:
    """Three recording processes on one table; whoever is killed is replaced."""

    def __init__(self, folder: Path, mutant: str = "") -> None:
        self.folder = folder
        self.path = folder / "state root" / "torus_registry.parquet"
        self.mutant = mutant
        self.rng = random.Random(0)
        self.members: list[tuple[subprocess.Popen[bytes], Path, str]] = []
        self.n_started = 0

    def start(self, role: str) -> None:
        """One more process, recording by the time this returns."""
        acks = self.folder / f"acks-{self.n_started}"
        self.n_started += 1
        command = [sys.executable, str(CREW), str(self.path), str(acks), role, self.mutant]
        self.members.append((subprocess.Popen(command, stderr=subprocess.PIPE), acks, role))

    def wait_ready(self) -> None:
        """Return when every process records."""
        until = time.monotonic() + 60
        for process, acks, _ in self.members:
            while not (acks.exists() and acks.stat().st_size > 20):
                if process.poll() is not None or time.monotonic() > until:
                    raise RuntimeError(process.communicate()[1].decode())
                time.sleep(0.005)

    def kill_one(self) -> None:
        """Kill any of them at any moment and put another in its place."""
        time.sleep(self.rng.random() * 0.2)
        process, _, role = self.members.pop(self.rng.randrange(len(self.members)))
        process.send_signal(signal.SIGKILL)
        self._gone(process)
        self.start(role)

    def kill_all(self) -> None:
        """Nobody is left."""
        for process, _, _ in self.members:
            process.send_signal(signal.SIGKILL)
        for process, _, _ in self.members:
            self._gone(process)
        self.members = []

    def _gone(self, process: subprocess.Popen[bytes]) -> None:
        _, errors = process.communicate()
        if not self.mutant:
            assert process.returncode == -signal.SIGKILL, errors.decode()
            assert b"Traceback" not in errors, errors.decode()

    def acknowledged(self) -> list[str]:
        """Ids of all shapes whose append had returned."""
        texts = [acks.read_bytes() for acks in self.folder.glob("acks-*")]
        return [line.decode() for text in texts for line in text.splitlines() if line.startswith(b"shape_")]

    def check(self) -> int:
        """Re-open the table: every acknowledged row once, nothing else twice; how many there are."""
        with ParquetTable(self.path, SPEC) as table:
            with table.snapshot() as snapshot:
                found = [i for batch in snapshot.base_batches(["shape_id"]) for i in batch.column(0).to_pylist()]
                found += [i for batch in snapshot.pending_batches() for i in batch["shape_id"].to_pylist()]
            table.flush(publish=True)
            assert table.recovery_report.clean or table.recovery_report.torn
        rows = pd.read_parquet(self.path)
        assert [i for i, n in Counter(found).items() if n > 1] == []
        assert set(self.acknowledged()) - set(found) == set()
        assert sorted(rows.shape_id) == sorted(found)
        assert rows.row_id.is_unique
        return len(found)


def live(crew: Crew, n_kills: int) -> int:
    """Start the three, kill and replace, look at the public file behind each kill; how many rows survived."""
    for role in ROLES:
        crew.start(role)
    crew.wait_ready()
    try:
        for n in range(n_kills):
            crew.kill_one()
            with crew.path.open("rb") as file:  # by its name pandas opens it twice, and may meet two generations
                published = pd.read_parquet(file)  # a reader that knows nothing but the public file
            assert published.shape_id.is_unique
            assert published.row_id.is_unique
            if n % 4 == 3:
                crew.wait_ready()
    finally:
        crew.kill_all()
    return crew.check()


def test_three_writers_killed_at_random_moments_lose_nothing_and_double_nothing(tmp_path: Path) -> None:
    assert live(Crew(tmp_path), 12) > 100


@pytest.mark.long
def test_two_hundred_kills(tmp_path: Path) -> None:
    for round_ in range(10):
        folder = tmp_path / str(round_)
        folder.mkdir()
        assert live(Crew(folder), 20) > 100


@pytest.mark.parametrize("mutant", ["no journal write", "absorbed is forgotten"])
def test_a_store_that_forgets_is_caught_by_the_same_test(mutant: str, tmp_path: Path) -> None:
    for attempt in range(3):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        try:
            live(Crew(folder, mutant), 3)
        except (AssertionError, StoreError):
            return
    pytest.fail(f"nobody noticed: {mutant}")
