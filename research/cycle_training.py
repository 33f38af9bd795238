"""How the weights on cycles came about: 7,250 simulated clouds, 5,250 of them of training.py, one fit.

    python -m research.cycle_training            all clouds, two minutes on one core
    python -m research.cycle_training --quick    one cloud in ten of these: the pipeline, not the weights

Each bar of H1 of each part is a row: what ``Cycles`` sees of it, and whether it is among the longest of its cloud, as
many as there are loops.  Rows whose log-odds by ``calibrated.py`` are below -6 are left out.  Prints by how much fitted
and frozen log-odds of the rows differ; exits with 1 when, in full form, half of them differ by more than 0.1 or one in
a hundred by more than 1.  The solver stops early: the last digits of a feature move where it stops (measured: 0.05,
0.45).
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression

from research.cycle_clouds import cycles_of_all_kinds
from research.training import fitted_model, loops_among_blobs, loops_of_all_kinds, loops_where_it_matters
from research.training_clouds import Cloud
from toriwork.topology import persistence
from toriwork.topology.calibrated import Calibrated
from toriwork.topology.clouds import distances_of_points
from toriwork.topology.cycle_odds import CONSTANT, HIGH, LOW, WEIGHTS, Cycles
from toriwork.topology.evidence import Sampling
from toriwork.topology.inputs import CheckedDistances
from toriwork.topology.single_linkage import SingleLinkage

#: mixture, first and last seed, of which every fourth was taken
MIXTURES = (
    (cycles_of_all_kinds, 0, 8_000),
    (loops_of_all_kinds, 0, 3_000),
    (loops_where_it_matters, 0, 3_000),
    (loops_among_blobs, 0, 2_500),
    (loops_of_all_kinds, 3_000, 8_000),
    (loops_where_it_matters, 3_000, 8_000),
    (loops_among_blobs, 2_500, 5_000),
)
_LEAST, _MOST_BARS, _LEAST_RATIO, _WEIGHT_OF_FALSE = -6.0, 16, 1.2, 4.0


def products(features: Any) -> Any:
    """The features, then each of them times itself and times those behind it; of each row."""
    first, second = np.triu_indices(features.shape[1])
    return np.column_stack([features, features[:, first] * features[:, second]])


def rows_of(cloud: Cloud, loops: int) -> tuple[list[Any], list[bool]]:
    """Features and label of the longest bars of each part of a cloud."""
    distances = distances_of_points(cloud)
    parts = [part for part in SingleLinkage(distances).parts() if len(part) >= 4]
    rows, lengths = [], []
    for part in parts:
        among = distances[np.ix_(part, part)]
        sampling = Sampling(persistence(distances=CheckedDistances(among)))
        bars = sampling.longest_first(1)
        odds, cycles = Calibrated().loop_odds(sampling), Cycles(SingleLinkage(among), len(parts))
        for rank, (birth, death) in enumerate(bars[:_MOST_BARS].tolist()):
            if death < _LEAST_RATIO * birth:
                continue
            frozen = odds(birth, death, max(len(bars) - min(rank, loops), 1))
            rows.append(cycles.features(birth, death, frozen) if frozen > _LEAST else None)
            lengths.append(death - birth)
    true = set(np.argsort(-np.array(lengths), kind="stable")[:loops].tolist())
    return [row for row in rows if row is not None], [i in true for i, row in enumerate(rows) if row is not None]


def main() -> int:
    """Simulate, fit, compare."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="one cloud in ten")
    quick = parser.parse_args().quick
    started, rows, labels = time.perf_counter(), [], []
    for make, first, end in MIXTURES:
        for seed in range(first, end, 40 if quick else 4):
            found, true = rows_of(*make(seed))
            rows += found
            labels += true
    features, true = products(np.clip(np.array(rows), LOW, HIGH)), np.array(labels)
    weights = fitted_model(LogisticRegression(C=1.0, max_iter=3000), features, true, _WEIGHT_OF_FALSE)
    apart = np.abs(features @ (weights[:-1] - WEIGHTS) + weights[-1] - CONSTANT)
    print(f"{len(true)} rows, {true.sum()} loops, {time.perf_counter() - started:.0f} s")
    print("log-odds differ by " + ", ".join(f"{np.quantile(apart, q):.3f} ({q:.0%})" for q in (0.5, 0.9, 0.99, 1.0)))
    return int((np.median(apart) > 0.1 or np.quantile(apart, 0.99) > 1.0) and not quick)


if __name__ == "__main__":
    sys.exit(main())
