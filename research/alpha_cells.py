"""How often TorusCells(filtration="alpha") finds the Betti numbers of known spaces, beside Rips on the same clouds.

    python -m research.alpha_cells              40 clouds a space, two minutes on one core
    python -m research.alpha_cells --clouds 5

The default rule was fitted to Rips diagrams.  Spaces of more than three coordinates or 450 points are left out.
"""

from __future__ import annotations

import argparse
import zlib

import numpy as np

from research.spaces import SPACES, Space
from toriwork.cells.measure import Measure
from toriwork.topology import persistence
from toriwork.topology.clouds import cloud_of

MEASURES = (Measure(1, filtration="alpha"), Measure(1))
SEED = 4242


def shares(space: Space, n_clouds: int) -> list[tuple[float, float]]:
    """Per measure the share of clouds with the right number, and with more than there are."""
    found = []
    for i in range(n_clouds):
        rng = np.random.default_rng([SEED, zlib.crc32(f"{space.group}/{space.name}".encode()), i])
        cloud = space.make(rng, int(rng.integers(space.sizes[0], space.sizes[1] + 1)))
        if cloud.shape[1] > 3:
            return []
        diagrams = (persistence(cloud, **measure.options()) for measure in MEASURES)
        estimates = (
            measure.judged(diagram, cloud_of(cloud)) for measure, diagram in zip(MEASURES, diagrams, strict=True)
        )
        found.append([estimate.numbers[space.dimension] for estimate in estimates])
    numbers = np.array(found)
    return list(zip((numbers == space.betti).mean(axis=0), (numbers > space.betti).mean(axis=0), strict=True))


def main() -> None:
    """Print the shares of each group of spaces: right, and more than there are."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--clouds", type=int, default=40, help="clouds a space")
    n_clouds = parser.parse_args().clouds
    groups: dict[str, list[list[tuple[float, float]]]] = {}
    for space in SPACES:
        if space.dimension <= 1 and space.sizes[1] <= 450 and (found := shares(space, n_clouds)):
            groups.setdefault(space.group, []).append(found)
    print("group, spaces, alpha right / more, Rips right / more (%)")
    for group, rows in groups.items():
        means = 100 * np.array(rows).mean(axis=0)
        print(f"{group}, {len(rows)}, " + ", ".join(f"{right:.1f} / {more:.1f}" for right, more in means))


if __name__ == "__main__":
    main()
