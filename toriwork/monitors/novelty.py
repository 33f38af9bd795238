"""The arithmetic of OriginSentry: one spectrum compared with those before it. Pure functions, no state, no files."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.registry.spectral import spectral_distances

EPS = 0.01  #: a spectrum further than this from every recent one is a new dimension
GAP_MIN = 0.02
CRITICAL, GLOBAL = 0.04, 0.01
TOP_K = 10  #: how many recent spectra count
DISTANCE_WEIGHT, BETTI_WEIGHT = 0.7, 0.3


@dataclass(frozen=True, slots=True)
class PriorState:
    """The knowledge before a spectrum came."""

    recent: Sequence[NDArray[np.float64]] = ()  #: up to ``TOP_K`` descending magnitudes
    coherence: str = "local"
    betti: tuple[float, ...] | None = None  #: the last vector that was given


def judge(sizes: NDArray[np.float64], betti: tuple[float, ...] | None, before: PriorState) -> dict[str, Any]:
    """The classification of one spectrum: (n_modes,) magnitudes, finite, descending, n_modes >= 1.

    Returns
    -------
    dict
        ``dim_expansion`` (the nearest of the recent spectra is further than 0.01), ``unseen_modes`` (how many
        eigenvalues alone are, 0 without expansion), ``gap_birth`` (a gap above 0.02), ``gaps`` (between neighbouring
        magnitudes, descending), ``coherence``, ``coherence_transition`` (against the call before), ``novelty_score`` in
        [0, 1], ``spectral_entropy`` (nats) and ``lambda_max``.
    """
    distance = float(spectral_distances(sizes, before.recent).min()) if len(before.recent) else math.inf
    expansion = distance > EPS
    lambda_max = float(sizes[0])
    state = coherence(lambda_max)
    gaps = (sizes[:-1] - sizes[1:]).tolist()
    return {
        "dim_expansion": expansion,
        "unseen_modes": count_unseen(sizes, before.recent) if expansion else 0,
        "gap_birth": any(gap > GAP_MIN for gap in gaps),
        "gaps": gaps,
        "coherence": state,
        "coherence_transition": state != before.coherence,
        "novelty_score": novelty(distance, betti_change(before.betti, betti)),
        "spectral_entropy": spectral_entropy(sizes),
        "lambda_max": lambda_max,
    }


def coherence(lambda_max: float) -> str:
    """``"critical"`` above 0.04, ``"global"`` above 0.01, else ``"local"``."""
    return "critical" if lambda_max > CRITICAL else "global" if lambda_max > GLOBAL else "local"


def novelty(distance: float, change: float) -> float:
    """0.7 · min(distance / EPS, 1) + 0.3 · min(change, 1): in [0, 1]."""
    return DISTANCE_WEIGHT * min(distance / EPS, 1.0) + BETTI_WEIGHT * min(change, 1.0)


def betti_change(last: Sequence[float] | None, given: Sequence[float] | None) -> float:
    """Σ |difference| of two vectors of Betti numbers, the shorter padded with zeros; 0 unless both were given."""
    if last is None or given is None:
        return 0.0
    size = max(len(last), len(given))
    pairs = zip([*last, *[0.0] * (size - len(last))], [*given, *[0.0] * (size - len(given))], strict=True)
    return math.fsum(abs(new - old) for old, new in pairs)


def count_unseen(sizes: NDArray[np.float64], recent: Sequence[NDArray[np.float64]]) -> int:
    """How many magnitudes, each as a spectrum of one, are further than EPS from every recent spectrum."""
    unseen = np.ones(len(sizes), dtype=bool)
    for spectrum in recent:
        first, rest = (spectrum[0], spectrum[1:].sum()) if len(spectrum) else (0.0, 0.0)
        unseen &= (np.abs(sizes - first) + rest) / max(len(spectrum), 1) > EPS
    return int(unseen.sum())


def spectral_entropy(sizes: NDArray[np.float64]) -> float:
    """Shannon entropy of the normalised magnitudes in nats, in [0, ln n_modes]; 0 when all are zero.

    Sources
    -------
    Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x, sect. 6.
    """
    top = float(sizes.max())
    if top == 0.0:
        return 0.0
    shares = sizes / top  # first by the largest: the sum of large magnitudes may be beyond float64
    shares = shares / shares.sum()
    shares = shares[shares > 0.0]  # last: a subnormal share may vanish in the division
    return max(0.0, float(-(shares * np.log(shares)).sum()))


def check_betti(betti_numbers: Sequence[float] | None) -> tuple[float, ...] | None:
    """Betti numbers as a tuple of finite numbers >= 0; None when they are not given or empty.

    Raises
    ------
    BadInput
        One is missing, negative, NaN or infinite, or it is no sequence of numbers.
    """
    if betti_numbers is None:
        return None
    try:
        numbers = tuple(float(number) for number in betti_numbers)
    except (TypeError, ValueError) as error:
        raise BadInput(f"betti_numbers: expected a sequence of numbers, got {betti_numbers!r:.80}") from error
    if not all(math.isfinite(number) and number >= 0 for number in numbers):
        raise BadInput(f"betti_numbers: expected finite numbers >= 0, got {list(numbers)}; leave undecided ones out")
    return numbers or None
