"""The picture of a row of the registry: a cloud beside its diagram, or a spectrum."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from toriwork.plots.cloud import plot_cloud
from toriwork.plots.diagram import plot_diagram
from toriwork.plots.figure import Panel, Picture, picture
from toriwork.plots.options import styled
from toriwork.plots.style import INK, MUTED, axes_or_current, look, write_inside
from toriwork.plots.text_alternative import TextAlternative, counted, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toriwork.topology import Diagram

SIZE_MM = (112.0, 91.0)
MOST_LISTED = 5  #: eigenvalues in words


@dataclass(frozen=True, slots=True, eq=False)
class Preview:
    """The contents of a row that are drawn; ``note`` says what is not, and why."""

    caption: str
    points: NDArray[np.float64] | None = None  #: (n_points, dim), of a cloud
    diagram: Diagram | None = None  #: of those points
    spectrum: NDArray[Any] | None = None  #: (n_modes,) real or complex, finite
    note: str = ""

    @property
    def is_drawn(self) -> bool:
        """True when there is something to draw."""
        return self.points is not None or self.spectrum is not None


def preview_picture(preview: Preview) -> Picture:
    """The preview as a picture of two panels, or one, with its text alternative."""
    if preview.spectrum is not None:
        panels = [Panel(plot_spectrum, preview.spectrum)]
    elif preview.points is not None:
        panels = [Panel(plot_cloud, preview.points, "cloud")]
        if preview.diagram is not None:
            panels.append(Panel(plot_diagram, preview.diagram, f"diagram ({preview.diagram.scale})"))
    else:
        panels = [Panel(plot_nothing, preview.note or preview.caption)]
    return picture(*panels, caption=preview.caption, size_mm=SIZE_MM)


@styled
def plot_spectrum(eigenvalues: ArrayLike, *, ax: Axes | None = None) -> Axes:
    """The axes with a real spectrum as stems in falling order, a complex one as points of the plane.

    Parameters
    ----------
    eigenvalues : array_like of shape (n_modes,)
        Real or complex, finite.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.
    """
    values = np.asarray(eigenvalues)
    axes = axes_or_current(ax)
    mark = look(0)
    if np.iscomplexobj(values):
        for line in (axes.axhline, axes.axvline):
            line(0.0, color=MUTED, linewidth=0.6)
        axes.scatter(values.real, values.imag, s=18, color=mark.colour, marker=mark.marker, linewidths=0)
        axes.set_xlabel("real part", color=INK)
        axes.set_ylabel("imaginary part", color=INK)
        return axes
    numbers, falling = np.arange(1, len(values) + 1), -np.sort(-values)
    axes.vlines(numbers, 0.0, falling, color=mark.colour, linewidth=1.0)
    axes.plot(numbers, falling, linestyle="none", marker=mark.marker, markersize=4, color=mark.colour)
    axes.axhline(0.0, color=MUTED, linewidth=0.6)
    axes.set_xlabel("mode", color=INK)
    axes.set_ylabel("eigenvalue", color=INK)
    return axes


def describe_spectrum(eigenvalues: ArrayLike) -> TextAlternative:
    """The text alternative of :func:`plot_spectrum`: how many, and the five of largest magnitude."""
    values = np.asarray(eigenvalues)
    kind = "complex" if np.iscomplexobj(values) else "real"
    header = ("mode", "real part", "imaginary part", "magnitude")
    if not len(values):
        return TextAlternative("A spectrum without eigenvalues.", header, ())
    sizes = np.abs(values)
    largest = np.argsort(-sizes, kind="stable")[:MOST_LISTED]
    rows = tuple(
        (str(number), *(short(float(part)) for part in (values[place].real, values[place].imag, sizes[place])))
        for number, place in enumerate(largest.tolist(), start=1)
    )
    sentence = (
        f"Spectrum of {counted(len(values), kind + ' eigenvalue')}, magnitudes from {short(float(sizes.min()))} "
        f"to {short(float(sizes.max()))}."
    )
    return TextAlternative(sentence, header, rows)


@styled
def plot_nothing(why: str, *, ax: Axes | None = None) -> Axes:
    """Axes without a frame that say why nothing is drawn."""
    axes = axes_or_current(ax)
    axes.set_axis_off()
    write_inside(axes, why)
    return axes


def describe_nothing(why: str) -> TextAlternative:
    """The text alternative of :func:`plot_nothing`."""
    return TextAlternative(f"{why[:1].upper()}{why[1:]}.", ("not drawn",), ())
