"""A process in which somebody presses stop all the time.

``python interrupted.py TABLE ACKS N`` records until N interrupts have come, or 8,000 rows were recorded.
"""

from __future__ import annotations

import os
import random
import signal
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.storage.rows import CODEC, SPEC, batch
from toriwork.storage import ParquetTable, PublishPolicy


def main(path: str, acks: str, wanted: str) -> None:
    """Record; each interrupt leaves the loop at any point, as the stop button of a notebook does."""
    rng = random.Random(1)
    table = ParquetTable(path, SPEC, policy=PublishPolicy(min_interval=0.05, max_share=0.9, inline_seconds=1.0))
    payloads = [CODEC.encode(batch(f"r{n}")) for n in range(8_000)]
    out = Path(acks).open("w", encoding="utf-8")  # noqa: SIM115 - open until the end
    n, interrupts = 0, 0
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGALRM, lambda *_: os.kill(os.getpid(), signal.SIGINT))
    told: list[str] = []
    while n < len(payloads) and interrupts < int(wanted):
        try:
            signal.setitimer(signal.ITIMER_REAL, rng.uniform(1e-5, 4e-4))
            until = min(n + 100, len(payloads))  # an interrupt that Python drops rings no second time: set it anew
            while n < until:
                n += 1  # first: a row whose call was interrupted is not recorded again under the same name
                place = table.append(payloads[n - 1])
                told.append(f"r{n - 1} {place.journal} {place.frame}")
                if rng.random() < 0.002:
                    table.flush()
            signal.setitimer(signal.ITIMER_REAL, 0)
        except KeyboardInterrupt:  # the timer rings once: nothing comes in here
            interrupts += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    out.write("\n".join(told))
    out.close()
    table.flush(publish=True)
    table.close()
    print(interrupts)  # noqa: T201 - for the test that started this


if __name__ == "__main__":
    main(*sys.argv[1:])
