"""Hit and false-alarm rates of every rule of estimate_betti over clouds whose Betti numbers are known.

    python benchmarks/betti_rules.py            200 clouds a space, a few minutes on one core
    python benchmarks/betti_rules.py --quick    12 clouds a space, seconds

The seeds of this table were never used to fit or to choose a rule.  "Right" means the exact number; a number that
the rule left open (NaN) is not right, and no false alarm either; it is counted in a column of its own.
"""

from __future__ import annotations

import argparse
import math
import time
import zlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from toriwork.topology import estimate_betti, judge

RULES = ("calibrated", "guarded_gap", "late_death", "universal_null")
SEED = 20_270_101
Cloud = np.ndarray[Any, Any]
Make = Callable[[np.random.Generator, int], Cloud]


class Space(NamedTuple):
    """A space of known homology and a way to sample it."""

    group: str  #: "standard", "null", "hard", "hard null", "components", "sphere and torus"
    name: str
    dimension: int  #: of the homology that is scored
    betti: int
    make: Make
    sizes: tuple[int, int] = (100, 300)  #: number of points, drawn evenly


# --- shapes of radius 1 ---------------------------------------------------------------------------------------------


def circle(rng: np.random.Generator, n: int, radius: float = 1.0, at: Sequence[float] = (0.0, 0.0)) -> Cloud:
    """Points of a circle in the plane, at random angles."""
    angle = rng.uniform(0, 2 * np.pi, n)
    return radius * np.column_stack([np.cos(angle), np.sin(angle)]) + at


def circles(
    rng: np.random.Generator, n: int, radii: Sequence[float], at: Sequence[Sequence[float]], *, by_length: bool = True
) -> Cloud:
    """Circles in the plane, their shares of the points by length or equal."""
    share = np.asarray(radii if by_length else np.ones(len(radii)), dtype=float)
    counts = rng.multinomial(n, share / share.sum())
    return np.vstack([circle(rng, m, r, c) for m, r, c in zip(counts, radii, at, strict=True)])


def ellipse(rng: np.random.Generator, n: int, short: float = 0.6) -> Cloud:
    """Points of an ellipse, even in arc length."""
    t = np.linspace(0, 2 * np.pi, 2000)
    curve = np.column_stack([np.cos(t), short * np.sin(t)])
    length = np.r_[0, np.cumsum(np.linalg.norm(np.diff(curve, axis=0), axis=1))]
    where = rng.uniform(0, length[-1], n)
    return np.column_stack([np.interp(where, length, column) for column in curve.T])


def segments(rng: np.random.Generator, n: int, ends: Sequence[Any]) -> Cloud:
    """Points of straight segments, even in length."""
    pieces = np.asarray(ends, dtype=float)
    length = np.linalg.norm(pieces[:, 1] - pieces[:, 0], axis=1)
    piece = rng.choice(len(pieces), n, p=length / length.sum())
    return pieces[piece, 0] + rng.random((n, 1)) * (pieces[piece, 1] - pieces[piece, 0])


def theta(rng: np.random.Generator, n: int) -> Cloud:
    """A circle and one of its diameters."""
    around = rng.binomial(n, np.pi / (np.pi + 1))
    return np.vstack([circle(rng, around), segments(rng, n - around, [[(-1, 0), (1, 0)]])])


def annulus(rng: np.random.Generator, n: int, inner: float = 0.5) -> Cloud:
    """Points of a plane annulus, even in area."""
    return circle(rng, n) * np.sqrt(rng.uniform(inner**2, 1, (n, 1)))


def sphere(rng: np.random.Generator, n: int) -> Cloud:
    """Points of the unit sphere in space."""
    cloud = rng.standard_normal((n, 3))
    return cloud / np.linalg.norm(cloud, axis=1)[:, None]


def circle_in_six(rng: np.random.Generator, n: int) -> Cloud:
    """A circle in a random plane of six-dimensional space."""
    plane, _ = np.linalg.qr(rng.standard_normal((6, 2)))
    return circle(rng, n) @ plane.T


