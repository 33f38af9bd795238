"""Make every file of data_samples/ and its index, byte for byte the same each time.

    python data_samples/make_samples.py [--to DIR]

The clouds of known homology need the standard library alone: ``random.Random(seed).random()`` is promised to give
the same numbers in every Python, NumPy's generators are not. Coordinates are rounded to six decimals, so that a
last-bit difference of ``sin`` between two processors cannot show. The two real data sets are copied out of
statsmodels and scikit-learn, which are needed here and nowhere else in the project.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import math
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

Row = Sequence[float]
TAU = 2.0 * math.pi
GOLDEN_ANGLE = math.pi * (3.0 - math.sqrt(5.0))
INK = 8  #: a pixel of the 8 x 8 digits (0..16) counts as ink from here on
PIXEL_SCALE = 1.5  #: any scale in [sqrt 2, 2) joins pixels that share a side or a corner, and no others

MADE = "made by data_samples/make_samples.py"
SUNSPOTS_ORIGIN = (
    "International Sunspot Number, yearly means (the series that WDC-SILSO, formerly SIDC, Royal Observatory of "
    "Belgium, keeps), from the copy in statsmodels.datasets.sunspots, whose source is the National Geophysical "
    "Data Center, http://www.ngdc.noaa.gov/stp/solar/solarda3.html"
)
DIGITS_ORIGIN = (
    "Optical Recognition of Handwritten Digits, E. Alpaydin and C. Kaynak 1998, UCI Machine Learning Repository, "
    "doi:10.24432/C50P49, from the copy in sklearn.datasets.load_digits, image number {number}"
)


@dataclass(frozen=True)
class Recipe:
    """One sample: its rows, and what its index entry says; a ``scale`` of None means the space that was sampled."""

    name: str
    columns: tuple[str, ...]
    rows: Callable[[], Iterable[Row]]
    homology: tuple[int, ...] | str
    description: str
    scale: float | None = None
    dtype: str = "float64"
    origin: str = MADE
    licence: str = "MIT, as the project"


def jitter(dice: random.Random, size: float) -> float:
    """A number between -size and size, each as likely as the other."""
    return size * (2.0 * dice.random() - 1.0)


def ring(dice: random.Random, n_points: int, centre: float, noise: float) -> Iterator[Row]:
    """Points near the unit circle around (centre, 0), one in each of ``n_points`` equal arcs."""
    for i in range(n_points):
        angle = TAU * (i + 0.5 * dice.random()) / n_points
        radius = 1.0 + jitter(dice, noise)
        yield centre + radius * math.cos(angle), radius * math.sin(angle)


def disk(dice: random.Random, n_points: int, centre: tuple[float, float], radius: float) -> Iterator[Row]:
    """Points that fill a disc evenly: a sunflower, each seed pushed a little."""
    push = 0.3 * radius / math.sqrt(n_points)
    for i in range(n_points):
        r, angle = radius * math.sqrt((i + 0.5) / n_points), GOLDEN_ANGLE * i
        yield (
            centre[0] + r * math.cos(angle) + jitter(dice, push),
            centre[1] + r * math.sin(angle) + jitter(dice, push),
        )


def circle() -> Iterator[Row]:
    """Points near the unit circle."""
    return ring(random.Random(1), 100, 0.0, 0.08)


def two_circles() -> Iterator[Row]:
    """Points near two unit circles that stand apart."""
    dice = random.Random(2)
    yield from ring(dice, 60, -2.0, 0.08)
    yield from ring(dice, 60, 2.0, 0.08)


def figure_eight() -> Iterator[Row]:
    """Points near two unit circles that touch in the origin."""
    dice = random.Random(3)
    yield from ring(dice, 70, -1.0, 0.06)
    yield from ring(dice, 70, 1.0, 0.06)


def disc() -> Iterator[Row]:
    """Points that fill the unit disc."""
    return disk(random.Random(4), 150, (0.0, 0.0), 1.0)


def clusters() -> Iterator[Row]:
    """Points that fill three discs which stand apart."""
    dice = random.Random(5)
    for k in range(3):
        yield from disk(dice, 30, (2.5 * math.cos(TAU * k / 3), 2.5 * math.sin(TAU * k / 3)), 0.6)


def sphere() -> Iterator[Row]:
    """Points near the unit sphere: a Fibonacci spiral, each point pushed along the radius."""
    dice, n_points = random.Random(6), 200
    for i in range(n_points):
        z = 1.0 - 2.0 * (i + 0.5) / n_points
        flat, angle, radius = math.sqrt(1.0 - z * z), GOLDEN_ANGLE * i, 1.0 + jitter(dice, 0.03)
        yield radius * flat * math.cos(angle), radius * flat * math.sin(angle), radius * z


def torus() -> Iterator[Row]:
    """Points near the torus with tube radius 1 around a circle of radius 2, spread by farthest-point choice."""
    dice = random.Random(7)
    for around, tube in farthest_points([torus_angles(dice) for _ in range(4000)], 400):
        radius = 1.0 + jitter(dice, 0.03)
        yield torus_point(around, tube, radius)


def torus_angles(dice: random.Random) -> tuple[float, float]:
    """A point of the torus, uniform by area: a tube angle is kept in proportion to its distance from the axis."""
    while True:
        around, tube = TAU * dice.random(), TAU * dice.random()
        if 3.0 * dice.random() < 2.0 + math.cos(tube):
            return around, tube


def torus_point(around: float, tube: float, radius: float) -> tuple[float, float, float]:
    """The point of space with these two angles on a torus whose tube has this radius."""
    out = 2.0 + radius * math.cos(tube)
    return out * math.cos(around), out * math.sin(around), radius * math.sin(tube)


def farthest_points(angles: list[tuple[float, float]], n_points: int) -> Iterator[tuple[float, float]]:
    """The first candidate, then again and again the one farthest from all chosen so far."""
    places = [torus_point(around, tube, 1.0) for around, tube in angles]
    nearest, chosen = [math.inf] * len(places), 0
    for _ in range(n_points):
        yield angles[chosen]
        nearest = [min(known, math.dist(place, places[chosen])) for known, place in zip(nearest, places, strict=True)]
        chosen = max(range(len(places)), key=nearest.__getitem__)


def sunspots() -> Iterator[Row]:
    """Year and yearly mean, as statsmodels ships them."""
    from statsmodels.datasets import sunspots as source  # type: ignore[import-untyped]  # ships no types

    table = source.load_pandas().data
    return zip(table["YEAR"].astype(int).tolist(), table["SUNACTIVITY"].tolist(), strict=True)


def digit(number: int) -> Callable[[], Iterator[Row]]:
    """A function that gives the ink pixels of one image, the top line of the image uppermost."""

    def ink_pixels() -> Iterator[Row]:
        from sklearn.datasets import load_digits

        for row, line in enumerate(load_digits().images[number].tolist()):
            for column, value in enumerate(line):
                if value >= INK:
                    yield column, 7 - row

    return ink_pixels


def digit_recipe(numeral: int, number: int, homology: tuple[int, int], words: str) -> Recipe:
    """The recipe of one handwritten numeral, image ``number`` of the collection."""
    return Recipe(
        name=f"digit_{numeral}",
        columns=("x", "y"),
        rows=digit(number),
        homology=homology,
        scale=PIXEL_SCALE,
        dtype="int64",
        origin=DIGITS_ORIGIN.format(number=number),
        licence="CC BY 4.0",
        description=f"A handwritten {numeral}: the centres of the pixels with ink {INK} of 16 or more; {words}. The "
        f"homology is that of the union of the closed ink pixels, which is the Rips complex at scale {PIXEL_SCALE}.",
    )


PLANE, SPACE = ("x", "y"), ("x", "y", "z")

RECIPES = (
    Recipe(
        name="sunspots_yearly",
        columns=("year", "sunspots"),
        rows=sunspots,
        homology="unknown",
        description="Yearly mean sunspot number, 1700 to 2008; the cycle of about 11 years is a loop in a delay "
        "embedding.",
        origin=SUNSPOTS_ORIGIN,
        licence="public domain, as statsmodels states of its copy",
    ),
    digit_recipe(0, 0, (1, 1), "one ring around one hole"),
    digit_recipe(1, 1, (1, 0), "one stroke without a hole"),
    digit_recipe(6, 16, (1, 1), "one stroke that closes around one hole"),
    digit_recipe(8, 8, (1, 2), "two holes, one above the other"),
    Recipe("circle", PLANE, circle, (1, 1), "100 points near the unit circle, radial noise up to 0.08."),
    Recipe("two_circles", PLANE, two_circles, (2, 2), "60 points near each of two unit circles, centres 4 apart."),
    Recipe("figure_eight", PLANE, figure_eight, (1, 2), "70 points near each of two unit circles that touch."),
    Recipe("disc", PLANE, disc, (1, 0), "150 points that fill the unit disc evenly: nothing to be found."),
    Recipe("clusters", PLANE, clusters, (3, 0), "Three discs of 30 points, radius 0.6, centres 4.33 apart."),
    Recipe("sphere", SPACE, sphere, (1, 0, 1), "200 points near the unit sphere, radial noise up to 0.03."),
    Recipe("torus", SPACE, torus, (1, 2, 1), "400 points near a torus, radii 2 and 1, noise up to 0.03."),
)


def csv_text(recipe: Recipe, rows: Iterable[Row]) -> str:
    """The text of the file: a header line, then one point a line."""
    lines = [",".join(recipe.columns)]
    lines += [",".join(number_text(value) for value in row) for row in rows]
    return "\n".join(lines) + "\n"


def number_text(value: float) -> str:
    """A whole number as it is, another to six decimals without trailing zeros."""
    if isinstance(value, int):
        return str(value)
    return f"{round(value, 6) + 0.0:.6f}".rstrip("0").rstrip(".") or "0"


def make(recipe: Recipe, folder: Path) -> dict[str, object]:
    """Write one sample and return its index entry."""
    rows = list(recipe.rows())
    content = csv_text(recipe, rows).encode("ascii")
    file = f"{recipe.name}.csv"
    (folder / file).write_bytes(content)
    return {
        "name": recipe.name,
        "file": file,
        "sha256": hashlib.sha256(content).hexdigest(),
        "shape": [len(rows), len(recipe.columns)],
        "dtype": recipe.dtype,
        "columns": list(recipe.columns),
        "homology": recipe.homology,
        "scale": recipe.scale,
        "origin": recipe.origin,
        "licence": recipe.licence,
        "description": recipe.description,
    }


def main() -> None:
    """Write every file and the index."""
    parser = argparse.ArgumentParser(description="Make every file of data_samples/ and its index.")
    parser.add_argument("--to", type=Path, default=Path(__file__).parent, help="where to write (default: here)")
    folder: Path = parser.parse_args().to
    folder.mkdir(parents=True, exist_ok=True)
    index = {"format": 1, "samples": [make(recipe, folder) for recipe in RECIPES]}
    (folder / "index.json").write_bytes((json.dumps(index, indent=2) + "\n").encode("ascii"))


if __name__ == "__main__":
    main()
