"""``toriwork diagram FILE --plot OUT``: the persistence diagram of a file's points, in numbers and as a figure."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from toriwork.cli.actions import COMMANDS, PATH, TABLES
from toriwork.cli.terminal import say, say_json, say_table

if TYPE_CHECKING:
    from toriwork.topology import Diagram

LONGEST = 10


@COMMANDS.action("diagram", "toriwork diagram cloud.csv --plot figure.pdf")
@click.argument("file", type=PATH)
@TABLES
@click.option("--distances", is_flag=True, help="FILE holds a matrix of distances, not coordinates.")
@click.option("--max-dimension", type=int, default=1, help="The highest dimension: 1 loops (the default), 2 voids.")
@click.option("--plot", type=PATH, metavar="OUT", help="Save cloud, diagram and bars as .pdf, .svg or .png.")
def diagram(
    file: Path,
    columns: str | None,
    drop_missing: bool,
    distances: bool,
    max_dimension: int,
    plot: Path | None,
    as_json: bool,
) -> int:
    """Compute the persistence diagram of a file, and show it.

    FILE: a point a row, as CSV or other text, .npy, .npz with one array, or Parquet.
    """
    from toriwork.cli.clouds import read_cloud
    from toriwork.plots import Panel, picture, plot_barcode, plot_cloud, plot_diagram
    from toriwork.topology import estimate_betti

    table = read_cloud(file, columns=columns, drop_missing=drop_missing)
    points, matrix = (None, table) if distances else (table, None)
    estimate = estimate_betti(points, distances=matrix, max_dimension=max_dimension)
    found = estimate.diagram
    if plot is not None:
        panels = [Panel(plot_diagram, found, "Diagram"), Panel(plot_barcode, found, "Bars")]
        if not distances:
            panels.insert(0, Panel(plot_cloud, table, "Points"))
        picture(*panels, caption=f"{file.name}: {len(table)} points").save(plot)
    if as_json:
        bars = [dict(zip(("dimension", "birth", "death"), bar, strict=True)) for bar in _bars(found)]
        facts = {"file": str(file), "n_points": len(table), "betti": estimate.numbers, "rule": estimate.rule}
        say_json(facts | {"pairs": bars, "plot": plot})
        return 0
    say(f"{file.name}: {len(table)} points. {estimate}")
    bars_shown = [(k, f"{birth:.6g}", f"{death:.6g}", f"{death - birth:.6g}") for k, birth, death in _bars(found)]
    say_table(("dimension", "birth", "death", "length"), bars_shown[:LONGEST], empty="no bars")
    if len(bars_shown) > LONGEST:
        say(f"and {len(bars_shown) - LONGEST} shorter bars")
    if plot is not None:
        say(f"figure: {plot}")
    return 0


def _bars(found: Diagram) -> list[tuple[int, float, float]]:
    """Dimension, birth and death of each bar, the longest first."""
    bars = [
        (k, float(birth), float(death))
        for k in range(found.max_dimension + 1)
        for birth, death in found.in_dimension(k)
    ]
    return sorted(bars, key=lambda bar: (bar[1] - bar[2], bar))
