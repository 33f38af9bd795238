"""Makes data/spectral.db, data/braid.db and the JSON history: a few hundred spectra, the same each time.

    python make_history.py [--to DIR]
"""

import argparse
import json
import math
import random
from pathlib import Path

from alan_backend.origin_sentry import SpectralDB, SpectralSignature

START = 1_700_000_000.0
ROWS, BRAID_ROWS, OLD_ROWS = 320, 60, 12


def spectrum(dice, index):
    """Three to six falling eigenvalues; none near (0.05, 0.03, 0.02)."""
    top = 0.004 + 0.003 * math.sin(index / 7.0) + 0.002 * dice.random()
    if index % 9 == 0:
        top += 0.09  # a critical one
    return [round(top * 0.8**mode * (1.0 - 0.1 * dice.random()), 9) for mode in range(3 + index % 4)]


def signature(dice, index, name):
    values = spectrum(dice, index)
    return SpectralSignature(
        timestamp=START + 60.0 * index,
        eigenvalues=values,
        hash_id=f"{name}_{index:04d}",
        betti_numbers=[1.0, float(index % 3)] if index % 2 else None,
        coherence_state="critical" if values[0] > 0.04 else "global" if values[0] > 0.01 else "local",
        gaps=[round(a - b, 9) for a, b in zip(values, values[1:])],
    )


def fill(path, dice, name, rows):
    db = SpectralDB(path)
    if db.count() == 0:
        for index in range(rows):
            db.add(signature(dice, index, name))
    db.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=Path, default=Path(__file__).resolve().parent)
    root = parser.parse_args().to
    fill(root / "data" / "spectral.db", random.Random(7), "origin", ROWS)
    fill(root / "data" / "braid.db", random.Random(8), "braid", BRAID_ROWS)
    old = [vars(signature(random.Random(9 + index), index, "old")) for index in range(OLD_ROWS)]
    text = json.dumps({"format": 1, "signatures": old}, indent=1) + "\n"
    (root / "history").mkdir(exist_ok=True)
    (root / "history" / "spectral_2022.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
