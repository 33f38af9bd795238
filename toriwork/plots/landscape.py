"""A persistence landscape as a picture and as words: the layers of the tents that stand over the bars."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.plots.bars import convention
from toriwork.plots.options import styled
from toriwork.plots.style import DEPTH_COLOURS, INK, axes_or_current, colour_map, write_inside, write_note
from toriwork.plots.text_alternative import TextAlternative, counted, noted, short
from toriwork.topology import as_diagram
from toriwork.topology.vectorize import finite_bars, landscape

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toriwork.topology import Diagram

GRID = 512  #: scales beside the feet and tops of all tents, where the layers are exact in any case
LIGHTEST = 0.8  #: of the colour map; what lies beyond is too faint on white
LINES = ("-", "--", "-.", ":")
HEADER = ("layer", "highest", "at scale", "area")


@dataclass(frozen=True, slots=True, eq=False)
class Layers:
    """The layers that a figure shows, and how many it does not."""

    scales: NDArray[np.float64]  #: (n_grid,)
    heights: NDArray[np.float64]  #: (n_layers, n_grid), those that are not zero everywhere
    n_bars: int
    note: str  #: what is left out; empty when nothing is


@styled
def plot_landscape(diagram: Any, *, ax: Axes | None = None, dimension: int = 1, n_layers: int = 5) -> Axes:
    """The axes with the first layers of the persistence landscape of one dimension, dark to light.

    Layer i at scale t is the i-th largest of min(t - birth, death - t). Essential classes have no tent; they and the
    layers below the last one drawn are counted in the picture.

    Parameters
    ----------
    diagram : Diagram or whatever :func:`toriwork.topology.as_diagram` takes
        Complete: a bar that was cut has no known tent.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.
    dimension : int
        Of homology.
    n_layers : int
        At most so many layers, >= 1.

    Raises
    ------
    BadInput
        The diagram was cut, the dimension was not computed, or ``n_layers`` < 1.

    Sources
    -------
    Bubenik 2015, JMLR 16:77-102, sect. 2.2.

    Examples
    --------
    >>> from toriwork import persistence, plot_landscape
    >>> from toriwork.samples import load_sample
    >>> plot_landscape(persistence(load_sample("figure_eight"))).get_xlabel()
    'scale (diameter)'
    """
    diagram = as_diagram(diagram)
    layers = layers_of(diagram, dimension, n_layers)
    axes = axes_or_current(ax)
    shades = colour_map(DEPTH_COLOURS)(np.linspace(0.0, LIGHTEST, max(len(layers.heights), 1)))
    for i, heights in enumerate(layers.heights):
        name = str(i + 1) if i else "layer 1"
        axes.plot(layers.scales, heights, color=shades[i], linestyle=LINES[i % len(LINES)], linewidth=1.6, label=name)
    axes.set_xlabel(f"scale ({diagram.scale})", color=INK)
    axes.set_ylabel(f"height of the layers of H{dimension}", color=INK)
    top = float(layers.heights.max(initial=0.0)) or 1.0
    axes.set_ylim(0.0, 1.2 * top)  # the legend lies above the tops
    if len(layers.heights):
        axes.legend(loc="upper center", ncols=len(layers.heights), handlelength=1.6, columnspacing=0.8)
    else:
        write_inside(axes, "no bar that ends")
    write_note(axes, layers.note)
    return axes


def describe_landscape(diagram: Any, *, dimension: int = 1, n_layers: int = 5) -> TextAlternative:
    """The text alternative of :func:`plot_landscape`: for each layer its top, where that is, and the area below."""
    diagram = as_diagram(diagram)
    layers = layers_of(diagram, dimension, n_layers)
    rows = tuple(_row(i, layers.scales, heights) for i, heights in enumerate(layers.heights))
    made = f"of {counted(layers.n_bars, 'bar')} of H{dimension} ({convention(diagram)})"
    facts = [f"Persistence landscape {made}: {counted(len(rows), 'layer')}."]
    facts += [f"The first is highest, {rows[0][1]}, at scale {rows[0][2]}."] if rows else []
    return TextAlternative(noted(" ".join(facts), layers.note), HEADER, rows)


def layers_of(diagram: Diagram, dimension: int, n_layers: int) -> Layers:
    """The first layers on a grid that holds every foot and top of a tent, and a note of what is left out."""
    bars = finite_bars(diagram, dimension)
    feet = np.unique(np.concatenate([np.zeros(1), bars.ravel(), bars.mean(axis=1)]))
    scales = np.union1d(feet, np.linspace(feet[0], feet[-1], GRID))
    heights = landscape(diagram, dimension, scales, n_layers=n_layers)
    inside = (bars[:, :1] < scales) & (scales < bars[:, 1:])
    depth = int(inside.sum(axis=0).max(initial=0))
    n_endless = len(diagram.in_dimension(dimension)) - len(bars)
    left_out = [counted(n_endless, "essential bar")] if n_endless else []
    left_out += [counted(depth - n_layers, "lower layer")] if depth > n_layers else []
    note = f"not shown: {', '.join(left_out)}" if left_out else ""
    return Layers(scales, heights[: min(depth, n_layers)], len(bars), note)


def _row(i: int, scales: NDArray[np.float64], heights: NDArray[np.float64]) -> tuple[str, ...]:
    top = int(heights.argmax())
    area = float(np.trapezoid(heights, scales))
    return str(i + 1), short(heights[top]), short(scales[top]), short(area)
