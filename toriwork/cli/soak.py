"""``toriwork soak``: processes record, publish and read one registry, are killed at random, and no row may be lost."""

from __future__ import annotations

import signal
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from toriwork.cli.actions import COMMANDS, PATH
from toriwork.cli.terminal import say, say_json
from toriwork.errors import BadInput

if TYPE_CHECKING:
    from toriwork.soak.run import RoundReport, StartReport


@COMMANDS.action("soak", "toriwork soak --hours 24 --path DIR")
@click.option("--minutes", type=float, help="How long, over all pieces; default 1.")
@click.option("--hours", type=float, help="The same in hours.")
@click.option(
    "--path", type=PATH, metavar="DIR", help="A folder, new, empty or of a run to go on with; default: a new one."
)
@click.option("--report", "page", type=PATH, metavar="FILE", help="The report as HTML; default: soak.html in DIR.")
def soak(minutes: float | None, hours: float | None, path: Path | None, page: Path | None, as_json: bool) -> int:
    """Kill processes that record at random; no row may be lost.

    Ctrl-C ends it early. With --path, the same call goes on with it, until all of the time has passed; the report is
    of all pieces. Exit code 1: a row or token was lost, doubled, late or damaged, or a process failed.
    """
    import shutil
    import tempfile

    from toriwork.soak.history import HISTORY
    from toriwork.soak.report import report
    from toriwork.soak.run import SoakRun

    seconds = _seconds(minutes, hours)
    if path is not None and path.exists() and not (path / HISTORY).exists() and any(path.iterdir()):
        words = "expected a folder that is new or empty, or that of an earlier run"
        raise BadInput(f"--path: {words}, got {path}, which has other files in it")
    folder = Path(tempfile.mkdtemp(prefix="toriwork-soak-")) if path is None else path.absolute()
    run = SoakRun(folder, seconds)
    _show(run.start, as_json=as_json)
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        for one in run.rounds():
            _show(one, as_json=as_json)
    except KeyboardInterrupt:
        run.interrupted = True
    finally:
        run.pool.stop()
        signal.signal(signal.SIGTERM, before)
    end = run.finish()
    if path is not None or page is not None:
        (page or folder / "soak.html").write_text(report(run.history), encoding="utf-8")
    if path is None and not end.findings:
        shutil.rmtree(folder)
    _show(end, as_json=as_json)
    return 1 if end.findings else 0


def _seconds(minutes: float | None, hours: float | None) -> float:
    if minutes is not None and hours is not None:
        raise BadInput("--minutes, --hours: expected one of them, got both")
    name, given, unit = ("--hours", hours, 3600.0) if hours is not None else ("--minutes", minutes, 60.0)
    amount = 1.0 if given is None else given
    if not 0 < amount < float("inf"):
        raise BadInput(f"{name}: expected a number above 0, got {amount}")
    return unit * amount


def _show(report: StartReport | RoundReport, *, as_json: bool) -> None:
    say_json(asdict(report)) if as_json else say(report.line())
