"""Monitors as pictures and as words: novelty and spectra over time, rings of events."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.plots.options import styled
from toriwork.plots.style import INK, MUTED, PALE, axes_or_current, look
from toriwork.plots.text_alternative import TextAlternative, counted, evenly_picked, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HIGH, LOW = 0.7, 0.2  #: novelty above which a sentry injects entropy, and below which too
CRITICAL, GLOBAL = 0.04, 0.01  #: of the largest eigenvalue
_NAMED = 5  #: points of a curve in words


@styled
def plot_novelty(scores: Sequence[float], *, ax: Axes | None = None) -> Axes:
    """The axes with novelty scores one after the other, and the thresholds of entropy injection as dotted lines."""
    axes = axes_or_current(ax)
    _draw_curve(axes, scores)
    _draw_thresholds(axes, HIGH, LOW)
    axes.set_ylim(-0.03, 1.03)
    axes.set_xlabel("spectrum", color=INK)
    axes.set_ylabel("novelty", color=INK)
    return axes


def describe_novelty(scores: Sequence[float]) -> TextAlternative:
    """The text alternative of :func:`plot_novelty`."""
    above = sum(score > HIGH for score in scores)
    return _describe_curve(scores, "novelty score", "novelty", f"{above} above {HIGH}")


@styled
def plot_modes(spectra: Sequence[NDArray[np.float64]], *, ax: Axes | None = None) -> Axes:
    """The axes with the magnitudes of each spectrum above its number; dotted where coherence changes its band.

    Parameters
    ----------
    spectra : sequence of (n_modes,) float64
        Magnitudes, oldest spectrum first.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.
    """
    axes = axes_or_current(ax)
    _draw_thresholds(axes, CRITICAL, GLOBAL)
    if len(spectra):
        numbers = np.arange(1, len(spectra) + 1)
        places = np.repeat(numbers, [len(spectrum) for spectrum in spectra])
        axes.scatter(places, np.concatenate(list(spectra)), s=3, color=MUTED, linewidths=0)
        _draw_curve(axes, [spectrum.max(initial=0.0) for spectrum in spectra])
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("spectrum", color=INK)
    axes.set_ylabel("magnitude", color=INK)
    return axes


def describe_modes(spectra: Sequence[NDArray[np.float64]]) -> TextAlternative:
    """The text alternative of :func:`plot_modes`: the largest magnitudes."""
    tops = [float(spectrum.max(initial=0.0)) for spectrum in spectra]
    critical = sum(top > CRITICAL for top in tops)
    return _describe_curve(tops, "spectrum", "largest magnitude", f"{critical} critical", plural="spectra")


@styled
def plot_rings(status: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """The axes with a bar for each scale's ring of events, as long as the ring is full.

    Parameters
    ----------
    status : mapping
        The answer of ``BraidAggregator.get_status``.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.
    """
    axes = axes_or_current(ax)
    scales = status["scales"]
    for lane, ring in enumerate(scales.values()):
        axes.barh(lane, 100.0, color=PALE, height=0.6)
        axes.barh(lane, 100.0 * ring["events"] / ring["capacity"], color=look(0).colour, height=0.6)
        words = f"{ring['events']} of {ring['capacity']}, {ring['waiting']} waiting"
        axes.annotate(words, (0.0, lane + 0.3), (2, -2), textcoords="offset points", va="top", color=INK, fontsize=8)
    axes.set_yticks(range(len(scales)), list(scales))
    axes.set_ylim(len(scales) - 0.2, -0.6)
    axes.set_xlim(0, 100)
    axes.set_xlabel("ring in use (percent)", color=INK)
    return axes


def describe_rings(status: Mapping[str, Any]) -> TextAlternative:
    """The text alternative of :func:`plot_rings`: every recorded event is accounted for."""
    scales = status["scales"]
    rows = tuple(
        (name, *(str(ring[key]) for key in ("events", "capacity", "waiting", "summaries")))
        for name, ring in scales.items()
    )
    waiting = " + ".join(f"{ring['waiting']} {name}" for name, ring in scales.items())
    total = sum(ring["waiting"] for ring in scales.values()) + status["retired"]
    sign = "=" if total == status["recorded"] else "≠"
    sentence = f"{status['recorded']} events recorded {sign} {waiting} + {status['retired']} retired."
    return TextAlternative(sentence, ("scale", "events", "capacity", "waiting", "summaries"), rows)


def _draw_curve(axes: Axes, values: Sequence[float]) -> None:
    numbers = np.arange(1, len(values) + 1)
    axes.plot(numbers, values, color=look(0).colour, linewidth=1.2, marker=look(0).marker, markersize=2.5)


def _draw_thresholds(axes: Axes, *thresholds: float) -> None:
    for threshold in thresholds:
        axes.axhline(threshold, color=MUTED, linestyle=":", linewidth=1.0)


def _describe_curve(values: Sequence[float], noun: str, name: str, fact: str, plural: str = "") -> TextAlternative:
    """A curve in words: how many values, their range, and five of them."""
    header = ("number", name)
    if not len(values):
        return TextAlternative(f"No {plural or noun + 's'} yet.", header, ())
    rows = tuple((str(n + 1), short(float(values[n]))) for n in evenly_picked(len(values), _NAMED))
    many = f"{len(values)} {plural}" if plural and len(values) > 1 else counted(len(values), noun)
    sentence = (
        f"{many}: {name} from {short(float(min(values)))} to {short(float(max(values)))}, "
        f"{short(float(values[-1]))} at last; {fact}."
    )
    return TextAlternative(sentence, header, rows)
