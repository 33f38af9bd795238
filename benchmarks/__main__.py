"""``python -m benchmarks [NAME...]``: run benchmarks and print their table."""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import replace
from pathlib import Path

from benchmarks import (
    batches,
    cluster,
    columns,
    diagrams,
    explorer,
    files,
    growth,
    guard,
    importing,
    lookup,
    many_points,
    migrate,
    mover,
    nearest,
    opening,
    power,
    publishing,
    seed_loop,
    single_writes,
    tokens,
    topology,
)
from benchmarks.child import ROOT
from benchmarks.report import Line, machine, progress, show
from benchmarks.sizes import SIZES, Size

Benchmark = Callable[[Path, Size], tuple[Line, ...]]

BENCHMARKS: tuple[tuple[str, Benchmark], ...] = (
    ("import", importing.run),
    ("single", single_writes.run),
    ("batches", batches.run),
    ("power", power.run),
    ("loop", seed_loop.run),
    ("diagrams", diagrams.run),
    ("cluster", cluster.run),
    ("flat", growth.run),
    ("opening", opening.run),
    ("lookup", lookup.run),
    ("columns", columns.run),
    ("publish", publishing.run),
    ("alpha", topology.alpha),
    ("betti", topology.estimates),
    ("large", topology.large),
    ("many", many_points.run),
    ("files", files.run),
    ("memory", topology.memory),
    ("nearest", nearest.run),
    ("tokens", tokens.run),
    ("explorer", explorer.run),
    ("mover", mover.run),
    ("guard", guard.run),
    ("migrate", migrate.run),
)
NAMES = tuple(name for name, _ in BENCHMARKS)


def measure(names: Sequence[str], size: Size, state: Path) -> list[Line]:
    """The lines of some benchmarks, in the order of ``BENCHMARKS``; what they write below ``state`` is removed."""
    lines: list[Line] = []
    for name, benchmark in BENCHMARKS:
        if name in names:
            progress(f"{name}: begins")
            with work_folder(state) as folder:
                lines += benchmark(Path(folder), size)
    return lines


def work_folder(state: Path) -> AbstractContextManager[str]:
    """A temporary folder on the disk that ``state`` is on."""
    state.mkdir(parents=True, exist_ok=True)
    return tempfile.TemporaryDirectory(prefix="toriwork-bench-", dir=state)


def main(arguments: Sequence[str] | None = None) -> int:
    """0: figures depend on the machine, so a missed target is told and is no error."""
    options = _parser().parse_args(arguments)
    size = SIZES[options.size]
    if options.rows is not None:
        size = replace(size, base_rows=options.rows)
    options.state.mkdir(parents=True, exist_ok=True)
    about = machine(options.state)
    if about["file_system"] in ("tmpfs", "ramfs"):
        progress(f"{options.state} is in memory: figures of syncing mean nothing there; name a disk with --state")
    names = options.names or NAMES
    lines = measure(names, size, options.state)
    if {"flat", "opening"} & set(names) and not size.full:
        progress(
            f"flat and opening used {size.base_rows:,} rows; the targets speak of a million: "
            "python -m benchmarks flat opening --rows 1000000 (minutes, 10 GB of disk)"
        )
    show(lines, about, as_json=options.json)
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", choices=[*NAMES, []], metavar="NAME", help=f"of {', '.join(NAMES)}; all")
    parser.add_argument("--size", choices=SIZES, default="default", help="smallest only shows that everything runs")
    parser.add_argument("--rows", type=int, help="rows of the large registry in flat, opening, lookup and columns")
    parser.add_argument("--state", type=Path, default=ROOT / "out", help="where temporary state goes (default: out/)")
    parser.add_argument("--json", action="store_true", help="the table as JSON")
    return parser


if __name__ == "__main__":
    sys.exit(main())
