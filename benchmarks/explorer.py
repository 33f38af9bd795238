"""Redraws of the DiagramExplorer against a plain matplotlib figure of the same panels, drawn anew."""

from __future__ import annotations

import io
import statistics
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.paired_rounds import seconds, take_turns
from benchmarks.report import Line, Target, compare
from benchmarks.sizes import Size
from benchmarks.topology import circle
from toriwork.plots import plot_barcode, plot_betti_curves, plot_cloud, plot_diagram
from toriwork.widgets import DiagramExplorer
from toriwork.widgets.explorer_state import ExplorerState

POINTS = (100, 200, 300)
SCALES = 12  #: places of the slider in a round
WAIT = 150.0  #: milliseconds that a person takes for at once


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """A line per number of points: milliseconds of one move of the slider, from the scale to the picture."""
    del folder  # nothing is written
    lines = []
    for n_points in POINTS if size.rounds > 1 else POINTS[:1]:
        with DiagramExplorer(circle(np.random.default_rng(0), n_points)) as explorer:
            state = explorer.state
            scales = np.linspace(state.low, state.high, SCALES).tolist()
            slider = explorer.widget.children[0].children[0]
            turns = {"ours": partial(_moves, scales, partial(setattr, slider, "value")),
                     "plain": partial(_moves, scales[:3], partial(_plain, ExplorerState(state.points)))}  # fmt: skip
            found = take_turns(turns, size.rounds)
        title = f"one move of the explorer, {n_points} points"
        target = Target("at most", WAIT, of="ours")
        lines.append(compare(title, found["ours"], "plain matplotlib", found["plain"], "ms", target))
    return tuple(lines)


def _moves(scales: list[float], move: Callable[[float], object]) -> float:
    """The median of the milliseconds that the moves to some scales take."""
    return 1000 * statistics.median(seconds(partial(move, scale)) for scale in scales)


def _plain(state: ExplorerState, scale: float) -> None:
    """The same four panels with the complex, as a figure of its own."""
    from matplotlib.collections import LineCollection, PolyCollection
    from matplotlib.figure import Figure

    moment, points = state.move_to(scale), state.points
    assert points is not None  # of a cloud
    figure = Figure(figsize=(9.0, 6.4), layout="constrained")
    cloud, plane, bars, curves = figure.subplots(2, 2).ravel().tolist()
    plot_cloud(points, ax=cloud)
    cloud.add_collection(PolyCollection(points[moment.triangles], facecolor="#D9D9D9"))
    cloud.add_collection(LineCollection(points[moment.edges], linewidth=0.45))
    plot_diagram(state.diagram, ax=plane)
    plot_barcode(state.diagram, ax=bars)
    plot_betti_curves(state.diagram, ax=curves)
    for axes in (bars, curves):
        axes.axvline(scale)
    figure.savefig(io.BytesIO(), format="png", dpi=100)
