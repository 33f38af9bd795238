"""The diagram explorer in a notebook: :class:`ExplorerState` with a slider and two buttons."""

from __future__ import annotations

from typing import Any

from toriwork.plots.explorer import ExplorerView
from toriwork.plots.text_alternative import TextAlternative, short
from toriwork.topology import Diagram
from toriwork.widgets.base import LiveView, live_text
from toriwork.widgets.explorer_state import ExplorerState

STEPS = 200  #: of the slider
STILL_COMPRESSION = 6  #: of the picture that is saved with the notebook; the moving one is packed in haste


class DiagramExplorer(LiveView):
    """A slider through the filtration, linked with cloud and complex, diagram, barcode and Betti curves.

    In a notebook it shows itself twice: as a widget, and below it as a still picture with alt text and a table, which
    is there when the notebook is opened again without a kernel. The widget is made when it is first shown or asked
    for; ``close()`` frees it, and so does leaving a ``with`` block.

    Parameters
    ----------
    data : array_like of shape (n_points, dim), or Diagram
        A cloud of at most 1000 points, or a diagram whose cloud is not to be shown.
    diagram : Diagram, optional
        That of the cloud, when it is known already; None: its Rips diagram is computed. The complex is drawn for
        Rips alone.
    max_dimension : int
        Of the diagram that is computed.
    scale : float, optional
        Where to begin; None means the middle of the longest bar of H1 and above that ends, else of the range.

    Raises
    ------
    BadInput
        The points are no finite cloud or too many, two diagrams are given, or the diagram is of another number of
        points; or the scale is not finite.
    """

    def __init__(
        self, data: Any, *, diagram: Diagram | None = None, max_dimension: int = 1, scale: float | None = None
    ) -> None:
        super().__init__()
        self.state = ExplorerState(data, diagram=diagram, max_dimension=max_dimension, scale=scale)
        self._view = ExplorerView(self.state.points, self.state.diagram)

    @property
    def caption(self) -> str:
        """The scale at which the still picture was taken."""
        return f"The filtration at scale {short(self.state.scale)} ({self.state.diagram.scale})"

    @property
    def text(self) -> TextAlternative:
        """The present moment in words and numbers."""
        return self.state.text

    def png(self) -> bytes:
        """The picture at the present scale."""
        return self._view.png(self.state.moment, self.text, compression=STILL_COMPRESSION)

    def _make_box(self, model_id: str) -> Any:
        import ipywidgets

        state = self.state
        slider = ipywidgets.FloatSlider(
            value=state.scale,
            min=state.low,
            max=state.high,
            step=(state.high - state.low) / STEPS,
            description=f"Scale ({state.diagram.scale})",
            tooltip="Scale of the filtration; arrow keys move it by one step",
            readout_format=".3g",
            style={"description_width": "initial"},
            layout={"width": "60%"},
        )
        before, after = (
            ipywidgets.Button(description=name, tooltip=f"Go to the {name} at which a class is born or dies")
            for name in ("scale before", "scale after")
        )
        image = ipywidgets.Image(format="png", layout={"max_width": "100%", "width": "900px"})
        text = ipywidgets.HTML()

        def show(_: Any = None) -> None:
            moment = state.move_to(slider.value)
            alternative = state.text
            image.value = self._view.png(moment, alternative)
            text.value = live_text(alternative.sentence)

        slider.observe(show, names="value")
        before.on_click(lambda _: setattr(slider, "value", state.event_before()))
        after.on_click(lambda _: setattr(slider, "value", state.event_after()))
        show()
        return ipywidgets.VBox([ipywidgets.HBox([slider, before, after]), image, text], model_id=model_id)
