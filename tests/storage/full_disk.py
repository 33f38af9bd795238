"""A process whose files may not grow beyond a limit; ``python full_disk.py TABLE`` says what it met.

RLIMIT_FSIZE makes write() stop in the middle of a frame, as a full disk or a quota does.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tests.storage.rows import BY_HAND, SPEC, add, names_of
from toriwork.errors import PublishError, StoreError
from toriwork.storage import ParquetTable

LIMIT = 60_000


def main(path: str) -> None:
    """Record until the disk is full, look, make room, go on."""
    table = ParquetTable(path, SPEC, policy=BY_HAND)
    for n in range(30):
        add(table, f"a{n}", size=200)
    table.flush(publish=True)
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, hard))
    kept, refused = [f"a{n}" for n in range(30)], 0
    n = 0
    while refused < 3:
        n += 1
        try:
            add(table, f"b{n}", size=4000 if refused < 2 else 70_000)
            kept.append(f"b{n}")
        except StoreError as error:
            assert "recorded" in str(error)  # noqa: PT017 - not a test function
            refused += 1
            assert names_of(table) == kept
    table.flush(publish=False)
    for n in range(30):  # the journal that was cut short is left behind: smaller rows still fit into a new one
        add(table, f"c{n}", size=3)
        kept.append(f"c{n}")
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        table.flush(publish=True)
    except PublishError as error:
        print("publish refused", error)  # noqa: T201 - for the test that started this
    assert names_of(table) == kept
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    add(table, "d")
    table.flush(publish=True)
    assert sorted(names_of(table)) == sorted([*kept, "d"])
    left = [
        found.name
        for found in Path(path).with_suffix(".d").iterdir()
        if found.name not in ("CLOCK", "HEAD", "quarantine")
    ]
    assert left == [], left
    table.close()
    with ParquetTable(path, SPEC) as again:
        assert sorted(names_of(again)) == sorted([*kept, "d"])
    print("all there", len(kept) + 1)  # noqa: T201 - for the test that started this


if __name__ == "__main__":
    main(*sys.argv[1:])
