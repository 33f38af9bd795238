"""A persistence diagram as a picture and as words: birth across, death upwards, essential classes on a line at ∞."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.plots.bars import (
    Bars,
    describe_bars,
    hiding_note,
    last_finite_scale,
    refused_length,
    shown_bars,
)
from toriwork.plots.options import styled
from toriwork.plots.style import INK, MUTED, PALE, axes_or_current, look, write_note
from toriwork.plots.text_alternative import TextAlternative, short
from toriwork.topology import as_diagram
from toriwork.topology.significance import rule_named

if TYPE_CHECKING:
    from matplotlib.axes import Axes


MARKER_AREA = 22.0
RING_AREA = 90.0
CROWD = 40  #: above so many points the white rims that part neighbours would hide them instead
_COUNT: dict[str, Any] = {"textcoords": "offset points", "fontsize": 7, "color": INK, "zorder": 4}
NAMED_MULTIPLICITIES = 6  #: so many of the largest stacks of equal bars carry their count as a number


@styled
def plot_diagram(
    diagram: Any,
    *,
    ax: Axes | None = None,
    min_persistence: float = 0.0,
    dimensions: Sequence[int] | None = None,
    rule: str | None = None,
) -> Axes:
    """The axes with every bar drawn as a point, one colour and one marker per dimension.

    Essential classes lie on the dashed line marked ∞; censored ones (the diagram was cut before they died) lie on
    the same line as hollow markers. Equal bars lie on top of each other: the marker grows with their number, and the
    largest stacks carry it. What ``min_persistence`` or ``dimensions`` leave out is written into the picture.

    Parameters
    ----------
    diagram : Diagram or whatever :func:`toriwork.topology.as_diagram` takes
        What to draw; births and deaths in the unit of its scale.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.
    min_persistence : float
        Bars of at most this length are left out; the picture says how many.
    dimensions : sequence of int, optional
        Homology dimensions to draw; None means all that were computed.
    rule : str, optional
        A name of ``toriwork.topology.significance.RULES``, "default" among them: the bars that it takes for features
        of the shape get a ring, and a grey band along the diagonal is as wide as the longest bar of H1 and above
        that the rule refuses. Of H0 :func:`toriwork.topology.estimate_betti` knows more: a diagram does not tell that
        a component is one far point.

    Raises
    ------
    BadInput
        ``min_persistence`` is negative, a dimension was not computed, or the rule cannot be asked.

    Examples
    --------
    >>> from toriwork import persistence, plot_diagram
    >>> from toriwork.samples import load_sample
    >>> axes = plot_diagram(persistence(load_sample("circle")), rule="default")
    >>> axes.get_xlabel(), axes.get_ylabel()
    ('birth (diameter)', 'death (diameter)')
    """
    diagram = as_diagram(diagram)
    shown = shown_bars(diagram, min_persistence=min_persistence, dimensions=dimensions, rule=rule)
    axes = axes_or_current(ax)
    top = last_finite_scale(shown)
    infinity = 1.12 * top
    lowest = min([0.0, *(float(part.births.min()) for part in shown if len(part))])
    low = lowest - 0.05 * (top - lowest)
    _draw_frame(axes, low, top, infinity)
    for part in shown:
        _draw_part(axes, part, infinity)
    if rule is not None:
        _draw_features(axes, shown, infinity, rule_named(rule).name)
    axes.set_xlabel(f"birth ({diagram.scale})", color=INK)
    axes.set_ylabel(f"death ({diagram.scale})", color=INK)
    axes.legend(loc="lower right", borderaxespad=0.6)
    write_note(axes, hiding_note(diagram, shown, min_persistence))
    return axes


def describe_diagram(
    diagram: Any,
    *,
    min_persistence: float = 0.0,
    dimensions: Sequence[int] | None = None,
    rule: str | None = None,
) -> TextAlternative:
    """The text alternative of :func:`plot_diagram`: per dimension the bars, the longest, and a rule's features."""
    diagram = as_diagram(diagram)
    shown = shown_bars(diagram, min_persistence=min_persistence, dimensions=dimensions, rule=rule)
    note = hiding_note(diagram, shown, min_persistence)
    text = describe_bars(diagram, shown, kind="Persistence diagram", note=note)
    if rule is None:
        return text
    numbers = [str(part.features.sum()) for part in shown]
    listed = ", ".join(f"H{part.dimension} {number}" for part, number in zip(shown, numbers, strict=True))
    sentence = (
        f"{text.sentence} Features by rule {rule_named(rule).name}: {listed}. "
        f"Refused bars of H1 and above are at most {short(refused_length(shown))} long."
    )
    rows = tuple((*row, number) for row, number in zip(text.rows, numbers, strict=True))
    return TextAlternative(sentence, (*text.header, "features"), rows)


