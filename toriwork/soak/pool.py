"""The processes of a run: started, killed at random, started anew, and ended."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from toriwork.errors import EngineError
from toriwork.soak.history import Durations, class_of
from toriwork.soak.worker import promises_file, run_folder
from toriwork.state import ENV_NAME

_START_SECONDS = 120.0  #: a machine may be busy
_STOP_SECONDS = 60.0
_STATUS, _FILES = "/proc/{}/status", "/proc/{}/fd"  # Linux; elsewhere neither is told
_HELD, _PEAK = "VmRSS:", "VmHWM:"
#: glibc keeps memory that is free in an arena of each thread, and more of it for hours: it would look like growth
_ONE_ARENA = {"MALLOC_ARENA_MAX": "1"}


@dataclass(frozen=True, slots=True)
class Worker:
    """One process and where its errors go."""

    role: str
    process: subprocess.Popen[bytes]
    errors: IO[bytes]
    steady: bool


class WorkerPool:
    """The processes at work on one folder; whoever makes a pool has to call :meth:`stop`."""

    def __init__(self, folder: Path, run: str, pause: float, *, first: int = 0, n_killed: int = 0) -> None:
        self._folder = folder
        self._run = run
        self._pause = pause
        self._workers: dict[int, Worker] = {}
        self._next = first
        self._peak: int | None = None
        self._read: dict[Path, int] = {}  # bytes of each file of durations
        self.n_killed = n_killed

    @property
    def alive(self) -> Collection[int]:
        """The numbers of the processes that have not ended."""
        return {number for number, worker in self._workers.items() if worker.process.poll() is None}

    def start(self, role: str, *, steady: bool = False) -> int:
        """Start a process and return its number; a ``steady`` one is not killed: it would show what grows."""
        number, self._next = self._next, self._next + 1
        errors = (promises_file(self._folder, self._run, number).with_suffix(".errors")).open("w+b")
        command = [sys.executable, "-m", "toriwork.soak.worker", role, str(self._folder), str(number)]
        process = subprocess.Popen(
            [*command, str(self._pause), self._run],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, **(_ONE_ARENA if steady else {}), ENV_NAME: str(self._folder)},
            start_new_session=True,  # Ctrl-C is for the one who watches
        )
        self._workers[number] = Worker(role, process, errors, steady)
        return number

    def wait_for(self, numbers: Collection[int]) -> None:
        """Wait until these processes are at work.

        Raises
        ------
        EngineError
            A process has not begun within two minutes.
        """
        until = time.monotonic() + _START_SECONDS
        waited = set(numbers)
        while waited & set(self.alive):
            waited = {number for number in waited if not promises_file(self._folder, self._run, number).exists()}
            if time.monotonic() > until:
                raise EngineError(f"soak: {len(waited)} processes have not begun within {_START_SECONDS:.0f} s")
            time.sleep(0.05)

    def kill_one(self, rng: random.Random) -> None:
        """Kill one of the processes at random and start another in its place."""
        alive = sorted(number for number in self.alive if not self._workers[number].steady)
        if not alive:
            return
        worker = self._workers.pop(rng.choice(alive))
        worker.process.kill()
        worker.process.wait()
        _forget(worker)
        self.n_killed += 1
        self.start(worker.role)

    def disturb(self, rng: random.Random) -> None:
        """Let up to two writers record in a signal handler, move their clocks, and stop them for a while."""
        alive = sorted(self.alive)
        for number in rng.sample(alive, min(2, len(alive))):
            worker = self._workers[number]
            if worker.role != "writer" or not promises_file(self._folder, self._run, number).exists():
                continue  # it has no handlers yet
            with contextlib.suppress(ProcessLookupError, AttributeError):
                for _ in range(rng.randint(1, 20)):
                    os.kill(worker.process.pid, rng.choice((signal.SIGUSR1, signal.SIGUSR1, signal.SIGUSR2)))
                    time.sleep(rng.uniform(0, 0.02))
                os.kill(worker.process.pid, signal.SIGSTOP)
                time.sleep(rng.uniform(0, 0.5))
                os.kill(worker.process.pid, signal.SIGCONT)

    def failures(self) -> list[str]:
        """The last words of each process that ended by itself; each is told once."""
        failures = []
        for number in set(self._workers) - set(self.alive):
            worker = self._workers.pop(number)
            if worker.process.returncode not in (0, -signal.SIGTERM):  # that one had not even begun
                worker.errors.seek(0)
                said = worker.errors.read().decode(errors="replace").strip().splitlines()
                failures.append(f"{worker.role} {number} failed: {said[-1] if said else worker.process.returncode}")
            _forget(worker)
        return failures

    def peak_bytes(self) -> int | None:
        """The most memory that one of the processes has ever held; None where the system does not tell."""
        peaks = [_held_bytes(worker.process.pid, _PEAK) for worker in self._workers.values()]
        self._peak = max((peak for peak in (self._peak, *peaks) if peak is not None), default=None)
        return self._peak

    def growth(self) -> dict[str, tuple[int | None, int | None]]:
        """Bytes of memory and open files of each steady process, by its role; None where the system does not tell."""
        steady = [worker for worker in self._workers.values() if worker.steady]
        return {worker.role: (_held_bytes(worker.process.pid), _open_files(worker.process.pid)) for worker in steady}

    def durations(self) -> dict[str, Durations]:
        """Counts of what the processes did since the last call, by how long it took."""
        found: dict[str, Durations] = {}
        alive = set(self.alive)
        for file in run_folder(self._folder, self._run).glob("*.durations"):
            content = file.read_bytes()
            end = content.rfind(b"\n") + 1
            for line in content[self._read.get(file, 0) : end].decode().splitlines():
                kind, seconds = line.split()
                found.setdefault(kind, Counter())[class_of(float(seconds))] += 1
            self._read[file] = end
            if int(file.stem) not in alive:
                file.unlink()
        return found

    def stop(self) -> None:
        """Ask every process to end, and kill those that have not after a minute."""
        for worker in self._workers.values():
            worker.process.terminate()
        until = time.monotonic() + _STOP_SECONDS
        for worker in self._workers.values():
            try:
                worker.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                worker.process.kill()
                worker.process.wait()


def _held_bytes(pid: int, fact: str = _HELD) -> int | None:
    """The memory that a process holds, in bytes, or has ever held; None where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path(_STATUS.format(pid)).read_text().splitlines():
            if line.startswith(fact):
                return int(line.split()[1]) * 1024
    return None


def _open_files(pid: int) -> int | None:
    """How many files a process has open; None where the system does not tell."""
    with contextlib.suppress(OSError):
        return sum(1 for _ in Path(_FILES.format(pid)).iterdir())
    return None


def _forget(worker: Worker) -> None:
    worker.errors.close()
    Path(worker.errors.name).unlink()
