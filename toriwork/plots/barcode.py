"""Bars side by side, and how many of them are alive at each scale: two more pictures of one diagram."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.plots.bars import (
    Bars,
    convention,
    describe_bars,
    hiding_note,
    last_finite_scale,
    shown_bars,
)
from toriwork.plots.options import styled
from toriwork.plots.style import INK, axes_or_current, look, write_note
from toriwork.plots.text_alternative import TextAlternative, noted, short
from toriwork.topology import as_diagram

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toriwork.topology import Diagram

PAST_THE_END = 1.06  #: bars without an end run on to this multiple of the last finite scale
GROUP_GAP = 0.04  #: blank space between two dimensions, as a share of all bars
LEAST_GROUP = 0.1  #: of all bars: so much room has a dimension of a few bars, or they would touch each other


@styled
def plot_barcode(
    diagram: Any,
    *,
    ax: Axes | None = None,
    min_persistence: float = 0.0,
    dimensions: Sequence[int] | None = None,
) -> Axes:
    """The axes with one horizontal line per bar, grouped by dimension, each group sorted by birth, then length.

    Essential bars end in a filled arrow head, censored ones in a hollow one. What ``min_persistence`` or
    ``dimensions`` leave out is written into the picture.

    Parameters
    ----------
    diagram : Diagram or whatever :func:`toriwork.topology.as_diagram` takes
        What to draw; births and deaths in the unit of its scale.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.
    min_persistence : float
        Bars of at most this length are left out; the picture says how many.
    dimensions : sequence of int, optional
        Homology dimensions to draw; None means all that were computed.

    Raises
    ------
    BadInput
        ``min_persistence`` is negative, or a dimension was not computed.

    Examples
    --------
    >>> from toriwork import persistence, plot_barcode
    >>> from toriwork.samples import load_sample
    >>> plot_barcode(persistence(load_sample("circle")), dimensions=(1,)).get_xlabel()
    'scale (diameter)'
    """
    diagram = as_diagram(diagram)
    shown = shown_bars(diagram, min_persistence=min_persistence, dimensions=dimensions)
    axes = axes_or_current(ax)
    end = PAST_THE_END * last_finite_scale(shown)
    n_bars = sum(map(len, shown))
    gap = max(1.0, GROUP_GAP * n_bars)
    floor, ticks, names = 0.0, [], []
    for part in shown:
        if len(part):
            step = max(1.0, LEAST_GROUP * n_bars / len(part))
            heights: NDArray[np.float64] = floor + step * np.arange(len(part), dtype=np.float64)
            _draw_group(axes, part, heights, end, width=_line_width(n_bars))
            ticks.append(float(heights.mean()))
            names.append(f"H{part.dimension} ({len(part)})")
            floor = float(heights[-1]) + 1.0 + gap
    axes.set_xlim(right=1.03 * end)
    axes.set_ylim(-gap, max(floor, 1.0))
    axes.set_yticks(ticks, labels=names)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel(f"scale ({diagram.scale})", color=INK)
    write_note(axes, hiding_note(diagram, shown, min_persistence))
    return axes


def describe_barcode(
    diagram: Any, *, min_persistence: float = 0.0, dimensions: Sequence[int] | None = None
) -> TextAlternative:
    """The text alternative of :func:`plot_barcode`: per dimension the bars, the endless ones and the longest."""
    diagram = as_diagram(diagram)
    shown = shown_bars(diagram, min_persistence=min_persistence, dimensions=dimensions)
    return describe_bars(diagram, shown, kind="Barcode", note=hiding_note(diagram, shown, min_persistence))


@styled
def plot_betti_curves(diagram: Any, *, ax: Axes | None = None, dimensions: Sequence[int] | None = None) -> Axes:
    """The axes with the Betti number at each scale as an exact step function, one line pattern per dimension.

    The vertical axis is linear up to 2 and logarithmic above, so that one loop is seen beside a hundred components.
    A diagram that was cut is drawn up to the scale of the cut.

    Parameters
    ----------
    diagram : Diagram or whatever :func:`toriwork.topology.as_diagram` takes
        What to draw.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.
    dimensions : sequence of int, optional
        Homology dimensions to draw; None means all that were computed.

    Raises
    ------
    BadInput
        A dimension was not computed.

    Examples
    --------
    >>> from toriwork import persistence, plot_betti_curves
    >>> from toriwork.samples import load_sample
    >>> plot_betti_curves(persistence(load_sample("circle"))).get_xlabel()
    'scale (diameter)'
    """
    diagram = as_diagram(diagram)
    shown = shown_bars(diagram, dimensions=dimensions)
    axes = axes_or_current(ax)
    end = min(PAST_THE_END * last_finite_scale(shown), diagram.threshold)
    most = 1
    for part in shown:
        scales, numbers = curve_steps(diagram, part.dimension, end)
        appearance = look(part.dimension)
        drawn: dict[str, Any] = {"color": appearance.colour, "linestyle": appearance.line, "linewidth": 1.6}
        axes.step(scales, numbers, where="post", label=f"H{part.dimension}", **drawn)
        most = max(most, int(numbers.max()))
    _scale_counts(axes, most)
    axes.set_xlim(right=end)
    axes.set_xlabel(f"scale ({diagram.scale})", color=INK)
    axes.set_ylabel("Betti number at that scale", color=INK)
    axes.legend(loc="upper center", ncols=max(len(shown), 1), columnspacing=1.2)
    write_note(axes, hiding_note(diagram, shown, 0.0))
    return axes


def describe_betti_curves(diagram: Any, *, dimensions: Sequence[int] | None = None) -> TextAlternative:
    """The text alternative of :func:`plot_betti_curves`: per dimension the largest, and what holds longest above 0."""
    diagram = as_diagram(diagram)
    shown = shown_bars(diagram, dimensions=dimensions)
    end = min(last_finite_scale(shown), diagram.threshold)
    rows = tuple(_curve_row(diagram, part.dimension, end) for part in shown)
    facts = " ".join(map(_curve_sentence, rows))
    sentence = f"Betti curves up to scale {short(end)} ({convention(diagram)}). {facts}"
    sentence = noted(sentence, hiding_note(diagram, shown, 0.0))
    return TextAlternative(sentence, ("dimension", "largest", "longest above 0", "from", "to"), rows)


def curve_steps(diagram: Diagram, k: int, end: float) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The scales at which the Betti number of H_k changes, (n_steps,), and its values; the last is at ``end``."""
    bars = diagram.in_dimension(k)
    changes = np.unique(np.concatenate([np.zeros(1), bars.ravel(), np.array([end])]))
    scales = changes[changes <= end]
    return scales, diagram.betti_curve(k, scales)


