"""``toriwork guard PATH...``: the places where a database is used, one a line; exit 1 when there is one.

Findings go to stdout, everything else that a reader should know (warnings, exceptions, omissions) to stderr.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import toriwork
from toriwork.cli.words import say
from toriwork.errors import BadInput
from toriwork.guard import Report, examine
from toriwork.guard.baseline import Baseline, first_baseline, read_baseline, write_baseline
from toriwork.guard.documents import MAX_SECONDS
from toriwork.guard.report import document, explanation, finding_lines, note_lines, sarif
from toriwork.guard.scan import judged
from toriwork.guard.settings import project_root, read_settings

NAME = "guard"
SUMMARY = "say where a database is used: code, notebooks, requirements, files; exit 1 when one is"

EXIT_UNREAD = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Paths and what to do with findings; ``--runtime -- COMMAND``."""
    parser.add_argument(
        "paths", nargs="*", metavar="PATH", help="files and folders (default: here); a command behind --"
    )
    parser.add_argument("--strict", action="store_true", help="what is only known at run time counts as a finding")
    parser.add_argument(
        "--baseline", type=Path, metavar="FILE", help="findings that are known; their number may only fall"
    )
    parser.add_argument("--update-baseline", action="store_true", help="write lower numbers into it, or make it")
    parser.add_argument("--sarif", action="store_true", help="print a SARIF 2.1.0 log")
    parser.add_argument("--explain", metavar="CODE", help="say what a code means, and nothing else")
    parser.add_argument("--all", action="store_true", help="the whole project, from wherever this is called")
    parser.add_argument(
        "--seconds",
        type=float,
        default=MAX_SECONDS,
        metavar="N",
        help=f"a file that takes longer to read is a finding that says so (default {MAX_SECONDS:g})",
    )
    parser.add_argument("--runtime", action="store_true", help="run the command behind -- and watch it")


def run(options: argparse.Namespace) -> int:
    """0; 1 when there is a finding; 2 when there is none, but a folder that could not be listed."""
    if options.explain:
        print(explanation(options.explain))
        return 0
    if options.update_baseline and not options.baseline:
        raise BadInput("guard --update-baseline: expected the file too: --baseline FILE")
    if options.runtime:
        return _watched(options)
    options.paths = [os.path.expanduser(path) for path in options.paths]  # noqa: PTH111 - an unknown user is no error
    root = project_root(options.paths)
    paths = [str(root)] if options.all else options.paths or ["."]
    for path in map(Path, paths):
        if os.path.lexists(path) and not path.is_file() and not path.is_dir():
            raise BadInput(f"{path}: expected a file or a folder, got a link that leads to none, a FIFO or a device")
    settings = read_settings(root)
    known = read_baseline(options.baseline) if options.baseline and os.path.lexists(options.baseline) else None
    if options.baseline and known is None and not options.update_baseline:
        raise BadInput(f"{options.baseline}: no such baseline; --update-baseline makes it")
    report = examine(paths, settings=settings, baseline=known, strict=options.strict, seconds=options.seconds)
    if options.update_baseline:
        report = _updated(report, known, options.baseline)
    return _tell(report, options)


def _updated(report: Report, known: Baseline | None, path: Path) -> Report:
    """The report after the baseline was made, or lowered where there is less now."""
    settings = report.settings or read_settings(Path.cwd())
    if known is None:
        write_baseline(path, first_baseline(report.findings, settings.below))
        return replace(report, findings=(), known=report.findings)
    write_baseline(path, known.lowered((*report.findings, *report.known), settings.below))
    return report


def _watched(options: argparse.Namespace) -> int:
    from toriwork.guard.runtime import run_watched

    settings = read_settings(project_root(["."]))
    findings, code = run_watched(options.paths, settings)
    report = judged(findings, settings)
    told = _tell(report, options)
    if code and not told:
        print(f"toriwork: the command ended with {code}", file=sys.stderr)
        return 2
    return told


def _tell(report: Report, options: argparse.Namespace) -> int:
    if options.json:
        print(json.dumps(document(report)))
    elif options.sarif:
        print(json.dumps(sarif(report, toriwork.__version__)))
    else:
        for line in finding_lines(report):
            say(line)
        for line in note_lines(report):
            say(line, error=True)
    return int(report.found) or EXIT_UNREAD * any(omission.unread for omission in report.omitted)
