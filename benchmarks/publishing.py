"""Publishing one row into a large registry, beside a plain copy of the same file; both with fsync."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path
from typing import Any

from benchmarks.child import call
from benchmarks.paired_rounds import BETTI, make_clouds, settle
from benchmarks.report import Line, Target, compare, progress
from benchmarks.sizes import Size

RATIO = 1.5
SHARED_SECONDS = 0.2
_BATCH = 1000


def run(folder: Path, size: Size) -> tuple[Line, ...]:
    """The line of publishing: seconds that a caller waits for one more row to be public."""
    from toriwork.storage.files import WITH_REFLINKS, OsFiles

    progress(f"publish: a registry of {size.base_rows:,} rows is made")
    found = call("benchmarks.publishing:build_and_grow", path=str(folder), n_rows=size.base_rows, rounds=size.rounds)
    shares = OsFiles().system_type(folder) in WITH_REFLINKS
    megabytes = found["bytes"] / 1e6
    target = Target("at most", SHARED_SECONDS, "ours") if shares else Target("at most", RATIO)
    note = ", shared bytes" if shares else ""
    name = f"one row into {megabytes:,.0f} MB{note}"
    return (
        compare(name, found["publish"], "copy + fsync", found["copy"], "s", target),
        Line(
            f"new bytes for one row, {size.base_rows:,} rows", found["new"], found["bytes"], "bytes", "in the file",
            found["new"] / found["bytes"],
        ),
    )  # fmt: skip


def build_and_grow(path: str, n_rows: int, rounds: int) -> dict[str, Any]:
    """Seconds of publishing one row and of copying the file, in turn; how many bytes the last publish did not copy."""
    from toriwork.registry import TorusRegistry

    file = Path(path) / "r.parquet"
    registry = TorusRegistry(file, compute_betti=False)
    for start in range(0, n_rows, _BATCH):
        clouds = make_clouds(min(_BATCH, n_rows - start), seed=start)
        registry.record_shapes(clouds, [BETTI] * len(clouds))
    registry.flush(publish=True)
    times: dict[str, list[float]] = {"publish": [], "copy": []}
    for number in range(rounds + 1):
        registry.record_shape(make_clouds(1, seed=10**9 + number)[0], BETTI)
        settle()
        began = time.perf_counter()
        registry.flush(publish=True)
        times["publish"].append(time.perf_counter() - began)
        settle()
        began = time.perf_counter()
        _copy(file, file.with_name("copy"))
        times["copy"].append(time.perf_counter() - began)
        file.with_name("copy").unlink()
    with registry._table.snapshot() as snapshot:  # noqa: SLF001 - what a publish kept stands in the footer only
        assert snapshot.base is not None
        extents = snapshot.base.footer.extents()
        kept = extents[-2].end if len(extents) > 1 else 0
        size = snapshot.base.stat.size
    registry.close()
    shutil.rmtree(file.with_suffix(".d"))
    file.unlink()
    return {"publish": times["publish"][1:], "copy": times["copy"][1:], "bytes": size, "new": size - kept}


def _copy(source: Path, target: Path) -> None:
    """As ``cp`` does it, and on the disk when it returns."""
    with source.open("rb") as old, target.open("wb") as new:
        shutil.copyfileobj(old, new, 2**20)
        new.flush()
        os.fsync(new.fileno())
