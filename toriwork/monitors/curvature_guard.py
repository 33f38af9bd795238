"""CurvatureAwareGuard: the largest eigenvalue against a threshold that falls where the state is bent.

The arithmetic is in :mod:`toriwork.monitors.curvature`. Everything here is plain calls: no event loop is needed.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toriwork.errors import BadInput
from toriwork.monitors.base import ObservingMonitor, call_back, check_callback, check_count
from toriwork.monitors.curvature import CurvatureMetrics, as_graph, damped, decide, local_curvature, threshold_at
from toriwork.registry.spectral import check_spectrum
from toriwork.synthesis import ObserverSynthesis

MAX_HISTORY = 1000
SHOWN_MODES = 16  #: of each spectrum in the history
NEAR = 0.8  #: of the threshold, above which a token goes into the context
_BLOWUP_SIDE, _BLOWUP_REACH, _BLOWUP_MODES, _BLOWUP_TOP = 64, 5.0, 10, 2.5

Subscriber = Callable[[dict[str, Any]], Any]


class CurvatureAwareGuard(ObservingMonitor):
    """A guard over eigenvalues; safe to use from several threads.

    Parameters
    ----------
    state_dim : int
        How long states usually are; a state of another length is read all the same, by its own length.
    rng : numpy.random.Generator, optional
        For :meth:`inject_synthetic_blowup` alone; seeded from the system when not given.
    synthesis, clock
        See :class:`~toriwork.monitors.base.ObservingMonitor`.

    Raises
    ------
    BadInput
        ``state_dim`` is no positive whole number.

    Examples
    --------
    >>> import numpy as np
    >>> from toriwork import CurvatureAwareGuard
    >>> found = CurvatureAwareGuard().check_eigenvalues([1.5, 0.2], np.zeros(100))
    >>> found["action"], found["threshold"], round(found["damping_factor"], 3)
    ('adaptive_damp', 1.0, 0.15)
    """

    kind = "curvature"
    source = "eigensentry"

    def __init__(
        self,
        state_dim: int = 100,
        *,
        rng: np.random.Generator | None = None,
        synthesis: ObserverSynthesis | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        super().__init__(None, synthesis, clock)
        self.state_dim = check_count("state_dim", state_dim)
        self._rng = np.random.default_rng() if rng is None else rng
        self._history: deque[dict[str, Any]] = deque(maxlen=MAX_HISTORY)
        self._subscribers: list[Subscriber] = []
        self._actions = {"none": 0, "adaptive_damp": 0, "emergency_damp": 0}

    def check_eigenvalues(self, eigenvalues: ArrayLike, state: ArrayLike) -> dict[str, Any]:
        """The action that a spectrum calls for in a state.

        Parameters
        ----------
        eigenvalues : array_like of shape (n_modes,)
            Real or complex, finite, n_modes >= 1; the largest real part counts.
        state : array_like
            See :func:`toriwork.monitors.curvature.as_graph`.

        Returns
        -------
        dict
            ``timestamp`` (seconds), ``max_eigenvalue``, ``threshold`` in [0.5, 1] (1 / (1 + curvature / 2)),
            ``curvature`` (mean of ``|κ₁ + κ₂|`` over a field: twice the geometers' mean curvature; mean κ on a curve),
            ``action`` ("emergency_damp" above 2, "adaptive_damp" above the threshold, else "none") and
            ``damping_factor`` for :meth:`apply_damping`.

        Raises
        ------
        BadInput
            Eigenvalues or state are not usable; nothing was counted.
        """
        spectrum = check_spectrum(eigenvalues)
        if not len(spectrum):
            raise BadInput("eigenvalues: expected at least one, got none")
        bent = local_curvature(as_graph(state))
        top = float(spectrum.real.max())
        threshold = threshold_at(bent.mean_curvature)
        action, factor = decide(top, threshold)
        result = {
            "timestamp": self._clock(),
            "max_eigenvalue": top,
            "threshold": threshold,
            "curvature": bent.mean_curvature,
            "action": action,
            "damping_factor": factor,
        }
        with self._lock:
            self._actions[action] += 1
            self._history.append({**result, "spectrum": np.sort(spectrum.real)[::-1][:SHOWN_MODES].tolist()})
            subscribers = list(self._subscribers)
            self._tell(result, bent, len(spectrum))
        for callback in subscribers:
            call_back(callback, result)
        return result

    def _tell(self, result: dict[str, Any], bent: CurvatureMetrics, n_modes: int) -> None:
        measured = {key: value for key, value in result.items() if key != "timestamp"}
        measured |= {"gaussian_curvature": bent.gaussian_curvature, "n_modes": n_modes}
        matters = result["action"] != "none" or result["max_eigenvalue"] > NEAR * result["threshold"]
        self._emit(measured, matters=matters, at=result["timestamp"])

    def compute_local_curvature(self, state: ArrayLike) -> CurvatureMetrics:
        """``mean_curvature`` (mean of ``|κ₁ + κ₂|``, twice the geometers' mean curvature) and ``gaussian_curvature``
        (mean of κ₁ κ₂, 0 for a curve) of a state; see :meth:`check_eigenvalues`. Nothing is counted or emitted.
        """
        return local_curvature(as_graph(state))

    def apply_damping(self, state: ArrayLike, factor: float) -> NDArray[Any]:
        """The state, damped most where it is flat; see :func:`toriwork.monitors.curvature.damped`."""
        return damped(state, factor)

    def inject_synthetic_blowup(self) -> tuple[NDArray[np.float64], NDArray[np.complex128]]:
        """A state and a spectrum for which the guard has something to do.

        The loop check, apply_damping, eigenvalues times 1 − 0.1 · factor ends below the threshold within 300 steps.
        That proves arithmetic: the eigenvalues are scaled by hand, it says nothing about the stability of any system.

        Returns
        -------
        state : (4096,) float64
            exp(−(x² + y²) / 0.5) on 64 × 64 points over [−5, 5]², flattened.
        eigenvalues : (10,) complex128
            Standard normal real and imaginary parts, the first is 2.5.
        """
        axis = np.linspace(-_BLOWUP_REACH, _BLOWUP_REACH, _BLOWUP_SIDE)
        x, y = np.meshgrid(axis, axis)
        parts = self._rng.standard_normal((2, _BLOWUP_MODES))
        eigenvalues = parts[0] + 1j * parts[1]
        eigenvalues[0] = _BLOWUP_TOP
        return np.exp(-(x**2 + y**2) / 0.5).ravel(), eigenvalues

    # ---- who listens ---------------------------------------------------------------------------------------------

    def subscribe(self, callback: Subscriber) -> Callable[[], None]:
        """A function that ends the subscription; until then the callback gets a copy of every result.

        It is called in the thread that checks, after the check; errors of it are logged. BadInput: no plain function.
        """
        check_callback(callback)
        with self._lock:
            self._subscribers.append(callback)

        def unsubscribe() -> None:
            with self._lock:
                if callback in self._subscribers:
                    self._subscribers.remove(callback)

        return unsubscribe

    @property
    def metrics(self) -> dict[str, int]:
        """``checks`` and how many of them called for each action."""
        with self._lock:
            return {"checks": sum(self._actions.values()), **self._actions}

    @property
    def history(self) -> list[dict[str, Any]]:
        """The last at most 1000 results, oldest first, each with ``spectrum``: the 16 largest real parts."""
        with self._lock:
            return [dict(result) for result in self._history]

    def __repr__(self) -> str:
        facts = ", ".join(f"{name}={count}" for name, count in self.metrics.items())
        return f"CurvatureAwareGuard(state_dim={self.state_dim}): {facts}"
