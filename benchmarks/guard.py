"""toriwork guard over 1,000 files: seconds, beside ruff's banned imports on the same files."""

from __future__ import annotations

import random
import subprocess
import sys
from functools import partial
from pathlib import Path

from benchmarks.child import ROOT
from benchmarks.paired_rounds import take_turns
from benchmarks.report import Line, Target, compare
from benchmarks.sizes import Size

RUFF = "ruff TID251, hardened"
CONFIG = """
lint.select = ["TID251"]
[lint.flake8-tidy-imports.banned-api]
"sqlite3".msg = "no"
"importlib.import_module".msg = "no"
"sys.modules".msg = "no"
"""


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The line of a run over generated files, start of the interpreter included on both sides."""
    n_files = 1_000 if size.rounds > 1 else 20
    tree = make_tree(folder / "tree", n_files)
    config = folder / "ruff.toml"
    config.write_text(CONFIG, encoding="utf-8")
    ours = [sys.executable, "-m", "toriwork", "guard", str(tree)]
    peer = [sys.executable, "-m", "ruff", "check", "--no-cache", "--ignore-noqa", "--config", str(config), str(tree)]
    found = take_turns({"ours": partial(_seconds, ours), "ruff": partial(_seconds, peer)}, min(size.rounds, 5))
    name = f"guard of {n_files:,} files"
    return (compare(name, found["ours"], RUFF, found["ruff"], "s", Target("at most", 3.0, of="ours")),)


def make_tree(folder: Path, n_files: int) -> Path:
    """Modules as they come: the project's own, in a fixed order, again and again under new names."""
    sources = sorted(ROOT.glob("toriwork/**/*.py"))
    rng = random.Random(0)
    folder.mkdir()
    for number in range(n_files):
        source = rng.choice(sources)
        (folder / f"m{number}_{source.stem}.py").write_bytes(source.read_bytes())
    return folder


def _seconds(line: list[str]) -> float:
    from time import perf_counter

    begun = perf_counter()
    done = subprocess.run(line, cwd=ROOT, capture_output=True, check=False)
    taken = perf_counter() - begun
    if done.returncode not in (0, 1):
        raise RuntimeError(done.stderr.decode())
    return taken
