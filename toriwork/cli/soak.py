"""``toriwork soak``: processes record, publish and read one registry, are killed at random, and no row may be lost."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from toriwork.errors import BadInput

if TYPE_CHECKING:
    from toriwork.soak.run import RoundReport, StartReport

NAME = "soak"
SUMMARY = (
    "let processes record and publish while they are killed at random; exit 1 when a row is lost, doubled, damaged"
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--minutes`` and ``--path``."""
    parser.add_argument("--minutes", type=float, default=1.0, help="how long (default: 1; a day is 1440)")
    parser.add_argument("--path", type=Path, help="the folder to work in, new or empty (default: a temporary one)")


def run(options: argparse.Namespace) -> int:
    """0; 1 when a row or token was lost, doubled, late or damaged, or a process failed. Ctrl-C ends it early."""
    import shutil
    import tempfile

    from toriwork.soak.run import SoakRun

    if not 0 < options.minutes < float("inf"):
        raise BadInput(f"--minutes: expected a number above 0, got {options.minutes}")
    given: Path | None = options.path
    if given is not None and given.expanduser().exists() and any(given.expanduser().iterdir()):
        raise BadInput(f"--path: expected a folder that is new or empty, got {given}, which has files in it")
    folder = Path(tempfile.mkdtemp(prefix="toriwork-soak-")) if given is None else given.expanduser().absolute()
    soak = SoakRun(folder, 60 * options.minutes)
    _show(soak.start, options)
    try:
        for report in soak.rounds():
            _show(report, options)
    except KeyboardInterrupt:
        soak.interrupted = True
    finally:
        soak.pool.stop()
    end = soak.finish()
    if given is None and not end.findings:
        shutil.rmtree(folder)
    _show(end, options)
    return 1 if end.findings else 0


def _show(report: StartReport | RoundReport, options: argparse.Namespace) -> None:
    print(json.dumps(asdict(report)) if options.json else report.line(), flush=True)
