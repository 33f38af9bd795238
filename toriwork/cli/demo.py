"""``toriwork demo``: a first look at every sample, printed in plain words and shown on one HTML page."""

from __future__ import annotations

import math
from collections.abc import Iterator
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

import toriwork
from toriwork.cli.actions import COMMANDS, PATH, PROGRESS
from toriwork.cli.terminal import say, say_json

if TYPE_CHECKING:
    from toriwork.cli.first_look import Finding, FirstLook

REPORT_FILE = "first_look.html"
STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 } caption { text-align: left; font-weight: 600 }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #ccc }
figure { margin: 1rem 0 } figcaption { color: #555 } code { overflow-wrap: anywhere }
"""


@COMMANDS.action("demo", "toriwork demo --report first_look.html")
@click.option("--state-root", type=PATH, help="Where the registry goes; default: a new temporary directory.")
@click.option("--report", type=PATH, help=f"The HTML file to write; default: {REPORT_FILE} beside the registry.")
@PROGRESS
def demo(state_root: Path | None, report: Path | None, as_json: bool) -> int:
    """Record, compute and publish every sample; half a minute.

    Exit code 1: a reader does not see every row.
    """
    # matplotlib, pandas and gudhi are loaded from here on, not while the command line is parsed
    import tempfile

    from toriwork.cli.first_look import first_look

    root = Path(tempfile.mkdtemp(prefix="toriwork-demo-")) if state_root is None else state_root.absolute()
    look = first_look(root)
    page = (report or root / REPORT_FILE).absolute()
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(report_html(look), encoding="utf-8")
    if as_json:
        say_json(to_json(look, page))
    else:
        say("\n".join(lines(look, page, temporary=state_root is None)))
    return 0 if look.readers_agree else 1


def lines(look: FirstLook, report: Path, *, temporary: bool) -> list[str]:
    """The findings and where they are, one statement a line."""
    where = "a new temporary directory; your own state root was not touched" if temporary else "as you asked"
    return [
        f"Looked at {len(look.findings)} clouds:",
        *(f"  {finding.line()}" for finding in look.findings),
        look.summary(),
        f"{len(look.findings)} observer tokens emitted, the first is {look.findings[0].token}.",
        "",
        f"state root: {look.state_root} ({where})",
        f"registry:   {look.registry_path} ({look.n_bytes} bytes; any Parquet reader opens it)",
        f"report:     {report}",
    ]


def to_json(look: FirstLook, report: Path) -> dict[str, Any]:
    """The same facts as a JSON document; an undecided Betti number is null."""
    return {
        "state_root": str(look.state_root),
        "registry": str(look.registry_path),
        "report": str(report),
        "n_bytes": look.n_bytes,
        "n_rows_before": look.n_rows_before,
        "n_rows": look.n_rows,
        "readers_agree": look.readers_agree,
        "clouds": [_finding_json(finding) for finding in look.findings],
    }


def report_html(look: FirstLook) -> str:
    """The report as an HTML document without scripts or outside resources."""
    return "".join(
        (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>toriwork: a first look</title>',
            f"<style>{STYLE}</style></head><body><main><h1>A first look at {len(look.findings)} clouds</h1>",
            f"<p>{escape(look.summary())}</p><p>Registry: <code>{escape(str(look.registry_path))}</code>, ",
            f"{look.n_bytes} bytes, written by toriwork {toriwork.__version__}.</p>",
            *_sections(look),
            "</main></body></html>\n",
        )
    )


def _sections(look: FirstLook) -> Iterator[str]:
    from toriwork.plots import Panel, picture, plot_barcode, plot_cloud, plot_diagram, plot_registry_growth
    from toriwork.registry import TorusRegistry

    for finding in look.findings:
        shown = picture(
            Panel(plot_cloud, finding.cloud.points, "Points"),
            Panel(plot_diagram, finding.diagram, "Diagram"),
            Panel(plot_barcode, finding.diagram, "Bars"),
            caption=f"{finding.line()} ({finding.rule}; token {finding.token[:11]}).",
        )
        yield f"<section><h2>{escape(finding.cloud.name)}</h2><p>{escape(finding.cloud.description)}</p>"
        yield shown.to_html() + "</section>"
    with TorusRegistry(look.registry_path, read_only=True) as registry:
        panel = Panel(plot_registry_growth, registry)
        grown = picture(panel, caption="The registry while it was filled.", size_mm=(152, 76))
    yield f"<section><h2>The registry</h2>{grown.to_html()}</section>"


def _finding_json(finding: Finding) -> dict[str, Any]:
    return {
        "name": finding.cloud.name,
        "n_points": len(finding.cloud.points),
        "expected": finding.cloud.expected,
        "found": [None if math.isnan(number) else int(number) for number in finding.betti],
        "verdict": finding.verdict,
        "rule": finding.rule,
        "shape_id": finding.shape_id,
        "token": finding.token,
        "diagram": finding.diagram.content_id,
    }
