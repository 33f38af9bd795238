"""ChaosChannelController: bursts of noise on a lattice, each with a beginning, a length and a way back to rest.

The arithmetic is in :mod:`toriwork.monitors.lattice`; here is which burst runs and how far it is.
"""

from __future__ import annotations

import copy
import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import numpy as np

from toriwork.errors import BadInput
from toriwork.monitors.base import ObservingMonitor, call_back, check_callback, check_count
from toriwork.monitors.lattice import (
    Field,
    complex_noise,
    energy,
    find_peaks,
    find_vortices,
    injected,
    relaxed,
    stepped,
)
from toriwork.synthesis import ObserverSynthesis

MAX_DURATION = 500  #: steps of a burst
COOLDOWN_STEPS = 100
BASELINE = 1.0  #: energy at rest
MAX_ENERGIES = 10_000
MAX_BURSTS = 1000


class ChaosState(StrEnum):
    """The phases of the controller."""

    IDLE = "idle"
    ACTIVE = "active"
    COOLDOWN = "cooldown"


@dataclass(slots=True)
class _Burst:
    """One burst while it runs."""

    burst_id: str
    level: float
    duration: int
    purpose: str
    callback: Callable[[dict[str, Any]], Any] | None
    energies: list[float] = field(default_factory=list)  # after each of its steps


