"""A vineyard as a picture and as words: how long each class of homology lives, step by step through a series."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from toriwork.errors import BadInput
from toriwork.plots.options import styled
from toriwork.plots.style import INK, MUTED, axes_or_current, look, write_note
from toriwork.plots.text_alternative import TextAlternative, counted, noted, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from toriwork.topology.vineyard import Vine, Vineyard

HEADER = ("dimension", "vines", "essential", "all the way", "longest bar", "at step")
CROWD = 40  #: with more vines than this, thinner lines keep them apart


@styled
def plot_vineyard(
    vineyard: Vineyard,
    *,
    ax: Axes | None = None,
    min_persistence: float = 0.0,
    dimensions: Sequence[int] | None = None,
) -> Axes:
    """The axes with one line per class: its persistence, step by step, from where it appears to where it ends.

    Colour, marker and line pattern are those of its dimension; a class that is there for one step is a marker.
    Essential classes lie on the dashed line marked ∞. What is left out is written into the picture.

    Parameters
    ----------
    vineyard : Vineyard
        As :func:`toriwork.topology.vineyard.vineyard_of` gives it.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.
    min_persistence : float
        Classes whose longest bar is at most this long are left out; the picture says how many.
    dimensions : sequence of int, optional
        Homology dimensions to draw; None means all that have a vine.

    Raises
    ------
    BadInput
        ``min_persistence`` is negative or NaN.

    Examples
    --------
    >>> from toriwork import persistence, plot_vineyard
    >>> from toriwork.samples import load_sample
    >>> from toriwork.topology import vineyard_of
    >>> circle = load_sample("circle")
    >>> plot_vineyard(vineyard_of([persistence(size * circle) for size in (1.0, 1.1, 1.2)])).get_xlabel()
    'step'
    """
    shown = _shown(vineyard, min_persistence, dimensions)
    axes = axes_or_current(ax)
    top = max((_longest(vine)[0] for vines in shown.values() for vine in vines if not vine.essential), default=1.0)
    infinity = 1.15 * top
    n_vines = sum(map(len, shown.values()))
    for k, vines in shown.items():
        _draw_vines(axes, k, vines, infinity, width=1.5 if n_vines <= CROWD else 0.8)
    _frame(axes, vineyard, top)
    if any(vine.essential for vines in shown.values() for vine in vines):
        _draw_infinity(axes, infinity)
    if shown:
        axes.legend(loc="upper center", ncols=max(len(shown), 1), columnspacing=1.2)
    write_note(axes, _note(vineyard, shown, min_persistence))
    return axes


def describe_vineyard(
    vineyard: Vineyard, *, min_persistence: float = 0.0, dimensions: Sequence[int] | None = None
) -> TextAlternative:
    """The text alternative of :func:`plot_vineyard`: per dimension the classes and the longest bar."""
    shown = _shown(vineyard, min_persistence, dimensions)
    rows = tuple(_row(k, vines, vineyard.n_times) for k, vines in shown.items())
    steps = counted(vineyard.n_times, "step")
    n_vines = sum(map(len, shown.values()))
    facts = [f"Vineyard of {counted(n_vines, 'vine')} through {steps} (scale = {vineyard.scale})."]
    facts += [_sentence(*row) for row in rows]
    return TextAlternative(noted(" ".join(facts), _note(vineyard, shown, min_persistence)), HEADER, rows)


def _shown(vineyard: Vineyard, min_persistence: float, dimensions: Sequence[int] | None) -> dict[int, tuple[Vine, ...]]:
    if not min_persistence >= 0:
        raise BadInput(f"min_persistence: expected a length of at least 0, got {min_persistence}")
    asked = sorted({vine.dimension for vine in vineyard.vines} if dimensions is None else set(dimensions))
    return {
        k: tuple(vine for vine in vineyard.in_dimension(k) if vine.persistence.max() > min_persistence) for k in asked
    }


def _draw_vines(axes: Axes, k: int, vines: Sequence[Vine], infinity: float, *, width: float) -> None:
    from matplotlib.collections import LineCollection

    appearance = look(k)
    lines = [np.column_stack([vine.times, np.minimum(vine.persistence, infinity)]) for vine in vines]
    drawn: dict[str, Any] = {"colors": appearance.colour, "linestyles": appearance.line, "linewidths": width}
    axes.add_collection(LineCollection([line for line in lines if len(line) > 1], **drawn), autolim=False)
    x, y = np.concatenate([np.zeros((0, 2)), *(line for line in lines if len(line) == 1)]).T
    axes.scatter(x, y, s=12, marker=appearance.marker, color=appearance.colour, linewidths=0, zorder=3)
    # the legend shows line and marker, whatever there is of each
    shown: dict[str, Any] = {"color": appearance.colour, "linestyle": appearance.line, "marker": appearance.marker}
    axes.plot([], [], markersize=4, label=f"H{k} ({len(vines)})", **shown)


def _draw_infinity(axes: Axes, infinity: float) -> None:
    axes.axhline(infinity, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    ticks = [*axes.get_yticks().tolist(), infinity]
    axes.set_yticks(ticks, labels=[*(f"{tick:g}" for tick in ticks[:-1]), "∞"])


def _frame(axes: Axes, vineyard: Vineyard, top: float) -> None:
    from matplotlib.ticker import MaxNLocator

    last = max(vineyard.n_times - 1, 1)
    axes.set_xlim(-0.02 * last, 1.02 * last)
    axes.set_ylim(0.0, 1.35 * top)  # the legend lies above the line at infinity
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    ticks = [tick for tick in axes.get_yticks().tolist() if 0.0 <= tick <= 1.01 * top]
    axes.set_yticks(ticks)
    axes.set_xlabel("step", color=INK)
    axes.set_ylabel(f"persistence ({vineyard.scale})", color=INK)


def _note(vineyard: Vineyard, shown: dict[int, tuple[Vine, ...]], min_persistence: float) -> str:
    asked = sum(len(vineyard.in_dimension(k)) for k in shown)
    short_ones = asked - sum(map(len, shown.values()))
    others = len(vineyard.vines) - asked
    notes = [f"{counted(short_ones, 'vine')} up to {short(min_persistence)} long"] if short_ones else []
    notes += [f"{counted(others, 'vine')} of other dimensions"] if others else []
    notes += [f"{vineyard.left_out} never followed"] if vineyard.left_out else []
    return f"not shown: {', '.join(notes)}" if notes else ""


def _longest(vine: Vine) -> tuple[float, int]:
    at = int(vine.persistence.argmax())
    return float(vine.persistence[at]), int(vine.times[at])


def _sentence(name: str, n_vines: str, essential: str, whole: str, longest: str, step: str) -> str:
    ends = f"longest bar {longest} at step {step}" if step != "–" else "none that ends"
    return f"{name}: {counted(int(n_vines), 'vine')}, {essential} essential, {whole} all the way, {ends}."


def _row(k: int, vines: Sequence[Vine], n_times: int) -> tuple[str, ...]:
    ending = [_longest(vine) for vine in vines if not vine.essential]
    length, step = max(ending, key=lambda found: found[0]) if ending else (math.nan, None)
    whole = sum(len(vine.times) == n_times for vine in vines)
    counts = (len(vines), sum(vine.essential for vine in vines), whole)
    return (f"H{k}", *map(str, counts), short(length), "–" if step is None else str(step))
