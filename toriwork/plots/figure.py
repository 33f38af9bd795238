"""A picture that can be read: a matplotlib figure, its caption, and the text alternative of every panel.

In a notebook it shows itself as an HTML figure with alt text and a table under it, and its plain text carries the
same facts, so that an output comparison checks the mathematics. No pyplot: nothing global is made or left open.
"""

from __future__ import annotations

import base64
import io
import sys
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any

from toriwork.errors import BadInput
from toriwork.plots.style import DPI, style
from toriwork.plots.text_alternative import TextAlternative

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Plot = Callable[..., Any]
Describe = Callable[..., TextAlternative]

#: equal scales change the limits, those the tick labels, those the room that is left: the second pass settles it
LAYOUT_PASSES = 2
BETWEEN = 0.07  #: inches around a panel: the label of a colour bar is not to touch that of the next axis


@dataclass(frozen=True, slots=True, eq=False)
class Panel:
    """One pair of axes of a picture: a plot function, its data, a title, and its options."""

    plot: Plot
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
        return describe(self.data, **self.options)


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


def picture(*panels: Panel, caption: str, columns: int = 3, panel_size: tuple[float, float] = (3.3, 3.1)) -> Picture:
    """The panels drawn side by side in the house style, ``columns`` to a row, each ``panel_size`` inches.

    Raises
    ------
    BadInput
        There is no panel, or one cannot be drawn or described.
    """
    if not panels:
        raise BadInput("picture: expected at least one panel")
    texts = tuple(panel.text() for panel in panels)
    with style():
        figure = _draw(panels, min(columns, len(panels)), panel_size)
    return Picture(figure, caption, texts, tuple(panel.title for panel in panels))


def figure_html(png: bytes, alt: str, caption: str, tables: str) -> str:
    """A self-contained HTML figure with alt text and a caption; below it, folded, the tables (HTML)."""
    code = base64.b64encode(png).decode("ascii")
    return (
        f'<figure role="group" aria-label="{escape(caption)}">'
        f'<img alt="{escape(alt)}" src="data:image/png;base64,{code}" style="max-width:100%">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
        f"<details><summary>The figure in numbers</summary>{tables}</details>"
    )


def _draw(panels: tuple[Panel, ...], columns: int, panel_size: tuple[float, float]) -> Figure:
    from matplotlib.figure import Figure
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    rows = -(-len(panels) // columns)
    layout = ConstrainedLayoutEngine(w_pad=BETWEEN, h_pad=BETWEEN)
    figure = Figure(figsize=(panel_size[0] * columns, panel_size[1] * rows), dpi=DPI, layout=layout)
    for place, panel in enumerate(panels, start=1):
        axes = figure.add_subplot(rows, columns, place)
        panel.plot(panel.data, ax=axes, **panel.options)
        if panel.title:
            axes.set_title(panel.title, loc="left", pad=14)
    for _ in range(LAYOUT_PASSES):
        figure.draw_without_rendering()
    figure.set_layout_engine("none")  # it would move everything by a hair each time the picture is asked for
    return figure


def _headed(title: str, text: str) -> str:
    return f"{title}: {text}" if title else text
