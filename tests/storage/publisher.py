"""A process that records into a table and publishes without a rest until it is killed; the tests run it.

``python publisher.py TABLE [DURABILITY]``: a line is printed when the first rows are public.
"""

from __future__ import annotations

import itertools
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.storage.rows import BY_HAND, SPEC, add
from toriwork.errors import StoreError
from toriwork.storage import ParquetTable


def main(path: str, durability: str = "process") -> None:
    """Small frames, many publishes, full journals that are sealed now and then."""
    for run in itertools.count():
        with ParquetTable(path, SPEC, policy=BY_HAND, durability=durability) as table:
            for number in range(20):
                for row in range(number):
                    add(table, f"{os.getpid()}-{run}-{number}-{row}", size=1000 * (run % 2))
                if number % 10 == 9:  # a journal that is full is sealed, then absorbed
                    add(table, f"{os.getpid()}-{run}-{number}-full", size=9 * 2**20)
                    table.run_maintenance()
                table.flush(publish=True)
            if not run:
                os.write(1, b"ready\n")


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except StoreError as error:
        raise SystemExit(str(error)) from error
