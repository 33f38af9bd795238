"""BraidAggregator - events on three time scales."""

import asyncio
import logging
import time
from collections import deque
from typing import Any, Dict, List, Optional

import numpy as np

from alan_backend.origin_sentry import DATA_DIR, OriginSentry, SpectralDB

logger = logging.getLogger(__name__)

# name: (capacity, window in s, schedule in s, look-back in s)
SCALES = {"micro": (10000, 1e-3, 0.1, 1e-3), "meso": (1000, 60.0, 10.0, 10.0), "macro": (100, 3600.0, 300.0, 600.0)}
NEXT = {"micro": "meso", "meso": "macro"}


class BraidAggregator:
    """Thins events out from scale to scale and watches the summaries for novelty."""

    def __init__(self, origin_sentry: Optional[OriginSentry] = None):
        self.origin_sentry = origin_sentry or OriginSentry(SpectralDB(DATA_DIR / "braid.db"), name="braid_aggregator")
        self.buffers = {name: deque(maxlen=scale[0]) for name, scale in SCALES.items()}
        self.waiting: Dict[str, List[Dict[str, Any]]] = {name: [] for name in SCALES}
        self.timeline = {name: deque(maxlen=1000) for name in SCALES}
        self.running = False
        self.recorded = 0

    def record_event(self, kind, lambda_max=None, betti=None, data=None):
        """Put an event into the micro buffer."""
        data = dict(data or {})
        vertices = data.pop("vertices", None)
        if betti is None and vertices is not None:
            betti = self._compute_betti(vertices)
        self.recorded += 1
        self._put("micro", {"time": time.time(), "kind": kind, "lambda_max": lambda_max, "betti": betti, "data": data})

    def _compute_betti(self, vertices) -> List[float]:
        """Components by union-find at the median edge; loops by counting edges."""
        points = np.asarray(vertices, dtype=float)
        parent = list(range(len(points)))

        def find(i):
            while parent[i] != i:
                parent[i] = parent[parent[i]]
                i = parent[i]
            return i

        pairs = [(i, j) for i in range(len(points)) for j in range(i)]
        lengths = [float(np.linalg.norm(points[i] - points[j])) for i, j in pairs]
        scale = float(np.median(lengths)) / 2 if lengths else 0.0
        edges = 0
        for (i, j), length in zip(pairs, lengths):
            if length <= scale:
                edges += 1
                parent[find(i)] = find(j)
        b0 = len({find(i) for i in range(len(points))})
        b1 = max(0, edges - len(points) + b0)
        return [float(b0), float(b1)]

    def _put(self, scale, event):
        self.buffers[scale].append(event)
        self.waiting[scale].append(event)
        if scale in NEXT and len(self.buffers[scale]) >= 0.9 * SCALES[scale][0]:
            while len(self.waiting[scale]) >= 10:
                chunk, self.waiting[scale] = self.waiting[scale][:10], self.waiting[scale][10:]
                self._put(NEXT[scale], self._merge(chunk))

    @staticmethod
    def _merge(chunk):
        lambdas = [event["lambda_max"] for event in chunk if event["lambda_max"] is not None]
        bettis = [event["betti"] for event in chunk if event["betti"] is not None]
        return {
            "time": chunk[len(chunk) // 2]["time"],
            "kind": "aggregate",
            "lambda_max": max(lambdas, default=None),
            "betti": np.max(bettis, axis=0).tolist() if bettis else None,
            "data": {},
        }

    def aggregate_once(self, scale: str) -> Dict[str, Any]:
        """Summarise one scale now."""
        _, window, _, look_back = SCALES[scale]
        now = time.time()
        events = [event for event in self.buffers[scale] if now - event["time"] <= window]
        lambdas = [event["lambda_max"] for event in events if event["lambda_max"] is not None]
        bettis = [event["betti"] for event in events if event["betti"] is not None]
        summary = {
            "scale": scale,
            "timestamp": now,
            "event_count": len(events),
            "lambda_max": max(lambdas, default=0.0),
            "lambda_mean": float(np.mean(lambdas)) if lambdas else 0.0,
            "lambda_std": float(np.std(lambdas)) if lambdas else 0.0,
            "lambda_last": lambdas[-10:],
            "betti_max": np.max(bettis, axis=0).tolist() if bettis else [],
            "betti_mean": np.mean(bettis, axis=0).tolist() if bettis else [],
            "spike": False,
        }
        if summary["lambda_max"] > 0:
            found = self.origin_sentry.classify(summary["lambda_last"], summary["betti_max"] or None)
            summary["novelty_score"] = found["novelty_score"]
            summary["spike"] = found["novelty_score"] > 0.7
            if summary["spike"]:
                for event in self.buffers[scale]:
                    if now - event["time"] <= look_back:
                        event["retro_label"] = f"novelty_spike_{scale}"
        self.timeline[scale].append(summary)
        return summary

    async def start(self):
        self.running = True
        await asyncio.gather(*(self._loop(scale) for scale in SCALES))

    async def _loop(self, scale):
        while self.running:
            self.aggregate_once(scale)
            await asyncio.sleep(SCALES[scale][2])

    async def stop(self):
        self.running = False

    def get_spectral_timeline(self, scale: str = "meso") -> List[Dict[str, Any]]:
        return list(self.timeline[scale])

    def get_status(self) -> Dict[str, Any]:
        return {"running": self.running, "recorded": self.recorded, "events": {k: len(v) for k, v in self.buffers.items()}}
