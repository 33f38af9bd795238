"""The front ends: models that the browser shares, each with the ES module that draws it. Loads anywidget."""

from __future__ import annotations

import logging
from importlib.resources import files
from typing import Any

import anywidget
from traitlets import Dict, Float, Int, List, TraitError, Unicode

from toriwork.errors import ToriworkError
from toriwork.printed import one_line

_LOG = logging.getLogger("toriwork.widgets")
STATIC = files("toriwork.widgets") / "static"


def sources(*names: str) -> str:
    """Files of ``static/``, one after the other."""
    return "\n".join((STATIC / name).read_text(encoding="utf-8") for name in names)


class Front(anywidget.AnyWidget):
    """A model that a live view shows; ``key`` is what its outputs are found by."""

    key = Unicode().tag(sync=True)
    styles = Unicode(sources("style.css")).tag(sync=True)
    data = Dict().tag(sync=True)

    def set_state(self, sync_data: dict[str, Any]) -> None:
        """Take what a browser sends; what cannot be is refused in one line of the log, and the browser corrected."""
        try:
            super().set_state(sync_data)
        except (ToriworkError, TraitError) as error:
            _LOG.warning("%s: refused what the browser sent: %s", type(self).__name__, one_line(str(error)))
            self.send_state([name for name in sync_data if name in self.keys])

    def close(self) -> None:
        """Close the comm, and that of the layout, which ipywidgets would keep."""
        layout: Any = self.layout
        super().close()
        layout.close()


class ExplorerFront(Front):
    """The model of the diagram explorer."""

    _esm = sources("live.js", "plots.js", "cloud.js", "explorer.js")
    scale = Float().tag(sync=True)
    selection = List(Int()).tag(sync=True)  #: indices of points
    chosen = List(Int()).tag(sync=True)  #: dimension and row of a bar, or nothing
    highlight = Dict().tag(sync=True)  #: what stands for the class of that bar


class AskedFront(Front):
    """A model whose every answer comes from the kernel; ``data`` is the last to change."""

    still = Unicode().tag(sync=True)  #: what a save leaves in the notebook, as HTML; the picture is in it
    plain = Unicode().tag(sync=True)  #: and as text


class BrowserFront(AskedFront):
    """The model of the browser of a registry."""

    _esm = sources("live.js", "table.js", "browser.js")


class ContextFront(AskedFront):
    """The model of the explorer of tokens and contexts."""

    _esm = sources("live.js", "table.js", "context.js")


class PanelFront(AskedFront):
    """The model of the panel of the monitors."""

    _esm = sources("live.js", "table.js", "panel.js")