def stacks(points: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.int64]]:
    """The distinct places of (n_pairs, 2) points, and how many points lie on each, (n_places,)."""
    if not len(points):
        return points, np.zeros(0, dtype=np.int64)
    places, counts = np.unique(points, axis=0, return_counts=True)
    return places, counts.astype(np.int64)


def _draw_features(axes: Axes, shown: Sequence[Bars], infinity: float, name: str) -> None:
    """A ring around each feature, and the band that holds every bar of H1 and above that the rule refused."""
    if (width := refused_length(shown)) > 0:
        ends = np.array(axes.get_xlim())
        axes.fill_between(
            ends, ends, ends + width, color=PALE, zorder=0, linewidth=0, label=f"up to {short(width)} long"
        )
    points = [np.column_stack([part.births, np.minimum(part.deaths, infinity)])[part.features] for part in shown]
    x, y = np.concatenate([np.zeros((0, 2)), *points]).T
    ring: dict[str, Any] = {"facecolors": "none", "edgecolors": INK, "linewidths": 1.1, "zorder": 4, "clip_on": False}
    axes.scatter(x, y, s=RING_AREA, label=f"feature ({name})", **ring)


def _draw_frame(axes: Axes, low: float, top: float, infinity: float) -> None:
    high = 1.2 * top
    axes.plot([low, high], [low, high], color=MUTED, linewidth=0.8, zorder=1)
    axes.axhline(infinity, color=MUTED, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    axes.set_xlim(low, high)
    axes.set_ylim(low, high)
    axes.set_aspect("equal", adjustable="box")
    ticks = [tick for tick in axes.get_xticks().tolist() if low <= tick <= top]
    names = [f"{tick:g}" for tick in ticks]
    axes.set_xticks(ticks, labels=names)
    axes.set_yticks([*ticks, infinity], labels=[*names, "∞"])


def _draw_part(axes: Axes, part: Bars, infinity: float) -> None:
    appearance = look(part.dimension)
    edge = 0.4 if len(part) <= CROWD else 0.0
    full: dict[str, Any] = {"marker": appearance.marker, "facecolors": appearance.colour}
    hollow: dict[str, Any] = {"marker": appearance.marker, "facecolors": "none", "edgecolors": appearance.colour}
    _draw_points(axes, part.finite, edgecolors="white", linewidths=edge, **full)
    _draw_points(axes, _on_line(part.essential, infinity), edgecolors="white", linewidths=edge, **full)
    _draw_points(axes, _on_line(part.cut, infinity), linewidths=1.2, **hollow)
    # the legend shows the plain marker, whatever the size of the stacks
    axes.scatter([], [], s=MARKER_AREA, edgecolors=appearance.colour, label=f"H{part.dimension} ({len(part)})", **full)
    if len(part.cut):
        axes.scatter([], [], s=MARKER_AREA, label=f"censored ({len(part.cut)})", **hollow)


def _on_line(births: NDArray[np.float64], infinity: float) -> NDArray[np.float64]:
    return np.column_stack([births, np.full(len(births), infinity)])


def _draw_points(axes: Axes, points: NDArray[np.float64], **options: Any) -> None:
    if not len(points):
        return
    places, counts = stacks(points)
    x, y = places.T
    axes.scatter(x, y, s=MARKER_AREA * np.sqrt(counts), alpha=0.85, zorder=3, clip_on=False, **options)
    for i in np.argsort(-counts, kind="stable")[:NAMED_MULTIPLICITIES]:
        if counts[i] > 1:
            axes.annotate(f"×{counts[i]}", (x[i], y[i]), (7, -3), **_COUNT)
