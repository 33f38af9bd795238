"""A class is moved only where it means the same: forty variants of one class, driven before and after a migration.

Each variant is a small code base with a real history. The script below calls the class in a process of its own, before
the migration and after it; whatever became of the class, the answers are the same to the last bit.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from textwrap import indent
from typing import NamedTuple

import pytest

from tests.migrate.fixtures import build
from tests.migrate.recipes.code import RECENT, STORE
from toriwork.migrate import apply_plan, make_plan

ROOT = Path(__file__).resolve().parents[2]
SIGNATURE = """
from dataclasses import dataclass, field


@dataclass
class Signature:
    timestamp: float
    eigenvalues: list
    hash_id: str
    betti_numbers: list = None
    coherence_state: str = "local"
    gaps: list = field(default_factory=list)
"""
DRIVE = """
import functools
import sqlite3
import sys

sqlite3.connect = functools.partial(sqlite3.connect, timeout=0.01)  # who is locked out says so at once
from lab.store import SpectralDB
from lab.signature import Signature

asked = sys.argv[1:]


def told(what, *given, view=0):
    try:
        answer = getattr(views[view], what)(*given)
        if isinstance(answer, list):
            answer = [(s.timestamp, [float(x).hex() for x in s.eigenvalues], s.hash_id, s.betti_numbers,
                       s.coherence_state, s.gaps) for s in answer]
        return answer.hex() if isinstance(answer, float) else answer
    except Exception:
        return "refused"


def signature(n, hash_id=None, values=None, **more):
    return Signature(float(n % 7), values or [1.00049 + n % 3, 0.5 * n, 0.25][: 1 + n % 3], hash_id or f"h{n}", **more)


views = [SpectralDB("spectral.db"), SpectralDB("spectral.db"), SpectralDB("other.db")]
print([told("count", view=v) for v in range(3)])
for n in range(14):
    print(told("add", signature(n, betti_numbers=[1.0, n], gaps=[0.5])), told("distance", [1.0, 2.0], 4), told("count"))
    print(told("add", signature(n, "same"), view=1), told("count"), told("count", view=2), told("distance", [0.1], 99))
print(told("add", signature(1, values=[float("inf"), 1.0])), told("count"), told("distance", [1.0]))
print(told("add", signature(2, coherence_state="weird")), told("count", view=1))
print(told("add", Signature(1.0, [1.0], None)), told("add", Signature(None, [1.0], "x")), told("count"))
print(told("distance", [1.0], 0), told("distance", [3.0, 1.0, 1.0, 1.0], -1))
print([(name, told(name)) for name in asked])
views[0] = SpectralDB("spectral.db")
print(told("count"), told("distance", [1.0, 0.5], 1000))
"""
COUNT = """
    def count(self):
        return self.conn.execute("SELECT COUNT(*) FROM signatures").fetchone()[0]
"""
FRONT = "from lab.signature import Signature\n"
NEWEST = indent(RECENT.replace("Row(", "Signature("), "    ")
PLAIN = FRONT + STORE.lstrip("\n").replace("max_entries=100", "max_entries=20") + COUNT + NEWEST
INSERT = '"INSERT INTO signatures'
TABLE = re.compile(r"CREATE TABLE.*?\);", re.DOTALL)
EVICT = re.compile(r' {12}self\.conn\.execute\(\n {16}"DELETE.*?\n {12}\)\n', re.DOTALL)


class Variant(NamedTuple):
    """One class: what is changed in the plain one, and what becomes of it."""

    changes: tuple[tuple[str, str], ...] = ()
    moves: bool = False
    asked: tuple[str, ...] = ()
    more: str = ""  #: members


def key(column: str, words: str) -> tuple[str, str]:
    return f"{column} TEXT NOT NULL", f"{column} TEXT NOT NULL {words}"


def beside(statement: str) -> tuple[str, str]:
    return ");\n", f");\n    {statement};\n"


ID = ("SELECT eigenvalues FROM signatures ORDER BY id DESC", "SELECT eigenvalues FROM signatures ORDER BY {} DESC")
SKIP = """        asked = (signature.hash_id,)
        if self.conn.execute("SELECT 1 FROM signatures WHERE hash_id = ?", asked).fetchone():
            return
        betti = signature.betti_numbers
