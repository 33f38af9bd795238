"""A diagram as one of five pictures: what ``Diagram.plot`` shows."""

from __future__ import annotations

from typing import Any

from toriwork.errors import BadInput
from toriwork.plots.barcode import plot_barcode, plot_betti_curves
from toriwork.plots.bars import convention
from toriwork.plots.diagram import plot_diagram
from toriwork.plots.figure import PANEL_MM, Panel, Picture, picture
from toriwork.plots.image import plot_image
from toriwork.plots.landscape import plot_landscape
from toriwork.topology import as_diagram

KINDS = {
    "diagram": (plot_diagram, "Persistence diagram"),
    "barcode": (plot_barcode, "Barcode"),
    "betti_curves": (plot_betti_curves, "Betti numbers by scale"),
    "landscape": (plot_landscape, "Persistence landscape"),
    "image": (plot_image, "Persistence image"),
}


def picture_of(
    diagram: Any, kind: str = "diagram", *, size_mm: tuple[float, float] = PANEL_MM, **options: Any
) -> Picture:
    """The picture of one diagram, to look at and to :meth:`~toriwork.plots.Picture.save`.

    Parameters
    ----------
    diagram : Diagram or whatever :func:`toriwork.topology.as_diagram` takes
        What to draw.
    kind : {"diagram", "barcode", "betti_curves", "landscape", "image"}
        Which picture.
    size_mm : (float, float)
        Width and height.
    **options
        Of ``plot_diagram``, ``plot_barcode`` and so on: title, xlabel, ylabel and colours, and those of its own.

    Raises
    ------
    BadInput
        No such kind, nothing that is a diagram, or options that the figure refuses.
    """
    if kind not in KINDS:
        raise BadInput(f"kind: expected one of {', '.join(KINDS)}, got {kind!r}")
    found = as_diagram(diagram)
    plot, name = KINDS[kind]
    return picture(Panel(plot, found, options=options), caption=f"{name} ({convention(found)})", size_mm=size_mm)
