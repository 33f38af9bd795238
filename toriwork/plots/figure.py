"""A picture that can be read: a matplotlib figure, its caption, and the text alternative of every panel.

In a notebook it shows itself as an HTML figure with alt text and a table under it, and its plain text carries the
same facts, so that an output comparison checks the mathematics. No pyplot: nothing global is made or left open.
"""

from __future__ import annotations

import base64
import copy
import io
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

from toriwork.errors import BadInput
from toriwork.plots.options import STYLE_OPTIONS, TITLE_PAD
from toriwork.plots.style import DPI, style
from toriwork.plots.text_alternative import TextAlternative

if TYPE_CHECKING:
    import os

    from matplotlib.figure import Figure

PlotFunction = Callable[..., Any]
Describe = Callable[..., TextAlternative]

#: equal scales change the limits, those the tick labels, those the room that is left: the second pass settles it
LAYOUT_PASSES = 2
BETWEEN = 0.07  #: inches around a panel: the label of a colour bar is not to touch that of the next axis
MM = 25.4  #: in an inch
PANEL_MM = (84.0, 79.0)  #: about a column of a journal
LEAST_MM = 40.0  #: of width that a panel needs for letters of their size
SAVED_DPI = 300  #: of a PNG, and of what is pixels inside a vector file
#: what each kind of file says beside the picture, of caption and alternative; nothing that differs between two runs
_METADATA: dict[str, Callable[[str, str], dict[str, Any]]] = {
    ".pdf": lambda caption, alt: {"Title": caption, "Subject": alt, "CreationDate": None},
    ".svg": lambda caption, alt: {"Title": caption, "Description": alt, "Date": None},
    ".png": lambda caption, alt: {"Title": caption, "Description": alt, "Software": None},
}


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One pair of axes of a picture: a plot function, its data, a title, and its options.

    Examples
    --------
    >>> from toriwork import persistence
    >>> from toriwork.plots import Panel, plot_diagram
    >>> from toriwork.samples import load_sample
    >>> Panel(plot_diagram, persistence(load_sample("circle")), "Diagram", {"rule": "default"}).title
    'Diagram'
    """

    plot: PlotFunction
    data: Any
    title: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    describe: Describe | None = None  #: None: the ``describe_x`` of the module that ``plot_x`` is from

    def text(self) -> TextAlternative:
        """The text alternative of this panel; BadInput where no function is known that makes it."""
        module, name = sys.modules.get(self.plot.__module__), getattr(self.plot, "__name__", "")
        describe = self.describe or getattr(module, name.replace("plot_", "describe_", 1), None)
        if describe is None or describe is self.plot:
            raise BadInput(f"panel: expected describe=, which makes the text alternative of {self.plot}")
        return describe(self.data, **{name: of for name, of in self.options.items() if name not in STYLE_OPTIONS})


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Picture:
    """A drawn figure with its caption and its text alternatives, one per panel."""

    figure: Figure
    caption: str
    texts: tuple[TextAlternative, ...]
    titles: tuple[str, ...]

    @property
    def alt(self) -> str:
        """The picture in one line of text."""
        return " ".join(_headed(title, text.sentence) for title, text in self._titled())

    def png(self) -> bytes:
        """The picture as a PNG, the same bytes each time (for one version of matplotlib)."""
        stream = io.BytesIO()
        with style():
            self.figure.savefig(stream, format="png", dpi=DPI, metadata={"Software": None})
        return stream.getvalue()

    def save(self, path: str | os.PathLike[str], *, width_mm: float | None = None) -> Path:
        """The path of the picture saved for a paper or a slide; the same bytes each time.

        Parameters
        ----------
        path : path
            Its ending says the format: ``.pdf`` and ``.svg`` are vectors with their fonts inside (TrueType in a PDF,
            outlines in an SVG), ``.png`` has 300 pixels to an inch. All carry caption and text alternative.
        width_mm : float, optional
            Width on paper, at least 40 for each panel of a row; the height follows, letters keep their size. Not
            given: as it was drawn.

        Raises
        ------
        BadInput
            Another ending, no such folder, or a width that is too small.
        """
        path = Path(path).expanduser()
        if path.suffix.lower() not in _METADATA:
            raise BadInput(f"path: expected a file that ends with {', '.join(_METADATA)}, got {path.name!r}")
        if not path.parent.is_dir():
            raise BadInput(f"path: expected a folder that exists, got {str(path.parent)!r}")
        metadata = _METADATA[path.suffix.lower()](self.caption, self.alt)
        with style():
            figure = self.figure if width_mm is None else _resized(self.figure, width_mm)
            figure.savefig(path, dpi=SAVED_DPI, metadata=metadata)
        return path

    def to_html(self) -> str:
        """A self-contained HTML figure: the picture with alt text, its caption, and the numbers as tables."""
        tables = (text.to_html(title or self.caption) for title, text in self._titled())
        return figure_html(self.png(), self.alt, self.caption, "".join(tables))

    def _repr_mimebundle_(
        self, include: Collection[str] | None = None, exclude: Collection[str] | None = None
    ) -> dict[str, Any]:
        """HTML and plain text; a bare PNG too when it is asked for by name (for converters without HTML)."""
        asked = {"text/html", "text/plain"} if include is None else set(include)
        makers: dict[str, Callable[[], Any]] = {
            "text/html": self.to_html,
            "text/plain": self.__repr__,
            "image/png": self.png,
        }
        return {kind: make() for kind, make in makers.items() if kind in asked - set(exclude or ())}

    def __repr__(self) -> str:
        parts = (_headed(title, text.to_text()) for title, text in self._titled())
        return "\n".join([f"Picture: {self.caption}", *parts])

    def _titled(self) -> Iterator[tuple[str, TextAlternative]]:
        return zip(self.titles, self.texts, strict=True)


def picture(*panels: Panel, caption: str, columns: int = 3, size_mm: tuple[float, float] = PANEL_MM) -> Picture:
    """The panels drawn side by side in the house style, ``columns`` to a row, each ``size_mm`` wide and high.

    Raises
    ------
    BadInput
        There is no panel, or one cannot be drawn or described.

    Examples
    --------
    >>> from toriwork.plots import Panel, picture, plot_cloud
    >>> from toriwork.samples import load_sample
    >>> drawn = picture(Panel(plot_cloud, load_sample("circle"), "Cloud"), caption="A ring of points.")
    >>> drawn.png()[1:4], "A ring of points." in drawn.to_html()
    (b'PNG', True)
    """
    if not panels:
        raise BadInput("picture: expected at least one panel")
    texts = tuple(panel.text() for panel in panels)
    with style():
        figure = _draw(panels, min(columns, len(panels)), size_mm)
    return Picture(figure, caption, texts, tuple(panel.title for panel in panels))


def figure_html(png: bytes, alt: str, caption: str, tables: str) -> str:
    """A self-contained HTML figure with alt text and a caption; below it, folded, the tables (HTML)."""
    code = base64.b64encode(png).decode("ascii")
    return (
        f'<figure role="group" aria-label="{escape(caption)}" style="margin:1em 0">'
        f'<img alt="{escape(alt)}" src="data:image/png;base64,{code}" style="max-width:100%">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        f"<details><summary>The figure in numbers</summary>{tables}</details>"
    )


def _draw(panels: tuple[Panel, ...], columns: int, size_mm: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure

    rows = -(-len(panels) // columns)
    inches = size_mm[0] / MM * columns, size_mm[1] / MM * rows
    figure = Figure(figsize=inches, dpi=DPI, layout="constrained")  # colour bars ask for it when they are made
    for place, panel in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, place)
        panel.plot(panel.data, ax=axes, **panel.options)
        if panel.title:
            axes.set_title(panel.title, loc="left", pad=TITLE_PAD)
    return _laid_out(figure)


def _laid_out(figure: Figure) -> Figure:
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    figure.set_layout_engine(ConstrainedLayoutEngine(w_pad=BETWEEN, h_pad=BETWEEN))
    for _ in range(LAYOUT_PASSES):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")  # it would move everything by a hair each time the picture is asked for
    return figure


def _resized(figure: Figure, width_mm: float) -> Figure:
    """A copy of another width and the same shape."""
    places = (axes.get_subplotspec() for axes in figure.axes)
    columns = max(place.get_gridspec().ncols for place in places if place is not None)
    if not width_mm >= LEAST_MM * columns:
        least = f"at least {LEAST_MM * columns:g} for {columns} panels in a row"
        raise BadInput(f"width_mm: expected {least}, got {width_mm!r}; picture(..., columns=...) makes shorter rows")
    figure = copy.deepcopy(figure)
    width, height = figure.get_size_inches()
    figure.set_size_inches(width_mm / MM, height * width_mm / MM / width)
    return _laid_out(figure)


def _headed(title: str, text: str) -> str:
    return f"{title}: {text}" if title else text
