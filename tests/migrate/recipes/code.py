"""Small snippets through all recipes."""

from __future__ import annotations

import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from tests.migrate.fixtures import build
from toriwork.migrate.recipes import Rewritten, World, rewrite
from toriwork.migrate.recipes.source import Outcome
from toriwork.migrate.recipes.world import wakes

#: a class over SQLite of the one shape that is moved; tests put their own members behind it
STORE = '''
import json
import sqlite3

import numpy as np


class SpectralDB:
    """Keeps spectra."""

    SCHEMA = """
    CREATE TABLE IF NOT EXISTS signatures (
        id INTEGER PRIMARY KEY, hash_id TEXT NOT NULL, timestamp REAL NOT NULL, eigenvalues BLOB NOT NULL,
        betti TEXT, coherence TEXT NOT NULL, gaps TEXT
    );
    """

    def __init__(self, db_path="spectral.db", max_entries=100):
        self.db_path = db_path
        self.max_entries = max_entries
        self.conn = sqlite3.connect(db_path)
        self._create()

    def _create(self):
        with self.conn:
            self.conn.executescript(self.SCHEMA)

    def add(self, signature):
        betti = signature.betti_numbers
        with self.conn:
            self.conn.execute(
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

    def distance(self, eigenvalues, top_k=10):
        rows = self.conn.execute("SELECT eigenvalues FROM signatures ORDER BY id DESC LIMIT ?", (top_k,)).fetchall()
        if not rows:
            return float("inf")
        wanted = np.sort(np.abs(np.asarray(eigenvalues)))[::-1]
        return min(self._compare(wanted, np.frombuffer(row[0], dtype="<f8")) for row in rows)

    @staticmethod
    def _compare(a, b):
        b = np.sort(np.abs(b))[::-1]
        n = max(len(a), len(b))
        a = np.pad(a, (0, n - len(a)))
        b = np.pad(b, (0, n - len(b)))
        return float(np.mean(np.abs(a - b)))
'''
RECENT = """
def recent(self, n=10):
    rows = self.conn.execute(
        "SELECT timestamp, eigenvalues, hash_id, betti, coherence, gaps FROM signatures ORDER BY id DESC LIMIT ?",
        (n,),
    )
    return [
        Row(
            timestamp=row[0],
            eigenvalues=np.frombuffer(row[1], dtype="<f8"),
            hash_id=row[2],
            betti_numbers=None if row[3] is None else json.loads(row[3]),
            coherence_state=row[4],
            gaps=json.loads(row[5] or "[]"),
        )
        for row in rows
    ]
"""


def clean(text: str) -> str:
    """A snippet as a test writes it, as a file has it."""
    return textwrap.dedent(text).lstrip("\n")


def rewritten(folder: Path, text: str | bytes, path: str = "module.py", **others: str) -> Rewritten:
    """What recipes make of one file; ``others`` are modules beside it."""
    source = text if isinstance(text, bytes) else clean(text).encode()
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source)
    build(folder, {"python/core/__init__.py": ""})  # what moved code imports from
    for name, other in others.items():
        (folder / f"{name}.py").write_text(clean(other))
    world = World.look(folder)
    if not wakes(source):  # what is left alone unparsed is what no recipe reacts to
        parsed = rewrite(path, source, world, ("none", lambda unit: Outcome()))
        assert parsed.after == source
        assert all(finding.recipe == "read" for finding in parsed.manual)
    return rewrite(path, source, world)


def after(folder: Path, text: str, path: str = "module.py", **others: str) -> str:
    """The text that becomes of a snippet, of which nothing may be left to a person."""
    found = rewritten(folder, text, path, **others)
    assert not found.manual
    return found.after.decode()


def make_store(path: Path, n_rows: int) -> None:
    """A database as the class of STORE makes it."""
    module: dict[str, Any] = {}
    exec(STORE, module)
    store = module["SpectralDB"](str(path))
    for n in range(n_rows):
        eigenvalues, told = [1.0 + n, 0.5, 0.25][: 1 + n % 3], {"betti_numbers": [1, n % 3], "gaps": [0.25]}
        store.add(
            SimpleNamespace(
                timestamp=float(n), eigenvalues=eigenvalues, hash_id=f"h{n}", coherence_state="global", **told
            )
        )
    store.conn.close()
