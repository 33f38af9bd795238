"""Style options that every ``plot_x`` takes beside its data: a title, names of the axes, colours."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, Protocol

from toriwork.plots.style import coloured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

TITLE_PAD = 14  #: points between title and frame: notes of what is left out stand there
STYLE_OPTIONS = ("title", "xlabel", "ylabel", "colours")
_TOLD = """

    ``title``, ``xlabel``, ``ylabel`` (texts) and ``colours`` (one, or one per dimension) change how it looks.
"""


class Plot(Protocol):
    """A function that draws data into axes; options of its own come after those of all."""

    def __call__(
        self,
        data: Any,
        /,
        *,
        ax: Axes | None = None,
        title: str | None = None,
        xlabel: str | None = None,
        ylabel: str | None = None,
        colours: str | Sequence[str] | None = None,
        **options: Any,
    ) -> Axes:
        """The axes with the data drawn into them."""
        ...


def styled(plot: Callable[..., Axes]) -> Plot:
    """The plot function with the style options of all; what is not given stays as the function draws it."""

    @wraps(plot)
    def drawn(
        *data: Any,
        ax: Axes | None = None,
        title: str | None = None,
        xlabel: str | None = None,
        ylabel: str | None = None,
        colours: str | Sequence[str] | None = None,
        **options: Any,
    ) -> Axes:
        with coloured(colours):
            axes = plot(*data, ax=ax, **options)
        if title is not None:
            axes.set_title(title, loc="left", pad=TITLE_PAD)
        if xlabel is not None:
            axes.set_xlabel(xlabel)
        if ylabel is not None:
            axes.set_ylabel(ylabel)
        return axes

    own, common = inspect.signature(plot), inspect.signature(Plot.__call__).parameters
    more = [common[name] for name in STYLE_OPTIONS]
    drawn.__signature__ = own.replace(parameters=[*own.parameters.values(), *more])  # type: ignore[attr-defined]  # help() reads it
    if plot.__doc__ is not None:
        first, rest = plot.__doc__.split("\n", 1) if "\n" in plot.__doc__ else (plot.__doc__, "")
        drawn.__doc__ = f"{first}{_TOLD}{rest}"
    return drawn