"""
TRIGGER = """CREATE TRIGGER IF NOT EXISTS t AFTER INSERT ON signatures BEGIN
    DELETE FROM signatures WHERE id < NEW.id - 2; END"""
VARIANTS = {
    "plain": Variant(moves=True),
    "no recent": Variant(((NEWEST, ""),), moves=True),
    "no bound": Variant((("max_entries=20", "max_entries=None"),), moves=True),
    "a bound of one": Variant((("max_entries=20", "max_entries=1"),), moves=True),
    "pads the large end": Variant(
        (("(0, n - len(a))", "(n - len(a), 0)"), ("(0, n - len(b))", "(n - len(b), 0)")), moves=True
    ),
    "returns the row id": Variant(
        (
            (
                '            self.conn.execute(\n                "INSERT',
                '            c = self.conn.execute(\n                "INSERT',
            ),
            ("    def distance", "        return c.lastrowid\n\n    def distance"),
        ),
        moves=True,
    ),
    "an index by time": Variant((beside("CREATE INDEX IF NOT EXISTS i ON signatures (timestamp)"),), moves=True),
    "another table beside": Variant(
        (beside("CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value)"),), moves=True
    ),
    "other words": Variant((("self.conn", "self.db"), ("_compare", "apart"), ("signatures", "spectra")), moves=True),
    "a method on top": Variant(
        more="    def told(self):\n        return f'{self.count()} of {self.max_entries}'\n",
        moves=True,
        asked=("told",),
    ),
    "replaces": Variant(((INSERT, '"INSERT OR REPLACE INTO signatures'), key("hash_id", "UNIQUE"))),
    "ignores": Variant(((INSERT, '"INSERT OR IGNORE INTO signatures'), key("hash_id", "UNIQUE"))),
    "replace": Variant(((INSERT, '"REPLACE INTO signatures'), key("hash_id", "UNIQUE"))),
    "aborts": Variant(((INSERT, '"INSERT OR ABORT INTO signatures'), key("hash_id", "UNIQUE"))),
    "on conflict nothing": Variant((('?, ?)",\n', '?, ?) ON CONFLICT DO NOTHING",\n'), key("hash_id", "UNIQUE"))),
    "on conflict update": Variant(
        (('?, ?)",\n', '?, ?) ON CONFLICT(hash_id) DO UPDATE SET gaps = NULL",\n'), key("hash_id", "UNIQUE"))
    ),
    "unique": Variant((key("hash_id", "UNIQUE"),)),
    "unique of two": Variant((("gaps TEXT\n", "gaps TEXT, UNIQUE (hash_id, timestamp)\n"),)),
    "a unique index": Variant((beside("CREATE UNIQUE INDEX IF NOT EXISTS u ON signatures (hash_id)"),)),
    "check": Variant((key("coherence", "CHECK (coherence IN ('local', 'global'))"),)),
    "check of the time": Variant((("timestamp REAL NOT NULL", "timestamp REAL NOT NULL CHECK (timestamp < 6)"),)),
    "null allowed": Variant((("hash_id TEXT NOT NULL", "hash_id TEXT"),)),
    "gaps not null": Variant((("gaps TEXT", "gaps TEXT NOT NULL"),)),
    "a default": Variant((key("coherence", "DEFAULT 'local'"),)),
    "a collation": Variant((key("hash_id", "COLLATE NOCASE"),)),
    "autoincrement": Variant((("id INTEGER PRIMARY KEY", "id INTEGER PRIMARY KEY AUTOINCREMENT"),)),
    "a generated column": Variant((("gaps TEXT\n", "gaps TEXT, n AS (length(eigenvalues) / 8)\n"),)),
    "a trigger that deletes": Variant((beside(TRIGGER),)),
    "evicts by rank": Variant(
        (("WHERE id <= (SELECT MAX(id) FROM signatures) - ?", "WHERE id NOT IN (SELECT id FROM signatures LIMIT ?)"),)
    ),
    "evicts by time": Variant((("WHERE id <= (SELECT MAX(id)", "WHERE timestamp <= (SELECT MAX(timestamp)"),)),
    "keeps no bound at all": Variant(((EVICT.pattern, ""),)),
    "skips what it knows": Variant(
        (
            (
                "        betti = signature.betti_numbers\n",
                SKIP,
            ),
        )
    ),
    "by time": Variant(((ID[0], ID[1].format("timestamp")),)),
    "by hash": Variant(((ID[0], ID[1].format("hash_id")),)),
    "the oldest": Variant(((ID[0], ID[0].replace(" DESC", "")),)),
    "distinct": Variant((("SELECT eigenvalues FROM signatures", "SELECT DISTINCT eigenvalues FROM signatures"),)),
    "counts distinct": Variant((("COUNT(*)", "COUNT(DISTINCT hash_id)"),)),
    "counts some": Variant((('COUNT(*) FROM signatures"', "COUNT(*) FROM signatures WHERE coherence = 'local'\""),)),
    "rounds": Variant((("[float(g) for", "[round(g, 3) for"),)),
    "rounds the spectrum": Variant(
        (
            ("np.asarray(signature.eigenvalues,", "np.round(np.asarray(signature.eigenvalues), 3).astype("),
            ('dtype="<f8").tobytes()', '"<f8").tobytes()'),
        )
    ),
    "single precision": Variant(
        (('dtype="<f8").tobytes()', 'dtype="<f4").tobytes()'), ('row[0], dtype="<f8"', 'row[0], dtype="<f4"'))
    ),
    "the largest difference": Variant((("np.mean(np.abs(a - b))", "np.max(np.abs(a - b))"),)),
    "the median": Variant(
        (
            ("return min(", "return np.median(list("),
            ("for row in rows)\n\n    @static", "for row in rows))\n\n    @static"),
        )
    ),
    "sorts upwards": Variant(
        (("wanted = np.sort(np.abs(np.asarray(eigenvalues)))[::-1]", "wanted = np.sort(np.asarray(eigenvalues))"),)
    ),
    "a delete of its own": Variant(
        more="    def undo(self):\n        self.conn.execute('DELETE FROM signatures WHERE id > 5')\n",
        asked=("undo", "count"),
    ),
    "commits late": Variant(
        (
            (
                "        with self.conn:\n            self.conn.execute(\n",
                "        if True:\n            self.conn.execute(\n",
            ),
        )
    ),
}


def source(variant: Variant) -> str:
    """The module of a variant; each change must change something."""
    text = PLAIN
    for old, new in variant.changes:
        changed = EVICT.sub("", text) if old == EVICT.pattern else text.replace(old, new)
        assert changed != text, old
        text = changed
    return f"{text}\n{variant.more}"


def python(root: Path, state: Path, code: str, *words: str) -> str:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(root)]), "TORI_STATE_ROOT": str(state)}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code, *words], cwd=root, env=environment, capture_output=True, text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


HISTORY = """
from lab.store import SpectralDB
from lab.signature import Signature

