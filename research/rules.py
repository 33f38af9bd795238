"""Hit and false-alarm rates of every rule of estimate_betti over clouds whose Betti numbers are known.

    python -m research.rules            200 clouds a space, a few minutes on one core
    python -m research.rules --costly   the rules that resample, on some of these clouds, more minutes
    python -m research.rules --new      spaces that the default rule was not fitted to
    python -m research.rules --unseen   54 more of them, chosen before other weights were tried
    python -m research.rules --fresh    33 of the literature, chosen before "by_parts" was scored on any of them
    python -m research.rules --later    47 more, drawn after the weights on cycles were frozen
    python -m research.rules --last     34 more, drawn after the second weights on cycles were frozen
    python -m research.rules --newest   34 more, drawn after the third weights on cycles were frozen
    python -m research.rules --quick    12 clouds a space, seconds; with each of the others as well

The seeds of this table were never used to fit or to choose a rule.  "Right" means the exact number; a number that
the rule left open (NaN) is not right, and no false alarm either; it is counted in a column of its own.
"""

from __future__ import annotations

import argparse
import math
import time
import zlib
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from research.fresh_spaces import FRESH_SPACES
from research.last_spaces import LAST_SPACES
from research.later_spaces import LATER_SPACES
from research.newest_spaces import NEWEST_SPACES
from research.spaces import NEW_SPACES, SPACES, Cloud, Space
from research.unseen_spaces import UNSEEN_SPACES
from toriwork.topology import estimate_betti, judge

RULES = ("by_parts", "calibrated", "guarded_gap", "late_death", "universal_null")
#: rules that resample, judged in a table of their own, each on every so many-th of the clouds
COSTLY = {"monte_carlo_null": 1, "confidence_band": 4, "bootstrap_band": 20}
SEED = 20_270_101


class Score(NamedTuple):
    """Shares of the clouds of one space under one rule."""

    right: float
    more: float  #: more features than there are; for a null: a false alarm
    open: float


def score(space: Space, n_clouds: int, seed: int, rules: Mapping[str, int]) -> dict[str, Score]:
    """Shares per rule over ``n_clouds`` samples of a space, or over every so many-th of them."""
    numbers: dict[str, list[float]] = {rule: [] for rule in rules}
    for i in range(n_clouds):
        wanted = [rule for rule, every in rules.items() if i % every == 0]
        if not wanted:
            continue
        rng = np.random.default_rng([seed, zlib.crc32(f"{space.group}/{space.name}".encode()), i])
        cloud = space.make(rng, int(rng.integers(space.sizes[0], space.sizes[1] + 1)))
        found = estimate_betti(cloud, max_dimension=max(1, space.dimension))
        for rule in wanted:
            judged = found if rule == found.rule else judge(found.diagram, points=cloud, rule=rule)
            numbers[rule].append(judged.numbers[space.dimension])
    return {rule: _shares(np.array(values), space.betti) for rule, values in numbers.items()}


def _shares(numbers: Cloud, betti: int) -> Score:
    return Score(*(float(np.mean(found)) for found in (numbers == betti, numbers > betti, np.isnan(numbers))))


def table(results: dict[Space, dict[str, Score]], rules: Sequence[str]) -> list[str]:
    """Markdown lines: right / too many / open in percent for each rule; the mean of each group, then every space."""
    lines = [f"| set | space | true | {' | '.join(rules)} |", "|---|---|---|" + "---|" * len(rules)]
    for group in dict.fromkeys(space.group for space in results):
        members = [space for space in results if space.group == group]
        means = (_cell(Score(*np.mean([results[s][rule] for s in members], axis=0).tolist())) for rule in rules)
        lines.append(f"| **{group}** | **mean** | | {' | '.join(f'**{cell}**' for cell in means)} |")
    for space, shares in results.items():
        cells = (_cell(shares[rule]) for rule in rules)
        lines.append(f"| {space.group} | {space.name} | b{space.dimension} = {space.betti} | {' | '.join(cells)} |")
    return lines


def _cell(shares: Score) -> str:
    return " / ".join(f"{100 * share:.1f}" for share in shares)


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="12 clouds a space, without the tori")
    parser.add_argument("--clouds", type=int, default=200, help="clouds a space")
    parser.add_argument("--costly", action="store_true", help="the rules that resample instead of the others")
    parser.add_argument("--new", action="store_true", help="spaces that the default rule was not fitted to")
    parser.add_argument("--unseen", action="store_true", help="more of them, chosen before other weights were tried")
    parser.add_argument(
        "--fresh", action="store_true", help="33 spaces of the literature, frozen before by_parts was scored"
    )
    parser.add_argument("--later", action="store_true", help="47 of the literature, drawn after cycles were weighed")
    parser.add_argument("--last", action="store_true", help="34 more, drawn after they were weighed again")
    parser.add_argument("--newest", action="store_true", help="34 more, drawn after the third weights")
    parser.add_argument("--rules", nargs="*", default=list(RULES), help="of those that draw nothing")
    parser.add_argument("--seed", type=int, default=SEED)
    options = parser.parse_args()
    n_clouds = 12 if options.quick else options.clouds
    rules = COSTLY if options.costly else dict.fromkeys(options.rules, 1)
    small = options.quick or options.costly
    sets = {
        "newest": NEWEST_SPACES,
        "last": LAST_SPACES,
        "later": LATER_SPACES,
        "fresh": FRESH_SPACES,
        "unseen": UNSEEN_SPACES,
        "new": NEW_SPACES,
    }
    chosen = next((spaces for name, spaces in sets.items() if getattr(options, name)), SPACES)
    spaces = [space for space in chosen if not (small and space.sizes[0] >= 400)]
    started = time.perf_counter()
    results = {}
    for space in spaces:
        # H2 and the large tori cost most: a quarter of the clouds, at least 50 when all are wanted
        few = space.sizes[0] >= 400 or space.dimension == 2
        wanted = max(math.ceil(n_clouds / 4), min(50, n_clouds)) if few else n_clouds
        results[space] = score(space, wanted, options.seed, rules)
    print("right / too many / open, percent of the clouds")
    print("\n".join(table(results, tuple(rules))))
    print(f"\n{n_clouds} clouds a space, seed {options.seed}, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
