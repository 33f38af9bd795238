"""How the figures look: one colour, marker and line per homology dimension, and a style that is a context manager.

Colours are those of Okabe and Ito, told apart by every common kind of colour vision; the marker and the line pattern
say the same a second time. No function of this package sets a global for longer than it draws.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

from toriwork.errors import BadInput

if TYPE_CHECKING:
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class Look:
    """How one homology dimension is drawn everywhere."""

    colour: str
    marker: str
    line: str


#: dimension 0, 1, 2, 3; everything above looks like the last one
LOOKS: Final = (
    Look("#0072B2", "o", "-"),
    Look("#D55E00", "s", "--"),
    Look("#009E73", "^", "-."),
    Look("#CC79A7", "D", ":"),
)
INK: Final = "#222222"
MUTED: Final = "#767676"  #: 4.5 to 1 against white: the faintest grey that may carry text
PALE: Final = "#E4E4E4"  #: areas behind the data
WEIGHT_COLOURS: Final = "Blues"  #: from nothing, nearly white, to much; its order shows in lightness alone
DEPTH_COLOURS: Final = "cividis"  #: a colour map whose order shows in lightness alone
DPI: Final = 100

_SETTINGS: Final[dict[str, Any]] = {
    "font.family": "DejaVu Sans",  # matplotlib brings it along: the same picture on every machine
    "font.size": 9,
    "axes.titlesize": 10,
    "axes.labelsize": 9,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.fontsize": 8,
    "legend.frameon": False,
    "figure.dpi": DPI,
    "savefig.dpi": DPI,
    "pdf.fonttype": 42,  # TrueType, which journals ask for; 3 is refused by many
    "svg.hashsalt": "toriwork",  # the same ids each time
}
# matplotlib's settings are one global: two threads inside style() would hand each other's settings back
_SETTINGS_LOCK = threading.RLock()


_own_colours: ContextVar[tuple[str, ...]] = ContextVar("own_colours", default=())


def look(dimension: int) -> Look:
    """The look of a homology dimension, 0 or more."""
    house, own = LOOKS[min(dimension, len(LOOKS) - 1)], _own_colours.get()
    return replace(house, colour=own[min(dimension, len(own) - 1)]) if own else house


@contextmanager
def coloured(colours: str | Sequence[str] | None) -> Iterator[None]:
    """A context in which dimensions have these colours, the last one all that follow; None: those of the house.

    Raises
    ------
    BadInput
        Not one or more names or codes of colours that matplotlib knows.
    """
    if colours is None:
        yield
        return
    from matplotlib.colors import is_color_like

    given = (colours,) if isinstance(colours, str) else tuple(colours)
    if not given or not all(is_color_like(colour) for colour in given):
        raise BadInput(
            f"colours: expected colours that matplotlib knows, 'black' or '#0072B2' say, got {colours!r:.80}"
        )
    token = _own_colours.set(given)
    try:
        yield
    finally:
        _own_colours.reset(token)


def colour_map(house: str) -> Any:
    """The colour map of that name; where own colours are set, one through them, pale at the end where ``house`` is."""
    from matplotlib import colormaps
    from matplotlib.colors import LinearSegmentedColormap

    own = _own_colours.get()
    through = ["white", *own] if house == WEIGHT_COLOURS else [*own, PALE]
    return LinearSegmentedColormap.from_list("own", through) if own else colormaps[house]


@contextmanager
def style() -> Iterator[None]:
    """A context in which matplotlib draws in the house style, whatever the user's settings; they come back after it."""
    from matplotlib import style as matplotlib_style

    with _SETTINGS_LOCK, matplotlib_style.context(["default", _SETTINGS]):
        yield


def axes_or_current(ax: Axes | None) -> Axes:
    """The axes that were given; pyplot's current ones (made when there are none) for None."""
    if ax is not None:
        return ax
    from matplotlib import pyplot as plt

    return plt.gca()


def write_note(axes: Axes, note: str) -> None:
    """Write above the axes what the picture leaves out."""
    if note:
        axes.text(0.0, 1.02, note, transform=axes.transAxes, fontsize=7, color=MUTED, va="bottom")


def write_inside(axes: Axes, words: str) -> None:
    """Write into the middle of axes why nothing is drawn there."""
    axes.text(0.5, 0.5, words, transform=axes.transAxes, ha="center", va="center", color=MUTED, wrap=True)


def mark_dates(axes: Axes) -> None:
    """Put a few dates under the horizontal axis; what they have in common stands right of its name."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=6)  # type: ignore[no-untyped-call]  # matplotlib leaves it untyped
    axes.xaxis.set_major_locator(locator)
    axes.set_xlabel("time (UTC)", color=INK, loc="left")
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # same
