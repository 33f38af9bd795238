"""The stores that ours is compared with. Each keeps the fields that our rows have, vertices included, and computes
the same BLAKE2b id; none checks its input, as ours does.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import Any

from benchmarks.legacy import LegacyRegistry
from benchmarks.paired_rounds import BETTI, DIM, N_POINTS, Cloud, Opener, make_clouds

COLUMNS = (
    ("row_id", "INTEGER"),
    ("shape_id", "TEXT"),
    ("timestamp", "INTEGER"),
    ("betti0", "REAL"),
    ("betti1", "REAL"),
    ("betti2", "REAL"),
    ("vertices_hash", "TEXT"),
    ("coherence_band", "TEXT"),
    ("metadata", "TEXT"),
    ("_schema", "TEXT"),
    ("betti_status", "TEXT"),
    ("betti_rule", "TEXT"),
    ("vertices_dtype", "TEXT"),
    ("vertices_shape", "TEXT"),
    ("vertices", "BLOB"),
)
_SHAPE = (N_POINTS, DIM)
_SEEDED = blake2b(f"<f8{_SHAPE}".encode(), digest_size=16)
_SHAPE_TEXT = json.dumps(_SHAPE)
_INSERT = f"INSERT INTO shapes VALUES ({', '.join('?' * len(COLUMNS))})"
_CREATE = f"CREATE TABLE shapes ({', '.join(f'{name} {kind}' for name, kind in COLUMNS)})"


def fields(cloud: Cloud) -> tuple[Any, ...]:
    """One row as everybody stores it, in the order of ``COLUMNS``; the second is the id."""
    data = cloud.tobytes()
    hasher = _SEEDED.copy()
    hasher.update(data)
    digest = hasher.hexdigest()
    now = time.time_ns()
    head = (now, "shape_" + digest, now // 1000, *BETTI, digest)
    return *head, "local", "{}", "v1", "given", None, "<f8", _SHAPE_TEXT, data


class Sqlite:
    """WAL mode, no index, one commit a row (or one for many)."""

    def __init__(self, folder: Path, synchronous: str) -> None:
        self._base = sqlite3.connect(folder / "peer.sqlite", isolation_level=None)  # a statement is a transaction
        self._base.execute("PRAGMA journal_mode=WAL")
        self._base.execute(f"PRAGMA synchronous={synchronous}")
        self._base.execute(_CREATE.replace("row_id INTEGER", "row_id INTEGER PRIMARY KEY"))

    def record(self, cloud: Cloud) -> str:
        """The id of a cloud, which is committed."""
        row = fields(cloud)
        self._base.execute(_INSERT, row)
        return str(row[1])

    def record_all(self, clouds: Sequence[Cloud]) -> None:
        """Commit many clouds in one transaction."""
        self._base.execute("BEGIN")
        self._base.executemany(_INSERT, map(fields, clouds))
        self._base.execute("COMMIT")

    def close(self) -> None:
        """Move the log into the file."""
        self._base.close()


class Lmdb:
    """One transaction a row; with ``sync=False`` it survives what our default survives."""

    def __init__(self, folder: Path, sync: bool) -> None:
        import lmdb

        self._base = lmdb.open(str(folder / "peer.lmdb"), map_size=2**32, sync=sync, metasync=sync)

    def record(self, cloud: Cloud) -> str:
        """The id of a cloud, which is committed."""
        row = fields(cloud)
        text = "\0".join(map(str, row[1:-1])).encode()
        with self._base.begin(write=True) as transaction:
            transaction.put(row[0].to_bytes(8, "big"), text + row[-1], append=True)
        return str(row[1])

    def close(self) -> None:
        """Close the file."""
        self._base.close()


class Duckdb:
    """One commit a row, which DuckDB syncs each time."""

    def __init__(self, folder: Path) -> None:
        import duckdb

        self._base = duckdb.connect(str(folder / "peer.duckdb"))
        self._base.execute(_CREATE.replace("INTEGER", "BIGINT").replace("REAL", "DOUBLE"))

    def record(self, cloud: Cloud) -> str:
        """The id of a cloud, which is committed."""
        row = fields(cloud)
        self._base.execute(_INSERT, row)
        return str(row[1])

    def close(self) -> None:
        """Close the file."""
        self._base.close()


class Delta:
    """One commit a row, one Parquet file a commit, none of them synced."""

    def __init__(self, folder: Path) -> None:
        self._path = str(folder / "peer.delta")

    def record(self, cloud: Cloud) -> str:
        """The id of a cloud, which is committed."""
        import pyarrow as pa
        from deltalake import write_deltalake

        row = fields(cloud)
        kinds = {"INTEGER": pa.int64(), "REAL": pa.float64(), "TEXT": pa.string(), "BLOB": pa.binary()}
        columns = {name: pa.array([value], kinds[kind]) for (name, kind), value in zip(COLUMNS, row, strict=True)}
        write_deltalake(self._path, pa.table(columns), mode="append")
        return str(row[1])

    def close(self) -> None:
        """Do nothing: there is no open file."""


class Ours:
    """The registry, Betti numbers given, vertices kept."""

    def __init__(self, folder: Path, n_rows: int = 0, **options: Any) -> None:
        from toriwork.registry import TorusRegistry

        self.registry = TorusRegistry(folder / "torus_registry.parquet", **options)
        if n_rows:
            self.registry.record_shapes(make_clouds(n_rows, seed=1), [BETTI] * n_rows)
            self.registry.flush(publish=True)

    def record(self, cloud: Cloud) -> str:
        """The id of a cloud, which survives the death of the process (or a power cut)."""
        return self.registry.record_shape(cloud, BETTI)

    def close(self) -> None:
        """Flush, publish what a close publishes, give up the files."""
        self.registry.close()


OPENERS: dict[str, Opener] = {
    "toriwork": Ours,
    "toriwork power": partial(Ours, durability="power"),
    "SQLite WAL/OFF": partial(Sqlite, synchronous="OFF"),
    "SQLite WAL/NORMAL": partial(Sqlite, synchronous="NORMAL"),
    "SQLite WAL/FULL": partial(Sqlite, synchronous="FULL"),
    "LMDB sync=False": partial(Lmdb, sync=False),
    "LMDB sync=True": partial(Lmdb, sync=True),
    "DuckDB": Duckdb,
    "Delta": Delta,
    "legacy": LegacyRegistry,
}
