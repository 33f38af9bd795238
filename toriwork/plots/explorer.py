"""The picture of a diagram explorer: cloud and growing complex, diagram, barcode and Betti curves at one scale.

The live view draws its own; this one stands where no kernel is.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.plots.barcode import plot_barcode, plot_betti_curves
from toriwork.plots.cloud import describe_highlight, plot_cloud, project
from toriwork.plots.diagram import plot_diagram
from toriwork.plots.style import DPI, INK, MUTED, style, write_inside
from toriwork.plots.text_alternative import TextAlternative, counted, noted, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toriwork.topology import Diagram
    from toriwork.topology.representatives import Representative

SIZE = (9.0, 6.4)  #: inches
MARGINS = {"left": 0.07, "right": 0.97, "bottom": 0.08, "top": 0.9, "wspace": 0.24, "hspace": 0.34}  #: of the panels
HEADER = ("dimension", "Betti number", "longest alive from", "to")
SCALE_LINE = "#000000"
SHADE = "#D9D9D9"  #: of triangles


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """The complex at one scale: the simplices to draw, and whether there are more."""

    scale: float
    edges: NDArray[np.intp]  #: (n, 2) indices of points: the edges to draw
    triangles: NDArray[np.intp]  #: (n, 3): the triangles to draw
    n_edges: int  #: of the whole complex, at most one more than are drawn
    n_triangles: int
    drawable: bool = True  #: False: there is no cloud, or its filtration is not Rips

    @property
    def size(self) -> str:
        """The number of edges and of triangles, in words."""
        return " and ".join(
            f"more than {len(drawn)} {noun}s" if number > len(drawn) else counted(number, noun)
            for noun, number, drawn in self._parts
        )

    @property
    def note(self) -> str:
        """The parts of the complex that are not drawn; empty when all are."""
        hidden = [f"{noun}s after the first {len(drawn)}" for noun, number, drawn in self._parts if number > len(drawn)]
        return f"not shown: {', '.join(hidden)}" if hidden else ""

    @property
    def _parts(self) -> tuple[tuple[str, int, NDArray[np.intp]], ...]:
        return ("edge", self.n_edges, self.edges), ("triangle", self.n_triangles, self.triangles)


def explorer_png(
    points: NDArray[np.float64] | None, diagram: Diagram, moment: Moment, highlight: Sequence[Representative] = ()
) -> bytes:
    """The picture at one scale as a PNG, the same bytes each time; ``points`` are those of the diagram, or None."""
    from matplotlib.figure import Figure

    stream = io.BytesIO()
    with style():
        figure = Figure(figsize=SIZE, dpi=DPI)
        figure.subplots_adjust(**MARGINS)  # a computed layout takes as long as the drawing
        cloud, plane, bars, curves = figure.subplots(2, 2).ravel().tolist()
        _draw_cloud(cloud, points, moment, highlight)
        plot_diagram(diagram, ax=plane)
        plot_barcode(diagram, ax=bars)
        plot_betti_curves(diagram, ax=curves)
        _draw_quadrant(plane, moment.scale)
        for axes in (bars, curves):
            axes.axvline(moment.scale, color=SCALE_LINE, linewidth=1.0)
        numbers = ", ".join(f"H{k}: {number}" for k, number in enumerate(diagram.betti(moment.scale)))
        told = (f"scale {short(moment.scale)}", f"Betti numbers  {numbers}", moment.note)
        title = "     ".join(told).rstrip()
        figure.suptitle(title, x=0.01, ha="left", fontsize=10, color=INK, parse_math=False)
        figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
    return stream.getvalue()


def describe_moment(diagram: Diagram, moment: Moment, highlight: Sequence[Representative] = ()) -> TextAlternative:
    """The text alternative of the explorer's picture: the complex, its Betti numbers, the longest bar alive."""
    rows = tuple(_row(diagram, k, number, moment.scale) for k, number in enumerate(diagram.betti(moment.scale)))
    numbers = ", ".join(f"H{k} {row[1]}" for k, row in enumerate(rows))
    facts = f"At scale {short(moment.scale)} ({diagram.scale}): Betti numbers {numbers}."
    if moment.drawable:
        facts = noted(f"{facts} The complex has {moment.size}.", moment.note)
    return TextAlternative(" ".join([facts, *map(describe_highlight, highlight)]), HEADER, rows)


def _row(diagram: Diagram, k: int, number: int, scale: float) -> tuple[str, ...]:
    bars = diagram.in_dimension(k)
    alive = bars[(bars[:, 0] <= scale) & (scale < bars[:, 1])]
    birth, death = alive[np.argmax(alive[:, 1] - alive[:, 0])].tolist() if len(alive) else (math.nan, math.nan)
    return f"H{k}", str(number), short(birth), short(death)


def _draw_cloud(
    axes: Axes, points: NDArray[np.float64] | None, moment: Moment, highlight: Sequence[Representative]
) -> None:
    """Triangles, edges and points, in that order; words where there is no cloud."""
    from matplotlib.patches import PathPatch

    if points is None:
        axes.set_axis_off()
        write_inside(axes, "a diagram without its cloud")
        return
    plot_cloud(points, ax=axes, highlight=highlight)
    for dots in axes.collections:
        dots.set_zorder(3)
    flat = project(points).flat
    axes.add_patch(PathPatch(_filled(flat[moment.triangles]), facecolor=SHADE, linewidth=0, zorder=0.6))
    axes.plot(*_strokes(flat[moment.edges]), color=MUTED, linewidth=0.45, zorder=0.8)


def _filled(corners: NDArray[np.float64]) -> Any:
    """One path of (n, 3, 2) triangles, all turned the same way: what is covered twice is as dark as the rest."""
    from matplotlib.path import Path

    (x, y), (u, v) = (corners[:, k].T - corners[:, 0].T for k in (1, 2))
    turned = np.where((x * v < y * u)[:, None, None], corners[:, ::-1], corners)
    closed = np.concatenate([turned, turned[:, :1]], axis=1).reshape(-1, 2)
    codes = np.tile([Path.MOVETO, Path.LINETO, Path.LINETO, Path.CLOSEPOLY], len(corners))
    return Path(closed, codes)


def _strokes(ends: NDArray[np.float64]) -> NDArray[np.float64]:
    """The (n, 2, 2) segments as one line that is lifted between them: its x and y, (2, 3 n)."""
    lifted = np.full((len(ends), 1, 2), np.nan)
    return np.concatenate([ends, lifted], axis=1).reshape(-1, 2).T


def _draw_quadrant(axes: Axes, scale: float) -> None:
    """The area of the diagram in which bars are alive."""
    from matplotlib.patches import Rectangle

    low, high = axes.get_xlim()[0], axes.get_ylim()[1]
    area = (low, scale), scale - low, high - scale
    axes.add_patch(Rectangle(*area, facecolor=INK, alpha=0.1, edgecolor=SCALE_LINE, linewidth=1.0))
