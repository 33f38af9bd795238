"""toriwork migrate over 10,000 files: seconds of plan and of apply, beside one pass of ``ast.parse`` over the tree."""

from __future__ import annotations

import random
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from time import perf_counter

from benchmarks.child import ROOT
from benchmarks.report import Line, Target, compare
from benchmarks.sizes import Size

PEER = "ast.parse of every file"
_PARSE = (
    "import ast, pathlib, sys\nfor path in pathlib.Path(sys.argv[1]).rglob('*.py'):\n    ast.parse(path.read_bytes())"
)
_FUNCTION = '''
def {name}(values, scale={scale}):
    """The {word} of some values, times a scale."""
    total = 0.0
    for index, value in enumerate(values):
        if value > {scale} and index % {step}:
            total += scale * math.sqrt(abs(value) + {step})
        else:
            total -= value / ({step} + 1)
    return {{"{word}": total, "path": "{word}/{name}.json", "scale": scale}}
'''
_CLASS = '''
class {title}:
    """A {word} with its parts."""

    def __init__(self, path, parts=()):
        self.path = path
        self.parts = list(parts)

    def add(self, part):
        self.parts.append(part)
        return len(self.parts)

    def describe(self):
        lines = [f"{{number}}: {{part!r}}" for number, part in enumerate(self.parts)]
        return "\\n".join(lines) or "no {word}"
'''
_USES = """
def load_{name}(path="data/runs.db"):
    with sqlite3.connect(path) as connection:
        return connection.execute("SELECT name, value FROM runs WHERE value > ?", ({step},)).fetchall()
"""
_SENTRY = """
def watch_{name}(eigenvalues):
    return OriginSentry().classify(eigenvalues)["novelty_score"]
"""
_WORDS = "mean trace norm rank flux mass drift phase gauge charge order spread shift count gain loss".split()


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The lines of plan and apply, each a process of its own."""
    n_files = 10_000 if size.rounds > 1 else 60
    tree = make_tree(folder / "tree", n_files)
    state = ["--no-diff", "--state-root", str(folder / "state")]
    peer = [_seconds([sys.executable, "-c", _PARSE, str(tree)], 0)]
    command = [sys.executable, "-m", "toriwork", "migrate"]
    plan = [_seconds([*command, "plan", str(tree), *state], 0)]
    apply = [_seconds([*command, "apply", str(tree), *state], 6)]  # 6: code that is left to a person keeps its database
    return (
        compare(f"plan of {n_files:,} files", plan, PEER, peer, "s", Target("at most", 20.0, of="ours")),
        compare(f"apply of {n_files:,} files", apply, PEER, peer, "s", Target("at most", 25.0, of="ours")),
    )


def make_tree(folder: Path, n_files: int) -> Path:
    """The backend to practise on among packages of plain modules, of which some use a database or the backend."""
    shutil.copytree(ROOT / "data_samples" / "legacy_backend", folder, ignore=shutil.ignore_patterns("__pycache__"))
    rng = random.Random(0)
    for number in range(n_files):
        package = folder / f"lab{number // 100:03}"
        package.mkdir(exist_ok=True)
        name = f"m{number % 100:02}" if number % 100 else "__init__"
        (package / f"{name}.py").write_text(module(number, rng), encoding="utf-8")
    subprocess.run([sys.executable, "make_history.py"], cwd=folder, check=True, capture_output=True)
    with closing(sqlite3.connect(folder / "data" / "runs.db")) as connection, connection:
        connection.execute("CREATE TABLE runs (name TEXT, value REAL)")
        connection.executemany("INSERT INTO runs VALUES (?, ?)", [(f"run {n}", n / 7) for n in range(1000)])
    return folder


def module(number: int, rng: random.Random) -> str:
    """A module of 30 to 150 lines; of a hundred, three import a driver, two of these use it, one uses the backend."""
    kind = number % 100
    words = rng.choices(_WORDS, k=rng.randint(2, 12))
    head = ["import json", "import math", "from pathlib import Path"]
    head += ["import sqlite3"] if kind in (11, 12, 13) else []
    head += ["from alan_backend.origin_sentry import OriginSentry"] if kind == 14 else []
    parts = [f'"""Module {number}."""\n\n' + "\n".join(head) + "\n"]
    for place, word in enumerate(words):
        facts = {
            "word": word,
            "step": rng.randint(2, 9),
            "scale": rng.randint(1, 50) / 8,
            "title": f"{word.title()}{place}",
        }
        form = _CLASS if rng.random() < 0.3 else _FUNCTION
        parts.append(form.format(name=f"{word}_{place}", **facts))
    if kind in (11, 12, 14):
        parts.append((_SENTRY if kind == 14 else _USES).format(name=f"rows_{number}", step=3))
    return "\n".join(parts)


def _seconds(line: list[str], ends_with: int) -> float:
    begun = perf_counter()
    done = subprocess.run(line, cwd=ROOT, capture_output=True, check=False)
    taken = perf_counter() - begun
    if done.returncode != ends_with:
        raise RuntimeError(f"{line}: {done.returncode}\n{done.stdout.decode()[-2000:]}\n{done.stderr.decode()}")
    return taken
