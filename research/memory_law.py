"""Predicted over measured memory of untruncated Rips diagrams, H0 and H1, and the fit of the law that predicts it.

    python -m research.memory_law          spaces that the law was not fitted to; five minutes on one core
    python -m research.memory_law --fit    measures the spaces of the fit and prints the numbers of the law; as long
    python -m research.memory_law --quick  a few clouds of each

Every diagram has a process of its own, and what was there before it is taken off.  ``--keep FILE`` writes each
measurement down as a line of JSON, and takes what is there for measured.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
import zlib
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from benchmarks import child
from research.spaces import NEW_SPACES, SPACES, Cloud, circle, ellipse, flat_torus, noisy, sphere, torus
from research.unseen_spaces import UNSEEN_SPACES
from toriwork.topology.clouds import distances_of_points
from toriwork.topology.cost_model import bytes_joined
from toriwork.topology.truncation import joined_at_the_cut

LEAST, MOST = 1.0, 3.0
#: what is fitted: everything that the rules for Betti numbers are scored on, and shapes without noise
_CLEAN: dict[str, Callable[[np.random.Generator, int], Cloud]] = {
    "circle": circle,
    "ellipse": lambda rng, n: ellipse(rng, n, 0.3),
    "sphere": sphere,
    "torus": torus,
    "flat torus": flat_torus,
    "flat torus, noise 0.05": noisy(flat_torus, 0.05),
    "sphere in R^7": lambda rng, n: _unit(rng.standard_normal((n, 7))),
    "regular polygon": lambda _, n: _on_circle(2 * np.pi * np.arange(n) / n),
    "two circles, one centre": lambda rng, n: circle(rng, n) * np.where(np.arange(n) % 2, 1.0, 0.5)[:, None],
}
FITTED = {
    **{f"clean/{name}": make for name, make in _CLEAN.items()},
    **{f"{s.group}/{s.name}": s.make for s in SPACES if s.group in ("standard", "null", "hard", "hard null")},
}
UNSEEN = {f"{s.group}/{s.name}": s.make for s in (*NEW_SPACES, *UNSEEN_SPACES)}
#: of every so many-th space, clouds of so many points
FIT_SIZES = {200: 1, 400: 1, 800: 1, 1500: 2, 2000: 4}
UNSEEN_SIZES = {250: 1, 600: 1, 1200: 2, 2000: 6}


class Measured(NamedTuple):
    """One diagram: what it took, and what the prediction is made of."""

    space: str
    n_points: int
    peak: float
    joined: float

    @property
    def ratio(self) -> float:
        """Predicted over measured."""
        return bytes_joined(self.n_points, self.joined) / self.peak


def measure(space: str, n_points: int) -> dict[str, Any]:
    """The answer of one child: bytes taken by the diagram of that cloud, and what its prediction is made of."""
    from toriwork.topology import persistence

    rng = np.random.default_rng([zlib.crc32(space.encode()), n_points])
    cloud = {**FITTED, **UNSEEN}[space](rng, n_points)
    persistence(cloud[:50])  # what the libraries need once is no part of it
    before = child.restart_peak()
    persistence(cloud, max_bytes=np.inf)
    peak = child.peak_bytes() - before
    # said last: memory that a prediction gave back would hide some of the peak
    return {"peak": peak, "joined": joined_at_the_cut(distances_of_points(cloud))}


def _unit(cloud: Cloud) -> Cloud:
    return cloud / np.linalg.norm(cloud, axis=1)[:, None]


def _on_circle(angle: Cloud) -> Cloud:
    return np.column_stack([np.cos(angle), np.sin(angle)])


def wanted(spaces: Iterable[str], sizes: dict[int, int], quick: bool) -> Iterator[tuple[str, int]]:
    """Which clouds are measured; the small ones first."""
    for n_points, every in sizes.items():
        for i, space in enumerate(spaces):
            if i % (10 if quick else every) == 0:
                yield space, n_points


def measurements(clouds: Iterable[tuple[str, int]], kept: Path | None) -> list[Measured]:
    """One for each cloud; those of ``kept`` are not made again."""
    lines = kept.read_text(encoding="utf-8").splitlines() if kept and kept.exists() else []
    known = {(one.space, one.n_points): one for one in (Measured(*json.loads(line)) for line in lines)}
    asked = list(clouds)
    for space, n_points in asked:
        if (space, n_points) in known:
            continue
        print(f"{time.strftime('%H:%M:%S')} {n_points} points: {space}", file=sys.stderr)
        found = child.call("research.memory_law:measure", space=space, n_points=n_points)
        one = known[space, n_points] = Measured(space, n_points, **found)
        if kept:
            with kept.open("a", encoding="utf-8") as file:
                file.write(json.dumps(one) + "\n")
    return [known[cloud] for cloud in asked]


def fitted(known: list[Measured]) -> tuple[float, ...]:
    """The three numbers of the law, in the order of cost_model.py, that keep all ratios best within 1 to 3."""
    from scipy.optimize import minimize

    n_points, peak, joined = np.array([[m.n_points, m.peak, m.joined] for m in known], float).T
    centre = np.log(LEAST * MOST) / 2

    def miss(law: Cloud) -> float:
        fixed, per_pair, per_joined = np.exp(law)
        predicted = fixed + (per_pair + per_joined * joined) * n_points**2
        away = np.log(predicted / peak) - centre
        return float(np.mean(away**8))  # the strangest decide

    options = {"maxiter": 30_000, "maxfev": 30_000, "fatol": 1e-12}
    law = minimize(miss, np.log([5e5, 40.0, 60.0]), method="Nelder-Mead", options=options).x
    return tuple(float(number) for number in np.exp(law))


def table(known: list[Measured]) -> list[str]:
    """Markdown lines: for each size the share within 1 to 3 and the range; then the clouds outside."""
    lines = ["| points | clouds | in 1 to 3 | below 1 | least | most |", "|---|---|---|---|---|---|"]
    for n_points in (*sorted({m.n_points for m in known}), 0):
        ratios = np.array([m.ratio for m in known if n_points in (m.n_points, 0)])
        inside = np.mean((ratios >= LEAST) & (ratios <= MOST))
        shares = f"{inside:.1%} | {np.mean(ratios < LEAST):.1%} | {ratios.min():.2f} | {ratios.max():.2f}"
        lines.append(f"| {n_points or 'all'} | {len(ratios)} | {shares} |")
    outside = [m for m in sorted(known, key=lambda m: m.ratio) if not LEAST <= m.ratio <= MOST]
    return lines + [f"{m.ratio:.2f}: {m.n_points} points, {m.space}, {m.peak / 1e6:.4g} MB" for m in outside]


def main() -> None:
    """Measure, then print the table, and the law with ``--fit``."""
    given = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    given.add_argument("--fit", action="store_true", help="the spaces of the fit, and the law that fits them")
    given.add_argument("--quick", action="store_true", help="every tenth space")
    given.add_argument("--keep", type=Path, help="a file of measurements, read and added to")
    options = given.parse_args()
    spaces, sizes = (FITTED, FIT_SIZES) if options.fit else (UNSEEN, UNSEEN_SIZES)
    known = measurements(wanted(spaces, sizes, options.quick), options.keep)
    if options.fit:
        numbers = "bytes {:.3g}, bytes a pair {:.1f}, bytes a pair that is joined {:.1f}"
        print(numbers.format(*fitted(known)))
    print("\n".join(table(known)))


if __name__ == "__main__":
    main()
