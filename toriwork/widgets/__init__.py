"""Widgets for notebooks: thin skins over plain objects that work, and are tested, without a notebook.

Each shows itself twice: live, and as a still picture that is there when the notebook is opened again. ipywidgets is
loaded when a widget is first shown, matplotlib when a picture is first drawn.
"""

from toriwork.widgets.diagram_explorer import DiagramExplorer
from toriwork.widgets.explorer_state import ExplorerState

__all__ = ["DiagramExplorer", "ExplorerState"]