def _curve_row(diagram: Diagram, k: int, end: float) -> tuple[str, ...]:
    scales, numbers = curve_steps(diagram, k, end)
    joined = np.append(True, np.diff(numbers) != 0)
    starts, values = scales[joined], numbers[joined]
    stops = np.append(starts[1:], end)
    if not values.any():
        return f"H{k}", "0", "–", "–", "–"
    i = int(np.argmax(np.where(values > 0, stops - starts, -1.0)))
    return f"H{k}", str(int(numbers.max())), str(int(values[i])), short(starts[i]), short(stops[i])


def _curve_sentence(row: tuple[str, ...]) -> str:
    name, most, number, start, stop = row
    return f"{name}: always 0." if most == "0" else f"{name}: at most {most}; {number} from {start} to {stop}."


def _draw_group(axes: Axes, part: Bars, heights: NDArray[np.float64], end: float, *, width: float) -> None:
    order = np.lexsort((-part.deaths, part.births))
    births, deaths, censored = part.births[order], part.deaths[order], part.censored[order]
    colour = look(part.dimension).colour
    axes.hlines(heights, births, np.minimum(deaths, end), colors=colour, linewidth=width)
    for mask, fill in ((np.isinf(deaths) & ~censored, colour), (censored, "white")):
        if mask.any():
            ends = np.full(int(mask.sum()), end)
            axes.scatter(ends, heights[mask], marker=">", s=26, facecolors=fill, edgecolors=colour, zorder=3)


def _line_width(n_bars: int) -> float:
    return float(np.clip(150.0 / max(n_bars, 1), 0.7, 3.5))


def _scale_counts(axes: Axes, most: int) -> None:
    axes.set_yscale("symlog", linthresh=2, linscale=1.0)
    ticks = [0, 1, 2, *(step * 10**power for power in range(7) for step in (1, 2, 5) if 2 < step * 10**power <= most)]
    axes.set_yticks(ticks, labels=list(map(str, ticks)))
    axes.minorticks_off()
    axes.set_ylim(-0.15, max(2.2, 1.15 * most))
    bent = axes.yaxis.get_transform()
    low, high = bent.transform(np.array(axes.get_ylim()))
    axes.set_ylim(top=float(bent.inverted().transform(np.array([high + 0.15 * (high - low)]))[0]))  # for the legend
