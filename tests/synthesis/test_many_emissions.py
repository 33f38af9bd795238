"""Eight processes emit into one log: their clocks jump, journals are sealed, some are killed, all publish. It is sound.

The long form is a million emissions: ``python -m pytest --long -s tests/synthesis/test_many_emissions.py``.
"""

from __future__ import annotations

import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import pytest

from toriwork.synthesis import ObserverSynthesis
from toriwork.synthesis.verify import verify_file

ROOT = Path(__file__).resolve().parents[2]
PROCESSES = 8


class Crew:
    """The processes; one that was killed is replaced by one that does the rest of its work."""

    def __init__(self, path: Path, n_each: int) -> None:
        self.path, self.n_killed, self.n_started = path, 0, 0
        self.left = [n_each] * PROCESSES
        self.running: dict[int, tuple[subprocess.Popen, Path]] = {}

    def start(self, slot: int) -> None:
        told = self.path.with_name(f"progress-{self.n_started}")
        line = ["-m", "tests.synthesis.emitter", str(self.path), str(told), str(self.left[slot]), str(self.n_started)]
        self.running[slot] = (subprocess.Popen([sys.executable, *line], cwd=ROOT), told)
        self.n_started += 1

    def ended(self, slot: int) -> None:
        """Count what a process that has ended had been promised."""
        process, told = self.running.pop(slot)
        process.wait()
        self.left[slot] -= int(told.read_bytes() or 0) if told.exists() else 0

    def kill(self, slot: int) -> None:
        self.running[slot][0].kill()
        self.ended(slot)
        self.n_killed += 1

    def work(self, randomness: random.Random, n_kills: int, pause: float) -> None:
        """Return when every emission has been promised."""
        for slot in range(PROCESSES):
            self.start(slot)
        while self.running:
            time.sleep(pause)
            if self.n_killed < n_kills:
                self.kill(randomness.choice(sorted(self.running)))
            for slot in [slot for slot, (process, _) in self.running.items() if process.poll() is not None]:
                assert self.running[slot][0].returncode == 0
                self.ended(slot)
            for slot in range(PROCESSES):
                if slot not in self.running and self.left[slot] > 0:
                    self.start(slot)


def prove(path: Path, n_emissions: int, n_kills: int) -> None:
    """Emit, and look at what is there: twice, before and after the last publish."""
    crew = Crew(path, n_emissions // PROCESSES)
    begun = time.monotonic()
    crew.work(random.Random(n_emissions), n_kills, 0.5 if n_emissions < 10**5 else 2.0)
    emitted = time.monotonic()
    observers = ObserverSynthesis(path=path)
    reports = [observers.verify_log()]
    observers.log.flush(publish=True)
    reports.append(observers.verify_log())
    observers.close()
    bare = verify_file(path)
    n_findings = sum(len(report.findings) + report.n_more for report in (*reports, bare))
    n_waiting, memory = reports[0].n_unpublished, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    sys.stdout.write(
        f"\n{n_emissions:,} emissions by {PROCESSES} processes ({crew.n_killed} killed) in {emitted - begun:.0f} s, "
        f"{bare.generation} generations, {n_waiting:,} unpublished at first, {bare.n_retired:,} retired; verified "
        f"three times in {time.monotonic() - emitted:.0f} s: {n_findings} findings; memory {memory} MiB\n"
    )
    for report in (*reports, bare):
        assert report.ok, str(report)
        assert report.n_rows + report.n_retired >= n_emissions
    assert crew.n_killed == n_kills


def test_eight_processes_with_wrong_clocks_and_kills_leave_a_sound_log(tmp_path):
    prove(tmp_path / "t.parquet", 8_000, 3)


@pytest.mark.long
def test_a_million_emissions_of_eight_processes_are_sound(tmp_path):
    prove(tmp_path / "t.parquet", 10**6, 20)
