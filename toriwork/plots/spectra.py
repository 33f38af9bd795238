"""Monitors as pictures and as words: eigenvalues against their threshold, and the energy of a stirred lattice."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from toriwork.errors import BadInput
from toriwork.plots.style import INK, MUTED, axes_or_current, look
from toriwork.plots.twin import Twin, counted, short

if TYPE_CHECKING:
    from matplotlib.axes import Axes

Along = Literal["check", "time"]
#: action -> dimension whose look marks it, words
ACTIONS = {"adaptive_damp": (2, "adaptive damping"), "emergency_damp": (1, "emergency damping")}
_NO_ACTION = "none"
_LEGEND_ROOM = 1.25  #: of the height: the legend stands above the highest value


@dataclass(frozen=True, slots=True, eq=False)
class Checks:
    """What a guard saw, check by check."""

    seconds: NDArray[np.float64]  #: (n_checks,) since the first check
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


def plot_spectra(data: Any, *, ax: Axes | None = None, along: Along = "check") -> Axes:
    """The axes with the eigenvalues of each check as dots, the largest as a line, and the threshold of damping.

    A check that called for damping is marked on the line of the largest eigenvalue.

    Parameters
    ----------
    data : CurvatureAwareGuard or iterable of mappings
        A guard (its ``history``), or results with ``max_eigenvalue`` and ``threshold``; ``spectrum`` (real parts),
        ``action`` and ``timestamp`` (seconds) where they are known.
    ax : Axes, optional
        Where to draw; None means pyplot's current axes.
    along : {"check", "time"}
        What goes across: the number of the check, the same in every run, or seconds since the first one.

    Raises
    ------
    BadInput
        A result lacks ``max_eigenvalue`` or ``threshold`` (along time: ``timestamp``), or ``along`` is neither of both.
    """
    checks = read_checks(data, along)
    axes = axes_or_current(ax)
    across = checks.seconds if along == "time" else np.arange(1, checks.n_checks + 1)
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
    axes.set_xlabel("seconds since the first check" if along == "time" else "check", color=INK)
    axes.set_ylabel("eigenvalue (real part)", color=INK)
    if checks.n_checks:
        axes.legend(loc="upper right", ncols=2, columnspacing=1.2)
    return axes


def describe_spectra(data: Any, *, along: Along = "check") -> Twin:
    """The text twin of :func:`plot_spectra`: how often was damped, and the values at five checks."""
    checks = read_checks(data, along)
    header = ("after" if along == "time" else "check", "largest", "threshold", "action")
    if not checks.n_checks:
        return Twin("Spectra without a check.", header, ())
    picked = sorted({round((checks.n_checks - 1) * k / 4) for k in range(5)})
    rows = tuple(
        (
            f"{short(float(checks.seconds[n]))} s" if along == "time" else str(n + 1),
            short(float(checks.tops[n])),
            short(float(checks.thresholds[n])),
            checks.actions[n],
        )
        for n in picked
    )
    above = int((checks.tops > checks.thresholds).sum())
    taken = ", ".join(f"{words} {checks.actions.count(action)}" for action, (_, words) in ACTIONS.items())
    highest = int(np.argmax(checks.tops))
    sentence = (
        f"Spectra of {counted(checks.n_checks, 'check')}: the largest eigenvalue is above the threshold in {above}, "
        f"{short(float(checks.tops[highest]))} at most (check {highest + 1}); {taken}."
    )
    return Twin(sentence, header, rows)


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


def describe_chaos(data: Any) -> Twin:
    """The text twin of :func:`plot_chaos`: each burst with its steps, its peak, its end, and what it came back to."""
    energies, states = read_energies(data)
    header = ("burst", "steps", "peak energy", "energy at its end", "after cooldown")
    if not len(energies):
        return Twin("Chaos energy without a step.", header, ())
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
    return Twin(sentence, header, tuple(rows))


def read_checks(data: Any, along: Along = "check") -> Checks:
    """The checks of a guard or of its results, in their order; BadInput where a number is missing."""
    if along not in ("check", "time"):
        raise BadInput(f"along: 'check' or 'time' is wanted, given was {along!r}")
    results = [_mapping(result, index) for index, result in enumerate(_history(data))]
    tops, thresholds = (_column(results, name) for name in ("max_eigenvalue", "threshold"))
    times = _column(results, "timestamp") if along == "time" else np.zeros(len(results))
    modes = tuple(
        np.asarray(result.get("spectrum", [top]), dtype=np.float64) for result, top in zip(results, tops, strict=True)
    )
    actions = tuple(str(result.get("action", _NO_ACTION)) for result in results)
    return Checks(times - times[:1], tops, thresholds, actions, modes)


def read_energies(data: Any) -> tuple[NDArray[np.float64], tuple[str, ...]]:
    """Energies and states of a controller, of its results, or energies alone (states are then "")."""
    steps = list(_history(data))
    if not any(isinstance(step, Mapping) for step in steps):
        energies = _column([{"energy": step} for step in steps], "energy")
        return energies, ("",) * len(steps)
    results = [_mapping(step, index) for index, step in enumerate(steps)]
    return _column(results, "energy"), tuple(str(result.get("state", "")) for result in results)


def runs_of(states: Iterable[str]) -> list[Run]:
    """Equal states in a row, in their order."""
    runs: list[Run] = []
    for state, same in groupby(states):
        start = runs[-1].stop if runs else 0
        runs.append(Run(state, start, start + sum(1 for _ in same)))
    return runs


def _history(data: Any) -> Iterable[Any]:
    history = getattr(data, "history", data)
    if not isinstance(history, Iterable):
        raise BadInput(f"data: a monitor or its results are wanted, given was {data!r:.80}")
    return history


def _mapping(result: Any, index: int) -> Mapping[str, Any]:
    if not isinstance(result, Mapping):
        raise BadInput(f"data: result {index}: a mapping is wanted, given was {result!r:.80}")
    return result


def _column(results: list[Any], name: str) -> NDArray[np.float64]:
    values = np.zeros(len(results))
    for index, result in enumerate(results):
        try:
            values[index] = float(result[name])
        except (KeyError, TypeError, ValueError) as error:
            raise BadInput(f"data: result {index}: a number {name!r} is wanted: {error!r}") from error
        if not math.isfinite(values[index]):
            raise BadInput(f"data: result {index}: a finite {name!r} is wanted, given was {values[index]}")
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