def torus(rng: np.random.Generator, n: int, tube: float = 0.45) -> Cloud:
    """Points of a torus of radius 1, even in area."""
    u, v, w = rng.random((3, 4 * n))
    kept = np.flatnonzero(w * (1 + tube) < 1 + tube * np.cos(2 * np.pi * u))[:n]
    u, v = 2 * np.pi * u[kept], 2 * np.pi * v[kept]
    wide = 1 + tube * np.cos(u)
    return np.column_stack([wide * np.cos(v), wide * np.sin(v), tube * np.sin(u)])


def disc(rng: np.random.Generator, n: int, dim: int = 2) -> Cloud:
    """Points of a ball, even in volume."""
    cloud = rng.standard_normal((n, dim))
    return cloud / np.linalg.norm(cloud, axis=1)[:, None] * rng.random((n, 1)) ** (1 / dim)


def blobs(rng: np.random.Generator, n: int, k: int, spread: float = 0.15, apart: float = 1.5) -> Cloud:
    """Gaussian blobs whose centres lie at least ``apart`` from each other."""
    while True:
        centres = rng.uniform(-1, 1, (k, 2)) * apart * k**0.7
        gaps = np.linalg.norm(centres[:, None] - centres[None], axis=2) + 1e9 * np.eye(k)
        if gaps.min() >= apart:
            return centres[rng.integers(0, k, n)] + spread * rng.standard_normal((n, 2))


def uneven(rng: np.random.Generator, n: int) -> Cloud:
    """A circle whose upper half is sampled five times as densely."""
    dense = rng.binomial(n, 5 / 6)
    angle = np.r_[rng.uniform(0, np.pi, dense), rng.uniform(np.pi, 2 * np.pi, n - dense)]
    return np.column_stack([np.cos(angle), np.sin(angle)])


def noisy(make: Make, sigma: float) -> Make:
    """The same space with Gaussian noise on every coordinate."""

    def sample(rng: np.random.Generator, n: int) -> Cloud:
        cloud = make(rng, n)
        return cloud + sigma * rng.standard_normal(cloud.shape)

    return sample


def with_outliers(make: Make, share: float = 0.1, side: float = 4.0) -> Make:
    """The same space with a share of its points moved anywhere in a box."""

    def sample(rng: np.random.Generator, n: int) -> Cloud:
        cloud = make(rng, n)
        moved = rng.choice(n, round(share * n), replace=False)
        cloud[moved] = rng.uniform(-side / 2, side / 2, (len(moved), cloud.shape[1]))
        return cloud

    return sample


def eight(rng: np.random.Generator, n: int) -> Cloud:
    """Two circles that touch."""
    return circles(rng, n, (1, 1), ((-1, 0), (1, 0)))


def pair(rng: np.random.Generator, n: int) -> Cloud:
    """Two circles one radius apart."""
    return circles(rng, n, (1, 1), ((0, 0), (3, 0)))


def three(rng: np.random.Generator, n: int) -> Cloud:
    """Three circles, each one radius from the others."""
    return circles(rng, n, (1, 1, 1), ((0, 0), (3, 0), (1.5, 2.6)))


def beside(small: float, *, by_length: bool) -> Make:
    """A circle of radius 1 and a smaller one 0.7 apart."""
    return lambda rng, n: circles(rng, n, (1, small), ((0, 0), (1.7 + small, 0)), by_length=by_length)


def sizes_of_three(rng: np.random.Generator, n: int) -> Cloud:
    """Three circles of three sizes."""
    return circles(rng, n, (1, 0.7, 0.4), ((0, 0), (2.5, 0), (0, 2.1)))


def with_far_points(rng: np.random.Generator, n: int) -> Cloud:
    """A plane Gaussian, three points of which lie far out, each in another direction."""
    cloud = rng.standard_normal((n, 2))
    cloud[:3] = 8 * np.array([[1, 0], [-0.5, 0.87], [-0.5, -0.87]]) * rng.uniform(1, 1.5, (3, 1))
    return cloud


def crossing(rng: np.random.Generator, n: int) -> Cloud:
    """Two segments that cross."""
    return segments(rng, n, [[(-1, -1), (1, 1)], [(-1, 1), (1, -1)]])


# --- the sets -------------------------------------------------------------------------------------------------------