db = SpectralDB("spectral.db")
for n in range(12):
    db.add(Signature(float(n % 5), [float(n), 0.5][: 1 + n % 2], f"r{n}", [1.0], gaps=[0.1]))
db.conn.commit() if hasattr(db, "conn") else db.db.commit()
"""


@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_answers_after_a_migration_as_it_did_before(tmp_path: Path, name: str) -> None:
    variant = VARIANTS[name]
    files = {"lab/__init__.py": "", "lab/signature.py": SIGNATURE, "lab/store.py": source(variant)}
    before, root = build(tmp_path / "before", files), build(tmp_path / "after", files)
    python(before, tmp_path / "unused", HISTORY)
    shutil.copyfile(before / "spectral.db", root / "spectral.db")
    plan = make_plan(root, state_root=tmp_path / "state")
    stays = [found for found in plan.manual if found["recipe"] == "spectral_db"]
    assert (bool(plan.content["moved"]), bool(stays)) == (variant.moves, not variant.moves), stays
    assert all(found["line"] > 0 and "SpectralDB stays: " in found["why"] for found in stays)
    if not plan.empty:
        apply_plan(root, trial=None)
    assert (root / "spectral.db").exists() != variant.moves
    if not variant.moves:  # the same code over the same database
        for path in (*files, "spectral.db"):
            assert (root / path).read_bytes() == (before / path).read_bytes()
        return
    answers = python(before, tmp_path / "unused", DRIVE, *variant.asked)
    assert python(root, tmp_path / "state", DRIVE, *variant.asked) == answers


def test_there_are_forty_variants_and_most_of_them_stay() -> None:
    assert len(VARIANTS) >= 40
    assert 0 < sum(variant.moves for variant in VARIANTS.values()) <= len(VARIANTS) / 3