class ChaosChannelController(ObservingMonitor):
    """A lattice at rest that can be stirred for a while; the same generator and calls give the same numbers.

    Parameters
    ----------
    lattice_size : int
        Points a side, >= 2.
    rng : numpy.random.Generator, optional
        All randomness; seeded from the system when not given.
    synthesis, clock
        See :class:`~toriwork.monitors.base.ObservingMonitor`; a token for each finished burst.

    Raises
    ------
    BadInput
        ``lattice_size`` is no whole number >= 2.

    Examples
    --------
    >>> import numpy as np
    >>> from toriwork import ChaosChannelController
    >>> controller = ChaosChannelController(16, rng=np.random.default_rng(0))
    >>> burst = controller.trigger(level=0.5, duration=3)
    >>> [controller.step()["state"] for _ in range(4)]
    ['active', 'active', 'cooldown', 'cooldown']
    """

    kind = "chaos_burst"
    source = "chaos_controller"

    def __init__(
        self,
        lattice_size: int = 128,
        *,
        rng: np.random.Generator | None = None,
        synthesis: ObserverSynthesis | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(None, synthesis, clock)
        self.lattice_size = check_count("lattice_size", lattice_size, 2)
        self.baseline_energy = BASELINE
        self._rng = np.random.default_rng() if rng is None else rng
        self._n_bursts = 0
        self._energies: deque[tuple[str, float]] = deque(maxlen=MAX_ENERGIES)
        self._reports: deque[dict[str, Any]] = deque(maxlen=MAX_BURSTS)
        self._rest()

    def _rest(self) -> None:
        self._psi: Field = np.ones((self.lattice_size, self.lattice_size), dtype=np.complex128)
        self._state = ChaosState.IDLE
        self._burst: _Burst | None = None
        self._cooldown = 0

    @property
    def state(self) -> ChaosState:
        """The phase: idle, active or cooldown."""
        return self._state

    def trigger(
        self,
        level: float,
        duration: int,
        purpose: str = "exploration",
        callback: Callable[[dict[str, Any]], Any] | None = None,
    ) -> str:
        """The id of the burst that begins with this call; ``""`` when refused since another runs or cools down.

        Parameters
        ----------
        level : float
            Clipped to [0, 1].
        duration : int
            Steps, >= 1; at most 500 count.
        purpose : str
            Goes into the report.
        callback : callable, optional
            Gets the report of the burst (:meth:`get_burst_history`), in the thread that steps; its errors are logged.

        Raises
        ------
        BadInput
            Level NaN, duration no whole number >= 1, or no plain function for a callback.
        """
        strength = _clipped(level)
        steps = min(check_count("duration", duration), MAX_DURATION)
        if callback is not None:
            check_callback(callback)
        with self._lock:
            if self._state is not ChaosState.IDLE:
                return ""
            self._n_bursts += 1
            self._burst = _Burst(f"burst_{self._n_bursts}", strength, steps, str(purpose), callback)
            self._psi = injected(self._psi, complex_noise(self._rng, self.lattice_size), strength)
            self._state = ChaosState.ACTIVE
            return self._burst.burst_id

    def step(self) -> dict[str, Any]:
        """Where things stand after one more step; at rest nothing moves.

        Returns
        -------
        dict
            ``state`` ("idle", "active", "cooldown"), ``energy`` (mean ``|ψ|²``), ``burst_active``, ``burst_progress``
            in [0, 1], ``burst_id`` (of the burst that runs or cools down, else ``""``), ``cooldown_remaining`` steps.

        Raises
        ------
        StoreError
            A burst ended and the token log refused its token; the burst is in the history all the same.
        """
        with self._lock:
            burst, report, made_in = self._burst, None, str(self._state)
            if self._state is ChaosState.ACTIVE and burst is not None:
                noise = complex_noise(self._rng, self.lattice_size)
                self._psi = stepped(self._psi, noise, burst.level)
                burst.energies.append(energy(self._psi))
                report = self._finish(burst) if len(burst.energies) >= burst.duration else None
            elif self._state is ChaosState.COOLDOWN:
                self._cool()
            status = self._status()
            self._energies.append((made_in, status["energy"]))
        if report is not None and burst is not None:
            self._tell(report, burst)
        return status

    def _tell(self, report: dict[str, Any], burst: _Burst) -> None:
        try:
            self._emit(report, matters=True, at=self._clock())
        finally:
            if burst.callback is not None:
                call_back(burst.callback, report)

    def _status(self) -> dict[str, Any]:
        burst = self._burst
        return {
            "state": str(self._state),
            "energy": energy(self._psi),
            "burst_active": self._state is ChaosState.ACTIVE,
            "burst_progress": len(burst.energies) / burst.duration if burst is not None else 0.0,
            "burst_id": burst.burst_id if burst is not None else "",
            "cooldown_remaining": self._cooldown,
        }

    def _finish(self, burst: _Burst) -> dict[str, Any]:
        """The report of a burst that has had its last step; the way back begins."""
        end = burst.energies[-1]
        report = {
            "burst_id": burst.burst_id,
            "purpose": burst.purpose,
            "level": burst.level,
            "duration": len(burst.energies),
            "peak_energy": max(burst.energies),
            "end_energy": end,
            "energy_ratio": end / self.baseline_energy,
            "discoveries": {
                "peaks": find_peaks(self._psi),
                "vortices": find_vortices(self._psi),
            },
        }
        self._reports.append(report)
        self._state = ChaosState.COOLDOWN
        self._cooldown = COOLDOWN_STEPS
        return report

    def _cool(self) -> None:
        self._psi = relaxed(self._psi, self.baseline_energy)
        self._cooldown -= 1
        if self._cooldown == 0:
            self._state, self._burst = ChaosState.IDLE, None

    # ---- looking -------------------------------------------------------------------------------------------------

    def get_lattice_state(self) -> Field:
        """A copy of ψ: (lattice_size, lattice_size) complex128."""
        with self._lock:
            return self._psi.copy()

    def get_energy_history(self) -> list[float]:
        """The energy after each of the last at most 10,000 steps, oldest first."""
        with self._lock:
            return [value for _, value in self._energies]

    @property
    def history(self) -> list[dict[str, Any]]:
        """``energy`` after each of the last at most 10,000 steps and the ``state`` it was made in, oldest first."""
        with self._lock:
            return [{"state": state, "energy": value} for state, value in self._energies]

    def get_burst_history(self) -> list[dict[str, Any]]:
        """The reports of the last at most 1000 finished bursts, oldest first.

        Each holds ``burst_id``, ``purpose``, ``level``, ``duration`` (steps), ``peak_energy`` (the highest after any of
        its own steps), ``end_energy``, ``energy_ratio`` (end / baseline) and ``discoveries``: ``peaks`` and
        ``vortices``, counts and at most five places; see :mod:`toriwork.monitors.lattice`.
        """
        with self._lock:
            return copy.deepcopy(list(self._reports))

    def reset(self) -> None:
        """Put the lattice to rest and forget histories; a burst that runs ends without a report. The generator goes on
        from where it is, and ids of bursts are not used again.
        """
        with self._lock:
            self._rest()
            self._energies.clear()
            self._reports.clear()

    def __repr__(self) -> str:
        return (
            f"ChaosChannelController(lattice_size={self.lattice_size}): {self._state}, "
            f"energy {energy(self._psi):.3g}, {len(self._reports)} bursts"
        )


def _clipped(level: Any) -> float:
    """A level in [0, 1]; BadInput when it is no number or NaN."""
    if isinstance(level, bool) or not isinstance(level, int | float | np.integer | np.floating) or math.isnan(level):
        raise BadInput(f"level: expected a number, got {level!r:.80}")
    return min(max(float(level), 0.0), 1.0)