_CURVES: tuple[tuple[str, int, int, Make], ...] = (
    ("circle", 1, 1, circle),
    ("ellipse 1 : 0.6", 1, 1, ellipse),
    ("two circles", 2, 2, pair),
    ("three circles", 3, 3, three),
    ("figure eight", 1, 2, eight),
    ("theta", 1, 2, theta),
    ("annulus 0.5 to 1", 1, 1, annulus),
    ("sphere", 1, 0, sphere),
    ("circle in R^6", 1, 1, circle_in_six),
)
_NULLS: tuple[tuple[str, Make], ...] = (
    ("disc", disc),
    ("square", lambda rng, n: rng.random((n, 2))),
    ("cube", lambda rng, n: rng.random((n, 3))),
    ("box in R^6", lambda rng, n: rng.random((n, 6))),
    ("Gaussian in R^2", lambda rng, n: rng.standard_normal((n, 2))),
    ("Gaussian in R^3", lambda rng, n: rng.standard_normal((n, 3))),
    ("Gaussian in R^10", lambda rng, n: rng.standard_normal((n, 10))),
    ("segment, noise 0.07", noisy(lambda rng, n: segments(rng, n, [[(-1, 0), (1, 0)]]), 0.07)),
    ("three blobs", lambda rng, n: blobs(rng, n, 3)),
    ("five blobs", lambda rng, n: blobs(rng, n, 5)),
)
_SMALL = (8, 60)

SPACES: tuple[Space, ...] = (
    *(Space("standard", name, 1, loops, noisy(make, 0.07)) for name, _, loops, make in _CURVES),
    *(Space("null", name, 1, 0, make) for name, make in _NULLS),
    Space("hard", "1 and 0.35, equal counts", 1, 2, noisy(beside(0.35, by_length=False), 0.03)),
    Space("hard", "1 and 0.35, by length", 1, 2, noisy(beside(0.35, by_length=True), 0.03)),
    Space("hard", "1 and 0.5, by length", 1, 2, noisy(beside(0.5, by_length=True), 0.03)),
    Space("hard", "1, 0.7 and 0.4, by length", 1, 3, noisy(sizes_of_three, 0.03)),
    Space("hard", "circle, noise 0.15", 1, 1, noisy(circle, 0.15)),
    Space("hard", "two circles, noise 0.15", 1, 2, noisy(pair, 0.15)),
    Space("hard", "figure eight, noise 0.15", 1, 2, noisy(eight, 0.15)),
    Space("hard", "circle, 40 points", 1, 1, noisy(circle, 0.07), (40, 40)),
    Space("hard", "figure eight, 40 points", 1, 2, noisy(eight, 0.07), (40, 40)),
    Space("hard", "circle, 10 % outliers", 1, 1, with_outliers(noisy(circle, 0.07))),
    Space("hard", "figure eight, 10 % outliers", 1, 2, with_outliers(noisy(eight, 0.07))),
    Space("hard", "circle, density 5 : 1", 1, 1, noisy(uneven, 0.07)),
    Space("hard", "torus 1 / 0.45", 1, 2, noisy(torus, 0.03), (600, 600)),
    Space("hard null", "Student t, 2 degrees", 1, 0, lambda rng, n: rng.standard_t(2, (n, 2))),
    Space("hard null", "Cauchy", 1, 0, lambda rng, n: rng.standard_cauchy((n, 2))),
    Space("hard null", "crossing segments, noise 0.03", 1, 0, noisy(crossing, 0.03)),
    Space("hard null", "crossing segments, noise 0.1", 1, 0, noisy(crossing, 0.1)),
    Space("hard null", "disc, 8 to 60 points", 1, 0, disc, _SMALL),
    Space("hard null", "cube, 8 to 60 points", 1, 0, lambda rng, n: rng.random((n, 3)), _SMALL),
    Space("hard null", "Gaussian, 8 to 60 points", 1, 0, lambda rng, n: rng.standard_normal((n, 2)), _SMALL),
    Space("hard null", "twelve blobs", 1, 0, lambda rng, n: blobs(rng, n, 12, 0.1, 0.8)),
    *(Space("components", f"{name}, noise 0.03", 0, parts, noisy(make, 0.03)) for name, parts, _, make in _CURVES),
    *(Space("components", f"{k} blobs", 0, k, lambda rng, n, k=k: blobs(rng, n, k)) for k in (2, 3, 4, 6)),
    *(Space("components", name, 0, 1, make) for name, make in _NULLS[:-2]),
    Space("components", "Student t, 2 degrees", 0, 1, lambda rng, n: rng.standard_t(2, (n, 2))),
    Space("components", "Gaussian and three far points", 0, 1, with_far_points),
    Space("components", "disc, 8 to 60 points", 0, 1, disc, _SMALL),
    Space("components", "two blobs, 16 to 60 points", 0, 2, lambda rng, n: blobs(rng, n, 2), (16, 60)),
    Space("sphere and torus", "sphere, noise 0.07", 2, 1, noisy(sphere, 0.07)),
    Space("sphere and torus", "torus 1 / 0.45, 400 points", 2, 1, noisy(torus, 0.03), (400, 400)),
    Space("sphere and torus", "ball", 2, 0, lambda rng, n: disc(rng, n, 3)),
    Space("sphere and torus", "circle in R^6", 2, 0, noisy(circle_in_six, 0.07)),
)


