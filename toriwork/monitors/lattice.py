"""The arithmetic of ChaosChannelController: one periodic square lattice of complex amplitudes ψ. Pure functions.

Spacing is 1, the time step 0.01; a Ginzburg-Landau field without linear gain, stirred by noise.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Field = NDArray[np.complex128]

TIME_STEP = 0.01
DIFFUSION = 0.5
INJECTED = 0.1  #: share of the noise that an injection adds, per unit of level
STIRRED = 0.01  #: same for each step
ENVELOPE_WIDTH = 0.5
RELAXATION = 0.95
PEAK_HEIGHT = 2.0  #: |ψ| above which a maximum is a peak
_PEAK_REACH = 2  # a 5 × 5 neighbourhood
MOST_PLACES = 5


def complex_noise(rng: np.random.Generator, side: int) -> Field:
    """Standard normal real and imaginary parts, (side, side) complex128, drawn as one (2, side, side) array."""
    parts = rng.standard_normal((2, side, side))
    noise: Field = parts[0] + 1j * parts[1]
    return noise


def injected(psi: Field, noise: Field, level: float) -> Field:
    """ψ plus noise · level · 0.1 under the envelope exp(−(x² + y²) / 0.5) over [−1, 1]²."""
    axis = np.linspace(-1.0, 1.0, len(psi))
    envelope = np.exp(-(axis[:, None] ** 2 + axis[None, :] ** 2) / ENVELOPE_WIDTH)
    return psi + noise * (level * INJECTED) * envelope


def laplacian(psi: Field) -> Field:
    """The sum of the four periodic neighbours less 4 ψ."""
    around: Field = np.roll(psi, 1, 0) + np.roll(psi, -1, 0) + np.roll(psi, 1, 1) + np.roll(psi, -1, 1)
    return around - 4.0 * psi


def stepped(psi: Field, noise: Field, level: float) -> Field:
    """ψ + 0.01 · (0.5 · ∇²ψ − ψ|ψ|²) + noise · level · 0.01."""
    flow = DIFFUSION * laplacian(psi) - psi * (psi.real**2 + psi.imag**2)
    return psi + TIME_STEP * flow + noise * (level * STIRRED)


def energy(psi: Field) -> float:
    """The mean of |ψ|²; 1 for the field at rest."""
    return float(np.mean(psi.real**2 + psi.imag**2))


def relaxed(psi: Field, baseline: float) -> Field:
    """ψ scaled so that its energy has come 5% of the way back to the baseline."""
    now = energy(psi)
    wanted = baseline + RELAXATION * (now - baseline)
    return psi * math.sqrt(wanted / now)


def find_peaks(psi: Field) -> dict[str, Any]:
    """``count`` of the points with |ψ| > 2 that are the maximum of their periodic 5 × 5 neighbourhood, and ``places``:
    row and column of the at most five highest.
    """
    height = np.abs(psi)
    highest = height
    for axis in (0, 1):  # a square's maximum is that of its rows' maxima
        reach = range(-_PEAK_REACH, _PEAK_REACH + 1)
        highest = np.max([np.roll(highest, shift, axis) for shift in reach], axis=0)
    rows, columns = np.nonzero((height == highest) & (height > PEAK_HEIGHT))
    order = np.argsort(-height[rows, columns], kind="stable")[:MOST_PLACES]
    places = [[int(rows[index]), int(columns[index])] for index in order]
    return {"count": len(rows), "places": places}


def vortex_charges(psi: Field) -> NDArray[np.int64]:
    """The winding number of the phase around each of the N² periodic plaquettes; their sum is 0.

    Element (i, j) belongs to the square with corners i, i + 1 and j, j + 1. Each edge's difference is wrapped into
    (−π, π] once and used by its two squares with opposite signs.
    """
    phase = np.angle(psi)
    down = _wrapped(np.roll(phase, -1, 0) - phase)
    right = _wrapped(np.roll(phase, -1, 1) - phase)
    around = down + np.roll(right, -1, 0) - np.roll(down, -1, 1) - right
    charges: NDArray[np.int64] = np.rint(around / (2 * np.pi)).astype(np.int64)
    return charges


def _wrapped(difference: NDArray[np.float64]) -> NDArray[np.float64]:
    wrapped: NDArray[np.float64] = difference - 2 * np.pi * np.ceil((difference - np.pi) / (2 * np.pi))
    return wrapped


def find_vortices(psi: Field) -> dict[str, Any]:
    """``count`` of the plaquettes with a charge, how many are ``positive`` and ``negative``, the ``total_charge`` (0)
    and ``places``: row, column and charge of the first five.
    """
    charges = vortex_charges(psi)
    rows, columns = np.nonzero(charges)
    first = zip(rows[:MOST_PLACES], columns[:MOST_PLACES], strict=True)
    return {
        "count": len(rows),
        "positive": int((charges > 0).sum()),
        "negative": int((charges < 0).sum()),
        "total_charge": int(charges.sum()),
        "places": [[int(row), int(column), int(charges[row, column])] for row, column in first],
    }
