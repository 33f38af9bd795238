"""The legacy registry in forty lines: one DataFrame in memory, the whole file written every 100 rows.

It keeps no vertices, syncs nothing, and up to 99 rows die with the process.
"""

from __future__ import annotations

import datetime as dt
import json
from hashlib import blake2b
from pathlib import Path

import pandas as pd

from benchmarks.paired_rounds import BETTI, Cloud

FLUSH_EVERY = 100


class LegacyRegistry:
    """Rows in a list, then in a DataFrame, then in a file that is written anew from its first row."""

    def __init__(self, folder: Path, n_rows: int = 0) -> None:
        self.path = folder / "torus_registry.parquet"
        self._waiting: list[dict[str, object]] = []
        self.df = pd.DataFrame([self._row(f"{number:032x}", "local") for number in range(n_rows)])

    @staticmethod
    def _row(digest: str, band: str) -> dict[str, object]:
        return {
            "shape_id": "shape_" + digest[:12],
            "timestamp": dt.datetime.now(dt.UTC).isoformat(),
            **{f"betti{k}": number for k, number in enumerate(BETTI)},
            "vertices_hash": digest,
            "coherence_band": band,
            "metadata": json.dumps({}),
            "_schema": "v1",
        }

    def record(self, cloud: Cloud) -> str:
        """The id of a cloud, whose row is in memory."""
        row = self._row(blake2b(cloud.tobytes(), digest_size=16).hexdigest(), "local")
        self._waiting.append(row)
        if len(self._waiting) >= FLUSH_EVERY:
            self.flush()
        return str(row["shape_id"])

    def flush(self) -> None:
        """Write everything that was ever recorded."""
        self.df = pd.concat([self.df, pd.DataFrame(self._waiting)], ignore_index=True)
        self._waiting = []
        self.df.to_parquet(self.path)

    close = flush
