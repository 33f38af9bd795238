"""A process that emits tokens while its clock jumps, its journals roll and are sealed, and it publishes now and then.

``python -m tests.synthesis.emitter LOG PROGRESS N SEED``: after each hundred emissions PROGRESS says how many returned.
"""

from __future__ import annotations

import random
import sys
import time
from pathlib import Path

from toriwork.storage import journal, maintenance
from toriwork.synthesis import ObserverSynthesis

_real, _real_ns = time.time, time.time_ns


def jump(seconds: float) -> None:
    """From now on every clock of this process is wrong by so much."""
    time.time = lambda: _real() + seconds
    time.time_ns = lambda: _real_ns() + int(seconds * 1e9)


def main(path: str, progress: str, n: int, seed: int) -> None:
    """Emit ``n`` tokens."""
    randomness = random.Random(seed)
    journal.ROLL_BYTES = randomness.choice((50_000, 200_000, 1_000_000))
    maintenance._SEAL_BYTES = journal.ROLL_BYTES // 2
    observers = ObserverSynthesis(path=path)
    with Path(progress).open("wb", buffering=0) as told:
        for at in range(n):
            observers.emit_token({"type": "many", "source": f"{seed}", "n": at})
            if at % 100 == 99:
                told.seek(0)
                told.write(b"%12d" % (at + 1))
            chance = randomness.random()
            if chance < 1e-4:
                jump(randomness.choice((0, -3600, 3600, -86_400, 0.5)))
            elif chance > 1 - 1e-5:
                observers.log.flush(publish=True)
        told.seek(0)
        told.write(b"%12d" % n)
    if randomness.random() < 0.5:
        observers.close()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
