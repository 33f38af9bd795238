"""Two figures of rates for notebooks, each with its text alternative: stores side by side, and stores as they grow."""

from __future__ import annotations

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.paired_rounds import Cloud, Opener, seconds
from toriwork.plots.style import INK, look
from toriwork.plots.text_alternative import TextAlternative

Rates = Mapping[str, float]  #: store -> rows a second
Growth = Mapping[str, Sequence[tuple[int, float]]]  #: store -> (rows there were, rows a second) per step


def rates_by_size(openers: Mapping[str, Opener], folder: Path, clouds: Sequence[Cloud], n_steps: int) -> Growth:
    """How fast each store takes the clouds once more, ``n_steps`` times into the same store."""
    return {name: _steps(opener, folder / f"growing-{name}", clouds, n_steps) for name, opener in openers.items()}


def _steps(opener: Opener, folder: Path, clouds: Sequence[Cloud], n_steps: int) -> list[tuple[int, float]]:
    folder.mkdir(parents=True)
    store = opener(folder)
    taken = [seconds(lambda: [store.record(cloud) for cloud in clouds]) for _ in range(n_steps)]
    store.close()
    shutil.rmtree(folder)
    return [(step * len(clouds), len(clouds) / each) for step, each in enumerate(taken)]


def plot_rates(rates: Rates, *, ax: Any) -> Any:
    """The axes with one bar for each store; the first, ours, in another colour."""
    names = list(rates)
    ours, others = look(1).colour, look(0).colour
    ax.barh(names, list(rates.values()), color=[ours, *[others] * (len(names) - 1)])
    ax.invert_yaxis()
    ax.set_xlabel("rows a second", color=INK)
    return ax


def describe_rates(rates: Rates) -> TextAlternative:
    """The text alternative of :func:`plot_rates`."""
    first = next(iter(rates))
    rows = tuple((name, f"{rate:,.0f}", f"{rates[first] / rate:.2f} x") for name, rate in rates.items())
    return TextAlternative(
        f"Rows a second of {len(rates)} stores.", ("store", "rows a second", f"{first} against it"), rows
    )


def plot_rates_by_size(growth: Growth, *, ax: Any) -> Any:
    """The axes with the rate of each store over the rows that it held."""
    for number, (name, steps) in enumerate(growth.items()):
        style = look(1 - number)
        ax.plot(*zip(*steps, strict=True), color=style.colour, marker=style.marker, linestyle=style.line, label=name)
    ax.set_ylim(bottom=0)
    ax.set_xlabel("rows there were", color=INK)
    ax.set_ylabel("rows a second", color=INK)
    ax.legend()
    return ax


def describe_rates_by_size(growth: Growth) -> TextAlternative:
    """The text alternative of :func:`plot_rates_by_size`."""
    sizes = [str(size) for size, _ in next(iter(growth.values()))]
    rows = tuple((name, *(f"{rate:,.0f}" for _, rate in steps)) for name, steps in growth.items())
    return TextAlternative("Rows a second as the stores grow.", ("rows there were", *sizes), rows)
