"""``toriwork soak``: processes record, publish and read one registry, are killed at random, and no row may be lost."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toriwork.cli.actions import COMMANDS, PATH
from toriwork.cli.terminal import say, say_json
from toriwork.errors import BadInput

if TYPE_CHECKING:
    from toriwork.soak.run import RoundReport, StartReport


@COMMANDS.action("soak", "toriwork soak --minutes 10")
@click.option("--minutes", type=float, default=1.0, help="How long; default 1, a day is 1440.")
@click.option("--path", type=PATH, metavar="DIR", help="The folder to work in, new or empty; default: a temporary one.")
def soak(minutes: float, path: Path | None, as_json: bool) -> int:
    """Kill processes that record at random; no row may be lost.

    Exit code 1: a row or token was lost, doubled, late or damaged, or a process failed. Ctrl-C ends it early.
    """
    import shutil
    import tempfile

    from toriwork.soak.run import SoakRun

    if not 0 < minutes < float("inf"):
        raise BadInput(f"--minutes: expected a number above 0, got {minutes}")
    if path is not None and path.exists() and any(path.iterdir()):
        raise BadInput(f"--path: expected a folder that is new or empty, got {path}, which has files in it")
    folder = Path(tempfile.mkdtemp(prefix="toriwork-soak-")) if path is None else path.absolute()
    run = SoakRun(folder, 60 * minutes)
    _show(run.start, as_json=as_json)
    try:
        for report in run.rounds():
            _show(report, as_json=as_json)
    except KeyboardInterrupt:
        run.interrupted = True
    finally:
        run.pool.stop()
    end = run.finish()
    if path is None and not end.findings:
        shutil.rmtree(folder)
    _show(end, as_json=as_json)
    return 1 if end.findings else 0


def _show(report: StartReport | RoundReport, *, as_json: bool) -> None:
    say_json(asdict(report)) if as_json else say(report.line())
