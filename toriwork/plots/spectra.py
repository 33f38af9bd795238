"""Monitors as pictures and as words: eigenvalues against their threshold, and the energy of a stirred lattice."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.plots.options import styled
from toriwork.plots.style import INK, MUTED, axes_or_current, look
from toriwork.plots.text_alternative import TextAlternative, counted, evenly_picked, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

#: action -> dimension whose look marks it, words
ACTIONS = {"adaptive_damp": (2, "adaptive damping"), "emergency_damp": (1, "emergency damping")}
_NO_ACTION = "none"
_LEGEND_ROOM = 1.25  #: of the height: the legend stands above the highest value


@dataclass(frozen=True, slots=True, eq=False)
class Checks:
    """The checks of a guard, in their order."""

    tops: NDArray[np.float64]  #: (n_checks,) largest real parts
    thresholds: NDArray[np.float64]  #: (n_checks,)
    actions: tuple[str, ...]
    modes: tuple[NDArray[np.float64], ...]  #: the real parts of each check, as many as are known

    @property
    def n_checks(self) -> int:
        """Number of checks."""
        return len(self.tops)


@dataclass(frozen=True, slots=True)
class Run:
    """Steps in a row that were made in one state; ``stop`` is the first that was not."""

    state: str
    start: int
    stop: int


@styled
def plot_spectra(data: Any, *, ax: Axes | None = None) -> Axes:
    """The axes with the eigenvalues of each check as dots, the largest as a line, and the threshold of damping.

    A check that called for damping is marked on the line of the largest eigenvalue.

    Parameters
    ----------
    data : CurvatureAwareGuard or iterable of mappings
        A guard (its ``history``), or results with ``max_eigenvalue`` and ``threshold``; ``spectrum`` (real parts) and
        ``action`` where they are known.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.

    Raises
    ------
    BadInput
        A result lacks ``max_eigenvalue`` or ``threshold``.

    Examples
    --------
    >>> import numpy as np
    >>> from toriwork import CurvatureAwareGuard, plot_spectra
    >>> results = [CurvatureAwareGuard().check_eigenvalues([size, 0.2], np.zeros(100)) for size in (0.5, 1.5, 2.5)]
    >>> plot_spectra(results).get_xlabel()
    'check'
    """
    from matplotlib.ticker import MaxNLocator

    checks = read_checks(data)
    axes = axes_or_current(ax)
    across = np.arange(1, checks.n_checks + 1)
    _draw_modes(axes, across, checks)
    top, bound = look(0), look(3)
    axes.plot(across, checks.tops, color=top.colour, linestyle=top.line, linewidth=1.2, label="largest eigenvalue")
    axes.plot(across, checks.thresholds, color=bound.colour, linestyle="--", linewidth=1.2, label="threshold")
    for action, (dimension, words) in ACTIONS.items():
        at = [index for index, taken in enumerate(checks.actions) if taken == action]
        if at:
            mark = look(dimension)
            axes.plot(
                across[at], checks.tops[at], linestyle="none", marker=mark.marker, markersize=4, color=mark.colour,
                label=f"{words} ({len(at)})",
            )  # fmt: skip
    _make_room(axes)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))  # there is no check 2.5
    axes.set_xlabel("check", color=INK)
    axes.set_ylabel("eigenvalue (real part)", color=INK)
    if checks.n_checks:
        axes.legend(loc="upper right", ncols=2, columnspacing=1.2)
    return axes


def describe_spectra(data: Any) -> TextAlternative:
    """The text alternative of :func:`plot_spectra`: the dampings, and the values at five checks."""
    checks = read_checks(data)
    header = ("check", "largest", "threshold", "action")
    if not checks.n_checks:
        return TextAlternative("Spectra without a check.", header, ())
    rows = tuple(
        (str(n + 1), short(float(checks.tops[n])), short(float(checks.thresholds[n])), checks.actions[n])
        for n in evenly_picked(checks.n_checks, 5)
    )
    above = int((checks.tops > checks.thresholds).sum())
    taken = ", ".join(f"{words} {checks.actions.count(action)}" for action, (_, words) in ACTIONS.items())
    highest = int(np.argmax(checks.tops))
    sentence = (
        f"Spectra of {counted(checks.n_checks, 'check')}: the largest eigenvalue is above the threshold in {above}, "
        f"{short(float(checks.tops[highest]))} at most (check {highest + 1}); {taken}."
    )
    return TextAlternative(sentence, header, rows)


@styled
def plot_chaos(data: Any, *, ax: Axes | None = None) -> Axes:
    """The axes with the energy of a lattice after each step, bursts and cooldowns shaded, and the energy at rest.

    Parameters
    ----------
    data : ChaosChannelController, iterable of mappings, or array_like of shape (n_steps,)
        A controller (its ``history``), results with ``energy`` and ``state``, or the energies alone.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.

    Raises
    ------
    BadInput
        A step has no energy.

    Examples
    --------
    >>> import numpy as np
    >>> from toriwork import ChaosChannelController, plot_chaos
    >>> controller = ChaosChannelController(16, rng=np.random.default_rng(0))
    >>> burst = controller.trigger(level=0.5, duration=3)
    >>> energies = [controller.step()["energy"] for _ in range(10)]
    >>> plot_chaos(controller).get_xlabel()
    'step'
    """
    energies, states = read_energies(data)
    axes = axes_or_current(ax)
    steps = np.arange(1, len(energies) + 1)
    named = set()
    for run in runs_of(states):
        if run.state in ("active", "cooldown"):
            dense = run.state == "active"
            label = None if run.state in named else "burst" if dense else "cooldown"
            axes.axvspan(
                run.start + 0.5, run.stop + 0.5, color=look(1).colour if dense else MUTED,
                alpha=0.22 if dense else 0.12, linewidth=0, label=label, zorder=0,
            )  # fmt: skip
            named.add(run.state)
    line = look(0)
    axes.axhline(1.0, color=MUTED, linestyle=":", linewidth=1.0, label="at rest")
    axes.plot(steps, energies, color=line.colour, linestyle=line.line, linewidth=1.2, label="energy")
    _make_room(axes)
    axes.set_xlabel("step", color=INK)
    axes.set_ylabel("energy, mean |ψ|²", color=INK)
    axes.legend(loc="upper right", ncols=2, columnspacing=1.2)
    return axes


def describe_chaos(data: Any) -> TextAlternative:
    """The text alternative of :func:`plot_chaos`: each burst with its steps, peak, end and rest."""
    energies, states = read_energies(data)
    header = ("burst", "steps", "peak energy", "energy at its end", "after cooldown")
    if not len(energies):
        return TextAlternative("Chaos energy without a step.", header, ())
    runs = runs_of(states)
    rows: list[tuple[str, ...]] = []
    for run, then in zip(runs, [*runs[1:], None], strict=True):
        if run.state != "active":
            continue
        burst = energies[run.start : run.stop]
        cooled = short(float(energies[then.stop - 1])) if then is not None and then.state == "cooldown" else "–"
        span = f"{run.start + 1} to {run.stop}"
        rows.append((str(len(rows) + 1), span, short(float(burst.max())), short(float(burst[-1])), cooled))
    sentence = (
        f"Chaos energy over {counted(len(energies), 'step')} with {counted(len(rows), 'burst')}: from "
        f"{short(float(energies.min()))} to {short(float(energies.max()))}, {short(float(energies[-1]))} at the end."
    )
    return TextAlternative(sentence, header, tuple(rows))


def read_checks(data: Any) -> Checks:
    """The checks of a guard or of its results, in their order; BadInput where a number is missing."""
    results = _results(data)
    tops, thresholds = (_finite_numbers(results, name) for name in ("max_eigenvalue", "threshold"))
    modes = tuple(
        np.asarray(one.get("spectrum", [top]), dtype=np.float64) for one, top in zip(results, tops, strict=True)
    )
    return Checks(tops, thresholds, tuple(str(one.get("action", _NO_ACTION)) for one in results), modes)


def read_energies(data: Any) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Energies and states of a controller, of its results, or energies alone (states are then "")."""
    results = _results(data, "energy")
    return _finite_numbers(results, "energy"), tuple(str(one.get("state", "")) for one in results)


