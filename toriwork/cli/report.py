"""A first look as one HTML file that needs nothing else: words, a table, and figures with alt texts."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path

import toriwork
from toriwork.cli.first_look import Finding, FirstLook
from toriwork.cli.words import betti_words, finding_line, readers_line, summary_line
from toriwork.plots import Panel, picture, plot_barcode, plot_cloud, plot_diagram, plot_registry_growth
from toriwork.plots.text_alternative import TextAlternative
from toriwork.registry import TorusRegistry

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 } caption { text-align: left; font-weight: 600 }
th, td { text-align: left; padding: .2rem .8rem .2rem 0; border-bottom: 1px solid #ccc }
figure { margin: 1rem 0 } figcaption { color: #555 } code { overflow-wrap: anywhere }
"""
HEADINGS = ("cloud", "points", "expected", "found", "how", "token")


def write_report(look: FirstLook, file: Path) -> None:
    """Write the report of a first look to ``file``; its folder is made when it is missing."""
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(report_html(look), encoding="utf-8")


def report_html(look: FirstLook) -> str:
    """The report as an HTML document without scripts or outside resources."""
    return "".join(
        (
            '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>toriwork: a first look</title>',
            f"<style>{STYLE}</style></head><body><main><h1>A first look at {len(look.findings)} clouds</h1>",
            f"<p>{escape(summary_line(look))} {escape(readers_line(look))}</p>",
            _where(look),
            _table(look),
            *_sections(look),
            "</main></body></html>\n",
        )
    )


def _where(look: FirstLook) -> str:
    place = escape(str(look.registry_path))
    size = f"{look.n_bytes} bytes, written by toriwork {toriwork.__version__}"
    return f"<p>Registry: <code>{place}</code>, {size}.</p>"


def _table(look: FirstLook) -> str:
    rows = tuple(_row(finding) for finding in look.findings)
    return TextAlternative("", HEADINGS, rows).to_html("What was found")


def _row(finding: Finding) -> tuple[str, ...]:
    cloud = finding.cloud
    expected = "unknown" if cloud.expected is None else betti_words(cloud.expected)
    found = betti_words(finding.betti)
    return cloud.name, str(len(cloud.points)), expected, found, finding.rule, finding.token[:11]


def _sections(look: FirstLook) -> Iterator[str]:
    for finding in look.findings:
        yield f"<section><h2>{escape(finding.cloud.name)}</h2><p>{escape(finding.cloud.description)}</p>"
        shown = picture(
            Panel(plot_cloud, finding.cloud.points, "Points"),
            Panel(plot_diagram, finding.diagram, "Diagram"),
            Panel(plot_barcode, finding.diagram, "Bars"),
            caption=finding_line(finding) + ".",
        )
        yield shown.to_html() + "</section>"
    with TorusRegistry(look.registry_path, read_only=True) as registry:
        panel = Panel(plot_registry_growth, registry)
        grown = picture(panel, caption="The registry while it was filled.", size_mm=(152, 76))
    yield f"<section><h2>The registry</h2>{grown.to_html()}</section>"
