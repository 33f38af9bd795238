"""The picture of a diagram explorer: cloud and growing complex, diagram, barcode and Betti curves at one scale.

What stays is drawn once; what moves with the scale is drawn over a copy of it, so that a slider can be followed.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

from toriwork.plots.barcode import plot_barcode, plot_betti_curves
from toriwork.plots.cloud import plot_cloud, project
from toriwork.plots.diagram import plot_diagram
from toriwork.plots.figure import LAYOUT_PASSES
from toriwork.plots.style import DPI, INK, MUTED, style, write_inside
from toriwork.plots.text_alternative import TextAlternative, counted, noted, short

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

    from toriwork.topology import Diagram

SIZE = (9.0, 6.4)  #: inches
HEADER = ("dimension", "Betti number", "longest alive from", "to")
SCALE_LINE = "#000000"
SHADE = "#D9D9D9"  #: of triangles


@dataclass(frozen=True, slots=True, eq=False)
class Moment:
    """The complex at one scale: the simplices to draw, and the number of all."""

    scale: float
    edges: NDArray[np.intp]  #: (n, 2) indices of points: the edges to draw
    triangles: NDArray[np.intp]  #: (n, 3): the triangles to draw
    n_edges: int  #: of the whole complex
    n_triangles: int
    drawable: bool = True  #: False: there is no cloud, or its filtration is not Rips

    @property
    def note(self) -> str:
        """The parts of the complex that are not drawn; empty when all are."""
        hidden = [
            f"{total - len(drawn)} of {total} {name}"
            for name, drawn, total in (
                ("edges", self.edges, self.n_edges),
                ("triangles", self.triangles, self.n_triangles),
            )
            if total > len(drawn)
        ]
        return f"not shown: {', '.join(hidden)}" if hidden else ""


class ExplorerView:
    """A picture that follows the scale; not safe to use from two threads at once."""

    def __init__(self, points: NDArray[np.float64] | None, diagram: Diagram) -> None:
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure

        with style():
            figure = Figure(figsize=SIZE, dpi=DPI, layout="constrained")
            self._canvas = cast("Any", FigureCanvasAgg(figure))  # half of its methods have no types
            cloud, plane, bars, curves = figure.subplots(2, 2).ravel().tolist()
            self._headline = figure.suptitle(" ", x=0.01, ha="left", fontsize=10, color=INK, parse_math=False)
            self._flat = None if points is None else project(points).flat
            self._complex = _draw_cloud(cloud, points)
            plot_diagram(diagram, ax=plane)
            plot_barcode(diagram, ax=bars)
            plot_betti_curves(diagram, ax=curves)
            self._alive = _draw_quadrant(plane)
            self._lines = [axes.axvline(0.0, color=SCALE_LINE, linewidth=1.0) for axes in (bars, curves)]
            for artist in self._moving():
                artist.set_animated(True)
            for _ in range(LAYOUT_PASSES):
                figure.draw_without_rendering()
            figure.set_layout_engine("none")
            self._canvas.draw()
        self._whole = figure.bbox
        self._background = self._grown = self._canvas.copy_from_bbox(self._whole)
        self._n_grown = (-1, -1)  # edges and triangles of the complex in ``_grown``

    def png(self, moment: Moment, alternative: TextAlternative, *, compression: int = 1) -> bytes:
        """The picture at one scale as a PNG; ``alternative`` is that of the moment and gives the Betti numbers."""
        from PIL import Image  # which matplotlib brings

        self._follow(moment, alternative)
        self._draw_complex(moment)
        for artist in self._moving()[len(self._complex) :]:
            artist.draw(self._canvas.get_renderer())
        stream = io.BytesIO()
        opaque = np.ascontiguousarray(np.asarray(self._canvas.buffer_rgba())[..., :3])  # half the time of four bytes
        Image.fromarray(opaque).save(stream, format="png", compress_level=compression)
        return stream.getvalue()

    def _draw_complex(self, moment: Moment) -> None:
        """Draw background, complex and points; the copy of the last drawing where nothing has changed."""
        drawn = len(moment.edges), len(moment.triangles)
        if drawn == self._n_grown:
            self._canvas.restore_region(self._grown)
            return
        self._canvas.restore_region(self._background)
        for artist in self._complex:
            artist.draw(self._canvas.get_renderer())
        self._grown, self._n_grown = self._canvas.copy_from_bbox(self._whole), drawn

    def _moving(self) -> list[Artist]:
        return [*self._complex, self._alive, *self._lines, self._headline]

    def _follow(self, moment: Moment, alternative: TextAlternative) -> None:
        numbers = ", ".join(f"{row[0]}: {row[1]}" for row in alternative.rows)
        told = (f"scale {short(moment.scale)}", f"Betti numbers  {numbers}", moment.note)
        self._headline.set_text("     ".join(told).rstrip())
        if self._flat is not None:
            triangles, edges, _ = self._complex
            triangles.set_path(_filled(self._flat[moment.triangles]))
            edges.set_data(*_strokes(self._flat[moment.edges]))
        low, high = self._alive.axes.get_xlim()
        self._alive.set_bounds(low, moment.scale, moment.scale - low, high - moment.scale)
        for line in self._lines:
            line.set_xdata([moment.scale, moment.scale])


def describe_moment(diagram: Diagram, moment: Moment) -> TextAlternative:
    """The text alternative of the explorer's picture: the complex, its Betti numbers, the longest bar alive."""
    rows = tuple(_row(diagram, k, number, moment.scale) for k, number in enumerate(diagram.betti(moment.scale)))
    numbers = ", ".join(f"H{k} {row[1]}" for k, row in enumerate(rows))
    facts = [f"At scale {short(moment.scale)} ({diagram.scale}): Betti numbers {numbers}."]
    if moment.drawable:
        facts.append(
            f"The complex has {counted(moment.n_edges, 'edge')} and {counted(moment.n_triangles, 'triangle')}."
        )
    return TextAlternative(noted(" ".join(facts), moment.note), HEADER, rows)


def _row(diagram: Diagram, k: int, number: int, scale: float) -> tuple[str, ...]:
    bars = diagram.in_dimension(k)
    alive = bars[(bars[:, 0] <= scale) & (scale < bars[:, 1])]
    birth, death = alive[np.argmax(alive[:, 1] - alive[:, 0])].tolist() if len(alive) else (math.nan, math.nan)
    return f"H{k}", str(number), short(birth), short(death)


def _draw_cloud(axes: Axes, points: NDArray[np.float64] | None) -> list[Any]:
    """Triangles, edges and points, in the order of drawing; empty without a cloud."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import PathPatch

    if points is None:
        axes.set_axis_off()
        write_inside(axes, "a diagram without its cloud")
        return []
    plot_cloud(points, ax=axes)
    dots = axes.collections[0]
    dots.set_zorder(3)
    triangles = PathPatch(_filled(np.zeros((0, 3, 2))), facecolor=SHADE, linewidth=0, zorder=1)
    edges = Line2D([], [], color=MUTED, linewidth=0.45, zorder=2)
    for part in (axes.add_patch(triangles), axes.add_line(edges)):
        part.set_in_layout(False)
    return [triangles, edges, dots]


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


def _draw_quadrant(axes: Axes) -> Any:
    """The area of the diagram in which bars are alive."""
    from matplotlib.patches import Rectangle

    area = Rectangle((0.0, 0.0), 0.0, 0.0, facecolor=INK, alpha=0.1, edgecolor=SCALE_LINE, linewidth=1.0)
    axes.add_patch(area)
    return area
