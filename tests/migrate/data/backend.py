"""A code base with data of every kind, and the smallest engine that runs steps in order and back."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np

from toriwork.codebase.index import CodebaseIndex
from toriwork.codebase.walk import BACKUP
from toriwork.migrate.data.find import find_data
from toriwork.migrate.data.steps import data_steps, retire_steps, step_from_dict
from toriwork.migrate.engine.plan import retired_entries
from toriwork.migrate.engine.restore_script import MANIFEST, state_of
from toriwork.migrate.engine.step import Run, Step

PLAN = "m-0123456789abcdef"


def spectra(n_rows: int, seed: int = 7) -> list[np.ndarray]:
    """Spectra of 3 to 8 modes, none near [0.05, 0.03, 0.02]."""
    rng = np.random.default_rng(seed)
    return [0.5 + rng.random(int(rng.integers(3, 9))) for _ in range(n_rows)]


def make_database(path: Path, n_rows: int = 40, *, wal: bool = False) -> list[np.ndarray]:
    """A legacy SpectralDB: eigenvalues as bytes, Betti numbers as JSON; row 5 was deleted."""
    made = spectra(n_rows)
    path.parent.mkdir(parents=True, exist_ok=True)
    with closing(sqlite3.connect(path)) as connection:
        if wal:
            connection.execute("PRAGMA journal_mode = wal")
        connection.execute(
            "CREATE TABLE signatures (id INTEGER PRIMARY KEY AUTOINCREMENT, timestamp REAL NOT NULL, hash_id TEXT, "
            "eigenvalues BLOB NOT NULL, n_eigenvalues INTEGER, betti_numbers TEXT, coherence_state TEXT, gaps TEXT)"
        )
        connection.execute("CREATE TABLE settings (key TEXT PRIMARY KEY, value)")
        connection.execute("INSERT INTO settings VALUES ('eps', 0.01), ('name', x'ff00')")
        for n, eigen in enumerate(made):
            row = (1.7e9 + n, f"h{n}", eigen.tobytes(), len(eigen), json.dumps([1, n % 3]), "GLOBAL", "[0.25]")
            names = "timestamp, hash_id, eigenvalues, n_eigenvalues, betti_numbers, coherence_state, gaps"
            connection.execute(f"INSERT INTO signatures ({names}) VALUES (?, ?, ?, ?, ?, ?, ?)", row)
        connection.execute("DELETE FROM signatures WHERE id = 5")
        connection.commit()
    return made[:4] + made[5:]


@dataclass
class Bench:
    """A code base under migration."""

    root: Path
    state_root: Path
    facts: dict[str, Any] = field(default_factory=dict)
    begun: list[Step] = field(default_factory=list)
    streams: dict[str, str] = field(default_factory=dict)  #: of the files that a class opens

    @property
    def run(self) -> Run:
        folder = self.root / ".toriwork" / "migrations" / PLAN
        return Run(self.root, self.state_root, PLAN, folder, self.root / BACKUP, self.facts)

    def plan(self) -> list[Step]:
        """All steps, as they come back from a plan file."""
        data = find_data(CodebaseIndex.scan(self.root).without([self.state_root]))
        steps = data_steps(data, self.streams) + retire_steps(data)
        return [step_from_dict(json.loads(json.dumps(step.describe()))) for step in steps]

    def apply(self, steps: Sequence[Step] | None = None) -> dict[str, Any]:
        if not (self.run.backup.folder / MANIFEST).exists():
            paths = [path for step in self.plan() for path in step.touches]
            entries = retired_entries(self.root, paths, {path: state_of(self.root / path) for path in paths})
            self.run.backup.make(self.root, entries, PLAN)
        for step in self.plan() if steps is None else steps:
            self.begun.append(step)
            self.facts[step.id] = step.do(self.run)
        return self.facts

    def undo(self) -> dict[str, Any]:
        done = {step.id: step.undo(self.run) for step in reversed(self.begun)}
        self.begun, self.facts = [], {}
        return done


def tree(root: Path) -> dict[str, tuple[Any, ...]]:
    """Every file, link and folder below a folder but those of the migration: bytes, mode, time of change."""
    found: dict[str, tuple[Any, ...]] = {}
    for folder, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in (".toriwork", BACKUP))
        for name in [*names, *folders]:
            path = Path(folder, name)
            place = path.relative_to(root).as_posix()
            stat = path.lstat()
            if path.is_symlink():
                found[place] = ("link", str(path.readlink()))
            elif path.is_dir():
                found[place] = ("folder", stat.st_mode)
            else:
                found[place] = (sha256(path.read_bytes()).hexdigest(), stat.st_mode, stat.st_mtime_ns)
    return found
