"""CurvatureAwareGuard - damps a state before its eigenvalues blow up."""

import logging
import time
from collections import deque
from typing import Any, Callable, Dict, List, Tuple

import numpy as np

logger = logging.getLogger(__name__)

BASE_THRESHOLD = 1.0
CURVATURE_SENSITIVITY = 0.5
DAMPING_RATE = 0.1
EMERGENCY_THRESHOLD = 2.0


class CurvatureAwareGuard:
    """Watches the largest eigenvalue; the threshold falls where the state is bent."""

    def __init__(self, state_dim: int = 100):
        self.state_dim = state_dim
        self.history: deque = deque(maxlen=1000)
        self.subscribers: List[Callable[[Dict[str, Any]], None]] = []

    def subscribe(self, callback):
        self.subscribers.append(callback)

    @staticmethod
    def _as_field(state):
        values = np.abs(state) if np.iscomplexobj(state) else np.asarray(state, dtype=float)
        side = int(round(np.sqrt(values.size)))
        if values.ndim == 1 and side * side == values.size:
            values = values.reshape(side, side)
        return values

    def compute_local_curvature(self, state) -> Dict[str, float]:
        """Mean |H| (the sum of the principal curvatures) and mean Gaussian curvature."""
        f = self._as_field(state)
        if f.size == 0 or min(f.shape) < 2:
            return {"mean_curvature": 0.0, "gaussian_curvature": 0.0}
        if f.ndim == 1:
            slope = np.gradient(f)
            kappa = np.abs(np.gradient(slope)) / (1 + slope**2) ** 1.5
            return {"mean_curvature": float(np.mean(kappa)), "gaussian_curvature": 0.0}
        f_x, f_y = np.gradient(f)
        f_xx, f_xy = np.gradient(f_x)
        f_yy = np.gradient(f_y, axis=1)
        w = 1 + f_x**2 + f_y**2
        h = (f_xx * (1 + f_y**2) - 2 * f_x * f_y * f_xy + f_yy * (1 + f_x**2)) / w**1.5
        k = (f_xx * f_yy - f_xy**2) / w**2
        return {"mean_curvature": float(np.mean(np.abs(h))), "gaussian_curvature": float(np.mean(k))}

    def check_eigenvalues(self, eigenvalues, state) -> Dict[str, Any]:
        """What a spectrum calls for in a state."""
        curvature = self.compute_local_curvature(state)["mean_curvature"]
        threshold = float(np.clip(BASE_THRESHOLD / (1 + CURVATURE_SENSITIVITY * curvature), 0.5, 2.0))
        max_eigenvalue = float(np.max(np.real(eigenvalues)))

        if max_eigenvalue > EMERGENCY_THRESHOLD:
            action, factor = "emergency_damp", 0.5
        elif max_eigenvalue > threshold:
            action, factor = "adaptive_damp", DAMPING_RATE * (1 + max_eigenvalue - threshold)
        else:
            action, factor = "none", 0.0

        result = {
            "timestamp": time.time(),
            "max_eigenvalue": max_eigenvalue,
            "threshold": threshold,
            "curvature": curvature,
            "action": action,
            "damping_factor": factor,
        }
        self.history.append(result)
        for callback in self.subscribers:
            callback(result)
        return result

    def apply_damping(self, state, factor: float):
        f = self._as_field(state)
        if f.ndim == 1 or min(f.shape) < 2:
            return np.asarray(state) * (1 - factor)
        f_x, f_y = np.gradient(f)
        bend = np.abs(np.gradient(f_x, axis=0)) + np.abs(np.gradient(f_y, axis=1))
        mean = self.compute_local_curvature(state)["mean_curvature"]
        profile = 1 - np.tanh(bend / mean) if mean > 0 else np.ones_like(f)
        return np.asarray(state) * (1 - factor * profile.reshape(np.shape(state)))

    def inject_synthetic_blowup(self) -> Tuple[np.ndarray, np.ndarray]:
        axis = np.linspace(-5, 5, 64)
        x, y = np.meshgrid(axis, axis)
        eigenvalues = np.random.randn(10) + 1j * np.random.randn(10)
        eigenvalues[0] = 2.5
        return np.exp(-(x**2 + y**2) / 0.5).ravel(), eigenvalues
