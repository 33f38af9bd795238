"""ChaosChannelController - controlled bursts of noise on a lattice."""

import logging
from collections import deque
from enum import Enum

import numpy as np

logger = logging.getLogger(__name__)

MAX_BURST = 500
COOLDOWN_STEPS = 100
BASELINE_ENERGY = 1.0


class ChaosState(Enum):
    IDLE = "idle"
    ACTIVE = "active"
    COOLDOWN = "cooldown"


class ChaosChannelController:
    """IDLE -> ACTIVE -> COOLDOWN -> IDLE."""

    def __init__(self, lattice_size: int = 128, rng=None):
        self.n = lattice_size
        self.rng = rng or np.random.default_rng()
        self.reset()

    def reset(self):
        self.psi = np.ones((self.n, self.n), dtype=complex)
        self.state = ChaosState.IDLE
        self.energy = BASELINE_ENERGY
        self.energies = deque(maxlen=10000)
        self.bursts = deque(maxlen=1000)
        self.burst = None
        self.cooldown = 0

    def _noise(self):
        parts = self.rng.standard_normal((2, self.n, self.n))
        return parts[0] + 1j * parts[1]

    def trigger(self, level, duration, purpose="exploration", callback=None) -> str:
        """Start a burst; returns its id, or an empty text when the controller is busy."""
        if self.state is not ChaosState.IDLE:
            return ""
        level = float(np.clip(level, 0, 1))
        burst_id = f"burst_{len(self.bursts) + 1}"
        self.burst = {
            "burst_id": burst_id,
            "level": level,
            "duration": min(int(duration), MAX_BURST),
            "purpose": purpose,
            "callback": callback,
            "step": 0,
            "peak": 0.0,
        }
        axis = np.linspace(-1, 1, self.n)
        envelope = np.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / 0.5)
        self.psi = self.psi + self._noise() * level * 0.1 * envelope
        self.state = ChaosState.ACTIVE
        return burst_id

    def step(self) -> dict:
        """One step of the lattice."""
        if self.state is ChaosState.ACTIVE:
            lap = sum(np.roll(self.psi, s, a) for s in (1, -1) for a in (0, 1)) - 4 * self.psi
            self.psi = self.psi + 0.01 * (0.5 * lap - self.psi * np.abs(self.psi) ** 2)
            self.psi = self.psi + self._noise() * self.burst["level"] * 0.01
            self.energy = float(np.mean(np.abs(self.psi) ** 2))
            self.burst["step"] += 1
            self.burst["peak"] = max(self.burst["peak"], self.energy)
            if self.burst["step"] >= self.burst["duration"]:
                self._complete_burst()
        elif self.state is ChaosState.COOLDOWN:
            wanted = BASELINE_ENERGY + 0.95 * (self.energy - BASELINE_ENERGY)
            self.psi = self.psi * np.sqrt(wanted / self.energy)
            self.energy = wanted
            self.cooldown -= 1
            if self.cooldown <= 0:
                self.state = ChaosState.IDLE
        self.energies.append(self.energy)
        return {
            "state": self.state.value,
            "energy": self.energy,
            "burst_active": self.state is ChaosState.ACTIVE,
            "burst_progress": self.burst["step"] / self.burst["duration"] if self.burst else 0.0,
            "burst_id": self.burst["burst_id"] if self.burst else "",
            "cooldown_remaining": self.cooldown,
        }

    def _complete_burst(self):
        burst, self.burst = self.burst, None
        report = {
            "burst_id": burst["burst_id"],
            "purpose": burst["purpose"],
            "level": burst["level"],
            "duration": burst["step"],
            "peak_energy": burst["peak"],
            "ratio": self.energy / BASELINE_ENERGY,
        }
        report["discoveries"] = self._find_discoveries()
        self.bursts.append(report)
        self.state = ChaosState.COOLDOWN
        self.cooldown = COOLDOWN_STEPS
        if burst["callback"]:
            burst["callback"](report)

    def _find_discoveries(self):
        height = np.abs(self.psi)
        highest = np.max([np.roll(height, (i, j), (0, 1)) for i in range(-2, 3) for j in range(-2, 3)], axis=0)
        places = np.argwhere((height == highest) & (height > 2.0))
        return {"peaks": len(places), "places": places[:5].tolist()}

    def get_lattice_state(self):
        return self.psi.copy()

    def get_energy_history(self):
        return list(self.energies)

    def get_burst_history(self):
        return list(self.bursts)