def runs_of(states: Iterable[str]) -> list[Run]:
    """Equal states in a row, in their order."""
    runs: list[Run] = []
    for state, same in groupby(states):
        start = runs[-1].stop if runs else 0
        runs.append(Run(state, start, start + sum(1 for _ in same)))
    return runs


def _results(data: Any, name: str | None = None) -> list[Mapping[str, Any]]:
    """The results of a monitor, or those given; a bare value stands for the result called ``name``."""
    history = getattr(data, "history", data)
    if not isinstance(history, Iterable):
        raise BadInput(f"data: expected a monitor or its results, got {data!r:.80}")
    results = [{name: one} if name and not isinstance(one, Mapping) else one for one in history]
    for index, one in enumerate(results):
        if not isinstance(one, Mapping):
            raise BadInput(f"data: result {index}: expected a mapping, got {one!r:.80}")
    return results


def _finite_numbers(results: Sequence[Mapping[str, Any]], name: str) -> NDArray[np.float64]:
    values = np.zeros(len(results))
    for index, result in enumerate(results):
        try:
            values[index] = float(result[name])
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"data: result {index}: expected a number {name!r}: {error!r}") from error
        if not math.isfinite(values[index]):
            raise BadInput(f"data: result {index}: expected a finite {name!r}, got {values[index]}")
    return values


def _draw_modes(axes: Axes, across: NDArray[Any], checks: Checks) -> None:
    if checks.n_checks:
        places = np.repeat(across, [len(modes) for modes in checks.modes])
        axes.scatter(
            places, np.concatenate(checks.modes), s=3, color=MUTED, linewidths=0, zorder=1, label="eigenvalues"
        )


def _make_room(axes: Axes) -> None:
    low, high = axes.get_ylim()
    axes.set_ylim(low, low + _LEGEND_ROOM * (high - low))
