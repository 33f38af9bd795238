"""Figures of clouds, diagrams and registries, each with a text alternative; matplotlib lives here and nowhere else.

Every ``plot_x(data, *, ax=None, ...)`` draws into ``ax`` (None: pyplot's current axes) and returns it, takes ``title``,
``xlabel``, ``ylabel`` and ``colours``, and has a ``describe_x`` that says the same in words. :func:`picture` joins both
into something that a notebook can show and a paper can print.
Importing this package does not load matplotlib.
"""

from toriwork.plots.barcode import describe_barcode, describe_betti_curves, plot_barcode, plot_betti_curves
from toriwork.plots.cloud import describe_cloud, plot_cloud
from toriwork.plots.diagram import describe_diagram, plot_diagram
from toriwork.plots.figure import Panel, Picture, picture
from toriwork.plots.image import describe_image, plot_image
from toriwork.plots.kinds import picture_of
from toriwork.plots.landscape import describe_landscape, plot_landscape
from toriwork.plots.registry import describe_registry_growth, plot_registry_growth
from toriwork.plots.spectra import describe_chaos, describe_spectra, plot_chaos, plot_spectra
from toriwork.plots.style import style
from toriwork.plots.text_alternative import TextAlternative
from toriwork.plots.token_graph import describe_token_graph, plot_token_graph
from toriwork.plots.tokens import describe_context, describe_tokens, plot_context, plot_tokens
from toriwork.plots.vineyard import describe_vineyard, plot_vineyard

__all__ = [
    "Panel",
    "Picture",
    "TextAlternative",
    "describe_barcode",
    "describe_betti_curves",
    "describe_chaos",
    "describe_cloud",
    "describe_context",
    "describe_diagram",
    "describe_image",
    "describe_landscape",
    "describe_registry_growth",
    "describe_spectra",
    "describe_token_graph",
    "describe_tokens",
    "describe_vineyard",
    "picture",
    "picture_of",
    "plot_barcode",
    "plot_betti_curves",
    "plot_chaos",
    "plot_cloud",
    "plot_context",
    "plot_diagram",
    "plot_image",
    "plot_landscape",
    "plot_registry_growth",
    "plot_spectra",
    "plot_token_graph",
    "plot_tokens",
    "plot_vineyard",
    "style",
]
