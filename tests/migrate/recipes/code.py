"""Small snippets through all recipes."""

from __future__ import annotations

import textwrap
from pathlib import Path

from toriwork.migrate.recipes import Rewritten, World, rewrite

#: a class over SQLite, as short as one can be; tests put their own members behind it
STORE = '''
import sqlite3


class SpectralDB:
    """Keeps spectra."""

    def __init__(self, db_path="spectral.db", max_entries=100):
        self.db_path = db_path
        self.conn = sqlite3.connect(db_path)

    def add(self, signature):
        self.conn.execute("INSERT INTO signatures VALUES (?)", (signature.eigenvalues.tobytes(),))

    def distance(self, eigenvalues, top_k=10):
        rows = self.conn.execute("SELECT eigenvalues FROM signatures").fetchall()
        return min((abs(eigenvalues - row[0]).mean() for row in rows), default=float("inf"))
'''


def clean(text: str) -> str:
    """A snippet as a test writes it, as a file has it."""
    return textwrap.dedent(text).lstrip("\n")


def rewritten(folder: Path, text: str | bytes, path: str = "module.py", **others: str) -> Rewritten:
    """What recipes make of one file; ``others`` are modules beside it."""
    source = text if isinstance(text, bytes) else clean(text).encode()
    target = folder / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(source)
    for name, other in others.items():
        (folder / f"{name}.py").write_text(clean(other))
    return rewrite(path, source, World.look(folder))


def after(folder: Path, text: str, path: str = "module.py", **others: str) -> str:
    """The text that becomes of a snippet, of which nothing may be left to a person."""
    found = rewritten(folder, text, path, **others)
    assert not found.manual
    return found.after.decode()
