"""The panel of the monitors in a notebook: :class:`PanelState` with a picture and two controls."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from toriwork.errors import BadInput, Closed, ToriworkError
from toriwork.plots.figure import Picture, picture
from toriwork.plots.text_alternative import TextAlternative
from toriwork.widgets.asked import Action, AskedView
from toriwork.widgets.following import Follower
from toriwork.widgets.live import section
from toriwork.widgets.panel_state import PanelState

if TYPE_CHECKING:
    from toriwork.widgets.front import PanelFront

CAPTION = "State of the monitors"
COLUMNS = 2
SIZE_MM = (117.0, 69.0)
SECONDS = 2.0  #: between two looks of a panel that follows


class MonitorPanel(AskedView):
    """The state of monitors: novelty and spectra, eigenvalues and threshold, rings of events, chaos energy.

    It shows the newest 300 points of each curve, as of the last :meth:`refresh`; :meth:`follow` refreshes by itself.
    Where there is no kernel its output shows a still picture with its numbers as tables; ``close()`` frees the widget
    and ends the following.

    Parameters
    ----------
    *monitors : OriginSentry, CurvatureAwareGuard, BraidAggregator or ChaosChannelController
        One or more, in the order in which they are shown; they are only read.

    Raises
    ------
    BadInput
        There is none, or one is no monitor.

    Examples
    --------
    >>> from toriwork import CurvatureAwareGuard, MonitorPanel
    >>> guard = CurvatureAwareGuard()
    >>> with MonitorPanel(guard) as panel:  # in a notebook: panel
    ...     checked = guard.check_eigenvalues([0.5, 0.1], [0.0] * 9)
    ...     panel.refresh()
    ...     panel.text.rows[0][1]
    '1 check, 0 adaptive and 0 emergency dampings; last 0.5 against 1, curvature 0'
    """

    def __init__(self, *monitors: Any) -> None:
        super().__init__()
        self.state = PanelState(*monitors)
        self._follower: Follower | None = None
        self._drawn: Picture | None = None

    def refresh(self) -> None:
        """Read the monitors again, and show it.

        Raises
        ------
        StoreError
            The registry of a sentry refused.
        """
        if self._reread():
            self._push()

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

    def _reread(self) -> bool:
        """Read the monitors again; True when anything has changed."""
        with self._drawing:
            changed = self.state.refresh()
            if changed:
                self._drawn = None
            return changed

    def _refresh_or_tell(self) -> None:
        """For the thread that follows, where an error would be silent."""
        try:
            self.refresh()
        except ToriworkError as error:
            self._push(f"Not possible: {error}")

    def _front_class(self) -> type[PanelFront]:
        from toriwork.widgets.front import PanelFront

        return PanelFront

    @property
    def _actions(self) -> Mapping[str, Action]:
        return {
            "refresh": lambda _: self._reread(),
            "follow": lambda wanted: self.follow() if wanted else self.unfollow(),
        }

    def _shown(self) -> dict[str, Any]:
        states = self.text
        return {
            "caption": CAPTION,
            "header": list(states.header),
            "rows": [list(row) for row in states.rows],
            "following": self.following,
        }
