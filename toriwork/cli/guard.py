"""``toriwork guard PATH...``: the places where a database is used, one a line; exit 1 when there is one.

Findings go to stdout, everything else that a reader should know (warnings, exceptions, omissions) to stderr.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import toriwork
from toriwork.cli.actions import COMMANDS, PATH, PROGRESS
from toriwork.cli.terminal import say, say_json
from toriwork.errors import BadInput

if TYPE_CHECKING:
    from toriwork.guard import Report
    from toriwork.guard.baseline import Baseline

EXIT_UNREAD = 2


@COMMANDS.action("guard", "toriwork guard --all --baseline known.json")
@click.argument("paths", nargs=-1, metavar="[PATH]...")
@click.option("--strict", is_flag=True, help="What is only known at run time counts as a finding.")
@click.option("--baseline", type=PATH, metavar="FILE", help="Findings that are known; their number may only fall.")
@click.option("--update-baseline", is_flag=True, help="Write lower numbers into it, or make it.")
@click.option("--sarif", is_flag=True, help="Print a SARIF 2.1.0 log.")
@click.option("--explain", metavar="CODE", help="Say what a code means, and nothing else.")
@click.option("--all", "everything", is_flag=True, help="The whole project, from wherever this is called.")
@click.option("--seconds", type=float, metavar="N", help="A file that takes longer to read is a finding; default 10.")
@PROGRESS
@click.option("--runtime", is_flag=True, help="Run the command behind -- and watch it.")
def guard(paths: tuple[str, ...], *, as_json: bool, **options: Any) -> int:
    """Say where code, notebooks and files use a database.

    PATH: files and folders; default: here. A command, behind --, with --runtime.

    Exit code 1: there is a finding; 2: there is none, but a folder could not be listed.
    """
    from toriwork.guard import examine
    from toriwork.guard.baseline import read_baseline
    from toriwork.guard.documents import MAX_SECONDS
    from toriwork.guard.report import explanation
    from toriwork.guard.settings import project_root, read_settings

    form = "json" if as_json else "sarif" if options["sarif"] else "text"
    if code := options["explain"]:
        say_json({"code": code, "explanation": explanation(code)}) if as_json else say(explanation(code))
        return 0
    baseline: Path | None = options["baseline"]
    if options["update_baseline"] and not baseline:
        raise BadInput("guard --update-baseline: expected the file too: --baseline FILE")
    if options["runtime"]:
        return _watched(list(paths), form)
    asked = [os.path.expanduser(path) for path in paths]  # noqa: PTH111 - an unknown user is no error
    root = project_root(asked)
    places = [str(root)] if options["everything"] else asked or ["."]
    for path in map(Path, places):
        if os.path.lexists(path) and not path.is_file() and not path.is_dir():
            raise BadInput(f"{path}: expected a file or a folder, got a link that leads to none, a FIFO or a device")
    known = read_baseline(baseline) if baseline and os.path.lexists(baseline) else None
    if baseline and known is None and not options["update_baseline"]:
        raise BadInput(f"{baseline}: no such baseline; --update-baseline makes it")
    limit = MAX_SECONDS if options["seconds"] is None else options["seconds"]
    report = examine(places, settings=read_settings(root), baseline=known, strict=options["strict"], seconds=limit)
    if options["update_baseline"] and baseline:
        report = _updated(report, known, baseline)
    return _tell(report, form)


def _updated(report: Report, known: Baseline | None, path: Path) -> Report:
    """The report after the baseline was made, or lowered where there is less now."""
    from toriwork.guard.baseline import first_baseline, write_baseline
    from toriwork.guard.settings import read_settings

    settings = report.settings or read_settings(Path.cwd())
    if known is None:
        write_baseline(path, first_baseline(report.findings, settings.below))
        return replace(report, findings=(), known=report.findings)
    write_baseline(path, known.lowered((*report.findings, *report.known), settings.below))
    return report


def _watched(command: list[str], form: str) -> int:
    from toriwork.guard.runtime import run_watched
    from toriwork.guard.scan import judged
    from toriwork.guard.settings import project_root, read_settings

    settings = read_settings(project_root(["."]))
    findings, code = run_watched(command, settings)
    told = _tell(judged(findings, settings), form)
    if code and not told:
        say(f"toriwork: the command ended with {code}", error=True)
        return 2
    return told


def _tell(report: Report, form: str) -> int:
    from toriwork.guard.report import document, finding_lines, note_lines, sarif

    if form == "json":
        say_json(document(report))
    elif form == "sarif":
        say_json(sarif(report, toriwork.__version__))
    else:
        for line in finding_lines(report):
            say(line)
        for line in note_lines(report):
            say(line, error=True)
    return int(report.found) or EXIT_UNREAD * any(omission.unread for omission in report.omitted)
