"""The processes of a soak test: started, killed at random, started anew, and ended."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from toriwork.cli.soak_worker import promises_file
from toriwork.errors import EngineError
from toriwork.state import ENV_NAME

_START_SECONDS = 120.0  #: a machine may be busy
_STOP_SECONDS = 60.0
_STATUS = "/proc/{}/status"  # Linux; elsewhere memory is not told
_PEAK = "VmHWM:"


@dataclass(frozen=True, slots=True)
class Hand:
    """One process."""

    role: str
    process: subprocess.Popen[bytes]
    errors: IO[bytes]


class Crew:
    """The processes at work on one folder; whoever makes one has to call :meth:`stop`."""

    def __init__(self, folder: Path, run: str, pause: float) -> None:
        self._folder = folder
        self._run = run
        self._pause = pause
        self._hands: dict[int, Hand] = {}
        self._next = 0
        self._peak: int | None = None
        self.n_killed = 0

    @property
    def alive(self) -> Collection[int]:
        """The numbers of those that have not ended."""
        return {number for number, hand in self._hands.items() if hand.process.poll() is None}

    def start(self, role: str) -> int:
        """The number of a new process."""
        number, self._next = self._next, self._next + 1
        errors = (promises_file(self._folder, self._run, number).with_suffix(".errors")).open("w+b")
        command = [sys.executable, "-m", "toriwork.cli.soak_worker", role, str(self._folder), str(number)]
        process = subprocess.Popen(
            [*command, str(self._pause), self._run],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=errors,
            env={**os.environ, ENV_NAME: str(self._folder)},
            start_new_session=True,  # Ctrl-C is for the one who watches
        )
        self._hands[number] = Hand(role, process, errors)
        return number

    def wait_for(self, numbers: Collection[int]) -> None:
        """Return when these processes are at work.

        Raises
        ------
        EngineError
            One has not begun in two minutes.
        """
        until = time.monotonic() + _START_SECONDS
        waited = set(numbers)
        while waited & set(self.alive):
            waited = {number for number in waited if not promises_file(self._folder, self._run, number).exists()}
            if time.monotonic() > until:
                raise EngineError(f"soak: {len(waited)} processes have not begun in {_START_SECONDS:.0f} s")
            time.sleep(0.05)

    def kill_one(self, chance: random.Random) -> None:
        """Kill one of the processes at random and start another in its place."""
        alive = sorted(self.alive)
        if not alive:
            return
        hand = self._hands.pop(chance.choice(alive))
        hand.process.kill()
        hand.process.wait()
        _forget(hand)
        self.n_killed += 1
        self.start(hand.role)

    def disturb(self, chance: random.Random) -> None:
        """Stop some processes for a while, let them record in a signal handler, put their clocks."""
        alive = sorted(self.alive)
        for number in chance.sample(alive, min(2, len(alive))):
            hand = self._hands[number]
            if hand.role != "writer" or not promises_file(self._folder, self._run, number).exists():
                continue  # it does not listen yet
            with contextlib.suppress(ProcessLookupError, AttributeError):
                for _ in range(chance.randint(1, 20)):
                    os.kill(hand.process.pid, chance.choice((signal.SIGUSR1, signal.SIGUSR1, signal.SIGUSR2)))
                    time.sleep(chance.uniform(0, 0.02))
                os.kill(hand.process.pid, signal.SIGSTOP)
                time.sleep(chance.uniform(0, 0.5))
                os.kill(hand.process.pid, signal.SIGCONT)

    def failures(self) -> list[str]:
        """What each process said last that ended by itself; it is told once."""
        told = []
        for number in set(self._hands) - set(self.alive):
            hand = self._hands.pop(number)
            if hand.process.returncode not in (0, -signal.SIGTERM):  # that one had not even begun
                hand.errors.seek(0)
                said = hand.errors.read().decode(errors="replace").strip().splitlines()
                told.append(f"{hand.role} {number} failed: {said[-1] if said else hand.process.returncode}")
            _forget(hand)
        return told

    def peak_bytes(self) -> int | None:
        """The most memory that one of the processes has ever held; None where the system does not tell."""
        peaks = [peak_bytes(hand.process.pid) for hand in self._hands.values()]
        self._peak = max((peak for peak in (self._peak, *peaks) if peak is not None), default=None)
        return self._peak

    def stop(self) -> None:
        """Ask all to end and wait for it; those that do not are killed."""
        for hand in self._hands.values():
            hand.process.terminate()
        until = time.monotonic() + _STOP_SECONDS
        for hand in self._hands.values():
            try:
                hand.process.wait(max(0.1, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                hand.process.kill()
                hand.process.wait()


def peak_bytes(pid: int) -> int | None:
    """The most memory that a process has ever held, in bytes; None where the system does not tell."""
    with contextlib.suppress(OSError):
        for line in Path(_STATUS.format(pid)).read_text().splitlines():
            if line.startswith(_PEAK):
                return int(line.split()[1]) * 1024
    return None


def _forget(hand: Hand) -> None:
    hand.errors.close()
    Path(hand.errors.name).unlink()
