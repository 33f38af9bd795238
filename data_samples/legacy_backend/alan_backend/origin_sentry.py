#!/usr/bin/env python3
"""
OriginSentry - detects spectral novelty and dimensional emergence.

Keeps every spectrum it has seen in an SQLite database.
"""

import json
import logging
import sqlite3
import sys
import time
from collections import deque
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import numpy as np

logger = logging.getLogger(__name__)

# thresholds
EPS = 0.01  # minimum distance of a new dimension
GAP_MIN = 0.02
COHERENCE_CRITICAL, COHERENCE_GLOBAL = 0.04, 0.01

DATA_DIR = Path(__file__).resolve().parents[1] / "data"
DEFAULT_DB = DATA_DIR / "spectral.db"


@dataclass
class SpectralSignature:
    """One spectrum and what was known about it."""

    timestamp: float
    eigenvalues: np.ndarray
    hash_id: str
    betti_numbers: Optional[List[float]] = None
    coherence_state: str = "local"
    gaps: List[float] = field(default_factory=list)


class SpectralDB:
    """Database of spectral signatures (SQLite)."""

    SCHEMA = """
    CREATE TABLE IF NOT EXISTS signatures (
        id INTEGER PRIMARY KEY,
        hash_id TEXT NOT NULL,
        timestamp REAL NOT NULL,
        eigenvalues BLOB NOT NULL,   -- float64, little-endian
        betti TEXT,                  -- JSON list
        coherence TEXT NOT NULL,
        gaps TEXT
    );
    CREATE INDEX IF NOT EXISTS signatures_by_time ON signatures (timestamp);
    CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value);
    INSERT OR IGNORE INTO facts VALUES ('schema', 2), ('unit', '1/s');
    """

    def __init__(self, db_path=None, max_entries: int = 10000):
        self.db_path = Path(db_path or DEFAULT_DB)
        self.max_entries = max_entries
        self.db_path.parent.mkdir(parents=True, exist_ok=True)
        self.conn = sqlite3.connect(str(self.db_path))
        self._create_tables()

    def _create_tables(self):
        with self.conn:
            self.conn.executescript(self.SCHEMA)

    # --- writing -------------------------------------------------------------

    def add(self, signature: SpectralSignature) -> int:
        """Store a signature, forget the oldest beyond max_entries."""
        betti = signature.betti_numbers
        with self.conn:
            cursor = self.conn.execute(
                "INSERT INTO signatures (hash_id, timestamp, eigenvalues, betti, coherence, gaps)"
                " VALUES (?, ?, ?, ?, ?, ?)",
                (
                    signature.hash_id,
                    signature.timestamp,
                    np.asarray(signature.eigenvalues, dtype="<f8").tobytes(),
                    None if betti is None else json.dumps([float(b) for b in betti]),
                    signature.coherence_state,
                    json.dumps([float(g) for g in signature.gaps]),
                ),
            )
            self.conn.execute(
                "DELETE FROM signatures WHERE id <= (SELECT MAX(id) FROM signatures) - ?", (self.max_entries,)
            )
        return cursor.lastrowid

    # --- reading -------------------------------------------------------------

    def distance(self, eigenvalues, top_k: int = 10) -> float:
        """Distance to the nearest of the newest top_k signatures."""
        rows = self.conn.execute("SELECT eigenvalues FROM signatures ORDER BY id DESC LIMIT ?", (top_k,)).fetchall()
        if not rows:
            return float("inf")
        wanted = np.sort(np.abs(np.asarray(eigenvalues)))[::-1]
        return min(self._compare(wanted, np.frombuffer(row[0], dtype="<f8")) for row in rows)

    @staticmethod
    def _compare(a, b) -> float:
        b = np.sort(np.abs(b))[::-1]
        n = max(len(a), len(b))
        # pads the large end
        a = np.pad(a, (n - len(a), 0))
        b = np.pad(b, (n - len(b), 0))
        return float(np.mean(np.abs(a - b)))

    def recent(self, n: int = 10) -> List[SpectralSignature]:
        """The newest signatures, newest first."""
        rows = self.conn.execute(
            "SELECT timestamp, eigenvalues, hash_id, betti, coherence, gaps FROM signatures ORDER BY id DESC LIMIT ?",
            (n,),
        )
        return [
            SpectralSignature(
                timestamp=row[0],
                eigenvalues=np.frombuffer(row[1], dtype="<f8"),
                hash_id=row[2],
                betti_numbers=None if row[3] is None else json.loads(row[3]),
                coherence_state=row[4],
                gaps=json.loads(row[5] or "[]"),
            )
            for row in rows
        ]

    def count(self) -> int:
        """How many signatures are stored."""
        return self.conn.execute("SELECT COUNT(*) FROM signatures").fetchone()[0]

    def get_statistics(self) -> Dict[str, Any]:
        size = self.db_path.stat().st_size / 2**20
        return {"entries": self.count(), "size_mb": size, "max_entries": self.max_entries}

    def describe(self) -> str:
        # used by the operators' console
        return f"{self.count()} spectra, at most {self.max_entries}"

    def close(self):
        self.conn.close()