# --- scoring --------------------------------------------------------------------------------------------------------


class Score(NamedTuple):
    """Shares of the clouds of one space under one rule."""

    right: float
    more: float  #: more features than there are; for a null: a false alarm
    open: float


def score(space: Space, n_clouds: int, seed: int) -> dict[str, Score]:
    """Shares per rule over ``n_clouds`` samples of a space."""
    numbers: dict[str, list[float]] = {rule: [] for rule in RULES}
    for i in range(n_clouds):
        rng = np.random.default_rng([seed, zlib.crc32(f"{space.group}/{space.name}".encode()), i])
        cloud = space.make(rng, int(rng.integers(space.sizes[0], space.sizes[1] + 1)))
        found = estimate_betti(cloud, max_dimension=max(1, space.dimension))
        for rule in RULES:
            # the default knows the sizes of components, which a diagram alone does not tell
            judged = found if rule == found.rule else judge(found.diagram, rule=rule)
            numbers[rule].append(judged.numbers[space.dimension])
    return {rule: _shares(np.array(values), space.betti) for rule, values in numbers.items()}


def _shares(numbers: Cloud, betti: int) -> Score:
    return Score(*(float(np.mean(found)) for found in (numbers == betti, numbers > betti, np.isnan(numbers))))


def table(results: dict[Space, dict[str, Score]]) -> list[str]:
    """Markdown lines: per space right / too many / open in percent for each rule, and the mean of each group."""
    lines = [f"| set | space | true | {' | '.join(RULES)} |", "|---|---|---|" + "---|" * len(RULES)]
    for group in dict.fromkeys(space.group for space in results):
        members = [space for space in results if space.group == group]
        for space in members:
            cells = (_cell(results[space][rule]) for rule in RULES)
            lines.append(f"| {group} | {space.name} | b{space.dimension} = {space.betti} | {' | '.join(cells)} |")
        means = (_cell(Score(*np.mean([results[s][rule] for s in members], axis=0).tolist())) for rule in RULES)
        lines.append(f"| **{group}** | **mean** | | {' | '.join(f'**{cell}**' for cell in means)} |")
    return lines


def _cell(shares: Score) -> str:
    return " / ".join(f"{100 * share:.1f}" for share in shares)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="12 clouds a space, without the tori")
    parser.add_argument("--clouds", type=int, default=200, help="clouds a space")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    n_clouds = 12 if options.quick else options.clouds
    spaces = [space for space in SPACES if not (options.quick and space.sizes[0] >= 400)]
    started = time.perf_counter()
    results = {}
    for space in spaces:
        # H2 and the large tori cost most: a quarter of the clouds, at least 50 when all are wanted
        few = space.sizes[0] >= 400 or space.dimension == 2
        results[space] = score(
            space, max(math.ceil(n_clouds / 4), min(50, n_clouds)) if few else n_clouds, options.seed
        )
    print("right / too many / open, percent of the clouds")
    print("\n".join(table(results)))
    print(f"\n{n_clouds} clouds a space, seed {options.seed}, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
