"""The panel of the monitors in a notebook: :class:`PanelState` with a picture and two controls."""

from __future__ import annotations

import math
import threading
from typing import Any

from toriwork.errors import BadInput, Closed, ToriworkError
from toriwork.plots.figure import Picture, picture
from toriwork.plots.text_alternative import TextAlternative
from toriwork.widgets.base import LiveView, live_text, section
from toriwork.widgets.following import Follower
from toriwork.widgets.panel_state import PanelState

CAPTION = "State of the monitors"
COLUMNS = 2
SIZE_MM = (117.0, 69.0)
SECONDS = 2.0  #: between two looks of a panel that follows


class MonitorPanel(LiveView):
    """The state of monitors: novelty and spectra, eigenvalues and threshold, rings of events, chaos energy.

    It shows the newest 300 points of each curve, as of the last :meth:`refresh`; :meth:`follow` refreshes by itself. In
    a notebook it shows itself as a widget and as a still picture with its numbers as tables; ``close()`` frees the
    widget and ends the following.

    Parameters
    ----------
    *monitors : OriginSentry, CurvatureAwareGuard, BraidAggregator or ChaosChannelController
        One or more, in the order in which they are shown; they are only read.

    Raises
    ------
    BadInput
        There is none, or one is no monitor.
    """

    def __init__(self, *monitors: Any) -> None:
        super().__init__()
        self.state = PanelState(*monitors)
        self._follower: Follower | None = None
        self._drawing = threading.RLock()  # a thread that follows, and the one of the notebook
        self._drawn: Picture | None = None

    def refresh(self) -> None:
        """Read the monitors again, and show it.

        Raises
        ------
        StoreError
            The registry of a sentry refused.
        """
        with self._drawing:
            if self.state.refresh():
                self._drawn = None
                self._show()

    def follow(self, seconds: float = SECONDS) -> None:
        """Refresh every so many seconds in a thread of its own, until :meth:`unfollow` or ``close()``.

        Raises
        ------
        BadInput
            It is no positive, finite number.
        Closed
            The panel was closed.
        """
        if not 0 < seconds < math.inf:
            raise BadInput(f"seconds: expected a positive number, got {seconds}")
        if self._closed:
            raise Closed("MonitorPanel: it was closed; make a new one")
        self.unfollow()
        self._follower = Follower(self._refresh_or_tell, seconds)

    def unfollow(self) -> None:
        """Refresh only when asked from now on."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.stop()

    @property
    def following(self) -> bool:
        """True while it refreshes by itself."""
        return self._follower is not None

    def close(self) -> None:
        """End the following and free the widget; the panel shows its still picture from now on."""
        self.unfollow()
        super().close()

    @property
    def caption(self) -> str:
        """The caption of the still picture."""
        return CAPTION

    @property
    def text(self) -> TextAlternative:
        """The state of each monitor."""
        return self.state.text

    def png(self) -> bytes:
        """All panels."""
        with self._drawing:
            return self._picture().png()

    def to_html(self) -> str:
        """The state of each monitor as a table, and the picture with its numbers; needs no widget and no kernel."""
        with self._drawing:
            return section(CAPTION, self.text.to_html(CAPTION), self._picture().to_html())

    def _picture(self) -> Picture:
        if self._drawn is None:
            self._drawn = picture(*self.state.panels, caption=CAPTION, columns=COLUMNS, size_mm=SIZE_MM)
        return self._drawn

    def _refresh_or_tell(self) -> None:
        """For callbacks, where an error would be silent."""
        try:
            self.refresh()
        except ToriworkError as error:
            if self._box is not None:
                self._box.children[1].value = live_text(f"Not possible: {error}")

    def _show(self) -> None:
        if self._box is not None:
            _, text, table, image = self._box.children
            text.value, table.value = live_text(self.text.sentence), self.text.to_html(CAPTION)
            image.value = self._picture().png()

    def _make_box(self, model_id: str) -> Any:
        import ipywidgets

        refresh = ipywidgets.Button(description="refresh", tooltip="Read the monitors again")
        follow = ipywidgets.Checkbox(
            value=self.following, description="follow", indent=False, tooltip="Read them again every two seconds"
        )
        text = ipywidgets.HTML(live_text(self.text.sentence))
        table = ipywidgets.HTML(self.text.to_html(CAPTION))
        image = ipywidgets.Image(value=self.png(), format="png", layout={"max_width": "100%"})
        refresh.on_click(lambda _: self._refresh_or_tell())
        follow.observe(lambda change: self.follow() if change["new"] else self.unfollow(), names="value")
        return ipywidgets.VBox([ipywidgets.HBox([refresh, follow]), text, table, image], model_id=model_id)
