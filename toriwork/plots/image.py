"""A persistence image as a picture and as words: the bars as weighted Gaussians over birth and persistence."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.plots.bars import convention
from toriwork.plots.options import styled
from toriwork.plots.style import INK, WEIGHT_COLOURS, axes_or_current, colour_map, write_inside, write_note
from toriwork.plots.text_alternative import TextAlternative, counted, noted, short
from toriwork.topology import as_diagram
from toriwork.topology.vectorize import finite_bars, persistence_image

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toriwork.topology import Diagram

BANDWIDTH = 0.05  #: of the longest bar, where none is given
MARGIN = 3.0  #: bandwidths around the bars; beyond lies less than 0.3 % of a Gaussian
HEADER = ("dimension", "bars", "birth of most weight", "persistence there", "weight in that pixel", "in all pixels")


@dataclass(frozen=True, slots=True, eq=False)
class Pixels:
    """The pixels of a persistence image."""

    births: NDArray[np.float64]  #: (n_pixels + 1,) borders
    lengths: NDArray[np.float64]  #: (n_pixels + 1,) borders
    weights: NDArray[np.float64]  #: (n_pixels, n_pixels): a row for each length
    bandwidth: float
    n_bars: int
    note: str  #: what is left out; empty when nothing is


@styled
def plot_image(
    diagram: Any,
    *,
    ax: Axes | None = None,
    dimension: int = 1,
    n_pixels: int = 40,
    bandwidth: float | None = None,
    power: float = 1.0,
) -> Axes:
    """The axes with the persistence image of one dimension: birth across, persistence upwards, pale where nothing is.

    Each bar is a Gaussian of weight persistence ** power; a pixel is the integral over it. Essential classes have no
    finite persistence; the picture says how many there are.

    Parameters
    ----------
    diagram : Diagram or whatever :func:`toriwork.topology.as_diagram` takes
        Complete.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.
    dimension : int
        Of homology.
    n_pixels : int
        Along each side, 1 to 1000.
    bandwidth : float, optional
        Standard deviation of the Gaussians in the unit of the scale; None means a twentieth of the longest bar.
    power : float
        Of the weights, >= 0.

    Raises
    ------
    BadInput
        The diagram was cut, the dimension was not computed, or a number is out of range.

    Sources
    -------
    Adams et al. 2017, JMLR 18(8):1-35, sect. 4.

    Examples
    --------
    >>> from toriwork import persistence, plot_image
    >>> from toriwork.samples import load_sample
    >>> plot_image(persistence(load_sample("figure_eight"))).get_xlabel()
    'birth (diameter)'
    """
    diagram = as_diagram(diagram)
    shown = pixels_of(diagram, dimension, n_pixels, bandwidth, power)
    axes = axes_or_current(ax)
    mesh = axes.pcolormesh(
        shown.births, shown.lengths, shown.weights, cmap=colour_map(WEIGHT_COLOURS), vmin=0.0, rasterized=True
    )
    axes.set_xlabel(f"birth ({diagram.scale})", color=INK)
    axes.set_ylabel(f"persistence of H{dimension}", color=INK)
    if shown.n_bars:
        axes.figure.colorbar(mesh, ax=axes, label="weight in a pixel", fraction=0.05, pad=0.03)
    else:
        write_inside(axes, "no bar that ends")
    write_note(axes, shown.note)
    return axes


def describe_image(
    diagram: Any,
    *,
    dimension: int = 1,
    n_pixels: int = 40,
    bandwidth: float | None = None,
    power: float = 1.0,
) -> TextAlternative:
    """The text alternative of :func:`plot_image`: where the image lies, what it weighs, and its brightest pixel."""
    diagram = as_diagram(diagram)
    shown = pixels_of(diagram, dimension, n_pixels, bandwidth, power)
    made = f"of {counted(shown.n_bars, 'bar')} of H{dimension} ({convention(diagram)})"
    facts = [f"Persistence image {made}: {n_pixels} by {n_pixels} pixels, bandwidth {short(shown.bandwidth)}."]
    row, column = np.unravel_index(int(shown.weights.argmax()), shown.weights.shape)
    place = (_middle(shown.births, int(column)), _middle(shown.lengths, int(row))) if shown.n_bars else (math.nan,) * 2
    birth, length = map(short, place)
    facts += [f"Most weight at birth {birth}, persistence {length}."] if shown.n_bars else []
    weights = short(float(shown.weights.max())), short(float(shown.weights.sum()))
    cells = (f"H{dimension}", str(shown.n_bars), birth, length, *weights)
    return TextAlternative(noted(" ".join(facts), shown.note), HEADER, (cells,))


def pixels_of(diagram: Diagram, dimension: int, n_pixels: int, bandwidth: float | None, power: float) -> Pixels:
    """The image on pixels that hold every bar with a margin; persistence begins at zero."""
    if not 1 <= n_pixels <= 1000:
        raise BadInput(f"n_pixels: expected 1 to 1000 along each side, got {n_pixels!r}")
    bars = finite_bars(diagram, dimension)
    lengths = bars[:, 1] - bars[:, 0]
    longest = float(lengths.max(initial=0.0)) or 1.0
    wide = BANDWIDTH * longest if bandwidth is None else bandwidth
    margin = MARGIN * wide if 0 < wide < math.inf else 1.0  # persistence_image refuses the others by name
    births = bars[:, 0] if len(bars) else np.zeros(1)
    across = np.linspace(float(births.min()) - margin, float(births.max()) + margin, n_pixels + 1)
    along = np.linspace(0.0, longest + margin, n_pixels + 1)
    weights = persistence_image(diagram, dimension, across, along, bandwidth=wide, power=power)
    n_endless = len(diagram.in_dimension(dimension)) - len(bars)
    note = f"not shown: {counted(n_endless, 'essential bar')}" if n_endless else ""
    return Pixels(across, along, weights, wide, len(bars), note)


def _middle(borders: NDArray[np.float64], i: int) -> float:
    return float(borders[i] + borders[i + 1]) / 2
