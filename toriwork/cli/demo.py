"""``toriwork demo``: a first look at every sample, printed in plain words."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toriwork.cli.words import say

if TYPE_CHECKING:
    from toriwork.cli.first_look import Finding, FirstLook

NAME = "demo"
SUMMARY = "record, compute and publish every sample, and write an HTML report; half a minute"
REPORT_FILE = "first_look.html"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """``--state-root`` and ``--report``."""
    parser.add_argument("--state-root", type=Path, help="where the registry goes (default: a new temporary directory)")
    parser.add_argument("--report", type=Path, help=f"the HTML file to write (default: {REPORT_FILE} beside it)")


def run(options: argparse.Namespace) -> int:
    """0 when every reader sees every row, else 1."""
    # matplotlib, pandas and gudhi are loaded from here on, not while the command line is parsed
    import tempfile

    from toriwork.cli.first_look import first_look
    from toriwork.cli.report import write_report

    temporary = options.state_root is None
    root = Path(tempfile.mkdtemp(prefix="toriwork-demo-")) if temporary else options.state_root.expanduser().absolute()
    look = first_look(root)
    report = (options.report or root / REPORT_FILE).expanduser().absolute()
    write_report(look, report)
    if options.json:
        print(json.dumps(to_json(look, report)))
    else:
        say("\n".join(lines(look, report, temporary=temporary)))
    return 0 if look.readers_agree else 1


def lines(look: FirstLook, report: Path, *, temporary: bool) -> list[str]:
    """The findings and where they are, one statement a line."""
    from toriwork.cli.words import finding_line, readers_line, summary_line

    where = "a new temporary directory; your own state root was not touched" if temporary else "as you asked"
    return [
        f"Looked at {len(look.findings)} clouds:",
        *(f"  {finding_line(finding)}" for finding in look.findings),
        summary_line(look),
        readers_line(look),
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