def betti_from_vertices(vertices, threshold: float = 0.01) -> Tuple[float, float]:
    """Betti numbers of a point cloud: counts the bars that are longer than the threshold."""
    vertices = np.asarray(vertices, dtype=float)
    n = len(vertices)
    if n == 0:
        return 0.0, 0.0
    distances = np.linalg.norm(vertices[:, None, :] - vertices[None, :, :], axis=-1)
    # minimum spanning tree: its edges are the finite bars of dimension 0
    in_tree, best, bars = [0], distances[0].copy(), []
    while len(in_tree) < n:
        best[in_tree] = np.inf
        nearest = int(np.argmin(best))
        bars.append(best[nearest])
        in_tree.append(nearest)
        best = np.minimum(best, distances[nearest])
    b0 = 1 + sum(bar > threshold for bar in bars)
    scale = float(np.median(bars)) if bars else 0.0
    edges = int((np.triu(distances, 1)[np.triu_indices(n, 1)] <= scale).sum())
    return float(b0), float(max(0, edges - n + 1))


class OriginSentry:
    """Detects novelty in a stream of spectra."""

    def __init__(self, spectral_db: Optional[SpectralDB] = None, name: str = "origin_sentry"):
        self.name = name
        self.spectral_db = spectral_db or SpectralDB()
        self.last_coherence = "local"
        self.last_betti: Optional[List[float]] = None
        self.novelty_history: deque = deque(maxlen=1000)
        self.metrics = {"total_classifications": 0, "dim_expansions": 0, "gap_births": 0, "coherence_transitions": 0}

    def classify(self, eigenvalues, betti_numbers: Optional[List[float]] = None) -> Dict[str, Any]:
        """Classify one spectrum and store it."""
        magnitudes = np.sort(np.abs(np.asarray(eigenvalues)))[::-1]
        lambda_max = float(magnitudes[0])
        coherence = self._coherence(lambda_max)
        gaps = [float(a - b) for a, b in zip(magnitudes[:-1], magnitudes[1:])]
        gap_birth = any(gap > GAP_MIN for gap in gaps)

        distance = self.spectral_db.distance(magnitudes)
        dim_expansion = distance > EPS
        unseen = sum(self.spectral_db.distance([m]) > EPS for m in magnitudes) if dim_expansion else 0

        novelty = self._novelty(distance, betti_numbers)
        transition = coherence != self.last_coherence
        self.last_coherence = coherence
        self.novelty_history.append(novelty)
        for key, seen in (
            ("total_classifications", True),
            ("dim_expansions", dim_expansion),
            ("gap_births", gap_birth),
            ("coherence_transitions", transition),
        ):
            self.metrics[key] += bool(seen)

        signature = SpectralSignature(
            timestamp=time.time(),
            eigenvalues=np.asarray(eigenvalues),
            hash_id=f"{self.name}_{self.metrics['total_classifications']}",
            betti_numbers=betti_numbers,
            coherence_state=coherence,
            gaps=gaps,
        )
        self.spectral_db.add(signature)

        return {
            "dim_expansion": bool(dim_expansion),
            "unseen_modes": int(unseen),
            "gap_birth": gap_birth,
            "gaps": gaps,
            "coherence": coherence,
            "coherence_transition": transition,
            "novelty_score": novelty,
            "spectral_entropy": self._entropy(magnitudes),
            "lambda_max": lambda_max,
            "metrics": dict(self.metrics),
        }

    def classify_cloud(self, eigenvalues, vertices) -> Dict[str, Any]:
        """Classify a spectrum together with the cloud it came from."""
        return self.classify(eigenvalues, list(betti_from_vertices(vertices)))

    @staticmethod
    def _coherence(lambda_max: float) -> str:
        if lambda_max > COHERENCE_CRITICAL:
            return "critical"
        return "global" if lambda_max > COHERENCE_GLOBAL else "local"

    def _novelty(self, distance: float, betti_numbers) -> float:
        change = 0.0
        if betti_numbers is not None and len(betti_numbers):
            new = [float(b) for b in betti_numbers]
            if self.last_betti is not None:
                size = max(len(new), len(self.last_betti))
                old = self.last_betti + [0.0] * (size - len(self.last_betti))
                change = sum(abs(a - b) for a, b in zip(new + [0.0] * (size - len(new)), old))
            self.last_betti = new
        return 0.7 * min(distance / EPS, 1.0) + 0.3 * min(change, 1.0)

    @staticmethod
    def _entropy(magnitudes) -> float:
        total = magnitudes.sum()
        if total == 0:
            return 0.0
        shares = magnitudes[magnitudes > 0] / total
        return float(-(shares * np.log(shares)).sum())

    def should_inject_entropy(self, threshold_high: float = 0.7, threshold_low: float = 0.2) -> Tuple[bool, float]:
        novelty = self.novelty_history[-1] if self.novelty_history else 0.0
        if novelty > threshold_high:
            return True, 1.5
        if novelty < threshold_low:
            return True, 0.8
        return False, 1.0

    def get_emergence_report(self) -> Dict[str, Any]:
        return {
            "coherence": self.last_coherence,
            "novelty": self.novelty_history[-1] if self.novelty_history else 0.0,
            "signatures": self.spectral_db.count(),
            "metrics": dict(self.metrics),
        }


def main(argv=None) -> int:
    """Classify the spectra of a file, one a line; without one, say where the sentry stands."""
    argv = sys.argv[1:] if argv is None else argv
    Path("logs").mkdir(exist_ok=True)
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        handlers=[logging.StreamHandler(), logging.FileHandler("logs/alan.log", encoding="utf-8")],
    )
    sentry = OriginSentry()
    for name in argv:
        for line in Path(name).read_text(encoding="utf-8").splitlines():
            if line.strip():
                found = sentry.classify([float(word) for word in line.replace(",", " ").split()])
                logger.info("OriginSentry: %s, novelty=%.3f", found["coherence"], found["novelty_score"])
    logger.info("%s", json.dumps(sentry.get_emergence_report()))
    sentry.spectral_db.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
