"""Widgets for notebooks: thin skins over plain objects that work, and are tested, without a notebook.

Each shows itself twice: live, and as a still picture that is there when the notebook is opened again. ipywidgets is
loaded when a widget is first shown, matplotlib when a picture is first drawn.
"""

from toriwork.widgets.browser_state import BrowserState
from toriwork.widgets.context_explorer import TokenContextExplorer
from toriwork.widgets.context_state import ContextState, Sought
from toriwork.widgets.diagram_explorer import DiagramExplorer
from toriwork.widgets.explorer_state import ExplorerState
from toriwork.widgets.monitor_panel import MonitorPanel
from toriwork.widgets.panel_state import PanelState
from toriwork.widgets.registry_browser import RegistryBrowser
from toriwork.widgets.rows import Span, Wanted

__all__ = [
    "BrowserState",
    "ContextState",
    "DiagramExplorer",
    "ExplorerState",
    "MonitorPanel",
    "PanelState",
    "RegistryBrowser",
    "Sought",
    "Span",
    "TokenContextExplorer",
    "Wanted",
]
