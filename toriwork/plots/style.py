"""How the figures look: one colour, marker and line per homology dimension, and a style that is a context manager.

Colours are those of Okabe and Ito, told apart by every common kind of colour vision; the marker and the line pattern
say the same a second time. No function of this package sets a global for longer than it draws.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

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
}
# matplotlib's settings are one global: two threads inside style() would hand each other's settings back
_SETTINGS_LOCK = threading.RLock()


def look(dimension: int) -> Look:
    """The look of a homology dimension, 0 or more."""
    return LOOKS[min(dimension, len(LOOKS) - 1)]


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
    """Put a few dates under the horizontal axis."""
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    locator = AutoDateLocator(minticks=3, maxticks=6)  # type: ignore[no-untyped-call]  # matplotlib leaves it untyped
    axes.xaxis.set_major_locator(locator)
    axes.xaxis.set_major_formatter(ConciseDateFormatter(locator))  # type: ignore[no-untyped-call]  # same
