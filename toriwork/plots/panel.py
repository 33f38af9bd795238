"""Monitors as pictures and as words: novelty, spectra and curvature over time, rings of events, summaries."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.plots.style import INK, MUTED, PALE, axes_or_current, look
from toriwork.plots.twin import Twin, counted, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HIGH, LOW = 0.7, 0.2  #: novelty above which a system wants stirring, and below which too
CRITICAL, GLOBAL = 0.04, 0.01  #: of the largest eigenvalue
_NAMED = 5  #: points of a curve in words


def plot_novelty(scores: Sequence[float], *, ax: Axes | None = None) -> Axes:
    """The axes with novelty scores one after the other, and the thresholds of entropy injection as dotted lines."""
    axes = _curve(scores, axes_or_current(ax), "spectrum", "novelty")
    for threshold in (HIGH, LOW):
        axes.axhline(threshold, color=MUTED, linestyle=":", linewidth=1.0)
    axes.set_ylim(-0.03, 1.03)
    return axes


def describe_novelty(scores: Sequence[float]) -> Twin:
    """The text twin of :func:`plot_novelty`."""
    above = sum(score > HIGH for score in scores)
    return _told(scores, "novelty score", "novelty", f"{above} above {HIGH}")


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
    for threshold in (CRITICAL, GLOBAL):
        axes.axhline(threshold, color=MUTED, linestyle=":", linewidth=1.0)
    if len(spectra):
        numbers = np.arange(1, len(spectra) + 1)
        places = np.repeat(numbers, [len(spectrum) for spectrum in spectra])
        axes.scatter(places, np.concatenate(list(spectra)), s=3, color=MUTED, linewidths=0)
        tops = [spectrum.max(initial=0.0) for spectrum in spectra]
        axes.plot(numbers, tops, color=look(0).colour, linewidth=1.2, marker=look(0).marker, markersize=2.5)
    axes.set_ylim(bottom=0.0)
    axes.set_xlabel("spectrum", color=INK)
    axes.set_ylabel("magnitude", color=INK)
    return axes


def describe_modes(spectra: Sequence[NDArray[np.float64]]) -> Twin:
    """The text twin of :func:`plot_modes`: the largest magnitudes."""
    tops = [float(spectrum.max(initial=0.0)) for spectrum in spectra]
    critical = sum(top > CRITICAL for top in tops)
    return _told(tops, "spectrum", "largest magnitude", f"{critical} critical", plural="spectra")


def plot_curvature(curvatures: Sequence[float], *, ax: Axes | None = None) -> Axes:
    """The axes with the curvature of the state at each check."""
    axes = _curve(curvatures, axes_or_current(ax), "check", "curvature")
    axes.set_ylim(bottom=0.0)
    return axes


def describe_curvature(curvatures: Sequence[float]) -> Twin:
    """The text twin of :func:`plot_curvature`."""
    bent = sum(curvature > 0 for curvature in curvatures)
    return _told(curvatures, "check", "curvature", f"{bent} of a bent state")


def plot_rings(status: Mapping[str, Any], *, ax: Axes | None = None) -> Axes:
    """The axes with a bar for each scale's ring of events: how full it is, and what its events stand for.

    Parameters
    ----------
    status : mapping
        What ``BraidAggregator.get_status`` gave.
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


def describe_rings(status: Mapping[str, Any]) -> Twin:
    """The text twin of :func:`plot_rings`: every recorded event is accounted for."""
    scales = status["scales"]
    rows = tuple(
        (name, *(str(ring[key]) for key in ("events", "capacity", "waiting", "summaries")))
        for name, ring in scales.items()
    )
    waiting = " + ".join(f"{ring['waiting']} {name}" for name, ring in scales.items())
    total = sum(ring["waiting"] for ring in scales.values()) + status["retired"]
    sign = "=" if total == status["recorded"] else "≠"
    sentence = f"{status['recorded']} events recorded {sign} {waiting} + {status['retired']} retired."
    return Twin(sentence, ("scale", "events", "capacity", "waiting", "summaries"), rows)


def plot_summaries(lambdas: Mapping[str, Sequence[float]], *, ax: Axes | None = None) -> Axes:
    """The axes with the largest λ of each summary, a line for each scale."""
    axes = axes_or_current(ax)
    for place, (scale, values) in enumerate(lambdas.items()):
        if len(values):
            line = look(place)
            numbers = np.arange(1, len(values) + 1)
            axes.plot(
                numbers, values, color=line.colour, linestyle=line.line, marker=line.marker, markersize=3, label=scale
            )
    axes.locator_params(axis="x", integer=True)
    axes.set_xlabel("summary", color=INK)
    axes.set_ylabel("largest λ", color=INK)
    if any(lambdas.values()):
        axes.legend(loc="best")
    return axes


def describe_summaries(lambdas: Mapping[str, Sequence[float]]) -> Twin:
    """The text twin of :func:`plot_summaries`."""
    rows = tuple(
        (scale, str(len(values)), short(max(values)), short(values[-1])) if values else (scale, "0", "–", "–")
        for scale, values in lambdas.items()
    )
    made = ", ".join(f"{scale} {n}" for scale, n, _, _ in rows)
    return Twin(f"Summaries: {made}.", ("scale", "summaries", "largest λ", "last λ"), rows)


def _curve(values: Sequence[float], axes: Axes, across: str, up: str) -> Axes:
    line = look(0)
    axes.plot(
        np.arange(1, len(values) + 1), values, color=line.colour, linewidth=1.2, marker=line.marker, markersize=2.5
    )
    axes.set_xlabel(across, color=INK)
    axes.set_ylabel(up, color=INK)
    return axes


def _told(values: Sequence[float], noun: str, name: str, fact: str, plural: str = "") -> Twin:
    """A curve in words: how many values, their range, and five of them."""
    header = ("number", name)
    if not len(values):
        return Twin(f"No {plural or noun + 's'} yet.", header, ())
    picked = sorted({round((len(values) - 1) * k / (_NAMED - 1)) for k in range(_NAMED)})
    rows = tuple((str(n + 1), short(float(values[n]))) for n in picked)
    many = f"{len(values)} {plural}" if plural and len(values) > 1 else counted(len(values), noun)
    sentence = (
        f"{many}: {name} from {short(float(min(values)))} to {short(float(max(values)))}, "
        f"{short(float(values[-1]))} at last; {fact}."
    )
    return Twin(sentence, header, rows)
